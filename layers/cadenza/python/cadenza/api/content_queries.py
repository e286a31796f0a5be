"""What the API reads of templates and workflows."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, Text, func, literal_column, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from cadenza.api import content_models
from cadenza.api.models import Page
from cadenza.api.reading import Slice, one_of, page_of
from cadenza.core import tables

_TEMPLATES, _WORKFLOWS, _STEPS = tables.templates, tables.workflows, tables.workflow_steps


def templates(conn: Connection, part: Slice) -> Page[content_models.Template]:
    """Templates."""
    return page_of(conn, content_models.Template, select(_TEMPLATES), _TEMPLATES.c.id, part)


def template(conn: Connection, template_id: UUID) -> content_models.Template:
    """One template."""
    query = select(_TEMPLATES).where(_TEMPLATES.c.id == template_id)
    return one_of(conn, content_models.Template, query, "template", template_id)


_WORKFLOW = select(
    _WORKFLOWS,
    select(
        func.jsonb_agg(
            aggregate_order_by(
                func.jsonb_build_object(
                    literal_column("'template_id'", Text),
                    _STEPS.c.template_id,
                    literal_column("'template_name'", Text),
                    _TEMPLATES.c.name,
                    literal_column("'delay'", Text),
                    _STEPS.c.delay,
                ),
                _STEPS.c.position,
            )
        )
    )
    .select_from(_STEPS.join(_TEMPLATES, _TEMPLATES.c.id == _STEPS.c.template_id))
    .where(_STEPS.c.workflow_id == _WORKFLOWS.c.id)
    .scalar_subquery()
    .label("steps"),
)


def workflows(conn: Connection, part: Slice) -> Page[content_models.Workflow]:
    """Workflows."""
    return page_of(conn, content_models.Workflow, _WORKFLOW, _WORKFLOWS.c.id, part)


def workflow(conn: Connection, workflow_id: UUID) -> content_models.Workflow:
    """One workflow."""
    query = _WORKFLOW.where(_WORKFLOWS.c.id == workflow_id)
    return one_of(conn, content_models.Workflow, query, "workflow", workflow_id)
