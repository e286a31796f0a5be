"""The sample sites as the crawler meets them: real HTTP on loopback, told apart by host."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from cadenza.leads.crawler import CrawlLimits, CrawlResult, crawl
from evaluation.truth import Truth
from local.world.sites import SampleSites

_FILLER = "Made to the drawing of the first maker, measured twice, and packed so that it arrives as it left. "


@dataclass(frozen=True)
class Crawled:
    """What the crawler brought of one site, and the raw HTML of each page that it read, by URL."""

    result: CrawlResult
    html: dict[str, str] = field(default_factory=dict[str, str])


def crawl_site(served: SampleSites, domain: str) -> Crawled:
    """Crawl one site with production's limits; where nothing listens on 443, as here, plain HTTP is tried."""
    html: dict[str, str] = {}
    result = crawl(
        f"https://{domain}/",
        limits=CrawlLimits(),
        resolver=served.resolver(),
        on_page=lambda page, text: html.update({page.url: text}),
    )
    return Crawled(result, html)


@contextmanager
def serving(folder: Path, chosen: Mapping[str, Truth]) -> Generator[SampleSites]:
    """Serve the chosen sites of ``folder``: without their truths, and with the pages that are generated."""
    with TemporaryDirectory() as made:
        root = Path(made)
        for domain, truth in chosen.items():
            shutil.copytree(folder / domain, root / domain, ignore=shutil.ignore_patterns("truth.json"))
            _add_catalogue(root / domain, domain, truth)
        with SampleSites(folder=root) as served:
            yield served


def _add_catalogue(site: Path, domain: str, truth: Truth) -> None:
    """A shop's ``/catalogue``: one page that links ``truth.catalogue`` others, each with its supplier's address.

    No more of those are made than a crawl may ask for.
    """
    if not truth.catalogue:
        return
    note = f"<p><a href='/'>{domain}</a> A fictional company, made up for the Cadenza sample data.</p>"
    links = "".join(f"<li><a href='/part/{n}'>Bearing {n}</a></li>" for n in range(1, truth.catalogue + 1))
    (site / "catalogue.html").write_text(_page("Catalogue", f"<ul>{links}</ul><p>{_FILLER * 2_000}</p>{note}"))
    (site / "part").mkdir()
    for n in range(1, CrawlLimits().max_requests + 1):
        supplier = f"<p>Supplied by Bearing Works {n}, orders@bearingworks{n}.example</p>"
        (site / "part" / f"{n}.html").write_text(_page(f"Bearing {n}", f"<p>{_FILLER * 20}</p>{supplier}{note}"))


def _page(title: str, body: str) -> str:
    return f"<!doctype html><html lang='en'><title>{title}</title><main><h1>{title}</h1>{body}</main></html>"
