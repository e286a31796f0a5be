"""Ways to break sending, each of which the runs must notice: what would a property be worth that nothing can break?

A mutant swaps a value of the production code (a statement, a table of moves, a function) while a run lasts. Each swap
checks that what it takes away is there, so that no mutant silently becomes the original.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import TextClause, text

from cadenza.campaigns import service as campaigns
from cadenza.core.errors import Retryable
from cadenza.core.states import MESSAGE_MOVES, CampaignStatus, MessageStatus
from cadenza.delivery import gate, outbox, outcomes, service
from cadenza.delivery.model import Ambiguous, Result
from cadenza.engine import completion, store

Break = Callable[[pytest.MonkeyPatch], None]


def without(module: Any, name: str, *pairs: tuple[str, str]) -> Break:
    """The SQL constant ``name``, with each pair's first text replaced by its second."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        found: TextClause | str = getattr(module, name)
        statement = found.text if isinstance(found, TextClause) else found
        for old, new in pairs:
            assert old in statement, f"{name} has no {old!r} any more: mend the mutant"
            statement = statement.replace(old, new)
        patch.setattr(module, name, text(statement) if isinstance(found, TextClause) else statement)

    return apply


def both(*breaks: Break) -> Break:
    """Several at once, where one alone is caught by the other."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        for each in breaks:
            each(patch)

    return apply


def _resent_whatever_the_policy(patch: pytest.MonkeyPatch) -> None:
    without(outbox, "_SETTLE_UNKNOWN", ("ELSE s.unknown_policy END", "ELSE 'resend' END"))(patch)


def _start_goes_on_after_a_pause(patch: pytest.MonkeyPatch) -> None:
    assert CampaignStatus.PAUSED not in campaigns.CAMPAIGN_UNBEGUN, "mend the mutant"
    patch.setattr(campaigns, "CAMPAIGN_UNBEGUN", tuple(CampaignStatus))


def _delivered_after_bounce(patch: pytest.MonkeyPatch) -> None:
    back = MESSAGE_MOVES[MessageStatus.BOUNCED] | {MessageStatus.DELIVERED}
    patch.setattr(outcomes, "MESSAGE_MOVES", {**MESSAGE_MOVES, MessageStatus.BOUNCED: back})


def _ambiguous_counts_as_throttled(patch: pytest.MonkeyPatch) -> None:
    attempt = service.Delivery._attempt

    def certain(self: service.Delivery, message: Any) -> Result:
        result = attempt(self, message)
        if isinstance(result.outcome, Ambiguous):
            raise Retryable("it will not have taken it")
        return result

    patch.setattr(service.Delivery, "_attempt", certain)


def _repeats_count(patch: pytest.MonkeyPatch) -> None:
    listen = outcomes.listen

    def all_new(conn: Any, signals: Any) -> Any:
        again = [
            s.model_copy(update={"provider_event_id": f"{s.provider_event_id}#{n}"}) for n, s in enumerate(signals)
        ]
        return listen(conn, again)

    patch.setattr(outcomes, "listen", all_new)


def _refused_charged_twice_back(patch: pytest.MonkeyPatch) -> None:
    give_back = outbox.give_back

    def twice(conn: Any, attempt: Any, message_ids: Any) -> None:
        give_back(conn, attempt, message_ids)
        give_back(conn, attempt, message_ids)

    patch.setattr(outbox, "give_back", twice)


@dataclass(frozen=True)
class Mutant:
    """One way to break sending. ``by`` is what the runs must say of it; "" is any failure at all."""

    name: str
    apply: Break
    by: str
    side_by_side: bool = False
    """Whether only threads can show it: one worker at a time needs no locks."""


# What several locks keep apart is broken only without all of them.
_NO_QUOTA_LOCK = without(gate, "_LOCK_QUOTAS", ("DO UPDATE SET used = q.used", "DO NOTHING"))
_NO_LANES = without(gate, "_LANES", ("SELECT pg_advisory_xact_lock(key) FROM lane", "SELECT key FROM lane"))
_NO_ROW_LOCKS = both(
    without(store, "_LOCK", ("FOR UPDATE", "")), without(gate, "_CLAIM", ("FOR UPDATE SKIP LOCKED", ""))
)

MUTANTS = (
    Mutant("caps are not asked", without(gate, "_CLAIM", ("FILTER (WHERE r.n < 1)", "FILTER (WHERE false)")), "I8"),
    Mutant("claims are not charged", without(gate, "_CLAIM", ("used = q.used + t.n", "used = q.used")), "I8"),
    Mutant("refusals are given back twice", _refused_charged_twice_back, "I8"),
    Mutant("a paused campaign passes", without(gate, "_CLAIM", ("c.status <> 'running'", "false")), "I3"),
    Mutant(
        "suppressions are not asked",
        without(gate, "_CLAIM", ("FROM suppressions x WHERE", "FROM suppressions x WHERE false AND")),
        "I3",
    ),
    Mutant("holds are not asked", without(gate, "_CLAIM", ("h.until > :now", "false")), "I3"),
    Mutant("a paused sender passes", without(gate, "_CLAIM", ("s.paused_at IS NOT NULL", "false")), "I3"),
    Mutant("windows are not asked", without(gate, "_CLAIM", ("m.closes_at <= :now", "false")), "I7"),
    Mutant("gaps between campaigns are not kept", without(gate, "_CLAIM", ("p.gap_until > :now", "false")), "I8"),
    Mutant("how often is not asked", without(gate, "_CLAIM", ("p.frequent_until > :now", "false")), "I8"),
    Mutant("companies are not spared", without(gate, "_CLAIM", ("q.domain_until > :now", "false")), "I8"),
    Mutant("resent whatever the policy", _resent_whatever_the_policy, "I1"),
    Mutant("resent without end", without(outbox, "_SETTLE_UNKNOWN", ("m.resends > 0 OR", "")), "I1"),
    Mutant("a lost answer counts as a refusal", _ambiguous_counts_as_throttled, "I1"),
    Mutant(
        "attempts are not told apart",
        both(
            without(outbox, "_RECORD", ("m.attempt_id = :attempt_id AND", ":attempt_id IS NOT NULL AND")),
            without(outbox, "_RELEASE", ("attempt_id = :attempt_id AND", ":attempt_id IS NOT NULL AND")),
        ),
        "",
    ),
    Mutant(
        "the bound is not waited for",
        without(outbox, "_SETTLE_UNKNOWN", ("- s.unknown_bound_s * interval '1 second'", "")),
        "I1",
    ),
    Mutant("a start goes on after a pause", _start_goes_on_after_a_pause, "table"),
    Mutant("delivered after a bounce", _delivered_after_bounce, "I10"),
    Mutant("repeated events count again", _repeats_count, "I6"),
    Mutant(
        "a campaign with open messages completes",
        without(completion, "_COMPLETE", ("m.campaign_id = c.id AND", "m.campaign_id = c.id AND false AND")),
        "I4",
    ),
    Mutant("a pause does not wait for claims", without(gate, "_ENTER", ("FOR SHARE", "")), "I3", side_by_side=True),
    Mutant("quotas are not locked", _NO_QUOTA_LOCK, "I8", side_by_side=True),
    Mutant("neither quotas nor people are locked", both(_NO_QUOTA_LOCK, _NO_LANES), "I8", side_by_side=True),
    Mutant("nothing is locked", both(_NO_QUOTA_LOCK, _NO_LANES, _NO_ROW_LOCKS), "I1", side_by_side=True),
)
