"""A Firecrawl-compatible crawl service: the v2 crawl endpoints, our own crawler inside, and signed webhooks.

Its answers have the documented shapes of docs.firecrawl.dev (v2), so our client cannot tell it from the real one. Only
what it crawls (the sample sites) and how long it waits between webhook attempts differ.
"""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from uuid import uuid4

import httpx2
from flask import Flask, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from cadenza.leads.crawler import CrawlLimits, crawl
from cadenza.leads.firecrawl_webhook import sign
from cadenza.leads.guard import Resolver
from cadenza.leads.model import Page
from local.world.server import LoopbackServer

_WEBHOOK_TIMEOUT_S = 10.0  # as the real one's


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class _Webhook(_Wire):
    url: str
    headers: dict[str, str] = {}
    metadata: dict[str, str] = {}
    events: tuple[str, ...] = ("started", "page", "completed", "failed")


class _ScrapeOptions(_Wire):
    formats: tuple[str, ...] = ("markdown",)


class _CrawlRequest(_Wire):
    url: str = Field(min_length=1)
    limit: int = Field(default=10_000, ge=1)
    scrape_options: _ScrapeOptions = Field(default=_ScrapeOptions(), alias="scrapeOptions")
    webhook: _Webhook | None = None


@dataclass(frozen=True)
class Delivery:
    """One attempt to call a webhook; ``status`` is 0 where nothing answered."""

    url: str
    body: bytes
    signature: str
    status: int


@dataclass
class Mischief:
    """What goes wrong with crawls from now on; it may be changed while the service runs.

    Webhook calls of ``lost_events`` ("page", "completed", …) are never made, those that are taken are made ``repeats``
    times more, a crawl that is ``unending`` has read its pages and still goes on, and a service that is ``away``
    answers HTTP 503.
    """

    lost_events: frozenset[str] = frozenset()
    repeats: int = 0
    unending: bool = False
    away: bool = False


@dataclass
class _Job:
    id: str
    wanted: _CrawlRequest
    status: str = "scraping"
    pages: list[dict[str, JsonValue]] = field(default_factory=list[dict[str, JsonValue]])


class FirecrawlService(LoopbackServer):
    """The service. ``deliveries`` lists the webhook attempts so far, in order."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        api_key: str,
        webhook_secret: str,
        port: int = 0,
        limits: CrawlLimits | None = None,
        pages_per_part: int = 3,
        retry_delays_s: Sequence[float] = (0.5, 2.0, 5.0),
    ) -> None:
        flask = Flask(__name__)
        super().__init__(flask.wsgi_app, port)
        self.deliveries: list[Delivery] = []
        self.mischief = Mischief()
        self._resolver = resolver
        self._api_key = api_key
        self._webhook_secret = webhook_secret
        self._limits = limits or CrawlLimits()
        self._pages_per_part = pages_per_part
        self._retry_delays_s = tuple(retry_delays_s)
        self._jobs: dict[str, _Job] = {}
        self._workers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="crawl")
        self._closing = threading.Event()
        flask.add_url_rule("/v2/crawl", view_func=self._start, methods=["POST"])
        flask.add_url_rule("/v2/crawl/<job_id>", view_func=self._report, methods=["GET"])
        flask.add_url_rule("/v2/crawl/<job_id>", view_func=self._cancel, methods=["DELETE"])
        flask.before_request(self._authenticate)

    def close(self) -> None:
        """See `LoopbackServer`. Crawls and deliveries under way end first; those that wait are dropped."""
        self._closing.set()
        self._workers.shutdown(wait=True, cancel_futures=True)
        super().close()

    def _authenticate(self) -> Response | None:
        if self.mischief.away:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable")
        given = request.headers.get("Authorization", "")
        if hmac.compare_digest(given.encode(), f"Bearer {self._api_key}".encode()):
            return None
        return _refusal(HTTPStatus.UNAUTHORIZED, "Unauthorized: Invalid token")

    def _start(self) -> Response:
        try:
            wanted = _CrawlRequest.model_validate_json(request.get_data())
        except ValidationError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, f"Bad Request: {error.error_count()} invalid fields")
        job = _Job(str(uuid4()), wanted)
        self._jobs[job.id] = job
        self._workers.submit(self._run, job)
        return jsonify(success=True, id=job.id, url=f"{self.url}/v2/crawl/{job.id}")

    def _report(self, job_id: str) -> Response:
        job = self._jobs.get(job_id)
        if job is None:
            return _refusal(HTTPStatus.NOT_FOUND, "Job not found")
        skip = max(0, request.args.get("skip", 0, type=int))
        # Status before pages: a page that comes in between only makes the answer look less complete than it is.
        status, end = job.status, skip + self._pages_per_part
        answer: dict[str, JsonValue] = {
            "success": True,
            "status": status,
            "completed": len(job.pages),
            "total": len(job.pages),
            "creditsUsed": len(job.pages),
            "data": list[JsonValue](job.pages[skip:end]),
        }
        if status == "scraping" or end < len(job.pages):
            answer["next"] = f"{self.url}/v2/crawl/{job.id}?skip={min(end, len(job.pages))}"
        return jsonify(answer)

    def _cancel(self, job_id: str) -> Response:
        job = self._jobs.get(job_id)
        if job is None:
            return _refusal(HTTPStatus.NOT_FOUND, "Job not found")
        if job.status == "scraping":
            job.status = "cancelled"
        return jsonify(status="cancelled")

    def statuses(self) -> list[str]:
        """How all crawls stand, oldest first."""
        return [job.status for job in self._jobs.values()]

    def cancel_all(self) -> None:
        """Cancel the crawls under way, without a word."""
        for job in self._jobs.values():
            if job.status == "scraping":
                job.status = "cancelled"

    def complete(self) -> None:
        """Let the crawls that would not end do so, without a word."""
        for job in self._jobs.values():
            if job.status == "scraping":
                job.status = "completed"

    def _run(self, job: _Job) -> None:
        self._deliver(job, "started")
        limits = replace(self._limits, max_pages=min(job.wanted.limit, self._limits.max_pages))
        try:
            crawl(
                job.wanted.url,
                limits=limits,
                resolver=self._resolver,
                on_page=lambda page, html: self._take(job, page, html),
            )
        except Exception as error:  # noqa: BLE001 - a service reports its crash to the caller as a failed crawl
            job.status = "failed"
            self._deliver(job, "failed", error=f"{type(error).__name__}: {error}")
            return
        if self.mischief.unending:
            return
        job.status = "completed"  # also without pages, like the real one
        self._deliver(job, "completed")

    def _take(self, job: _Job, page: Page, html: str) -> None:
        formats: Mapping[str, JsonValue] = {"markdown": page.markdown, "rawHtml": html}
        metadata: dict[str, JsonValue] = {
            "title": page.title,
            "description": page.structured.description,
            "language": page.language or None,
            "sourceURL": page.url,
            "url": page.url,
            "statusCode": page.status_code,
            "contentType": "text/html",
        }
        crawled: dict[str, JsonValue] = {k: v for k, v in formats.items() if k in job.wanted.scrape_options.formats}
        crawled["metadata"] = metadata
        job.pages.append(crawled)
        self._deliver(job, "page", data=[crawled])

    def _deliver(self, job: _Job, event: str, *, data: Sequence[JsonValue] = (), error: str | None = None) -> None:
        """Call the job's webhook until it answers 2xx or the attempts are used up. Each event has one ``webhookId``."""
        webhook = job.wanted.webhook
        if webhook is None or not {event, f"crawl.{event}"} & set(webhook.events) or event in self.mischief.lost_events:
            return
        payload: dict[str, JsonValue] = {
            "success": error is None,
            "type": f"crawl.{event}",
            "id": job.id,
            "webhookId": str(uuid4()),
            "data": list(data),
            "metadata": dict[str, JsonValue](webhook.metadata),
        }
        if error is not None:
            payload["error"] = error
        body = json.dumps(payload).encode()
        for delay_s in (0.0, *self._retry_delays_s):
            if self._closing.wait(delay_s):
                return
            if self._post(webhook, body):
                for _ in range(self.mischief.repeats):
                    self._post(webhook, body)
                return

    def _post(self, webhook: _Webhook, body: bytes) -> bool:
        signature = sign(self._webhook_secret, body)
        headers = {**webhook.headers, "Content-Type": "application/json", "X-Firecrawl-Signature": signature}
        try:
            status = httpx2.post(webhook.url, content=body, headers=headers, timeout=_WEBHOOK_TIMEOUT_S).status_code
        except httpx2.HTTPError:
            status = 0
        self.deliveries.append(Delivery(webhook.url, body, signature, status))
        return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def _refusal(status: HTTPStatus, error: str) -> Response:
    response = jsonify(success=False, error=error)
    response.status_code = status
    return response
