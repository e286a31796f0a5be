"""Which addresses a name leads to, and which are out in the world: asked by whoever connects where others say."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# What `is_global` lets through in some Python release although no public site lives there (IANA special registries).
# All of 2000::/3's transition ranges embed an IPv4 address, which could be a private one.
_NOT_PUBLIC_V4: Final = tuple(
    ipaddress.IPv4Network(n)
    for n in ("192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24", "240.0.0.0/4")
)
_UNICAST_V6: Final = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6: Final = tuple(
    ipaddress.IPv6Network(n)
    for n in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20")
)


def is_public(address: IPAddress) -> bool:
    """Whether ``address`` is plainly public unicast.

    Refused: private, loopback, link-local, shared (CGNAT), multicast, reserved, documentation; and every IPv6 form that
    wraps an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo), since what it wraps may be any of those.
    """
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    return address.scope_id is None and address in _UNICAST_V6 and not any(address in n for n in _NOT_PUBLIC_V6)


def system_addresses(host: str, port: int) -> tuple[str, ...]:
    """All addresses the system's resolver gives for ``host``, in its order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
