"""Asking a model: one question, one typed answer, through any endpoint that speaks the OpenAI API.

Structured outputs of the responses API are used first; an endpoint that has none is asked through chat completions in
JSON mode. What an endpoint says that it does not know (a parameter, structured outputs) is left out from then on.
Whatever goes wrong becomes either `AiBusy` (retryable: the queue brings the work back) or an `AiFailed`, after which
the caller goes on without a model. The client never retries by itself: the queue does, and knows how often.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from cadenza.core.ai_wire import Completion, Response, retry_after_s, unfenced
from cadenza.core.errors import CadenzaError, ConfigurationError, Retryable
from cadenza.core.settings import AiSettings

if TYPE_CHECKING:
    import openai

T = TypeVar("T", bound=BaseModel)

_NO_SUCH_ENDPOINT = frozenset({404, 405, 501})
_BAD_REQUEST = 400
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
MAX_OUTPUT_TOKENS = 16_000  # models that reason count their reasoning in
_ENVELOPE_TOKENS = 500  # what an endpoint puts around the texts
_NEVER_ASKED = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
"""Of the HTTP client's errors, those that come before a request has left. The openai package chooses that client."""
_OPTIONAL = frozenset({"store", "response_format", "max_tokens"})
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

    usage: AiUsage | None = None


class AiLimited(AiBusy):
    """A rate limit: the endpoint is well, and says so."""


class AiSilent(AiBusy):
    """It was asked and did not answer in time. It may have worked all the same, and may want to be paid."""


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


Prices = tuple[int, int]
"""USD micros per million tokens: input, output."""


class Model(Protocol):
    """Who is asked: an endpoint, or the gate before it."""

    @property
    def model(self) -> str:
        """The model's name."""
        ...

    def ask(self, prompt: Prompt, data: str, answer: type[T]) -> Answer[T]:
        """See `AiClient.ask`."""
        ...


class AiClient:
    """One connection to one model. A context manager; close it, or keep it for the life of the process.

    ``price`` is for models that `price_of` does not know, or at other prices than the list's.
    """

    def __init__(
        self, api_key: str, model: str, base_url: str = "", timeout_s: float = 60.0, price: Prices | None = None
    ) -> None:
        import openai  # noqa: PLC0415 - a third of a second that only functions with a model pay

        self.model = model
        self.price = price or price_of(model)
        base_url = base_url or _DEFAULT_BASE_URL
        self.provider = f"ai:{urlsplit(base_url).netloc}"
        """What all who ask the same endpoint have in common."""
        self._client = openai.OpenAI(api_key=api_key, base_url=base_url, timeout=timeout_s, max_retries=0)
        self._structured = True
        self._unknown: set[str] = set()
        """Parameters that the endpoint has refused."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, prompt: Prompt, data: str, answer: type[T], max_output_tokens: int = MAX_OUTPUT_TOKENS) -> Answer[T]:
        """Ask the model to follow ``prompt`` about ``data``.

        Raises:
            AiBusy: Rate limit, server error, time-out or no connection; ``retry_after_s`` as the endpoint says.
            AiRefused: The model or a content filter refused.
            AiInvalid: The answer was cut off or does not fit ``answer``.
            AiRejected: The endpoint refuses the request as such.
        """
        import openai  # noqa: PLC0415 - as above

        try:
            while True:
                how = self._respond if self._structured else self._chat
                try:
                    return how(prompt, data, answer, max_output_tokens)
                except openai.APIStatusError as error:
                    if not self._adapted_to(error):
                        raise
        except openai.APIStatusError as error:
            raise _translated(error) from error
        except openai.APIConnectionError as error:  # time-outs are a kind of these
            cause = type(error.__cause__).__name__
            kind = AiBusy if cause in _NEVER_ASKED else AiSilent
            raise kind(f"no answer from the AI endpoint: {cause}") from error

    def worst_usd_micros(self, prompt: Prompt, data: str, answer: type[BaseModel], max_output_tokens: int) -> int:
        """The most that a call can cost: no tokenizer makes more tokens than there are bytes."""
        schema = json.dumps(answer.model_json_schema())
        size = len(prompt.text.encode()) + len(data.encode()) + 2 * len(schema.encode()) + _ENVELOPE_TOKENS
        return self._cost(size, max_output_tokens)

    def _adapted_to(self, error: openai.APIStatusError) -> bool:
        """Whether the endpoint said what it does not know, and it was something that we can do without."""
        if self._structured:
            lacks_endpoint = error.status_code in _NO_SUCH_ENDPOINT and error.code != "model_not_found"
            if lacks_endpoint or _refused_parameter(error).startswith("text"):
                self._structured = False
                return True
        refused = _refused_parameter(error)
        if refused in _OPTIONAL - self._unknown:
            self._unknown.add(refused)
            return True
        return False

    def _respond(self, prompt: Prompt, data: str, answer: type[T], max_output_tokens: int) -> Answer[T]:
        raw = self._client.responses.with_raw_response.parse(
            model=self.model,
            instructions=prompt.text,
            input=data,
            text_format=answer,
            max_output_tokens=max_output_tokens,
            **self._known({"store": False}),
        )
        # The envelope first: a cut-off answer does not parse, and what it cost must be known all the same.
        envelope = _read(Response, raw.http_response.content)
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
        limit = "max_completion_tokens" if "max_tokens" in self._unknown else "max_tokens"
        create: Callable[..., Any] = self._client.chat.completions.with_raw_response.create
        raw = create(
            model=self.model,
            messages=[
                {
                    "role": "system",
                    "content": f"{prompt.text}\n\nAnswer with one JSON object that fits this JSON Schema:\n{schema}",
                },
                {"role": "user", "content": data},
            ],
            **self._known({"response_format": {"type": "json_object"}, limit: max_output_tokens}),
        )
        completion = _read(Completion, raw.http_response.content)
        usage = self._usage(prompt, completion.usage.prompt_tokens, completion.usage.completion_tokens)
        if not completion.choices:
            raise AiInvalid("the answer is empty", usage)
        choice = completion.choices[0]
        if choice.message.refusal or choice.finish_reason == "content_filter":
            raise AiRefused(f"the model refused: {choice.message.refusal or 'content_filter'}", usage)
        if choice.finish_reason == "length":
            raise AiInvalid("the answer is incomplete: max_tokens", usage)
        try:
            return Answer(answer.model_validate_json(unfenced(choice.message.content or "")), usage)
        except ValidationError as error:
            raise AiInvalid(_faults(error), usage) from error

    def _known(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in parameters.items() if name not in self._unknown}

    def _usage(self, prompt: Prompt, input_tokens: int, output_tokens: int) -> AiUsage:
        return AiUsage(
            model=self.model,
            prompt_version=prompt.version,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost_usd_micros=self._cost(input_tokens, output_tokens),
            priced=self.price is not None,
        )

    def _cost(self, input_tokens: int, output_tokens: int) -> int:
        price = self.price or (0, 0)
        return -(-(input_tokens * price[0] + output_tokens * price[1]) // _PER_TOKENS)


def client_for(settings: AiSettings, api_key: str) -> AiClient | None:
    """The client that an installation is set up for, or None: without a key the work is done offline.

    Raises:
        ConfigurationError: One of the two prices is missing.
    """
    if not api_key:
        return None
    paid, made = settings.openai_input_usd_per_million, settings.openai_output_usd_per_million
    if (paid is None) is not (made is None):
        raise ConfigurationError("set both OPENAI_INPUT_USD_PER_MILLION and OPENAI_OUTPUT_USD_PER_MILLION, or neither")
    price = None if paid is None or made is None else (round(paid * 1_000_000), round(made * 1_000_000))
    return AiClient(api_key, settings.openai_model, settings.openai_base_url, price=price)


def price_of(model: str) -> Prices | None:
    """The list price of a model or a dated snapshot of it; None if unknown."""
    return _PRICES.get(_SNAPSHOT.sub("", model))


# --- the endpoint's side -----------------------------------------------------------------------------------------


def _read(envelope: type[T], body: bytes) -> T:
    try:
        return envelope.model_validate_json(body)
    except ValidationError as error:
        raise AiInvalid("the endpoint's answer is not what its API promises") from error


def _refused_parameter(error: openai.APIStatusError) -> str:
    """The parameter that the endpoint does not take, as far as it says so; else ""."""
    return (error.param or "") if error.status_code == _BAD_REQUEST else ""


def _faults(error: ValidationError) -> str:
    faults = (f"/{'/'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False)[:5])
    return "the answer does not fit its schema: " + "; ".join(faults)


def _translated(error: openai.APIStatusError) -> CadenzaError:
    status = error.status_code
    if error.code == "insufficient_quota":  # a 429 that waiting does not mend
        return AiRejected("the AI endpoint's quota is used up")
    if status in {_TIMEOUT_STATUS, _TOO_MANY} or status >= _SERVER_ERROR:
        kind = AiLimited if status == _TOO_MANY else AiBusy
        return kind(f"the AI endpoint answered {status}", retry_after_s(error.response.headers))
    if error.code == "content_filter":
        return AiRefused("the endpoint's content filter refused the request")
    return AiRejected(f"the AI endpoint refuses the request: {status} {error.code or ''}".rstrip())
