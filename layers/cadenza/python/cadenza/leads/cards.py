"""Who is named in a few lines of text, and with which title: cards, table rows, and sentences. Pure rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from cadenza.leads.people import DEGREE, bare_name, belongs_to, is_name, is_title

_MAX_LINE_CHARS = 240
_MAX_PROSE_CHARS = 1_200
_MAX_PROSE_TITLE_WORDS = 5
_ACRONYM = 3  # letters


@dataclass(frozen=True)
class NameAndTitle:
    """Who somebody is, as far as a card says. Both may be ""."""

    name: str = ""
    title: str = ""


NOBODY = NameAndTitle()

_DIVIDERS = re.compile(
    r"\s+[-–—|·•/]\s+|\s*[,;|•·]\s+|\s*[–—]\s*|\s*\((?=[^)]*$)|\)\s*$|:\s+|[<>]|\s{3,}|"
    r"(?<=[^\W\d_]{5})\.\s+(?=[^\W\d_a-zà-ÿ])"  # a sentence's end, not an initial's
)
_ADDRESS = re.compile(r"[<(]?[\w.+%'-]{1,64}(?:@|\s?[\[({](?:at|@)[\])}]\s?)[\w.()\[\]-]+[>)]?", re.IGNORECASE)
_ENDS = re.compile(r"[^\W\d_a-zà-ÿ].*[^\W\d_]{5,}\.")  # a full stop, not an abbreviation's
_ARTICLES = re.compile(
    r"^(?:(?:the|our|a|an|der|die|das|unser\w*|le|la|les|l['’]|notre|el|los|il|lo|o|a|os|as|nosso|nossa|nuestr[oa]|de|"
    r"het|onze|il nostro|la nostra)\s+)+",
    re.IGNORECASE,
)


def segments(line: str) -> list[str]:
    """The parts of a card's line ("Inês Duarte – CEO <ines@…>" → two), without addresses and degrees."""
    parts = (part.strip(" (),;:|") for part in _DIVIDERS.split(_ADDRESS.sub(" | ", line)))
    parts = (part.rstrip(".") if _ENDS.fullmatch(part) else part for part in parts)
    return [part for part in parts if part and not DEGREE.fullmatch(part)]


def people_in(lines: Sequence[str]) -> list[NameAndTitle]:
    """Everyone that a card names, in order. A title counts for the name right before it, else for the one right after.

    Where a run of names and titles begins with a title and ends with a name, each title stands above its name.
    """
    cards = (line for line in lines if len(line) <= _MAX_LINE_CHARS)  # longer lines are prose
    kinds = [(_kind(part), part) for line in cards for part in segments(line)]
    people: list[NameAndTitle] = []
    for named, run in groupby(kinds, key=lambda kind: bool(kind[0])):
        if named:
            people += _of_run(list(run))
    return people


def _kind(part: str) -> str:
    return "name" if is_name(part) else "title" if is_title(part) else ""


def _of_run(run: list[tuple[str, str]]) -> Iterator[NameAndTitle]:
    title_first = run[0][0] == "title" and run[-1][0] == "name"
    for n, (kind, part) in enumerate(run):
        if kind == "name":
            beside = run[n - 1 : n] if title_first else run[n + 1 : n + 2]
            yield NameAndTitle(bare_name(part), next((bare_title(p) for k, p in beside if k == "title"), ""))


_INVERTED = re.compile(r"([^\W\d_]['’\w-]+(?: [^\W\d_]['’\w-]+)?), ([^\W\d_][\w'’-]+(?: [^\W\d_]\.)?)")


def inverted_in(lines: Sequence[str], local_part: str) -> NameAndTitle:
    """Who stands in a directory as "Amundsen, Greta" and has this local part: "Berlin, Germany" has that form too."""
    for n, line in enumerate(lines):
        match = _INVERTED.fullmatch(line)
        name = f"{match[2]} {match[1]}" if match else ""
        if name and is_name(name) and belongs_to(local_part, name):
            parts = [part for below in lines[n + 1 : n + 2] for part in segments(below)]
            return NameAndTitle(bare_name(name), next((bare_title(part) for part in parts if is_title(part)), ""))
    return NOBODY


def bare_title(text: str) -> str:
    """A title without the article before it and the punctuation around it ("our Head of Sales," → "Head of Sales")."""
    title = _ARTICLES.sub("", text.strip(" ,;:.–—-")) or text
    # "MANAGING DIRECTOR" is set so by the page; CEO and HR are not.
    return " ".join(w.title() if len(w) > _ACRONYM else w for w in title.split()) if title.isupper() else title


# --- prose -------------------------------------------------------------------------------------------------------

_CAPITALISED = re.compile(
    r"[^\W\d_a-zà-ÿ][\w'’-]*(?:\s+(?:(?:de|da|do|dos|das|del|della|di|du|la|le|van|von|der|den|zu|ten|ter|y|e)\s+){0,2}"
    r"[^\W\d_a-zà-ÿ][\w'’-]*){1,5}"
)
_FILLERS = re.compile(
    r"^(?:who|which|is|was|as|still|now|our|the|an?|der|die|das|ist|unser\w*|als|est|notre|qui|comme|la|le|l['’]|el|il|lo|"
    r"es|é|è|que|che|nuestr[oa]|noss[oa]|nostr[oa]|de|het|onze|o|a)\s+",
    re.IGNORECASE,
)


def named_in_prose(text: str, local_part: str) -> NameAndTitle:
    """The one person in a sentence whom a local part is made of, and what the sentence says they are right after."""
    found: dict[str, NameAndTitle] = {}
    for run in _CAPITALISED.finditer(text[:_MAX_PROSE_CHARS]):
        words = list(re.finditer(r"\S+", run[0]))
        spans = [(a, b) for a in range(len(words)) for b in range(len(words), a + 1, -1)]
        for a, b in sorted(spans, key=lambda span: span[0] - span[1]):
            name = run[0][words[a].start() : words[b - 1].end()]
            if is_name(name) and belongs_to(local_part, name):
                after = text[run.start() + words[b - 1].end() :]
                found.setdefault(bare_name(name).casefold(), NameAndTitle(bare_name(name), _title_after(after)))
                break
    return next(iter(found.values())) if len(found) == 1 else NOBODY


def _title_after(text: str) -> str:
    sentence = re.split(r"[.;!?]\s|[.;!?]$", _ADDRESS.sub(" | ", text), maxsplit=1)[0]
    for part in segments(sentence)[:2]:
        bare = part
        while (less := _FILLERS.sub("", bare)) != bare:
            bare = less
        if is_title(bare) and len(bare.split()) <= _MAX_PROSE_TITLE_WORDS:
            return bare_title(bare)
    return ""
