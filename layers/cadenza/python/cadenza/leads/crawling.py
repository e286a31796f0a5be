"""Who crawls: Firecrawl where a key is set, our own bounded crawler otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from cadenza.core.errors import Retryable
from cadenza.leads.crawler import CrawlResult, PageError, StopReason, crawl
from cadenza.leads.crawls import CrawlFailed, CrawlUnderWay
from cadenza.leads.fetch import Trouble
from cadenza.leads.firecrawl import CrawlRefused, Firecrawl, StillCrawling
from cadenza.leads.guard import PublicHosts, Resolver
from cadenza.leads.model import Page
from cadenza.leads.store import Lead

PAGE_LIMIT = 12
_SHUT_OUT = frozenset({"HTTP 401", "HTTP 403", "HTTP 451"})


@dataclass(frozen=True, slots=True)
class FirecrawlCrawling:
    """Crawls by Firecrawl, which reports to ``webhook_url`` when it is done."""

    base_url: str
    api_key: str
    webhook_url: str

    def start(self, lead: Lead) -> str | Sequence[Page]:
        """Start a crawl; the webhook brings the ids back with it."""
        metadata = {"workspace_id": str(lead.workspace_id), "lead_id": str(lead.id)}
        try:
            with Firecrawl(self.base_url, self.api_key) as client:
                return client.start_crawl(lead.url, webhook_url=self.webhook_url, metadata=metadata, limit=PAGE_LIMIT)
        except CrawlRefused as error:
            raise CrawlFailed(error.detail) from error

    def pages(self, crawl_id: str) -> Sequence[Page]:
        """The pages of a crawl that has ended."""
        try:
            with Firecrawl(self.base_url, self.api_key) as client:
                return client.fetch_pages(crawl_id)
        except StillCrawling as under_way:
            raise CrawlUnderWay(under_way.pages) from under_way
        except CrawlRefused as error:
            raise CrawlFailed(error.detail) from error

    def cancel(self, crawl_id: str) -> None:
        """Stop a crawl."""
        try:
            with Firecrawl(self.base_url, self.api_key) as client:
                client.cancel_crawl(crawl_id)
        except CrawlRefused as error:
            raise CrawlFailed(error.detail) from error


@dataclass(frozen=True, slots=True)
class OwnCrawling:
    """Crawls by itself, within the call."""

    resolver: Resolver | None = None

    def start(self, lead: Lead) -> str | Sequence[Page]:
        """Crawl the site now."""
        result = crawl(lead.url, resolver=self.resolver or PublicHosts())
        if result.pages:
            return result.pages
        nothing = why_nothing(result)
        raise Retryable(nothing.reason) if nothing.may_pass else CrawlFailed(nothing.reason)

    def pages(self, crawl_id: str) -> Sequence[Page]:
        """Never asked: a crawl of ours ends within `start`."""
        raise CrawlFailed(f"crawl {crawl_id} was begun by another crawler")

    def cancel(self, crawl_id: str) -> None:
        """Never asked, as `pages`."""


class Nothing(NamedTuple):
    """Why a crawl gave no page, in words for people, and whether that may pass."""

    reason: str
    may_pass: bool = False


def why_nothing(result: CrawlResult) -> Nothing:
    """What to tell people of a crawl without pages. The last error of a site that does not answer says most."""
    troubles = {error.trouble for error in result.errors}
    if result.stopped_because is StopReason.ROBOTS and Trouble.HTTP_STATUS in troubles:
        detail = result.errors[-1].detail
        return Nothing(
            f"the site's robots.txt cannot be read ({detail}), so its pages may not be either", may_pass=True
        )
    if Trouble.ROBOTS in troubles:
        return Nothing("the site's robots.txt forbids crawlers to read it")
    if Trouble.NEEDS_SCRIPTS in troubles:
        return Nothing(
            "the site shows its text only to browsers that run JavaScript, which our own crawler does not; "
            "a crawl service (Firecrawl) does"
        )
    if not result.errors:
        return Nothing("the site's front page is empty")
    return _explained(result.errors[-1])


def _explained(error: PageError) -> Nothing:
    match error.trouble:
        case Trouble.OFF_SITE:
            return Nothing(f"the site {error.detail}, which is another company's site; add that one if it is meant")
        case Trouble.REFUSED:
            return Nothing(f"the site may not be visited ({error.detail})")
        case Trouble.UNREACHABLE | Trouble.TIMEOUT | Trouble.SPENT:
            return Nothing(f"the site cannot be reached ({error.detail})", may_pass=True)
        case Trouble.HTTP_STATUS if error.detail in _SHUT_OUT:
            return Nothing(f"the site refuses our crawler ({error.detail})")
        case Trouble.HTTP_STATUS:
            return Nothing(f"the site's front page cannot be read ({error.detail})", may_pass=True)
        case Trouble.NOT_HTML:
            return Nothing(f"the site's front page is no web page ({error.detail})")
        case Trouble.REDIRECT_LOOP | Trouble.TOO_MANY_REDIRECTS:
            return Nothing("the site's front page redirects without end")
        case Trouble.TOO_LARGE | Trouble.UNREADABLE | Trouble.SOFT_404 | Trouble.ROBOTS | Trouble.NEEDS_SCRIPTS:
            return Nothing(f"no page of the site can be read ({error.detail})")
        case _:
            assert_never(error.trouble)
