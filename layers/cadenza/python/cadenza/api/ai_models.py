"""What the API answers about the use of AI."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import computed_field

from cadenza.api.models import Answer
from cadenza.core.states import AiOutcome


class Used(Answer):
    """What calls of one kind took on a UTC day.

    ``unusable`` ones were paid for, but refused, cut off or wrong. Of ``unknown`` ones nobody heard how they ended:
    they count with the most that they can have cost. Without a known price (``priced``) the cost is given as 0.
    """

    day: date
    purpose: str
    model: str
    prompt_version: str
    outcome: AiOutcome
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd_micros: int
    priced: bool


class Budget(Answer):
    """How the workspace stands today (UTC). Null: there is no limit. ``reserved`` is what calls under way may cost."""

    budget_usd_micros: int | None
    spent_usd_micros: int
    reserved_usd_micros: int
    left_usd_micros: int | None
    under_way: int
    concurrency: int


class Breaker(Answer):
    """A provider that has failed. ``open_until`` null: it is well; past: the next call tries it."""

    provider: str
    failures: int
    open_until: datetime | None
    reason: str
    updated_at: datetime


class Usage(Answer):
    """The use of AI, day by day, the newest first."""

    first: date
    last: date
    today: Budget
    items: tuple[Used, ...]
    breakers: tuple[Breaker, ...]

    @computed_field
    @property
    def total_calls(self) -> int:
        """How many calls of these days there were."""
        return sum(item.calls for item in self.items)

    @computed_field
    @property
    def total_cost_usd_micros(self) -> int:
        """What they cost, in millionths of a US dollar."""
        return sum(item.cost_usd_micros for item in self.items)
