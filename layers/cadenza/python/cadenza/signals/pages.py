"""What a recipient sees of us: the pixel and the opt-out pages. Plain, without script or outside parts."""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256
from types import MappingProxyType
from typing import Final

PIXEL: Final = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""A transparent GIF of one pixel."""

_STYLE: Final = (
    "body{font:1.125rem/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem}"
    "button{font:inherit;padding:.5rem 1.5rem;cursor:pointer}:root{color-scheme:light dark}"
)
_STYLE_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()

PRIVATE_HEADERS: Final = MappingProxyType(
    # The URL is a token that acts for its bearer: it is not to be cached, indexed, or told to the next site.
    {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex"}
)
PIXEL_HEADERS: Final = MappingProxyType({**PRIVATE_HEADERS, "content-type": "image/gif"})
PAGE_HEADERS: Final = MappingProxyType(
    {
        **PRIVATE_HEADERS,
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
    }
)

_FORM: Final = (
    '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
    '<button type="submit">{label}</button></form>'
)


def _page(title: str, *paragraphs: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{title}</h1>{''.join(paragraphs)}</main></body></html>"
    )


UNSUBSCRIBE: Final = _page(
    "Unsubscribe",
    "<p>Do you want us to stop writing to you? You will not hear from us again.</p>",
    _FORM.format(label="Unsubscribe"),
)
UNSUBSCRIBED: Final = _page("You are unsubscribed", "<p>We will not write to you again. You can close this page.</p>")
TRY_AGAIN: Final = _page(
    "Please try again",
    "<p>We could not record your wish just now. Please try again in a moment.</p>",
    _FORM.format(label="Try again"),
)
NOTHING_HERE: Final = _page(
    "There is nothing here",
    "<p>This link is for programs that check mails. Nothing has changed. You can close this page.</p>",
)
UNKNOWN_LINK: Final = _page(
    "This link does not work", "<p>It may have been cut short. Please open it from the mail again.</p>"
)
