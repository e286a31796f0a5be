"""What the API answers about what campaigns have sent and will send."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from cadenza.api.models import Answer, Enrolled
from cadenza.core.states import CampaignStatus
from cadenza.figures.schedule import ScheduledSend


class EnrolmentOnItsWay(Answer):
    """Whose sends."""

    id: UUID
    contact: Enrolled


class ContactSend(ScheduledSend):
    """One message of an enrolment, sent or not. ``step`` counts them on its way, from 1.

    ``planned_at`` is null where it will never come. What lies ahead holds if nobody reacts and no cap or gap is in the
    way; ``why`` leads to its instant.
    """

    enrolment_id: UUID
    contact: Enrolled


class CampaignSchedule(Answer):
    """What is behind and ahead of some of a campaign's enrolments, as of ``as_of``; whoever came last comes first.

    A page is of enrolments, so that filters may leave it empty though there are more. ``note`` says what is to be known
    of all that lies ahead: that the campaign is paused, or has not begun.
    """

    items: tuple[ContactSend, ...]
    next_cursor: UUID | None
    campaign_id: UUID
    status: CampaignStatus
    note: str
    as_of: datetime
