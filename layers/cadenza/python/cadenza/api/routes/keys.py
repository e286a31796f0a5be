"""API keys: who is asking, and who else may."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from cadenza.api import key_models, key_queries
from cadenza.api.models import Page
from cadenza.api.reading import Slice
from cadenza.api.routes.paging import DEFAULT_LIMIT, Cursor, Limit
from cadenza.api.routing import At, Operations
from cadenza.campaigns.keys import NewApiKey
from cadenza.core.states import Role

routes = Operations("keys")


@routes.operation("GET", "/v1/me", role=Role.VIEWER)
def get_me(desk: At) -> key_models.Me:
    """Show who is asking: the workspace, and the key with its role."""
    with desk.transaction() as conn:
        return key_models.Me(
            workspace=key_queries.workspace(conn, desk.workspace_id), api_key=key_queries.api_key(conn, desk.key_id)
        )


@routes.operation("GET", "/v1/api-keys", role=Role.ADMIN)
def list_api_keys(
    desk: At,
    revoked: Annotated[bool | None, Query(description="whether they open nothing any more")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[key_models.ApiKey]:
    """List the workspace's API keys, those that were revoked too. No key is shown again."""
    with desk.transaction() as conn:
        return key_queries.api_keys(conn, Slice(limit, cursor), revoked=revoked)


@routes.operation("POST", "/v1/api-keys", role=Role.ADMIN, answers=HTTPStatus.CREATED, shown_once=True)
def add_api_key(desk: At, wanted: Annotated[NewApiKey, Body()]) -> key_models.ShownApiKey:
    """Make an API key. It is shown in this answer only: asked again under its Idempotency-Key, nobody can repeat it."""
    made = desk.keys.create(wanted)
    with desk.transaction() as conn:
        shown = key_queries.api_key(conn, made.id)
    return key_models.ShownApiKey(**dict(shown), key=made.key)


@routes.operation(
    "DELETE",
    "/v1/api-keys/<key_id>",
    role=Role.ADMIN,
    answers=HTTPStatus.NO_CONTENT,
    problems=(HTTPStatus.CONFLICT,),
)
def revoke_api_key(desk: At, key_id: Annotated[UUID, Path()]) -> Response[str]:
    """Revoke an API key: once this is answered, it opens nothing. 409 if it is the last admin's; again is harmless."""
    desk.keys.revoke(key_id)
    return Response(HTTPStatus.NO_CONTENT, body="")
