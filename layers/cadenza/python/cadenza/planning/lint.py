"""What a mail must not be, whoever wrote it: too long, spam, for somebody else, or with a link nobody approved.

Findings have the shape of the compiler's, so that authors, the API and a repairing model read both alike. Errors refuse
a plan. What only a model's copy is held to (every statement has a claim) is in `proof`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter

from cadenza.leads.evidence import gives_orders, squash
from cadenza.leads.language import detect_language
from cadenza.planning.brief import PlanBrief
from cadenza.planning.compiled import CompiledPlan, Node
from cadenza.planning.durations import parse_duration
from cadenza.planning.findings import Finding
from cadenza.planning.links import disguised, foreign_addresses, foreign_links, without_links
from cadenza.planning.lint_codes import LintCode, refusal
from cadenza.planning.model import NodeAction, Plan, PlanEvent, json_pointer
from cadenza.planning.vocabulary import VOCABULARIES, reads_as
from cadenza.planning.wording import leaks, names, phrases, subject_tricks

__all__ = ["LintCode", "lint_pace", "lint_plan", "lint_text"]

MAX_SUBJECT_CHARS = 90
MAX_BODY_WORDS = 220
MIN_BODY_WORDS = 8
MAX_WAIT = timedelta(days=60)
"""Between two mails: after that long, nobody remembers the first."""
_SMALL_NUMBER = 60


def lint_plan(plan: Plan, brief: PlanBrief, instructions: str = "") -> tuple[Finding, ...]:
    """Everything that is wrong with the copy of ``plan``. Copy must not repeat a model's ``instructions``."""
    findings: list[Finding] = []
    for position, node in enumerate(plan.nodes):
        if node.action is not NodeAction.SEND:
            continue
        for field in ("subject", "body", "html"):
            if text := getattr(node, field):
                pointer = json_pointer("nodes", position, field)
                findings += lint_text(str(text), field, pointer, brief)
                findings += leaks(str(text), pointer, brief, instructions)
    return tuple(findings)


def lint_text(text: str, field: str, pointer: str, brief: PlanBrief) -> Iterator[Finding]:
    """Everything that is wrong with one subject or body."""
    if field == "html":
        yield refusal(LintCode.MARKUP, pointer, "the mail has HTML of its own", "Leave `html` out.")
        return
    yield from _length(text, field, pointer)
    own = f"{brief.offering} {brief.ask} {brief.sender_company}"  # whatever the sender put there is meant
    for part in (part for part in disguised(text) if part not in own):
        message = f"{part!r} hides or imitates text"
        yield refusal(LintCode.DISGUISED, pointer, message, "Write plain letters.")
    yield from _ways_out(_as_shown(text), field, pointer, brief, own)
    for code, pattern, what, fix in _FORBIDDEN:
        for match in (match for match in pattern.finditer(text) if match[0].strip() not in own):
            yield refusal(code, pointer, f"{match[0].strip()!r} {what}", fix)
    if gives_orders(text):
        yield refusal(LintCode.ORDERS, pointer, "the copy talks to a machine", "Write to the recipient.")
    yield from phrases(_as_shown(text), pointer, brief)
    yield from subject_tricks(text, pointer) if field == "subject" else names(text, pointer, brief)
    yield from _unproved(text, pointer, brief)
    if field == "body":
        yield from _language(text, pointer, brief)


def _length(text: str, field: str, pointer: str) -> Iterator[Finding]:
    if field == "subject" and (len(text) > MAX_SUBJECT_CHARS or len(text.splitlines()) > 1):
        message = f"a subject is one line of at most {MAX_SUBJECT_CHARS} characters, not {len(text)}"
        yield refusal(LintCode.SUBJECT_LENGTH, pointer, message, "Shorten it.")
    words = len(text.split())
    if field == "body" and not MIN_BODY_WORDS <= words <= MAX_BODY_WORDS:
        message = f"a mail has {MIN_BODY_WORDS} to {MAX_BODY_WORDS} words, not {words}"
        yield refusal(LintCode.BODY_LENGTH, pointer, message, "Change its length.")


def _ways_out(text: str, field: str, pointer: str, brief: PlanBrief, own: str) -> Iterator[Finding]:
    for link in (link for link in foreign_links(text, brief.link, field) if link not in own):
        message = f"{link!r} is not the sender's link"
        yield refusal(LintCode.FOREIGN_LINK, pointer, message, f"Use {brief.link or 'no link'} only.")
    for address, what in foreign_addresses(text, brief.link):
        if address not in own:
            yield refusal(LintCode.FOREIGN_ADDRESS, pointer, f"{address!r} is {what}", "Remove it.")


def _as_shown(text: str) -> str:
    """``text`` as a reader takes it: full-width and other forms folded, what draws nothing left out; lines kept."""
    folded = unicodedata.normalize("NFKC", text.translate(_STOPS))
    return "\n".join(squash(line) for line in folded.splitlines())


_STOPS = str.maketrans("。．｡․", "....")
_PLACEHOLDER = re.compile(
    r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|\$\{.*?\}|\{[A-Za-z_ ]+\}|%[A-Za-z_]+%|\[(?:your|my|the|insert|first|last|"
    r"company|name|"
    r"recipient|sender|date|link|ihr|vorname|nachname|nome|nombre|pr[eé]nom|empresa|firma)[^\]]*\]|<(?:name|company|"
    r"first[ _]?name|link)>|\bXX+\b|lorem ipsum|\bT(?:ODO|BD)\b",
    re.IGNORECASE | re.DOTALL,
)
_MARKUP = re.compile(r"</?[a-z][a-z0-9]*(?:\s[^>]*)?>|<!--|\]\(|\*\*|^#{1,6}\s|```", re.IGNORECASE | re.MULTILINE)
_FORBIDDEN = (
    (LintCode.PLACEHOLDER, _PLACEHOLDER, "was left in the copy", "Write the words themselves."),
    (LintCode.MARKUP, _MARKUP, "is markup", "Write plain text."),
)


def _language(body: str, pointer: str, brief: PlanBrief) -> Iterator[Finding]:
    """Neither the brief's language nor the offering's, which a plan by rule takes over word for word."""
    said = _QUOTED.sub(" ", without_links(body))
    told = detect_language(said)
    allowed = {"", brief.language, detect_language(brief.offering)}
    # The rules fall back to English where they know neither language.
    allowed |= set() if brief.language in VOCABULARIES else {"en"}
    if told not in allowed and not reads_as(said, brief.language):
        message = f"the mail is written in {told!r}"
        yield refusal(LintCode.WRONG_LANGUAGE, pointer, message, f"Write it in {brief.language!r}.")


def _known_words(brief: PlanBrief) -> str:
    """Every claim, and the sender's own words: what copy may repeat."""
    own = (brief.offering, brief.ask, brief.link, brief.sender_company, brief.company_name)
    return squash(" ".join((*own, *(claim.quote for claim in brief.claims)))).casefold()


# --- proof -------------------------------------------------------------------------------------------------------

_QUOTED = re.compile(r"[“„«\"]\s?([^“”„«»\"]{4,}?)\s?[”“»\"]")
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
_HARD_NUMBER = re.compile(
    r"[€$£]\s?\d[\d.,]*|\d[\d.,]*(?:\s?(?:%|‰|percent|per cent|prozent|€|\$|£|euros?|x\b|times\b))?", re.IGNORECASE
)


def _unproved(text: str, pointer: str, brief: PlanBrief) -> Iterator[Finding]:
    """Quotations that no claim holds, and figures that neither a claim nor the sender's own words hold."""
    known = _known_words(brief)
    for quoted in _QUOTED.findall(text):
        wanted = squash(quoted).casefold().rstrip(" .…,;:!?")
        if wanted not in known:
            message = f"{quoted!r} is quoted, but the recipient's site does not say so"
            yield refusal(LintCode.UNPROVED_QUOTE, pointer, message, "Quote a claim word for word.")
    figures = set(_FIGURE.findall(known))
    for match in _HARD_NUMBER.findall(without_links(text)):
        digits = _FIGURE.findall(match)[0]
        plain = match.strip() == digits and digits.isdecimal() and int(digits) <= _SMALL_NUMBER
        if digits not in figures and not plain:
            message = f"nothing in the brief proves the figure {match.strip()!r}"
            yield refusal(LintCode.UNPROVED_NUMBER, pointer, message, "Remove it.")


# --- manners -----------------------------------------------------------------------------------------------------


def lint_pace(plan: CompiledPlan, brief: PlanBrief) -> tuple[Finding, ...]:
    """Whether a plan writes more often, or sooner after the last mail, than the brief allows; or can go round."""
    ways = {node.id: [t.to for t in node.transitions if t.to in plan.nodes] for node in plan.nodes.values()}
    try:
        order = list(TopologicalSorter(ways).static_order())
    except CycleError:
        return (refusal(LintCode.LOOP, "/nodes", "the plan goes round", "Write the steps out."),)
    most: dict[str, int] = {}
    for node_id in order:
        most[node_id] = _sends(plan.nodes[node_id]) + max((most[to] for to in ways[node_id]), default=0)
    findings: list[Finding] = []
    if most[plan.start] > brief.cadence.max_emails:
        message = f"a contact can get {most[plan.start]} mails, the brief allows {brief.cadence.max_emails}"
        findings.append(refusal(LintCode.TOO_MANY_MAILS, "/nodes", message, "Drop steps."))
    cadence = brief.cadence
    least = min(
        parse_duration(d).about for d in (cadence.no_open_after, cadence.follow_up_after, cadence.interested_after)
    )
    for node_id, gap in _gaps(plan, reversed(order)).items():
        if gap < least:
            at = json_pointer("nodes", plan.nodes[node_id].position)
            message = f"{node_id!r} can be sent {gap} after the mail before it, sooner than {least}"
            findings.append(refusal(LintCode.TOO_SOON, at, message, "Give it a delay, or wait longer before it."))
    return (*findings, *_too_late(plan, brief), *_deaf(plan))


def _deaf(plan: CompiledPlan) -> Iterator[Finding]:
    """A plan that writes on to somebody who has answered."""
    for node in plan.nodes.values():
        for way in node.transitions:
            target = plan.nodes.get(way.to)
            if way.on is PlanEvent.REPLIED and target is not None and target.action is not NodeAction.STOP:
                at = json_pointer("nodes", node.position)
                message = f"after a reply, {node.id!r} goes on to {way.to!r}"
                yield refusal(LintCode.DEAF, at, message, "Let `replied` lead to the stop node.")


def _too_late(plan: CompiledPlan, brief: PlanBrief) -> Iterator[Finding]:
    cadence = brief.cadence
    told = (cadence.no_open_after, cadence.follow_up_after, cadence.interested_after, cadence.give_up_after)
    most = max(MAX_WAIT, *(parse_duration(text).about for text in told))
    for node in plan.nodes.values():
        waits = [node.delay, *(way.after for way in node.transitions if way.after is not None)]
        if any(wait.about > most for wait in waits):
            at = json_pointer("nodes", node.position)
            message = f"{node.id!r} waits longer than {most.days} days"
            yield refusal(LintCode.TOO_LATE, at, message, "Wait as long as `cadence` says.")


def _gaps(plan: CompiledPlan, order: Iterator[str]) -> Mapping[str, timedelta]:
    """For every send that follows another: the shortest time between them. An event may come at once."""
    since: dict[str, timedelta] = {}
    gaps: dict[str, timedelta] = {}
    for node_id in order:
        node = plan.nodes[node_id]
        waited = since.get(node_id)
        if _sends(node):
            if waited is not None:
                gaps[node_id] = waited + node.delay.about
            waited = timedelta(0)
        for way in node.transitions:
            if waited is not None and way.to in plan.nodes:
                reached = waited + (way.after.about if way.after is not None else timedelta(0))
                since[way.to] = min(reached, since.get(way.to, reached))
    return gaps


def _sends(node: Node) -> bool:
    return node.action is NodeAction.SEND
