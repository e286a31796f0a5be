"""Whether an address takes mail: DNS as it is, DNS in trouble, and addresses to throw away."""

from __future__ import annotations

import socket

import dns.rcode
import pytest

from cadenza.contacts.deliverability import Dns, Mailboxes, NoDns, is_disposable, why_undeliverable
from cadenza.contacts.model import ContactKind, FoundContact
from cadenza.core.states import UNDELIVERABLE, AddressCheck
from tests.unit.name_server import Zone, name_server

ZONE: Zone = {
    "acme.example": {"MX": "10 mail.acme.example."},
    "null.example": {"MX": "0 ."},
    "both.example": {"MX": "0 .;10 mail.both.example."},
    "bare.example": {"A": "93.184.215.14"},
    "six.example": {"AAAA": "2606:2800:21f:cb07:6820:80da:af6b:8b2c"},
    "inside.example": {"A": "10.0.0.7", "AAAA": "fd00::7"},
    "parked.example": {"TXT": '"v=spf1 -all"'},
    "broken.example": dns.rcode.SERVFAIL,
    "shy.example": dns.rcode.REFUSED,
    "silent.example": None,
}


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("acme.example", AddressCheck.OK),
        ("null.example", AddressCheck.NO_MX),
        ("both.example", AddressCheck.OK),
        ("bare.example", AddressCheck.OK),
        ("six.example", AddressCheck.OK),
        ("inside.example", AddressCheck.NO_MX),
        ("parked.example", AddressCheck.NO_MX),
        ("nowhere.example", AddressCheck.NO_DOMAIN),
        ("broken.example", AddressCheck.UNKNOWN),
        ("shy.example", AddressCheck.UNKNOWN),
        ("silent.example", AddressCheck.UNKNOWN),
        (f"{'x' * 64}.example", AddressCheck.UNKNOWN),
        ("a..example", AddressCheck.UNKNOWN),
    ],
)
def test_a_domain_is_judged_by_what_dns_says_and_by_nothing_that_it_does_not_say(
    domain: str, expected: AddressCheck
) -> None:
    """Otherwise mails go to domains that take none and bounce, or a hiccup of DNS drops people for good."""
    with name_server(ZONE) as server:
        assert Dns(["127.0.0.1"], port=server.port, lookup_s=0.4).check(domain) is expected


def test_without_a_name_server_nobody_is_refused() -> None:
    """Otherwise a network without DNS refuses every contact."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unbound:
        unbound.bind(("127.0.0.1", 0))
        port = unbound.getsockname()[1]
    assert Dns(["127.0.0.1"], port=port, lookup_s=0.4).check("acme.example") is AddressCheck.UNKNOWN
    assert Mailboxes().check(["zoe@acme.example"]) == {"zoe@acme.example": AddressCheck.UNKNOWN}


def test_a_domain_is_asked_once() -> None:
    """Otherwise a site with fifty people costs fifty look-ups, at each plan again."""
    with name_server(ZONE) as server:
        mailboxes = Mailboxes(Dns(["127.0.0.1"], port=server.port))
        people = [f"p{n}@acme.example" for n in range(50)]
        for _ in range(2):
            assert set(mailboxes.check([*people, "x@ACME.example"]).values()) == {AddressCheck.OK}
        assert server.asked == [("acme.example", "MX")]
        Mailboxes(mailboxes.hosts).check(["z@nowhere.example"])
        Mailboxes(mailboxes.hosts).check(["z@nowhere.example"])
        assert len(server.asked) == 2


def test_a_page_full_of_silent_domains_does_not_hold_the_worker() -> None:
    """Otherwise one hostile page keeps a function until it is killed, over and over."""
    clock = iter(range(0, 10_000, 4))  # each look-up takes four seconds
    asked: list[str] = []

    class Silent(NoDns):
        def check(self, domain: str) -> AddressCheck:
            asked.append(domain)
            return super().check(domain)

    mailboxes = Mailboxes(Silent(), monotonic=lambda: next(clock))
    found = mailboxes.check([f"a@d{n}.example" for n in range(300)])
    assert set(found.values()) == {AddressCheck.UNKNOWN}
    assert len(found) == 300
    assert len(asked) <= 5


def test_addresses_to_throw_away_are_known_by_their_domain_and_its_children() -> None:
    """Otherwise campaigns are wasted on inboxes that nobody opens again."""
    assert is_disposable("mailinator.com")
    assert is_disposable("eu.mailinator.com")
    assert not is_disposable("mailinator.example")
    assert not is_disposable("com")
    assert not any(map(is_disposable, ("gmail.com", "outlook.com", "acme.example", "gmx.de", "proton.me")))
    people = (person("a@mailinator.com"), person("b@acme.example"))
    assert [c.address_check for c in Mailboxes().checked(people)] == [AddressCheck.DISPOSABLE, AddressCheck.UNKNOWN]


def person(email: str) -> FoundContact:
    page = {"page_url": "https://acme.example/team", "quote": email}
    return FoundContact(email=email, kind=ContactKind.PERSON, role_rank=1, **page)


def test_each_reason_not_to_write_has_its_words() -> None:
    """Otherwise an operator sees that somebody is not written to, and not why."""
    assert {check for check in AddressCheck if why_undeliverable(check)} == UNDELIVERABLE
