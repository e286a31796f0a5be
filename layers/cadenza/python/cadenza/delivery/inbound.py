"""Which of our messages a received mail is about; from then on it is a signal like any other.

What is most certain decides: the message that the mail names outright; then its references, the nearest first, by our
own Message-IDs or by those that SES has put in their place; then the latest mail that the addressed identity has sent
to whoever wrote this one, which is believed only where nothing speaks for a forged sender.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.core.db import Database
from cadenza.core.ids import MessageId
from cadenza.core.log import get_logger
from cadenza.core.messages import Grade, MailNature, MailReceived, SignalKind, SignalReported
from cadenza.core.states import MessageStatus
from cadenza.core.tables.base import literals

PROVIDER: Final = "inbound"
"""The ``provider`` of the signals: a mail is one event, by whichever way, and however often, it was handed to us."""

_KINDS: Final = {
    MailNature.REPLY: SignalKind.REPLIED,
    MailNature.OUT_OF_OFFICE: SignalKind.REPLIED,
    MailNature.AUTO_REPLY: SignalKind.REPLIED,
    MailNature.BOUNCE: SignalKind.BOUNCED,
    MailNature.OPT_OUT: SignalKind.UNSUBSCRIBED,
}
_AUTOMATIC: Final = frozenset({MailNature.OUT_OF_OFFICE, MailNature.AUTO_REPLY})
_OF_PERSONS: Final = frozenset(MailNature) - {MailNature.BOUNCE}
"""Written in somebody's name. A bounce comes from a mail system, whose address does not say who was not reached."""

_OWN_ID: Final = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@.+", re.IGNORECASE)
"""`cadenza.delivery.mime`."""
_SES_ID: Final = re.compile(r"([^@]+)@(?:email|[a-z0-9-]+)\.amazonses\.com", re.IGNORECASE)
"""`cadenza.delivery.providers.ses`."""
_UNDER_WAY: Final = literals(MessageStatus.SENDING, MessageStatus.UNKNOWN)


class Inbound:
    """What the execute function does with the mails of a batch."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def signals(self, mails: Sequence[MailReceived]) -> list[SignalReported]:
        """The signals that the mails are. Mails about nothing that we have sent are counted, logged and dropped."""
        with self._database.worker() as conn:
            found = find_messages(conn, mails)
        unmatched = [mail.nature for place, mail in enumerate(mails) if place not in found]
        if unmatched:
            get_logger().warning("mail.unmatched", count=len(unmatched), natures=sorted(set(unmatched)))
        return [_signal(mails[place], message_id) for place, message_id in sorted(found.items())]


def find_messages(conn: Connection, mails: Sequence[MailReceived]) -> dict[int, MessageId]:
    """The message that each mail is about, by the mail's place; in one statement, however many there are."""
    clues = [clue for place, mail in enumerate(mails) for clue in _clues(place, mail)]
    if not clues:
        return {}
    rows: Sequence[Any] = conn.execute(_FIND, {"clues": json.dumps(clues)}).all()
    return {row.place: MessageId(row.message_id) for row in rows}


_FIND = text(f"""
    WITH clue AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(CAST(:clues AS jsonb))
            AS c(place int, rank int, own uuid, provider_id text, sender text, recipient text)
    ), identity AS (
        SELECT c.place, c.rank, c.sender, s.id, s.workspace_id
        FROM clue c JOIN sender_identities s ON lower(s.email) = c.recipient
        UNION
        SELECT c.place, c.rank, c.sender, s.id, s.workspace_id
        FROM clue c JOIN sender_identities s ON lower(s.reply_to) = c.recipient AND s.reply_to <> ''
    ), found AS (
        SELECT c.place, c.rank, m.id, m.sent_at FROM clue c JOIN outbound_messages m ON m.id = c.own
        UNION ALL
        SELECT c.place, c.rank, m.id, m.sent_at
        FROM clue c JOIN outbound_messages m ON m.provider_message_id = c.provider_id
        UNION ALL
        SELECT i.place, i.rank, latest.id, latest.sent_at
        FROM identity i
        JOIN contacts k ON k.workspace_id = i.workspace_id AND lower(k.email) = i.sender
        CROSS JOIN LATERAL (
            SELECT m.id, m.sent_at FROM outbound_messages m
            WHERE m.contact_id = k.id AND m.sender_id = i.id
              -- A mailbox may answer before the send that it answers has been written down.
              AND (m.sent_at IS NOT NULL OR m.status IN ({_UNDER_WAY}))
            ORDER BY m.sent_at DESC NULLS FIRST, m.id DESC LIMIT 1
        ) latest
    )
    SELECT DISTINCT ON (place) place, id AS message_id FROM found ORDER BY place, rank, sent_at DESC NULLS FIRST, id
""")


def _clues(place: int, mail: MailReceived) -> Iterator[dict[str, object]]:
    """What speaks for a message, the most certain first (by ``rank``)."""
    rank = 0
    if mail.about is not None:
        yield {"place": place, "rank": rank, "own": str(mail.about)}
    for reference in mail.references:
        rank += 1
        if own := _OWN_ID.fullmatch(reference):
            yield {"place": place, "rank": rank, "own": str(UUID(own[1]))}
        elif ses := _SES_ID.fullmatch(reference):
            yield {"place": place, "rank": rank, "provider_id": ses[1]}
    if mail.authentic and mail.sender and mail.nature in _OF_PERSONS:
        for recipient in mail.recipients:
            yield {"place": place, "rank": rank + 1, "sender": mail.sender, "recipient": recipient}


def _signal(mail: MailReceived, message_id: MessageId) -> SignalReported:
    return SignalReported(
        correlation_id=mail.correlation_id,
        provider=PROVIDER,
        provider_event_id=mail.mail_id,
        message_id=message_id,
        kind=_KINDS[mail.nature],
        occurred_at=mail.occurred_at,
        grade=Grade.MACHINE if mail.nature in _AUTOMATIC else Grade.HUMAN,
        grade_reasons=mail.reasons if mail.nature in _AUTOMATIC else (),
        hard=mail.hard,
        away_until=mail.away_until,
        payload=mail.payload,
    )
