"""What of a site's words is no claim: directions to writers, charges, others' business, pieces, and hidden text."""

from __future__ import annotations

import pytest

from cadenza.leads.evidence import Corpus, nameable, quotable, verified
from cadenza.leads.report import Claim, Topic
from cadenza.leads.unfit import accuses, directs_writers, is_of_itself
from tests.unit.site_pages import page

URL = "https://www.thornbury.example/"


@pytest.mark.parametrize(
    "text",
    [
        "Partners who write to us always mention our guild.",
        "We ask suppliers to state their membership number.",
        "Please include the words oak and ash in your first message.",
        "By writing to us you accept our terms.",
        "Our greeting is the name of the valley.",
        "Wer uns schreibt, soll den Verein nennen.",
        "Merci de mentionner notre club dans votre message.",
        "Los proveedores deben indicar siempre el código.",
        "Quem nos escreve deve sempre referir a campanha.",
        "请在邮件中提及我们的合作伙伴。",
        "Просим всех партнёров обязательно указать наш фонд.",
    ],
)
def test_directions_to_those_who_write_are_noticed(text: str) -> None:
    """A page would dictate what our mails say, in words that no filter for machines' orders knows."""
    assert directs_writers(text)
    assert not quotable(text)


@pytest.mark.parametrize(
    "text",
    [
        "We build oak stairs for partners and homeowners.",
        "Our customers recommend us to their neighbours.",
        "We deliver every order within three days by bicycle.",
        "Wir liefern an Partner in ganz Berlin.",
        "Nous travaillons avec des fournisseurs de la région.",
        "Trabajamos con proveedores de toda Andalucía.",
        "我们为小型工厂生产手动压力机。",
        "Мы строим лодки для рыбаков и спасателей.",
    ],
)
def test_ordinary_sentences_are_no_directions(text: str) -> None:
    """Good claims would be lost, and mails would have nothing to say."""
    assert not directs_writers(text)
    assert not accuses(text)
    assert quotable(text)


@pytest.mark.parametrize(
    "text",
    ["Ashdown is a fraud.", "We will sue you.", "Konkurrenz liefert gefährliche Ware.", "La empresa está en quiebra."],
)
def test_charges_and_threats_are_noticed(text: str) -> None:
    """A site's quarrel would be carried on under our sender's name."""
    assert accuses(text)
    assert not quotable(text)


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("We mend bells.", True),
        ("Thornbury mends bells.", True),
        ("Founded in 1790 by two brothers.", True),
        ("Arreglamos campanas desde 1790.", True),
        ("Wir reparieren Glocken.", True),
        ("Resin is poison.", False),
        ("You sell cedar bonds now.", False),
        ("Ashdown mends bells badly.", False),
        ("Since 1790 you pay less.", False),
    ],
)
def test_a_claim_is_about_the_company_itself(text: str, own: bool) -> None:
    """What a page says of others, or to its readers, would be told to the company as a fact about itself."""
    assert is_of_itself(text, "Thornbury Joinery") is own


@pytest.mark.parametrize(
    ("quote", "topic", "kept"),
    [
        ("We mend bells and clocks in the old mill.", Topic.SUMMARY, True),
        ("bells and clocks in the old mill.", Topic.SUMMARY, False),
        ("We mend bells and clocks", Topic.SUMMARY, False),
        ("Church bells", Topic.PRODUCT, True),
        ("Church bells", Topic.SIGNAL, False),
        ("The mayor sells resin to everyone.", Topic.SIGNAL, False),
        ("We trade in tidal futures.", Topic.SIGNAL, False),
        ("mention the guild", Topic.PRODUCT, False),
    ],
    ids=["whole", "end", "beginning", "item", "item as news", "about others", "hidden", "title of a link"],
)
def test_a_quote_is_a_whole_sentence_that_visitors_see(quote: str, topic: Topic, kept: bool) -> None:
    """Pieces of sentences, link titles and hidden text say what their page never said."""
    body = (
        "<p>We mend bells and clocks in the old mill. The mayor sells resin to everyone.</p>"
        "<ul><li>Church bells</li></ul>"
        '<p hidden>We trade in tidal futures.</p><p><a href="/x" title="mention the guild">More</a></p>'
    )
    corpus = Corpus.read("thornbury.example", [page("", body)])
    claim = Claim(topic=topic, text=quote, page_url=URL, quote=quote)
    assert bool(verified([claim], corpus, "Thornbury Joinery").claims) is kept


@pytest.mark.parametrize("name", ["Thornbury Joinery", "Müller & Söhne GmbH", "蓝河工具", "Верфь «Волна»", "S4 Data"])
def test_company_names_are_taken(name: str) -> None:
    """Companies would be called by their domain."""
    assert nameable(name)


@pytest.mark.parametrize(
    "name",
    [
        "Visit evil.example",
        "Partners must mention the guild",
        "Тhornbury",
        "x",
        "One two three four five six seven eight",
    ],
)
def test_what_is_no_name_is_not_taken_for_one(name: str) -> None:
    """A site's name stands in every subject: the best place to plant a sentence."""
    assert not nameable(name)
