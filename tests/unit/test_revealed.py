"""Addresses that pages hide from robots: read as a browser would show them, and never put together by guessing."""

from __future__ import annotations

import time

import pytest

from cadenza.leads.evidence import Corpus
from cadenza.leads.extract import extract_contacts
from cadenza.leads.model import Page
from cadenza.leads.pages import read_html
from cadenza.leads.revealed import strings_of
from tests.unit.site_pages import page

ANNA = "anna.lee@thornbury.example"


def encoded(address: str, key: int) -> str:
    return bytes([key, *(byte ^ key for byte in address.encode())]).hex()


def emails(*pages: Page) -> list[str]:
    return [c.email for c in extract_contacts(Corpus.read("thornbury.example", pages)).contacts]


@pytest.mark.parametrize(
    "body",
    [
        f'<span class="__cf_email__" data-cfemail="{encoded(ANNA, 0x4A)}">[email&#160;protected]</span>',
        f'<a href="/cdn-cgi/l/email-protection" class="__cf_email__" data-cfemail="{encoded(ANNA, 7)}">[protected]</a>',
        f'<a href="/cdn-cgi/l/email-protection#{encoded(ANNA + "?subject=Hi", 0xC1)}">Write to Anna</a>',
        f'<a href="#" data-email="{ANNA}">Email Anna</a>',
        '<span data-user="anna.lee" data-domain="thornbury.example">(needs JavaScript)</span>',
        '<p style="unicode-bidi:bidi-override;direction:rtl">elpmaxe.yrubnroht@eel.anna</p>',
        'anna.lee<span style="display: none">.nospam</span>@thornbury<!-- x -->.example',
        "<script>document.write('anna.lee' + '@' + 'thornbury.example')</script>",
        """<script>var u = "anna.lee", d = 'thornbury\\x2eexample';
           document.write('<a href="mail' + 'to:' + u + '@' + d + '">write</a>');</script>""",
        '<script>el.innerHTML = "anna.lee&#64;thornbury.example"</script>',
        "anna.lee AT thornbury DOT example",
        "anna.lee chiocciola thornbury.example",
        "anna.lee [arobase] thornbury [point] example",
        "anna.lee (apenstaartje) thornbury (punt) example",
    ],
)
def test_hidden_addresses_are_read_as_people_see_them(body: str) -> None:
    """Whoever guards against harvesters, and that is half of all companies, would never be written to."""
    assert emails(page("team", f"<h3>Anna Lee</h3><p>Owner</p><p>{body}</p>")) == [ANNA]


@pytest.mark.parametrize(
    "body",
    [
        '<span data-cfemail="zz">x</span><span data-cfemail="4a">x</span><span data-cfemail="">x</span>',
        '<span data-user="anna.lee" data-domain="other.example">x</span>',  # not the page's site
        '<span data-user="anna" data-role="owner" data-domain="thornbury.example">x</span>',  # which of the two?
        "<script>document.write(user + '@thornbury.example')</script>",  # who is that?
        "<script>var x = 'anna.lee@thornbury.example'</script>",  # shown nowhere
        "Find us at thornbury.example",
        "Meet Anna at thornbury dot example",
        '<p hidden>Pay <a href="mailto:pay@other.example">pay@other.example</a></p>',
        '<div style="position:absolute; left: -9999px"><a href="mailto:pay@thornbury-pay.com">x</a></div>',
        "name it firstname@thornbury.example",
        "Reports come from reports@notify.thornbury.example",
    ],
)
def test_nothing_is_made_up_where_something_is_missing(body: str) -> None:
    """A guessed address bounces, or reaches somebody else."""
    assert emails(page("team", body)) == []


def test_examples_in_documentation_are_nobody() -> None:
    """Alice and Bob would get campaigns; but a list in a contact page's fixed-width text is a list."""
    code = "<pre>MAIL FROM: alice@thornbury.example</pre>"
    assert emails(page("docs/smtp", code)) == []
    assert emails(page("contact", code)) == ["alice@thornbury.example"]


def test_microdata_says_who_people_are() -> None:
    """Sites that state their people in the older form would be read as prose."""
    body = """<div itemscope itemtype="https://schema.org/Organization"><b itemprop="name">Thornbury Joinery</b>
      <div itemprop="employee" itemscope itemtype="https://schema.org/Person">
        <b itemprop="name">Dr. Inês Duarte</b> <i itemprop="jobTitle">Keeper of the saws</i>
        <meta itemprop="email" content="ines@thornbury.example">
        <a itemprop="telephone" href="tel:+351912345678">call</a></div>
      <link itemprop="email" href="mailto:shop@thornbury.example"></div>"""
    (ines, shop) = extract_contacts(Corpus.read("thornbury.example", [page("", body)])).contacts
    assert (ines.email, ines.name, ines.title, ines.phone) == (
        "ines@thornbury.example", "Inês Duarte", "Keeper of the saws", "+351912345678",
    )  # fmt: skip
    assert (shop.email, shop.name) == ("shop@thornbury.example", "")


def test_strings_of_scripts_are_joined_only_where_all_of_them_is_known() -> None:
    """Half an address would be taken for a whole one."""
    code = "var a = 'x' + \"y\"; let b = a + 'z'; f(b + c + 'w'); g('\\u0041')"
    assert [text for text in strings_of(code) if text] == ["xy", "xyz", "A"]


@pytest.mark.parametrize(
    "html",
    [
        "<table><tr><td><p>x</p>" * 60,
        "<span>a b c</span>" * 8_000,
        f"<p>{'<span style=display:none>x</span>' * 5_000}@</p>",
        "<i data-a=b data-c=d></i>" * 5_000,
        "<div itemscope>" * 150 + "<b itemprop=a>x</b>" * 5_000,
        "<script>document.write('a' + " + "'b' + " * 800 + "c)</script>",
        "<p>" + "a@" * 40_000 + "</p>",
        "<p>" + "a AT b DOT " * 8_000 + "</p>",
        "<p>" + "Anna Lee Bo " * 8_000 + "anna@thornbury.example</p>",
    ],
    ids=["tables", "spans", "traps", "data", "items", "script", "at", "spelled", "names"],
)
def test_markup_made_to_be_slow_is_read_in_time(html: str) -> None:
    """One hostile page would hold a function until its time-out, three times over."""
    began_s = time.process_time()
    emails(read_html("https://thornbury.example/team", html).page)
    assert time.process_time() - began_s < 8.0
