"""Our own bounded crawler: a company's most telling pages, in a fixed order, within hard limits.

It works in production where no crawl service is configured, and behind the local Firecrawl-compatible service. Polite:
one request at a time, robots.txt (RFC 9309) with its crawl delay, a user agent that says who it is. Safe: every
connection goes through `guard`. Whatever happens to one page leaves the others alone and is reported beside them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from protego import Protego

from cadenza.leads.domains import same_site
from cadenza.leads.fetch import Fetched, Fetcher, FetchFailed, FetchLimits, Trouble
from cadenza.leads.frontier import Frontier, url_key
from cadenza.leads.guard import PublicHosts, Resolver
from cadenza.leads.model import Page
from cadenza.leads.pages import UnreadablePage, decode_html, read_html, read_sitemap

USER_AGENT = "CadenzaBot/1.0 (reads company sites on behalf of their prospective business partners; obeys robots.txt)"
ROBOTS_TOKEN = "CadenzaBot"  # noqa: S105 - a product token (RFC 9309), not a secret
_ROBOTS_BYTES = 512 * 1024  # RFC 9309 asks for at least 500 KiB
_MAX_SITEMAPS = 4
_MAX_SITEMAP_URLS = 500


class StopReason(StrEnum):
    """Why a crawl ended."""

    EXHAUSTED = "exhausted"
    MAX_PAGES = "max_pages"
    MAX_REQUESTS = "max_requests"
    MAX_BYTES = "max_bytes"
    MAX_TIME = "max_time"
    ROBOTS = "robots"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class CrawlLimits:
    """Hard bounds of one crawl. Bytes are counted after decompression."""

    max_pages: int = 12
    max_requests: int = 40
    max_page_bytes: int = 2_000_000
    max_total_bytes: int = 12_000_000
    max_redirects: int = 5
    max_depth: int = 3
    wall_time_s: float = 60.0
    request_timeout_s: float = 10.0
    max_delay_s: float = 5.0
    """A longer ``Crawl-delay`` than this is taken as this: the site still sees few and slow requests."""


@dataclass(frozen=True)
class PageError:
    """One URL that gave no page, and why."""

    url: str
    trouble: Trouble
    detail: str = ""


@dataclass(frozen=True)
class CrawlResult:
    """The pages, best first; why the crawl ended; and what went wrong on the way, in order."""

    pages: tuple[Page, ...]
    stopped_because: StopReason
    errors: tuple[PageError, ...] = ()


@dataclass
class _Crawl:
    """One crawl under way. Mutable, and private to `crawl`."""

    start_url: str
    limits: CrawlLimits
    fetcher: Fetcher
    robots: Protego
    wait: Callable[[float], None]
    on_page: Callable[[Page, str], None]
    pages: list[Page] = field(default_factory=list[Page])
    errors: list[PageError] = field(default_factory=list[PageError])
    contents: set[str] = field(default_factory=set[str])
    frontier: Frontier = field(default_factory=Frontier)

    def run(self) -> StopReason:
        # A deep link that is gone still names the site: its front page is the second chance.
        for url in (self.start_url, _at_root(self.start_url, "/")):
            self.frontier.add(url, depth=0)
            if self.frontier and self.visit_next():
                break
        else:
            return StopReason.UNREACHABLE
        for url in self.sitemap_urls():
            self.offer(url, depth=1)
        while len(self.pages) < self.limits.max_pages:
            if (reason := self.spent()) is not None:
                return reason
            if not self.frontier:
                return StopReason.EXHAUSTED
            self.visit_next()
        return StopReason.MAX_PAGES if self.frontier else StopReason.EXHAUSTED

    def spent(self) -> StopReason | None:
        if self.fetcher.requests >= self.limits.max_requests:
            return StopReason.MAX_REQUESTS
        if self.fetcher.bytes_left <= 0:
            return StopReason.MAX_BYTES
        return StopReason.MAX_TIME if self.fetcher.time_left_s <= self.delay_s else None

    @property
    def delay_s(self) -> float:
        return min(self.robots.crawl_delay(ROBOTS_TOKEN) or 0.0, self.limits.max_delay_s)

    def offer(self, url: str, *, depth: int, text: str = "") -> None:
        if depth <= self.limits.max_depth and same_site(self.start_url, url):
            self.frontier.add(url, depth=depth, text=text)

    def allowed(self, url: str) -> bool:
        return self.robots.can_fetch(url, ROBOTS_TOKEN)

    def visit_next(self) -> bool:
        """Fetch and read the best URL of the frontier. True if that gave a page."""
        url, depth = self.frontier.pop()
        if not self.allowed(url):
            self.errors.append(PageError(url, Trouble.ROBOTS))
            return False
        if self.delay_s > 0:
            self.wait(self.delay_s)
        try:
            fetched = self.fetcher.get_html(url, allowed=self.allowed)
            html = decode_html(fetched.body, fetched.charset)
            document = read_html(fetched.url, html, status_code=fetched.status)
        except FetchFailed as error:
            self.errors.append(PageError(url, error.trouble, error.detail))
            return False
        except UnreadablePage as error:
            self.errors.append(PageError(url, Trouble.UNREADABLE, str(error)))
            return False
        new = self.frontier.mark_seen(fetched.url) or url_key(fetched.url) == url_key(url)
        for link in document.links:
            self.offer(link.url, depth=depth + 1, text=link.text)
        # The same text under two URLs (/ and /index.html) is one page.
        if new and document.page.markdown not in self.contents:
            self.contents.add(document.page.markdown)
            self.pages.append(document.page)
            self.on_page(document.page, html)
        return True

    def sitemap_urls(self) -> Iterator[str]:
        """Page URLs of the site's sitemaps (sitemaps.org), in their order; trouble with one is reported, not raised."""
        root = self.pages[0].url if self.pages else self.start_url
        declared = [url for url in self.robots.sitemaps if same_site(self.start_url, url)]
        waiting = declared or [_at_root(root, "/sitemap.xml")]
        found = 0
        for _ in range(_MAX_SITEMAPS):
            if not waiting or self.spent() is not None:
                return
            url = waiting.pop(0)
            try:
                fetched = self.fetcher.get(url, allowed=self.allowed)
            except FetchFailed as error:
                if declared:  # a guess that is not there is no error
                    self.errors.append(PageError(url, error.trouble, error.detail))
                continue
            nested, urls = read_sitemap(fetched.body)
            waiting.extend(u for u in nested if same_site(self.start_url, u))
            for page_url in urls[: _MAX_SITEMAP_URLS - found]:
                found += 1
                yield page_url


def crawl(
    start_url: str,
    *,
    limits: CrawlLimits | None = None,
    resolver: Resolver | None = None,
    on_page: Callable[[Page, str], None] = lambda _page, _html: None,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> CrawlResult:
    """Crawl the site of ``start_url``: that page first, then people, contact, company and offer, then the rest.

    Same input, same order. Only http(s) pages of the same registrable domain are fetched. If an https start URL does
    not answer at all, plain http is tried. ``on_page`` sees each page with its HTML as it comes in. Never raises for
    what a site does; see `CrawlResult.errors`.
    """
    limits = limits or CrawlLimits()
    fetch_limits = FetchLimits(
        max_bytes=limits.max_page_bytes,
        max_total_bytes=limits.max_total_bytes,
        max_redirects=limits.max_redirects,
        timeout_s=limits.request_timeout_s,
        wall_time_s=limits.wall_time_s,
        max_requests=limits.max_requests,
    )
    with Fetcher(resolver or PublicHosts(), fetch_limits, user_agent=USER_AGENT, monotonic=monotonic) as fetcher:
        try:
            start_url, robots = _robots(start_url, fetcher)
        except FetchFailed as error:
            return CrawlResult((), StopReason.UNREACHABLE, (PageError(start_url, error.trouble, error.detail),))
        state = _Crawl(start_url, limits, fetcher, robots, sleep, on_page)
        reason = state.run()
        if reason is StopReason.UNREACHABLE and state.errors[-1].trouble is Trouble.ROBOTS:
            reason = StopReason.ROBOTS
        return CrawlResult(tuple(state.pages), reason, tuple(state.errors))


def _robots(start_url: str, fetcher: Fetcher) -> tuple[str, Protego]:
    """The site's rules, and the start URL with the scheme that answered.

    RFC 9309: no file (4xx) allows everything; a server error forbids everything.

    Raises:
        FetchFailed: The site does not answer.
    """
    try:
        fetched = _fetch_robots(start_url, fetcher)
    except FetchFailed as error:
        if error.trouble not in {Trouble.UNREACHABLE, Trouble.TIMEOUT} or not start_url.startswith("https://"):
            raise
        start_url = f"http://{start_url.removeprefix('https://')}"
        fetched = _fetch_robots(start_url, fetcher)
    return start_url, Protego.parse(fetched)


def _fetch_robots(start_url: str, fetcher: Fetcher) -> str:
    try:
        fetched: Fetched = fetcher.get(_at_root(start_url, "/robots.txt"), max_bytes=_ROBOTS_BYTES)
    except FetchFailed as error:
        if error.trouble in {Trouble.UNREACHABLE, Trouble.REFUSED, Trouble.TIMEOUT}:
            raise
        if error.trouble is Trouble.HTTP_STATUS and error.status >= 500:  # noqa: PLR2004 - server errors
            return "User-agent: *\nDisallow: /"
        return ""
    return fetched.body.decode("utf-8", errors="replace")


def _at_root(url: str, path: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{path}"
