"""What comes from other systems."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from pydantic import JsonValue

from cadenza.api.routing import At, Operations
from cadenza.core.states import Role
from cadenza.legacy.model import Report

routes = Operations("imports")


@routes.operation("POST", "/v1/imports/legacy", role=Role.ADMIN, problems=(HTTPStatus.CONFLICT,))
def import_legacy(
    desk: At,
    export: Annotated[dict[str, JsonValue], Body()],
    apply: Annotated[bool, Query(description="take it in; else only say what would become of it")] = False,
    sender: Annotated[
        str, Query(max_length=254, description="the address of the sender of campaigns that name none of yours")
    ] = "",
) -> Report:
    """Take in another system's export: campaigns, leads, templates, workflows and mails, each in a list.

    Nothing is written unless `apply` is true; the rows are the same either way. Taking an export in again changes
    nothing, a newer one adds what is new.
    """
    from cadenza.legacy.reading import read_document  # noqa: PLC0415 - only an import waits for it

    return desk.legacy(sender).take(read_document(export), apply=apply)
