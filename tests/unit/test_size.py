"""Figures about a company, read from sentences that a person wrote."""

from __future__ import annotations

import pytest

from cadenza.leads.report import Claim, SiteReport, Topic
from cadenza.leads.size import CompanySize, Quote, company_size

URL = "https://thornbury.example/about"


def size(*texts: str) -> CompanySize:
    return company_size(Quote(URL, text) for text in texts)


@pytest.mark.parametrize(
    ("text", "least", "most", "approximate"),
    [
        ("We are a team of twelve, founded in 1987.", 12, 12, False),
        ("A team of 40+ engineers looks after you.", 40, None, False),
        ("Our 1,200 employees work in nine countries.", 1200, 1200, False),
        ("Mit 1.200 Mitarbeitern sind wir die Nummer zwei.", 1200, 1200, False),
        ("Rund 50 Beschäftigte arbeiten in Passau.", 50, 50, True),
        ("Wir sind 14 Mitarbeiter und arbeiten seit 1987 mit Holz.", 14, 14, False),
        ("We employ more than 300 people in Bath.", 300, None, False),
        ("Up to 25 employees share the workshop.", None, 25, False),
        ("Between the sites we are 50-60 people.", 50, 60, False),
        ("Nous sommes 35 personnes à Lyon.", 35, 35, False),
        ("Une équipe de 8 collaborateurs vous attend.", 8, 8, False),
        ("Somos 22 personas en Valencia.", 22, 22, False),
        ("About 80 full-time employees keep the ovens warm.", 80, 80, True),
        ("Twelve people work in our shop.", 12, 12, False),
    ],
)
def test_employees_are_counted_as_the_sentence_says(
    text: str, least: int | None, most: int | None, approximate: bool
) -> None:
    """Otherwise an operator sorts companies by sizes that nobody stated."""
    found = size(text).employees
    assert found is not None
    assert (found.least, found.most, found.approximate) == (least, most, approximate)
    assert (found.page_url, found.quote) == (URL, text)


@pytest.mark.parametrize(
    "text",
    [
        "We have trained 3,000 employees of the city.",
        "We cook for 500 people a day.",
        "Trusted by 4,000 customers.",
        "Our software helps 200 colleagues to share a desk.",
        "Call 0800 123456 and our employees answer.",
        "Our people come first.",
    ],
)
def test_other_peoples_people_are_not_counted(text: str) -> None:
    """Otherwise a caterer for 500 is taken for a company of 500."""
    assert size(text).employees is None


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("We run 3 workshops in Somerset.", (3, 3)),
        ("Über 20 Standorte in Deutschland.", (20, None)),
        ("Three offices on two continents.", (3, 3)),
        ("We supply 90 stores with bread.", None),
    ],
)
def test_places_are_counted(text: str, places: tuple[int, int | None] | None) -> None:
    """Otherwise a supplier of many shops is taken for a chain."""
    found = size(text).locations
    assert (None if found is None else (found.least, found.most)) == places


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("We are a team of twelve, founded in 1987.", 1987),
        ("The firm was established by two sisters in 1904.", 1904),
        ("1987 gegründet, baut die Tischlerei Treppen.", 1987),
        ("Fondée à Lyon en 1972.", 1972),
        ("A family business since 1921.", 1921),
        ("We have used green power since 2019.", None),
        ("Founded on trust.", None),
    ],
)
def test_the_year_is_that_of_the_beginning(text: str, year: int | None) -> None:
    """Otherwise the year of a new roof is taken for that of the company."""
    found = size(text).founded
    assert (None if found is None else found.year) == year


def test_a_report_states_its_figures_with_their_proof_and_none_without() -> None:
    """Otherwise figures come from sentences that were never verified, or from other topics."""
    claims = [
        Claim(topic=Topic.PRODUCT, text="x", page_url=URL, quote="Software for 900 employees."),
        Claim(topic=Topic.SIZE, text="12 people", page_url=URL, quote="We are a team of twelve, founded in 1987."),
    ]
    report = SiteReport(domain="thornbury.example", claims=tuple(claims))
    assert report.size.employees is not None
    assert (report.size.employees.least, report.size.employees.quote) == (12, claims[1].quote)
    assert report.size.locations is None
    assert SiteReport(domain="thornbury.example").size == CompanySize()


def test_sentences_made_to_be_slow_are_not() -> None:
    """Otherwise a page of digits keeps a request busy."""
    for text in ("1 " * 100_000, "12.345." * 20_000, "over " * 50_000, "a-" * 100_000 + "employees"):
        assert size(text[:320]).employees is None
