"""Consumes campaign-creation: one contact gets a plan and enters a campaign; automatic ones look for contacts."""

from __future__ import annotations

from functools import cache

from aws_lambda_powertools.utilities.typing import LambdaContext

from cadenza.campaigns.assigning import Assigning, Planning
from cadenza.campaigns.enrolment import Enrolling
from cadenza.campaigns.mail_plans import compile_for_mail
from cadenza.contacts.deliverability import Dns, Mailboxes, NoDns
from cadenza.core.ai import client_for
from cadenza.core.ai_gate import AiGate
from cadenza.core.clock import utc_now
from cadenza.core.consumer import BatchAnswer, SqsEvent, consume
from cadenza.core.db import Database, connect
from cadenza.core.heartbeats import heart
from cadenza.core.log import get_logger
from cadenza.core.messages import PLAN_MESSAGES, PlanMessage
from cadenza.core.queues import Queue
from cadenza.core.settings import PlanSettings, load, secrets
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.service import Engine
from cadenza.engine.wakes import Wakes
from cadenza.planning.planners import AiPlanner, OfflinePlanner

log = get_logger()


@cache
def database() -> Database:
    """The process's database."""
    return connect(load(PlanSettings))


@cache
def planning() -> Planning:
    """The service, made once a process."""
    settings = load(PlanSettings)
    known = secrets(settings.app_secret_arn)
    client = client_for(settings, known.openai_api_key)
    creation = Queue(settings.campaign_creation_queue_url)
    dispatcher = Dispatcher(Queue(settings.campaign_execution_queue_url), Wakes(settings))
    enrolling = Enrolling(
        database=database(),
        planner=AiPlanner(AiGate(database(), client, utc_now), compile_for_mail)
        if client
        else OfflinePlanner(compile_for_mail),
        engine=Engine(database(), dispatcher, utc_now),
        clock=utc_now,
        mailboxes=Mailboxes(Dns() if settings.mx_lookup else NoDns()),
        creation_queue=creation,
    )
    return Planning(enrolling, Assigning(database(), creation, utc_now))


@log.inject_lambda_context(clear_state=True)
def handler(event: SqsEvent, context: LambdaContext) -> BatchAnswer:  # noqa: ARG001 - Lambda's signature
    """Plan for the contacts of a batch."""
    return consume(event, PLAN_MESSAGES, plan, alive=heart(database(), "plan", utc_now))


def plan(wanted: PlanMessage) -> None:
    """One contact, or a part of a pass."""
    log.set_correlation_id(wanted.correlation_id)
    planning().handle(wanted)
