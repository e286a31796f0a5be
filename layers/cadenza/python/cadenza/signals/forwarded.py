"""Mail that anybody's mailbox forwards to us: signed the Standard Webhooks way, with the whole mail inside.

Body: ``{"type": "mail.received", "data": {"raw": "<base64 of the RFC 5322 message>", "recipient": "ada@…"}}``.
``recipient``, the envelope's, is optional. The signature is that of `cadenza.signals.events`, with a secret of its own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel

from cadenza.core.messages import MailReceived
from cadenza.signals import mail_in
from cadenza.signals.payloads import decoded, json_object, read

SOURCE: Final = "inbound"
_EXPECTED: Final = "this is not a forwarded mail"


class _Data(BaseModel):
    raw: str
    recipient: str = ""


class _Forwarded(BaseModel):
    type: Literal["mail.received"]
    data: _Data


def parse(raw_body: bytes, received_at: datetime) -> MailReceived | None:
    """The message that carries a verified mail on; None if it is nothing for us.

    Raises:
        InvalidInput: Not JSON, or not of the documented shape; the problems point at the fields.
    """
    data = read(_Forwarded, json_object(raw_body, _EXPECTED), _EXPECTED).data
    raw = decoded(data.raw, "/data/raw", _EXPECTED)
    return mail_in.take(raw, received_at, recipients=(data.recipient,) if data.recipient else ())
