"""What the API takes about plan versions. What it answers is told by `cadenza.campaigns` itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from cadenza.campaigns.migration_model import WantedMigration


class ConfirmedMigration(WantedMigration):
    """A migration that has been previewed: the same fields, and the preview's token."""

    token: Annotated[str, StringConstraints(max_length=100)] = ""
