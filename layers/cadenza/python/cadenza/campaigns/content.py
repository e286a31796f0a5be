"""What operators do with templates and workflows. Editing them never changes a campaign that has begun."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from cadenza.campaigns import content_store as store
from cadenza.campaigns import own_plan
from cadenza.campaigns import store as campaigns_store
from cadenza.campaigns.compiling import check_template, check_workflow
from cadenza.campaigns.content_model import NewTemplate, NewWorkflow, Step, TemplateChange
from cadenza.core import audit, etags
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from cadenza.core.ids import TemplateId, WorkflowId, WorkspaceId
from cadenza.core.states import AuditAct
from cadenza.planning.findings import Finding


@dataclass(frozen=True, slots=True)
class Contents:
    """The templates and workflows of one workspace. ``key_id`` is the API key in whose name it is done."""

    database: Database
    workspace_id: WorkspaceId
    key_id: UUID
    clock: Clock

    # --- templates -----------------------------------------------------------------------------------------------

    def create_template(self, new: NewTemplate) -> tuple[TemplateId, tuple[Finding, ...]]:
        """Add a template; what is to be said about it.

        Raises:
            InvalidInput: It could not be sent to anybody; one `FieldProblem` each.
        """
        now = self.clock()
        findings = check_template(new, now)
        with self.database.workspace(self.workspace_id) as conn:
            template_id = store.add_template(conn, self.workspace_id, new, now)
            self._record(conn, AuditAct.TEMPLATE_CREATED, template_id)
        return template_id, findings

    def change_template(
        self, template_id: TemplateId, change: TemplateChange, seen: AbstractSet[str] | None
    ) -> tuple[Finding, ...]:
        """Change what is given; what is to be said about it. ``seen``: see `etags.expect`.

        Raises:
            NotFound: No such template.
            Overtaken: It is not the version that was seen.
            InvalidInput: It could not be sent to anybody; one `FieldProblem` each.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            found = store.lock_template(conn, template_id)
            if found is None:
                raise NotFound("template", template_id)
            etags.expect(seen, etags.tag_of(found.content), "template")
            said = change.model_dump(exclude_unset=True)
            if nothing := [name for name, value in said.items() if value is None]:
                problems = tuple(FieldProblem(f"/{name}", "say what it shall be, or leave it out") for name in nothing)
                raise InvalidInput("a template has all of its fields", problems)
            content = found.content.model_copy(update=said)
            findings = check_template(content, now)
            store.save_template(conn, template_id, content, now)
            self._record(conn, AuditAct.TEMPLATE_CHANGED, template_id)
        self._lead_on(template_id)
        return findings

    def delete_template(self, template_id: TemplateId) -> None:
        """Remove a template.

        Raises:
            NotFound: No such template.
            Conflict: A workflow, or a campaign that has not ended, needs it.
        """
        with self.database.workspace(self.workspace_id) as conn:
            if store.lock_template(conn, template_id) is None:
                raise NotFound("template", template_id)
            _refuse_if_used("template", store.template_users(conn, template_id))
            store.delete_template(conn, template_id)
            self._record(conn, AuditAct.TEMPLATE_DELETED, template_id)

    # --- workflows -----------------------------------------------------------------------------------------------

    def create_workflow(self, new: NewWorkflow) -> tuple[WorkflowId, tuple[Finding, ...]]:
        """Add a workflow; what is to be said about it.

        Raises:
            InvalidInput: A step names no template of this workspace, or it could not be sent.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            _know_templates(conn, new)
            workflow_id = store.add_workflow(conn, self.workspace_id, new, now)
            findings = check_workflow(_steps(conn, workflow_id))
            self._record(conn, AuditAct.WORKFLOW_CREATED, workflow_id)
        return workflow_id, findings

    def replace_workflow(
        self, workflow_id: WorkflowId, content: NewWorkflow, seen: AbstractSet[str] | None
    ) -> tuple[Finding, ...]:
        """Replace all of a workflow; what is to be said about it. ``seen``: see `etags.expect`.

        Raises:
            NotFound: No such workflow.
            Overtaken: It is not the version that was seen.
            InvalidInput: A step names no template of this workspace, or it could not be sent.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            found = store.lock_workflow(conn, workflow_id)
            if found is None:
                raise NotFound("workflow", workflow_id)
            etags.expect(seen, etags.tag_of(found.content), "workflow")
            _know_templates(conn, content)
            store.save_workflow(conn, self.workspace_id, workflow_id, content, now)
            findings = check_workflow(_steps(conn, workflow_id))
            self._record(conn, AuditAct.WORKFLOW_CHANGED, workflow_id)
        self._lead_on(workflow_id)
        return findings

    def delete_workflow(self, workflow_id: WorkflowId) -> None:
        """Remove a workflow; its templates stay.

        Raises:
            NotFound: No such workflow.
            Conflict: A campaign that has not ended needs it.
        """
        with self.database.workspace(self.workspace_id) as conn:
            if store.lock_workflow(conn, workflow_id) is None:
                raise NotFound("workflow", workflow_id)
            _refuse_if_used("workflow", store.workflow_users(conn, workflow_id))
            store.delete_workflow(conn, workflow_id)
            self._record(conn, AuditAct.WORKFLOW_DELETED, workflow_id)

    def _lead_on(self, content_id: UUID) -> None:
        """Let the campaigns that have not begun, and have drafts, show what is written now.

        In a transaction of its own: it locks campaigns, whose changes lock content. If it is lost, their start does it.
        """
        with self.database.workspace(self.workspace_id) as conn:
            # One by one: each has a plan of its own to compile, and few campaigns share a draft's content.
            for campaign_id in store.drafts_with(conn, content_id):
                campaign = campaigns_store.find(conn, campaign_id, to_move=True)
                if campaign is not None and not campaign.has_begun:
                    own_plan.settle(conn, campaign, self.clock())

    def _record(self, conn: Connection, act: AuditAct, subject_id: UUID) -> None:
        audit.record(conn, self.workspace_id, act, self.clock(), key_id=self.key_id, subject_id=subject_id)


def _know_templates(conn: Connection, content: NewWorkflow) -> None:
    """Refuse steps whose template is not there. Foreign keys would take another workspace's."""
    known = store.known_templates(conn, [step.template_id for step in content.steps], lock=True)
    problems = tuple(
        FieldProblem(f"/steps/{position}/template_id", "no such template; create one with POST /v1/templates")
        for position, step in enumerate(content.steps)
        if step.template_id not in known
    )
    if problems:
        raise InvalidInput("the workflow names unknown templates", problems)


def _steps(conn: Connection, workflow_id: WorkflowId) -> list[Step]:
    return store.steps_of(conn, None, workflow_id)


def _refuse_if_used(what: str, users: Sequence[str]) -> None:
    if users:
        raise Conflict(f"the {what} is needed", tuple(FieldProblem("", f"by {user}") for user in users))
