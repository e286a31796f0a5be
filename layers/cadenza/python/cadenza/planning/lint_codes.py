"""What the linter can find, by name; the modules that look for it share this."""

from __future__ import annotations

from enum import StrEnum

from cadenza.planning.findings import Finding, Severity


class LintCode(StrEnum):
    """What kind of thing is wrong with the copy or with the plan's manners."""

    SUBJECT_LENGTH = "subject_length"
    SUBJECT_TRICK = "subject_trick"
    BODY_LENGTH = "body_length"
    FOREIGN_LINK = "foreign_link"
    FOREIGN_ADDRESS = "foreign_address"
    PLACEHOLDER = "placeholder"
    MARKUP = "markup"
    DISGUISED = "disguised"
    SPAM_PHRASE = "spam_phrase"
    FALSE_FAMILIARITY = "false_familiarity"
    PROMISE = "promise"
    ACCUSATION = "accusation"
    WRONG_NAME = "wrong_name"
    WRONG_COMPANY = "wrong_company"
    WRONG_SENDER = "wrong_sender"
    WRONG_LANGUAGE = "wrong_language"
    UNPROVED_QUOTE = "unproved_quote"
    UNPROVED_NUMBER = "unproved_number"
    UNPROVED_NAME = "unproved_name"
    UNPROVED_STATEMENT = "unproved_statement"
    UNPROVED_OFFER = "unproved_offer"
    LEAK = "leak"
    ORDERS = "orders"
    TOO_MANY_MAILS = "too_many_mails"
    TOO_SOON = "too_soon"
    TOO_LATE = "too_late"
    LOOP = "loop"
    DEAF = "deaf"


def refusal(code: LintCode, pointer: str, message: str, fix: str) -> Finding:
    """A finding that refuses the plan."""
    return Finding(code, Severity.ERROR, pointer, message, fix)
