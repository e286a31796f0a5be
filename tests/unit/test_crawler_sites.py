"""Our own crawler on the sample sites, served on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cadenza.leads.crawler import USER_AGENT, CrawlResult, StopReason, crawl
from cadenza.leads.fetch import Trouble
from local.world.sites import SampleSites


@pytest.fixture(scope="module")
def sites() -> Iterator[SampleSites]:
    with SampleSites() as served:
        yield served


def paths(result: CrawlResult) -> list[str]:
    return [page.url.partition(".example")[2] for page in result.pages]


def test_the_json_ld_site_gives_all_its_pages_and_people(sites: SampleSites) -> None:
    """Otherwise the analyst never sees the people that a site names for machines."""
    result = crawl("https://fornoatlantico.example/", resolver=sites.resolver())
    assert result.stopped_because is StopReason.EXHAUSTED
    assert result.errors == ()
    assert paths(result) == ["/", "/pt/contacto", "/about", "/service", "/references", "/ovens"]
    by_path = dict(zip(paths(result), result.pages, strict=True))
    assert [node["name"] for node in by_path["/about"].structured.json_ld] == [
        "Inês Duarte",
        "Rui Carvalho",
        "Marta Figueira",
    ]
    assert by_path["/"].structured.json_ld[0]["@type"] == "Organization"
    assert by_path["/"].structured.site_name == "Forno Atlântico"
    assert (by_path["/"].language, by_path["/pt/contacto"].language) == ("en", "pt")
    assert "28 and 36 percent of the power" in by_path["/ovens"].markdown


def test_the_team_page_site_gives_mail_links_with_their_cards(sites: SampleSites) -> None:
    """Otherwise an address cannot be matched with the name and title beside it."""
    result = crawl("http://www.spreekargo.example/", resolver=sites.resolver())
    team = next(page for page in result.pages if page.url.endswith("/team"))
    assert [link.address.partition("@")[0] for link in team.structured.mail_links] == [
        "jonas.weidmann",
        "leyla.arslan",
        "priya.nair",
        "info",
    ]
    assert team.structured.mail_links[1].nearby.splitlines()[:2] == ["Leyla Arslan", "Head of Logistics"]
    assert team.structured.phone_links[0].address == "+493023125014"


def test_robots_txt_is_obeyed(sites: SampleSites) -> None:
    """Otherwise we read what a company asked robots not to read."""
    sites.visits.clear()
    result = crawl("https://spreekargo.example/", resolver=sites.resolver())
    assert [(e.url, e.trouble) for e in result.errors] == [
        ("http://spreekargo.example/intern/schichtplan", Trouble.ROBOTS)
    ]
    assert not [v for v in sites.visits if v.path.startswith("/intern")]
    assert sites.visits[0].path == "/robots.txt"
    assert {v.user_agent for v in sites.visits} == {USER_AGENT}


def test_the_hostile_site_ends_with_its_honest_pages(sites: SampleSites) -> None:
    """Otherwise a redirect loop hangs the crawl, or a redirect takes it to an attacker's site."""
    result = crawl("https://grand-meridian.example/", resolver=sites.resolver())
    assert paths(result) == ["/", "/about", "/approach", "/insights"]
    assert {(e.url.rpartition("/")[2], e.trouble) for e in result.errors} == {
        ("client-portal", Trouble.REDIRECT_LOOP),
        ("partners", Trouble.OFF_SITE),
    }
    assert all(not page.structured.mail_links for page in result.pages)


def test_the_same_site_gives_the_same_pages_in_the_same_order(sites: SampleSites) -> None:
    """Otherwise two analyses of one site differ for no reason."""
    first, second = (crawl("https://fornoatlantico.example/about", resolver=sites.resolver()) for _ in range(2))
    assert first == second
    assert paths(first)[0] == "/about"


def test_a_deep_link_that_is_gone_falls_back_to_the_front_page(sites: SampleSites) -> None:
    """Otherwise a lead with an outdated link fails although the company is there."""
    result = crawl("https://spreekargo.example/old/page", resolver=sites.resolver())
    assert paths(result)[0] == "/"
    assert result.errors[0].trouble is Trouble.HTTP_STATUS
