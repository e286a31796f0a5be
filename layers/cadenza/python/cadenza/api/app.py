"""The whole API: every route, its own document, and its health."""

from __future__ import annotations

import json
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.content_types import APPLICATION_JSON
from sqlalchemy import text

from cadenza.api import models
from cadenza.api.desk import Office
from cadenza.api.etags import IfNoneMatch, kept
from cadenza.api.routes import (
    approvals,
    automation,
    campaign_changes,
    campaigns,
    contacts,
    contents,
    enrolments,
    imports,
    installation,
    keys,
    leads,
    operations,
    plans,
    reports,
    schedules,
    senders,
    suppressions,
)
from cadenza.api.routing import SECURITY_SCHEME, Operations, application

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "1"


def build(office: Office) -> APIGatewayHttpResolver:
    """The API of an office."""
    about = _about(office, lambda: document(app))
    concepts = (
        leads.routes,
        contacts.routes,
        senders.routes,
        campaigns.routes,
        campaign_changes.routes,
        contents.routes,
        schedules.routes,
        reports.routes,
        enrolments.routes,
        approvals.routes,
        plans.routes,
        suppressions.routes,
        imports.routes,
        automation.routes,
        operations.routes,
        installation.routes,
        keys.routes,
        about,
    )
    app = application(office, *concepts)
    return app


def _about(office: Office, describe: Callable[[], str]) -> Operations:
    """What says of itself what it is, and needs no key."""
    routes = Operations("about")
    described = cache(describe)

    @cache
    def page() -> tuple[str, dict[str, str]]:
        from cadenza.api import docs_page  # noqa: PLC0415 - brings jinja2

        return docs_page.render(json.loads(described()))

    @routes.operation("GET", "/healthz", role=None, problems=(HTTPStatus.SERVICE_UNAVAILABLE,))
    def get_health() -> models.Health:
        """Say whether the API can work."""
        with office.database.worker() as conn:
            conn.execute(text("SELECT 1"))
        return models.Health(database=True)

    @routes.operation("GET", "/v1/openapi.json", role=None)
    def get_document(if_none_match: IfNoneMatch = None) -> Response[str]:
        """Describe this API (OpenAPI 3.1)."""
        return kept(described(), APPLICATION_JSON, if_none_match)

    @routes.operation("GET", "/v1/docs", role=None, answered_as=("text/html",))
    def get_docs(if_none_match: IfNoneMatch = None) -> Response[str]:
        """Show this API to people: a page (HTML) of all that the document says."""
        shown, headers = page()
        return kept(shown, "text/html; charset=utf-8", if_none_match, headers)

    return routes


def document(app: APIGatewayHttpResolver) -> str:
    """The OpenAPI 3.1 document of the app's routes, as JSON."""
    # A quarter of a second of imports that nobody but a reader of the document waits for.
    from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer  # noqa: PLC0415

    from cadenza.api.description import describe  # noqa: PLC0415

    schema: dict[str, Any] = json.loads(
        app.get_openapi_json_schema(
            title="Cadenza",
            version=VERSION,
            openapi_version="3.1.0",
            security_schemes={SECURITY_SCHEME: HTTPBearer(description="An API key: `cad_…`")},
        )
    )
    describe(schema)
    return json.dumps(schema)
