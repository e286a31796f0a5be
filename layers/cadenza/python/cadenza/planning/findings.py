"""What the compiler has to say about a plan."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cadenza.planning.compiled import CompiledPlan


class Severity(StrEnum):
    """Errors refuse a plan. Warnings and notes do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class FindingCode(StrEnum):
    """What kind of thing was found. Authors, the console and the AI planner's repair tell findings apart by it."""

    MALFORMED = "malformed"
    UNKNOWN_FIELD = "unknown_field"
    NEWER_FEATURE = "newer_feature"
    IGNORED_FIELD = "ignored_field"
    BAD_ZONE = "bad_zone"
    BAD_DURATION = "bad_duration"
    BAD_INSTANT = "bad_instant"
    DUPLICATE_NODE = "duplicate_node"
    MISSING_START = "missing_start"
    UNKNOWN_TARGET = "unknown_target"
    UNREACHABLE_NODE = "unreachable_node"
    MISSING_STOP = "missing_stop"
    UNBOUNDED_LOOP = "unbounded_loop"
    TIMEOUT_NEVER_FIRES = "timeout_never_fires"
    EVENT_NEVER_MATCHES = "event_never_matches"
    EVENT_TIMEOUT_RACE = "event_timeout_race"
    EVENT_TIMEOUT_GAP = "event_timeout_gap"
    NO_REPLY_ROUTE = "no_reply_route"
    UNKNOWN_VARIABLE = "unknown_variable"
    MISSING_CONTENT = "missing_content"
    LONG_CONTENT = "long_content"
    NO_WINDOW = "no_window"
    TOO_LONG = "too_long"
    TOO_MANY_SENDS = "too_many_sends"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, of the compiler's (`FindingCode`) or of the linter's (`cadenza.planning.lint.LintCode`).

    ``pointer`` is an RFC 6901 pointer into the plan's JSON; ``fix`` says what to do about it.
    """

    code: StrEnum
    severity: Severity
    pointer: str
    message: str
    fix: str

    def to_json(self) -> dict[str, str]:
        """As the API and the simulator print it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "pointer": self.pointer,
            "message": self.message,
            "fix": self.fix,
        }


@dataclass(frozen=True, slots=True)
class Compiled:
    """What compiling gave: ``plan`` is None if and only if one of the findings is an error."""

    plan: CompiledPlan | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What refuses the plan."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)
