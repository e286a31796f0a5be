"""The whole system in this process, and the world around it: what the flow tests act on and look at."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import boto3
import httpx2
import pytest
from sqlalchemy import Row, text
from sqlalchemy.engine import URL

from cadenza.campaigns import invariants
from cadenza.core import db
from cadenza.core.clock import utc_now
from cadenza.core.db import Database
from cadenza.core.settings import DatabaseSettings
from local.world.mail import MESSAGE_TAG, CapturedMail
from local.world.recipients import Recipients
from local.world.ses_reports import SesReports
from local.world.sites import SITES, SampleSites
from local.world.sns import NotificationService, Subscription
from local.world.tidewater import OFFER, SENDER
from tests.flow import cloud
from tests.flow.cloud import ACCOUNT, GROUP, REGION, Cloud, invoke
from tests.flow.gateway import Crawls, Front, InProcess
from tests.handlers.conftest import forget, store_secrets

START: Final = datetime(2026, 1, 13, 10, 0, tzinfo=UTC)
"""A Tuesday morning in winter."""

# pyright: reportUnknownMemberType=false
# boto3's own `client` is typed for the services whose stubs are installed only.

SECRETS: Final = {
    "link_signing_key": "0123456789abcdef0123456789abcdef",
    "firecrawl_api_key": "fc-flow",
    "firecrawl_webhook_secret": "the crawler's secret",
    "events_webhook_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "inbound_webhook_secret": "whsec_c2VjcmV0IG9mIHRoZSBmb3J3YXJkZXI=",
    "openai_api_key": "",
}
BRIEF: Final = {
    **OFFER,
    "cadence": {
        "no_open_after": "P2D",
        "follow_up_after": "P3D",
        "interested_after": "P1D",
        "give_up_after": "P5D",
        "max_emails": 3,
    },
}
TOPIC: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}:mail-events"
DATABASE_USERS: Final = {
    "api": "cadenza_api",
    "analyze": "cadenza_worker",
    "plan": "cadenza_worker",
    "execute": "cadenza_worker",
    "send": "cadenza_worker",
}

Json = dict[str, Any]


class People(Recipients):
    """Recipients whose requests reach the functions in process."""

    def __init__(self, public_url: str, topic: Subscription) -> None:
        super().__init__(
            public_url,
            events_secret=SECRETS["events_webhook_secret"],
            inbound_secret=SECRETS["inbound_webhook_secret"],
            ses=SesReports(topic, clock=utc_now),
            clock=utc_now,
            transport=InProcess(),
        )

    def scan(self, mail: CapturedMail) -> httpx2.Response:
        """A mail gateway looks at the mail before its recipient does."""
        pixel = self._first(mail, "img", "src", self._is_tracked)
        return self._http.get(pixel, headers={"User-Agent": "Barracuda Sentinel (EE)"})


@dataclass
class World:
    """One installation with one workspace. The operator's side goes through the API, as in production."""

    cloud: Cloud
    front: Front
    database: Database
    people: People
    api: httpx2.Client
    workspace_id: UUID
    sites: SampleSites
    crawls: Crawls
    sender_id: str = ""
    _mails: list[CapturedMail] = field(default_factory=list[CapturedMail])

    # --- the operator --------------------------------------------------------------------------------------------

    def campaign(self, *hosts: str, start: bool = True, **brief: Any) -> UUID:
        """A campaign with a sender and the sites of ``hosts`` as its leads; it can start if there are any."""
        self.sender_id = self.sender_id or self.post("/v1/senders", SENDER)["id"]
        wanted = {"name": "Flow", "kind": "ai", "sender_id": self.sender_id, "brief": {**BRIEF, **brief}}
        campaign_id = UUID(self.post("/v1/campaigns", wanted)["id"])
        for host in hosts:
            self.post("/v1/leads", {"url": f"https://{host}", "campaign_id": str(campaign_id)})
        if start and hosts:
            self.post(f"/v1/campaigns/{campaign_id}/start")
        return campaign_id

    def post(self, path: str, body: Json | None = None) -> Json:
        """Ask the API to do something."""
        response = self.api.post(path, json=body or {})
        assert response.is_success, f"{path}: {response.status_code} {response.text}"
        return response.json() if response.content else {}

    # --- what can be seen ----------------------------------------------------------------------------------------

    def rows(self, query: str, **parameters: object) -> Sequence[Row[Any]]:
        """Ask the database."""
        with self.database.worker() as conn:
            return conn.execute(text(query), parameters).all()

    def status(self, campaign_id: UUID) -> str:
        """Where the campaign stands."""
        response = self.api.get(f"/v1/campaigns/{campaign_id}")
        return response.raise_for_status().json()["status"]

    def enrolments(self) -> dict[str, tuple[str, str, str]]:
        """By address: status, current node, reason."""
        rows = self.rows("""
            SELECT k.email, e.status, e.current_node, e.reason
            FROM contact_campaigns e JOIN contacts k ON k.id = e.contact_id
        """)
        return {row.email: (row.status, row.current_node, row.reason) for row in rows}

    def jobs(self, kind: str) -> list[tuple[str, str]]:
        """The ledger's entries of a kind: status and reason, in the order in which they were asked for."""
        rows = self.rows("SELECT status, reason FROM jobs WHERE kind = :kind ORDER BY queued_at, id", kind=kind)
        return [(row.status, row.reason) for row in rows]

    def mails(self, address: str = "") -> list[CapturedMail]:
        """What left for ``address`` ("" for anybody), in order."""
        for number, raw in enumerate(cloud.mails()[len(self._mails) :], start=len(self._mails) + 1):
            message = email.message_from_string(raw.raw_data, policy=email.policy.default)
            self._mails.append(
                CapturedMail(
                    number=number,
                    provider_id=raw.id,
                    captured_at=datetime.strptime(str(message["Date"]), "%a, %d %b %Y %H:%M:%S %z"),
                    headers={},
                    body=b"",
                    sender=raw.source,
                    recipients=(raw.destinations[0],),
                    # moto keeps no tags; our own Message-ID names the message as well.
                    tags={MESSAGE_TAG: str(message["Message-ID"])[1:].partition("@")[0]},
                    configuration_set="",
                    raw=raw.raw_data.encode(),
                    message=message,
                )
            )
        return [mail for mail in self._mails if address in ("", mail.recipients[0])]

    def messages(self) -> dict[str, list[tuple[str, str]]]:
        """The outbox by address: node and status of each message, in order."""
        rows = self.rows("""
            SELECT k.email, m.node, m.status FROM outbound_messages m JOIN contacts k ON k.id = m.contact_id
            ORDER BY k.email, m.visit
        """)
        found: dict[str, list[tuple[str, str]]] = {}
        for row in rows:
            found.setdefault(row.email, []).append((row.node, row.status))
        return found

    def suppressed(self) -> dict[str, str]:
        """Who may never be written to again, and why."""
        return {row.address: row.reason for row in self.rows("SELECT address, reason FROM suppressions")}

    def check(self) -> None:
        """Everything that must hold at any time, and empty DLQs."""
        with self.database.worker() as conn:
            findings = invariants.check(conn, utc_now())
        assert [finding for finding in findings if finding.violations] == []
        message_ids = [mail.message_id for mail in self.mails()]
        assert len(message_ids) == len(set(message_ids)), "a message left twice"
        assert self.cloud.dead_letters() == {}


@contextmanager
def world(
    url: URL,
    environment: pytest.MonkeyPatch,
    sites_folder: Path = SITES,
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> Generator[World]:
    """The system on a migrated, empty database, at `START`; everything is closed at the end.

    ``secrets`` are put over `SECRETS`.
    """
    with ExitStack() as stack:
        _set_credentials(environment)
        account = stack.enter_context(cloud.running(START))
        sites, front = stack.enter_context(SampleSites(folder=sites_folder)), stack.enter_context(Front())
        crawls = stack.enter_context(
            Crawls(
                sites.resolver(),
                front,
                api_key=SECRETS["firecrawl_api_key"],
                webhook_secret=SECRETS["firecrawl_webhook_secret"],
            )
        )
        account.after_each = crawls.finish
        boto3.client("sesv2").create_email_identity(EmailIdentity=SENDER["email"].partition("@")[2])
        sns = stack.enter_context(NotificationService(clock=utc_now))
        environs = _environment(account, front.url, crawls.url, url, {**SECRETS, **secrets}) | {"SNS_ORIGIN": sns.url}
        for name, value in environs.items():
            environment.setenv(name, value)
        stack.callback(forget)
        forget()
        _keep_databases(stack, environment)
        database = Database(url, role="cadenza_worker")
        stack.callback(database.close)
        made = invoke("migrate", {"create_workspace": {"name": "Tidewater Routing (fictional)"}})
        headers = {"Authorization": f"Bearer {made['api_key']}"}
        api = stack.enter_context(httpx2.Client(transport=InProcess(), base_url=front.url, headers=headers))
        topic = stack.enter_context(Subscription(sns, TOPIC, front.url, transport=InProcess()))
        assert topic.confirm()
        people = stack.enter_context(People(front.url, topic))
        yield World(account, front, database, people, api, UUID(made["workspace_id"]), sites, crawls)


def _set_credentials(environment: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        environment.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_SESV2"):
        environment.delenv(name, raising=False)
    environment.setenv("AWS_DEFAULT_REGION", REGION)


def _environment(
    account: Cloud, public_url: str, firecrawl_url: str, url: URL, secrets: Mapping[str, str]
) -> dict[str, str]:
    """What the deployed functions are told, all in one: no function reads what another one needs."""
    return {
        "APP_SECRET_ARN": store_secrets(secrets),
        "PUBLIC_URL": public_url,
        "DATABASE_URL": url.render_as_string(hide_password=False),
        **{f"{name.replace('-', '_').upper()}_QUEUE_URL": queue for name, queue in account.urls.items()},
        **{f"{name.replace('-', '_').upper()}_DLQ_URL": f"{queue}-dlq" for name, queue in account.urls.items()},
        "CAMPAIGN_EXECUTION_QUEUE_ARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:campaign-execution",
        "SCHEDULER_GROUP": GROUP,
        "SCHEDULER_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/wake",
        "FIRECRAWL_URL": firecrawl_url,
        "SNS_TOPIC_ARNS": TOPIC,
    }


def _keep_databases(stack: ExitStack, environment: pytest.MonkeyPatch) -> None:
    """Each function connects as its own Postgres user; what Lambda would freeze is closed at the end."""

    def connector(role: str) -> Callable[..., Database]:
        def connect(settings: DatabaseSettings, **waits: float) -> Database:
            database = db.connect(settings.model_copy(update={"database_role": role}), **waits)
            stack.callback(database.close)
            return database

        return connect

    for function, role in DATABASE_USERS.items():
        environment.setattr(import_module(f"functions.{function}.handler"), "connect", connector(role))
