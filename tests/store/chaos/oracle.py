"""What must hold, told by witnesses that are not the code under test: triggers on the tables, and the provider's book.

`Witness` writes every change of the rows that matter into one table, in the order in which it happened; `judge` walks
through it with a model of its own and names everything that the invariants of docs/design.md forbid.

A stop (I3) and a claim are ordered by their commits, and the claim's commit is the point of no return. With one worker
at a time that order is the log's. Side by side it still is for campaigns and enrolments, which a claim locks before it
judges; suppressions are then asked only of claims that began after them (`Stop`).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Self

from sqlalchemy import Connection, text

from cadenza.delivery.model import LEASE

Row = Mapping[str, Any]

WATCHED: Mapping[str, str] = {
    "outbound_messages": "OLD.status IS DISTINCT FROM NEW.status",
    "campaigns": "OLD.status IS DISTINCT FROM NEW.status OR OLD.daily_cap IS DISTINCT FROM NEW.daily_cap",
    "contact_campaigns": "OLD.status IS DISTINCT FROM NEW.status",
    "automation_settings": "true",
    "sender_identities": "true",
    "suppressions": "true",
    "holds": "true",
}
"""The tables that are watched, and which of their updates are told."""

WITNESS = "\n".join(
    [
        """
        CREATE TABLE witness (seq bigserial PRIMARY KEY, what text NOT NULL, old jsonb, new jsonb);
        GRANT SELECT ON witness TO cadenza_worker;
        CREATE FUNCTION testify() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            INSERT INTO witness (what, old, new)
            VALUES (TG_TABLE_NAME, CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
                    CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
            RETURN NULL;
        END $$;
        """,
        # Statistics come when they like, and other plans give rows in another order.
        """
        DO $$ DECLARE name text; BEGIN
            FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
                EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = off)', name);
            END LOOP;
        END $$;
        """,
        *(
            f"""
            CREATE TRIGGER testify_added AFTER INSERT OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION testify();
            CREATE TRIGGER testify_changed AFTER UPDATE ON {table} FOR EACH ROW WHEN ({told})
                EXECUTE FUNCTION testify();
            """
            for table, told in WATCHED.items()
        ),
    ]
)


class Answer(StrEnum):
    """What a provider call came to, in truth."""

    SENT = "sent"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    LOST_TAKEN = "no answer, taken"
    LOST = "no answer, not taken"
    BROKEN = "an unexpected error, taken"


TAKEN = frozenset({Answer.SENT, Answer.LOST_TAKEN, Answer.BROKEN})
REFUSAL = "refused by the test's provider"


@dataclass(slots=True)
class Call:
    """One provider call. ``claim``: when the transaction before it began, began to commit, had committed."""

    message_id: str
    at: datetime
    answer: Answer
    claim: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def may_be_out(self) -> bool:
        """Whether the sender could not be certain that the provider did not take it."""
        return self.answer not in (Answer.THROTTLED, Answer.REJECTED)


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop that one thread made while others ran: committed when ``done``, in force until ``lifted`` (monotonic)."""

    covers: Callable[[Row], bool]
    what: str
    locked: bool
    """Whether claims wait for it: it holds from its own commit on, not only for claims that began after it."""
    done: float
    lifted: float = float("inf")


# --- the book ----------------------------------------------------------------------------------------------------


@dataclass
class Findings:
    """What one run came to."""

    violations: list[str] = field(default_factory=list[str])
    counts: Counter[str] = field(default_factory=Counter[str])
    histories: set[str] = field(default_factory=set[str])
    digest: str = ""

    def __iadd__(self, other: Findings) -> Self:
        """Both."""
        self.violations += other.violations
        self.counts += other.counts
        self.histories |= other.histories
        self.digest = hashlib.sha256((self.digest + other.digest).encode()).hexdigest()[:16]
        return self


RAISED = frozenset({"delivered", "bounced", "complained"})
"""What an event may make of a message at once with the proof that it was sent."""
MOVES: Mapping[str, frozenset[str]] = {
    "queued": frozenset({"sending", "skipped"}),
    "sending": frozenset({"sent", "failed", "unknown", "queued"}) | RAISED,
    "unknown": frozenset({"sent", "failed"}) | RAISED,
    "sent": RAISED,
    "delivered": frozenset({"bounced", "complained"}),
    "bounced": frozenset({"complained"}),
    "complained": frozenset(),
    "failed": frozenset(),
    "skipped": frozenset(),
}
CAMPAIGN_MOVES: Mapping[str, frozenset[str]] = {
    "draft": frozenset({"scheduled", "running", "cancelled"}),
    "scheduled": frozenset({"draft", "running", "cancelled"}),
    "running": frozenset({"paused", "completed", "cancelled"}),
    "paused": frozenset({"running", "cancelled"}),
    "completed": frozenset(),
    "cancelled": frozenset(),
}
PRESSED: Mapping[tuple[str, str], str] = {
    ("draft", "running"): "campaign_started",
    ("running", "paused"): "campaign_paused",
    ("paused", "running"): "campaign_resumed",
} | {(status, "cancelled"): "campaign_cancelled" for status in ("draft", "running", "paused")}
"""What an operator did to move a campaign so."""
RESENT_MOVES: Mapping[str, frozenset[str]] = MOVES | {
    "queued": MOVES["queued"] | {"sent", "failed"} | RAISED,
    "unknown": MOVES["unknown"] | {"queued"},
}
"""Of messages that their workspace chose to send again."""
FINAL = {"contact_campaigns": ("completed", "stopped", "failed"), "campaigns": ("completed", "cancelled")}
OPEN = frozenset({"queued", "sending", "unknown", "draft", "active"})
GRAVITY = {"sent": 0, "delivered": 1, "bounced": 2, "complained": 3}
SAYS = {"delivered": 1, "opened": 1, "clicked": 1, "replied": 1, "unsubscribed": 1, "bounced": 2, "complained": 3}


@dataclass(frozen=True, slots=True)
class Had:
    """A message that somebody has had, or may have had, since ``at``."""

    row: Row
    at: datetime


@dataclass
class Model:
    """What the rows say, rebuilt from the witness's log alone."""

    findings: Findings
    quiet_from: time
    quiet_until: time
    serial: bool
    """Whether one worker ran at a time, so that the order of the log is the order of the commits."""
    rows: dict[tuple[str, str], Row] = field(default_factory=dict[tuple[str, str], Row])
    suppressed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    holds: dict[str, dict[str, datetime]] = field(default_factory=lambda: defaultdict(dict))
    used: Counter[tuple[str, str, date]] = field(default_factory=Counter[tuple[str, str, date]])
    had: dict[str, Had] = field(default_factory=dict[str, Had])
    claims: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    open_ones: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """What is not final, by campaign: enrolments and messages."""
    moved: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    """From where to where each campaign went, in that order."""

    def take(self, what: str, old: Row | None, new: Row | None) -> None:
        """One line of the log."""
        row = new or old
        assert row is not None
        match what:
            case "suppressions":
                known = self.suppressed[row["workspace_id"]]
                (known.add if new else known.discard)(row["address"])
            case "holds":
                of_person = self.holds[row["contact_id"]]
                of_person.pop(row["id"], None)
                if new:
                    of_person[new["id"]] = instant(new["until"])
            case _:
                if what == "outbound_messages" and old and new:
                    self._moved(old, new)
                if what == "campaigns" and old and new:
                    self._campaign_moved(old, new)
                if what == "campaigns" and row["status"] == "completed" and (left := self.open_ones[row["id"]]):
                    self._wrong(f"I4: campaign {row['id']} completes with {len(left)} things open")
                self.rows[what, row.get("id") or row["workspace_id"]] = row
                if what in ("outbound_messages", "contact_campaigns"):
                    of_campaign = self.open_ones[row["campaign_id"]]
                    (of_campaign.add if row["status"] in OPEN else of_campaign.discard)(row["id"])

    def _campaign_moved(self, old: Row, new: Row) -> None:
        before, after = old["status"], new["status"]
        if before != after:
            self.moved[new["id"]].append((before, after))
            if after not in CAMPAIGN_MOVES[before]:
                self._wrong(f"table: campaign {new['id']} went from {before} to {after}")

    def _moved(self, old: Row, new: Row) -> None:
        before, after = old["status"], new["status"]
        self.findings.counts[f"{before} → {after}"] += 1
        moves = RESENT_MOVES if new["resends"] else MOVES
        if after not in moves[before]:
            name = "I10" if before in GRAVITY else "I1"
            self._wrong(f"{name}: message {new['id']} went from {before} to {after}")
        if after == "sending":
            self._claimed(new)
        if before == "unknown" and new["reason"].startswith("unknown"):
            self._settled(old, new)
        if after == "failed" and new["claimed_at"] is None:
            self.had.pop(new["id"], None)  # its provider has reported that it was not sent
        if before in ("sending", "unknown") and self._given_back(before, new):
            self.had.pop(new["id"], None)
            for scope in self._scopes(new):
                self.used[(*scope, self.claims[new["id"]][-1].date())] -= 1

    def _settled(self, old: Row, new: Row) -> None:
        """Nobody has heard of it within the bound of its workspace, and not before that may it end."""
        at = instant(new["enqueued_at"] if new["status"] == "queued" else new["finished_at"])
        bound_s = self.rows["automation_settings", new["workspace_id"]]["unknown_bound_s"]
        if at < instant(old["lease_until"]) + timedelta(seconds=bound_s):
            self._wrong(f"I1: message {new['id']} became {new['status']} before its bound was past")

    @staticmethod
    def _given_back(before: str, new: Row) -> bool:
        released = before == "sending" and new["status"] == "queued"
        return released or (new["status"] == "failed" and new["reason"].startswith(REFUSAL))

    def _claimed(self, message: Row) -> None:
        now = instant(message["lease_until"]) - LEASE
        self.findings.counts["claims"] += 1
        self.claims[message["id"]].append(now)
        for reason in (*self._why_not(message, now), *self._too_soon(message, now)):
            self._wrong(f"{reason} (message {message['id']}, claimed at {now})")
        self.had[message["id"]] = Had(message, now)
        for kind, scope_id in self._scopes(message):
            key = "workspace_id" if kind == "automation_settings" else "id"
            cap = self.rows[kind, scope_id]["daily_cap"]
            self.used[kind, scope_id, now.date()] += 1
            if cap is not None and self.used[kind, scope_id, now.date()] > cap:
                self._wrong(f"I8: more than {cap} claims of {kind} {key} {scope_id} on {now.date()}")

    def _why_not(self, message: Row, now: datetime) -> Iterable[str]:
        """Every reason why this message could not be claimed now. A new gate adds its line here."""
        campaign = self.rows["campaigns", message["campaign_id"]]
        if campaign["status"] != "running":
            yield f"I3: its campaign is {campaign['status']}"
        enrolment = self.rows["contact_campaigns", message["enrolment_id"]]
        if enrolment["status"] != "active":
            yield f"I3: its enrolment is {enrolment['status']}"
        if self.rows["sender_identities", message["sender_id"]]["paused_at"]:
            yield "I3: its sender is paused"
        if self.serial:
            address = message["to_address"].lower()
            if {address, address.partition("@")[2]} & self.suppressed[message["workspace_id"]]:
                yield "I3: its address is suppressed"
            if any(until > now for until in self.holds[message["contact_id"]].values()):
                yield "I3: its person is on hold"
        if instant(message["due_at"]) > now or (message["closes_at"] and instant(message["closes_at"]) <= now):
            yield "I7: outside its window"
        if self.quiet_from <= now.time() < self.quiet_until:
            yield "I7: in quiet hours"

    def _too_soon(self, message: Row, now: datetime) -> Iterable[str]:
        """I8 for people and companies: the gaps between their messages, and how many a person gets."""
        rules = self.rows["automation_settings", message["workspace_id"]]
        others = [had for had in self.had.values() if had.row["workspace_id"] == message["workspace_id"]]
        same = [had for had in others if had.row["contact_id"] == message["contact_id"]]
        gap, often = timedelta(seconds=rules["contact_gap_s"]), timedelta(hours=24 * rules["frequency_days"])
        if gap and any(now - had.at < gap for had in same if had.row["enrolment_id"] != message["enrolment_id"]):
            yield f"I8: less than {gap} between two campaigns' messages to one person"
        if rules["frequency_cap"] is not None:
            lately = [had for had in same if now - had.at < often and had.row["id"] != message["id"]]
            if len(lately) >= rules["frequency_cap"]:
                yield f"I8: more than {rules['frequency_cap']} messages to one person in {often}"
        gap = timedelta(seconds=rules["domain_gap_s"])
        if gap and any(now - had.at < gap for had in others if had.row["id"] != message["id"]):
            yield f"I8: less than {gap} between two messages to one domain"

    @staticmethod
    def _scopes(message: Row) -> list[tuple[str, str]]:
        return [
            ("automation_settings", message["workspace_id"]),
            ("campaigns", message["campaign_id"]),
            ("sender_identities", message["sender_id"]),
        ]

    def _wrong(self, violation: str) -> None:
        self.findings.violations.append(violation)


def instant(value: str) -> datetime:
    """An instant out of the log's JSON."""
    return datetime.fromisoformat(value)


# --- the verdict -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Evidence:
    """All that a run leaves behind."""

    calls: list[Call]
    reported: set[str]
    """The provider's own ids of everything that it ever told."""
    stops: list[Stop]
    names: Mapping[str, str]
    """What each id is called, the same in every run of the same seed: workspaces, campaigns, enrolments, contacts."""
    quiet_from: time
    quiet_until: time
    serial: bool


def judge(conn: Connection, evidence: Evidence) -> Findings:
    """Everything that the run has broken, and what it consisted of."""
    findings = Findings()
    model = Model(findings, evidence.quiet_from, evidence.quiet_until, evidence.serial)
    stories: dict[str, list[str]] = defaultdict(list)
    for row in conn.execute(text("SELECT what, old, new FROM witness ORDER BY seq")):
        model.take(row.what, row.old, row.new)
        stories[(row.new or row.old)["workspace_id"]].append(_told(row, evidence.names))
    _calls(evidence, model, findings)
    _ends(conn, evidence, model, findings)
    told = sorted(f"{evidence.names[workspace]}: {'; '.join(story)}" for workspace, story in stories.items())
    findings.violations += _logged(conn, model)
    findings.histories = {hashlib.sha256(story.partition(": ")[2].encode()).hexdigest() for story in told}
    findings.digest = hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
    return findings


def _told(row: Any, names: Mapping[str, str]) -> str:
    what: Row = row.new or row.old
    subject = names.get(what.get("enrolment_id") or what.get("contact_id") or what.get("id") or "", "")
    state = what.get("status") or what.get("until") or what.get("address") or what.get("daily_cap")
    node = f"{what['node']}/{what['visit']} {what['reason']}" if row.what == "outbound_messages" else ""
    return f"{row.what} {subject.partition('/')[2]} {node} {state if row.what != 'suppressions' else ''}"


def _calls(evidence: Evidence, model: Model, findings: Findings) -> None:
    """I1: at most one call that may have got through, but where the workspace chose otherwise."""
    by_message: defaultdict[str, list[Call]] = defaultdict(list)
    for call in evidence.calls:
        findings.counts["provider calls"] += 1
        findings.counts[f"answer: {call.answer}"] += 1
        by_message[call.message_id].append(call)
    for message_id, calls in by_message.items():
        message = model.rows["outbound_messages", message_id]
        out = [call for call in calls if call.may_be_out]
        if len(out) > 1 + message["resends"]:
            findings.violations.append(f"I1: message {message_id} was handed over {len(out)} times")
        if len(calls) > len(model.claims[message_id]):
            findings.violations.append(f"I1: message {message_id} was handed over without a claim")
        policy = model.rows["automation_settings", message["workspace_id"]]["unknown_policy"]
        if message["resends"] > (policy == "resend"):
            findings.violations.append(f"I1: message {message_id} was sent again against the policy {policy}")
        if out and calls.index(out[0]) < len(calls) - 1 and not message["resends"]:
            findings.violations.append(f"I1: message {message_id} was handed over again after it may have been out")
        for call in calls:
            for stop in evidence.stops:
                began, committing, committed = call.claim
                since = committing if stop.locked else began
                if stop.done < since and committed < stop.lifted and stop.covers(message):
                    findings.violations.append(f"I3: message {message_id} was claimed after {stop.what}")


def _ends(conn: Connection, evidence: Evidence, model: Model, findings: Findings) -> None:
    """I2, I4, I10 at the end of all time: everything is final, and says what the provider knows to be true."""
    taken = {call.message_id for call in evidence.calls if call.answer in TAKEN}
    recorded: defaultdict[str, set[str]] = defaultdict(set)
    for row in conn.execute(text("SELECT message_id, kind, grade, provider_event_id FROM message_events")):
        recorded[str(row.message_id)].add(row.kind)
        if row.provider_event_id not in evidence.reported:
            findings.violations.append(f"I6: an event counts that was not reported: {row.provider_event_id}")
        findings.counts[f"recorded {row.grade}"] += 1
    for row in conn.execute(text("SELECT id, status, reason, resends, workspace_id FROM outbound_messages")):
        findings.counts["messages"] += 1
        assumes = model.rows["automation_settings", str(row.workspace_id)]["unknown_policy"] == "assume_sent"
        kinds = recorded[str(row.id)]
        findings.violations += _untrue(row, str(row.id) in taken, assumes, kinds)
    for table, final in FINAL.items():
        for row in conn.execute(text(f"SELECT id, status FROM {table}")):
            findings.counts[table] += 1
            if row.status not in final:
                findings.violations.append(f"I4: {table} {evidence.names[str(row.id)]} stays {row.status}")
    left = conn.execute(text("SELECT count(*) FROM scheduled_actions")).scalar_one()
    if left:
        findings.violations.append(f"I2: {left} actions live for ever")


def _logged(conn: Connection, model: Model) -> Iterable[str]:
    """Every button that had its effect, and no other, stands in the audit log, in the order of the effects."""
    told: defaultdict[str, list[str]] = defaultdict(list)
    for row in conn.execute(text("SELECT subject_id, act FROM audit_log ORDER BY at, id")):
        told[str(row.subject_id)].append(row.act)
    for campaign_id in {*told, *model.moved}:
        happened = [PRESSED[move] for move in model.moved[campaign_id] if move in PRESSED]
        if told[campaign_id] != happened:
            yield f"table: campaign {campaign_id}: {happened} happened, and {told[campaign_id]} was logged"


def _untrue(row: Any, is_out: bool, assumes: bool, kinds: set[str]) -> Iterable[str]:
    """What the outbox says of a message, against what its provider knows."""
    if row.status in ("queued", "sending", "unknown"):
        yield f"I4: message {row.id} stays {row.status}"
    if row.status in GRAVITY:
        if not is_out and not assumes:
            yield f"I2: message {row.id} counts as {row.status}, and was never taken"
        if GRAVITY[row.status] != max((SAYS.get(kind, 0) for kind in kinds), default=0):
            yield f"I10: message {row.id} is {row.status} after {sorted(kinds)}"
    elif is_out and not row.resends and (row.status == "skipped" or row.reason.startswith(REFUSAL)):
        yield f"I1: message {row.id} is out, and counts as {row.status}: {row.reason}"
