"""The ledger of what AI took: tokens and cost, for whom and for what."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, text

from cadenza.core.ai import AiUsage
from cadenza.core.jobs import Work


class Purpose(StrEnum):
    """What a model was asked for."""

    ANALYSIS = "analysis"
    PLANNING = "planning"


def record(conn: Connection, usage: AiUsage, purpose: Purpose, work: Work, now: datetime) -> None:
    """Write down what a job's calls took. Costs are in millionths of a US dollar."""
    conn.execute(
        text("""
            INSERT INTO ai_usage (workspace_id, lead_id, contact_id, purpose, model, prompt_version, input_tokens,
                                  output_tokens, cost_usd_micros, at)
            VALUES (:workspace_id, :lead_id, :contact_id, :purpose, :model, :prompt_version, :input_tokens,
                    :output_tokens, :cost_usd_micros, :now)
        """),
        {
            "workspace_id": work.workspace_id,
            "lead_id": work.lead_id,
            "contact_id": work.contact_id,
            "purpose": purpose,
            "model": usage.model,
            "prompt_version": usage.prompt_version,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cost_usd_micros": usage.cost_usd_micros,
            "now": now,
        },
    )
