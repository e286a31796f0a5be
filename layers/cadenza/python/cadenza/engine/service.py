"""What the execute function does: run due actions, answer wakes, sweep up what was lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.ids import CampaignId, EnrolmentId
from cadenza.core.states import CAMPAIGN_ENDED, CampaignStatus
from cadenza.engine import actions, following, store
from cadenza.engine.apply import SOON, FollowUp, apply_locked
from cadenza.engine.completion import complete_campaigns
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.model import Due, Halt, Stimulus
from cadenza.engine.wakes import BUCKET

LOST_AFTER = timedelta(minutes=20)
"""An enqueued action this long overdue has lost its hint: the queue's longest delay plus its retries."""
SWEEP_HORIZON = timedelta(hours=2)
"""The sweep renews the wakes of this far ahead: longer than its own period, so that a lost wake costs no delay."""


class Engine:
    """Drives enrolments by time."""

    def __init__(self, database: Database, dispatcher: Dispatcher, clock: Clock) -> None:
        """``clock`` is read once a use case."""
        self._database = database
        self._dispatcher = dispatcher
        self._clock = clock

    def run_due(self, action_ids: Sequence[int], correlation_id: str = "") -> None:
        """Run those of the actions that are still live. Safe to repeat, early and late."""
        now = self._clock()
        with self._database.worker() as conn:
            enrolments = store.lock(conn, actions.enrolments_of(conn, action_ids), now)
            stimuli: list[tuple[EnrolmentId, Stimulus]] = []
            early: list[actions.DueAction] = []
            waiting: list[int] = []
            for action in actions.live_actions(conn, action_ids):
                status = enrolments[action.enrolment_id].campaign_status
                if status in CAMPAIGN_ENDED:
                    halt = Halt(now, cause=f"campaign_{status}", reason=f"campaign {status}")
                    stimuli.append((action.enrolment_id, halt))
                elif status is not CampaignStatus.RUNNING:
                    waiting.append(action.id)
                elif action.due_at > now:
                    early.append(actions.DueAction(action.id, action.due_at))
                else:
                    due = Due(action.kind, action.node, action.visit, action.event, action.due_at)
                    stimuli.append((action.enrolment_id, due))
            if waiting:
                actions.put_back(conn, waiting)
            follow_up = apply_locked(conn, enrolments, stimuli, now) + FollowUp(actions=tuple(early))
        self.finish(follow_up, correlation_id)

    def wake(self, bucket: datetime) -> None:
        """Claim and enqueue everything due in ``bucket`` (and whatever pending is overdue)."""
        self._claim(bucket + BUCKET)

    def sweep(self) -> None:
        """Re-drive what was enqueued but never ended, claim what is due soon, renew the wakes ahead, complete.

        Runs hourly; nothing depends on it but what some failure lost.
        """
        now = self._clock()
        self._claim(now + SOON)
        with self._database.worker() as conn:
            lost = actions.reclaim_lost(conn, now - LOST_AFTER, now)
            ahead = actions.pending_dues(conn, now + SWEEP_HORIZON)
            behind = following.left_behind(conn)
        self._dispatcher.dispatch(FollowUp(actions=lost), now)
        self._dispatcher.renew(ahead, now)
        self._dispatcher.follow(behind)
        self.complete(None)

    def follow(self, campaign_id: CampaignId, correlation_id: str = "") -> None:
        """Let a part of the campaign's enrolments follow it, and ask for the next part; at last, renew its wakes."""
        now = self._clock()
        with self._database.worker() as conn:
            followed = following.follow(conn, campaign_id, now)
            ahead = () if followed.more else following.pending_dues(conn, campaign_id)
        self.finish(followed.follow_up, correlation_id)
        self._dispatcher.renew(ahead, now)
        if followed.more:
            self._dispatcher.follow([campaign_id], correlation_id)

    def finish(self, follow_up: FollowUp, correlation_id: str = "") -> None:
        """After a commit: dispatch, and complete the campaigns of which everything is final."""
        self._dispatcher.dispatch(follow_up, self._clock(), correlation_id)
        if follow_up.campaigns:
            self.complete(sorted(follow_up.campaigns))

    def complete(self, campaigns: Sequence[CampaignId] | None) -> None:
        """Complete those of the running campaigns (None: of all) that are done (I4)."""
        with self._database.worker() as conn:
            complete_campaigns(conn, campaigns, self._clock())

    def _claim(self, until: datetime) -> None:
        while True:
            now = self._clock()
            with self._database.worker() as conn:
                claimed = actions.claim_due(conn, until, now)
            self._dispatcher.dispatch(FollowUp(actions=claimed), now)
            if len(claimed) < actions.CLAIM_LIMIT:
                return
