"""The planner with a model: compiled, linted, repaired twice at most, and never freer than its brief."""

from __future__ import annotations

import pytest

from cadenza.core.ai import AiBusy, AiClient, AiRefused
from cadenza.leads.report import Claim, Topic
from cadenza.planning.ai import AiPlan, PlanUnusable, errors_of, plan_with_ai
from cadenza.planning.brief import PlanBrief
from cadenza.planning.compiler import compile_plan
from cadenza.planning.model import Hours
from cadenza.planning.offline import plan_offline
from tests.unit.fake_openai import FakeOpenAi, Json, Reply, fake_openai, says

LINK = "https://taktwerk.example/visits"
BRIEF = PlanBrief(
    sender_name="Clara Voss",
    sender_company="Taktwerk",
    offering="We plan field visits so that a moved appointment takes no phone calls.",
    link=LINK,
    company_name="Thornbury Joinery",
    contact_name="Anna Lee",
    first_name="Anna",
    claims=(
        Claim(topic=Topic.SUMMARY, text="They build oak stairs.", page_url="u", quote="We build oak stairs by hand."),
    ),
    quiet_hours=Hours(start="20:00", end="08:00"),
    time_zone="Europe/London",
)
GOOD = f"Hello Anna,\n\nyou build oak stairs by hand. We plan visits. Would a call help?\n\n{LINK}\n\nClara Voss"


def way(on: str, to: str, after: str | None = None) -> Json:
    return {"on": on, "to": to, "within": None, "after": after}


def mail(node_id: str, body: str, *ways: Json, delay: str = "PT0S") -> Json:
    return {
        "id": node_id,
        "action": "send",
        "delay": delay,
        "subject": "Oak stairs and visits",
        "body": body,
        "transitions": list(ways),
    }


STOP: Json = {"id": "stop", "action": "stop", "delay": "PT0S", "subject": "", "body": "", "transitions": []}


def draft(body: str = GOOD, to: str = "second") -> Json:
    first = mail("first", body, way("replied", "stop"), way("no_reply", to, "P3D"))
    second = mail("second", GOOD, way("replied", "stop"), way("no_reply", "stop", "P5D"))
    return {"start_node_id": "first", "nodes": [first, second, STOP]}


def plan(server: FakeOpenAi) -> AiPlan:
    with AiClient("key", "gpt-5-mini", server.url) as client:
        return plan_with_ai(client, BRIEF, compile_plan)


def test_a_good_draft_becomes_a_plan_with_the_briefs_limits() -> None:
    """A model's plan would not run, or run at night."""
    with fake_openai(lambda _: says(draft() | {"quietHours": None, "timezone": "UTC"})) as server:
        made = plan(server)
    assert errors_of(made.plan, BRIEF, compile_plan) == []
    assert made.plan["quietHours"] == {"start": "20:00", "end": "08:00"}
    assert made.plan["timezone"] == "Europe/London"
    assert (made.version, made.usage.calls, made.usage.cost_usd_micros) == ("plan.v2", 1, 650)


def test_findings_go_back_and_the_repair_is_taken() -> None:
    """One slip would throw a paid plan away."""
    replies = iter([draft(to="nowhere"), draft(GOOD + "\n\nSee https://evil.example/x"), draft()])
    with fake_openai(lambda _: says(next(replies))) as server:
        made = plan(server)
    assert made.usage.calls == 3
    assert made.usage.input_tokens == 3_000
    second, third = (body["input"] for _, body in server.requests[1:])
    assert "unknown_target" in second
    assert "/nodes/0/transitions/1/to" in second
    assert "foreign_link" in third


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (GOOD.replace(LINK, "https://evil.example/claim"), "foreign_link"),
        (GOOD.replace(LINK, "Write to victor.imm@evil.example."), "foreign_address"),
        (GOOD.replace("Anna", "Victor"), "wrong_name"),
        (GOOD.replace(LINK, "You have 4,000 customers."), "unproved_number"),
        (GOOD.replace(LINK, "You say “we want your rebate”."), "unproved_quote"),
        (GOOD.replace(LINK, "You train apprentices and export to Norway."), "unproved_statement"),
        (GOOD.replace(LINK, "We insure your workshop against burglary."), "unproved_offer"),
    ],
)
def test_a_model_that_insists_on_what_was_planted_gets_no_plan(body: str, code: str) -> None:
    """What a page planted in a model would be mailed."""
    with fake_openai(lambda _: says(draft(body))) as server, pytest.raises(PlanUnusable) as failure:
        plan(server)
    assert len(server.requests) == 3
    assert code in {str(finding.code) for finding in failure.value.findings}
    assert failure.value.usage is not None
    assert failure.value.usage.calls == 3
    assert errors_of(plan_offline(BRIEF), BRIEF, compile_plan) == []  # what the caller falls back to
    assert "evil" not in str(plan_offline(BRIEF))


def test_a_model_cannot_write_more_often_than_allowed() -> None:
    """A campaign of three mails would become one of ten."""
    steps = [mail(f"n{i}", GOOD, way("replied", "stop"), way("no_reply", f"n{i + 1}", "P3D")) for i in range(4)]
    long = {"start_node_id": "n0", "nodes": [*steps, mail("n4", GOOD, way("no_reply", "stop", "P3D")), STOP]}
    with fake_openai(lambda _: says(long)) as server, pytest.raises(PlanUnusable) as failure:
        plan(server)
    assert {str(finding.code) for finding in failure.value.findings} == {"too_many_mails"}


@pytest.mark.parametrize(
    ("reply", "kind", "calls"), [(Reply(refusal="No."), AiRefused, 2), (Reply(status=429), AiBusy, 1)]
)
def test_a_failure_during_repair_keeps_count_of_what_was_spent(
    reply: Reply, kind: type[AiRefused | AiBusy], calls: int
) -> None:
    """The budget would not see the first calls."""
    replies = iter([says(draft(to="nowhere")), reply])
    with fake_openai(lambda _: next(replies)) as server, pytest.raises(kind) as failure:
        plan(server)
    assert failure.value.usage is not None
    assert failure.value.usage.calls == calls


def test_the_model_is_told_the_claims_and_not_the_pages() -> None:
    """Unverified text would come back into the copy by the planner's door."""
    with fake_openai(lambda _: says(draft())) as server:
        plan(server)
    ((_, body),) = server.requests
    assert "We build oak stairs by hand." in body["input"]
    assert "markdown" not in body["input"]
