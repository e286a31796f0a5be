"""The Firecrawl client and webhook, against the local Firecrawl-compatible service and against one that misbehaves."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from werkzeug.wrappers import Request, Response

from cadenza.core.errors import InvalidInput, Retryable
from cadenza.core.messages import CrawlPageSeen, CrawlReported, CrawlStatus
from cadenza.leads.firecrawl import CrawlRefused, Firecrawl, StillCrawling
from cadenza.leads.firecrawl_webhook import parse_webhook, sign, verify
from local.world.firecrawl import FirecrawlService
from local.world.server import LoopbackServer
from local.world.sites import SampleSites

KEY, SECRET = "fc-test", "hook-secret"
WORKSPACE, LEAD = uuid4(), uuid4()
METADATA = {"workspace_id": str(WORKSPACE), "lead_id": str(LEAD)}


class Hook:
    """A webhook receiver: keeps what came in, and answers with the statuses it was given, then 200."""

    def __init__(self, *statuses: int) -> None:
        self.received: list[tuple[bytes, str]] = []
        self.called, self.ended = threading.Event(), threading.Event()
        self._statuses = list(statuses)
        self.server = LoopbackServer(Request.application(self._answer))
        self.url = f"{self.server.url}/webhooks/firecrawl"

    def _answer(self, request: Request) -> Response:
        self.received.append((request.get_data(), request.headers.get("X-Firecrawl-Signature", "")))
        self.called.set()
        status = self._statuses.pop(0) if self._statuses else 200
        if status == 200 and b'"crawl.page"' not in self.received[-1][0]:
            self.ended.set()
        return Response(status=status)


@pytest.fixture(scope="module")
def sites() -> Iterator[SampleSites]:
    with SampleSites() as served:
        yield served


@pytest.fixture
def service(sites: SampleSites) -> Iterator[FirecrawlService]:
    with FirecrawlService(
        sites.resolver(), api_key=KEY, webhook_secret=SECRET, pages_per_part=2, retry_delays_s=(0.05, 0.05)
    ) as served:
        yield served


def answering(answer: Callable[[Request], Response]) -> LoopbackServer:
    return LoopbackServer(Request.application(answer))


def start(client: Firecrawl, hook: str = "", url: str = "https://fornoatlantico.example/", limit: int = 10) -> str:
    return client.start_crawl(url, webhook_url=hook or "http://hook.example/", metadata=METADATA, limit=limit)


# --- the way round -----------------------------------------------------------------------------------------------


def test_a_crawl_ends_in_a_signed_webhook_and_its_pages_can_be_fetched(service: FirecrawlService) -> None:
    """Otherwise no lead that is crawled by the service is ever analysed."""
    hook = Hook()
    with hook.server, Firecrawl(service.url, KEY) as client:
        crawl_id = start(client, hook.url)
        assert hook.ended.wait(10)
        pages = client.fetch_pages(crawl_id)
    *seen, (body, signature) = hook.received
    assert [type(parse_webhook(page)) for page, _ in seen] == [CrawlPageSeen] * 6
    assert verify(SECRET, body, signature)
    reported = parse_webhook(body)
    assert isinstance(reported, CrawlReported)
    assert (reported.workspace_id, reported.lead_id) == (WORKSPACE, LEAD)
    assert (reported.crawl_id, reported.status) == (crawl_id, CrawlStatus.COMPLETED)
    assert UUID(reported.delivery_id)
    assert len(pages) == 6  # three parts of two
    about = next(page for page in pages if page.url.endswith("/about"))
    assert [node["jobTitle"] for node in about.structured.json_ld] == [
        "Managing Director",
        "Head of Operations",
        "Sales Manager",
    ]
    assert about.title == "About us – Forno Atlântico"
    assert "founded Forno Atlântico in 2009" in about.markdown


def test_the_page_limit_reaches_the_service(service: FirecrawlService) -> None:
    """Otherwise a workspace pays for pages it did not ask for."""
    hook = Hook()
    with hook.server, Firecrawl(service.url, KEY) as client:
        crawl_id = start(client, hook.url, limit=2)
        assert hook.ended.wait(10)
        assert len(client.fetch_pages(crawl_id)) == 2


def test_a_webhook_that_answers_with_an_error_is_called_again_with_the_same_id(service: FirecrawlService) -> None:
    """Otherwise one deployment or hiccup of ours loses a lead."""
    hook = Hook(503, 500)
    with hook.server, Firecrawl(service.url, KEY) as client:
        start(client, hook.url, limit=1)
        assert hook.ended.wait(10)
    assert len(hook.received) == 3 + 1
    assert len({json.loads(body)["webhookId"] for body, _ in hook.received[:3]}) == 1
    assert [d.status for d in service.deliveries][:2] == [503, 500]


def test_a_site_that_is_not_there_completes_without_pages(service: FirecrawlService) -> None:
    """Otherwise a lead with a dead domain waits for ever."""
    hook = Hook()
    with hook.server, Firecrawl(service.url, KEY) as client:
        crawl_id = start(client, hook.url, url="https://nobody.example/")
        assert hook.ended.wait(10)
        assert client.fetch_pages(crawl_id) == []


def test_a_wrong_key_an_unknown_crawl_and_a_bad_request_are_refused_for_good(service: FirecrawlService) -> None:
    """Otherwise a wrong setting is retried until the dead-letter queue, without saying what is wrong."""
    with Firecrawl(service.url, "wrong") as client, pytest.raises(CrawlRefused, match="Invalid token") as caught:
        start(client)
    assert caught.value.status_code == 401
    with Firecrawl(service.url, KEY) as client:
        with pytest.raises(CrawlRefused, match="knows nothing of this crawl any more") as caught:
            client.fetch_pages("../../v2/crawl")
        assert caught.value.status_code == 404
        with pytest.raises(CrawlRefused) as caught:
            start(client, limit=0)
        assert caught.value.status_code == 400


# --- a service that misbehaves -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "header", "after_s"),
    [
        (429, "7", 7.0),
        (429, "Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        (429, "soon", None),
        (429, "", None),
        (503, "120", 120.0),
        (500, "", None),
        (408, "", None),
    ],
)
def test_trouble_that_may_pass_is_retryable_and_says_when(status: int, header: str, after_s: float | None) -> None:
    """Otherwise a rate limit fails leads for good, or is hammered."""
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    answer = Response(status=status, headers={"Retry-After": header} if header else {})
    with answering(lambda _request: answer) as server, Firecrawl(server.url, KEY, clock=lambda: now) as client:
        for call in (lambda: start(client), lambda: client.fetch_pages("c1")):
            with pytest.raises(Retryable) as caught:
                call()
            assert caught.value.retry_after_s == after_s


def test_no_answer_is_retryable() -> None:
    """Otherwise an outage of the service fails every lead at once."""
    gone = answering(lambda _request: Response())
    gone.close()
    with Firecrawl(gone.url, KEY) as client, pytest.raises(Retryable):
        client.fetch_pages("c1")
    release = threading.Event()

    def hang(_request: Request) -> Response:
        release.wait(5)
        return Response()

    with answering(hang) as server, Firecrawl(server.url, KEY, timeout_s=0.2) as client:
        with pytest.raises(Retryable):
            client.fetch_pages("c1")
        release.set()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"status": "scraping", "data": [], "next": "https://x/?skip=1"}, Retryable),
        ({"status": "failed", "error": "out of credits"}, CrawlRefused),
        ({"status": "cancelled", "data": []}, CrawlRefused),
        ({"state": "?"}, CrawlRefused),
    ],
)
def test_only_a_completed_crawl_gives_pages(answer: dict[str, object], expected: type[Exception]) -> None:
    """Otherwise half a site is analysed as if it were the whole."""
    body = json.dumps(answer)
    with (
        answering(lambda _request: Response(body, mimetype="application/json")) as server,
        Firecrawl(server.url, KEY) as client,
        pytest.raises(expected),
    ):
        client.fetch_pages("c1")


def test_a_crawl_that_goes_on_says_how_far_it_is_and_can_be_stopped(service: FirecrawlService) -> None:
    """Otherwise nobody sees whether a long crawl lives, and one that is given up goes on costing."""
    service.mischief.unending = True
    hook = Hook()
    with hook.server, Firecrawl(service.url, KEY) as client:
        crawl_id = start(client, hook.url, limit=1)
        assert hook.called.wait(10)  # about its page
        with pytest.raises(StillCrawling) as caught:
            client.fetch_pages(crawl_id)
        assert caught.value.pages == 1
        client.cancel_crawl(crawl_id)
        with pytest.raises(CrawlRefused, match="ended the crawl as cancelled"):
            client.fetch_pages(crawl_id)
        with pytest.raises(CrawlRefused, match="Job not found"):
            client.cancel_crawl("unknown")


def test_the_key_never_leaves_our_origin_and_repeated_parts_end() -> None:
    """Otherwise whoever controls an answer gets the account's key, or keeps the worker in a circle."""
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(request.full_path)
        page = {"markdown": f"part {len(asked)}", "metadata": {"sourceURL": "https://acme.example/", "statusCode": 200}}
        body = {"status": "completed", "data": [page], "next": "https://evil.example/v2/crawl/c1?skip=2&limit=9"}
        return Response(json.dumps(body), mimetype="application/json")

    with answering(answer) as server, Firecrawl(server.url, KEY) as client:
        pages = client.fetch_pages("c1")
    assert asked == ["/v2/crawl/c1?", "/v2/crawl/c1?skip=2&limit=9"]
    assert [page.markdown for page in pages] == ["part 1", "part 2"]


def test_pages_of_the_real_service_are_read_whatever_their_metadata() -> None:
    """Otherwise one odd <meta> tag on a site loses all its pages."""
    site = "https://acme.example"
    mailto = '<title>B</title><a href="mailto:b@acme.example">b</a>'
    moved = {"url": f"{site}/b", "sourceURL": f"{site}/old", "statusCode": 200, "anything": {"x": 1}}
    data = [
        {"markdown": "a", "metadata": {"title": ["A", "B"], "language": ["pt-PT"], "sourceURL": f"{site}/a"}},
        {"markdown": "b", "rawHtml": mailto, "metadata": moved},
        {"markdown": "gone", "metadata": {"sourceURL": f"{site}/c", "statusCode": 404, "error": "Not Found"}},
        {"markdown": "deep", "rawHtml": "<div>" * 9000, "metadata": {"sourceURL": f"{site}/d"}},
        {"metadata": {"sourceURL": f"{site}/e"}},
        {"markdown": "nowhere", "metadata": {}},
    ]
    body = json.dumps({"success": True, "status": "completed", "total": 6, "data": data})
    with (
        answering(lambda _request: Response(body, mimetype="application/json")) as server,
        Firecrawl(server.url, KEY) as client,
    ):
        a, b, d = client.fetch_pages("c1")
    assert (a.title, a.language, a.markdown) == ("A", "pt", "a")
    assert (b.url, b.title, b.structured.mail_links[0].address) == ("https://acme.example/b", "B", "b@acme.example")
    assert d.markdown == "deep"


# --- the webhook -------------------------------------------------------------------------------------------------


def event(**changes: object) -> bytes:
    payload: dict[str, object] = {
        "success": True,
        "type": "crawl.completed",
        "id": "c1",
        "webhookId": "w1",
        "data": [],
        "metadata": METADATA,
    }
    return json.dumps({k: v for k, v in (payload | changes).items() if v is not ...}).encode()


def test_only_the_right_signature_verifies() -> None:
    """Otherwise anyone can tell us that a crawl has ended."""
    body = event()
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert sign(SECRET, body) == f"sha256={digest}"
    assert verify(SECRET, body, f"sha256={digest}")
    assert verify(SECRET, body, f" SHA256={digest.upper()} ")
    for header in (
        "",
        digest,
        f"sha1={digest}",
        f"sha256={digest[:-1]}",
        f"sha256={digest}0",
        "sha256=é",
        "sha256=\udcff",
    ):
        assert not verify(SECRET, body, header)
    assert not verify(SECRET, body + b" ", f"sha256={digest}")
    assert not verify("other", body, f"sha256={digest}")
    assert not verify("", body, sign("", body))


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({}, CrawlStatus.COMPLETED, ""),
        ({"error": None}, CrawlStatus.COMPLETED, ""),
        ({"type": "crawl.failed", "success": False, "error": "boom"}, CrawlStatus.FAILED, "boom"),
        ({"type": "crawl.cancelled", "success": False, "error": "cancelled"}, CrawlStatus.FAILED, "cancelled"),
        ({"success": False}, CrawlStatus.FAILED, ""),
    ],
)
def test_the_end_of_a_crawl_is_reported(changes: dict[str, object], status: CrawlStatus, error: str) -> None:
    """Otherwise a crawl that failed looks like one that never ended."""
    reported = parse_webhook(event(**changes))
    assert isinstance(reported, CrawlReported)
    assert (reported.status, reported.error, reported.delivery_id) == (status, error, "w1")


@pytest.mark.parametrize("kind", ["crawl.started", "batch_scrape.page", "batch_scrape.completed", "something.new"])
def test_other_events_are_accepted_and_need_nothing(kind: str) -> None:
    """Otherwise the service keeps retrying events that nobody waits for."""
    assert parse_webhook(event(type=kind, metadata=..., id=...)) is None


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b"", {""}),
        (b"{not json", {""}),
        (b"\xff\xfe", {""}),
        (b"[]", {""}),
        (event(type=...), {"/type"}),
        (event(type=7), {"/type"}),
        (event(id=...), {"/id"}),
        (event(webhookId=...), {"/webhookId"}),
        (event(metadata=...), {"/metadata"}),
        (event(metadata={}), {"/metadata/workspace_id", "/metadata/lead_id"}),
        (event(metadata=METADATA | {"lead_id": "42"}), {"/metadata/lead_id"}),
    ],
)
def test_a_malformed_event_names_its_wrong_fields(body: bytes, pointers: set[str]) -> None:
    """Otherwise whoever integrates sees a 400 and has to guess."""
    with pytest.raises(InvalidInput) as caught:
        parse_webhook(body)
    assert {problem.pointer for problem in caught.value.problems} == pointers


def test_a_page_that_was_read_is_a_sign_of_life_and_nothing_more() -> None:
    """Otherwise the content of a webhook call, of any size, has to pass through the queue."""
    seen = parse_webhook(event(type="crawl.page", webhookId="w7", data=[{"markdown": "x" * 3_000_000}]))
    assert seen == CrawlPageSeen(workspace_id=WORKSPACE, lead_id=LEAD, crawl_id="c1", delivery_id="w7")


def test_the_webhook_parts_import_nothing_heavy() -> None:
    """Otherwise the public webhook function starts slowly, or needs the database's packages."""
    heavy = ("sqlalchemy", "pg8000", "httpx2", "bs4", "lxml", "boto3", "openai")
    code = f"import sys, cadenza.leads.firecrawl_webhook; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
