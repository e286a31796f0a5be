"""What the API answers about what came of messages."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from cadenza.api.models import Answer
from cadenza.figures.reply_times import Bar
from cadenza.figures.reports import By, Figures, Line


class Period(Answer):
    """Which messages: ``campaign_id`` null means all campaigns; null days mean no bound. Days are those of ``zone``."""

    campaign_id: UUID | None
    since: date | None
    until: date | None
    zone: str


class FunnelReport(Period):
    """What came of messages, in total and line by line. ``cut``: there are more lines than are shown."""

    by: By
    total: Figures
    items: tuple[Line, ...]
    cut: bool


class ReplyTimeReport(Period):
    """How long people took to answer, from the sending of the message that they answered; no items without replies."""

    replies: int
    median_s: float | None
    p90_s: float | None
    items: tuple[Bar, ...]
