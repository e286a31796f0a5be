"""Campaigns that take people by themselves, on the whole system."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.flow.test_operator import INES, MARTA, RUI, SITE
from tests.flow.world import BRIEF, SENDER, World

DAY = timedelta(days=1)


def automatic(flow: World, **given: Any) -> str:
    """A fully automated campaign, running."""
    flow.sender_id = flow.sender_id or flow.post("/v1/senders", SENDER)["id"]
    wanted = {"name": "By itself", "type": "fully_automated", "sender_id": flow.sender_id, "brief": BRIEF}
    campaign_id = flow.post("/v1/campaigns", wanted | given)["id"]
    flow.post(f"/v1/campaigns/{campaign_id}/start")
    return campaign_id


def test_a_new_leads_people_are_taken_without_being_told(flow: World) -> None:
    """Otherwise somebody has to assign every lead, and a fully automated campaign is none."""
    # Given a campaign that takes people by itself, and a lead that nobody gives to any campaign.
    campaign_id = automatic(flow)
    flow.post("/v1/leads", {"url": f"https://{SITE}"})

    # When it has been read.
    flow.cloud.pass_time(timedelta(minutes=5))

    # Then its people have had their first mail, from this campaign.
    assert {mail.recipients[0] for mail in flow.mails()} == {INES, MARTA, RUI}
    assert flow.rows("SELECT DISTINCT campaign_id::text FROM contact_campaigns") == [(campaign_id,)]
    (lead,) = flow.api.get(f"/v1/campaigns/{campaign_id}/leads").json()["items"]
    assert (lead["domain"], lead["enrolled"], lead["given_at"]) == (SITE, 3, None)

    # And when all of it is over, it still waits for whoever comes, and nobody got anything twice.
    flow.cloud.run()
    flow.cloud.sweep()
    assert flow.status(campaign_id) == "running"
    assert {len(flow.mails(address)) for address in (INES, MARTA, RUI)} == {3}
    flow.check()


def test_switched_off_it_takes_nobody_until_it_is_on_again(flow: World) -> None:
    """Otherwise the switch does not hold, or whoever came meanwhile is forgotten."""
    automatic(flow)
    flow.post("/v1/automation/toggle", {"enabled": False, "reason": "we are on holiday"})
    flow.post("/v1/leads", {"url": f"https://{SITE}"})
    flow.cloud.pass_time(DAY)
    flow.cloud.sweep()
    assert flow.mails() == []
    flow.post("/v1/automation/toggle", {"enabled": True})
    flow.cloud.pass_time(timedelta(minutes=5))
    assert {mail.recipients[0] for mail in flow.mails()} == {INES, MARTA, RUI}
    flow.check()


def test_a_companys_people_are_written_to_one_after_another(flow: World) -> None:
    """Otherwise a small company gets the same mail three times in a minute, and talks about it."""
    # Given a campaign that takes a company's people one by one.
    campaign_id = automatic(flow, company_order="one_after_another", company_gap="P2D")
    flow.post("/v1/leads", {"url": f"https://{SITE}"})
    flow.cloud.pass_time(timedelta(minutes=5))
    (first,) = {mail.recipients[0] for mail in flow.mails()}

    # When the first of them does not want any mail, the next one has their turn two days later.
    flow.people.unsubscribe(flow.mails(first)[0])
    flow.cloud.pass_time(DAY)
    flow.cloud.sweep()
    assert {mail.recipients[0] for mail in flow.mails()} == {first}
    flow.cloud.pass_time(DAY + timedelta(hours=1))
    flow.cloud.sweep()
    flow.cloud.pass_time(timedelta(minutes=5))
    (second,) = {mail.recipients[0] for mail in flow.mails()} - {first}

    # And when the second answers, the third is left alone.
    flow.people.replied(flow.mails(second)[0])
    flow.cloud.run()
    flow.cloud.sweep()
    assert {mail.recipients[0] for mail in flow.mails()} == {first, second}
    turns = flow.rows("SELECT status FROM campaign_turns ORDER BY 1")
    assert [row.status for row in turns] == ["dropped", "ended", "ended"]
    assert flow.status(campaign_id) == "running"
    flow.check()
