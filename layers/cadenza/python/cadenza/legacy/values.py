"""Single values as old systems wrote them: ids, instants, numbers, delays, states, template variables. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar, cast

from pydantic import BeforeValidator

from cadenza.contacts.sheets import is_storable
from cadenza.core.states import CampaignStatus, CampaignType
from cadenza.planning.durations import BadDuration, parse_duration

T = TypeVar("T")

MAX_LINE: Final = 200
MAX_TEXT: Final = 100_000
_EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_LARGEST_SECONDS: Final = 10_000_000_000
"""More is milliseconds: as seconds it would lie after the year 2286."""
_BOXES: Final = ("$oid", "$numberLong", "$numberInt", "$numberDouble", "$numberDecimal", "$uuid", "$date")


def _unboxed(value: object) -> object:
    """What MongoDB's extended JSON has put into an object of one field."""
    for _ in range(2):  # {"$date": {"$numberLong": "1700000000000"}}
        if not isinstance(value, dict):
            return value
        box = cast("dict[str, object]", value)
        name = next(iter(box), "")
        if len(box) != 1 or name not in _BOXES:
            return box
        value = box[name]
    return value


def _text(value: object, longest: int) -> str:
    value = _unboxed(value)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("is not a text")  # noqa: TRY004 - Pydantic's way
    text = str(value).strip()
    if not is_storable(text):
        raise ValueError("contains a NUL character or half of a surrogate pair")
    if len(text) > longest:
        raise ValueError(f"is longer than {longest:,} characters")
    return text


def _reference(value: object) -> str:
    """An id, or the id in an object that a database has put in its place."""
    if not isinstance(value, dict):
        return _text(value, MAX_LINE)
    inner = cast("dict[str, object]", value)
    if any(name in inner for name in _BOXES):
        return _text(inner, MAX_LINE)
    found = next((inner[name] for name in ("id", "_id") if name in inner), None)
    if found is None:
        raise ValueError("is an object without an id")
    return _text(found, MAX_LINE)


def read_instant(value: object) -> datetime | None:
    """An instant in ISO 8601 (UTC, where it has no offset) or since 1970, in seconds or milliseconds; "" is none."""
    value = _unboxed(value)
    if value in (None, ""):
        return None
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{9,16}(\.\d+)?\s*", value):
        value = float(value)
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip())
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            found = datetime.fromtimestamp(value / 1000 if abs(value) > _LARGEST_SECONDS else value, UTC)
        else:
            raise ValueError("neither text nor number")  # noqa: TRY301 - told below, in one form
        found = (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError("is no instant: write it as 2026-01-31T09:00:00Z") from None
    if not _EARLIEST <= found < _LATEST:
        raise ValueError("is no instant between 1990 and 2200")
    return found


def _number(value: object) -> float | None:
    value = _unboxed(value)
    if value in (None, ""):
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError("neither text nor number")  # noqa: TRY301, TRY004 - told below, in one form
        found = float(str(value).strip().removesuffix("%"))
    except (ValueError, OverflowError):
        raise ValueError("is no number") from None
    if not math.isfinite(found):
        raise ValueError("is no number")
    return found


def _listed(value: object) -> object:
    return [] if value in (None, "") else value


Id = Annotated[str, BeforeValidator(_reference)]
"""An id of the old system; "" is none."""
Line = Annotated[str, BeforeValidator(lambda value: _text(value, MAX_LINE))]
Url = Annotated[str, BeforeValidator(lambda value: _text(value, 2000))]
Words = Annotated[str, BeforeValidator(lambda value: _text(value, MAX_TEXT))]
Instant = Annotated[datetime | None, BeforeValidator(read_instant)]
Number = Annotated[float | None, BeforeValidator(_number)]
Rows = Annotated[list[object], BeforeValidator(_listed)]
Any_ = Annotated[object, BeforeValidator(lambda value: value)]


# --- states ------------------------------------------------------------------------------------------------------


def _table(of: Mapping[T, str]) -> dict[str, T]:
    return {name: state for state, names in of.items() for name in names.split()}


def spoken_state(said: str) -> str:
    """A state's name in the form of the tables below."""
    return re.sub(r"[^a-z]+", "_", said.lower()).strip("_")


CAMPAIGN_STATES: Final = _table(
    {
        CampaignStatus.DRAFT: "draft new created",
        CampaignStatus.SCHEDULED: "scheduled ready",
        CampaignStatus.RUNNING: "running active in_progress sending started",
        CampaignStatus.PAUSED: "paused on_hold suspended",
        CampaignStatus.COMPLETED: "completed complete finished done sent",
        CampaignStatus.CANCELLED: "cancelled canceled stopped archived deleted aborted",
        CampaignStatus.FAILED: "failed error",
    }
)

CAMPAIGN_TYPES: Final = _table(
    {
        CampaignType.OUTREACH: "outreach email cold_email cold_outreach drip manual one_off newsletter",
        CampaignType.LEAD_GENERATION: "lead_generation leadgen lead_gen lead_generation_campaign",
        CampaignType.FULLY_AUTOMATED: "fully_automated automated auto full_auto autopilot",
    }
)

NOT_TO_WRITE_TO: Final = _table(
    {
        "unsubscribed": "unsubscribed opted_out opt_out optout do_not_contact dnc blacklisted blocked suppressed",
        "hard bounce": "bounced hard_bounce hard_bounced invalid undeliverable",
        "complained": "complained complaint spam spam_report marked_as_spam",
    }
)
"""Why somebody may never be written to again, as the engine says it, by what the old system said."""

REPLIED: Final = frozenset({"replied", "reply", "responded", "interested", "not_interested", "meeting", "converted"})
UNTOUCHED: Final = frozenset({"", "new", "active", "pending", "imported", "verified", "enriched", "open", "lead"})
"""Nothing has been sent to a lead of these states."""


class MailState:
    """What an old system says of a mail."""

    PENDING: Final = frozenset({"scheduled", "pending", "queued", "waiting", "planned", "delayed", "retrying"})
    SENT: Final = frozenset({"sent", "delivered", "opened", "clicked", "replied", "completed", "done", "success"})
    BOUNCED: Final = frozenset({"bounced", "hard_bounced"})
    COMPLAINED: Final = frozenset({"complained", "spam"})
    UNSUBSCRIBED: Final = frozenset({"unsubscribed"})
    FAILED: Final = frozenset({"failed", "error", "rejected"})
    SKIPPED: Final = frozenset({"cancelled", "canceled", "skipped", "stopped", "paused"})
    UNSURE: Final = frozenset({"sending", "processing", "in_progress"})
    """The old system was about to send it, or had: it counts as sent, because nobody gets a mail twice."""


METRICS: Final = _table(
    {
        "planned": "totalleads total leads totalcontacts recipients",
        "sent": "sent emailssent totalsent sentcount",
        "delivered": "delivered emailsdelivered totaldelivered",
        "opened": "opened emailsopened opens totalopened uniqueopens",
        "clicked": "clicked emailsclicked clicks totalclicked uniqueclicks",
        "replied": "replied emailsreplied replies totalreplied",
        "bounced": "bounced emailsbounced bounces totalbounced",
        "complained": "complained complaints spamreports",
        "unsubscribed": "unsubscribed unsubscribes emailsunsubscribed",
    }
)
"""Our names of what the old ones counted."""


# --- delays ------------------------------------------------------------------------------------------------------

_UNITS: Final = _table(
    {"M": "minute minutes min mins m", "H": "hour hours hr hrs h", "D": "day days d", "W": "week weeks w"}
)
_SPOKEN_DELAY: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")
_LONGEST_DAYS: Final = 366


def read_delay(fields: Mapping[str, object]) -> tuple[str, str]:
    """A step's delay as an ISO 8601 duration, and a note where its unit had to be assumed.

    Raises:
        ValueError: It is none; the message says what is wanted.
    """
    said = _unboxed(next((fields[name] for name in ("delay", "wait", "waitfor") if name in fields), None))
    unit = _text(next((fields[name] for name in ("delayunit", "unit") if name in fields), ""), MAX_LINE)
    if isinstance(said, Mapping):
        inner = cast("Mapping[str, object]", said)
        if "value" in inner or "amount" in inner:
            said, unit = inner.get("value", inner.get("amount")), _text(inner.get("unit", ""), MAX_LINE)
        else:
            return _parts(inner, ("", "")), ""
    if said in (None, ""):
        return _parts(fields, ("delay", "wait")), ""
    if isinstance(said, str) and len(said) > MAX_LINE:
        raise ValueError("is longer than any delay")
    if isinstance(said, str) and said.strip().upper().startswith("P"):
        try:
            parse_duration(said.strip().upper())
        except BadDuration as error:
            raise ValueError(str(error)) from None
        return said.strip().upper(), ""
    if isinstance(said, str) and (spoken := _SPOKEN_DELAY.fullmatch(said.strip().lower())):
        said, unit = spoken[1], spoken[2]
    number = _number(said)
    if number is None or number < 0:
        raise ValueError("is negative, or no delay: write it as P3D or PT12H")
    if not unit and number > _LONGEST_DAYS:
        raise ValueError("has no unit: say delayUnit (minutes, hours, days or weeks)")
    note = "" if unit or not number else f"the delay {number:g} has no unit: taken as days"
    return _duration(number, unit or "days"), note


def _parts(fields: Mapping[str, object], prefixes: tuple[str, ...]) -> str:
    minutes = 0.0
    days = 0.0
    for prefix in dict.fromkeys((*prefixes, "")):
        for name in ("weeks", "days", "hours", "minutes"):
            number = _number(fields.get(prefix + name))
            if number is None:
                continue
            if number < 0:
                raise ValueError("is negative: a step comes after the one before")
            match name:
                case "weeks":
                    days += 7 * number
                case "days":
                    days += number
                case "hours":
                    minutes += 60 * number
                case _:
                    minutes += number
        if days or minutes:
            break
    return _joined(days, minutes)


def _duration(number: float, unit: str) -> str:
    letter = _UNITS.get(unit.lower())
    if letter is None:
        raise ValueError("has a unit that is none of minutes, hours, days, weeks")
    match letter:
        case "W":
            return _joined(7 * number, 0)
        case "D":
            return _joined(number, 0)
        case "H":
            return _joined(0, 60 * number)
        case _:
            return _joined(0, number)


def _joined(days: float, minutes: float) -> str:
    whole = int(days)
    minutes += (days - whole) * 24 * 60
    exact = f"T{round(minutes)}M" if round(minutes) else ""
    text = f"P{f'{whole}D' if whole else ''}{exact}" if whole or exact else "PT0S"
    try:
        parse_duration(text)
    except BadDuration as error:
        raise ValueError(str(error)) from None
    return text
