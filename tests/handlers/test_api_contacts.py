"""People, through the API: added by hand, changed, held, told what is known of them, forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.engine import URL

from cadenza.contacts.deliverability import Mailboxes, NoDns
from cadenza.core.db import Database
from cadenza.core.ids import ContactId
from cadenza.core.states import AddressCheck, MessageStatus
from tests.handlers.api_client import Client, client, column, environment
from tests.handlers.conftest import Queues
from tests.store.builders import Scene, add_lead, add_scene
from tests.store.people import EMAIL, TRACES, add_hedy

LATER = (datetime.now(UTC) + timedelta(days=9)).isoformat()
SIGNED_UP = {"basis": "opt_in", "source": "the form at acme.example", "at": "2026-01-02T10:00:00Z"}


@pytest.fixture
def scene(database: Database) -> Scene:
    """A running campaign."""
    with database.worker() as conn:
        return add_scene(conn)


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, scene: Scene, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's admin."""
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


def patch(api: Client, contact_id: str, change: Any) -> Any:
    reply = api.call("PATCH", f"/v1/contacts/{contact_id}", change)
    assert reply.status == 200, reply.text
    return reply.json


def test_a_person_is_added_by_hand_and_changed(api: Client, database: Database, scene: Scene):
    """Broken, people could come in by their company's site only, and mistakes of a crawl would stay."""
    with database.worker() as conn:
        lead_id = str(add_lead(conn, scene.workspace_id))
    person = {
        "email": "Zoe@ACME.example",
        "phone": "0049 30 123456",
        "name": "Zoe Acme",
        "time_zone": "Europe/Berlin",
        "country": "DE",
        "lead_id": lead_id,
        "consent": SIGNED_UP,
    }
    made = api.post("/v1/contacts", person)
    assert (made["email"], made["phone"]) == ("Zoe@acme.example", "+4930123456")
    assert (made["consent"]["basis"], made["suppressed"], made["refused"]) == ("opt_in", False, False)
    assert api.get(f"/v1/contacts/{made['id']}") == made
    assert [found["id"] for found in api.get(f"/v1/leads/{lead_id}")["contacts"]] == [made["id"]]

    changed = patch(api, made["id"], {"title": "CEO", "phone": None, "lead_id": None})
    assert changed == made | {"title": "CEO", "phone": None, "lead_id": None}
    assert patch(api, made["id"], {}) == changed


UNZONED = {"basis": "opt_in", "source": "a form", "at": "2026-01-02T10:00:00"}
IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"name": "Zoe"}, ""),
    ({"email": "zoe"}, "/email"),
    ({"email": "zoë@acme.example"}, "/email"),
    ({"phone": "030 123456"}, "/phone"),
    ({"country": "UK"}, "/country"),
    ({"time_zone": "Berlin"}, "/time_zone"),
    ({"time_zone": "../etc/passwd"}, "/time_zone"),
    ({"consent": {"basis": "opt_in"}}, "/consent"),
    ({"consent": UNZONED}, "/consent/at"),
    ({"lead_id": "00000000-0000-7000-8000-000000000001"}, "/lead_id"),
    ({"Title": "CEO"}, "/Title"),
]


def test_a_person_who_cannot_be_is_refused(api: Client):
    """Broken, mails would bounce, come at night, or go out on a ground that nobody can show."""
    for person, pointer in IMPOSSIBLE:
        whole = person if pointer in {"", "/phone"} else {"email": "z@acme.example"} | person
        assert pointer in api.call("POST", "/v1/contacts", whole).problem(400), person
    assert api.get("/v1/contacts")["items"] == []


def test_an_address_belongs_to_one_person(api: Client):
    """Broken, somebody would get every campaign twice."""
    zoe = api.post("/v1/contacts", {"email": "zoe@acme.example"})
    ada = api.post("/v1/contacts", {"email": "ada@acme.example"})
    assert set(api.call("POST", "/v1/contacts", {"email": "ZOE@acme.example"}).problem(409)) == {"/email"}
    assert set(api.call("PATCH", f"/v1/contacts/{ada['id']}", {"email": "Zoe@acme.example"}).problem(409)) == {"/email"}
    assert set(api.call("PATCH", f"/v1/contacts/{ada['id']}", {"email": None}).problem(400)) == {"/email"}
    assert patch(api, zoe["id"], {"email": "ZOE@acme.example"})["email"] == "ZOE@acme.example"


def test_people_can_be_looked_for(api: Client):
    """Broken, nobody could find the person who has just called."""
    zoe = api.post("/v1/contacts", {"email": "zoe@acme.example"})
    rui = api.post("/v1/contacts", {"phone": "+35121345678"})
    api.post("/v1/suppressions", {"channel": "phone", "address": "+35121345678"})

    def found(query: str) -> list[str]:
        return [contact["id"] for contact in api.get(f"/v1/contacts?{query}")["items"]]

    assert found("email=ZOE@Acme.example") == found("suppressed=false") == [zoe["id"]]
    assert found("suppressed=true") == [rui["id"]]
    assert found("limit=1") == [rui["id"]]


def test_a_policy_shows_whom_it_refuses(api: Client, database: Database, scene: Scene):
    """Broken, an operator would wonder why nothing goes to the people of a country."""
    with database.worker() as conn:
        scene.add_message(conn, contact={"email": "zoe@acme.example", "country": "DE"})
    (zoe,) = api.get("/v1/contacts")["items"]
    assert zoe["refused"] is False
    api.call("PUT", "/v1/automation/settings", {"country_policy": {"countries": {"DE": "needs_opt_in"}}})
    assert api.get(f"/v1/contacts/{zoe['id']}")["refused"] is True
    (enrolment,) = api.get("/v1/enrolments")["items"]
    blocks = api.get(f"/v1/enrolments/{enrolment['id']}/explain")["blocked_by"]
    assert ("consent", "no_consent") in [(block["gate"], block["verdict"]) for block in blocks]
    assert patch(api, zoe["id"], {"consent": SIGNED_UP})["refused"] is False


# --- holds -------------------------------------------------------------------------------------------------------


def test_a_person_is_held_and_released(api: Client):
    """Broken, people would get mail during their leave, or never again."""
    target = f"/v1/contacts/{api.post('/v1/contacts', {'email': 'zoe@acme.example'})['id']}/hold"
    nothing = {"until": None, "reason": "", "created_at": None}
    assert api.get(target) == nothing
    held = api.call("PUT", target, {"until": LATER, "reason": "on leave"}).json
    assert (datetime.fromisoformat(held["until"]), held["reason"]) == (datetime.fromisoformat(LATER), "on leave")
    sooner = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    shorter = api.call("PUT", target, {"until": sooner}).json
    assert datetime.fromisoformat(shorter["until"]) == datetime.fromisoformat(sooner), "the last word counts"
    assert api.get(target) == shorter
    assert api.call("DELETE", target).status == api.call("DELETE", target).status == 204
    assert api.get(target) == nothing


def test_a_hold_ends_some_time_to_come(api: Client):
    """Broken, an operator would believe somebody to be held who is not."""
    target = f"/v1/contacts/{api.post('/v1/contacts', {'email': 'zoe@acme.example'})['id']}/hold"
    for hold in ({}, {"until": "2020-01-01T00:00:00Z"}, {"until": None}, {"until": "2030-01-01"}):
        assert set(api.call("PUT", target, hold).problem(400)) == {"/until"}, hold


# --- rights ------------------------------------------------------------------------------------------------------


def test_a_person_is_told_everything_and_then_forgotten(api: Client, database: Database, scene: Scene):
    """Broken, a house could not answer who asks what it knows of them, or asks to be forgotten (GDPR Art. 15, 17)."""
    with database.worker() as conn:
        contact_id, enrolment_id = add_hedy(conn, scene)
    told = api.get(f"/v1/contacts/{contact_id}/export")
    assert told["contact"]["email"] == EMAIL
    assert [mail["subject"] for mail in told["messages"]] == ["Hedy Lamarr, an idea", ""]

    reply = api.call("DELETE", f"/v1/contacts/{contact_id}?reason=Art.+17")
    assert reply.status == 200, reply.text
    assert (reply.json["enrolments_stopped"], reply.json["plans_buried"]) == (1, 1)
    assert api.call("DELETE", f"/v1/contacts/{contact_id}").json["erased_at"] == reply.json["erased_at"]

    ghost = api.get(f"/v1/contacts/{contact_id}")
    assert (ghost["email"], ghost["name"], ghost["suppressed"]) == (None, "", True)
    assert ghost["erased_at"]
    shown = [
        f"/v1/contacts/{contact_id}/export",
        f"/v1/enrolments/{enrolment_id}",
        f"/v1/enrolments/{enrolment_id}/timeline",
        f"/v1/enrolments/{enrolment_id}/explain",
        "/v1/jobs",
        "/v1/suppressions",
        "/v1/consent/log",
    ]
    for target in shown:
        assert not any(trace in api.call("GET", target).text.lower() for trace in TRACES), target
    assert column(database, "outbound_messages.status") == [MessageStatus.SENT, MessageStatus.SKIPPED]

    # Nobody brings her back, and nobody changes what is left.
    assert set(api.call("POST", "/v1/contacts", {"email": EMAIL}).problem(409)) == {"/email"}
    zoe = api.post("/v1/contacts", {"email": "zoe@acme.example"})
    assert set(api.call("PATCH", f"/v1/contacts/{zoe['id']}", {"phone": "+4940123456"}).problem(409)) == {"/phone"}
    assert api.call("PATCH", f"/v1/contacts/{contact_id}", {"name": "Hedy"}).status == 409
    assert api.call("PUT", f"/v1/contacts/{contact_id}/hold", {"until": LATER}).status == 409


def test_what_is_known_of_an_address_is_shown_and_forgotten_with_the_address(api: Client, database: Database):
    """Broken, nobody would see why somebody is not written to, or a corrected address would stay refused."""
    # Given a person whose domain takes no mail, as a plan has found out.
    made = api.post("/v1/contacts", {"email": "zoe@acme.example", "name": "Zoe Acme"})
    assert (made["address_check"], made["address_checked_at"]) == ("unchecked", None)
    contact_id = UUID(made["id"])
    now = datetime.now(UTC)
    mailboxes = Mailboxes(Knowing(AddressCheck.NO_MX))
    mailboxes.recheck(database, ContactId(contact_id), now)
    shown = api.get(f"/v1/contacts/{contact_id}")
    assert (shown["address_check"], datetime.fromisoformat(shown["address_checked_at"])) == ("no_mx", now)

    # Then it is not asked for again soon, and is when a month has passed.
    Mailboxes(Knowing(AddressCheck.OK)).recheck(database, ContactId(contact_id), now + timedelta(days=29))
    assert api.get(f"/v1/contacts/{contact_id}") == shown
    Mailboxes(Knowing(AddressCheck.OK)).recheck(database, ContactId(contact_id), now + timedelta(days=31))
    assert api.get(f"/v1/contacts/{contact_id}")["address_check"] == "ok"

    # When the address is corrected.
    assert patch(api, made["id"], {"name": "Zoe"})["address_check"] == "ok"
    changed = patch(api, made["id"], {"email": "zoe@other.example"})

    # Then nothing is known of it.
    assert (changed["address_check"], changed["address_checked_at"]) == ("unchecked", None)


class Knowing(NoDns):
    """DNS that says one thing."""

    def __init__(self, answer: AddressCheck) -> None:
        self._answer = answer

    def check(self, domain: str) -> AddressCheck:  # noqa: ARG002 - the protocol's
        """Always the same."""
        return self._answer
