"""Which request goes where, and what each is answered.

A dozen routes need no framework: the one at hand costs 68 ms of a cold start, for which somebody who clicked a link
would wait, and answers a wrong method with 404.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from cadenza.core.errors import CadenzaError, Retryable
from cadenza.core.log import get_logger
from cadenza.core.problems import DEFAULT_RETRY_AFTER_S, problem, problem_for
from cadenza.signals import pages
from cadenza.signals.gateway import Request, Response
from cadenza.signals.inbox import Inbox
from cadenza.signals.links import UnknownLink

MAX_EVENT_BYTES = 128 * 1024
"""An event travels on as an SQS message, of at most 256 KiB with all that is around it."""
MAX_NOTIFICATION_BYTES = 512 * 1024
"""SNS delivers at most 256 KiB, which JSON inside of JSON makes longer."""
MAX_BATCH_BYTES = 4 * 1024 * 1024
"""Lambda takes 6 MB, base64 and all that is around it included."""

Answer = Callable[[Inbox, Request, str], Response]
"""Answers a request; the text is the path's token, "" where there is none."""


def answer(inbox: Inbox, request: Request) -> Response:
    """The response to any request. Only bugs are raised: the platform counts them, and answers 500."""
    for route in ROUTES:
        if match := route.path.fullmatch(request.path):
            return _answer(route, inbox, request, match["token"] if route.path.groups else "")
    return Response.from_problem(problem(HTTPStatus.NOT_FOUND))


def _crawl(inbox: Inbox, request: Request, _: str) -> Response:
    return _taken(inbox.crawl(request))


def _event(inbox: Inbox, request: Request, _: str) -> Response:
    inbox.event(request)
    return Response(HTTPStatus.ACCEPTED)


def _notification(inbox: Inbox, request: Request, _: str) -> Response:
    return _taken(inbox.notification(request))


def _batch(inbox: Inbox, request: Request, _: str) -> Response:
    return _taken(inbox.batch(request))


def _mail(inbox: Inbox, request: Request, _: str) -> Response:
    return _taken(inbox.mail(request))


def _taken(is_taken: bool) -> Response:
    """Accepted, or understood and left: neither is to come again."""
    return Response(HTTPStatus.ACCEPTED if is_taken else HTTPStatus.NO_CONTENT)


def _pixel(inbox: Inbox, request: Request, token: str) -> Response:
    inbox.opened(token, request)
    return Response(HTTPStatus.OK, pages.PIXEL, pages.PIXEL_HEADERS)


def _click(inbox: Inbox, request: Request, token: str) -> Response:
    target = inbox.clicked(token, request)
    if target is None:
        return Response(HTTPStatus.OK, pages.NOTHING_HERE, pages.PAGE_HEADERS)
    return Response(HTTPStatus.FOUND, headers={**pages.PRIVATE_HEADERS, "location": target})


def _ask(inbox: Inbox, _: Request, token: str) -> Response:
    # Scanners follow links: looking at the page changes nothing (RFC 8058 §3.2).
    inbox.links.verify_unsubscribe(token)
    return Response(HTTPStatus.OK, pages.UNSUBSCRIBE, pages.PAGE_HEADERS)


def _unsubscribe(inbox: Inbox, request: Request, token: str) -> Response:
    # Whatever the body is: the token says who, POST says that they mean it, and an opt-out is not to fail on form.
    try:
        inbox.unsubscribed(token, request)
    except Retryable as error:
        get_logger().error("unsubscribe.delayed", reason=error.detail)
        headers = {**pages.PAGE_HEADERS, "retry-after": str(DEFAULT_RETRY_AFTER_S)}
        return Response(HTTPStatus.SERVICE_UNAVAILABLE, pages.TRY_AGAIN, headers)
    return Response(HTTPStatus.OK, pages.UNSUBSCRIBED, pages.PAGE_HEADERS)


@dataclass(frozen=True, slots=True)
class Route:
    """A path, with the token in it if it has one, what answers each method there, and how much it reads."""

    path: re.Pattern[str]
    methods: Mapping[str, Answer]
    max_bytes: int = 10 * 1024 * 1024


_TOKEN = "(?P<token>[A-Za-z0-9_-]+)"  # noqa: S105 - a pattern

ROUTES = (
    Route(re.compile("/webhooks/firecrawl"), {"POST": _crawl}),
    Route(re.compile("/webhooks/events"), {"POST": _event}, MAX_EVENT_BYTES),
    Route(re.compile("/webhooks/sns"), {"POST": _notification}, MAX_NOTIFICATION_BYTES),
    Route(re.compile("/webhooks/sendgrid"), {"POST": _batch}, MAX_BATCH_BYTES),
    Route(re.compile("/webhooks/inbound"), {"POST": _mail}, MAX_BATCH_BYTES),
    Route(re.compile(rf"/t/o/{_TOKEN}\.gif"), {"GET": _pixel, "HEAD": _pixel}),
    Route(re.compile(rf"/t/c/{_TOKEN}"), {"GET": _click, "HEAD": _click}),
    Route(re.compile(rf"/u/{_TOKEN}"), {"GET": _ask, "HEAD": _ask, "POST": _unsubscribe}),
)


def _answer(route: Route, inbox: Inbox, request: Request, token: str) -> Response:
    method = route.methods.get(request.method)
    if method is None:
        allow = {"allow": ", ".join(route.methods)}
        return Response.from_problem(problem(HTTPStatus.METHOD_NOT_ALLOWED, headers=allow))
    if len(request.body) > route.max_bytes:
        detail = f"at most {route.max_bytes} bytes are taken here"
        return Response.from_problem(problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail))
    try:
        return method(inbox, request, token)
    except UnknownLink:
        return Response(HTTPStatus.NOT_FOUND, pages.UNKNOWN_LINK, pages.PAGE_HEADERS)
    except CadenzaError as error:
        found = problem_for(error, challenge="Signature")
        log = get_logger().error if found.status >= HTTPStatus.INTERNAL_SERVER_ERROR else get_logger().warning
        log("request.refused", status=found.status, error=type(error).__name__, reason=str(error))
        return Response.from_problem(found)
