"""What the API says of an analysis: its figures, what was not believed, the company's size, and whom it fits."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import boto3
import pytest

from tests.flow.world import SECRETS, World
from tests.handlers.conftest import forget
from tests.unit.fake_openai import Json, Reply, fake_openai, says

SITE = "fornoatlantico.example"
ONE_EACH = {"connection": "close"}
"""A connection a request: the functions keep their client, and the fake model waits for its connections to end."""
NOTHING = {
    "contacts_found": 0,
    "contacts_created": 0,
    "site_analysis_success": False,
    "contact_extraction_success": False,
}


def lead_of(flow: World) -> dict[str, Any]:
    """The newest lead, as the API shows it."""
    lead, *_ = flow.api.get("/v1/leads").raise_for_status().json()["items"]
    return flow.api.get(f"/v1/leads/{lead['id']}").raise_for_status().json()


def test_an_analysis_is_shown_with_its_figures_the_size_and_the_fit(flow: World) -> None:
    """Otherwise operators cannot tell which of a thousand sites were read well, and which are worth a campaign."""
    flow.campaign(SITE, start=False)
    flow.cloud.run()
    lead = lead_of(flow)
    found = len(lead["contacts"])
    assert found >= 3
    assert lead["figures"] == {
        "contacts_found": found,
        "contacts_created": found,
        "site_analysis_success": True,
        "contact_extraction_success": True,
    }
    (analysis,) = (job for job in lead["jobs"] if job["kind"] == "analysis")
    assert analysis["result"] == lead["figures"]

    size = lead["analysis"]["size"]
    assert size["founded"] is None or size["founded"]["quote"] in str(lead["analysis"]["report"]["claims"])
    quotes = [claim["quote"] for claim in lead["analysis"]["report"]["claims"] if claim["topic"] == "size"]
    assert {figure["quote"] for figure in size.values() if figure} <= set(quotes)

    (fit,) = lead["fits"]
    assert (fit["campaign_name"], fit["fit"]["level"]) == ("Flow", fit["fit"]["level"])
    assert fit["fit"]["why"]
    for reason in fit["fit"]["reasons"]:
        assert reason["claim"] in lead["analysis"]["report"]["claims"]


def test_the_fit_is_that_of_each_campaign(flow: World) -> None:
    """Otherwise a site is judged by what another campaign offers."""
    flow.campaign(SITE, start=False, offering="We repair deck ovens and control systems for bakeries and pizzerias.")
    flow.campaign(SITE, start=False, offering="We tune violins and cellos for orchestras and music schools.")
    flow.cloud.run()
    ovens, violins = (entry["fit"] for entry in lead_of(flow)["fits"])
    assert ovens["level"] in {"high", "medium"}
    assert ovens["reasons"]
    assert (violins["level"], violins["reasons"]) == ("low", [])


def test_a_site_that_could_not_be_read_has_figures_too(flow: World) -> None:
    """Otherwise whoever adds up the figures of a batch stumbles over the sites that failed."""
    flow.campaign("nobody.example", start=False)
    flow.cloud.run()
    lead = lead_of(flow)
    assert (lead["status"], lead["failure_reason"]) == ("failed", "no page of the site could be read")
    assert (lead["figures"], lead["analysis"], lead["fits"]) == (NOTHING, None, [])


@pytest.mark.parametrize("trouble", [Reply(refusal="I would rather not."), Reply("no JSON"), Reply(status=400)])
def test_figures_hold_where_the_rules_stand_in_for_a_model(
    flow: World, monkeypatch: pytest.MonkeyPatch, trouble: Reply
) -> None:
    """Otherwise a model that refuses looks like a site without people."""
    with fake_openai(lambda _: replace(trouble, headers=ONE_EACH)) as server:
        use_model(monkeypatch, server.url)
        flow.campaign(SITE, start=False)
        flow.cloud.run()
    lead = lead_of(flow)
    assert lead["analysis"]["model"] == "offline"
    found = len(lead["contacts"])
    assert lead["figures"] == {
        "contacts_found": found,
        "contacts_created": found,
        "site_analysis_success": True,
        "contact_extraction_success": True,
    }


def test_claims_that_were_not_believed_are_counted_by_reason(flow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise nobody sees that a model invents, or what it invents."""
    home = f"http://{SITE}/"
    proposed = [
        ("We are the largest bakery supplier of all Iberia.", home),
        ("We won the golden whisk of Lisbon twice.", home),
        ("See https://evil.example for our prices.", home),
        ("We build ovens.", f"http://{SITE}/no-such-page"),
    ]

    def answer(body: Json) -> Reply:  # noqa: ARG001 - whatever is asked
        claims = [{"topic": "summary", "text": q, "page_url": url, "quote": q} for q, url in proposed]
        return replace(says({"tone": "formal", "claims": claims, "people": []}), headers=ONE_EACH)

    with fake_openai(answer) as server:
        use_model(monkeypatch, server.url)
        flow.campaign(SITE, start=False)
        flow.cloud.run()
    lead = lead_of(flow)
    stats = lead["analysis"]["stats"]
    assert stats["claims_dropped"] == 4
    assert stats["drop_reasons"] == {"not_on_page": 2, "not_quotable": 1, "unknown_page": 1}
    assert lead["figures"]["site_analysis_success"] is False
    assert lead["figures"]["contact_extraction_success"] is True


def use_model(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """From now on the functions ask a model at ``url``."""
    secret = json.dumps(SECRETS | {"openai_api_key": "key"})
    boto3.client("secretsmanager").put_secret_value(SecretId="app", SecretString=secret)  # pyright: ignore[reportUnknownMemberType]
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    forget()
