"""The public function: what is signed goes on a queue, what is not goes nowhere, and no reader sees our trouble."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from cadenza.core.ids import MessageId
from cadenza.core.messages import Grade, SignalKind
from cadenza.leads import firecrawl_webhook
from cadenza.signals.grading import visit_of
from cadenza.signals.links import Links
from functions.webhook.handler import handler
from tests.handlers.conftest import PUBLIC_URL, SECRETS, LambdaContext, Queues, forget, store_secrets

MESSAGE = "01890a5d-ac96-774b-bcce-b302099a8057"
LEAD = "01890a5d-0000-7000-8000-000000000002"
RECEIVED_AT = "2026-01-13T10:00:00.123000Z"

Event = dict[str, Any]
Recorded = Callable[[str], Event]
TRACKING = ("webhook-pixel", "webhook-click", "webhook-unsubscribe-get", "webhook-unsubscribe-post")


def call(event: Event) -> Event:
    return dict(handler(event, LambdaContext()))


def crawl_event(event: Event, body: str) -> Event:
    """The recorded Firecrawl event with another body, signed anew."""
    signature = firecrawl_webhook.sign(SECRETS["firecrawl_webhook_secret"], body.encode())
    return event | {"body": body, "headers": event["headers"] | {"x-firecrawl-signature": signature}}


def message_event(event: Event, body: str) -> Event:
    """The recorded Standard Webhooks event with another body, signed anew."""
    at = datetime.fromtimestamp(int(event["headers"]["webhook-timestamp"]), UTC)
    signature = Webhook(SECRETS["events_webhook_secret"]).sign(event["headers"]["webhook-id"], at, body)
    return event | {"body": body, "headers": event["headers"] | {"webhook-signature": signature}}


def sent_as(event: Event, method: str) -> Event:
    context = event["requestContext"]
    return event | {"requestContext": context | {"http": context["http"] | {"method": method}}}


def problem_of(reply: Event) -> dict[str, Any]:
    assert reply["headers"]["content-type"] == "application/problem+json"
    problem = json.loads(reply["body"])
    assert problem["status"] == reply["statusCode"]
    return problem


# --- Firecrawl ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["webhook-firecrawl-completed", "webhook-firecrawl-completed-base64"])
def test_a_finished_crawl_is_handed_on(queues: Queues, recorded: Recorded, name: str):
    """Broken, a crawled lead would wait for ever; base64 is how API Gateway hands over unknown content types."""
    event = recorded(name)
    assert call(event)["statusCode"] == 202
    (message,) = queues.take_all()["lead-analysis"]
    assert message["type"] == "crawl.reported"
    assert (message["lead_id"], message["status"]) == (LEAD, "completed")
    assert message["correlation_id"] == event["requestContext"]["requestId"]


@pytest.mark.parametrize("size", [10, 5_000_000])
def test_a_page_of_a_crawl_is_handed_on_as_a_hint(queues: Queues, recorded: Recorded, size: int):
    """Broken, nobody would see a crawl's progress, or a long page would not fit into a message (SQS: 1 MiB)."""
    event = recorded("webhook-firecrawl-page")
    body = json.loads(event["body"]) | {"data": [{"markdown": "x" * size}]}
    assert call(crawl_event(event, json.dumps(body)))["statusCode"] == 202
    (message,) = queues.take_all()["lead-analysis"]
    assert (message["type"], message["lead_id"], message["delivery_id"]) == ("crawl.page_seen", LEAD, body["webhookId"])
    assert len(json.dumps(message)) < 600


@pytest.mark.parametrize("signature", [None, "", "sha256=", "sha256=" + "0" * 64, "sha1=abc", "é"])
def test_a_forged_crawl_is_refused(queues: Queues, recorded: Recorded, signature: str | None):
    """Broken, a stranger could start analyses that we pay for."""
    event = recorded("webhook-firecrawl-completed")
    del event["headers"]["x-firecrawl-signature"]
    if signature is not None:
        event["headers"]["x-firecrawl-signature"] = signature
    reply = call(event)
    assert problem_of(reply)["status"] == 401
    assert reply["headers"]["www-authenticate"]
    assert queues.take_all() == {}


def test_a_changed_crawl_is_refused(queues: Queues, recorded: Recorded):
    """Broken, a captured webhook could be pointed at another lead."""
    event = recorded("webhook-firecrawl-completed")
    reply = call(event | {"body": event["body"].replace(LEAD, LEAD.replace("2", "3"))})
    assert problem_of(reply)["status"] == 401
    assert queues.take_all() == {}


def test_a_crawl_that_is_not_json_is_refused(queues: Queues, recorded: Recorded):
    """Broken, a garbled delivery would crash the function and be repeated without end."""
    found = problem_of(call(crawl_event(recorded("webhook-firecrawl-completed"), '{"type": ')))
    assert found["status"] == 400
    assert [error["pointer"] for error in found["errors"]] == [""]
    assert queues.take_all() == {}


def test_a_crawl_without_its_lead_names_the_field(queues: Queues, recorded: Recorded):
    """Broken, nobody could see why a webhook is refused."""
    event = recorded("webhook-firecrawl-completed")
    body = json.loads(event["body"])
    del body["metadata"]["lead_id"]
    found = problem_of(call(crawl_event(event, json.dumps(body))))
    assert found["status"] == 400
    assert [error["pointer"] for error in found["errors"]] == ["/metadata/lead_id"]
    assert queues.take_all() == {}


@pytest.mark.parametrize("size", [1_000_000, 5_000_000])
def test_a_large_crawl_is_taken(queues: Queues, recorded: Recorded, size: int):
    """Broken, a site with long pages would never be analysed: its webhook carries them, our message does not."""
    event = recorded("webhook-firecrawl-completed")
    body = json.loads(event["body"]) | {"data": [{"markdown": "x" * size}]}
    assert call(crawl_event(event, json.dumps(body)))["statusCode"] == 202
    assert len(queues.take("lead-analysis")) == 1


# --- message events ----------------------------------------------------------------------------------------------


def test_a_reported_bounce_is_handed_on(queues: Queues, recorded: Recorded):
    """Broken, we would go on writing to dead addresses and ruin the sender's reputation."""
    event = recorded("webhook-events-bounced")
    assert call(event)["statusCode"] == 202
    assert queues.take_all() == {
        "engagement-events": [
            {
                "version": 1,
                "correlation_id": event["requestContext"]["requestId"],
                "type": "signal.reported",
                "provider": "events",
                "provider_event_id": "evt_2bJ8",
                "message_id": MESSAGE,
                "kind": "bounced",
                "occurred_at": "2026-01-13T09:59:58Z",
                "grade": "human",
                "grade_reasons": [],
                "hard": True,
                "away_until": None,
                "payload": json.loads(event["body"]),
            }
        ]
    }


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_an_unsigned_event_is_refused(queues: Queues, recorded: Recorded, header: str):
    """Broken, a stranger could bounce or unsubscribe anyone."""
    event = recorded("webhook-events-bounced")
    del event["headers"][header]
    assert problem_of(call(event))["status"] == 401
    assert queues.take_all() == {}


def test_an_old_event_is_refused(queues: Queues, recorded: Recorded):
    """Broken, a captured event could be replayed for ever."""
    event = recorded("webhook-events-bounced")
    event["requestContext"]["timeEpoch"] += 6 * 60 * 1000
    assert problem_of(call(event))["status"] == 401
    assert queues.take_all() == {}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ("{", ""),
        ('{"type": "message.exploded", "timestamp": "2026-01-13T10:00:00Z", "data": {"message_id": "%s"}}', "/type"),
        (
            '{"type": "message.bounced", "timestamp": "2026-01-13T10:00:00Z", "data": {"message_id": "%s"}}',
            "/data/hard",
        ),
    ],
)
def test_a_malformed_event_names_its_field(queues: Queues, recorded: Recorded, body: str, pointer: str):
    """Broken, whoever writes a sender for us would have to guess."""
    found = problem_of(call(message_event(recorded("webhook-events-bounced"), body.replace("%s", MESSAGE))))
    assert found["status"] == 400
    assert [error["pointer"] for error in found["errors"]] == [pointer]
    assert queues.take_all() == {}


def test_an_oversized_event_is_refused(queues: Queues, recorded: Recorded):
    """Broken, SQS would refuse it, and its sender would try again without end."""
    event = recorded("webhook-events-bounced")
    body = json.loads(event["body"]) | {"note": "x" * 200_000}
    assert problem_of(call(message_event(event, json.dumps(body))))["status"] == 413
    assert queues.take_all() == {}


def test_the_largest_event_still_fits_the_queue(queues: Queues, recorded: Recorded):
    """Broken, our own limit would promise more than SQS takes."""
    event = recorded("webhook-events-bounced")
    body = json.loads(event["body"]) | {"note": "ü" * 21_000}  # escaped: 6 bytes each in JSON
    assert call(message_event(event, json.dumps(body)))["statusCode"] == 202
    assert len(queues.take("engagement-events")) == 1


# --- tracking ----------------------------------------------------------------------------------------------------


def test_an_open_is_recorded_and_answered_with_a_pixel(queues: Queues, recorded: Recorded):
    """Broken, mails would show a broken image, or no open would ever count."""
    event = recorded("webhook-pixel")
    reply = call(event)
    assert (reply["statusCode"], reply["isBase64Encoded"]) == (200, True)
    assert b64decode(reply["body"]).startswith(b"GIF89a")
    assert reply["headers"]["content-type"] == "image/gif"
    assert reply["headers"]["cache-control"] == "no-store"
    ((name, (message,)),) = queues.take_all().items()
    assert name == "engagement-events"
    request_id = event["requestContext"]["requestId"]
    assert message["correlation_id"] == request_id
    assert (message["provider"], message["provider_event_id"]) == ("cadenza", f"opened:{request_id}")
    assert (message["message_id"], message["kind"], message["grade"]) == (MESSAGE, SignalKind.OPENED, Grade.HUMAN)
    assert message["occurred_at"] == RECEIVED_AT


def test_a_click_is_recorded_and_leads_on(queues: Queues, recorded: Recorded):
    """Broken, a reader who clicks would not arrive, or no click would ever count."""
    reply = call(recorded("webhook-click"))
    assert reply["statusCode"] == 302
    assert reply["headers"]["location"] == "https://shop.example/offer?a=b&c=d#e"
    assert reply["headers"]["cache-control"] == "no-store"
    (message,) = queues.take("engagement-events")
    assert (message["message_id"], message["kind"], message["grade"]) == (MESSAGE, SignalKind.CLICKED, Grade.HUMAN)
    assert message["payload"]["url"] == "https://shop.example/offer?a=b&c=d#e"


def test_who_follows_the_hidden_link_is_a_machine(queues: Queues, recorded: Recorded):
    """Broken, a gateway that calls itself a browser would click for people; or a curious one would be led astray."""
    hidden = Links(PUBLIC_URL, SECRETS["link_signing_key"]).honeypot(MessageId(UUID(MESSAGE)))
    reply = call(recorded("webhook-click") | {"rawPath": hidden.removeprefix(PUBLIC_URL)})
    assert (reply["statusCode"], "location" in reply["headers"]) == (200, False)
    assert "Nothing has changed" in reply["body"]
    (message,) = queues.take("engagement-events")
    assert (message["message_id"], message["kind"], message["grade"]) == (MESSAGE, SignalKind.CLICKED, Grade.MACHINE)
    assert message["grade_reasons"] == ["honeypot"]


def test_a_visitor_is_described_for_whoever_has_the_history(queues: Queues, recorded: Recorded):
    """Broken, a machine's clicks could not be told from a person's later on."""
    call(recorded("webhook-click"))
    (message,) = queues.take("engagement-events")
    visit = visit_of(datetime.fromisoformat(RECEIVED_AT), message["grade_reasons"], message["payload"])
    assert (visit.link, visit.ip) == ("https://shop.example/offer?a=b&c=d#e", "192.0.2.17")
    assert visit.agent.startswith("Mozilla/5.0 (")


@pytest.mark.parametrize(("name", "status"), [("webhook-pixel", 200), ("webhook-click", 302)])
def test_a_link_checkers_head_is_a_machines(queues: Queues, recorded: Recorded, name: str, status: int):
    """Broken, a mail gateway that checks links would move people through a campaign."""
    assert call(sent_as(recorded(name), "HEAD"))["statusCode"] == status
    (message,) = queues.take("engagement-events")
    assert (message["grade"], message["grade_reasons"]) == (Grade.MACHINE, ["head_request"])


@pytest.mark.parametrize(("name", "status"), [("webhook-pixel", 200), ("webhook-click", 302)])
def test_a_reader_never_sees_our_trouble(queues: Queues, recorded: Recorded, name: str, status: int):
    """Broken, an outage of a queue would break the images and links of every mail in every inbox."""
    queues.destroy("engagement-events")
    assert call(recorded(name))["statusCode"] == status


@pytest.mark.parametrize("name", TRACKING)
def test_a_tampered_link_does_nothing(queues: Queues, recorded: Recorded, name: str):
    """Broken, the redirect would be open, and anyone could open, click and opt out for anyone."""
    event = recorded(name)
    path = event["rawPath"]
    tampered = path[:8] + ("A" if path[8] != "A" else "B") + path[9:]
    reply = call(event | {"rawPath": tampered})
    assert reply["statusCode"] == 404
    assert "location" not in reply["headers"]
    assert queues.take_all() == {}


# --- opting out --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_the_opt_out_changes_nothing(queues: Queues, recorded: Recorded, method: str):
    """Broken, a security scanner that follows links would unsubscribe people who want the mail."""
    reply = call(sent_as(recorded("webhook-unsubscribe-get"), method))
    assert reply["statusCode"] == 200
    assert reply["headers"]["content-type"] == "text/html; charset=utf-8"
    assert '<form method="post">' in reply["body"]
    assert 'lang="en"' in reply["body"]
    assert "script" not in reply["body"]
    assert queues.take_all() == {}


@pytest.mark.parametrize("body", ["List-Unsubscribe=One-Click", "", "anything"])
def test_one_post_opts_out(queues: Queues, recorded: Recorded, body: str):
    """Broken, the unsubscribe button of a mail program would not work: no login, no redirect (RFC 8058)."""
    event = recorded("webhook-unsubscribe-post") | {"body": b64encode(body.encode()).decode()}
    reply = call(event)
    assert reply["statusCode"] == 200
    assert "unsubscribed" in reply["body"]
    (message,) = queues.take_all()["engagement-events"]
    assert (message["message_id"], message["kind"]) == (MESSAGE, SignalKind.UNSUBSCRIBED)
    assert message["occurred_at"] == RECEIVED_AT


def test_opting_out_twice_is_one_event(queues: Queues, recorded: Recorded):
    """Broken, a double press would be counted as two complaints against the sender."""
    first = recorded("webhook-unsubscribe-post")
    second = first | {"requestContext": first["requestContext"] | {"requestId": "another"}}
    assert [call(event)["statusCode"] for event in (first, second)] == [200, 200]
    ids = {(message["provider"], message["provider_event_id"]) for message in queues.take("engagement-events")}
    assert ids == {("cadenza", f"unsubscribed:{MESSAGE}")}


def test_an_opt_out_is_never_lost(queues: Queues, recorded: Recorded):
    """Broken, somebody would be told that they are unsubscribed, and get the next mail all the same."""
    queues.destroy("engagement-events")
    reply = call(recorded("webhook-unsubscribe-post"))
    assert reply["statusCode"] == 503
    assert reply["headers"]["retry-after"]
    assert "try again" in reply["body"]


# --- around them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "queue"),
    [("webhook-firecrawl-completed", "lead-analysis"), ("webhook-events-bounced", "engagement-events")],
)
def test_a_provider_is_asked_to_come_back(queues: Queues, recorded: Recorded, name: str, queue: str):
    """Broken, an event that arrives while SQS is in trouble would be acknowledged and lost."""
    queues.destroy(queue)
    reply = call(recorded(name))
    assert problem_of(reply)["status"] == 503
    assert reply["headers"]["retry-after"]


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("webhook-firecrawl-completed", "firecrawl_webhook_secret"),
        ("webhook-events-bounced", "events_webhook_secret"),
    ],
)
def test_a_source_without_a_secret_is_closed(
    queues: Queues, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, name: str, secret: str
):
    """Broken, an installation that was not yet configured would believe everybody."""
    monkeypatch.setenv("APP_SECRET_ARN", store_secrets({**SECRETS, secret: ""}, name="unconfigured"))
    forget()
    assert problem_of(call(recorded(name)))["status"] == 401
    assert queues.take_all() == {}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/webhooks/",
        "/webhooks/firecrawl/",
        "/webhooks/other",
        "/t/o/",
        "/t/o/abc",
        "/t/x/abc",
        "/u/",
        "/u/a/b",
        "/U/a",
    ],
)
def test_any_other_path_is_not_found(queues: Queues, recorded: Recorded, path: str):
    """Broken, a typing error in a sender's configuration would look like success."""
    assert problem_of(call(recorded("webhook-events-bounced") | {"rawPath": path}))["status"] == 404
    assert queues.take_all() == {}


@pytest.mark.parametrize(
    ("name", "method", "allowed"),
    [
        ("webhook-firecrawl-completed", "GET", "POST"),
        ("webhook-events-bounced", "PUT", "POST"),
        ("webhook-pixel", "POST", "GET, HEAD"),
        ("webhook-click", "POST", "GET, HEAD"),
        ("webhook-unsubscribe-get", "DELETE", "GET, HEAD, POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    queues: Queues, recorded: Recorded, name: str, method: str, allowed: str
):
    """Broken, a sender's developer would look for a wrong path instead of a wrong method."""
    reply = call(sent_as(recorded(name), method))
    assert problem_of(reply)["status"] == 405
    assert reply["headers"]["allow"] == allowed
    assert queues.take_all() == {}


@pytest.mark.parametrize("name", ["webhook-pixel", "webhook-click", "webhook-unsubscribe-post"])
def test_logs_hold_nothing_personal(queues: Queues, recorded: Recorded, caplog: pytest.LogCaptureFixture, name: str):
    """Broken, logs would hold who reads what where, and tokens that act for whoever finds them."""
    event = recorded(name)
    with caplog.at_level("INFO"):
        call(event)
        queues.destroy("engagement-events")
        call(event)
    told = "".join(str(vars(record)) for record in caplog.records)
    assert MESSAGE in told
    for private in (event["rawPath"].rsplit("/")[-1], "192.0.2.17", "Mozilla", "shop.example"):
        assert private not in told


def test_the_recorded_links_are_ours(recorded: Recorded):
    """Broken, the recordings would test another installation's host."""
    assert {recorded(name)["requestContext"]["domainName"] for name in TRACKING} == {
        PUBLIC_URL.removeprefix("https://")
    }
