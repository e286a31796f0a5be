"""What a mail must not be, whoever wrote it: too long, spam, for somebody else, or with a link nobody approved.

Findings have the shape of the compiler's, so that authors, the API and a repairing model read both alike. Errors refuse
a plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

from cadenza.core.errors import InvalidInput
from cadenza.leads.domains import normalise
from cadenza.leads.evidence import gives_orders, squash
from cadenza.planning.brief import PlanBrief
from cadenza.planning.compiled import CompiledPlan, Node
from cadenza.planning.durations import parse_duration
from cadenza.planning.findings import Finding, Severity
from cadenza.planning.model import NodeAction, Plan, json_pointer

MAX_SUBJECT_CHARS = 90
MAX_BODY_WORDS = 220
MIN_BODY_WORDS = 8
_SMALL_NUMBER = 60


class LintCode(StrEnum):
    """What kind of thing is wrong with the copy or with the plan's manners."""

    SUBJECT_LENGTH = "subject_length"
    BODY_LENGTH = "body_length"
    FOREIGN_LINK = "foreign_link"
    FOREIGN_ADDRESS = "foreign_address"
    PLACEHOLDER = "placeholder"
    MARKUP = "markup"
    SPAM_PHRASE = "spam_phrase"
    WRONG_NAME = "wrong_name"
    UNPROVED_QUOTE = "unproved_quote"
    UNPROVED_NUMBER = "unproved_number"
    ORDERS = "orders"
    TOO_MANY_MAILS = "too_many_mails"
    TOO_SOON = "too_soon"
    LOOP = "loop"


def lint_plan(plan: Plan, brief: PlanBrief) -> tuple[Finding, ...]:
    """Everything that is wrong with the copy of ``plan``."""
    findings: list[Finding] = []
    for position, node in enumerate(plan.nodes):
        if node.action is not NodeAction.SEND:
            continue
        for field in ("subject", "body", "html"):
            if text := getattr(node, field):
                findings += lint_text(str(text), field, json_pointer("nodes", position, field), brief)
    return tuple(findings)


def lint_text(text: str, field: str, pointer: str, brief: PlanBrief) -> Iterator[Finding]:
    """Everything that is wrong with one subject or body."""
    if field == "html":
        yield _refusal(LintCode.MARKUP, pointer, "the mail has HTML of its own", "Leave `html` out.")
        return
    yield from _length(text, field, pointer)
    own = f"{brief.offering} {brief.ask} {brief.sender_company}"  # whatever the sender put there is meant
    for link in (link for link in foreign_links(text, brief.link, field) if link not in own):
        message = f"{link!r} is not the sender's link"
        yield _refusal(LintCode.FOREIGN_LINK, pointer, message, f"Use {brief.link or 'no link'} only.")
    for code, pattern, what, fix in _FORBIDDEN:
        for match in (match for match in pattern.finditer(text) if match[0].strip() not in own):
            yield _refusal(code, pointer, f"{match[0].strip()!r} {what}", fix)
    if gives_orders(text):
        yield _refusal(LintCode.ORDERS, pointer, "the copy talks to a machine", "Write to the recipient.")
    yield from _spam(text, pointer, brief)
    if field == "body" and (wrong := _wrong_name(text, brief)):
        fix = f"Greet {brief.contact_name or 'nobody'}."
        yield _refusal(LintCode.WRONG_NAME, pointer, f"the greeting names {wrong!r}", fix)
    yield from _unproved(text, pointer, brief)


def _length(text: str, field: str, pointer: str) -> Iterator[Finding]:
    if field == "subject" and (len(text) > MAX_SUBJECT_CHARS or "\n" in text):
        message = f"a subject is one line of at most {MAX_SUBJECT_CHARS} characters, not {len(text)}"
        yield _refusal(LintCode.SUBJECT_LENGTH, pointer, message, "Shorten it.")
    words = len(text.split())
    if field == "body" and not MIN_BODY_WORDS <= words <= MAX_BODY_WORDS:
        message = f"a mail has {MIN_BODY_WORDS} to {MAX_BODY_WORDS} words, not {words}"
        yield _refusal(LintCode.BODY_LENGTH, pointer, message, "Change its length.")


# --- links and addresses -----------------------------------------------------------------------------------------

_ADDRESS = re.compile(r"[\w.+%-]+\s?(?:@|\[at\]|\(at\))\s?[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w/])\+?\d[\d\s()/.-]{7,}\d(?!\w)")
_URL = re.compile(r"\b(?:[a-z][a-z0-9+.-]*://|www\.|(?:mailto|tel|data|javascript):)[^\s<>\"“”»]*", re.IGNORECASE)
_BARE_DOMAIN = re.compile(r"(?<![\w@./-])(?:[\w-]+\.)+[^\W\d_]{2,}(?:[/?:][^\s<>\"“”»]*)?")


def foreign_links(text: str, allowed: str, field: str = "body") -> list[str]:
    """The links in ``text``, with a scheme or without, other than exactly ``allowed``. Subjects carry none at all.

    The whole URL counts, not its host: a path or query nobody approved can be an open redirect or carry data out.
    Bare domain names count too, because mail programs turn them into links.
    """
    if allowed and field == "body":
        text = re.sub(rf"{re.escape(allowed)}(?=[\s.,;:!?)\"”»]*(?:\s|$))", " ", text)
    urls = [match[0] for match in _URL.finditer(text)]
    bare = [match[0] for match in _BARE_DOMAIN.finditer(_ADDRESS.sub(" ", _URL.sub(" ", text))) if _is_domain(match[0])]
    return [*urls, *bare]


def _is_domain(text: str) -> bool:
    """Whether a mail program may link it: a name that could be a company's."""
    try:
        normalise(re.split(r"[/?:]", text)[0].rstrip("."))
    except InvalidInput:
        return False
    return True


# --- words -------------------------------------------------------------------------------------------------------

_PLACEHOLDER = re.compile(
    r"\{\{.*?\}\}|\{%.*?%\}|\$\{.*?\}|\{[A-Za-z_ ]+\}|\[(?:your|my|the|insert|first|last|company|name|recipient|"
    r"sender|date|link|ihr|vorname|nachname|nome|nombre|pr[eé]nom|empresa|firma)[^\]]*\]|<(?:name|company|"
    r"first[ _]?name|link)>|\bXX+\b|lorem ipsum|\bT(?:ODO|BD)\b",
    re.IGNORECASE | re.DOTALL,
)
_MARKUP = re.compile(r"</?[a-z][a-z0-9]*(?:\s[^>]*)?>|\]\(|\*\*|^#{1,6}\s|```", re.IGNORECASE | re.MULTILINE)
_SPAM = re.compile(
    r"\b(?:act now|buy now|order now|click here|click below|limited[- ]time|limited offer|offer (?:ends|expires)|"
    r"last chance|urgent(?:ly)?|100 ?% free|risk[- ]free|no obligation|money[- ]back|guaranteed?|double your|"
    r"earn money|extra income|cash bonus|winner|congratulations|you have been selected|exclusive deal|lowest price|"
    r"best price|cheap|miracle|once in a lifetime|don(?:'|’)t miss|hurry|while supplies last|game[- ]changer|"
    r"revolutioni[sz]e|skyrocket|10x|unlock the power|i hope this (?:e-?mail|message) finds you well|just checking in|"
    r"quick question|jetzt (?:kaufen|zugreifen|bestellen)|nur heute|gratis|garantiert|risikofrei|hier klicken|"
    r"compre (?:já|agora)|clique aqui|oferta (?:imperd[ií]vel|limitada)|garantid[oa]|compra ahora|haz clic aquí|"
    r"oferta limitada|garantizad[oa]|cliquez ici|offre limitée|garantie? à 100)\b|[!?]{2,}|"
    r"(?-i:\b[A-ZÄÖÜ]{4,}(?:\s+[A-ZÄÖÜ]{4,}){2,})",
    re.IGNORECASE,
)
_FORBIDDEN = (
    (LintCode.FOREIGN_ADDRESS, _ADDRESS, "is an address", "Remove it."),
    (LintCode.FOREIGN_ADDRESS, _PHONE, "is a phone number", "Remove it."),
    (LintCode.PLACEHOLDER, _PLACEHOLDER, "was left in the copy", "Write the words themselves."),
    (LintCode.MARKUP, _MARKUP, "is markup", "Write plain text."),
)
_GREETING = re.compile(
    r"^\s*(?:hi|hello|hey|dear|good (?:morning|day|afternoon)|guten (?:tag|morgen)|hallo|liebe[rs]?|sehr geehrte[rs]?|"
    r"olá|oi|bom dia|boa tarde|car[oa]|prezad[oa]|hola|buenos días|buenas tardes|estimad[oa]|querid[oa]|bonjour|cher|"
    r"chère|ciao|buongiorno|beste|geachte)\b(?P<rest>.*)",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"[^\W\d_]+")
_NOBODY_WORDS = """
    there all team everyone everybody together sir madam mr mrs ms dr prof herr frau sr sra senhor senhora señor
    señora monsieur madame mme m doctor equipa equipe equipo zusammen alle a à tous todos todas und and e y et to
    the an der die das
"""
_NOBODY = frozenset(_NOBODY_WORDS.split())


def _wrong_name(body: str, brief: PlanBrief) -> str:
    """The word of the greeting that is neither a courtesy nor a part of the recipient's name; "" if all are."""
    match = _GREETING.match(body)
    if match is None:
        return ""
    line = match["rest"].strip()
    # "Buenos días, Ana:" is all greeting; in "Hi Ana, I read …" the sentence goes on after the comma.
    rest = line if line.endswith((",", ":", "!")) else re.split(r"[,:!]", line)[0]
    known = set(_LETTERS.findall(f"{brief.contact_name} {brief.first_name} {brief.company_name}".casefold())) | _NOBODY
    return next((w for w in _LETTERS.findall(rest) if w[0].isupper() and w.casefold() not in known), "")


def _spam(text: str, pointer: str, brief: PlanBrief) -> Iterator[Finding]:
    """Phrases that filters and people know. The sender's own words, and a site's when quoted, are left alone."""
    excused = _known_words(brief)
    for phrase in sorted({match[0].casefold() for match in _SPAM.finditer(text)}):
        if phrase not in excused:
            yield _refusal(LintCode.SPAM_PHRASE, pointer, f"{phrase!r} reads as spam", "Say it plainly.")


def _known_words(brief: PlanBrief) -> str:
    """Every claim, and the sender's own words: what copy may repeat."""
    own = (brief.offering, brief.ask, brief.goal, brief.link, brief.sender_company, brief.company_name)
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
            yield _refusal(LintCode.UNPROVED_QUOTE, pointer, message, "Quote a claim word for word.")
    figures = set(_FIGURE.findall(known))
    for match in _HARD_NUMBER.findall(_URL.sub(" ", text)):
        digits = _FIGURE.findall(match)[0]
        plain = match.strip() == digits and digits.isdecimal() and int(digits) <= _SMALL_NUMBER
        if digits not in figures and not plain:
            message = f"nothing in the brief proves the figure {match.strip()!r}"
            yield _refusal(LintCode.UNPROVED_NUMBER, pointer, message, "Remove it.")


# --- manners -----------------------------------------------------------------------------------------------------


def lint_pace(plan: CompiledPlan, brief: PlanBrief) -> tuple[Finding, ...]:
    """Whether a plan writes more often, or sooner after the last mail, than the brief allows; or can go round."""
    ways = {node.id: [t.to for t in node.transitions if t.to in plan.nodes] for node in plan.nodes.values()}
    try:
        order = list(TopologicalSorter(ways).static_order())
    except CycleError:
        return (_refusal(LintCode.LOOP, "/nodes", "the plan goes round", "Write the steps out."),)
    most: dict[str, int] = {}
    for node_id in order:
        most[node_id] = _sends(plan.nodes[node_id]) + max((most[to] for to in ways[node_id]), default=0)
    findings: list[Finding] = []
    if most[plan.start] > brief.cadence.max_emails:
        message = f"a contact can get {most[plan.start]} mails, the brief allows {brief.cadence.max_emails}"
        findings.append(_refusal(LintCode.TOO_MANY_MAILS, "/nodes", message, "Drop steps."))
    cadence = brief.cadence
    least = min(
        parse_duration(d).about for d in (cadence.no_open_after, cadence.follow_up_after, cadence.interested_after)
    )
    for node_id, gap in _gaps(plan, reversed(order)).items():
        if gap < least:
            at = json_pointer("nodes", plan.nodes[node_id].position)
            message = f"{node_id!r} can be sent {gap} after the mail before it, sooner than {least}"
            findings.append(_refusal(LintCode.TOO_SOON, at, message, "Give it a delay, or wait longer before it."))
    return tuple(findings)


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


def _refusal(code: LintCode, pointer: str, message: str, fix: str) -> Finding:
    return Finding(code, Severity.ERROR, pointer, message, fix)
