"""Asking a model: one question, one typed answer, through any endpoint that speaks the OpenAI API.

Structured outputs of the responses API are used first; an endpoint that has none is asked through chat completions in
JSON mode. Whatever goes wrong becomes either `AiBusy` (retryable: the queue brings the work back) or an `AiFailed`,
after which the caller goes on without a model. The client never retries by itself: the queue does, and knows how often.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from hashlib import sha256
from importlib.resources import files
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from cadenza.core.errors import CadenzaError, Retryable
from cadenza.core.settings import AiSettings

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletion

T = TypeVar("T", bound=BaseModel)

_NO_SUCH_ENDPOINT = frozenset({404, 405, 501})
_TIMEOUT_STATUS = 408
_TOO_MANY = 429
_SERVER_ERROR = 500

# USD micros per million tokens, (input, output); list prices, without discounts for cached input. Longest name first.
_PRICES: Mapping[str, tuple[int, int]] = {
    "gpt-5-mini": (250_000, 2_000_000),
    "gpt-5-nano": (50_000, 400_000),
    "gpt-5": (1_250_000, 10_000_000),
    "gpt-4.1-mini": (400_000, 1_600_000),
    "gpt-4.1-nano": (100_000, 400_000),
    "gpt-4.1": (2_000_000, 8_000_000),
    "gpt-4o-mini": (150_000, 600_000),
    "gpt-4o": (2_500_000, 10_000_000),
}
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_PER_TOKENS = 1_000_000
_MAX_OUTPUT_TOKENS = 16_000  # models that reason count their reasoning in
_DEFAULT_BASE_URL = "https://api.openai.com/v1"


class AiUsage(BaseModel):
    """What one or more calls took. ``priced`` is False where the price is unknown and the cost is given as 0."""

    model_config = ConfigDict(frozen=True)

    model: str
    prompt_version: str
    calls: int = 1
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd_micros: int = 0
    priced: bool = True

    def __add__(self, other: AiUsage) -> AiUsage:
        return self.model_copy(
            update={
                "calls": self.calls + other.calls,
                "input_tokens": self.input_tokens + other.input_tokens,
                "output_tokens": self.output_tokens + other.output_tokens,
                "cost_usd_micros": self.cost_usd_micros + other.cost_usd_micros,
                "priced": self.priced and other.priced,
            }
        )


class AiFailed(CadenzaError):  # noqa: N818 - reads as what happened
    """No answer, and another try would not bring one. ``usage`` is what was spent on the way, if anything."""

    def __init__(self, detail: str, usage: AiUsage | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.usage = usage


class AiBusy(Retryable):
    """The endpoint cannot answer now. ``usage`` is what earlier calls of the same task took, if there were any."""

    def __init__(self, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail, retry_after_s)
        self.usage: AiUsage | None = None


class AiRefused(AiFailed):
    """The model, or the endpoint's content filter, will not answer this."""


class AiInvalid(AiFailed):
    """The answer was cut off, or is not what was asked for."""


class AiRejected(AiFailed):
    """The endpoint does not take our requests: key, quota, model name or a parameter is wrong."""


@dataclass(frozen=True)
class Prompt:
    """Instructions for a model. ``version`` is the file's name ("plan.v1"): a changed text is a new file."""

    version: str
    text: str


def load_prompt(package: str, version: str) -> Prompt:
    """The prompt ``prompts/<version>.md`` of ``package``."""
    return Prompt(version, (files(package) / "prompts" / f"{version}.md").read_text(encoding="utf-8").strip())


def as_data(label: str, value: JsonValue) -> str:
    """``value`` as JSON between markers that it cannot contain: they are made of its own hash.

    Angle brackets are escaped (JSON allows it), so that no tag of any make, closing marker or chat token stands inside.
    """
    text = json.dumps(value, ensure_ascii=False, indent=1).replace("<", "\\u003c").replace(">", "\\u003e")
    mark = f"{label}-{sha256(text.encode()).hexdigest()[:16]}"
    return f"<{mark}>\n{text}\n</{mark}>"


@dataclass(frozen=True)
class Answer(Generic[T]):
    """A model's typed answer and what it took."""

    value: T
    usage: AiUsage


class AiClient:
    """One connection to one model. A context manager; close it, or keep it for the life of the process."""

    def __init__(self, api_key: str, model: str, base_url: str = "", timeout_s: float = 60.0) -> None:
        import openai  # noqa: PLC0415 - a third of a second that only functions with a model pay

        self.model = model
        self._client = openai.OpenAI(
            api_key=api_key, base_url=base_url or _DEFAULT_BASE_URL, timeout=timeout_s, max_retries=0
        )
        self._structured = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, prompt: Prompt, data: str, answer: type[T], max_output_tokens: int = _MAX_OUTPUT_TOKENS) -> Answer[T]:
        """Ask the model to follow ``prompt`` about ``data``.

        Raises:
            AiBusy: Rate limit, server error, time-out or no connection; ``retry_after_s`` as the endpoint says.
            AiRefused: The model or a content filter refused.
            AiInvalid: The answer was cut off or does not fit ``answer``.
            AiRejected: The endpoint refuses the request as such.
        """
        import openai  # noqa: PLC0415 - as above

        try:
            if self._structured:
                try:
                    return self._respond(prompt, data, answer, max_output_tokens)
                except openai.APIStatusError as error:
                    if error.status_code not in _NO_SUCH_ENDPOINT or error.code == "model_not_found":
                        raise
                    self._structured = False  # and do not ask again
            return self._chat(prompt, data, answer, max_output_tokens)
        except openai.APIStatusError as error:
            raise _translated(error) from error
        except openai.APIConnectionError as error:  # time-outs are a kind of these
            raise AiBusy(f"no answer from the AI endpoint: {type(error).__name__}") from error

    def _respond(self, prompt: Prompt, data: str, answer: type[T], max_output_tokens: int) -> Answer[T]:
        raw = self._client.responses.with_raw_response.parse(
            model=self.model,
            instructions=prompt.text,
            input=data,
            text_format=answer,
            max_output_tokens=max_output_tokens,
            store=False,
        )
        # The envelope first: a cut-off answer does not parse, and what it cost must be known all the same.
        envelope = _Response.of(raw.http_response.content)
        usage = self._usage(prompt, envelope.usage.input_tokens, envelope.usage.output_tokens)
        if refusal := envelope.refusal:
            raise AiRefused(f"the model refused: {refusal}", usage)
        if envelope.status != "completed":
            reason = envelope.incomplete_details.reason if envelope.incomplete_details else envelope.status
            kind = AiRefused if reason == "content_filter" else AiInvalid
            raise kind(f"the answer is incomplete: {reason}", usage)
        try:
            value = raw.parse().output_parsed
        except ValidationError as error:
            raise AiInvalid(_faults(error), usage) from error
        if value is None:
            raise AiInvalid("the answer is empty", usage)
        return Answer(value, usage)

    def _chat(self, prompt: Prompt, data: str, answer: type[T], max_output_tokens: int) -> Answer[T]:
        schema = json.dumps(answer.model_json_schema(), ensure_ascii=False)
        completion = self._client.chat.completions.create(
            model=self.model,
            messages=[
                {
                    "role": "system",
                    "content": f"{prompt.text}\n\nAnswer with one JSON object that fits this JSON Schema:\n{schema}",
                },
                {"role": "user", "content": data},
            ],
            response_format={"type": "json_object"},
            max_tokens=max_output_tokens,
        )
        usage = self._usage(prompt, *_chat_tokens(completion))
        if not completion.choices:
            raise AiInvalid("the answer is empty", usage)
        choice = completion.choices[0]
        if choice.message.refusal or choice.finish_reason == "content_filter":
            raise AiRefused(f"the model refused: {choice.message.refusal or 'content_filter'}", usage)
        if choice.finish_reason == "length":
            raise AiInvalid("the answer is incomplete: max_tokens", usage)
        try:
            return Answer(answer.model_validate_json(_unfenced(choice.message.content or "")), usage)
        except ValidationError as error:
            raise AiInvalid(_faults(error), usage) from error

    def _usage(self, prompt: Prompt, input_tokens: int, output_tokens: int) -> AiUsage:
        price = price_of(self.model)
        cost = 0 if price is None else -(-(input_tokens * price[0] + output_tokens * price[1]) // _PER_TOKENS)
        return AiUsage(
            model=self.model,
            prompt_version=prompt.version,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost_usd_micros=cost,
            priced=price is not None,
        )


def client_for(settings: AiSettings, api_key: str) -> AiClient | None:
    """The client that an installation is set up for, or None: without a key the work is done offline."""
    return AiClient(api_key, settings.openai_model, settings.openai_base_url) if api_key else None


def price_of(model: str) -> tuple[int, int] | None:
    """USD micros per million (input, output) tokens of a model or a dated snapshot of it; None if unknown."""
    return _PRICES.get(_SNAPSHOT.sub("", model))


# --- the endpoint's side -----------------------------------------------------------------------------------------


class _Tokens(BaseModel):
    input_tokens: int = 0
    output_tokens: int = 0


class _Incomplete(BaseModel):
    reason: str | None = None


class _Content(BaseModel):
    type: str = ""
    refusal: str | None = None


class _Item(BaseModel):
    type: str = ""
    content: list[_Content] | None = None


class _Response(BaseModel):
    """As much of a response as we rely on; compatible endpoints leave out the rest."""

    status: str = "completed"
    incomplete_details: _Incomplete | None = None
    output: list[_Item] = []
    usage: _Tokens = _Tokens()

    @classmethod
    def of(cls, body: bytes) -> _Response:
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise AiInvalid("the endpoint's answer is not a response object") from error

    @property
    def refusal(self) -> str:
        parts = (part for item in self.output for part in item.content or () if part.type == "refusal")
        return next((part.refusal or "no reason given" for part in parts), "")


def _chat_tokens(completion: ChatCompletion) -> tuple[int, int]:
    return (completion.usage.prompt_tokens, completion.usage.completion_tokens) if completion.usage else (0, 0)


def _unfenced(text: str) -> str:
    """JSON without the code fence that some models put around it."""
    return re.sub(r"^\s*```(?:json)?\s*|\s*```\s*$", "", text)


def _faults(error: ValidationError) -> str:
    faults = (f"/{'/'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False)[:5])
    return "the answer does not fit its schema: " + "; ".join(faults)


def _translated(error: openai.APIStatusError) -> CadenzaError:
    status = error.status_code
    if error.code == "insufficient_quota":  # a 429 that waiting does not mend
        return AiRejected("the AI endpoint's quota is used up")
    if status in {_TIMEOUT_STATUS, _TOO_MANY} or status >= _SERVER_ERROR:
        return AiBusy(f"the AI endpoint answered {status}", retry_after_s(error.response.headers))
    if error.code == "content_filter":
        return AiRefused("the endpoint's content filter refused the request")
    return AiRejected(f"the AI endpoint refuses the request: {status} {error.code or ''}".rstrip())


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
