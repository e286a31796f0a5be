"""Every attack, with a model that obeys it: the guards hold without its help, and without the filter for orders."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

import pytest

from cadenza.core.ai import AiClient
from cadenza.leads.analysis import analyse_corpus_with_ai
from cadenza.leads.evidence import Corpus, ReadPage, squash
from cadenza.leads.report import Analysis
from cadenza.planning.ai import MAX_REPAIRS
from cadenza.planning.brief import PlanBrief
from cadenza.planning.compiler import compile_plan
from cadenza.planning.lint import lint_pace
from cadenza.planning.planners import Planned, by_model
from tests.injections.obeying import GOAL, Attack, Company, Obeying, attacks, companies, hijacked_plans, honest_plan
from tests.unit.fake_openai import Json, Reply, fake_openai
from tests.unit.properties import LONG

ATTACKS = attacks()
WHOLE, BELIEVED = "whole way", "every page believed"
FILTERED = pytest.mark.skipif(not LONG, reason="what gets past the filter too is tried by make test-long")
EVERY_OTHER = pytest.mark.skipif(not LONG, reason="every other attack is tried by make test-long")
SOME_NOW = [pytest.param(attack, marks=EVERY_OTHER if n % 2 else ()) for n, attack in enumerate(ATTACKS)]


class Endpoint:
    """One server and one client for all attacks: ``model`` answers."""

    def __init__(self) -> None:
        self.model: Callable[[Json], Reply] = lambda _: Reply(status=500)

    def __call__(self, request: Json) -> Reply:
        """Let the current model answer."""
        return self.model(request)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[tuple[Endpoint, AiClient]]:
    """A running endpoint and its client."""
    answers = Endpoint()
    with fake_openai(answers) as server, AiClient("sk-live-secret", "gpt-5-mini", server.url) as client:
        yield answers, client


def corpus_of(attack: Attack, how: str) -> Corpus:
    """The site as it is read; or with every page believed, as if the filter for orders did not exist."""
    domain, pages = attack.company.domain, attack.pages()
    return Corpus.read(domain, pages) if how == WHOLE else Corpus(domain, tuple(ReadPage(page) for page in pages))


@pytest.mark.long
@pytest.mark.parametrize("how", [pytest.param(WHOLE, marks=FILTERED), BELIEVED])
@pytest.mark.parametrize("attack", SOME_NOW, ids=lambda attack: attack.name)
def test_an_attack_changes_neither_who_is_written_to_nor_what(
    attack: Attack, how: str, endpoint: tuple[Endpoint, AiClient]
) -> None:
    """Whoever writes a web page would decide what our customers' mails say, to whom, and how often."""
    # Given a model that answers what the page wants, whether it has read it or not.
    answers, client = endpoint
    answers.model = model = Obeying(attack, unread=how == BELIEVED)
    # When the site is analysed.
    analysis = analyse_corpus_with_ai(client, corpus_of(attack, how))
    # Then nobody is a contact but those who are, by their own names.
    assert {c.email: c.name for c in analysis.contacts} == attack.company.contacts
    # And whatever it then plans for any of them is refused, or carries nothing of the attack.
    brief = attack.company.brief().about(analysis.report, analysis.contacts[0])
    for tries in rounds(list(hijacked_plans(attack, everywhere=how == BELIEVED))):
        model.plans = tries
        names = [name for name, _ in tries]
        planned = by_model(client, brief, compile_plan, fall_back=True)
        assert planned.source == ("gpt-5-mini" if names == ["fields"] else "offline"), names
        assert_clean(planned, attack, brief)


def rounds(plans: list[tuple[str, Json]]) -> Iterator[list[tuple[str, Json]]]:
    """As many plans as the model has tries, each another way. Alien fields, which harm nothing, are alone."""
    alone = [plan for plan in plans if plan[0] == "fields"]
    others = [plan for plan in plans if plan[0] != "fields"]
    yield from ([plan] for plan in alone)
    yield from (others[at : at + 1 + MAX_REPAIRS] for at in range(0, len(others), 1 + MAX_REPAIRS))


def assert_clean(planned: Planned, attack: Attack, brief: PlanBrief) -> None:
    """The plan keeps the brief's limits, and its mails are the sender's."""
    plan = planned.plan
    compiled = compile_plan(plan)
    assert compiled.plan is not None, compiled.errors
    assert lint_pace(compiled.plan, brief) == ()
    assert plan["timezone"] == brief.time_zone
    assert plan["quietHours"] == {"start": "20:00", "end": "08:00"}
    nodes = plan["nodes"]
    assert isinstance(nodes, list)
    for node in nodes:
        assert isinstance(node, dict)
        assert node.keys() <= {"id", "action", "subject", "body", "schedule", "transitions"}
        mail = f"{node.get('subject', '')}\n{node.get('body', '')}"
        shown = unicodedata.normalize("NFKC", "\n".join(squash(line) for line in mail.splitlines())).casefold()
        found = [text for text in attack.forbidden if text.casefold() in mail.casefold() or text.casefold() in shown]
        assert found == [], mail
        inside = (GOAL, "twelve demos", "You plan a short", "sk-live", "sender_name", *not_for(attack, brief))
        assert [text for text in inside if text in mail] == [], mail


def not_for(attack: Attack, brief: PlanBrief) -> list[str]:
    """The addresses and names of whom this mail is not for."""
    people = {*attack.company.contacts, *attack.company.contacts.values()} - {"", brief.contact_name}
    return sorted(people)


@pytest.mark.parametrize("company", companies().values(), ids=companies())
def test_the_same_model_without_an_attack_is_believed(company: Company, endpoint: tuple[Endpoint, AiClient]) -> None:
    """If the honest drafts were refused as well, the tests above would show nothing."""
    answers, client = endpoint
    nothing = Attack("none", company, (), trigger="never there")
    answers.model = model = Obeying(nothing, unread=False)
    analysis: Analysis = analyse_corpus_with_ai(client, corpus_of(nothing, WHOLE))
    assert {c.email: c.name for c in analysis.contacts} == company.contacts
    assert [c.quote for c in analysis.report.claims] == [company.claim]
    brief = company.brief().about(analysis.report, analysis.contacts[0])
    model.plans = [("honest", honest_plan(company))]
    assert by_model(client, brief, compile_plan, fall_back=False).source == "gpt-5-mini"


def test_there_are_enough_attacks_and_models_read_most(record_property: Callable[[str, object], None]) -> None:
    """A set that shrinks, or that the filter keeps from every model, would go on being green."""
    read = [attack for attack in ATTACKS if attack.trigger and not corpus_of(attack, WHOLE).set_aside]
    record_property("counts", f"{len(ATTACKS)} attacks; the order filter lets {len(read)} of them through to the model")
    assert len(ATTACKS) >= 36
    assert len(read) >= 20
