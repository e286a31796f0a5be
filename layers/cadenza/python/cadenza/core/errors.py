"""The one root of Cadenza's errors, and the few kinds that callers tell apart.

Permanent outcomes of a send or a job are values, not errors (see ``delivery`` and ``campaigns.jobs``). What is raised
is either the caller's fault (`InvalidInput`, `NotFound`, `Conflict`, `Unauthorised`, `Forbidden`,
`TooManyRequests`) or trouble worth
another try (`Retryable`).
"""

from __future__ import annotations

from dataclasses import dataclass


class CadenzaError(Exception):
    """Root of everything raised on purpose."""


@dataclass(frozen=True)
class FieldProblem:
    """One field that is wrong, and what would make it right.

    ``pointer`` is an RFC 6901 JSON pointer; "" is the whole document.
    """

    pointer: str
    detail: str


class InvalidInput(CadenzaError):  # noqa: N818 - reads as what happened, and maps to one HTTP problem type
    """The caller sent something that cannot be taken as it is."""

    def __init__(self, detail: str, problems: tuple[FieldProblem, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = problems


class NotFound(CadenzaError):  # noqa: N818
    """No such thing in this workspace."""

    def __init__(self, what: str, key: object) -> None:
        super().__init__(f"no {what} {key}")
        self.what = what
        self.key = key


class Conflict(CadenzaError):  # noqa: N818
    """The thing exists, but its state does not allow this."""

    def __init__(self, detail: str, problems: tuple[FieldProblem, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = problems


class Overtaken(CadenzaError):  # noqa: N818
    """The thing is not any more what the caller has seen (HTTP: the condition of ``If-Match`` is false, or missing).

    ``detail`` says what to do; ``missing``: there was no condition, and there must be one.
    """

    def __init__(self, detail: str, *, missing: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.missing = missing


class Unauthorised(CadenzaError):  # noqa: N818
    """No valid credentials or signature."""


class Forbidden(CadenzaError):  # noqa: N818
    """Valid credentials without the right."""


class TooManyRequests(CadenzaError):  # noqa: N818
    """The caller asks more often than it may; the next request is admitted in ``retry_after_s`` seconds."""

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class Retryable(CadenzaError):  # noqa: N818
    """Trouble that may pass: the queue brings the work back after ``retry_after_s`` seconds, if known."""

    def __init__(self, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class Postponed(Retryable):
    """It is not the work's turn: nothing has failed, so it counts neither as an attempt nor as a try of its message.

    ``retry_after_s`` is always known.
    """

    def __init__(self, detail: str, retry_after_s: float) -> None:
        super().__init__(detail, retry_after_s)
        self.wait_s = retry_after_s


class ConfigurationError(CadenzaError):
    """A setting is missing or malformed; the message names it."""
