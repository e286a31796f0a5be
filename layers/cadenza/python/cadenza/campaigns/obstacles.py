"""What stands between an enrolment and its next message, each gate by the conditions that decide it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, assert_never

from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Row

from cadenza.campaigns.forecast import Nothing, Send
from cadenza.core.ids import made_at
from cadenza.core.states import CampaignStatus, Channel, EnrolmentStatus, MessageStatus, UnknownPolicy
from cadenza.delivery.inspection import Inspection, Standing, Suppression, Wanted, inspect
from cadenza.delivery.limits import next_quota_day, quota_day
from cadenza.delivery.model import Verdict
from cadenza.engine.schedule import next_slot
from cadenza.engine.store import Enrolment
from cadenza.planning.compiled import CompiledPlan


class Gate(StrEnum):
    """What can stand between an enrolment and its next send."""

    ENROLMENT = "enrolment"
    APPROVAL = "approval"
    """Somebody is to look at its plan first."""
    CAMPAIGN = "campaign"
    ADDRESS = "address"
    SENDER = "sender"
    SUPPRESSION = "suppression"
    CONSENT = "consent"
    EVENT = "event"
    """Nothing is to be sent before something happens, or before its time runs out."""
    DUE = "due"
    HOLD = "hold"
    WINDOW = "window"
    GAP = "gap"
    FREQUENCY = "frequency"
    DOMAIN = "domain"
    CAP = "cap"
    ATTEMPT = "attempt"
    """It is in a provider's hands, or nobody knows."""


class Block(BaseModel):
    """A gate that is closed now. ``clears_at`` is null when only a person, or an event, can open it.

    ``verdict`` is what the gate says, as the outbox records it; ``steps`` explain ``clears_at``, one a line.
    """

    model_config = ConfigDict(frozen=True)

    gate: Gate
    verdict: str
    reason: str
    since: datetime | None = None
    clears_at: datetime | None = None
    steps: tuple[str, ...] = ()


def obstacles(
    conn: Connection,
    plan: CompiledPlan,
    enrolment: Enrolment,
    ahead: Send | Nothing,
    own: Row[Any] | None,
    now: datetime,
) -> Iterator[Block]:
    """Every gate that is closed now. ``own`` is the open message of the current stay. At most one statement."""
    state = enrolment.state
    if state.status not in (EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE):
        yield Block(gate=Gate.ENROLMENT, verdict=Verdict.ENROLMENT_ENDED, reason=state.reason or state.status)
        return
    if own is not None and own.status != MessageStatus.QUEUED:
        yield _attempt(own)
    if isinstance(ahead, Nothing):
        wanted = Wanted(enrolment.id, None, Channel.EMAIL, now, None)
        found = inspect(conn, wanted, now)
        yield from (block for block in _gates(found, enrolment, None) if block.gate in (Gate.CAMPAIGN, Gate.APPROVAL))
    else:
        wanted = Wanted(enrolment.id, ahead.message_id, ahead.node.channel, ahead.due_at, ahead.closes_at)
        found = inspect(conn, wanted, now)
        yield from _gates(found, enrolment, ahead)
        yield from _windows(plan, enrolment, ahead, found, now)
    if state.anchor_at is not None:
        yield _event(ahead)


_SAYS: Mapping[Verdict, tuple[Gate, str]] = {
    Verdict.ENROLMENT_ENDED: (Gate.ENROLMENT, "it is a draft: it begins with its campaign"),
    Verdict.NO_ADDRESS: (Gate.ADDRESS, "the contact has no address for this channel"),
    Verdict.NO_SENDER: (Gate.SENDER, "the campaign has no sender"),
    Verdict.CONTACT_GAP: (Gate.GAP, "another campaign has just written to this person"),
    Verdict.FREQUENCY: (Gate.FREQUENCY, "this person has had as many messages as the workspace allows in that time"),
    Verdict.DOMAIN_GAP: (Gate.DOMAIN, "a mail to this person's domain has just gone"),
    Verdict.STALE: (Gate.CAMPAIGN, "it came due while the campaign was paused, which was resumed without it"),
    Verdict.NO_CONSENT: (Gate.CONSENT, "the workspace's policy for the contact's country asks for more consent"),
}

_SAYS_UNAPPROVED: Mapping[Verdict, tuple[Gate, str]] = {
    **_SAYS,
    Verdict.ENROLMENT_ENDED: (Gate.APPROVAL, "it waits for approval"),
}


def _gates(found: Inspection, enrolment: Enrolment, send: Send | None) -> Iterator[Block]:
    """What the gate itself says, each of its verdicts that holds. Windows and caps: see `_windows`."""
    says = _SAYS if enrolment.state.approved else _SAYS_UNAPPROVED
    for verdict in found.verdicts:
        match verdict:
            case Verdict.CAMPAIGN_NOT_RUNNING if Verdict.CAMPAIGN_ENDED in found.verdicts:
                pass  # said already
            case Verdict.CAMPAIGN_ENDED | Verdict.CAMPAIGN_NOT_RUNNING:
                yield _campaign(verdict, found.campaign)
            case (
                Verdict.ENROLMENT_ENDED
                | Verdict.NO_ADDRESS
                | Verdict.NO_SENDER
                | Verdict.NO_CONSENT
                | Verdict.STALE
                | Verdict.CONTACT_GAP
                | Verdict.FREQUENCY
                | Verdict.DOMAIN_GAP
            ):
                gate, reason = says[verdict]
                yield Block(gate=gate, verdict=verdict, reason=reason, clears_at=_recent(verdict, found))
            case Verdict.SUPPRESSED:
                yield from map(_suppression, found.suppressions)
            case Verdict.SENDER_PAUSED:
                reason = _because("the sender is paused", found.sender_paused_reason)
                yield Block(gate=Gate.SENDER, verdict=verdict, reason=reason, since=found.sender_paused_at)
            case Verdict.NOT_DUE:
                due_at, steps = (send.due_at, send.why) if send is not None else (None, ())
                yield Block(gate=Gate.DUE, verdict=verdict, reason="it is not due yet", clears_at=due_at, steps=steps)
            case Verdict.HELD:
                until = enrolment.rules.not_before
                yield Block(gate=Gate.HOLD, verdict=verdict, reason="the person is on hold", clears_at=until)
            case Verdict.WINDOW_CLOSED | Verdict.CAP_REACHED | Verdict.PACED | Verdict.OK:
                pass
            case _:
                assert_never(verdict)


def _recent(verdict: Verdict, found: Inspection) -> datetime | None:
    """Until when what the person or the domain has had lately keeps a message back."""
    return {
        Verdict.CONTACT_GAP: found.gap_until,
        Verdict.FREQUENCY: found.frequent_until,
        Verdict.DOMAIN_GAP: found.domain_until,
    }.get(verdict)


def _suppression(found: Suppression) -> Block:
    return Block(
        gate=Gate.SUPPRESSION,
        verdict=Verdict.SUPPRESSED,
        reason=_because(f"the {found.channel} is suppressed", found.reason),
        since=found.since,
    )


def _because(what: str, reason: str) -> str:
    return f"{what}: {reason}" if reason else what


def _campaign(verdict: Verdict, campaign: Standing) -> Block:
    starts = campaign.status is CampaignStatus.SCHEDULED
    return Block(
        gate=Gate.CAMPAIGN,
        verdict=verdict,
        reason=_because(f"the campaign is {campaign.status}", campaign.reason),
        since=campaign.since,
        clears_at=campaign.starts_at if starts else None,
    )


def _windows(plan: CompiledPlan, enrolment: Enrolment, send: Send, found: Inspection, now: datetime) -> Iterator[Block]:
    """What `delivery` would do about a closed window and a cap that is used up."""
    earliest = max(now, send.due_at)
    slot = next_slot(plan, send.node, replace(enrolment.rules, not_before=None), earliest)
    if slot is None:
        yield Block(gate=Gate.WINDOW, verdict=Verdict.WINDOW_CLOSED, reason="its sending windows never open")
    elif slot.at > earliest or Verdict.WINDOW_CLOSED in found.verdicts:
        yield Block(
            gate=Gate.WINDOW,
            verdict=Verdict.WINDOW_CLOSED,
            reason="its sending window is closed" if slot.at > earliest else "its window has closed, the next is open",
            since=send.closes_at if Verdict.WINDOW_CLOSED in found.verdicts else None,
            clears_at=slot.at,
            steps=slot.why,
        )
    allowed = next_slot(plan, send.node, enrolment.rules, earliest)
    if allowed is not None and quota_day(allowed.at) == quota_day(now):
        for cap in found.caps:
            if found.full(cap):
                promised = f", {cap.booked} promised to earlier ones" if cap.used < cap.limit else ""
                reason = f"the {cap.scope}'s daily cap is used up: {cap.used} of {cap.limit}{promised}"
                tomorrow = next_quota_day(now)
                yield Block(gate=Gate.CAP, verdict=Verdict.CAP_REACHED, reason=reason, clears_at=tomorrow)


def _event(ahead: Send | Nothing) -> Block:
    if isinstance(ahead, Nothing):
        return Block(gate=Gate.EVENT, verdict="waiting", reason=ahead.reason)
    return Block(
        gate=Gate.EVENT,
        verdict="waiting",
        reason="it waits for an event, or for its time to run out",
        clears_at=ahead.due_at,
        steps=ahead.after,
    )


def _attempt(message: Row[Any]) -> Block:
    lease_until: datetime | None = message.lease_until
    if message.status == MessageStatus.SENDING:
        return Block(
            gate=Gate.ATTEMPT,
            verdict=message.status,
            reason="it is being handed to its provider",
            since=None if message.attempt_id is None else made_at(message.attempt_id),
            clears_at=lease_until,
        )
    bound = timedelta(seconds=message.unknown_bound_s)
    return Block(
        gate=Gate.ATTEMPT,
        verdict=message.status,
        reason=f"nobody knows whether it was sent: an event of its provider settles it; without one, {_then(message)}",
        since=lease_until,
        clears_at=None if lease_until is None else lease_until + bound,
    )


def _then(message: Row[Any]) -> str:
    """What the workspace's policy makes of a message whose end stays unknown."""
    match policy := UnknownPolicy(message.unknown_policy):
        case UnknownPolicy.FAIL:
            return "it fails, and is not sent again"
        case UnknownPolicy.ASSUME_SENT:
            return "it counts as sent"
        case UnknownPolicy.RESEND:
            return "it fails" if message.resends else "it is sent once more"
        case _:
            assert_never(policy)
