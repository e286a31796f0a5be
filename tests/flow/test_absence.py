"""Somebody is away: no campaign writes to them before they are back, and then each goes on where it stood."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from cadenza.core.clock import utc_now
from cadenza.core.messages import Grade, SignalKind, SignalReported
from local.world.mail import CapturedMail
from tests.flow.world import World

SPREE = "spreekargo.example"
LEYLA, PRIYA = f"leyla.arslan@{SPREE}", f"priya.nair@{SPREE}"
BACK = datetime(2026, 1, 27, 23, tzinfo=UTC)
"""Midnight in Berlin, where these people are."""
SLACK = timedelta(seconds=3)


def answers_automatically(flow: World, mail: CapturedMail, until: date | None, event_id: str) -> None:
    """What becomes of an out-of-office answer."""
    note = SignalReported(
        provider="inbound",
        provider_event_id=event_id,
        message_id=mail.message_id,  # type: ignore[arg-type] - text, as it stands in the mail
        kind=SignalKind.REPLIED,
        occurred_at=utc_now(),
        grade=Grade.MACHINE,
        grade_reasons=("out_of_office",),
        away_until=until,
    )
    flow.cloud.put("engagement-events", note.model_dump_json())
    flow.cloud.settle()


def test_an_absence_holds_a_person_over_two_campaigns_and_then_the_mails_go(flow: World) -> None:
    """Otherwise somebody on leave comes back to a row of reminders, or is never heard of again."""
    # Given two campaigns that have written to the same people, at once because the workspace wants no gap between them.
    flow.api.put("/v1/automation/settings", json={"contact_gap_s": 0}).raise_for_status()
    first, second = flow.campaign(SPREE), flow.campaign(SPREE)
    flow.cloud.pass_time(timedelta(minutes=10))
    away, here = flow.mails(LEYLA), flow.mails(PRIYA)
    assert (len(away), len(here)) == (2, 2)

    # When one of them answers the first that she is away for two weeks, and the second, vaguely, that she is away.
    answers_automatically(flow, away[0], date(2026, 1, 28), "note-1")
    answers_automatically(flow, away[1], None, "note-2")
    answers_automatically(flow, away[0], date(2026, 1, 28), "note-1")

    # Then neither campaign has moved, and the longer time counts.
    assert flow.enrolments()[LEYLA] == ("active", "intro", "")
    assert [row.until for row in flow.rows("SELECT until FROM holds")] == [BACK]

    # And the reminders that are due in two days go to whoever is there, and wait for whoever is not.
    flow.cloud.pass_time(timedelta(days=3))
    assert (len(flow.mails(LEYLA)), len(flow.mails(PRIYA))) == (2, 4)
    flow.cloud.pass_time(BACK - utc_now() - timedelta(minutes=1))
    assert len(flow.mails(LEYLA)) == 2
    flow.check()

    # And they leave when she is back, one of each campaign, and the campaigns end as they should.
    flow.cloud.pass_time(timedelta(minutes=2))
    reminders = flow.mails(LEYLA)[2:]
    assert len(reminders) == 2
    assert all(timedelta(0) <= mail.captured_at - BACK < SLACK for mail in reminders)
    flow.cloud.run()
    assert [flow.status(campaign_id) for campaign_id in (first, second)] == ["completed", "completed"]
    flow.check()
