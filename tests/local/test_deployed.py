"""The deployed stack, with IAM enforced: grants, the whole way, and a database that goes away."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from cadenza.campaigns import invariants
from cadenza.core.clock import utc_now
from local.system import LocalSystem
from tests.conformance.test_document import examined
from tests.handlers.smtp_servers import Scripted

pytestmark = pytest.mark.local_aws

PATIENCE_S = 150
"""However busy the machine is; an idle one needs a tenth."""

CADENCE = {"no_open_after": "P2D", "follow_up_after": "P3D", "max_emails": 2}


class Operator:
    """Somebody with a key of a workspace of their own."""

    def __init__(self, system: LocalSystem) -> None:
        self.system = system
        self.workspace = system.create_workspace("Tests")
        self.http = httpx2.Client(
            base_url=system.gateway.url, headers={"Authorization": f"Bearer {self.workspace.api_key}"}, timeout=60
        )

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST, which must be accepted."""
        response = self.http.post(path, json=body)
        assert response.is_success, response.text
        return response.json()

    def campaign(self, **sender_s: Any) -> str:
        """A running campaign that may take whom it likes; ``sender_s`` is what is special about its sender."""
        named = {"name": "Nora", "email": "nora@tidewater.example", "company": "Tidewater", "postal_address": "Quay 7"}
        sender = self.post("/v1/senders", named | sender_s)
        campaign = self.post(
            "/v1/campaigns",
            {
                "name": "Tests",
                "type": "fully_automated",
                "sender_id": sender["id"],
                "brief": {"offering": "We plan delivery routes for small fleets.", "cadence": CADENCE},
            },
        )
        self.post(f"/v1/campaigns/{campaign['id']}/start", {})
        return str(campaign["id"])

    def count(self, query: str, **parameters: object) -> int:
        """A number from the database, within this workspace."""
        with self.system.database.worker() as conn:
            return int(conn.execute(text(query), {"workspace": self.workspace.workspace_id, **parameters}).scalar_one())


@pytest.fixture
def operator(system: LocalSystem) -> Iterator[Operator]:
    """An operator with a fresh workspace."""
    someone = Operator(system)
    yield someone
    someone.http.close()


def test_one_lead_becomes_sent_mails_under_least_privilege(system: LocalSystem, operator: Operator) -> None:
    """If it failed, a function would lack a grant (or a setting) and the first real deployment would stand still."""
    seen = len(system.mail.captured)
    lead = operator.post("/v1/leads", {"url": "https://spreekargo.example", "campaign_id": operator.campaign()})
    assert system.settle(lambda: len(system.mail.captured) >= seen + 3, PATIENCE_S), "\n".join(system.function_logs())
    sent = "SELECT count(*) FROM outbound_messages WHERE workspace_id = :workspace AND status = 'sent'"
    assert system.settle(lambda: operator.count(sent) == 3, PATIENCE_S)
    waits = "SELECT count(*) FROM scheduled_actions WHERE workspace_id = :workspace AND status = 'pending'"
    assert system.settle(lambda: operator.count(waits) == 3, PATIENCE_S)  # due in days: they wait for a wake
    wakes = system.aws.session.client("scheduler", endpoint_url=system.aws.url, config=system.aws.client_config)
    names = [schedule["Name"] for schedule in wakes.list_schedules()["Schedules"]]
    wakes.close()
    assert any(name.startswith("wake-") for name in names)
    assert operator.http.get(f"/v1/leads/{lead['id']}").json()["status"] == "analyzed"
    assert {name: depth for name, depth in system.queue_depths().items() if depth and "DLQ" in name} == {}


def test_mail_leaves_by_a_mailbox_whose_password_only_the_sending_function_can_read(
    system: LocalSystem, operator: Operator
) -> None:
    """If it failed, a grant would be missing on the password's way, and no operator could use their own mailbox."""
    mailbox = Scripted({"EHLO": "250-hello\r\n250 AUTH PLAIN", "AUTH": "235 ok"})
    with mailbox.serving() as port:
        smtp = {"host": "127.0.0.1", "port": port, "security": "none", "username": "nora", "password": "a secret"}
        campaign_id = operator.campaign(smtp=smtp)
        operator.post("/v1/leads", {"url": "https://spreekargo.example", "campaign_id": campaign_id})
        sent = "SELECT count(*) FROM outbound_messages WHERE workspace_id = :workspace AND status = 'sent'"
        assert system.settle(lambda: operator.count(sent) == 3, PATIENCE_S), "\n".join(system.function_logs())
    assert len(mailbox.contents) == 3
    assert b64encode(b"\0nora\0a secret").decode() in next(line for line in mailbox.said if line.startswith("AUTH"))
    assert "a secret" not in "\n".join(system.function_logs())


def test_signed_webhooks_are_taken_while_the_database_is_down(system: LocalSystem, operator: Operator) -> None:
    """If it failed, a database that restarts would cost opens, replies and opt-outs."""
    seen = len(system.mail.captured)
    operator.post("/v1/leads", {"url": "https://fornoatlantico.example", "campaign_id": operator.campaign()})
    assert system.settle(lambda: len(system.mail.captured) >= seen + 3, PATIENCE_S), "\n".join(system.function_logs())
    mails = system.mail.captured[seen : seen + 3]
    sent = "SELECT count(*) FROM outbound_messages WHERE workspace_id = :workspace AND status = 'sent'"
    assert system.settle(lambda: operator.count(sent) == 3, PATIENCE_S)

    system.postgres.stop()
    try:
        answers = [
            act(mail).status_code
            for mail in mails
            for act in (system.recipients.delivered, system.recipients.open, system.recipients.replied)
        ]
        answers += [system.recipients.unsubscribe(mail).status_code for mail in mails]
    finally:
        system.postgres.start()
    assert answers == [202, 200, 202] * 3 + [200] * 3

    recorded = "SELECT count(*) FROM message_events WHERE workspace_id = :workspace"
    assert system.settle(lambda: operator.count(recorded) == 12, PATIENCE_S), operator.count(recorded)
    stopped = "SELECT count(*) FROM contact_campaigns WHERE workspace_id = :workspace AND status <> 'active'"
    assert system.settle(lambda: operator.count(stopped) == 3, PATIENCE_S)
    suppressed = "SELECT count(*) FROM suppressions WHERE workspace_id = :workspace"
    assert operator.count(suppressed) == 3
    with system.database.worker() as conn:
        assert [finding for finding in invariants.check(conn, utc_now()) if finding.violations] == []


def test_a_forged_webhook_changes_nothing(system: LocalSystem, operator: Operator) -> None:
    """If it failed, anybody could feed us pages or events."""
    # What is delayed, such as the check of a crawl that has long ended, may stay.
    quiet = lambda: not any(depth for name, depth in system.queue_depths().items() if name != "lead-analysis")  # noqa: E731
    assert system.settle(quiet, PATIENCE_S), "the tests before are not done"
    before = system.queue_depths()
    forged = operator.http.post(
        "/webhooks/firecrawl",
        content=b'{"type": "crawl.completed"}',
        headers={"X-Firecrawl-Signature": "sha256=" + "0" * 64},
    )
    assert forged.status_code == 401
    assert forged.headers["content-type"] == "application/problem+json"
    assert system.queue_depths() == before


def test_without_a_key_the_api_says_nothing(system: LocalSystem) -> None:
    """If it failed, strangers could read leads and contacts."""
    answer = httpx2.get(f"{system.gateway.url}/v1/leads")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


def test_health_and_dead_letters_under_least_privilege(system: LocalSystem, operator: Operator) -> None:
    """If it failed, a grant would be missing, and nobody could see or mend what died in a real deployment."""
    # Given somebody with mails ahead, and two messages that nobody's work needs, in a DLQ.
    operator.post("/v1/leads", {"url": "https://spreekargo.example", "campaign_id": operator.campaign()})
    ahead = "SELECT count(*) FROM scheduled_actions WHERE workspace_id = :workspace AND status = 'pending'"
    assert system.settle(lambda: operator.count(ahead) == 3, PATIENCE_S), "\n".join(system.function_logs())
    client = system.aws.session.client("sqs", endpoint_url=system.aws.url, config=system.aws.client_config)
    for body in ('{"type": "sweep", "version": 1}', "poison"):
        client.send_message(QueueUrl=system.outputs.dead_letters["campaign-execution"], MessageBody=body)
    client.close()

    # When they look.
    seen = operator.http.get("/v1/automation/health").json()
    assert (seen["verdict"], [reason["what"] for reason in seen["reasons"]]) == ("degraded", ["campaign-execution"])
    assert seen["next_wake"]["exists"] is True
    assert {worker["worker"] for worker in seen["workers"] if worker["last_at"]} >= {"analyze", "plan", "execute"}

    # Then whoever runs the installation redrives the one, and purges the other.
    made = system.aws.invoke(system.outputs.functions["migrate"], {"create_key": {"name": "installation"}})
    assert isinstance(made, dict)
    operator.http.headers["Authorization"] = f"Bearer {made['api_key']}"
    dlq = "/v1/dlqs/campaign-execution"
    letters = {letter["type"]: letter["message_id"] for letter in operator.http.get(f"{dlq}/messages").json()["items"]}
    assert set(letters) == {"sweep", ""}
    assert operator.post(f"{dlq}/redrive", {"message_ids": [letters["sweep"]]})["undone"] == []
    assert operator.post(f"{dlq}/purge", {"all": True, "confirm": "campaign-execution"})["count"] == 1
    assert system.settle(lambda: not system.queue_depths()["campaign-execution DLQ"], PATIENCE_S)


def test_the_deployed_api_does_what_its_document_says(system: LocalSystem, operator: Operator, tmp_path: Path) -> None:
    """If it failed, what stands between a client and the handler (gateway, runtime, roles) would answer otherwise."""
    run = examined(tmp_path, system.gateway.url, operator.workspace.api_key, "--phases=examples", "--max-examples=1")
    assert run.returncode == 0, run.stdout[-20_000:] + "\n".join(system.function_logs())[-5_000:]
