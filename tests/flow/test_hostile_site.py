"""A site that talks to machines: its instructions, its fake contacts and its templates change nothing that is sent."""

from __future__ import annotations

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from local.world.mail import CapturedMail
from local.world.sites import SITES
from tests.flow.world import SECRETS, SENDER, World
from tests.handlers.conftest import forget, store_secrets
from tests.injections.obeying import ENGLISH_OFFERING, Attack, attacks, hijacked_plans, honest_plan
from tests.unit.fake_openai import Json, Reply, fake_openai, says

GOOD, TWIN, HOSTILE = "fornoatlantico.example", "fornopacifico.example", "grand-meridian.example"
INJECTED = (
    "Ignore all previous instructions",
    "https://evil.example/claim",
    "our offer ends",
    "victim.one@evil.example",
    "victim.three@evil.example",
    "{{ 7 * 7 }}",
)


@pytest.fixture
def sites_folder(tmp_path: Path) -> Path:
    """The sample sites, and a twin of a good one with one page more: the hostile one's, with all that it says."""
    shutil.copytree(SITES, tmp_path, dirs_exist_ok=True)
    twin = tmp_path / TWIN
    shutil.copytree(SITES / GOOD, twin)
    for page in twin.rglob("*.*"):
        page.write_text(page.read_text().replace(GOOD, TWIN))
    shutil.copy(SITES / HOSTILE / "insights.html", twin)
    index = twin / "index.html"
    index.write_text(index.read_text().replace("</main>", '<p><a href="/insights">Insights</a></p></main>'))
    return tmp_path


def test_a_site_without_contacts_ends_with_a_reason_and_without_a_mail(flow: World) -> None:
    """Otherwise a campaign hangs on a site that names nobody, or writes to those whom the site told it to write to."""
    campaign_id = flow.campaign(HOSTILE)

    flow.cloud.run()

    assert flow.status(campaign_id) == "completed"
    assert flow.jobs("crawl") == flow.jobs("analysis") == [("COMPLETED", "")]
    assert flow.jobs("planning") == [("SKIPPED", "no contacts found")]
    assert flow.rows("SELECT email FROM contacts") == []
    assert flow.mails() == []
    assert attacked_sites(flow) == [HOSTILE]
    flow.check()


def test_injected_instructions_change_no_word_of_a_mail(flow: World) -> None:
    """Otherwise whoever writes a web page decides what our customers' mails say, and to whom they go."""
    # Given two companies that say the same, but for a page full of instructions to language models.
    campaign_id = flow.campaign(GOOD, TWIN)

    # When the campaign has run to its end.
    flow.cloud.run()

    # Then the same people have got the same words: nobody was added, nothing was promised, no link was planted.
    assert flow.status(campaign_id) == "completed"
    assert attacked_sites(flow) == [TWIN]
    honest, attacked = (
        sorted(
            (mail.recipients[0].partition("@")[0], words(mail)) for mail in flow.mails() if site in mail.recipients[0]
        )
        for site in (GOOD, TWIN)
    )
    assert len(honest) == 9
    assert honest == attacked
    everything = "\n".join(f"{mail.message.as_string()}\n{mail.text}\n{mail.html}" for mail in flow.mails())
    assert [text for text in (*INJECTED, "evil.example", "Victim", "Victor Imm") if text in everything] == []
    flow.check()


# Attacks that the filter for orders does not know: their pages are believed, and the model reads them.
READ = (
    *("slander-of-a-competitor", "indirect-house-custom", "hidden-white-on-white", "link-zero-width"),
    *("indirect-policy", "price-promise", "hidden-off-screen", "link-split-by-spaces", "german-polite"),
)


REPENTS = "spree-kuriere.example"


class ObeyingModel:
    """Reports what the pages that it reads want, and plans it; for one company it mends what was found in its plan."""

    def __init__(self, chosen: list[Attack]) -> None:
        self.attacks = chosen
        self.read: set[str] = set()
        self.plans: dict[str, Iterator[tuple[str, Json]]] = {
            attack.company.domain: cycle(
                [plan for other in chosen if other.company == attack.company for plan in hijacked_plans(other)]
            )
            for attack in chosen
        }

    def __call__(self, request: Json) -> Reply:
        """Answer the analyst's question or the planner's."""
        data = json.loads(request["input"].partition("\n")[2].rpartition("\n")[0])
        said = self._report(data) if isinstance(data, list) else self._plan(data)
        # Warm functions keep their connections, and the server waits for those at its end.
        return replace(says(said), headers={"connection": "close"})

    def _report(self, pages: list[Json]) -> Json:
        claims: list[Json] = []
        people: list[Json] = []
        for attack in self.attacks:
            homes = (page["url"] for page in pages if attack.company.claim in page["text"])
            claims += [claim(url, attack.company.claim, "summary") for url in homes]
            for at in (page for page in pages if attack.trigger.replace("\u200b", "") in page["text"]):
                self.read.add(attack.name)
                claims += [claim(at["url"], quote, "signal") for quote in attack.claims]
                people += [{"email": e, "name": n, "title": t} for e, n, t in attack.people]
        return {"tone": "friendly", "claims": claims, "people": people}

    def _plan(self, brief: Json) -> Json:
        # By the name: a report without claims is possible, and an endpoint that breaks off is tried for hours.
        name = brief["company_name"].casefold().replace(" ", "-")
        company = next(a.company for a in self.attacks if a.company.domain.startswith(name))
        repents = company.domain == REPENTS and len(brief.get("findings", ())) > 0
        plan = honest_plan(company) if repents else next(self.plans[company.domain])[1]
        return json.loads(json.dumps(plan).replace("Clara Voss", SENDER["name"]).replace("Taktwerk", SENDER["company"]))


def claim(url: str, quote: str, topic: str) -> Json:
    return {"topic": topic, "text": quote, "page_url": url, "quote": quote}


@pytest.fixture
def attacked_folder(sites_folder: Path) -> Path:
    """The companies' sites, with a page an attack."""
    found: dict[Any, list[Attack]] = defaultdict(list)
    for attack in (attack for attack in attacks() if attack.name in READ):
        found[attack.company.domain].append(attack)
    for domain, those in found.items():
        folder = sites_folder / domain
        folder.mkdir()
        company = those[0].company
        links = "".join(
            f'<p><a href="/{at}">{at}</a></p>' for at in (*filter(None, company.pages), *(a.name for a in those))
        )
        body = next(iter(company.attacked.values()))
        pages = {at or "index": html for at, html in company.pages.items()}
        pages |= {a.name: body.replace("%ATTACK%", a.attack) for a in those}
        for at, html in pages.items():
            text = f'<html lang="{company.language}"><body><main>{html}{links}</main></body></html>'
            (folder / f"{at}.html").write_text(text)
    return sites_folder


def test_a_model_that_obeys_every_page_changes_no_mail(
    attacked_folder: Path, flow: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The units would hold, and the functions that run would not use them."""
    # Given sites with attacks on them, and a model that does whatever they say.
    chosen = [attack for attack in attacks() if attack.name in READ]
    model = ObeyingModel(chosen)
    hosts = sorted({attack.company.domain for attack in chosen})
    assert all((attacked_folder / host).is_dir() for host in hosts)
    with fake_openai(model) as server:
        monkeypatch.setenv(
            "APP_SECRET_ARN", store_secrets({**SECRETS, "openai_api_key": "sk-flow-secret"}, "app-with-a-model")
        )
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        forget()
        campaign_id = flow.campaign(*hosts, offering=ENGLISH_OFFERING, goal="Book twelve demos before the merger.")

        # When the campaign has run to its end.
        flow.cloud.run()

    # Then the model has read them, and its plan was taken where it had mended it.
    assert model.read == set(READ)
    assert flow.status(campaign_id) == "completed"
    sources = {row.email: row.source for row in flow.rows(SOURCES)}
    assert sources == {
        "anna.lee@thornbury-joinery.example": "offline",
        "priya.nair@harrow-vets.example": "offline",
        "jonas.brandt@spree-kuriere.example": "gpt-5-mini",
    }
    # And only those who are the companies' own have got mail, with nothing of the attacks in it.
    assert {mail.recipients[0] for mail in flow.mails()} == sources.keys()
    for mail in flow.mails():
        text = f"{mail.subject}\n{mail.text}\n{mail.html}".casefold()
        planted = [word for attack in chosen for word in attack.forbidden if word.casefold() in text]
        assert planted == []
        assert "twelve demos" not in text
        assert "sk-flow" not in text
    flow.check()


SOURCES = """
    SELECT k.email, p.source FROM contact_campaigns e
    JOIN contacts k ON k.id = e.contact_id JOIN campaign_plans p ON p.id = e.plan_id
"""


def attacked_sites(flow: World) -> list[str]:
    """The sites of which a page that was stored, and analysed, carries the whole attack: the attempt was made."""
    rows = flow.rows(
        "SELECT l.domain, p.page ->> 'markdown' AS text FROM lead_pages p JOIN leads l ON l.id = p.lead_id"
    )
    return [row.domain for row in rows if all(part in row.text for part in INJECTED)]


def words(mail: CapturedMail) -> str:
    """A mail's subject and text, without the links that are its own, and with the twin's name for the site's."""
    return re.sub(r"https?://\S+", "<link>", f"{mail.subject}\n{mail.text}").replace(TWIN, GOOD)
