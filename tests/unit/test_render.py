"""From a plan's words to a mail's: exact, or refused."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from uuid import UUID

import pytest

from cadenza.core.ids import CampaignId, EnrolmentId, MessageId, SenderId, WorkspaceId
from cadenza.core.states import Channel
from cadenza.delivery.model import Claimed, Content, Recipient, Rejected, Sender, Stay
from cadenza.delivery.render import Rendered, faults, render
from cadenza.delivery.variables import VARIABLES, values
from cadenza.signals.links import Links

LINKS = Links("https://go.cadenza.example", "0123456789abcdef")
MESSAGE_ID = MessageId(UUID("01890a5d-ac96-774b-bcce-b302099a8057"))
GRACE = Recipient(
    "grace@acme.example", "Grace Hopper", "Grace", "Hopper", "Head of Logistics", "Acme & Sons", "acme.example"
)
ADA = Sender(
    SenderId(UUID(int=1)),
    "ada@nordlicht.example",
    "Ada",
    company="Nordlicht GmbH",
    postal_address="Weg 1\n20095 Hamburg",
)


def claimed(
    body: str = "Hi {{name}}", *, subject: str = "Hello", html: str = "", to: Recipient = GRACE, sender: Sender = ADA
) -> Claimed:
    return Claimed(
        stay=Stay(MESSAGE_ID, EnrolmentId(UUID(int=2)), CampaignId(UUID(int=3)), "intro", 1),
        workspace_id=WorkspaceId(UUID(int=4)),
        channel=Channel.EMAIL,
        recipient=to,
        sender=sender,
        content=Content(subject, body, html),
    )


def rendered(message: Claimed) -> Rendered:
    result = render(message, LINKS)
    assert isinstance(result, Rendered), result
    return result


def refused(message: Claimed) -> str:
    result = render(message, LINKS)
    assert isinstance(result, Rejected), result
    return result.reason


class Anchors(HTMLParser):
    """The links and images of an HTML part."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        self.tags.add(tag)
        found = dict(attrs)
        if tag == "a" and found.get("href"):
            self.links.append(found["href"] or "")
        if tag == "img":
            self.images.append(found["src"] or "")


def targets(html: str) -> list[str]:
    """Where the tracked links of an HTML part lead."""
    links = [link for link in Anchors(html).links if link != LINKS.honeypot(MESSAGE_ID)]
    tokens = [link.rpartition("/t/c/")[2] for link in links if "/t/c/" in link]
    return [LINKS.verify_click(token)[1] for token in tokens]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hi {{name}}", "Hi Grace Hopper"),
        ("Hi {{ name }}", "Hi Grace Hopper"),
        ("Hi {name}", "Hi Grace Hopper"),
        ("Hi { first_name }", "Hi Grace"),
        ("Hi {{firstName}}", "Hi Grace"),
        ("{{company}} & {companyName}", "Acme & Sons & Acme & Sons"),
        ("{{ company | upper }}", "ACME & SONS"),
        ("{% if title %}{{title}}{% endif %}", "Head of Logistics"),
        ("100 % sure, a { b } c: { x: 1 }, {}", None),
        ("a set {1, 2} of { x: 1 }, {}", "a set {1, 2} of { x: 1 }, {}"),
    ],
)
def test_both_styles_of_placeholders_are_filled(template: str, text: str | None):
    """Broken, people would read the placeholder instead of their name."""
    if text is None:
        assert refused(claimed(template)) == "unknown variable 'b'"
    else:
        assert rendered(claimed(template)).text.startswith(text + "\n")


def test_values_are_never_templates_and_never_markup():
    """Broken, a company could name itself so that our mail leaks data or runs its script."""
    evil = replace(GRACE, name="{{ sender_email }}<script>alert(1)</script>")
    mail = rendered(claimed("Hi {{name}}", html="<p>Hi {{name}}</p>", to=evil))
    assert "Hi {{ sender_email }}<script>" in mail.text
    assert "script" not in Anchors(mail.html).tags
    assert "&lt;script&gt;" in mail.html


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("Hi {{nmae}}", "unknown variable 'nmae'"),
        ("Hi {nmae}", "unknown variable 'nmae'"),
        ("Hi {{ nmae | default('you') }}", "unknown variable 'nmae'"),
        ("Hi {{name", "template, line 1"),
        ("Hi\n{% if name %}", "template, line 2"),
        ("{{ name | format }}", "no filter 'format'"),
        ("{{ 'a' * 1000000000 }}", "Mul is not allowed"),
        ("{% for i in name %}{% endfor %}", "For is not allowed"),
        ("{{ name.__class__ }}", "Getattr is not allowed"),
        ("{{ name['x'] }}", "Getitem is not allowed"),
        ("{{ name() }}", "Call is not allowed"),
        ("{% include 'x' %}", "Include is not allowed"),
        ("", "has no content"),
        ("  \n ", "has no content"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(template: str, reason: str):
    """Broken, a mail would go out with a hole in it, or a plan written by AI could do more than fill in words."""
    assert reason in refused(claimed(template))


def test_a_name_without_a_value_is_refused_unless_the_template_has_a_way_out():
    """Broken, people would read "as , you know"."""
    untitled = replace(GRACE, title="")
    assert refused(claimed("As {{title}}, you", to=untitled)) == "this recipient has no title"
    assert rendered(claimed("As {{title|default('expert')}}", to=untitled)).text.startswith("As expert")
    choice = "{% if title %}As {title}{% else %}Well{% endif %}, {name}"
    assert rendered(claimed(choice, to=untitled)).text.startswith("Well, Grace")
    assert rendered(claimed(choice)).text.startswith("As Head of Logistics, Grace")


def test_every_fault_is_named_with_its_field():
    """Broken, an author would mend one fault after another."""
    message = claimed("As {{title}}", subject="Hi {nmae}", html="{% for %}", to=replace(GRACE, title=""))
    message = replace(message, sender=replace(ADA, postal_address=""))
    assert [(fault.field, fault.code) for fault in faults(message, LINKS)] == [
        ("", "missing_postal_address"),
        ("subject", "unknown_variable"),
        ("body", "missing_value"),
        ("html", "bad_template"),
    ]


def test_a_mailbox_without_a_person_is_addressed_by_its_company():
    """Broken, "info@" addresses would get "Hi ,", or nothing at all."""
    nobody = Recipient("info@acme.example", company="Acme & Sons", domain="acme.example")
    assert rendered(claimed("Hi {{name}}, {{first_name}}", to=nobody)).text.startswith("Hi Acme & Sons, Acme & Sons\n")


def test_a_node_that_the_plan_lacks_is_refused():
    """Broken, an empty mail would go out."""
    assert refused(replace(claimed(), content=None)) == "the plan has no node 'intro'"


def test_without_a_postal_address_nothing_is_sent():
    """Broken, every mail would break the law of the recipient's country."""
    assert refused(claimed(sender=replace(ADA, postal_address=" "))) == "the sender identity has no postal address"


@pytest.mark.parametrize("html", ["", "<p>Hello</p>"])
def test_both_parts_carry_opt_out_and_postal_address(html: str):
    """Broken, people could not say no, and the mail would be unlawful."""
    mail = rendered(claimed(html=html))
    opt_out = LINKS.unsubscribe(MESSAGE_ID)
    assert f"Unsubscribe: {opt_out}" in mail.text
    assert opt_out in Anchors(mail.html).links
    for line in ("Nordlicht GmbH", "Weg 1", "20095 Hamburg"):
        assert line in mail.text
        assert line in mail.html


@pytest.mark.parametrize(
    "html",
    [
        '<div style="display:none">',
        "<!--",
        "<p>Hi<style>p{display:none}</style>",
        "<style>p{display:none}",
        "<script>",
        '<div style="height:0;overflow:hidden"><table><tr><td>',
        "<textarea>",
        "<title>",
        "<template>",
        "<noscript>",
        "<select><option>",
        "<plaintext>",
        "<svg><desc>",
        "</div></div></body></html><div hidden>",
    ],
)
def test_no_plan_can_hide_the_footer(html: str):
    """Broken, a plan could send mail whose opt-out nobody sees, which is unlawful."""

    class Around(HTMLParser):
        """What the opt-out's paragraph stands in."""

        def __init__(self) -> None:
            super().__init__()
            self.open: list[tuple[str, str]] = []
            self.found: list[list[tuple[str, str]]] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            """See `HTMLParser`."""
            if tag == "a" and dict(attrs).get("href") == LINKS.unsubscribe(MESSAGE_ID):
                self.found.append(list(self.open))
            if tag not in {"meta", "img", "br", "hr"}:
                self.open.append((tag, dict(attrs).get("style") or ""))

        def handle_endtag(self, tag: str) -> None:
            """See `HTMLParser`."""
            assert self.open.pop()[0] == tag, "the mail's own elements are closed in order"

    around = Around()
    around.feed(rendered(claimed("Hi", html=html)).html)
    (path,) = around.found
    assert [tag for tag, _ in path] == ["html", "body", "div", "p"]
    assert not any("none" in style or "hidden" in style for _, style in path)


def test_links_of_the_html_part_are_tracked_and_lead_where_they_did():
    """Broken, clicks would not be seen, or lead astray."""
    mail = rendered(claimed("See https://demo.example/a?x=1&y=2. Or (http://demo.example/b)!"))
    assert targets(mail.html) == ["https://demo.example/a?x=1&y=2", "http://demo.example/b"]
    assert "See https://demo.example/a?x=1&y=2. Or (http://demo.example/b)!" in mail.text
    assert ">https://demo.example/a?x=1&amp;y=2</a>." in mail.html


def test_the_opt_out_link_is_never_tracked():
    """Broken, an opt-out would depend on tracking, and a scanner's click would count as interest."""
    html = '<a href="{{unsubscribe_url}}">no</a><a href="https://demo.example/">a</a><a href="mailto:a@b.example">b</a>'
    mail = rendered(claimed(html=html))
    assert targets(mail.html) == ["https://demo.example/"]
    assert Anchors(mail.html).links.count(LINKS.unsubscribe(MESSAGE_ID)) == 2
    assert "mailto:a@b.example" in Anchors(mail.html).links


def test_one_link_is_for_machines_only():
    """Broken, gateways that call themselves browsers could not be told from people; or people would see it."""
    mail = rendered(claimed("See https://demo.example/."))
    hidden = LINKS.honeypot(MESSAGE_ID)
    assert Anchors(mail.html).links.count(hidden) == 1
    assert Anchors(mail.html).links[-1] == hidden, "the links that people see come first"
    assert f'<a href="{hidden}" style="display:none;' in mail.html
    assert 'aria-hidden="true" tabindex="-1"></a>' in mail.html
    assert hidden not in mail.text


def test_opens_are_seen_by_one_pixel():
    """Broken, opens would not be counted, and everybody would get the follow-up."""
    (pixel,) = Anchors(rendered(claimed()).html).images
    token = re.sub(r".*/t/o/(.+)\.gif", r"\1", pixel)
    assert LINKS.verify_open(token) == MESSAGE_ID


def test_html_of_a_plan_is_sanitised():
    """Broken, a plan written by AI from a stranger's page could carry that stranger's script into our mail."""
    mail = rendered(
        claimed(
            html='<p style="color:red;position:fixed" onclick="x()">Hi<script>x()</script>'
            '<a href="javascript:x()">a</a><iframe src="https://evil.example"></iframe></p>'
        )
    )
    assert '<p style="color:red">Hi<a>a</a></p>' in mail.html


def test_html_alone_gives_a_readable_text_part():
    """Broken, people with text-only mail programs would see an empty mail."""
    assert rendered(claimed("", html="<p>Fish &amp; chips, {{name}}</p>")).text.startswith("Fish & chips, Grace Hopper")


def test_paragraphs_and_lines_survive():
    """Broken, the HTML part would be one block of text."""
    assert "<p>a<br>\nb</p>\n<p>c &lt; d</p>" in rendered(claimed("a\r\nb\n \n\n\nc < d\n")).html


def test_a_subject_is_one_line():
    """Broken, a value with a line break could forge headers."""
    to = replace(GRACE, name="Grace\r\nBcc: all@acme.example")
    assert rendered(claimed(subject="Hi {{name}}\n", to=to)).subject == "Hi Grace Bcc: all@acme.example"


def test_every_variable_that_plans_may_use_exists():
    """Broken, the compiler would let a plan pass whose mails are all refused."""
    sender = replace(ADA, name="Ada")
    assert set(values(claimed(sender=sender), "https://go.cadenza.example/u/x")) == VARIABLES
