"""From a plan's text to a mail's two parts. What cannot be said exactly is refused: never a broken mail.

Templates may use the variables of `cadenza.delivery.variables` in both styles, ``{{ name }}`` and ``{name}``, a few
filters and ``{% if %}``; nothing else of Jinja, because plans are written by AI from what strangers publish.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape, unescape
from typing import Final

import nh3
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

from cadenza.core.errors import InvalidInput
from cadenza.core.ids import MessageId
from cadenza.delivery.model import Claimed, Content, Rejected, Sender
from cadenza.delivery.variables import VARIABLES, values
from cadenza.signals.links import Links


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message's words. Both bodies end with the opt-out line and the sender's postal address."""

    subject: str
    text: str
    html: str


def render(message: Claimed, links: Links) -> Rendered | Rejected:
    """Render a claimed mail. A refusal says what is wrong, by name."""
    content, sender = message.content, message.sender
    if content is None:
        return Rejected(f"the plan has no node {message.stay.node!r}")
    if not sender.postal_address.strip():
        # CAN-SPAM, 15 U.S.C. 7704(a)(5)(A)(iii).
        return Rejected("the sender identity has no postal address")
    message_id = message.stay.message_id
    opt_out_url = links.unsubscribe(message_id)
    variables = values(message, opt_out_url)
    try:
        subject = _fill(content.subject, variables)
        text, html = _bodies(content, variables)
    except _TemplateRefused as refusal:
        return Rejected(str(refusal))
    if not text.strip():
        return Rejected(f"node {message.stay.node!r} has no content")
    return Rendered(
        subject=" ".join(subject.split()),
        text=f"{text.strip()}\n\n{_text_footer(sender, opt_out_url)}",
        html=_document(
            _clean(html, links, message_id, opt_out_url),
            _html_footer(sender, opt_out_url) + _hidden_link(links.honeypot(message_id)),
            links.open_pixel(message_id),
        ),
    )


def _bodies(content: Content, variables: dict[str, str]) -> tuple[str, str]:
    """Text and HTML; each is made from the other where the plan gives only one."""
    text = _fill(content.body, variables)
    if not content.html.strip():
        return text, _paragraphs(text)
    html = _fill(content.html, variables, is_html=True)
    return text if text.strip() else unescape(nh3.clean(html, tags=set())), html


# --- templates ---------------------------------------------------------------------------------------------------

_SINGLE_BRACES: Final = re.compile(r"(?<![{%#])\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}(?!\})")
_ALLOWED_NODES: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.Filter,
    nodes.If,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Compare,
    nodes.Operand,
)
_ALLOWED_FILTERS: Final = frozenset({"capitalize", "default", "d", "lower", "title", "trim", "upper"})


class _TemplateRefused(Exception):  # noqa: N818 - becomes a Rejected
    """The template cannot be rendered for this message."""


@cache
def _environment(*, is_html: bool) -> SandboxedEnvironment:
    return SandboxedEnvironment(undefined=StrictUndefined, autoescape=is_html, keep_trailing_newline=True)


@lru_cache(maxsize=512)
def _template(source: str, *, is_html: bool) -> tuple[Template, frozenset[str]]:
    """The compiled template and the names it uses. Steps of a hand-written campaign share their templates."""
    environment = _environment(is_html=is_html)
    try:
        tree = environment.parse(_SINGLE_BRACES.sub(r"{{ \1 }}", source))
    except TemplateSyntaxError as error:
        raise _TemplateRefused(f"template, line {error.lineno}: {error.message}") from None
    names: set[str] = set()
    for node in tree.find_all(nodes.Node):
        if isinstance(node, nodes.Filter) and node.name not in _ALLOWED_FILTERS:
            raise _TemplateRefused(f"template, line {node.lineno}: no filter {node.name!r}")
        if not isinstance(node, _ALLOWED_NODES):
            raise _TemplateRefused(f"template, line {node.lineno}: {type(node).__name__} is not allowed")
        if isinstance(node, nodes.Name):
            names.add(node.name)
    return environment.from_string(tree), frozenset(names)


def _fill(source: str, variables: dict[str, str], *, is_html: bool = False) -> str:
    template, names = _template(source, is_html=is_html)
    if unknown := sorted(names - VARIABLES):
        raise _TemplateRefused(f"unknown variable {unknown[0]!r}")
    try:
        return template.render(variables)
    except TemplateError:
        # A known name without a value, used without a default: StrictUndefined.
        missing = ", ".join(sorted(names - variables.keys()))
        raise _TemplateRefused(f"this recipient has no {missing}") from None


# --- HTML --------------------------------------------------------------------------------------------------------

_URL: Final = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]}]")
_BLANK_LINES: Final = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_STYLES: Final = frozenset(
    (
        *("background-color", "border", "border-collapse", "border-radius", "color", "display", "font-family"),
        *("font-size", "font-style", "font-weight", "height", "line-height", "margin", "margin-bottom", "margin-left"),
        *("margin-right", "margin-top", "max-width", "padding", "padding-bottom", "padding-left", "padding-right"),
        *("padding-top", "text-align", "text-decoration", "vertical-align", "width"),
    )
)
_ATTRIBUTES: Final = {**nh3.ALLOWED_ATTRIBUTES, "*": {"style"}}
_SCHEMES: Final = {"http", "https", "mailto", "tel"}


def _paragraphs(text: str) -> str:
    blocks = (block.strip("\n") for block in _BLANK_LINES.split(text.replace("\r\n", "\n").strip()))
    return "\n".join(f"<p>{_linked(block).replace(chr(10), '<br>' + chr(10))}</p>" for block in blocks)


def _linked(text: str) -> str:
    parts: list[str] = []
    end = 0
    for match in _URL.finditer(text):
        url = escape(match[0])
        parts += [escape(text[end : match.start()], quote=False), f'<a href="{url}">{url}</a>']
        end = match.end()
    return "".join([*parts, escape(text[end:], quote=False)])


def _clean(html: str, links: Links, message_id: MessageId, opt_out_url: str) -> str:
    """Sanitised HTML whose links are tracked, except the opt-out's: it has to work whatever becomes of tracking."""

    def tracked(tag: str, attribute: str, value: str) -> str:
        if (tag, attribute) != ("a", "href") or value == opt_out_url:
            return value
        try:
            return links.click(message_id, value)
        except InvalidInput:
            return value  # mailto, tel, or too long to be wrapped: it still leads where it should

    return nh3.clean(
        html,
        attributes=_ATTRIBUTES,
        attribute_filter=tracked,
        filter_style_properties=set(_STYLES),
        link_rel=None,
        url_relative="deny",
        url_schemes=_SCHEMES,
    )


def _document(body: str, footer: str, pixel_url: str) -> str:
    return (
        '<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8"></head>\n<body>\n'
        f"{body}\n{footer}\n"
        f'<img src="{escape(pixel_url)}" width="1" height="1" alt="">\n</body>\n</html>\n'
    )


# --- footers -----------------------------------------------------------------------------------------------------


def _imprint(sender: Sender) -> list[str]:
    return [line.strip() for line in (sender.company, *sender.postal_address.splitlines()) if line.strip()]


def _text_footer(sender: Sender, opt_out_url: str) -> str:
    # "-- " begins a signature (RFC 3676 §4.3).
    return "\n".join(["-- ", *_imprint(sender), "", f"Unsubscribe: {opt_out_url}", ""])


def _html_footer(sender: Sender, opt_out_url: str) -> str:
    imprint = "<br>".join(escape(line, quote=False) for line in _imprint(sender))
    return (
        '<p style="color:#666;font-size:12px">'
        f'{imprint}<br><a href="{escape(opt_out_url)}" style="color:#666">Unsubscribe</a></p>'
    )


def _hidden_link(url: str) -> str:
    """A link that no mail program shows or reads out: whoever follows it is a machine (`cadenza.signals.grading`)."""
    hidden = "display:none;mso-hide:all;max-height:0;overflow:hidden;font-size:0;line-height:0"
    return f'<a href="{escape(url)}" style="{hidden}" aria-hidden="true" tabindex="-1"></a>'
