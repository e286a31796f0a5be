"""What holds for all of a workspace, as the API takes and answers it."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StrictBool

from cadenza.campaigns.model import FirstN
from cadenza.contacts.countries import CountryPolicy
from cadenza.core.queues import MAX_DELAY_S
from cadenza.core.states import (
    ApprovalMode,
    UnknownPolicy,
)
from cadenza.engine.rules import EVERY_DAY, Holidays, HolidaysOf, WorkingDays, WorkingHours

Positive = Annotated[int, Field(ge=1, le=2_147_483_647)]


Percent = Annotated[float, Field(gt=0, le=100, multiple_of=0.01)]


class AutomationSettings(WorkingHours):
    """What holds for every campaign of the workspace, unless it says otherwise.

    Null caps mean no limit. ``lead_stagger_s`` lies between the crawls of sites that come in at once, ``stagger_s``
    between two plans of one lead. At most ``ai_concurrency`` calls of a model are under way at once; what they cost in
    a UTC day, in millionths of a US dollar, never passes ``ai_daily_budget_usd_micros``. ``unknown_bound_s`` is how
    long a message whose fate is unknown waits for news of it, and ``unknown_policy`` says what becomes of it then;
    ``offline_fallback`` allows reports and plans by rule where a model has none, or the budget allows no more.
    ``retry_when_budget_renews``: what was skipped for the budget of a UTC day is asked for again once that is over.
    ``stop_company_on_reply``: one person's reply stops what goes to everybody of the same lead. An address's
    ``soft_bounce_limit``-th soft bounce within ``soft_bounce_days`` acts as a hard one (null: none does). An absence
    note without a date holds its person for ``absence_days``. Opens and clicks within ``scan_window_s`` of delivery
    are taken for a scanner's (0: none are).

    ``contact_gap_s`` lies between messages of two campaigns to one person (a plan's own steps pace themselves);
    ``frequency_cap`` is how many messages a person may have in ``frequency_days`` (of 24 hours) over all campaigns;
    ``domain_gap_s`` lies between two mails to one domain, but for those of mailbox providers; 0 means none.

    A campaign or a sender is paused when, over ``reputation_days`` UTC days and at least ``reputation_min_sent``
    messages, as many percent as said bounce for good or bring complaints; null pauses nothing.

    ``country_policy`` is what is asked for before people of a country are written to.

    ``approval_mode`` says whether people look at plans before anything is sent: never, at each, or until
    ``approval_first_n`` of a campaign's plans have been approved. It binds plans that are made from now on.

    ``enabled`` is the switch of automation; left out, or null, it stays as it is (`toggle_automation` turns it too).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

    working_days: WorkingDays = EVERY_DAY
    holidays_country: HolidaysOf = ""
    extra_holidays: Holidays = ()
    daily_cap: Positive | None = None
    stagger_s: int = Field(default=5, ge=0, le=MAX_DELAY_S)
    lead_stagger_s: int = Field(default=1, ge=0, le=MAX_DELAY_S)
    ai_concurrency: int = Field(default=5, ge=1, le=1000)
    ai_daily_budget_usd_micros: int | None = Field(default=None, ge=0, le=10**15)
    unknown_bound_s: int = Field(default=86_400, ge=60, le=30 * 86_400)
    unknown_policy: UnknownPolicy = UnknownPolicy.FAIL
    offline_fallback: StrictBool = True
    retry_when_budget_renews: StrictBool = False
    stop_company_on_reply: StrictBool = False
    soft_bounce_limit: int | None = Field(default=3, ge=1, le=100)
    soft_bounce_days: int = Field(default=30, ge=1, le=366)
    absence_days: int = Field(default=7, ge=1, le=90)
    scan_window_s: int = Field(default=60, ge=0, le=3600)
    contact_gap_s: int = Field(default=86_400, ge=0, le=30 * 86_400)
    frequency_cap: Positive | None = None
    frequency_days: int = Field(default=7, ge=1, le=90)
    domain_gap_s: int = Field(default=0, ge=0, le=7 * 86_400)
    max_bounce_percent: Percent | None = 4.0
    max_complaint_percent: Percent | None = 0.08
    reputation_days: int = Field(default=7, ge=1, le=90)
    reputation_min_sent: int = Field(default=100, ge=1, le=1_000_000)
    country_policy: CountryPolicy = CountryPolicy()
    approval_mode: ApprovalMode = ApprovalMode.AUTOMATIC
    approval_first_n: FirstN = 0
    enabled: StrictBool | None = None
