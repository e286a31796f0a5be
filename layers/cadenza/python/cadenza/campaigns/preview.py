"""Previews: of a plan's node for somebody made up, or for somebody enrolled. Nothing is sent or recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.campaigns.mail_plans import compile_for_mail
from cadenza.campaigns.model import SampleRecipient, SampleSender
from cadenza.core.errors import FieldProblem, InvalidInput, NotFound
from cadenza.core.ids import CampaignId, EnrolmentId, SenderId, WorkspaceId
from cadenza.core.states import Channel
from cadenza.delivery import gate
from cadenza.delivery.model import Claimed, Content, Provider, Recipient, Sender, Stay
from cadenza.delivery.preview import PREVIEW_ID, Preview, no_sender, preview
from cadenza.delivery.providers import ses
from cadenza.planning.findings import Finding
from cadenza.planning.model import NodeAction, Plan, json_pointer, parse_plan

PROVIDERS: Final[Mapping[str, Provider]] = {ses.NAME: ses.Ses()}
"""Who renames mails on their way, and must be asked what a mail was called. Nothing is sent through them here."""


def preview_plan(
    source: object, node: str, to: SampleRecipient, by: SampleSender, public_url: str, now: datetime
) -> Preview:
    """Show the mail of one node. Findings of the compiler about that node are among the preview's.

    Raises:
        InvalidInput: This is no plan at all, or ``node`` is none of its send nodes.
    """
    try:
        plan = parse_plan(source)
    except InvalidInput as error:
        problems = tuple(FieldProblem(f"/plan{problem.pointer}", problem.detail) for problem in error.problems)
        raise InvalidInput(error.detail, problems) from error
    position = _position(plan, node)
    written = plan.nodes[position]
    message = Claimed(
        stay=Stay(PREVIEW_ID, EnrolmentId(UUID(int=0)), CampaignId(UUID(int=0)), node, 1),
        workspace_id=WorkspaceId(UUID(int=0)),
        channel=written.channel,
        recipient=Recipient(to.email, **to.model_dump(exclude={"email"})),
        sender=Sender(SenderId(UUID(int=0)), **by.model_dump()),
        content=Content(written.subject or "", written.body or "", written.html or ""),
    )
    shown = preview(message, position, public_url, PROVIDERS, now)
    return replace(shown, findings=_together(shown.findings, compile_for_mail(source).findings, position))


def preview_enrolment(
    conn: Connection, enrolment_id: EnrolmentId, node: str, public_url: str, now: datetime
) -> Preview:
    """Show the mail of one node as this contact would get it next; ``node`` "" is the one that the enrolment is in.

    Raises:
        NotFound: No such enrolment.
        InvalidInput: The plan has no such send node.
    """
    plan, current = _plan(conn, enrolment_id)
    node = node or current or plan.start_node_id
    _position(plan, node)
    (shown,) = _previews(conn, enrolment_id, plan, [node], public_url, now)
    return shown


def preview_all(conn: Connection, enrolment_id: EnrolmentId, public_url: str, now: datetime) -> tuple[Preview, ...]:
    """Show the mail of every send node of the enrolment's plan as this contact would get it.

    Raises:
        NotFound: No such enrolment.
    """
    plan, _ = _plan(conn, enrolment_id)
    nodes = [node.id for node in plan.nodes if node.action is NodeAction.SEND]
    return _previews(conn, enrolment_id, plan, nodes, public_url, now)


def _plan(conn: Connection, enrolment_id: EnrolmentId) -> tuple[Plan, str]:
    """The plan of an enrolment, and the node that it is in."""
    place = conn.execute(_PLACE, {"id": enrolment_id}).first()
    if place is None:
        raise NotFound("enrolment", enrolment_id)
    return parse_plan(place.plan), place.current_node


def _previews(
    conn: Connection, enrolment_id: EnrolmentId, plan: Plan, nodes: Sequence[str], public_url: str, now: datetime
) -> tuple[Preview, ...]:
    """The mails of send nodes, in one statement."""
    positions = {node: _position(plan, node) for node in nodes}
    channels = [plan.nodes[position].channel for position in positions.values()]
    rows = conn.execute(_CONTENT, {"id": enrolment_id, "nodes": list(positions), "channels": channels})
    found = {row.node: preview(gate.claimed(row), positions[row.node], public_url, PROVIDERS, now) for row in rows}
    return tuple(found.get(node) or no_sender(node) for node in nodes)


def _position(plan: Plan, node: str) -> int:
    """Where the send node stands in the plan."""
    sends = {each.id: place for place, each in enumerate(plan.nodes) if each.action is NodeAction.SEND}
    if node not in sends:
        detail = f"the plan has no send node {node!r}; it has: {', '.join(map(repr, sends)) or 'none'}"
        raise InvalidInput("there is no mail to preview", (FieldProblem("/node", detail),))
    return sends[node]


def _together(own: tuple[Finding, ...], compiled: tuple[Finding, ...], position: int) -> tuple[Finding, ...]:
    """Both, each fault once: where both speak of the same field, the compiler knows more."""
    here = json_pointer("nodes", position)
    about = [found for found in compiled if found.pointer == here or found.pointer.startswith(f"{here}/")]
    named = {(str(found.code), found.pointer) for found in about}
    return (*(found for found in own if (str(found.code), found.pointer) not in named), *about)


_PLACE = text("""
    SELECT e.current_node, p.plan FROM contact_campaigns e JOIN campaign_plans p ON p.id = e.plan_id WHERE e.id = :id
""")

# The messages that the next visits of these nodes would queue.
_CONTENT = gate.content_query(f"""
    SELECT CAST('{PREVIEW_ID}' AS uuid) AS id, e.id AS enrolment_id, e.campaign_id, e.workspace_id, n.node,
           e.visit + 1 AS visit, n.channel,
           btrim(coalesce(CASE n.channel WHEN '{Channel.EMAIL}' THEN k.email ELSE k.phone END, '')) AS to_address,
           e.contact_id, c.sender_id, e.created_at AS due_at
    FROM contact_campaigns e JOIN contacts k ON k.id = e.contact_id JOIN campaigns c ON c.id = e.campaign_id
    CROSS JOIN unnest(CAST(:nodes AS text[]), CAST(:channels AS text[])) AS n(node, channel)
    WHERE e.id = :id
""")
