"""All of Cadenza on this machine, for one ``with`` block: Postgres, AWS, the world outside, the deployed stack."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pydantic import TypeAdapter

from cadenza.core.db import Database
from local.aws import ROOT, LocalAws, LocalAwsError, Outputs
from local.gateway import Gateway
from local.postgres import EmbeddedPostgres
from local.world.firecrawl import FirecrawlService
from local.world.mail import CapturedMail, MailCapture
from local.world.recipients import Recipients
from local.world.ses_reports import SesReports
from local.world.sites import SITES, SampleSites
from local.world.sns import NotificationService, Subscription

DATABASE = "cadenza"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A tenant of the running system, and the key that opens it."""

    workspace_id: str
    api_key: str


_WORKSPACE: Final = TypeAdapter(Workspace)


class LocalSystem:
    """Everything, started in order and stopped in the opposite one, whatever happens.

    Args:
        enforce_iam: Whether the local AWS refuses what the functions' roles do not grant.
        on_mail: Called with each mail that leaves, on a thread of the mail capture's.
        say: Told in a few words what is being started.
        port: Loopback port of the public URL; 0 takes a free one.
        cors_origins: Whose pages may call the API from a browser.
        mail_folder: Folder that the captured mails stay in; None: a temporary one.
        environment: More variables of the functions' environment.
        secret: More keys of the app secret.
        sites_folder: The company sites that there are.
    """

    def __init__(
        self,
        *,
        enforce_iam: bool = True,
        on_mail: Callable[[CapturedMail], None] | None = None,
        say: Callable[[str], None] | None = None,
        port: int = 0,
        cors_origins: Collection[str] = (),
        mail_folder: Path | None = None,
        environment: dict[str, str] | None = None,
        secret: dict[str, str] | None = None,
        sites_folder: Path = SITES,
    ) -> None:
        self._enforce_iam = enforce_iam
        self._on_mail = on_mail
        self._say = say or _silence
        self._port = port
        self._cors_origins = cors_origins
        self._mail_folder = mail_folder
        self._environment = environment or {}
        self._secret = secret or {}
        self._sites_folder = sites_folder
        self._stack = ExitStack()
        # Secrets of this run only.
        self._firecrawl_key = f"fc-{secrets.token_hex(16)}"
        self._firecrawl_secret = secrets.token_hex(32)
        self._events_secret, self._inbound_secret = (
            "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2)
        )

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        enter = self._stack.enter_context
        self.postgres = EmbeddedPostgres()
        self.gateway = enter(Gateway(port=self._port, cors_origins=self._cors_origins))
        self._say("local AWS")
        self.aws = enter(LocalAws(enforce_iam=self._enforce_iam))
        self._say("sample sites, crawl service, mail capture")
        self.sites = enter(SampleSites(folder=self._sites_folder))
        self.firecrawl = enter(
            FirecrawlService(self.sites.resolver(), api_key=self._firecrawl_key, webhook_secret=self._firecrawl_secret)
        )
        self.mail = enter(MailCapture(self._folder_for_mail(), on_mail=self._on_mail))
        sns = enter(NotificationService())
        url = self.postgres.url(DATABASE)
        context = {
            "databaseUrl": url.render_as_string(hide_password=False),
            "publicUrl": self.gateway.url,
            "snsOrigin": sns.url,
            "environment": json.dumps(
                {
                    "FIRECRAWL_URL": self.firecrawl.url,
                    "AWS_ENDPOINT_URL_SESV2": self.mail.url,
                    "SMTP_PRIVATE_HOSTS": "true",
                    **self._environment,
                }
            ),
        }
        self.aws.begin_synthesis(context)
        self._say("Postgres")
        enter(self.postgres)
        self.postgres.create(DATABASE)
        self._say("deploying the stack")
        self.outputs: Outputs = self.aws.deploy(context)
        self.gateway.upstream = self.outputs.api_url
        self.aws.fill_secret(
            self.outputs.app_secret_arn,
            {
                "firecrawl_api_key": self._firecrawl_key,
                "firecrawl_webhook_secret": self._firecrawl_secret,
                "events_webhook_secret": self._events_secret,
                "inbound_webhook_secret": self._inbound_secret,
                **self._secret,
            },
        )
        topic = enter(Subscription(sns, self.outputs.mail_events_topic_arn, self.gateway.url))
        if not topic.confirm():
            raise LocalAwsError("the webhook function did not confirm the subscription to the topic of SES's events")
        self.recipients = enter(
            Recipients(
                self.gateway.url,
                events_secret=self._events_secret,
                inbound_secret=self._inbound_secret,
                ses=SesReports(topic),
            )
        )
        self._say("migrating the database")
        self.aws.invoke(self.outputs.functions["migrate"], {})
        self.database = Database(url, role="cadenza_worker")
        self._stack.callback(self.database.close)

    def _folder_for_mail(self) -> Path:
        if self._mail_folder is not None:
            shutil.rmtree(self._mail_folder, ignore_errors=True)
            self._mail_folder.mkdir(parents=True)
            return self._mail_folder
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="cadenza-mail-")))

    def create_workspace(self, name: str) -> Workspace:
        """A tenant with an admin's key, made as an operator would: by invoking the migrate function."""
        made = self.aws.invoke(self.outputs.functions["migrate"], {"create_workspace": {"name": name}})
        return _WORKSPACE.validate_python(made)

    def queue_depths(self) -> dict[str, int]:
        """Messages waiting, in flight or delayed in each queue and DLQ, by name."""
        client = self.aws.session.client(  # pyright: ignore[reportUnknownMemberType] - stubs of some services only
            "sqs", endpoint_url=self.aws.url, config=self.aws.client_config
        )
        try:
            named = {**self.outputs.queues, **{f"{n} DLQ": u for n, u in self.outputs.dead_letters.items()}}
            return {
                name: sum(
                    int(count)
                    for count in client.get_queue_attributes(
                        QueueUrl=url,
                        AttributeNames=[
                            "ApproximateNumberOfMessages",
                            "ApproximateNumberOfMessagesNotVisible",
                            "ApproximateNumberOfMessagesDelayed",
                        ],
                    )["Attributes"].values()
                )
                for name, url in named.items()
            }
        finally:
            client.close()

    def function_logs(self) -> list[str]:
        """What the functions have logged so far, function by function."""
        client = self.aws.session.client(  # pyright: ignore[reportUnknownMemberType] - stubs of some services only
            "logs", endpoint_url=self.aws.url, config=self.aws.client_config
        )
        try:
            groups = [group.get("logGroupName", "") for group in client.describe_log_groups()["logGroups"]]
            return [
                event.get("message", "").rstrip()
                for group in groups
                for stream in client.describe_log_streams(logGroupName=group)["logStreams"]
                for event in client.get_log_events(
                    logGroupName=group, logStreamName=stream.get("logStreamName", ""), startFromHead=True
                )["events"]
            ]
        finally:
            client.close()

    def settle(self, done: Callable[[], bool], timeout_s: float, poll_s: float = 0.25) -> bool:
        """Wait until ``done``; False when time ran out."""
        deadline = time.monotonic() + timeout_s
        while not done():
            if time.monotonic() > deadline:
                return False
            time.sleep(poll_s)
        return True


def _silence(what: str) -> None:
    """Tell nobody."""


__all__ = ["ROOT", "LocalSystem", "Workspace"]
