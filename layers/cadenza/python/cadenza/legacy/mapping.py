"""An export as what we would write of it, with something to tell of every row. Pure.

Rows refer to one another within one export: what a row names and the export does not have costs that row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar, cast

from pydantic import ValidationError

from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.legacy.campaigns import campaign_of, read_plan
from cadenza.legacy.content import template_of, workflow_of
from cadenza.legacy.enrolments import Member, enrol, hear
from cadenza.legacy.model import Kind
from cadenza.legacy.people import lead_of
from cadenza.legacy.reading import MAX_ROWS, Raw, squashed
from cadenza.legacy.records import OldCampaign, OldEnrolment, OldLead, OldMail, OldTemplate, OldWorkflow, Record
from cadenza.legacy.wanted import (
    Entry,
    Wanted,
    WantedCampaign,
    WantedLead,
    WantedTemplate,
    WantedWorkflow,
    reference,
)

R = TypeVar("R", bound=Record)

_FIELDS: Final[Mapping[Kind, type[Record]]] = {
    Kind.TEMPLATE: OldTemplate,
    Kind.WORKFLOW: OldWorkflow,
    Kind.LEAD: OldLead,
    Kind.CAMPAIGN: OldCampaign,
    Kind.ENROLMENT: OldEnrolment,
    Kind.MAIL: OldMail,
}


def mapped_export(rows: Sequence[Raw], now: datetime, most: int = MAX_ROWS) -> Wanted:
    """Everything that the rows come to.

    Raises:
        InvalidInput: They are more than ``most``, with those that campaigns list of their people.
    """
    return _Mapping(now, most).run(rows)


@dataclass(slots=True)
class _Mapping:
    """One export under way. Collections are by old id; what has none is in the lists of `Wanted` only."""

    now: datetime
    most: int
    wanted: Wanted = field(default_factory=Wanted)
    read: dict[Kind, list[tuple[Record, Entry]]] = field(default_factory=lambda: {kind: [] for kind in Kind})
    templates: dict[str, WantedTemplate] = field(default_factory=dict[str, WantedTemplate])
    workflows: dict[str, WantedWorkflow] = field(default_factory=dict[str, WantedWorkflow])
    leads: dict[str, WantedLead] = field(default_factory=dict[str, WantedLead])
    people: dict[str, WantedLead] = field(default_factory=dict[str, WantedLead])
    """By address."""
    campaigns: dict[str, WantedCampaign] = field(default_factory=dict[str, WantedCampaign])
    members: dict[tuple[WantedCampaign, WantedLead], Member] = field(
        default_factory=dict[tuple[WantedCampaign, WantedLead], Member]
    )

    def run(self, rows: Sequence[Raw]) -> Wanted:
        for row in rows:
            self._read(row)
        self._take_content()
        self._take_leads()
        self._take_campaigns()
        self._take_members()
        return self.wanted

    def _entry(self, kind: Kind | None, place: str) -> Entry:
        if len(self.wanted.entries) >= self.most:
            detail = f"more than {self.most:,} rows: export it in parts, templates and workflows with each"
            raise InvalidInput("the export is too long", (FieldProblem("", detail),))
        entry = Entry(kind, place)
        self.wanted.entries.append(entry)
        return entry

    def _read(self, row: Raw) -> None:
        entry = self._entry(row.kind, row.place)
        if row.problem or row.kind is None:
            entry.refuse("", row.problem or "nothing tells what it is")
            return
        try:
            record = _FIELDS[row.kind].model_validate(row.fields)
        except ValidationError as error:
            entry.refuse_for(error)
            return
        entry.old_id = record.id
        self.read[row.kind].append((record, entry))

    def _of(self, kind: Kind, record: type[R]) -> Iterator[tuple[R, Entry]]:
        for found, entry in self.read[kind]:
            if isinstance(found, record):
                yield found, entry

    def _is_first(self, seen: Mapping[str, object], old_id: str, entry: Entry) -> bool:
        if old_id and old_id in seen:
            entry.refuse("id", "an earlier row has this id: leave one")
            return False
        return True

    def _take_content(self) -> None:
        for old, entry in self._of(Kind.TEMPLATE, OldTemplate):
            ref = reference(old.id, "template", old.name, old.subject)
            if not self._is_first(self.templates, old.id, entry):
                continue
            if (template := template_of(old, old.name, ref, entry)) is not None:
                self.templates[ref] = template
                self.wanted.templates.append(template)
        for old, entry in self._of(Kind.WORKFLOW, OldWorkflow):
            if not self._is_first(self.workflows, old.id, entry):
                continue
            workflow, own = workflow_of(old, self.templates, entry)
            if workflow is not None:
                self.workflows[workflow.ref] = workflow
                self.wanted.templates += own
                self.wanted.workflows.append(workflow)

    def _take_leads(self) -> None:
        for old, entry in self._of(Kind.LEAD, OldLead):
            if not self._is_first(self.leads, old.id, entry):
                continue
            lead = lead_of(old, entry)
            if lead is None:
                continue
            if lead.key and (first := self.people.get(lead.key)) is not None:
                # One person twice: what either row says of them holds.
                first.never, first.replied = first.never or lead.never, first.replied or lead.replied
                first.untouched = first.untouched and lead.untouched
                entry.note(f"the same person as {first.entry.place}")
            self.leads[lead.ref] = self.people.setdefault(lead.key, lead) if lead.key else lead
            self.wanted.leads.append(lead)

    def _take_campaigns(self) -> None:
        for old, entry in self._of(Kind.CAMPAIGN, OldCampaign):
            if not self._is_first(self.campaigns, old.id, entry):
                continue
            campaign = campaign_of(old, self.templates, self.workflows, entry)
            if campaign is None:
                continue
            self.campaigns[campaign.ref] = campaign
            self.wanted.campaigns.append(campaign)
            for index, found in enumerate(old.leads):
                self._take_listed(campaign, found, f"{entry.place}.leads[{index}]")

    # --- who is in which campaign --------------------------------------------------------------------------------

    def _take_listed(self, campaign: WantedCampaign, found: object, place: str) -> None:
        fields = {"id": found}
        if isinstance(found, dict):
            fields = {squashed(name): value for name, value in cast("dict[str, object]", found).items()}
            fields = fields if len(fields) > 1 or "email" in fields else {"id": cast("object", found)}
        entry = self._entry(Kind.ENROLMENT, place)
        try:
            old = OldEnrolment.model_validate(fields)
        except ValidationError as error:
            entry.refuse_for(error)
            return
        self._take_member(campaign, old, entry)

    def _take_member(self, campaign: WantedCampaign, old: OldEnrolment, entry: Entry) -> None:
        lead = self._lead(old.lead_id, old.email)
        if lead is None:
            entry.refuse("lead_id", "names a lead that is not in the export, or was refused")
            return
        if (campaign, lead) in self.members:
            entry.skip("an earlier row names the same person")
            return
        member = Member(entry, lead)
        if old.plan is not None:
            member.plan = read_plan(old.plan, entry)  # None: the entry says why
        self.members[campaign, lead] = member

    def _lead(self, lead_id: str, email: str) -> WantedLead | None:
        return self.leads.get(lead_id) or self.people.get((email or lead_id).lower())

    def _take_members(self) -> None:
        for old, entry in self._of(Kind.ENROLMENT, OldEnrolment):
            if (campaign := self._campaign(old.campaign_id, entry)) is not None:
                self._take_member(campaign, old, entry)
        for old, entry in self._of(Kind.LEAD, OldLead):
            campaign, lead = self.campaigns.get(old.campaign_id), self._lead(old.id, old.email)
            if campaign is not None and lead is not None and (campaign, lead) not in self.members:
                self._join(campaign, lead, entry)
        for mail, entry in self._of(Kind.MAIL, OldMail):
            self._take_mail(mail, entry)
        with_mails = {campaign for (campaign, _), member in self.members.items() if member.mails}
        for member in self.members.values():
            hear(member)
        by_campaign: defaultdict[WantedCampaign, list[Member]] = defaultdict(list)
        for (campaign, _), member in self.members.items():
            by_campaign[campaign].append(member)
        for campaign, members in by_campaign.items():
            for member in members:
                enrol(campaign, member, self.now, knows_mails=campaign in with_mails)

    def _join(self, campaign: WantedCampaign, lead: WantedLead, because: Entry) -> Member:
        entry = self._entry(Kind.ENROLMENT, f"{because.place} (its campaign)")
        return self.members.setdefault((campaign, lead), Member(entry, lead))

    def _campaign(self, old_id: str, entry: Entry) -> WantedCampaign | None:
        campaign = self.campaigns.get(old_id)
        if campaign is None:
            entry.refuse("campaign_id", "names a campaign that is not in the export, or was refused")
        return campaign

    def _take_mail(self, mail: OldMail, entry: Entry) -> None:
        campaign = self._campaign(mail.campaign_id, entry)
        if campaign is None:
            return
        lead = self._lead(mail.lead_id, mail.email)
        if lead is None:
            entry.refuse("lead_id", "names a lead that is not in the export, or was refused")
            return
        member = self.members.get((campaign, lead)) or self._join(campaign, lead, entry)
        member.mails.append((mail, entry))
