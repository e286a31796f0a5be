"""One sender: shown, changed, moved to a mailbox, paused, resumed."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from cadenza.api import models, queries
from cadenza.api.desk import Desk
from cadenza.api.etags import Editable, IfMatch
from cadenza.api.routes.campaigns import WITHOUT_REASON, OptionalReason
from cadenza.api.routing import At, Operations
from cadenza.campaigns.model import NewSmtp, SenderChange
from cadenza.core import tables
from cadenza.core.ids import SenderId
from cadenza.core.states import Role

routes = Operations("senders")

Id = Annotated[UUID, Path()]
NO_CHANGE = SenderChange()
SENDER = Editable(tables.sender_identities, queries.sender, {*SenderChange.model_fields, "provider", "smtp"})
CHANGED = (HTTPStatus.PRECONDITION_FAILED,)


@routes.operation("GET", "/v1/senders/<sender_id>", role=Role.VIEWER)
def get_sender(desk: At, sender_id: Id) -> Response[models.Sender]:
    """Show a sender."""
    return SENDER.read(desk, sender_id)


@routes.operation("PATCH", "/v1/senders/<sender_id>", role=Role.OPERATOR, problems=CHANGED)
def change_sender(
    desk: At, sender_id: Id, change: Annotated[SenderChange, Body()] = NO_CHANGE, if_match: IfMatch = None
) -> Response[models.Sender]:
    """Change what is given; null takes a cap or a warm-up away."""
    SENDER.at(desk, sender_id, if_match).senders.change(SenderId(sender_id), change)
    return SENDER.read(desk, sender_id)


@routes.operation("PUT", "/v1/senders/<sender_id>/smtp", role=Role.OPERATOR, problems=CHANGED)
def put_sender_smtp(
    desk: At, sender_id: Id, smtp: Annotated[NewSmtp, Body()], if_match: IfMatch = None
) -> Response[models.Sender]:
    """Let the sender's mail leave by this mailbox; also how a password is replaced. A paused sender stays paused."""
    SENDER.at(desk, sender_id, if_match).senders.set_smtp(SenderId(sender_id), smtp)
    return SENDER.read(desk, sender_id)


@routes.operation("POST", "/v1/senders/<sender_id>/pause", role=Role.OPERATOR, problems=(HTTPStatus.CONFLICT,))
def pause_sender(desk: At, sender_id: Id, why: OptionalReason = WITHOUT_REASON) -> models.Sender:
    """Pause a sender in every campaign: once this is answered, no more of its messages begin to be sent."""
    desk.senders.pause(SenderId(sender_id), why.reason)
    return _sender(desk, sender_id)


@routes.operation("POST", "/v1/senders/<sender_id>/resume", role=Role.OPERATOR, problems=(HTTPStatus.CONFLICT,))
def resume_sender(desk: At, sender_id: Id) -> models.Sender:
    """Let a paused sender send again; its reputation counts from now on."""
    desk.senders.resume(SenderId(sender_id))
    return _sender(desk, sender_id)


def _sender(desk: Desk, sender_id: UUID) -> models.Sender:
    with desk.transaction() as conn:
        return queries.sender(conn, sender_id)
