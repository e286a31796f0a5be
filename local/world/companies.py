"""Any number of fictional companies: a home page and a team page each, as static files for `SampleSites`."""

from __future__ import annotations

from pathlib import Path

_TRADES = ("joinery", "bakery", "print shop", "boatyard", "nursery", "bicycle workshop", "brewery", "pottery")
_PLACES = ("the harbour", "the old market", "the river", "the hills", "the canal", "the north gate", "the station")
_FIRST = ("Anna", "Jonas", "Marta", "Pavel", "Ines", "Oskar", "Lucia", "Henrik", "Nadia", "Tomas")
_LAST = ("Berg", "Lindqvist", "Carvalho", "Novak", "Weidmann", "Moretti", "Sandoval", "Kowalska", "Duarte", "Fischer")

_HTML = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><meta property="og:site_name" content="{name}"></head>
<body>
<nav><a href="/">Home</a> <a href="/team">Team</a></nav>
<main>
{main}
</main>
<footer><p>A fictional company, made up for a load test of Cadenza.</p></footer>
</body>
</html>
"""
_HOME = """<h1>{name}, the {trade} by {place}</h1>
<p>{name} has been a small {trade} by {place} for {years} years and works for customers of the region.</p>
<p>Most of our {orders} orders a year come from families and restaurants nearby.</p>
<p>We deliver what we make ourselves, twice a week.</p>"""
_TEAM = """<h1>Who we are</h1>
<p>{first} {last}, owner, reads every mail: {address}</p>"""


def write_companies(folder: Path, count: int) -> list[str]:
    """Make ``count`` sites under ``folder``; their host names, in order."""
    return [_write(folder, number) for number in range(1, count + 1)]


def _write(folder: Path, number: int) -> str:
    host = f"company-{number:04}.example"
    site = folder / host
    site.mkdir(parents=True)
    first, last = _FIRST[number % len(_FIRST)], _LAST[number // len(_FIRST) % len(_LAST)]
    values = {
        "name": f"Company {number:04}",
        "trade": _TRADES[number % len(_TRADES)],
        "place": _PLACES[number % len(_PLACES)],
        "years": 5 + number % 60,
        "orders": 100 + number,
        "first": first,
        "last": last,
        "address": f"{first}.{last}@{host}".lower(),
    }
    for file, title, main in (("index.html", values["name"], _HOME), ("team.html", f"Team – {values['name']}", _TEAM)):
        (site / file).write_text(_HTML.format(title=title, name=values["name"], main=main.format(**values)), "utf-8")
    return host
