"""People look at the first plans before anything leaves, with every function running."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from tests.flow.world import World

SITE = "fornoatlantico.example"
DAY = timedelta(days=1)


def review_first(flow: World, count: int) -> UUID:
    """A campaign of three people, of whose plans so many are looked at first."""
    settings = flow.api.get("/v1/automation/settings").json()
    wanted = {**settings, "approval_mode": "review_first", "approval_first_n": count}
    assert flow.api.put("/v1/automation/settings", json=wanted).is_success
    campaign_id = flow.campaign(SITE)
    flow.cloud.pass_time(timedelta(minutes=5))
    return campaign_id


def waiting(flow: World) -> list[dict[str, object]]:
    """What the API says waits."""
    return flow.api.get("/v1/approvals").raise_for_status().json()["items"]


def test_nothing_leaves_before_somebody_has_looked_and_then_everything_does(flow: World) -> None:
    """Otherwise a review is worthless, or a campaign stands still for ever after it."""
    # Given three plans of which one is to be looked at, and days in which nobody does.
    campaign_id = review_first(flow, 1)
    flow.cloud.pass_time(2 * DAY)
    drafts = waiting(flow)
    assert (len(drafts), flow.mails(), flow.status(campaign_id)) == (3, [], "running")
    assert {status for status, _, _ in flow.enrolments().values()} == {"draft"}
    flow.check()

    # When the first is given another subject and approved, and the second rejected.
    first, second, third = drafts
    plan = flow.api.get(f"/v1/enrolments/{first['id']}/plan")
    words = plan.json()["plan"]
    words["nodes"][0]["subject"] = "In a person's own words"
    changed = flow.api.put(
        f"/v1/enrolments/{first['id']}/plan", json={"plan": words}, headers={"If-Match": plan.headers["etag"]}
    )
    assert changed.is_success, changed.text
    flow.post(f"/v1/enrolments/{second['id']}/reject", {"reason": "a customer already"})
    flow.cloud.settle()
    assert flow.mails() == []
    flow.post(f"/v1/enrolments/{first['id']}/approve", {"plan_hash": changed.json()["hash"]})
    flow.cloud.settle()

    # Then the first leaves as it was changed, the third by itself, the second never.
    address = {draft["id"]: draft["contact"]["email"] for draft in drafts}  # type: ignore[index]
    assert {mail.recipients[0] for mail in flow.mails()} == {address[first["id"]], address[third["id"]]}
    assert flow.mails(address[first["id"]])[0].subject == "In a person's own words"
    assert waiting(flow) == []

    # And the campaign goes on to its end.
    flow.cloud.run()
    assert flow.status(campaign_id) == "completed"
    assert flow.enrolments()[address[second["id"]]] == ("stopped", "", "a customer already")
    flow.check()
