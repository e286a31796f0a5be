"""A process may die, or lose its database, at every point of sending: none of them mails twice or leaves a row open.

Each test strikes a batch at one point. The batch holds every combination of what the provider did with a message, of
when the provider's event comes, and of what the workspace does about unknown ends. Then production recovers by its own
means: hints come again, leases end, the sweep runs, events arrive late.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum, auto

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from cadenza.core.db import Database
from cadenza.core.errors import Retryable
from cadenza.core.ids import MessageId, new_id
from cadenza.core.messages import SignalKind, SignalReported, Sweep
from cadenza.core.states import UnknownPolicy
from cadenza.delivery.gate import claim
from cadenza.delivery.model import LEASE, Ambiguous, Attempt, EarlierMail, Mail, Outcome, Provider, Rejected, Sent
from local.postgres import EmbeddedPostgres
from tests.store.builders import Scene, add_campaign, add_plan, add_sender, add_workspace
from tests.store.chaos.seams import Died, Fate, Place, SeamDatabase, cut_off
from tests.store.chaos.worlds import Post, Services, wanted, wire
from tests.unit.properties import LONG

BOUND = timedelta(hours=1)
turns = itertools.count()


class Answer(StrEnum):
    """What the provider makes of the first call about a message. Further calls it takes and answers."""

    SENT = auto()
    LOST_TAKEN = auto()
    LOST = auto()
    REJECTED = auto()
    THROTTLED = auto()


class News(StrEnum):
    """When the event comes that tells of a mail that was taken."""

    IN_TIME = auto()
    LATE = auto()
    NEVER = auto()


class Far(StrEnum):
    """How far the batch came before it was struck."""

    NOWHERE = auto()
    CLAIMED = auto()
    CALLED = auto()
    RECORDED = auto()


class Strike:
    """Seams that let everything pass but the ``nth`` arrival at ``place`` (and ``times - 1`` more)."""

    def __init__(self, place: Place, nth: int, fate: Fate, times: int = 1) -> None:
        self.fate = fate
        self.then: Callable[[], None] = lambda: None
        """What others do between the strike and whatever follows."""
        self._place = place
        self._on = range(nth, nth + times)
        self._seen = 0

    def at(self, place: Place) -> None:
        """See `Seams`."""
        if place is not self._place:
            return
        self._seen += 1
        if self._seen in self._on:
            self.then()
            if self.fate is Fate.DIE:
                raise Died
            cut_off(place)


@dataclass
class Case:
    """A message, and what is to happen to it."""

    answer: Answer
    news: News
    policy: UnknownPolicy
    calls: int = 0

    def end(self, far: Far) -> tuple[str, int]:
        """The final status and the number of calls that ``far`` must lead to."""
        if far is Far.CLAIMED:
            match self.policy:
                case UnknownPolicy.FAIL:
                    return "failed", 0
                case UnknownPolicy.ASSUME_SENT:
                    return "sent", 0
                case UnknownPolicy.RESEND:
                    return self._known(resent=True)
        if far is Far.CALLED:
            return self._unknown(self.policy, taken=self.answer in (Answer.SENT, Answer.LOST_TAKEN))
        return self._known(resent=False)

    def _known(self, *, resent: bool) -> tuple[str, int]:
        """The first call was answered, and the answer was recorded."""
        match self.answer:
            case Answer.SENT:
                return self._sent, 1
            case Answer.THROTTLED:
                return self._sent, 2
            case Answer.REJECTED:
                return "failed", 1
            case Answer.LOST | Answer.LOST_TAKEN:
                policy = UnknownPolicy.FAIL if resent else self.policy
                return self._unknown(policy, taken=self.answer is Answer.LOST_TAKEN)

    def _unknown(self, policy: UnknownPolicy, *, taken: bool) -> tuple[str, int]:
        """The first call was made, and nobody knows its answer."""
        if taken and self.news is not News.NEVER:
            return "delivered", 1
        match policy:
            case UnknownPolicy.FAIL:
                return "failed", 1
            case UnknownPolicy.ASSUME_SENT:
                return "sent", 1
            case UnknownPolicy.RESEND:
                return self._sent, 2

    @property
    def _sent(self) -> str:
        return "sent" if self.news is News.NEVER else "delivered"


@dataclass
class Truth:
    """A provider that knows each message's case, and reports what it took."""

    cases: dict[MessageId, Case]
    clock: Callable[[], datetime]
    strike: Strike
    events: dict[News, list[SignalReported]] = field(default_factory=lambda: {news: [] for news in News})

    def send(self, mail: Mail) -> Outcome:
        """See `Provider`."""
        self.strike.at(Place.CALL)
        case = self.cases[mail.message_id]
        case.calls += 1
        answer = case.answer if case.calls == 1 else Answer.SENT
        if answer in (Answer.SENT, Answer.LOST_TAKEN):
            self.events[case.news].append(
                SignalReported(
                    provider="p",
                    provider_event_id=f"{mail.message_id}/{case.calls}",
                    message_id=mail.message_id,
                    kind=SignalKind.DELIVERED,
                    occurred_at=self.clock() + timedelta(seconds=1),
                )
            )
        self.strike.at(Place.ANSWERED)
        match answer:
            case Answer.SENT:
                return Sent(f"id-{mail.message_id}")
            case Answer.REJECTED:
                return Rejected("no such mailbox")
            case Answer.THROTTLED:
                raise Retryable("too many requests")
            case Answer.LOST | Answer.LOST_TAKEN:
                return Ambiguous("no answer")

    def header_id(self, mail: EarlierMail) -> str:
        """See `Provider`."""
        return f"<{mail.provider_message_id}@p.example>"

    def close(self) -> None:
        """See `Provider`."""


@dataclass
class Stage:
    """A batch of cases, the services and a clock."""

    now: datetime
    database: Database
    post: Post
    truth: Truth
    services: Services
    singly: bool

    def send(self) -> int:
        """Hand the whole batch over, as one or one by one; how many processes died."""
        ids, deaths = list(self.truth.cases), 0
        for batch in [[one] for one in ids] if self.singly else [ids]:
            try:
                self.services.delivery.send(batch)
            except Died:
                deaths += 1
            except Retryable:
                pass
        return deaths

    def recover(self) -> None:
        """Twice over: hints come again, events in time, the lease ends, late events, the bound passes."""
        for _ in range(2):
            self.send()
            self.send()
            self._hear(News.IN_TIME)
            self._pass(LEASE + timedelta(seconds=1))
            self._hear(News.LATE)
            self._pass(BOUND + timedelta(seconds=1))
        self.send()
        self._hear(News.IN_TIME)
        self._hear(News.LATE)

    def _hear(self, news: News) -> None:
        heard = self.truth.events[news]
        self.services.execution.handle([*heard, *heard])

    def _pass(self, duration: timedelta) -> None:
        self.now += duration
        self.services.execution.handle([Sweep()])
        if ids := wanted(self.post.take(self.post.send, 1.0)):
            with suppress(Retryable):
                self.services.delivery.send(ids)

    def ends(self) -> dict[MessageId, tuple[str, int]]:
        """Each message's status and calls."""
        with self.database.worker() as conn:
            rows = conn.execute(text("SELECT id, status FROM outbound_messages")).all()
        return {row.id: (row.status, self.truth.cases[row.id].calls) for row in rows}

    def stuck(self) -> int:
        """Active enrolments that nothing will ever move."""
        with self.database.worker() as conn:
            return conn.execute(
                text("""
                    SELECT count(*) FROM contact_campaigns e
                    WHERE e.status = 'active'
                      AND NOT EXISTS (SELECT FROM scheduled_actions a WHERE a.enrolment_id = e.id)
                """)
            ).scalar_one()


@pytest.fixture
def stage_for(database_url: URL, now: datetime) -> Iterator[Callable[..., Stage]]:
    opened: list[Database] = []

    def make(strike: Strike, *, singly: bool = False, database: Database | None = None) -> Stage:
        database = database or SeamDatabase(database_url, strike)
        opened.append(database)
        post = Post(random.Random(1), lambda: stage.now, lossy=False)  # noqa: S311 - no secrets
        truth = Truth({}, lambda: stage.now, strike)
        cases = [Case(*chosen) for chosen in itertools.product(Answer, News, UnknownPolicy)]
        if not LONG:
            cases = cases[next(turns) % 2 :: 2]  # one test has the odd ones, the next one the even ones
        # A provider each: one in trouble would hold up the others' mails.
        providers: dict[str, Provider] = dict.fromkeys(map(str, range(len(cases))), truth)
        stage = Stage(now, database, post, truth, wire(database, strike, post, providers, lambda: stage.now), singly)
        owner = Database(database_url)
        with owner.worker() as conn:
            for policy in UnknownPolicy:
                settings = {"unknown_policy": policy, "unknown_bound_s": int(BOUND.total_seconds())}
                workspace_id = add_workspace(conn, settings)
                sender_id, plan_id = add_sender(conn, workspace_id), add_plan(conn, workspace_id)
                campaign_id = add_campaign(conn, workspace_id, sender_id)
                scene = Scene(workspace_id, sender_id, campaign_id, plan_id)
                for name, case in zip(providers, cases, strict=True):
                    if case.policy is policy:
                        own = add_sender(conn, workspace_id, provider=name)
                        truth.cases[scene.add_message(conn, sender_id=own)] = case
        owner.close()
        return stage

    yield make
    for each in opened:
        each.close()


POINTS = {
    "before the claim": (Place.BEGIN, 1, Fate.DIE, Far.NOWHERE),
    "in the claim, before its commit": (Place.COMMITTING, 1, Fate.DIE, Far.NOWHERE),
    "after the claim's commit": (Place.COMMITTED, 1, Fate.DIE, Far.CLAIMED),
    "before the record": (Place.BEGIN, 2, Fate.DIE, Far.CALLED),
    "in the record, before its commit": (Place.COMMITTING, 2, Fate.DIE, Far.CALLED),
    "after the record's commit": (Place.COMMITTED, 2, Fate.DIE, Far.RECORDED),
    "before the next timers' wake": (Place.ENQUEUE, 1, Fate.DIE, Far.RECORDED),
    "no database for the claim": (Place.BEGIN, 1, Fate.FAIL, Far.NOWHERE),
    "no answer to the claim's commit": (Place.COMMITTED, 1, Fate.FAIL, Far.CLAIMED),
    "no database for the record, once": (Place.BEGIN, 2, Fate.FAIL, Far.RECORDED),
    "no answer to the record's commit": (Place.COMMITTED, 2, Fate.FAIL, Far.RECORDED),
    "no queue for what follows": (Place.ENQUEUE, 1, Fate.FAIL, Far.RECORDED),
}


@pytest.mark.parametrize("point", POINTS)
def test_a_batch_that_is_struck_is_sent_once_and_ends(stage_for: Callable[..., Stage], point: str):
    """Broken, a crash there would mail somebody twice (I1), or leave a message or an enrolment open for ever (I4)."""
    place, nth, fate, far = POINTS[point]
    stage = stage_for(Strike(place, nth, fate))
    assert stage.send() == (fate is Fate.DIE)
    stage.recover()
    check(stage, far)


@pytest.mark.parametrize(("place", "far"), [(Place.CALL, Far.CLAIMED), (Place.ANSWERED, Far.CALLED)])
def test_a_process_that_dies_around_the_call_is_made_up_for(stage_for: Callable[..., Stage], place: Place, far: Far):
    """Broken, a crash between claim and record would mail twice, or nobody would ever know (I1, I4)."""
    stage = stage_for(Strike(place, 1, Fate.DIE, times=1000), singly=True)
    assert stage.send() == len(stage.truth.cases), "each in a process of its own"
    stage.singly, stage.truth.strike = False, Strike(place, 0, Fate.GO)
    stage.recover()
    check(stage, far)


@pytest.mark.parametrize("answer", [Answer.THROTTLED, Answer.SENT])
def test_a_record_that_is_repeated_leaves_the_next_attempt_alone(
    stage_for: Callable[..., Stage], database: Database, answer: Answer
):
    """Broken, a process that never heard of its own commit would queue again what another one is sending (I1)."""
    strike = Strike(Place.COMMITTED, 2, Fate.FAIL)
    stage = stage_for(strike)
    message_id = next(i for i, case in stage.truth.cases.items() if case.answer is answer)
    other = Attempt(new_id(), stage.now, stage.now + LEASE)

    def claim_meanwhile() -> None:
        with database.worker() as conn:
            assert len(claim(conn, [message_id], other).claimed) == (answer is Answer.THROTTLED)

    strike.then = claim_meanwhile
    with suppress(Retryable):
        stage.services.delivery.send([message_id])
    with database.worker() as conn:
        row = conn.execute(text("SELECT status, attempt_id FROM outbound_messages WHERE id = :id"), {"id": message_id})
        status, attempt_id = row.one()
        used = conn.execute(text("SELECT DISTINCT used FROM send_quota")).scalars().all()
    assert (status, attempt_id == other.id, used) == (
        ("sending", True, [1]) if answer is Answer.THROTTLED else ("sent", False, [1])
    )


def test_a_database_that_stays_away_while_recording_costs_no_mail(
    stage_for: Callable[..., Stage], database_url: URL, postgres: EmbeddedPostgres
):
    """Broken, an outage after the mails went out would send them again, or lose what became of them (I1)."""
    database = Database(database_url, role="cadenza_worker", patience_s=0.1)
    name = database_url.database
    stage = stage_for(Strike(Place.BEGIN, 0, Fate.GO), database=database)
    left = len(stage.truth.cases)
    send = stage.truth.send

    def take_away(mail: Mail) -> Outcome:
        nonlocal left
        left -= 1
        if not left:
            postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        return send(mail)

    stage.truth.send = take_away
    with pytest.raises(Retryable, match="database"):
        stage.services.delivery.send(list(stage.truth.cases))
    postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert Counter(status for status, _ in stage.ends().values()) == {"sending": len(stage.truth.cases)}
    stage.recover()
    check(stage, Far.CALLED)


def check(stage: Stage, far: Far) -> None:
    """Every case has come to the end that it must come to."""
    ends = stage.ends()
    wrong = {
        f"{case.answer}, news {case.news}, policy {case.policy}": (ends[message_id], end)
        for message_id, case in stage.truth.cases.items()
        if ends[message_id] != (end := case.end(far))
    }
    assert not wrong, "(status, calls) is not what it must be"
    assert len(ends) == len(stage.truth.cases)
    assert stage.stuck() == 0
