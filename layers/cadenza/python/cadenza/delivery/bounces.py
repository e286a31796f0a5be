"""Soft bounces add up: the one that reaches its workspace's limit acts as a hard one.

Counted are the messages to one address of a person, over all campaigns, that bounced softly within the workspace's
days: a bounce that two sources report, or one twice, is one. The event is recorded as it was reported, with `ESCALATED`
among its reasons, and the count begins anew after it: whoever lifts the suppression gives the address a new start.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.core.ids import ContactId, EventId, MessageId
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.delivery.heard import Heard

ESCALATED: Final = "soft_bounce_limit"
"""The reason of the soft bounce that acted as a hard one."""


@dataclass(frozen=True, slots=True)
class Bounce:
    """A soft bounce: of which message, when it occurred, and whether it acted as a hard one."""

    event_id: EventId
    message_id: MessageId
    at: datetime
    escalated: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """How many soft bounces within which time act as a hard one."""

    count: int
    days: int

    @property
    def told(self) -> str:
        """The limit in words, as the reason of what follows from it."""
        return f"{self.count} soft bounces in {self.days} days"


def is_soft(signal: SignalReported) -> bool:
    """Whether the signal is a bounce that may pass."""
    return signal.kind is SignalKind.BOUNCED and not signal.hard


def reaching(limit: Limit, known: Sequence[Bounce], new: Sequence[Bounce]) -> list[EventId]:
    """Which of the new soft bounces of one address reach the limit.

    It does not matter in which order they are heard of: what counts is that ``limit.count`` messages bounced within
    ``limit.days`` of one another. Messages that were counted for an escalation are never counted again.
    """
    spent_to = max((bounce.event_id for bounce in known if bounce.escalated), default=EventId(0))
    spent = {bounce.message_id for bounce in known if bounce.event_id <= spent_to}
    first_at: dict[MessageId, datetime] = {}
    reached: list[EventId] = []

    def count(bounce: Bounce) -> None:
        if bounce.message_id not in spent:
            first_at[bounce.message_id] = min(bounce.at, first_at.get(bounce.message_id, bounce.at))

    for bounce in known:
        count(bounce)
    for bounce in sorted(new, key=lambda bounce: (bounce.at, bounce.event_id)):
        count(bounce)
        times = sorted(first_at.values())
        runs = zip(times, times[limit.count - 1 :], strict=False)
        if any(last - first <= timedelta(days=limit.days) for first, last in runs):
            reached.append(bounce.event_id)
            spent |= first_at.keys()
            first_at.clear()
    return reached


_Address = tuple[ContactId, str]


def escalated(conn: Connection, heard: Sequence[Heard]) -> Mapping[EventId, str]:
    """Which of the events act as hard bounces though they are soft, and why, in words. At most one statement.

    Needs the locks of all enrolments of whoever a soft bounce is about: without them, two bounces that are recorded at
    the same time would not count each other.
    """
    new: defaultdict[_Address, list[Bounce]] = defaultdict(list)
    for one in heard:
        if is_soft(one.signal):
            whose = one.message.contact_id, one.message.to_address.lower()
            new[whose].append(Bounce(one.event_id, one.message.id, one.signal.occurred_at))
    if not new:
        return {}
    rows = [{"contact_id": str(contact_id), "address": address} for contact_id, address in new]
    found: dict[EventId, str] = {}
    for row in conn.execute(_KNOWN, {"rows": json.dumps(rows)}):
        limit = Limit(row.soft_bounce_limit, row.soft_bounce_days)
        known = [_bounce(*said) for said in row.bounces]
        found |= dict.fromkeys(reaching(limit, known, new[row.contact_id, row.address]), limit.told)
    return found


def _bounce(event_id: int, message_id: str, at: str, escalated: bool) -> Bounce:
    return Bounce(EventId(event_id), MessageId(UUID(message_id)), datetime.fromisoformat(at), escalated)


_KNOWN = text(f"""
    SELECT r.contact_id, r.address, s.soft_bounce_limit, s.soft_bounce_days,
           (SELECT coalesce(jsonb_agg(jsonb_build_array(v.id, v.message_id, v.occurred_at,
                                                        v.grade_reasons @> '["{ESCALATED}"]')), '[]')
            FROM outbound_messages m JOIN message_events v ON v.message_id = m.id
            WHERE m.contact_id = k.id AND lower(m.to_address) = r.address
              AND v.kind = '{SignalKind.BOUNCED}' AND v.hard IS NOT TRUE) AS bounces
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(contact_id uuid, address text)
    JOIN contacts k ON k.id = r.contact_id
    JOIN automation_settings s ON s.workspace_id = k.workspace_id
    WHERE s.soft_bounce_limit IS NOT NULL
""")
