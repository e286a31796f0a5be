"""One bounded GET, for what a webhook must fetch: no redirects, no proxies, nothing large, nothing slow."""

from __future__ import annotations

from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from cadenza.core.errors import Retryable, Unauthorised

TIMEOUT_S: Final = 2.0
"""For connecting and for each read: whoever sent the webhook waits for its answer."""
MAX_BYTES: Final = 64 * 1024


def get(url: str) -> bytes:
    """What is at ``url``, whose host the caller has checked. A redirect is an answer like any other but 200.

    Raises:
        Retryable: The host did not answer, or is in trouble.
        Unauthorised: It says that there is nothing for us, or too much of it.
    """
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.netloc, timeout=TIMEOUT_S)
    try:
        connection.request("GET", url.removeprefix(f"{parts.scheme}://{parts.netloc}"))
        response = connection.getresponse()
        body = response.read(MAX_BYTES + 1)
    except (OSError, HTTPException) as error:
        raise Retryable(f"{parts.hostname} did not answer: {type(error).__name__}") from error
    finally:
        connection.close()
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise Retryable(f"{parts.hostname} answered {response.status}")
    if response.status != HTTPStatus.OK or len(body) > MAX_BYTES:
        raise Unauthorised(f"{parts.hostname} answered {response.status} with {len(body)} bytes")
    return body
