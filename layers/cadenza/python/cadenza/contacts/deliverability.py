"""Whether an address can take mail at all: its domain is asked in DNS, and looked up among those to throw away.

What DNS does not say refuses nobody: silence, a time-out or a broken server mean "unknown". The look-ups never happen
inside a transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

from cadenza.contacts import store
from cadenza.contacts.model import FoundContact
from cadenza.core.addresses import is_public
from cadenza.core.db import Database
from cadenza.core.ids import ContactId
from cadenza.core.states import UNDELIVERABLE, AddressCheck

if TYPE_CHECKING:
    from dns.resolver import Answer

GOOD_FOR = timedelta(days=30)
"""How long a check is believed before the next plan asks again."""
_LOOKUP_S = 4.0
_BUDGET_S = 20.0
"""For all domains of one call: a page can name hundreds, each with a name server that never answers."""

_WHY = {
    AddressCheck.NO_DOMAIN: "the domain of the address does not exist",
    AddressCheck.NO_MX: "the domain of the address takes no mail",
    AddressCheck.DISPOSABLE: "the address is a disposable one",
}


class MailHosts(Protocol):
    """Who knows which domains take mail."""

    def check(self, domain: str) -> AddressCheck:
        """`AddressCheck.OK`, ``NO_DOMAIN``, ``NO_MX``, or ``UNKNOWN``; never raises. ``domain`` is in ASCII."""
        ...


class NoDns:
    """Knows nothing: where there is no DNS, or the domains are made up."""

    def check(self, domain: str) -> AddressCheck:  # noqa: ARG002 - the protocol's
        """See `MailHosts`."""
        return AddressCheck.UNKNOWN


class Dns:
    """Asks the system's name servers. Answers are kept as long as their TTL says, in this process."""

    def __init__(self, nameservers: Sequence[str] = (), *, port: int = 53, lookup_s: float = _LOOKUP_S) -> None:
        """``nameservers`` are IP addresses; none means those of the system."""
        from dns.resolver import LRUCache, Resolver  # noqa: PLC0415 - 200 ms that only those pay who look up

        self._resolver = Resolver(configure=not nameservers)
        if nameservers:
            self._resolver.nameservers = list(nameservers)
            self._resolver.port = port
        self._resolver.lifetime = lookup_s
        self._resolver.cache = LRUCache()

    def check(self, domain: str) -> AddressCheck:
        """See `MailHosts`: MX records (RFC 5321 §5.1), one of which may say "no mail" (RFC 7505), else an address."""
        from dns.exception import DNSException  # noqa: PLC0415 - as above
        from dns.resolver import NXDOMAIN  # noqa: PLC0415

        try:
            if exchanges := self._ask(domain, "MX"):
                named = any(str(record.exchange) != "." for record in exchanges)
                return AddressCheck.OK if named else AddressCheck.NO_MX
            hosts = (self._ask(domain, "A"), self._ask(domain, "AAAA"))
        except NXDOMAIN:
            return AddressCheck.NO_DOMAIN
        except (DNSException, OSError):
            return AddressCheck.UNKNOWN
        public = any(is_public(ip_address(str(record.address))) for answer in hosts if answer for record in answer)
        return AddressCheck.OK if public else AddressCheck.NO_MX

    def _ask(self, domain: str, kind: str) -> Answer | None:
        """The records of a kind; None if the domain has none."""
        from dns.resolver import NoAnswer  # noqa: PLC0415 - as above

        try:
            return self._resolver.resolve(f"{domain}.", kind)
        except NoAnswer:
            return None


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """Checks addresses. The default has no DNS and finds disposable ones only."""

    hosts: MailHosts = field(default_factory=NoDns)
    monotonic: Callable[[], float] = time.monotonic

    def check(self, addresses: Iterable[str]) -> dict[str, AddressCheck]:
        """What is known of each address; each domain is asked once, until the time for all is used up."""
        ends_at = self.monotonic() + _BUDGET_S
        known: dict[str, AddressCheck] = {}
        found: dict[str, AddressCheck] = {}
        for address in addresses:
            domain = address.rpartition("@")[2].lower()
            if domain not in known:
                known[domain] = self._check(domain, in_time=self.monotonic() < ends_at)
            found[address] = known[domain]
        return found

    def _check(self, domain: str, *, in_time: bool) -> AddressCheck:
        if is_disposable(domain):
            return AddressCheck.DISPOSABLE
        return self.hosts.check(domain) if in_time else AddressCheck.UNKNOWN

    def checked(self, found: Sequence[FoundContact]) -> tuple[FoundContact, ...]:
        """The contacts with what is known of their addresses. None is left out: an operator is to see who and why."""
        checks = self.check(contact.email for contact in found)
        return tuple(c.model_copy(update={"address_check": checks[c.email]}) for c in found)

    def recheck(self, database: Database, contact_id: ContactId, now: datetime) -> None:
        """Check a contact of whom nothing is known, or was known too long ago; whoever added them."""
        with database.worker() as conn:
            address = store.address_to_check(conn, contact_id, known_since=now - GOOD_FOR)
        if address is None:
            return
        check = self.check([address])[address]
        with database.worker() as conn:
            store.note_address_check(conn, contact_id, address, check, now)


def is_disposable(domain: str) -> bool:
    """Whether the domain, or one above it, gives out addresses to throw away."""
    from disposable_email_domains import blocklist  # noqa: PLC0415 - 10,000 strings, 40 ms

    labels = domain.split(".")
    return any(".".join(labels[n:]) in blocklist for n in range(len(labels) - 1))


def why_undeliverable(check: AddressCheck) -> str:
    """Why nobody at such an address is written to, in words; "" if that is no reason."""
    return _WHY[check] if check in UNDELIVERABLE else ""
