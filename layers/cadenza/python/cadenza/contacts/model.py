"""Pure types of contacts."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from cadenza.core.states import AddressCheck

GONE: Final = "[erased]"
"""What stands where a person stood whose data was erased."""


class ContactKind(StrEnum):
    """Whether an address leads to a person or to a shared mailbox."""

    PERSON = "person"
    GENERIC = "generic"


class FoundContact(BaseModel):
    """Somebody who can be written to. ``email`` stands on ``page_url``; ``quote`` is the place, verbatim.

    ``role_rank`` is 1 for who decides, then up; 100 for shared mailboxes. ``phone`` is E.164 or "". ``country`` is ISO
    3166-1 alpha-2 and ``time_zone`` an IANA name; both "" unless the site leaves no doubt.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    email: str
    kind: ContactKind
    role_rank: int
    name: str = ""
    first_name: str = ""
    last_name: str = ""
    title: str = ""
    phone: str = ""
    country: str = ""
    time_zone: str = ""
    language: str = ""
    page_url: str
    quote: str
    address_check: AddressCheck = AddressCheck.UNCHECKED
