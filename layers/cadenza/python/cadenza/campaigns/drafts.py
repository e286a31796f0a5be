"""What people look at before they approve: an enrolment's plan, and what is to be said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import JsonValue
from sqlalchemy import Connection, text

from cadenza.campaigns import store
from cadenza.campaigns.enrolment import brief_for
from cadenza.campaigns.mail_plans import compile_for_mail
from cadenza.contacts import store as contacts_store
from cadenza.core.ids import CampaignId, ContactId, EnrolmentId
from cadenza.planning.findings import Finding, Severity
from cadenza.planning.lint import lint_pace, lint_plan
from cadenza.planning.model import parse_plan


def findings(
    conn: Connection, campaign_id: CampaignId, contact_id: ContactId, plan: Mapping[str, JsonValue]
) -> tuple[Finding, ...]:
    """What the compiler and the linter say of a plan for this contact.

    The linter refuses what a machine writes. People may write what they like: to them it gives warnings.
    """
    compiled = compile_for_mail(plan)
    campaign, contact = store.find(conn, campaign_id), contacts_store.find(conn, contact_id)
    brief = brief_for(conn, campaign, contact) if campaign is not None and contact is not None else None
    if compiled.plan is None or brief is None:
        return compiled.findings
    said = (*lint_plan(parse_plan(plan), brief), *lint_pace(compiled.plan, brief))
    return (*compiled.findings, *(replace(finding, severity=Severity.WARNING) for finding in said))


def findings_of(conn: Connection, enrolment_id: EnrolmentId) -> tuple[Finding, ...]:
    """What is to be said of the plan that an enrolment has; nothing if there is no such enrolment."""
    row = conn.execute(
        text("""
            SELECT e.campaign_id, e.contact_id, p.plan
            FROM contact_campaigns e JOIN campaign_plans p ON p.id = e.plan_id WHERE e.id = :id
        """),
        {"id": enrolment_id},
    ).first()
    return () if row is None else findings(conn, row.campaign_id, row.contact_id, row.plan)
