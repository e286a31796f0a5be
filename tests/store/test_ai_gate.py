"""The gate before the model, on real Postgres and real HTTP: budget, concurrency, breaker, answers paid for once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from cadenza.core import ai_calls, ai_gate, ai_usage, jobs
from cadenza.core.ai import AiBusy, AiClient, AiFailed, AiInvalid, Prompt
from cadenza.core.ai_breaker import FAILURES_TO_OPEN, all_of_them
from cadenza.core.ai_calls import CALL_LEASE
from cadenza.core.ai_gate import AiGate, AiUnaffordable, AiUnavailable
from cadenza.core.clock import utc_now
from cadenza.core.db import Database
from cadenza.core.errors import Postponed
from cadenza.core.ids import LeadId, WorkspaceId, new_id
from cadenza.core.states import AiOutcome, JobStatus
from tests.store.builders import add_workspace
from tests.unit.fake_openai import FakeOpenAi, Json, Reply, fake_openai, says

PROMPT = Prompt("town.v1", "Answer briefly.")
PRICE = (0, 1_000_000)
"""One millionth of a dollar for a token that the model writes: costs can be counted in the head."""
WORST = 16_000
"""What a call can cost by it at most: the most tokens that it may write."""
MIDDAY = datetime(2026, 1, 13, 12, 0, tzinfo=UTC)


class Town(BaseModel):
    """What the fake model is asked for."""

    name: str


LISBON = says({"name": "Lisboa"})


@dataclass
class Bench:
    """A gate to a fake endpoint, and a clock that is moved by hand."""

    database: Database
    server: FakeOpenAi
    client: AiClient
    workspace_id: WorkspaceId
    now: datetime = MIDDAY
    gate: AiGate = field(init=False)

    def __post_init__(self) -> None:
        self.gate = AiGate(self.database, self.client, lambda: self.now)

    def ask(self, data: str = "Lisboa", *, attempts_made: int = 0, work: jobs.Work | None = None) -> Town:
        """Ask for a job of its own, or for ``work``."""
        begun = jobs.Begun(work or self.work(), attempts_made, 1)
        return self.gate.asking_for(begun).ask(PROMPT, data, Town).value

    def work(self) -> jobs.Work:
        """Some job."""
        return jobs.analysis(self.workspace_id, LeadId(new_id()))

    def standing(self) -> ai_usage.Standing:
        """How the workspace stands."""
        with self.database.worker() as conn:
            return ai_usage.standing(conn, self.workspace_id, self.now)

    def used(self) -> list[tuple[AiOutcome, int]]:
        """Outcome and cost of each call in the ledger, in order."""
        with self.database.worker() as conn:
            rows = conn.execute(text("SELECT outcome, cost_usd_micros FROM ai_usage ORDER BY id")).all()
        return [(AiOutcome(row.outcome), row.cost_usd_micros) for row in rows]


@contextmanager
def bench(
    database: Database,
    script: Callable[[Json], Reply],
    *,
    price: tuple[int, int] | None = PRICE,
    timeout_s: float = 10.0,
    **settings: Any,
) -> Iterator[Bench]:
    with database.worker() as conn:
        workspace_id = add_workspace(conn, settings)
    with fake_openai(script) as server, AiClient("key", "test-model", server.url, timeout_s, price) as client:
        yield Bench(database, server, client, workspace_id)


def crowd(count: int, act: Callable[[int], object]) -> list[object]:
    """Let ``count`` threads do it at the same time; what each gave back, or raised."""
    gate = threading.Barrier(count)

    def one(number: int) -> object:
        gate.wait()
        try:
            return act(number)
        except (AiBusy, AiFailed, Postponed) as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def patiently(act: Callable[[], object]) -> object:
    """As a queue does it: what is postponed comes back, only sooner."""
    while True:
        try:
            return act()
        except Postponed:
            time.sleep(0.02)


# --- budget ------------------------------------------------------------------------------------------------------


def test_callers_together_cannot_pass_the_budget(database: Database) -> None:
    """Broken, functions that run side by side would each see money left, and spend it together."""
    # Given a budget that three such calls fit in, and a model that takes nearly all that it may.
    most: list[int] = []

    def costly(_: Json) -> Reply:
        standing = running.standing()
        most.append(standing.spent_usd_micros + standing.reserved_usd_micros)
        return replace(LISBON, usage=(10, 15_000), delay_s=0.05)

    with bench(database, costly, ai_daily_budget_usd_micros=50_000, ai_concurrency=50) as running:
        # When twelve want to call at once, and come back when they are told to wait.
        ends = crowd(12, lambda number: patiently(lambda: running.ask(str(number))))

        # Then three did, and nothing was spent, or could have been, beyond the budget at any time.
        assert sum(isinstance(end, Town) for end in ends) == 3
        assert {str(end) for end in ends if not isinstance(end, Town)} == {"budget"}
        assert len(running.server.requests) == 3
        assert running.used() == [(AiOutcome.ANSWERED, 15_000)] * 3
        assert max(most) <= 50_000
        assert running.standing().left_usd_micros == 5_000


def test_money_that_is_only_reserved_is_waited_for(database: Database) -> None:
    """Broken, work would be skipped for the day because of calls that turn out to cost next to nothing."""
    with bench(
        database, lambda _: replace(LISBON, usage=(10, 100), delay_s=0.05), ai_daily_budget_usd_micros=20_000
    ) as (running):
        ends = crowd(6, lambda number: patiently(lambda: running.ask(str(number))))
        assert [type(end) for end in ends] == [Town] * 6
        assert running.standing().spent_usd_micros == 600


def test_the_budget_is_of_a_utc_day(database: Database) -> None:
    """Broken, yesterday's spending would stop today's work, or a night shift would have two budgets."""
    with bench(database, lambda _: replace(LISBON, usage=(10, 15_000)), ai_daily_budget_usd_micros=20_000) as running:
        running.now = datetime(2026, 1, 13, 23, 59, 59, tzinfo=UTC)
        running.ask("first")
        with pytest.raises(AiUnaffordable):
            running.ask("second")
        running.now += timedelta(seconds=1)
        running.ask("second")
        assert running.standing().spent_usd_micros == 15_000


def test_a_budget_means_nothing_for_a_model_without_a_price(database: Database) -> None:
    """Broken, any amount could be spent under a budget that counts it as nothing."""
    with bench(database, lambda _: LISBON, price=None, ai_daily_budget_usd_micros=10**9) as running:
        with pytest.raises(AiUnaffordable, match="the price of test-model is not known"):
            running.ask()
        assert running.server.requests == []
    with bench(database, lambda _: LISBON, price=None) as running:
        running.ask()
        assert running.standing().left_usd_micros is None


def test_an_endpoint_that_counts_no_tokens_costs_the_most_that_it_can(database: Database) -> None:
    """Broken, the budget would be blind to it."""
    with bench(database, lambda _: replace(LISBON, usage=(0, 0))) as running:
        running.ask()
        assert running.used() == [(AiOutcome.ANSWERED, WORST)]


def test_answers_that_are_none_are_paid_for_too(database: Database) -> None:
    """Broken, refusals and cut-off answers would not count."""
    with bench(database, lambda _: Reply("{", incomplete="max_output_tokens", usage=(10, 300))) as running:
        with pytest.raises(AiInvalid):
            running.ask()
        assert running.used() == [(AiOutcome.UNUSABLE, 300)]
        assert running.standing().under_way == 0


# --- concurrency -------------------------------------------------------------------------------------------------


def test_no_more_calls_are_under_way_than_allowed(database: Database) -> None:
    """Broken, a batch of leads would flood the endpoint, whatever the workspace chose."""
    lock, under_way, most = threading.Lock(), 0, 0

    def slow(_: Json) -> Reply:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.1)
        with lock:
            under_way -= 1
        return LISBON

    with bench(database, slow, ai_concurrency=3) as running:
        ends = crowd(15, lambda number: patiently(lambda: running.ask(str(number))))
        assert [type(end) for end in ends] == [Town] * 15
        assert 1 < most <= 3


def test_one_workspace_does_not_take_anothers_places(database: Database) -> None:
    """Broken, one customer's batch would stop everybody's work."""
    with bench(database, lambda _: LISBON, ai_concurrency=1) as running:
        with database.worker() as conn:
            other = add_workspace(conn, {"ai_concurrency": 1})
            _, call_id = ai_gate.admit(conn, running.gate._request(running.work(), PROMPT, "a", Town), MIDDAY)
        assert call_id
        with pytest.raises(Postponed, match="1 AI calls are under way"):
            running.ask("b")
        running.ask("b", work=jobs.analysis(other, LeadId(new_id())))


def test_who_is_sent_away_comes_back_when_it_is_likely_to_be_their_turn() -> None:
    """Broken, ten thousand waiting jobs would do nothing but knock."""
    standing = ai_usage.Standing(None, 0, 0, under_way=5, concurrency=5)
    work = jobs.analysis(WorkspaceId(new_id()), LeadId(new_id()))
    wanted = ai_calls.Request(work, "hash", "ai:test", "m", "v", 1, priced=True)
    waits = [
        ai_gate.decide(wanted, ai_calls.Sight(standing, None, False, None, waiting, turn_s=2.0), MIDDAY)
        for waiting in (0, 50, 500)
    ]
    assert [wait.wait_s for wait in waits if isinstance(wait, ai_gate.Wait)] == [2.0, 20.0, 200.0]


# --- answers are paid for once -----------------------------------------------------------------------------------


def test_a_question_is_asked_once_however_many_ask_it(database: Database) -> None:
    """Broken, a message that is delivered twice would be paid for twice."""
    with bench(database, lambda _: replace(LISBON, delay_s=0.1)) as running:
        work = running.work()
        ends = crowd(6, lambda _: patiently(lambda: running.ask(work=work)))
        assert ends == [Town(name="Lisboa")] * 6
        assert len(running.server.requests) == 1
        assert len(running.used()) == 1


def test_an_answer_outlives_the_process_that_got_it_until_its_job_ends(database: Database) -> None:
    """Broken, a crash after a call would cost the call again; or what was said of people would be kept for ever."""
    with bench(database, lambda _: LISBON) as running:
        work = running.work()
        with database.worker() as conn:
            jobs.enqueue(conn, [work], MIDDAY)
            begun = jobs.take(conn, work, MIDDAY)
        running.ask(work=work)
        assert running.ask(work=work) == Town(name="Lisboa")
        assert len(running.server.requests) == 1
        running.ask("another question", work=work)
        assert len(running.server.requests) == 2

        with database.worker() as conn:
            ai_calls.tidy(conn, MIDDAY)
            assert conn.execute(text("SELECT count(*) FROM ai_calls")).scalar_one() == 2
            jobs.finish(conn, work, jobs.Ending(JobStatus.COMPLETED), MIDDAY, begun)
            assert conn.execute(text("SELECT count(*) FROM ai_calls")).scalar_one() == 0


def test_a_call_whose_process_died_counts_with_all_that_it_may_have_cost(database: Database) -> None:
    """Broken, crashes would be free as far as the budget knows, or their places would be lost for ever."""
    with bench(database, lambda _: LISBON, ai_concurrency=1) as running:
        # Given a call that began, and whose process has died.
        work = running.work()
        with database.worker() as conn:
            _, call_id = ai_gate.admit(conn, running.gate._request(work, PROMPT, "Lisboa", Town), MIDDAY)
        with pytest.raises(Postponed, match="this question is being asked"):
            running.ask(work=work)

        # When its lease is over.
        running.now += CALL_LEASE
        assert running.ask(work=work) == Town(name="Lisboa")

        # Then it is in the ledger, and what it might still report changes nothing.
        assert running.used() == [(AiOutcome.UNKNOWN, WORST), (AiOutcome.ANSWERED, 200)]
        with database.worker() as conn:
            ai_calls.settle(conn, call_id, AiOutcome.ANSWERED, None, {"value": {}}, running.now)
        assert len(running.used()) == 2


def test_the_sweep_buries_calls_of_workspaces_that_ask_nothing_more(database: Database) -> None:
    """Broken, a crash would stay out of the ledger until somebody asks again, perhaps for ever."""
    with bench(database, lambda _: LISBON) as running:
        with database.worker() as conn:
            ai_gate.admit(conn, running.gate._request(running.work(), PROMPT, "a", Town), MIDDAY)
            ai_calls.tidy(conn, MIDDAY)
        assert running.used() == []
        with database.worker() as conn:
            ai_calls.tidy(conn, MIDDAY + CALL_LEASE)
        assert running.used() == [(AiOutcome.UNKNOWN, WORST)]


# --- the provider's trouble --------------------------------------------------------------------------------------


def test_a_failing_provider_is_left_alone_and_then_tried_by_one(database: Database) -> None:
    """Broken, every job would fail with it, or all would fall upon it when it comes back."""
    broken, sent_away = True, threading.Semaphore(0)

    def script(_: Json) -> Reply:
        if not broken:
            assert all(sent_away.acquire(timeout=10) for _ in range(3))
        return Reply(status=503) if broken else LISBON

    with bench(database, script) as running:
        # Given a provider that has failed so often in a row; the last to try is told that it is not its fault.
        for number in range(FAILURES_TO_OPEN - 1):
            with pytest.raises(AiBusy):
                running.ask(str(number))
        with pytest.raises(Postponed):
            running.ask("last")
        (breaker,) = _breakers(database)
        assert breaker.open_until == MIDDAY + timedelta(seconds=30)
        assert running.used() == [], "what a server error costs is nothing"

        # Then nobody asks it any more, in no workspace; it is no attempt.
        with pytest.raises(Postponed, match="is failing"):
            running.ask("x")
        assert len(running.server.requests) == FAILURES_TO_OPEN

        # When the pause is over, one tries while the others wait; it fails, and the pause doubles.
        running.now = breaker.open_until
        ends = crowd(4, lambda number: running.ask(f"y{number}"))
        assert len(running.server.requests) == FAILURES_TO_OPEN + 1
        assert [type(end) for end in ends] == [Postponed] * 4
        (breaker,) = _breakers(database)
        assert breaker.open_until == running.now + timedelta(seconds=60)

        # And when the next trial succeeds, everybody may go on.
        running.now, broken = breaker.open_until, False

        def ask(number: int) -> Town:
            try:
                return running.ask(f"z{number}")
            except Postponed:
                sent_away.release()
                raise

        ends = crowd(4, ask)
        assert sorted(isinstance(end, Postponed) for end in ends) == [False, True, True, True]
        sent_away.release(12)
        ends = crowd(4, lambda number: running.ask(f"z{number}"))
        assert [type(end) for end in ends] == [Town] * 4
        (breaker,) = _breakers(database)
        assert (breaker.failures, breaker.open_until) == (0, None)


def test_a_success_in_between_keeps_it_closed(database: Database) -> None:
    """Broken, one failure an hour would close the shop after some hours."""
    replies = iter([Reply(status=500), Reply(status=500), LISBON] * 4)
    with bench(database, lambda _: next(replies)) as running:
        for number in range(12):
            with suppress(AiBusy):
                running.ask(str(number))
        (breaker,) = _breakers(database)
        assert (breaker.failures, breaker.open_until) == (0, None)


def test_a_rate_limit_is_waited_for_and_is_no_failure(database: Database) -> None:
    """Broken, two hundred leads would use up their attempts on a limit that was told them in seconds."""
    with bench(database, lambda _: Reply(status=429, headers={"retry-after": "40"})) as running:
        for number in range(FAILURES_TO_OPEN + 1):
            with pytest.raises(Postponed) as limit:
                running.ask(str(number))
            assert 40 <= limit.value.wait_s <= 61
        assert _breakers(database) == []
        assert (running.used(), running.standing().under_way) == ([], 0)


def test_a_call_that_was_not_answered_in_time_may_have_cost_all_that_it_can(database: Database) -> None:
    """Broken, an endpoint that answers too late, and wants to be paid for it, would not be in the budget."""
    with bench(database, lambda _: replace(LISBON, delay_s=0.5), timeout_s=0.1) as running:
        with pytest.raises(AiBusy):
            running.ask()
        assert running.used() == [(AiOutcome.UNKNOWN, WORST)]
        assert [breaker.failures for breaker in _breakers(database)] == [1]


def test_a_job_that_may_be_what_breaks_the_provider_is_not_tried_for_ever(database: Database) -> None:
    """Broken, one page that no model can read would be sent to it every quarter of an hour, for years."""
    with bench(database, lambda _: Reply(status=500)) as running:
        for number in range(FAILURES_TO_OPEN - 1):
            with pytest.raises(AiBusy):
                running.ask(str(number))
        old = jobs.Begun(running.work(), 2, ai_gate.PATIENT_RUNS)
        with pytest.raises(AiUnavailable):
            running.gate.asking_for(old).ask(PROMPT, "poison", Town)


def test_after_the_last_attempt_those_who_ask_may_go_another_way(database: Database) -> None:
    """Broken, leads would fail for an endpoint that is down where the rules could have read their sites."""
    with bench(database, lambda _: Reply(status=500)) as running:
        with pytest.raises(AiBusy):
            running.ask(attempts_made=1)
        with pytest.raises(AiUnavailable):
            running.ask("again", attempts_made=2)


def test_time_is_written_down(database: Database) -> None:
    """Broken, nobody could tell how slow a model is, nor who waits when to come back."""
    with bench(database, lambda _: replace(LISBON, delay_s=0.05)) as running:
        AiGate(database, running.client, utc_now).ask(running.work(), PROMPT, "a", Town)
        with database.worker() as conn:
            assert 50 <= conn.execute(text("SELECT took_ms FROM ai_usage")).scalar_one() < 5_000


def _breakers(database: Database) -> list[Any]:
    with database.worker() as conn:
        return all_of_them(conn)
