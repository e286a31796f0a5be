"""The way out to strangers' sites: a connection is made only to an address that was checked, and to no other.

A crawled URL is chosen by someone else, so its name may lead to this machine's own network (server-side request
forgery). The check sits where the TCP connection is opened: each new connection, on every redirect, resolves the name
once, refuses it if *any* of its addresses is not plainly public, and connects to the very address it checked. A name
that changes its answer between check and use (DNS rebinding) gains nothing, and TLS still verifies the name.
"""

from __future__ import annotations

import ipaddress
import math
import ssl
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

import httpcore2
import httpx2

from cadenza.core.addresses import is_public, system_addresses
from cadenza.core.errors import CadenzaError


class Endpoint(NamedTuple):
    """Where a connection may go."""

    address: str
    port: int


class AddressRefused(CadenzaError):  # noqa: N818 - reads as what happened
    """A host leads, or may lead, somewhere a crawler has no business."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"{host}: {why}")
        self.host = host
        self.why = why


class Resolver(Protocol):
    """Turns a host and port into endpoints that may be connected to, in the order to try them."""

    def resolve(self, host: str, port: int) -> tuple[Endpoint, ...]:
        """The endpoints of ``host``; never empty.

        Raises:
            AddressRefused: The host, its port, or one of its addresses is not allowed.
            OSError: The name could not be resolved.
        """
        ...


_PORTS: Final = frozenset({80, 443})
_MAX_ATTEMPTS: Final = 4


class _Lookup(Protocol):
    def __call__(self, host: str, port: int) -> Iterable[str]: ...


class PublicHosts:
    """Production: names that resolve to public addresses only, on the web's two ports."""

    def __init__(self, lookup: _Lookup = system_addresses) -> None:
        self._lookup = lookup

    def resolve(self, host: str, port: int) -> tuple[Endpoint, ...]:
        """See `Resolver`. One bad address among good ones refuses the host: an honest site has none."""
        if port not in _PORTS:
            raise AddressRefused(host, f"port {port} is not a web port")
        addresses = tuple(self._lookup(host, port))
        for text in addresses:
            try:
                public = is_public(ipaddress.ip_address(text))
            except ValueError:
                public = False
            if not public:
                raise AddressRefused(host, "resolves to an address that is not public")
        if not addresses:
            raise OSError(f"no address for {host}")
        return tuple(Endpoint(address, port) for address in addresses)


class StaticHosts:
    """Local mode: exactly these host names, each served over plain HTTP at a loopback endpoint; nothing else exists."""

    def __init__(self, hosts: Mapping[str, Endpoint]) -> None:
        self._hosts = MappingProxyType(dict(hosts))

    def resolve(self, host: str, port: int) -> tuple[Endpoint, ...]:
        """See `Resolver`. Port 443 of a known host behaves like a closed one, so that crawlers fall back to HTTP."""
        endpoint = self._hosts.get(host)
        if endpoint is None:
            raise AddressRefused(host, "is not one of the sample hosts")
        if port != 80:  # noqa: PLR2004 - plain HTTP
            raise ConnectionRefusedError(f"{host}:{port} is closed")
        return (endpoint,)


class _TimedStream(httpcore2.NetworkStream):
    """A connection that ends with the time that is left, however slowly its bytes come in.

    A socket's own timeout begins anew with each byte: headers sent one by one would last for ever.
    """

    def __init__(self, stream: httpcore2.NetworkStream, time_left_s: Callable[[], float]) -> None:
        self._stream = stream
        self._time_left_s = time_left_s

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._bounded(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._bounded(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        bounded = self._bounded(timeout, httpcore2.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, bounded), self._time_left_s)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's signature
        return self._stream.get_extra_info(info)

    def _bounded(self, timeout: float | None, error: type[Exception]) -> float:
        left_s = self._time_left_s()
        if left_s <= 0:
            raise error("the time is used up")
        return left_s if timeout is None else min(timeout, left_s)


class _GuardedBackend(httpcore2.NetworkBackend):
    """Opens TCP connections only to what the resolver allows. TLS above it still verifies the name, not the address."""

    def __init__(self, resolver: Resolver, time_left_s: Callable[[], float]) -> None:
        self._resolver = resolver
        self._time_left_s = time_left_s
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            endpoints = self._resolver.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(str(error)) from error
        failure = httpcore2.ConnectError(f"no endpoint for {host}")
        for endpoint in endpoints[:_MAX_ATTEMPTS]:
            try:
                stream = self._sockets.connect_tcp(
                    endpoint.address, endpoint.port, timeout, local_address, socket_options
                )
            except httpcore2.ConnectError as error:  # at once, as where IPv6 has no route; a timeout is final
                failure = error
            else:
                return _TimedStream(stream, self._time_left_s)
        raise failure

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002 - httpcore's signature
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        raise AddressRefused(path, "is a local socket")


class GuardedTransport(httpx2.HTTPTransport):
    """HTTP transport whose connections go only where ``resolver`` allows, and end when ``time_left_s`` is 0 or less.

    Takes no proxy, from nowhere.

    Requests raise `AddressRefused` besides httpx2's own errors.
    """

    def __init__(self, resolver: Resolver, time_left_s: Callable[[], float] = lambda: math.inf) -> None:
        tls = httpx2.create_ssl_context()
        super().__init__(verify=tls, trust_env=False)
        # HTTPTransport has no parameter for the network backend, and its error mapping is worth keeping: swap the pool.
        self._pool = httpcore2.ConnectionPool(
            ssl_context=tls,
            max_connections=4,
            max_keepalive_connections=2,
            keepalive_expiry=15,
            network_backend=_GuardedBackend(resolver, time_left_s),
        )
