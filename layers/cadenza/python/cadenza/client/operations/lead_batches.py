# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza lead-batch`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="add",
        method="POST",
        path="/v1/lead-batches",
        summary="Take in a list of company sites and their people: good rows are taken, and every row is answered for.",
        options=(
            Option(
                ("rows",),
                "body",
                kind="json",
                required=True,
                help="an object of texts: url, email, phone, name, first_name, last_name, title, time_zone, country, language, consent_basis, consent_source, consent_at. Only url is needed; what can be wrong with one is told of its row",
            ),
            Option(("campaign_id",), "body", nullable=True, form="uuid"),
            Option(("source",), "body"),
        ),
        has_body=True,
        creates=True,
    ),
    Operation(
        verb="get",
        method="GET",
        path="/v1/lead-batches/{}",
        summary="Show what became of a list: its rows in order, and how far the leads are that it has brought.",
        ids=("batch_id",),
        options=(
            Option(("outcome",), "query", choices=("created", "merged", "refused"), help="of the row"),
            Option(("contact",), "query", choices=("created", "merged", "refused"), help="of the row's contact"),
            Option(("after",), "query", kind="integer", help="`next_after` of the part before"),
            Option(("limit",), "query", kind="integer", help="how many at most"),
        ),
    ),
    Operation(
        verb="import-leads",
        method="POST",
        path="/v1/lead-batches/import",
        summary="Take in a sheet (CSV) of company sites and their people, as `add_lead_batch` does.",
        media=("text/csv",),
        options=(
            Option(("campaign_id",), "query", form="uuid", help="only what belongs to this campaign"),
            Option(("source",), "query", help="where the list comes from, for people to read"),
        ),
        creates=True,
    ),
    Operation(
        verb="list",
        method="GET",
        path="/v1/lead-batches",
        summary="List the lists that were taken in.",
        options=(
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
)
