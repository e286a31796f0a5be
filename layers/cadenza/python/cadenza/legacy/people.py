"""Old leads as ours: people and sites. Pure."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from cadenza.contacts.addresses import MAILBOX_PROVIDERS
from cadenza.contacts.people import NewContact
from cadenza.core.errors import InvalidInput
from cadenza.leads.domains import normalise
from cadenza.leads.importing import Site
from cadenza.leads.people import split_name
from cadenza.legacy.records import OldLead
from cadenza.legacy.values import NOT_TO_WRITE_TO, REPLIED, UNTOUCHED, spoken_state
from cadenza.legacy.wanted import Entry, WantedLead, reference, without_faults

_KNOWN: Final = frozenset({*UNTOUCHED, *NOT_TO_WRITE_TO, *REPLIED, "contacted", "sent", "opened", "clicked"})


def lead_of(old: OldLead, entry: Entry) -> WantedLead | None:
    """The lead; None: the entry says why it cannot be taken."""
    if not old.email and not old.website and not old.phone:
        entry.refuse("email", "give an address, a number, or a website")
        return None
    site = _site(old, entry)
    contact = _contact(old, entry) if old.email or old.phone else None
    if not entry.is_open or (contact is None and site is None):
        if entry.is_open:
            entry.refuse("website", "is no public domain, and there is nobody to write to")
        return None
    state = spoken_state(old.status)
    if state not in _KNOWN:
        entry.note("its status is none that is known: taken as if mails had been sent")
    lead = WantedLead(
        entry,
        reference(old.id, "lead", old.email.lower() or (site.domain if site else old.phone)),
        site,
        old.company,
        contact,
        never=NOT_TO_WRITE_TO.get(state, ""),
        replied=state in REPLIED,
        untouched=state in UNTOUCHED,
    )
    if lead.never:
        entry.note(f"suppressed as {lead.never}: nothing is sent to this address any more")
    if lead.replied:
        entry.note("has replied: none of the campaigns of this export writes to them again")
    return lead


def _site(old: OldLead, entry: Entry) -> Site | None:
    said = old.website
    domain = old.email.rpartition("@")[2].lower()
    if not said and domain not in MAILBOX_PROVIDERS:
        said = domain
    if not said:
        if old.company:
            entry.note("company is left out: of somebody at a mailbox provider it is known by its website only")
        return None
    try:
        return Site(*normalise(said, "/website"))
    except InvalidInput as error:
        if not old.website:
            return None
        entry.note(f"website is left out: {error.problems[0].detail}")
        return None


def _contact(old: OldLead, entry: Entry) -> NewContact | None:
    first, last = old.first_name, old.last_name
    if not (first or last) and old.name:
        first, last = split_name(old.name)
    given = {
        "phone": old.phone,
        "name": old.name or " ".join(filter(None, (first, last))),
        "first_name": first,
        "last_name": last,
        "title": old.title,
        "time_zone": old.time_zone,
        "country": old.country.upper() if len(old.country) == 2 else old.country,  # noqa: PLR2004 - ISO 3166-1 alpha-2
        "language": old.language[:2].lower(),
    }
    address: dict[str, object] = {"email": old.email} if old.email else {}
    try:
        kept = without_faults(NewContact, {**address, **{name: x for name, x in given.items() if x}}, entry)
        return NewContact.model_validate({**kept, **address})
    except ValidationError as error:
        entry.notes.clear()
        entry.refuse_for(error, {"": "email"})
        return None
