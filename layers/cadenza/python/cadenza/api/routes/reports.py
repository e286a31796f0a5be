"""What came of messages, for people and for spreadsheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from http import HTTPStatus
from typing import Annotated, Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel
from sqlalchemy import Connection

from cadenza.api.desk import Desk
from cadenza.api.report_models import FunnelReport, ReplyTimeReport
from cadenza.api.routing import At, Operations
from cadenza.api.sheets import ExportFormat, sheet
from cadenza.campaigns import store as campaigns
from cadenza.core.errors import FieldProblem, InvalidInput, NotFound
from cadenza.core.ids import CampaignId
from cadenza.core.instants import Day
from cadenza.core.states import Role
from cadenza.figures import reply_times, reports
from cadenza.figures.reply_times import Bar
from cadenza.figures.reports import By, Line, Scope
from cadenza.planning.zones import find_zone, first_instant

routes = Operations("reports")

R = TypeVar("R", bound=BaseModel)

_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_NAMES: Final = ("key", "label")
_WRITTEN_AS: Final = ("application/json", "text/csv")

OfCampaign = Annotated[UUID | None, Query(description="of this campaign only; all if not given")]
Since = Annotated[Day | None, Query(description="first day in `zone`; from the beginning if not given")]
Until = Annotated[Day | None, Query(description="last day in `zone`; up to now if not given")]
InZone = Annotated[str, Query(description="whose days: an IANA time zone", max_length=100)]
Written = Annotated[ExportFormat, Query(description="csv has the items only")]


@routes.operation(
    "GET", "/v1/reports/funnel", role=Role.VIEWER, problems=(HTTPStatus.NOT_FOUND,), answered_as=_WRITTEN_AS
)
def get_funnel(
    desk: At,
    by: Annotated[By, Query(description="what its lines are")] = By.CAMPAIGN,
    campaign_id: OfCampaign = None,
    since: Since = None,
    until: Until = None,
    zone: InZone = "UTC",
    format: Written = ExportFormat.JSON,  # noqa: A002 - the parameter's name in the API
) -> Response[FunnelReport | str]:
    """Report what came of messages: sent, delivered, opened, clicked, answered, bounced, in total and line by line."""
    period = _Period(campaign_id, since, until, zone)
    scope = period.scope(desk)
    with desk.transaction() as conn:
        period.check(conn)
        found = reports.funnel(conn, scope, by, zone)
    report = FunnelReport(
        campaign_id=campaign_id,
        since=since,
        until=until,
        zone=zone,
        by=by,
        total=found.total,
        items=found.lines,
        cut=found.cut,
    )
    return _answer(report, Line, report.items, format)


@routes.operation(
    "GET", "/v1/reports/time-to-reply", role=Role.VIEWER, problems=(HTTPStatus.NOT_FOUND,), answered_as=_WRITTEN_AS
)
def get_time_to_reply(
    desk: At,
    campaign_id: OfCampaign = None,
    since: Since = None,
    until: Until = None,
    zone: InZone = "UTC",
    format: Written = ExportFormat.JSON,  # noqa: A002 - as above
) -> Response[ReplyTimeReport | str]:
    """Report how long people take to answer: median, 90th percentile and a histogram."""
    period = _Period(campaign_id, since, until, zone)
    scope = period.scope(desk)
    with desk.transaction() as conn:
        period.check(conn)
        found = reply_times.reply_times(conn, scope)
    report = ReplyTimeReport(
        campaign_id=campaign_id,
        since=since,
        until=until,
        zone=zone,
        replies=found.replies,
        median_s=found.median_s,
        p90_s=found.p90_s,
        items=found.bars,
    )
    return _answer(report, Bar, report.items, format)


@dataclass(frozen=True, slots=True)
class _Period:
    """Which messages a caller asks about."""

    campaign_id: UUID | None
    since: date | None
    until: date | None
    zone: str

    def scope(self, desk: Desk) -> Scope:
        """The same by instants.

        Raises:
            InvalidInput: There is no such zone, or the days are no period.
        """
        zone = find_zone(self.zone)
        problems: list[FieldProblem] = []
        if zone is None:
            detail = f"{self.zone!r} is no time zone; use an IANA name, such as Europe/Lisbon"
            problems.append(FieldProblem("/zone", detail))
        if self.since is not None and self.until is not None and self.since > self.until:
            problems.append(FieldProblem("/since", "give a day that is not after until"))
        for name, day in (("/since", self.since), ("/until", self.until)):
            if day is not None and not _FIRST_YEAR <= day.year <= _LAST_YEAR:
                problems.append(FieldProblem(name, f"give a day of the years {_FIRST_YEAR} to {_LAST_YEAR}"))
        if problems or zone is None:
            raise InvalidInput("this is no period that can be reported on", tuple(problems))
        return Scope(
            desk.workspace_id,
            None if self.campaign_id is None else CampaignId(self.campaign_id),
            _begins(self.since, zone),
            None if self.until is None else _begins(self.until + timedelta(days=1), zone),
        )

    def check(self, conn: Connection) -> None:
        """See to it that the campaign exists.

        Raises:
            NotFound: It does not.
        """
        if self.campaign_id is not None and campaigns.find(conn, CampaignId(self.campaign_id)) is None:
            raise NotFound("campaign", self.campaign_id)


def _begins(day: date | None, zone: ZoneInfo) -> datetime | None:
    return None if day is None else first_instant(datetime.combine(day, time()), zone)


def _answer(report: R, line: type[BaseModel], items: Sequence[BaseModel], wanted: ExportFormat) -> Response[R | str]:
    if wanted is ExportFormat.JSON:
        return Response(HTTPStatus.OK, "application/json", report.model_dump_json())
    columns = [*line.model_fields, *line.model_computed_fields]
    # What names a line stands before its figures.
    columns.sort(key=lambda name: name not in _NAMES)
    rows = ([item.model_dump(mode="json")[name] for name in columns] for item in items)
    return Response(HTTPStatus.OK, "text/csv; charset=utf-8", sheet(columns, rows))
