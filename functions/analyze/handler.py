"""Consumes lead-analysis: crawls wanted and reported, sites to analyse, sweeps."""

from __future__ import annotations

from functools import cache

from aws_lambda_powertools.utilities.typing import LambdaContext

from cadenza.contacts.deliverability import Dns, Mailboxes, NoDns
from cadenza.core.ai import client_for
from cadenza.core.ai_gate import AiGate
from cadenza.core.clock import utc_now
from cadenza.core.consumer import BatchAnswer, SqsEvent, consume
from cadenza.core.db import Database, connect
from cadenza.core.heartbeats import heart
from cadenza.core.log import get_logger
from cadenza.core.messages import LEAD_MESSAGES, LeadMessage
from cadenza.core.queues import Queue
from cadenza.core.settings import AnalyzeSettings, load, secrets
from cadenza.engine.completion import completer
from cadenza.leads.analysts import AiAnalyst, OfflineAnalyst
from cadenza.leads.crawling import FirecrawlCrawling, OwnCrawling
from cadenza.leads.service import LeadPipeline

log = get_logger()


@cache
def database() -> Database:
    """The process's database."""
    return connect(load(AnalyzeSettings))


@cache
def pipeline() -> LeadPipeline:
    """The service, made once a process."""
    settings = load(AnalyzeSettings)
    known = secrets(settings.app_secret_arn)
    client = client_for(settings, known.openai_api_key)
    webhook_url = f"{settings.public_url}/webhooks/firecrawl"
    return LeadPipeline(
        database=database(),
        lead_queue=Queue(settings.lead_analysis_queue_url),
        creation_queue=Queue(settings.campaign_creation_queue_url),
        crawling=FirecrawlCrawling(settings.firecrawl_url, known.firecrawl_api_key, webhook_url)
        if known.firecrawl_api_key
        else OwnCrawling(),
        analyst=AiAnalyst(AiGate(database(), client, utc_now)) if client else OfflineAnalyst(),
        settled=completer(database(), utc_now),
        clock=utc_now,
        mailboxes=Mailboxes(Dns() if settings.mx_lookup else NoDns()),
    )


@log.inject_lambda_context(clear_state=True)
def handler(event: SqsEvent, context: LambdaContext) -> BatchAnswer:  # noqa: ARG001 - Lambda's signature
    """Take the leads of a batch one step further."""
    return consume(event, LEAD_MESSAGES, step, alive=heart(database(), "analyze", utc_now))


def step(message: LeadMessage) -> None:
    """One message."""
    log.set_correlation_id(message.correlation_id)
    pipeline().handle(message)
