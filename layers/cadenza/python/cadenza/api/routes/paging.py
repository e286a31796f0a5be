"""The parameters of every list."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Query

Limit = Annotated[int, Query(ge=1, le=200, description="how many at most")]
Cursor = Annotated[UUID | None, Query(description="`next_cursor` of the page before")]

DEFAULT_LIMIT = 50
