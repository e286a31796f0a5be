"""SendGrid's signed batches: from a recorded one, with real signature arithmetic."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cadenza.core.errors import ConfigurationError, InvalidInput, Unauthorised
from cadenza.core.messages import Grade, SignalKind
from cadenza.signals.sendgrid import SIGNATURE_HEADER, TIMESTAMP_HEADER, parse, verify

EVENTS = Path(__file__).parent.parent / "events"
RECORDED: dict[str, Any] = json.loads((EVENTS / "webhook-sendgrid-batch.json").read_text())
KEY = (EVENTS / "sendgrid-key.txt").read_text().strip()
BODY: bytes = RECORDED["body"].encode()
HEADERS: dict[str, str] = RECORDED["headers"]
SIGNED_AT = datetime.fromtimestamp(int(HEADERS[TIMESTAMP_HEADER]), UTC)


def test_a_signed_batch_is_believed():
    """Broken, nothing that SendGrid reports would arrive."""
    verify(KEY, HEADERS, BODY, SIGNED_AT + timedelta(seconds=2))


@pytest.mark.parametrize(
    "change",
    [
        {SIGNATURE_HEADER: ""},
        {SIGNATURE_HEADER: "AAAA"},
        {SIGNATURE_HEADER: "no base64!"},
        {SIGNATURE_HEADER: "é"},
        {TIMESTAMP_HEADER: ""},
        {TIMESTAMP_HEADER: "soon"},
        {TIMESTAMP_HEADER: "9" * 30},
        {TIMESTAMP_HEADER: str(int(HEADERS[TIMESTAMP_HEADER]) + 1)},
    ],
)
def test_a_forged_batch_is_refused(change: dict[str, str]):
    """Broken, anyone could bounce or unsubscribe anyone, a thousand at a time."""
    with pytest.raises(Unauthorised):
        verify(KEY, HEADERS | change, BODY, SIGNED_AT)


def test_a_changed_batch_is_refused():
    """Broken, a captured batch could be pointed at other people."""
    with pytest.raises(Unauthorised, match="does not match"):
        verify(KEY, HEADERS, BODY.replace(b"delivered", b"dropped!!"), SIGNED_AT)


def test_a_batch_may_be_a_day_old():
    """Broken, what SendGrid repeats after a night's outage would be lost; or captures could be replayed for ever."""
    verify(KEY, HEADERS, BODY, SIGNED_AT + timedelta(hours=25))
    with pytest.raises(Unauthorised, match="too long ago"):
        verify(KEY, HEADERS, BODY, SIGNED_AT + timedelta(hours=26))


@pytest.mark.parametrize("key", ["x", "AAAA", KEY[:-8], "é"])
def test_a_key_that_is_none_is_our_fault(key: str):
    """Broken, an operator's typing error would look like an attack."""
    with pytest.raises(ConfigurationError, match="sendgrid_webhook_key"):
        verify(key, HEADERS, BODY, SIGNED_AT)


def test_every_event_of_ours_becomes_its_signal():
    """Broken, reports would be lost; a blocked mail would suppress its reader; a scanner would be a person."""
    found = [(s.provider_event_id, s.kind, s.hard, s.grade, s.grade_reasons) for s in parse(BODY)]
    human = (Grade.HUMAN, ())
    assert found == [
        ("sg_event_1", SignalKind.SENT, None, *human),
        ("sg_event_2", SignalKind.DELIVERED, None, *human),
        ("sg_event_3", SignalKind.OPENED, None, *human),
        ("sg_event_4", SignalKind.OPENED, None, Grade.LIKELY_MACHINE, ("bare_user_agent", "privacy_proxy")),
        ("sg_event_5", SignalKind.CLICKED, None, Grade.MACHINE, ("known_machine",)),
        ("sg_event_6", SignalKind.BOUNCED, True, *human),
        ("sg_event_7", SignalKind.BOUNCED, False, *human),
        ("sg_event_8", SignalKind.BOUNCED, True, *human),
        ("sg_event_9", SignalKind.FAILED, None, *human),
        ("sg_event_10", SignalKind.COMPLAINED, None, *human),
        ("sg_event_11", SignalKind.UNSUBSCRIBED, None, *human),
    ]
    assert all(signal.occurred_at == SIGNED_AT and signal.provider == "sendgrid" for signal in parse(BODY))


@pytest.mark.parametrize(
    ("raw", "pointer"), [(b"{", ""), (b"{}", ""), (b"[1]", "/0"), (b'[{"a": NaN}]', ""), (b'[{"a": "\\u0000"}]', "")]
)
def test_what_is_no_batch_says_so(raw: bytes, pointer: str):
    """Broken, a garbled delivery would crash the function, or fail a whole batch in the database later."""
    with pytest.raises(InvalidInput) as caught:
        parse(raw)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]
