"""A crawl service that loses, repeats and drags: leads are crawled once, or fail with a reason in time."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from cadenza.leads import firecrawl_webhook
from infra.topology import QUEUES
from tests.flow.cloud import AtLeastOnce
from tests.flow.world import SECRETS, World

SITE = "fornoatlantico.example"
PAGES = 6
MINUTE = timedelta(minutes=1)


def lead_of(flow: World) -> dict[str, Any]:
    """The one lead, as the API shows it."""
    (lead,) = flow.api.get("/v1/leads").raise_for_status().json()["items"]
    return flow.api.get(f"/v1/leads/{lead['id']}").raise_for_status().json()


def crawl_job(flow: World) -> dict[str, Any]:
    """The one crawl's entry in the ledger, as the API shows it."""
    (job,) = flow.api.get("/v1/jobs", params={"kind": "crawl"}).raise_for_status().json()["items"]
    return job


def report(flow: World, kind: str, *, webhook_id: str, crawl_id: str = "") -> int:
    """Call the webhook as the crawl service does; the answer's status."""
    ((lead_id, known_id),) = flow.rows("SELECT id, crawl_id FROM leads")
    payload = {
        "success": kind != "failed",
        "type": f"crawl.{kind}",
        "id": crawl_id or known_id,
        "webhookId": webhook_id,
        "data": [{"markdown": "# A page of nobody's"}],
        "metadata": {"workspace_id": str(flow.workspace_id), "lead_id": str(lead_id)},
    }
    body = json.dumps(payload).encode()
    signature = firecrawl_webhook.sign(SECRETS["firecrawl_webhook_secret"], body)
    headers = {"X-Firecrawl-Signature": signature, "Authorization": ""}
    return flow.api.post("/webhooks/firecrawl", content=body, headers=headers).status_code


def test_a_crawl_whose_report_never_comes_is_asked_for(flow: World) -> None:
    """Otherwise one lost webhook strands a site for an hour, or the crawl is paid for twice."""
    # Given a crawl service that loses its last word.
    flow.crawls.mischief.lost_events = frozenset({"completed"})
    campaign_id = flow.campaign(SITE)
    flow.cloud.pass_time(MINUTE)
    visits = len(flow.sites.visits)
    assert visits > 0
    job = crawl_job(flow)
    assert (job["status"], job["result"]["pages_read"]) == ("ACTIVE", PAGES)
    assert job["result"]["last_sign_at"]

    # When a few minutes have gone by, without any sweep.
    flow.cloud.pass_time(5 * MINUTE)

    # Then the pages have been fetched from the crawl that was made, and everybody has their mail.
    assert len(flow.sites.visits) == visits
    assert (crawl_job(flow)["status"], crawl_job(flow)["result"]) == ("COMPLETED", {"pages": PAGES})
    assert len(flow.mails()) == 3
    flow.cloud.run()
    assert flow.status(campaign_id) == "completed"
    flow.check()


def test_a_crawl_that_does_not_end_fails_its_lead_in_time_and_a_late_report_changes_nothing(flow: World) -> None:
    """Otherwise a campaign waits for ever for one site, or comes back from its end days later."""
    # Given a crawl that goes on and on.
    flow.crawls.mischief.unending = True
    campaign_id = flow.campaign(SITE)
    flow.cloud.pass_time(29 * MINUTE)
    assert lead_of(flow)["status"] == "crawling"

    # When its time is up.
    flow.cloud.pass_time(2 * MINUTE)

    # Then the lead has failed with a reason, the crawl is stopped, the campaign is over, and nothing waits.
    why = f"the crawl did not end within 30 minutes ({PAGES} pages were read)"
    assert (lead_of(flow)["status"], lead_of(flow)["failure_reason"]) == ("failed", why)
    assert flow.jobs("crawl") == [("FAILED", why)]
    assert flow.crawls.statuses() == ["cancelled"]
    assert flow.status(campaign_id) == "completed"
    assert not any(flow.cloud.messages(name) for name in QUEUES)

    # And a report that comes now is taken, and changes nothing.
    before = lead_of(flow)
    assert report(flow, "page", webhook_id="late-1") == report(flow, "completed", webhook_id="late-2") == 202
    flow.cloud.run()
    flow.cloud.sweep()
    assert lead_of(flow) == before
    assert flow.mails() == []
    flow.check()


def test_a_slow_crawl_is_waited_for(flow: World) -> None:
    """Otherwise a large site is given up although it would have been read."""
    # Given a crawl that ends after a quarter of an hour, unheard.
    flow.crawls.mischief.unending = True
    flow.crawls.mischief.lost_events = frozenset({"page", "completed"})
    flow.campaign(SITE)
    flow.cloud.pass_time(15 * MINUTE)
    assert crawl_job(flow)["result"]["pages_read"] == PAGES  # as the service said when it was asked
    assert crawl_job(flow)["attempts_made"] == 0
    flow.crawls.complete()

    # When the next check and a sweep come round.
    flow.cloud.pass_time(20 * MINUTE)

    # Then its pages have been taken.
    assert flow.jobs("crawl") == [("COMPLETED", "")]
    assert len(flow.mails()) == 3
    flow.check()


def test_repeated_reports_have_their_effect_once(flow: World) -> None:
    """Otherwise pages are counted twice, and a site is analysed, and paid for, twice."""
    # Given a service that makes each call three times, over queues that deliver everything twice.
    flow.crawls.mischief.repeats = 2
    flow.crawls.mischief.lost_events = frozenset({"completed"})
    flow.cloud.courier = AtLeastOnce(seed=5)
    flow.campaign(SITE)
    flow.cloud.pass_time(MINUTE)

    # Then each page has been counted once.
    assert crawl_job(flow)["result"]["pages_read"] == PAGES

    # When the same end is reported again and again.
    for _ in range(3):
        assert report(flow, "completed", webhook_id="end") == 202
        flow.cloud.settle()
    flow.cloud.pass_time(40 * MINUTE)

    # Then the site has been stored, analysed and planned for once.
    assert flow.jobs("crawl") == flow.jobs("analysis") == [("COMPLETED", "")]
    assert len(flow.rows("SELECT id FROM lead_analyses")) == 1
    assert [row.delivery_id for row in flow.rows("SELECT delivery_id FROM crawl_deliveries WHERE event = 'ended'")] == [
        "end"
    ]
    assert len(flow.mails()) == 3
    flow.check()


def test_reports_of_another_crawl_are_not_believed(flow: World) -> None:
    """Otherwise the end of an earlier crawl of a site cuts the one under way short."""
    # Given a crawl under way.
    flow.crawls.mischief.unending = True
    flow.campaign(SITE)
    flow.cloud.pass_time(MINUTE)
    before = lead_of(flow)

    # When another one's page, failure and end are reported.
    for kind in ("page", "failed", "completed"):
        assert report(flow, kind, webhook_id=f"w-{kind}", crawl_id="another") == 202
    flow.cloud.settle()

    # Then nothing has happened.
    assert lead_of(flow) == before


@pytest.mark.parametrize("mode", ["reported", "found"])
def test_a_crawl_that_failed_fails_its_lead_with_the_services_reason(flow: World, mode: str) -> None:
    """Otherwise nobody knows why a site has no contacts, or it is retried without end."""
    # Given a crawl under way that somebody has cancelled at the service.
    flow.crawls.mischief.unending = True
    campaign_id = flow.campaign(SITE)
    flow.cloud.pass_time(MINUTE)

    # When that is reported, or found out.
    if mode == "reported":
        report(flow, "failed", webhook_id="w1")
        flow.cloud.settle()
    else:
        flow.crawls.cancel_all()
        flow.cloud.pass_time(2 * MINUTE)

    # Then the lead says so, and its campaign does not wait for it.
    lead = lead_of(flow)
    assert lead["status"] == "failed"
    assert lead["failure_reason"].startswith("the crawl service ")
    assert flow.status(campaign_id) == "completed"
    flow.cloud.run()
    flow.check()


def test_a_service_that_is_away_for_a_while_loses_no_crawl(flow: World) -> None:
    """Otherwise an outage of minutes at the crawl service fails every lead that was under way."""
    # Given a crawl that is reported while nobody can fetch its pages.
    flow.crawls.mischief.lost_events = frozenset({"completed"})
    flow.campaign(SITE)
    flow.cloud.pass_time(MINUTE)
    flow.crawls.mischief.away = True
    report(flow, "completed", webhook_id="w1")
    flow.cloud.pass_time(8 * MINUTE)
    assert flow.jobs("crawl") == [("ACTIVE", "")]

    # When it is back.
    flow.crawls.mischief.away = False
    flow.cloud.pass_time(20 * MINUTE)

    # Then the pages have been taken.
    assert flow.jobs("crawl") == [("COMPLETED", "")]
    assert len(flow.mails()) == 3
    flow.check()


def test_a_service_that_stays_away_fails_the_lead_in_time(flow: World) -> None:
    """Otherwise leads hang in "crawling" for as long as a crawl service is down."""
    flow.crawls.mischief.unending = True
    flow.campaign(SITE)
    flow.cloud.pass_time(MINUTE)
    flow.crawls.mischief.away = True
    flow.cloud.pass_time(31 * MINUTE)
    assert lead_of(flow)["failure_reason"] == (
        "the crawl did not end within 30 minutes, and Firecrawl answered HTTP 503"
    )
    flow.check()
