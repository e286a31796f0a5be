"""Many leads at once, with a model that is slow, limited and breaks: each is paid for once, and the budget holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

from cadenza.core.ai_breaker import FAILURES_TO_OPEN
from cadenza.core.ai_gate import AiGate
from cadenza.core.jobs import Work
from local.world.companies import write_companies
from local.world.model import ANALYST, PLANNER, ModelService, Moods
from tests.flow.cloud import AtLeastOnce, SandboxDied
from tests.flow.world import World, world
from tests.unit.properties import LONG

LEADS = 12
"""`make crowd` brings 200."""


@pytest.fixture
def model() -> Iterator[ModelService]:
    """A model in a bad mood: every fifth call is turned away, or breaks."""
    with ModelService(Moods(latency_s=(0.0, 0.0), limited=0.1, broken=0.1, seed=4)) as service:
        yield service


@pytest.fixture
def hosts(tmp_path: Path) -> list[str]:
    return write_companies(tmp_path / "sites", LEADS)


@pytest.fixture
def crowd(
    database_url: URL, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hosts: list[str], model: ModelService
) -> Iterator[World]:
    """The whole system with that model, and as many sites."""
    assert hosts
    monkeypatch.setenv("OPENAI_BASE_URL", model.base_url)
    with world(database_url, monkeypatch, tmp_path / "sites", secrets={"openai_api_key": "sk-flow"}) as running:
        yield running


def test_each_lead_is_paid_for_once(crowd: World, hosts: list[str], model: ModelService) -> None:
    """Broken, redelivery, rate limits and server errors would be paid for with calls that are made again."""
    # Given a queue that delivers everything twice.
    crowd.cloud.courier = AtLeastOnce(7)
    campaign_id = crowd.campaign(*hosts, start=False)

    # When everything has come to rest.
    crowd.cloud.run()

    # Then everybody has a plan, by the model, and each of its answers was asked for once.
    assert crowd.status(campaign_id) == "draft"
    assert Counter(crowd.jobs("analysis")) == {("COMPLETED", ""): LEADS}
    assert Counter(crowd.jobs("planning")) == {("COMPLETED", ""): LEADS}
    assert len(crowd.enrolments()) == LEADS
    assert {row.source for row in crowd.rows("SELECT source FROM campaign_plans")} == {"gpt-5-mini"}
    assert model.seen.answered == Counter({(host, schema): 1 for host in hosts for schema in (ANALYST, PLANNER)})
    assert model.seen.turned_away.total() > 0, "the model was in too good a mood to show anything"

    # And the ledger knows each call, and nothing is left of what was kept.
    rows = crowd.rows("SELECT lead_id, purpose, count(*) AS calls FROM ai_usage GROUP BY 1, 2")
    assert Counter(row.purpose for row in rows) == {"analysis": LEADS, "planning": LEADS}
    assert {row.calls for row in rows} == {1}
    assert crowd.rows("SELECT * FROM ai_calls") == []
    usage = crowd.api.get("/v1/ai/usage?since=2026-01-13&until=2026-01-14").json()
    assert usage["total_calls"] == 2 * LEADS
    assert usage["total_cost_usd_micros"] == crowd.rows("SELECT sum(cost_usd_micros) AS all FROM ai_usage")[0].all
    crowd.check()


def test_what_was_paid_for_survives_the_process_that_paid(
    crowd: World, hosts: list[str], model: ModelService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken, each crash between an answer and its storing would cost the answer again."""
    # Given functions that die right after a model has answered, once for each job.
    paid_by: set[str] = set()
    real = AiGate.ask

    def ask(gate: AiGate, work: Work, *question: Any) -> Any:
        answer = real(gate, work, *question)
        if work.key not in paid_by:
            paid_by.add(work.key)
            raise SandboxDied
        return answer

    monkeypatch.setattr(AiGate, "ask", ask)

    # When two leads come in, and the queues hand everything over again.
    crowd.campaign(*hosts[:2], start=False)
    crowd.cloud.run()

    # Then all is done, and each answer was asked for once.
    assert len(paid_by) == 4
    assert Counter(crowd.jobs("analysis") + crowd.jobs("planning")) == {("COMPLETED", ""): 4}
    assert model.seen.answered == Counter({(host, schema): 1 for host in hosts[:2] for schema in (ANALYST, PLANNER)})
    assert crowd.rows("SELECT * FROM ai_calls") == []
    crowd.check()


@pytest.mark.skipif(not LONG, reason="hours without a model are the long run's")
@pytest.mark.long
def test_a_provider_that_is_away_for_an_hour_loses_nothing(crowd: World, hosts: list[str], model: ModelService) -> None:
    """Broken, an outage would fail a batch of leads, or leave it to the rules, although the model comes back."""
    # Given a model that breaks at every call, and leads that come in meanwhile.
    model.moods = Moods(latency_s=(0.0, 0.0), broken=1.0)
    settings = crowd.api.get("/v1/automation/settings").json()
    crowd.api.put("/v1/automation/settings", json={**settings, "offline_fallback": False, "lead_stagger_s": 0})
    crowd.campaign(*hosts[:12], start=False)
    crowd.cloud.pass_time(timedelta(hours=1))

    # Then it was left alone for most of the time, and nothing has ended.
    assert model.seen.turned_away.total() <= FAILURES_TO_OPEN + 7, "30 s, 1, 2, 4, 8, 15, 15 min"
    assert {status for status, _ in crowd.jobs("analysis")} == {"QUEUED"}
    (breaker,) = crowd.api.get("/v1/ai/usage").json()["breakers"]
    assert breaker["open_until"] is not None

    # When it comes back.
    model.moods = Moods(latency_s=(0.0, 0.0))
    crowd.cloud.run()

    # Then it does all of the work.
    assert Counter(crowd.jobs("planning")) == {("COMPLETED", ""): 12}
    assert {row.source for row in crowd.rows("SELECT source FROM campaign_plans")} == {"gpt-5-mini"}
    assert crowd.api.get("/v1/ai/usage").json()["breakers"][0]["open_until"] is None
    crowd.check()


def test_leads_that_come_in_at_once_are_crawled_one_by_one(crowd: World, hosts: list[str]) -> None:
    """Broken, a batch would begin everything in the same second."""
    settings = crowd.api.get("/v1/automation/settings").json()
    crowd.api.put("/v1/automation/settings", json={**settings, "lead_stagger_s": 10})
    crowd.campaign(*hosts[:5], start=False)
    crowd.cloud.run()
    started = [row.started_at for row in crowd.rows("SELECT started_at FROM jobs WHERE kind = 'crawl' ORDER BY 1")]
    gaps = [later - earlier for earlier, later in pairwise(started)]
    assert all(timedelta(seconds=10) <= gap < timedelta(seconds=11) for gap in gaps), gaps


@pytest.mark.skipif(not LONG, reason="days on a budget are the long run's")
@pytest.mark.long
def test_work_stops_before_the_budget_is_passed_and_can_be_taken_up_again(
    crowd: World, hosts: list[str], model: ModelService
) -> None:
    """Broken, a batch could cost any amount, or what it did not pay for would be lost."""
    # Given a budget that some of the calls fit in, and a workspace that wants no plans by rule.
    budget = 60_000
    settings = crowd.api.get("/v1/automation/settings").json()
    wanted = {**settings, "offline_fallback": False, "ai_daily_budget_usd_micros": budget}
    assert crowd.api.put("/v1/automation/settings", json=wanted).is_success

    # When the leads come in.
    crowd.campaign(*hosts, start=False)
    crowd.cloud.run()

    # Then some are planned, the others are skipped for the budget, and it was not passed.
    ends = Counter([*crowd.jobs("analysis"), *crowd.jobs("planning")])
    assert set(ends) == {("COMPLETED", ""), ("SKIPPED", "budget")}
    skipped = ends["SKIPPED", "budget"]
    assert 0 < skipped <= LEADS
    today = crowd.api.get("/v1/ai/usage").json()["today"]
    assert 0 < today["spent_usd_micros"] <= budget
    assert today["under_way"] == 0

    # And when the next day has its own budget, whatever was skipped can be asked for again.
    crowd.cloud.pass_time(timedelta(days=1))
    crowd.api.put("/v1/automation/settings", json={**wanted, "ai_daily_budget_usd_micros": 10 * budget})
    jobs = crowd.api.get("/v1/jobs?status=SKIPPED&reason=budget&limit=200").json()["items"]
    assert len(jobs) == skipped
    for job in jobs:
        crowd.post(f"/v1/jobs/{job['id']}/retry")
    crowd.cloud.run()
    assert Counter(crowd.jobs("planning")) == {("COMPLETED", ""): LEADS}
    assert model.seen.twice == []
    crowd.check()
