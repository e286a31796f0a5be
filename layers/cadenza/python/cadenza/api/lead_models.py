"""What the API takes and answers about lists of leads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, JsonValue, StringConstraints

from cadenza.api.models import Answer, Taken
from cadenza.core.ids import CampaignId
from cadenza.core.states import BatchStatus, LeadStatus
from cadenza.leads.batches import ToldRow
from cadenza.leads.importing import COLUMNS, MAX_ROWS

Source = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]

ROWS_SHOWN = 200
"""The longest part of a report in one answer."""

_ROW = f"an object of texts: {', '.join(COLUMNS)}. Only url is needed; what can be wrong with one is told of its row"


class NewLeadBatch(Taken):
    """A list of company sites, with people if they are known, and the campaign that is to take them.

    ``source`` says where the list comes from, for people to read.
    """

    rows: Annotated[list[dict[str, JsonValue]], Field(min_length=1, max_length=MAX_ROWS, description=_ROW)]
    campaign_id: CampaignId | None = None
    source: Source = ""


class LeadBatch(Answer):
    """A list that was taken in. ``created``, ``merged`` and ``refused`` add up to ``rows``; so do contacts to theirs.

    ``running``: its crawls and plans are still being handed out.
    """

    id: UUID
    source: str
    status: BatchStatus
    campaign_id: UUID | None
    rows: int
    created: int
    merged: int
    refused: int
    contacts_created: int
    contacts_merged: int
    contacts_refused: int
    created_at: datetime


class LeadBatchReport(LeadBatch):
    """A list with what became of its rows, and how far the leads are that it has brought.

    ``items`` are some of the rows, in the list's order; ``next_after`` is null with the last of them, else it goes
    into ``after``. ``ignored_columns`` of a sheet were not read.
    """

    leads: Mapping[LeadStatus, int]
    ignored_columns: tuple[str, ...]
    items: tuple[ToldRow, ...]
    next_after: int | None
