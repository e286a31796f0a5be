"""A mail provider that delivers to nobody: speaks SES v2's SendEmail and keeps whole requests.

``POST /v2/email/outbound-emails`` takes what boto3's ``sesv2.send_email`` sends with raw content. Each mail is kept in
memory and, as ``.eml`` and ``.json``, in a folder; then a callback may play its recipient.
"""

from __future__ import annotations

import base64
import binascii
import email
import email.policy
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from http import HTTPStatus
from pathlib import Path
from typing import Final
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.wrappers import Request, Response

from cadenza.core.clock import utc_now
from local.world.server import LoopbackServer

SEND_PATH: Final = "/v2/email/outbound-emails"
ACCOUNT_PATH: Final = "/v2/email/account"
MESSAGE_TAG: Final = "cadenza-message-id"


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Raw(_Wire):
    data: str = Field(alias="Data")


class _Content(_Wire):
    raw: _Raw = Field(alias="Raw")


class _Destination(_Wire):
    to: tuple[str, ...] = Field(default=(), alias="ToAddresses")
    cc: tuple[str, ...] = Field(default=(), alias="CcAddresses")
    bcc: tuple[str, ...] = Field(default=(), alias="BccAddresses")


class _Tag(_Wire):
    name: str = Field(alias="Name")
    value: str = Field(alias="Value")


class _SendEmail(_Wire):
    sender: str = Field(default="", alias="FromEmailAddress")
    destination: _Destination = Field(default=_Destination(), alias="Destination")
    content: _Content = Field(alias="Content")
    tags: tuple[_Tag, ...] = Field(default=(), alias="EmailTags")
    configuration_set: str = Field(default="", alias="ConfigurationSetName")


@dataclass(frozen=True)
class CapturedMail:
    """One SendEmail request, whole: as it came (``headers``, ``body``), and what it says."""

    number: int
    provider_id: str
    captured_at: datetime
    headers: Mapping[str, str]
    body: bytes
    sender: str
    recipients: tuple[str, ...]
    tags: Mapping[str, str]
    configuration_set: str
    raw: bytes
    message: EmailMessage

    @property
    def message_id(self) -> str:
        """Our own id of the message, from its tag; "" if it was sent without one."""
        return self.tags.get(MESSAGE_TAG, "")

    @property
    def subject(self) -> str:
        """The decoded subject."""
        return str(self.message.get("Subject", ""))

    @property
    def text(self) -> str:
        """The decoded plain text part, or ""."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The decoded HTML part, or ""."""
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.message.get_body(preferencelist=(kind,))
        return str(part.get_content()) if part is not None else ""


class MailCapture(LoopbackServer):
    """The provider. ``captured`` lists all mails in order of arrival; ``failures`` what the callback raised.

    ``account`` is what GetAccount says of the quota.

    ``on_mail`` runs after the answer, one mail at a time, in order, on a thread of its own.
    """

    def __init__(self, folder: Path, *, port: int = 0, on_mail: Callable[[CapturedMail], None] | None = None) -> None:
        super().__init__(Request.application(self._answer), port)
        folder.mkdir(parents=True, exist_ok=True)
        self.captured: list[CapturedMail] = []
        self.account: dict[str, float] = {"Max24HourSend": 50_000, "MaxSendRate": 500}
        self.failures: list[Exception] = []
        self._folder = folder
        self._on_mail = on_mail
        self._lock = threading.Lock()
        self._recipients = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recipients")

    def close(self) -> None:
        """See `LoopbackServer`. A callback under way ends first; waiting ones are dropped."""
        self._recipients.shutdown(wait=True, cancel_futures=True)
        super().close()

    def _answer(self, request: Request) -> Response:
        if request.path == ACCOUNT_PATH and request.method == "GET":
            said = {"SentLast24Hours": len(self.captured), **self.account}
            return Response(json.dumps({"SendQuota": said}), mimetype="application/json")
        if request.path != SEND_PATH or request.method != "POST":
            return _error(HTTPStatus.NOT_FOUND, "NotFoundException", f"{request.method} {request.path} is not captured")
        body = request.get_data()
        try:
            wanted = _SendEmail.model_validate_json(body)
            raw = base64.b64decode(wanted.content.raw.data, validate=True)
        except (ValidationError, binascii.Error) as error:
            return _error(HTTPStatus.BAD_REQUEST, "BadRequestException", f"only raw content is captured: {error}")
        mail = self._keep(wanted, raw, body, dict(request.headers.items()))
        if self._on_mail is not None:
            self._recipients.submit(self._play, self._on_mail, mail)
        return Response(f'{{"MessageId":"{mail.provider_id}"}}', mimetype="application/json")

    def _keep(self, wanted: _SendEmail, raw: bytes, body: bytes, headers: Mapping[str, str]) -> CapturedMail:
        message = email.message_from_bytes(raw, policy=email.policy.default)
        to = wanted.destination
        with self._lock:
            mail = CapturedMail(
                number=len(self.captured) + 1,
                provider_id=f"{uuid4()}-000000",  # SES ids end like this
                captured_at=utc_now(),
                headers=headers,
                body=body,
                sender=wanted.sender or str(message.get("From", "")),
                recipients=(*to.to, *to.cc, *to.bcc) or tuple(str(a) for a in message.get_all("To", ())),
                tags={tag.name: tag.value for tag in wanted.tags},
                configuration_set=wanted.configuration_set,
                raw=raw,
                message=message,
            )
            self.captured.append(mail)
        (self._folder / f"{mail.number:04d}.eml").write_bytes(raw)
        (self._folder / f"{mail.number:04d}.json").write_bytes(body)
        return mail

    def _play(self, on_mail: Callable[[CapturedMail], None], mail: CapturedMail) -> None:
        try:
            on_mail(mail)
        except Exception as error:  # noqa: BLE001 - a recipient's mishap is kept for the demo to report
            self.failures.append(error)


def _error(status: HTTPStatus, kind: str, message: str) -> Response:
    """An error as AWS's REST-JSON protocol words it: the type in a header, where botocore looks."""
    response = Response(json.dumps({"message": message}), status=status, mimetype="application/json")
    response.headers["x-amzn-ErrorType"] = kind
    return response
