"""Pause and resume, start and end of campaigns: clocks stand still, nothing bursts, and size does not matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from sqlalchemy import event, func, insert, select

from cadenza.campaigns.resumption import Outlook
from cadenza.campaigns.service import Campaigns
from cadenza.core import tables
from cadenza.core.ids import ContactId, EnrolmentId, MessageId, new_id
from cadenza.core.messages import EXECUTION_MESSAGES, CampaignMoved, Sweep, Wake
from cadenza.core.states import CampaignStatus, EnrolmentStatus, ResumePolicy
from cadenza.engine.apply import apply
from cadenza.engine.following import CHUNK
from cadenza.engine.model import Enrol, Sent
from cadenza.engine.wakes import bucket_of
from tests.store.builders import NOW, Scene
from tests.store.reacting import reported
from tests.store.sending import World

HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
ACTIONS, MESSAGES = tables.scheduled_actions, tables.outbound_messages
ENROLMENTS = tables.contact_campaigns
ANY_TIME: dict[str, Any] = {"frequency_cap": None, "contact_gap_s": 0}


@dataclass
class Desk:
    """An operator at one campaign."""

    world: World
    scene: Scene

    @property
    def campaigns(self) -> Campaigns:
        """The service."""
        world = self.world
        return Campaigns(
            world.database,
            world.dispatcher,
            self.scene.workspace_id,
            None,
            lambda: world.now,
            "https://go.cadenza.example",
        )

    def at(self, now: datetime) -> Campaigns:
        """The service, once it is ``now``."""
        self.world.now = now
        return self.campaigns

    def paused(self, since: datetime, until: datetime) -> Campaigns:
        """Paused meanwhile; it is ``until`` now."""
        self.at(since).pause(self.scene.campaign_id)
        return self.at(until)

    def resume(self, policy: ResumePolicy = ResumePolicy.SHIFT) -> None:
        """Resume the campaign."""
        self.campaigns.resume(self.scene.campaign_id, policy)

    def outlook(self, policy: ResumePolicy) -> Outlook:
        """What the preview says of one policy."""
        preview = self.campaigns.preview_resume(self.scene.campaign_id)
        return next(one for one in preview.outlooks if one.policy is policy)

    def sent(self, at: datetime = NOW) -> tuple[EnrolmentId, MessageId]:
        """Somebody whose first mail went out at ``at``: a timer of three days runs."""
        message_id = self.queued(due_at=at)
        with self.world.database.worker() as conn:
            conn.execute(MESSAGES.update().where(MESSAGES.c.id == message_id).values(status="sent", sent_at=at))
            enrolment_id = self._of(message_id)
            apply(conn, [(enrolment_id, Sent("intro", 1, at))], at)
        return enrolment_id, message_id

    def queued(self, **given: Any) -> MessageId:
        """Somebody whose mail waits to be sent."""
        return self.world.message(self.scene, **given)

    def drafts(self, count: int) -> list[EnrolmentId]:
        """People whose enrolments wait for the campaign's start."""
        contacts = [ContactId(new_id()) for _ in range(count)]
        ids = [EnrolmentId(new_id()) for _ in range(count)]
        whose = {"workspace_id": self.scene.workspace_id, "created_at": NOW}
        with self.world.database.worker() as conn:
            conn.execute(
                insert(tables.contacts), [whose | {"id": one, "email": f"{one.hex}@acme.example"} for one in contacts]
            )
            rows = [
                whose
                | {
                    "id": enrolment_id,
                    "campaign_id": self.scene.campaign_id,
                    "contact_id": contact_id,
                    "plan_id": self.scene.plan_id,
                    "status": EnrolmentStatus.DRAFT,
                }
                for enrolment_id, contact_id in zip(ids, contacts, strict=True)
            ]
            conn.execute(insert(ENROLMENTS), rows)
        return ids

    def active(self, wait: timedelta = timedelta()) -> EnrolmentId:
        """Somebody whose first send is still an action, due ``wait`` from now."""
        (enrolment_id,) = self.drafts(1)
        with self.world.database.worker() as conn:
            apply(conn, [(enrolment_id, Enrol())], self.world.now)
            conn.execute(
                ACTIONS.update().where(ACTIONS.c.enrolment_id == enrolment_id).values(due_at=self.world.now + wait)
            )
        return enrolment_id

    def actions(self, enrolment_id: EnrolmentId) -> list[tuple[str, datetime]]:
        """The live actions, by event or kind, with their times."""
        with self.world.database.worker() as conn:
            rows = conn.execute(select(ACTIONS).where(ACTIONS.c.enrolment_id == enrolment_id))
            return [(row.event or row.kind, row.due_at) for row in rows]

    def enrolment(self, enrolment_id: EnrolmentId) -> Any:
        """The row."""
        with self.world.database.worker() as conn:
            return conn.execute(select(ENROLMENTS).where(ENROLMENTS.c.id == enrolment_id)).one()

    def counts(self) -> dict[str, int]:
        """How many enrolments are in which state."""
        query = select(ENROLMENTS.c.status, func.count()).group_by(ENROLMENTS.c.status)
        with self.world.database.worker() as conn:
            return {row[0]: row[1] for row in conn.execute(query)}

    def asked(self) -> list[Any]:
        """What is on campaign-execution, taken off."""
        sqs, found = boto3.client("sqs"), list[Any]()
        url = self.world.execution_url
        while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in got:
                found.append(EXECUTION_MESSAGES.validate_json(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def hear(self, *signals: Any) -> None:
        """Signals come in."""
        self.world.execution.handle(signals)

    def wake(self) -> None:
        """The current bucket's wake comes in."""
        self.world.execution.handle([Wake(bucket=bucket_of(self.world.now))])

    def _of(self, message_id: MessageId) -> EnrolmentId:
        return self.world.enrolment(message_id).id


@pytest.fixture
def desk(world: World) -> Desk:
    """A running campaign: two mails, the second three days after the first if that was not opened."""
    return Desk(world, world.scene(settings=ANY_TIME))


# --- shift -------------------------------------------------------------------------------------------------------


def test_a_pause_counts_as_no_time_at_all(desk: Desk):
    """Broken, a week's pause would end with every follow-up due at once, to people who had a day to answer."""
    # Given a mail sent at noon whose silence ends in three days, and a week's pause from the next day on.
    enrolment_id, _ = desk.sent()
    desk.paused(NOW + DAY, NOW + 8 * DAY)
    # When the campaign is resumed.
    desk.resume()
    # Then two days are left of the three, as there were, and the timeline can say why.
    assert desk.actions(enrolment_id) == [("no_open", NOW + 10 * DAY)]
    with desk.world.database.worker() as conn:
        (why,) = conn.execute(select(ACTIONS.c.why)).scalars()
    assert why[-1] == "moved by a pause of 7 days, 0:00:00"


def test_the_clock_stood_still_for_signals_too(desk: Desk):
    """Broken, an open after the pause would first fire the timeout that the pause has put off."""
    # Given a timer of three days that a pause of a week has moved.
    enrolment_id, message_id = desk.sent()
    desk.paused(NOW + DAY, NOW + 8 * DAY)
    desk.resume()
    # When the mail is opened a day later: after the timer's old time, before its new one.
    desk.world.now = NOW + 9 * DAY
    desk.hear(reported(message_id, "opened", NOW + 9 * DAY))
    # Then it counts as opened.
    assert desk.enrolment(enrolment_id).reason == "stop node end"


def test_what_began_during_the_pause_moves_by_what_it_has_seen_of_it(desk: Desk):
    """Broken, somebody who came in an hour before the end of a week's pause would wait that week once more."""
    message_id = desk.queued(status="sending", attempt_id=new_id(), lease_until=NOW)
    desk.paused(NOW, NOW + 6 * DAY)
    # Given a mail whose provider says during the pause that it went out then.
    desk.hear(reported(message_id, "sent", NOW + 6 * DAY))
    enrolment_id = desk.world.enrolment(message_id).id
    assert desk.actions(enrolment_id) == [("no_open", NOW + 9 * DAY)]
    # When the campaign is resumed a day later, the timer moves by that day.
    desk.world.now = NOW + 7 * DAY
    desk.resume()
    assert desk.actions(enrolment_id) == [("no_open", NOW + 10 * DAY)]


def test_a_send_that_moved_into_the_night_waits_for_the_morning(desk: Desk, world: World):
    """Broken, what a pause has moved would go out at whatever hour it came to lie (I7)."""
    # Given a mail due at ten in the morning, within its window until four, and a pause of 13 hours.
    message_id = desk.queued(closes_at=NOW + 6 * HOUR)
    desk.paused(NOW - HOUR, NOW + 12 * HOUR)
    desk.resume()
    # Then its old window is not taken for one of the new time: it has to be judged anew.
    row = world.row(message_id)
    assert row.due_at >= NOW + 12 * HOUR
    assert row.closes_at <= row.due_at


# --- keep --------------------------------------------------------------------------------------------------------


def test_what_is_made_up_for_does_not_burst(desk: Desk, world: World):
    """Broken, the end of a pause would hand a provider everything of a week within a second."""
    mails = [desk.queued(due_at=NOW + index * SECOND) for index in range(3)]
    waiting = [desk.active(wait=HOUR + index * SECOND) for index in range(2)]
    desk.paused(NOW, NOW + DAY)
    desk.resume(ResumePolicy.KEEP)
    due = [world.row(one).due_at for one in mails] + [desk.actions(one)[0][1] for one in waiting]
    assert due == [NOW + DAY + index * SECOND for index in range(5)]  # one line, in the order of before


def test_a_timer_that_ran_out_meanwhile_ends_its_wait_now(desk: Desk):
    """Broken, who chose to keep all times would find them moved."""
    overdue, _ = desk.sent()
    ahead, _ = desk.sent(at=NOW + DAY)
    desk.paused(NOW + DAY, NOW + 3 * DAY + HOUR)
    desk.resume(ResumePolicy.KEEP)
    desk.wake()
    with desk.world.database.worker() as conn:
        desk.world.engine.run_due([row.id for row in conn.execute(select(ACTIONS))])
    assert desk.enrolment(overdue).current_node == "again"
    assert desk.actions(ahead) == [("no_open", NOW + 4 * DAY)]


# --- skip stale --------------------------------------------------------------------------------------------------


def test_stale_sends_are_dropped_and_nothing_else(desk: Desk, world: World):
    """Broken, an invitation would go out after its event; or a drop would take what was not due yet."""
    mail, action = desk.queued(), desk.active()
    later, timed = desk.active(wait=3 * DAY), desk.sent()[0]
    desk.paused(NOW, NOW + DAY)
    # When the campaign is resumed without what came due meanwhile.
    desk.resume(ResumePolicy.SKIP_STALE)
    desk.wake()
    world.delivery.send([mail])
    with world.database.worker() as conn:
        ids = list(conn.execute(select(ACTIONS.c.id)).scalars())
    world.engine.run_due(ids)
    # Then the mail and the send are skipped with that reason, and nothing has gone out.
    assert (world.row(mail).status, world.row(mail).reason) == ("skipped", "stale")
    for enrolment_id in (world.enrolment(mail).id, action):
        ended = desk.enrolment(enrolment_id)
        assert (ended.status, ended.reason) == ("stopped", "stale")
    assert not world.ses.taken
    with world.database.worker() as conn:
        finished = tables.finished_actions
        (ended,) = conn.execute(select(finished).where(finished.c.enrolment_id == action))
    assert (ended.outcome, ended.reason) == ("cancelled", "skipped")
    # And what lies ahead stays where it was.
    assert [event for event, _ in desk.actions(later)] == ["send"]
    assert desk.actions(timed) == [("no_open", NOW + 3 * DAY)]


def test_what_comes_due_after_the_resume_is_not_stale(desk: Desk, world: World):
    """Broken, a campaign that was once resumed without its stale sends would never send again."""
    desk.paused(NOW, NOW + DAY)
    desk.resume(ResumePolicy.SKIP_STALE)
    message_id = desk.queued(due_at=NOW + DAY)
    world.delivery.send([message_id])
    assert world.status(message_id) == "sent"


# --- preview -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", list(ResumePolicy))
def test_a_preview_says_what_resuming_does(desk: Desk, policy: ResumePolicy):
    """Broken, an operator would press the button and see something else happen."""
    # Given two mails and a send that come due in a pause, one send and two timers that do not, one timer that does.
    mails = [desk.queued(), desk.queued(due_at=NOW + HOUR)]
    sends = [desk.active(wait=HOUR), desk.active(wait=5 * DAY)]
    timers = [desk.sent()[0], desk.sent(at=NOW + DAY)[0], desk.sent(at=NOW + DAY)[0]]
    now = NOW + 3 * DAY + HOUR
    desk.paused(NOW + DAY, now)
    before = times(desk, mails, [*sends, *timers])
    said = desk.outlook(policy)
    # When it is resumed just as previewed.
    desk.resume(policy)
    after = times(desk, mails, [*sends, *timers])
    # Then as many things moved, stayed and came due as was said.
    n_sends = len(mails) + len(sends)
    assert said.sends_now + said.sends_moved + said.sends_dropped + said.sends_unchanged == n_sends
    assert said.timers_now + said.timers_moved + said.timers_unchanged == len(timers)
    match policy:
        case ResumePolicy.SHIFT:
            assert said.timers_moved == sum(b != a for b, a in zip(before[n_sends:], after[n_sends:], strict=True))
            assert said.sends_now == sum(now <= at <= now + said.spread_s * SECOND for at in after[:n_sends])
        case ResumePolicy.KEEP:
            assert said.sends_now == sum(at < now for at in before[:n_sends])
            assert said.sends_unchanged == sum(b == a for b, a in zip(before[:n_sends], after[:n_sends], strict=True))
        case ResumePolicy.SKIP_STALE:
            assert before == after
            assert said.sends_dropped == sum(at < now for at in before[:n_sends])
    ahead = [at for at in after[:n_sends] if at > now + said.spread_s * SECOND]
    assert said.first_send_at == min(ahead)


def times(desk: Desk, mails: Sequence[MessageId], enrolments: Sequence[EnrolmentId]) -> list[datetime]:
    """When everything is due."""
    return [desk.world.row(one).due_at for one in mails] + [desk.actions(one)[0][1] for one in enrolments]


# --- whatever the size -------------------------------------------------------------------------------------------


def test_pausing_writes_one_row_and_resuming_a_constant_number_of_statements(desk: Desk):
    """Broken, the button that stops a large campaign would take minutes, in which it goes on sending."""
    numbers: list[tuple[int, ...]] = []
    sent: list[str] = []
    event.listen(desk.world.database.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    for more in (1, 40):
        for _ in range(more):
            desk.active(wait=HOUR)
            desk.queued()
        used: list[int] = []
        for policy in ResumePolicy:
            sent.clear()
            desk.campaigns.pause(desk.scene.campaign_id)
            used.append(len(sent))
            sent.clear()
            desk.campaigns.preview_resume(desk.scene.campaign_id)
            desk.campaigns.resume(desk.scene.campaign_id, policy)
            used.append(len(sent))
        numbers.append(tuple(used))
    assert len(set(numbers)) == 1
    assert max(numbers[0][::2]) <= 4  # pausing
    assert max(numbers[0][1::2]) <= 15  # previewing and resuming


def test_a_large_campaign_starts_and_ends_in_parts(desk: Desk):
    """Broken, starting 100,000 enrolments would outlast the request, and roll back what it had done."""
    desk.drafts(2 * CHUNK + 1)
    with desk.world.database.worker() as conn:
        campaigns = tables.campaigns
        conn.execute(campaigns.update().values(status=CampaignStatus.DRAFT))
    # When the campaign is started, the first part is active at once,
    desk.campaigns.start(desk.scene.campaign_id)
    assert desk.counts() == {"active": CHUNK, "draft": CHUNK + 1}
    # and each part asks for the next, until none is left.
    for left in (1, 0):
        (asked,) = [one for one in desk.asked() if isinstance(one, CampaignMoved)]
        desk.world.execution.handle([asked, asked])  # a repeat changes nothing
        assert desk.counts().get("draft", 0) == left
    # When it is cancelled, all of them end the same way, though the hint is lost: the sweep finds them.
    desk.campaigns.cancel(desk.scene.campaign_id, "enough")
    assert desk.counts() == {"active": CHUNK + 1, "stopped": CHUNK}
    desk.asked()
    for _ in range(2):
        desk.world.execution.handle([Sweep()])
        desk.world.execution.handle([one for one in desk.asked() if isinstance(one, CampaignMoved)])
    assert desk.counts() == {"stopped": 2 * CHUNK + 1}


def test_drafts_of_a_paused_campaign_wait_for_its_resume(desk: Desk):
    """Broken, whom a large campaign had not reached when it was paused would never be written to."""
    desk.drafts(3)
    desk.paused(NOW, NOW + DAY)
    desk.world.execution.handle([CampaignMoved(campaign_id=desk.scene.campaign_id)])
    assert desk.counts() == {"draft": 3}
    desk.resume()
    desk.world.execution.handle([one for one in desk.asked() if isinstance(one, CampaignMoved)])
    assert desk.counts() == {"active": 3}


def test_after_a_resume_the_engine_is_woken_for_what_comes_next(desk: Desk, world: World):
    """Broken, what a resume has moved would wait for the hourly sweep."""
    desk.active(wait=HOUR)
    desk.paused(NOW, NOW + DAY)
    world.wakes()
    desk.resume()
    asked = desk.asked()
    assert [one.bucket for one in asked if isinstance(one, Wake)] == [bucket_of(world.now)]
    world.execution.handle(asked)
    moved = NOW + DAY + HOUR
    assert f"wake-{bucket_of(moved):%Y%m%dT%H%M}" in world.wakes()
