"""One person in several campaigns, and what is reported of their messages: the ground of the tests of reactions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, text

from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.ids import ContactId, LeadId, MessageId
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.core.states import CampaignStatus
from cadenza.delivery.outcomes import record
from cadenza.engine.apply import FollowUp
from tests.store.builders import NOW, Scene, add_campaign, add_contact, add_lead, add_scene

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
T = TypeVar("T")
_numbers = count(1)


def in_turn(database: Database, first: Callable[[Connection], object], second: Callable[[Connection], T]) -> T:
    """What ``second`` answers when it comes while the transaction of ``first`` is open, and has to wait for it."""

    def alone() -> T:
        with database.worker() as conn:
            return second(conn)

    with ThreadPoolExecutor(1) as pool:
        with database.worker() as conn:
            first(conn)
            other = pool.submit(alone)
            with pytest.raises(TimeoutError):
                other.result(timeout=0.2)
        return other.result(timeout=10)


def reported(message_id: MessageId, kind: SignalKind, at: datetime, **given: Any) -> SignalReported:
    """An event that nobody has reported before, unless ``provider_event_id`` says otherwise."""
    row: dict[str, Any] = {"provider": "p", "provider_event_id": f"e{next(_numbers)}"} | given
    return SignalReported(message_id=message_id, kind=kind, occurred_at=at, **row)


@dataclass
class People:
    """A workspace with one campaign; `another` gives more. Messages are sent at `NOW` unless it is said otherwise."""

    database: Database
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    plan: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        with self.database.worker() as conn:
            plan = {} if self.plan is None else {"plan": self.plan}
            self.scene = add_scene(conn, settings=self.settings, **plan)

    def another(self, status: CampaignStatus = CampaignStatus.RUNNING) -> Scene:
        """Another campaign of the workspace, by the same plan."""
        with self.database.worker() as conn:
            campaign_id = add_campaign(conn, self.scene.workspace_id, self.scene.sender_id, status=status)
        return replace(self.scene, campaign_id=campaign_id)

    def lead(self) -> LeadId:
        """A company."""
        with self.database.worker() as conn:
            return add_lead(conn, self.scene.workspace_id)

    def person(self, lead_id: LeadId | None = None, **given: Any) -> ContactId:
        """Somebody; of no company if none is said."""
        with self.database.worker() as conn:
            return add_contact(conn, self.scene.workspace_id, lead_id, **given)

    def mail(self, person: ContactId, scene: Scene | None = None, **given: Any) -> MessageId:
        """A message to the person in a campaign: sent, unless ``status`` says otherwise."""
        row = {"status": "sent", "sent_at": NOW, "to_address": "grace@acme.example"} | given
        enrolment = {"anchor_at": NOW} if row["status"] == "sent" else {"anchor_at": None}
        with self.database.worker() as conn:
            return (scene or self.scene).add_message(conn, contact_id=person, enrolment=enrolment, **row)

    def hear(self, *signals: SignalReported, now: datetime = NOW + DAY) -> FollowUp:
        """Record a batch."""
        with self.database.worker() as conn:
            return record(conn, signals, now)

    # --- what came of it -----------------------------------------------------------------------------------------

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with self.database.worker() as conn:
            return [tuple(row) for row in conn.execute(text(query), parameters)]

    def stood(self, message_id: MessageId) -> tuple[str, str]:
        """Status and reason of the message's enrolment."""
        query = """
            SELECT e.status, e.reason FROM contact_campaigns e JOIN outbound_messages m ON m.enrolment_id = e.id
            WHERE m.id = :id
        """
        ((status, reason),) = self.rows(query, id=message_id)
        return status, reason

    def graded(self, message_id: MessageId) -> list[tuple[str, str, list[str], str]]:
        """Kind, grade, reasons and verdict of what is recorded of a message, in order of occurrence."""
        query = """
            SELECT kind, grade, grade_reasons, verdict FROM message_events
            WHERE message_id = :id ORDER BY occurred_at, id
        """
        return [(kind, grade, reasons, verdict) for kind, grade, reasons, verdict in self.rows(query, id=message_id)]

    def suppressed(self) -> list[tuple[str, str]]:
        """Address and reason."""
        return [(address, reason) for address, reason in self.rows("SELECT address, reason FROM suppressions")]

    def held(self) -> dict[ContactId, datetime]:
        """Who is held until when."""
        return dict(self.rows("SELECT contact_id, until FROM holds"))


def unsuppress(conn: Connection) -> None:
    """An operator takes all suppressions back."""
    conn.execute(tables.suppressions.delete())
