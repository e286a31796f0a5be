"""The main job on one machine: three sites go in, campaigns come out, people react, everything is shown and checked."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import httpx2
from rich.console import Console
from rich.table import Table

from cadenza.campaigns import invariants
from cadenza.core.clock import utc_now
from local.mailcheck import RFCS, check_mails
from local.system import ROOT, LocalSystem
from local.world.mail import CapturedMail
from local.world.recipients import Recipients
from local.world.tidewater import OFFER, SENDER

PATIENCE_S: Final = 100.0
"""How long the campaign may take; on two cores it takes about a quarter of that."""

CADENCE: Final = {
    "no_open_after": "PT5S",
    "follow_up_after": "PT3S",
    "interested_after": "PT2S",
    "give_up_after": "PT3S",
    "max_emails": 3,
}
"""Days are seconds here: the same timers, shorter."""

BRIEF: Final = {
    **OFFER,
    "cadence": CADENCE,
}

REVIEWED: Final = 2
"""Nothing leaves before somebody has approved so many of the plans; then the others go by themselves."""

Json = Mapping[str, Any]


LOG: Final = ROOT / ".local" / "demo.log"
MAILS: Final = ROOT / ".local" / "mail"


class DemoFailed(Exception):  # noqa: N818 - reads as what happened
    """Something is not as it must be; the text says what."""


# --- the people who get the mails --------------------------------------------------------------------------------


def _keen(people: Recipients, mail: CapturedMail, nth: int) -> None:
    people.delivered(mail)
    if nth == 1:
        people.open(mail)
        people.click(mail)
    else:
        people.replied(mail)


def _silent(people: Recipients, mail: CapturedMail, nth: int) -> None:  # noqa: ARG001 - one signature for all
    people.delivered(mail)


def _gone(people: Recipients, mail: CapturedMail, nth: int) -> None:  # noqa: ARG001
    people.bounced(mail, hard=True)


def _annoyed(people: Recipients, mail: CapturedMail, nth: int) -> None:  # noqa: ARG001
    people.open(mail)
    people.unsubscribe(mail)


def _reader(people: Recipients, mail: CapturedMail, nth: int) -> None:  # noqa: ARG001
    people.delivered(mail)
    people.open(mail)


def _twice(people: Recipients, mail: CapturedMail, nth: int) -> None:
    """Everything is reported twice, the absence and the reply too: the second report must change nothing."""
    for _ in range(2):
        people.delivered(mail, report_id=f"{mail.message_id}-delivered")
        if nth == 1:
            people.away(mail, utc_now().date(), reply_id=f"{mail.message_id}-away")
        else:
            people.replied(mail, reply_id=f"{mail.message_id}-reply")


PERSONAS: Final[Mapping[str, tuple[str, Callable[[Recipients, CapturedMail, int], None]]]] = {
    "ines.duarte@fornoatlantico.example": ("opens, clicks, then replies", _keen),
    "marta.figueira@fornoatlantico.example": ("never opens", _silent),
    "rui.carvalho@fornoatlantico.example": ("has left: the mail bounces", _gone),
    "jonas.weidmann@spreekargo.example": ("opens and unsubscribes", _annoyed),
    "leyla.arslan@spreekargo.example": ("opens, and no more", _reader),
    "priya.nair@spreekargo.example": (
        "was away until today; replies to the second mail; everything is reported twice",
        _twice,
    ),
}


@dataclass
class Cast:
    """Plays the recipients as their mails come in."""

    people: Callable[[], Recipients]
    lock: threading.Lock = field(default_factory=threading.Lock)
    seen: dict[str, int] = field(default_factory=dict[str, int])

    def react(self, mail: CapturedMail) -> None:
        """Called by the mail capture, on a thread of its own, once the mail has been taken."""
        address = _address(mail)
        with self.lock:
            nth = self.seen[address] = self.seen.get(address, 0) + 1
        _, act = PERSONAS.get(address, ("", _silent))
        people = self.people()
        people.sent(mail)
        act(people, mail, nth)


# --- the run -----------------------------------------------------------------------------------------------------


class Demo:
    """One run against a started system."""

    def __init__(self, system: LocalSystem, console: Console) -> None:
        self.system = system
        self.console = console
        self.started = time.monotonic()
        workspace = system.create_workspace("Demo")
        self.api_key = workspace.api_key
        self.api = httpx2.Client(
            base_url=system.gateway.url, headers={"Authorization": f"Bearer {workspace.api_key}"}, timeout=60
        )

    def run(self) -> None:
        """Everything, in order.

        Raises:
            DemoFailed: With what broke.
        """
        campaign_id = self._begin()
        self._review()
        self._watch(campaign_id)
        enrolments = self._items(f"/v1/enrolments?campaign_id={campaign_id}")
        self._show_timelines(enrolments)
        self._show_mails()
        self._show_jobs()
        self._show_queues()
        self._check(campaign_id, enrolments)

    def close(self) -> None:
        """Close the API client."""
        self.api.close()

    def _begin(self) -> str:
        sender = self._post("/v1/senders", SENDER)
        settings = self._get("/v1/automation/settings")
        # People here react within the second, which elsewhere only scanners do.
        self._answer(self.api.put("/v1/automation/settings", json={**settings, "stagger_s": 1, "scan_window_s": 0}))
        wanted = {"name": "Demo", "kind": "ai", "sender_id": sender["id"], "brief": BRIEF}
        wanted |= {"approval_mode": "review_first", "approval_first_n": REVIEWED}
        campaign_id = str(self._post("/v1/campaigns", wanted)["id"])
        for host in self.system.sites.hosts:
            lead = self._post("/v1/leads", {"url": f"https://{host}", "campaign_id": campaign_id})
            self._progress(f"lead {lead['domain']} taken in")
        self._post(f"/v1/campaigns/{campaign_id}/start", {})
        return campaign_id

    def _review(self) -> None:
        """Look at the first plans as a person would: one gets another subject, and then they go."""
        drafts: list[Json] = []

        def look() -> bool:
            drafts[:] = self._items("/v1/approvals")[:REVIEWED]
            return len(drafts) == REVIEWED

        if not self.system.settle(look, PATIENCE_S):
            raise DemoFailed(f"there is no plan to approve within {PATIENCE_S:.0f} s")
        if self.system.mail.captured:
            raise DemoFailed("a mail has left before anything was approved")
        self._reword(drafts[0])
        for draft in drafts:
            self._post(f"/v1/enrolments/{draft['id']}/approve", {})
            self._progress(f"plan for {draft['contact']['email']} approved: {draft['subject']}")

    def _reword(self, draft: Json) -> None:
        read = self.api.get(f"/v1/enrolments/{draft['id']}/plan")
        plan = dict(self._answer(read)["plan"])
        first, *others = plan["nodes"]
        plan["nodes"] = [{**first, "subject": f"{first['subject']} (as reworded)"}, *others]
        headers = {"If-Match": read.headers["etag"]}
        self._answer(self.api.put(f"/v1/enrolments/{draft['id']}/plan", json={"plan": plan}, headers=headers))
        self._progress(f"plan for {draft['contact']['email']} given another subject")

    def _watch(self, campaign_id: str) -> None:
        """Tell what changes until the campaign is complete."""
        told: set[str] = set()
        mails = 0

        def look() -> bool:
            nonlocal mails
            for lead in self._items("/v1/leads"):
                line = f"lead {lead['domain']}: {lead['status']}"
                if line not in told:
                    told.add(line)
                    self._progress(line)
            captured = list(self.system.mail.captured)
            for mail in captured[mails:]:
                self._progress(f"mail {mail.number} to {_address(mail)}: {mail.subject}")
            mails = len(captured)
            status = str(self._get(f"/v1/campaigns/{campaign_id}")["status"])
            return status != "running"

        if not self.system.settle(look, PATIENCE_S, poll_s=0.5):
            self._show_jobs()
            self._show_queues()
            raise DemoFailed(f"the campaign did not complete within {PATIENCE_S:.0f} s")
        status = self._get(f"/v1/campaigns/{campaign_id}")["status"]
        if status != "completed":
            raise DemoFailed(f"the campaign is {status}, not completed")
        self._progress("campaign completed")

    # --- what is shown -------------------------------------------------------------------------------------------

    def _show_timelines(self, enrolments: list[Json]) -> None:
        self.console.rule("what happened, person by person (times in UTC)")
        for enrolment in enrolments:
            address = str(enrolment["contact"]["email"])
            about, _ = PERSONAS.get(address, ("", _silent))
            self.console.print(f"\n[bold]{enrolment['contact']['name']}[/bold] <{address}> ({about})")
            table = Table(box=None, pad_edge=False, show_header=False)
            for column in ("at", "kind", "node", "detail"):
                table.add_column(column, overflow="fold")
            for entry in self._items(f"/v1/enrolments/{enrolment['id']}/timeline"):
                at = datetime.fromisoformat(str(entry["at"])).strftime("%H:%M:%S.%f")[:-4]
                table.add_row(at, str(entry["kind"]), str(entry["node"] or ""), _detail(entry))
            self.console.print(table)
            self.console.print(f"→ {enrolment['status']}: {enrolment['reason'] or 'end of the plan'}")

    def _show_mails(self) -> None:
        self.console.rule("mails as they left")
        captured = self.system.mail.captured
        for mail in captured:
            self.console.print(f"{mail.number:3} → {_address(mail)}: {mail.subject}", highlight=False)
        if captured:
            first = captured[0]
            self.console.print(f"\n[bold]mail {first.number} in full[/bold] (headers and text part)")
            for name, value in first.message.items():
                self.console.print(f"{name}: {value}", highlight=False, markup=False)
            self.console.print(f"\n{first.text}", highlight=False, markup=False)

    def _show_jobs(self) -> None:
        self.console.rule("job ledger")
        known = {lead["id"]: lead["domain"] for lead in self._items("/v1/leads")}
        known |= {contact["id"]: contact["email"] for contact in self._items("/v1/contacts")}
        table = Table(box=None, pad_edge=False)
        for column in ("kind", "about", "status", "attempt", "reason or result"):
            table.add_column(column, overflow="fold")
        for job in self._items("/v1/jobs"):
            outcome = job["reason"] or ", ".join(f"{k} {v}" for k, v in job["result"].items() if not k.endswith("_id"))
            about = known.get(job["contact_id"]) or known.get(job["lead_id"]) or ""
            table.add_row(job["kind"], about, job["status"], str(job["attempt"]), outcome)
        self.console.print(table)

    def _show_queues(self) -> None:
        self.console.rule("queues and DLQs (messages waiting, in flight or delayed)")
        for name, depth in self.system.queue_depths().items():
            self.console.print(f"{depth:5}  {name}", highlight=False)

    # --- what must hold ------------------------------------------------------------------------------------------

    def _check(self, campaign_id: str, enrolments: list[Json]) -> None:
        self.console.rule("invariants")
        with self.system.database.worker() as conn:
            findings = invariants.check(conn, utc_now())
        for finding in findings:
            mark = "ok" if not finding.violations else f"BROKEN {finding.violations} times"
            self.console.print(f"{finding.name}: {mark} ({finding.checked} checked) — {finding.statement}")
        broken = [finding.name for finding in findings if finding.violations]
        if broken:
            raise DemoFailed(f"broken: {', '.join(broken)}")
        ids = [mail.message_id for mail in self.system.mail.captured]
        if len(ids) != len(set(ids)):
            raise DemoFailed("a message left twice (I1)")
        if any("evil.example" in mail.message.as_string() for mail in self.system.mail.captured):
            raise DemoFailed("something of the prompt-injection page is in a mail")
        files = sorted(MAILS.glob("*.eml"))
        broken_mails = [(mail.file.name, *mail.problems) for mail in check_mails(files, is_local=True) if mail.problems]
        if broken_mails or len(files) != len(ids):
            raise DemoFailed(f"mails that are not as {RFCS} want them: {broken_mails}")
        self.console.print(f"\n{len(files)} mails checked against {RFCS}: ok", highlight=False)
        stuck = {name: depth for name, depth in self.system.queue_depths().items() if depth and name.endswith("DLQ")}
        if stuck:
            raise DemoFailed(f"messages in DLQs: {stuck}")
        seconds = time.monotonic() - self.started
        self.console.print(
            f"\ndemo: ok — {len(self.system.sites.hosts)} sites, {len(enrolments)} people, {len(ids)} mails, "
            f"campaign {campaign_id} completed in {seconds:.0f} s",
            highlight=False,
            soft_wrap=True,
        )

    # --- plumbing ------------------------------------------------------------------------------------------------

    def _progress(self, line: str) -> None:
        self.console.print(f"[dim]{time.monotonic() - self.started:5.1f} s[/dim]  {line}", highlight=False)

    def _post(self, path: str, body: Json) -> Json:
        return self._answer(self.api.post(path, json=body))

    def _get(self, path: str) -> Json:
        return self._answer(self.api.get(path))

    def _items(self, path: str) -> list[Json]:
        return list(self._get(path)["items"])

    def _answer(self, response: httpx2.Response) -> Json:
        if response.is_error:
            raise DemoFailed(f"{response.request.method} {response.request.url.path}: {response.text}")
        return response.json()


def _address(mail: CapturedMail) -> str:
    return mail.recipients[0] if mail.recipients else ""


def _detail(entry: Json) -> str:
    why: list[object] = entry.get("why") or []
    detail: dict[str, object] = entry.get("detail") or {}
    return "; ".join([*(f"{key} {value}" for key, value in detail.items() if value not in ("", None)), *map(str, why)])


def main() -> int:
    """Run the demo; ``KEEP=1`` in the environment leaves everything running until Ctrl-C (or SIGTERM).

    ``CORS_ORIGINS`` names, with blanks between them, whose pages may call the API from a browser.
    """
    # Whoever started us may have had them ignored (a shell does, for its background jobs).
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(soft_wrap=False, width=None if sys.stdout.isatty() else 140)
    holder: list[LocalSystem] = []
    cast = Cast(lambda: holder[0].recipients)
    system = LocalSystem(
        on_mail=cast.react,
        say=lambda what: console.print(f"[dim]starting: {what}[/dim]"),
        mail_folder=MAILS,
        cors_origins=os.environ.get("CORS_ORIGINS", "").split(),
    )
    holder.append(system)
    try:
        with system:
            demo = Demo(system, console)
            try:
                try:
                    demo.run()
                except DemoFailed:
                    LOG.write_text("\n".join(system.function_logs()), encoding="utf-8")
                    console.print(f"the functions' log: {LOG}", soft_wrap=True)
                    raise
                if os.environ.get("KEEP") == "1":
                    _keep(demo, console)
            finally:
                demo.close()
    except DemoFailed as failure:
        console.print(f"\n[bold red]demo: failed[/bold red] — {failure}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nstopped")
        return 130
    return 0


def _keep(demo: Demo, console: Console) -> None:
    system = demo.system
    console.rule("still running; Ctrl-C stops everything")
    socket_folder = system.postgres.folder
    account = "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1"
    for line in (
        f"command   export CADENZA_URL={system.gateway.url} CADENZA_API_KEY={demo.api_key}",
        f"          {sys.prefix}/bin/cadenza campaign list   (docs/client.md)",
        f"API       curl -H 'Authorization: Bearer {demo.api_key}' {system.gateway.url}/v1/leads",
        f"Postgres  psql -h {socket_folder} -U postgres cadenza",
        f"AWS       {account} aws --endpoint-url {system.aws.url} sqs list-queues",
        f"mails     {MAILS}",
        f"sites     curl -H 'Host: {system.sites.hosts[0]}' {system.sites.url}/",
    ):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
