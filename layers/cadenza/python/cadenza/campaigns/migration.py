"""Moving running enrolments to another version of their plan: previewed first, then done exactly as previewed.

A preview is a pure function of what the database holds and of its own instant, so the migration works it out again
under locks, for that same instant, and goes on only if nothing differs.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, Self

from msgspec.structs import replace
from pydantic import JsonValue
from sqlalchemy import Connection, text

from cadenza.campaigns import store
from cadenza.campaigns.mail_plans import accept
from cadenza.campaigns.migration_model import (
    BATCH,
    EnrolmentMove,
    Migration,
    MigrationPreview,
    PlannedAction,
    WantedMigration,
    moves,
    stays,
)
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from cadenza.core.ids import CampaignId, EnrolmentId, PlanId, WorkspaceId
from cadenza.core.states import CAMPAIGN_ENDED, MESSAGE_OPEN, EnrolmentStatus, MessageStatus
from cadenza.delivery import outbox
from cadenza.delivery.model import Deferral
from cadenza.engine import store as engine
from cadenza.engine.apply import FollowUp, apply_migration, compiled_plans
from cadenza.engine.completion import complete_campaigns
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.model import Decision
from cadenza.engine.rebase import MIGRATED, CannotMove, OpenMessage, Rebased, rebase
from cadenza.planning.compiled import CompiledPlan
from cadenza.planning.model import parse_plan

PREVIEW_LIFE: Final = timedelta(hours=1)
"""How long what was previewed can be done."""

_SKEW: Final = timedelta(minutes=1)
"""How far the clock of the process that made the preview may be ahead of ours."""

_OPEN: Final = (EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TOKEN: Final = re.compile(r"(\d{1,18})-([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class _Target:
    """The new plan. ``id`` is None as long as it is not stored; ``source`` is its JSON then."""

    id: PlanId | None
    plan: CompiledPlan
    source: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class _Token:
    """A preview's instant, and the digest of all that it showed."""

    at: datetime
    digest: str

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // timedelta(microseconds=1)}-{self.digest}"

    @classmethod
    def of(cls, survey: _Survey, at: datetime) -> Self:
        digest = sha256(survey.target.plan.hash.encode())
        for move in survey.moves:
            digest.update(move.model_dump_json().encode())
        return cls(at, digest.hexdigest())

    @classmethod
    def read(cls, token: str, now: datetime) -> Self:
        found = _TOKEN.fullmatch(token)
        if found is None:
            raise InvalidInput("this is no preview's token", (FieldProblem("/token", "take it from a preview"),))
        age = now - _EPOCH - timedelta(microseconds=int(found[1]))
        if not -_SKEW <= age <= PREVIEW_LIFE:
            raise Conflict("the preview is too old: preview again", (FieldProblem("/token", "expired"),))
        return cls(now - age, found[2])


@dataclass(frozen=True, slots=True)
class _Survey:
    """What would become of whom."""

    campaign_id: CampaignId
    target: _Target
    moves: tuple[EnrolmentMove, ...]
    rebased: tuple[tuple[engine.Enrolment, Rebased], ...]
    next_cursor: EnrolmentId | None

    def told(self, plan_id: PlanId | None) -> Migration:
        return Migration(
            campaign_id=self.campaign_id,
            plan_id=plan_id,
            plan_hash=self.target.plan.hash,
            moving=len(self.rebased),
            staying=len(self.moves) - len(self.rebased),
            items=self.moves,
            next_cursor=self.next_cursor,
        )


@dataclass(frozen=True, slots=True)
class Migrations:
    """Plan versions of one workspace's campaigns."""

    database: Database
    dispatcher: Dispatcher
    workspace_id: WorkspaceId
    clock: Clock

    def preview(self, campaign_id: CampaignId, wanted: WantedMigration) -> MigrationPreview:
        """What `migrate` would do; nothing is locked or changed.

        Raises:
            NotFound: No such campaign.
            InvalidInput: The plan has errors (a problem each), or something is named that does not exist.
            Conflict: The campaign has ended.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            survey = self._survey(conn, _campaign(conn, campaign_id), wanted, now)
        token = str(_Token.of(survey, now))
        return MigrationPreview(**dict(survey.told(survey.target.id)), at=now, token=token)

    def migrate(self, campaign_id: CampaignId, wanted: WantedMigration, token: str) -> Migration:
        """Do what the preview with this token showed.

        Raises:
            NotFound, InvalidInput: As `preview`.
            Conflict: Something that matters has changed since the preview, or an hour has passed; nothing is done.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            campaign = _campaign(conn, campaign_id, lock=True)
            preview = _Token.read(token, now)
            survey = self._survey(conn, campaign, wanted, preview.at, lock=True)
            if _Token.of(survey, preview.at) != preview:
                raise Conflict("things have changed since the preview: preview again")
            plan_id = survey.target.id
            follow_up = FollowUp()
            if survey.rebased:
                plan_id = plan_id or self._save(conn, survey.target, now)
                follow_up = _carry_out(conn, survey, plan_id, now)
        self.dispatcher.dispatch(follow_up, now)
        if follow_up.campaigns:  # in a transaction of its own, so that it sees whatever else has ended meanwhile
            with self.database.workspace(self.workspace_id) as conn:
                complete_campaigns(conn, sorted(follow_up.campaigns), now)
        return survey.told(plan_id)

    def _save(self, conn: Connection, target: _Target, now: datetime) -> PlanId:
        return store.save_plan(
            conn, self.workspace_id, target.source, plan_hash=target.plan.hash, source=store.OPERATOR, now=now
        )

    def _survey(
        self, conn: Connection, campaign: store.Campaign, wanted: WantedMigration, at: datetime, *, lock: bool = False
    ) -> _Survey:
        target = self._target(conn, wanted)
        if unknown := sorted(set(wanted.node_map.values()) - target.plan.nodes.keys()):
            detail = "the new plan has no such node that can be reached"
            raise InvalidInput(detail, tuple(FieldProblem("/node_map", f"{detail}: {node!r}") for node in unknown))
        if campaign.status in CAMPAIGN_ENDED:
            raise Conflict(f"the campaign is {campaign.status}: its enrolments have ended")
        ids, next_cursor = _selected(conn, campaign.id, wanted, target.id)
        enrolments = engine.lock(conn, ids, at) if lock else engine.look(conn, ids, at)
        plans = compiled_plans(conn, {enrolment.plan_id for enrolment in enrolments.values()})
        messages, actions = _open_messages(conn, ids), _live_actions(conn, ids)
        told: list[EnrolmentMove] = []
        rebased: list[tuple[engine.Enrolment, Rebased]] = []
        for enrolment in (enrolments[enrolment_id] for enrolment_id in ids if enrolment_id in enrolments):
            old, message = plans[enrolment.plan_id], messages.get(enrolment.id)
            found = rebase(old, target.plan, enrolment.state, enrolment.rules, at, wanted.node_map, message)
            if isinstance(found, CannotMove):
                told.append(stays(enrolment, found))
            else:
                told.append(moves(enrolment, found, message, actions.get(enrolment.id, ())))
                rebased.append((enrolment, found))
        return _Survey(campaign.id, target, tuple(told), tuple(rebased), next_cursor)

    def _target(self, conn: Connection, wanted: WantedMigration) -> _Target:
        if (wanted.plan is None) == (wanted.plan_id is None):
            raise InvalidInput("a migration has one target", (FieldProblem("", "give either plan or plan_id"),))
        if wanted.plan_id is not None:
            source = engine.plans(conn, [wanted.plan_id])
            if wanted.plan_id not in source:
                raise InvalidInput("there is no such plan", (FieldProblem("/plan_id", "no such plan"),))
            return _Target(wanted.plan_id, compiled_plans(conn, [wanted.plan_id])[wanted.plan_id], {})
        plan = accept(wanted.plan)
        stored = conn.execute(
            text("SELECT id FROM campaign_plans WHERE workspace_id = :workspace_id AND hash = :hash"),
            {"workspace_id": self.workspace_id, "hash": plan.hash},
        ).scalar()
        return _Target(stored, plan, parse_plan(wanted.plan).to_json())


def _campaign(conn: Connection, campaign_id: CampaignId, *, lock: bool = False) -> store.Campaign:
    campaign = store.find(conn, campaign_id, lock=lock)
    if campaign is None:
        raise NotFound("campaign", campaign_id)
    return campaign


def _carry_out(conn: Connection, survey: _Survey, plan_id: PlanId, now: datetime) -> FollowUp:
    decisions: list[tuple[engine.Enrolment, Decision]] = []
    deferrals: list[Deferral] = []
    for enrolment, rebased in survey.rebased:
        # Decided for the preview's instant; the audit says when it was done.
        audit = tuple(replace(move, at=now) for move in rebased.decision.moves)
        decisions.append((enrolment, replace(rebased.decision, moves=audit)))
        if (window := rebased.window) is not None:
            reason = "; ".join((MIGRATED, *window.why))
            deferrals.append(Deferral(window.message_id, window.due_at, window.closes_at, reason))
    follow_up = apply_migration(conn, decisions, plan_id, survey.target.plan, now)
    outbox.defer(conn, deferrals)
    # Hinted at once: what is not due yet is put off again by the gate, with its wake.
    return follow_up + FollowUp(messages=tuple(deferral.id for deferral in deferrals))


# --- what is there -----------------------------------------------------------------------------------------------


def _selected(
    conn: Connection, campaign_id: CampaignId, wanted: WantedMigration, plan_id: PlanId | None
) -> tuple[list[EnrolmentId], EnrolmentId | None]:
    """Whom the migration is about, and where the next batch begins."""
    if wanted.enrolment_ids is not None:
        named = {"campaign_id": campaign_id, "ids": list(wanted.enrolment_ids)}
        found = set(conn.execute(_NAMED, named).scalars())
        missing = (
            FieldProblem(f"/enrolment_ids/{place}", "no such enrolment in this campaign")
            for place, enrolment_id in enumerate(wanted.enrolment_ids)
            if enrolment_id not in found
        )
        if problems := tuple(missing):
            raise InvalidInput("not all of these are in the campaign", problems)
        return sorted(found), None
    parameters = {
        "campaign_id": campaign_id,
        "open": list(_OPEN),
        "plan_id": plan_id,
        "after": wanted.cursor,
        "limit": BATCH + 1,  # one more than moves says whether there is another batch
    }
    ids: list[EnrolmentId] = list(conn.execute(_OPEN_ONES, parameters).scalars())
    return ids[:BATCH], ids[BATCH - 1] if len(ids) > BATCH else None


_NAMED = text("SELECT id FROM contact_campaigns WHERE campaign_id = :campaign_id AND id = ANY(:ids)")

_OPEN_ONES = text("""
    SELECT id FROM contact_campaigns
    WHERE campaign_id = :campaign_id AND status = ANY(:open) AND plan_id IS DISTINCT FROM CAST(:plan_id AS uuid)
      AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid))
    ORDER BY id LIMIT :limit
""")


def _open_messages(conn: Connection, ids: Sequence[EnrolmentId]) -> dict[EnrolmentId, OpenMessage]:
    """The open message of each enrolment's current stay."""
    rows = conn.execute(_MESSAGES, {"ids": list(ids), "open": list(MESSAGE_OPEN)})
    return {row.enrolment_id: OpenMessage(row.id, MessageStatus(row.status), row.due_at) for row in rows}


_MESSAGES = text("""
    SELECT e.id AS enrolment_id, m.id, m.status, m.due_at
    FROM contact_campaigns e JOIN outbound_messages m ON m.id = e.last_message_id AND m.visit = e.visit
    WHERE e.id = ANY(:ids) AND m.status = ANY(:open)
""")


def _live_actions(conn: Connection, ids: Sequence[EnrolmentId]) -> Mapping[EnrolmentId, list[PlannedAction]]:
    rows = conn.execute(
        text("""
            SELECT enrolment_id, kind, event, due_at, why FROM scheduled_actions
            WHERE enrolment_id = ANY(:ids) ORDER BY due_at, id
        """),
        {"ids": list(ids)},
    )
    found: defaultdict[EnrolmentId, list[PlannedAction]] = defaultdict(list)
    for row in rows:
        found[row.enrolment_id].append(PlannedAction(kind=row.kind, event=row.event, due_at=row.due_at, why=row.why))
    return found
