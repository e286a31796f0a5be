"""Copy is bound to evidence: what a mail says of its recipient must stand in a claim, what it offers in the offering.

A mail is cut into sentences, and each is one of these:

- **about the recipient**: it has a second person or the company's name, or opens with "I read that …". *One* claim
  must hold it: all its figures, names and superlatives, and its other words but for one in five; and both must negate,
  or neither. What stands in quotation marks is left to `lint`, which compares quotations word for word.
- **the sender's own**: its first cue is a first person or the sender's name. Half of its words stand in the sender's
  own words (or in claims), and every superlative does.
- **a question**, or **anything else**: more than half of its words being new, and at least two, it is news from
  nowhere.

Words that state nothing (`vocabulary`) do not count, and words are compared by their beginnings, so inflection does not
matter. The trade: a false alarm costs a model one repair, for which the finding says how to word it; a miss costs a
company's trust. So a paraphrase in words of its own is refused. Not caught: a wrong combination of one claim's own
words ("you train apprentices in Bristol" of "We train apprentices; our workshop is in Bristol"), an invention in a
question, one new word in five; and of the sender's own sentences nothing where its offering is in another language than
the mail, for then no word can be compared.

It binds what a model wrote. People may write what they like, and the offline planner has nothing to say but quotations.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import assert_never

from cadenza.leads.claims import split_sentences
from cadenza.leads.evidence import squash
from cadenza.leads.language import detect_language
from cadenza.planning.brief import PlanBrief
from cadenza.planning.findings import Finding
from cadenza.planning.lint_codes import LintCode, refusal
from cadenza.planning.model import NodeAction, Plan, json_pointer
from cadenza.planning.vocabulary import STRONG, VOCABULARIES, folded, reads_as, stating_nothing

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
_LINK = re.compile(r"\bhttps?://\S+")
_CODE = re.compile(r"\b(?=\w*\d)(?=\w*[^\W\d_])\w{4,}\b|\b[A-ZÄÖÜ]{4,}\b")
_QUOTED = re.compile(r"[“„«\"]\s?[^“”„«»\"]{4,}?\s?[”“»\"]")
_GREETING_WORDS = 6
_MIN_LETTERS = 3
_COMPOUND_LETTERS = 5
_ONE_IN = 5
_NOTHING = re.compile("(?!)")
_NEWS = 2


class About(StrEnum):
    """Whom a sentence is about."""

    RECIPIENT = "recipient"
    SENDER = "sender"
    QUESTION = "question"
    OTHER = "other"


@dataclass(frozen=True)
class Source:
    """Something that may be repeated: a claim, or all of the sender's words."""

    text: str
    no: re.Pattern[str]
    stem_letters: int

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Its words, folded."""
        return tuple(_words(self.text))

    @cached_property
    def figures(self) -> frozenset[str]:
        """Its figures as written."""
        return frozenset(_FIGURE.findall(self.text))

    @cached_property
    def negates(self) -> bool:
        """Whether it says that something is not so."""
        return _negates(self.text, self.no)

    def has(self, word: str) -> bool:
        """Whether ``word`` (folded), another form of it, or a compound with it stands here."""
        return any(_same(word, known, self.stem_letters) for known in self.words)


class Prover:
    """Checks the sentences of one brief's mails. In a language without a vocabulary it finds nothing."""

    def __init__(self, brief: PlanBrief) -> None:
        self._brief = brief
        self._vocabulary = VOCABULARIES.get(brief.language)
        self._empty = stating_nothing(brief.language)
        names = (brief.company_name, brief.contact_name, brief.first_name, brief.sender_name, brief.sender_company)
        own = f"{brief.offering} {brief.ask}"
        claims = [f"{claim.quote} {claim.text}" for claim in brief.claims]
        self._names = self._source(" ".join(names))
        self._own = self._source(f"{own} {brief.sender_company}")
        self._claims = [self._source(text) for text in claims]
        self._all = self._source(" ".join((own, brief.contact_title, *claims)))
        # An offering in another language shares no word with its translation: there is nothing to compare.
        self._comparable = reads_as(brief.offering, brief.language)

    def _source(self, text: str) -> Source:
        vocabulary = self._vocabulary
        return Source(text, vocabulary.no, vocabulary.stem_letters) if vocabulary else Source(text, _NOTHING, 0)

    def about(self, sentence: str, *, heading: bool = False) -> About:
        """Whom ``sentence`` is about. A heading names companies and states nothing by it."""
        if self._vocabulary is None:
            return About.OTHER
        text = folded(_said(sentence))
        if text.rstrip(' )”"»').endswith("?"):
            return About.QUESTION
        first = _first(self._vocabulary.we, text, "" if heading else self._brief.sender_company)
        second = _first(self._vocabulary.you, text, "" if heading else self._brief.company_name)
        seen = self._vocabulary.seen.search(text)
        own = _share(words := self._counted(sentence), self._own)
        if own == len(words) > 0 and (not seen or second == len(text)) and second > 0:
            return About.SENDER  # its own words, with a "you" in them: "nobody calls you"
        if seen or second < first:
            return About.RECIPIENT
        return About.SENDER if first < len(text) else About.OTHER

    def check(self, sentence: str, pointer: str, *, heading: bool = False) -> Iterator[Finding]:
        """What ``sentence`` says that nothing proves."""
        vocabulary = self._vocabulary
        if vocabulary is None:
            return
        for name in self._new_names(sentence):
            message = f"{name!r} is named, and neither a claim nor the offering names it"
            yield refusal(LintCode.UNPROVED_NAME, pointer, message, "Leave it out.")
        words = self._counted(sentence)
        about = self.about(sentence, heading=heading)
        match about:
            case About.RECIPIENT:
                if words and not any(self._holds(source, sentence, words) for source in self._claims):
                    message = f"no claim says {sentence!r}"
                    fix = "Say one thing of one claim, in that claim's own words; or quote it; or leave it out."
                    yield refusal(LintCode.UNPROVED_STATEMENT, pointer, message, fix)
            case About.SENDER:
                strong = any(STRONG.match(word) and not self._own.has(word) for word in words)
                new = len(words) - _share(words, self._all)
                foreign = len(words) >= _NEWS and not _share(words, self._own)
                if self._comparable and (strong or foreign or (new >= _NEWS and new * 2 > len(words))):
                    message = f"the offering does not say {sentence!r}"
                    yield refusal(LintCode.UNPROVED_OFFER, pointer, message, "Use the words of `offering`.")
            case About.QUESTION | About.OTHER:
                new = len(words) - _share(words, self._all)
                if self._comparable and new >= _NEWS and new * 2 > len(words):
                    message = f"nothing in the brief says {sentence!r}"
                    fix = "Keep to the claims and the offering, in their words."
                    yield refusal(LintCode.UNPROVED_STATEMENT, pointer, message, fix)
            case _:
                assert_never(about)

    def _counted(self, sentence: str) -> list[str]:
        """The words that have to be proved."""
        return [
            word
            for word in _words(_said(sentence))
            if STRONG.match(word) or not (len(word) < _MIN_LETTERS or word in self._empty or self._names.has(word))
        ]

    def _holds(self, claim: Source, sentence: str, words: Sequence[str]) -> bool:
        said = _said(sentence)
        strong = [word for word in words if STRONG.match(word)]
        new = len(words) - _share(words, claim)
        return (
            set(_FIGURE.findall(said)) <= claim.figures
            and all(claim.has(word) for word in strong)
            and new * _ONE_IN <= len(words)
            and new < len(words)
            and _negates(said, claim.no) == claim.negates
        )

    def _new_names(self, sentence: str) -> Iterator[str]:
        """Capitalised words within a sentence that nothing in the brief holds, and codes anywhere.

        Of German nouns, only two in a row.
        """
        said = _said(sentence)
        yield from (code for code in _CODE.findall(said) if code.casefold() not in self._known_text)
        before = ""
        for number, match in enumerate(_WORD.finditer(said)):
            word = match[0]
            named = word[0].isupper() and len(word) >= _MIN_LETTERS and not self._names_nothing(word)
            opens = number == 0 or _opens(said, match.start())
            alone = self._brief.language != "de" and not opens
            if named and (alone or (before and not opens)):
                yield f"{before} {word}".strip()
            before = word if named else ""

    def _names_nothing(self, word: str) -> bool:
        """Whether a capitalised word is known to the letter, or one of those that state nothing."""
        plain = folded(word).removesuffix("'s")
        return plain in self._empty or not {plain, plain.removesuffix("s"), f"{plain}s"}.isdisjoint(self._known_words)

    @cached_property
    def _known_text(self) -> str:
        return " ".join(source.text for source in (self._names, self._own, self._all)).casefold()

    @cached_property
    def _known_words(self) -> frozenset[str]:
        known = (self._names, self._own, self._all)
        parts = {word for source in known for word in source.words}
        return frozenset(parts | {folded(word) for word in _WORD.findall(self._known_text)})


def prove_plan(plan: Plan, brief: PlanBrief) -> tuple[Finding, ...]:
    """Everything in the mails of ``plan`` that says more than ``brief`` proves, or says it in another language."""
    prover = Prover(brief)
    findings: list[Finding] = []
    for position, node in enumerate(plan.nodes):
        if node.action is not NodeAction.SEND:
            continue
        for field in ("subject", "body"):
            pointer = json_pointer("nodes", position, field)
            text = str(getattr(node, field) or "")
            findings += _other_language(text, pointer, brief)
            heading = field == "subject"
            for sentence in [text] if heading else sentences(text, brief):
                findings += prover.check(sentence, pointer, heading=heading)
    return tuple(findings)


def sentences(body: str, brief: PlanBrief) -> list[str]:
    """The sentences of a mail, without links, greeting and signature."""
    found: list[str] = []
    lines = [line.strip() for line in _LINK.sub("", body).splitlines() if line.strip()]
    if lines:
        lines[0] = _without_greeting(lines[0])
    signature = {squash(brief.sender_name).casefold(), squash(brief.sender_company).casefold()}
    for line in lines:
        if squash(line).rstrip(",.").casefold() not in signature:
            found += split_sentences(line)
    return [sentence for sentence in found if _WORD.search(sentence)]


def _without_greeting(line: str) -> str:
    head, mark, rest = re.split(r"([,:!])", line, maxsplit=1) if re.search(r"[,:!]", line) else (line, "", "")
    return rest.strip() if mark and len(head.split()) <= _GREETING_WORDS and not rest.strip() else line


def _other_language(body: str, pointer: str, brief: PlanBrief) -> Iterator[Finding]:
    known = f"{brief.company_name} {brief.contact_name} {brief.offering} {brief.ask}"
    said = _said(body)
    told = detect_language(said)
    if told not in {"", brief.language} and not reads_as(said, brief.language):
        message = f"the mail is written in {told!r}"
        yield refusal(LintCode.WRONG_LANGUAGE, pointer, message, f"Write it in {brief.language!r}.")
    if foreign := next((word for word in re.findall(r"\w+", said) if not _is_latin(word) and word not in known), ""):
        message = f"{foreign!r} is in another script"
        yield refusal(LintCode.WRONG_LANGUAGE, pointer, message, f"Write it in {brief.language!r}, or quote it.")


# --- words -------------------------------------------------------------------------------------------------------


def _said(text: str) -> str:
    """``text`` without what it quotes and links to."""
    return _QUOTED.sub(" ", _LINK.sub(" ", text))


def _is_latin(word: str) -> bool:
    return all(
        not c.isalpha() or unicodedata.name(c, "").startswith(("LATIN", "MODIFIER", "MASCULINE", "FEMININE"))
        for c in word
    )


def _words(text: str) -> list[str]:
    return [part for word in _WORD.findall(folded(squash(text))) for part in re.split(r"['’-]", word) if part]


def _same(one: str, other: str, stem_letters: int) -> bool:
    letters = min(stem_letters, len(one), len(other))
    if letters < _MIN_LETTERS:
        return one == other
    if one[:letters] == other[:letters]:
        return letters > _MIN_LETTERS or abs(len(one) - len(other)) <= _MIN_LETTERS
    return len(one) >= _COMPOUND_LETTERS and one[:_COMPOUND_LETTERS] in other


def _share(words: Sequence[str], source: Source) -> int:
    return sum(source.has(word) for word in words)


def _negates(text: str, no: re.Pattern[str]) -> bool:
    return bool(
        no.search(re.sub(r"\b(?:not|nicht|non|no|nao|niet) (?:only|nur|seulement|solo|so|alleen)\b", "", folded(text)))
    )


def _first(cue: re.Pattern[str], text: str, name: str) -> int:
    """Where the first cue or the company's name (its first longer word) is; the text's length without either."""
    match = cue.search(text)
    word = next((word for word in _words(name) if len(word) > _MIN_LETTERS), folded(name))
    named = re.search(rf"\b{re.escape(word)}\b", text) if word else None
    return min(found.start() if found else len(text) for found in (match, named))


def _opens(sentence: str, at: int) -> bool:
    """Whether the word at ``at`` opens a clause of its own, where a capital says nothing."""
    return re.search(r"[.:!?…\"“„«(]\s*$", sentence[:at]) is not None
