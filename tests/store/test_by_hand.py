"""Contacts that an operator puts into a campaign, beside its leads: never twice, whoever is faster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from cadenza.campaigns.by_hand import Placed
from cadenza.core import jobs
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, InvalidInput, NotFound, Retryable
from cadenza.core.ids import CampaignId, ContactId, new_id
from cadenza.core.states import CampaignStatus, JobStatus
from cadenza.engine.apply import apply
from cadenza.engine.model import Halt
from tests.store.builders import NOW, add_contact, add_scene
from tests.store.drafting import KEY, Desk, another_plan, desk
from tests.store.test_approval import EACH, FIRST_ONE, RELEASED, WAITS

ROUNDS = 5


@pytest.fixture
def office(database: Database, database_url: URL) -> Iterator[Desk]:
    """A running campaign whose plans go by themselves."""
    with desk(database, database_url) as made:
        yield made


def stranger(office: Desk, **given: Any) -> ContactId:
    """Somebody who was added by hand, without a site."""
    with office.database.worker() as conn:
        return add_contact(conn, office.scene.workspace_id, **given)


def outcomes(office: Desk, *contacts: ContactId, plan: dict[str, Any] | None = None) -> list[Placed]:
    """Enrol them; what became of each."""
    return [placement.outcome for placement in office.by_hand.enrol(office.campaign_id, contacts, plan)]


def test_somebody_without_a_site_gets_a_campaign(office: Desk):
    """Broken, a person whom an operator knows could not be written to, because no crawler has found them."""
    # Given a contact who was added by hand, put into the campaign.
    contact_id = stranger(office, email="ida@north-quay.example")
    assert outcomes(office, contact_id) == [Placed.QUEUED]
    (wanted,) = office.post.sent
    assert (wanted.contact_id, wanted.campaign_id) == (contact_id, office.campaign_id)
    # When the plan function does what the message asks for.
    office.enrolling.handle(wanted)
    # Then the campaign has begun for them, in words that claim nothing about a site that nobody has read.
    ((enrolment_id, source),) = office.rows("""
        SELECT e.id, p.source FROM contact_campaigns e JOIN campaign_plans p ON p.id = e.plan_id
    """)
    assert (office.stand(enrolment_id), source) == (RELEASED, "offline")
    ((plan,),) = office.rows("SELECT plan FROM campaign_plans WHERE source = 'offline'")
    intro = plan["nodes"][0]
    assert intro["subject"] == "A question for North Quay"
    assert "site" not in intro["body"]
    # And the campaign, which has no lead at all, completes when they have.
    assert office.status() == "running"
    with office.database.worker() as conn:
        apply(conn, [(enrolment_id, Halt(NOW, "stopped", "by the test"))], NOW)
    office.enrolling.engine.complete(None)
    assert office.status() == "completed"
    office.check()


def test_each_contact_is_answered_for(office: Desk, database: Database):
    """Broken, one who must not be written to would keep the others out, or nobody would know who was left out."""
    # Given one of each kind.
    (enrolled,) = office.contacts()
    office.enrolling.handle(office.order(enrolled))
    (ordered,) = office.contacts()
    office.order(ordered)
    with database.worker() as conn:
        suppressed = add_contact(conn, office.scene.workspace_id, email="no@acme.example")
        conn.execute(
            text("""
                INSERT INTO suppressions (id, workspace_id, channel, address, reason, source, created_at)
                VALUES (:id, :workspace_id, 'email', 'no@acme.example', 'manual', 'api', :now)
            """),
            {"id": new_id(), "workspace_id": office.scene.workspace_id, "now": NOW},
        )
        foreign = add_contact(conn, add_scene(conn).workspace_id)
        conn.execute(text("""UPDATE automation_settings SET country_policy = '{"countries": {"DE": "refused"}}'"""))
    german, nobody = stranger(office, country="DE"), ContactId(new_id())
    by_phone, fresh = stranger(office, email=None, phone="+4930123456"), stranger(office)
    # When all are named, one of them twice.
    found = outcomes(office, enrolled, ordered, suppressed, foreign, german, nobody, by_phone, fresh, fresh)
    # Then each has one answer, and a plan is ordered for who can have one.
    assert found == [
        Placed.ALREADY_ENROLLED,
        Placed.QUEUED,
        Placed.SUPPRESSED,
        Placed.UNKNOWN,
        Placed.REFUSED,
        Placed.UNKNOWN,
        Placed.NO_ADDRESS,
        Placed.QUEUED,
    ]
    assert [message.contact_id for message in office.post.sent] == [fresh], "what is on order is not ordered again"


@pytest.mark.parametrize("settings", [EACH, FIRST_ONE])
def test_a_plan_of_ones_own_goes_at_once(database: Database, database_url: URL, settings: dict[str, Any]):
    """Broken, an operator would wait for a model, and for their own approval, to send what they have written."""
    with desk(database, database_url, settings=settings) as office:
        # Given people whose plan is being made, failed, or was never asked for.
        (ordered,), failed, fresh = office.contacts(), stranger(office), stranger(office)
        message = office.order(ordered)
        with database.worker() as conn:
            work = jobs.planning(office.scene.workspace_id, office.campaign_id, failed)
            jobs.record(conn, [work], JobStatus.FAILED, "the model is away", NOW)
        # When an operator enrols them with a plan.
        found = outcomes(office, ordered, failed, fresh, plan=another_plan())
        # Then it has begun for each, no model is asked, and the ledger says whose plan it is.
        assert found == [Placed.ENROLLED] * 3
        ids = [row[0] for row in office.rows("SELECT id FROM contact_campaigns")]
        assert {office.stand(each) for each in ids} == {RELEASED}
        office.enrolling.handle(message)
        assert (office.planner.asked, office.post.sent) == ([], [])
        ledger = office.rows("SELECT status, reason, result ->> 'source', result ->> 'by' FROM jobs")
        assert ledger == [("COMPLETED", "", "operator", str(KEY))] * 3
        # And the first plan that a machine makes is looked at as before.
        (planned,) = office.planned()
        assert office.stand(planned) == WAITS
        assert outcomes(office, fresh, plan=another_plan()) == [Placed.ALREADY_ENROLLED]
        office.check()


def test_a_plan_of_ones_own_begins_with_its_campaign(database: Database, database_url: URL):
    """Broken, mails would leave before the campaign that they belong to has been started."""
    with desk(database, database_url, status=CampaignStatus.DRAFT) as office:
        contact_id = stranger(office)
        (placement,) = office.by_hand.enrol(office.campaign_id, [contact_id], another_plan())
        assert placement.enrolment_id is not None
        assert office.stand(placement.enrolment_id) == ("draft", "not_needed", 0)
        office.campaigns.start(office.campaign_id)
        assert office.stand(placement.enrolment_id) == RELEASED


def test_a_plan_with_errors_enrols_nobody(office: Desk):
    """Broken, half of the people would be enrolled in a plan that cannot run."""
    with pytest.raises(InvalidInput) as refused:
        outcomes(office, stranger(office), plan=another_plan() | {"startNodeId": "nowhere"})
    assert [problem.pointer for problem in refused.value.problems] == ["/plan/startNodeId"]
    assert office.rows("SELECT count(*) FROM jobs") == [(0,)]


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.SKIPPED])
def test_what_failed_or_was_skipped_is_taken_up_again(office: Desk, status: JobStatus):
    """Broken, one bad hour of a model, or a shared mailbox, would shut somebody out of a campaign for ever."""
    (contact_id,) = office.contacts()
    work = jobs.planning(office.scene.workspace_id, office.campaign_id, contact_id)
    with office.database.worker() as conn:
        jobs.record(conn, [work], status, "the model is away", NOW)
        conn.execute(text("UPDATE jobs SET attempts_made = 3"))
    assert outcomes(office, contact_id) == [Placed.QUEUED]
    assert office.rows("SELECT status, reason, attempts_made, finished_at FROM jobs") == [("QUEUED", "", 0, None)]
    office.enrolling.handle(office.post.sent[0])
    assert office.rows("SELECT status FROM jobs") == [("COMPLETED",)]
    assert outcomes(office, contact_id) == [Placed.ALREADY_ENROLLED]


def test_an_ended_campaign_takes_nobody_in(office: Desk):
    """Broken, somebody would wait for a campaign that is over."""
    contact_id = stranger(office)
    with pytest.raises(NotFound):
        office.by_hand.enrol(CampaignId(new_id()), [contact_id], None)
    office.campaigns.cancel(office.campaign_id)
    with pytest.raises(Conflict):
        outcomes(office, contact_id)


# --- at once -----------------------------------------------------------------------------------------------------


def at_once(*acts: Callable[[], object]) -> None:
    """Do all of it on threads that begin together; what one of them raises is raised."""
    ready, failures = threading.Barrier(len(acts)), list[BaseException]()

    def run(act: Callable[[], object]) -> None:
        ready.wait()
        try:
            act()
        except BaseException as failure:  # noqa: BLE001 - raised below
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for failure in failures:
        raise failure


@pytest.mark.parametrize("plan", [None, another_plan()], ids=["a plan on order", "a plan of one's own"])
def test_by_hand_and_by_itself_at_once_makes_one(office: Desk, plan: dict[str, Any] | None):
    """Broken, somebody would get two campaigns' mails because an operator and an analysis were equally fast."""
    for _ in range(ROUNDS):
        contacts = office.contacts(3)
        office.post.sent.clear()

        def by_itself(contacts: list[ContactId] = contacts) -> None:
            for contact_id in contacts:
                office.enrolling.handle(office.order(contact_id))

        def by_hand(contacts: list[ContactId] = contacts) -> None:
            office.by_hand.enrol(office.campaign_id, [*reversed(contacts)], plan)
            for message in list(office.post.sent):
                office.enrolling.handle(message)

        def busy(act: Callable[[], None]) -> Callable[[], None]:
            """As a queue does: what somebody else has in hand comes again."""

            def run() -> None:
                for _ in range(50):
                    try:
                        return act()
                    except Retryable:
                        continue
                return None

            return run

        at_once(busy(by_itself), busy(by_hand), busy(by_hand))
        made = office.rows(
            """
            SELECT (SELECT count(*) FROM contact_campaigns e WHERE e.contact_id = k.id),
                   (SELECT count(*) FROM jobs j WHERE j.contact_id = k.id AND j.kind = 'planning'),
                   (SELECT count(*) FROM scheduled_actions a JOIN contact_campaigns e ON e.id = a.enrolment_id
                    WHERE e.contact_id = k.id)
            FROM contacts k WHERE k.id = ANY(:ids)
            """,
            ids=contacts,
        )
        assert made == [(1, 1, 1)] * 3
    office.check()
