"""What dies is seen, mended, set going again, or thrown away, through the API alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cadenza.delivery.outcomes import SignalIntake
from tests.flow.cloud import invoke
from tests.flow.world import World

SITE = "fornoatlantico.example"
INES = f"ines.duarte@{SITE}"
QUEUE = "engagement-events"
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
HEALTH = "/v1/automation/health"


class OurBugError(RuntimeError):
    """Something that is to be mended."""


def get(flow: World, path: str, **headers: str) -> dict[str, Any]:
    """What the API says."""
    response = flow.api.get(path, headers=headers)
    assert response.is_success, response.text
    # What was looked at is back at the next instant.
    flow.cloud.pass_time(SECOND)
    return response.json()


def test_an_opt_out_that_a_bug_has_killed_is_redriven_once_that_is_mended(
    flow: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise somebody who has said no is written to again, because nobody could set their no going again."""
    # Given an opt-out that met a bug until it went to the DLQ.
    flow.campaign(SITE)
    flow.cloud.pass_time(timedelta(minutes=5))
    with monkeypatch.context() as broken:

        def fail(*_: object, **__: object) -> None:
            raise OurBugError

        broken.setattr(SignalIntake, "take", fail)
        flow.people.unsubscribe(flow.mails(INES)[0])
        flow.cloud.pass_time(HOUR)
    assert flow.suppressed() == {}
    assert list(flow.cloud.dead_letters()) == [QUEUE]

    # When the operator looks: it is theirs, and says what it is about.
    found = get(flow, HEALTH)
    assert (found["verdict"], [reason["what"] for reason in found["reasons"]]) == ("degraded", [QUEUE])
    assert {worker["worker"] for worker in found["workers"] if worker["last_at"]} == {
        "analyze",
        "plan",
        "execute",
        "send",
    }
    (letter,) = get(flow, f"/v1/dlqs/{QUEUE}/messages")["items"]
    assert (letter["type"], letter["body"]["kind"]) == ("signal.reported", "unsubscribed")

    # And redrives it, the bug being mended.
    moved = flow.post(f"/v1/dlqs/{QUEUE}/redrive", {"message_ids": [letter["message_id"]]})
    assert moved["count"] == 1
    flow.cloud.settle()

    # Then the no is heard, and all is well.
    assert flow.suppressed() == {INES: "unsubscribed"}
    assert flow.cloud.dead_letters() == {}
    assert get(flow, HEALTH)["verdict"] == "ok"
    (record,) = get(flow, "/v1/audit?act=dead_letters_redriven")["items"]
    assert record["detail"]["message_ids"] == [letter["message_id"]]
    flow.check()


def test_poison_is_thrown_away_by_whoever_runs_the_installation(flow: World) -> None:
    """Otherwise what nobody can read keeps its alarm ringing for two weeks, or any customer could delete it."""
    # Given a message that nobody can read.
    flow.cloud.put(QUEUE, '{"type": "signal.reported", "version": 7}')
    flow.cloud.pass_time(HOUR)
    assert list(flow.cloud.dead_letters()) == [QUEUE]
    wanted = {"all": True, "confirm": QUEUE}

    # When a customer purges, nothing of it goes.
    assert flow.post(f"/v1/dlqs/{QUEUE}/purge", wanted)["count"] == 0
    flow.cloud.pass_time(SECOND)

    # And when the installation does, it is gone.
    key = invoke("migrate", {"create_key": {"name": "installation"}})["api_key"]
    installer = {"Authorization": f"Bearer {key}"}
    (letter,) = get(flow, f"/v1/dlqs/{QUEUE}/messages", **installer)["items"]
    assert letter["wrong"]
    reply = flow.api.post(f"/v1/dlqs/{QUEUE}/purge", json=wanted, headers=installer)
    assert reply.json()["message_ids"] == [letter["message_id"]]
    assert flow.cloud.dead_letters() == {}
    assert get(flow, HEALTH)["verdict"] == "ok"
