"""What a simulation is given and what it tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import JsonValue

from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.states import EnrolmentStatus
from cadenza.engine.model import SendingRules
from cadenza.engine.windows import knows_holidays
from cadenza.planning.findings import Finding
from cadenza.planning.zones import find_zone

_FIRST_YEAR, _LAST_YEAR = 1970, 2200


class EntryKind(StrEnum):
    """What a line of the timeline tells."""

    ENTERED = "entered"
    """A node was entered."""
    SCHEDULED = "scheduled"
    """A send or a timeout will be due at ``detail.due_at``, because of ``detail.why``."""
    SENT = "sent"
    """The node's message left."""
    SIGNAL = "signal"
    """An event of the tape was heard, about the message of ``node``."""
    TIMEOUT = "timeout"
    """A timer fired."""
    TRANSITION = "transition"
    """The enrolment left ``node`` for ``detail.to``."""
    IGNORED = "ignored"
    """An event of the tape moved nothing and counts for nothing, because of ``detail.reason``."""
    STOPPED = "stopped"
    """The enrolment ended, as ``detail.status``."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline."""

    at: datetime
    node: str
    kind: EntryKind
    detail: Mapping[str, JsonValue]

    def to_json(self) -> dict[str, JsonValue]:
        """As the command and the API print it."""
        return {"at": rfc3339(self.at), "node": self.node, "kind": self.kind, "detail": dict(self.detail)}


@dataclass(frozen=True, slots=True)
class Simulation:
    """What one enrolment does on one tape. ``outcome`` is the status in which it ends."""

    timeline: tuple[Entry, ...]
    outcome: EnrolmentStatus

    def to_json(self, findings: Iterable[Finding]) -> dict[str, JsonValue]:
        """As the command and the API print it; ``findings`` are those of the plan."""
        return {
            "timeline": [entry.to_json() for entry in self.timeline],
            "findings": [dict(finding.to_json()) for finding in findings],
            "outcome": self.outcome,
        }


def rfc3339(instant: datetime) -> str:
    """The instant in UTC, with a Z."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def instant_of_text(text: str) -> datetime:
    """Read an RFC 3339 instant, from 1971 to 2199.

    Raises:
        ValueError: It is none. The message is fit for whoever wrote it.
    """
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is not None and _FIRST_YEAR < instant.year < _LAST_YEAR:
            return instant.astimezone(UTC)
    except ValueError:
        pass
    raise ValueError(f"{text!r} is no instant with an offset, such as 2027-01-31T09:00:00Z")


def instant_text(text: str) -> str:
    """The text, which is an instant. Raises as `instant_of_text`."""
    instant_of_text(text)
    return text


def recipient_rules(zone: str, holidays_country: str) -> SendingRules:
    """The rules of a recipient in ``zone`` ("": the plan's) whose country's public holidays are kept ("": none).

    Raises:
        InvalidInput: There is no such zone, or no holidays are known of the country.
    """
    problems: list[FieldProblem] = []
    if zone and find_zone(zone) is None:
        problems.append(FieldProblem("/zone", f"{zone!r} is no time zone; use an IANA name, such as Europe/Lisbon"))
    if holidays_country and not knows_holidays(holidays_country):
        detail = f"no public holidays are known of {holidays_country!r}; use an ISO 3166-1 code, such as PT"
        problems.append(FieldProblem("/holidays_country", detail))
    if problems:
        raise InvalidInput("the recipient is not as one can be", tuple(problems))
    return SendingRules(recipient_zone=zone, holidays_country=holidays_country)
