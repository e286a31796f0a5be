"""Contacts: found where they stand, told apart from shared mailboxes, never composed."""

from __future__ import annotations

import json
import time

import pytest

from cadenza.contacts.model import ContactKind
from cadenza.leads.evidence import Corpus
from cadenza.leads.extract import Extraction, extract_contacts
from cadenza.leads.model import Page
from cadenza.leads.people import belongs_to, is_name, role_rank, split_name
from cadenza.leads.places import e164
from tests.unit.site_pages import page, sample_site


def extract(*pages: Page, domain: str = "thornbury.example") -> Extraction:
    return extract_contacts(Corpus.read(domain, pages), "en")


def ld(value: object) -> str:
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'


def emails(*pages: Page) -> list[str]:
    return [contact.email for contact in extract(*pages).contacts]


def test_json_ld_people_come_with_name_title_and_phone() -> None:
    """Sites that state their people for machines would be read worse than those that do not."""
    head = ld(
        {
            "@type": "Organization",
            "email": "office@thornbury.example",
            "address": {"addressCountry": {"name": "Germany"}},
            "founder": {
                "@type": ["Person"],
                "givenName": "Inês",
                "familyName": "Duarte",
                "jobTitle": "Founder",
                "email": "mailto:ines@thornbury.example",
                "telephone": "+351 912 345 678",
            },
            "contactPoint": [{"@type": "ContactPoint", "email": "sales@thornbury.example"}],
        }
    )
    first, *others = extract(page("", "<p>Hello.</p>", head=head)).contacts
    assert (first.name, first.first_name, first.last_name) == ("Inês Duarte", "Inês", "Duarte")
    assert (first.title, first.role_rank, first.phone) == ("Founder", 1, "+351912345678")
    assert (first.country, first.time_zone, first.kind) == ("DE", "Europe/Berlin", ContactKind.PERSON)
    assert {(other.email, other.kind) for other in others} == {
        ("office@thornbury.example", ContactKind.GENERIC),
        ("sales@thornbury.example", ContactKind.GENERIC),
    }


def test_cards_give_each_address_its_own_person() -> None:
    """Ben would be greeted as Inês, or called on her phone."""
    found = extract(
        page(
            "team",
            """<div><h3>Dr. Inês Duarte</h3><p>Head of Operations</p>
               <p><a href="mailto:ines.duarte@thornbury.example">Write</a> +351 912 345 678</p></div>
               <div><h3>Ben Müller</h3><p>Managing Director</p><p>ben.mueller [at] thornbury [dot] example</p></div>
               <p>Anna Lee, Sales Manager, alee@thornbury.example, or info@thornbury.example</p>""",
        )
    )
    assert [(c.name, c.title, c.email, c.phone) for c in found.contacts] == [
        ("Ben Müller", "Managing Director", "ben.mueller@thornbury.example", ""),
        ("Inês Duarte", "Head of Operations", "ines.duarte@thornbury.example", "+351912345678"),
        ("Anna Lee", "Sales Manager", "alee@thornbury.example", ""),
        ("", "", "info@thornbury.example", ""),
    ]


def test_markdown_without_structured_data_still_gives_mail_links() -> None:
    """A crawl service that returns markdown only would lose the people."""
    text = "### Anna Lee\n\nSales Manager\n\n[Write](mailto:anna.lee@thornbury.example)"
    (contact,) = extract(Page(url="https://thornbury.example/team", markdown=text)).contacts
    assert (contact.name, contact.title, contact.email) == ("Anna Lee", "Sales Manager", "anna.lee@thornbury.example")


def test_a_name_on_another_page_completes_an_address() -> None:
    """Names on the team page and addresses in the imprint is how half of all sites are made."""
    team = page("team", "<h3>Anna Lee</h3><p>Head of Sales</p><h3>Bo Berg</h3><p>Buyer</p>")
    imprint = page("imprint", "<p>E-Mail: anna.lee@thornbury.example</p>")
    (contact,) = extract(team, imprint).contacts
    assert (contact.name, contact.title, contact.role_rank) == ("Anna Lee", "Head of Sales", 3)


def test_somebody_elses_name_is_not_taken() -> None:
    """A mail to Carla would begin with "Hello Anna"."""
    (contact,) = extract(
        page("team", "<h3>Anna Lee</h3><p>Head of Sales</p><p>carla.sousa@thornbury.example</p>")
    ).contacts
    assert (contact.name, contact.kind) == ("", ContactKind.PERSON)


@pytest.mark.parametrize(
    "written",
    [
        "anna.lee [at] thornbury.example",
        "anna.lee(at)thornbury(dot)example",
        "anna [dot] lee {at} thornbury {dot} example",
        "anna.lee (@) thornbury . example".replace(" . ", "."),
        "ANNA.LEE@thornbury.example",
    ],
)
def test_obfuscated_addresses_are_read(written: str) -> None:
    """People who hide their address from robots still want mail from people."""
    assert [e.lower() for e in emails(page("contact", f"<p>{written}</p>"))] == ["anna.lee@thornbury.example"]


@pytest.mark.parametrize(
    "text",
    [
        "logo@2x.png",
        "icon@thornbury.svg",
        "you@thornbury.example",
        "noreply@thornbury.example",
        "privacy@thornbury.example",
        "meet me at noon dot com",
        "a@b@thornbury.example x@",
        "..bad..@thornbury.example",
        "somebody@other-company.de",
        "twitter.com/@thornbury.example",
    ],
)
def test_what_is_no_address_for_us_is_left(text: str) -> None:
    """Mail would go to files, placeholders, robots or bystanders."""
    assert emails(page("contact", f"<p>{text}</p>")) == []


def test_an_address_under_another_domain_needs_a_link_on_a_page_about_the_company() -> None:
    """Small firms use mail providers; but whoever a blog post mentions is not a contact."""
    link = '<p>Bo Berg, owner: <a href="mailto:{0}">{0}</a></p>'
    assert emails(page("contact", link.format("thornbury.joinery@gmail.com"))) == ["thornbury.joinery@gmail.com"]
    assert emails(page("blog/visit", link.format("thornbury.joinery@gmail.com"))) == []
    assert emails(page("contact", link.format("somebody@evil.example"))) == []
    assert emails(page("contact", '<p>Website by <a href="mailto:hi@studio.com">hi@studio.com</a></p>')) == []


def test_every_address_stands_on_its_page() -> None:
    """An invented address would bounce, or reach a stranger."""
    for site in ("fornoatlantico.example", "spreekargo.example"):
        corpus = Corpus.read(site, sample_site(site))
        for contact in extract_contacts(corpus).contacts:
            found = corpus.find(contact.page_url)
            assert found is not None
            assert found.holds(contact.email)
            assert found.holds(contact.quote)


def test_an_address_is_one_contact_however_often_it_stands() -> None:
    """The same person would get the campaign twice."""
    first = page("", "<p>Info@Thornbury.example</p>")
    second = page("contact", '<p><a href="mailto:info@thornbury.example">Mail</a></p>')
    assert len(emails(first, second)) == 1


def test_sample_sites_give_the_people_in_the_order_of_their_say() -> None:
    """The demo would write to the wrong people, or to nobody."""
    forno = extract(*sample_site("fornoatlantico.example"), domain="fornoatlantico.example").contacts
    assert [(c.name, c.role_rank, c.country) for c in forno] == [
        ("Inês Duarte", 1, "PT"),
        ("Rui Carvalho", 3, "PT"),
        ("Marta Figueira", 4, "PT"),
        ("", 100, "PT"),
    ]
    assert {c.time_zone for c in forno} == {""}  # Portugal has the Azores
    spree = extract(*sample_site("spreekargo.example"), domain="spreekargo.example").contacts
    assert [(c.name, c.phone, c.time_zone) for c in spree] == [
        ("Jonas Weidmann", "+493023125014", "Europe/Berlin"),
        ("Leyla Arslan", "", "Europe/Berlin"),
        ("Priya Nair", "+493023125027", "Europe/Berlin"),
        ("", "", "Europe/Berlin"),
    ]


def test_the_hostile_site_yields_nobody() -> None:
    """Strangers whom a page names for us would get mail in our sender's name."""
    pages = sample_site("grand-meridian.example")
    assert any("evil.example" in p.markdown for p in pages)  # the attempt is there
    assert extract(*pages, domain="grand-meridian.example").contacts == ()


@pytest.mark.parametrize(
    ("local", "name", "fits"),
    [
        ("ines.duarte", "Inês Duarte", True),
        ("iduarte", "Inês Duarte", True),
        ("duarte.i", "Inês Duarte", True),
        ("ines", "Inês Duarte", True),
        ("mueller", "Jörg Müller", True),
        ("muller", "Jörg Müller", True),
        ("j.vanderberg", "Jan van der Berg", True),
        ("jan.berg", "Jan van der Berg", True),
        ("kh.mueller", "Karl Heinz Müller", True),
        ("jeanluc.saintmartin", "Jean-Luc Saint-Martin", True),
        ("mcruiz", "María del Carmen Ruiz de la Torre", True),
        ("research", "Anna Lee", False),
        ("ines.silva", "Inês Duarte", False),
        ("sales", "Inês Duarte", False),
    ],
)
def test_local_parts_tell_whose_address_it_is(local: str, name: str, fits: bool) -> None:
    """Names would be put to the wrong addresses."""
    assert belongs_to(local, name) is fits


@pytest.mark.parametrize(
    ("title", "rank"),
    [
        ("Assistant to the CEO", 5),
        ("Vice President Sales", 2),
        ("Geschäftsführerin", 1),
        ("Sócia-gerente", 1),
        ("Product Owner", 5),
        ("Leiterin Einkauf", 3),
        ("Diretora comercial", 3),
        ("Sales Manager", 4),
        ("Workshop", 5),
        ("", 6),
    ],
)
def test_titles_rank_by_who_decides(title: str, rank: int) -> None:
    """The campaign would begin with the person who can say least."""
    assert role_rank(title) == rank


@pytest.mark.parametrize(
    "text", ["Contact Us", "Head of Sales", "Main Street", "Oak stairs", "Anna", "Our Team", "anna lee"]
)
def test_things_are_not_people(text: str) -> None:
    """A mail would greet a street or a heading."""
    assert not is_name(text)


def test_names_split_after_the_first_word() -> None:
    """A mail would greet "van", or leave half of a name behind."""
    assert split_name("Dr. JAN VAN DER BERG") == ("Jan", "Van Der Berg")
    assert split_name("Inês de Sousa Duarte") == ("Inês", "de Sousa Duarte")


@pytest.mark.parametrize(
    ("text", "number"),
    [("+49 (0)30 / 123-4567", "+49301234567"), ("0049 30 1234567", "+49301234567"), ("030 1234567", ""), ("+12", "")],
)
def test_phones_are_international_or_not_taken(text: str, number: str) -> None:
    """A guessed country code calls a stranger."""
    assert e164(text) == number


@pytest.mark.parametrize(
    "unit", ["[", "![", "(", "a@", "a.", "a [dot] ", "a [dot] b [at] c [dot] ", "**_", "Anna Lee ", "ignore "]
)
def test_no_page_takes_longer_than_its_length_deserves(unit: str) -> None:
    """One hostile page would hold a function until its time-out, three times over."""
    text = unit * (100_000 // len(unit))
    began_s = time.process_time()
    extract(Page(url="https://thornbury.example/team", markdown=text))
    assert time.process_time() - began_s < 8.0


def test_a_directory_does_not_become_a_mass_mailing() -> None:
    """A page with thousands of addresses would start thousands of campaigns."""
    text = "\n\n".join(f"person{n}@thornbury.example" for n in range(300))
    found = extract(Page(url="https://thornbury.example/team", markdown=text))
    assert (len(found.contacts), found.refused) == (200, 100)
