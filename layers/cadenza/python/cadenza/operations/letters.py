"""What a dead letter is about: decoded by its queue's own messages, and whose it is by the ids that it carries.

Queues belong to the installation. A workspace may see and move a letter only if everything that the letter names is its
own, which the database says under row-level security; what cannot be attributed is the installation's alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, assert_never
from uuid import UUID

from pydantic import JsonValue, TypeAdapter, ValidationError
from sqlalchemy import Connection, text

from cadenza.core.ids import WorkspaceId
from cadenza.core.messages import (
    EXECUTION_MESSAGES,
    LEAD_MESSAGES,
    PLAN_MESSAGES,
    SEND_MESSAGES,
    ActionsDue,
    AnalysisWanted,
    BatchTaken,
    CampaignMoved,
    CrawlCheck,
    CrawlPageSeen,
    CrawlReported,
    CrawlWanted,
    ExecutionMessage,
    IntakeWanted,
    LeadMessage,
    MailReceived,
    PlanMessage,
    PlanWanted,
    SendWanted,
    SignalReported,
    StartDue,
    Sweep,
    Wake,
)
from cadenza.core.queues import QueueName
from cadenza.core.states import JobKind

_MESSAGES: Final[Mapping[QueueName, TypeAdapter[Any]]] = {
    QueueName.LEAD_ANALYSIS: LEAD_MESSAGES,
    QueueName.CAMPAIGN_CREATION: PLAN_MESSAGES,
    QueueName.ENGAGEMENT_EVENTS: EXECUTION_MESSAGES,
    QueueName.CAMPAIGN_EXECUTION: EXECUTION_MESSAGES,
    QueueName.MESSAGE_SEND: SEND_MESSAGES,
}

_TABLES: Final = ("leads", "lead_batches", "campaigns", "contacts", "outbound_messages")
_ACTIONS: Final = "actions"

Known = LeadMessage | ExecutionMessage | PlanMessage | SendWanted


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead message as SQS gives it. ``receives`` counts those of its own queue too."""

    id: str
    body: str
    sent_at: datetime
    first_received_at: datetime
    receives: int
    receipt: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class About:
    """What a message names: ids by table (all of them are to be a workspace's own), and the job that it is about."""

    ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    workspace_id: WorkspaceId | None = None
    job: tuple[JobKind, str] | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """A letter read. ``type`` "" and ``wrong``: it is none of our messages, because of these fields."""

    letter: Letter
    body: JsonValue
    type: str = ""
    wrong: tuple[str, ...] = ()
    about: About = field(default_factory=About)


def decode(queue: QueueName, letter: Letter) -> Decoded:
    """Read a letter as its queue's consumer would. What is not JSON is given back as the text that it is."""
    try:
        body: JsonValue = json.loads(letter.body)
    except (ValueError, RecursionError):
        return Decoded(letter, letter.body, wrong=("it is not JSON",))
    try:
        message: Known = _MESSAGES[queue].validate_json(letter.body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        wrong = tuple(f"{'/'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in found)
        return Decoded(letter, body, wrong=wrong)
    return Decoded(letter, body, message.type, about=_about(message))


def _about(message: Known) -> About:
    match message:
        case PlanWanted():
            ids = {"campaigns": (str(message.campaign_id),), "contacts": (str(message.contact_id),)}
            key = f"{message.campaign_id}:{message.contact_id}"
            return About(ids, message.workspace_id, (JobKind.PLANNING, key))
        case IntakeWanted():
            ids = {"leads": (str(message.lead_id),)} if message.lead_id else {}
            return About(ids, message.workspace_id)
        case SendWanted():
            return About({"outbound_messages": tuple(map(str, message.message_ids))})
        case CrawlWanted() | CrawlReported() | CrawlPageSeen() | CrawlCheck() | AnalysisWanted() | BatchTaken():
            return _about_lead(message)
        case ActionsDue() | SignalReported() | MailReceived() | CampaignMoved() | StartDue() | Sweep() | Wake():
            return _about_campaign(message)
        case _:
            assert_never(message)


def _about_lead(
    message: CrawlWanted | CrawlReported | CrawlPageSeen | CrawlCheck | AnalysisWanted | BatchTaken,
) -> About:
    if isinstance(message, BatchTaken):
        return About({"lead_batches": (str(message.batch_id),)}, message.workspace_id)
    kind = JobKind.ANALYSIS if isinstance(message, AnalysisWanted) else JobKind.CRAWL
    return About({"leads": (str(message.lead_id),)}, message.workspace_id, (kind, str(message.lead_id)))


def _about_campaign(message: ExecutionMessage) -> About:
    match message:
        case ActionsDue():
            return About({_ACTIONS: tuple(map(str, message.action_ids))})
        case SignalReported():
            return About({"outbound_messages": (str(message.message_id),)})
        case MailReceived():
            return About({"outbound_messages": (str(message.about),)} if message.about else {})
        case CampaignMoved() | StartDue():
            return About({"campaigns": (str(message.campaign_id),)})
        case Sweep() | Wake():
            return About()
        case _:
            assert_never(message)


# --- whose, and why ----------------------------------------------------------------------------------------------
_OWN = text(
    " UNION ALL ".join(
        f"SELECT '{table}' AS what, CAST(id AS text) AS id FROM {table} WHERE id = ANY(CAST(:{table} AS uuid[]))"
        for table in _TABLES
    )
    + f"""
    UNION ALL SELECT '{_ACTIONS}', CAST(id AS text) FROM scheduled_actions WHERE id = ANY(CAST(:actions AS bigint[]))
    UNION ALL SELECT '{_ACTIONS}', CAST(action_id AS text) FROM finished_actions
              WHERE action_id = ANY(CAST(:actions AS bigint[]))
    """
)


def own(conn: Connection, workspace_id: WorkspaceId, letters: Sequence[Decoded]) -> list[Decoded]:
    """Those of which everything that they name is in sight of the transaction, which is the workspace's."""
    wanted = {name: sorted({id_ for one in letters for id_ in one.about.ids.get(name, ())}) for name in _TABLES}
    actions = sorted({int(id_) for one in letters for id_ in one.about.ids.get(_ACTIONS, ()) if _is_bigint(id_)})
    parameters: dict[str, object] = {name: [UUID(id_) for id_ in ids] for name, ids in wanted.items()}
    found = {(row.what, row.id) for row in conn.execute(_OWN, parameters | {_ACTIONS: actions})}
    return [one for one in letters if _is_own(one.about, workspace_id, found)]


def _is_bigint(id_: str) -> bool:
    return -(2**63) <= int(id_) < 2**63


def _is_own(about: About, workspace_id: WorkspaceId, found: set[tuple[str, str]]) -> bool:
    named = {(table, id_) for table, ids in about.ids.items() for id_ in ids}
    return bool(named) and named <= found and about.workspace_id in {None, workspace_id}


def errors(conn: Connection, letters: Iterable[Decoded]) -> dict[tuple[JobKind, str], str]:
    """Why the jobs that letters are about are where they are, as far as the ledger says."""
    jobs = {one.about.job for one in letters if one.about.job is not None}
    rows = conn.execute(
        text("""
            SELECT j.kind, j.business_key, j.reason
            FROM jobs j JOIN jsonb_to_recordset(CAST(:jobs AS jsonb)) AS r(kind text, key text)
                ON j.kind = r.kind AND j.business_key = r.key
        """),
        {"jobs": json.dumps([{"kind": kind, "key": key} for kind, key in jobs])},
    )
    return {(JobKind(row.kind), row.business_key): row.reason for row in rows}
