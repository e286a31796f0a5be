"""From two URLs to the last mail, over days of virtual time, with every function running."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from tests.flow.cloud import AtLeastOnce, Courier, once
from tests.flow.world import BRIEF, START, World

FORNO, SPREE = "fornoatlantico.example", "spreekargo.example"
INES, MARTA, RUI = (f"{name}@{FORNO}" for name in ("ines.duarte", "marta.figueira", "rui.carvalho"))
JONAS, LEYLA, PRIYA = (f"{name}@{SPREE}" for name in ("jonas.weidmann", "leyla.arslan", "priya.nair"))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
READING = timedelta(minutes=2)
"""From a mail's delivery until somebody opens it: what comes sooner is taken for a scanner's."""
SLACK = timedelta(seconds=3)
"""SQS delays are whole seconds, rounded up, and a mail's date has whole seconds, rounded down."""


def begin(flow: World) -> UUID:
    """Two sites in, six first mails out."""
    campaign_id = flow.campaign(FORNO, SPREE)
    flow.cloud.pass_time(timedelta(minutes=5))
    assert flow.messages() == {address: [("intro", "sent")] for address in (INES, JONAS, LEYLA, MARTA, PRIYA, RUI)}
    return campaign_id


def left(flow: World, address: str) -> list[datetime]:
    """When mails left for ``address``."""
    return [mail.captured_at for mail in flow.mails(address)]


def test_days_pass_and_everybody_gets_what_their_plan_says(flow: World) -> None:  # noqa: PLR0915 - one story
    """Otherwise people are written to too early, too often, after they said no, or never again."""
    # Given six people at two companies, each with a first mail.
    campaign_id = begin(flow)
    assert flow.jobs("crawl") == flow.jobs("analysis") == [("COMPLETED", "")] * 2
    assert (
        sorted(flow.jobs("planning"))
        == [("COMPLETED", "")] * 6 + [("SKIPPED", "shared mailbox, and the site names people")] * 2
    )
    flow.check()

    # When one reads and clicks, one only reads, one's mail bounces, one opts out, one is silent, as is one whose mail a
    # scanner looks at.
    flow.cloud.pass_time(HOUR)
    people, first = flow.people, {address: flow.mails(address)[0] for address in flow.messages()}
    for address in (INES, JONAS, LEYLA, MARTA, PRIYA):
        assert people.delivered(first[address]).status_code == 202
    assert people.bounced(first[RUI], hard=True).status_code == 202
    flow.cloud.pass_time(READING)
    assert people.open(first[INES]).status_code == 200
    assert people.click(first[INES]).headers["location"] == BRIEF["link"]
    clicked_at = START + timedelta(minutes=5) + HOUR + READING
    assert people.open(first[LEYLA]).status_code == 200
    assert people.unsubscribe(first[JONAS]).status_code == 200
    assert people.scan(first[PRIYA]).status_code == 200
    flow.cloud.settle()

    # Then each is where their plan says, at once.
    assert flow.enrolments() == {
        INES: ("active", "interested", ""),
        JONAS: ("stopped", "intro", "unsubscribed"),
        LEYLA: ("active", "consider", ""),
        MARTA: ("active", "intro", ""),
        PRIYA: ("active", "intro", ""),
        RUI: ("stopped", "intro", "hard bounce"),
    }
    assert flow.suppressed() == {JONAS: "unsubscribed", RUI: "hard bounce"}
    assert flow.cloud.schedules(), "nobody would wake the engine in a day"
    assert len(flow.mails()) == 6
    flow.check()

    # And on the second day the answer to the click leaves, and nothing else.
    flow.cloud.pass_time(DAY)
    assert len(flow.mails()) == 7
    (_, answered) = left(flow, INES)
    assert timedelta(0) <= answered - clicked_at - DAY < SLACK
    assert people.replied(flow.mails(INES)[1]).status_code == 202
    flow.cloud.settle()
    assert flow.enrolments()[INES] == ("completed", "stop", "stop node stop")
    flow.check()

    # And two days after their first mails, those who have not opened are asked again: a scanner's look is none.
    flow.cloud.pass_time(2 * DAY - HOUR)
    for address in (MARTA, PRIYA):
        intro, nudge = left(flow, address)
        assert timedelta(0) <= nudge - intro - 2 * DAY < SLACK
    assert len(flow.mails()) == 9
    assert flow.status(campaign_id) == "running"

    # And who has opened gets the follow-up three days after that.
    flow.cloud.pass_time(DAY)
    _, follow_up = left(flow, LEYLA)
    assert timedelta(0) <= follow_up - clicked_at - 3 * DAY < SLACK
    flow.check()

    # And the last mails go three days later; while their five days run, the campaign goes on.
    flow.cloud.pass_time(6 * DAY)
    assert flow.messages() == {
        INES: [("intro", "delivered"), ("interested", "delivered")],
        JONAS: [("intro", "delivered")],
        LEYLA: [("intro", "delivered"), ("follow_up", "sent"), ("last", "sent")],
        MARTA: [("intro", "delivered"), ("nudge", "sent"), ("last", "sent")],
        PRIYA: [("intro", "delivered"), ("nudge", "sent"), ("last", "sent")],
        RUI: [("intro", "bounced")],
    }
    assert [flow.enrolments()[address][0] for address in (MARTA, PRIYA, LEYLA)] == ["completed", "completed", "active"]
    assert flow.status(campaign_id) == "running"
    flow.check()

    # And it completes when the last person's last timer has run, not before and at once.
    flow.cloud.run()
    ended = flow.rows("SELECT finished_at FROM campaigns WHERE id = :id", id=campaign_id)[0].finished_at
    assert timedelta(0) <= ended - clicked_at - 11 * DAY < 3 * SLACK
    assert flow.status(campaign_id) == "completed"
    assert {status for status, _, _ in flow.enrolments().values()} == {"completed", "stopped"}
    assert flow.rows("SELECT id FROM scheduled_actions") == []
    assert flow.cloud.fired
    assert flow.cloud.schedules() == []
    assert len(flow.mails()) == 13
    flow.check()


@pytest.mark.parametrize("courier", [once, AtLeastOnce(seed=1)], ids=["once", "twice"])
def test_repeats_and_disorder_change_nothing(flow: World, courier: Courier) -> None:
    """Otherwise SQS being SQS, or a provider reporting twice, sends a mail twice or moves somebody back."""
    # Given queues that deliver everything twice, out of order, and signals last first.
    flow.cloud.courier = courier
    campaign_id = begin(flow)

    # When a day's signals have piled up, repeated by their providers, before any of them is looked at.
    people, first = flow.people, {address: flow.mails(address)[0] for address in flow.messages()}

    def report(address: str, event: str, *, hard: bool | None = None) -> None:
        for _ in range(2):
            people.report(first[address], event, delivery_id=f"{event}-{address}", hard=hard)
        flow.cloud.stall(HOUR)

    for address in (INES, JONAS, LEYLA, RUI):
        report(address, "delivered")
    report(RUI, "bounced", hard=True)
    for address in (INES, LEYLA, JONAS):
        report(address, "opened")
    report(INES, "clicked")
    report(JONAS, "unsubscribed")
    report(JONAS, "clicked")  # the link was in the same mail, and curiosity is no consent
    report(LEYLA, "complained")
    flow.cloud.pass_time(4 * DAY)
    report(INES, "replied")
    flow.cloud.run()

    # Then the end is the same as with a queue that delivers once and in order.
    # (In which node somebody stops does depend on what was heard of first: nothing rewinds.)
    assert {address: (status, reason) for address, (status, _, reason) in flow.enrolments().items()} == {
        INES: ("completed", "stop node stop"),
        JONAS: ("stopped", "unsubscribed"),
        LEYLA: ("stopped", "complained"),
        MARTA: ("completed", "stop node stop"),
        PRIYA: ("completed", "stop node stop"),
        RUI: ("stopped", "hard bounce"),
    }
    assert flow.messages() == {
        INES: [("intro", "delivered"), ("interested", "sent")],
        JONAS: [("intro", "delivered")],
        LEYLA: [("intro", "complained")],
        MARTA: [("intro", "sent"), ("nudge", "sent"), ("last", "sent")],
        PRIYA: [("intro", "sent"), ("nudge", "sent"), ("last", "sent")],
        RUI: [("intro", "bounced")],
    }
    assert flow.suppressed() == {JONAS: "unsubscribed", LEYLA: "complained", RUI: "hard bounce"}
    assert len(flow.mails()) == 11
    assert flow.status(campaign_id) == "completed"
    flow.check()
