"""The generic event source: Standard Webhooks in, one signal out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from cadenza.core.errors import ConfigurationError, InvalidInput, Unauthorised
from cadenza.core.messages import Grade, SignalKind, SignalReported
from cadenza.signals.events import REPORTABLE, parse, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "01890a5d-ac96-774b-bcce-b302099a8057"


def body(kind: str = "delivered", **data: object) -> bytes:
    event = {
        "type": f"message.{kind}",
        "timestamp": "2026-01-13T09:59:58+01:00",
        "data": {"message_id": MESSAGE, **data},
    }
    return json.dumps(event).encode()


def signed(raw: bytes, at: datetime, secret: str = SECRET) -> dict[str, str]:
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("evt_1", at, raw.decode()),
    }


def test_a_signed_event_is_believed(now: datetime):
    """Broken, no provider's report would ever arrive."""
    assert verify(SECRET, signed(body(), now), body(), now) == "evt_1"


def test_what_our_verification_takes_is_what_the_library_takes():
    """Broken, our comparison would differ from the scheme that every sender's library follows."""
    raw, at = body(), datetime.now(UTC)
    headers = signed(raw, at)
    assert Webhook(SECRET).verify(raw, headers) == json.loads(raw)
    assert verify(SECRET, headers, raw, at) == "evt_1"


@pytest.mark.parametrize("drift", [timedelta(minutes=-5), timedelta(minutes=5)])
def test_clocks_may_differ_by_five_minutes(now: datetime, drift: timedelta):
    """Broken, events of a sender with a slow clock would be lost; or old captures could be replayed."""
    assert verify(SECRET, signed(body(), now + drift), body(), now)
    beyond = drift + (drift / abs(drift)) * timedelta(seconds=1)
    with pytest.raises(Unauthorised):
        verify(SECRET, signed(body(), now + beyond), body(), now)


def test_a_rotated_secret_overlaps(now: datetime):
    """Broken, events would be lost while a sender rotates its secret and signs with both."""
    old = signed(body(), now, "whsec_b2xkIHNlY3JldCBvZiB0aGUgc2VuZGVy")
    new = signed(body(), now)
    both = {**new, "webhook-signature": f"{old['webhook-signature']} v1a,other {new['webhook-signature']}"}
    assert verify(SECRET, both, body(), now)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v1,AAAA v2,BBBB"},
        {"webhook-id": ""},
        {"webhook-id": "evt_2"},
        {"webhook-id": "x" * 300},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "9" * 30},
        {"webhook-timestamp": "1700000000"},
    ],
)
def test_a_forged_event_is_refused(now: datetime, change: dict[str, str]):
    """Broken, anyone could unsubscribe or bounce a customer's contacts."""
    with pytest.raises(Unauthorised):
        verify(SECRET, signed(body(), now) | change, body(), now)


def test_a_changed_body_is_refused(now: datetime):
    """Broken, a signed open could be turned into an opt-out on its way."""
    for raw in (body("unsubscribed"), b"\xff", b""):
        with pytest.raises(Unauthorised):
            verify(SECRET, signed(body(), now), raw, now)


def test_a_malformed_secret_is_our_fault(now: datetime):
    """Broken, an operator's typing error would look like an attack."""
    with pytest.raises(ConfigurationError):
        verify("whsec_a", signed(body(), now), body(), now)


@pytest.mark.parametrize("kind", REPORTABLE)
def test_every_kind_of_event_becomes_its_signal(kind: SignalKind):
    """Broken, one sort of event would never reach a campaign."""
    raw = body(kind, hard=True)
    assert parse("evt_1", raw) == SignalReported(
        provider="events",
        provider_event_id="evt_1",
        message_id=UUID(MESSAGE),
        kind=kind,
        occurred_at=datetime(2026, 1, 13, 8, 59, 58, tzinfo=UTC),
        hard=True if kind is SignalKind.BOUNCED else None,
        payload=json.loads(raw),
    )


def test_opens_and_clicks_are_graded_by_their_agent():
    """Broken, a scanner that a provider reports as a click would move a campaign."""
    clicked = parse("evt_1", body("clicked", user_agent="curl/8"))
    assert (clicked.grade, clicked.grade_reasons) == (Grade.MACHINE, ("known_machine",))
    assert parse("evt_1", body("opened")).grade is Grade.HUMAN
    assert parse("evt_1", body("replied", user_agent="curl/8")).grade is Grade.HUMAN


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (b"{", ""),
        (b"", ""),
        (b"[]", ""),
        (b'{"type": NaN}', ""),
        (b"[" * 10_000, ""),
        (body("sent"), "/type"),
        (body("exploded"), "/type"),
        (body().replace(b'"message.delivered"', b"7"), "/type"),
        (body().replace(MESSAGE.encode(), b"me"), "/data/message_id"),
        (body("bounced"), "/data/hard"),
        (body("bounced", hard="yes"), "/data/hard"),
        (body().replace(b"+01:00", b""), "/timestamp"),
        (body().replace(b"2026-01-13T09:59:58+01:00", b"9999-12-31T23:59:59-10:00"), "/timestamp"),
        (body(note="a\0b"), ""),
    ],
)
def test_a_malformed_event_names_its_field(raw: bytes, pointer: str):
    """Broken, a sender could not see what to mend; or one odd event would fail a whole batch in the database."""
    with pytest.raises(InvalidInput) as caught:
        parse("evt_1", raw)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_a_backslash_before_u0000_is_just_text():
    """Broken, an event that quotes an escape sequence would be refused."""
    assert parse("evt_1", body(note="\\u0000")).payload["data"] == {"message_id": MESSAGE, "note": "\\u0000"}
