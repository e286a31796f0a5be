"""What a mail to one of our senders is: an answer, an absence, a bounce, an opt-out, or nothing of ours.

Pure: from an `IncomingMail` to a `Verdict`. Which of our messages it is about is for the database to say
(`cadenza.delivery.inbound`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from pydantic import JsonValue

from cadenza.core.ids import MessageId
from cadenza.core.messages import OUT_OF_OFFICE, MailNature, MailReceived
from cadenza.signals.absence import away_until
from cadenza.signals.mime_in import IncomingMail, Report, mentioned_ids, read_mail

MAX_LATE: Final = timedelta(days=7)
"""A forwarder may have been away. What claims to be older than that has a wrong clock."""

_OPT_OUT_SUBJECT: Final = re.compile(
    r"\s*unsubscribe\s+([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s*", re.IGNORECASE
)
"""What `cadenza.delivery.mime` puts into the mailto of List-Unsubscribe."""
_OPT_OUT_WORDS: Final = re.compile(
    r"(?:(?:please|bitte|s'il vous plaît|por favor)[, ]+)?"
    r"(?:unsubscribe(?: me)?|remove me(?: from (?:your|the|this) list)?|opt[ -]?out|stop|take me off (?:your|the) list"
    r"|abmelden|austragen|abbestellen|me désabonner|désabonner|désinscription|désinscrire|me désinscrire"
    r"|baja|darme de baja|cancelar (?:la )?suscripción|eliminarme"
    r"|cancelar (?:a )?inscrição|cancelar (?:a )?subscrição|descadastrar|remover)"
    r"(?:[, ]+(?:please|bitte|s'il vous plaît|por favor|thanks|thank you|danke|merci|gracias|obrigad[oa]))?[\s.!]*",
    re.IGNORECASE,
)
"""A mail that says this and nothing else. Anything longer is for a person to read; it stops the campaign anyway."""

_AUTOMATIC_SUBJECT: Final = re.compile(
    r"(?:\[[^\]]*\]\s*)?(?:automatic reply|auto(?:matic)?[- ]?(?:reply|response|responder)|automatische antwort"
    r"|réponse automatique|respuesta automática|resposta automática)\b",
    re.IGNORECASE,
)
_AWAY_SUBJECT: Final = re.compile(
    r"\b(?:out of (?:the )?office|ooo|on (?:annual leave|vacation|holiday|parental leave)"
    r"|abwesenheit\w*|abwesend|nicht (?:im (?:büro|haus)|erreichbar)"
    r"|absence|absent(?:e)? du bureau|fuera de (?:la )?oficina|ausencia|ausente|ausência|fora do escritório)\b",
    re.IGNORECASE,
)
_AWAY_TEXT: Final = re.compile(
    r"\b(?:out of (?:the )?office|away from (?:the|my) (?:office|desk)|(?:annual|parental|sick) leave|on leave"
    r"|(?:on|from) (?:vacation|holidays?)|currently away|be away|am away|limited access to (?:my )?e-?mail"
    r"|abwesend|abwesenheit|im urlaub|nicht im (?:büro|haus)|nicht erreichbar|elternzeit"
    r"|absent(?:e)?|en congés?|en vacances|fuera de (?:la )?oficina|de vacaciones|ausente"
    r"|fora do escritório|de férias)\b",
    re.IGNORECASE,
)
_QUOTE: Final = re.compile(
    r"^(?:>|-{2,} ?(?:original message|ursprüngliche nachricht|message d'origine|mensaje original|mensagem original)"
    r"|_{10,}|(?:from|von|de) ?: .*@"
    r"|(?:on|am|le|el|em) .{4,80}(?:wrote|schrieb|a écrit|escribió|escreveu)\b.*:?$)",
    re.IGNORECASE | re.MULTILINE,
)
"""Where an answer ends and what it answers begins."""
_MAIL_SYSTEM: Final = re.compile(r"(?:mailer-daemon|mail-?delivery[\w.-]*)@", re.IGNORECASE)
_STATUS: Final = re.compile(r"\b([45])\.(\d{1,3})\.(\d{1,3})\b")
_OUR_FAULT: Final = re.compile(r"5\.(?:2\.[23]|3\.4|6\.\d+|7\.\d+)")
"""RFC 3463: the mailbox is full, the mail too long, its form or content not wanted. The address is right."""
_FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a mail is. ``about`` is our message if the mail names it outright."""

    nature: MailNature
    reasons: tuple[str, ...] = ()
    about: MessageId | None = None
    hard: bool | None = None
    away_until: date | None = None


def take(
    raw: bytes, received_at: datetime, *, recipients: tuple[str, ...] = (), authentic: bool = True
) -> MailReceived | None:
    """The message that carries this mail on; None if it is nothing for us.

    ``recipients`` are those of its envelope, if known; ``authentic`` is False if its sender is known to be forged.
    """
    mail = read_mail(raw)
    occurred_at = _occurred_at(mail, received_at)
    verdict = classify(mail, occurred_at.date() if mail.date is None else mail.date.date())
    if verdict is None:
        return None
    references = mail.references
    if verdict.nature is MailNature.BOUNCE and not references:
        references = mentioned_ids(mail.text)
    known = (address.strip().lower() for address in recipients)
    return MailReceived(
        mail_id=sha256(mail.message_id.encode() or raw).hexdigest()[:40],
        nature=verdict.nature,
        occurred_at=occurred_at,
        about=verdict.about,
        references=references,
        sender=mail.sender,
        recipients=tuple(dict.fromkeys((*known, *mail.recipients))),
        authentic=authentic,
        reasons=verdict.reasons,
        hard=verdict.hard,
        away_until=verdict.away_until,
        payload=_payload(mail),
    )


def classify(mail: IncomingMail, sent_on: date) -> Verdict | None:
    """What the mail is, by what it says of itself; None: not for us. Its dates are read from ``sent_on`` on."""
    if mail.reports:
        return _reported(mail.reports)
    if match := _OPT_OUT_SUBJECT.fullmatch(mail.subject):
        return Verdict(MailNature.OPT_OUT, about=MessageId(UUID(match[1])))
    words = _own_words(mail.text)
    if _MAIL_SYSTEM.match(mail.sender) or not mail.sender:
        return _bounced_in_prose(mail)
    if _is_list(mail) and not mail.references:
        return None
    reasons = tuple(_automatic(mail))
    if not reasons:
        opts_out = _OPT_OUT_WORDS.fullmatch(words) or (not words and _OPT_OUT_WORDS.fullmatch(mail.subject))
        return Verdict(MailNature.OPT_OUT if opts_out else MailNature.REPLY)
    back_on = away_until(words, sent_on) or away_until(mail.subject, sent_on)
    if _AWAY_SUBJECT.search(mail.subject) or _AWAY_TEXT.search(words) or back_on:
        return Verdict(MailNature.OUT_OF_OFFICE, (OUT_OF_OFFICE, *reasons), away_until=back_on)
    return Verdict(MailNature.AUTO_REPLY, ("auto_reply", *reasons))


def _automatic(mail: IncomingMail) -> list[str]:
    """Why the mail was written by a machine; empty for a person's."""
    headers, found = mail.headers, list[str]()
    if headers.get("auto-submitted", "no").partition(";")[0].strip().lower() != "no":
        found.append("auto_submitted")  # RFC 3834 §5
    if "x-autoreply" in headers or "x-autorespond" in headers:
        found.append("auto_reply_header")
    if headers.get("precedence", "").lower() in {"auto_reply", "bulk", "junk"}:
        found.append("precedence")
    if headers.get("return-path", "").strip() == "<>":
        found.append("null_sender")  # RFC 3834 §3.3
    if _AUTOMATIC_SUBJECT.match(mail.subject):
        found.append("automatic_subject")
    elif _AWAY_SUBJECT.match(mail.subject):
        found.append("away_subject")
    return found


def _is_list(mail: IncomingMail) -> bool:
    """Whether a mailing list or newsletter sent it (RFC 2369, 2919). An answer from a shared mailbox looks the same."""
    return (
        any(name.startswith("list-") for name in mail.headers) or mail.headers.get("precedence", "").lower() == "list"
    )


# --- bounces -----------------------------------------------------------------------------------------------------


def _reported(reports: tuple[Report, ...]) -> Verdict | None:
    """A bounce, if any recipient failed. A delay is no end, and a delivery is no news."""
    failed = [report for report in reports if report.action == _FAILED]
    if not failed:
        return None
    statuses = [report.status for report in failed]
    return Verdict(MailNature.BOUNCE, tuple(filter(None, statuses)), hard=any(map(_is_hard, statuses)))


def _is_hard(status: str) -> bool:
    """Whether the address is dead: the class says permanent (RFC 3463 §3.1), and the rest does not blame the mail."""
    return status.startswith("5") and not _OUR_FAULT.fullmatch(status)


def _bounced_in_prose(mail: IncomingMail) -> Verdict | None:
    """A bounce in nobody's format, from a mail system: by the status in its text; without one, nothing to act on."""
    match = _STATUS.search(mail.text)
    if match is None:
        return None
    return Verdict(MailNature.BOUNCE, (match[0],), hard=_is_hard(match[0]))


# --- around it ---------------------------------------------------------------------------------------------------


def _own_words(text: str) -> str:
    """The text without what it quotes, and without a signature (RFC 3676 §4.3)."""
    cut = _QUOTE.search(text)
    return re.split(r"^-- ?$", text[: cut.start()] if cut else text, maxsplit=1, flags=re.MULTILINE)[0].strip()


def _occurred_at(mail: IncomingMail, received_at: datetime) -> datetime:
    """When it was written, as far as its own date can be believed.

    That date has whole seconds: the last instant that it can mean, since no answer is older than what it answers.
    """
    if mail.date is None or not received_at - MAX_LATE <= mail.date <= received_at:
        return received_at
    return min(mail.date.astimezone(received_at.tzinfo) + timedelta(microseconds=999_999), received_at)


def _payload(mail: IncomingMail) -> dict[str, JsonValue]:
    """What is kept of the mail, for people who look at the timeline."""
    reports: list[JsonValue] = [
        {"action": r.action, "status": r.status, "diagnostic": r.diagnostic} for r in mail.reports
    ]
    kept: dict[str, JsonValue] = {
        "from": mail.sender,
        "to": list(mail.recipients),
        "subject": mail.subject,
        "text": mail.text,
        "message_id": mail.message_id,
        "references": list(mail.references),
        "date": mail.date.isoformat() if mail.date else "",
        "headers": dict(mail.headers),
        "reports": reports,
    }
    return {name: value for name, value in kept.items() if value}
