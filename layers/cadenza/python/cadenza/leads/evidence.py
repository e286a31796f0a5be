"""What may be believed: pages as plain text, quotes that really stand there, and text that tries to give orders.

Crawled text is data. A page that addresses the machine that reads it ("ignore previous instructions …") is set aside
whole: nothing on it is quoted, and nobody on it is written to. What slips through meets the other guards: quotes must
stand on the page, carry no link and no address, say nothing to those who write and nothing against anybody (`unfit`),
and paraphrases may not leave their quote behind.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from cadenza.leads.domains import same_site
from cadenza.leads.model import Page
from cadenza.leads.report import Claim, DropReason, Topic
from cadenza.leads.unfit import accuses, directs_writers, is_of_itself, states_something

_HTTP_ERROR = 400
_QUOTE_CHARS = (8, 320)
_TEXT_CHARS = 320
_NAME_CHARS = 60
_NAME_WORDS = 7

# --- plain text --------------------------------------------------------------------------------------------------

# Bounded, so that a page of brackets costs no more than its length.
_IMAGE = re.compile(r"!\[[^\]]{0,500}\]\([^)]{0,2000}\)")
_LINK = re.compile(r"\[([^\]]{0,500})\]\(\s*<?([^)\s>]{0,2000})>?[^)]{0,500}\)")
_LINE_MARKS = re.compile(r"^\s*(?:#{1,6}\s+|[-*+]\s+|\d{1,3}[.)]\s+|>\s?)+")
_EMPHASIS = re.compile(r"(\*\*|__|`|(?<!\w)[*_]|[*_](?!\w))")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>@])")
_TABLE_RULE = re.compile(r"^[\s|:-]+$")


def plain_lines(markdown: str) -> tuple[str, ...]:
    """The visible text of ``markdown``, a line each, without marks, images and link targets; "" divides blocks."""
    return tuple(_plain_line(line) for line in markdown.splitlines())


def _plain_line(line: str) -> str:
    if _TABLE_RULE.match(line):
        return ""
    text = _LINK.sub(_visible_part, _IMAGE.sub("", _LINE_MARKS.sub("", line)))
    return squash(_ESCAPE.sub(r"\1", _EMPHASIS.sub("", text)).replace("|", " | ")).strip("| ")


def _visible_part(link: re.Match[str]) -> str:
    label, target = link[1].strip(), link[2]
    # "[write to us](mailto:…)": the address would be lost with the target.
    hidden = target.lower().startswith("mailto:") and "@" not in label
    return f"{label} {target[7:].partition('?')[0]}".strip() if hidden else label


def squash(text: str) -> str:
    """``text`` in NFC with single spaces, and without characters that nobody sees (controls, zero widths, tags)."""
    shown = "".join(c for c in text if c.isspace() or visible(c))
    return unicodedata.normalize("NFC", " ".join(shown.split()))


# Letters and marks by their category, and yet nothing is drawn: fillers, blanks, joiners, variation selectors.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


def visible(character: str) -> bool:
    """Whether a character that is no white space draws anything."""
    return unicodedata.category(character) not in {"Cf", "Cc", "Co"} and not _BLANK.match(character)


# --- text that gives orders --------------------------------------------------------------------------------------

_MACHINE = (
    r"(?:ai|llm|gpt|chatgpt|claude|gemini|copilot|chatbot|(?:large )?language model|"
    r"ai (?:assistant|agent|model|system))s?"
)
_ORDERS = re.compile(
    "|".join(
        (
            r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:instruction|prompt|directive)s?\b",
            r"\b(?:ignore|disregard)\b.{0,40}\b(?:rule|guideline|polic(?:y|ie))s?\b",
            (
                r"\b(?:ignore|disregard|forget)\b.{0,20}\b(?:everything|anything|all|what)\b.{0,20}"
                r"\b(?:above|previous|prior|told)\b"
            ),
            r"\b(?:ignorier\w*|vergiss|vergesse\w*|missachte\w*)\b.{0,40}\b\w*(?:anweisung|vorgabe|instruktion)\w*",
            r"\b(?:ignor\w+|esque[cç]\w+|desconsider\w+|olvid\w+|oubli\w+)\b.{0,40}\b(?:instru[cç]\w+|consignes)\b",
            r"\bsystem[\s_-]?(?:prompt|override|instruction)",
            r"\b(?:developer|hidden|secret) (?:prompt|instructions?)\b",
            r"<\|?(?:im_start|im_end|system|endoftext)\|?>|\[/?inst\]|<</?sys>>",
            r"[\"']role[\"']\s*:\s*[\"'](?:system|developer)",
            r"(?:^|\n)\W*system\s*:\s*(?:you|your|ignore|new|override|from now)\b",
            r"\b(?:new|updated) (?:system )?instructions?\s*:",
            r"\b(?:you are|act as|pretend to be|behave as)\b.{0,16}\b" + _MACHINE + r"\b",
            # A salutation: at the start of a sentence only, so that a page may write *about* messages to machines.
            r"(?:^|[\n.!?:>(\[\"]\s*)(?:dear|hey|hello|attention|(?:note|notice|message|instructions?) (?:to|"
            r"for))\b[,:]?.{0,12}"
            r"\b(?:" + _MACHINE + r"|(?:assistant|model|crawler|bot)s?)\b",
            r"\byou are now\b.{0,40}\b(?:assistant|agent|model|bot)\b",
            r"\bas an? (?:ai (?:model|assistant|agent|system)|(?:large )?language model)\b.{0,24}\byou\b",
            r"\b(?:if|when) (?:you are|you're|this is read by)\b.{0,12}\b" + _MACHINE + r"\b",
            r"\b" + _MACHINE + r"\b.{0,16}\b(?:reading|processing|summari[sz]ing|analy[sz]ing|crawling|parsing) this\b",
            (
                r"\b(?:include|insert|add|put|embed|paste)\b.{0,40}\b(?:link|url|address|text|sentence)\b.{0,40}"
                r"\b(?:every|each|all)\b.{0,16}\b(?:e-?mails?|mails?|messages?|plans?|campaigns?|replies)\b"
            ),
            (
                r"\b(?:do not|don't|never)\b.{0,12}\b(?:reveal|disclose|mention|tell)\b.{0,24}"
                r"\b(?:the|your) (?:user|operator|human|instruction)s?\b"
            ),
            r"\b(?:startnodeid|start_node_id|campaign plan|plan json)\b",
        )
    ),
    re.DOTALL,
)
# Letters of other scripts that pass for Latin ones ("іgnоre"): mapped for detection only, never in what is quoted.
_LOOKALIKES = str.maketrans("аеорсухіјѕһοανι", "aeopcyxijshoavi")
# Unicode tag characters draw nothing and carry whole sentences; flags (🏴 …) are their only honest use.
_TAGS = re.compile("(?<!\U0001f3f4)(?<![\U000e0000-\U000e007f])[\U000e0000-\U000e007f]")


def gives_orders(text: str) -> bool:
    """Whether ``text`` seems to address the machine that reads it. Made to err on the side of silence."""
    if _TAGS.search(text):
        return True
    shown = "".join(c for c in unicodedata.normalize("NFKC", text) if c == "\n" or unicodedata.category(c) != "Cf")
    return _ORDERS.search(shown.casefold().translate(_LOOKALIKES)) is not None


# --- pages -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReadPage:
    """A page as the analysts see it."""

    page: Page

    @property
    def url(self) -> str:
        """Where the page was found."""
        return self.page.url

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The visible text; "" divides blocks."""
        return plain_lines(self.page.markdown)

    @cached_property
    def visible(self) -> str:
        """The visible text as one squashed string."""
        return squash(" ".join(self.lines))

    @cached_property
    def _everything(self) -> tuple[str, ...]:
        return (self.visible, *(squash(text) for text in _machine_readable(self.page)))

    def holds(self, quote: str) -> bool:
        """Whether ``quote`` stands on this page where it can be seen, up to white space and invisible characters."""
        wanted = squash(quote)
        return bool(wanted) and any(wanted in text for text in self._everything) and not self._only_hidden(wanted)

    def says(self, quote: str) -> bool:
        """Whether ``quote`` is a whole sentence, heading or item of this page, and not a piece cut out of one."""
        wanted = squash(quote)
        texts = ("\n".join(self.lines), *(squash(text) for text in _machine_readable(self.page)))
        places = (re.finditer(re.escape(wanted), text) for text in texts)
        return any(_is_whole(match) for found in places for match in found)

    def _only_hidden(self, wanted: str) -> bool:
        hidden = [squash(text) for text in self.page.structured.unseen]
        places = sum(text.count(wanted) for text in hidden)
        spans = any(text in wanted for text in hidden)  # a hidden text within the quote
        return spans or (places > 0 and self.visible.count(wanted) <= places)

    @cached_property
    def gives_orders(self) -> bool:
        """Whether anything on the page, seen or unseen, addresses a machine."""
        return any(gives_orders(text) for text in (self.page.markdown, *_machine_readable(self.page)))


_BEFORE = re.compile(r"(?:\n|[.!?…。！？][\"”’»)]*)\s*[\"“„«¿¡(]*$")
_AFTER = re.compile(r"[\"”’»)]*\s*(?:$|\n|[.!?…;:|–—。！？]|-\s)")


def _is_whole(match: re.Match[str]) -> bool:
    text, start, end = match.string, match.start(), match.end()
    ends = states_something(match[0]) or _AFTER.match(text, end)
    return bool(ends) and (start == 0 or _BEFORE.search(text, max(0, start - 8), start) is not None)


def _machine_readable(page: Page) -> Iterator[str]:
    data = page.structured
    yield from (page.title, data.description, data.site_name)
    for node in data.json_ld:
        yield from strings(node)
    for link in (*data.mail_links, *data.phone_links):
        yield from (link.address, link.label, link.nearby)


def strings(value: JsonValue) -> Iterator[str]:
    """Every string inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)


@dataclass(frozen=True)
class Corpus:
    """The pages of one lead that may be believed. ``set_aside`` are the others' URLs."""

    domain: str
    pages: tuple[ReadPage, ...]
    set_aside: tuple[str, ...] = ()

    @classmethod
    def read(cls, domain: str, pages: Iterable[Page]) -> Corpus:
        """Set aside pages of other sites, error pages, and pages that give orders."""
        kept: list[ReadPage] = []
        aside: list[str] = []
        for page in pages:
            read = ReadPage(page)
            ours = same_site(page.url, domain) and page.status_code < _HTTP_ERROR
            if ours and not read.gives_orders:
                kept.append(read)
            else:
                aside.append(page.url)
        return cls(domain, tuple(kept), tuple(aside))

    def find(self, url: str) -> ReadPage | None:
        """The page at ``url``, if it may be believed."""
        return next((page for page in self.pages if page.url == url), None)


# --- claims ------------------------------------------------------------------------------------------------------

_LINKISH = re.compile(r"://|@|\bwww\.|[^\W\d_]\.[^\W_]{2,}|[{}<>\[\]|\\]|\d[\d\s()./-]{7,}\d")
_WORD = re.compile(r"[^\W\d_]{4,}")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def quotable(text: str) -> bool:
    """Whether ``text`` may appear in a mail: of sensible length; no link, address, number, markup, order or charge."""
    least, most = _QUOTE_CHARS
    if not least <= len(text) <= most:
        return False
    unfit = _LINKISH.search(text) or next(imitations(text), "")
    return not (unfit or gives_orders(text) or accuses(text) or directs_writers(text))


_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")


def imitations(text: str) -> Iterator[str]:
    """Words of ``text`` whose letters are of several alphabets, or forms of letters that nobody writes with."""
    for word in re.findall(r"\w+", text):
        names = [unicodedata.name(c, "") for c in word]
        scripts = {script for name in names for script in _SCRIPTS if name.startswith(script)}
        if len(scripts) > 1 or any(name.startswith(("FULLWIDTH LATIN", "MATHEMATICAL")) for name in names):
            yield word


def nameable(name: str) -> bool:
    """Whether ``name`` can be a company's: short, and no sentence, link, request or disguise."""
    if not 1 < len(name) <= _NAME_CHARS or len(name.split()) > _NAME_WORDS or next(imitations(name), ""):
        return False
    return not (gives_orders(name) or accuses(name) or directs_writers(name)) and (
        re.fullmatch(r"[\w &'’-]+", name) is not None or not _LINKISH.search(name)
    )


def grounded(text: str, quote: str) -> bool:
    """Whether a paraphrase stays with its quote: every number is in it, and so are half of the longer words.

    Words count as equal by their first four letters, so inflection does not matter.
    """
    known = {word[:4] for word in _WORD.findall(quote.casefold())}
    words = [word[:4] for word in _WORD.findall(text.casefold())]
    if not set(_NUMBER.findall(text)) <= set(_NUMBER.findall(quote)):
        return False
    return sum(word in known for word in words) * 2 >= len(words)


@dataclass(frozen=True)
class Verified:
    """The claims that hold, how many did not and why, and how many texts went back to their quote."""

    claims: tuple[Claim, ...]
    drop_reasons: Mapping[DropReason, int]
    replaced: int

    @property
    def dropped(self) -> int:
        """How many did not hold."""
        return sum(self.drop_reasons.values())


def verified(claims: Sequence[Claim], corpus: Corpus, company_name: str = "") -> Verified:
    """Keep the claims whose quote stands verbatim on the page they name and may be quoted; one claim a quote.

    The quote is a whole sentence in which the company speaks of itself; or a heading or an item, which only names a
    product. A text that says more than its quote is replaced by the quote: the proof is what counts.
    """
    kept: dict[str, Claim] = {}
    dropped = Counter[DropReason]()
    replaced = 0
    for claim in claims:
        quote = squash(claim.quote)
        if (reason := _disproved(claim, quote, corpus.find(claim.page_url), company_name)) is not None:
            dropped[reason] += 1
            continue
        text = squash(claim.text)
        if not (text and len(text) <= _TEXT_CHARS and quotable(text) and grounded(text, quote)):
            replaced += 1
            text = quote
        kept.setdefault(quote.casefold(), claim.model_copy(update={"text": text, "quote": quote}))
    return Verified(tuple(kept.values()), dropped, replaced)


def _disproved(claim: Claim, quote: str, page: ReadPage | None, company_name: str) -> DropReason | None:
    if page is None:
        return DropReason.UNKNOWN_PAGE
    if not quotable(quote):
        return DropReason.NOT_QUOTABLE
    if not page.holds(quote):
        return DropReason.NOT_ON_PAGE
    own = is_of_itself(quote, company_name) if states_something(quote) else claim.topic is Topic.PRODUCT
    return None if own and page.says(quote) else DropReason.NOT_ITS_OWN
