"""Many leads at once on the local system, with a model that is slow, limits us and breaks: what becomes of each.

First all leads come in at once: every one must be planned, no answer may be paid for twice, and the model must never
see more calls at once than the workspace allows. Then the same sites come into a second workspace, whose budget pays
for some of them only: the others must be skipped, and the budget must hold.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
from rich.console import Console
from sqlalchemy import text

from local.system import ROOT, LocalSystem
from local.world.companies import write_companies
from local.world.model import ANALYST, PLANNER, ModelService, Moods, Seen
from local.world.tidewater import OFFER, SENDER

LEADS: Final = int(os.environ.get("LEADS", "200"))
CONCURRENCY: Final = 4
LEADS_WITH_A_BUDGET: Final = 20
BUDGET_USD_MICROS: Final = 60_000
MOODS: Final = Moods(latency_s=(0.05, 0.2), limited=0.04, broken=0.02, seed=5)
PATIENCE_S: Final = 600.0
LINE_EVERY_S: Final = 5.0
LOG: Final = ROOT / ".local" / "crowd.log"

# What is where, in one look. A lead that waits for its analysis, or for its plan, is counted by the job that it waits
# for.
_LOOK: Final = text("""
    SELECT kind, status, count(*) AS jobs FROM jobs WHERE workspace_id = :id GROUP BY 1, 2
""")
_CALLS: Final = text("""
    SELECT (SELECT count(*) FROM ai_calls WHERE workspace_id = :id AND answer IS NULL) AS under_way,
           (SELECT count(*) FROM ai_usage WHERE workspace_id = :id) AS calls,
           (SELECT coalesce(sum(cost_usd_micros), 0)::bigint FROM ai_usage WHERE workspace_id = :id) AS cost
""")
_PAID: Final = text("""
    SELECT l.domain, u.purpose, count(*) AS calls FROM ai_usage u JOIN leads l ON l.id = u.lead_id
    WHERE u.workspace_id = :id AND u.outcome = 'answered' GROUP BY 1, 2
""")

Json = Mapping[str, Any]


class CrowdFailed(Exception):  # noqa: N818 - reads as what happened
    """Something is not as it must be; the text says what."""


@dataclass
class Phase:
    """One workspace with its leads, watched until all of its work has ended."""

    system: LocalSystem
    model: ModelService
    console: Console
    name: str
    hosts: Sequence[str]
    settings: Json
    workspace_id: str = ""
    started: float = field(default_factory=time.monotonic)

    def run(self) -> tuple[Counter[tuple[str, str]], Seen]:
        """Bring the leads in and wait; how the jobs ended, by kind and end, and what the model saw."""
        self.model.seen = Seen()
        workspace = self.system.create_workspace(self.name)
        self.workspace_id = workspace.workspace_id
        headers = {"Authorization": f"Bearer {workspace.api_key}"}
        with httpx2.Client(base_url=self.system.gateway.url, headers=headers, timeout=60) as api:
            self._bring_in(api)
            if not self.system.settle(self._watch(), PATIENCE_S, poll_s=0.5):
                raise CrowdFailed(f"{self.name}: not over within {PATIENCE_S:.0f} s")
            self._tell_usage(api)
        ends: Counter[tuple[str, str]] = Counter()
        for row in self._rows(
            "SELECT kind, status || CASE WHEN reason = '' THEN '' ELSE ': ' || reason END AS ended, count(*) AS jobs "
            "FROM jobs WHERE workspace_id = :id GROUP BY 1, 2"
        ):
            ends[row["kind"], row["ended"]] = row["jobs"]
        return ends, self.model.seen

    def paid(self) -> dict[tuple[str, str], int]:
        """Answers in the ledger by site and purpose."""
        with self.system.database.worker() as conn:
            rows = conn.execute(_PAID, {"id": self.workspace_id}).all()
        return {(row.domain, row.purpose): row.calls for row in rows}

    def _bring_in(self, api: httpx2.Client) -> None:
        now = api.get("/v1/automation/settings").raise_for_status().json()
        api.put("/v1/automation/settings", json={**now, **self.settings}).raise_for_status()
        sender = api.post("/v1/senders", json=SENDER).raise_for_status().json()
        # It stays a draft: plans are made, and nothing is sent.
        wanted = {"name": self.name, "kind": "ai", "sender_id": sender["id"], "brief": OFFER}
        campaign_id = api.post("/v1/campaigns", json=wanted).raise_for_status().json()["id"]
        self.console.rule(f"{self.name}: {len(self.hosts)} leads at once")
        self.started = time.monotonic()

        def add(host: str) -> None:
            lead = {"url": f"https://{host}", "campaign_id": campaign_id}
            api.post("/v1/leads", json=lead).raise_for_status()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(add, self.hosts))
        self.console.print(f"{len(self.hosts)} leads taken in after {time.monotonic() - self.started:.1f} s")

    def _watch(self) -> Callable[[], bool]:
        columns = ("queued", "crawling", "analysing", "planning", "done", "skipped", "failed", "AI calls", "AI USD")
        self.console.print("    s  " + "  ".join(f"{name:>9}" for name in columns), highlight=False)
        next_line = 0.0

        def look() -> bool:
            nonlocal next_line
            with self.system.database.worker() as conn:
                jobs = {(r.kind, r.status): r.jobs for r in conn.execute(_LOOK, {"id": self.workspace_id})}
                calls = conn.execute(_CALLS, {"id": self.workspace_id}).one()
            open_jobs = {kind: sum(jobs.get((kind, s), 0) for s in ("QUEUED", "ACTIVE")) for kind, _ in jobs}
            is_over = not any(open_jobs.values()) and sum(jobs.values()) >= len(self.hosts)
            elapsed = time.monotonic() - self.started
            if is_over or elapsed >= next_line:
                next_line = elapsed + LINE_EVERY_S
                ended = {s: sum(n for (_, status), n in jobs.items() if status == s) for s in ("SKIPPED", "FAILED")}
                figures = (
                    jobs.get(("crawl", "QUEUED"), 0),
                    jobs.get(("crawl", "ACTIVE"), 0),
                    open_jobs.get("analysis", 0),
                    open_jobs.get("planning", 0),
                    jobs.get(("planning", "COMPLETED"), 0),
                    ended["SKIPPED"],
                    ended["FAILED"],
                    f"{calls.calls}+{calls.under_way}",
                    f"{calls.cost / 1_000_000:.4f}",
                )
                line = "  ".join(f"{figure:>9}" for figure in figures)
                self.console.print(f"{elapsed:5.0f}  {line}", highlight=False)
            return is_over

        return look

    def _tell_usage(self, api: httpx2.Client) -> None:
        usage = api.get("/v1/ai/usage").raise_for_status().json()
        for item in usage["items"]:
            self.console.print(
                f"{item['purpose']:>9} by {item['model']}: {item['calls']} {item['outcome']}, "
                f"{item['cost_usd_micros'] / 1_000_000:.4f} USD",
                highlight=False,
            )
        today = usage["today"]
        if today["budget_usd_micros"] is not None:
            self.console.print(
                f"budget {today['budget_usd_micros'] / 1_000_000:.4f} USD, "
                f"spent {today['spent_usd_micros'] / 1_000_000:.4f} USD",
                highlight=False,
            )
            if today["spent_usd_micros"] > today["budget_usd_micros"]:
                raise CrowdFailed("the budget was passed")

    def _rows(self, query: str) -> list[dict[str, Any]]:
        with self.system.database.worker() as conn:
            return [dict(row) for row in conn.execute(text(query), {"id": self.workspace_id}).mappings()]


def check(phase: Phase, ends: Counter[tuple[str, str]], seen: Seen, allowed: set[str]) -> None:
    """Whatever holds for both phases.

    Raises:
        CrowdFailed: With what does not.
    """
    for (kind, end), count in sorted(ends.items()):
        phase.console.print(f"{count:5} {kind} jobs {end}", highlight=False)
    phase.console.print(
        f"the model answered {seen.answered.total()} calls, turned {seen.turned_away.total()} away, "
        f"and had {seen.most_at_once} at once at most (allowed: {CONCURRENCY})",
        highlight=False,
    )
    if other := {end for _, end in ends} - allowed:
        raise CrowdFailed(f"{phase.name}: jobs ended as {', '.join(sorted(other))}")
    if seen.twice:
        raise CrowdFailed(f"{phase.name}: asked twice: {seen.twice[:5]}")
    if twice := [key for key, calls in phase.paid().items() if calls > 1]:
        raise CrowdFailed(f"{phase.name}: paid for twice: {twice[:5]}")
    if seen.most_at_once > CONCURRENCY:
        raise CrowdFailed(f"{phase.name}: {seen.most_at_once} calls at once, {CONCURRENCY} allowed")
    if len(phase.paid()) != seen.answered.total():
        raise CrowdFailed(f"{phase.name}: {seen.answered.total()} answers given, {len(phase.paid())} in the ledger")


def run(system: LocalSystem, model: ModelService, hosts: Sequence[str], console: Console) -> None:
    """Both phases.

    Raises:
        CrowdFailed: With what is not as it must be.
    """
    flood = {"lead_stagger_s": 0, "stagger_s": 0, "ai_concurrency": CONCURRENCY}
    everybody = Phase(system, model, console, "no budget", hosts, flood)
    ends, seen = everybody.run()
    check(everybody, ends, seen, {"COMPLETED"})
    wanted = Counter({(host, schema): 1 for host in hosts for schema in (ANALYST, PLANNER)})
    if seen.answered != wanted:
        raise CrowdFailed("not every lead was analysed and planned by the model, once each")
    took_s = time.monotonic() - everybody.started

    some = {**flood, "ai_daily_budget_usd_micros": BUDGET_USD_MICROS, "offline_fallback": False}
    few = hosts[:LEADS_WITH_A_BUDGET]
    budgeted = Phase(system, model, console, f"a budget of {BUDGET_USD_MICROS / 1_000_000} USD", few, some)
    ends, seen = budgeted.run()
    check(budgeted, ends, seen, {"COMPLETED", "SKIPPED: budget"})
    if not any(end == "SKIPPED: budget" for _, end in ends):
        raise CrowdFailed("the budget stopped nothing")
    stuck = {name: depth for name, depth in system.queue_depths().items() if depth and name.endswith("DLQ")}
    if stuck:
        raise CrowdFailed(f"messages in DLQs: {stuck}")
    console.print(f"\ncrowd: ok — {len(hosts)} leads analysed and planned in {took_s:.0f} s", highlight=False)


def main() -> int:
    """Run it; 1 if something is not as it must be."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 140)
    with tempfile.TemporaryDirectory(prefix="cadenza-crowd-") as folder, ModelService(MOODS) as model:
        hosts = write_companies(Path(folder) / "sites", LEADS)
        system = LocalSystem(
            say=lambda what: console.print(f"[dim]starting: {what}[/dim]"),
            environment={"OPENAI_BASE_URL": model.base_url},
            secret={"openai_api_key": "sk-local"},
            sites_folder=Path(folder) / "sites",
        )
        try:
            with system:
                try:
                    run(system, model, hosts, console)
                except CrowdFailed:
                    LOG.write_text("\n".join(system.function_logs()), encoding="utf-8")
                    console.print(f"the functions' log: {LOG}", soft_wrap=True)
                    raise
        except CrowdFailed as failure:
            console.print(f"\n[bold red]crowd: failed[/bold red] — {failure}", soft_wrap=True)
            return 1
        except KeyboardInterrupt:
            console.print("\nstopped")
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
