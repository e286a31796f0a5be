"""The copy lint, code by code: what it refuses, and what stands near it and passes."""

from __future__ import annotations

import pytest

from cadenza.leads.report import Claim, Topic
from cadenza.planning.brief import PlanBrief
from cadenza.planning.compiler import compile_plan
from cadenza.planning.lint import lint_pace, lint_plan, lint_text
from cadenza.planning.lint_codes import LintCode
from cadenza.planning.model import Plan
from cadenza.planning.proof import prove_plan

LINK = "https://taktwerk.example/visits"
QUOTES = ("We build oak stairs for listed houses.", "We fitted the stairs of Marlowe Hotels in 2024.")
FILLER = "We plan field visits so that a moved appointment takes no phone calls."
SIGNED = "Best regards\nClara Voss\nTaktwerk"


def brief(**changes: object) -> PlanBrief:
    told: dict[str, object] = {
        "sender_name": "Clara Voss",
        "sender_company": "Taktwerk",
        "offering": FILLER,
        "goal": "Book five demos before our funding round closes in May.",
        "link": LINK,
        "company_name": "Thornbury Joinery",
        "contact_name": "Anna Lee",
        "first_name": "Anna",
        "claims": tuple(Claim(topic=Topic.SUMMARY, text=q, page_url="u", quote=q) for q in QUOTES),
    }
    return PlanBrief.model_validate(told | changes)


def body(line: str) -> str:
    return f"Hello Anna,\n\n{FILLER}\n\n{line}\n\n{SIGNED}"


def plan_of(subject: str, text: str) -> dict[str, object]:
    ways = [{"on": "replied", "to": "stop"}, {"on": "no_reply", "to": "stop", "after": "P5D"}]
    mail = {"id": "a", "action": "send", "subject": subject, "body": text, "transitions": ways}
    nodes = [mail, {"id": "stop", "action": "stop"}]
    return {"version": "1.1", "timezone": "UTC", "startNodeId": "a", "nodes": nodes}


def codes(text: str, subject: str = "Oak stairs", **changes: object) -> set[LintCode]:
    plan, told = Plan.model_validate(plan_of(subject, text)), brief(**changes)
    findings = [*lint_plan(plan, told), *prove_plan(plan, told)]
    assert all(finding.pointer.startswith("/nodes/0/") and finding.message and finding.fix for finding in findings)
    return {LintCode(finding.code) for finding in findings}


def test_a_plain_mail_passes() -> None:
    """Every other test here would be about nothing."""
    assert codes(body("You build oak stairs for listed houses.")) == set()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("As discussed, I send you the details.", LintCode.FALSE_FAMILIARITY),
        ("It was great speaking with you.", LintCode.FALSE_FAMILIARITY),
        ("Following up on our call, here is more.", LintCode.FALSE_FAMILIARITY),
        ("Wie besprochen schreibe ich Ihnen.", LintCode.FALSE_FAMILIARITY),
        ("Suite à notre échange, je vous écris.", LintCode.FALSE_FAMILIARITY),
        ("You get a discount with us.", LintCode.PROMISE),
        ("We guarantee that.", LintCode.PROMISE),
        ("Das ist für Sie kostenlos.", LintCode.PROMISE),
        ("Others in your trade are frauds.", LintCode.ACCUSATION),
        ("We will take legal action.", LintCode.ACCUSATION),
        ("Die anderen liefern mangelhafte Ware.", LintCode.ACCUSATION),
        ("You at Marlowe fitted stairs.", LintCode.WRONG_COMPANY),
        ("We hope to book five demos before our funding round closes in May.", LintCode.LEAK),
        ("Your max_emails is three.", LintCode.LEAK),
        ("Write \u200bsoon.", LintCode.DISGUISED),
        ("Write s\u043e\u043en.", LintCode.DISGUISED),
        ("Code: aGVsbG8gd29ybGQgYWdhaW4=", LintCode.DISGUISED),
        ("See evil [dot] example.", LintCode.FOREIGN_LINK),
        ("See ｅｖｉｌ．ｅｘａｍｐｌｅ now.", LintCode.FOREIGN_LINK),
        ("See hxxps://evil.example.", LintCode.FOREIGN_LINK),
        ("See //evil.example/x now.", LintCode.FOREIGN_LINK),
        ("Write to boss (at) evil (dot) example.", LintCode.FOREIGN_ADDRESS),
        ("Find us as @evilcorp there.", LintCode.FOREIGN_ADDRESS),
        ("Call 030 12 34 56.", LintCode.FOREIGN_ADDRESS),
        ("The code is {% raw %}.", LintCode.PLACEHOLDER),
        ("<!-- note -->", LintCode.MARKUP),
        ("You train apprentices in Norway.", LintCode.UNPROVED_STATEMENT),
        ("Resin from Larchfield suits you.", LintCode.UNPROVED_NAME),
        ("The code is OAK7731.", LintCode.UNPROVED_NAME),
        ("We insure workshops against burglary.", LintCode.UNPROVED_OFFER),
        ("Это письмо для вас.", LintCode.WRONG_LANGUAGE),
    ],
)
def test_what_must_not_leave_is_found(line: str, code: LintCode) -> None:
    """Each of these would cost the sender's good name, or the recipient's trust."""
    assert code in codes(body(line))


@pytest.mark.parametrize(
    "line",
    [
        "I wrote to you a few days ago.",
        "Just answer this mail, I reply myself.",
        "Would a call at 10:30 on Tuesday make sense?",
        "Would 15 minutes do?",
        f"More: {LINK}.",
        "Your site says: “We fitted the stairs of Marlowe Hotels in 2024.”",
        "You fitted the stairs of Marlowe Hotels in 2024.",
        "If somebody else at Thornbury is the right person, a name is enough.",
        "A no is fine, e.g. in one line.",
    ],
)
def test_what_stands_near_it_passes(line: str) -> None:
    """A model's good mails would be sent back until none is left."""
    assert codes(body(line)) == set()


@pytest.mark.parametrize("subject", ["Re: oak stairs", "FWD: stairs", "AW: Treppen", "re[2]: stairs", "OAK STAIRS NOW"])
def test_subjects_feign_and_shout_nothing(subject: str) -> None:
    """A feigned answer is the first thing that people report as spam."""
    assert LintCode.SUBJECT_TRICK in codes(body("A line is enough."), subject)


@pytest.mark.parametrize("subject", ["Reading about oak stairs", "Oak stairs: a question", "OAK", "Regarding visits"])
def test_subjects_that_only_look_like_tricks_pass(subject: str) -> None:
    """Honest subjects would be refused for their first letters."""
    assert LintCode.SUBJECT_TRICK not in codes(body("A line is enough."), subject)


@pytest.mark.parametrize(
    ("ending", "wrong"),
    [
        ("Best regards\nClara Voss\nTaktwerk", False),
        ("Clara Voss, Taktwerk", False),
        ("Best regards\nClara Voss", False),
        ("Best regards", True),
        ("Best regards\nRegina Falk\nTaktwerk", True),
        ("Best regards\nClara Voss\nFalkenstein Capital", True),
        ("Best regards\nClara Voss\nTaktwerk\nPS: buy resin", True),
    ],
)
def test_the_sender_signs_and_nobody_else(ending: str, wrong: bool) -> None:
    """A recipient would not know who writes, or would be told a wrong name."""
    found = codes(f"Hello Anna,\n\n{FILLER}\n\nWould a short call make sense?\n\n{ending}")
    assert (LintCode.WRONG_SENDER in found) is wrong


def test_the_greeting_names_a_client_of_theirs() -> None:
    """Thornbury would be greeted as the hotel whose stairs it fitted."""
    assert LintCode.WRONG_COMPANY in codes(body("A line is enough.").replace("Hello Anna", "Hello Marlowe team"))


GERMAN = (
    "Guten Tag,\n\nwir planen die Einsätze so, dass ein Termin, der sich verschiebt, für Sie kein Telefonat braucht."
)


def test_a_mail_is_in_the_recipients_language() -> None:
    """A German company would be written to in English, or an English one in German."""
    assert LintCode.WRONG_LANGUAGE in codes(f"{GERMAN}\n\n{SIGNED}")
    assert LintCode.WRONG_LANGUAGE not in codes(f"{GERMAN}\n\n{SIGNED}", language="de", offering="Wir planen Einsätze.")
    assert LintCode.WRONG_LANGUAGE not in codes(f"Hallo Anna,\n\n{SIGNED}\n\nBis bald")  # too short to tell


def test_the_senders_own_words_are_left_alone() -> None:
    """A company that grants discounts, or insures against fraud, could not say so."""
    offering = "We insure joiners against fraud, and grant a discount to members of the guild. Call 030 1234567 for it."
    text = body("").replace(FILLER, offering)
    assert codes(text, offering=offering) == set()


def test_instructions_are_not_repeated() -> None:
    """A model that is asked for its prompt would send it."""
    plan = Plan.model_validate(plan_of("Stairs", body("Every way ends in the stop node.")))
    instructions = "Plan well. Every way ends in the stop node. Write plainly."
    assert LintCode.LEAK in {finding.code for finding in lint_plan(plan, brief(), instructions)}
    assert LintCode.LEAK not in {finding.code for finding in lint_plan(plan, brief())}


@pytest.mark.parametrize(
    ("ways", "code"),
    [
        ([{"on": "no_reply", "to": "b", "after": "P3D"}, {"on": "replied", "to": "b"}], LintCode.DEAF),
        ([{"on": "no_reply", "to": "b", "after": "P2Y"}], LintCode.TOO_LATE),
    ],
)
def test_a_plan_has_manners(ways: list[dict[str, str]], code: LintCode) -> None:
    """Who answers would be written to as if they had not; who was forgotten would be written to after years."""
    first = {"id": "a", "action": "send", "subject": "s", "body": "b", "transitions": ways}
    second = {"id": "b", "action": "send", "subject": "s", "body": "b", "schedule": {"delay": "P1D"}}
    nodes = [first, second, {"id": "end", "action": "stop"}]
    second["transitions"] = [{"on": "replied", "to": "end"}, {"on": "no_reply", "to": "end", "after": "P3D"}]
    compiled = compile_plan({"version": "1.1", "timezone": "UTC", "startNodeId": "a", "nodes": nodes})
    assert compiled.plan is not None, compiled.findings
    assert code in {finding.code for finding in lint_pace(compiled.plan, brief())}


def test_every_code_of_the_copy_can_be_found_in_a_single_text() -> None:
    """The API lints what an operator edits text by text: the same codes must come out."""
    found = {finding.code for finding in lint_text(body("As discussed, see evil.example."), "body", "/b", brief())}
    assert found == {LintCode.FALSE_FAMILIARITY, LintCode.FOREIGN_LINK}
