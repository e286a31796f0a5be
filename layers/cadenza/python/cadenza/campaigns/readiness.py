"""What a campaign lacks before it can start, and what it names that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import Connection

from cadenza.campaigns import content_store, store
from cadenza.campaigns.model import NewCampaign
from cadenza.core.errors import FieldProblem
from cadenza.core.states import CampaignKind, CampaignType
from cadenza.delivery.addresses import is_sendable
from cadenza.delivery.providers.accounts import SES

# Mailbox providers' domains, in whose name only their own servers send (SPF, DMARC): SES would be turned away.
_FREE_MAIL: Final = frozenset(
    {
        *("aol.com", "fastmail.com", "gmail.com", "gmx.de", "gmx.net", "googlemail.com", "hotmail.com", "icloud.com"),
        *("live.com", "me.com", "msn.com", "outlook.com", "proton.me", "protonmail.com", "web.de", "yahoo.com"),
        *("yandex.com", "zoho.com"),
    }
)


def missing(conn: Connection, campaign: store.Campaign, public_url: str) -> list[FieldProblem]:
    """Everything that keeps the campaign from starting, but for its content if it has a plan of its own."""
    sender = store.sender(conn, campaign.sender_id) if campaign.sender_id is not None else None
    if sender is None:
        problems = [FieldProblem("/sender_id", "choose who sends: POST /v1/senders, then name it here")]
    else:
        problems = [FieldProblem("/sender_id", problem) for problem in _missing_of(sender)]
    if campaign.kind is CampaignKind.AI and not campaign.brief.offering:
        problems.append(FieldProblem("/brief/offering", "say what is offered"))
    if campaign.type is not CampaignType.FULLY_AUTOMATED and not store.has_people(conn, campaign.id):
        detail = "there is nobody to write to: give it leads (POST /v1/leads) or contacts (POST …/enrolments) first"
        problems.append(FieldProblem("", detail))
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


def unknown(conn: Connection, said: NewCampaign) -> tuple[FieldProblem, ...]:
    """What the campaign names that is not in this workspace. What is, is kept from being deleted meanwhile."""
    problems: list[FieldProblem] = []
    if said.sender_id is not None and store.sender(conn, said.sender_id) is None:
        problems.append(FieldProblem("/sender_id", "no such sender; create one with POST /v1/senders"))
    if said.template_id is not None and not content_store.known_templates(conn, [said.template_id], lock=True):
        problems.append(FieldProblem("/template_id", "no such template; create one with POST /v1/templates"))
    if said.workflow_id is not None and not content_store.workflow_is_known(conn, said.workflow_id):
        problems.append(FieldProblem("/workflow_id", "no such workflow; create one with POST /v1/workflows"))
    return tuple(problems)
