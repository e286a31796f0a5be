"""What an SMTP server's refusal says: about the message, about the sender, or about nothing that lasts. Pure.

A sender's trouble must not burn its messages: whoever mends the password finds them where they were.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from cadenza.delivery.model import MessageTrouble, Rejected, SenderRefused, SenderTrouble


class Stage(StrEnum):
    """Where in the conversation a reply came."""

    GREETING = "greeting"
    STARTTLS = "starttls"
    LOGIN = "login"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"


ACCOUNT_CODES: Final = frozenset({530, 534, 535, 538})
"""Who we are is not accepted, wherever it is said (RFC 4954 §6)."""

# Enhanced status codes (RFC 3463 and its IANA registry; Gmail's and Exchange Online's lists of SMTP errors).
ACCOUNT_STATUS: Final = frozenset(
    {
        *("5.1.7", "5.1.8"),  # the sender's address or its domain is not accepted
        *("5.7.8", "5.7.9", "5.7.11", "5.7.14"),  # credentials; Gmail's 5.7.9 wants an app password, 5.7.14 a sign-in
        *("5.7.3", "5.7.57", "5.7.64", "5.7.139"),  # Exchange: not authenticated, or SMTP login is switched off
        *("5.2.252", "5.7.60"),  # Exchange: may not send as this address
        *("5.7.501", "5.7.502", "5.7.503"),  # Exchange: the account is banned from sending
    }
)
LIMIT_STATUS: Final = frozenset({"5.4.5", "5.1.90", "5.7.232", "5.7.233", "5.7.705", "5.7.750"})
"""The account has sent enough for today (Gmail's 5.4.5, Exchange's others): it may go on by itself."""
SIZE_STATUS: Final = frozenset({"5.2.3", "5.3.4"})
"""What is refused at MAIL for the message's own sake: it is too big (RFC 3463)."""

TOO_BIG: Final = 552
CLOSING: Final = 421
PERMANENT: Final = 500

_STATUS: Final = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_MAX_SAID: Final = 300


def judged(stage: Stage, code: int, reply: str) -> Rejected | MessageTrouble:
    """The verdict on a refusal: `Rejected` is the message's own end, the others are to be raised."""
    found = _STATUS.match(reply)
    status = found[1] if found else ""
    detail = f"SMTP: {stage} {code} {status}".rstrip()
    said = f"SMTP {stage}: {code} {said_in(reply)}".rstrip()
    if code < PERMANENT or code == CLOSING or status in LIMIT_STATUS:
        # A recipient may be greylisted or full; whatever else is passing concerns the connection or the account.
        alone = stage is Stage.RCPT and code != CLOSING and status not in LIMIT_STATUS
        return MessageTrouble(detail, said) if alone else SenderTrouble(detail, said)
    if code in ACCOUNT_CODES or status in ACCOUNT_STATUS:
        return SenderRefused(detail, said)
    match stage:
        case Stage.GREETING:
            return SenderTrouble(detail, said)  # said before it knew who we are
        case Stage.STARTTLS | Stage.LOGIN:
            return SenderRefused(detail, said)
        case Stage.MAIL if code != TOO_BIG and status not in SIZE_STATUS:
            return SenderRefused(detail, said)  # MAIL says who sends, and nothing of the message but its size
        case Stage.MAIL | Stage.RCPT | Stage.DATA:
            return Rejected(said)


def said_in(reply: str) -> str:
    """A server's words as one line for people."""
    return " ".join(reply.split())[:_MAX_SAID]
