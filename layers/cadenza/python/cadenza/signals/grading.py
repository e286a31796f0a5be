"""Who is behind an open or a click: a person, or one of the machines that fetch whatever a mail contains.

A grade is drawn from clues. This module finds those that a single request shows; clues that need history (a click
within seconds of delivery, every link of a mail at once) are found where the history is, and joined by `conclude`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cadenza.core.messages import Grade

_SEVERITY = (Grade.HUMAN, Grade.LIKELY_MACHINE, Grade.MACHINE)

_IMAGE_PROXIES = re.compile(r"googleimageproxy|yahoomailproxy|seznamemailproxy", re.IGNORECASE)
"""Fetch images for a webmail's readers: mostly when a person looks, sometimes on arrival. They never say which."""

_BARE_AGENT = "Mozilla/5.0"
"""No browser sends just this. Apple's Mail Privacy Protection does, which loads every image whether read or not."""

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
        yield Clue(Grade.LIKELY_MACHINE, "image_proxy")
    elif _MACHINES.search(agent):
        yield Clue(Grade.MACHINE, "known_machine")


def conclude(found: Iterable[Clue]) -> Grading:
    """The worst grade among the clues; without any, a person."""
    ordered = tuple(found)
    worst = max((clue.grade for clue in ordered), key=_SEVERITY.index, default=Grade.HUMAN)
    return Grading(worst, tuple(clue.reason for clue in ordered))
