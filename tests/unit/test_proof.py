"""Copy is bound to evidence: sentences of mails, labelled by hand, and how many of them the checker judges right."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cadenza.leads.report import Claim, Topic
from cadenza.planning.brief import PlanBrief
from cadenza.planning.proof import Prover

FILES = Path(__file__).parent / "proof"


@dataclass(frozen=True)
class Labelled:
    """One sentence, and whether it must be refused."""

    text: str
    label: str
    language: str
    brief: PlanBrief

    @property
    def codes(self) -> set[str]:
        """What the checker finds in it."""
        return {str(finding.code) for finding in Prover(self.brief).check(self.text, "/nodes/0/body")}


def brief_of(language: str, told: dict[str, Any]) -> PlanBrief:
    claims = [Claim(topic=Topic.SIGNAL, text=quote, page_url="u", quote=quote) for quote in told["claims"]]
    return PlanBrief(
        sender_name=told["sender"],
        sender_company=told["house"],
        offering=told["offering"],
        company_name=told["company"],
        contact_name=told["contact"],
        first_name=told["contact"].partition(" ")[0],
        language=language,
        claims=tuple(claims),
    )


def labelled(name: str) -> list[Labelled]:
    told = tomllib.loads((FILES / f"{name}.toml").read_text(encoding="utf-8"))
    return [
        Labelled(text, label, language, brief_of(language, words))
        for language, words in told.items()
        for label in ("proved", "unproved", "elsewhere")
        for text in words.get(label, ())
    ]


@pytest.mark.parametrize(
    ("name", "precision", "recall"),
    # At first sight the held-out ones gave precision 0.80 and recall 1.00; four general mends followed.
    [("tuned", 0.95, 0.95), ("held_out", 0.90, 0.95)],
)
def test_what_nothing_proves_is_refused_and_little_else(
    name: str, precision: float, recall: float, record_property: Callable[[str, object], None]
) -> None:
    """Misses: a company reads inventions about itself. False alarms: a model's good mails are sent back."""
    told = labelled(name)
    caught = [s for s in told if s.label == "unproved" and s.codes]
    missed = [s for s in told if s.label == "unproved" and not s.codes]
    alarms = [s for s in told if s.label != "unproved" and s.codes]
    got = len(caught) / (len(caught) + len(alarms)), len(caught) / (len(caught) + len(missed))
    lines = [f"{name}: {len(told)} sentences, precision {got[0]:.3f}, recall {got[1]:.3f}"]
    lines += [f"  missed [{s.language}] {s.text}" for s in missed]
    lines += [f"  false alarm [{s.language}] {s.text} {sorted(s.codes)}" for s in alarms]
    record_property("counts", "\n".join(lines))
    assert got[0] >= precision, lines
    assert got[1] >= recall, lines
