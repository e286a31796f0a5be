"""Who may not be written to: one rule, asked from both sides."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.engine import URL

from cadenza.campaigns.consent import Suppressions
from cadenza.campaigns.enrolment import NotEnrolled, _brief
from cadenza.campaigns.invariants import check
from cadenza.contacts import store as contacts_store
from cadenza.contacts import suppressions
from cadenza.contacts.model import ContactKind, FoundContact
from cadenza.contacts.permission import forbids, suppressed
from cadenza.contacts.suppressions import Provenance, Suppressed
from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.ids import WorkspaceId, new_id
from cadenza.core.messages import PlanWanted
from cadenza.core.states import Channel, ConsentBasis, EnrolmentStatus, MessageStatus, SuppressionChannel
from cadenza.delivery.gate import claim
from cadenza.delivery.model import Attempt, Verdict
from cadenza.engine.apply import FollowUp
from tests.handlers.test_api_leads import until_blocked
from tests.store.builders import NOW, Scene, add_contact, add_lead, add_scene, add_workspace
from tests.store.test_query_plans import nodes

KEY = new_id()


class Hints:
    """Takes the hints that would go to the queues, and keeps them."""

    def __init__(self) -> None:
        self.taken = FollowUp()

    def dispatch(self, follow_up: FollowUp, now: datetime, correlation_id: str = "") -> None:  # noqa: ARG002
        """As the dispatcher's."""
        self.taken += follow_up


@pytest.fixture
def api(database_url: URL) -> Iterator[Database]:
    """The database as the API sees it."""
    with_role = Database(database_url, role="cadenza_api", patience_s=1)
    yield with_role
    with_role.close()


def suppressing(api: Database, scene: Scene, hints: Hints | None = None) -> Suppressions:
    return Suppressions(api, hints or Hints(), scene.workspace_id, KEY, lambda: NOW)  # type: ignore[arg-type]


def by(channel: SuppressionChannel, address: str) -> Suppressed:
    return Suppressed(channel, address, "asked")


EMAIL, PHONE, DOMAIN = SuppressionChannel.EMAIL, SuppressionChannel.PHONE, SuppressionChannel.DOMAIN

PEOPLE: dict[str, dict[str, Any]] = {
    "mail": {"email": "ada@mail.acme.example", "phone": "+4940123456"},
    "upper": {"email": "Grace@Mail.Acme.EXAMPLE"},
    "flat": {"email": "zoe@acme.example"},
    "other": {"email": "rui@forno.example"},
    "phone only": {"email": None, "phone": "+4940123456"},
}
CASES: list[tuple[SuppressionChannel, str, set[str]]] = [
    (EMAIL, "grace@mail.acme.example", {"upper"}),
    (DOMAIN, "mail.acme.example", {"mail", "upper"}),
    (DOMAIN, "acme.example", {"mail", "upper", "flat"}),
    (DOMAIN, "cme.example", set()),
    (DOMAIN, "example", {"mail", "upper", "flat", "other"}),
    (PHONE, "+4940123456", {"phone only"}),
    (EMAIL, "+4940123456", set()),
]


def test_one_rule_from_both_sides(database: Database):
    """Broken, planning, the API, the gate and the end of what is under way would disagree on who has said no."""
    for channel, address, silenced in CASES:
        with database.worker() as conn:
            scene = add_scene(conn)
            messages = {name: scene.add_message(conn, contact=person) for name, person in PEOPLE.items()}
            wanted = by(channel, address)
            suppressions.add(conn, scene.workspace_id, [wanted], Provenance("test"), NOW)
            forwards, backwards = asked(conn, scene), halting(conn, scene, wanted)
            claims = claim(conn, list(messages.values()), Attempt(new_id(), NOW, NOW + timedelta(minutes=20)))
        skipped = {judged.stay.message_id for judged in claims.skipped if judged.verdict is Verdict.SUPPRESSED}
        at_the_gate = {name for name, message_id in messages.items() if message_id in skipped}
        assert named(forwards) == named(backwards) == silenced, address
        assert at_the_gate == silenced - {"phone only"}, "who has no address gets no mail for another reason"


def asked(conn: Connection, scene: Scene) -> set[str | None]:
    """The addresses of those contacts that are said to be suppressed."""
    query = text(f"SELECT k.email FROM contacts k WHERE k.workspace_id = :workspace AND {suppressed('k')}")
    return set(conn.execute(query, {"workspace": scene.workspace_id}).scalars())


def halting(conn: Connection, scene: Scene, wanted: Suppressed) -> set[str | None]:
    """The addresses of those whose enrolments the suppression is to end."""
    found = suppressions.concerned(conn, scene.workspace_id, [wanted])
    enrolments, contacts = tables.contact_campaigns, tables.contacts
    query = select(contacts.c.email).join(enrolments, enrolments.c.contact_id == contacts.c.id)
    return set(conn.execute(query.where(enrolments.c.id.in_(found.halting))).scalars())


def named(addresses: set[str | None]) -> set[str]:
    return {name for name, person in PEOPLE.items() if person["email"] in addresses}


def test_a_suppression_ends_what_is_under_way(api: Database, database: Database, now: datetime):
    """Broken, an operator who suppresses somebody would go on seeing them as active, with a mail that waits."""
    with database.worker() as conn:
        scene = add_scene(conn)
        message_id = scene.add_message(conn, contact={"email": "grace@acme.example"})
        other_id = scene.add_message(conn, contact={"email": "ada@forno.example"})
    hints = Hints()
    suppressing(api, scene, hints).suppress(by(DOMAIN, "acme.example"))
    with database.worker() as conn:
        outbox, enrolments = tables.outbound_messages, tables.contact_campaigns
        status = {row.id: row.status for row in conn.execute(select(outbox.c.id, outbox.c.status))}
        reasons = {tuple(row) for row in conn.execute(select(enrolments.c.status, enrolments.c.reason))}
        causes = set(conn.execute(select(tables.campaign_transitions.c.cause)).scalars())
        # The builder's enrolments stand in their node without an audit row, which is no replay.
        broken = [found for found in check(conn, now) if found.violations and not found.name.startswith("I5")]
    assert status == {message_id: MessageStatus.SKIPPED, other_id: MessageStatus.QUEUED}
    assert reasons == {(EnrolmentStatus.STOPPED, "the address is suppressed"), (EnrolmentStatus.ACTIVE, "")}
    assert causes == {"suppressed"}
    assert hints.taken.campaigns == {scene.campaign_id}
    assert broken == []


def test_a_number_silences_its_channel_only(api: Database, database: Database):
    """Broken, who forbids texts would also lose the mails they asked for, or get the text that waits."""
    with database.worker() as conn:
        scene = add_scene(conn)
        reachable = {"email": "grace@acme.example", "phone": "+4940123456"}
        text_id = scene.add_message(conn, contact=reachable, channel=Channel.SMS)
    hints = Hints()
    suppressing(api, scene, hints).suppress(by(PHONE, "+4940123456"))
    assert hints.taken.messages == (text_id,), "the gate looks at it now"
    with database.worker() as conn:
        assert conn.execute(select(tables.contact_campaigns.c.status)).scalar() == EnrolmentStatus.ACTIVE


def test_a_suppression_waits_for_claims_under_way_and_binds_all_later_ones(
    api: Database, database: Database, now: datetime
):
    """Broken, mail would begin to go out after a suppression has been confirmed (I3)."""
    with database.worker() as conn:
        scene = add_scene(conn)
        message_id = scene.add_message(conn, contact={"email": "grace@acme.example"})
    with ThreadPoolExecutor(1) as operator:
        with database.worker() as conn:
            assert claim(conn, [message_id], Attempt(new_id(), now, now + timedelta(minutes=20))).claimed
            under_way = operator.submit(suppressing(api, scene).suppress, by(EMAIL, "grace@acme.example"))
            until_blocked(database)
            assert not under_way.done()
            assert conn.execute(text("SELECT count(*) FROM suppressions")).scalar() == 0
        under_way.result(timeout=10)
    with database.worker() as conn:
        assert conn.execute(select(tables.contact_campaigns.c.status)).scalar() == EnrolmentStatus.STOPPED


def test_a_long_list_is_found_by_its_index(database: Database, database_url: URL):
    """Broken, each mail would cost more, the more people have ever said no."""
    with database.worker() as conn:
        scene = add_scene(conn)
        scene.add_message(conn)
        conn.execute(
            text("""
                INSERT INTO suppressions (id, workspace_id, channel, address, created_at)
                SELECT gen_random_uuid(), :workspace, 'email', 'person' || n || '@acme.example', now()
                FROM generate_series(1, 20000) n
            """),
            {"workspace": scene.workspace_id},
        )
    owner = Database(database_url)
    with owner.worker() as conn:
        conn.execute(text("ANALYZE suppressions"))
    owner.close()
    rule = forbids(workspace="m.workspace_id", channel="m.channel", address="k.email")
    query = f"""
        EXPLAIN (FORMAT JSON) SELECT EXISTS (SELECT FROM suppressions x WHERE {rule})
        FROM outbound_messages m JOIN contacts k ON k.id = m.contact_id
    """
    with database.worker() as conn:
        conn.execute(text("SET LOCAL random_page_cost = 1.1"))
        (plan,) = conn.execute(text(query)).scalar_one()
    read = [node["Node Type"] for node in nodes(plan["Plan"]) if node.get("Alias") == "x"]
    assert read
    assert "Seq Scan" not in read


# --- fingerprints ------------------------------------------------------------------------------------------------


def fingerprint(conn: Connection, workspace_id: WorkspaceId, channel: str, address: str) -> str:
    query = text("SELECT fingerprint(CAST(:w AS uuid), :c, :a)")
    return conn.execute(query, {"w": workspace_id, "c": channel, "a": address}).scalar_one()


def test_a_fingerprint_knows_an_address_in_any_case_and_one_workspace_only(database: Database):
    """Broken, an erased person would be written to again; or two tenants could find out that they know the same one."""
    with database.worker() as conn:
        mine, theirs = add_workspace(conn), add_workspace(conn)
        own = fingerprint(conn, mine, "email", "Grace@Acme.example ")
        assert own == fingerprint(conn, mine, "email", "grace@acme.example")
        assert own.startswith("sha256:")
        assert len({own, fingerprint(conn, theirs, "email", "grace@acme.example")}) == 2
        assert len({own, fingerprint(conn, mine, "phone", "grace@acme.example")}) == 2


@pytest.mark.parametrize("role", ["cadenza_api", "cadenza_worker"])
def test_nobody_but_the_owner_reads_the_salt(database_url: URL, role: str):
    """Broken, whoever gets hold of a function could try out addresses against the fingerprints elsewhere."""
    functions = Database(database_url, role=role, patience_s=1)
    with pytest.raises(Exception, match="permission denied"), functions.worker() as conn:
        conn.execute(text("SELECT salt FROM erasure_salt"))
    functions.close()


def test_a_crawl_does_not_bring_an_erased_person_back(api: Database, database: Database):
    """Broken, the next look at a company's site would undo an erasure."""
    with database.worker() as conn:
        scene = add_scene(conn)
        lead_id = add_lead(conn, scene.workspace_id)
        for channel, address in (("email", "grace@acme.example"), ("phone", "+4940123456")):
            row = {"channel": channel, "address": fingerprint(conn, scene.workspace_id, channel, address)}
            conn.execute(
                insert(tables.suppressions),
                {"id": new_id(), "workspace_id": scene.workspace_id, "created_at": NOW} | row,
            )
        people = [
            found("Grace@Acme.example"),
            found("ada@acme.example", phone="+4940123456"),
            found("zoe@acme.example"),
        ]
        assert contacts_store.upsert(conn, scene.workspace_id, lead_id, people, NOW) == 2
        stored = conn.execute(select(tables.contacts.c.email, tables.contacts.c.phone).order_by("email")).all()
    assert [tuple(row) for row in stored] == [("ada@acme.example", None), ("zoe@acme.example", None)]
    suppressing(api, scene).suppress(by(EMAIL, "grace@acme.example"))
    with database.worker() as conn:
        addresses = set(conn.execute(select(tables.suppressions.c.address)).scalars())
    assert "grace@acme.example" not in addresses, "she is suppressed already, and not in clear"


def test_addresses_of_other_scripts_are_stored_as_they_are_suppressed(database: Database):
    """Broken, a suppression of bücher.example would not hold for its people."""
    with database.worker() as conn:
        scene = add_scene(conn)
        lead_id = add_lead(conn, scene.workspace_id)
        contacts_store.upsert(conn, scene.workspace_id, lead_id, [found("Uta@Bücher.example")], NOW)
        suppressions.add(conn, scene.workspace_id, [by(DOMAIN, "xn--bcher-kva.example")], Provenance("test"), NOW)
        (contact,) = contacts_store.of_lead(conn, lead_id)
    assert (contact.email, contact.suppressed) == ("Uta@xn--bcher-kva.example", True)


def found(email: str, **given: Any) -> FoundContact:
    page = {"page_url": "https://acme.example/team", "quote": email}
    return FoundContact(email=email, kind=ContactKind.PERSON, role_rank=1, **page, **given)


# --- countries ---------------------------------------------------------------------------------------------------

NAMED = {"countries": {"DE": "needs_opt_in", "FR": "needs_basis", "PT": "refused", "US": "allowed"}}
STRICT = NAMED | {"otherwise": "needs_basis"}


POLICIES = [
    ({}, "DE", "none", False),
    ({}, "", "none", False),
    (NAMED, "DE", "none", True),
    (NAMED, "DE", "legitimate_interest", True),
    (NAMED, "DE", "opt_in", False),
    (NAMED, "FR", "none", True),
    (NAMED, "FR", "legitimate_interest", False),
    (NAMED, "PT", "opt_in", True),
    (NAMED, "", "none", False),
    (STRICT, "US", "none", False),
    (STRICT, "BR", "none", True),
    (STRICT, "", "none", True),
    (STRICT, "", "opt_in", False),
]


def test_a_countrys_policy_is_asked_where_work_is_claimed_and_where_it_is_sent(database: Database, now: datetime):
    """Broken, people would be written to whom their country's law protects, or nobody would be written to at all."""
    for policy, country, basis, refused in POLICIES:
        with database.worker() as conn:
            scene = add_scene(conn, settings={"country_policy": policy})
            person = {"country": country, "consent_basis": ConsentBasis(basis)}
            message_id = scene.add_message(conn, contact=person)
            contact = contacts_store.find(conn, add_contact(conn, scene.workspace_id, **person))
            claims = claim(conn, [message_id], Attempt(new_id(), now, now + timedelta(minutes=20)))
        assert contact is not None
        verdicts = [judged.verdict for judged in claims.skipped]
        told = (contact.refused, verdicts, len(claims.claimed))
        assert told == ((True, [Verdict.NO_CONSENT], 0) if refused else (False, [], 1)), (policy, country, basis)
        assert planned(database, scene, contact) is not refused


def planned(database: Database, scene: Scene, contact: contacts_store.Contact) -> bool:
    """Whether a planning job goes on to ask for a plan."""
    wanted = PlanWanted(workspace_id=scene.workspace_id, campaign_id=scene.campaign_id, contact_id=contact.id)
    with database.worker() as conn:
        try:
            return bool(_brief(conn, wanted))
        except NotEnrolled as reason:
            return "asks for more consent" not in str(reason)


def test_a_policy_that_is_made_stricter_binds_at_once(database: Database, now: datetime):
    """Broken, mails that wait would still go to people of a country that has just been ruled out."""
    with database.worker() as conn:
        scene = add_scene(conn)
        message_id = scene.add_message(conn, contact={"country": "DE"})
        conn.execute(update(tables.automation_settings).values(country_policy={"countries": {"DE": "refused"}}))
        claims = claim(conn, [message_id], Attempt(new_id(), now, now + timedelta(minutes=20)))
    assert [judged.verdict for judged in claims.skipped] == [Verdict.NO_CONSENT]
