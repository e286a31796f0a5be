"""Answers that are pages by their status only: forwarding ones, "not found" with HTTP 200, empty ones for scripts."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup
from bs4.filter import SoupStrainer

from cadenza.leads.model import Page

_REFRESH: Final = re.compile(r"\s*\d*(?:\.\d*)?\s*[;,]\s*(?:url\s*=)?\s*[\"']?\s*([^\"'\s>]+)", re.IGNORECASE)
_NOT_FOUND: Final = re.compile(
    r"\W*(?:(?:error|fehler|erreur|erro)\W*)?404\b"
    r"|(?:[\w ]{0,12}\b)?(?:page|site|content) (?:was |is |could )?not (?:be )?found"
    r"|\W*(?:not found|page (?:does not|doesn.t) exist|seite (?:wurde )?nicht gefunden|pagina non trovata"
    r"|page (?:introuvable|non trouv[ée]e)|p[áa]gina n[ãa]o encontrada|p[áa]gina no encontrada"
    r"|pagina niet gevonden|nie znaleziono strony)",
    re.IGNORECASE,
)
_FEW_WORDS: Final = 15
_SHORT_CHARS: Final = 1_500


def refresh_target(url: str, html: str) -> str:
    """Where ``<meta http-equiv="refresh">`` sends the visitor of ``url``, absolute; "" if nowhere else."""
    if "http-equiv" not in html.lower():
        return ""
    for meta in BeautifulSoup(html, "lxml", parse_only=SoupStrainer("meta")).find_all("meta"):
        if str(meta.get("http-equiv", "")).strip().lower() != "refresh":
            continue
        match = _REFRESH.match(str(meta.get("content", "")))
        try:
            target = urljoin(url, match[1]).partition("#")[0] if match else ""
            known = urlsplit(target).scheme in {"http", "https"}
        except ValueError:
            continue
        if known and target != url:
            return target
    return ""


def says_not_found(page: Page) -> bool:
    """Whether the page says that it is not there, whatever its status says: by its title or first line, and short."""
    if len(page.markdown) > _SHORT_CHARS or urlsplit(page.url).path in {"", "/"}:
        return False
    first = next((line.lstrip("# ") for line in page.markdown.splitlines() if line.strip()), "")
    return any(_NOT_FOUND.match(text) for text in (page.title, first))


def is_empty(page: Page) -> bool:
    """Whether the page says next to nothing, to people or to machines."""
    data = page.structured
    stated = data.json_ld or data.mail_links or data.phone_links
    return not stated and len(page.markdown.split()) < _FEW_WORDS


def needs_scripts(page: Page, html: str) -> bool:
    """Whether the page is empty until a browser runs its scripts."""
    return is_empty(page) and re.search(r"<script\b", html, re.IGNORECASE) is not None
