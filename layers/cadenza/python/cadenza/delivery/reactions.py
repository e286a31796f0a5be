"""What a signal means for people beyond the enrolment that it is about. All in the signal's own transaction.

A person's reply ends whatever else they are enrolled in, and, where the workspace or the campaign wants it, what their
colleagues are.
What makes an address unusable (hard bounce, complaint, opt-out) ends the person's other enrolments at once, rather than
one by one at the gate. An absence note holds its person, in every campaign.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, text

from cadenza.contacts.holds import NewHold
from cadenza.core.ids import ContactId, EnrolmentId, WorkspaceId
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.core.states import CompanyOrder, EnrolmentStatus
from cadenza.core.tables.base import literals
from cadenza.delivery.bounces import is_soft
from cadenza.delivery.grading import is_absence
from cadenza.delivery.heard import Heard, Message
from cadenza.engine.apply import compiled_plans
from cadenza.engine.matching import by_person, suppresses
from cadenza.engine.model import Halt, Signal
from cadenza.engine.schedule import sending_zone
from cadenza.engine.store import Enrolment
from cadenza.planning.zones import first_instant

LONGEST_ABSENCE: Final = timedelta(days=366)
"""A day of return beyond this is a misreading: the absence counts as one without a date."""
ABSENT: Final = "out of office"
"""The reason of a hold by an absence note."""


class Elsewhere(StrEnum):
    """Why an enrolment ends though nothing happened to its own messages, as its audit row says it."""

    REPLIED = "replied_elsewhere"
    COLLEAGUE_REPLIED = "colleague_replied"
    BOUNCED = "bounced_elsewhere"
    COMPLAINED = "complained_elsewhere"
    UNSUBSCRIBED = "unsubscribed_elsewhere"


REACHES_FURTHER: Final = frozenset(
    {SignalKind.REPLIED, SignalKind.BOUNCED, SignalKind.COMPLAINED, SignalKind.UNSUBSCRIBED}
)
"""What may mean something beyond the enrolment that it is about. Most signals are of no such kind."""
_CAUSES: Final[Mapping[SignalKind, Elsewhere]] = {
    SignalKind.REPLIED: Elsewhere.REPLIED,
    SignalKind.BOUNCED: Elsewhere.BOUNCED,
    SignalKind.COMPLAINED: Elsewhere.COMPLAINED,
    SignalKind.UNSUBSCRIBED: Elsewhere.UNSUBSCRIBED,
}
_REASONS: Final[Mapping[Elsewhere, str]] = {
    Elsewhere.REPLIED: "replied to another campaign",
    Elsewhere.COLLEAGUE_REPLIED: "a colleague replied",
    Elsewhere.BOUNCED: "another campaign's message bounced",
    Elsewhere.COMPLAINED: "complained about another campaign",
    Elsewhere.UNSUBSCRIBED: "unsubscribed from another campaign",
}


# --- who else ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Others:
    """Enrolments that a batch touches besides those of its messages, by the person whose signals do it.

    ``own`` are the person's, ``colleagues`` those of everybody else at the same lead. To be locked before anything is
    decided. Some may have ended meanwhile, or are here only for their locks.
    """

    own: Mapping[ContactId, tuple[EnrolmentId, ...]]
    colleagues: Mapping[ContactId, tuple[EnrolmentId, ...]]

    @property
    def ids(self) -> set[EnrolmentId]:
        """All of them."""
        return {found for part in (self.own, self.colleagues) for ids in part.values() for found in ids}

    def halts(self, message: Message, signal: Signal, now: datetime) -> Iterator[tuple[EnrolmentId, Halt]]:
        """What a signal about ``message`` ends besides the enrolment that it is about."""
        replied = _is_reply(signal)
        if not replied and not suppresses(signal.kind, signal.hard):
            return
        for enrolment_id in self.own.get(message.contact_id, ()):
            if enrolment_id != message.enrolment_id:
                yield enrolment_id, _halt(_CAUSES[signal.kind], signal, now)
        if replied:
            for enrolment_id in self.colleagues.get(message.contact_id, ()):
                yield enrolment_id, _halt(Elsewhere.COLLEAGUE_REPLIED, signal, now)


def others(conn: Connection, heard: Sequence[Heard]) -> Others:
    """Whom else the events may concern. One statement, if they may concern anybody."""
    told: dict[ContactId, dict[str, object]] = {}
    for signal, contact_id in ((one.signal, one.message.contact_id) for one in heard):
        replied, soft = _is_reply(signal), is_soft(signal)
        if replied or soft or is_absence(signal) or suppresses(signal.kind, signal.hard):
            row = told.setdefault(contact_id, {"contact_id": str(contact_id), "replied": False, "counted": False})
            row["replied"] = row["replied"] or replied
            row["counted"] = row["counted"] or soft
    own: defaultdict[ContactId, tuple[EnrolmentId, ...]] = defaultdict(tuple)
    colleagues: defaultdict[ContactId, tuple[EnrolmentId, ...]] = defaultdict(tuple)
    if told:
        for row in conn.execute(_OTHERS, {"rows": json.dumps(list(told.values()))}):
            (colleagues if row.colleague else own)[row.contact_id] += (row.id,)
    return Others(own, colleagues)


def _is_reply(signal: Signal | SignalReported) -> bool:
    return signal.kind is SignalKind.REPLIED and by_person(signal.kind, signal.grade)


def _halt(cause: Elsewhere, signal: Signal, now: datetime) -> Halt:
    return Halt(now, cause, _REASONS[cause], signal.event_id)


# Where soft bounces are counted, the ended enrolments too: their locks are what makes two counts wait for one another.
_OPEN = literals(EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)
_OTHERS = text(f"""
    WITH told AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS t(contact_id uuid, replied boolean, counted boolean)
    )
    SELECT t.contact_id, e.id, false AS colleague
    FROM told t JOIN contact_campaigns e ON e.contact_id = t.contact_id
    WHERE t.counted OR e.status IN ({_OPEN})
    UNION ALL
    SELECT t.contact_id, e.id, true
    FROM told t
    JOIN contacts k ON k.id = t.contact_id
    JOIN automation_settings s ON s.workspace_id = k.workspace_id
    JOIN contacts c ON c.lead_id = k.lead_id AND c.id <> k.id
    JOIN contact_campaigns e ON e.contact_id = c.id
    JOIN campaigns g ON g.id = e.campaign_id
        AND (s.stop_company_on_reply OR g.company_order = '{CompanyOrder.ONE_AFTER_ANOTHER}')
    WHERE t.replied AND e.status IN ({_OPEN})
""")


# --- absence -----------------------------------------------------------------------------------------------------


def absences(
    conn: Connection, heard: Sequence[Heard], enrolments: Mapping[EnrolmentId, Enrolment], now: datetime
) -> list[NewHold]:
    """The holds that the absence notes among the events come to. At most two statements.

    A hold ends where the day of return begins, on the person's clock, else on that of the plan that they answered.
    """
    notes = [(one.signal, one.message) for one in heard if is_absence(one.signal)]
    plans = compiled_plans(conn, {enrolments[message.enrolment_id].plan_id for _, message in notes})
    undated = {message.workspace_id for note, message in notes if _return_day(note) is None}
    days = _absence_days(conn, undated)
    found: list[NewHold] = []
    for note, message in notes:
        enrolment = enrolments[message.enrolment_id]
        zone = sending_zone(plans[enrolment.plan_id], enrolment.rules)
        day = _return_day(note)
        if day is None:
            day = note.occurred_at.astimezone(zone).date() + timedelta(days=days[message.workspace_id])
        if day < now.date():
            continue  # wherever they are, they are back
        until = first_instant(datetime.combine(day, time()), zone)
        if until > now:
            found.append(NewHold(message.contact_id, until, ABSENT))
    return found


def _return_day(note: SignalReported) -> date | None:
    """The day of return, if a credible one is stated."""
    if note.away_until is None or note.away_until > note.occurred_at.date() + LONGEST_ABSENCE:
        return None
    return note.away_until


def _absence_days(conn: Connection, workspaces: set[WorkspaceId]) -> dict[WorkspaceId, int]:
    if not workspaces:
        return {}
    rows = conn.execute(_ABSENCE_DAYS, {"ids": sorted(workspaces)})
    return {WorkspaceId(row.workspace_id): row.absence_days for row in rows}


_ABSENCE_DAYS = text("SELECT workspace_id, absence_days FROM automation_settings WHERE workspace_id = ANY(:ids)")
