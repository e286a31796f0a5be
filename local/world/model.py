"""An OpenAI-compatible endpoint on loopback: the responses API over a model that knows our rules, with moods.

It answers as slowly as it is told to, turns some calls away (429) and breaks at some (500), and keeps count of who
asked what, and of how much it had to do at once: what a provider would see of us.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from typing import Any, Final

from pydantic import TypeAdapter
from werkzeug.wrappers import Request, Response

from cadenza.planning.brief import PlanBrief
from cadenza.planning.offline import plan_offline
from local.world.server import LoopbackServer

Json = dict[str, Any]

ANALYST, PLANNER = "AnalystAnswer", "PlanDraft"
"""What is asked for, by the name of its schema."""

_DOCUMENT: Final = re.compile(r"^<(?P<mark>[\w-]+)>\n(?P<json>.*)\n</(?P=mark)>$", re.DOTALL)
_PAGE: Final = re.compile(r'"(?:page_)?url": "https?://(?:www\.)?([a-z0-9.-]+)')
_OURS: Final = TypeAdapter(dict[str, Any])


@dataclass(frozen=True)
class Moods:
    """How the endpoint behaves: seconds that an answer takes, and which share of calls it does not answer."""

    latency_s: tuple[float, float] = (0.05, 0.2)
    limited: float = 0.0
    broken: float = 0.0
    seed: int = 1


@dataclass
class Seen:
    """What the endpoint has seen. ``answered`` counts by company site and schema; so does ``turned_away``."""

    answered: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    turned_away: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    at_once: int = 0
    most_at_once: int = 0

    @property
    def twice(self) -> list[tuple[str, str]]:
        """What was answered more than once."""
        return [key for key, count in self.answered.items() if count > 1]


class ModelService(LoopbackServer):
    """The endpoint. ``seen`` may be replaced to count anew."""

    def __init__(self, moods: Moods | None = None, port: int = 0) -> None:
        super().__init__(Request.application(self._answer), port)
        self.moods = moods or Moods()
        self.seen = Seen()
        self._random = random.Random(self.moods.seed)  # noqa: S311 - moods, no secret
        self._lock = threading.Lock()

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL is to be."""
        return f"{self.url}/v1"

    def _answer(self, request: Request) -> Response:
        if request.path != "/v1/responses":
            return _error(HTTPStatus.NOT_FOUND)
        asked = _OURS.validate_json(request.get_data())
        schema = str(asked["text"]["format"]["name"])
        document = _DOCUMENT.fullmatch(asked["input"])
        data: Any = json.loads(document["json"]) if document else {}
        page = _PAGE.search(json.dumps(data))
        key = (page[1] if page else "", schema)
        with self._lock:
            mood, latency_s = self._random.random(), self._random.uniform(*self.moods.latency_s)
        with self._counted(self.seen):
            time.sleep(latency_s)
            if mood < self.moods.limited + self.moods.broken:
                with self._lock:
                    self.seen.turned_away[key] += 1
                if mood < self.moods.limited:
                    return _error(HTTPStatus.TOO_MANY_REQUESTS, {"retry-after": "2"})
                return _error(HTTPStatus.INTERNAL_SERVER_ERROR)
            with self._lock:
                self.seen.answered[key] += 1
            said = _analysis(data) if schema == ANALYST else _draft(data)
        return _json(_response(str(asked["model"]), json.dumps(said), len(asked["input"]) // 4))

    @contextmanager
    def _counted(self, seen: Seen) -> Generator[None]:
        with self._lock:
            seen.at_once += 1
            seen.most_at_once = max(seen.most_at_once, seen.at_once)
        try:
            yield
        finally:
            with self._lock:
                seen.at_once -= 1


def _analysis(pages: list[Json]) -> Json:
    """The first sentences of each page, as claims."""
    lines = ((str(page["url"]), line) for page in pages for line in str(page["text"]).splitlines())
    good = ((url, line) for url, line in lines if line.endswith(".") and "@" not in line)
    claims = [
        {"topic": topic, "text": line, "page_url": url, "quote": line}
        for topic, (url, line) in zip(("summary", "product", "audience"), islice(good, 3), strict=False)
    ]
    return {"tone": "neutral", "claims": claims, "people": []}


def _draft(brief: Json) -> Json:
    """The plan by rule, in a model's words."""
    told = {name: value for name, value in brief.items() if name in PlanBrief.model_fields}  # not what is to be mended
    plan = plan_offline(PlanBrief.model_validate(told))
    nodes = [_node(node) for node in _OURS.validate_python(plan)["nodes"]]
    return {"start_node_id": plan["startNodeId"], "nodes": nodes}


def _node(node: Json) -> Json:
    schedule: Json = node.get("schedule", {})
    ways: list[Json] = node.get("transitions", [])
    return {
        "id": node["id"],
        "action": node["action"],
        "delay": schedule.get("delay", "PT0S"),
        "subject": node.get("subject", ""),
        "body": node.get("body", ""),
        "transitions": [{"within": None, "after": None, **way} for way in ways],
    }


def _response(model: str, text: str, input_tokens: int) -> Json:
    output_tokens = len(text) // 4
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": model,
        "status": "completed",
        "output": [
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": text, "annotations": []}],
            }
        ],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input_tokens + output_tokens,
        },
    }


def _error(status: HTTPStatus, headers: dict[str, str] | None = None) -> Response:
    response = _json({"error": {"message": status.phrase, "type": "error", "code": None}})
    response.status_code = status
    response.headers.update(headers or {})
    return response


def _json(body: Json) -> Response:
    return Response(json.dumps(body), mimetype="application/json")
