"""Section 4 of the design is the specification of what a plan means: each of its sentences is held by a named test.

The tests are in `test_section4_events` and `test_section4_time`, in the order of the text.
"""

from __future__ import annotations

import pytest

from tests.unit import test_section4_events, test_section4_time
from tests.unit.section4 import SAID, says, section, unproved

PARAGRAPHS = section()


@pytest.mark.parametrize("paragraph", [text for _, text in PARAGRAPHS], ids=[key for key, _ in PARAGRAPHS])
def test_every_sentence_of_section_4_is_held_by_a_test(paragraph: str) -> None:
    """The specification would promise something that nobody has checked. What is left over has no test."""
    assert unproved(paragraph) == ""


def test_every_quotation_is_in_the_section() -> None:
    """A test would hold a sentence that the design no longer says."""
    whole = [text for _, text in PARAGRAPHS]
    assert [quotation for quotation in SAID if not any(quotation in text for text in whole)] == []


def test_the_proofs_exist() -> None:
    """A quotation could stand beside a function that nothing runs."""
    tests = set(dir(test_section4_events)) | set(dir(test_section4_time))
    names = set().union(*SAID.values())
    assert all(name.startswith("test_") for name in names)
    assert names <= tests


def test_a_new_sentence_would_be_noticed() -> None:
    """The check above could be content with anything."""
    assert len(PARAGRAPHS) > 14
    assert unproved(PARAGRAPHS[3][1] + " Mail is sent on Sundays.") == "Mail is sent on Sundays"
    assert says()(test_a_new_sentence_would_be_noticed) is test_a_new_sentence_would_be_noticed
