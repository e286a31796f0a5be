"""What an OpenAI-compatible endpoint sends, as much of it as we rely on: others leave out the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator

M = TypeVar("M")


def _or_nothing(value: object) -> object:
    return value or {}


Reported = Annotated[M, BeforeValidator(_or_nothing)]
"""Some endpoints say null where they count nothing."""


class Tokens(BaseModel):
    """What a response took."""

    input_tokens: int = 0
    output_tokens: int = 0


class Incomplete(BaseModel):
    """Why a response is cut off."""

    reason: str | None = None


class Content(BaseModel):
    """A part of an item."""

    type: str = ""
    refusal: str | None = None


class Item(BaseModel):
    """A message, or something else that a model puts out."""

    type: str = ""
    content: list[Content] | None = None


class Response(BaseModel):
    """A response of the responses API."""

    status: str = "completed"
    incomplete_details: Incomplete | None = None
    output: list[Item] = []
    usage: Reported[Tokens] = Tokens()

    @property
    def refusal(self) -> str:
        """The model's words, if it refused."""
        parts = (part for item in self.output for part in item.content or () if part.type == "refusal")
        return next((part.refusal or "no reason given" for part in parts), "")


class ChatTokens(BaseModel):
    """What a chat completion took."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class ChatMessage(BaseModel):
    """What the model said."""

    content: str | None = None
    refusal: str | None = None


class Choice(BaseModel):
    """One of its answers; we ask for one."""

    message: ChatMessage = ChatMessage()
    finish_reason: str | None = None


class Completion(BaseModel):
    """A chat completion."""

    choices: list[Choice] = []
    usage: Reported[ChatTokens] = ChatTokens()


def unfenced(text: str) -> str:
    """JSON without the code fence that some models put around it."""
    return re.sub(r"^\s*```(?:json)?\s*|\s*```\s*$", "", text)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait: ``retry-after-ms``, or ``retry-after`` (RFC 9110: seconds, or a date, read against ``date``)."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after", "")
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return float(value)
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, wait.total_seconds())
    except (ValueError, TypeError):
        return None
