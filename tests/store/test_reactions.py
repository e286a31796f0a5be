"""One signal, and what it ends for its person in other campaigns, and for their colleagues."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event

from cadenza.campaigns import invariants
from cadenza.core.db import Database
from cadenza.core.ids import new_id
from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import CampaignStatus
from cadenza.delivery.gate import claim
from cadenza.delivery.model import Attempt
from cadenza.delivery.outcomes import record
from cadenza.delivery.service import LEASE
from tests.store.reacting import DAY, NOW, People, in_turn, reported

REPLIED, DELIVERED = SignalKind.REPLIED, SignalKind.DELIVERED
WAITS = ("active", "")
HOUR = timedelta(hours=1)


@pytest.fixture
def people(database: Database) -> People:
    """A workspace that leaves colleagues alone."""
    return People(database)


@pytest.fixture
def sparing(database: Database) -> People:
    """A workspace where one reply stops the whole company."""
    return People(database, {"stop_company_on_reply": True})


def holds_together(people: People) -> bool:
    """Whether the invariants hold; not I5, because these enrolments begin in the middle of their plan."""
    with people.database.worker() as conn:
        findings = invariants.check(conn, NOW + DAY)
    return not any(finding.violations for finding in findings if not finding.name.startswith("I5"))


def test_a_reply_stops_the_person_in_every_campaign(people: People):
    """Broken, somebody who has answered one of us would go on getting automatic mail from the others."""
    person = people.person()
    answered, elsewhere = people.mail(person), people.mail(person, people.another())
    queued = people.mail(person, people.another(), status="queued", sent_at=None)
    paused = people.mail(person, people.another(CampaignStatus.PAUSED))
    stranger = people.mail(people.person())
    follow_up = people.hear(reported(answered, REPLIED, NOW + HOUR))
    assert people.stood(answered) == ("stopped", "replied")
    for message_id in (elsewhere, queued, paused):
        assert people.stood(message_id) == ("stopped", "replied to another campaign")
    assert people.stood(stranger) == WAITS
    # The message that waited is withdrawn, and says why.
    ((status, reason),) = people.rows("SELECT status, reason FROM outbound_messages WHERE id = :id", id=queued)
    assert (status, reason) == ("skipped", "replied_elsewhere")
    # Each audit row names the cause and the event.
    query = """
        SELECT t.cause, v.kind, v.message_id FROM campaign_transitions t JOIN message_events v ON v.id = t.event_id
        ORDER BY t.cause
    """
    assert people.rows(query) == [("replied", "replied", answered), *[("replied_elsewhere", "replied", answered)] * 3]
    # And all these campaigns may be complete now.
    assert len(follow_up.campaigns) == 4
    assert people.suppressed() == []
    assert holds_together(people)


@pytest.mark.parametrize(
    ("kind", "cause", "reason"),
    [
        (SignalKind.UNSUBSCRIBED, "unsubscribed_elsewhere", "unsubscribed from another campaign"),
        (SignalKind.COMPLAINED, "complained_elsewhere", "complained about another campaign"),
        (SignalKind.BOUNCED, "bounced_elsewhere", "another campaign's message bounced"),
    ],
)
def test_a_dead_address_is_dead_everywhere_at_once(people: People, kind: SignalKind, cause: str, reason: str):
    """Broken, an operator would see people as active who can never be written to again."""
    person = people.person()
    own, elsewhere = people.mail(person), people.mail(person, people.another(), status="queued", sent_at=None)
    people.hear(reported(own, kind, NOW + HOUR, hard=True if kind is SignalKind.BOUNCED else None))
    assert people.stood(elsewhere) == ("stopped", reason)
    assert people.rows("SELECT cause FROM campaign_transitions ORDER BY cause") == sorted([(cause,), (kind.value,)])
    assert len(people.suppressed()) == 1
    assert holds_together(people)


def test_only_people_and_the_end_of_an_address_reach_other_campaigns(people: People):
    """Broken, an autoresponder, one full mailbox or one click would end everything for a person."""
    person = people.person()
    own, elsewhere = people.mail(person), people.mail(person, people.another())
    people.hear(
        reported(own, REPLIED, NOW + HOUR, grade=Grade.MACHINE, grade_reasons=("auto_reply",)),
        reported(own, SignalKind.BOUNCED, NOW + HOUR, hard=False),
        reported(own, SignalKind.CLICKED, NOW + HOUR),
    )
    assert people.stood(elsewhere) == WAITS


def test_colleagues_are_left_in_peace_where_the_workspace_wants_it(sparing: People):
    """Broken, a company that has answered would get the next colleague's mail the same afternoon."""
    company = sparing.lead()
    answered, colleague = sparing.mail(sparing.person(company)), sparing.mail(sparing.person(company))
    queued = sparing.mail(sparing.person(company), sparing.another(), status="queued", sent_at=None)
    outsider = sparing.mail(sparing.person())
    nobodys = [sparing.mail(sparing.person()) for _ in range(2)]
    sparing.hear(reported(answered, REPLIED, NOW + HOUR))
    assert sparing.stood(colleague) == sparing.stood(queued) == ("stopped", "a colleague replied")
    assert sparing.stood(outsider) == WAITS
    assert sparing.rows("SELECT DISTINCT cause FROM campaign_transitions ORDER BY 1") == [
        ("colleague_replied",),
        ("replied",),
    ]
    assert sparing.rows("SELECT DISTINCT status FROM outbound_messages WHERE id = :id", id=queued) == [("skipped",)]
    # People of no company are nobody's colleagues.
    sparing.hear(reported(nobodys[0], REPLIED, NOW + HOUR))
    assert sparing.stood(nobodys[1]) == WAITS
    assert holds_together(sparing)


def test_colleagues_are_written_to_unless_the_workspace_says_otherwise(people: People):
    """Broken, one person's answer would end a campaign for a whole company by default."""
    company = people.lead()
    answered, colleague = people.mail(people.person(company)), people.mail(people.person(company))
    people.hear(reported(answered, REPLIED, NOW + HOUR))
    assert people.stood(colleague) == WAITS


def test_an_opt_out_says_nothing_of_colleagues(sparing: People):
    """Broken, one person's objection would be recorded as everybody's."""
    company = sparing.lead()
    own, colleague = sparing.mail(sparing.person(company)), sparing.mail(sparing.person(company))
    sparing.hear(reported(own, SignalKind.UNSUBSCRIBED, NOW + HOUR))
    assert sparing.stood(colleague) == WAITS


def test_an_answer_to_a_campaign_that_is_over_still_counts(people: People):
    """Broken, whoever answers the last mail of one campaign would go on getting those of the next."""
    person = people.person()
    over, running = people.mail(person), people.mail(person, people.another())
    people.hear(reported(over, SignalKind.OPENED, NOW + HOUR))
    assert people.stood(over)[0] == "completed"
    people.hear(reported(over, REPLIED, NOW + 2 * HOUR))
    assert people.stood(running) == ("stopped", "replied to another campaign")


def test_repeats_change_nothing(people: People):
    """Broken, a reply that is reported again would stop what was begun after it (I6)."""
    person = people.person()
    answered = people.mail(person)
    reply = reported(answered, REPLIED, NOW + HOUR)
    people.hear(reply, reply)
    anew = people.mail(person, people.another())
    people.hear(reply)
    assert people.stood(anew) == WAITS
    assert people.rows("SELECT count(*) FROM campaign_transitions") == [(1,)]


def test_other_workspaces_are_none_of_its_business(people: People, database: Database):
    """Broken, one customer's reply would stop another customer's campaign (I9)."""
    stranger = People(database, {"stop_company_on_reply": True})
    theirs = stranger.mail(stranger.person(email="grace@acme.example"))
    own = people.mail(people.person(email="grace@acme.example"))
    people.hear(reported(own, REPLIED, NOW + HOUR))
    assert stranger.stood(theirs) == WAITS


def test_two_answers_at_once_do_not_stand_in_each_others_way(sparing: People, database: Database):
    """Broken, two colleagues who answer in the same second would block each other, or stop twice."""
    company = sparing.lead()
    first, second = sparing.mail(sparing.person(company)), sparing.mail(sparing.person(company))
    answers = [reported(message_id, REPLIED, NOW + HOUR) for message_id in (first, second)]
    in_turn(database, *(lambda conn, answer=answer: record(conn, [answer], NOW + DAY) for answer in answers))
    assert sparing.stood(first) == ("stopped", "replied")
    assert sparing.stood(second) == ("stopped", "a colleague replied")
    assert sparing.rows("SELECT count(*) FROM campaign_transitions") == [(2,)]


@pytest.mark.parametrize("reply_first", [True, False], ids=["reply first", "claim first"])
def test_once_a_reply_is_recorded_no_other_campaign_sends(people: People, database: Database, reply_first: bool):
    """Broken, mail would leave for somebody whose answer an operator has already read (I3)."""
    person = people.person()
    answered = people.mail(person)
    queued = people.mail(person, people.another(), status="queued", sent_at=None, due_at=NOW)

    def reply(conn):
        record(conn, [reported(answered, REPLIED, NOW + HOUR)], NOW + DAY)

    def send(conn):
        now = NOW + DAY
        return len(claim(conn, [queued], Attempt(new_id(), now, now + LEASE)).claimed)

    first, second = (reply, send) if reply_first else (send, reply)
    assert not in_turn(database, first, second)
    ((status,),) = people.rows("SELECT status FROM outbound_messages WHERE id = :id", id=queued)
    assert status == ("skipped" if reply_first else "sending")
    assert people.stood(queued) == ("stopped", "replied to another campaign")


@pytest.mark.parametrize("number", [1, 40])
def test_a_batch_takes_a_constant_number_of_statements(sparing: People, database: Database, number: int):
    """Broken, a flood of bounces, answers and absence notes would take the database down."""
    signals = []
    for _ in range(number):
        company = sparing.lead()
        person, colleague = sparing.person(company), sparing.person(company)
        for mail, kind, more in (
            (sparing.mail(person), REPLIED, {}),
            (sparing.mail(person, sparing.another()), SignalKind.OPENED, {}),
            (sparing.mail(colleague), SignalKind.BOUNCED, {"hard": False}),
            (sparing.mail(sparing.person()), SignalKind.UNSUBSCRIBED, {}),
            (sparing.mail(sparing.person()), REPLIED, {"grade_reasons": ("out_of_office",)}),
            (sparing.mail(sparing.person(), status="sending", attempt_id=new_id(), sent_at=None), DELIVERED, {}),
        ):
            signals.append(reported(mail, kind, NOW + HOUR, **more))
    sparing.hear(reported(signals[0].message_id, DELIVERED, NOW))  # plans are loaded once a process
    sent: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    sparing.hear(*signals)
    assert len(sent) <= 12, len(sent)
    assert holds_together(sparing)
