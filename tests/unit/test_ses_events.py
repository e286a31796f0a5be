"""What SES reports, from events in its documented shapes (tests/events/ses), as signals."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import pytest

from cadenza.core.errors import InvalidInput
from cadenza.core.ids import MessageId
from cadenza.core.messages import Grade, MailNature, MailReceived, SignalKind
from cadenza.delivery import inbound
from cadenza.delivery.model import EarlierMail
from cadenza.delivery.providers import ses
from cadenza.signals import ses_events
from cadenza.signals.ses_events import parse

EVENTS = Path(__file__).parent.parent / "events" / "ses"
MESSAGE = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
SENT_AT = datetime(2026, 1, 13, 9, 59, 50, tzinfo=UTC)
REPORTED_AT = datetime(2026, 1, 13, 9, 59, 58, tzinfo=UTC)

MEANINGS = {
    "send": (SignalKind.SENT, None, SENT_AT),
    "delivery": (SignalKind.DELIVERED, None, REPORTED_AT),
    "bounce-permanent": (SignalKind.BOUNCED, True, REPORTED_AT),
    "bounce-suppressed": (SignalKind.BOUNCED, True, REPORTED_AT),
    "bounce-mailbox-full": (SignalKind.BOUNCED, False, REPORTED_AT),
    "bounce-content-rejected": (SignalKind.BOUNCED, False, REPORTED_AT),
    "bounce-transient-general": (SignalKind.BOUNCED, False, REPORTED_AT),
    "bounce-undetermined": (SignalKind.BOUNCED, False, REPORTED_AT),
    "bounce-automatic-response": (SignalKind.REPLIED, None, REPORTED_AT),
    "complaint": (SignalKind.COMPLAINED, None, REPORTED_AT),
    "open": (SignalKind.OPENED, None, REPORTED_AT),
    "click-scanner": (SignalKind.CLICKED, None, REPORTED_AT),
    "reject": (SignalKind.FAILED, None, SENT_AT),
    "rendering-failure": (SignalKind.FAILED, None, SENT_AT),
    "subscription": (SignalKind.UNSUBSCRIBED, None, REPORTED_AT),
}
IGNORED = ("delivery-delay", "complaint-not-spam")


def recorded(name: str) -> dict[str, Any]:
    return json.loads((EVENTS / f"{name}.json").read_text())


@pytest.mark.parametrize("name", MEANINGS)
def test_every_event_becomes_its_signal(name: str):
    """Broken, one sort of report would be lost, or a full mailbox would suppress a person for good."""
    payload = recorded(name)
    signal = parse("sns-1", payload)
    assert signal is not None
    assert (signal.kind, signal.hard, signal.occurred_at) == MEANINGS[name]
    assert (signal.provider, signal.provider_event_id, signal.message_id) == ("ses", "sns-1", MESSAGE)
    assert signal.payload == payload


@pytest.mark.parametrize("name", IGNORED)
def test_what_says_nothing_of_a_person_is_left(name: str):
    """Broken, taking a mail out of the junk folder would count as a complaint, and suppress who likes our mail."""
    assert parse("sns-1", recorded(name)) is None


def test_every_recorded_event_is_judged_here():
    """Broken, a recording would be in no test."""
    assert {path.stem for path in EVENTS.iterdir()} == {*MEANINGS, *IGNORED}


def test_an_event_that_ses_has_yet_to_invent_is_left():
    """Broken, SES's next feature would be answered with errors until it stops delivering."""
    assert parse("sns-1", recorded("send") | {"eventType": "Teleport"}) is None


@pytest.mark.parametrize("tags", [{}, {"cadenza-message-id": []}, {"cadenza-message-id": ["another system's"]}])
def test_mails_of_others_in_the_same_account_are_left(tags: dict[str, list[str]]):
    """Broken, another system that uses our configuration set would fill our DLQ."""
    event = recorded("send")
    event["mail"]["tags"] = tags
    assert parse("sns-1", event) is None


def test_machines_are_graded():
    """Broken, a scanner's click would move a campaign, and an automatic answer would end it."""
    found = {name: parse("sns-1", recorded(name)) for name in ("open", "click-scanner", "bounce-automatic-response")}
    assert {name: (signal.grade, signal.grade_reasons) for name, signal in found.items() if signal} == {
        "open": (Grade.HUMAN, ()),
        "click-scanner": (Grade.MACHINE, ("known_machine",)),
        "bounce-automatic-response": (Grade.MACHINE, ("auto_reply",)),
    }


def test_a_malformed_event_names_its_field():
    """Broken, nobody could see why an event was refused."""
    event = recorded("bounce-permanent")
    del event["bounce"]["timestamp"]
    with pytest.raises(InvalidInput) as caught:
        parse("sns-1", event)
    assert [problem.pointer for problem in caught.value.problems] == ["/bounce/timestamp"]


def test_mails_are_tagged_and_found_again_by_the_same_names():
    """Broken, SES would report on mails that we do not recognise as ours, and answers to them would match nothing."""
    assert ses_events.MESSAGE_TAG == ses.MESSAGE_TAG
    for region in ("us-east-1", "eu-central-1", "us-gov-west-1"):
        client = boto3.client("sesv2", region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
        given = ses.Ses(client=client).header_id(
            EarlierMail(MessageId(MESSAGE), "nordlicht.example", "ses", "0107-000000")
        )
        client.close()
        mail = MailReceived(mail_id="1", nature=MailNature.REPLY, occurred_at=SENT_AT, references=(given.strip("<>"),))
        assert [clue.get("provider_id") for clue in inbound._clues(0, mail)] == ["0107-000000"]
