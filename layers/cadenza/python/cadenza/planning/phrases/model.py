"""What the offline planner can say: the parts of its mails."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail's fixed parts: ``lines`` are its paragraphs; "{…}" of the planner's are filled in."""

    subject: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phrases:
    """Everything the offline planner says in one language.

    ``capital`` says that the line below the greeting begins with a capital letter.
    """

    greeting: str
    greeting_formal: str
    greeting_nobody: str
    capital: bool
    quotes: tuple[str, str]
    seen: str
    news: str
    offered: str
    no_claim: str
    ask: str
    more: str
    closing: str
    intro: Mail
    nudge: Mail
    follow_up: Mail
    interested: Mail
    last: Mail
