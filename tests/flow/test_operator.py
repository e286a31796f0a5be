"""Pause, resume, cancel, while mails are on their way."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from infra.topology import QueueName
from tests.flow.cloud import Batch, once
from tests.flow.world import World

SITE = "fornoatlantico.example"
INES, MARTA, RUI = (f"{name}@{SITE}" for name in ("ines.duarte", "marta.figueira", "rui.carvalho"))
DAY = timedelta(days=1)
ALL_SENT = {address: [("intro", "sent")] for address in (INES, MARTA, RUI)}


def begin(flow: World) -> UUID:
    """One site in, three first mails out."""
    campaign_id = flow.campaign(SITE)
    flow.cloud.pass_time(timedelta(minutes=5))
    assert flow.messages() == ALL_SENT
    return campaign_id


def test_nothing_leaves_while_a_campaign_is_paused_and_everything_once_it_runs_again(flow: World) -> None:
    """Otherwise a pause comes too late for those it was for, or a resume forgets people or writes to them twice."""
    # Given a campaign that is paused before its second mails are due.
    campaign_id = begin(flow)
    flow.post(f"/v1/campaigns/{campaign_id}/pause", {"reason": "the price is wrong"})

    # When they come due, and somebody reacts to the first mail meanwhile.
    flow.people.unsubscribe(flow.mails(RUI)[0])
    flow.cloud.pass_time(4 * DAY)

    # Then nothing has left, the opt-out counts, and nothing is lost.
    assert len(flow.mails()) == 3
    assert flow.enrolments()[RUI] == ("stopped", "intro", "unsubscribed")
    flow.check()

    # And when it goes on as if nothing had been, everybody has the days that were left, and gets each mail once.
    flow.post(f"/v1/campaigns/{campaign_id}/resume")
    flow.cloud.pass_time(timedelta(days=1))
    assert len(flow.mails()) == 3
    flow.cloud.run()
    assert len(flow.mails()) == 3 + 2 + 2
    assert flow.status(campaign_id) == "completed"
    flow.check()


def test_what_a_pause_held_back_can_be_made_up_for(flow: World) -> None:
    """Otherwise a pause of some days would always cost these days, also where the date of a mail matters."""
    # Given a campaign during whose pause the second mails came due.
    campaign_id = begin(flow)
    flow.post(f"/v1/campaigns/{campaign_id}/pause")
    flow.people.unsubscribe(flow.mails(RUI)[0])
    flow.cloud.pass_time(4 * DAY)

    # When it goes on with all at its old time, what came due goes out now, and the rest in its own time.
    flow.post(f"/v1/campaigns/{campaign_id}/resume", {"policy": "keep"})
    flow.cloud.pass_time(timedelta(minutes=1))
    assert flow.messages() == {
        INES: [("intro", "sent"), ("nudge", "sent")],
        MARTA: [("intro", "sent"), ("nudge", "sent")],
        RUI: [("intro", "delivered")],
    }
    flow.cloud.run()
    assert len(flow.mails()) == 3 + 2 + 2
    assert flow.status(campaign_id) == "completed"
    flow.check()


def test_a_mail_that_waits_to_be_sent_is_held_by_a_pause(flow: World) -> None:
    """Otherwise what was queued a second before the pause leaves a second after it."""
    # Given an operator who pauses when the first mails are on the very last queue.
    campaign_id = flow.campaign(SITE)
    pauses: list[str] = []

    def pause_first(queue: QueueName, batch: Batch) -> list[Batch]:
        if queue == "message-send" and not pauses:
            flow.post(f"/v1/campaigns/{campaign_id}/pause")
            pauses.append(queue)
        return [batch]

    flow.cloud.courier = pause_first

    # When the queues run on.
    flow.cloud.pass_time(timedelta(hours=1))

    # Then no provider was called after the pause.
    assert pauses
    assert flow.mails() == []
    assert {status for [(_, status)] in flow.messages().values()} == {"queued"}

    # And all of them leave once it is over.
    flow.cloud.courier = once
    flow.post(f"/v1/campaigns/{campaign_id}/resume")
    flow.cloud.pass_time(timedelta(minutes=1))
    assert flow.messages() == ALL_SENT
    flow.check()


def test_a_cancelled_campaign_is_over_for_good(flow: World) -> None:
    """Otherwise a cancelled campaign keeps writing to people, or an opt-out from it is lost."""
    # Given a campaign that is cancelled after its first mails.
    campaign_id = begin(flow)
    flow.post(f"/v1/campaigns/{campaign_id}/cancel", {"reason": "we sold the company"})

    # When its timers would have run, and somebody opts out of what they got.
    flow.people.unsubscribe(flow.mails(RUI)[0])
    flow.cloud.run()
    flow.cloud.sweep()

    # Then nobody is written to, everything that waited is archived with its reason, and the opt-out counts for ever.
    assert len(flow.mails()) == 3
    assert flow.status(campaign_id) == "cancelled"
    assert flow.enrolments() == dict.fromkeys((INES, MARTA, RUI), ("stopped", "intro", "we sold the company"))
    assert flow.rows("SELECT id FROM scheduled_actions") == []
    assert flow.rows("SELECT action_id FROM finished_actions WHERE outcome = 'cancelled' AND reason = ''") == []
    assert flow.suppressed() == {RUI: "unsubscribed"}
    flow.check()


def test_a_draft_is_planned_for_and_waits_for_its_start(flow: World) -> None:
    """Otherwise mails leave before the operator has said so, or a start reaches only those who come after it."""
    campaign_id = flow.campaign(SITE, start=False)
    flow.cloud.pass_time(DAY)
    assert flow.enrolments() == dict.fromkeys((INES, MARTA, RUI), ("draft", "", ""))
    assert flow.mails() == []

    flow.post(f"/v1/campaigns/{campaign_id}/start")
    flow.cloud.pass_time(timedelta(minutes=1))

    assert flow.messages() == ALL_SENT
    flow.cloud.run()
    assert flow.status(campaign_id) == "completed"
    flow.check()


def test_a_known_site_goes_into_a_second_campaign_but_not_who_opted_out(flow: World) -> None:
    """Otherwise a site is crawled and paid for twice, or an opt-out holds for one campaign only."""
    # Given a campaign that is over, in which one person opted out.
    begin(flow)
    flow.people.unsubscribe(flow.mails(RUI)[0])
    flow.cloud.run()
    visits, mails = len(flow.sites.visits), len(flow.mails())

    # When a second one takes the same site.
    second = flow.campaign(SITE)
    flow.cloud.run()

    # Then nobody visits the site again, and the others are written to.
    assert len(flow.sites.visits) == visits
    assert ("SKIPPED", "the address is suppressed") in flow.jobs("planning")
    assert [len(flow.mails(address)) for address in (INES, MARTA, RUI)] == [6, 6, 1]
    assert len(flow.mails()) == mails + 6
    assert flow.status(second) == "completed"
    flow.check()
