"""The management API: API Gateway's HTTP API in, one workspace's work done, JSON out."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from cadenza.api.app import build
from cadenza.api.desk import Office, PatientDispatcher
from cadenza.api.limits import Limit
from cadenza.core.clock import utc_now
from cadenza.core.db import connect
from cadenza.core.log import get_logger
from cadenza.core.queues import Queue
from cadenza.core.settings import ApiSettings, load
from cadenza.delivery.providers.passwords import Passwords
from cadenza.engine.wakes import Wakes
from cadenza.operations.health import DATABASE_PATIENCE_S, DATABASE_TIMEOUT_S, Installation

log = get_logger()


@cache
def office() -> Office:
    """What all requests share, made at the first."""
    settings = load(ApiSettings)
    execution, send = Queue(settings.campaign_execution_queue_url), Queue(settings.message_send_queue_url)
    return Office(
        database=connect(settings),
        dispatcher=PatientDispatcher(execution, Wakes(settings), send),
        lead_queue=Queue(settings.lead_analysis_queue_url),
        creation_queue=Queue(settings.campaign_creation_queue_url),
        clock=utc_now,
        passwords=Passwords(settings.sender_secrets_path),
        public_url=settings.public_url,
        installation=Installation.of(
            settings, connect(settings, patience_s=DATABASE_PATIENCE_S, timeout_s=DATABASE_TIMEOUT_S)
        ),
        limit=Limit(settings.api_rate_per_s, settings.api_burst),
    )


@cache
def api() -> APIGatewayHttpResolver:
    """The routes over the office."""
    return build(office())


@log.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    log.set_correlation_id(event["requestContext"]["requestId"])
    return api().resolve(event, context)
