"""Lists of suppressions as other systems export them, and the one form of an address."""

from __future__ import annotations

import json

import pytest

from cadenza.contacts.addresses import email, guess, normal
from cadenza.contacts.countries import codes
from cadenza.contacts.importing import MAX_ROWS, ListFormat, read
from cadenza.core.errors import InvalidInput
from cadenza.core.states import SuppressionChannel

EMAIL, PHONE, DOMAIN = SuppressionChannel.EMAIL, SuppressionChannel.PHONE, SuppressionChannel.DOMAIN


def rows(text: str, written: ListFormat = ListFormat.CSV) -> list[tuple[int, str]]:
    """Each row's line and its address, or what is wrong with it."""
    return [(line.number, line.row.address if line.row else line.problem) for line in read(text, written)]


@pytest.mark.parametrize(
    ("channel", "given", "stored"),
    [
        (EMAIL, " Zoe@Acme.EXAMPLE ", "zoe@acme.example"),
        (EMAIL, "uta@Bücher.example.", "uta@xn--bcher-kva.example"),
        (DOMAIN, "@Acme.example.", "acme.example"),
        (DOMAIN, "*.acme.example", "acme.example"),
        (DOMAIN, "Bücher.example", "xn--bcher-kva.example"),
        (PHONE, "+4930123456", "+4930123456"),
        (PHONE, "0049 (0)30 / 12-34.56", "+4930123456"),
        (PHONE, "tel:+49 30 123456", "+4930123456"),
    ],
)
def test_an_address_has_one_form(channel: SuppressionChannel, given: str, stored: str):
    """Broken, somebody who said no would be written to, because the address was typed otherwise."""
    assert normal(channel, given) == stored
    assert normal(channel, stored) == stored
    if channel is not DOMAIN:
        assert guess(given) is channel


@pytest.mark.parametrize(
    ("channel", "given"),
    [
        (EMAIL, "acme.example"),
        (EMAIL, "a b@acme.example"),
        (EMAIL, "zoe@acme"),
        (EMAIL, f"{'z' * 250}@acme.example"),
        (DOMAIN, "zoe@acme.example"),
        (DOMAIN, "..."),
        (DOMAIN, "example"),
        (DOMAIN, "https://acme.example/"),
        (PHONE, "030 123456"),
        (PHONE, "+49"),
        (PHONE, "+49301234567890123"),
    ],
)
def test_what_would_suppress_nobody_is_refused(channel: SuppressionChannel, given: str):
    """Broken, an operator would believe somebody to be safe who is not."""
    with pytest.raises(ValueError, match="address must be"):
        normal(channel, given)


def test_a_local_part_keeps_its_case():
    """Broken, mail would go to an address that a strict server does not know (RFC 5321, section 2.4)."""
    assert email(" Zoe@Acme.EXAMPLE ") == "Zoe@acme.example"


def test_a_sheet_as_spreadsheets_save_it():
    """Broken, half of the exports of this world could not be taken: BOM, CRLF, quotes, semicolons, empty lines."""
    sheet = (
        '\ufeffE-Mail;Reason;Note\r\n\r\n"zoe@acme.example";unsubscribed;"said; no"\r\n'
        ";;\r\n ada@acme.example ;;\r\nnot an address;;\r\n"
    )
    assert rows(sheet) == [
        (3, "zoe@acme.example"),
        (5, "ada@acme.example"),
        (6, "address must be an e-mail address"),
    ]
    first = read(sheet, ListFormat.CSV)[0].row
    assert first is not None
    assert (first.reason, first.note) == ("unsubscribed", "said; no")


def test_one_mistake_costs_one_row():
    """Broken, one open quote would swallow everybody below it, who would then be written to."""
    sheet = (
        'address,note\n"ada@acme.example,open\nzoe@acme.example,fine\n"rui"@x,y\nines@acme.example,"two\nlines"\nz,\n'
    )
    assert [(number, said.split(":")[0]) for number, said in rows(sheet)] == [
        (2, "not CSV"),
        (3, "zoe@acme.example"),
        (4, "not CSV"),
        (5, "ines@acme.example"),
        (7, "address must be a domain name"),
    ]


def test_a_bare_list_needs_no_header():
    """Broken, the first person of a list of addresses would be taken for its header, and be written to."""
    assert rows("zoe@acme.example\n+49 30 123456\nforno.example\n") == [
        (1, "zoe@acme.example"),
        (2, "+4930123456"),
        (3, "forno.example"),
    ]


def test_columns_say_what_an_address_is():
    """Broken, a number in a column of its own would be lost, or a channel that is named ignored."""
    sheet = "email,phone,domain,channel\n,+4930123456,,\n,,acme.example,\na@b.example,+4930123456,,\n,,,\n"
    assert rows(sheet) == [
        (2, "+4930123456"),
        (3, "acme.example"),
        (4, "more than one address: give each a row of its own"),
    ]
    assert rows("address,channel\nacme.example,fax\nacme.example,Domain\nacme.example,email\n") == [
        (2, "channel must be one of email, phone, domain"),
        (3, "acme.example"),
        (4, "address must be an e-mail address"),
    ]


def test_json_lines():
    """Broken, lists from other programs could not be taken, or one bad line would lose the others."""
    lines = [
        '{"address": "zoe@acme.example", "reason": "complained", "since": null}',
        "",
        "{",
        "[]",
        '{"address": 7}',
        '{"address": "\\ud800@acme.example"}',
        '{"address": "a\\u0000b@acme.example"}',
        '{"email": "Ada@acme.example"}\r',
        "{}",
        "[" * 100_000,
    ]
    assert rows("\n".join(lines), ListFormat.JSON_LINES) == [
        (1, "zoe@acme.example"),
        (3, "not JSON"),
        (4, "not a JSON object"),
        (5, "address is not a text"),
        (6, "contains a NUL character or half of a surrogate pair"),
        (7, "contains a NUL character or half of a surrogate pair"),
        (8, "ada@acme.example"),
        (9, "no address"),
        (10, "not JSON"),
    ]


@pytest.mark.parametrize("text", ["", "\r\n\r\n", "name,city\nZoe,Lisbon\n", "address\n"])
def test_what_is_no_list_is_said_so(text: str):
    """Broken, somebody who sends the wrong file would be told that all is well."""
    with pytest.raises(InvalidInput):
        read(text, ListFormat.CSV)


def test_a_list_that_is_too_long_is_refused_whole():
    """Broken, it would time out half way, and nobody would know how far it came."""
    line = json.dumps({"address": "a@b.example"})
    with pytest.raises(InvalidInput) as refusal:
        read("\n".join([line] * (MAX_ROWS + 1)), ListFormat.JSON_LINES)
    assert "send it in parts" in refusal.value.problems[0].detail


def test_all_countries_are_known():
    """Broken, a policy for a country could not be set, or one for a code that no contact has would be believed."""
    assert {"DE", "GB", "US", "PT"} <= codes()
    assert "UK" not in codes()
    assert len(codes()) > 240
