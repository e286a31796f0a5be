"""Client of Firecrawl's v2 REST API: start a crawl, and fetch its pages once it has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import parse_qsl, quote, urlsplit

import httpx2
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from cadenza.core.clock import Clock, utc_now
from cadenza.core.errors import CadenzaError, Retryable
from cadenza.leads.model import Page
from cadenza.leads.pages import MAX_MARKDOWN_CHARS, UnreadablePage, primary_language, read_html

_WEBHOOK_EVENTS: Final = ("page", "completed", "failed")
_MAX_PARTS = 50
_TIMEOUT_S = 30.0
_RETRYABLE_STATUSES: Final = frozenset({408, 425, 429})
_OK: Final = 200
_NOT_FOUND: Final = 404
_SERVER_ERROR: Final = 500


class CrawlRefused(CadenzaError):  # noqa: N818 - reads as what happened
    """Firecrawl will not do this, now or later. ``status_code`` is its HTTP status, 0 for a crawl that failed."""

    def __init__(self, detail: str, status_code: int = 0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status_code = status_code


class StillCrawling(Retryable):
    """The crawl goes on; ``pages`` have been read so far."""

    def __init__(self, crawl_id: str, pages: int) -> None:
        super().__init__(f"crawl {crawl_id} is still running ({pages} pages so far)")
        self.pages = pages


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Started(_Answer):
    id: str = Field(min_length=1)


class _PageMetadata(_Answer):
    # Values come from the site's own <meta> tags: repeated ones arrive as lists.
    title: str | list[str] | None = None
    language: str | list[str] | None = None
    url: str | None = None
    source_url: str | None = Field(default=None, alias="sourceURL")
    status_code: int = Field(default=200, alias="statusCode")


class _CrawledPage(_Answer):
    markdown: str | None = None
    raw_html: str | None = Field(default=None, alias="rawHtml")
    metadata: _PageMetadata = _PageMetadata()


class _Status(_Answer):
    status: str
    completed: int = 0
    next: str | None = None
    data: list[_CrawledPage] = []
    error: str | None = None


A = TypeVar("A", bound=_Answer)


class Firecrawl:
    """A Firecrawl account, or a self-hosted service. A context manager.

    ``base_url`` is the service's root ("https://api.firecrawl.dev"), without the version.
    """

    def __init__(self, base_url: str, api_key: str, *, timeout_s: float = _TIMEOUT_S, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._client = httpx2.Client(
            base_url=base_url.rstrip("/"),
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=timeout_s,
            follow_redirects=False,  # the key goes nowhere else
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def start_crawl(self, url: str, *, webhook_url: str, metadata: Mapping[str, str], limit: int) -> str:
        """Start a crawl of at most ``limit`` pages and return its id. ``metadata`` comes back with the webhook.

        Raises:
            Retryable: Rate limit, server error, or no answer. A lost answer may leave a crawl running: the API has no
                idempotency key, so a retry may crawl twice, which costs credits and changes nothing else.
            CrawlRefused: Any other refusal (credentials, payment, the URL).
        """
        body: dict[str, JsonValue] = {
            "url": url,
            "limit": limit,
            "crawlEntireDomain": True,
            # Raw HTML keeps what markdown loses (JSON-LD, mailto); footers and imprints are not "main content".
            "scrapeOptions": {"formats": ["markdown", "rawHtml"], "onlyMainContent": False},
            "webhook": {"url": webhook_url, "metadata": dict(metadata), "events": list(_WEBHOOK_EVENTS)},
        }
        return self._ask("POST", "/v2/crawl", _Started, json=body).id

    def fetch_pages(self, crawl_id: str) -> list[Page]:
        """All pages of a crawl that has completed, without those that the site did not serve (HTTP 4xx, 5xx).

        Raises:
            StillCrawling: It has not.
            Retryable: As in `start_crawl`.
            CrawlRefused: The crawl failed, was cancelled or is gone, or the service refuses.
        """
        try:
            return [page for part in self._parts(crawl_id) for page in _pages(part)]
        except CrawlRefused as error:
            if error.status_code != _NOT_FOUND:
                raise
            raise CrawlRefused("the crawl service knows nothing of this crawl any more", _NOT_FOUND) from error

    def cancel_crawl(self, crawl_id: str) -> None:
        """Stop a crawl, so that it costs nothing more. One that has ended stays what it is.

        Raises:
            Retryable, CrawlRefused: As in `start_crawl`.
        """
        self._ask("DELETE", _path(crawl_id), _Answer)

    def _parts(self, crawl_id: str) -> Iterator[_Status]:
        query: tuple[tuple[str, str], ...] = ()
        seen: set[tuple[tuple[str, str], ...]] = set()
        while query not in seen and len(seen) < _MAX_PARTS:
            seen.add(query)
            part = self._ask("GET", _path(crawl_id), _Status, query=query)
            match part.status:
                case "completed":
                    yield part
                case "scraping":
                    raise StillCrawling(crawl_id, part.completed)
                case other:
                    raise CrawlRefused(
                        f"the crawl service ended the crawl as {other}: {part.error or 'it says no more'}"
                    )
            if part.next is None:
                return
            # Only the query of `next` is taken: the key never leaves our origin, and a self-hosted service behind a
            # proxy (which gets scheme and host wrong there) still works. It may also repeat a query for ever.
            query = tuple(parse_qsl(urlsplit(part.next).query))

    def _ask(
        self,
        method: str,
        path: str,
        model: type[A],
        *,
        json: dict[str, JsonValue] | None = None,
        query: tuple[tuple[str, str], ...] = (),
    ) -> A:
        try:
            response = self._client.request(method, path, json=json, params=query)
        except httpx2.TransportError as error:
            raise Retryable(f"Firecrawl did not answer: {type(error).__name__}") from error
        status = response.status_code
        if status in _RETRYABLE_STATUSES or status >= _SERVER_ERROR:
            raise Retryable(f"Firecrawl answered HTTP {status}", self._retry_after_s(response))
        if status != _OK:
            raise CrawlRefused(f"Firecrawl answered HTTP {status}: {_error_text(response)}", status)
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors())
            raise CrawlRefused(f"Firecrawl's answer has an unknown shape: {fields}", status) from error

    def _retry_after_s(self, response: httpx2.Response) -> float | None:
        """``Retry-After`` (RFC 9110) in seconds from now: a number or an HTTP date; None if absent or malformed."""
        value = response.headers.get("retry-after", "").strip()
        if value.isdecimal():
            return float(value)
        try:
            at: datetime = parsedate_to_datetime(value)
        except ValueError:
            return None
        return max(0.0, (at - self._clock()).total_seconds()) if at.tzinfo is not None else None


def _path(crawl_id: str) -> str:
    return f"/v2/crawl/{quote(crawl_id, safe='')}"


def _error_text(response: httpx2.Response) -> str:
    try:
        return _Refusal.model_validate_json(response.content).error[:300]
    except ValidationError:
        return response.reason_phrase


class _Refusal(_Answer):
    error: str


def _pages(part: _Status) -> Iterator[Page]:
    for crawled in part.data:
        about = crawled.metadata
        url = about.url or about.source_url
        if url is None or about.status_code >= 400:  # noqa: PLR2004 - HTTP client and server errors
            continue
        if crawled.raw_html is not None:
            try:
                yield read_html(url, crawled.raw_html, status_code=about.status_code, markdown=crawled.markdown).page
                continue
            except UnreadablePage:
                pass  # its markdown may still be of use
        if crawled.markdown is not None:
            yield Page(
                url=url,
                title=_first(about.title),
                markdown=crawled.markdown[:MAX_MARKDOWN_CHARS],
                language=primary_language(_first(about.language)),
                status_code=about.status_code,
            )


def _first(value: str | list[str] | None) -> str:
    return (value[0] if value else "") if isinstance(value, list) else value or ""
