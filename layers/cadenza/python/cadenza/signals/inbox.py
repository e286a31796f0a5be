"""Taking in what the outside reports: verify, parse, enqueue. When a method returns, SQS has what it was given."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from cadenza.core.errors import Retryable, Unauthorised
from cadenza.core.ids import MessageId
from cadenza.core.log import get_logger
from cadenza.core.messages import Grade, SignalKind, SignalReported
from cadenza.core.queues import Queue
from cadenza.leads import firecrawl_webhook
from cadenza.signals import events
from cadenza.signals.gateway import Request
from cadenza.signals.grading import HONEYPOT, Clue, Evidence, clues, conclude
from cadenza.signals.links import Links, UnknownLink

PROVIDER = "cadenza"
"""Our own tracking and opt-out, as the ``provider`` of their signals."""
MAX_AGENT_CHARS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """What may come in, and where it goes. An empty secret means that its source is not configured: refused."""

    links: Links
    lead_analysis: Queue
    engagement_events: Queue
    firecrawl_secret: str
    events_secret: str

    def crawl(self, request: Request) -> bool:
        """Take in a Firecrawl webhook; False if it reports nothing that we wait for.

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
        get_logger().info("crawl.reported", lead_id=str(report.lead_id), status=report.status)
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
        self._enqueue(events.parse(event_id, request.body), request)

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
        self._enqueue(signal, request)

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

    def _enqueue(self, signal: SignalReported, request: Request) -> None:
        self.engagement_events.send([signal.model_copy(update={"correlation_id": request.id})])
        get_logger().info("signal.reported", kind=signal.kind, message_id=str(signal.message_id), grade=signal.grade)

    def _enqueue_or_lose(self, signal: SignalReported, request: Request) -> None:
        try:
            self._enqueue(signal, request)
        except Retryable as error:
            get_logger().error("signal.lost", kind=signal.kind, message_id=str(signal.message_id), reason=error.detail)


def _require(secret: str, source: str) -> None:
    if not secret:
        get_logger().warning("webhook.not_configured", source=source)
        raise Unauthorised("this webhook is not configured")
