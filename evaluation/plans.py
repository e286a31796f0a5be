"""Plans for the contacts that were found: do they compile, what does the linter say, do their quotes stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final

from pydantic import JsonValue

from cadenza.campaigns.mail_plans import compile_for_mail
from cadenza.contacts.model import FoundContact
from cadenza.core.ai import AiClient, AiFailed, AiUsage
from cadenza.leads.report import SiteReport
from cadenza.planning.ai import errors_of, plan_with_ai
from cadenza.planning.brief import PlanBrief
from cadenza.planning.lint import LintCode
from cadenza.planning.offline import plan_offline

_OFFERINGS: Final[Mapping[str, str]] = {
    "en": "We plan delivery and service routes for small fleets. Most teams save a few hours of driving a week.",
    "de": "Wir planen Liefer- und Servicetouren für kleine Fuhrparks. Die meisten sparen jede Woche ein paar Stunden.",
    "fr": "Nous planifions les tournées des petites flottes. La plupart des équipes y gagnent quelques heures.",
    "es": "Planificamos las rutas de flotas pequeñas. La mayoría de los equipos ahorra unas horas de viaje por semana.",
    "pt": "Planeamos as rotas de pequenas frotas. A maioria das equipas poupa algumas horas de condução por semana.",
    "it": "Pianifichiamo i giri di consegna delle piccole flotte. Di solito si risparmia qualche ora alla settimana.",
    "nl": "Wij plannen routes voor kleine wagenparken. De meeste teams besparen een paar uur rijden per week.",
}
_QUOTED = re.compile(r"[“„«]\s?([^“”„«»]{8,}?)(?:\s?…)?\s?[”“»]")


@dataclass(frozen=True)
class PlanTally:
    """How the plans came out. ``quotes`` are passages in quotation marks, ``quotes_proved`` those that the site has."""

    plans: int = 0
    first_try: int = 0
    repaired: int = 0
    unusable: int = 0
    compile_errors: int = 0
    lint_errors: int = 0
    mails: int = 0
    quotes: int = 0
    quotes_proved: int = 0

    def __add__(self, other: PlanTally) -> PlanTally:
        return PlanTally(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    @property
    def holds(self) -> bool:
        """Whether every plan can be used and every quotation is proved."""
        return self.unusable == 0 and self.quotes == self.quotes_proved


@dataclass(frozen=True)
class Written:
    """One contact's plan, or why there is none."""

    email: str
    tally: PlanTally
    mails: tuple[tuple[str, str], ...] = ()
    problem: str = ""
    usage: AiUsage | None = None


Planner = Callable[[PlanBrief], tuple[dict[str, JsonValue], AiUsage | None]]
"""A plan that has no errors and what it took, or `AiFailed`."""


def by_model(client: AiClient) -> Planner:
    """The planner with a model: its usage counts the tries."""

    def plan(brief: PlanBrief) -> tuple[dict[str, JsonValue], AiUsage | None]:
        made = plan_with_ai(client, brief, compile_for_mail)
        return made.plan, made.usage

    return plan


def by_rule(brief: PlanBrief) -> tuple[dict[str, JsonValue], AiUsage | None]:
    """The offline planner, unchecked: what is wrong with its plans is what is measured."""
    return plan_offline(brief), None


def brief_for(report: SiteReport, contact: FoundContact) -> PlanBrief:
    """A fictional sender's brief, in the recipient's language where the sender speaks it."""
    sender = PlanBrief(
        sender_name="Nora Lindqvist",
        sender_company="Tidewater Routing",
        offering=_OFFERINGS.get(report.language, _OFFERINGS["en"]),
        goal="a short first conversation",
        link="https://tidewater-routing.example/how-it-works",
        company_name=report.company_name,
    )
    return sender.about(report, contact)


def write(planner: Planner, brief: PlanBrief, email: str, pages: Iterable[str]) -> Written:
    """Let a planner write for one contact and judge it: by the compiler, the linter, and the pages' text."""
    try:
        plan, usage = planner(brief)
    except AiFailed as error:
        return Written(email, PlanTally(plans=1, unusable=1), problem=error.detail, usage=error.usage)
    errors = errors_of(plan, brief, compile_for_mail)
    lint = [error for error in errors if error.code in set(LintCode)]
    mails = tuple(_mails(plan))
    quotes = [quote for _, body in mails for quote in _QUOTED.findall(body)]
    text = _dense(" ".join(pages))
    tries = usage.calls if usage is not None else 1
    tally = PlanTally(
        plans=1,
        first_try=not errors and tries == 1,
        repaired=not errors and tries > 1,
        unusable=bool(errors),
        compile_errors=len(errors) - len(lint),
        lint_errors=len(lint),
        mails=len(mails),
        quotes=len(quotes),
        quotes_proved=sum(_dense(quote) in text for quote in quotes),
    )
    return Written(email, tally, mails, "; ".join(f"{error.code}: {error.message}" for error in errors), usage)


def _mails(plan: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    nodes = plan["nodes"]
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, dict) and "body" in node:
            yield str(node["subject"]), str(node["body"])


def _dense(text: str) -> str:
    return re.sub(r"\W+", "", text).casefold()
