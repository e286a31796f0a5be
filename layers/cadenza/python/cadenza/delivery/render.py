"""From a plan's text to a mail's two parts. What cannot be said exactly is refused: never a broken mail.

Templates may use the variables of `cadenza.delivery.variables` in both styles, ``{{ name }}`` and ``{name}``, a few
filters and ``{% if %}``; nothing else of Jinja, because plans are written by AI from what strangers publish.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
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
from cadenza.planning.compiler import SINGLE_BRACES
from cadenza.signals.links import Links


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message's words. Both bodies end with the opt-out line and the sender's postal address."""

    subject: str
    text: str
    html: str


class FaultCode(StrEnum):
    """What kind of thing keeps a mail from being rendered."""

    MISSING_CONTENT = "missing_content"
    MISSING_POSTAL_ADDRESS = "missing_postal_address"
    BAD_TEMPLATE = "bad_template"
    UNKNOWN_VARIABLE = "unknown_variable"
    MISSING_VALUE = "missing_value"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a mail cannot be rendered. ``field`` is the node's field that is at fault, "" where none is."""

    code: FaultCode
    field: str
    message: str


def render(message: Claimed, links: Links) -> Rendered | Rejected:
    """Render a claimed mail. A refusal says what is wrong, by name."""
    opt_out_url = links.unsubscribe(message.stay.message_id)
    filled, faults = _filled(message, opt_out_url)
    if faults:
        return Rejected(faults[0].message)
    return Rendered(
        subject=" ".join(filled.subject.split()),
        text=f"{filled.body.strip()}\n\n{_text_footer(message.sender, opt_out_url)}",
        html=_document(
            _clean(filled.html, links, message.stay.message_id, opt_out_url),
            _html_footer(message.sender, opt_out_url) + _hidden_link(links.honeypot(message.stay.message_id)),
            links.open_pixel(message.stay.message_id),
        ),
    )


def faults(message: Claimed, links: Links) -> tuple[Fault, ...]:
    """Everything that keeps the mail from being rendered; `render` refuses it for the first."""
    return _filled(message, links.unsubscribe(message.stay.message_id))[1]


def _filled(message: Claimed, opt_out_url: str) -> tuple[Content, tuple[Fault, ...]]:
    """The content with its values filled in, and text and HTML each made from the other where the plan has only one."""
    if message.content is None:
        missing = Fault(FaultCode.MISSING_CONTENT, "", f"the plan has no node {message.stay.node!r}")
        return Content(), (missing,)
    found: list[Fault] = []
    if not message.sender.postal_address.strip():
        # CAN-SPAM, 15 U.S.C. 7704(a)(5)(A)(iii).
        found.append(Fault(FaultCode.MISSING_POSTAL_ADDRESS, "", "the sender identity has no postal address"))
    variables, given, filled = values(message, opt_out_url), message.content, dict[str, str]()
    for field, source in (("subject", given.subject), ("body", given.body), ("html", given.html)):
        try:
            filled[field] = _fill(source, variables, is_html=field == "html")
        except _TemplateRefused as refusal:
            found.append(Fault(refusal.code, field, str(refusal)))
    if found:
        return Content(), tuple(found)
    text, html = filled["body"], filled["html"]
    if not html.strip():
        html = _paragraphs(text)
    elif not text.strip():
        text = unescape(nh3.clean(html, tags=set()))
    if not text.strip():
        found.append(Fault(FaultCode.MISSING_CONTENT, "body", f"node {message.stay.node!r} has no content"))
    return Content(filled["subject"], text, html), tuple(found)


# --- templates ---------------------------------------------------------------------------------------------------

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


class _TemplateRefused(Exception):  # noqa: N818 - becomes a Fault
    """The template cannot be rendered for this message."""

    def __init__(self, code: FaultCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class _NoValue(StrictUndefined):
    """A variable without a value: `if` takes it for false, as authors expect; to print it is an error."""

    def __bool__(self) -> bool:
        return False


@cache
def _environment(*, is_html: bool) -> SandboxedEnvironment:
    return SandboxedEnvironment(undefined=_NoValue, autoescape=is_html, keep_trailing_newline=True)


@lru_cache(maxsize=512)
def _template(source: str, *, is_html: bool) -> tuple[Template, frozenset[str]]:
    """The compiled template and the names it uses. Steps of a hand-written campaign share their templates."""
    environment = _environment(is_html=is_html)
    try:
        tree = environment.parse(SINGLE_BRACES.sub(r"{{ \1 }}", source))
    except TemplateSyntaxError as error:
        raise _malformed(error.lineno, str(error.message)) from None
    names: set[str] = set()
    for node in tree.find_all(nodes.Node):
        if isinstance(node, nodes.Filter) and node.name not in _ALLOWED_FILTERS:
            raise _malformed(node.lineno, f"no filter {node.name!r}")
        if not isinstance(node, _ALLOWED_NODES):
            raise _malformed(node.lineno, f"{type(node).__name__} is not allowed")
        if isinstance(node, nodes.Name):
            names.add(node.name)
    return environment.from_string(tree), frozenset(names)


def _malformed(line: int, why: str) -> _TemplateRefused:
    return _TemplateRefused(FaultCode.BAD_TEMPLATE, f"template, line {line}: {why}")


def _fill(source: str, variables: dict[str, str], *, is_html: bool = False) -> str:
    template, names = _template(source, is_html=is_html)
    if unknown := sorted(names - VARIABLES):
        raise _TemplateRefused(FaultCode.UNKNOWN_VARIABLE, f"unknown variable {', '.join(map(repr, unknown))}")
    try:
        return template.render(variables)
    except TemplateError:
        # A known name without a value, used without a default: StrictUndefined.
        missing = ", ".join(sorted(names - variables.keys()))
        raise _TemplateRefused(FaultCode.MISSING_VALUE, f"this recipient has no {missing}") from None


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


# A personal letter, not a newsletter: one column of the reader's own colours (they may be dark), wide enough for a
# screen and narrow enough for the eye, in the system's typeface. Long addresses break instead of widening a telephone.
_LETTER: Final = (
    "max-width:600px;padding:4px 16px 16px;font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;"
    "font-size:16px;line-height:1.5;overflow-wrap:break-word;word-break:break-word"
)
_SMALL_PRINT: Final = "margin:40px 0 0;font-size:12px;line-height:1.5;color:#767676"
"""The lightest grey that people with weak eyes can read on white (contrast 4.5, WCAG 2.2 §1.4.3)."""


def _document(body: str, footer: str, pixel_url: str) -> str:
    return (
        '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n</head>\n'
        f'<body style="margin:0">\n<div style="{_LETTER}">\n{body}\n{footer}\n</div>\n'
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
        f'<p style="{_SMALL_PRINT}">{imprint}<br>'
        f'<a href="{escape(opt_out_url)}" style="color:#767676">Unsubscribe</a></p>'
    )


def _hidden_link(url: str) -> str:
    """A link that no mail program shows or reads out: whoever follows it is a machine (`cadenza.signals.grading`)."""
    hidden = "display:none;mso-hide:all;max-height:0;overflow:hidden;font-size:0;line-height:0"
    return f'<a href="{escape(url)}" style="{hidden}" aria-hidden="true" tabindex="-1"></a>'
