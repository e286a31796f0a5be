"""Exports of other systems come in on real Postgres: whole, once, and going on where they stood."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import URL

from cadenza.campaigns import invariants
from cadenza.campaigns.erasure_store import forget
from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.errors import InvalidInput
from cadenza.core.ids import WorkspaceId
from cadenza.legacy.model import Outcome, Report
from cadenza.legacy.reading import read_document
from cadenza.legacy.service import LegacyImport
from tests.store.builders import add_sender, add_workspace
from tests.store.sending import World

TICK = timedelta(minutes=30)
ACTIONS, MESSAGES = tables.scheduled_actions, tables.outbound_messages
AUTUMN: dict[str, Any] = json.loads((Path(__file__).parent.parent / "legacy" / "autumn.json").read_text())
SENDER = "ada@nordlicht.example"


class Office:
    """An operator who brings an export, as the API does."""

    def __init__(self, world: World, api: Database, workspace_id: WorkspaceId) -> None:
        self.world, self.api, self.workspace_id = world, api, workspace_id

    def take(self, document: Any = AUTUMN, *, apply: bool = True, sender: str = SENDER) -> Report:
        """Import it."""
        world = self.world
        service = LegacyImport(self.api, world.dispatcher, self.workspace_id, None, lambda: world.now, sender)
        return service.take(read_document(document), apply=apply)

    def rows(self, query: str) -> list[Any]:
        """Whatever the query finds, as tuples."""
        with self.world.database.worker() as conn:
            return [tuple(row) for row in conn.execute(text(query))]

    def dump(self) -> dict[str, list[Any]]:
        """Every table of the workspace."""
        with self.world.database.worker() as conn:
            return {
                name: sorted(map(str, conn.execute(select(table))))
                for name, table in tables.METADATA.tables.items()
                if name not in {"erasure_salt", "idempotency_keys"}
            }

    def broken(self) -> list[str]:
        """The invariants that do not hold."""
        with self.world.database.worker() as conn:
            return [found.name for found in invariants.check(conn, self.world.now) if found.violations]


@pytest.fixture
def office(world: World, database_url: URL) -> Iterator[Office]:
    with world.database.worker() as conn:
        workspace_id = add_workspace(conn)
        add_sender(conn, workspace_id, email=SENDER)
    api = Database(database_url, role="cadenza_api", patience_s=1)
    yield Office(world, api, workspace_id)
    api.close()


def outcomes(report: Report) -> dict[str, str]:
    """What became of each row, by its place."""
    return {row.place: row.outcome.value for row in report.rows}


def standing(office: Office) -> dict[tuple[str, str], tuple[str, str, int, str]]:
    """Who stands where: by campaign and address their status, node, visit and reason."""
    found = office.rows(
        "SELECT c.name, k.email, e.status, e.current_node, e.visit, e.reason FROM contact_campaigns e"
        " JOIN campaigns c ON c.id = e.campaign_id JOIN contacts k ON k.id = e.contact_id"
    )
    return {(name, email.partition("@")[0]): tuple(rest) for name, email, *rest in found}


def test_everybody_goes_on_where_they_stood(office: Office):
    """Broken, people would get again what they have had, or not get what they were to have."""
    report = office.take()
    assert standing(office) == {
        ("Autumn", "ann"): ("active", "step_2", 2, ""),
        ("Autumn", "ben"): ("active", "step_2", 2, ""),
        ("Autumn", "cleo"): ("stopped", "step_1", 1, "replied"),
        ("Autumn", "dan"): ("stopped", "step_1", 1, "unsubscribed"),
        ("Autumn", "eve"): ("active", "step_1", 1, ""),
        ("Autumn", "gil"): ("active", "step_1", 1, ""),
        ("Summer", "ann"): ("completed", "step_1", 1, "all its mails were sent before the import"),
        ("Summer", "ben"): ("stopped", "step_1", 1, "the campaign is completed"),
        ("Winter", "ann"): ("draft", "", 0, ""),
    }
    assert outcomes(report) | UNTOUCHED == outcomes(report)
    assert dict(office.rows("SELECT name, status FROM campaigns")) == {
        "Autumn": "running",
        "Summer": "completed",
        "Winter": "draft",
    }
    assert office.rows("SELECT address, reason FROM suppressions") == [("dan@dale.example", "unsubscribed")]
    assert office.broken() == []


UNTOUCHED = {
    "templates[0]": "changed",
    "templates[1]": "created",
    "templates[3]": "refused",
    "workflows[0]": "created",
    "workflows[1]": "refused",
    "leads[0]": "created",
    "leads[5]": "created",
    "leads[8]": "refused",
    "campaigns[0]": "changed",
    "campaigns[3]": "refused",
    "campaigns[4]": "refused",
    "campaigns[0].leads[5]": "skipped",
    "campaigns[0].leads[7]": "refused",
    "campaigns[0].leads[8]": "refused",
    "scheduledMails[0]": "created",
    "scheduledMails[1]": "created",
    "scheduledMails[2]": "changed",
    "scheduledMails[6]": "skipped",
    "scheduledMails[10]": "refused",
    "scheduledMails[11]": "refused",
}
"""What becomes of some rows of the autumn."""


def test_what_was_sent_stands_in_the_outbox_with_what_came_of_it(office: Office):
    """Broken, reports would begin at zero, and a person could get a mail of another campaign on the same day."""
    office.take()
    sent = office.rows(
        "SELECT k.email, m.node, m.visit, m.status, m.sent_at, m.claimed_at = m.sent_at FROM outbound_messages m"
        " JOIN contacts k ON k.id = m.contact_id JOIN campaigns c ON c.id = m.campaign_id WHERE c.name = 'Autumn'"
        " ORDER BY k.email"
    )
    assert [row[:4] for row in sent] == [
        ("ann@acme.example", "step_1", 1, "delivered"),
        ("ben@birch.example", "step_1", 1, "sent"),
        ("cleo@cedar.example", "step_1", 1, "delivered"),
        ("dan@dale.example", "step_1", 1, "sent"),
        ("gil@grove.example", "step_1", 1, "sent"),
    ]
    assert sent[1][4:] == (datetime(2026, 1, 7, 9, tzinfo=UTC), True)
    events = office.rows("SELECT kind, grade, occurred_at FROM message_events ORDER BY occurred_at")
    assert [row[0] for row in events] == ["delivered", "replied", "opened"]
    assert office.rows("SELECT status, reason FROM outbound_messages WHERE status = 'failed'") == [
        ("failed", "550 no such user")
    ]
    assert office.rows("SELECT detail->>'sent' FROM legacy_ids WHERE kind = 'campaign' AND old_id = 'c-1'") == [("6",)]


def test_a_dry_run_says_what_applying_does_and_does_nothing(office: Office):
    """Broken, operators would decide by a report that does not come true, or a rehearsal would write to people."""
    before = office.dump()
    dry = office.take(apply=False)
    assert office.dump() == before
    assert not dry.applied
    done = office.take()
    assert done.applied
    assert (dry.rows, dry.counts) == (done.rows, done.counts)


def test_a_second_run_changes_nothing_and_says_so(office: Office):
    """Broken, whoever imports twice would have every campaign, and send every mail, twice."""
    office.take()
    before = office.dump()
    office.world.now += timedelta(minutes=7)
    again = office.take()
    assert office.dump() == before
    assert {row.outcome for row in again.rows} == {Outcome.KNOWN, Outcome.SKIPPED, Outcome.REFUSED}


def test_a_newer_export_brings_what_is_new(office: Office):
    """Broken, the last days before a move would be lost, or the move would have to be made in one go."""
    office.take()
    newer = deepcopy(AUTUMN)
    newer["leads"] += [{"id": 10, "email": "ida@iris.example", "firstName": "Ida", "status": "contacted"}]
    newer["leads"][0]["status"] = "replied"
    newer["campaigns"][0]["leads"].append(10)
    newer["scheduledMails"] += [
        {"id": "m-x1", "campaignId": "c-1", "leadId": 10, "step": 1, "status": "sent", "sentAt": "2026-01-13T08:00:00Z"}
    ]
    report = office.take(newer)
    here = standing(office)
    assert here["Autumn", "ida"] == ("active", "step_1", 1, "")
    assert here["Autumn", "ann"] == ("stopped", "step_2", 2, "replied, as another system says")
    assert here["Autumn", "ben"] == ("active", "step_2", 2, "")
    assert outcomes(report)["leads[9]"] == "created"
    assert office.broken() == []


def test_what_the_other_system_has_sent_since_is_not_sent_again(office: Office):
    """Broken, whoever imports once more at the end of a move would have the last days' mails sent twice (I1)."""
    office.take()
    newer = deepcopy(AUTUMN)
    ben = next(mail for mail in newer["scheduledMails"] if mail["id"] == "m-22")
    ben |= {"status": "sent", "sentAt": "2026-01-13T09:30:00Z"}
    report = office.take(newer)
    assert outcomes(report)["scheduledMails[4]"] == "merged"
    assert standing(office)["Autumn", "ben"] == ("active", "step_2", 2, "")
    assert office.broken() == []
    before = office.dump()
    office.take(newer)
    assert office.dump() == before
    taken = run(office, until=office.world.now + timedelta(days=12))
    assert {node for email, node in taken if email == "ben@birch.example"} == {"step_3"}
    assert office.broken() == []


def test_exactly_what_was_pending_is_sent_and_once(office: Office):
    """Broken, people get a mail twice or never, which is what a move must not do (I1)."""
    office.take()
    taken = run(office, until=office.world.now + timedelta(days=12))
    assert taken == {
        ("ann@acme.example", "step_2"),
        ("ann@acme.example", "step_3"),
        ("ben@birch.example", "step_2"),
        ("ben@birch.example", "step_3"),
        ("eve@elm.example", "step_1"),
        ("eve@elm.example", "step_2"),
        ("eve@elm.example", "step_3"),
        ("gil@grove.example", "step_2"),
        ("gil@grove.example", "step_3"),
    }
    assert len(office.world.ses.taken) == len(taken)
    assert dict(office.rows("SELECT name, status FROM campaigns"))["Autumn"] == "completed"
    assert office.broken() == []
    ann = office.rows(
        "SELECT m.node, m.sent_at FROM outbound_messages m JOIN contacts k ON k.id = m.contact_id"
        " JOIN campaigns c ON c.id = m.campaign_id WHERE k.email = 'ann@acme.example' AND c.name = 'Autumn'"
    )
    # The second mail goes when the other system had planned it, the third by the delay of its step.
    assert dict(ann)["step_2"] == datetime(2026, 1, 14, 9, tzinfo=UTC)
    assert timedelta() <= dict(ann)["step_3"] - datetime(2026, 1, 18, 9, tzinfo=UTC) <= TICK


def test_what_is_overdue_goes_one_by_one(office: Office):
    """Broken, a move after a week of standstill would send a burst that costs the sender its reputation."""
    many = deepcopy(AUTUMN)
    many["leads"] = [{"id": n, "email": f"p{n}@pine.example", "status": "contacted"} for n in range(40)]
    many["campaigns"] = [many["campaigns"][0] | {"leads": []}]
    many["scheduledMails"] = [
        {
            "id": f"m{n}",
            "campaignId": "c-1",
            "leadId": n,
            "step": 1,
            "status": "pending",
            "sendAt": "2026-01-08T09:00:00Z",
        }
        for n in range(40)
    ]
    office.take(many)
    due = [row[0] for row in office.rows("SELECT due_at FROM scheduled_actions ORDER BY due_at")]
    assert len(set(due)) == 40
    assert due[-1] - due[0] == timedelta(seconds=39)


def test_who_may_not_be_written_to_here_does_not_go_on(office: Office):
    """Broken, an import would write to people who have said no to us (I3)."""
    with office.world.database.worker() as conn:
        conn.execute(
            tables.suppressions.insert(),
            {
                "id": office.workspace_id,
                "workspace_id": office.workspace_id,
                "channel": "email",
                "address": "ben@birch.example",
                "reason": "complained",
                "created_at": office.world.now,
            },
        )
    office.take()
    assert standing(office)["Autumn", "ben"] == ("stopped", "step_1", 1, "the address is suppressed")


def test_without_a_sender_nothing_runs_and_a_second_run_makes_up_for_it(office: Office):
    """Broken, a campaign would run that nobody sends, and burn its mails."""
    report = office.take(sender="")
    assert outcomes(report)["campaigns[0]"] == "refused"
    assert outcomes(report)["scheduledMails[0]"] == "refused"
    assert outcomes(report)["campaigns[2]"] == "changed"
    office.take()
    assert standing(office)["Autumn", "ann"] == ("active", "step_2", 2, "")
    with pytest.raises(InvalidInput):
        office.take(sender="nobody@nowhere.example")


def test_erasing_a_person_forgets_their_old_id(office: Office):
    """Broken, the old system's id would still lead to somebody whose data was erased (GDPR Art. 17)."""
    office.take()
    (contact_id,) = office.rows("SELECT id FROM contacts WHERE email = 'ann@acme.example'")[0]
    with office.world.database.worker() as conn:
        forget(conn, contact_id, office.world.now)
    assert not office.rows("SELECT * FROM legacy_ids WHERE old_id = '1' AND kind = 'lead'")


def run(office: Office, until: datetime) -> set[tuple[str, str]]:
    """Let the clock go on as wakes and queues would have it; who has got which mail."""
    world = office.world
    while world.now < until:
        with world.database.worker() as conn:
            due = conn.execute(select(ACTIONS.c.id).where(ACTIONS.c.due_at <= world.now)).scalars().all()
        world.engine.run_due(due)
        with world.database.worker() as conn:
            queued = select(MESSAGES.c.id).where(MESSAGES.c.status == "queued", MESSAGES.c.due_at <= world.now)
            ids = conn.execute(queued).scalars().all()
        world.delivery.send(ids)
        world.now += TICK
    found = office.rows(
        "SELECT k.email, m.node FROM outbound_messages m JOIN contacts k ON k.id = m.contact_id"
        " WHERE m.provider = 'ses'"
    )
    return set(found)
