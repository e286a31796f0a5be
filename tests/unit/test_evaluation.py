"""The evaluation: the bars hold, it can fail, and a model is scored by the same command."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cadenza.contacts.model import ContactKind, FoundContact
from cadenza.core.ai import AiBusy
from cadenza.leads.pages import decode_html
from cadenza.leads.report import Analysis, AnalysisStats, Claim, SiteReport, Topic
from evaluation import __main__ as command
from evaluation.run import Block, patiently, run_block
from evaluation.score import PRECISION_BAR, RECALL_BAR, score_site
from evaluation.table import holds
from evaluation.truth import BLOCKS, TrueContact, Truth, truths
from tests.unit.fake_openai import Reply, fake_openai, says

SITE = "harrowgate-joinery.example"
FICTIONAL = re.compile(r"fictional|erfunden|fictive|fict[ií]cia|fittizia|verzonnen", re.IGNORECASE)


@pytest.fixture(scope="module")
def blocks() -> dict[str, Block]:
    return {name: run_block(name, folder, None) for name, folder in BLOCKS.items()}


def run(*arguments: str) -> tuple[int, Any]:
    out = StringIO()
    code = command.main(arguments, Console(file=out, width=170))
    text = out.getvalue()
    return code, json.loads(text) if "--json" in arguments else text


# --- by rule -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(BLOCKS))
def test_the_offline_analyst_meets_the_bars(blocks: dict[str, Block], name: str) -> None:
    """Campaigns would go to strangers, or miss the people a site names."""
    tally = blocks[name].tally
    missed = [miss for site in blocks[name].sites for miss in site.score.misses]
    assert tally.precision >= PRECISION_BAR, missed
    assert tally.recall >= RECALL_BAR, missed
    assert tally.names_right >= 0.9 * tally.names, missed
    assert tally.kinds_right >= 0.9 * tally.correct, missed
    assert tally.languages_right == tally.sites, missed
    assert tally.claims_proved == tally.claims, missed
    assert tally.facts_held >= 0.85 * tally.facts, missed


@pytest.mark.parametrize("name", list(BLOCKS))
def test_nobody_is_reported_whom_the_truth_forbids(blocks: dict[str, Block], name: str) -> None:
    """A web agency, somebody who retired, or an attacker would get mail in the sender's name."""
    forbidden = {domain: set(truth.must_not) for domain, truth in truths(BLOCKS[name]).items()}
    for site in blocks[name].sites:
        assert not {contact.email.lower() for contact in site.analysis.contacts} & forbidden[site.score.domain]


@pytest.mark.parametrize("name", list(BLOCKS))
def test_every_contact_gets_a_plan_that_compiles_and_reads_clean(blocks: dict[str, Block], name: str) -> None:
    """Leads would be skipped, or get mail with spam words, wrong names or claims that their site does not make."""
    plans = blocks[name].plans
    assert plans.plans == blocks[name].tally.found > 0
    assert (plans.first_try, plans.unusable, plans.compile_errors, plans.lint_errors) == (plans.plans, 0, 0, 0)
    assert 0 < plans.quotes == plans.quotes_proved


def test_the_sites_are_as_varied_as_they_claim_and_all_fictional(blocks: dict[str, Block]) -> None:
    """The score would be about one kind of site, or somebody would take a made-up company for a real one."""
    sites = {site.score.domain: site for site in blocks["sites"].sites}
    assert len(sites) >= 14
    assert len({truth.language for truth in truths(BLOCKS["sites"]).values()}) >= 7
    assert sites["tollgate-parts.example"].score.tally.pages == 10  # of thousands: six of a shape are enough
    assert sites["northlight-labs.example"].analysis.contacts == ()  # drawn by a script
    assert sites["clearwater-advisory.example"].analysis.stats.pages_set_aside == 1  # gives orders
    for folder in BLOCKS.values():
        for page in folder.rglob("*.html"):
            assert FICTIONAL.search(decode_html(page.read_bytes())), page


# --- it can fail -------------------------------------------------------------------------------------------------

TRUTH = Truth(
    language="en",
    country="GB",
    company="Thornbury",
    contacts=(TrueContact(email="anna@thornbury.example", kind="person", name="Anna Lee", title="Owner"),),
    must_not={"web@agency.example": "the web agency's"},
    facts=("We build stairs",),
)
URL = "http://thornbury.example/"


def analysis(*contacts: FoundContact, quote: str = "We build stairs by hand.") -> Analysis:
    claim = Claim(topic=Topic.SUMMARY, text=quote, page_url=URL, quote=quote)
    report = SiteReport(domain="thornbury.example", company_name="Thornbury", language="en", claims=(claim,))
    return Analysis(report=report, contacts=contacts, stats=AnalysisStats(), analyst="x", version="x")


def contact(email: str, name: str = "", title: str = "") -> FoundContact:
    kind = ContactKind.PERSON if name else ContactKind.GENERIC
    return FoundContact(email=email, kind=kind, role_rank=1, name=name, title=title, page_url=URL, quote=email)


def test_misses_inventions_and_wrong_names_cost() -> None:
    """An evaluation that praises whatever it is given would keep nothing from getting worse."""
    html = {URL: "<p>We build stairs by&nbsp;hand.</p>"}
    none = score_site("thornbury.example", TRUTH, analysis(), html, 0.0)
    assert (none.tally.recall, none.tally.holds, none.tally.claims_proved, none.tally.facts_held) == (0.0, False, 1, 1)
    assert "anna@thornbury.example was missed" in none.misses
    found = analysis(contact("Anna@thornbury.example", "Ann Lee", "Owner"), contact("web@agency.example"), quote="No.")
    wrong = score_site("thornbury.example", TRUTH, found, html, 0.0)
    assert (wrong.tally.precision, wrong.tally.recall) == (0.5, 1.0)
    assert (wrong.tally.names_right, wrong.tally.titles_right, wrong.tally.claims_proved) == (0, 1, 0)
    assert "web@agency.example is the web agency's" in wrong.misses
    assert "anna@thornbury.example: the name is 'Anna Lee', not 'Ann Lee'" in wrong.misses
    right = score_site("thornbury.example", TRUTH, analysis(contact("anna@thornbury.example", "Anna Lee")), html, 0.0)
    assert right.tally.holds


def test_the_command_fails_and_says_which_contact_was_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make eval` in a pipeline would stay green while people get lost."""
    shutil.copytree(BLOCKS["sites"] / SITE, tmp_path / SITE)
    truth = json.loads((tmp_path / SITE / "truth.json").read_text())
    truth["contacts"] += [{"email": f"nobody{n}@{SITE}", "kind": "shared"} for n in range(3)]
    (tmp_path / SITE / "truth.json").write_text(json.dumps(truth))
    monkeypatch.setattr(command, "BLOCKS", {"broken": tmp_path})
    code, text = run("--offline")
    assert code == 1
    assert f"nobody2@{SITE} was missed" in text
    assert "FAILS" in text
    assert run("--offline", "--site", "no-such-site")[0] == 2


# --- with a model ------------------------------------------------------------------------------------------------


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(url: str) -> None:
        for name, value in {"API_KEY": "key", "BASE_URL": url, "MODEL": "gpt-5-mini"}.items():
            monkeypatch.setenv(f"OPENAI_{name}", value)

    return use


def report_of(*quotes: str, people: tuple[Mapping[str, str], ...] = ()) -> Reply:
    claims = [{"topic": "summary", "text": q, "page_url": f"http://{SITE}/", "quote": q} for q in quotes]
    return says({"tone": "neutral", "claims": claims, "people": list(people)})


def draft(body: str) -> Reply:
    def node(name: str, *ways: tuple[str, str, str | None], text: str = "") -> dict[str, object]:
        action = "send" if text else "stop"
        transitions = [{"on": on, "to": to, "within": None, "after": after} for on, to, after in ways]
        return {
            "id": name, "action": action, "delay": "PT0S", "subject": "Routes" if text else "", "body": text,
            "transitions": transitions,
        }  # fmt: skip

    first = node("first", ("replied", "stop", None), ("no_reply", "stop", "P5D"), text=body)
    return says({"start_node_id": "first", "nodes": [first, node("stop")]})


GOOD = (
    "Hello,\n\nwe plan delivery and service routes. Would a short call make sense?\n\nNora Lindqvist\nTidewater Routing"
)
TRUE = "We make staircases, sash windows and panelled doors by hand for homeowners, architects and heritage builders \
across Yorkshire."


def test_a_models_claims_plans_and_cost_are_scored(model: Any) -> None:
    """Whoever chooses a model could not see what it gets right, what it makes up, and what it costs."""
    plans = iter([draft(GOOD), draft(GOOD.replace("Would", "We saved you 40 % already. Would")), draft(GOOD)])

    def script(body: dict[str, Any]) -> Reply:
        if "<pages-" not in body["input"]:
            return next(plans)
        invented = {"email": f"ceo@{SITE}", "name": "Max Power", "title": "CEO"}
        return report_of(TRUE, "We are the market leader in Europe.", people=(invented,))

    with fake_openai(script) as server:
        model(server.url)
        code, (block,) = run("--json", "--site", "harrowgate", "--plans", "2")
    assert code == 0
    (site,) = block["sites"]
    assert site["analyst"] == "gpt-5-mini"
    evidence = site["evidence"]
    assert (evidence["claims_proposed"], evidence["claims_kept"], evidence["claims_dropped"]) == (2, 1, 1)
    assert (site["claims"], site["claims_proved"], block["recall"], block["precision"]) == (1, 1, 1.0, 1.0)
    assert (block["plans"]["first_try"], block["plans"]["repaired"], block["plans"]["unusable"]) == (1, 1, 0)
    assert (block["usage"]["calls"], block["usage"]["input_tokens"]) == (4, 4_000)
    assert block["usage"]["cost_usd_micros"] > 0


@pytest.mark.parametrize("nonsense", ["pancakes", '{"tone": 7}', "[]"])
def test_a_model_that_answers_nonsense_is_shown_as_such(model: Any, nonsense: str) -> None:
    """A broken endpoint would end the evaluation, or pass for a good one."""
    with fake_openai(lambda _: Reply(nonsense)) as server:
        model(server.url)
        code, (block,) = run("--json", "--site", "harrowgate", "--plans", "2")
        _, text = run("--site", "harrowgate", "--plans", "1")
    assert code == 0  # the rules stood in
    assert (block["sites"][0]["analyst"], block["recall"]) == ("offline", 1.0)
    assert (block["plans"]["unusable"], block["plans"]["first_try"]) == (2, 0)
    assert "the model gave no report" in text
    assert "reports for 0 of 1 sites" in text


def test_an_endpoint_that_stays_busy_ends_the_run(model: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback would be all there is to see, or an evening of waiting."""
    busy = Reply(status=429, headers={"retry-after": "0"})
    with fake_openai(lambda _: busy) as server:
        model(server.url)
        assert command.main(["--site", "harrowgate"]) == 2
    assert "429" in capsys.readouterr().err
    assert len(server.requests) == 4


def test_a_busy_endpoint_is_asked_again_after_what_it_asks_for() -> None:
    """One rate limit would throw a paid run away."""
    waits: list[float] = []
    troubles = iter([AiBusy("later", 7.0), AiBusy("later"), AiBusy("much later", 900.0)])

    def work() -> str:
        if (trouble := next(troubles, None)) is not None:
            raise trouble
        return "done"

    assert patiently(work, waits.append) == "done"
    assert waits == [7.0, 4.0, 60.0]


def test_holds_is_about_the_block(blocks: dict[str, Block]) -> None:
    """The exit code would not be what the table says."""
    assert all(holds(block) for block in blocks.values())
