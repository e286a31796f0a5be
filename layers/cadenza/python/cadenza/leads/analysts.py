"""Who reads sites: a model where one is configured, the rules otherwise and whenever the model fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cadenza.core.ai import AiClient, AiFailed
from cadenza.core.log import get_logger
from cadenza.leads.analysis import analyse_offline, analyse_with_ai
from cadenza.leads.model import Page
from cadenza.leads.report import Analysis
from cadenza.leads.store import Lead


class OfflineAnalyst:
    """By rule."""

    def analyse(self, lead: Lead, pages: Sequence[Page]) -> Analysis:
        """Analyse a site."""
        return analyse_offline(lead.domain, pages)


@dataclass(frozen=True, slots=True)
class AiAnalyst:
    """By a model."""

    client: AiClient

    def analyse(self, lead: Lead, pages: Sequence[Page]) -> Analysis:
        """Analyse a site; what the model cannot do, the rules do. Raises `Retryable` for passing trouble."""
        try:
            return analyse_with_ai(self.client, lead.domain, pages)
        except AiFailed as error:
            get_logger().warning("analysis.offline", lead_id=str(lead.id), detail=error.detail)
            return analyse_offline(lead.domain, pages).model_copy(update={"usage": error.usage})
