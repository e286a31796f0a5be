"""How many messages a campaign has to send, has sent, and will not send: counted on the rows, whenever somebody asks.

Nothing is kept up to date anywhere. One statement groups the enrolments by where they stand in plans of one shape, of
which there are few; how many sends lie ahead of each group is played by the engine's own code.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from msgspec import Struct, json
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, text

from cadenza.core.ids import CampaignId, PlanId
from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import CAMPAIGN_ENDED, MESSAGE_OPEN, EnrolmentStatus, MessageStatus
from cadenza.core.tables.base import literals
from cadenza.core.tables.execution import DROPPED_SEND
from cadenza.engine.apply import compiled_plans
from cadenza.figures.ahead import Stand, from_stand, play


class SendCounts(BaseModel):
    """What became of a campaign's messages, and what will if nobody reacts.

    ``emails_scheduled`` is ``sent + failed + skipped + remaining``, on every channel. ``sent`` were handed to a
    provider, whatever came of them. ``remaining`` are in the outbox or lie ahead. Where a reply, an opt-out or an
    operator ends an enrolment, what lay ahead of it is ``not_reached``: it is scheduled no longer.
    """

    model_config = ConfigDict(frozen=True)

    emails_scheduled: int
    sent: int
    failed: int
    skipped: int
    remaining: int
    not_reached: int


class _Group(Struct, frozen=True, gc=False):
    """Enrolments that stand at the same place of plans of one shape; ``plan_id`` is one of them."""

    shape: str
    plan_id: PlanId
    open: bool
    node: str
    visit: int
    written: bool
    heard: int
    count: int


class _Counted(Struct, frozen=True, gc=False):
    groups: list[_Group]
    messages: dict[str, int]
    dropped: dict[str, int]


def send_counts(conn: Connection, campaign_id: CampaignId) -> SendCounts:
    """Count a campaign's messages. Two statements; the first is one snapshot, so that nothing is counted twice."""
    counted = _COUNTED.decode(conn.execute(_COUNT, {"id": campaign_id}).scalar_one())
    ahead = _ahead(conn, counted.groups)
    by_status = counted.messages
    open_messages = sum(by_status.get(status, 0) for status in MESSAGE_OPEN)
    sent = sum(by_status.get(status, 0) for status in WAS_SENT)
    failed = by_status.get(MessageStatus.FAILED, 0) + counted.dropped.get(NO_WINDOW, 0)
    skipped = by_status.get(MessageStatus.SKIPPED, 0) + counted.dropped.get(MessageStatus.SKIPPED, 0)
    remaining = open_messages + ahead[True]
    return SendCounts(
        emails_scheduled=sent + failed + skipped + remaining,
        sent=sent,
        failed=failed,
        skipped=skipped,
        remaining=remaining,
        not_reached=ahead[False],
    )


def _ahead(conn: Connection, groups: list[_Group]) -> Counter[bool]:
    """How many sends lie ahead of the enrolments that go on, and of those that have ended."""
    example = {group.shape: group.plan_id for group in groups}
    plans = compiled_plans(conn, example.values())
    known: dict[tuple[str, Stand], int] = {}
    ahead = Counter[bool]()
    for group in groups:
        stand = Stand(group.node, group.visit, group.written, _events(group.heard))
        key = group.shape, stand
        if key not in known:
            known[key] = len(play(from_stand(plans[example[group.shape]], stand)))
        ahead[group.open] += known[key] * group.count
    return ahead


_HEARD: Final[tuple[tuple[SignalKind, bool | None], ...]] = (
    *((kind, None) for kind in SignalKind),
    (SignalKind.BOUNCED, True),
    (SignalKind.BOUNCED, False),
)
"""What can be known of a message, a bit each: groups are told apart by a number, which is cheaper than by a list."""


def _events(bits: int) -> frozenset[tuple[SignalKind, bool | None]]:
    return frozenset(event for place, event in enumerate(_HEARD) if bits >> place & 1)


def _bit(kind: str, hard: str) -> str:
    """The bit of an event as SQL. ``hard`` matters of bounces only."""
    cases = [
        f"WHEN {kind} = '{event}'"
        + ("" if is_hard is None else f" AND {hard} IS {str(is_hard).upper()}")
        + f" THEN {bit}"
        for bit, (event, is_hard) in ((1 << place, event) for place, event in reversed(tuple(enumerate(_HEARD))))
    ]
    return f"CASE {' '.join(cases)} ELSE 0 END"


WAS_SENT: Final = (MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.BOUNCED, MessageStatus.COMPLAINED)
"""A provider has taken it."""

NO_WINDOW: Final = "no_window"
"""Why the engine has dropped a send whose windows never open."""

_COUNTED: Final = json.Decoder(_Counted)

# Who has ended is taken as if nobody had reacted: what would have come is what was not reached.
_COUNT: Final = text(f"""
    WITH own AS MATERIALIZED (
        SELECT e.id, e.plan_id, e.current_node AS node, e.visit, e.anchor_at, e.last_message_id,
               e.status IN ({literals(EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)})
                   AND c.status NOT IN ({literals(*CAMPAIGN_ENDED)}) AS open
        FROM contact_campaigns e JOIN campaigns c ON c.id = e.campaign_id
        WHERE e.campaign_id = :id
    ), dropped AS MATERIALIZED (
        SELECT enrolment_id, visit, reason FROM finished_actions
        WHERE workspace_id = (SELECT workspace_id FROM campaigns WHERE id = :id) AND campaign_id = :id
          AND {DROPPED_SEND}
    ), heard AS (
        SELECT own.id, bit_or({_bit("v.kind", "v.hard")}) AS bits
        FROM own JOIN message_events v ON v.message_id = own.last_message_id
        WHERE own.open AND (v.grade = '{Grade.HUMAN}'
            OR v.kind NOT IN ({literals(SignalKind.OPENED, SignalKind.CLICKED, SignalKind.REPLIED)}))
        GROUP BY own.id
    ), groups AS (
        SELECT p.shape, min(CAST(p.id AS text)) AS plan_id, own.open, own.node, own.visit,
               own.anchor_at IS NOT NULL OR m.id IS NOT NULL OR d.visit IS NOT NULL AS written,
               coalesce(heard.bits, 0) AS heard, count(*) AS count
        FROM own JOIN campaign_plans p ON p.id = own.plan_id
        LEFT JOIN heard ON heard.id = own.id
        LEFT JOIN outbound_messages m
            ON own.anchor_at IS NULL AND m.id = own.last_message_id AND m.visit = own.visit
        LEFT JOIN dropped d ON d.enrolment_id = own.id AND d.visit = own.visit
        GROUP BY 1, 3, 4, 5, 6, 7
    )
    SELECT CAST(json_build_object(
        'groups', (SELECT coalesce(json_agg(json_build_object(
                'shape', shape, 'plan_id', plan_id, 'open', open, 'node', node, 'visit', visit, 'written', written,
                'heard', heard, 'count', count)), '[]') FROM groups),
        'messages', (SELECT coalesce(json_object_agg(status, n), '{{}}') FROM (
                SELECT status, count(*) AS n FROM outbound_messages WHERE campaign_id = :id GROUP BY status) messages),
        'dropped', (SELECT coalesce(json_object_agg(reason, n), '{{}}') FROM (
                SELECT reason, count(*) AS n FROM dropped GROUP BY reason) dropped)) AS text)
""")
