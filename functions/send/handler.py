"""Consumes message-send: hands outbox messages to their providers."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from aws_lambda_powertools.utilities.typing import LambdaContext

from cadenza.core.clock import utc_now
from cadenza.core.consumer import BatchAnswer, SqsEvent, consume
from cadenza.core.db import Database, connect
from cadenza.core.heartbeats import heart
from cadenza.core.log import get_logger
from cadenza.core.messages import SEND_MESSAGES, SendWanted
from cadenza.core.queues import Queue
from cadenza.core.settings import SendSettings, load, secrets
from cadenza.delivery.hints import Hints
from cadenza.delivery.providers import ses, smtp
from cadenza.delivery.providers.passwords import Passwords
from cadenza.delivery.service import Delivery
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.service import Engine
from cadenza.engine.wakes import Wakes
from cadenza.signals.links import Links

log = get_logger()


@cache
def database() -> Database:
    """The process's database."""
    return connect(load(SendSettings))


@cache
def delivery() -> Delivery:
    """The service, made once a process."""
    settings = load(SendSettings)
    send = Queue(settings.message_send_queue_url)
    dispatcher = Dispatcher(Queue(settings.campaign_execution_queue_url), Wakes(settings), send)
    return Delivery(
        database=database(),
        engine=Engine(database(), dispatcher, utc_now),
        hints=Hints(send, dispatcher),
        providers={
            ses.NAME: ses.Ses(settings.ses_configuration_set, tenant=settings.ses_tenant),
            smtp.NAME: smtp.Smtp(Passwords(settings.sender_secrets_path), private_hosts=settings.smtp_private_hosts),
        },
        links=Links(settings.public_url, secrets(settings.app_secret_arn).link_signing_key),
        clock=utc_now,
        processes=settings.send_concurrency,
    )


@log.inject_lambda_context(clear_state=True)
def handler(event: SqsEvent, context: LambdaContext) -> BatchAnswer:
    """Send what each message names; what cannot be sent for now, or in time, comes back by itself."""
    until = utc_now() + timedelta(milliseconds=context.get_remaining_time_in_millis())

    def send(wanted: SendWanted) -> None:
        log.set_correlation_id(wanted.correlation_id)
        delivery().send(wanted.message_ids, wanted.correlation_id, until)

    return consume(event, SEND_MESSAGES, send, alive=heart(database(), "send", utc_now))
