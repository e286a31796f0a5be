"""What a message's text may refer to. Plans are checked against `VARIABLES` before they run."""

from __future__ import annotations

from pydantic.alias_generators import to_camel

from cadenza.delivery.model import Claimed

_NAMES = frozenset(
    {
        "name",
        "full_name",
        "first_name",
        "last_name",
        "email",
        "title",
        "company",
        "company_name",
        "domain",
        "website",
        "sender_name",
        "sender_email",
        "sender_company",
        "unsubscribe_url",
    }
)

VARIABLES = _NAMES | {to_camel(name) for name in _NAMES}
"""Every name is known in snake case and in camel case: ``first_name``, ``firstName``."""


def values(message: Claimed, unsubscribe_url: str) -> dict[str, str]:
    """The variables that have a value for this message; the others are left out, so that using one is an error.

    A recipient without a personal name (an address such as ``info@``) is addressed by the company's.
    """
    to, sender = message.recipient, message.sender
    full_name = to.name or " ".join(filter(None, (to.first_name, to.last_name)))
    company = to.company or to.domain
    known = {
        "name": full_name or company,
        "full_name": full_name,
        "first_name": to.first_name or full_name.partition(" ")[0] or company,
        "last_name": to.last_name,
        "email": to.address,
        "title": to.title,
        "company": company,
        "company_name": company,
        "domain": to.domain,
        "website": f"https://{to.domain}" if to.domain else "",
        "sender_name": sender.name,
        "sender_email": sender.email,
        "sender_company": sender.company or sender.name,
        "unsubscribe_url": unsubscribe_url,
    }
    given = {name: value for name, value in known.items() if value}
    return given | {to_camel(name): value for name, value in given.items()}
