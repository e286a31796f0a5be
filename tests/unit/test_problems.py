"""Problem details: callers learn what they can mend, and nothing about our insides."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from cadenza.core.errors import (
    CadenzaError,
    ConfigurationError,
    Conflict,
    FieldProblem,
    Forbidden,
    InvalidInput,
    NotFound,
    Overtaken,
    Retryable,
    Unauthorised,
)
from cadenza.core.problems import field_problems, problem, problem_for


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("no"), 400),
        (Unauthorised("no"), 401),
        (Forbidden("no"), 403),
        (NotFound("lead", 1), 404),
        (Conflict("no"), 409),
        (Overtaken("no"), 412),
        (Overtaken("no", missing=True), 428),
        (Retryable("no"), 503),
        (ConfigurationError("no"), 500),
        (CadenzaError("no"), 500),
        (KeyError("no"), 500),
    ],
)
def test_each_error_has_its_status(error: Exception, status: int):
    """Broken, a client would retry what it must mend, or give up on what would pass."""
    found = problem_for(error)
    assert (found.status, found.body["status"]) == (status, status)
    assert found.body["type"] == "about:blank"
    assert found.headers["content-type"] == "application/problem+json"


def test_wrong_fields_are_named():
    """Broken, a caller would have to guess which field was refused."""
    error = InvalidInput("not an event", (FieldProblem("/data/hard", "is missing"),))
    assert problem_for(error).body == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "not an event",
        "errors": [{"pointer": "/data/hard", "detail": "is missing"}],
    }


@pytest.mark.parametrize("error", [Retryable("queue url is X"), ConfigurationError("SECRET is X"), ValueError("X")])
def test_our_own_trouble_is_not_described(error: Exception):
    """Broken, a stranger would read queue names, settings or stack details."""
    assert "X" not in str(problem_for(error))


@pytest.mark.parametrize(("after_s", "header"), [(None, "5"), (0.2, "1"), (12.1, "13")])
def test_a_retry_is_told_when(after_s: float | None, header: str):
    """Broken, a sender would hammer us, or never come back."""
    assert problem_for(Retryable("later", after_s)).headers["retry-after"] == header


def test_a_401_names_its_challenge():
    """Broken, HTTP clients that negotiate credentials would not know how (RFC 9110 wants it)."""
    assert problem_for(Unauthorised()).headers["www-authenticate"] == "Bearer"
    assert problem_for(Unauthorised(), challenge="Signature").headers["www-authenticate"] == "Signature"


def test_a_bare_status_needs_no_words():
    """Broken, an unknown path would be answered with empty members that mean nothing."""
    assert problem(404).body == {"type": "about:blank", "title": "Not Found", "status": 404}


def test_refused_fields_become_pointers_without_their_values():
    """Broken, an address or secret that was refused would come back in an answer, and end in logs."""

    class Inner(BaseModel):
        number: int

    class Outer(BaseModel):
        items: dict[str, list[Inner]]

    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"items": {"a/b~c": [{"number": "a secret"}]}})
    (found,) = field_problems(caught.value)
    assert found.pointer == "/items/a~1b~0c/0/number"
    assert "secret" not in found.detail
