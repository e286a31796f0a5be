"""Lists of leads as people really have them: Excel's exports, other systems' dumps, and mistakes in both."""

from __future__ import annotations

from typing import Any

import pytest

from cadenza.core.errors import InvalidInput
from cadenza.core.states import ConsentBasis
from cadenza.leads.importing import MAX_ROWS, Row, RowProblem, read_objects, read_sheet


def domains(*rows: Row) -> list[str]:
    return [row.site.domain if row.site else "" for row in rows]


def only(row: Row) -> RowProblem:
    (problem,) = row.problems
    return problem


def refused(text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_sheet(text)
    return caught.value.problems[0].detail


@pytest.mark.parametrize(
    "text",
    [
        "website,E-Mail\nacme.example,zoe@acme.example\n",
        "\ufeffWebsite;E-Mail\r\nacme.example;zoe@acme.example\r\n",
        "sep=;\r\nwebsite;email\r\nacme.example;zoe@acme.example\r\n",
        " Company URL \tWork Email\nhttps://www.acme.example/start\tZoe@ACME.example\n",
        'email,"Domain"\n"mailto:zoe@acme.example","acme.example"\n',
        "\n\nemail,url,\n\n,,\nzoe@acme.example, acme.example ,\n",
        "url\remail\r".replace("\remail", ",email") + "acme.example,zoe@acme.example\r",
    ],
)
def test_sheets_are_read_as_programs_write_them(text: str):
    """Broken, a sheet would have to be rewritten by hand before it could be brought in."""
    (row,) = read_sheet(text).rows
    assert row.site is not None
    assert row.contact is not None
    assert (row.site.domain, (row.contact.email or "").lower()) == ("acme.example", "zoe@acme.example")


def test_lines_are_those_of_the_file():
    """Broken, somebody would look for a mistake in the wrong line: quoted cells and empty lines count."""
    text = 'url,note\n"acme.example","two\nlines"\n\nno site,\nforno.example,\n'
    listed = read_sheet(text)
    assert [row.line for row in listed.rows] == [2, 5, 6]
    assert domains(*listed.rows) == ["acme.example", "", "forno.example"]
    assert only(listed.rows[1]).field == "url"
    assert listed.ignored == ("note",)


def test_a_list_of_bare_sites_needs_no_names():
    """Broken, the simplest list of all would lose its first company or be refused."""
    assert domains(*read_sheet("acme.example\nhttps://forno.example/\n").rows) == ["acme.example", "forno.example"]


def test_one_mistake_costs_one_row():
    """Broken, an open quote in one row would swallow the rest of the file without a word."""
    listed = read_sheet('url,name\n"acme.example,Zoe\nforno.example,Ada\nspree.example,Uhu,spare\n')
    assert domains(*listed.rows) == ["", "forno.example", ""]
    assert only(listed.rows[0]).detail.startswith("not CSV")
    assert "more cells" in only(listed.rows[2]).detail


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no rows"),
        ("\n \n", "no rows"),
        ("url,email\n", "no rows"),
        ("name,city\nZoe,Lisbon\n", "one of them url"),
        ("url,Website\nacme.example,acme.example\n", "'url' and 'Website' are both read as url"),
        ("url,email,E-Mail\nacme.example,,\n", "'email' and 'E-Mail'"),
        ("url,name,name\nacme.example,,\n", "'name' and 'name'"),
        ("url\n" + "acme.example\n" * (MAX_ROWS + 1), "10,000 rows: send it in parts"),
    ],
)
def test_what_is_no_list_says_what_is_missing(text: str, told: str):
    """Broken, the wrong file would be taken for an empty success, or two columns for one would be picked by chance."""
    assert told in refused(text)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "is missing"),
        ("zoe@acme.example", "e-mail address"),
        ("127.0.0.1", "not an IP address"),
        ("co.uk", "public suffix"),
        ("x" * 2001, "longer than"),
    ],
)
def test_a_row_without_a_companys_site_is_refused(url: str, told: str):
    """Broken, a lead would be made of something that can never be crawled."""
    (row,) = read_objects([{"url": url, "email": "zoe@acme.example"}]).rows
    assert (row.site, row.contact) == (None, None)
    assert told in only(row).detail


def test_a_person_comes_with_all_that_is_said_of_them():
    """Broken, names, zones and the ground to write on would have to be typed in again for each person."""
    fields = {
        "url": "acme.example",
        "email": "zoe@acme.example",
        "phone": "0049 (0)30 123-456",
        "name": "Zoe van Acme",
        "title": "CEO",
        "country": "de",
        "language": "de-AT",
        "time_zone": "Europe/Berlin",
        "consent_basis": "Legitimate interest",
        "consent_source": "met at the fair",
        "consent_at": "2026-01-02",
    }
    (row,) = read_objects([fields]).rows
    contact = row.contact
    assert contact is not None, row.problems
    assert (contact.phone, contact.country, contact.language) == ("+4930123456", "DE", "de")
    assert (contact.name, contact.first_name, contact.last_name) == ("Zoe van Acme", "Zoe", "van Acme")
    assert contact.consent.basis is ConsentBasis.LEGITIMATE_INTEREST
    assert contact.consent.at is not None
    assert contact.consent.at.isoformat() == "2026-01-02T00:00:00+00:00"
    (row,) = read_objects([{"url": "acme.example", "phone": "+4930123456", "first_name": "Zoe", "last_name": "A"}]).rows
    assert row.contact is not None
    assert row.contact.name == "Zoe A"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"email": "zoe"}, "email"),
        ({"name": "Zoe"}, "email"),
        ({"email": "zoe@acme.example", "phone": "030 1"}, "phone"),
        ({"email": "zoe@acme.example", "country": "Germany"}, "country"),
        ({"email": "zoe@acme.example", "language": "deutsch"}, "language"),
        ({"email": "zoe@acme.example", "time_zone": "Lisbon"}, "time_zone"),
        ({"email": "zoe@acme.example", "title": "x" * 201}, "title"),
        ({"email": "zoe@acme.example", "consent_basis": "opt_in"}, "consent_basis"),
        ({"email": "zoe@acme.example", "consent_basis": "sure"}, "consent_basis"),
        ({"email": "zoe@acme.example", "consent_basis": "opt in", "consent_at": "yesterday"}, "consent_at"),
    ],
)
def test_a_person_who_cannot_be_taken_does_not_cost_the_site(fields: dict[str, Any], field: str):
    """Broken, a company would be lost for a typing error in an address, or the error would not be named."""
    (row,) = read_objects([{"url": "acme.example", **fields}]).rows
    assert domains(row) == ["acme.example"]
    assert row.contact is None
    assert field in {problem.field for problem in row.problems}
    assert not any(str(value) in problem.detail for value in fields.values() for problem in row.problems)


def test_what_is_said_of_a_company_makes_no_person():
    """Broken, a column of countries would report a broken contact in every row."""
    (row,) = read_objects([{"url": "acme.example", "country": "DE", "language": "de", "email": None, "name": " "}]).rows
    assert (domains(row), row.contact, row.problems) == (["acme.example"], None, ())


def test_objects_with_unknown_or_other_fields_are_refused_by_row():
    """Broken, a typing error in a field's name would lose that field in every row without a word."""
    rows = read_objects(
        [
            {"ulr": "acme.example"},
            {"url": 1},
            {"url": "acme.example", "name": "a\0b"},
            {"url": "acme.example", "zoe@acme.example": ""},
            {"url": "acme.example"},
        ]
    ).rows
    assert [only(row).field for row in rows[:4]] == ["ulr", "url", "name", ""]
    assert domains(*rows) == ["", "", "", "", "acme.example"]
