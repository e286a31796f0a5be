"""Who may speak in the name of SNS: one region's host, one signature version, our topics, and not for long."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from cadenza.core.errors import ConfigurationError, InvalidInput, Retryable, Unauthorised
from cadenza.core.settings import WebhookSettings, load
from cadenza.signals.sns import EnvelopeType, Sns
from local.world.sns import Fields, Signer

REGION = "https://sns.eu-central-1.amazonaws.com"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:mail-events"


@pytest.fixture(scope="module")
def signer() -> Signer:
    """SNS's key, and the certificate that lies at SNS's host."""
    return Signer(REGION)


class Host:
    """Serves the certificate, and keeps what it was asked for."""

    def __init__(self, signer: Signer) -> None:
        self.pem = signer.pem
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        """What is at ``url``."""
        self.asked.append(url)
        return self.pem


@pytest.fixture
def host(signer: Signer) -> Host:
    return Host(signer)


@pytest.fixture
def sns(host: Host) -> Sns:
    return Sns([TOPIC], fetch=host)


def raw(fields: Fields) -> bytes:
    return json.dumps(fields).encode()


def resigned(signer: Signer, fields: Fields, **changes: str) -> bytes:
    """The message with other fields, as if SNS's own key had signed it so."""
    changed = fields | changes
    return raw(changed | {"Signature": signer.sign(changed)})


@pytest.mark.parametrize("subject", [{}, {"Subject": "Amazon SES Email Event Notification"}, {"Subject": "Grüße\n"}])
def test_what_sns_signed_is_believed(sns: Sns, signer: Signer, now: datetime, subject: dict[str, str]):
    """Broken, no bounce or complaint would ever arrive; the subject is signed only where there is one."""
    fields = signer.message("Notification", TOPIC, now, '{"é": "\\n"}', **subject)
    assert sns.verify(raw(fields), now).message == '{"é": "\\n"}'


@pytest.mark.parametrize("field", ["Message", "MessageId", "Timestamp", "Subject", "Type"])
def test_a_changed_field_is_refused(sns: Sns, signer: Signer, now: datetime, field: str):
    """Broken, whoever sees one message could make another of it."""
    fields = signer.message("Notification", TOPIC, now, "{}", Subject="a")
    changed = {"Timestamp": fields["Timestamp"].replace("Z", "0Z"), "Type": "UnsubscribeConfirmation"}
    with pytest.raises(Unauthorised, match="signature"):
        sns.verify(raw(fields | {field: changed.get(field, f"{fields[field]}x")}), now)


@pytest.mark.parametrize("signature", ["", "AAAA", "é", "not base64!"])
def test_what_is_no_signature_is_refused(sns: Sns, signer: Signer, now: datetime, signature: str):
    """Broken, an empty signature would do."""
    with pytest.raises(Unauthorised):
        sns.verify(
            raw(signer.message("Notification", TOPIC, now, "{}", Signature=signature) | {"Signature": signature}), now
        )


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.s3.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com.cn/a.pem",
        "https://sns.eu-central-1.amazonaws.com.signer.example/a.pem",
        "https://sns.eu-central-1.amazonaws.com@signer.example/a.pem",
        "https://sns.eu-central-1.amazonaws.com:444/a.pem",
        "https://signer.example/sns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com/a/../b.pem",
        "https://sns.eu-central-1.amazonaws.com/a.pem?x=1",
        "https://sns.eu-central-1.amazonaws.com/?Action=GetTopic#a.pem",
        "https://sns.eu-central-1.amazonaws.com/a.pem\n",
        "http://127.0.0.1:4100/a.pem",
        "",
    ],
)
def test_a_certificate_from_anywhere_else_is_not_even_fetched(
    sns: Sns, host: Host, signer: Signer, now: datetime, url: str
):
    """Broken, anybody with a key and a web server (a bucket that is called "sns" will do) could speak for SNS."""
    fields = signer.message("Notification", TOPIC, now, "{}", SigningCertURL=url)
    with pytest.raises(Unauthorised, match="SigningCertURL"):
        sns.verify(raw(fields), now)
    assert host.asked == []


def test_each_partition_has_its_own_host(now: datetime):
    """Broken, an installation in China or GovCloud would refuse everything."""
    bases = {
        "arn:aws-cn:sns:cn-north-1:123456789012:a": "https://sns.cn-north-1.amazonaws.com.cn",
        "arn:aws-us-gov:sns:us-gov-west-1:123456789012:a": "https://sns.us-gov-west-1.amazonaws.com",
    }
    for topic, base in bases.items():
        signer = Signer(base)
        fields = signer.message("Notification", topic, now, "{}")
        assert Sns([topic], fetch=Host(signer)).verify(raw(fields), now).topic_arn == topic


def test_other_topics_are_refused_before_anything_else(sns: Sns, host: Host, signer: Signer, now: datetime):
    """Broken, anybody with an AWS account could publish events to us, truly signed by SNS."""
    theirs = signer.message("Notification", TOPIC.replace("123456789012", "999999999999"), now, "{}")
    with pytest.raises(Unauthorised, match="TopicArn"):
        sns.verify(raw(theirs), now)
    assert host.asked == []


def test_sha1_is_refused_by_name(sns: Sns, signer: Signer, now: datetime):
    """Broken, a collision would be a signature; and an operator would not know what to set on the topic."""
    fields = signer.message("Notification", TOPIC, now, "{}", SignatureVersion="1")
    with pytest.raises(Unauthorised, match=r"SignatureVersion 1 \(SHA-1\)"):
        sns.verify(raw(fields), now)


@pytest.mark.parametrize(
    ("age", "believed"),
    [
        (timedelta(minutes=75), True),
        (timedelta(minutes=76), False),
        (timedelta(minutes=-5), True),
        (timedelta(minutes=-6), False),
    ],
)
def test_a_message_may_be_as_old_as_snss_last_try(
    sns: Sns, signer: Signer, now: datetime, age: timedelta, believed: bool
):
    """Broken, what SNS repeats after an outage of ours would be refused; or old captures could be replayed for ever."""
    fields = raw(signer.message("Notification", TOPIC, now - age, "{}"))
    if believed:
        assert sns.verify(fields, now)
    else:
        with pytest.raises(Unauthorised, match="too long ago"):
            sns.verify(fields, now)


@pytest.mark.parametrize("timestamp", ["", "soon", "2026-01-13T10:00:00"])
def test_a_message_without_an_instant_is_refused(sns: Sns, signer: Signer, now: datetime, timestamp: str):
    """Broken, leaving the time out would make a message valid for ever, or crash the function."""
    with pytest.raises(Unauthorised, match="Timestamp"):
        sns.verify(resigned(signer, signer.message("Notification", TOPIC, now, "{}"), Timestamp=timestamp), now)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"Type": "Notification"}', b'{"Type": "Order"}'])
def test_what_is_not_of_sns_names_its_fields(sns: Sns, now: datetime, body: bytes):
    """Broken, a garbled delivery would crash the function."""
    with pytest.raises(InvalidInput) as caught:
        sns.verify(body, now)
    assert caught.value.problems


# --- the certificate ---------------------------------------------------------------------------------------------


def test_a_certificate_is_fetched_once_a_process(sns: Sns, host: Host, signer: Signer, now: datetime):
    """Broken, each event would wait for a second request, and a flood of events would become one of fetches."""
    for number in range(3):
        sns.verify(raw(signer.message("Notification", TOPIC, now, str(number))), now)
    assert len(host.asked) == 1


def test_many_certificate_names_do_not_fill_the_memory(sns: Sns, host: Host, signer: Signer, now: datetime):
    """Broken, unsigned requests with made-up names would grow a warm process until it is killed."""
    for number in range(40):
        fields = signer.message("Notification", TOPIC, now, "{}", SigningCertURL=f"{REGION}/{number}.pem")
        sns.verify(raw(fields), now)
    assert len(host.asked) == 40
    assert len(sns._keys) <= 8


@pytest.mark.parametrize("at", [datetime(1999, 12, 31, tzinfo=UTC), datetime(2100, 1, 2, tzinfo=UTC)])
def test_a_certificate_out_of_its_time_is_refused(sns: Sns, signer: Signer, at: datetime):
    """Broken, a key that was taken out of service, perhaps since somebody got it, would still be good."""
    with pytest.raises(Unauthorised, match="not valid"):
        sns.verify(raw(signer.message("Notification", TOPIC, at, "{}")), at)


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"<html>"])
def test_what_is_no_certificate_is_refused(sns: Sns, host: Host, signer: Signer, now: datetime, pem: bytes):
    """Broken, an error page in place of the certificate would crash the function."""
    host.pem = pem
    with pytest.raises(Unauthorised, match="certificate"):
        sns.verify(raw(signer.message("Notification", TOPIC, now, "{}")), now)


def test_snss_own_trouble_is_worth_another_try(signer: Signer, now: datetime):
    """Broken, an event would be refused for good because a certificate could not be fetched for a second."""

    def away(_: str) -> bytes:
        raise Retryable("sns did not answer")

    with pytest.raises(Retryable):
        Sns([TOPIC], fetch=away).verify(raw(signer.message("Notification", TOPIC, now, "{}")), now)


# --- the handshake -----------------------------------------------------------------------------------------------


def confirmation(signer: Signer, now: datetime, url: str) -> Fields:
    return signer.message("SubscriptionConfirmation", TOPIC, now, "You have chosen", Token="t1", SubscribeURL=url)


def test_a_subscription_of_ours_is_confirmed(sns: Sns, host: Host, signer: Signer, now: datetime):
    """Broken, SNS would never deliver anything."""
    url = f"{REGION}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t1"
    envelope = sns.verify(raw(confirmation(signer, now, url)), now)
    assert envelope.type is EnvelopeType.SUBSCRIPTION
    sns.confirm(envelope)
    assert host.asked[-1] == url


@pytest.mark.parametrize(
    "url", ["https://signer.example/?a", "http://169.254.169.254/?a", f"{REGION}.signer.example/?", ""]
)
def test_a_confirmation_leads_to_sns_or_nowhere(sns: Sns, host: Host, signer: Signer, now: datetime, url: str):
    """Broken, the function could be made to call any address for somebody else."""
    envelope = sns.verify(raw(confirmation(signer, now, url)), now)
    with pytest.raises(Unauthorised, match="SubscribeURL"):
        sns.confirm(envelope)
    assert url not in host.asked


# --- settings ----------------------------------------------------------------------------------------------------


def test_a_topic_that_is_none_is_our_fault():
    """Broken, an operator's typing error would look like an attack."""
    for wrong in ("mail-events", "arn:aws:sqs:eu-central-1:123456789012:a", "arn:aws:sns:eu.central:123456789012:a"):
        with pytest.raises(ConfigurationError, match="SNS_TOPIC_ARNS"):
            Sns([wrong])


@pytest.mark.parametrize(
    "origin", ["https://signer.example", "http://127.0.0.1", "http://127.0.0.1:80@signer.example", "http://10.0.0.1:80"]
)
def test_only_this_machine_can_stand_in_for_sns(origin: str):
    """Broken, one wrong setting in production would let a stranger sign in the name of SNS."""
    queues = {"LEAD_ANALYSIS_QUEUE_URL": "a", "ENGAGEMENT_EVENTS_QUEUE_URL": "b"}
    assert load(WebhookSettings, {**queues, "SNS_ORIGIN": "http://127.0.0.1:4100"}).sns_origin
    with pytest.raises(ConfigurationError, match="SNS_ORIGIN"):
        load(WebhookSettings, {**queues, "SNS_ORIGIN": origin})
