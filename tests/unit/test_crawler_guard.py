"""The guard between a URL that someone else chose and this machine's own network."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
import pytest
from werkzeug.wrappers import Request, Response

from cadenza.core.addresses import is_public
from cadenza.leads.crawler import StopReason, crawl
from cadenza.leads.fetch import Trouble
from cadenza.leads.guard import (
    AddressRefused,
    Endpoint,
    GuardedTransport,
    PublicHosts,
    StaticHosts,
    system_addresses,
)
from local.world.server import LOOPBACK, LoopbackServer


def serving(answer: Callable[[Request], Response]) -> LoopbackServer:
    return LoopbackServer(Request.application(answer))


@contextmanager
def guarded(resolver) -> Iterator[httpx2.Client]:
    with httpx2.Client(transport=GuardedTransport(resolver), trust_env=False) as client:
        yield client


BAD = [
    "0.0.0.0",  # noqa: S104
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::a00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:a00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", BAD)
def test_addresses_that_are_not_plainly_public_are_refused(address: str) -> None:
    """Otherwise a crawled link reads our metadata service, our database or a neighbour's router."""
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(AddressRefused):
        PublicHosts(lambda _host, _port: (address,)).resolve("innocent.com", 443)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450::200e"])
def test_public_addresses_are_let_through(address: str) -> None:
    """Otherwise real sites cannot be crawled."""
    assert PublicHosts(lambda _host, _port: (address,)).resolve("company.com", 443) == (Endpoint(address, 443),)


@pytest.mark.parametrize("bad", ["127.0.0.1", "::1", "not an address"])
def test_one_bad_address_among_good_ones_refuses_the_host(bad: str) -> None:
    """Otherwise an attacker mixes a private address in and waits until the connection falls back to it."""
    with pytest.raises(AddressRefused):
        PublicHosts(lambda _host, _port: ("8.8.8.8", bad)).resolve("mixed.com", 80)


@pytest.mark.parametrize("port", [0, 22, 25, 5432, 6379, 8080])
def test_other_ports_are_refused_before_any_lookup(port: int) -> None:
    """Otherwise links turn the crawler into a port scanner."""

    def lookup(_host: str, _port: int) -> tuple[str, ...]:
        raise AssertionError("looked up")

    with pytest.raises(AddressRefused):
        PublicHosts(lookup).resolve("company.com", port)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0x7f000001", "2130706433", "[::1]"])
def test_the_real_resolver_never_leads_to_this_machine(host: str) -> None:
    """Otherwise one of the many spellings of loopback gets through."""
    with guarded(PublicHosts()) as client, pytest.raises((AddressRefused, httpx2.ConnectError)):
        client.get(f"http://{host}/")


def test_the_system_resolver_is_really_asked() -> None:
    """Otherwise production would resolve nothing at all."""
    assert LOOPBACK in system_addresses("localhost", 80)


def test_a_name_is_resolved_once_and_the_checked_address_is_used() -> None:
    """Otherwise DNS rebinding shows the check a public address and the connection a private one."""
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> tuple[str, ...]:
        asked.append(host)
        # The first answer is public but unroutable from here at once; every later one is loopback.
        return ("8.8.8.8",) if len(asked) == 1 else ("127.0.0.1",)

    tried: list[Endpoint] = []

    class Watched(PublicHosts):
        def resolve(self, host: str, port: int) -> tuple[Endpoint, ...]:
            tried.extend(super().resolve(host, port))
            return (Endpoint(LOOPBACK, 9),)  # nothing listens on the discard port

    with guarded(Watched(rebinding)) as client:
        with pytest.raises(httpx2.ConnectError):
            client.get("http://rebind.com/")
        with pytest.raises(AddressRefused):
            client.get("http://rebind.com/")
    assert tried == [Endpoint("8.8.8.8", 80)]
    assert asked == ["rebind.com", "rebind.com"]


def test_the_site_sees_its_own_name_although_an_address_was_dialled() -> None:
    """Otherwise name-based hosting answers with the wrong site."""
    seen: list[str] = []

    def answer(request: Request) -> Response:
        seen.append(request.host)
        return Response("hello")

    with (
        serving(answer) as site,
        guarded(StaticHosts({"acme.example": Endpoint(LOOPBACK, site.port)})) as client,
    ):
        assert client.get("http://acme.example/").text == "hello"
    assert seen == ["acme.example"]


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data/", "http://localhost/", "http://db.internal/"]
)
def test_redirects_into_the_private_network_are_not_followed(target: str) -> None:
    """Otherwise any site can make the crawler read an internal address by redirecting to it."""

    def answer(request: Request) -> Response:
        if request.path == "/":
            return Response('<a href="/away">away</a>', mimetype="text/html")
        return Response(status=302, headers={"Location": target})

    with serving(answer) as site:
        result = crawl("http://acme.example/", resolver=StaticHosts({"acme.example": Endpoint(LOOPBACK, site.port)}))
    assert [p.url for p in result.pages] == ["http://acme.example/"]
    assert [e.trouble for e in result.errors] == [Trouble.OFF_SITE]


def test_a_subdomain_that_resolves_to_a_private_address_is_refused_on_redirect() -> None:
    """Otherwise the same-site rule is no help against a company's (or attacker's) own internal names."""
    with serving(lambda _request: Response(status=302, headers={"Location": "http://intranet.acme.example/"})) as site:
        result = crawl("http://acme.example/", resolver=StaticHosts({"acme.example": Endpoint(LOOPBACK, site.port)}))
    assert result.stopped_because is StopReason.UNREACHABLE
    assert {e.trouble for e in result.errors} == {Trouble.REFUSED}


def test_local_mode_knows_nothing_but_the_sample_hosts() -> None:
    """Otherwise the demo reaches out to the real internet."""
    hosts = StaticHosts({"acme.example": Endpoint(LOOPBACK, 1)})
    for host in ("example.com", "localhost", "127.0.0.1", "sub.acme.example"):
        with pytest.raises(AddressRefused):
            hosts.resolve(host, 80)
    with pytest.raises(ConnectionRefusedError):
        hosts.resolve("acme.example", 443)
