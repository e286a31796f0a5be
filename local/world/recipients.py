"""People who get our mail, and providers who report on it: everything over real HTTP, against the public URL."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
from bs4 import BeautifulSoup
from pydantic import JsonValue
from standardwebhooks import Webhook

from cadenza.core.clock import Clock, utc_now
from local.world.mail import CapturedMail

BROWSER: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EVENTS_PATH: Final = "/webhooks/events"
_TRACKING_PREFIX: Final = "/t/"


class NothingToActOn(Exception):  # noqa: N818 - reads as what happened
    """The mail has no pixel, no tracked link, no one-click header or no message tag."""


class Recipients:
    """Plays recipients and their providers. A context manager; each method returns the HTTP answer it got.

    ``public_url`` is where the mails' links lead; ``events_secret`` is the Standard Webhooks secret (``whsec_…``).
    """

    def __init__(
        self,
        public_url: str,
        events_secret: str,
        *,
        clock: Clock = utc_now,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._public_url = public_url.rstrip("/")
        self._signer = Webhook(events_secret)
        self._clock = clock
        self._http = httpx2.Client(
            headers={"User-Agent": BROWSER}, follow_redirects=False, timeout=30, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def open(self, mail: CapturedMail) -> httpx2.Response:
        """Look at the mail: load its tracking pixel."""
        return self._http.get(self._first(mail, "img", "src", self._is_tracked))

    def click(self, mail: CapturedMail) -> httpx2.Response:
        """Follow the first tracked link, as far as our redirect; never on to the outside."""
        return self._http.get(self._first(mail, "a", "href", self._is_tracked))

    def unsubscribe(self, mail: CapturedMail) -> httpx2.Response:
        """Press the mail client's unsubscribe button (RFC 8058: one POST, no cookies, no redirects)."""
        one_click = str(mail.message.get("List-Unsubscribe-Post", ""))
        url = re.search(r"<(https?://[^>\s]+)>", str(mail.message.get("List-Unsubscribe", "")))
        if url is None or one_click != "List-Unsubscribe=One-Click":
            raise NothingToActOn(f"mail {mail.number} has no one-click unsubscribe")
        return self._http.post(url[1], data={"List-Unsubscribe": "One-Click"})

    def delivered(self, mail: CapturedMail) -> httpx2.Response:
        """The receiving server took the mail."""
        return self.report(mail, "delivered")

    def bounced(self, mail: CapturedMail, *, hard: bool) -> httpx2.Response:
        """The receiving server refused the mail: for good, or for now."""
        code = "5.1.1" if hard else "4.2.2"
        return self.report(mail, "bounced", hard=hard, diagnostic_code=f"smtp; {code}")

    def replied(self, mail: CapturedMail, text: str = "Thank you, tell me more.") -> httpx2.Response:
        """The recipient answered."""
        return self.report(mail, "replied", text=text)

    def complained(self, mail: CapturedMail) -> httpx2.Response:
        """The recipient pressed the spam button."""
        return self.report(mail, "complained")

    def report(
        self,
        mail: CapturedMail,
        event: str,
        *,
        occurred_at: datetime | None = None,
        delivery_id: str = "",
        **data: JsonValue,
    ) -> httpx2.Response:
        """Report ``message.<event>`` on ``mail``, signed (Standard Webhooks); same ``delivery_id``, same event."""
        if not mail.message_id:
            raise NothingToActOn(f"mail {mail.number} carries no message id")
        now = self._clock()
        delivery_id = delivery_id or f"evt_{uuid4().hex}"
        body = json.dumps(
            {
                "type": f"message.{event}",
                "timestamp": (occurred_at or now).isoformat(),
                "data": {"message_id": mail.message_id, **data},
            }
        )
        headers = {
            "Content-Type": "application/json",
            "webhook-id": delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(msg_id=delivery_id, timestamp=now, data=body),
        }
        return self._http.post(f"{self._public_url}{EVENTS_PATH}", content=body, headers=headers)

    def _first(self, mail: CapturedMail, tag: str, attribute: str, wanted: Callable[[str], bool]) -> str:
        for element in BeautifulSoup(mail.html, "lxml").find_all(tag):
            url = element.get(attribute)
            if isinstance(url, str) and wanted(url):
                return url
        raise NothingToActOn(f"mail {mail.number} has no tracked <{tag}>")

    def _is_tracked(self, url: str) -> bool:
        # The path may be below the public URL's own (a local API gateway serves under a prefix).
        inside = url.startswith(f"{self._public_url}/")
        return inside and urlsplit(url.removeprefix(self._public_url)).path.startswith(_TRACKING_PREFIX)
