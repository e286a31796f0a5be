"""A plan by a model, held to what it was told: it writes steps and words, everything else comes from the brief.

The model answers with a draft that has no time zone, no quiet hours, no sender and no HTML, so it cannot change them.
The draft is compiled and linted, and each of its statements proved; what is wrong goes back, twice at most; then the
caller plans offline or skips. A model need not cite the claims it uses: a citation proves nothing, and there are few
claims, so each sentence is held against all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from cadenza.core.ai import AiBusy, AiFailed, AiUsage, Model, as_data, load_prompt
from cadenza.leads.language import detect_language
from cadenza.planning.brief import PlanBrief
from cadenza.planning.findings import Compiled, Finding, FindingCode
from cadenza.planning.lint import lint_pace, lint_plan
from cadenza.planning.model import NodeAction, Plan, PlanEvent
from cadenza.planning.proof import prove_plan
from cadenza.planning.vocabulary import VOCABULARIES

AI_VERSION = "plan.v2"
MAX_REPAIRS = 2

Json = dict[str, JsonValue]
Compile = Callable[[object], Compiled]
"""The compiler: `planning.compiler.compile_plan`, given by the caller with the renderer's variables bound, if any."""


class PlanUnusable(AiFailed):
    """The model's last plan still had errors. ``findings`` are those; ``usage`` covers all tries."""

    def __init__(self, findings: Sequence[Finding], usage: AiUsage) -> None:
        codes = ", ".join(sorted({str(finding.code) for finding in findings}))
        super().__init__(f"no usable plan after {usage.calls} tries: {codes}", usage)
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True)
class AiPlan:
    """A plan without errors, by whom, and what it took."""

    plan: Json
    model: str
    version: str
    usage: AiUsage


def plan_with_ai(client: Model, brief: PlanBrief, compile_plan: Compile) -> AiPlan:
    """Let a model plan; compile and lint what it wrote, and let it repair at most twice.

    Raises:
        AiBusy, AiRefused, AiInvalid, AiRejected: See `AiClient.ask`; their usage covers all calls.
        PlanUnusable: The last repair still had errors.
    """
    prompt = load_prompt("cadenza.planning", AI_VERSION)
    brief = in_a_language_we_read(brief)
    told: Json = brief.model_dump(mode="json")
    question = told
    usage: AiUsage | None = None
    findings: list[Finding] = []
    for _ in range(1 + MAX_REPAIRS):
        try:
            answer = client.ask(prompt, as_data("brief", question), PlanDraft)
        except (AiFailed, AiBusy) as error:
            error.usage = _sum(usage, error.usage)
            raise
        usage = _sum(usage, answer.usage)
        plan = assembled(answer.value, brief)
        findings = _errors_of_a_model(plan, brief, compile_plan, prompt.text)
        if not findings:
            return AiPlan(plan, client.model, prompt.version, usage or answer.usage)
        previous: JsonValue = answer.value.model_dump(mode="json")
        found: list[JsonValue] = [dict(finding.to_json()) for finding in findings]
        question: Json = {**told, "previous_plan": previous, "findings": found}
    raise PlanUnusable(findings, usage or AiUsage(model=client.model, prompt_version=prompt.version, calls=0))


def errors_of(plan: Json, brief: PlanBrief, compile_plan: Compile, instructions: str = "") -> list[Finding]:
    """Everything that refuses a plan: the compiler's errors, and then the linter's about its copy and its pace."""
    compiled = compile_plan(plan)
    if compiled.plan is None:
        return list(compiled.errors)
    return [*lint_plan(Plan.model_validate(plan), brief, instructions), *lint_pace(compiled.plan, brief)]


def _errors_of_a_model(plan: Json, brief: PlanBrief, compile_plan: Compile, instructions: str) -> list[Finding]:
    """`errors_of`, and what a model alone is held to: it can say nothing that its brief does not prove."""
    errors = errors_of(plan, brief, compile_plan, instructions)
    unread = any(isinstance(error.code, FindingCode) for error in errors)  # it did not compile
    return errors if unread else [*errors, *prove_plan(Plan.model_validate(plan), brief)]


def in_a_language_we_read(brief: PlanBrief) -> PlanBrief:
    """``brief`` in its own language, or else the offering's, or English: copy that we cannot check is not written."""
    if brief.language in VOCABULARIES:
        return brief
    told = detect_language(brief.offering)
    return brief.model_copy(update={"language": told if told in VOCABULARIES else "en"})


def _sum(one: AiUsage | None, other: AiUsage | None) -> AiUsage | None:
    return one + other if one and other else one or other


# --- what a model is asked for -----------------------------------------------------------------------------------


class _Draft(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class DraftTransition(_Draft):
    """A way on. At most one of ``within`` and ``after``; ISO 8601."""

    on: PlanEvent
    to: str
    within: str | None
    after: str | None


class DraftNode(_Draft):
    """One step. ``subject``, ``body`` and ``delay`` (ISO 8601, "PT0S" for none) matter to send nodes only."""

    id: str
    action: NodeAction
    delay: str
    subject: str
    body: str
    transitions: list[DraftTransition]


class PlanDraft(_Draft):
    """What a model answers: steps and words, nothing else."""

    start_node_id: str
    nodes: list[DraftNode] = Field(description="Every step of the plan, the stop node included.")


def assembled(draft: PlanDraft, brief: PlanBrief) -> Json:
    """The draft as plan JSON of version 1.1, with zone and quiet hours from the brief."""
    nodes: list[JsonValue] = [_node(node) for node in draft.nodes]
    plan: Json = {
        "version": "1.1",
        "timezone": brief.time_zone,
        "startNodeId": draft.start_node_id,
        "nodes": nodes,
    }
    if brief.quiet_hours is not None:
        plan["quietHours"] = {"start": brief.quiet_hours.start, "end": brief.quiet_hours.end}
    return plan


def _node(node: DraftNode) -> Json:
    made: Json = {"id": node.id, "action": node.action.value}
    if node.action is NodeAction.SEND:
        made |= {"subject": node.subject, "body": node.body, "schedule": {"delay": node.delay or "PT0S"}}
    if node.action is not NodeAction.STOP:
        made["transitions"] = [_transition(way) for way in node.transitions]
    return made


def _transition(way: DraftTransition) -> Json:
    bounds = {"within": way.within, "after": way.after}
    return {"on": way.on.value, "to": way.to, **{name: text for name, text in bounds.items() if text}}
