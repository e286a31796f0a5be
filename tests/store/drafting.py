"""A campaign whose plans are looked at first: who makes them, who decides on them, and what can be seen of it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import text
from sqlalchemy.engine import URL

from cadenza.campaigns.approval import Approvals
from cadenza.campaigns.by_hand import ByHand
from cadenza.campaigns.enrolment import Enrolling
from cadenza.campaigns.mail_plans import compile_for_mail
from cadenza.campaigns.service import Campaigns
from cadenza.core import jobs
from cadenza.core.db import Database
from cadenza.core.ids import CampaignId, ContactId, EnrolmentId, new_id
from cadenza.core.jobs import Begun
from cadenza.core.messages import Message, PlanWanted
from cadenza.core.queues import Outgoing, Queue
from cadenza.engine.apply import FollowUp
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.service import Engine
from cadenza.planning.brief import PlanBrief
from cadenza.planning.planners import OfflinePlanner, Planned
from tests.store.builders import NOW, PLAN, Scene, add_contact, add_lead, add_scene
from tests.store.test_engine import assert_invariants, rows

KEY = new_id()
BRIEF = {"offering": "We plan delivery routes for small fleets. Most teams save a few hours of driving a week."}


class Noted(Dispatcher):
    """Keeps what is handed on instead of sending it."""

    def __init__(self) -> None:
        self.follow_ups: list[FollowUp] = []

    def dispatch(self, follow_up: FollowUp, now: datetime, correlation_id: str = "") -> None:  # noqa: ARG002
        """See `Dispatcher`."""
        self.follow_ups.append(follow_up)

    def follow(self, campaigns: Iterable[CampaignId], correlation_id: str = "") -> None:
        """See `Dispatcher`."""

    def wake(self, now: datetime) -> None:
        """See `Dispatcher`."""


class Post(Queue):
    """Keeps the messages that it is given."""

    def __init__(self) -> None:
        self.sent: list[PlanWanted] = []

    def send(self, outgoing: Iterable[Outgoing | Message]) -> None:
        """See `Queue`."""
        self.sent += [cast("PlanWanted", item.message if isinstance(item, Outgoing) else item) for item in outgoing]


@dataclass
class Counting:
    """The offline planner, and for whom it was asked."""

    asked: list[str] = field(default_factory=list[str])

    def plan(self, brief: PlanBrief, begun: Begun, *, fall_back: bool) -> Planned:
        """See `Planner.plan`."""
        self.asked.append(brief.contact_name)
        return OfflinePlanner(compile_for_mail).plan(brief, begun, fall_back=fall_back)


@dataclass
class Desk:
    """One campaign, its planning as the plan function does it, and its operator with the rights of the API."""

    database: Database
    api: Database
    scene: Scene
    noted: Noted
    post: Post
    planner: Counting

    @property
    def campaign_id(self) -> CampaignId:
        """The campaign."""
        return self.scene.campaign_id

    @property
    def approvals(self) -> Approvals:
        """Who decides."""
        return Approvals(self.api, self.noted, self.scene.workspace_id, KEY, lambda: NOW)

    @property
    def by_hand(self) -> ByHand:
        """Who enrols by hand."""
        return ByHand(self.api, self.noted, self.post, self.scene.workspace_id, KEY, lambda: NOW)

    @property
    def campaigns(self) -> Campaigns:
        """Who starts and cancels."""
        url = "https://go.nordlicht.example"
        return Campaigns(self.api, self.noted, self.scene.workspace_id, KEY, lambda: NOW, url)

    @property
    def enrolling(self) -> Enrolling:
        """Who plans."""
        return Enrolling(self.database, self.planner, Engine(self.database, self.noted, lambda: NOW), lambda: NOW)

    def order(self, contact_id: ContactId) -> PlanWanted:
        """A plan on order, as an analysis leaves it."""
        scene = self.scene
        with self.database.worker() as conn:
            jobs.enqueue(conn, [jobs.planning(scene.workspace_id, scene.campaign_id, contact_id)], NOW)
        return PlanWanted(workspace_id=scene.workspace_id, campaign_id=scene.campaign_id, contact_id=contact_id)

    def contacts(self, count: int = 1, **given: Any) -> list[ContactId]:
        """People of one site that the campaign takes."""
        with self.database.worker() as conn:
            lead_id = add_lead(conn, self.scene.workspace_id)
            values = {"c": self.campaign_id, "l": lead_id, "w": self.scene.workspace_id, "now": NOW}
            conn.execute(text("INSERT INTO campaign_leads VALUES (:c, :l, :w, :now)"), values)
            return [add_contact(conn, self.scene.workspace_id, lead_id, **given) for _ in range(count)]

    def plan(self, count: int = 1) -> list[ContactId]:
        """People for whom a plan was ordered, and made unless their campaign has ended meanwhile."""
        contacts = self.contacts(count)
        for contact_id in contacts:
            self.enrolling.handle(self.order(contact_id))
        return contacts

    def planned(self, count: int = 1) -> list[EnrolmentId]:
        """People for whom a plan has just been made, in that order."""
        contacts = self.plan(count)
        found = dict(self.rows("SELECT contact_id, id FROM contact_campaigns"))
        return [found[contact_id] for contact_id in contacts]

    def hash_of(self, enrolment_id: EnrolmentId) -> str:
        """The plan that it has."""
        query = "SELECT p.hash FROM contact_campaigns e JOIN campaign_plans p ON p.id = e.plan_id WHERE e.id = :id"
        return self.rows(query, id=enrolment_id)[0][0]

    def stand(self, enrolment_id: EnrolmentId) -> tuple[str, str, int]:
        """Its status, its approval, and how many actions of it are live."""
        query = """
            SELECT status, approval, (SELECT count(*) FROM scheduled_actions a WHERE a.enrolment_id = e.id)
            FROM contact_campaigns e WHERE id = :id
        """
        return self.rows(query, id=enrolment_id)[0]  # type: ignore[return-value]

    def job(self, enrolment_id: EnrolmentId) -> tuple[str, str, str]:
        """What the ledger says of it: status, approval, reason."""
        query = "SELECT status, result ->> 'approval', reason FROM jobs WHERE result ->> 'enrolment_id' = :id"
        return self.rows(query, id=str(enrolment_id))[0]  # type: ignore[return-value]

    def status(self) -> str:
        """The campaign's."""
        return self.rows("SELECT status FROM campaigns WHERE id = :id", id=self.campaign_id)[0][0]

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """A query's rows, of all workspaces."""
        with self.database.worker() as conn:
            return rows(conn, query, **parameters)

    def check(self) -> None:
        """What must hold at any time."""
        with self.database.worker() as conn:
            assert_invariants(conn, NOW)


@contextmanager
def desk(
    database: Database, database_url: URL, *, settings: Mapping[str, Any] | None = None, **campaign: Any
) -> Iterator[Desk]:
    """A desk; the campaign runs, unless ``campaign`` says otherwise."""
    with database.worker() as conn:
        scene = add_scene(conn, settings=settings, campaign={"brief": BRIEF, **campaign})
    api = Database(database_url, role="cadenza_api", patience_s=1)
    try:
        yield Desk(database, api, scene, Noted(), Post(), Counting())
    finally:
        api.close()


def another_plan(subject: str = "In other words") -> dict[str, Any]:
    """A plan that a person would write."""
    plan = copy.deepcopy(dict(PLAN))
    plan["nodes"][0]["subject"] = subject
    return plan
