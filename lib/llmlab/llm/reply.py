"""What comes back from a model: a Reply and its tool calls, whether it came whole or in pieces."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from llmlab import trace
from llmlab.errors import ModelError
from llmlab.llm import recording

Source = Literal["embedded", "endpoint", "recording"]
Message = dict[str, Any]
S = TypeVar("S", bound=BaseModel)


@dataclass
class ToolCall:
    """A tool call that the model asks for; `arguments` is the JSON text that it wrote, unchecked."""

    id: str
    name: str
    arguments: str


@dataclass
class Reply:
    """What came back from one model call, where it came from, and what it cost.

    `seconds` is wall time (of the recorded call, in a replay); `cost` is None when no price is configured.
    """

    text: str
    tool_calls: list[ToolCall]
    finish_reason: str
    source: Source
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    seconds: float
    first_token_seconds: float | None
    cost: float | None
    currency: str
    seed: int | None
    request: dict[str, Any]
    response: dict[str, Any]
    provenance: dict[str, Any]
    note: str = ""

    @property
    def message(self) -> Message:
        """The reply as a message, to be appended to the conversation. Arguments that are no JSON go into an object."""
        message: Message = {"role": "assistant", "content": self.text}
        if self.tool_calls:
            message["tool_calls"] = [
                {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": _as_json(c.arguments)}}
                for c in self.tool_calls
            ]
        return message

    def json(self) -> Any:
        """The text as JSON. Raises ModelError if it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            raise ModelError(
                "not_json", f"The reply has to be JSON, but begins {self.text[:60]!r}; ask with schema=…"
            ) from None

    def parse(self, shape: type[S]) -> S:
        """The text as an object of a pydantic class. Raises ModelError if it does not fit."""
        try:
            return shape.model_validate_json(self.text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ModelError(
                "not_json",
                f"The reply has to be JSON of the shape {shape.__name__}, but begins {self.text[:60]!r} "
                f"({f'{where}: ' if where else ''}{first['msg']}); ask with schema={shape.__name__}.",
            ) from None

    def __str__(self) -> str:
        return self.text


@dataclass
class Answer:
    """What came back: the request as it was sent, the reply, the transport's note on it, seconds to the first token."""

    sent: dict[str, Any]
    response: dict[str, Any]
    note: dict[str, Any]
    first: float | None = None

    @classmethod
    def of(cls, step: trace.Step) -> Answer:
        """The answer that a finished step holds."""
        note = {
            "source": step.get("llmlab.source"),
            "seconds": step.seconds,
            "note": "Kept from before: not paid again.",
        }
        return cls(step.get("llmlab.request"), step.get("llmlab.response"), note)


@dataclass
class Assembled:
    """The chunks of a stream, put together into the reply that would have come whole."""

    finish_reason: str = ""
    message: dict[str, Any] = field(default_factory=lambda: {"role": "assistant", "content": ""})
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    logprobs: list[Any] = field(default_factory=list)
    rest: dict[str, Any] = field(default_factory=dict)

    def add(self, chunk: dict[str, Any]) -> str:
        """Take one chunk; returns its new text."""
        self.rest |= {k: v for k, v in chunk.items() if k not in ("choices", "object") and v is not None}
        choice: dict[str, Any] = next(iter(chunk.get("choices") or []), {})
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        self.logprobs += (choice.get("logprobs") or {}).get("content") or []
        delta = choice.get("delta") or {}
        for name, value in delta.items():
            if isinstance(value, str) and name != "role":  # content, refusal, reasoning_content
                self.message[name] = self.message.get(name, "") + value
        for part in delta.get("tool_calls") or []:
            call = self.calls.setdefault(
                part.get("index", 0), {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
            )
            call["id"] = part.get("id") or call["id"]
            for name, value in (part.get("function") or {}).items():
                call["function"][name] += value or ""
        return delta.get("content") or ""

    def response(self) -> dict[str, Any]:
        """The whole, in the shape of a reply that was not streamed."""
        message = (
            {**self.message, "tool_calls": [self.calls[i] for i in sorted(self.calls)]} if self.calls else self.message
        )
        choice: dict[str, Any] = {"index": 0, "finish_reason": self.finish_reason, "message": message}
        if self.logprobs:
            choice["logprobs"] = {"content": self.logprobs}
        return {"choices": [choice], **self.rest}


def parse(text: str) -> dict[str, Any]:
    """A reply's text as a JSON object. Raises ValueError if it is none."""
    try:
        return as_object(json.loads(text), text)
    except ValueError:
        raise ValueError(f"it begins {text[:60]!r}") from None


def as_object(data: object, text: str) -> dict[str, Any]:
    """Data that has to be a JSON object. Raises ValueError, which quotes the text, if it is none."""
    if not isinstance(data, dict):
        raise ValueError(f"it begins {text[:60]!r}")
    return data


def note_of(response: httpx2.Response) -> dict[str, Any]:
    """What the transport noted on a response: whether it was recorded, and how long it took."""
    return dict(json.loads(response.headers.get(recording.HEADER, "{}")))


def result_attributes(reply: Reply) -> dict[str, Any]:
    """A reply as attributes of its step."""
    return {
        "gen_ai.response.model": reply.model,
        "gen_ai.response.id": reply.response.get("id"),
        "gen_ai.response.finish_reasons": [reply.finish_reason],
        "gen_ai.request.seed": reply.seed,
        "gen_ai.usage.input_tokens": reply.input_tokens,
        "gen_ai.usage.output_tokens": reply.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": reply.cached_tokens,
        "llmlab.source": reply.source,
        "llmlab.cost": reply.cost,
        "llmlab.response": reply.response,
    }


def _as_json(arguments: str) -> str:
    """What a server takes back: llama.cpp refuses a whole conversation for one call whose arguments are no JSON, and then
    the model would never read what was wrong with them."""
    try:
        json.loads(arguments)
    except ValueError:
        return json.dumps({"no_json": arguments}, ensure_ascii=False)
    return arguments
