"""Who was in which old campaign, and how far they had come. Pure.

An enrolment is taken as a whole or not at all: if one of its mails cannot be placed, nobody knows what it has had, and
to send it again would be worse than to leave it out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from pydantic import JsonValue

from cadenza.core.messages import SignalKind
from cadenza.core.states import CampaignStatus, EnrolmentStatus, MessageStatus
from cadenza.engine.adoption import Over, way
from cadenza.legacy.campaigns import has_ended
from cadenza.legacy.records import OldMail
from cadenza.legacy.values import MailState, spoken_state
from cadenza.legacy.wanted import Entry, Heard, Next, WantedCampaign, WantedEnrolment, WantedLead, WantedMail, reference
from cadenza.planning.compiled import CompiledPlan
from cadenza.planning.model import NodeAction

_NO_INSTANT: Final = datetime.max.replace(tzinfo=UTC)
_PRINTED: Final = re.compile(r"\{\{ (\w+) \}\}")
"""A variable in the form that `cadenza.legacy.variables` writes, without a default."""
_SENT: Final = (MailState.SENT, MailState.UNSURE, MailState.BOUNCED, MailState.COMPLAINED, MailState.UNSUBSCRIBED)


@dataclass(slots=True, eq=False)
class Member:
    """Somebody of a campaign, with every row that speaks of them there."""

    entry: Entry
    lead: WantedLead
    plan: tuple[dict[str, JsonValue], CompiledPlan] | None = None
    mails: list[tuple[OldMail, Entry]] = field(default_factory=list[tuple[OldMail, Entry]])


@dataclass(frozen=True, slots=True)
class _Placed:
    """A mail, and the node of the plan that it was."""

    old: OldMail
    entry: Entry
    node: str
    state: str

    @property
    def is_sent(self) -> bool:
        old = self.old
        heard = (old.sent_at, old.delivered_at, old.opened_at, old.clicked_at, old.replied_at, old.bounced_at)
        return any(self.state in states for states in _SENT) or any(heard)

    @property
    def is_pending(self) -> bool:
        return self.state in MailState.PENDING and not self.is_sent

    @property
    def at(self) -> datetime:
        return self.old.sent_at or self.old.scheduled_at or _NO_INSTANT


def hear(member: Member) -> None:
    """What somebody's mails say of them, for all that they are in."""
    for old, _ in member.mails:
        state = spoken_state(old.status)
        if old.replied_at is not None or state == "replied":
            member.lead.replied = True
        for never, at, states in (
            ("complained", old.complained_at, MailState.COMPLAINED),
            ("unsubscribed", old.unsubscribed_at, MailState.UNSUBSCRIBED),
            ("hard bounce", old.bounced_at, MailState.BOUNCED),
        ):
            if (at is not None or state in states) and not member.lead.never:
                member.lead.never = never
                member.lead.entry.note(f"suppressed as {never}, as one of their mails says")


def enrol(campaign: WantedCampaign, member: Member, now: datetime, *, knows_mails: bool) -> None:
    """Add the member's enrolment to its campaign, or say why it is left out."""
    entry, lead = member.entry, member.lead
    shared = (campaign.source, campaign.plan)
    source, plan = member.plan or shared
    entries = [entry, *(mail_entry for _, mail_entry in member.mails)]
    if lead.contact is None or lead.contact.email is None:
        _leave_out(entries, "is a site, or has no address: nobody to write to")
        return
    if entry.is_open and (source is None or plan is None):
        _leave_out(entries, "has no plan: enrol them here, and one is written")
        return
    placed = _placed(campaign, member, plan) if plan is not None else []
    if source is None or plan is None or any(found.faults for found in entries):
        _refuse_all(entries, "a mail of theirs cannot be taken, so that nobody knows what they have had")
        return
    wanted = WantedEnrolment(entry, lead, source, plan)
    if campaign.status is CampaignStatus.DRAFT:
        _as_draft(wanted, placed)
    else:
        _as_begun(campaign, wanted, placed, now, knows_mails=knows_mails)
    if not entry.is_open:
        _refuse_all(entries, "the enrolment cannot be taken")
        return
    stops = [mail.node for mail in wanted.mails] + ([wanted.then.node] if isinstance(wanted.then, Next) else [])
    if way(plan, stops) is None:
        entry.refuse("", "its mails went in an order that the plan does not know")
        _refuse_all(entries, "the enrolment cannot be taken")
        return
    if not isinstance(wanted.then, Over) and (lacking := _lacking(wanted)):
        names = ", ".join(sorted(lacking))
        entry.note(
            f"mails of theirs use {names}, which is not known of them: what is missing when it is due is not sent"
        )
    campaign.enrolments.append(wanted)


def _lacking(wanted: WantedEnrolment) -> set[str]:
    """Variables that the plan's mails print, and that have no value for this person (`cadenza.delivery.variables`)."""
    contact, site = wanted.lead.contact, wanted.lead.site
    if contact is None:
        return set()
    name = contact.name or contact.first_name or contact.last_name
    known = {
        "name": name or site,
        "first_name": name or site,
        "full_name": name,
        "last_name": contact.last_name,
        "title": contact.title,
        "company": site,
        "domain": site,
        "website": site,
    }
    texts = (text for node in wanted.plan.nodes.values() for text in (node.subject, node.body, node.html))
    return {found for text in texts for found in _PRINTED.findall(text) if found in known and not known[found]}


def _leave_out(entries: Sequence[Entry], why: str) -> None:
    for entry in entries:
        if entry.is_open:
            entry.skip(why)


def _refuse_all(entries: Sequence[Entry], why: str) -> None:
    for entry in entries:
        if not entry.faults:
            entry.refuse("", why)


# --- which step a mail was ---------------------------------------------------------------------------------------


def _placed(campaign: WantedCampaign, member: Member, plan: CompiledPlan) -> list[_Placed]:
    """The mails by the order of the plan's nodes; those that cannot be placed get a fault."""
    placed: list[_Placed] = []
    taken: set[str] = set()
    for old, entry in sorted(member.mails, key=lambda x: x[0].sent_at or x[0].scheduled_at or _NO_INSTANT):
        state = spoken_state(old.status) or ("sent" if old.sent_at else "pending")
        if not any(state in states for states in (*_SENT, MailState.PENDING, MailState.FAILED, MailState.SKIPPED)):
            entry.refuse("status", "is none that is known, such as scheduled, sent, failed, cancelled")
            continue
        node = _node(campaign, old, plan, taken)
        if node is None:
            entry.refuse("step", "no step of the campaign is this mail: give its step, or its templateId")
        elif node in taken:
            entry.refuse("step", "an earlier row is the same step for the same person")
        else:
            taken.add(node)
            placed.append(_Placed(old, entry, node, state))
    order = {node: position for position, node in enumerate(plan.nodes)}
    return sorted(placed, key=lambda mail: order[mail.node])


def _node(campaign: WantedCampaign, old: OldMail, plan: CompiledPlan, taken: set[str]) -> str | None:
    sends = [node.id for node in plan.nodes.values() if node.action is NodeAction.SEND]
    if old.step in sends:
        return old.step
    if campaign.template is not None or len(sends) == 1:
        return sends[0]
    workflow = campaign.workflow
    if workflow is None:
        return None
    if old.step:
        order = old.step.removesuffix(".0")
        return f"step_{workflow.orders.index(order) + 1}" if workflow.orders.count(order) == 1 else None
    # One template may stand in several steps: they went out in their order.
    same = (f"step_{n}" for n, (one, _) in enumerate(workflow.steps, start=1) if one.ref == old.template_id)
    return next((node for node in same if node not in taken), None)


# --- how far it has come -----------------------------------------------------------------------------------------


def _as_draft(wanted: WantedEnrolment, placed: Sequence[_Placed]) -> None:
    if any(mail.is_sent for mail in placed):
        wanted.entry.refuse("status", "the campaign has not begun, and yet mails of it were sent: mend its status")
        return
    for mail in placed:
        mail.entry.note("goes once its campaign is started here, at the time that it has then")
    wanted.draft = True
    wanted.ahead = tuple(mail.entry for mail in placed)


def _as_begun(
    campaign: WantedCampaign, wanted: WantedEnrolment, placed: Sequence[_Placed], now: datetime, *, knows_mails: bool
) -> None:
    last_sent = max((place for place, mail in enumerate(placed) if mail.is_sent), default=-1)
    to_come = (place for place, mail in enumerate(placed) if place > last_sent and mail.is_pending)
    ahead = next(to_come, len(placed))
    # What was given up before the next mail is behind it, too.
    begun, rest = placed[:ahead], placed[ahead:]
    wanted.mails = tuple(_behind(wanted, mail, campaign, now) for mail in begun)
    wanted.then = _over(campaign, wanted)
    if wanted.then is None and rest:
        wanted.then = Next(rest[0].node, rest[0].old.scheduled_at)
    elif wanted.then is None:
        wanted.then = _without_next(campaign, wanted, begun, knows_mails=knows_mails)
    if isinstance(wanted.then, Next) or wanted.then is None:
        for mail in rest[1:]:
            mail.entry.note("goes after the mail before it, by the delay of its step")
        wanted.ahead = tuple(mail.entry for mail in rest)
    else:
        for mail in rest:
            mail.entry.skip(f"is not sent: {wanted.then.reason}")


def _over(campaign: WantedCampaign, wanted: WantedEnrolment) -> Over | None:
    lead = wanted.lead
    if lead.replied or lead.never:
        return Over(EnrolmentStatus.STOPPED, "replied" if lead.replied else lead.never)
    if not has_ended(campaign.status):
        return None
    sends = sum(node.action is NodeAction.SEND for node in wanted.plan.nodes.values())
    sent = sum(mail.sent_at is not None for mail in wanted.mails)
    if campaign.status is CampaignStatus.COMPLETED and sent == sends:
        return Over(EnrolmentStatus.COMPLETED, "all its mails were sent before the import")
    return Over(EnrolmentStatus.STOPPED, f"the campaign is {campaign.status}")


def _without_next(
    campaign: WantedCampaign, wanted: WantedEnrolment, begun: Sequence[_Placed], *, knows_mails: bool
) -> Next | Over | None:
    """What follows where the export has no mail that is to come."""
    if begun:
        # Its plan goes on from its last mail, unless that was given up.
        return None if begun[-1].is_sent else Over(EnrolmentStatus.STOPPED, f"its last mail was {begun[-1].state}")
    if wanted.lead.untouched and (knows_mails or not campaign.metrics.get("sent")):
        wanted.entry.note("has had no mail: its first is due at once, in its turn")
        return Next(wanted.plan.start, None)
    wanted.entry.refuse(
        "", "the export does not say which mails they have had: export the scheduled and sent mails too"
    )
    return None


def _behind(wanted: WantedEnrolment, mail: _Placed, campaign: WantedCampaign, now: datetime) -> WantedMail:
    old = mail.old
    if not mail.is_sent:
        status = MessageStatus.FAILED if mail.state in MailState.FAILED else MessageStatus.SKIPPED
        if mail.state in MailState.PENDING:
            mail.entry.note("a later one was sent already: it is not sent any more")
        reason = old.error[:500] or mail.state
        return WantedMail(
            mail.entry, _ref(wanted, mail, campaign), mail.node, status, None, old.scheduled_at, reason, (), ""
        )
    at = old.sent_at or old.scheduled_at
    if at is None or at > now:
        mail.entry.note("does not say when it was sent: taken as sent at the import")
        at = now
    if mail.state in MailState.UNSURE:
        mail.entry.note("was being sent: taken as sent, so that nobody gets it twice")
    heard = tuple(_heard(mail, at, now))
    kinds = {one.kind for one in heard}
    status = next(
        (
            status
            for kind, status in (
                (SignalKind.COMPLAINED, MessageStatus.COMPLAINED),
                (SignalKind.BOUNCED, MessageStatus.BOUNCED),
            )
            if kind in kinds
        ),
        MessageStatus.DELIVERED if kinds else MessageStatus.SENT,
    )
    ref = _ref(wanted, mail, campaign)
    return WantedMail(mail.entry, ref, mail.node, status, at, old.scheduled_at, "", heard, old.message_id.strip("<>"))


def _ref(wanted: WantedEnrolment, mail: _Placed, campaign: WantedCampaign) -> str:
    return reference(mail.old.id, "mail", campaign.ref, wanted.lead.ref, mail.node)


def _heard(mail: _Placed, sent_at: datetime, now: datetime) -> list[Heard]:
    """What the mail has met with: by the instants that it states, or by its state, at the time of its sending."""
    old = mail.old
    found: list[Heard] = []
    for kind, at, states in (
        (SignalKind.DELIVERED, old.delivered_at, ("delivered", "opened", "clicked", "replied")),
        (SignalKind.OPENED, old.opened_at, ("opened",)),
        (SignalKind.CLICKED, old.clicked_at, ("clicked",)),
        (SignalKind.REPLIED, old.replied_at, ("replied",)),
        (SignalKind.BOUNCED, old.bounced_at, tuple(MailState.BOUNCED)),
        (SignalKind.COMPLAINED, old.complained_at, tuple(MailState.COMPLAINED)),
        (SignalKind.UNSUBSCRIBED, old.unsubscribed_at, tuple(MailState.UNSUBSCRIBED)),
    ):
        if at is not None or mail.state in states:
            found.append(Heard(kind, min(at or sent_at, now)))
    return found
