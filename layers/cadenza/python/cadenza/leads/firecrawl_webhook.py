"""What Firecrawl's webhook says: is it from Firecrawl, and is one of our crawls alive, or at its end. Pure and light.

The payload (docs.firecrawl.dev, webhooks v2) is ``{success, type, id, webhookId, data, metadata, error?}``, signed with
``X-Firecrawl-Signature: sha256=<hex>``, an HMAC-SHA256 of the raw body. The pages are never taken from it: they are
fetched by crawl id, so a page of any size leaves as a hint of a few hundred bytes. ``webhookId`` names the call; its
repetitions carry the same.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.ids import LeadId, WorkspaceId
from cadenza.core.messages import CrawlPageSeen, CrawlReported, CrawlStatus

# The service also reports cancelled crawls, although its documentation lists started, page and completed only.
_ENDED: Final = {
    "crawl.completed": CrawlStatus.COMPLETED,
    "crawl.failed": CrawlStatus.FAILED,
    "crawl.cancelled": CrawlStatus.FAILED,
}
_PAGE: Final = "crawl.page"
_MAX_ERROR_CHARS = 1000


class _Metadata(BaseModel):
    workspace_id: WorkspaceId
    lead_id: LeadId


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore")

    type: str


class _OfCrawl(_Event):
    id: str = Field(min_length=1, max_length=200)
    webhook_id: str = Field(alias="webhookId", min_length=1, max_length=200)
    success: bool = True
    error: str | None = None
    metadata: _Metadata


def verify(secret: str, raw_body: bytes, signature_header: str) -> bool:
    """Whether ``raw_body`` was signed with ``secret``. Constant time; an empty secret verifies nothing."""
    algorithm, _, given = signature_header.strip().partition("=")
    expected = hmac.new(secret.encode(), raw_body, hashlib.sha256).hexdigest()
    # Bytes, because compare_digest refuses non-ASCII text, and a header can contain any.
    matches = hmac.compare_digest(expected.encode(), given.strip().lower().encode("utf-8", "surrogateescape"))
    return matches and algorithm.strip().lower() == "sha256" and secret != ""


def sign(secret: str, raw_body: bytes) -> str:
    """The value of ``X-Firecrawl-Signature`` for ``raw_body``."""
    return "sha256=" + hmac.new(secret.encode(), raw_body, hashlib.sha256).hexdigest()


def parse_webhook(raw_body: bytes) -> CrawlReported | CrawlPageSeen | None:
    """The end of a crawl or a sign of its life, or None for an event that needs nothing done (``crawl.started``, …).

    Raises:
        InvalidInput: Not JSON, or not of the documented shape; the problems point at the fields.
    """
    try:
        kind = _Event.model_validate_json(raw_body).type
        if kind != _PAGE and kind not in _ENDED:
            return None
        event = _OfCrawl.model_validate_json(raw_body)
    except ValidationError as error:
        raise _invalid(error) from None
    if kind == _PAGE:
        return CrawlPageSeen(
            workspace_id=event.metadata.workspace_id,
            lead_id=event.metadata.lead_id,
            crawl_id=event.id,
            delivery_id=event.webhook_id,
        )
    return CrawlReported(
        workspace_id=event.metadata.workspace_id,
        lead_id=event.metadata.lead_id,
        crawl_id=event.id,
        delivery_id=event.webhook_id,
        status=_ENDED[kind] if event.success else CrawlStatus.FAILED,
        error=(event.error or "")[:_MAX_ERROR_CHARS],
    )


def _invalid(error: ValidationError) -> InvalidInput:
    problems = tuple(
        FieldProblem("".join(f"/{_escaped(part)}" for part in e["loc"]), e["msg"])
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    )
    return InvalidInput("the webhook's payload is not a Firecrawl event", problems)


def _escaped(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")  # RFC 6901
