"""Whose address it is, who has left, where a company is, and which number rings there."""

from __future__ import annotations

import pytest

from cadenza.leads.cards import NameAndTitle, named_in_prose, people_in
from cadenza.leads.evidence import Corpus
from cadenza.leads.extract import extract_contacts
from cadenza.leads.model import Page
from cadenza.leads.ownership import Owner, has_left
from cadenza.leads.people import bare_name, is_name, names_a_person
from cadenza.leads.places import country_of, phone_in
from tests.unit.site_pages import page

OWNER = Owner("castlebridge-packaging.ie", "Castlebridge Packaging")
CONTACT, BLOG = "https://castlebridge-packaging.ie/contact", "https://castlebridge-packaging.ie/blog/visit"


@pytest.mark.parametrize(
    ("email", "url", "context", "linked", "theirs"),
    [
        ("anna@castlebridge-packaging.ie", BLOG, "", False, True),
        ("anna@mail.castlebridge-packaging.ie", BLOG, "", False, True),
        ("wales@castlebridge-group.com", CONTACT, "", False, True),
        ("wales@castlebridge-group.com", BLOG, "", True, False),
        ("castlebridge@gmail.com", CONTACT, "Write to us", True, True),
        ("castlebridge@gmail.com", CONTACT, "Website by Fred", True, False),
        ("castlebridge@gmail.com", CONTACT, "Write to us", False, False),
        ("castlebridgepackaging@postbox.com", CONTACT, "", True, True),
        ("hello@agency.com", CONTACT, "", True, False),
        ("castlebridge@agency.com", CONTACT, "", True, False),  # an agency's mailbox for this customer
        ("info@castle.com", CONTACT, "", True, False),
        ("info@castlebridge-packaging.com", CONTACT, "", False, True),
        ("pay@castlebridge-packaging-billing.com", CONTACT, "", True, False),
        ("info@castlebridge.ie", CONTACT, "", False, True),
        ("info@castlebridge-bakers.com", CONTACT, "", True, False),  # another in the same town
        ("privacy@castlebridge-packaging.ie", CONTACT, "", True, False),
        ("logo@2x.png", CONTACT, "", False, False),
    ],
)
def test_only_the_companys_own_addresses_are_taken(
    email: str, url: str, context: str, linked: bool, theirs: bool
) -> None:
    """Agencies, partners and customers would get mail in the sender's name."""
    assert OWNER.may_offer(email, url, context, linked=linked) is theirs


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Tom Ashby has left us after eleven years.", True),
        ("Sheila Roe retired in 2019", True),
        ("Former directors", True),
        ("Ehemalige Geschäftsführer", True),
        ("Antigua gerente: Dolors Pujol, jubilada", True),
        ("Il a quitté la maison", True),
        ("Herr Huber ist nicht mehr bei uns", True),
        ("Anna Lee is no longer with the firm", True),
        ("If you no longer wish to hear from us, write to office@thornbury.example", False),
        ("Wenn Sie keine Post mehr möchten, oder nicht mehr in Fulda wohnen", False),
        ("We build homes for retired people", False),
        ("Nous équipons les maisons de retraite", False),
        ("Prices are ex-works", False),
        ("Sie verlassen diese Seite", False),
        ("The former mill is our workshop", False),
        ("Take the door on the left", False),
        ("Anna runs the workshop", False),
        ("Ein Formular ausfüllen", False),
    ],
)
def test_people_who_left_are_known_by_what_is_said_of_them(text: str, gone: bool) -> None:
    """A retired man would get a campaign, or a woman at work would get none."""
    assert has_left(text) is gone


def test_who_left_is_not_written_to_wherever_else_they_stand() -> None:
    """Team pages are forgotten: the news says that he is gone, the team page still lists him."""
    team = page("team", "<h3>Tom Ashby</h3><p>Foreman</p><p>tom@thornbury.example</p>")
    news = page("news", "<p>Tom has retired. His mail, tom@thornbury.example, is no longer read.</p>")
    found = extract_contacts(Corpus.read("thornbury.example", [team, news]))
    assert (found.contacts, found.refused) == ((), 1)


@pytest.mark.parametrize(
    ("lines", "people"),
    [
        (("Owner", "Anna Lee"), [("Anna Lee", "Owner")]),
        (("Owner", "Anna Lee", "Buyer", "Bo Berg"), [("Anna Lee", "Owner"), ("Bo Berg", "Buyer")]),
        (("Anna Lee", "Owner", "Bo Berg", "Buyer"), [("Anna Lee", "Owner"), ("Bo Berg", "Buyer")]),
        (("Anna Lee <anna@x.example>, Head of Sales.",), [("Anna Lee", "Head of Sales")]),
        (
            ("Vertriebsleitung | Dipl.-Ing. (FH) Katrin Aschen | a(at)b.example",),
            [("Katrin Aschen", "Vertriebsleitung")],
        ),
        (("Dr. med. univ. Judith Ehren, MSc", "Inhaberin"), [("Judith Ehren", "Inhaberin")]),
        (('Catriona "Cat" MacLennan', "Head brewer. Cat sings."), [("Catriona MacLennan", "Head brewer")]),
        (("O sócio-gerente, Sr. João Pires, é neto do fundador.",), [("João Pires", "sócio-gerente")]),
        (("Julien LE GOFF", "Responsable du support"), [("Julien Le Goff", "Responsable du support")]),
    ],
)
def test_cards_are_read_in_either_order(lines: tuple[str, ...], people: list[tuple[str, str]]) -> None:
    """Each would be called what the next one is."""
    assert [(p.name, p.title) for p in people_in(lines)] == people


@pytest.mark.parametrize(
    ("text", "local", "person"),
    [
        ("Founded by Orla Hennessy, who is still the owner. Write to o@k.example", "orla", ("Orla Hennessy", "owner")),
        ("Contact Orla Hennessy or Orla Keane", "orla", ("", "")),
        ("Jan van der Berg, our Head of Sales, travels.", "j.vanderberg", ("Jan van der Berg", "Head of Sales")),
        ("Anna Lee runs the yard.", "orla", ("", "")),
    ],
)
def test_sentences_name_people_too(text: str, local: str, person: tuple[str, str]) -> None:
    """Small companies introduce their people in sentences; but two of one name are nobody."""
    assert named_in_prose(text, local) == NameAndTitle(*person)


def test_a_desk_is_not_the_person_who_stands_beside_it() -> None:
    """Mail to the research desk would greet whoever wrote the article; a nickname is its bearer's."""
    people = "<p>{} <a href='mailto:{}@thornbury.example'>write</a></p>"
    author = page("team", people.format("Anna Lee, Head of Research", "ideas"))
    sue = page("about", people.format("Susan Oak, Buyer", "sue"))
    house = page("contact", people.format("Bo Berg, OWNER", "thornbury"))
    found = extract_contacts(Corpus.read("thornbury.example", [author, sue, house])).contacts
    named = {c.email.partition("@")[0]: (c.name, c.title) for c in found}
    assert named == {"ideas": ("", ""), "sue": ("Susan Oak", "Buyer"), "thornbury": ("Bo Berg", "Owner")}


def test_names_are_put_as_their_bearers_would() -> None:
    """Mails would greet FONTANIER, an honorific, or half a name."""
    assert bare_name("Prof. Dr.-Ing. Maëlle FONTANIER, MSc") == "Maëlle Fontanier"
    assert bare_name("Hannah Pryor MRCVS") == "Hannah Pryor"
    assert bare_name("Ingrid Dale") == "Ingrid Dale"
    assert not is_name("Joseph R.")
    assert names_a_person("k.aschenbrenner")


@pytest.mark.parametrize(
    ("body", "country"),
    [
        ("<p>Dock Road, Y35 A0X0 Wexford, Ireland</p>", "IE"),
        ("<p>Lindengasse 3<br>4020 Linz<br>Österreich</p>", "AT"),
        ("<p>We sell to France, Spain and Italy.</p>", ""),
        ("<p>Unit 3, Ripley HG3 9AB</p>", "GB"),
        ("<p>1200 Elm Street, Dayton, OH 45400</p>", "US"),
        ("<p>Amtsgericht Traunstein, HRB 12345</p>", "DE"),
        ("<p>Call +353 20 912 0077</p>", "IE"),
        ("<p>Call +353 20 912 0077 or +49 30 23125 014</p>", ""),
    ],
)
def test_the_country_is_what_the_site_says_or_nothing(body: str, country: str) -> None:
    """Consent rules, holidays and the hours of sending would be another country's."""
    assert country_of(Corpus.read("thornbury.example", [page("contact", body)])) == country


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("Tel. 020 7946 0118", "GB", "+442079460118"),
        ("(937) 555-0142", "US", "+19375550142"),
        ("Tel. 020 7946 0118", "", ""),
        ("Fax +49 89 99998-499, Tel +49 (0)89 99998-400", "DE", "+498999998400"),
        ("Company no. 00000000", "GB", ""),
        ("founded in 1994", "DE", ""),
    ],
)
def test_national_numbers_need_a_country_and_fax_machines_are_not_called(text: str, country: str, number: str) -> None:
    """A call would ring with a stranger, or whistle."""
    assert phone_in(text, country) == number


def test_a_table_that_is_only_layout_is_read_as_the_page_that_it_draws() -> None:
    """Old sites would be one line, with everybody's names and numbers in it."""
    layout = """<table><tr><td><h2>Team</h2><table><tr><td><p>Anna Lee</p><p>Owner</p></td>
      <td><p>anna@thornbury.example</p></td></tr></table></td></tr></table>"""
    data = "<table><tr><th>Buyer</th><td>Bo Berg</td><td>bo@thornbury.example</td></tr></table>"
    read: Page = page("team", layout + data)
    assert "| Buyer | Bo Berg |" in read.markdown
    found = extract_contacts(Corpus.read("thornbury.example", [read])).contacts
    assert [(c.name, c.title) for c in found] == [("Anna Lee", "Owner"), ("Bo Berg", "Buyer")]
