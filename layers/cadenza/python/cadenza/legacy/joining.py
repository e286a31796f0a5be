"""People come into their campaigns here where they stood in them there: through the engine, and audited by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

from sqlalchemy import Connection

from cadenza.campaigns.enrolment import bar_to
from cadenza.contacts import store as contacts_store
from cadenza.core import jobs
from cadenza.core.ids import CampaignId, ContactId, EnrolmentId, MessageId, PlanId, WorkspaceId, new_id
from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import CAMPAIGN_ENDED, CampaignStatus, EnrolmentStatus, JobKind
from cadenza.engine import store as engine
from cadenza.engine.adoption import Adopted, Ahead, Behind, Over, Story, adopt
from cadenza.engine.apply import FollowUp, apply, apply_decided
from cadenza.engine.model import Decision, Halt, State, Verdict
from cadenza.legacy import store
from cadenza.legacy.model import Outcome
from cadenza.legacy.store import Standing, Values
from cadenza.legacy.wanted import Next, WantedEnrolment, WantedMail

REPLIED = "replied"

Wanted = tuple[Standing, WantedEnrolment, ContactId]


@dataclass(frozen=True, slots=True)
class Joined:
    """What came of it. ``begun`` campaigns have somebody new who is on their way."""

    follow_up: FollowUp
    begun: frozenset[CampaignId]


@dataclass(frozen=True)
class _Member:
    """Somebody in a campaign, or about to be."""

    id: EnrolmentId
    campaign: Standing
    wanted: WantedEnrolment
    contact: contacts_store.Contact

    @cached_property
    def messages(self) -> tuple[MessageId, ...]:
        """The ids of the mails behind them."""
        return tuple(MessageId(new_id()) for _ in self.wanted.mails)


@dataclass(frozen=True, slots=True)
class Joining:
    """The enrolments of one export, in its transaction. The campaigns are locked."""

    conn: Connection
    workspace_id: WorkspaceId
    key_id: UUID | None
    now: datetime

    def join(self, wanted: Sequence[Wanted], plans: Mapping[str, PlanId]) -> Joined:
        """Enrol who is not enrolled yet, each where they stood. ``plans`` are by hash."""
        known = store.enrolled(self.conn, {here.id for here, _, _ in wanted})
        contacts = contacts_store.find_all(self.conn, list({contact_id for _, _, contact_id in wanted}))
        there: dict[EnrolmentId, _Member] = {}
        new: list[_Member] = []
        for here, enrolment, contact_id in wanted:
            enrolment_id = known.get((here.id, contact_id))
            member = _Member(enrolment_id or EnrolmentId(new_id()), here, enrolment, contacts[contact_id])
            if enrolment_id is not None:
                there[enrolment_id] = member
            elif _may_join(here, enrolment):
                _mind_bars(member)
                if enrolment.entry.is_open:
                    new.append(member)
        follow_up, late = self._follow_known(there, plans)
        self._enrol(new, plans)
        begun = [*late, *(one for one in new if not one.wanted.draft)]
        return Joined(
            follow_up + self._adopt(begun),
            frozenset(one.campaign.id for one in begun if not isinstance(one.wanted.then, Over)),
        )

    def _follow_known(
        self, there: Mapping[EnrolmentId, _Member], plans: Mapping[str, PlanId]
    ) -> tuple[FollowUp, list[_Member]]:
        """Whom an earlier import has brought stays where they stand, unless the other system knows more of them.

        Who has replied since is left alone. Who has got since what is about to be sent here is to be taken past it.
        """
        for member in there.values():
            for entry in member.wanted.entries:
                entry.outcome = entry.outcome or Outcome.KNOWN
        replied: list[EnrolmentId] = []
        late: list[_Member] = []
        for enrolment_id, found in sorted(engine.lock(self.conn, there, self.now).items()):
            member = there[enrolment_id]
            if found.state.status not in (EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE):
                continue
            if member.wanted.lead.replied:
                replied.append(enrolment_id)
            elif found.plan_id == plans[member.wanted.plan.hash] and _knows_more(member.wanted, found.state):
                late.append(member)
        halt = Halt(self.now, REPLIED, "replied, as another system says")
        return apply(self.conn, [(one, halt) for one in replied], self.now), late

    def _enrol(self, new: Sequence[_Member], plans: Mapping[str, PlanId]) -> None:
        """Store the drafts, and have the ledger know of them: nobody plans for them any more."""
        rows: list[Values] = [
            {
                "id": one.id,
                "campaign_id": one.campaign.id,
                "contact_id": one.contact.id,
                "plan_id": plans[one.wanted.plan.hash],
            }
            for one in new
        ]
        store.add_enrolments(self.conn, self.workspace_id, rows, self.now)
        works = {
            one.id: jobs.planning(self.workspace_id, one.campaign.id, one.contact.id, one.contact.lead_id)
            for one in new
        }
        jobs.enqueue(self.conn, list(works.values()), self.now)
        jobs.requeue(self.conn, list(works.values()), self.now)
        results = {work.key: {"enrolment_id": str(one), "source": store.PROVIDER} for one, work in works.items()}
        jobs.complete(self.conn, results, JobKind.PLANNING, self.now)

    def _adopt(self, new: Sequence[_Member]) -> FollowUp:
        if not new:
            return FollowUp()
        locked = engine.lock(self.conn, [one.id for one in new], self.now)
        decisions: list[tuple[engine.Enrolment, Decision]] = []
        messages: list[Values] = []
        events: list[Values] = []
        for one in new:
            enrolment = locked[one.id]
            adopted = self._adopted(one, enrolment)
            decisions.append((enrolment, adopted.decision))
            for message_id, mail, visit in zip(one.messages, one.wanted.mails, adopted.visits, strict=True):
                messages.append(self._message(message_id, one.id, mail, visit))
                events += _events(message_id, mail)
        store.add_messages(self.conn, self.workspace_id, messages, events, self.now)
        # Not their actions: those that are overdue get their places once their campaign is resumed, and are woken then.
        return FollowUp(campaigns=apply_decided(self.conn, decisions, self.now).campaigns)

    def _adopted(self, one: _Member, enrolment: engine.Enrolment) -> Adopted:
        mails = zip(one.messages, one.wanted.mails, strict=True)
        behind = tuple(Behind(message_id, mail.node, mail.sent_at) for message_id, mail in mails)
        then = one.wanted.then
        ahead = Ahead(then.node, then.due_at or self.now) if isinstance(then, Next) else then
        plan = one.wanted.plan
        adopted = adopt(plan, enrolment.state, enrolment.rules, self.now, Story(behind, ahead))
        if adopted is None:
            raise AssertionError("the mapping takes no enrolment whose way its plan does not know")
        return adopted

    def _message(self, message_id: MessageId, enrolment_id: EnrolmentId, mail: WantedMail, visit: int) -> Values:
        return {
            "id": message_id,
            "enrolment_id": enrolment_id,
            "node": mail.node,
            "visit": visit,
            "status": mail.status,
            "due_at": mail.planned_at or mail.sent_at or self.now,
            "sent_at": mail.sent_at,
            "provider_message_id": mail.provider_message_id or None,
            "reason": mail.reason,
        }


def _events(message_id: MessageId, mail: WantedMail) -> Iterator[Values]:
    for one in mail.heard:
        yield {
            "message_id": message_id,
            "kind": one.kind,
            "grade": Grade.HUMAN,
            "hard": True if one.kind is SignalKind.BOUNCED else None,
            "occurred_at": one.at,
            "verdict": Verdict.RECORDED,
        }


def _knows_more(enrolment: WantedEnrolment, state: State) -> bool:
    """Whether the mail before which somebody stands here was sent there; then only what is beyond is left to take."""
    places = [place for place, mail in enumerate(enrolment.mails) if mail.node == state.node]
    waits = state.anchor_at is None and (state.message is None or state.message.visit != state.visit)
    if not places or not waits or enrolment.mails[places[0]].sent_at is None:
        return False
    enrolment.mails = enrolment.mails[places[0] :]
    for mail in enrolment.mails:
        mail.entry.outcome = Outcome.MERGED
        mail.entry.note("was sent there since the import before: it is not sent here any more")
    return True


def _may_join(here: Standing, enrolment: WantedEnrolment) -> bool:
    """Whether the campaign stands here so that it can take somebody in who stands so; if not, that is told."""
    has_begun = here.status not in (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
    if here.status in CAMPAIGN_ENDED and not isinstance(enrolment.then, Over):
        why = f"the campaign is {here.status} here: it takes nobody in any more"
    elif has_begun == enrolment.draft:
        why = f"the campaign is {here.status} here, and is not any more (or not yet) in the export"
    else:
        return True
    for entry in enrolment.entries:
        entry.refuse("campaign_id", why)
    return False


def _mind_bars(one: _Member) -> None:
    """Who may not be written to does not go on; who had not begun is left out."""
    wanted = one.wanted
    bar = bar_to(one.contact)
    if bar is None or isinstance(wanted.then, Over):
        return
    for entry in wanted.ahead:
        entry.skip(f"is not sent: {bar[1]}")
    if wanted.draft:
        wanted.entry.skip(bar[1])
    else:
        wanted.entry.note(f"does not go on: {bar[1]}")
        wanted.then = Over(EnrolmentStatus.STOPPED, bar[1])
