"""Plans that are looked at first, on real Postgres: planned as the plan function does, decided as the API's role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from cadenza.campaigns import preview
from cadenza.campaigns.approval import Decided
from cadenza.campaigns.consent import Suppressions
from cadenza.campaigns.erasure import Erasure
from cadenza.campaigns.explain import explain
from cadenza.campaigns.migration import Migrations
from cadenza.campaigns.migration_model import WantedMigration
from cadenza.campaigns.personal_data import personal_data
from cadenza.campaigns.timeline import EntryKind, timeline
from cadenza.contacts.suppressions import Suppressed
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, InvalidInput, NotFound, Overtaken
from cadenza.core.ids import EnrolmentId, new_id
from cadenza.core.states import (
    APPROVAL_GIVEN,
    APPROVAL_MOVES,
    Approval,
    ApprovalMode,
    CampaignStatus,
    SuppressionChannel,
)
from cadenza.engine.apply import apply
from cadenza.engine.model import Enrol
from cadenza.planning.findings import Severity
from tests.store import drafting
from tests.store.builders import NOW
from tests.store.drafting import KEY, Desk, another_plan
from tests.store.test_engine import counted

EACH = {"approval_mode": ApprovalMode.REVIEW_EACH}
FIRST_TWO = {"approval_mode": ApprovalMode.REVIEW_FIRST, "approval_first_n": 2}
WAITS = ("draft", "wanted", 0)
GOES = ("active", "approved", 1)
RELEASED = ("active", "not_needed", 1)

Open = Callable[..., Desk]


@pytest.fixture
def opened(database: Database, database_url: URL) -> Iterator[Open]:
    """Opens a desk: ``settings`` are the workspace's, all else the campaign's."""
    open_ones: list[Any] = []

    def open_desk(**given: Any) -> Desk:
        made = drafting.desk(database, database_url, **given)
        open_ones.append(made)
        return made.__enter__()

    yield open_desk
    for made in open_ones:
        made.__exit__(None, None, None)


# --- who is asked ------------------------------------------------------------------------------------------------

AUTOMATIC: dict[str, Any] = {"approval_mode": ApprovalMode.AUTOMATIC}
FIRST_ONE: dict[str, Any] = {"approval_mode": ApprovalMode.REVIEW_FIRST, "approval_first_n": 1}


@pytest.mark.parametrize(
    ("settings", "campaign", "needed"),
    [
        ({}, {}, 0),
        (AUTOMATIC, EACH, float("inf")),
        (EACH, AUTOMATIC, float("inf")),
        (FIRST_ONE, {}, 1),
        (FIRST_ONE, FIRST_TWO, 2),
        (FIRST_TWO, FIRST_ONE, 2),
        (FIRST_ONE, EACH, float("inf")),
        (EACH, FIRST_ONE, float("inf")),
    ],
)
def test_of_two_modes_the_stricter_holds(opened: Open, settings: Any, campaign: Any, needed: float):
    """Broken, whoever may create a campaign could send what an admin wants looked at first."""
    desk = opened(settings=settings, **campaign)
    # When as many plans as are needed are approved, the next one goes by itself; never, where each is looked at.
    for _ in range(2 if needed == float("inf") else int(needed)):
        (enrolment_id,) = desk.planned()
        assert desk.stand(enrolment_id) == WAITS
        desk.approvals.approve(enrolment_id)
    (last,) = desk.planned()
    assert desk.stand(last) == (WAITS if needed == float("inf") else RELEASED)
    desk.check()


def test_nothing_goes_before_it_is_approved(opened: Open):
    """Broken, what was to be looked at would have been sent by the time somebody looks."""
    # Given a plan that has been made.
    desk = opened(settings=EACH)
    (enrolment_id,) = desk.planned()
    # Then it waits, and the ledger says so; nothing is on its way.
    assert desk.stand(enrolment_id) == WAITS
    assert desk.job(enrolment_id) == ("COMPLETED", "wanted", "")
    assert not any(follow_up.actions for follow_up in desk.noted.follow_ups)
    # When it is approved, it goes, and everybody can see who let it.
    desk.approvals.approve(enrolment_id, desk.hash_of(enrolment_id))
    assert desk.stand(enrolment_id) == GOES
    assert desk.job(enrolment_id) == ("COMPLETED", "approved", "")
    assert [len(follow_up.actions) for follow_up in desk.noted.follow_ups][-1] == 1
    with desk.database.worker() as conn:
        (decided,) = [entry for entry in timeline(conn, enrolment_id) if entry.kind is EntryKind.DECIDED]
    assert (decided.detail["act"], decided.detail["key_id"]) == ("approved", str(KEY))
    # And again changes nothing.
    desk.approvals.approve(enrolment_id)
    assert desk.stand(enrolment_id) == GOES
    desk.check()


def test_the_rest_go_once_the_first_are_approved(opened: Open):
    """Broken, a review of the first few would be worthless, because the others went meanwhile; or they never would."""
    desk = opened(**FIRST_TWO)
    one, two, three, four, five = desk.planned(5)
    assert {desk.stand(each) for each in (one, two, three, four, five)} == {WAITS}
    # A rejected one does not count: it is good plans that make the rest trustworthy.
    desk.approvals.approve(one)
    desk.approvals.reject(two, "too pushy")
    assert [desk.stand(each) for each in (three, four, five)] == [WAITS] * 3
    # When the second is approved, whichever it is, all that waits goes, and what comes after it.
    desk.approvals.approve(four)
    assert [desk.stand(each) for each in (one, four)] == [GOES] * 2
    assert [desk.stand(each) for each in (three, five)] == [RELEASED] * 2
    assert desk.stand(two) == ("stopped", "rejected", 0)
    assert desk.job(three) == ("COMPLETED", "not_needed", "")
    (six,) = desk.planned()
    assert desk.stand(six) == RELEASED
    desk.approvals.approve(five)  # somebody who still has it on the screen
    assert desk.stand(five) == RELEASED
    log = desk.rows("SELECT act, key_id, reason FROM approval_log WHERE enrolment_id = :id", id=three)
    assert log == [("released", None, "the first 2 of the campaign are approved")]
    desk.check()


def test_a_milder_mode_does_not_let_go_what_waits(opened: Open):
    """Broken, a change of settings would send mails that somebody was still to look at."""
    desk = opened(settings=EACH)
    one, two = desk.planned(2)
    with desk.database.worker() as conn:
        conn.execute(text("UPDATE automation_settings SET approval_mode = 'automatic'"))
    (three,) = desk.planned()
    desk.approvals.approve(one)
    assert [desk.stand(each) for each in (one, two, three)] == [GOES, WAITS, RELEASED]


# --- what does not begin it --------------------------------------------------------------------------------------


def test_a_start_begins_what_is_approved_only(opened: Open):
    """Broken, starting a campaign would send what nobody has looked at."""
    # Given drafts of a campaign that has not begun: one approved, one not.
    desk = opened(settings=EACH, status=CampaignStatus.DRAFT)
    approved, waits = desk.planned(2)
    desk.approvals.approve(approved)
    assert desk.stand(approved) == ("draft", "approved", 0)
    # When it starts, pauses and resumes.
    desk.campaigns.start(desk.campaign_id)
    desk.campaigns.pause(desk.campaign_id)
    desk.campaigns.resume(desk.campaign_id)
    # Then only the approved one has begun; the other does when somebody says so, even during a pause.
    assert [desk.stand(each) for each in (approved, waits)] == [GOES, WAITS]
    desk.campaigns.pause(desk.campaign_id)
    desk.approvals.approve(waits)
    assert desk.stand(waits) == GOES
    desk.check()


def test_neither_the_engine_nor_the_database_begins_it(opened: Open):
    """Broken, the next piece of code that begins enrolments could forget to ask."""
    desk = opened(settings=EACH)
    (enrolment_id,) = desk.planned()
    with desk.database.worker() as conn:
        assert apply(conn, [(enrolment_id, Enrol())], NOW).actions == ()
    assert desk.stand(enrolment_id) == WAITS
    with pytest.raises(DBAPIError, match="asked_first"), desk.database.worker() as conn:
        conn.execute(text("UPDATE contact_campaigns SET status = 'active' WHERE id = :id"), {"id": enrolment_id})


def test_a_migrated_draft_waits_on(opened: Open):
    """Broken, a draft could be let go by moving it to another version, or an approval be for another plan."""
    desk = opened(settings=EACH)
    (enrolment_id,) = desk.planned()
    seen = desk.hash_of(enrolment_id)
    migrations = Migrations(desk.api, desk.noted, desk.scene.workspace_id, lambda: NOW)
    wanted = WantedMigration(plan=another_plan())
    migrations.migrate(desk.campaign_id, wanted, migrations.preview(desk.campaign_id, wanted).token)
    assert desk.stand(enrolment_id) == WAITS
    with pytest.raises(Conflict) as refused:
        desk.approvals.approve(enrolment_id, seen)
    assert [problem.pointer for problem in refused.value.problems] == ["/plan_hash"]
    desk.approvals.approve(enrolment_id, desk.hash_of(enrolment_id))
    assert desk.stand(enrolment_id) == GOES


def test_a_draft_says_what_it_waits_for(opened: Open):
    """Broken, nobody would know that a campaign stands still because of themselves."""
    desk = opened(settings=EACH)
    (enrolment_id,) = desk.planned()
    with desk.database.worker() as conn:
        told = explain(conn, enrolment_id, NOW)
    assert told is not None
    assert [(block.gate, block.reason, block.clears_at) for block in told.blocked_by] == [
        ("approval", "it waits for approval", None)
    ]
    assert (told.will_send_node, told.will_send_at, told.will_send_why) == ("intro", None, ("it waits for approval",))


# --- how it ends -------------------------------------------------------------------------------------------------


def test_a_rejected_draft_ends_with_its_reason_and_then_its_campaign(opened: Open):
    """Broken, a campaign would wait for ever for what nobody wants, or nobody would know why it was not sent."""
    desk = opened(settings=EACH)
    (enrolment_id,) = desk.planned()
    assert desk.status() == "running", "what waits keeps it open (I4)"
    desk.approvals.reject(enrolment_id, "wrong person")
    assert desk.stand(enrolment_id) == ("stopped", "rejected", 0)
    assert desk.rows("SELECT reason FROM contact_campaigns") == [("wrong person",)]
    assert desk.job(enrolment_id) == ("COMPLETED", "rejected", "rejected: wrong person")
    assert desk.status() == "completed"
    desk.approvals.reject(enrolment_id, "wrong person")
    with pytest.raises(Conflict):
        desk.approvals.approve(enrolment_id)
    desk.check()


def test_a_rejection_says_why_and_comes_in_time(opened: Open):
    """Broken, nobody would learn from what was rejected, or somebody would believe to have stopped what has left."""
    desk = opened(settings=EACH)
    (enrolment_id,) = desk.planned()
    with pytest.raises(InvalidInput) as refused:
        desk.approvals.reject(enrolment_id, "")
    assert [problem.pointer for problem in refused.value.problems] == ["/reason"]
    desk.approvals.approve(enrolment_id)
    with pytest.raises(Conflict):
        desk.approvals.reject(enrolment_id, "too late")
    with pytest.raises(NotFound):
        desk.approvals.reject(EnrolmentId(new_id()), "nobody")


def test_a_cancelled_campaign_has_no_drafts(opened: Open):
    """Broken, an approval would revive what was ended."""
    desk = opened(settings=EACH)
    (enrolment_id,) = desk.planned()
    desk.campaigns.cancel(desk.campaign_id)
    with pytest.raises(Conflict):
        desk.approvals.approve(enrolment_id)
    assert desk.stand(enrolment_id) == ("stopped", "wanted", 0)
    desk.check()


def test_whoever_says_no_meanwhile_is_not_written_to(opened: Open):
    """Broken, an approval would reach a person who has opted out while the draft waited."""
    desk = opened(settings=EACH)
    (enrolment_id,) = desk.planned()
    ((email,),) = desk.rows("SELECT email FROM contacts")
    suppressions = Suppressions(desk.api, desk.noted, desk.scene.workspace_id, KEY, lambda: NOW)
    suppressions.suppress(Suppressed(channel=SuppressionChannel.EMAIL, address=email))
    with pytest.raises(Conflict):
        desk.approvals.approve(enrolment_id)
    assert desk.stand(enrolment_id) == ("stopped", "wanted", 0)


# --- changes -----------------------------------------------------------------------------------------------------


def test_a_draft_is_changed_and_then_approved(opened: Open):
    """Broken, whoever reviews could only take a plan or leave it."""
    desk = opened(settings=EACH)
    (enrolment_id,) = desk.planned()
    seen = desk.hash_of(enrolment_id)
    findings = desk.approvals.edit(enrolment_id, another_plan("FREE!!! Act now"), frozenset({seen}))
    # Then people may write what they like, and are told what a machine would be refused for.
    assert {str(finding.code) for finding in findings} >= {"spam_phrase"}
    assert {finding.severity for finding in findings} <= {Severity.WARNING, Severity.NOTE}
    # And what is approved is what is there now.
    with pytest.raises(Conflict):
        desk.approvals.approve(enrolment_id, seen)
    desk.approvals.approve(enrolment_id, desk.hash_of(enrolment_id))
    assert desk.stand(enrolment_id) == GOES
    with desk.database.worker() as conn:
        shown = preview.preview_all(conn, enrolment_id, "https://go.nordlicht.example", NOW)
        acts = [entry.detail["act"] for entry in timeline(conn, enrolment_id) if entry.kind is EntryKind.DECIDED]
    assert shown[0].composed is not None
    assert shown[0].composed.mail.subject == "FREE!!! Act now"
    assert acts == ["edited", "approved"]
    assert desk.rows("SELECT source FROM campaign_plans WHERE hash = :h", h=desk.hash_of(enrolment_id)) == [
        ("operator",)
    ]


def test_of_two_who_change_it_the_second_is_told(opened: Open):
    """Broken, one person's words would vanish under another's."""
    desk = opened(settings=EACH)
    (enrolment_id,) = desk.planned()
    seen = frozenset({desk.hash_of(enrolment_id)})
    desk.approvals.edit(enrolment_id, another_plan("Mine"), seen)
    with pytest.raises(Overtaken):
        desk.approvals.edit(enrolment_id, another_plan("Yours"), seen)
    with pytest.raises(Overtaken):
        desk.approvals.edit(enrolment_id, another_plan("Yours"), None)
    desk.approvals.edit(enrolment_id, another_plan("Yours, knowingly"), frozenset())
    assert desk.rows("SELECT count(*) FROM approval_log") == [(2,)]


def test_a_plan_with_errors_is_refused_and_nothing_changes(opened: Open):
    """Broken, a typing error would make a draft that can never be sent."""
    desk = opened(settings=EACH)
    (enrolment_id,) = desk.planned()
    before = desk.hash_of(enrolment_id)
    with pytest.raises(InvalidInput) as refused:
        desk.approvals.edit(enrolment_id, another_plan() | {"startNodeId": "nowhere"}, frozenset({before}))
    assert [problem.pointer for problem in refused.value.problems] == ["/plan/startNodeId"]
    assert desk.hash_of(enrolment_id) == before


def test_what_was_approved_and_then_changed_is_looked_at_again(opened: Open):
    """Broken, an approval could be had for one plan and used for another."""
    desk = opened(settings=EACH, status=CampaignStatus.DRAFT)
    (enrolment_id,) = desk.planned()
    desk.approvals.approve(enrolment_id)
    desk.approvals.edit(enrolment_id, another_plan(), frozenset())
    assert desk.stand(enrolment_id) == WAITS
    desk.campaigns.start(desk.campaign_id)
    assert desk.stand(enrolment_id) == WAITS
    desk.approvals.approve(enrolment_id)
    with pytest.raises(Conflict):
        desk.approvals.edit(enrolment_id, another_plan("Too late"), frozenset())


# --- many at once ------------------------------------------------------------------------------------------------


def test_many_are_approved_in_as_many_statements_as_few(opened: Open):
    """Broken, a thousand drafts would take longer than a request may."""
    desk = opened(settings=EACH)
    few, many = desk.planned(2), desk.planned(12)
    with counted(desk.api) as for_few:
        desk.approvals.approve_many(desk.campaign_id, few)
    with counted(desk.api) as for_many:
        answer = desk.approvals.approve_many(desk.campaign_id, None)
    assert len(for_many) == len(for_few)
    assert [item.enrolment_id for item in answer.items] == sorted(many)
    assert {desk.stand(each) for each in (*few, *many)} == {GOES}
    desk.check()


def test_each_of_many_is_answered_for(opened: Open):
    """Broken, one draft that has ended would keep all others from going, or nobody would know which did not."""
    desk = opened(settings=EACH)
    fresh, approved, rejected, waits = desk.planned(4)
    desk.approvals.approve(approved)
    desk.approvals.reject(rejected, "no")
    nobody = EnrolmentId(new_id())
    answer = desk.approvals.approve_many(desk.campaign_id, [fresh, approved, rejected, nobody, fresh])
    assert [(item.enrolment_id, item.outcome) for item in answer.items] == [
        (fresh, Decided.APPROVED),
        (approved, Decided.APPROVED_BEFORE),
        (rejected, Decided.ENDED),
        (nobody, Decided.UNKNOWN),
    ]
    assert (answer.released, answer.waiting) == (0, 1)
    assert desk.stand(waits) == WAITS
    with pytest.raises(InvalidInput):
        desk.approvals.approve_many(desk.campaign_id, [])


# --- people's rights ---------------------------------------------------------------------------------------------


def test_nothing_of_a_draft_is_left_of_an_erased_person(opened: Open):
    """Broken, somebody's name would live on in a draft that was changed, or in the reason why it was rejected."""
    # Given a draft that was written anew twice, so that two plans are nobody's any more.
    desk = opened(settings=EACH)
    (contact_id,) = desk.contacts(name="Hedy Lamarr", first_name="Hedy", last_name="Lamarr")
    desk.enrolling.handle(desk.order(contact_id))
    ((enrolment_id,),) = desk.rows("SELECT id FROM contact_campaigns")
    desk.approvals.edit(enrolment_id, another_plan("For Hedy Lamarr"), frozenset())
    desk.approvals.edit(enrolment_id, another_plan("For Hedy Lamarr again"), frozenset())
    desk.approvals.reject(enrolment_id, "Hedy Lamarr knows us")
    with desk.database.worker() as conn:
        told = personal_data(conn, contact_id)
    assert told is not None
    assert (len(told.plans), len(told.approvals)) == (3, 3)
    # When she is erased.
    Erasure(desk.api, desk.noted, desk.scene.workspace_id, KEY, lambda: NOW).erase(contact_id)
    # Then no plan and no reason names her.
    plans = desk.rows("SELECT CAST(plan AS text) FROM campaign_plans")
    assert not [plan for (plan,) in plans if "Hedy" in plan]
    assert not [reason for (reason,) in desk.rows("SELECT reason FROM approval_log") if "Hedy" in reason]
    assert not [reason for (reason,) in desk.rows("SELECT reason FROM jobs") if "Hedy" in reason]


def test_every_state_of_approval_can_be_left_as_the_table_says():
    """Broken, a move that nobody has thought of would be possible."""
    assert set(APPROVAL_MOVES) == set(Approval)
    assert not {Approval.WANTED, Approval.REJECTED} & set(APPROVAL_GIVEN)
