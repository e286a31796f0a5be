"""What a function may be told from outside: one frozen model a function, read once, never at import.

Every value comes from an environment variable of the field's name in capitals (``lead_analysis_queue_url`` from
``LEAD_ANALYSIS_QUEUE_URL``). Secrets never travel in the environment: `Secrets` is read from Secrets Manager.
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cadenza.core import aws
from cadenza.core.errors import ConfigurationError


class Settings(BaseModel):
    """Base of the functions' settings. Mix in what a function needs, nothing more."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    app_secret_arn: str = ""
    public_url: str = ""
    """Base of the URLs that leave the house (tracking, opt-out, webhooks), without a trailing slash."""


class DatabaseSettings(Settings):
    """Where Postgres is. ``database_url`` (local) wins over host and user (Aurora with IAM authentication)."""

    database_url: str = ""
    database_host: str = ""
    database_port: int = 5432
    database_name: str = "cadenza"
    database_user: str = ""
    database_role: str = ""
    """The Postgres role that the function's transactions run as: ``cadenza_api`` or ``cadenza_worker``."""
    database_ca_file: str = ""
    """PEM file of the certificate authority that signed the server's certificate; "" means the system's store."""


class MigrateSettings(DatabaseSettings):
    """Settings of functions/migrate, the only one that logs in as the owner."""

    database_secret_arn: str = ""
    """The master user's secret (JSON: username, password, host, port, dbname); "" where DATABASE_URL says it all."""


class LeadQueue(Settings):
    """May put work on lead-analysis."""

    lead_analysis_queue_url: str


class CreationQueue(Settings):
    """May put work on campaign-creation."""

    campaign_creation_queue_url: str


class EngagementQueue(Settings):
    """May put signals on engagement-events."""

    engagement_events_queue_url: str


class ExecutionQueue(Settings):
    """May put actions on campaign-execution, at once or by a wake."""

    campaign_execution_queue_url: str
    campaign_execution_queue_arn: str
    scheduler_group: str
    scheduler_role_arn: str


class SendQueue(Settings):
    """May put outbox ids on message-send."""

    message_send_queue_url: str


class DeadLetterQueues(Settings):
    """May look into the dead-letter queues, and empty them."""

    lead_analysis_dlq_url: str
    campaign_creation_dlq_url: str
    engagement_events_dlq_url: str
    campaign_execution_dlq_url: str
    message_send_dlq_url: str


class AiSettings(Settings):
    """Which AI to ask. Without a key in the app secret the offline analyst and planner do the work."""

    openai_base_url: str = ""
    openai_model: str = "gpt-5-mini"
    openai_input_usd_per_million: float | None = Field(default=None, ge=0)
    """With the next one: what a million tokens cost, for a model whose list price we do not know. 0: it is free."""
    openai_output_usd_per_million: float | None = Field(default=None, ge=0)


class CrawlSettings(Settings):
    """Which crawler to ask. Without a Firecrawl key in the app secret our own bounded crawler does the work."""

    firecrawl_url: str = "https://api.firecrawl.dev"


class MailboxSettings(Settings):
    """How much is found out about addresses before they are written to."""

    mx_lookup: bool = False
    """Whether their domains are asked for in DNS; the local stage's are made up."""


class SenderSecrets(Settings):
    """Where senders' passwords are."""

    sender_secrets_path: str = "/cadenza/senders"
    """Path of the Parameter Store, without a trailing slash; a sender's parameter is called by its id."""


class WebhookSettings(LeadQueue, EngagementQueue):
    """Settings of functions/webhook."""

    sns_topic_arns: str = ""
    """The SNS topics that may speak to us, separated by blanks; "" refuses them all."""
    sns_origin: str = Field(default="", pattern=r"^(?:http://127\.0\.0\.1:\d{1,5})?$")
    """Where signing certificates come from in the local stage, instead of from SNS. Only this machine can be meant:
    in production nobody but the function itself could answer there."""


class ApiSettings(
    DatabaseSettings,
    LeadQueue,
    CreationQueue,
    EngagementQueue,
    ExecutionQueue,
    SendQueue,
    DeadLetterQueues,
    SenderSecrets,
):
    """Settings of functions/api."""

    api_rate_per_s: float = Field(default=25, ge=0.01, le=10_000)
    """How many requests a second an API key may make in the long run; a key of its own may have less."""
    api_burst: int = Field(default=250, ge=1, le=100_000)
    """How many requests an API key may make at once."""


class AnalyzeSettings(DatabaseSettings, LeadQueue, CreationQueue, AiSettings, CrawlSettings, MailboxSettings):
    """Settings of functions/analyze."""


class PlanSettings(DatabaseSettings, CreationQueue, ExecutionQueue, AiSettings, MailboxSettings):
    """Settings of functions/plan."""


class ExecuteSettings(DatabaseSettings, ExecutionQueue, SendQueue):
    """Settings of functions/execute."""


class SendSettings(DatabaseSettings, ExecutionQueue, SendQueue, SenderSecrets):
    """Settings of functions/send."""

    ses_configuration_set: str = ""
    send_concurrency: int = Field(default=4, ge=1)
    """How many batches of message-send may be under way at once: they share their providers' pace."""
    ses_tenant: str = ""
    """SES tenant of the senders that name none of their own."""
    smtp_private_hosts: bool = False
    """Whether SMTP servers may be inside our own network (a relay of yours, or a test's)."""


class Secrets(BaseModel):
    """The one JSON secret of an installation. An empty value means: not configured."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    link_signing_key: str = Field(min_length=16)
    firecrawl_api_key: str = ""
    firecrawl_webhook_secret: str = ""
    events_webhook_secret: str = ""
    """Standard Webhooks secret (``whsec_…``) of the generic event source."""
    inbound_webhook_secret: str = ""
    """Standard Webhooks secret (``whsec_…``) of whoever forwards mail to us."""
    sendgrid_webhook_key: str = ""
    """SendGrid's verification key of its signed event webhook: base64 of a DER public key."""
    openai_api_key: str = ""


S = TypeVar("S", bound=Settings)


def load(model: type[S], environ: dict[str, str] | None = None) -> S:
    """Read ``model`` from the environment.

    Raises:
        ConfigurationError: A variable is missing or malformed; the message names it.
    """
    source = os.environ if environ is None else environ
    values = {name: source[name.upper()] for name in model.model_fields if source.get(name.upper())}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        wrong = ", ".join(f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(f"environment variables are missing or malformed: {wrong}") from error


@cache
def secrets(arn: str) -> Secrets:
    """The installation's secrets, fetched once a process.

    Raises:
        ConfigurationError: The secret is not JSON of the right shape. Its content is never quoted.
    """
    value = aws.secretsmanager().get_secret_value(SecretId=arn)
    try:
        return Secrets.model_validate(json.loads(value["SecretString"]))
    except (ValidationError, ValueError):
        # "from None": a validation error quotes its input, and that is the secret.
        raise ConfigurationError("the app secret (APP_SECRET_ARN) is not JSON with the expected keys") from None
