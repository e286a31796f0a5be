"""People: who they are, when they may be written to, and what they may ask for."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from cadenza.api import models, people_queries
from cadenza.api.desk import Desk
from cadenza.api.etags import Editable, IfMatch
from cadenza.api.models import Page
from cadenza.api.people_queries import ContactFilter
from cadenza.api.reading import Slice
from cadenza.api.routes.paging import DEFAULT_LIMIT, Cursor, Limit
from cadenza.api.routing import At, Operations
from cadenza.campaigns.erasure import Erased
from cadenza.campaigns.personal_data import PersonalData, personal_data
from cadenza.contacts.people import ContactChange, HoldStatus, NewContact, WantedHold
from cadenza.contacts.service import held
from cadenza.core import tables
from cadenza.core.errors import NotFound
from cadenza.core.ids import ContactId
from cadenza.core.states import Role

routes = Operations("contacts")

Id = Annotated[UUID, Path()]

# An empty body is read, so that a person who is not there is said to be missing before the body is.
NO_CHANGE = ContactChange()
NO_HOLD = WantedHold()

CONTACT = Editable(tables.contacts, people_queries.contact, ContactChange.model_fields)
CHANGED = (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED)


@routes.operation("GET", "/v1/contacts", role=Role.VIEWER)
def list_contacts(
    desk: At,
    lead_id: Annotated[UUID | None, Query()] = None,
    email: Annotated[str | None, Query(description="in any case")] = None,
    suppressed: Annotated[bool | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[models.Contact]:
    """List people and shared mailboxes."""
    with desk.transaction() as conn:
        return people_queries.contacts(conn, Slice(limit, cursor), ContactFilter(lead_id, email, suppressed))


@routes.operation(
    "POST", "/v1/contacts", role=Role.OPERATOR, answers=HTTPStatus.CREATED, problems=(HTTPStatus.CONFLICT,)
)
def add_contact(desk: At, contact: Annotated[NewContact, Body()]) -> models.Contact:
    """Add a person by hand."""
    contact_id = desk.people.add(contact)
    desk.automation.look_around(desk.correlation_id)
    with desk.transaction() as conn:
        return people_queries.contact(conn, contact_id)


@routes.operation("GET", "/v1/contacts/<contact_id>", role=Role.VIEWER)
def get_contact(desk: At, contact_id: Id) -> Response[models.Contact]:
    """Show a person, and whether they may be written to."""
    return CONTACT.read(desk, contact_id)


@routes.operation("PATCH", "/v1/contacts/<contact_id>", role=Role.OPERATOR, problems=CHANGED)
def change_contact(
    desk: At, contact_id: Id, change: Annotated[ContactChange, Body()] = NO_CHANGE, if_match: IfMatch = None
) -> Response[models.Contact]:
    """Change what is named of a person; what is not named stays."""
    CONTACT.at(desk, contact_id, if_match).people.change(ContactId(contact_id), change)
    desk.automation.look_around(desk.correlation_id)
    return CONTACT.read(desk, contact_id)


# --- holds -------------------------------------------------------------------------------------------------------


@routes.operation("GET", "/v1/contacts/<contact_id>/hold", role=Role.VIEWER)
def get_hold(desk: At, contact_id: Id) -> Response[HoldStatus]:
    """Show until when nothing goes to a person."""
    return _hold(desk).read(desk, contact_id)


@routes.operation("PUT", "/v1/contacts/<contact_id>/hold", role=Role.OPERATOR, problems=CHANGED)
def put_hold(
    desk: At, contact_id: Id, hold: Annotated[WantedHold, Body()] = NO_HOLD, if_match: IfMatch = None
) -> Response[HoldStatus]:
    """Leave a person alone until then, in all campaigns; it replaces the hold that there is."""
    _hold(desk).at(desk, contact_id, if_match).people.hold(ContactId(contact_id), hold)
    return _hold(desk).read(desk, contact_id)


@routes.operation(
    "DELETE",
    "/v1/contacts/<contact_id>/hold",
    role=Role.OPERATOR,
    answers=HTTPStatus.NO_CONTENT,
    problems=(HTTPStatus.PRECONDITION_FAILED,),
)
def end_hold(desk: At, contact_id: Id, if_match: IfMatch = None) -> Response[str]:
    """End a person's hold; what it has put off keeps its new time."""
    _hold(desk).at(desk, contact_id, if_match).people.release(ContactId(contact_id))
    return Response(HTTPStatus.NO_CONTENT, body="")


def _hold(desk: Desk) -> Editable[HoldStatus]:
    return Editable(tables.contacts, lambda conn, contact_id: held(conn, ContactId(contact_id), desk.now()))


# --- rights ------------------------------------------------------------------------------------------------------


@routes.operation("GET", "/v1/contacts/<contact_id>/export", role=Role.OPERATOR)
def export_contact(desk: At, contact_id: Id) -> PersonalData:
    """Hand out everything that is held about a person (GDPR Art. 15 and 20)."""
    with desk.transaction() as conn:
        found = personal_data(conn, ContactId(contact_id))
    if found is None:
        raise NotFound("contact", contact_id)
    return found


@routes.operation("DELETE", "/v1/contacts/<contact_id>", role=Role.ADMIN)
def erase_contact(
    desk: At,
    contact_id: Id,
    reason: Annotated[str, Query(max_length=500, description="why; it is kept, so name nobody in it")] = "",
) -> Erased:
    """Erase a person (GDPR Art. 17): their data is gone for good, and their address stays unreachable."""
    return desk.erasure.erase(ContactId(contact_id), reason.strip())
