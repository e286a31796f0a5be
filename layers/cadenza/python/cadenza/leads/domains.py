"""Which site a URL belongs to: the normalised domain of a lead, and when two hosts are the same site.

Registrable domains come from the Public Suffix List snapshot inside ``tldextract``: nothing is fetched and no cache is
written (a Lambda's file system is read-only). Hosts are handled in their ASCII form (IDNA, RFC 5891).
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from functools import cache
from urllib.parse import SplitResult, urlsplit

import idna
import tldextract

from cadenza.core.errors import FieldProblem, InvalidInput

_MAX_HOST_LENGTH = 253
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# RFC 6761 and RFC 6762: names that never lead to a company's public site. ".example" stays: documentation uses it.
_SPECIAL_SUFFIXES = frozenset({"localhost", "local", "internal", "invalid", "test", "onion", "arpa", "home", "lan"})


@cache
def _extractor() -> tldextract.TLDExtract:
    # Private suffixes (github.io, myshopify.com) count as suffixes: two shops on one platform are two sites.
    return tldextract.TLDExtract(cache_dir=None, suffix_list_urls=(), include_psl_private_domains=True)


def normalise(url: str, pointer: str = "/url") -> tuple[str, str]:
    """The domain that identifies a lead, and the URL to start crawling at.

    The scheme may be missing (https is meant). The domain is lower-case ASCII without a leading ``www.``; the start URL
    keeps the host and path as given, without query and fragment.

    Raises:
        InvalidInput: Not a public company site; its one problem, at ``pointer``, says why.
    """
    text = url.strip()
    try:
        parts = urlsplit(text if _SCHEME.match(text) else f"https://{text.removeprefix('//')}")
        port = parts.port
    except ValueError:
        raise _invalid(pointer, "is not a URL or domain name") from None
    if parts.scheme.lower() not in {"http", "https"}:
        raise _invalid(pointer, "must start with http:// or https://, or be a bare domain name")
    if parts.username is not None or parts.password is not None:
        raise _invalid(pointer, "must not contain a user name or password (or be an e-mail address)")
    if port is not None:
        raise _invalid(pointer, "must not name a port")
    host = _ascii_host(parts, pointer)
    bare = host.removeprefix("www.")
    domain = bare if registrable(bare) else host  # www.com is a domain of its own
    return domain, f"{parts.scheme.lower()}://{host}{parts.path or '/'}"


def _ascii_host(parts: SplitResult, pointer: str) -> str:
    host = (parts.hostname or "").rstrip(".")
    if not host:
        raise _invalid(pointer, "is not a URL or domain name")
    if _is_ip_literal(host):
        raise _invalid(pointer, "must be a domain name, not an IP address")
    try:
        # UTS 46 maps what people type (capitals, full-width letters) to what DNS knows.
        host = idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise _invalid(pointer, "is not a valid domain name") from None
    if len(host) > _MAX_HOST_LENGTH:
        raise _invalid(pointer, "is not a valid domain name: too long")
    if _is_ip_literal(host):  # full-width digits become an address only now
        raise _invalid(pointer, "must be a domain name, not an IP address")
    if host.rpartition(".")[2] in _SPECIAL_SUFFIXES:
        raise _invalid(pointer, "must be a public domain name")
    if "." not in host:
        raise _invalid(pointer, "must be a whole domain name, such as company.com")
    if registrable(host) is None:
        raise _invalid(pointer, "is a public suffix, not a company's domain")
    return host


def registrable(host: str) -> str | None:
    """The registrable domain of an ASCII host ("shop.acme.co.uk" → "acme.co.uk"), or None for a bare public suffix.

    A name under an unknown top-level domain (``.example``) is registrable by its last two labels.
    """
    found = _extractor()(host)
    if found.domain and found.suffix:
        return f"{found.domain}.{found.suffix}"
    # Unknown suffix: tldextract puts the last label in "domain" and the rest in "subdomain".
    if not found.suffix and found.subdomain and not _is_ip_literal(host):
        return f"{found.subdomain.rpartition('.')[2]}.{found.domain}"
    return None


def spoken(domain: str) -> str:
    """What a company is called as far as its domain tells ("harbour-kitchens.example" → "Harbour Kitchens").

    For mails to people of whose company nothing else is known: mail programs would make a link of the domain itself.
    """
    label = (registrable(domain) or domain).partition(".")[0]
    with suppress(idna.IDNAError):
        label = idna.decode(label)
    return " ".join(word[:1].upper() + word[1:] for word in re.split(r"[-_]+", label) if word)


def same_site(a: str, b: str) -> bool:
    """Whether two URLs or hosts share a registrable domain. False for anything that has none (addresses, localhost)."""
    first, second = (_registrable_of(x) for x in (a, b))
    return first is not None and first == second


def _registrable_of(url_or_host: str) -> str | None:
    try:
        host = urlsplit(url_or_host if "://" in url_or_host else f"//{url_or_host}").hostname
    except ValueError:
        return None
    return registrable(host.rstrip(".")) if host else None


def _is_ip_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        # inet_aton also takes "127.1", "0x7f.1" and "2130706433"; a last label that is a number is never a domain.
        return re.fullmatch(r"(0x[0-9a-f]*|\d+)", host.rpartition(".")[2]) is not None
    return True


def _invalid(pointer: str, detail: str) -> InvalidInput:
    return InvalidInput("the site's address cannot be used", (FieldProblem(pointer, detail),))
