"""What operators do with campaigns: create, start, pause, resume, cancel."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Connection

from cadenza.campaigns import resumption, store
from cadenza.campaigns.model import NewCampaign
from cadenza.campaigns.resumption import ResumePreview
from cadenza.core import audit
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from cadenza.core.ids import CampaignId, WorkspaceId
from cadenza.core.states import CAMPAIGN_UNBEGUN, AuditAct, CampaignStatus, ResumePolicy
from cadenza.delivery import reputation
from cadenza.delivery.addresses import is_sendable
from cadenza.delivery.providers.accounts import SES
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.following import Followed, follow


@dataclass(frozen=True, slots=True)
class Campaigns:
    """The operator's side of one workspace."""

    database: Database
    dispatcher: Dispatcher
    workspace_id: WorkspaceId
    key_id: UUID | None
    """The API key in whose name it is done; None: the system does it."""
    clock: Clock
    public_url: str

    def create(self, new: NewCampaign) -> CampaignId:
        """Add a draft campaign.

        Raises:
            InvalidInput: ``sender_id`` names no sender of this workspace.
        """
        with self.database.workspace(self.workspace_id) as conn:
            if new.sender_id is not None and store.sender(conn, new.sender_id) is None:
                problem = FieldProblem("/sender_id", "no such sender; create one with POST /v1/senders")
                raise InvalidInput("the campaign names an unknown sender", (problem,))
            return store.create(conn, self.workspace_id, new, self.clock())

    def start(self, campaign_id: CampaignId) -> None:
        """Start a draft (or scheduled) campaign: its draft enrolments become active, the first of them at once.

        Raises:
            NotFound: No such campaign.
            Conflict: It cannot start from its state, or something is missing; all that is missing is named at once.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            campaign = self._find(conn, campaign_id)
            if missing := _missing(conn, campaign, self.public_url):
                raise Conflict("the campaign cannot start yet", tuple(missing))
            self._move(conn, campaign, CampaignStatus.RUNNING, AuditAct.CAMPAIGN_STARTED, only_from=CAMPAIGN_UNBEGUN)
            followed = follow(conn, campaign_id, now)
        self._go_on(campaign_id, followed, now)

    def pause(self, campaign_id: CampaignId, reason: str = "") -> None:
        """Pause: one row changes, and from its commit on the gate lets nothing of this campaign pass (I3).

        Raises:
            NotFound: No such campaign.
            Conflict: It is not running.
        """
        with self.database.workspace(self.workspace_id) as conn:
            self._move(
                conn, self._find(conn, campaign_id), CampaignStatus.PAUSED, AuditAct.CAMPAIGN_PAUSED, reason=reason
            )

    def preview_resume(self, campaign_id: CampaignId) -> ResumePreview:
        """What each policy would do if the campaign were resumed now.

        Raises:
            NotFound: No such campaign.
            Conflict: It is not paused.
        """
        with self.database.workspace(self.workspace_id) as conn:
            return resumption.preview(conn, campaign_id, _paused_at(self._find(conn, campaign_id)), self.clock())

    def resume(self, campaign_id: CampaignId, policy: ResumePolicy = ResumePolicy.SHIFT) -> None:
        """Run again. What the pause held back goes on as ``policy`` says, and never in a burst.

        What went out before no longer counts for the campaign's reputation.

        Raises:
            NotFound: No such campaign.
            Conflict: It is not paused.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            campaign = self._find(conn, campaign_id, to_move=True)
            paused_at = _paused_at(campaign)
            self._move(conn, campaign, CampaignStatus.RUNNING, AuditAct.CAMPAIGN_RESUMED, policy=policy)
            reputation.forgive(conn, "campaign", campaign_id)
            resumption.resume(conn, campaign_id, policy, paused_at, now)
        self.dispatcher.wake(now)
        self.dispatcher.follow([campaign_id])

    def cancel(self, campaign_id: CampaignId, reason: str = "") -> None:
        """End the campaign, and its open enrolments, the first of them at once. Nothing that waits is sent.

        Raises:
            NotFound: No such campaign.
            Conflict: It has ended.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            campaign = self._find(conn, campaign_id)
            self._move(conn, campaign, CampaignStatus.CANCELLED, AuditAct.CAMPAIGN_CANCELLED, reason=reason)
            followed = follow(conn, campaign_id, now)
        self._go_on(campaign_id, followed, now)

    def _go_on(self, campaign_id: CampaignId, followed: Followed, now: datetime) -> None:
        """After the commit: the enrolments that have not followed yet are left to the execute function."""
        self.dispatcher.dispatch(followed.follow_up, now)
        if followed.more:
            self.dispatcher.follow([campaign_id])

    def _find(self, conn: Connection, campaign_id: CampaignId, *, to_move: bool = False) -> store.Campaign:
        campaign = store.find(conn, campaign_id, to_move=to_move)
        if campaign is None:
            raise NotFound("campaign", campaign_id)
        return campaign

    def _move(
        self,
        conn: Connection,
        campaign: store.Campaign,
        target: CampaignStatus,
        act: AuditAct,
        *,
        only_from: Collection[CampaignStatus] = tuple(CampaignStatus),
        **detail: str,
    ) -> None:
        now = self.clock()
        if not store.move(conn, campaign.id, target, detail.get("reason", ""), now, only_from=only_from):
            verb = act.removeprefix("campaign_")
            raise Conflict(f"a campaign that is {campaign.status} cannot be {verb}")
        audit.record(conn, self.workspace_id, act, now, key_id=self.key_id, subject_id=campaign.id, detail=detail)


def _paused_at(campaign: store.Campaign) -> datetime:
    if campaign.paused_at is None:
        raise Conflict(f"the campaign is {campaign.status}, not paused")
    return campaign.paused_at


# Mailbox providers' domains, in whose name only their own servers send (SPF, DMARC): SES would be turned away.
_FREE_MAIL: Final = frozenset(
    {
        *("aol.com", "fastmail.com", "gmail.com", "gmx.de", "gmx.net", "googlemail.com", "hotmail.com", "icloud.com"),
        *("live.com", "me.com", "msn.com", "outlook.com", "proton.me", "protonmail.com", "web.de", "yahoo.com"),
        *("yandex.com", "zoho.com"),
    }
)


def _missing(conn: Connection, campaign: store.Campaign, public_url: str) -> list[FieldProblem]:
    """Everything that keeps the campaign from starting."""
    sender = store.sender(conn, campaign.sender_id) if campaign.sender_id is not None else None
    if sender is None:
        problems = [FieldProblem("/sender_id", "choose who sends: POST /v1/senders, then name it here")]
    else:
        problems = [FieldProblem("/sender_id", problem) for problem in _missing_of(sender)]
    if not campaign.brief.offering:
        problems.append(FieldProblem("/brief/offering", "say what is offered"))
    if not is_reachable(public_url):
        # Where the opt-out of every mail leads; RFC 8058 §3.1 wants HTTPS.
        detail = "the installation has no public https address for the opt-out: set PUBLIC_URL (-c publicUrl=https://…)"
        problems.append(FieldProblem("", detail))
    return problems


def _missing_of(sender: store.Sender) -> Iterator[str]:
    """What keeps anybody from sending as this sender. Its name and postal address stand in the text of each mail."""
    if not sender.postal_address.strip():
        yield "the sender has no postal address, which every mail must carry"
    if not sender.name.strip() and not sender.company.strip():
        yield "the sender has neither a name nor a company: every mail must say who writes"
    if not is_sendable(sender.email):
        yield f"{sender.email!r} is no address that mail can be sent from"
    elif sender.provider == SES and sender.email.rpartition("@")[2].lower() in _FREE_MAIL:
        yield "receivers refuse this domain's mail from all but its own provider: send by smtp, or as a domain of yours"
    if sender.reply_to and not is_sendable(sender.reply_to):
        yield f"{sender.reply_to!r} is no address that answers can reach"


def is_reachable(public_url: str) -> bool:
    """Whether people can reach our links. Plain HTTP is for a system that is all on one machine."""
    try:
        parts = urlsplit(public_url)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or parts.hostname in {"127.0.0.1", "::1", "localhost"})
