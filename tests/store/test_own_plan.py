"""The one plan of a hand-written campaign: whoever comes in while it starts or changes has the plan that was fixed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from cadenza.campaigns import content_store, own_plan, store
from cadenza.campaigns.content_model import NewTemplate
from cadenza.core import jobs
from cadenza.core.db import Database
from cadenza.core.ids import CampaignId, ContactId
from cadenza.core.messages import PlanWanted
from cadenza.core.states import CampaignKind, CampaignStatus
from tests.store.builders import NOW, add_campaign, add_contact
from tests.store.drafting import Desk, desk

TEMPLATE = NewTemplate(name="First", subject="Routes", text_body="Hi {{ first_name }}, may I show you our routes?")
PEOPLE, EARLY, SHARES, ROUNDS = 13, 7, 3, 3


def letter(office: Desk) -> tuple[CampaignId, list[ContactId]]:
    """A template campaign that is a draft, and people to put into it."""
    with office.database.worker() as conn:
        workspace_id, sender_id = office.scene.workspace_id, office.scene.sender_id
        template_id = content_store.add_template(conn, workspace_id, TEMPLATE, NOW)
        given: dict[str, Any] = {"kind": CampaignKind.TEMPLATE, "template_id": template_id, "brief": {}}
        campaign_id = add_campaign(conn, workspace_id, sender_id, status=CampaignStatus.DRAFT, **given)
        return campaign_id, [add_contact(conn, workspace_id) for _ in range(PEOPLE)]


def together(*works: Callable[[], object]) -> None:
    """Run all at once."""
    troubles: list[BaseException] = []

    def run(job: Callable[[], object]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            troubles.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []


@pytest.fixture
def office(database: Database, database_url: URL) -> Any:
    """A desk over the test's database."""
    with desk(database, database_url) as made:
        yield made


def test_who_comes_in_while_the_campaign_starts_has_its_plan_and_begins(office: Desk):
    """Broken, somebody would stay a draft for ever, or get the mail as it was before it was mended."""
    for _ in range(ROUNDS):
        # Given a draft with one person, whose template is mended behind its back.
        campaign_id, people = letter(office)
        office.by_hand.enrol(campaign_id, people[:1], None)
        with office.database.worker() as conn:
            conn.execute(text("UPDATE templates SET subject = subject || ', mended'"))

        # When others are put in by several at once, and then some more while it starts.
        def enrol(*people: ContactId, campaign_id: CampaignId = campaign_id) -> None:
            for one in people:
                office.by_hand.enrol(campaign_id, [one], None)

        early, late = people[1:EARLY], people[EARLY:]
        together(*(partial(enrol, *early[first::SHARES]) for first in range(SHARES)))
        shares = [partial(enrol, *late[first::SHARES]) for first in range(SHARES)]
        together(*shares, partial(office.campaigns.start, campaign_id))

        # Then all of them have begun, on the plan that the start has fixed.
        with office.database.worker() as conn:
            rows = conn.execute(
                text("""
                    SELECT e.status, e.plan_id = c.plan_id AS same, p.plan -> 'nodes' -> 0 ->> 'subject' AS subject
                    FROM contact_campaigns e JOIN campaigns c ON c.id = e.campaign_id
                    JOIN campaign_plans p ON p.id = e.plan_id WHERE c.id = :id
                """),
                {"id": campaign_id},
            ).all()
        assert [tuple(row) for row in rows] == [("active", True, "Routes, mended")] * PEOPLE


def test_a_plan_on_order_is_the_campaigns_own(office: Desk):
    """Broken, a model would be asked for what is written already, or a site's people would never come in."""
    campaign_id, (contact_id, *_) = letter(office)
    with office.database.worker() as conn:
        jobs.enqueue(conn, [jobs.planning(office.scene.workspace_id, campaign_id, contact_id)], NOW)
    wanted = PlanWanted(workspace_id=office.scene.workspace_id, campaign_id=campaign_id, contact_id=contact_id)
    office.enrolling.handle(wanted)
    office.enrolling.handle(wanted)
    with office.database.worker() as conn:
        campaign = store.find(conn, campaign_id)
        (row,) = conn.execute(
            text("SELECT plan_id, status, approval FROM contact_campaigns WHERE campaign_id = :id"), {"id": campaign_id}
        )
        (job,) = conn.execute(
            text("SELECT status, result FROM jobs WHERE campaign_id = :id"), {"id": campaign_id}
        ).all()
    assert campaign is not None
    assert (row.plan_id, row.status, row.approval) == (campaign.plan_id, "draft", "not_needed")
    assert (job.status, job.result["source"]) == ("COMPLETED", "template")
    assert office.planner.asked == []


def test_looking_twice_changes_nothing(office: Desk):
    """Broken, each person who is put in would make another plan."""
    campaign_id, _ = letter(office)
    with office.database.worker() as conn:
        seen: set[object] = set()
        for _ in range(2):
            campaign = own_plan.find_to_enrol(conn, campaign_id)
            assert campaign is not None
            seen.add(own_plan.plan_for_new(conn, campaign, NOW))
        assert len(seen) == 1


def test_whoever_enrols_in_a_draft_is_alone_with_its_plan(office: Desk):
    """Broken, two operators who put people in at once would wait for one another until one is turned away."""
    campaign_id, _ = letter(office)
    shared = text("SELECT id FROM campaigns WHERE id = :id FOR SHARE NOWAIT")
    with office.database.worker() as conn:
        assert own_plan.find_to_enrol(conn, campaign_id) is not None
        with pytest.raises(DBAPIError, match="could not obtain lock"), office.database.engine.begin() as other:
            other.execute(shared, {"id": campaign_id})
    # In one that has begun, nobody changes the plan: enrolling there is nobody's obstacle.
    with office.database.worker() as conn:
        assert own_plan.find_to_enrol(conn, office.campaign_id) is not None
        with office.database.worker() as other:
            assert other.execute(shared, {"id": office.campaign_id}).all()
