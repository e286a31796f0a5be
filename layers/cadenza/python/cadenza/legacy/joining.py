"""People come into their campaigns here where they stood in them there: through the engine, and audited by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
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
from cadenza.engine.model import Decision, Halt, Verdict
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


@dataclass(frozen=True, slots=True)
class _New:
    """Somebody new in a campaign; ``messages`` are the ids of the mails behind them."""

    id: EnrolmentId
    campaign: Standing
    wanted: WantedEnrolment
    contact: contacts_store.Contact
    messages: tuple[MessageId, ...]


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
        follow_up = self._follow_known(wanted, known)
        new = [
            _New(
                EnrolmentId(new_id()),
                here,
                enrolment,
                contacts[contact_id],
                tuple(MessageId(new_id()) for _ in enrolment.mails),
            )
            for here, enrolment, contact_id in wanted
            if (here.id, contact_id) not in known and _may_join(here, enrolment)
        ]
        for one in new:
            _mind_bars(one)
        new = [one for one in new if one.wanted.entry.is_open]
        self._enrol(new, plans)
        begun = [one for one in new if not one.wanted.draft]
        return Joined(
            follow_up + self._adopt(begun),
            frozenset(one.campaign.id for one in begun if not isinstance(one.wanted.then, Over)),
        )

    def _follow_known(
        self, wanted: Sequence[Wanted], known: Mapping[tuple[CampaignId, ContactId], EnrolmentId]
    ) -> FollowUp:
        """Whom an earlier import has brought stays where they stand now; but who has replied since is left alone."""
        replied: list[EnrolmentId] = []
        for here, enrolment, contact_id in wanted:
            if (enrolment_id := known.get((here.id, contact_id))) is None:
                continue
            if enrolment.lead.replied:
                replied.append(enrolment_id)
            for entry in enrolment.entries:
                entry.outcome = entry.outcome or Outcome.KNOWN
        locked = engine.lock(self.conn, replied, self.now)
        still = [
            one.id for one in locked.values() if one.state.status in (EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)
        ]
        halt = Halt(self.now, REPLIED, "replied, as another system says")
        return apply(self.conn, [(one, halt) for one in sorted(still)], self.now)

    def _enrol(self, new: Sequence[_New], plans: Mapping[str, PlanId]) -> None:
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

    def _adopt(self, new: Sequence[_New]) -> FollowUp:
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

    def _adopted(self, one: _New, enrolment: engine.Enrolment) -> Adopted:
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


def _mind_bars(one: _New) -> None:
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
