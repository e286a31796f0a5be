"""What keeps the house in order: jobs, settings, health, and the API's own document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.engine import URL

from cadenza.api.app import build
from cadenza.core import ai_breaker, jobs, tables
from cadenza.core.clock import utc_now
from cadenza.core.db import DRIVER, Database
from cadenza.core.ids import CampaignId, ContactId, LeadId, new_id
from cadenza.core.states import JobStatus
from functions.api.handler import office
from tests.handlers.api_client import RECORDED, Client, call, client, environment
from tests.handlers.conftest import LambdaContext, Queues
from tests.store.builders import NOW, add_workspace

HOUR = timedelta(hours=1)


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's admin."""
    with database.worker() as conn:
        workspace_id = add_workspace(conn)
    with environment(database_url, monkeypatch):
        yield client(database, workspace_id)


def test_jobs_can_be_asked_for(api: Client, recorded: Callable[[str], dict[str, Any]]):
    """Broken, nobody could see what waits and what failed. The event is one that API Gateway made."""
    for name in ("harbour", "lantern", "tidewater"):
        api.post("/v1/leads", {"url": f"{name}.example"})
    event = recorded("api-list-jobs")
    event["headers"]["authorization"] = f"Bearer {api.key}"
    page = call(event).json
    assert [(job["kind"], job["status"]) for job in page["items"]] == [("crawl", "QUEUED")]
    assert page["next_cursor"] == page["items"][0]["id"]
    (job,) = api.get(f"/v1/jobs?kind=crawl&lead_id={page['items'][0]['lead_id']}")["items"]
    assert job == page["items"][0]
    assert api.get("/v1/jobs?status=FAILED") == {"items": [], "next_cursor": None}


def test_jobs_are_found_by_what_they_are_about(api: Client, database: Database):
    """Broken, an operator would page through ten thousand jobs to find the ones that were skipped yesterday."""
    campaign, contact, lead = CampaignId(new_id()), ContactId(new_id()), LeadId(new_id())
    planning = jobs.planning(api.workspace_id, campaign, contact, lead)
    with database.worker() as conn:
        jobs.record(conn, [planning], JobStatus.SKIPPED, "100% of the budget", NOW)
        jobs.record(conn, [jobs.crawl(api.workspace_id, lead)], JobStatus.FAILED, "no such site", NOW + HOUR)

    def found(query: str) -> list[str]:
        return [job["kind"] for job in api.get(f"/v1/jobs?{query}")["items"]]

    assert found(f"contact_id={contact}") == found(f"campaign_id={campaign}") == ["planning"]
    assert found(f"lead_id={lead}") == ["crawl", "planning"]
    assert (found("reason=BUDGET"), found("reason=100%25+of"), found("reason=1%25budget")) == (
        ["planning"],
        ["planning"],
        [],
    )
    since = NOW.isoformat().replace("+00:00", "Z")
    assert found(f"since={since}&until={since}") == []
    assert found(f"until={(NOW + HOUR).isoformat().replace('+00:00', 'Z')}") == ["planning"]
    assert found(f"since={(NOW + HOUR).isoformat().replace('+00:00', 'Z')}") == ["crawl"]
    assert "/since" in api.call("GET", "/v1/jobs?since=2026-01-13").problem(400)
    (job,) = api.get("/v1/jobs?kind=crawl")["items"]
    assert (job["attempts_made"], job["attempt"]) == (0, 1)
    assert api.get(f"/v1/jobs/{job['id']}") == job


def test_a_job_that_failed_is_done_again(api: Client, database: Database, queues: Queues):
    """Broken, whatever failed for a reason that is gone would stay undone, or be done twice."""
    campaign, contact, lead = CampaignId(new_id()), ContactId(new_id()), LeadId(new_id())
    works = [
        jobs.crawl(api.workspace_id, lead),
        jobs.analysis(api.workspace_id, lead),
        jobs.planning(api.workspace_id, campaign, contact, lead),
        jobs.no_contacts(api.workspace_id, campaign, lead),
    ]
    with database.worker() as conn:
        jobs.record(conn, works, JobStatus.FAILED, "AiUnavailable", NOW)
    ids = {job["kind"] + str(job["contact_id"] or ""): job["id"] for job in api.get("/v1/jobs")["items"]}

    again = api.post(f"/v1/jobs/{ids['crawl']}/retry")
    assert (again["status"], again["reason"], again["attempt"]) == ("QUEUED", "", 1)
    api.post(f"/v1/jobs/{ids['analysis']}/retry")
    api.post(f"/v1/jobs/{ids[f'planning{contact}']}/retry")
    told = queues.take_all()
    assert [message["type"] for message in told["lead-analysis"]] == ["crawl.wanted", "analysis.wanted"]
    assert [(m["type"], m["contact_id"]) for m in told["campaign-creation"]] == [("plan.wanted", str(contact))]

    for name in ("crawl", "planning"):  # under way again; about nobody
        api.call("POST", f"/v1/jobs/{ids[name]}/retry").problem(409)
    api.call("POST", f"/v1/jobs/{new_id()}/retry").problem(404)
    assert queues.take_all() == {}


def test_a_retry_that_sqs_does_not_take_is_left_to_the_sweep(api: Client, database: Database, queues: Queues):
    """Broken, the caller would be told that it failed, although the job waits for the sweep."""
    with database.worker() as conn:
        jobs.record(conn, [jobs.crawl(api.workspace_id, LeadId(new_id()))], JobStatus.FAILED, "no such site", NOW)
    (job,) = api.get("/v1/jobs")["items"]
    queues.destroy("lead-analysis")
    assert api.post(f"/v1/jobs/{job['id']}/retry")["status"] == "QUEUED"


# --- AI ----------------------------------------------------------------------------------------------------------


def test_what_ai_took_can_be_seen(api: Client, database: Database):
    """Broken, a customer would learn from the provider's bill what their campaigns cost."""
    now = utc_now()
    used = {"workspace_id": api.workspace_id, "input_tokens": 10, "output_tokens": 5, "cost_usd_micros": 300}
    rows = [
        used | {"purpose": "analysis", "model": "m", "at": now, "outcome": "answered"},
        used | {"purpose": "analysis", "model": "m", "at": now, "outcome": "answered"},
        used | {"purpose": "planning", "model": "m", "at": now - timedelta(days=1), "outcome": "unknown"},
    ]
    with database.worker() as conn:
        conn.execute(insert(tables.ai_usage), rows)
        other = used | {"workspace_id": add_workspace(conn), "purpose": "analysis", "outcome": "answered", "model": ""}
        conn.execute(insert(tables.ai_usage), other | {"at": now})
        ai_breaker.note_failure(conn, "ai:api.example", "the AI endpoint answered 500", now, trial=False)
    settings = api.get("/v1/automation/settings")
    api.call("PUT", "/v1/automation/settings", settings | {"ai_daily_budget_usd_micros": 1_000, "ai_concurrency": 2})

    usage = api.get("/v1/ai/usage")
    assert [(item["purpose"], item["outcome"], item["calls"], item["cost_usd_micros"]) for item in usage["items"]] == [
        ("analysis", "answered", 2, 600),
        ("planning", "unknown", 1, 300),
    ]
    assert (usage["total_calls"], usage["total_cost_usd_micros"]) == (3, 900)
    assert usage["today"] == {
        "budget_usd_micros": 1_000,
        "spent_usd_micros": 600,
        "reserved_usd_micros": 0,
        "left_usd_micros": 400,
        "under_way": 0,
        "concurrency": 2,
    }
    assert [(b["provider"], b["failures"], b["open_until"]) for b in usage["breakers"]] == [("ai:api.example", 1, None)]
    yesterday = (now - timedelta(days=1)).date()
    assert api.get(f"/v1/ai/usage?until={yesterday}")["total_calls"] == 1


@pytest.mark.parametrize("query", ["since=2026-01-02&until=2026-01-01", "since=2020-01-01&until=2026-01-01"])
def test_days_that_are_no_period_are_refused(api: Client, query: str):
    """Broken, a slip in a date would be answered with nothing, or with years."""
    assert "/since" in api.call("GET", f"/v1/ai/usage?{query}").problem(400)


# --- settings ----------------------------------------------------------------------------------------------------


def test_settings_are_replaced_as_a_whole(api: Client):
    """Broken, mails would go out on holidays, or by settings that nobody has chosen."""
    before = api.get("/v1/automation/settings")
    assert (before["daily_cap"], before["working_days"]) == (None, [1, 2, 3, 4, 5, 6, 7])
    assert (before["soft_bounce_limit"], before["soft_bounce_days"], before["absence_days"]) == (3, 30, 7)
    assert (before["scan_window_s"], before["stop_company_on_reply"]) == (60, False)
    wanted = {
        "working_hours_start": "09:00:00",
        "working_hours_end": "17:30:00",
        "working_days": [5, 1, 2, 3, 4, 1],
        "holidays_country": "DE",
        "extra_holidays": ["2026-12-24"],
        "daily_cap": 40,
        "offline_fallback": False,
        "stop_company_on_reply": True,
        "soft_bounce_limit": None,
        "soft_bounce_days": 14,
        "absence_days": 10,
        "scan_window_s": 0,
        "country_policy": {"countries": {"DE": "needs_opt_in"}, "otherwise": "allowed"},
        "unknown_policy": "assume_sent",
        "ai_daily_budget_usd_micros": 5_000_000,
        "ai_concurrency": 3,
        "lead_stagger_s": 0,
    }
    reply = api.call("PUT", "/v1/automation/settings", wanted)
    assert reply.status == 200, reply.text
    assert reply.json == before | wanted | {"working_days": [1, 2, 3, 4, 5]}
    assert api.get("/v1/automation/settings") == reply.json
    assert api.call("PUT", "/v1/automation/settings", {}).json == before


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"working_days": []}, "/working_days"),
        ({"working_days": [0]}, "/working_days/0"),
        ({"working_days": [[1]]}, "/working_days/0"),
        ({"working_hours_start": "09:00"}, ""),
        ({"working_hours_start": "09:00+01:00", "working_hours_end": "17:00+01:00"}, "/working_hours_start"),
        ({"holidays_country": "Germany"}, "/holidays_country"),
        ({"holidays_country": "XX"}, "/holidays_country"),
        ({"daily_cap": 2**31}, "/daily_cap"),
        ({"stagger_s": 901}, "/stagger_s"),
        ({"lead_stagger_s": -1}, "/lead_stagger_s"),
        ({"ai_concurrency": 0}, "/ai_concurrency"),
        ({"ai_daily_budget_usd_micros": -1}, "/ai_daily_budget_usd_micros"),
        ({"soft_bounce_limit": 0}, "/soft_bounce_limit"),
        ({"soft_bounce_days": 0}, "/soft_bounce_days"),
        ({"absence_days": 91}, "/absence_days"),
        ({"scan_window_s": -1}, "/scan_window_s"),
        ({"country_policy": {"countries": {"UK": "refused"}}}, "/country_policy/countries"),
        ({"country_policy": {"otherwise": "sometimes"}}, "/country_policy/otherwise"),
        ({"unknown_policy": "try again"}, "/unknown_policy"),
    ],
)
def test_settings_that_mean_nothing_are_refused(api: Client, wanted: Any, pointer: str):
    """Broken, a workspace could stop sending without anybody knowing why."""
    assert pointer in api.call("PUT", "/v1/automation/settings", wanted).problem(400)


# --- about the API -----------------------------------------------------------------------------------------------


def test_healthy(api: Client):
    """Broken, a load balancer or an operator would believe the API to be down."""
    reply = Client(api.workspace_id, "").call("GET", "/healthz")
    assert (reply.status, reply.json) == (200, {"database": True})


def test_without_its_database_it_says_so(api: Client, tmp_path: Path):  # noqa: ARG001 - the environment
    """Broken, a missing database would be answered 500, and clients would not come back."""
    nowhere = Database(URL.create(DRIVER, "nobody", query={"unix_sock": str(tmp_path / "none")}), patience_s=0)
    app = build(replace(office(), database=nowhere))
    for path in ("/healthz", "/v1/leads"):
        event = RECORDED | {"rawPath": path, "body": ""}
        event["requestContext"] = RECORDED["requestContext"] | {"http": {"method": "GET", "path": path}}
        answer = app.resolve(event, LambdaContext())  # type: ignore[arg-type]
        assert answer["statusCode"] == 503
        assert answer["headers"]["retry-after"]
    nowhere.close()


def test_the_document_is_whole(api: Client):
    """Broken, a client made from the document would not know what it can be answered."""
    described = Client(api.workspace_id, "").call("GET", "/v1/openapi.json").json
    assert described["openapi"].startswith("3.1")
    assert described["components"]["securitySchemes"]["api_key"]["scheme"] == "bearer"
    operations = [(path, found) for path, methods in described["paths"].items() for found in methods.values()]
    assert len({found["operationId"] for _, found in operations}) == len(operations)
    for path, found in operations:
        statuses = set(found["responses"])
        # The framework's own 422 is never answered; that of a key which is another request's is.
        keyed = "Idempotency-Key" in {parameter["name"] for parameter in found.get("parameters", ())}
        assert ("422" in statuses) == keyed == ("x-creates" in found), path
        if "x-required-role" in found:
            assert {"400", "401", "503"} <= statuses, path
        if "{" in path:
            assert "404" in statuses, path
    assert not dangling(described), "every reference leads somewhere"
    down = described["paths"]["/v1/automation/health"]["get"]["responses"]
    assert set(down["503"]["content"]) == {"application/json", "application/problem+json"}
    assert set(down["401"]["content"]) == {"application/problem+json"}


def dangling(described: dict[str, Any]) -> set[str]:
    """References to schemas that are not there."""

    def references(part: object) -> Iterator[str]:
        match part:
            case {"$ref": str(reference)}:
                yield reference.rpartition("/")[2]
            case dict():
                for value in part.values():
                    yield from references(value)
            case list():
                for value in part:
                    yield from references(value)
            case _:
                pass

    return set(references(described)) - set(described["components"]["schemas"])


def test_a_wrong_path_and_a_wrong_method_are_told_apart(api: Client):
    """Broken, a client would look for a thing that is gone where it should have used another verb."""
    api.call("GET", "/v1/nothing").problem(404)
    api.call("GET", "/").problem(404)
    reply = api.call("PATCH", "/v1/automation/settings")
    reply.problem(405)
    assert reply.headers["allow"] == "GET, PUT"
    api.call("DELETE", "/v1/campaigns/x").problem(405)
    written_out = api.call("GET", "/v1/plans/check")
    written_out.problem(405)
    assert written_out.headers["allow"] == "POST", "it is no plan's id"
    api.call("GET", "/v1/plans/\x01").problem(404)


def test_the_audit_knows_no_key(api: Client, database: Database):
    """Broken, whoever reads the database could act as its customers."""
    with database.worker() as conn:
        stored = [str(value) for row in conn.execute(select(tables.api_keys)) for value in row]
    assert not any(api.key in value or re.match("cad_.{7}", value) for value in stored), "its first letters are shown"
