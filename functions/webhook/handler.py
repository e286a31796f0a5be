"""What the world may call: providers' webhooks, tracking links, opt-out. Verifies and enqueues; never sees Postgres."""

from __future__ import annotations

from functools import cache

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from cadenza.core.log import get_logger
from cadenza.core.queues import Queue
from cadenza.core.settings import WebhookSettings, load, secrets
from cadenza.signals.gateway import HttpEvent, HttpReply, Request
from cadenza.signals.inbox import Inbox
from cadenza.signals.links import Links
from cadenza.signals.routes import answer
from cadenza.signals.sns import Sns

log = get_logger()


@cache
def inbox() -> Inbox:
    """The process's inbox, made at the first request."""
    settings = load(WebhookSettings)
    known = secrets(settings.app_secret_arn)
    # All tries end well within the function's 10 s, so that a reader gets the pixel or the redirect even without SQS.
    patience = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
    sqs = boto3.client("sqs", config=patience)  # pyright: ignore[reportUnknownMemberType] - stubs of some services only
    return Inbox(
        links=Links(settings.public_url, known.link_signing_key),
        lead_analysis=Queue(settings.lead_analysis_queue_url, sqs),
        engagement_events=Queue(settings.engagement_events_queue_url, sqs),
        sns=Sns(settings.sns_topic_arns.split(), origin=settings.sns_origin),
        firecrawl_secret=known.firecrawl_webhook_secret,
        events_secret=known.events_webhook_secret,
        inbound_secret=known.inbound_webhook_secret,
        sendgrid_key=known.sendgrid_webhook_key,
    )


@log.inject_lambda_context(clear_state=True)
def handler(event: HttpEvent, context: LambdaContext) -> HttpReply:  # noqa: ARG001 - Lambda's signature
    """Answer one request of the HTTP API."""
    request = Request.from_event(event)
    log.set_correlation_id(request.id)
    return answer(inbox(), request).to_reply()
