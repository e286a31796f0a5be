"""The job ledger on real Postgres: one at a time, three attempts, and pauses that hold."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from cadenza.core import jobs
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, NotFound, Postponed, Retryable
from cadenza.core.ids import CampaignId, ContactId, JobId, LeadId, WorkspaceId, new_id
from cadenza.core.jobs import Begun, Busy, Early, Ending, Over
from cadenza.core.states import JobStatus
from tests.store.builders import NOW, add_workspace

SECOND = timedelta(seconds=1)


@dataclass
class Desk:
    """One job, and a clock that is moved by hand."""

    database: Database
    work: jobs.Work
    now: datetime = NOW

    def begin(self) -> Begun | Busy | Early | Over:
        """Ask for it."""
        with self.database.worker() as conn:
            return jobs.begin(conn, self.work, self.now)

    def begun(self) -> Begun:
        """Ask for it, and get it."""
        begun = self.begin()
        assert isinstance(begun, Begun)
        return begun

    def finish(self, begun: Begun) -> bool:
        """End it well."""
        with self.database.worker() as conn:
            return jobs.finish(conn, self.work, Ending(JobStatus.COMPLETED), self.now, begun)

    def attempt(self, begun: Begun, error: Exception | None = None) -> list[str]:
        """An attempt that raises ``error``; what `last` was told."""
        told: list[str] = []
        with jobs.attempt(self.database, begun, lambda: self.now, lambda _, reason: told.append(reason)):
            if error is not None:
                raise error
        return told

    @property
    def row(self) -> Any:
        """What the ledger says."""
        with self.database.worker() as conn:
            return conn.execute(text("SELECT * FROM jobs WHERE business_key = :key"), {"key": self.work.key}).one()


@pytest.fixture
def workspace_id(database: Database) -> WorkspaceId:
    with database.worker() as conn:
        return add_workspace(conn)


@pytest.fixture
def desk(database: Database, workspace_id: WorkspaceId) -> Desk:
    work = jobs.analysis(workspace_id, LeadId(new_id()))
    with database.worker() as conn:
        jobs.enqueue(conn, [work], NOW)
    return Desk(database, work)


@contextmanager
def failing_for_good(desk: Desk, begun: Begun) -> Iterator[list[str]]:
    """An attempt that ends the job; yields what `last` was told."""
    told: list[str] = []
    with (
        pytest.raises(jobs.Settled),
        jobs.attempt(desk.database, begun, lambda: desk.now, lambda _, reason: told.append(reason)),
    ):
        yield told


# --- one at a time -----------------------------------------------------------------------------------------------


def test_of_many_who_begin_at_once_one_does(desk: Desk) -> None:
    """Broken, a message that is delivered twice, or a sweep beside it, would do the work twice."""
    gate = threading.Barrier(8)

    def begin(_: int) -> object:
        gate.wait()
        return desk.begin()

    with ThreadPoolExecutor(8) as pool:
        found = sorted(type(end).__name__ for end in pool.map(begin, range(8)))
    assert found == ["Begun", *["Busy"] * 7]


def test_who_has_lost_the_job_stores_nothing_over_the_other(desk: Desk) -> None:
    """Broken, a worker that was thought dead would overwrite, or end, what another is doing."""
    # Given a worker whose lease is over, and another that has taken the job.
    late = desk.begun()
    desk.now += jobs.LEASE + SECOND
    other = desk.begun()
    assert (other.attempts_made, other.run) == (1, 2)

    # Then nothing that the first does counts: not an end, not a failure, not a pause.
    assert not desk.finish(late)
    for error in (Retryable("busy"), Postponed("wait", 5), KeyError("bug"), jobs.Skip("no")):
        with pytest.raises((jobs.Settled, KeyError)):
            desk.attempt(late, error)
    assert (desk.row.status, desk.row.attempts_made, desk.row.runs) == ("ACTIVE", 1, 2)

    # And the second ends it.
    assert desk.finish(other)
    assert isinstance(desk.begin(), Over)


# --- three attempts ----------------------------------------------------------------------------------------------


def test_three_attempts_with_growing_pauses_that_hold(desk: Desk) -> None:
    """Broken, work would be given up at the first stumble, or hammer what is down."""
    pauses: list[float] = []
    for made in range(2):
        begun = desk.begun()
        assert begun.attempts_made == made
        with pytest.raises(Retryable) as trouble:
            desk.attempt(begun, Retryable("the site is down"))
        # What the message is told is what the ledger says.
        pauses.append(trouble.value.retry_after_s)
        due_at = desk.row.next_attempt_at
        assert due_at == desk.now + timedelta(seconds=pauses[-1])
        assert (desk.row.status, desk.row.reason) == ("QUEUED", "the site is down")

        # And a message that comes too early does not begin it.
        desk.now = due_at - timedelta(milliseconds=1)
        assert desk.begin() == Early(due_at)
        with pytest.raises(Postponed) as early, desk.database.worker() as conn:
            jobs.take(conn, desk.work, desk.now)
        assert early.value.wait_s == 0.001
        desk.now = due_at
    assert 15 <= pauses[0] <= 30
    assert 60 <= pauses[1] <= 120

    begun = desk.begun()
    assert begun.is_last
    with failing_for_good(desk, begun) as told:
        raise Retryable("the site is down")
    assert told == ["the site is down"]
    assert (desk.row.status, desk.row.attempts_made, desk.row.next_attempt_at) == ("FAILED", 2, None)


def test_a_provider_that_says_when_is_believed(desk: Desk) -> None:
    """Broken, we would come back before the time that we were told, and be refused again."""
    with pytest.raises(Retryable) as trouble:
        desk.attempt(desk.begun(), Retryable("throttled", retry_after_s=300))
    assert trouble.value.retry_after_s == 300
    assert desk.row.next_attempt_at == NOW + timedelta(seconds=300)


def test_what_another_try_does_not_mend_fails_at_once(desk: Desk) -> None:
    """Broken, a site that does not exist would be looked for three times."""
    with failing_for_good(desk, desk.begun()) as told:
        raise Conflict("there is no such site")
    assert (desk.row.status, desk.row.reason, desk.row.attempts_made) == ("FAILED", "there is no such site", 0)
    assert told == ["there is no such site"]


def test_a_reason_not_to_do_it_skips_it(desk: Desk) -> None:
    """Broken, people who were suppressed meanwhile would stand in the ledger as failures."""
    with failing_for_good(desk, desk.begun()):
        raise jobs.Skip("the address is suppressed")
    assert (desk.row.status, desk.row.reason) == ("SKIPPED", "the address is suppressed")


def test_waiting_for_ones_turn_is_no_attempt(desk: Desk) -> None:
    """Broken, a batch that waits for the AI would fail as a whole after three rounds."""
    for _ in range(5):
        with pytest.raises(Postponed):
            desk.attempt(desk.begun(), Postponed("5 AI calls are under way", 7))
        assert desk.row.next_attempt_at == desk.now + timedelta(seconds=7)
        desk.now += timedelta(seconds=7)
    assert (desk.row.status, desk.row.attempts_made, desk.row.reason) == ("QUEUED", 0, "5 AI calls are under way")


def test_a_bug_still_raises_and_counts(desk: Desk) -> None:
    """Broken, nobody would ever see it in a DLQ, or it would be repeated for ever."""
    for _ in range(2):
        with pytest.raises(KeyError):
            desk.attempt(desk.begun(), KeyError("x"))
        desk.now = desk.row.next_attempt_at
    with pytest.raises(KeyError):
        desk.attempt(desk.begun(), KeyError("x"))
    assert (desk.row.status, desk.row.reason) == ("FAILED", "KeyError")


def test_work_that_kills_its_process_is_given_up(desk: Desk) -> None:
    """Broken, a site that makes a function run out of memory would do so every hour, for ever."""
    for _ in range(jobs.MAX_ATTEMPTS):
        desk.begun()
        desk.now += jobs.LEASE + SECOND
    told: list[str] = []
    with (
        pytest.raises(jobs.Settled),
        jobs.attempt(desk.database, desk.begun(), lambda: desk.now, lambda _, reason: told.append(reason)),
    ):
        pytest.fail("it was tried once more")
    assert told == ["given up: nobody heard how 3 attempts ended"]
    assert (desk.row.status, desk.row.attempts_made) == ("FAILED", 2)


# --- one behind the other ----------------------------------------------------------------------------------------


def test_what_comes_in_at_once_is_begun_one_by_one(database: Database, workspace_id: WorkspaceId) -> None:
    """Broken, two hundred sites would be crawled and analysed in the same second, or wait behind those that failed."""
    works = [jobs.crawl(workspace_id, LeadId(new_id())) for _ in range(5)]
    with database.worker() as conn:
        other = add_workspace(conn)
        first = jobs.enqueue(conn, works[:3], NOW, every_s=2)
        assert list(first.values()) == [NOW + timedelta(seconds=s) for s in (0, 2, 4)]
        # Known ones keep their place, and take none.
        second = jobs.enqueue(conn, works, NOW + SECOND, every_s=2)
        assert second == {works[3].key: NOW + timedelta(seconds=6), works[4].key: NOW + timedelta(seconds=8)}
        assert list(jobs.enqueue(conn, [jobs.crawl(other, LeadId(new_id()))], NOW, every_s=2).values()) == [NOW]

    # One that failed, and waits for long, holds up nobody; nor does one that is under way.
    later = NOW + timedelta(seconds=8)
    for work in works:
        desk = Desk(database, work, later)
        with pytest.raises(Retryable):
            desk.attempt(desk.begun(), Retryable("the site is down", retry_after_s=600))
    with database.worker() as conn:
        third = jobs.enqueue(conn, [jobs.crawl(workspace_id, LeadId(new_id()))], later, every_s=2)
    assert list(third.values()) == [later]


# --- again -------------------------------------------------------------------------------------------------------


def test_what_has_failed_can_be_asked_for_again(desk: Desk) -> None:
    """Broken, a lead that failed for a reason that is gone would have to be deleted and imported anew."""
    with failing_for_good(desk, desk.begun()):
        raise Conflict("there is no such site")
    desk.now += SECOND
    with desk.database.worker() as conn:
        assert jobs.retry(conn, desk.row.id, desk.now) == desk.work
    row = desk.row
    assert (row.status, row.attempts_made, row.reason, row.finished_at) == ("QUEUED", 0, "", None)
    assert desk.begun() == Begun(desk.work, 0, 2)


def test_what_runs_or_is_done_is_not_asked_for_again(desk: Desk) -> None:
    """Broken, a click would do the work twice."""
    for _ in range(2):
        with pytest.raises(Conflict), desk.database.worker() as conn:
            jobs.retry(conn, desk.row.id, NOW)
        if desk.row.status == "QUEUED":
            desk.finish(desk.begun())
    with pytest.raises(NotFound), desk.database.worker() as conn:
        jobs.retry(conn, JobId(new_id()), NOW)


def test_a_job_about_nobody_is_not_asked_for_again(database: Database, workspace_id: WorkspaceId) -> None:
    """Broken, it would wait in the ledger for ever: there is nothing that anybody could do for it."""
    work = jobs.no_contacts(workspace_id, CampaignId(new_id()), LeadId(new_id()))
    with database.worker() as conn:
        jobs.record(conn, [work], JobStatus.SKIPPED, "no contacts found", NOW)
    with pytest.raises(Conflict, match="no contact"), database.worker() as conn:
        jobs.retry(conn, Desk(database, work).row.id, NOW)


def test_lost_hints_are_found_when_they_are_overdue(database: Database, desk: Desk) -> None:
    """Broken, the sweep would forget work, or stir up what waits for its time."""

    def stale() -> list[jobs.Work]:
        with database.worker() as conn:
            return jobs.stale(conn, [desk.work.kind], desk.now)

    with pytest.raises(Postponed):
        desk.attempt(desk.begun(), Postponed("later", 3600))
    desk.now += jobs.LEASE + SECOND
    assert stale() == []
    desk.now += timedelta(seconds=3600)
    assert stale() == [desk.work]


def test_contacts_have_their_own_plans(workspace_id: WorkspaceId) -> None:
    """Broken, two people of a campaign would share one plan, or one would get two."""
    campaign, one, other = CampaignId(new_id()), ContactId(new_id()), ContactId(new_id())
    assert jobs.planning(workspace_id, campaign, one).key != jobs.planning(workspace_id, campaign, other).key
    assert jobs.planning(workspace_id, campaign, one, LeadId(new_id())).key == (
        jobs.planning(workspace_id, campaign, one).key
    )


def test_what_a_budget_has_skipped_comes_back_with_the_next_day_where_that_is_wanted(database: Database) -> None:
    """If it failed, people would wait for ever for a plan that a new budget pays for; or it would be spent unasked."""
    reason, evening = "budget", NOW.replace(hour=23)
    with database.worker() as conn:
        wants = add_workspace(conn, {"retry_when_budget_renews": True, "stagger_s": 7})
        works = [jobs.analysis(wants, LeadId(new_id())) for _ in range(3)]
        other = jobs.analysis(add_workspace(conn), LeadId(new_id()))
        jobs.record(conn, [*works[:2], other], JobStatus.SKIPPED, reason, evening)
        jobs.record(conn, works[2:], JobStatus.SKIPPED, "budget: the price is not known", evening)

    with database.worker() as conn:
        assert jobs.renew(conn, reason, evening + timedelta(minutes=59)) == []
    midnight = evening + timedelta(hours=1)
    with database.worker() as conn:
        again = jobs.renew(conn, reason, midnight)
    assert {one.work.key for one in again} == {work.key for work in works[:2]}
    assert sorted(one.due_at for one in again) == [midnight, midnight + timedelta(seconds=7)]
    with database.worker() as conn:
        assert jobs.renew(conn, reason, midnight) == []
