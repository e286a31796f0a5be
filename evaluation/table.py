"""A run's results for people, and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from pydantic import JsonValue
from rich.console import Console
from rich.table import Table

from evaluation.run import Block, Evaluated
from evaluation.score import PRECISION_BAR, RECALL_BAR, Tally

_COLUMNS = (
    "site", "pages", "true", "found", "right", "precision", "recall", "names", "titles", "kinds", "phones", "lang",
    "country", "company", "facts", "proved", "s",
)  # fmt: skip


def show(blocks: Sequence[Block], console: Console) -> None:
    """The table of every block, what was missed, the plans, and what a model took."""
    for block in blocks:
        table = Table(title=f"{block.name}: contacts, names and evidence", title_justify="left")
        for column in _COLUMNS:
            table.add_column(column, justify="left" if column == "site" else "right", no_wrap=True)
        for site in block.sites:
            table.add_row(*_row(site.score.domain.removesuffix(".example"), site.score.tally))
        table.add_section()
        table.add_row(*_row(f"{len(block.sites)} sites", block.tally))
        console.print(table)
        for site in block.sites:
            for miss in (*site.score.misses, *_troubles(site)):
                console.print(f"  {site.score.domain}: {miss}", markup=False, highlight=False, soft_wrap=True)
        console.print(_plans(block), markup=False, highlight=False, soft_wrap=True)
        console.print(_verdict(block.tally), markup=False, highlight=False, soft_wrap=True)


def show_mails(blocks: Sequence[Block], console: Console) -> None:
    """Every mail of every plan, to be read."""
    for site in (site for block in blocks for site in block.sites):
        for written in site.written:
            for subject, body in written.mails:
                text = f"--- to {written.email} ---\nSubject: {subject}\n\n{body}\n"
                console.print(text, markup=False, highlight=False, soft_wrap=True)


def as_json(blocks: Sequence[Block]) -> JsonValue:
    """Everything that `show` shows."""
    return [
        {
            "block": block.name,
            "holds": holds(block),
            "precision": round(block.tally.precision, 4),
            "recall": round(block.tally.recall, 4),
            "total": asdict(block.tally),
            "plans": asdict(block.plans),
            "usage": block.usage.model_dump(mode="json") if block.usage else None,
            "sites": [
                {
                    "domain": site.score.domain,
                    "analyst": site.analysis.analyst,
                    **asdict(site.score.tally),
                    "evidence": site.analysis.stats.model_dump(mode="json"),
                    "misses": [*site.score.misses, *_troubles(site)],
                }
                for site in block.sites
            ],
        }
        for block in blocks
    ]


def holds(block: Block) -> bool:
    """Whether a block meets the bars. A model's unusable plans are shown, and fail nothing: the rules stand in."""
    by_rule = block.usage is None
    return block.tally.holds and (block.plans.holds or not by_rule)


def _row(name: str, t: Tally) -> Sequence[str]:
    return (
        name, str(t.pages), str(t.contacts), str(t.found), str(t.correct), f"{t.precision:.3f}", f"{t.recall:.3f}",
        f"{t.names_right}/{t.names}", f"{t.titles_right}/{t.titles}", f"{t.kinds_right}/{t.correct}",
        f"{t.phones_right}/{t.phones}", f"{t.languages_right}/{t.sites}", f"{t.countries_right}/{t.sites}",
        f"{t.companies_right}/{t.sites}", f"{t.facts_held}/{t.facts}", f"{t.claims_proved}/{t.claims}",
        f"{t.seconds:.1f}",
    )  # fmt: skip


def _troubles(site: Evaluated) -> Sequence[str]:
    failed = [f"plan for {w.email}: {w.problem}" for w in site.written if w.problem]
    return [*([f"the model gave no report: {site.problem}"] if site.problem else []), *failed]


def _plans(block: Block) -> str:
    p, stats = block.plans, [site.analysis.stats for site in block.sites]
    written = (
        f"plans: {p.plans}, valid at the first try {p.first_try}, after repairs {p.repaired}, unusable {p.unusable}; "
        f"compiler's errors {p.compile_errors}, linter's {p.lint_errors}; "
        f"mails {p.mails}, quotations proved {p.quotes_proved} of {p.quotes}"
    )
    evidence = (
        f"claims: proposed {sum(s.claims_proposed for s in stats)}, kept {sum(s.claims_kept for s in stats)}, "
        f"dropped {sum(s.claims_dropped for s in stats)}, replaced {sum(s.texts_replaced for s in stats)}; "
        f"addresses refused {sum(s.contacts_dropped for s in stats)}"
    )
    lines = [written, evidence]
    if usage := block.usage:
        cost = f"${usage.cost_usd_micros / 1_000_000:.4f}" if usage.priced else "at an unknown price"
        answered = sum(site.answered for site in block.sites)
        lines.append(
            f"{usage.model}: {usage.calls} calls, {usage.input_tokens} tokens in, {usage.output_tokens} out, {cost}; "
            f"reports for {answered} of {len(block.sites)} sites"
        )
    return "\n".join(lines)


def _verdict(t: Tally) -> str:
    word = "holds" if t.holds else "FAILS"
    return f"{word}: precision {t.precision:.3f} (bar {PRECISION_BAR}), recall {t.recall:.3f} (bar {RECALL_BAR})\n"
