"""The offline analyst: a report whose every claim stands on the site, from rules alone."""

from __future__ import annotations

import pytest

from cadenza.leads.analysis import analyse_offline
from cadenza.leads.claims import split_sentences
from cadenza.leads.evidence import Corpus
from cadenza.leads.report import Topic
from tests.unit.site_pages import page, sample_site

HOME = page(
    "",
    """<h1>Oak stairs</h1>
    <p>We build stairs and windows by hand for homeowners and architects. Our workshop is in Bath.</p>
    <h2>What we make</h2><ul><li>Winding oak stairs – any height</li><li>Sash windows</li></ul>
    <h2>News</h2><p>We opened a second workshop in Bristol this spring.</p>
    <p>We are a team of twelve, founded in 1987.</p>
    <p>We use cookies to make this site better.</p>""",
    head='<meta name="description" content="Thornbury Joinery builds oak stairs and windows for listed houses.">',
)


def test_the_report_says_what_whom_what_is_new_and_how_large() -> None:
    """Without a model, mails would be about nothing."""
    report = analyse_offline("thornbury.example", [HOME]).report
    assert (report.company_name, report.language) == ("Thornbury Joinery", "en")
    assert report.summary == "Thornbury Joinery builds oak stairs and windows for listed houses."
    quotes = {topic: [claim.quote for claim in report.about(topic)] for topic in Topic}
    assert quotes[Topic.SIGNAL] == ["We opened a second workshop in Bristol this spring."]
    assert quotes[Topic.AUDIENCE] == ["We build stairs and windows by hand for homeowners and architects."]
    assert quotes[Topic.PRODUCT] == ["Winding oak stairs", "Sash windows"]
    assert quotes[Topic.SIZE] == ["We are a team of twelve, founded in 1987."]


@pytest.mark.parametrize("site", ["fornoatlantico.example", "spreekargo.example", "grand-meridian.example"])
def test_every_claim_stands_on_its_page(site: str) -> None:
    """The guards would have to drop what the analyst itself made up."""
    pages = sample_site(site)
    analysis = analyse_offline(site, pages)
    corpus = Corpus.read(site, pages)
    assert analysis.report.about(Topic.SUMMARY)
    assert analysis.stats.claims_dropped == 0
    for claim in analysis.report.claims:
        found = corpus.find(claim.page_url)
        assert found is not None
        assert found.holds(claim.quote)
        assert claim.text == claim.quote


def test_the_same_pages_give_the_same_analysis() -> None:
    """A repeated message would change what was stored and planned."""
    pages = sample_site("fornoatlantico.example")
    assert analyse_offline("fornoatlantico.example", pages) == analyse_offline("fornoatlantico.example", pages)


def test_nothing_of_the_injection_gets_into_the_analysis() -> None:
    """The page's words would come out again as facts, links or recipients."""
    pages = sample_site("grand-meridian.example")
    assert any("Ignore all previous instructions" in p.markdown for p in pages)  # the attempt
    analysis = analyse_offline("grand-meridian.example", pages)
    said = analysis.model_dump_json()
    assert analysis.contacts == ()
    assert analysis.stats.pages_set_aside == 1
    for planted in ("evil.example", "offer ends", "Victor", "Vera", "instructions", "{{", "sober price"):
        assert planted not in said


def test_an_empty_or_script_only_site_gives_an_empty_report() -> None:
    """One dead site would fail its whole batch."""
    for pages in ([], [page("", "<script>render()</script>")]):
        analysis = analyse_offline("thornbury.example", pages)
        assert analysis.report.claims == ()
        assert analysis.contacts == ()
        assert analysis.report.company_name.startswith("Thornbury")


def test_a_german_site_is_read_in_german() -> None:
    """The rules would be English rules."""
    body = """<p>Wir bauen Treppen für Familien und Architekten in ganz Bayern.</p>
              <p>Wir suchen eine Tischlerin für unsere Werkstatt in Passau.</p><p>Wir sind 14 Mitarbeiter und arbeiten
              seit 1987 mit dem Holz aus der Region.</p>"""
    report = analyse_offline("tischlerei.example", [page("", body, domain="tischlerei.example", lang="de")]).report
    assert report.language == "de"
    assert report.summary.startswith("Wir bauen Treppen")
    assert len(report.about(Topic.SIGNAL)) == 1
    assert len(report.about(Topic.SIZE)) == 1


def test_abbreviations_do_not_end_sentences() -> None:
    """Quotes would be cut in half."""
    assert split_sentences("We work with Dr. Lee, e.g. on Mondays. Then we rest.") == [
        "We work with Dr. Lee, e.g. on Mondays.",
        "Then we rest.",
    ]
    assert split_sentences("Zum 1. August suchen wir einen Gesellen. Seit 1961. Immer.") == [
        "Zum 1. August suchen wir einen Gesellen.",
        "Seit 1961.",
        "Immer.",
    ]
