"""Templates and workflows in SQL."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Row, text

from cadenza.campaigns.content_model import NewTemplate, NewWorkflow, Step, Template, Workflow, WorkflowStep
from cadenza.core.ids import CampaignId, TemplateId, WorkflowId, WorkspaceId, new_id
from cadenza.core.states import CAMPAIGN_ENDED, CampaignStatus
from cadenza.core.tables.base import literals

# --- templates ---------------------------------------------------------------------------------------------------


def add_template(conn: Connection, workspace_id: WorkspaceId, new: NewTemplate, now: datetime) -> TemplateId:
    """Add a template."""
    template_id = TemplateId(new_id())
    conn.execute(
        text("""
            INSERT INTO templates (id, workspace_id, name, subject, text_body, html_body, created_at, updated_at)
            VALUES (:id, :workspace_id, :name, :subject, :text_body, :html_body, :now, :now)
        """),
        {"id": template_id, "workspace_id": workspace_id, "now": now, **new.model_dump()},
    )
    return template_id


def lock_template(conn: Connection, template_id: TemplateId) -> Template | None:
    """The template, held until the transaction ends; None if there is no such template."""
    query = text("SELECT id, name, subject, text_body, html_body FROM templates WHERE id = :id FOR UPDATE")
    row = conn.execute(query, {"id": template_id}).first()
    return None if row is None else _template(row)


def save_template(conn: Connection, template_id: TemplateId, content: NewTemplate, now: datetime) -> None:
    """Replace the content of a template that the caller has locked."""
    conn.execute(
        text("""
            UPDATE templates SET name = :name, subject = :subject, text_body = :text_body, html_body = :html_body,
                   updated_at = :now
            WHERE id = :id
        """),
        {"id": template_id, "now": now, **content.model_dump()},
    )


def delete_template(conn: Connection, template_id: TemplateId) -> None:
    """Remove a template that the caller has locked. Campaigns that have ended forget which one it was."""
    _forget(conn, "template_id", template_id)
    conn.execute(text("DELETE FROM templates WHERE id = :id"), {"id": template_id})


def known_templates(conn: Connection, ids: Iterable[TemplateId], *, lock: bool = False) -> set[TemplateId]:
    """Which of these templates there are. ``lock`` keeps them from being deleted until the transaction ends."""
    strength = " ORDER BY id FOR KEY SHARE" if lock else ""
    query = text(f"SELECT id FROM templates WHERE id = ANY(:ids){strength}")
    return set(conn.execute(query, {"ids": list(set(ids))}).scalars())


def template_users(conn: Connection, template_id: TemplateId) -> list[str]:
    """Who needs the template: workflows, and campaigns that have not ended. In words."""
    return list(conn.execute(_TEMPLATE_USERS, {"id": template_id}).scalars())


def _template(row: Row[tuple[object, ...]]) -> Template:
    # What the system's own models have taken need not be checked again, and may be longer than they allow by now.
    content = NewTemplate.model_construct(
        name=row.name, subject=row.subject, text_body=row.text_body, html_body=row.html_body
    )
    return Template(TemplateId(row.id), content)


_OPEN_CAMPAIGN = f"c.status NOT IN ({literals(*CAMPAIGN_ENDED)})"

_TEMPLATE_USERS = text(f"""
    SELECT 'the workflow "' || w.name || '" (' || w.id || ')' FROM workflows w
    WHERE w.id IN (SELECT workflow_id FROM workflow_steps WHERE template_id = :id)
    UNION ALL
    SELECT 'the campaign "' || c.name || '" (' || c.id || '), ' || c.status FROM campaigns c
    WHERE c.template_id = :id AND {_OPEN_CAMPAIGN}
""")


# --- workflows ---------------------------------------------------------------------------------------------------


def add_workflow(conn: Connection, workspace_id: WorkspaceId, new: NewWorkflow, now: datetime) -> WorkflowId:
    """Add a workflow; its templates are there."""
    workflow_id = WorkflowId(new_id())
    conn.execute(
        text("""
            INSERT INTO workflows (id, workspace_id, name, created_at, updated_at)
            VALUES (:id, :workspace_id, :name, :now, :now)
        """),
        {"id": workflow_id, "workspace_id": workspace_id, "name": new.name, "now": now},
    )
    _add_steps(conn, workspace_id, workflow_id, new)
    return workflow_id


def lock_workflow(conn: Connection, workflow_id: WorkflowId) -> Workflow | None:
    """The workflow, held until the transaction ends; None if there is no such workflow. Two statements."""
    locked = conn.execute(text("SELECT name FROM workflows WHERE id = :id FOR UPDATE"), {"id": workflow_id}).first()
    if locked is None:
        return None
    query = text("SELECT template_id, delay FROM workflow_steps WHERE workflow_id = :id ORDER BY position")
    steps = tuple(
        WorkflowStep.model_construct(template_id=row.template_id, delay=row.delay)
        for row in conn.execute(query, {"id": workflow_id})
    )
    return Workflow(workflow_id, NewWorkflow.model_construct(name=locked.name, steps=steps))


def save_workflow(
    conn: Connection, workspace_id: WorkspaceId, workflow_id: WorkflowId, content: NewWorkflow, now: datetime
) -> None:
    """Replace a workflow that the caller has locked; its templates are there."""
    parameters = {"id": workflow_id, "name": content.name, "now": now}
    conn.execute(text("UPDATE workflows SET name = :name, updated_at = :now WHERE id = :id"), parameters)
    conn.execute(text("DELETE FROM workflow_steps WHERE workflow_id = :id"), parameters)
    _add_steps(conn, workspace_id, workflow_id, content)


def delete_workflow(conn: Connection, workflow_id: WorkflowId) -> None:
    """Remove a workflow that the caller has locked, with its steps. Ended campaigns forget which one it was."""
    _forget(conn, "workflow_id", workflow_id)
    conn.execute(text("DELETE FROM workflows WHERE id = :id"), {"id": workflow_id})


def workflow_is_known(conn: Connection, workflow_id: WorkflowId) -> bool:
    """Whether there is such a workflow; it is kept from being deleted until the transaction ends."""
    query = text("SELECT id FROM workflows WHERE id = :id FOR KEY SHARE")
    return conn.execute(query, {"id": workflow_id}).first() is not None


def workflow_users(conn: Connection, workflow_id: WorkflowId) -> list[str]:
    """Which campaigns that have not ended need the workflow. In words."""
    return list(conn.execute(_WORKFLOW_USERS, {"id": workflow_id}).scalars())


def _add_steps(conn: Connection, workspace_id: WorkspaceId, workflow_id: WorkflowId, new: NewWorkflow) -> None:
    rows = [
        {"id": str(new_id()), "position": position, "template_id": str(step.template_id), "delay": step.delay}
        for position, step in enumerate(new.steps)
    ]
    conn.execute(
        text("""
            INSERT INTO workflow_steps (id, workspace_id, workflow_id, position, template_id, delay)
            SELECT r.id, :workspace_id, :workflow_id, r.position, r.template_id, r.delay
            FROM jsonb_to_recordset(CAST(:rows AS jsonb))
                AS r(id uuid, position integer, template_id uuid, delay text)
        """),
        {"workspace_id": workspace_id, "workflow_id": workflow_id, "rows": json.dumps(rows)},
    )


_WORKFLOW_USERS = text(f"""
    SELECT 'the campaign "' || c.name || '" (' || c.id || '), ' || c.status FROM campaigns c
    WHERE c.workflow_id = :id AND {_OPEN_CAMPAIGN}
""")


def _forget(conn: Connection, column: str, content_id: TemplateId | WorkflowId) -> None:
    conn.execute(text(f"UPDATE campaigns SET {column} = NULL WHERE {column} = :id"), {"id": content_id})


def drafts_with(conn: Connection, content_id: UUID) -> list[CampaignId]:
    """Campaigns that have not begun, have a plan, and send this template or workflow; in id order."""
    return list(conn.execute(_DRAFTS, {"id": content_id}).scalars())


_DRAFTS = text(f"""
    SELECT c.id FROM campaigns c
    WHERE c.status IN ({literals(CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)}) AND c.plan_id IS NOT NULL
      AND (c.template_id = :id OR c.workflow_id = :id
           OR c.workflow_id IN (SELECT workflow_id FROM workflow_steps WHERE template_id = :id))
    ORDER BY c.id
""")


# --- what a campaign sends ---------------------------------------------------------------------------------------


def steps_of(conn: Connection, template_id: TemplateId | None, workflow_id: WorkflowId | None) -> list[Step]:
    """What a campaign with this template or this workflow sends, in order; nothing where neither is there."""
    rows = conn.execute(_STEPS, {"template_id": template_id, "workflow_id": workflow_id})
    return [Step(_template(row), row.delay) for row in rows]


_STEPS = text("""
    SELECT t.id, t.name, t.subject, t.text_body, t.html_body, s.delay
    FROM (SELECT 0 AS position, CAST(:template_id AS uuid) AS template_id, 'PT0S' AS delay
          UNION ALL
          SELECT position, template_id, delay FROM workflow_steps WHERE workflow_id = CAST(:workflow_id AS uuid)) s
    JOIN templates t ON t.id = s.template_id ORDER BY s.position
""")
