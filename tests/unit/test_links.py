"""Signed links: what a mail carries is believed, and nothing else."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza.core.errors import InvalidInput
from cadenza.core.ids import MessageId
from cadenza.signals.links import MAX_TARGET_BYTES, Links, UnknownLink

LINKS = Links("https://go.cadenza.example/", "a key of some length")
MESSAGE = MessageId(UUID("01890a5d-ac96-774b-bcce-b302099a8057"))

message_ids = st.uuids().map(MessageId)


def token(url: str) -> str:
    return urlsplit(url).path.rsplit("/", 1)[1].removesuffix(".gif")


@given(message_ids)
def test_every_link_leads_back_to_its_message(message_id: MessageId):
    """Broken, an open, a click or an opt-out would be booked to nobody."""
    target = "https://shop.example/a?b=c#d"
    assert LINKS.verify_open(token(LINKS.open_pixel(message_id))) == message_id
    assert LINKS.verify_click(token(LINKS.click(message_id, target))) == (message_id, target)
    assert LINKS.verify_unsubscribe(token(LINKS.unsubscribe(message_id))) == message_id
    assert LINKS.verify_honeypot(token(LINKS.honeypot(message_id))) == message_id


def test_paths_are_the_ones_that_the_webhook_serves():
    """Broken, every link in mails already sent would lead to 404."""
    assert LINKS.open_pixel(MESSAGE).startswith("https://go.cadenza.example/t/o/")
    assert LINKS.open_pixel(MESSAGE).endswith(".gif")
    assert LINKS.click(MESSAGE, "https://shop.example").startswith("https://go.cadenza.example/t/c/")
    assert LINKS.unsubscribe(MESSAGE).startswith("https://go.cadenza.example/u/")


def test_tokens_never_change_their_format():
    """Broken, an upgrade would kill the opt-out links of every mail sent before it."""
    assert token(LINKS.unsubscribe(MESSAGE)) == "AYkKXayWd0u8zrMCCZqAVxBt8fRY6TqQGn4ZfIjWVSM"
    assert LINKS.verify_open("AYkKXayWd0u8zrMCCZqAV3n7nwHD2JBpcXG_6Ux5LD0") == MESSAGE


def test_a_token_is_good_for_its_own_purpose_only():
    """Broken, whoever loads a pixel's URL as an opt-out, or the reverse, would act for the recipient."""
    pixel = token(LINKS.open_pixel(MESSAGE))
    click = token(LINKS.click(MESSAGE, "https://shop.example"))
    unsubscribe = token(LINKS.unsubscribe(MESSAGE))
    hidden = token(LINKS.honeypot(MESSAGE))
    for wrong, verify in [
        (pixel, LINKS.verify_unsubscribe),
        (click, LINKS.verify_unsubscribe),
        (unsubscribe, LINKS.verify_open),
        (click, LINKS.verify_open),
        (hidden, LINKS.verify_unsubscribe),
        (hidden, LINKS.verify_click),
        (click, LINKS.verify_honeypot),
        (pixel, LINKS.verify_click),
        (unsubscribe, LINKS.verify_click),
    ]:
        with pytest.raises(UnknownLink):
            verify(wrong)


@given(message_ids, st.data())
def test_a_changed_token_is_refused(message_id: MessageId, data: st.DataObject):
    """Broken, the redirect would be open: phishers could send victims anywhere under our name."""
    good = token(LINKS.click(message_id, "https://shop.example/"))
    raw = bytearray(urlsafe_b64decode(good + "=" * (-len(good) % 4)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UnknownLink):
        LINKS.verify_click(urlsafe_b64encode(raw).rstrip(b"=").decode())


@given(st.text(max_size=80))
def test_any_text_is_refused_as_a_token(text: str):
    """Broken, a scanner's garbage would crash the function, or be taken for a recipient's wish."""
    for verify in (LINKS.verify_open, LINKS.verify_click, LINKS.verify_unsubscribe):
        with pytest.raises(InvalidInput):
            verify(text)


def test_a_token_has_one_spelling():
    """Broken, one link would have many forms, and a block list or a log search by token would miss some."""
    good = token(LINKS.unsubscribe(MESSAGE))
    for variant in (good + "=", good + "\n", good[:-1] + chr(ord(good[-1]) + 1), f" {good}"):
        with pytest.raises(UnknownLink):
            LINKS.verify_unsubscribe(variant)


def test_another_installations_token_is_refused():
    """Broken, one customer's links would act on another's messages."""
    other = Links("https://go.cadenza.example", "a different key altogether")
    with pytest.raises(UnknownLink):
        LINKS.verify_unsubscribe(token(other.unsubscribe(MESSAGE)))


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "//shop.example/", "/path", "", "mailto:a@shop.example", "https://", "https://[x"]
)
def test_only_web_addresses_are_made_clickable(target: str):
    """Broken, a link in a mail could run a script in our name, or lead nowhere."""
    with pytest.raises(InvalidInput):
        LINKS.click(MESSAGE, target)


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("https://shop.example/größe?q=ü", "https://shop.example/gr%C3%B6%C3%9Fe?q=%C3%BC"),
        ("https://shop.example/a%20b", "https://shop.example/a%20b"),
        ("https://shop.example/a b", "https://shop.example/a%20b"),
        ("https://shop.example/\r\nSet-Cookie: a=b", "https://shop.example/%0D%0ASet-Cookie:%20a=b"),
    ],
)
def test_targets_fit_a_location_header(target: str, location: str):
    """Broken, a link with an umlaut would fail, and one with a line break could inject headers."""
    assert LINKS.verify_click(token(LINKS.click(MESSAGE, target))) == (MESSAGE, location)


def test_targets_have_a_longest_length():
    """Broken, a mail would go out with a link that API Gateway refuses."""
    LINKS.click(MESSAGE, "https://shop.example/".ljust(MAX_TARGET_BYTES, "x"))
    with pytest.raises(InvalidInput):
        LINKS.click(MESSAGE, "https://shop.example/".ljust(MAX_TARGET_BYTES + 1, "x"))
