"""What the API reads of a campaign's sends, behind and ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, exists, or_, select, text

from cadenza.api import models, queries
from cadenza.api.reading import Slice, equal, page_of
from cadenza.api.schedule_models import CampaignSchedule, ContactSend, EnrolmentOnItsWay
from cadenza.core import tables
from cadenza.core.errors import NotFound
from cadenza.core.ids import CampaignId, EnrolmentId
from cadenza.core.states import EnrolmentStatus
from cadenza.core.tables.execution import DROPPED_SEND
from cadenza.figures.schedule import STATE_OF, ScheduledSend, SendState, pace, schedules

_ENROLMENTS, _MESSAGES, _FINISHED = tables.contact_campaigns, tables.outbound_messages, tables.finished_actions


@dataclass(frozen=True, slots=True)
class SendFilter:
    """Which sends; None means any. By their instant: sent, or planned; those that will never come have none."""

    enrolment_id: UUID | None = None
    contact_id: UUID | None = None
    step: int | None = None
    state: SendState | None = None
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, send: ScheduledSend) -> bool:
        """Whether it is one of them."""
        at = send.sent_at or send.planned_at
        return (
            self.step in (None, send.step)
            and self.state in (None, send.state)
            and (self.since is None or (at is not None and at >= self.since))
            and (self.until is None or (at is not None and at < self.until))
        )


def campaign_schedule(
    conn: Connection, campaign_id: UUID, part: Slice, which: SendFilter, now: datetime
) -> CampaignSchedule:
    """The sends of a page of enrolments.

    Raises:
        NotFound: There is no such campaign.
    """
    campaign = pace(conn, CampaignId(campaign_id))
    if campaign is None:
        raise NotFound("campaign", campaign_id)
    wanted = {
        _ENROLMENTS.c.campaign_id: campaign_id,
        _ENROLMENTS.c.id: which.enrolment_id,
        _ENROLMENTS.c.contact_id: which.contact_id,
    }
    people = queries.told(tables.contacts, models.Enrolled, "contact")
    query = select(_ENROLMENTS, people).join(tables.contacts).where(*equal(wanted), *_may_have(which.state))
    page = page_of(conn, EnrolmentOnItsWay, query, _ENROLMENTS.c.id, part)
    found = schedules(conn, campaign, [EnrolmentId(one.id) for one in page.items], now)
    return CampaignSchedule(
        items=tuple(
            ContactSend(enrolment_id=one.id, contact=one.contact, **dict(send))
            for one in page.items
            for send in found.get(EnrolmentId(one.id), ())
            if which.takes(send)
        ),
        next_cursor=page.next_cursor,
        campaign_id=campaign_id,
        status=campaign.status,
        note=campaign.note,
        as_of=now,
    )


def _may_have(state: SendState | None) -> Sequence[ColumnElement[bool]]:
    """Leave out enrolments that cannot have a send in this state, so that few pages come out empty."""
    is_open = _ENROLMENTS.c.status.in_((EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE))
    match state:
        case None | SendState.NOT_REACHED:
            return ()  # an ended campaign's may be open for a moment
        case SendState.PLANNED | SendState.DUE:
            return (is_open,)
        case _:
            statuses = [status for status, shown in STATE_OF.items() if shown is state]
            written = exists().where(_MESSAGES.c.enrolment_id == _ENROLMENTS.c.id, _MESSAGES.c.status.in_(statuses))
            if state not in (SendState.SKIPPED, SendState.FAILED):
                return (written,)
            return (or_(written, exists().where(_FINISHED.c.enrolment_id == _ENROLMENTS.c.id, text(DROPPED_SEND))),)
