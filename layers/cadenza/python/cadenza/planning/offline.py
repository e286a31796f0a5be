"""A plan without a model: fixed steps, plain copy, and of the recipient's company only what its own site says, quoted.

The steps::

    intro ─opened→ consider ─silence→ follow_up ─┐
      ├────clicked→ interested ──────────────────┼─no reply→ last ─→ stop
      └────no open→ nudge ───────────────────────┘

A reply stops the plan everywhere. With fewer mails allowed, the later steps fall away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from cadenza.leads.language import detect_language
from cadenza.leads.report import Claim, Tone, Topic
from cadenza.planning.brief import PlanBrief
from cadenza.planning.phrases import PHRASES, Mail, Phrases

OFFLINE_VERSION = "phrases.v2"
_FALLBACK = "en"
_MAX_QUOTE_CHARS = 150
_MIN_QUOTE_CHARS = 40
_WITHOUT_LAST = 2  # mails: the first, and one of nudge, follow-up and interested
# What is new opens best; a size or an audience is a poor reason to write.
_OPENERS = (Topic.SIGNAL, Topic.SUMMARY, Topic.PRODUCT, Topic.AUDIENCE)

_LEGAL_FORM = re.compile(
    r"[,\s]+(?:(?:gGmbH|GmbH|UG|AG|KG|OHG|GbR|SE)(?:\s*&\s*Co\.?\s*(?:KG|OHG|KGaA))?|e\.\s?K\.|Ltd\.?|Limited|LLC|LLP|Inc\.?|"
    r"Corp\.?|PLC|plc|P\.A\.|S\.?A\.?(?:S\.?|R\.?L\.?)?|SARL|S\.?\s?[Rr]\.?\s?[Ll]\.?|S\.?p\.?A\.?|S\.?L\.?U?\.?|Lda\.?|"
    r"B\.?V\.?|N\.?V\.?|A/S|ApS|AB|Oy|s\.r\.o\.|Sp\. z o\.o\.)$"
)

Json = dict[str, JsonValue]


def plan_offline(brief: PlanBrief) -> Json:
    """A plan of version 1.1 for ``brief``: deterministic, compiles without errors, passes `lint.lint_plan`.

    The copy is in the brief's language if the planner knows it and the offering is written in it, since the offering is
    used word for word; otherwise in the offering's, and failing that in English.
    """
    phrases = PHRASES[_language(brief)]
    openings = [*_openings(brief, phrases), phrases.no_claim]
    steps = _steps(brief, phrases, openings[0], openings[1] if len(openings) > 1 else openings[0])
    plan: Json = {
        "version": "1.1",
        "timezone": brief.time_zone,
        "startNodeId": "intro",
        "nodes": [*steps, {"id": "stop", "action": "stop"}],
    }
    if brief.quiet_hours is not None:
        plan["quietHours"] = {"start": brief.quiet_hours.start, "end": brief.quiet_hours.end}
    return plan


def _language(brief: PlanBrief) -> str:
    told = detect_language(brief.offering)
    wanted = brief.language if brief.language in PHRASES else _FALLBACK
    return told if told in PHRASES else wanted


# --- steps -------------------------------------------------------------------------------------------------------


def _steps(brief: PlanBrief, phrases: Phrases, first: str, second: str) -> Iterator[JsonValue]:
    cadence = brief.cadence
    end_reply = _way("replied", "stop")
    if cadence.max_emails == 1:
        yield _send(
            "intro", _mail(brief, phrases, phrases.intro, first), end_reply, _quiet(cadence.give_up_after, "stop")
        )
        return
    yield _send(
        "intro",
        _mail(brief, phrases, phrases.intro, first),
        end_reply,
        *([_way("clicked", "interested")] if brief.link else []),
        _way("opened", "consider"),
        _way("no_open", "nudge", cadence.no_open_after),
    )
    yield {
        "id": "consider",
        "action": "wait",
        "transitions": [
            end_reply,
            *([_way("clicked", "interested")] if brief.link else []),
            _quiet(cadence.follow_up_after, "follow_up"),
        ],
    }
    has_last = cadence.max_emails > _WITHOUT_LAST
    after = _quiet(cadence.follow_up_after, "last") if has_last else _quiet(cadence.give_up_after, "stop")
    yield _send("nudge", _mail(brief, phrases, phrases.nudge, first), end_reply, after)
    yield _send("follow_up", _mail(brief, phrases, phrases.follow_up, second), end_reply, after)
    if brief.link:
        node = _send("interested", _mail(brief, phrases, phrases.interested, second), end_reply, after)
        yield {**node, "schedule": {"delay": cadence.interested_after}}
    if has_last:
        last = _mail(brief, phrases, phrases.last, second)
        yield _send("last", last, end_reply, _quiet(cadence.give_up_after, "stop"))


def _send(node_id: str, mail: tuple[str, str], *transitions: JsonValue) -> Json:
    subject, body = mail
    return {"id": node_id, "action": "send", "subject": subject, "body": body, "transitions": list(transitions)}


def _way(on: str, to: str, after: str | None = None) -> Json:
    return {"on": on, "to": to} if after is None else {"on": on, "to": to, "after": after}


def _quiet(after: str, to: str) -> Json:
    return _way("no_reply", to, after)


# --- copy --------------------------------------------------------------------------------------------------------


def _mail(brief: PlanBrief, phrases: Phrases, mail: Mail, opening: str) -> tuple[str, str]:
    """Subject and body. Values are put in one pass, so that nothing inside one is taken for a placeholder."""
    values = {
        "company": spoken(brief.company_name),
        "house": brief.sender_company,
        "first": brief.first_name,
        "name": brief.contact_name,
        "offering": brief.offering.strip(),
        "ask": brief.ask.strip() or phrases.ask,
        "more": phrases.more.format(link=brief.link) if brief.link else "",
    }
    opening = _filled(opening, values)
    paragraphs = [_filled(line, {**values, "opening": opening}) for line in mail.lines]
    greeting = _filled(_greeting(brief, phrases), values)
    signature = f"{phrases.closing}\n{brief.sender_name}\n{brief.sender_company}"
    text = [paragraph for paragraph in paragraphs if paragraph]
    if phrases.capital and text:
        text[0] = text[0][0].upper() + text[0][1:]
    body = [greeting, *text, signature]
    return _filled(mail.subject, values), "\n\n".join(body)


def _filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], text).strip() if "{" in text else text


def _greeting(brief: PlanBrief, phrases: Phrases) -> str:
    if not brief.first_name or not brief.contact_name:
        return phrases.greeting_nobody
    return phrases.greeting_formal if brief.tone is Tone.FORMAL else phrases.greeting


def _openings(brief: PlanBrief, phrases: Phrases) -> Iterator[str]:
    for claim in _best(brief.claims):
        quote = phrases.quotes[0] + shortened(claim.quote) + phrases.quotes[1]
        # A company's words are not a template: their braces would be filled in.
        if "{" not in quote:
            yield _frame(claim, phrases).replace("{quote}", quote)


def _best(claims: Sequence[Claim]) -> list[Claim]:
    return sorted((c for c in claims if c.topic in _OPENERS), key=lambda claim: _OPENERS.index(claim.topic))


def _frame(claim: Claim, phrases: Phrases) -> str:
    if claim.topic is Topic.SIGNAL:
        return phrases.news
    return phrases.offered if claim.topic is Topic.PRODUCT else phrases.seen


def spoken(company_name: str) -> str:
    """A company's name as people say it, without its legal form ("Thornbury Joinery Ltd" → "Thornbury Joinery")."""
    return _LEGAL_FORM.sub("", company_name).strip() or company_name


def shortened(quote: str) -> str:
    """A quote short enough for a mail: cut after a clause if one ends in time, else after a word, and marked "…"."""
    text = quote.rstrip(".")
    if len(text) <= _MAX_QUOTE_CHARS:
        return text if quote.endswith("..") else quote
    head = text[:_MAX_QUOTE_CHARS]
    clause = max(head.rfind(mark) for mark in (", ", "; ", ": ", " – "))
    cut = clause if clause >= _MIN_QUOTE_CHARS else head.rfind(" ")
    return head[:cut].rstrip(" ,;:–") + " …"
