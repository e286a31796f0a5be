"""Who is behind an open or a click: a person, or one of the machines that fetch whatever a mail contains.

A grade is drawn from clues: those that a single request shows (`clues`, `conclude`), and those that only what
happened around it shows (`review`): how soon after delivery it came, and what else was clicked in the same mail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from pydantic import JsonValue

from cadenza.core.messages import Grade

_SEVERITY = (Grade.HUMAN, Grade.LIKELY_MACHINE, Grade.MACHINE)

HONEYPOT: Final = "honeypot"
"""The reason of a click on the link that no person sees."""
IMAGE_PROXY: Final = "image_proxy"
READ_LATER: Final = "long_after_delivery"

BURST: Final = timedelta(seconds=3)
"""Within this, nobody follows two links. Mail gateways sweep all links of a mail in under a second (putyourlightson/
craft-campaign, issue 546) or within three (Paminga's documentation, "Bot filtering")."""
SAME_VISITOR: Final = timedelta(minutes=10)
"""For how long an address, or a browser, that has followed the hidden link is still taken for the same machine."""

_IMAGE_PROXIES = re.compile(r"googleimageproxy|yahoomailproxy|seznamemailproxy", re.IGNORECASE)
"""Fetch images for a webmail's readers: mostly when a person looks, sometimes on arrival (gophish, issue 1390). They
never say which; the time does: see `review`."""

_BARE_AGENT = "Mozilla/5.0"
"""No browser sends just this. Apple's Mail Privacy Protection does, which loads every image whether read or not, at any
time: here the time says nothing (Apple, "Mail Privacy Protection & Privacy": in the background)."""

_MACHINES = re.compile(
    # Call themselves what they are. CUBOT is a make of phone.
    r"(?<!cu)bot(?![a-z])|crawl|spider|scanner|headless|facebookexternalhit|bingpreview|gmail-content-sampling"
    # Mail security gateways.
    r"|barracuda|mimecast|proofpoint|ironport|messagelabs|symantec|fireeye|trellix|forcepoint|websense|fortinet"
    r"|trend ?micro|sophos|zscaler|safelinks"
    # HTTP libraries. Not okhttp, Dalvik or CFNetwork: mail programs on phones load their images through those.
    r"|^(?:curl|wget|python|aiohttp|httpx|go-http-client|java|apache-httpclient|libwww-perl|node|axios|ruby|php)\b",
    re.IGNORECASE,
)

_PREFETCH_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_PREFETCH = re.compile(r"\b(?:prefetch|prerender|preview)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one request shows. ``user_agent`` is None if unknown, "" if known to be missing; header names are lower."""

    user_agent: str | None
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Clue:
    """One reason to believe that a signal deserves no better than ``grade``."""

    grade: Grade
    reason: str


@dataclass(frozen=True, slots=True)
class Grading:
    """The verdict, with every reason that led to it; none for a person."""

    grade: Grade
    reasons: tuple[str, ...] = ()


def clues(evidence: Evidence) -> Iterator[Clue]:
    """Everything in one request that speaks for a machine."""
    if evidence.method == "HEAD":
        yield Clue(Grade.MACHINE, "head_request")
    if any(_PREFETCH.search(evidence.headers.get(name, "")) for name in _PREFETCH_HEADERS):
        yield Clue(Grade.MACHINE, "prefetch")
    if evidence.user_agent is None:
        return
    agent = evidence.user_agent.strip()
    if not agent:
        # A script, or a person behind a privacy proxy that blanks it.
        yield Clue(Grade.LIKELY_MACHINE, "no_user_agent")
    elif agent == _BARE_AGENT:
        yield Clue(Grade.LIKELY_MACHINE, "bare_user_agent")
    elif _IMAGE_PROXIES.search(agent):
        yield Clue(Grade.LIKELY_MACHINE, IMAGE_PROXY)
    elif _MACHINES.search(agent):
        yield Clue(Grade.MACHINE, "known_machine")


def conclude(found: Iterable[Clue]) -> Grading:
    """The worst grade among the clues; without any, a person."""
    ordered = tuple(found)
    worst = max((clue.grade for clue in ordered), key=_SEVERITY.index, default=Grade.HUMAN)
    return Grading(worst, tuple(clue.reason for clue in ordered))


# --- what only history shows -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Visit:
    """One open or click, as far as it is known: "" for what is not. ``link`` is where a click leads."""

    at: datetime
    link: str = ""
    honeypot: bool = False
    ip: str = ""
    agent: str = ""

    def is_by(self, other: Visit) -> bool:
        """Whether it looks like the same visitor: by the address; where one of them is unknown, by the browser."""
        if self.ip and other.ip:
            return self.ip == other.ip
        return bool(self.agent) and self.agent == other.agent

    def leads_elsewhere(self, other: Visit) -> bool:
        """Whether both are clicks, on different links."""
        both_known = (self.link or self.honeypot) and (other.link or other.honeypot)
        return bool(both_known) and (self.link, self.honeypot) != (other.link, other.honeypot)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of the message that was opened or clicked.

    ``arrived_at`` is when it was delivered, or handed over if that is all that is known; None: nothing is. ``clicks``
    are the others on the same message. ``scan_window`` is how long after its arrival scanners are at work. The default
    is a minute (`automation_settings`): of 836 link sweeps on one sender's mail, 3 % began within 20 seconds of sending
    and 69 % within 60; the image loads before them mostly within 20 (putyourlightson/craft-campaign, issue 546).
    """

    arrived_at: datetime | None
    clicks: tuple[Visit, ...]
    scan_window: timedelta


def review(first: Grading, visit: Visit, around: Surroundings) -> Grading:
    """The final grading of an open or click, from that of its request alone and what happened around it.

    An open by an image proxy is a person's unless it came at once: then the webmail did it by itself.
    """
    found = tuple(_clues_around(visit, around))
    if found:
        told = conclude(found)
        worst = max(first.grade, told.grade, key=_SEVERITY.index)
        return Grading(worst, first.reasons + told.reasons)
    if first.reasons == (IMAGE_PROXY,) and around.arrived_at is not None:
        return Grading(Grade.HUMAN, (IMAGE_PROXY, READ_LATER))
    return first


def _clues_around(visit: Visit, around: Surroundings) -> Iterator[Clue]:
    if around.arrived_at is not None and visit.at < around.arrived_at + around.scan_window:
        yield Clue(Grade.LIKELY_MACHINE, "right_after_delivery")
    close = [click for click in around.clicks if abs(click.at - visit.at) <= BURST]
    if any(visit.leads_elsewhere(click) for click in close):
        yield Clue(Grade.LIKELY_MACHINE, "links_in_a_burst")
    traps = [click for click in around.clicks if click.honeypot and abs(click.at - visit.at) <= SAME_VISITOR]
    if not visit.honeypot and any(visit.is_by(trap) for trap in traps):
        yield Clue(Grade.MACHINE, "followed_the_honeypot")


# How our own webhook, Standard Webhooks senders, SES and SendGrid say the same things.
_PARTS: Final = ("data", "click", "open")
_LINK: Final = ("url", "link")
_IP: Final = ("ip", "ipAddress")
_AGENT: Final = ("user_agent", "userAgent", "useragent")


def visit_of(at: datetime, reasons: Iterable[str], payload: Mapping[str, JsonValue]) -> Visit:
    """What a recorded open or click says about who made it. Payloads are as their providers sent them."""
    parts = [payload, *(part for name in _PARTS if isinstance(part := payload.get(name), dict))]

    def said(names: tuple[str, ...]) -> str:
        values = (part.get(name) for part in parts for name in names)
        return next((value for value in values if isinstance(value, str)), "")

    return Visit(at, said(_LINK), HONEYPOT in reasons, said(_IP), said(_AGENT))
