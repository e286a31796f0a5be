"""A company's people one after another: one at a time, in order, until somebody replies, whatever happens at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from cadenza.core.db import Database
from cadenza.core.ids import CampaignId, ContactId, EnrolmentId, LeadId, new_id
from cadenza.core.messages import PlanWanted
from cadenza.core.states import CampaignType, CompanyOrder
from cadenza.engine.apply import apply
from cadenza.engine.completion import complete_campaigns
from cadenza.engine.model import Halt
from cadenza.leads import turns
from cadenza.leads.ordering import order
from tests.store.builders import NOW, add_contact, add_lead
from tests.store.drafting import Desk, desk
from tests.store.test_by_hand import at_once
from tests.store.test_intake import look
from tests.unit.properties import LONG

ROUNDS = 60 if LONG else 8
DAY = timedelta(days=1)
GAP = timedelta(days=3)


_SENT = text("""
    INSERT INTO outbound_messages (id, workspace_id, enrolment_id, campaign_id, contact_id, node, visit, channel,
                                   status, due_at, queued_at, sent_at)
    SELECT :id, workspace_id, id, campaign_id, contact_id, 'intro', 99, 'email', 'sent', :now, :now, :now
    FROM contact_campaigns WHERE id = :e
""")
_REPLIED = text("""
    INSERT INTO message_events (workspace_id, message_id, provider, provider_event_id, kind, grade, occurred_at,
                                received_at)
    SELECT workspace_id, :id, 'p', :key, 'replied', 'human', :now, :now FROM contact_campaigns WHERE id = :e
""")


@dataclass
class Company:
    """A site with people in a campaign that takes them one after another, who decides first."""

    office: Desk
    lead_id: LeadId
    people: list[ContactId]
    now: datetime = NOW

    @property
    def campaign_id(self) -> CampaignId:
        """The campaign."""
        return self.office.campaign_id

    def bring(self) -> list[PlanWanted]:
        """An analysis ends, or an operator gives the lead: plans are ordered for whose turn it is."""
        with self.office.database.worker() as conn:
            conn.execute(text("SELECT FROM leads WHERE id = :id FOR UPDATE"), {"id": self.lead_id})
            return list(order(conn, self.office.scene.workspace_id, {self.lead_id: [self.campaign_id]}, self.now))

    def plan(self, *orders: PlanWanted) -> None:
        """What the plan function does."""
        for one in orders:
            replace(self.office.enrolling, clock=lambda: self.now, creation_queue=self.office.post).handle(one)

    def end(self, contact_id: ContactId, reason: str = "gave up") -> None:
        """Their enrolment ends, and the campaign is looked at afterwards, as everywhere."""
        with self.office.database.worker() as conn:
            apply(conn, [(self.enrolment(contact_id), Halt(self.now, "stopped", reason))], self.now)
        self.settle()

    def settle(self, *, everywhere: bool = False) -> None:
        """What follows every end, or (``everywhere``) the sweep."""
        with self.office.database.worker() as conn:
            complete_campaigns(conn, None if everywhere else [self.campaign_id], self.now)

    def sweep(self) -> list[PlanWanted]:
        """The plans of those whose turn has come."""
        with self.office.database.worker() as conn:
            return turns.begin_due(conn, self.now)

    def enrolment(self, contact_id: ContactId) -> EnrolmentId:
        """Theirs."""
        query = "SELECT id FROM contact_campaigns WHERE contact_id = :id"
        return EnrolmentId(self.office.rows(query, id=contact_id)[0][0])

    def reply(self, contact_id: ContactId) -> None:
        """They answer a mail of the campaign."""
        with self.office.database.worker() as conn:
            row = {"e": self.enrolment(contact_id), "key": str(new_id()), "now": self.now, "id": new_id()}
            conn.execute(_SENT, row)
            conn.execute(_REPLIED, row)

    def stand(self) -> list[str]:
        """Each person's turn, in order of rank; "" for who has none."""
        found = dict(self.office.rows("SELECT contact_id, status FROM campaign_turns"))
        return [found.get(one, "") for one in self.people]

    def planned_for(self) -> list[ContactId]:
        """For whom a plan was ordered, in that order."""
        return [row[0] for row in self.office.rows("SELECT contact_id FROM jobs ORDER BY queued_at, id")]


@pytest.fixture
def office(database: Database, database_url: URL) -> Iterator[Desk]:
    with desk(database, database_url, company_order=CompanyOrder.ONE_AFTER_ANOTHER) as made:
        yield made


def company(office: Desk, count: int = 3) -> Company:
    """A new one. The last of its people is known first."""
    with office.database.worker() as conn:
        lead_id = add_lead(conn, office.scene.workspace_id)
        values = {"c": office.campaign_id, "l": lead_id, "w": office.scene.workspace_id, "now": NOW}
        conn.execute(text("INSERT INTO campaign_leads VALUES (:c, :l, :w, :now)"), values)
        ranks = range(count, 0, -1)
        found = [add_contact(conn, office.scene.workspace_id, lead_id, role_rank=rank) for rank in ranks]
    return Company(office, lead_id, found[::-1])


@pytest.fixture
def acme(office: Desk) -> Company:
    return company(office)


def test_the_next_one_follows_after_the_gap(acme: Company):
    """Broken, a company's people would all be written to at once, or nobody after the first."""
    first, second, third = acme.people
    orders = acme.bring()
    assert [one.contact_id for one in orders] == [first]
    assert acme.bring() == []
    acme.plan(*orders)
    acme.settle()
    assert (acme.stand(), acme.sweep()) == (["begun", "waiting", "waiting"], [])
    # When the first has led to nothing, the second's turn comes three days later.
    acme.now += DAY
    acme.end(first)
    assert acme.stand() == ["ended", "waiting", "waiting"]
    assert acme.office.rows("SELECT due_at FROM campaign_turns WHERE due_at > :now", now=acme.now) == [
        (acme.now + GAP,)
    ]
    acme.now += GAP - timedelta(seconds=1)
    assert (acme.sweep(), acme.office.status()) == ([], "running")
    acme.now += timedelta(seconds=1)
    (order_of_second,) = acme.sweep()
    assert (order_of_second.contact_id, acme.sweep()) == (second, [])
    # And the campaign is complete when the last has had theirs.
    acme.plan(order_of_second)
    acme.end(second)
    acme.now += GAP
    (order_of_third,) = acme.sweep()
    acme.plan(order_of_third)
    acme.end(third)
    assert (acme.stand(), acme.office.status()) == (["ended"] * 3, "completed")
    assert acme.planned_for() == [first, second, third]
    acme.office.check()


def test_a_reply_ends_it_for_the_company(acme: Company):
    """Broken, colleagues of somebody who has answered would get the same first mail, as if nobody read the answers."""
    first, *_ = acme.people
    acme.plan(*acme.bring())
    acme.reply(first)
    acme.end(first, "replied")
    assert (acme.stand(), acme.office.status()) == (["ended", "dropped", "dropped"], "completed")
    acme.now += 10 * DAY
    assert acme.sweep() == []
    assert acme.planned_for() == [first]


def test_a_late_reply_counts_too(acme: Company):
    """Broken, an answer that comes between two people's turns would be passed over."""
    first, second, _ = acme.people
    acme.plan(*acme.bring())
    acme.end(first)
    acme.now += GAP
    (next_order,) = acme.sweep()
    acme.reply(first)
    # The plan that was on order already is not made, and nobody follows.
    acme.plan(next_order)
    assert acme.office.rows("SELECT reason FROM jobs WHERE contact_id = :id", id=second) == [(turns.REPLIED,)]
    assert acme.stand() == ["ended", "ended", "dropped"]
    assert acme.office.status() == "completed"


def test_a_reply_before_the_next_turn_drops_it(acme: Company):
    """Broken, the next colleague would be written to although somebody has answered in the gap."""
    first, *_ = acme.people
    acme.plan(*acme.bring())
    acme.end(first)
    acme.reply(first)
    acme.now += GAP
    assert acme.sweep() == []
    acme.settle(everywhere=True)
    assert (acme.stand(), acme.office.status()) == (["ended", "dropped", "dropped"], "completed")


def test_who_is_not_written_to_costs_no_time(acme: Company):
    """Broken, a dead address would cost the company three days, or the company altogether."""
    first, second, _ = acme.people
    with acme.office.database.worker() as conn:
        conn.execute(text("UPDATE contacts SET erased_at = now() WHERE id = :id"), {"id": first})
    acme.plan(*acme.bring())
    assert acme.stand() == ["ended", "begun", "waiting"]
    assert [one.contact_id for one in acme.office.post.sent] == [second]


def test_who_is_found_later_waits_like_the_others(acme: Company):
    """Broken, a new colleague would be written to beside the one whose turn it is, or never."""
    first, *_ = acme.people
    acme.plan(*acme.bring())
    with acme.office.database.worker() as conn:
        new = add_contact(conn, acme.office.scene.workspace_id, acme.lead_id, role_rank=0)
    assert acme.bring() == []
    acme.now += DAY
    acme.end(first)
    acme.now += GAP
    (following,) = acme.sweep()
    assert following.contact_id == new, "who decides goes first"


def test_other_companies_do_not_wait(office: Desk):
    """Broken, a campaign would write to one person at a time in all."""
    companies = [company(office) for _ in range(3)]
    assert [len(one.bring()) for one in companies] == [1, 1, 1]


def test_a_cancelled_campaign_has_no_turns(acme: Company):
    """Broken, plans would be paid for in a campaign that is over."""
    first, *_ = acme.people
    acme.plan(*acme.bring())
    acme.end(first)
    acme.office.campaigns.cancel(acme.campaign_id)
    acme.now += 10 * DAY
    assert acme.sweep() == []


def test_an_automatic_campaign_keeps_the_order_too(database: Database, database_url: URL):
    """Broken, people who are taken one by one would be taken all at once if the campaign finds them by itself."""
    given = {"company_order": CompanyOrder.ONE_AFTER_ANOTHER, "type": CampaignType.FULLY_AUTOMATED}
    with desk(database, database_url, **given) as office:
        acme = company(office)
        look(office)
        look(office)
        assert [message.contact_id for message in office.post.sent] == acme.people[:1]
        assert acme.stand() == ["begun", "waiting", "waiting"]


# --- at once -----------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_one_at_a_time_whatever_happens_at_once(office: Desk):
    """Broken, two colleagues would be written to side by side, one of them twice, or nobody would ever follow."""
    for seed in range(ROUNDS):
        rng = random.Random(seed)  # noqa: S311 - a test's
        acme = company(office)
        at_once(acme.bring, acme.bring)
        acme.plan(*[_order(acme, acme.people[0])])
        acme.now += DAY
        with office.database.worker() as conn:
            add_contact(conn, office.scene.workspace_id, acme.lead_id, role_rank=9)
        acts = [
            partial(acme.end, acme.people[0]),
            acme.settle,
            partial(acme.settle, everywhere=True),
            acme.bring,
            acme.sweep,
        ]
        rng.shuffle(acts)
        at_once(*acts)
        assert _open(acme) <= 1
        # What two of them did not see of one another, the sweep mends.
        acme.settle(everywhere=True)
        acme.now += GAP
        at_once(acme.sweep, acme.sweep, acme.bring)
        assert acme.stand() == ["ended", "begun", "waiting"]
        query = "SELECT count(*) FROM jobs WHERE lead_id = :id"
        assert office.rows(query, id=acme.lead_id) == [(2,)]
    office.check()


def _order(acme: Company, contact_id: ContactId) -> PlanWanted:
    workspace = acme.office.scene.workspace_id
    return PlanWanted(workspace_id=workspace, campaign_id=acme.campaign_id, contact_id=contact_id)


def _open(acme: Company) -> int:
    query = "SELECT count(*) FROM campaign_turns WHERE lead_id = :id AND status = 'begun'"
    return acme.office.rows(query, id=acme.lead_id)[0][0]


def test_a_crash_after_any_step_loses_nobody(acme: Company):
    """Broken, a company would be forgotten because a function died between two of its steps."""
    first, second, _ = acme.people
    # The message about the plan is lost: the job is there for the sweep.
    acme.bring()
    assert acme.planned_for() == [first]
    acme.plan(_order(acme, first))
    # The look at the campaign after the end is lost.
    with acme.office.database.worker() as conn:
        apply(conn, [(acme.enrolment(first), Halt(acme.now, "stopped", "gave up"))], acme.now)
    acme.settle(everywhere=True)
    acme.now += GAP
    # A transaction that begins the next turn is rolled back.
    with acme.office.database.engine.connect() as conn:
        assert turns.begin_due(conn, acme.now)
        conn.rollback()
    assert [one.contact_id for one in acme.sweep()] == [second]
