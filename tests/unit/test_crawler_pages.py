"""What is read out of a page: text in any charset, markdown, data for machines; and the states of a lead."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from cadenza.core.states import LEAD_MOVES, LeadStatus
from cadenza.leads.pages import UnreadablePage, decode_html, read_html, read_sitemap

TEXT = "Bäckerei Müller – 5 € für Brötchen"


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode(), ""),
        (TEXT.encode(), "iso-8859-1"),
        (f'<meta charset="latin1">{TEXT}'.encode(), "ascii"),
        (TEXT.encode("windows-1252"), "iso-8859-1"),
        (TEXT.encode("windows-1252"), "utf-8"),
        (TEXT.encode("windows-1252"), "no-such-charset"),
        (b"<meta charset='cp1252'>" + TEXT.encode("windows-1252"), ""),
        (b'<meta http-equiv=Content-Type content="text/html; charset=windows-1252">' + TEXT.encode("cp1252"), ""),
        (TEXT.encode("utf-8-sig"), "windows-1252"),
        (TEXT.encode("utf-16"), ""),
        (TEXT.encode("utf-16-le"), "utf-16le"),
    ],
)
def test_charsets_are_found_even_when_mislabelled(body: bytes, header: str) -> None:
    """Otherwise a Müller is greeted as MÃ¼ller."""
    assert TEXT in decode_html(body, header)


def test_japanese_bytes_that_look_like_ascii_follow_their_label() -> None:
    """Otherwise an old Japanese page turns into escape sequences."""
    assert decode_html("株式会社".encode("iso-2022-jp"), "iso-2022-jp") == "株式会社"


def test_json_ld_is_taken_from_any_shape_and_survives_its_errors() -> None:
    """Otherwise one malformed block hides the people in the next."""
    page = read_html(
        "https://acme.example/",
        """<html lang="PT_br"><script type="application/ld+json">{broken</script>
        <script type="Application/LD+JSON; charset=utf-8">[{"@type": "Person", "name": "A\nB"}, "text"]</script>
        <script type="application/ld+json">{"@graph": [{"name": "C"}, {"@graph": [{"name": "D"}]}]}</script>
        <script type="application/json">{"name": "not linked data"}</script>""",
    ).page
    assert [node["name"] for node in page.structured.json_ld] == ["A\nB", "C", "D"]
    assert page.language == "pt"
    assert page.markdown == ""


def test_markdown_keeps_what_is_read_and_drops_what_is_run() -> None:
    """Otherwise scripts and menus are quoted as evidence."""
    page = read_html(
        "https://acme.example/a/",
        """<title> T </title><body><nav><a href="/x">Menu</a></nav><h2>We <em>bake</em></h2><script>track()</script>
        <p>Line one\nline two <a href="../b#c">more</a> <a href="mailto:Ana%2Bx@acme.example?subject=s">Ana</a></p>
        <table><tr><th>Model</th></tr><tr><td>Maré 2</td></tr></table><noscript>No</noscript></body>""",
    ).page
    assert page.title == "T"
    assert page.markdown == (
        "## We *bake*\n\n"
        "Line one line two [more](https://acme.example/b) [Ana](mailto:Ana%2Bx@acme.example?subject=s)\n\n"
        "| Model |\n| --- |\n| Maré 2 |"
    )
    assert page.structured.mail_links[0].address == "Ana+x@acme.example"


def test_malformed_mail_links_are_no_addresses() -> None:
    """Otherwise we send to share buttons and typing errors."""
    links = ("mailto:", "mailto:?subject=x", "mailto:a b@c.d", "mailto:x@y", "MAILTO: a@b.example ,c@d.example")
    body = "".join(f'<a href="{href}">x</a>' for href in links)
    page = read_html("https://acme.example/", body).page
    assert [link.address for link in page.structured.mail_links] == ["a@b.example", "c@d.example"]


def test_a_sitemap_that_explodes_or_reads_files_does_neither() -> None:
    """Otherwise a crafted sitemap takes the worker's memory or its files (XML entities)."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><urlset><url><loc>&e11;</loc></url></urlset>'
    nested, urls = read_sitemap(bomb.encode())
    assert nested == ()
    assert sum(map(len, urls)) < 100_000
    file = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><urlset><url><loc>&f;</loc></url></urlset>'
    assert "root" not in str(read_sitemap(file.encode()))


@pytest.mark.parametrize(
    "html",
    [
        "<b>" * 70_000,
        "<div>" * 5_000,
        "<pre>a" + " " * 1_000_000 + "b</pre>",
        "<div><a href='mailto:p@acme.example'>p</a>" * 200 + "<i></i>" * 20_000,
        "".join(f"<a href='/{n}'>" for n in range(3_000)) + "x " * 300_000,
        "<code>" + "`" * 300_000,
    ],
    ids=["tags", "depth", "blanks", "cards", "links", "ticks"],
)
def test_html_made_to_be_slow_is_not(html: str) -> None:
    """Otherwise one crafted page keeps a worker busy until its timeout, again and again."""
    began = time.process_time()
    with suppress(UnreadablePage):
        read_html("https://acme.example/", html)
    assert time.process_time() - began < 15  # seconds; each takes a few at most, and minutes without its bound


def test_every_state_of_a_lead_has_its_moves() -> None:
    """Otherwise a lead gets stuck, or moves where the table does not say."""
    assert set(LEAD_MOVES) == set(LeadStatus)
    assert all(status not in targets for status, targets in LEAD_MOVES.items())
    reachable = {LeadStatus.NEW}
    while more := {t for s in reachable for t in LEAD_MOVES[s]} - reachable:
        reachable |= more
    assert reachable == set(LeadStatus)


@pytest.mark.parametrize(
    "hidden",
    [
        "<p hidden>Rust never sleeps here</p>",
        '<div style="DISPLAY : none"><p>Rust never sleeps here</p></div>',
        '<span style="font-size:1px">Rust never sleeps here</span>',
        '<p style="position:absolute; left:-5000px">Rust never sleeps here</p>',
        '<p style="color:#fff">Rust never sleeps here</p>',
        '<style>.q{opacity:0}</style><p class="big q">Rust never sleeps here</p>',
    ],
)
def test_text_that_the_markup_hides_is_known_as_such(hidden: str) -> None:
    """What no visitor ever read would be quoted as what the company says."""
    page = read_html("https://acme.example/", f"<body><p>We mend bells.</p>{hidden}</body>").page
    assert page.structured.unseen == ("Rust never sleeps here",)
    assert "Rust never sleeps here" in page.markdown  # it stays, so that orders in it are noticed


@pytest.mark.parametrize(
    "shown",
    [
        '<p style="color:#ffffff;background:#003366">Bells since 1790</p>',
        '<div style="background-color:navy"><p style="color:white">Bells since 1790</p></div>',
        '<p style="font-size:13px;opacity:0.9;margin-left:-10px">Bells since 1790</p>',
        '<style>@media print{.q{display:none}}</style><p class="q">Bells since 1790</p>',
        '<p aria-hidden="true">Bells since 1790</p>',
    ],
)
def test_text_that_is_only_styled_is_not_taken_for_hidden(shown: str) -> None:
    """A company's true sentences would be lost for their colour."""
    assert read_html("https://acme.example/", f"<body>{shown}</body>").page.structured.unseen == ()
