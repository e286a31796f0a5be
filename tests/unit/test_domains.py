"""Which site a lead is, and when two hosts are the same one."""

from __future__ import annotations

import socket

import pytest

from cadenza.core.errors import InvalidInput
from cadenza.leads.domains import normalise, registrable, same_site, spoken


@pytest.mark.parametrize(
    ("given", "domain", "start_url"),
    [
        ("acme.com", "acme.com", "https://acme.com/"),
        ("  https://WWW.Acme.co.uk/About?utm_source=x#team ", "acme.co.uk", "https://www.acme.co.uk/About"),
        ("http://acme.com", "acme.com", "http://acme.com/"),
        ("//acme.com/x", "acme.com", "https://acme.com/x"),
        ("bücher.de", "xn--bcher-kva.de", "https://xn--bcher-kva.de/"),
        ("ＡＣＭＥ.com", "acme.com", "https://acme.com/"),
        ("acme.com.", "acme.com", "https://acme.com/"),
        ("shop.acme.com", "shop.acme.com", "https://shop.acme.com/"),
        ("www.com", "www.com", "https://www.com/"),
        ("acme.github.io", "acme.github.io", "https://acme.github.io/"),
        ("fornoatlantico.example", "fornoatlantico.example", "https://fornoatlantico.example/"),
    ],
)
def test_what_people_type_becomes_one_domain(given: str, domain: str, start_url: str) -> None:
    """Otherwise the same company is imported twice, and its people get two campaigns."""
    assert normalise(given) == (domain, start_url)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "not a URL"),
        ("https://", "not a URL"),
        ("ines@acme.com", "e-mail"),
        ("https://user:secret@acme.com/", "user name"),
        ("acme.com:8443", "port"),
        ("http://acme.com:99999/", "not a URL"),
        ("ftp://acme.com", "http"),
        ("javascript://acme.com/%0aalert(1)", "http"),
        ("127.0.0.1", "IP address"),
        ("http://[::1]/", "IP address"),
        ("127.1", "IP address"),
        ("http://0x7f.1/", "IP address"),
        ("2130706433", "IP address"),
        ("１２７.0.0.1", "IP address"),
        ("localhost", "public domain"),
        ("db.internal", "public domain"),
        ("printer.local", "public domain"),
        ("acme", "whole domain"),
        ("co.uk", "public suffix"),
        ("github.io", "public suffix"),
        ("a..b.com", "valid domain"),
        ("foo bar.com", "valid domain"),
        (f"{'a' * 64}.com", "valid domain"),
    ],
)
def test_what_is_no_company_site_is_refused_at_the_field(given: str, says: str) -> None:
    """Otherwise an operator sees a lead fail later, or the crawler is pointed at our own network."""
    with pytest.raises(InvalidInput) as caught:
        normalise(given, pointer="/leads/3/url")
    (problem,) = caught.value.problems
    assert problem.pointer == "/leads/3/url"
    assert says in problem.detail


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("https://www.acme.co.uk/x", "http://shop.acme.co.uk", True),
        ("acme.com", "ACME.com", True),
        ("a.github.io", "b.github.io", False),
        ("acme.co.uk", "other.co.uk", False),
        ("a.example", "www.a.example", True),
        ("a.example", "b.example", False),
        ("acme.com", "acme.com.evil.example", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("localhost", "localhost", False),
        ("https://[bad", "acme.com", False),
    ],
)
def test_same_site_means_the_same_registrable_domain(a: str, b: str, same: bool) -> None:
    """Otherwise a crawl wanders off to a stranger's site, or misses the company's own subdomains."""
    assert same_site(a, b) is same


def test_no_network_and_no_cache_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a cold start in production waits for a download that its network does not allow."""

    def refuse(*_: object) -> None:
        raise AssertionError("opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert registrable("a.b.acme.co.jp") == "acme.co.jp"


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("harbour-kitchens.example", "Harbour Kitchens"),
        ("shop.acme.co.uk", "Acme"),
        ("xn--bcher-kva.example", "Bücher"),
        ("4people.example", "4people"),
    ],
)
def test_a_company_of_which_nothing_is_known_is_called_by_its_domain(domain: str, name: str):
    """Broken, a mail would name a company by what mail programs make a link of, and the copy's lint would refuse it."""
    assert spoken(domain) == name
