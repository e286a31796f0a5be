"""One run: every site crawled, analysed and planned for, by rule or with a model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import TypeVar

from cadenza.core.ai import AiBusy, AiClient, AiFailed, AiUsage
from cadenza.leads.analysis import analyse_offline, analyse_with_ai
from cadenza.leads.model import Page
from cadenza.leads.report import Analysis
from evaluation.plans import PlanTally, Written, brief_for, by_model, by_rule, write
from evaluation.score import SiteScore, Tally, score_site, text_of
from evaluation.truth import Truth, truths
from evaluation.world import crawl_site, serving
from local.world.sites import SampleSites

T = TypeVar("T")

_MAX_TRIES = 4
_MAX_WAIT_S = 60.0


@dataclass(frozen=True)
class Evaluated:
    """One site's scores. ``answered`` is False where a model failed and the rules stood in; ``problem`` says why."""

    score: SiteScore
    analysis: Analysis
    written: tuple[Written, ...]
    answered: bool = True
    problem: str = ""

    @property
    def usage(self) -> AiUsage | None:
        """What a model took for this site, the plans included."""
        return total_usage((self.analysis.usage, *(w.usage for w in self.written)))


@dataclass(frozen=True)
class Block:
    """All sites of one folder."""

    name: str
    sites: tuple[Evaluated, ...]

    @property
    def tally(self) -> Tally:
        """All sites' counts."""
        return reduce(add, (site.score.tally for site in self.sites), Tally())

    @property
    def plans(self) -> PlanTally:
        """All plans' counts."""
        return reduce(add, (w.tally for site in self.sites for w in site.written), PlanTally())

    @property
    def usage(self) -> AiUsage | None:
        """What a model took."""
        return total_usage(site.usage for site in self.sites)


def run_block(name: str, folder: Path, client: AiClient | None, only: str = "", most_plans: int | None = None) -> Block:
    """Evaluate the sites of ``folder`` whose domain contains ``only``, with at most ``most_plans`` plans a site."""
    chosen = {domain: truth for domain, truth in truths(folder).items() if only in domain}
    with serving(folder, chosen) as served:
        sites = [_site(served, domain, truth, client, most_plans) for domain, truth in chosen.items()]
    return Block(name, tuple(sites))


def _site(served: SampleSites, domain: str, truth: Truth, client: AiClient | None, most_plans: int | None) -> Evaluated:
    started = time.monotonic()
    crawled = crawl_site(served, domain)
    analysis, problem = _analysed(domain, crawled.result.pages, client)
    score = score_site(domain, truth, analysis, crawled.html, time.monotonic() - started)
    planner = by_rule if client is None else by_model(client)
    texts = [text_of(html) for html in crawled.html.values()]
    briefs = [(brief_for(analysis.report, c), c.email) for c in analysis.contacts[:most_plans]]
    written = [patiently(lambda b=brief, e=email: write(planner, b, e, texts)) for brief, email in briefs]
    return Evaluated(score, analysis, tuple(written), not problem, problem)


def _analysed(domain: str, pages: tuple[Page, ...], client: AiClient | None) -> tuple[Analysis, str]:
    """As production does it: what a model cannot do, the rules do."""
    if client is None:
        return analyse_offline(domain, pages), ""
    try:
        return patiently(lambda: analyse_with_ai(client, domain, pages)), ""
    except AiFailed as error:
        return analyse_offline(domain, pages).model_copy(update={"usage": error.usage}), error.detail


def patiently(work: Callable[[], T], sleep: Callable[[float], None] = time.sleep) -> T:
    """Do ``work`` again while the endpoint is busy, after what it asks for, a few times.

    Raises:
        AiBusy: It still is.
    """
    for tries in range(1, _MAX_TRIES):
        try:
            return work()
        except AiBusy as busy:
            sleep(min(_MAX_WAIT_S, 2.0**tries if busy.retry_after_s is None else busy.retry_after_s))
    return work()


def total_usage(usages: Iterable[AiUsage | None]) -> AiUsage | None:
    """The sum of what is known; None if no model was asked."""
    known = [usage for usage in usages if usage is not None]
    return reduce(add, known) if known else None
