"""Taking in what the outside reports: verify, parse, enqueue. When a method returns, SQS has what it was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from pydantic import JsonValue

from cadenza.core.errors import Retryable, Unauthorised
from cadenza.core.ids import MessageId
from cadenza.core.log import get_logger
from cadenza.core.messages import Grade, MailReceived, SignalKind, SignalReported
from cadenza.core.queues import Queue
from cadenza.leads import firecrawl_webhook
from cadenza.signals import events, forwarded, sendgrid, ses_events, ses_mail
from cadenza.signals.gateway import Request
from cadenza.signals.grading import HONEYPOT, Clue, Evidence, clues, conclude
from cadenza.signals.links import Links, UnknownLink
from cadenza.signals.payloads import json_object
from cadenza.signals.sns import Envelope, EnvelopeType, Sns

PROVIDER = "cadenza"
"""Our own tracking and opt-out, as the ``provider`` of their signals."""
MAX_AGENT_CHARS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """What may come in, and where it goes. An empty secret means that its source is not configured: refused."""

    links: Links
    lead_analysis: Queue
    engagement_events: Queue
    sns: Sns
    firecrawl_secret: str
    events_secret: str
    inbound_secret: str
    sendgrid_key: str

    def crawl(self, request: Request) -> bool:
        """Take in a Firecrawl webhook; False if it reports neither the end of a crawl nor a page.

        Raises:
            Unauthorised: Not signed by Firecrawl.
            InvalidInput: Signed, but not of the documented shape.
            Retryable: SQS did not take it.
        """
        _require(self.firecrawl_secret, "firecrawl")
        signature = request.headers.get("x-firecrawl-signature", "")
        if not firecrawl_webhook.verify(self.firecrawl_secret, request.body, signature):
            raise Unauthorised("the webhook's signature does not match")
        report = firecrawl_webhook.parse_webhook(request.body)
        if report is None:
            return False
        self.lead_analysis.send([report.model_copy(update={"correlation_id": request.id})])
        get_logger().info(report.type, lead_id=str(report.lead_id))
        return True

    def event(self, request: Request) -> None:
        """Take in a message event (`cadenza.signals.events`).

        Raises:
            Unauthorised: Not signed by the event source, or signed too long ago.
            InvalidInput: Signed, but not of the documented shape.
            Retryable: SQS did not take it.
        """
        _require(self.events_secret, events.PROVIDER)
        event_id = events.verify(self.events_secret, request.headers, request.body, request.received_at)
        self._enqueue(events.parse(event_id, request.body), request=request)

    def notification(self, request: Request) -> bool:
        """Take in what SNS sends: what SES reports of our mails, mails that SES received, and SNS's own handshakes.

        False if it says nothing that we act on.

        Raises:
            Unauthorised: Not signed by SNS for one of our topics (`cadenza.signals.sns`).
            InvalidInput: Signed, but not of the documented shape.
            Retryable: SQS did not take it, or SNS did not answer.
        """
        _require(self.sns, "sns")
        envelope = self.sns.verify(request.body, request.received_at)
        match envelope.type:
            case EnvelopeType.NOTIFICATION:
                return self._published(envelope, request)
            case EnvelopeType.SUBSCRIPTION:
                self.sns.confirm(envelope)
            case EnvelopeType.UNSUBSCRIPTION:
                get_logger().warning("sns.unsubscribed", topic=envelope.topic_arn)
            case _:
                assert_never(envelope.type)
        return True

    def batch(self, request: Request) -> bool:
        """Take in a batch of SendGrid's events (`cadenza.signals.sendgrid`); False if none is of ours.

        Raises:
            Unauthorised: Not signed by SendGrid, or signed too long ago.
            InvalidInput: Signed, but not a batch of events.
            Retryable: SQS did not take all of it; SendGrid sends it again, and what was taken counts once.
        """
        _require(self.sendgrid_key, sendgrid.PROVIDER)
        sendgrid.verify(self.sendgrid_key, request.headers, request.body, request.received_at)
        signals = sendgrid.parse(request.body)
        if signals:
            self._enqueue(*signals, request=request)
        return bool(signals)

    def mail(self, request: Request) -> bool:
        """Take in a forwarded mail (`cadenza.signals.forwarded`); False if it is nothing for us.

        Raises:
            Unauthorised: Not signed by the forwarder, or signed too long ago.
            InvalidInput: Signed, but not of the documented shape.
            Retryable: SQS did not take it.
        """
        _require(self.inbound_secret, forwarded.SOURCE)
        events.verify(self.inbound_secret, request.headers, request.body, request.received_at)
        return self._enqueue_mail(forwarded.parse(request.body, request.received_at), request)

    def opened(self, token: str, request: Request) -> None:
        """Take in a fetch of a message's pixel. If SQS fails, the open is lost: the reader is not to see an error.

        Raises:
            UnknownLink: Not one of our pixels.
        """
        self._enqueue_or_lose(self._seen(SignalKind.OPENED, self.links.verify_open(token), request), request)

    def clicked(self, token: str, request: Request) -> str | None:
        """Take in a click; returns the URL to go on to. If SQS fails, the click is lost, and the reader still arrives.

        None for the hidden link: whoever follows it is a machine, and there is nowhere to go on to.

        Raises:
            UnknownLink: Not one of our links.
        """
        try:
            message_id, target = self.links.verify_click(token)
        except UnknownLink:
            message_id = self.links.verify_honeypot(token)
            trapped = Clue(Grade.MACHINE, HONEYPOT)
            self._enqueue_or_lose(self._seen(SignalKind.CLICKED, message_id, request, trapped), request)
            return None
        self._enqueue_or_lose(self._seen(SignalKind.CLICKED, message_id, request, url=target), request)
        return target

    def unsubscribed(self, token: str, request: Request) -> None:
        """Take in an opt-out. Its event id is the message's, so that pressing twice is one event.

        Raises:
            UnknownLink: Not one of our links.
            Retryable: SQS did not take it, and the opt-out must not be lost.
        """
        message_id = self.links.verify_unsubscribe(token)
        signal = SignalReported(
            provider=PROVIDER,
            provider_event_id=f"{SignalKind.UNSUBSCRIBED}:{message_id}",
            message_id=message_id,
            kind=SignalKind.UNSUBSCRIBED,
            occurred_at=request.received_at,
        )
        self._enqueue(signal, request=request)

    def _published(self, envelope: Envelope, request: Request) -> bool:
        if not envelope.message.lstrip().startswith("{"):
            # SES says hello in plain words to a topic that it has been given.
            get_logger().info("sns.ignored", topic=envelope.topic_arn)
            return False
        payload = json_object(envelope.message.encode(), "the notification's Message is not one of SES")
        if payload.get("notificationType") == ses_mail.RECEIVED:
            return self._enqueue_mail(ses_mail.parse(payload), request)
        signal = ses_events.parse(envelope.message_id, payload)
        if signal is not None:
            self._enqueue(signal, request=request)
        return signal is not None

    def _seen(
        self, kind: SignalKind, message_id: MessageId, request: Request, *known: Clue, **details: JsonValue
    ) -> SignalReported:
        """Graded by this request alone; `cadenza.delivery.grading` looks at what happened around it."""
        agent = request.headers.get("user-agent", "")
        grading = conclude((*known, *clues(Evidence(agent, request.method, request.headers))))
        return SignalReported(
            provider=PROVIDER,
            provider_event_id=f"{kind}:{request.id}",
            message_id=message_id,
            kind=kind,
            occurred_at=request.received_at,
            grade=grading.grade,
            grade_reasons=grading.reasons,
            payload={
                "method": request.method,
                "user_agent": agent[:MAX_AGENT_CHARS],
                "ip": request.ip,
                **details,
            },
        )

    def _enqueue(self, *signals: SignalReported, request: Request) -> None:
        self.engagement_events.send([signal.model_copy(update={"correlation_id": request.id}) for signal in signals])
        for signal in signals:
            get_logger().info(
                "signal.reported", kind=signal.kind, message_id=str(signal.message_id), grade=signal.grade
            )

    def _enqueue_mail(self, mail: MailReceived | None, request: Request) -> bool:
        if mail is None:
            get_logger().info("mail.ignored")
            return False
        self.engagement_events.send([mail.model_copy(update={"correlation_id": request.id})])
        get_logger().info("mail.received", mail_id=mail.mail_id, nature=mail.nature)
        return True

    def _enqueue_or_lose(self, signal: SignalReported, request: Request) -> None:
        try:
            self._enqueue(signal, request=request)
        except Retryable as error:
            get_logger().error("signal.lost", kind=signal.kind, message_id=str(signal.message_id), reason=error.detail)


def _require(secret: str | Sns, source: str) -> None:
    if not secret:
        get_logger().warning("webhook.not_configured", source=source)
        raise Unauthorised("this webhook is not configured")
