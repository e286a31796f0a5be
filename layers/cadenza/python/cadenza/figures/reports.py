"""What came of messages, in one statement.

A message counts on the day on which it was sent, with all that has come of it since; one that was not sent, on the day
on which it was queued. So every rate is one of the same messages, and a day's figures grow for as long as people react.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag, StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, computed_field
from sqlalchemy import Connection, text

from cadenza.core.ids import CampaignId, WorkspaceId
from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import MESSAGE_OPEN, MessageStatus
from cadenza.core.tables.base import literals
from cadenza.core.tables.execution import DROPPED_SEND
from cadenza.figures.counts import NO_WINDOW, WAS_SENT

MOST: Final = 1000
"""Lines that a report has at most."""


class By(StrEnum):
    """What a funnel is broken down by."""

    CAMPAIGN = "campaign"
    SENDER = "sender"
    STEP = "step"
    """The how-manieth message of its enrolment, and its node."""
    VERSION = "version"
    """The plan that the enrolment has now."""
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which messages: a workspace's, of one campaign or all, in [``since``, ``until``); None: without that bound."""

    workspace_id: WorkspaceId
    campaign_id: CampaignId | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def parameters(self) -> dict[str, object]:
        """What its conditions name."""
        given = {
            "workspace_id": self.workspace_id,
            "campaign_id": self.campaign_id,
            "since": self.since,
            "until": self.until,
        }
        return {name: value for name, value in given.items() if value is not None}

    def conditions(self, row: str, at: str) -> str:
        """Its conditions on ``row``, whose instant is ``at``, for a WHERE."""
        parts = (
            (True, f"{row}.workspace_id = :workspace_id"),
            (self.campaign_id, f"{row}.campaign_id = :campaign_id"),
            (self.since, f"{at} >= :since"),
            (self.until, f"{at} < :until"),
        )
        return " AND ".join(condition for wanted, condition in parts if wanted)


class Figures(BaseModel):
    """How many messages came how far, each counted once whatever was reported how often; ``people…`` counts people.

    ``planned`` is all that got as far as the outbox: ``waiting + failed + skipped + sent``. ``delivered`` were reported
    so, or shown to be by what followed. ``arrived`` are sent ones that did not bounce, as far as is known: what people
    did is a rate of these, because not every provider reports deliveries. An open is somebody's if a person opened,
    clicked or answered; ``…_by_machine`` counts what only machines did.
    """

    model_config = ConfigDict(frozen=True)

    planned: int = 0
    waiting: int = 0
    failed: int = 0
    skipped: int = 0
    sent: int = 0
    delivered: int = 0
    arrived: int = 0
    bounced_hard: int = 0
    bounced_soft: int = 0
    opened: int = 0
    opened_by_machine: int = 0
    clicked: int = 0
    clicked_by_machine: int = 0
    replied: int = 0
    replied_by_machine: int = 0
    complained: int = 0
    unsubscribed: int = 0
    people: int = 0
    people_opened: int = 0
    people_clicked: int = 0
    people_replied: int = 0
    people_unsubscribed: int = 0

    @computed_field
    @property
    def delivery_rate(self) -> float | None:
        """Delivered of sent."""
        return _rate(self.delivered, self.sent)

    @computed_field
    @property
    def bounce_rate(self) -> float | None:
        """Hard bounces of sent, as the reputation counts them."""
        return _rate(self.bounced_hard, self.sent)

    @computed_field
    @property
    def open_rate(self) -> float | None:
        """Opened by people, of arrived."""
        return _rate(self.opened, self.arrived)

    @computed_field
    @property
    def click_rate(self) -> float | None:
        """Clicked by people, of arrived."""
        return _rate(self.clicked, self.arrived)

    @computed_field
    @property
    def reply_rate(self) -> float | None:
        """Answered by people, of arrived."""
        return _rate(self.replied, self.arrived)

    @computed_field
    @property
    def complaint_rate(self) -> float | None:
        """Complaints of arrived."""
        return _rate(self.complained, self.arrived)

    @computed_field
    @property
    def unsubscribe_rate(self) -> float | None:
        """Opt-outs of arrived."""
        return _rate(self.unsubscribed, self.arrived)

    @computed_field
    @property
    def people_reply_rate(self) -> float | None:
        """People who answered, of people written to."""
        return _rate(self.people_replied, self.people)


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


class Line(Figures):
    """The figures of one campaign, sender, step, plan or day.

    ``key`` is its id, number or date; ``label`` its name, address, node, or the plan's hash.
    """

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class Funnel:
    """The figures of all messages, and line by line; ``cut`` says that there are more lines than `MOST`."""

    total: Figures
    lines: tuple[Line, ...]
    cut: bool


def funnel(conn: Connection, scope: Scope, by: By, zone: str) -> Funnel:
    """What came of the scope's messages. Days are those of ``zone``, an IANA name that Postgres knows too."""
    parameters = scope.parameters | {"most": MOST + 1} | ({"zone": zone} if by is By.DAY else {})
    rows = conn.execute(text(_funnel(scope, _BREAKDOWNS[by])), parameters).mappings().all()
    total = next((Figures.model_validate(dict(row)) for row in rows if row["total"]), Figures())
    lines = tuple(Line.model_validate(dict(row)) for row in rows if not row["total"])
    return Funnel(total, lines[:MOST], len(lines) > MOST)


@dataclass(frozen=True, slots=True)
class _Breakdown:
    """SQL over ``sends s``."""

    key: str
    label: str = "''"
    join: str = ""
    order: str = "planned DESC, key"


_BREAKDOWNS: Final[Mapping[By, _Breakdown]] = {
    By.CAMPAIGN: _Breakdown("s.campaign_id", "c.name", "JOIN campaigns c ON c.id = s.campaign_id"),
    By.SENDER: _Breakdown(
        "i.id",
        "i.email",
        "JOIN campaigns c ON c.id = s.campaign_id"
        " LEFT JOIN sender_identities i ON i.id = coalesce(s.sender_id, c.sender_id)",
    ),
    By.STEP: _Breakdown(
        "1 + (SELECT count(*) FROM outbound_messages b WHERE b.enrolment_id = s.enrolment_id AND b.visit < s.visit)",
        "s.node",
        order="key, label",
    ),
    By.VERSION: _Breakdown(
        "p.id",
        "p.hash",
        "JOIN contact_campaigns e ON e.id = s.enrolment_id JOIN campaign_plans p ON p.id = e.plan_id",
    ),
    By.DAY: _Breakdown("CAST(s.at AT TIME ZONE :zone AS date)", order="key"),
}

AT: Final = "coalesce(m.sent_at, m.queued_at)"
SENT: Final = literals(*WAS_SENT)
HUMAN: Final = f"v.grade = '{Grade.HUMAN}'"
_PROOFS: Final = literals(SignalKind.OPENED, SignalKind.CLICKED, SignalKind.REPLIED)
_ARRIVALS: Final = literals(
    SignalKind.DELIVERED,
    SignalKind.OPENED,
    SignalKind.CLICKED,
    SignalKind.REPLIED,
    SignalKind.COMPLAINED,
    SignalKind.UNSUBSCRIBED,
)


class _Heard(IntFlag):
    """What became of a message, as bits: taking many events together is then one `bit_or`."""

    SENT = 1
    SEEN = 2
    HARD = 4
    SOFT = 8
    OPENED = 16
    ANY_OPEN = 32
    CLICKED = 64
    ANY_CLICK = 128
    REPLIED = 256
    ANY_REPLY = 512
    COMPLAINED = 1024
    UNSUBSCRIBED = 2048


_BITS: Final[tuple[tuple[_Heard, str], ...]] = (
    (_Heard.SEEN, f"v.kind IN ({_ARRIVALS})"),
    (_Heard.HARD, f"v.kind = '{SignalKind.BOUNCED}' AND v.hard IS TRUE"),
    (_Heard.SOFT, f"v.kind = '{SignalKind.BOUNCED}' AND v.hard IS NOT TRUE"),
    (_Heard.OPENED, f"v.kind IN ({_PROOFS}) AND {HUMAN}"),
    (_Heard.ANY_OPEN, f"v.kind = '{SignalKind.OPENED}'"),
    (_Heard.CLICKED, f"v.kind = '{SignalKind.CLICKED}' AND {HUMAN}"),
    (_Heard.ANY_CLICK, f"v.kind = '{SignalKind.CLICKED}'"),
    (_Heard.REPLIED, f"v.kind = '{SignalKind.REPLIED}' AND {HUMAN}"),
    (_Heard.ANY_REPLY, f"v.kind = '{SignalKind.REPLIED}'"),
    (_Heard.COMPLAINED, f"v.kind = '{SignalKind.COMPLAINED}'"),
    (_Heard.UNSUBSCRIBED, f"v.kind = '{SignalKind.UNSUBSCRIBED}'"),
)
_BITS_OF_AN_EVENT: Final = " + ".join(f"CASE WHEN {condition} THEN {int(bit)} ELSE 0 END" for bit, condition in _BITS)


def _has(bit: _Heard) -> str:
    return f"bits & {int(bit)} > 0"


def _only(bit: _Heard, *others: _Heard) -> str:
    """The first of these, and none of the others."""
    return " AND ".join([_has(bit), *(f"bits & {int(other)} = 0" for other in others)])


_CONDITIONS: Final[Mapping[str, str]] = {
    "planned": "true",
    "waiting": f"status IN ({literals(*MESSAGE_OPEN)})",
    "failed": f"status = '{MessageStatus.FAILED}'",
    "skipped": f"status = '{MessageStatus.SKIPPED}'",
    "sent": _has(_Heard.SENT),
    "delivered": _only(_Heard.SEEN, _Heard.HARD),
    "arrived": f"{_only(_Heard.SENT, _Heard.HARD)} AND ({_has(_Heard.SEEN)} OR bits & {int(_Heard.SOFT)} = 0)",
    "bounced_hard": _has(_Heard.HARD),
    "bounced_soft": _only(_Heard.SOFT, _Heard.HARD),
    "opened": _has(_Heard.OPENED),
    "opened_by_machine": _only(_Heard.ANY_OPEN, _Heard.OPENED),
    "clicked": _has(_Heard.CLICKED),
    "clicked_by_machine": _only(_Heard.ANY_CLICK, _Heard.CLICKED),
    "replied": _has(_Heard.REPLIED),
    "replied_by_machine": _only(_Heard.ANY_REPLY, _Heard.REPLIED),
    "complained": _has(_Heard.COMPLAINED),
    "unsubscribed": _has(_Heard.UNSUBSCRIBED),
}
_PEOPLE: Final[Mapping[str, str]] = {
    "people": _has(_Heard.SENT),
    "people_opened": _has(_Heard.OPENED),
    "people_clicked": _has(_Heard.CLICKED),
    "people_replied": _has(_Heard.REPLIED),
    "people_unsubscribed": _has(_Heard.UNSUBSCRIBED),
}
_NAMES: Final = ", ".join((*_CONDITIONS, *_PEOPLE))


def _sums(figures: Mapping[str, str]) -> str:
    return ", ".join(
        f"CAST(coalesce(sum(n) FILTER (WHERE {condition}), 0) AS bigint) AS {name}"
        for name, condition in figures.items()
    )


def _funnel(scope: Scope, by: _Breakdown) -> str:
    """All of it is made of constants of this module. The table is read again for its events: its size is known then."""
    messages = scope.conditions("m", AT)
    return f"""
        WITH sends AS MATERIALIZED (
            SELECT m.id, m.enrolment_id, m.campaign_id, m.contact_id, m.sender_id, m.node, m.visit, m.status,
                   {AT} AS at
            FROM outbound_messages m WHERE {messages}
            UNION ALL
            SELECT NULL, d.enrolment_id, d.campaign_id, e.contact_id, NULL, d.node, d.visit,
                   CASE d.reason WHEN '{NO_WINDOW}' THEN '{MessageStatus.FAILED}' ELSE '{MessageStatus.SKIPPED}' END,
                   d.finished_at
            FROM (SELECT * FROM finished_actions f
                  WHERE {scope.conditions("f", "f.finished_at")} AND {DROPPED_SEND}) d
            JOIN contact_campaigns e ON e.id = d.enrolment_id
        ), heard AS (
            SELECT v.message_id, bit_or({_BITS_OF_AN_EVENT}) AS bits
            FROM outbound_messages m JOIN message_events v ON v.message_id = m.id
            WHERE {messages} AND m.status IN ({SENT})
            GROUP BY v.message_id
        ), keyed AS MATERIALIZED (
            SELECT {by.key} AS key, coalesce({by.label}, '') AS label, s.contact_id, s.status,
                   CASE WHEN s.status IN ({SENT}) THEN {int(_Heard.SENT)} + coalesce(h.bits, 0) ELSE 0 END AS bits
            FROM sends s {by.join} LEFT JOIN heard h ON h.message_id = s.id
        ), messages AS (
            SELECT key, label, status, bits, count(*) AS n FROM keyed GROUP BY 1, 2, 3, 4
        ), persons AS MATERIALIZED (
            SELECT key, label, contact_id, bit_or(bits) AS bits FROM keyed GROUP BY 1, 2, 3
        ), people AS (
            SELECT key, label, bits, count(*) AS n FROM persons GROUP BY 1, 2, 3
        ), everybody AS (
            SELECT bits, count(*) AS n
            FROM (SELECT bit_or(bits) AS bits FROM persons GROUP BY contact_id) one GROUP BY bits
        ), lines AS (
            SELECT * FROM (SELECT key, label, {_sums(_CONDITIONS)} FROM messages GROUP BY 1, 2) m
            JOIN (SELECT key AS of_key, label AS of_label, {_sums(_PEOPLE)} FROM people GROUP BY 1, 2) p
                ON p.of_label = m.label AND p.of_key IS NOT DISTINCT FROM m.key
            ORDER BY {by.order} LIMIT :most
        )
        SELECT false AS total, coalesce(CAST(key AS text), '') AS key, label, {_NAMES} FROM lines
        UNION ALL
        SELECT true, '', '', {_NAMES}
        FROM (SELECT {_sums(_CONDITIONS)} FROM messages) m, (SELECT {_sums(_PEOPLE)} FROM everybody) p
    """
