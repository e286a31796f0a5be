"""Pages for the analysts' tests: inline HTML through the real reader, and the sample sites as they are served."""

from __future__ import annotations

from pathlib import Path

from cadenza.leads.model import Page
from cadenza.leads.pages import read_html

SITES = Path(__file__).parents[2] / "local" / "sites"


def page(path: str, body: str, *, domain: str = "thornbury.example", head: str = "", lang: str = "en") -> Page:
    """A page of a fictional joinery."""
    title = "<title>Thornbury Joinery</title>"
    html = f'<html lang="{lang}"><head>{title}{head}</head><body><main>{body}</main></body></html>'
    return read_html(f"https://www.{domain}/{path}", html).page


def sample_site(name: str) -> list[Page]:
    """All HTML files of a sample site, its start page first."""
    root = SITES / name
    files = sorted(root.rglob("*.html"), key=lambda file: (file.name != "index.html", str(file)))
    return [
        read_html(
            f"http://{name}/" + ("" if file.name == "index.html" else str(file.relative_to(root).with_suffix(""))),
            file.read_text(encoding="utf-8"),
        ).page
        for file in files
    ]
