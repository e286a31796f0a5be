"""Who crawls: Firecrawl where a key is set, our own bounded crawler otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cadenza.core.errors import Retryable
from cadenza.leads.crawler import StopReason, crawl
from cadenza.leads.crawls import CrawlFailed, CrawlUnderWay
from cadenza.leads.firecrawl import CrawlRefused, Firecrawl, StillCrawling
from cadenza.leads.guard import PublicHosts, Resolver
from cadenza.leads.model import Page
from cadenza.leads.store import Lead

PAGE_LIMIT = 12


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
        reason = "; ".join(f"{error.url}: {error.trouble} {error.detail}".strip() for error in result.errors[:3])
        if result.stopped_because is StopReason.UNREACHABLE:
            raise Retryable(f"the site cannot be reached ({reason})")
        raise CrawlFailed(f"no page could be read: {result.stopped_because} ({reason})")

    def pages(self, crawl_id: str) -> Sequence[Page]:
        """Never asked: a crawl of ours ends within `start`."""
        raise CrawlFailed(f"crawl {crawl_id} was begun by another crawler")

    def cancel(self, crawl_id: str) -> None:
        """Never asked, as `pages`."""
