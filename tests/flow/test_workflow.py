"""Mails that people wrote go the whole way: put in order, started by themselves, sent, answered, finished."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from local.world.tidewater import SENDER
from tests.flow.world import START, World

SITE = "fornoatlantico.example"
INES, MARTA, RUI = (f"{name}@{SITE}" for name in ("ines.duarte", "marta.figueira", "rui.carvalho"))
DAY = timedelta(days=1)

FIRST = "Hi {{ first_name }},\n\nwe plan delivery routes for small fleets. May I show you?\n\n{{ sender_name }}"
SECOND = "Hi {{ first_name }},\n\ndid you have a moment to look at my mail about your routes?\n\n{{ sender_name }}"


def draft(flow: World) -> UUID:
    """A workflow campaign: two mails three days apart, for the people of one site."""
    templates = [
        flow.post("/v1/templates", {"name": name, "subject": f"{name}, {{{{ company }}}}", "text_body": body})["id"]
        for name, body in (("First", FIRST), ("Second", SECOND))
    ]
    steps = [{"template_id": templates[0]}, {"template_id": templates[1], "delay": "P3D"}]
    workflow_id = flow.post("/v1/workflows", {"name": "Two mails", "steps": steps})["id"]
    sender_id = flow.post("/v1/senders", SENDER)["id"]
    wanted = {"name": "By hand", "kind": "workflow", "workflow_id": workflow_id, "sender_id": sender_id}
    return UUID(flow.post("/v1/campaigns", wanted)["id"])


def test_a_workflow_starts_by_itself_and_sends_what_people_wrote(flow: World) -> None:
    """Otherwise hand-written mails do not leave, leave too early, or go on to people who have answered."""
    # Given a workflow campaign that takes a site's people, and is to start in two hours.
    campaign_id = draft(flow)
    flow.post("/v1/leads", {"url": f"https://{SITE}", "campaign_id": str(campaign_id)})
    starts_at = START + timedelta(hours=2, seconds=7)
    flow.post(f"/v1/campaigns/{campaign_id}/schedule", {"starts_at": starts_at.isoformat()})

    # When time passes: nothing leaves before, and everybody's first mail right then.
    flow.cloud.pass_time(timedelta(hours=2))
    assert (flow.status(campaign_id), flow.mails()) == ("scheduled", [])
    assert {status for status, _, _ in flow.enrolments().values()} == {"draft"}
    flow.cloud.pass_time(timedelta(minutes=1))
    (started_at,) = flow.rows("SELECT started_at FROM campaigns")[0]
    assert started_at - starts_at < timedelta(seconds=1)
    assert flow.messages() == {address: [("step_1", "sent")] for address in (INES, MARTA, RUI)}
    first = {address: flow.mails(address)[0] for address in (INES, MARTA, RUI)}
    assert "Hi Inês," in first[INES].text
    assert {model for (model,) in flow.rows("SELECT source FROM campaign_plans")} == {"workflow"}

    # And one answers, one reads, one is silent.
    assert flow.people.replied(first[RUI]).status_code == 202
    assert flow.people.open(first[MARTA]).status_code == 200
    flow.cloud.pass_time(3 * DAY)

    # Then those who have not answered get the second mail, three days after their first, and the campaign completes.
    assert flow.messages() == {
        INES: [("step_1", "sent"), ("step_2", "sent")],
        MARTA: [("step_1", "delivered"), ("step_2", "sent")],
        RUI: [("step_1", "delivered")],
    }
    gap = flow.mails(INES)[1].captured_at - first[INES].captured_at
    assert timedelta(0) <= gap - 3 * DAY < timedelta(minutes=1)
    assert flow.enrolments()[RUI][0] == "stopped"
    flow.cloud.run()
    assert flow.status(campaign_id) == "completed"
    flow.check()


def test_a_start_survives_the_loss_of_its_wake(flow: World) -> None:
    """Otherwise one lost message keeps a campaign from ever starting."""
    # Given a campaign that is to start tomorrow, of whose wake nothing comes.
    campaign_id = draft(flow)
    flow.post("/v1/leads", {"url": f"https://{SITE}", "campaign_id": str(campaign_id)})
    flow.post(f"/v1/campaigns/{campaign_id}/schedule", {"starts_at": (START + DAY).isoformat()})
    flow.cloud.pass_time(timedelta(minutes=5))
    assert flow.cloud.lose_schedules() == 1
    flow.cloud.sweep_hourly(23)
    assert flow.status(campaign_id) == "scheduled"
    flow.cloud.pass_time(timedelta(hours=1))

    # Then it starts on time nevertheless, because the sweep has seen to a new wake.
    (started_at,) = flow.rows("SELECT started_at FROM campaigns")[0]
    assert started_at - (START + DAY) < timedelta(seconds=1)
    flow.cloud.run()
    assert flow.status(campaign_id) == "completed"
    flow.check()
