"""People who get our mail, and who report on it: everything over real HTTP, against the public URL.

What SES sees comes as SES reports it, through SNS; what people write comes as mail, forwarded by the sender's mailbox;
and any other system may report the generic way.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import date, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx2
from bs4 import BeautifulSoup
from pydantic import JsonValue
from standardwebhooks import Webhook

from cadenza.core.clock import Clock, utc_now
from local.world.mail import CapturedMail
from local.world.ses_reports import SesReports

BROWSER: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EVENTS_PATH: Final = "/webhooks/events"
INBOUND_PATH: Final = "/webhooks/inbound"
_TRACKING_PREFIX: Final = "/t/"


class NothingToActOn(Exception):  # noqa: N818 - reads as what happened
    """The mail has no pixel, no tracked link, no one-click header or no message tag."""


class Recipients:
    """Plays recipients and their providers. A context manager; each method returns the HTTP answer it got.

    ``public_url`` is where the mails' links lead; the secrets are Standard Webhooks ones (``whsec_…``); ``ses`` reports
    what SES would.
    """

    def __init__(
        self,
        public_url: str,
        *,
        events_secret: str,
        inbound_secret: str,
        ses: SesReports,
        clock: Clock = utc_now,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._public_url = public_url.rstrip("/")
        self._signer = Webhook(events_secret)
        self._forwarder = Webhook(inbound_secret)
        self._ses = ses
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

    def sent(self, mail: CapturedMail) -> httpx2.Response:
        """SES has taken the mail."""
        return self._ses.sent(mail)

    def delivered(self, mail: CapturedMail, *, report_id: str = "") -> httpx2.Response:
        """The receiving server took the mail; the same ``report_id`` is the same report again."""
        return self._ses.delivered(mail, report_id=report_id)

    def bounced(self, mail: CapturedMail, *, hard: bool) -> httpx2.Response:
        """The receiving server refused the mail: for good, or for now."""
        return self._ses.bounced(mail, hard=hard)

    def complained(self, mail: CapturedMail) -> httpx2.Response:
        """The recipient pressed the spam button."""
        return self._ses.complained(mail)

    # --- mail that people write ----------------------------------------------------------------------------------

    def replied(
        self, mail: CapturedMail, text: str = "Thank you, tell me more.", *, reply_id: str = ""
    ) -> httpx2.Response:
        """The recipient answered; the same ``reply_id`` is the same mail again."""
        answer = self._answer_to(mail, f"Re: {mail.subject}", reply_id)
        answer.set_content(f"{text}\n\nOn Monday, {mail.sender} wrote:\n> {mail.text[:200]}\n")
        return self.forward(answer)

    def away(self, mail: CapturedMail, back_on: date, *, reply_id: str = "") -> httpx2.Response:
        """The recipient's mailbox answered by itself: out of office."""
        answer = self._answer_to(mail, f"Automatic reply: {mail.subject}", reply_id)
        answer["Auto-Submitted"] = "auto-replied"  # RFC 3834
        answer.set_content(f"I am out of the office and will be back on {back_on.day} {back_on:%B %Y}.\n")
        return self.forward(answer)

    def unsubscribe_by_mail(self, mail: CapturedMail) -> httpx2.Response:
        """Let the mail client write the mail that List-Unsubscribe asks for (RFC 2369)."""
        mailto = re.search(r"<mailto:([^?>\s]+)\?([^>\s]+)>", str(mail.message.get("List-Unsubscribe", "")))
        if mailto is None:
            raise NothingToActOn(f"mail {mail.number} has no mailto to unsubscribe by")
        wish = EmailMessage(policy=SMTP)
        wish["From"], wish["To"] = mail.recipients[0], mailto[1]
        wish["Subject"] = parse_qs(mailto[2])["subject"][0]
        wish["Date"], wish["Message-ID"] = format_datetime(self._clock()), _fresh_id()
        wish.set_content("")
        return self.forward(wish)

    def forward(self, mail: EmailMessage) -> httpx2.Response:
        """Hand a mail over as a mailbox's forwarder does."""
        raw = b64encode(mail.as_bytes()).decode()
        return self._post(INBOUND_PATH, self._forwarder, {"type": "mail.received", "data": {"raw": raw}})

    def _answer_to(self, mail: CapturedMail, subject: str, reply_id: str = "") -> EmailMessage:
        # What the recipient has is SES's own Message-ID, not ours.
        theirs = f"<{mail.provider_id}@email.amazonses.com>"
        answer = EmailMessage(policy=SMTP)
        answer["From"] = mail.recipients[0]
        answer["To"] = str(mail.message.get("Reply-To") or parseaddr(mail.sender)[1])
        answer["Subject"] = subject
        answer["Date"] = format_datetime(self._clock())
        answer["Message-ID"] = f"<{reply_id}@recipients.example>" if reply_id else _fresh_id()
        answer["In-Reply-To"] = theirs
        answer["References"] = theirs
        return answer

    # --- reports of any other system -----------------------------------------------------------------------------

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
        event_of = {
            "type": f"message.{event}",
            "timestamp": (occurred_at or self._clock()).isoformat(),
            "data": {"message_id": mail.message_id, **data},
        }
        return self._post(EVENTS_PATH, self._signer, event_of, delivery_id)

    def _post(self, path: str, signer: Webhook, body: object, delivery_id: str = "") -> httpx2.Response:
        now = self._clock()
        delivery_id = delivery_id or f"evt_{uuid4().hex}"
        content = json.dumps(body)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer.sign(msg_id=delivery_id, timestamp=now, data=content),
        }
        return self._http.post(f"{self._public_url}{path}", content=content, headers=headers)

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


def _fresh_id() -> str:
    return f"<{uuid4()}@recipients.example>"
