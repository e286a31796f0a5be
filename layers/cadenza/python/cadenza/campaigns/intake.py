"""Whom a fully automated campaign takes by itself: a filter, and a pure answer for each person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from cadenza.contacts.model import ContactKind
from cadenza.contacts.store import Contact
from cadenza.core.ids import CampaignId
from cadenza.leads.fit import FitLevel
from cadenza.planning.durations import BadDuration, parse_duration

DEFAULT_GAP: Final = "P3D"
LONGEST_GAP_DAYS: Final = 365


def _length(gap: str) -> str:
    try:
        length = parse_duration(gap)
    except BadDuration as error:
        raise ValueError(str(error)) from error
    if length.about.days > LONGEST_GAP_DAYS:
        raise ValueError(f"is more than {LONGEST_GAP_DAYS} days")
    return gap


Gap = Annotated[str, StringConstraints(max_length=40, pattern="^[0-9A-Z.-]+$"), AfterValidator(_length)]
"""An ISO 8601 duration, such as P3D or PT12H."""

Word = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=200)]
Words = Annotated[tuple[Word, ...], Field(max_length=200)]
Countries = Annotated[
    tuple[Annotated[str, StringConstraints(to_upper=True, pattern="^[A-Za-z]{2}$")], ...], Field(max_length=300)
]
Languages = Annotated[
    tuple[Annotated[str, StringConstraints(to_lower=True, pattern="^[A-Za-z]{2}$")], ...], Field(max_length=200)
]


class Intake(BaseModel):
    """Whom a fully automated campaign takes; an empty list takes all.

    ``countries`` (ISO 3166-1 alpha-2) and ``languages`` (ISO 639-1) are the person's, else their site's: who has
    none is not taken where some are named. Without ``kinds``, shared mailboxes are taken where a site names nobody.
    ``highest_role_rank``: 1 is who decides; 100 are shared mailboxes. One of ``title_words`` stands in their title.
    ``domains`` are their company's, with all that lies under them; ``sources`` those of the lists that brought the
    company. ``least_fit``: how well the company fits what is offered, at least. ``exclusive``: nobody who is in
    another campaign, whatever has become of that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    countries: Countries = ()
    languages: Languages = ()
    kinds: tuple[ContactKind, ...] = ()
    highest_role_rank: int | None = Field(default=None, ge=1, le=1000)
    title_words: Words = ()
    domains: Words = ()
    sources: Words = ()
    least_fit: Literal[FitLevel.MEDIUM, FitLevel.HIGH] | None = None
    exclusive: StrictBool = True


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be taken. ``country`` and ``language`` are their own, else their site's.

    ``taken_by`` are the campaigns that they are in, or that a plan was ordered for; ``people_there``: their site names
    people whom mail reaches. ``domain`` and ``source`` are their lead's.
    """

    contact: Contact
    created_at: datetime
    country: str
    language: str
    role_rank: int
    domain: str
    source: str
    people_there: bool
    taken_by: frozenset[CampaignId]


def mismatches(intake: Intake, one: Candidate, fit: FitLevel) -> Iterator[str]:
    """Why the filter does not take somebody, one phrase each; none: it does."""
    if intake.countries and one.country not in intake.countries:
        yield f"country {one.country or 'unknown'}"
    if intake.languages and one.language not in intake.languages:
        yield f"language {one.language or 'unknown'}"
    if intake.kinds and one.contact.kind not in intake.kinds:
        yield f"kind {one.contact.kind}"
    if intake.highest_role_rank is not None and one.role_rank > intake.highest_role_rank:
        yield f"role rank {one.role_rank}"
    title = one.contact.title.casefold()
    if intake.title_words and not any(word.casefold() in title for word in intake.title_words):
        yield "title"
    if intake.domains and not any(one.domain == name or one.domain.endswith(f".{name}") for name in intake.domains):
        yield f"domain {one.domain or 'unknown'}"
    if intake.sources and one.source.strip().lower() not in intake.sources:
        yield f"source {one.source or 'unknown'}"
    if intake.least_fit is not None and _RANK[fit] < _RANK[intake.least_fit]:
        yield f"fit {fit}"


_RANK: Final = {FitLevel.UNKNOWN: 0, FitLevel.LOW: 0, FitLevel.MEDIUM: 1, FitLevel.HIGH: 2}


def passes_over(intake: Intake, one: Candidate) -> bool:
    """Whether somebody is a shared mailbox of a site that names people, and mailboxes were not asked for."""
    return not intake.kinds and one.contact.kind is ContactKind.GENERIC and one.people_there
