"""Our own bounded crawler: a company's most telling pages, in a fixed order, within hard limits.

It works in production where no crawl service is configured, and behind the local Firecrawl-compatible service. Polite:
one request at a time, robots.txt (RFC 9309) with its crawl delay, a user agent that says who it is. Safe: every
connection goes through `guard`. Whatever happens to one page leaves the others alone and is reported beside them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from protego import Protego

from cadenza.leads.domains import registrable, same_site
from cadenza.leads.fetch import Fetcher, FetchFailed, FetchLimits, Trouble, unzipped
from cadenza.leads.frontier import Frontier, url_key
from cadenza.leads.guard import PublicHosts, Resolver
from cadenza.leads.model import Page
from cadenza.leads.pages import UnreadablePage, decode_html, read_html, read_sitemap
from cadenza.leads.shells import is_empty, needs_scripts, refresh_target, says_not_found

USER_AGENT = "CadenzaBot/1.0 (reads company sites on behalf of their prospective business partners; obeys robots.txt)"
ROBOTS_TOKEN = "CadenzaBot"  # noqa: S105 - a product token (RFC 9309), not a secret
_ROBOTS_BYTES = 512 * 1024  # RFC 9309 asks for at least 500 KiB
_NO_ANSWER = frozenset({Trouble.UNREACHABLE, Trouble.TIMEOUT})
_SERVER_ERROR = 500
_TOO_MANY = 429
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
        if says_not_found(document.page):
            self.errors.append(PageError(url, Trouble.SOFT_404, "says that it does not exist"))
            return False
        for link in document.links:
            self.offer(link.url, depth=depth + 1, text=link.text)
        if (target := refresh_target(fetched.url, html)) and self.forwards(target, document.page, depth):
            return True
        if needs_scripts(document.page, html):
            self.errors.append(PageError(url, Trouble.NEEDS_SCRIPTS, "shows nothing without JavaScript"))
            return True
        # The same text under two URLs (/ and /index.html) is one page.
        if new and document.page.markdown not in self.contents:
            self.contents.add(document.page.markdown)
            self.pages.append(document.page)
            self.on_page(document.page, html)
        return True

    def forwards(self, target: str, page: Page, depth: int) -> bool:
        """Follow what ``page`` sends its visitors on to; True if the page is nothing but that."""
        if same_site(self.start_url, target):
            self.offer(target, depth=depth, text="")
        elif is_empty(page):
            self.errors.append(PageError(page.url, Trouble.OFF_SITE, f"redirects to {target}"))
        return is_empty(page)

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
            nested, urls = read_sitemap(unzipped(fetched.body, self.limits.max_page_bytes))
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
    not answer at all, plain http is tried, then both at the same name with or without ``www.``. ``on_page`` sees each
    page with its HTML as it comes in. Never raises for what a site does; see `CrawlResult.errors`.
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
            start_url, rules = _robots(start_url, fetcher)
        except FetchFailed as error:
            return CrawlResult((), StopReason.UNREACHABLE, (PageError(start_url, error.trouble, error.detail),))
        if isinstance(rules, PageError):
            return CrawlResult((), StopReason.ROBOTS, (rules,))
        state = _Crawl(start_url, limits, fetcher, rules, sleep, on_page)
        reason = state.run()
        if reason is StopReason.UNREACHABLE and state.errors[-1].trouble is Trouble.ROBOTS:
            reason = StopReason.ROBOTS
        return CrawlResult(tuple(state.pages), reason, tuple(state.errors))


def _robots(start_url: str, fetcher: Fetcher) -> tuple[str, Protego | PageError]:
    """The site's rules, or why there may be no visit; and the start URL in the form that answered.

    RFC 9309: no file (4xx) allows everything; a server error forbids everything, and so do we take HTTP 429.

    Raises:
        FetchFailed: The site does not answer.
    """
    first, *others = _spellings(start_url)
    try:
        return first, _fetch_rules(first, fetcher)
    except FetchFailed as error:
        for url in others if error.trouble in _NO_ANSWER else ():
            with suppress(FetchFailed):
                return url, _fetch_rules(url, fetcher)
        raise


def _spellings(url: str) -> list[str]:
    """The ways in which a site may answer, the given one first."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    hosts = [host]
    if host.startswith("www."):
        hosts.append(host.removeprefix("www."))
    elif registrable(host) == host:
        hosts.append(f"www.{host}")
    schemes = ["https", "http"] if parts.scheme == "https" else ["http"]
    return [parts._replace(scheme=scheme, netloc=name).geturl() for name in hosts for scheme in schemes]


def _fetch_rules(start_url: str, fetcher: Fetcher) -> Protego | PageError:
    url = _at_root(start_url, "/robots.txt")
    try:
        fetched = fetcher.get(url, max_bytes=_ROBOTS_BYTES, cut=True)
    except FetchFailed as error:
        if error.trouble in {*_NO_ANSWER, Trouble.REFUSED, Trouble.SPENT}:
            raise
        if error.trouble is Trouble.HTTP_STATUS and (error.status >= _SERVER_ERROR or error.status == _TOO_MANY):
            return PageError(url, error.trouble, error.detail)
        return Protego.parse("")
    # Notepad's byte order mark would hide the first line.
    return Protego.parse(fetched.body.decode("utf-8-sig", errors="replace"))


def _at_root(url: str, path: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{path}"
