"""Who reads sites: a model where one is configured, the rules otherwise and, if they may, whenever the model fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cadenza.core.ai import AiFailed
from cadenza.core.ai_gate import AiGate
from cadenza.core.jobs import Begun, Skip
from cadenza.core.log import get_logger
from cadenza.leads.analysis import analyse_offline, analyse_with_ai
from cadenza.leads.model import Page
from cadenza.leads.report import Analysis


class OfflineAnalyst:
    """By rule."""

    def analyse(self, domain: str, pages: Sequence[Page], begun: Begun, *, fall_back: bool) -> Analysis:  # noqa: ARG002 - it is the fallback
        """Analyse a site."""
        return analyse_offline(domain, pages)


@dataclass(frozen=True, slots=True)
class AiAnalyst:
    """By a model."""

    gate: AiGate

    def analyse(self, domain: str, pages: Sequence[Page], begun: Begun, *, fall_back: bool) -> Analysis:
        """Analyse a site; what the model cannot do, the rules do.

        Raises:
            Retryable: The model may answer later.
            Skip: It will not, and the rules may not.
        """
        try:
            return analyse_with_ai(self.gate.asking_for(begun), domain, pages)
        except AiFailed as error:
            if not fall_back:
                raise Skip(error.detail) from error
            get_logger().warning("analysis.offline", lead_id=str(begun.work.lead_id), detail=error.detail)
            return analyse_offline(domain, pages).model_copy(update={"usage": error.usage})
