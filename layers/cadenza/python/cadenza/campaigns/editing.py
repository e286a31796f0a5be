"""Campaigns are changed while they are drafts, and cloned at any time."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import JsonValue, ValidationError
from sqlalchemy import Connection, text

from cadenza.campaigns import own_plan, readiness, store
from cadenza.campaigns.by_hand import ByHand
from cadenza.campaigns.model import CampaignChange, NewCampaign
from cadenza.core import audit, etags
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from cadenza.core.ids import CampaignId, ContactId, WorkspaceId
from cadenza.core.states import AuditAct, CampaignStatus
from cadenza.planning.model import problems_of

ALWAYS: Final = frozenset({"name", "daily_cap"})
"""What may be changed in any state: neither touches what has been planned or promised."""

MAX_CLONED: Final = 10_000
BATCH: Final = 1000
"""Contacts of one transaction."""

_NAME_LIMIT: Final = 200


class ClonedContacts(StrEnum):
    """Who is in a clone."""

    NONE = "none"
    SAME = "same"
    """Those who are in the original, unless they may not be written to any more."""


@dataclass(frozen=True, slots=True)
class CampaignEdits:
    """Changes of one workspace's campaigns. ``key_id`` is the API key in whose name they are made."""

    database: Database
    workspace_id: WorkspaceId
    key_id: UUID
    clock: Clock
    by_hand: ByHand

    def change(self, campaign_id: CampaignId, change: CampaignChange, seen: AbstractSet[str] | None) -> None:
        """Change what is given. ``seen``: see `etags.expect`.

        Raises:
            NotFound: No such campaign.
            Overtaken: It is not the version that was seen.
            InvalidInput: It would be no campaign, or names what is not in this workspace.
            Conflict: It is no draft, and more is to change than `ALWAYS` may; each such field is named.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            campaign = store.find(conn, campaign_id, to_move=True)
            if campaign is None:
                raise NotFound("campaign", campaign_id)
            etags.expect(seen, etags.tag_of(campaign.said), "campaign")
            said = _merged(campaign.said, change)
            changed = [name for name in NewCampaign.model_fields if getattr(said, name) != getattr(campaign.said, name)]
            if campaign.status is not CampaignStatus.DRAFT:
                _refuse_fixed(campaign, changed)
            if problems := readiness.unknown(conn, said):
                raise InvalidInput("the campaign names what is not there", problems)
            store.save(conn, campaign_id, said, now)
            if campaign.plan_id is not None and not campaign.has_begun:
                own_plan.settle(conn, replace(campaign, said=said), now)  # its drafts get what it sends now
            self._record(conn, AuditAct.CAMPAIGN_CHANGED, campaign_id, {"fields": list(changed)})

    def clone(
        self, campaign_id: CampaignId, name: str, contacts: ClonedContacts, correlation_id: str = ""
    ) -> CampaignId:
        """A new draft with the campaign's content, sender, rules and settings; ``name`` "" names it after the original.

        With `ClonedContacts.SAME` its people are enrolled anew: in the plan that the template or workflow gives now;
        where plans are written for each, theirs are on order. Sites are not taken over.

        Raises:
            NotFound: No such campaign.
            Conflict: More than `MAX_CLONED` people are in it.
        """
        with self.database.workspace(self.workspace_id) as conn:
            campaign = store.find(conn, campaign_id)
            if campaign is None:
                raise NotFound("campaign", campaign_id)
            people = _people(conn, campaign_id) if contacts is ClonedContacts.SAME else []
            if len(people) > MAX_CLONED:
                detail = f"clone it without its contacts: more than {MAX_CLONED:,} are in it"
                raise Conflict("the campaign is too large to be cloned as it is", (FieldProblem("/contacts", detail),))
            said = campaign.said.model_copy(update={"name": name or f"{campaign.name[: _NAME_LIMIT - 7]} (copy)"})
            made = store.create(conn, self.workspace_id, said, self.clock())
            self._record(conn, AuditAct.CAMPAIGN_CLONED, made, {"from": str(campaign_id), "contacts": contacts})
        for first in range(0, len(people), BATCH):
            self.by_hand.enrol(made, people[first : first + BATCH], None, correlation_id)
        return made

    def _record(self, conn: Connection, act: AuditAct, campaign_id: CampaignId, detail: dict[str, JsonValue]) -> None:
        now = self.clock()
        audit.record(conn, self.workspace_id, act, now, key_id=self.key_id, subject_id=campaign_id, detail=detail)


def _merged(said: NewCampaign, change: CampaignChange) -> NewCampaign:
    try:
        return NewCampaign.model_validate(said.model_dump() | change.model_dump(exclude_unset=True))
    except ValidationError as error:
        raise InvalidInput("the campaign cannot be so", problems_of(error)) from error


def _refuse_fixed(campaign: store.Campaign, changed: list[str]) -> None:
    fixed = [name for name in changed if name not in ALWAYS]
    if fixed:
        scheduled = campaign.status is CampaignStatus.SCHEDULED
        way = "unschedule it first" if scheduled else "clone it to send something else"
        problems = tuple(FieldProblem(f"/{name}", f"is fixed: {way}") for name in fixed)
        raise Conflict(f"of a campaign that is {campaign.status} only name and daily_cap can change", problems)


def _people(conn: Connection, campaign_id: CampaignId) -> list[ContactId]:
    """Who is in the campaign, in the order in which they came; one more than can be cloned, at most."""
    query = text(f"SELECT contact_id FROM contact_campaigns WHERE campaign_id = :id ORDER BY id LIMIT {MAX_CLONED + 1}")
    return list(conn.execute(query, {"id": campaign_id}).scalars())
