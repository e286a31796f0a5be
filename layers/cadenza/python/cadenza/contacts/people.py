"""What operators say of a person: who it is, how to reach them, and on what ground. Checked before it is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator

from cadenza.contacts import addresses
from cadenza.contacts.countries import known_country
from cadenza.core.ids import LeadId
from cadenza.core.instants import Instant
from cadenza.core.states import ConsentBasis, SuppressionChannel


def _writable(text: str) -> str:
    address = addresses.email(text)
    try:
        # Whether its domain takes mail is found out by sending; SMTPUTF8 few servers speak.
        validate_email(address, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return address


def _callable(text: str) -> str:
    return addresses.normal(SuppressionChannel.PHONE, text)


def _country(code: str) -> str:
    return known_country(code) if code else ""


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key if name else ""
    except (OSError, ValueError, KeyError):
        raise ValueError("is no IANA time zone, such as Europe/Berlin") from None


Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254), AfterValidator(_writable)]
Phone = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40), AfterValidator(_callable)]
Country = Annotated[str, AfterValidator(_country)]
Zone = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100), AfterValidator(_zone)]
Language = Annotated[str, StringConstraints(pattern="^([a-z]{2})?$")]


class Consent(BaseModel):
    """On what ground the person is written to. ``source`` says where that is to be seen: a form, a contract, a note."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

    basis: ConsentBasis = ConsentBasis.NONE
    source: Line = ""
    at: Instant | None = None

    @model_validator(mode="after")
    def _provable(self) -> Self:
        if self.basis is not ConsentBasis.NONE and not (self.source and self.at):
            raise ValueError("a basis needs a source and the instant at, so that it can be shown (GDPR Art. 7(1))")
        return self


class ContactChange(BaseModel):
    """What is to change; what is not named stays. ``email`` and ``phone`` null take them away."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: Email | None = None
    phone: Phone | None = None
    name: Line = ""
    first_name: Line = ""
    last_name: Line = ""
    title: Line = ""
    time_zone: Zone = ""
    country: Country = ""
    language: Language = ""
    lead_id: LeadId | None = None
    consent: Consent = Consent()

    def values(self) -> dict[str, object]:
        """The columns that are named, with their new values."""
        named = {name: getattr(self, name) for name in self.model_fields_set - {"consent"}}
        if "consent" in self.model_fields_set:
            named |= {f"consent_{name}": getattr(self.consent, name) for name in Consent.model_fields}
        return named


REACHABLE: Final = "give an email, a phone, or both"


class NewContact(ContactChange):
    """A person added by hand."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.email is None and self.phone is None:
            raise ValueError(REACHABLE)
        return self


class WantedHold(BaseModel):
    """Nothing goes to the person before ``until``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    until: Instant | None = None
    reason: Line = ""


class HoldStatus(BaseModel):
    """The person's hold; ``until`` null: there is none."""

    model_config = ConfigDict(frozen=True)

    until: datetime | None = None
    reason: str = ""
    created_at: datetime | None = None
