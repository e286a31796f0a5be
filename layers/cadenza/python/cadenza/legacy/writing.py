"""What an export comes to is written down, in one order for everybody: content, people, campaigns, who is in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection

from cadenza.campaigns import resumption
from cadenza.campaigns import store as campaigns_store
from cadenza.campaigns.consent import BY_IMPORT, suppress_all
from cadenza.contacts.addresses import normal
from cadenza.contacts.merging import Brought, Merged, Merging, merge
from cadenza.contacts.suppressions import Provenance, Suppressed
from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.ids import CampaignId, ContactId, LeadId, PlanId, SenderId, WorkspaceId, new_id
from cadenza.core.states import CAMPAIGN_ENDED, CampaignStatus, ResumePolicy, SuppressionChannel
from cadenza.engine.apply import FollowUp
from cadenza.legacy import store
from cadenza.legacy.joining import Joining
from cadenza.legacy.model import Kind, Outcome
from cadenza.legacy.store import Key, Standing, Values
from cadenza.legacy.wanted import Wanted, WantedCampaign, WantedEnrolment, WantedLead
from cadenza.planning.compiled import CompiledPlan

SOURCE = {"added": "by import from another system"}
_BEGUN = (CampaignStatus.RUNNING, CampaignStatus.PAUSED)


@dataclass(frozen=True, slots=True)
class Written:
    """What is to be done after the commit. ``moved`` campaigns have something new to do."""

    follow_up: FollowUp = field(default_factory=FollowUp)
    moved: tuple[CampaignId, ...] = ()


@dataclass(slots=True)
class Writing:
    """One export in one transaction."""

    conn: Connection
    workspace_id: WorkspaceId
    key_id: UUID | None
    now: datetime
    ids: dict[Key, UUID] = field(default_factory=dict[Key, UUID])
    """What is here, from earlier imports and from this one."""
    brought: dict[Key, Values] = field(default_factory=dict[Key, Values])
    contacts: dict[str, ContactId] = field(default_factory=dict[str, ContactId])
    """By address."""
    plan_ids: dict[str, PlanId] = field(default_factory=dict[str, PlanId])
    """By hash."""
    follow_up: FollowUp = field(default_factory=FollowUp)

    def write(self, wanted: Wanted, sender: str) -> Written:
        """Write everything that can be, and say of every row what became of it."""
        store.lock(self.conn, self.workspace_id)
        self.ids = store.known(self.conn, self.workspace_id, _keys(wanted))
        self._write_content(wanted)
        self._write_leads(wanted.leads)
        self._suppress(wanted.leads)
        standing = self._write_campaigns(wanted.campaigns, sender)
        moved = self._write_enrolments(wanted.campaigns, standing)
        rows = [{"kind": kind, "old_id": old_id, **row} for (kind, old_id), row in self.brought.items()]
        store.remember(self.conn, self.workspace_id, rows, self.key_id, self.now)
        return Written(self.follow_up, moved)

    def _bring(self, kind: Kind, ref: str, detail: object = None) -> UUID:
        new = new_id()
        self.ids[kind, ref] = new
        self.brought[kind, ref] = {"new_id": new, "detail": detail}
        return new

    # --- content -------------------------------------------------------------------------------------------------

    def _write_content(self, wanted: Wanted) -> None:
        templates: list[Values] = []
        workflows: list[Values] = []
        steps: list[Values] = []
        for template in wanted.templates:
            if (Kind.TEMPLATE, template.ref) in self.ids:
                if template.entry.kind is Kind.TEMPLATE:
                    template.entry.outcome = Outcome.KNOWN
            else:
                templates.append({"id": self._bring(Kind.TEMPLATE, template.ref), **template.content.model_dump()})
        for workflow in wanted.workflows:
            if (Kind.WORKFLOW, workflow.ref) in self.ids:
                workflow.entry.outcome = Outcome.KNOWN
                continue
            workflow_id = self._bring(Kind.WORKFLOW, workflow.ref)
            workflows.append({"id": workflow_id, "name": workflow.name})
            steps += [
                {
                    "id": new_id(),
                    "workflow_id": workflow_id,
                    "position": position,
                    "template_id": self.ids[Kind.TEMPLATE, template.ref],
                    "delay": delay,
                }
                for position, (template, delay) in enumerate(workflow.steps, start=1)
            ]
        store.add_content(self.conn, self.workspace_id, templates, workflows, steps, self.now)

    # --- people and sites ----------------------------------------------------------------------------------------

    def _write_leads(self, leads: Sequence[WantedLead]) -> None:
        sites = {lead.site.domain: lead for lead in reversed(leads) if lead.site is not None}
        rows = [
            {"id": new_id(), "domain": domain, "url": lead.site.url, "company": lead.company}
            for domain, lead in sorted(sites.items())
            if lead.site is not None
        ]
        lead_ids, new = store.add_sites(self.conn, self.workspace_id, rows, self.now)
        brought = [
            Brought(line, lead_ids[lead.site.domain] if lead.site is not None else None, lead.contact)
            for line, lead in enumerate(leads)
            if lead.contact is not None
        ]
        people = merge(self.conn, self.workspace_id, brought, SOURCE, self.now)
        for line, lead in enumerate(leads):
            key = (Kind.LEAD, lead.ref)
            was_known = key in self.ids
            if lead.contact is None:
                site = lead.site.domain if lead.site is not None else ""
                self._tell_lead(lead, lead_ids[site], is_new=site in new and sites[site] is lead, known=was_known)
            else:
                self._tell_person(lead, people[line], known=was_known)

    def _tell_person(self, lead: WantedLead, merged: Merged, *, known: bool) -> None:
        if merged.outcome is Merging.ERASED or merged.contact_id is None:
            detail = "belonged to somebody whose data was erased at their wish; it is not stored again"
            for name in merged.fields:
                lead.entry.refuse(name, detail)
            return
        if lead.key:
            self.contacts[lead.key] = merged.contact_id
        if merged.elsewhere:
            lead.entry.note("a contact of another site already, and stays there")
        self._tell_lead(lead, merged.contact_id, is_new=merged.outcome is Merging.CREATED, known=known)

    def _tell_lead(self, lead: WantedLead, new: ContactId | LeadId, *, is_new: bool, known: bool) -> None:
        if known:
            lead.entry.outcome = Outcome.KNOWN
            return
        if not is_new:
            lead.entry.outcome = Outcome.MERGED
        self.ids[Kind.LEAD, lead.ref] = new
        self.brought[Kind.LEAD, lead.ref] = {"new_id": new, "detail": None}

    def _suppress(self, leads: Iterable[WantedLead]) -> None:
        rows = [
            Suppressed(SuppressionChannel.EMAIL, normal(SuppressionChannel.EMAIL, lead.contact.email), lead.never)
            for lead in leads
            if lead.never and lead.contact is not None and lead.contact.email and lead.key in self.contacts
        ]
        origin = Provenance(BY_IMPORT, self.key_id)
        self.follow_up += suppress_all(self.conn, self.workspace_id, rows, origin, self.now).follow_up

    # --- campaigns -----------------------------------------------------------------------------------------------

    def _write_campaigns(self, campaigns: Sequence[WantedCampaign], sender: str) -> dict[CampaignId, Standing]:
        senders = store.senders(self.conn, [sender.lower(), *(campaign.sender for campaign in campaigns)])
        if sender and sender.lower() not in senders:
            problem = FieldProblem("/sender", "no such sender; create one with POST /v1/senders, and name its address")
            raise InvalidInput("the import names an unknown sender", (problem,))
        rows: list[Values] = []
        plans = {plan.hash: (campaign, source) for campaign in campaigns for source, plan in _plans(campaign)}
        stored = store.add_plans(
            self.conn,
            self.workspace_id,
            {
                plan_hash: {"id": new_id(), "version": source.get("version", "1.0"), "plan": source, "source": of.kind}
                for plan_hash, (of, source) in plans.items()
            },
            self.now,
        )
        for campaign in campaigns:
            if (Kind.CAMPAIGN, campaign.ref) in self.ids:
                campaign.entry.outcome = Outcome.KNOWN
                continue
            sender_id = senders.get(campaign.sender) or senders.get(sender.lower())
            if sender_id is None and campaign.status in _BEGUN:
                detail = "nobody here sends for it: create a sender, and give its address as the sender of the import"
                _refuse(campaign, "sender", detail)
                continue
            rows.append(
                self._campaign_row(campaign, sender_id)
                | {"plan_id": stored[campaign.plan.hash] if campaign.plan else None}
            )
        store.add_campaigns(self.conn, self.workspace_id, rows, self.now)
        self.plan_ids = stored
        ids = (self.ids.get((Kind.CAMPAIGN, campaign.ref)) for campaign in campaigns)
        return store.lock_campaigns(self.conn, [CampaignId(one) for one in ids if one is not None])

    def _campaign_row(self, campaign: WantedCampaign, sender_id: SenderId | None) -> dict[str, object]:
        """Its columns. What runs comes in as paused, and is resumed once all of it is there."""
        status = CampaignStatus.PAUSED if campaign.status in _BEGUN else campaign.status
        template, workflow = campaign.template, campaign.workflow
        begun = campaign.status is not CampaignStatus.DRAFT
        return {
            "id": self._bring(Kind.CAMPAIGN, campaign.ref, campaign.metrics),
            "name": campaign.name,
            "kind": campaign.kind,
            "type": campaign.type,
            "status": status,
            "status_reason": "imported" if begun else "",
            "sender_id": sender_id,
            "template_id": self.ids[Kind.TEMPLATE, template.ref] if template is not None else None,
            "workflow_id": self.ids[Kind.WORKFLOW, workflow.ref] if workflow is not None else None,
            "brief": campaign.brief.model_dump(mode="json"),
            "rules": campaign.rules.model_dump(mode="json", exclude_none=True),
            "daily_cap": campaign.daily_cap,
            "created_at": campaign.created_at or self.now,
            "started_at": (campaign.started_at or campaign.created_at or self.now) if begun else None,
            "paused_at": self.now if status is CampaignStatus.PAUSED else None,
            "finished_at": (campaign.finished_at or self.now) if status in CAMPAIGN_ENDED else None,
        }

    # --- who is in them ------------------------------------------------------------------------------------------

    def _write_enrolments(
        self, campaigns: Sequence[WantedCampaign], standing: dict[CampaignId, Standing]
    ) -> tuple[CampaignId, ...]:
        joining = Joining(self.conn, self.workspace_id, self.key_id, self.now)
        wanted: list[tuple[Standing, WantedEnrolment, ContactId]] = []
        for campaign in campaigns:
            campaign_id = self.ids.get((Kind.CAMPAIGN, campaign.ref))
            if campaign_id is None:
                continue
            here = standing[CampaignId(campaign_id)]
            for enrolment in campaign.enrolments:
                contact_id = self.contacts.get(enrolment.lead.key)
                if contact_id is None:
                    for entry in enrolment.entries:
                        entry.refuse("lead_id", "their lead cannot be taken")
                else:
                    wanted.append((here, enrolment, contact_id))
        joined = joining.join(wanted, self.plan_ids)
        self.follow_up += joined.follow_up
        moved: list[CampaignId] = []
        # As many statements a campaign as when an operator resumes each by hand.
        for campaign in campaigns:
            campaign_id = CampaignId(self.ids.get((Kind.CAMPAIGN, campaign.ref), UUID(int=0)))
            is_new = (Kind.CAMPAIGN, campaign.ref) in self.brought
            if is_new and campaign.status is CampaignStatus.RUNNING:
                campaigns_store.move(self.conn, campaign_id, CampaignStatus.RUNNING, "", self.now)
            elif campaign_id not in joined.begun or standing[campaign_id].status is not CampaignStatus.RUNNING:
                continue
            resumption.resume(self.conn, campaign_id, ResumePolicy.KEEP, self.now, self.now)
            moved.append(campaign_id)
        self.follow_up += FollowUp(campaigns=frozenset(moved))
        return tuple(moved)


def _keys(wanted: Wanted) -> Iterator[Key]:
    yield from ((Kind.TEMPLATE, one.ref) for one in wanted.templates)
    yield from ((Kind.WORKFLOW, one.ref) for one in wanted.workflows)
    yield from ((Kind.LEAD, one.ref) for one in wanted.leads)
    yield from ((Kind.CAMPAIGN, one.ref) for one in wanted.campaigns)


def _plans(campaign: WantedCampaign) -> Iterator[tuple[dict[str, JsonValue], CompiledPlan]]:
    if campaign.source is not None and campaign.plan is not None:
        yield campaign.source, campaign.plan
    for enrolment in campaign.enrolments:
        yield enrolment.source, enrolment.plan


def _refuse(campaign: WantedCampaign, name: str, detail: str) -> None:
    campaign.entry.refuse(name, detail)
    for enrolment in campaign.enrolments:
        for entry in enrolment.entries:
            entry.refuse("campaign_id", "its campaign cannot be taken")
