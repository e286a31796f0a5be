"""How the installation is, what failed and is tried again, what lies in dead-letter queues, and who did what."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.content_types import APPLICATION_JSON
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from cadenza.api import operations_models as models
from cadenza.api import operations_queries as queries
from cadenza.api.models import Page
from cadenza.api.operations_queries import AuditFilter, FailedFilter
from cadenza.api.reading import Slice
from cadenza.api.routes.paging import DEFAULT_LIMIT, Cursor, Limit
from cadenza.api.routing import At, Operations
from cadenza.core import heartbeats, jobs
from cadenza.core.clock import utc_now
from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.instants import Instant
from cadenza.core.queues import QueueName
from cadenza.core.states import AuditAct, JobStatus, Role
from cadenza.operations.dead_letters import Deed
from cadenza.operations.health import health
from cadenza.operations.letters import Decoded
from cadenza.operations.model import Health, Verdict
from cadenza.operations.retries import statistics
from cadenza.operations.verdict import without_database

routes = Operations("installation")

_STATISTICS: Final = 200
_MONTH: Final = timedelta(days=30)
_SOON: Final = {"retry-after": f"{heartbeats.EVERY.total_seconds():.0f}"}
"""When an installation that is down may have come to life: its functions write so once a minute."""
QueueOf = Annotated[QueueName, Path(description="the queue that the messages come from")]


# --- health ------------------------------------------------------------------------------------------------------


def _told(found: Health) -> Response[models.InstallationHealth]:
    answer = models.InstallationHealth.model_validate(found)
    if found.verdict is Verdict.DOWN:
        return Response(HTTPStatus.SERVICE_UNAVAILABLE, APPLICATION_JSON, answer, dict(_SOON))
    return Response(HTTPStatus.OK, APPLICATION_JSON, answer)


def _database_away() -> Response[str]:
    body = models.InstallationHealth.model_validate(without_database(utc_now()))
    return Response(HTTPStatus.SERVICE_UNAVAILABLE, APPLICATION_JSON, body.model_dump_json(), dict(_SOON))


@routes.operation(
    "GET",
    "/v1/automation/health",
    role=Role.VIEWER,
    also={HTTPStatus.SERVICE_UNAVAILABLE: models.InstallationHealth},
    database_away=_database_away,
)
def get_automation_health(desk: At) -> Response[models.InstallationHealth]:
    """Show how the installation is, why, and what to do; 503 with the same body if work does not get done."""
    return _told(health(desk.office.installation, desk.workspace_id, desk.now()))


# --- retries -----------------------------------------------------------------------------------------------------


@routes.operation("GET", "/v1/retries", role=Role.VIEWER)
def list_retries(
    desk: At,
    kind: Annotated[models.FailedKind | None, Query()] = None,
    campaign_id: Annotated[UUID | None, Query()] = None,
    reason: Annotated[str | None, Query(description="words of the reason", min_length=1, max_length=200)] = None,
    eligible: Annotated[bool | None, Query(description="whether it can be asked for again")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[models.Failed]:
    """List what failed, and whether, when and how it is tried again."""
    with desk.transaction() as conn:
        which = FailedFilter(kind, campaign_id, reason, eligible)
        return queries.failed(conn, Slice(limit, cursor), which, desk.now())


@routes.operation("GET", "/v1/retries/statistics", role=Role.VIEWER)
def get_retry_statistics(
    desk: At,
    since: Annotated[Instant | None, Query(description="30 days ago if not given")] = None,
) -> models.RetryStatistics:
    """Show by kind and reason what has failed, and what asking again came to."""
    begun = since or desk.now() - _MONTH
    with desk.transaction() as conn:
        items = tuple(map(models.RetryStatistic.model_validate, statistics(conn, begun, _STATISTICS)))
    return models.RetryStatistics(since=begun, items=items)


@routes.operation("POST", "/v1/jobs/retry", role=Role.OPERATOR, answers=HTTPStatus.ACCEPTED)
def retry_jobs(desk: At, wanted: Annotated[models.RetryWanted, Body()]) -> models.Retried:
    """Ask again for all work that has failed or was skipped for a reason; it begins one by one."""
    which = jobs.Which(JobStatus(wanted.status), wanted.reason, wanted.kind, wanted.campaign_id)
    return models.Retried.model_validate(desk.retries.retry_all(which, wanted.limit, desk.correlation_id))


# --- dead letters ------------------------------------------------------------------------------------------------


@routes.operation("GET", "/v1/dlqs", role=Role.VIEWER)
def list_dlqs(desk: At) -> models.DeadLetterQueues:
    """Show how many messages are in each dead-letter queue of the installation."""
    depths = desk.dead_letters.depths()
    return models.DeadLetterQueues(
        items=tuple(models.DeadLetterQueue(queue=name, depth=seen.dead) for name, seen in depths.items())
    )


@routes.operation("GET", "/v1/dlqs/<queue>/messages", role=Role.OPERATOR)
def list_dlq_messages(
    desk: At, queue: QueueOf, limit: Annotated[int, Query(ge=1, le=100, description="how many at most")] = 50
) -> models.DeadLetters:
    """List the workspace's messages in a dead-letter queue, read; they stay in it."""
    seen = desk.dead_letters.look(queue, limit)

    def error_of(letter: Decoded) -> str:
        return seen.errors.get(letter.about.job, "") if letter.about.job else ""

    return models.DeadLetters(
        items=tuple(_letter(letter, error_of(letter)) for letter in seen.letters), complete=seen.complete
    )


@routes.operation("POST", "/v1/dlqs/<queue>/redrive", role=Role.OPERATOR)
def redrive_dlq(desk: At, queue: QueueOf, wanted: Annotated[models.WhichLetters, Body()]) -> models.LettersMoved:
    """Put the workspace's messages back on the queue that they come from, 500 at most at once."""
    return _moved(desk.dead_letters.redrive(queue, wanted.message_ids))


@routes.operation("POST", "/v1/dlqs/<queue>/purge", role=Role.ADMIN)
def purge_dlq(desk: At, queue: QueueOf, wanted: Annotated[models.PurgeWanted, Body()]) -> models.LettersMoved:
    """Delete the workspace's messages from a dead-letter queue for good, 500 at most at once."""
    if wanted.confirm != queue:
        raise InvalidInput("the purge is not confirmed", (FieldProblem("/confirm", f"write {queue} here"),))
    return _moved(desk.dead_letters.purge(queue, wanted.message_ids))


def _letter(found: Decoded, error: str) -> models.DeadLetter:
    letter = found.letter
    return models.DeadLetter(
        message_id=letter.id,
        type=found.type,
        ids=found.about.ids,
        body=found.body,
        wrong=found.wrong,
        error=error,
        sent_at=letter.sent_at,
        first_received_at=letter.first_received_at,
        receives=letter.receives,
    )


def _moved(deed: Deed) -> models.LettersMoved:
    return models.LettersMoved(
        queue=deed.queue,
        count=len(deed.message_ids),
        message_ids=deed.message_ids,
        not_found=deed.not_found,
        undone=deed.undone,
        complete=deed.complete,
    )


# --- audit -------------------------------------------------------------------------------------------------------


@routes.operation("GET", "/v1/audit", role=Role.ADMIN)
def list_audit(
    desk: At,
    act: Annotated[AuditAct | None, Query()] = None,
    key_id: Annotated[UUID | None, Query(description="the API key that did it")] = None,
    subject_id: Annotated[UUID | None, Query(description="what it was done to")] = None,
    since: Annotated[Instant | None, Query(description="done at this instant or later")] = None,
    until: Annotated[Instant | None, Query(description="done before this instant")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[models.AuditRecord]:
    """List who did what."""
    which = AuditFilter(act, key_id, subject_id, since, until)
    with desk.transaction() as conn:
        return queries.audit_records(conn, Slice(limit, cursor), which)
