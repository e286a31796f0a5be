"""One GET at a time through the guard: redirects, sizes, times and content types all bounded."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Final, Self
from urllib.parse import urljoin, urlsplit

import httpx2

from cadenza.core.errors import CadenzaError
from cadenza.leads.domains import same_site
from cadenza.leads.guard import AddressRefused, GuardedTransport, Resolver

_OK: Final = 200
_TIMEOUTS_A_REQUEST: Final = 2
"""How long one answer may take in all, in units of the longest silence: a drip does not eat the other pages' time."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HTML_TYPES: Final = frozenset({"text/html", "application/xhtml+xml", ""})
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([^\s\"';]+)", re.IGNORECASE)


class Trouble(StrEnum):
    """Why a URL gave nothing."""

    ROBOTS = "robots"
    OFF_SITE = "off_site"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    REDIRECT_LOOP = "redirect_loop"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    HTTP_STATUS = "http_status"
    NOT_HTML = "not_html"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    SPENT = "spent"
    SOFT_404 = "soft_404"
    """HTTP 200, and a text that says that there is no such page."""
    NEEDS_SCRIPTS = "needs_scripts"


class FetchFailed(CadenzaError):  # noqa: N818 - reads as what happened
    """A URL could not be fetched. ``status`` is the HTTP status of `Trouble.HTTP_STATUS`, else 0."""

    def __init__(self, trouble: Trouble, detail: str = "", status: int = 0) -> None:
        super().__init__(f"{trouble}: {detail}")
        self.trouble = trouble
        self.detail = detail
        self.status = status


@dataclass(frozen=True)
class FetchLimits:
    """Bounds of one fetcher's life; bytes after decompression."""

    max_bytes: int
    max_total_bytes: int
    max_redirects: int
    max_requests: int
    timeout_s: float
    wall_time_s: float


@dataclass(frozen=True)
class Fetched:
    """A 200 answer, whole. ``url`` is where it was found after redirects; ``charset`` is the header's, or ""."""

    url: str
    status: int
    content_type: str
    charset: str
    body: bytes


def _anything(_url: str) -> bool:
    return True


class Fetcher:
    """GETs within shared limits, over one guarded client. A context manager."""

    def __init__(
        self,
        resolver: Resolver,
        limits: FetchLimits,
        *,
        user_agent: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._ends_at = monotonic() + limits.wall_time_s
        self._answer_by = self._ends_at
        self.requests = 0
        self.bytes_left = limits.max_total_bytes
        self._client = httpx2.Client(
            transport=GuardedTransport(resolver, lambda: min(self.time_left_s, self._answer_by - monotonic())),
            trust_env=False,
            follow_redirects=False,
            headers={
                "User-Agent": user_agent,
                "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1",
                "Accept-Language": "en,*;q=0.5",
                "Accept-Encoding": "gzip",
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    @property
    def time_left_s(self) -> float:
        """Seconds of wall time left; negative when spent."""
        return self._ends_at - self._monotonic()

    def get_html(self, url: str, *, allowed: Callable[[str], bool] = _anything) -> Fetched:
        """Like `get`, for HTML only: other content types fail as soon as their headers are in."""
        return self.get(url, allowed=allowed, types=_HTML_TYPES)

    def get(
        self,
        url: str,
        *,
        allowed: Callable[[str], bool] = _anything,
        types: frozenset[str] | None = None,
        max_bytes: int | None = None,
        cut: bool = False,
    ) -> Fetched:
        """GET ``url``, following redirects within its site; ``allowed`` is asked about each redirect's target.

        Of an answer that is too large, ``cut`` keeps the beginning.

        Raises:
            FetchFailed: For every reason there is.
        """
        bound = self._limits.max_bytes if max_bytes is None else max_bytes
        # A cookie makes a second visit another one: some sites set it by a redirect to where the visitor already is.
        seen = {(url, len(self._client.cookies.jar))}
        here = url
        while True:
            answer = self._get_once(here, types, bound, cut=cut)
            if isinstance(answer, Fetched):
                return answer
            here = answer
            visit = (here, len(self._client.cookies.jar))
            if visit in seen:
                raise FetchFailed(Trouble.REDIRECT_LOOP, f"comes back to {here}")
            if len(seen) > self._limits.max_redirects:
                raise FetchFailed(Trouble.TOO_MANY_REDIRECTS, f"more than {self._limits.max_redirects}")
            if not same_site(url, here):
                raise FetchFailed(Trouble.OFF_SITE, f"redirects to {here}")
            if not allowed(here):
                raise FetchFailed(Trouble.ROBOTS, f"redirects to {here}")
            seen.add(visit)

    def _get_once(self, url: str, types: frozenset[str] | None, max_bytes: int, *, cut: bool) -> Fetched | str:
        """One request: the answer, or the absolute URL that it redirects to."""
        timeout_s = min(self._limits.timeout_s, self.time_left_s)
        if timeout_s <= 0 or self.bytes_left <= 0 or self.requests >= self._limits.max_requests:
            raise FetchFailed(Trouble.SPENT, "the crawl's time, bytes or requests are used up")
        self.requests += 1
        self._answer_by = self._monotonic() + _TIMEOUTS_A_REQUEST * timeout_s
        try:
            with self._client.stream("GET", url, timeout=timeout_s) as response:
                if response.status_code in _REDIRECTS and "location" in response.headers:
                    return _target(url, response.headers["location"])
                if response.status_code != _OK:
                    raise FetchFailed(Trouble.HTTP_STATUS, f"HTTP {response.status_code}", response.status_code)
                content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                if types is not None and content_type not in types:
                    raise FetchFailed(Trouble.NOT_HTML, content_type)
                charset = _CHARSET.search(response.headers.get("content-type", ""))
                return Fetched(
                    url=url,
                    status=response.status_code,
                    content_type=content_type,
                    charset=charset[1] if charset else "",
                    body=self._read(response, max_bytes, cut=cut),
                )
        except AddressRefused as error:
            raise FetchFailed(Trouble.REFUSED, str(error)) from error
        except httpx2.TimeoutException as error:
            raise FetchFailed(Trouble.TIMEOUT, f"no answer within {timeout_s:.0f} s") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise FetchFailed(Trouble.UNREACHABLE, str(error) or type(error).__name__) from error

    def _read(self, response: httpx2.Response, max_bytes: int, *, cut: bool) -> bytes:
        bound = min(max_bytes, self.bytes_left)
        body = bytearray()
        try:
            for chunk in _decoded(response, bound + 1):
                body += chunk
                if len(body) > bound and cut:
                    del body[bound:]
                    break
                if len(body) > bound:
                    raise FetchFailed(Trouble.TOO_LARGE, f"more than {bound} bytes")
                if self.time_left_s <= 0:  # a drip that never lets one read time out
                    raise FetchFailed(Trouble.TIMEOUT, "the crawl's time is used up")
        finally:
            self.bytes_left -= len(body)
        return bytes(body)


def _decoded(response: httpx2.Response, max_chunk: int) -> Iterator[bytes]:
    """The body's bytes, decompressed at most ``max_chunk`` at a time: a small bomb never becomes a large buffer."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"", "identity"}:
        yield from response.iter_raw()
        return
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise FetchFailed(Trouble.UNREADABLE, f"content encoding {encoding}")
    inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # detects gzip and zlib headers
    try:
        for raw in response.iter_raw():
            pending = raw
            while pending:
                yield inflate.decompress(pending, max_chunk)
                pending = inflate.unconsumed_tail
    except zlib.error as error:
        raise FetchFailed(Trouble.UNREADABLE, "damaged compression") from error


def unzipped(body: bytes, max_bytes: int) -> bytes:
    """What a ``.gz`` file holds, cut at ``max_bytes``; anything else as it is."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(body, max_bytes)
    except zlib.error:
        return b""


def _target(url: str, location: str) -> str:
    try:
        target = urljoin(url, location).partition("#")[0]
        parts = urlsplit(target)
        parts.port  # noqa: B018 - raises ValueError for a port that is none
    except ValueError as error:
        raise FetchFailed(Trouble.UNREADABLE, "redirects to something that is no URL") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise FetchFailed(Trouble.OFF_SITE, f"redirects to {target}")
    return target
