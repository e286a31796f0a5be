"""Lost hints, poison, strangers' reports, and functions that die at the worst moment."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from cadenza.core.ids import new_id
from cadenza.delivery.model import Mail, Outcome
from cadenza.delivery.providers.ses import Ses
from cadenza.leads import firecrawl_webhook
from infra.topology import MAX_RECEIVE_COUNT, QUEUES, QueueName
from tests.flow.cloud import Batch, Lossy, SandboxDied
from tests.flow.world import SECRETS, START, World
from tests.handlers.conftest import forget

SITE = "fornoatlantico.example"
INES, MARTA, RUI = (f"{name}@{SITE}" for name in ("ines.duarte", "marta.figueira", "rui.carvalho"))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALL_SENT = {address: [("intro", "sent")] for address in (INES, MARTA, RUI)}


# --- lost hints --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("queue", ["lead-analysis", "campaign-creation", "campaign-execution", "message-send"])
def test_the_sweep_makes_up_for_a_queue_that_loses_everything(flow: World, queue: QueueName) -> None:
    """Otherwise one bad hour of SQS leaves people without their mails for ever, and the campaign running for ever."""
    # Given a queue that loses whatever it is given for half an hour.
    flow.cloud.courier = Lossy(queue, START + HOUR / 2)
    campaign_id = flow.campaign(SITE)
    flow.cloud.pass_time(HOUR / 2)
    assert flow.mails() == []

    # When the hourly sweep comes round.
    flow.cloud.sweep_hourly(2)

    # Then everybody has their mail, and the campaign goes its way.
    assert flow.messages() == ALL_SENT
    flow.cloud.run()
    assert flow.status(campaign_id) == "completed"
    assert len(flow.mails()) == 9
    flow.check()


def test_the_sweep_makes_up_for_lost_wakes(flow: World) -> None:
    """Otherwise a mail that is due in days is never sent, because nothing polls the database."""
    # Given a campaign whose wakes are all lost.
    campaign_id = flow.campaign(SITE)
    flow.cloud.pass_time(timedelta(minutes=5))
    assert flow.messages() == ALL_SENT
    assert flow.cloud.lose_schedules() > 0

    # When the second mails come due, days after the processes that made the wakes are gone.
    flow.cloud.pass_time(2 * DAY - 2.5 * HOUR)
    forget()
    flow.cloud.sweep_hourly(3)

    # Then the sweeps before have made new wakes, and nobody has waited.
    for address in (INES, MARTA, RUI):
        intro, nudge = (mail.captured_at for mail in flow.mails(address))
        assert timedelta(0) <= nudge - intro - 2 * DAY < timedelta(seconds=3)
    flow.cloud.run()
    assert flow.status(campaign_id) == "completed"
    assert len(flow.mails()) == 9
    flow.check()


def test_the_sweep_takes_up_what_a_budget_has_skipped(flow: World) -> None:
    """Otherwise sites that a day's budget did not reach are never read, although each day brings a new one."""
    # Given a site whose analysis the day's budget did not allow.
    assert flow.api.put("/v1/automation/settings", json={"retry_when_budget_renews": True}).is_success
    flow.campaign(SITE)
    flow.cloud.pass_time(timedelta(minutes=5))
    with flow.database.worker() as conn:
        skipped = "UPDATE jobs SET status = 'SKIPPED', reason = 'budget', result = '{}' WHERE kind = 'analysis'"
        conn.execute(text(skipped))

    # When a sweep of the same day comes round, nothing is done; the next day's does it.
    flow.cloud.sweep()
    assert flow.jobs("analysis") == [("SKIPPED", "budget")]
    flow.cloud.pass_time(DAY - 10 * HOUR)
    flow.cloud.sweep()
    assert flow.jobs("analysis") == [("COMPLETED", "")]
    flow.check()


# --- what comes from outside -------------------------------------------------------------------------------------


@pytest.mark.parametrize("known_workspace", [True, False])
def test_a_report_about_a_lead_that_never_existed_ends_in_the_ledger(flow: World, known_workspace: bool) -> None:
    """Otherwise a crawl of somebody else's (or of a deleted lead) is retried for ever, or vanishes without a trace."""
    # Given a crawl.completed webhook, signed, about a lead that nobody knows.
    workspace_id = flow.workspace_id if known_workspace else new_id()
    body = json.dumps(
        {
            "success": True,
            "type": "crawl.completed",
            "id": "no-such-crawl",
            "webhookId": "delivery-1",
            "data": [],
            "metadata": {"workspace_id": str(workspace_id), "lead_id": str(new_id())},
        }
    ).encode()
    signature = firecrawl_webhook.sign(SECRETS["firecrawl_webhook_secret"], body)

    # When it is delivered twice.
    for _ in range(2):
        reply = flow.api.post(
            "/webhooks/firecrawl", content=body, headers={"X-Firecrawl-Signature": signature, "Authorization": ""}
        )
        assert reply.status_code == 202
        flow.cloud.run()

    # Then the ledger says so, once, and nothing is left in any queue.
    assert flow.jobs("crawl") == [("SKIPPED", "unknown lead")]
    assert not any(flow.cloud.messages(name) for name in QUEUES)
    flow.check()


def test_a_poison_message_ends_in_the_dlq_and_its_neighbours_do_not(flow: World) -> None:
    """Otherwise one broken message takes a batch of opt-outs and bounces down with it, or circles for ever."""
    # Given a message that nobody can read, in one batch with two that matter.
    flow.campaign(SITE)
    flow.cloud.pass_time(timedelta(minutes=5))
    batches: list[list[str]] = []

    def watch(queue: QueueName, batch: Batch) -> list[Batch]:
        if queue == "engagement-events":
            batches.append([record["body"] for record in batch])
        return [batch]

    flow.cloud.courier = watch
    poison = '{"type": "signal.reported", "version": 7}'
    flow.people.bounced(flow.mails(RUI)[0], hard=True)
    flow.cloud.put("engagement-events", poison)
    flow.people.unsubscribe(flow.mails(INES)[0])

    # When the batch is worked on.
    flow.cloud.settle()

    # Then the neighbours have been heard at once.
    assert [len(batch) for batch in batches] == [3]
    assert flow.suppressed() == {INES: "unsubscribed", RUI: "hard bounce"}

    # And the poison goes to the DLQ after its last receive, alone.
    flow.cloud.pass_time(HOUR)
    assert batches[1:] == [[poison]] * (MAX_RECEIVE_COUNT - 1)
    assert flow.cloud.dead_letters() == {"engagement-events": [poison]}
    assert flow.cloud.messages("engagement-events") == []


# --- death of a process ------------------------------------------------------------------------------------------


class Doom:
    """A provider whose process dies right after it has taken the mail to one address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.deaths = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> Doom:
        """Put it in the real one's way."""
        real = Ses.send

        def send(ses: Ses, mail: Mail) -> Outcome:
            outcome = real(ses, mail)
            if self.address in mail.to and not self.deaths:
                self.deaths += 1
                raise SandboxDied
            return outcome

        monkeypatch.setattr(Ses, "send", send)
        return self


def die_after_sending(flow: World, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """Three first mails out; the process that sent Inês's is dead, and nobody has written down that it did."""
    doom = Doom(INES).install(monkeypatch)
    campaign_id = flow.campaign(SITE)
    flow.cloud.pass_time(timedelta(minutes=5))
    assert doom.deaths == 1
    assert flow.messages() == ALL_SENT | {INES: [("intro", "sending")]}
    # The queue hands the message over again, and the lease runs out: neither sends it again.
    flow.cloud.pass_time(HOUR)
    flow.cloud.sweep()
    assert flow.messages() == ALL_SENT | {INES: [("intro", "unknown")]}
    assert len(flow.mails(INES)) == 1
    flow.check()
    return campaign_id


def test_a_mail_whose_sender_died_is_settled_by_its_delivery(flow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a crash at the wrong moment sends a mail twice, or ends a plan that goes on in the reader's inbox."""
    # Given a mail of which nobody knows whether it was sent.
    campaign_id = die_after_sending(flow, monkeypatch)

    # When its provider reports that it was delivered.
    flow.people.report(flow.mails(INES)[0], "delivered", occurred_at=START + timedelta(minutes=1))
    flow.cloud.settle()

    # Then it counts as sent at that time, and her plan goes on from there.
    assert flow.messages()[INES] == [("intro", "delivered")]
    flow.cloud.pass_time(2 * DAY)
    assert flow.messages()[INES] == [("intro", "delivered"), ("nudge", "sent")]
    flow.cloud.run()
    assert len(flow.mails(INES)) == 3
    assert flow.status(campaign_id) == "completed"
    flow.check()


def test_a_mail_of_which_nobody_hears_again_is_given_up(flow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it is sent twice, or its campaign never ends."""
    # Given a mail of which nobody knows whether it was sent.
    campaign_id = die_after_sending(flow, monkeypatch)

    # When a day and a sweep have passed without a word.
    flow.cloud.pass_time(DAY + HOUR)
    flow.cloud.sweep()
    flow.cloud.run()

    # Then it has failed, it was not sent again, and the others' plans have run to their end.
    assert flow.messages()[INES] == [("intro", "failed")]
    assert flow.enrolments()[INES] == ("failed", "intro", "unknown")
    assert len(flow.mails(INES)) == 1
    assert len(flow.mails()) == 1 + 3 + 3
    assert flow.status(campaign_id) == "completed"
    flow.check()
