"""Consumes campaign-execution and engagement-events: due actions, wakes, sweeps and signals."""

from __future__ import annotations

from functools import cache

from aws_lambda_powertools.utilities.typing import LambdaContext

from cadenza.campaigns.starting import ScheduledStarts
from cadenza.core.clock import utc_now
from cadenza.core.consumer import BatchAnswer, SqsEvent, consume_together
from cadenza.core.db import Database, connect
from cadenza.core.heartbeats import heart
from cadenza.core.log import get_logger
from cadenza.core.messages import EXECUTION_MESSAGES
from cadenza.core.queues import Queue
from cadenza.core.settings import ExecuteSettings, load
from cadenza.delivery.execution import Execution
from cadenza.delivery.hints import Hints
from cadenza.delivery.inbound import Inbound
from cadenza.delivery.outcomes import SignalIntake
from cadenza.delivery.upkeep import Upkeep
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.service import Engine
from cadenza.engine.wakes import Wakes


@cache
def database() -> Database:
    """The process's database."""
    return connect(load(ExecuteSettings))


@cache
def execution() -> Execution:
    """The service, made once a process."""
    settings = load(ExecuteSettings)
    send = Queue(settings.message_send_queue_url)
    dispatcher = Dispatcher(Queue(settings.campaign_execution_queue_url), Wakes(settings), send)
    engine = Engine(database(), dispatcher, utc_now)
    return Execution(
        engine,
        SignalIntake(database(), engine, utc_now),
        Inbound(database()),
        Upkeep(database(), engine, Hints(send, dispatcher), utc_now),
        ScheduledStarts(database(), dispatcher, utc_now, settings.public_url),
    )


@get_logger().inject_lambda_context
def handler(event: SqsEvent, context: LambdaContext) -> BatchAnswer:  # noqa: ARG001 - Lambda's signature
    """Act on a batch."""
    return consume_together(event, EXECUTION_MESSAGES, execution().handle, alive=heart(database(), "execute", utc_now))
