"""The sample sites as the crawler meets them: real HTTP on loopback, told apart by host."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from cadenza.leads.crawler import CrawlLimits, CrawlResult, crawl
from evaluation.truth import Truth, truths
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
def serving(folder: Path) -> Generator[SampleSites]:
    """Serve the sites of ``folder``: without their truths, and with the pages that are generated."""
    with TemporaryDirectory() as made:
        root = Path(made)
        shutil.copytree(folder, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("truth.json"))
        for domain, truth in truths(folder).items():
            _add_catalogue(root / domain, domain, truth)
        with SampleSites(folder=root) as served:
            yield served


def _add_catalogue(site: Path, domain: str, truth: Truth) -> None:
    """A shop's ``/catalogue``: one page that links ``truth.catalogue`` others, each with a supplier's address."""
    numbers = range(1, truth.catalogue + 1)
    if not numbers:
        return
    page = "<!doctype html><html lang='en'><head><title>{0}</title></head><body><main><h1>{0}</h1>{1}</main>{2}</body></html>"
    note = f"<p><a href='/'>{domain}</a> A fictional company, made up for the Cadenza sample data.</p>"
    links = "".join(f"<li><a href='/part/{n}'>Bearing {n}</a></li>" for n in numbers)
    (site / "part").mkdir()
    (site / "catalogue.html").write_text(page.format("Catalogue", f"<ul>{links}</ul><p>{_FILLER * 2_000}</p>", note))
    for n in numbers:
        supplier = f"<p>Supplied by Bearing Works {n}, orders@bearingworks{n}.example</p>"
        (site / "part" / f"{n}.html").write_text(page.format(f"Bearing {n}", f"<p>{_FILLER * 20}</p>{supplier}", note))
