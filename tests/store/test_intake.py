"""Fully automated campaigns take people by themselves: each once, whatever happens at the same time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, cast

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from cadenza.campaigns import intake_store
from cadenza.campaigns.assigning import PASS_SIZE, Assigning, one_pass
from cadenza.campaigns.automation import Automation, WantedBatch
from cadenza.core.db import Database
from cadenza.core.errors import Postponed
from cadenza.core.ids import CampaignId, ContactId, LeadId
from cadenza.core.messages import IntakeWanted, Message, PlanWanted
from cadenza.core.states import CampaignStatus, CampaignType
from cadenza.engine.apply import apply
from cadenza.engine.model import Halt
from tests.store.builders import NOW, add_campaign, add_contact, add_enrolment, add_lead
from tests.store.drafting import BRIEF, KEY, Desk, desk
from tests.store.reacting import in_turn
from tests.store.test_by_hand import at_once
from tests.unit.properties import LONG

ROUNDS = 40 if LONG else 6
LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def office(database: Database, database_url: URL) -> Iterator[Desk]:
    """A workspace whose one campaign takes people by itself."""
    with desk(database, database_url, type=CampaignType.FULLY_AUTOMATED) as made:
        yield made


def campaign(office: Desk, intake: dict[str, Any] | None = None, **given: Any) -> CampaignId:
    """One more, which is younger."""
    row = {"type": CampaignType.FULLY_AUTOMATED, "intake": intake or {}, "brief": BRIEF} | given
    with office.database.worker() as conn:
        return add_campaign(conn, office.scene.workspace_id, office.scene.sender_id, **row)


def people(office: Desk, *given: dict[str, Any], lead: dict[str, Any] | None = None) -> list[ContactId]:
    """New people of a new site."""
    with office.database.worker() as conn:
        lead_id = add_lead(conn, office.scene.workspace_id, **(lead or {}))
        defaults = {"created_at": LATER}
        return [add_contact(conn, office.scene.workspace_id, lead_id, **(defaults | one)) for one in given or ({},)]


def wanted(office: Desk, lead_id: LeadId | None = None) -> IntakeWanted:
    return IntakeWanted(workspace_id=office.scene.workspace_id, lead_id=lead_id)


def look(office: Desk, lead_id: LeadId | None = None) -> None:
    """One whole pass, as the plan function makes it."""
    service = Assigning(office.database, office.post, lambda: LATER)
    service.handle(wanted(office, lead_id))
    while following := [x for x in cast("list[Message]", office.post.sent) if isinstance(x, IntakeWanted)]:
        for one in following:
            office.post.sent.remove(one)  # type: ignore[arg-type]
            service.handle(one)


def plan(office: Desk, *orders: PlanWanted) -> None:
    """What the plan function does with them, once all of it is due."""
    for order in orders:
        replace(office.enrolling, clock=lambda: NOW + timedelta(hours=2)).handle(order)


def taken(office: Desk) -> dict[ContactId, set[CampaignId]]:
    """Who is planned for, and where."""
    found: dict[ContactId, set[CampaignId]] = {}
    for contact_id, campaign_id in office.rows("SELECT contact_id, campaign_id FROM jobs WHERE kind = 'planning'"):
        found.setdefault(contact_id, set()).add(campaign_id)
    return found


def automation(office: Desk) -> Automation:
    return Automation(office.api, office.post, office.scene.workspace_id, KEY, lambda: LATER)


def a_batch(**given: Any) -> WantedBatch:
    """Of all campaigns, as large as it may be."""
    return WantedBatch(**({"campaign_id": None, "limit": 100, "cursor": None, "dry_run": False} | given))


# --- who is taken ------------------------------------------------------------------------------------------------


def test_somebody_new_is_taken_once(office: Desk):
    """Broken, a fully automated campaign would write to nobody, or twice to the same person."""
    (contact_id,) = people(office)
    look(office)
    look(office)
    (order,) = office.post.sent
    assert (order.contact_id, order.campaign_id) == (contact_id, office.campaign_id)
    plan(office, order)
    look(office)
    assert taken(office) == {contact_id: {office.campaign_id}}
    assert office.rows("SELECT status FROM contact_campaigns") == [("active",)]
    office.check()


@pytest.mark.parametrize(
    ("intake", "takes"),
    [
        ({}, {"ada", "bo", "info"}),
        ({"countries": ["DE"]}, {"ada"}),
        ({"languages": ["fr"]}, {"bo"}),
        ({"kinds": ["generic"]}, {"info"}),
        ({"highest_role_rank": 2}, {"ada"}),
        ({"title_words": ["managing"]}, {"ada"}),
        ({"domains": ["north.example"]}, {"ada"}),
        ({"domains": ["example"]}, {"ada", "bo", "info"}),
        ({"sources": ["fair"]}, set[str]()),
        ({"least_fit": "medium"}, {"ada"}),
    ],
)
def test_the_filter_says_who(office: Desk, intake: dict[str, Any], takes: set[str]):
    """Broken, a campaign would write to people whom it was not meant for, or leave out those it was."""
    with office.database.worker() as conn:
        conn.execute(text("UPDATE campaigns SET status = 'cancelled'"))
    campaign(office, intake)
    ada = {"title": "Managing Director", "role_rank": 1, "country": "DE", "email": "ada@north.example"}
    (one,) = people(office, ada, lead={"domain": "shop.north.example"})
    bo = {"title": "Engineer", "role_rank": 5, "country": "", "language": "fr", "email": "bo@south.example"}
    (other,) = people(office, bo, lead={"domain": "south.example"})
    (mailbox,) = people(office, {"kind": "generic", "role_rank": 100, "email": "info@w.example"})
    with office.database.worker() as conn:
        lead_id = conn.execute(text("SELECT lead_id FROM contacts WHERE id = :id"), {"id": one}).scalar_one()
        quotes = ("We deliver to small fleets on routes", "Our drivers know all delivery routes")
        claims = [{"topic": "product", "text": x, "page_url": "https://x.example", "quote": x} for x in quotes]
        conn.execute(
            text("""
                INSERT INTO lead_analyses (id, workspace_id, lead_id, input_hash, report, cost_usd_micros, created_at)
                SELECT id, workspace_id, id, 'x', CAST(:report AS jsonb), 0, now() FROM leads WHERE id = :id
            """),
            {"id": lead_id, "report": json.dumps({"domain": "shop.north.example", "claims": claims})},
        )
    look(office)
    names = {one: "ada", other: "bo", mailbox: "info"}
    assert {names[contact_id] for contact_id in taken(office)} == takes


def test_a_shared_mailbox_is_taken_where_the_site_names_nobody(office: Desk):
    """Broken, mails would go to info@ beside the people of a company, or companies without people got none."""
    mailbox = {"kind": "generic", "role_rank": 100}
    person, _ = people(office, {}, mailbox)
    (alone,) = people(office, mailbox)
    look(office)
    assert set(taken(office)) == {person, alone}


def test_who_may_not_be_written_to_is_never_taken(office: Desk):
    """Broken, plans would be paid for, and shown, for people who have said no."""
    no, dead, refused, by_phone = people(
        office,
        {"email": "no@acme.example"},
        {"address_check": "no_mx"},
        {"country": "FR"},
        {"email": None, "phone": "+4930123456"},
    )
    with office.database.worker() as conn:
        conn.execute(
            text("""
                INSERT INTO suppressions (id, workspace_id, channel, address, reason, source, created_at)
                SELECT gen_random_uuid(), id, 'email', 'no@acme.example', 'manual', 'api', now() FROM workspaces
            """)
        )
        conn.execute(text("""UPDATE automation_settings SET country_policy = '{"countries": {"FR": "refused"}}'"""))
    look(office)
    assert taken(office) == {}
    # And who may be again is taken by the next pass.
    with office.database.worker() as conn:
        conn.execute(text("DELETE FROM suppressions"))
    look(office)
    assert set(taken(office)) == {no}
    assert not {dead, refused, by_phone} & set(taken(office))


def test_who_was_there_before_the_campaign_is_not_new(office: Desk):
    """Broken, starting an automatic campaign would write to everybody whom the workspace has ever known."""
    (before,) = people(office, {"created_at": NOW - timedelta(days=1)})
    look(office)
    assert taken(office) == {}
    # Whoever asks for it gets them.
    (queued,) = automation(office).run(a_batch()).queued
    assert queued.contact_id == before


def test_a_site_that_is_not_read_yet_is_waited_for(office: Desk):
    """Broken, people would be written to by what is known of half of their site."""
    people(office, lead={"status": "crawling"})
    (named,) = people(office, lead={"status": "failed"})
    look(office)
    assert set(taken(office)) == {named}


def test_each_goes_to_one_campaign_unless_it_is_meant_otherwise(office: Desk):
    """Broken, one person would get the mails of all automatic campaigns at once."""
    younger = campaign(office)
    shared = campaign(office, {"exclusive": False, "countries": ["DE"]})
    here, german = people(office, {}, {"country": "DE"})
    (by_hand,) = people(office, {"country": "DE"})
    with office.database.worker() as conn:
        hand_made = add_campaign(conn, office.scene.workspace_id, None)
        add_enrolment(conn, office.scene.workspace_id, hand_made, by_hand, office.scene.plan_id)
    look(office)
    assert taken(office) == {here: {office.campaign_id}, german: {office.campaign_id, shared}, by_hand: {shared}}
    assert younger not in set().union(*taken(office).values())


@pytest.mark.parametrize("status", [CampaignStatus.DRAFT, CampaignStatus.CANCELLED])
def test_what_does_not_run_takes_nobody(database: Database, database_url: URL, status: CampaignStatus):
    """Broken, a draft would order plans, or a cancelled campaign would."""
    with desk(database, database_url, type=CampaignType.FULLY_AUTOMATED, status=status) as office:
        people(office)
        look(office)
        assert taken(office) == {}
        if status is CampaignStatus.DRAFT:
            office.campaigns.start(office.campaign_id)
            look(office)
            assert len(taken(office)) == 1, "and when it starts, it catches up"


def test_a_paused_one_takes_people_and_sends_nothing(database: Database, database_url: URL):
    """Broken, whoever came during a pause would be forgotten."""
    with desk(database, database_url, type=CampaignType.FULLY_AUTOMATED, status=CampaignStatus.PAUSED) as office:
        people(office)
        look(office)
        assert len(taken(office)) == 1


def test_a_long_list_is_taken_in_parts(office: Desk, monkeypatch: pytest.MonkeyPatch):
    """Broken, all but the first five hundred would wait for the hourly sweep, or be lost."""
    assert PASS_SIZE > 3
    monkeypatch.setattr("cadenza.campaigns.assigning.PASS_SIZE", 3)
    found = people(office, *({} for _ in range(8)))
    look(office)
    assert set(taken(office)) == set(found)
    starts = office.rows("SELECT next_attempt_at FROM jobs ORDER BY 1")
    assert len(set(starts)) == 8, "their plans lie apart"


def test_it_does_not_complete_while_it_takes_people(office: Desk):
    """Broken, the campaign would end with its first person, and nobody after them would be written to."""
    people(office)
    look(office)
    (order,) = office.post.sent
    plan(office, order)
    ((enrolment_id,),) = office.rows("SELECT id FROM contact_campaigns")
    with office.database.worker() as conn:
        apply(conn, [(enrolment_id, Halt(NOW, "stopped", "by the test"))], NOW)
    office.enrolling.engine.complete(None)
    assert office.status() == "running"


# --- the switch --------------------------------------------------------------------------------------------------


def test_off_takes_and_plans_nobody(office: Desk):
    """Broken, the switch would not stop what it is there to stop, or would stop what a person has begun."""
    (before,) = people(office)
    look(office)
    (order,) = office.post.sent
    automation(office).switch("too many", enabled=False)
    people(office)
    look(office)
    assert set(taken(office)) == {before}
    with pytest.raises(Postponed):
        plan(office, order)
    assert office.rows("SELECT status, reason FROM jobs") == [("QUEUED", "automation is switched off")]
    # Other campaigns are planned for as before.
    with office.database.worker() as conn:
        conn.execute(text("UPDATE campaigns SET type = 'outreach'"))
        conn.execute(text("UPDATE jobs SET next_attempt_at = NULL"))
    plan(office, order)
    assert office.rows("SELECT status FROM jobs") == [("COMPLETED",)]
    assert office.rows("SELECT act, detail ->> 'reason' FROM audit_log") == [("automation_switched", "too many")]


def test_on_again_catches_up(office: Desk):
    """Broken, whoever came while it was off would never be taken."""
    automation(office).switch("", enabled=False)
    people(office)
    automation(office).switch("", enabled=False)
    automation(office).switch("", enabled=True)
    (asked,) = cast("list[Message]", office.post.sent)
    assert isinstance(asked, IntakeWanted)
    office.post.sent.clear()
    look(office)
    assert len(taken(office)) == 1
    assert len(office.rows("SELECT id FROM audit_log")) == 2, "turning it to where it stands is no act"


# --- at once -----------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_passes_at_once_take_each_once(office: Desk):
    """Broken, two analyses that end in the same moment would put one person into two campaigns, or twice into one."""
    campaign(office)
    service = Assigning(office.database, office.post, lambda: LATER)
    for _ in range(ROUNDS):
        found = people(office, *({} for _ in range(4)))
        office.post.sent.clear()
        at_once(
            *(partial(service.handle, wanted(office)) for _ in range(3)),
            partial(automation(office).run, a_batch()),
        )
        assert {one: len(where) for one, where in taken(office).items() if one in found} == dict.fromkeys(found, 1)
        assert Counter(message.contact_id for message in office.post.sent) == Counter(found)
    office.check()


def test_a_campaign_that_starts_meanwhile_takes_nobody_from_another(database: Database, database_url: URL):
    """Broken, one person would go to two campaigns, because two passes have not seen the same ones."""
    status, kind = CampaignStatus.DRAFT, CampaignType.FULLY_AUTOMATED
    with desk(database, database_url, type=kind, status=status) as office:
        younger = campaign(office)
        (contact_id,) = people(office)

        def first(conn: Connection) -> None:
            orders, _ = one_pass(conn, wanted(office), LATER)
            assert [order.campaign_id for order in orders] == [younger]
            office.campaigns.start(office.campaign_id)

        orders, _ = in_turn(database, first, lambda conn: one_pass(conn, wanted(office), LATER))
        assert orders == {}
        assert taken(office) == {contact_id: {younger}}


@pytest.mark.long
def test_a_pass_and_a_cancellation_at_once_leave_nothing_open(database: Database, database_url: URL):
    """Broken, somebody would be enrolled in a campaign that was just cancelled, and written to."""
    for _ in range(ROUNDS):
        with desk(database, database_url, type=CampaignType.FULLY_AUTOMATED) as office:
            people(office, {}, {})
            service = Assigning(office.database, office.post, lambda: LATER)
            at_once(
                partial(service.handle, wanted(office)), partial(office.campaigns.cancel, office.campaign_id, "over")
            )
            plan(office, *office.post.sent)
            query = "SELECT status FROM contact_campaigns WHERE campaign_id = :id AND status IN ('draft', 'active')"
            assert office.rows(query, id=office.campaign_id) == []
            query = "SELECT status FROM jobs WHERE campaign_id = :id AND status <> 'SKIPPED'"
            assert office.rows(query, id=office.campaign_id) == []


def test_the_switch_waits_for_a_pass_and_a_pass_for_the_switch(office: Desk, database: Database):
    """Broken, somebody would be taken after the answer that automation is off."""
    workspace = office.scene.workspace_id
    seen = in_turn(
        database,
        lambda conn: intake_store.set_switch(conn, workspace, NOW, enabled=False),
        lambda conn: intake_store.lock_switch(conn, workspace),
    )
    assert not seen.enabled
    assert in_turn(
        database,
        lambda conn: intake_store.lock_switch(conn, workspace),
        lambda conn: intake_store.set_switch(conn, workspace, NOW, enabled=True),
    )


def test_another_workspace_is_not_touched(office: Desk, database: Database, database_url: URL):
    """Broken, one customer's campaign would write to another customer's people (I9)."""
    with desk(database, database_url, type=CampaignType.FULLY_AUTOMATED) as other:
        (theirs,) = people(other)
        look(office)
        assert taken(office) == {}
        look(replace(other, post=office.post))
        assert set(taken(other)) == {theirs}
