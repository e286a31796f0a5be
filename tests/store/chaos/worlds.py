"""Many small worlds in one database, and the production services that serve them all, on seams.

A world is a workspace with a sender, two campaigns and a few people; some are enrolled in both. A batch of the services
serves many worlds at once, as in production, so that each world lives through a history of its own.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from itertools import count
from typing import Any
from unittest.mock import patch
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import Connection, text

from cadenza.campaigns.senders import Senders
from cadenza.campaigns.service import Campaigns
from cadenza.campaigns.starting import ScheduledStarts
from cadenza.core.db import Database
from cadenza.core.errors import Retryable
from cadenza.core.ids import CampaignId, ContactId, EnrolmentId, MessageId, SenderId, WorkspaceId, new_id
from cadenza.core.messages import (
    EXECUTION_MESSAGES,
    SEND_MESSAGES,
    Grade,
    Message,
    SendWanted,
    SignalKind,
    SignalReported,
    Wake,
)
from cadenza.core.queues import Queue
from cadenza.core.settings import ExecutionQueue
from cadenza.core.states import CampaignKind, CampaignStatus, EnrolmentStatus, LeadStatus, UnknownPolicy
from cadenza.delivery.execution import Execution
from cadenza.delivery.hints import Hints
from cadenza.delivery.inbound import Inbound
from cadenza.delivery.model import Ambiguous, EarlierMail, Mail, Outcome, Provider, Rejected, Sent
from cadenza.delivery.outcomes import SignalIntake
from cadenza.delivery.providers.passwords import Passwords
from cadenza.delivery.service import Delivery
from cadenza.delivery.upkeep import Upkeep
from cadenza.engine.apply import apply
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.model import Enrol
from cadenza.engine.service import Engine
from cadenza.engine.wakes import Wakes
from cadenza.planning.model import content_hash, parse_plan
from cadenza.signals.links import Links
from tests.store.chaos.oracle import REFUSAL, TAKEN, Answer, Call, Evidence
from tests.store.chaos.seams import Aws, Place, SeamDatabase, Seams, last_transaction

SEND, EXECUTION = "memory://message-send", "memory://campaign-execution"
SERVICES = ("north", "south", "east")
"""What the providers are called; one in trouble holds up the rest of its own mails only."""

QUIET_FROM, QUIET_UNTIL = time(3), time(7)
"""Midnight, when the caps begin anew, is an hour like any other."""
PLAN: dict[str, Any] = {
    "version": "1.1",
    "timezone": "UTC",
    "quietHours": {"start": f"{QUIET_FROM:%H:%M}", "end": f"{QUIET_UNTIL:%H:%M}"},
    "startNodeId": "intro",
    "nodes": [
        {
            "id": "intro",
            "action": "send",
            "subject": "One",
            "body": "Hello",
            "transitions": [
                {"on": "opened", "to": "warm"},
                {"on": "replied", "to": "end"},
                {"on": "no_open", "to": "again", "after": "PT6H"},
            ],
        },
        {
            "id": "warm",
            "action": "wait",
            "transitions": [{"on": "clicked", "to": "again"}, {"on": "no_click", "to": "end", "after": "PT8H"}],
        },
        {
            "id": "again",
            "action": "send",
            "subject": "Two",
            "body": "Hello again",
            "transitions": [{"on": "no_reply", "to": "end", "after": "PT12H"}],
        },
        {"id": "end", "action": "stop"},
    ],
}


@dataclass(frozen=True)
class World:
    """One world's ids."""

    workspace_id: WorkspaceId
    sender_id: SenderId
    campaigns: tuple[CampaignId, ...]
    people: tuple[ContactId, ...]
    addresses: tuple[str, ...]


@dataclass
class Parcel:
    """A message on a queue: not to be had before ``ready_at``."""

    ready_at: datetime
    message: Message


@dataclass
class Post:
    """What is under way: SQS's two queues, the schedules, and what the provider will report."""

    rng: random.Random
    now: Callable[[], datetime]
    send: list[Parcel] = field(default_factory=list[Parcel])
    execution: list[Parcel] = field(default_factory=list[Parcel])
    wakes: dict[datetime, Wake] = field(default_factory=dict[datetime, Wake])
    lossy: bool = True

    def deliver(self, url: str, body: str, delay_s: int) -> None:
        """SQS takes a message; some are lost before they arrive, which hints must survive."""
        queue, kind = (self.send, SEND_MESSAGES) if url == SEND else (self.execution, EXECUTION_MESSAGES)
        if not (self.lossy and self.rng.random() < 0.04):
            queue.append(Parcel(self.now() + timedelta(seconds=delay_s), kind.validate_json(body)))

    def wake(self, body: str) -> None:
        """A schedule is made; its name makes it one, however often it is asked for."""
        if not (self.lossy and self.rng.random() < 0.04):
            wake = Wake.model_validate_json(body)
            self.wakes.setdefault(wake.bucket, wake)

    def take(self, queue: list[Parcel], share: float) -> list[Parcel]:
        """Receive some of what is ready, in no order. A few come again later, as SQS allows itself."""
        now = self.now()
        taken = [parcel for parcel in queue if parcel.ready_at <= now and self.rng.random() < share]
        gone = set(map(id, taken))
        again = [Parcel(now + timedelta(minutes=self.rng.randint(1, 90)), p.message) for p in taken if self._twice()]
        queue[:] = [parcel for parcel in queue if id(parcel) not in gone] + again
        self.rng.shuffle(taken)
        return taken

    def _twice(self) -> bool:
        return self.lossy and self.rng.random() < 0.08

    def due_wakes(self) -> list[Parcel]:
        """The schedules whose time has come fire, once each."""
        now = self.now()
        return [Parcel(now, self.wakes.pop(bucket)) for bucket in sorted(self.wakes) if bucket <= now]


class ChanceProvider:
    """A mail service of which the truth is known: it keeps book of every call, and reports what it took."""

    def __init__(self, rng: random.Random, seams: Seams, post: Post) -> None:
        self.calls: list[Call] = []
        self.reported: set[str] = set()
        self._rng = rng
        self._seams = seams
        self._post = post

    def send(self, mail: Mail) -> Outcome:
        """See `cadenza.delivery.model.Provider`."""
        if self._rng.random() < 0.15:
            self._seams.at(Place.CALL)
        answer = self._rng.choices(list(_ODDS), weights=list(_ODDS.values()))[0]
        call = Call(str(mail.message_id), self._post.now(), answer, last_transaction())
        self.calls.append(call)
        if answer in TAKEN:
            for ready_at, signal in self._reports(mail.message_id, call.at):
                self._post.execution.append(Parcel(ready_at, signal))
        if self._rng.random() < 0.15:
            self._seams.at(Place.ANSWERED)
        match answer:
            case Answer.SENT:
                return Sent(f"id-{mail.message_id}")
            case Answer.REJECTED:
                return Rejected(REFUSAL)
            case Answer.THROTTLED:
                raise Retryable("too many requests")
            case Answer.LOST | Answer.LOST_TAKEN:
                return Ambiguous("no answer")
            case Answer.BROKEN:
                raise KeyError("MessageId")

    def header_id(self, mail: EarlierMail) -> str:
        """See `cadenza.delivery.model.Provider`."""
        return f"<{mail.provider_message_id}@provider.example>"

    def close(self) -> None:
        """See `cadenza.delivery.model.Provider`."""

    def _reports(self, message_id: MessageId, at: datetime) -> list[tuple[datetime, SignalReported]]:
        """What comes of a mail that was taken: some of it, in its order of occurrence, each heard of any time later."""
        rng = self._rng
        story = list(rng.choices(_STORIES, weights=[weight for _, weight in _STORIES])[0][0])
        heard: list[tuple[datetime, SignalReported]] = []
        occurred_at = at
        for number, (kind, hard) in enumerate(story):
            occurred_at += timedelta(seconds=rng.choice((1, 5, 600, 7200, 20_000)) if number else 1)
            signal = SignalReported(
                provider="provider",
                provider_event_id=f"{message_id}/{number}",
                message_id=message_id,
                kind=kind,
                hard=hard,
                grade=rng.choices((Grade.HUMAN, Grade.MACHINE), weights=(8, 2))[0],
                occurred_at=occurred_at,
            )
            self.reported.add(signal.provider_event_id)
            copies = rng.choices((0, 1, 2, 3), weights=(8, 70, 15, 7))[0]
            heard += [(occurred_at + timedelta(seconds=rng.choice(_LATENESS_S)), signal) for _ in range(copies)]
        return heard


_LATENESS_S = (0, 0, 1, 1, 60, 3600, 30_000, 100_000)
_ODDS = {
    Answer.SENT: 80.0,
    Answer.REJECTED: 5.0,
    Answer.THROTTLED: 4.0,
    Answer.LOST_TAKEN: 5.0,
    Answer.LOST: 4.0,
    Answer.BROKEN: 4.0,
}
_S, _D, _O, _C = (
    (SignalKind.SENT, None),
    (SignalKind.DELIVERED, None),
    (SignalKind.OPENED, None),
    (SignalKind.CLICKED, None),
)
_STORIES: Sequence[tuple[tuple[tuple[SignalKind, bool | None], ...], int]] = (
    ((_S,), 10),
    ((_S, _D), 25),
    ((_S, _D, _O), 15),
    ((_S, _D, _O, _C), 10),
    ((_S, _D, _O, (SignalKind.REPLIED, None)), 6),
    ((_S, (SignalKind.BOUNCED, True)), 6),
    ((_S, (SignalKind.BOUNCED, False), _D), 5),
    ((_S, _D, (SignalKind.BOUNCED, True)), 5),
    ((_S, _D, (SignalKind.COMPLAINED, None)), 5),
    ((_S, _D, (SignalKind.BOUNCED, False), (SignalKind.COMPLAINED, None)), 3),
    ((_S, _D, _O, (SignalKind.UNSUBSCRIBED, None)), 4),
    ((_S, (SignalKind.FAILED, None)), 4),
    ((), 4),
)


@dataclass
class Services:
    """The production services, wired as the functions wire them, on seams."""

    delivery: Delivery
    execution: Execution
    dispatcher: Dispatcher


def wire(
    database: Database, seams: Seams, post: Post, providers: Mapping[str, Provider], clock: Callable[[], datetime]
) -> Services:
    """Everything that works on the outbox; queues and schedules end in ``post``."""
    aws: Any = Aws(seams, post.deliver, post.wake)
    send, execution_queue = Queue(SEND, aws), Queue(EXECUTION, aws)
    settings = ExecutionQueue(
        campaign_execution_queue_url=EXECUTION,
        campaign_execution_queue_arn="arn:aws:sqs:eu-central-1:123456789012:campaign-execution",
        scheduler_group="cadenza",
        scheduler_role_arn="arn:aws:iam::123456789012:role/scheduler",
    )
    dispatcher = Dispatcher(execution_queue, Wakes(settings, aws), send)
    engine = Engine(database, dispatcher, clock)
    hints = Hints(send, dispatcher)
    links = Links("https://go.cadenza.example", "0123456789abcdef")
    return Services(
        Delivery(database=database, engine=engine, hints=hints, providers=providers, links=links, clock=clock),
        Execution(
            engine,
            SignalIntake(database, engine, clock),
            Inbound(database),
            Upkeep(database, engine, hints, clock),
            ScheduledStarts(database, dispatcher, clock, "https://go.cadenza.example"),
        ),
        dispatcher,
    )


@dataclass
class Worlds:
    """The worlds, their services and the clock."""

    now: datetime
    rng: random.Random
    database: SeamDatabase
    post: Post
    provider: ChanceProvider
    services: Services
    gaps: bool
    """Whether some worlds keep gaps between messages: batches that meet on one wait for one another, as a whole."""
    all: list[World] = field(default_factory=list[World])
    names: dict[str, str] = field(default_factory=dict[str, str])

    def campaigns(self, world: World) -> Campaigns:
        """The operator's side of one world."""
        return Campaigns(
            self.database,
            self.services.dispatcher,
            world.workspace_id,
            None,
            lambda: self.now,
            "https://go.cadenza.example",
        )

    def senders(self, world: World) -> Senders:
        """Who pauses and resumes one world's sender."""
        return Senders(
            self.database, self.services.dispatcher, world.workspace_id, lambda: self.now, Passwords("/none")
        )

    def crew(self, database: Database, seams: Seams) -> Services:
        """The same services in another process, with a database connection of its own."""
        return wire(database, seams, self.post, dict.fromkeys(SERVICES, self.provider), lambda: self.now)

    def evidence(self, **given: Any) -> Evidence:
        """What the run leaves behind."""
        return Evidence(
            self.provider.calls,
            self.provider.reported,
            names=self.names,
            quiet_from=QUIET_FROM,
            quiet_until=QUIET_UNTIL,
            **given,
        )


@contextmanager
def ids_of(seed: int) -> Generator[None]:
    """UUIDv7s (RFC 9562, section 5.7) drawn from the seed: ids decide orders, and those are to be the same again."""
    rng, numbers = random.Random(seed), count(0x019B_0000_0000)  # noqa: S311 - no secrets

    def uuid7() -> UUID:
        low = rng.getrandbits(74)
        return UUID(int=next(numbers) << 80 | 7 << 76 | (low >> 62) << 64 | 2 << 62 | low & ((1 << 62) - 1))

    with patch.object(uuid_utils.compat, "uuid7", uuid7):
        yield


def wanted(parcels: Sequence[Parcel]) -> list[MessageId]:
    """The messages that hints name."""
    return [message_id for p in parcels if isinstance(p.message, SendWanted) for message_id in p.message.message_ids]


def make_worlds(seed: int, size: int, now: datetime, database: SeamDatabase, seams: Seams) -> Worlds:
    """Fresh worlds; everybody is enrolled, nothing is sent yet."""
    rng = random.Random(seed)  # noqa: S311 - a seed that gives the same run again

    def clock() -> datetime:
        return worlds.now

    post = Post(rng, clock)
    provider = ChanceProvider(rng, seams, post)
    services = wire(database, seams, post, dict.fromkeys(SERVICES, provider), clock)
    worlds = Worlds(now, rng, database, post, provider, services, gaps=rng.random() < 0.5)
    with database.worker() as conn:
        enrolments = _seed(conn, worlds, size)
        follow_up = apply(conn, [(enrolment_id, Enrol()) for enrolment_id in enrolments], now)
    services.dispatcher.dispatch(follow_up, now)
    return worlds


def _seed(conn: Connection, worlds: Worlds, size: int) -> list[EnrolmentId]:
    """Insert the worlds, a statement a table; the enrolments are drafts."""
    rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    plan_id, parsed = new_id(), parse_plan(PLAN)
    for number in range(size):
        _add_world(worlds, rows, number, plan_id)
    plan = {"id": plan_id, "workspace_id": worlds.all[0].workspace_id, "hash": content_hash(parsed), "version": "1.1"}
    rows["campaign_plans"].append({**plan, "plan": parsed.to_json(), "created_at": worlds.now})
    for table in _IN_ORDER:
        columns = ", ".join(rows[table][0])
        conn.execute(
            text(f"""
                INSERT INTO {table} ({columns})
                SELECT {columns} FROM jsonb_populate_recordset(CAST(NULL AS {table}), CAST(:rows AS jsonb))
            """),
            {"rows": json.dumps(rows[table], default=str)},
        )
    return [row["id"] for row in rows["contact_campaigns"]]


_IN_ORDER = (
    "workspaces",
    "automation_settings",
    "sender_identities",
    "leads",
    "contacts",
    "campaign_plans",
    "campaigns",
    "campaign_leads",
    "contact_campaigns",
)


def _add_world(worlds: Worlds, rows: Mapping[str, list[dict[str, Any]]], number: int, plan_id: UUID) -> None:
    """One world's rows: three people in its first campaign, one of them in the second, too."""
    rng, name = worlds.rng, f"w{number}"
    world = World(
        WorkspaceId(new_id()),
        SenderId(new_id()),
        tuple(CampaignId(new_id()) for _ in range(2)),
        tuple(ContactId(new_id()) for _ in range(3)),
        tuple(f"p{i}@{name}.example" for i in range(3)),
    )
    worlds.all.append(world)
    worlds.names[str(world.workspace_id)] = name
    lead_id, made = new_id(), {"created_at": worlds.now}
    ours = {"workspace_id": world.workspace_id}

    def add(table: str, **values: Any) -> None:
        rows[table].append(values)

    add("workspaces", id=world.workspace_id, name=name, **made)
    add(
        "automation_settings",
        **ours,
        daily_cap=rng.choice((None, None, 1, 2, 4)),
        unknown_policy=rng.choices(list(UnknownPolicy), weights=(6, 2, 2))[0],
        unknown_bound_s=rng.choice((3600, 86_400)),
        contact_gap_s=rng.choice((0, 0, 3600, 86_400)) * worlds.gaps,
        domain_gap_s=rng.choice((0, 0, 0, 900)) * worlds.gaps,
        frequency_cap=rng.choice((None, None, 2)) if worlds.gaps else None,
        frequency_days=2,
        updated_at=worlds.now,
    )
    add(
        "sender_identities",
        **ours,
        id=world.sender_id,
        email=f"ada@{name}.example",
        postal_address="Musterweg 1",
        provider=SERVICES[number % len(SERVICES)],
        daily_cap=rng.choice((None, None, 2, 3)),
        **made,
    )
    site = {"domain": f"{name}.example", "url": f"https://{name}.example/", "status": LeadStatus.ANALYZED}
    add("leads", **ours, id=lead_id, **site, updated_at=worlds.now, **made)
    for i, contact_id in enumerate(world.people):
        worlds.names[str(contact_id)] = f"{name}/p{i}"
        add("contacts", **ours, id=contact_id, lead_id=lead_id, email=world.addresses[i], **made)
    for c, campaign_id in enumerate(world.campaigns):
        worlds.names[str(campaign_id)] = f"{name}/c{c}"
        add(
            "campaigns",
            **ours,
            id=campaign_id,
            sender_id=world.sender_id,
            name="c",
            kind=CampaignKind.AI,
            status=CampaignStatus.RUNNING,
            brief={"offering": "a test"},
            daily_cap=rng.choice((None, None, 1, 3)),
            updated_at=worlds.now,
            **made,
        )
        add("campaign_leads", **ours, campaign_id=campaign_id, lead_id=lead_id, **made)
        for i, contact_id in enumerate(world.people[: 3 - 2 * c]):
            enrolment_id = new_id()
            worlds.names[str(enrolment_id)] = f"{name}/c{c}/p{i}"
            whose = {"campaign_id": campaign_id, "contact_id": contact_id, "plan_id": plan_id}
            add("contact_campaigns", **ours, id=enrolment_id, **whose, status=EnrolmentStatus.DRAFT, **made)
