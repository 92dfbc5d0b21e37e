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
REASONING = ("reasoning_content", "reasoning")  # of DeepSeek, vLLM, llama.cpp; of OpenRouter, Ollama


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
        """The reply as a message, to be appended to the conversation: as it came, with all its fields, for some servers want
        their own back. Only arguments that are no JSON are mended."""
        came: dict[str, Any] = self.response["choices"][0]["message"]
        message: Message = {
            **came,
            "role": came.get("role") or "assistant",
            "content": came.get("content") or self.text,
        }
        if self.tool_calls:
            given = zip(
                came.get("tool_calls") or [{"function": {}}] * len(self.tool_calls), self.tool_calls, strict=True
            )
            message["tool_calls"] = [
                {
                    **part,
                    "id": c.id,
                    "type": "function",
                    "function": {**part["function"], "name": c.name, "arguments": _as_json(c.arguments)},
                }
                for part, c in given
            ]
        return {name: value for name, value in message.items() if value is not None or name == "content"}

    @property
    def reasoning(self) -> str:
        """What the model wrote for itself, where the server sends it apart from the text; else empty."""
        came = self.response["choices"][0]["message"]
        return next((came[name] for name in REASONING if isinstance(came.get(name), str)), "")

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
        return cls(step.request, step.response, note)


@dataclass
class Assembled:
    """The chunks of a stream, put together into the reply that would have come whole.

    Servers differ: parallel calls come with one index for all, or with none, names again in each chunk, arguments as objects,
    content as a list of parts, and fields that nobody else has. What has no rule here is kept as it came last.
    """

    finish_reason: str = ""
    message: dict[str, Any] = field(default_factory=lambda: {"role": "assistant", "content": ""})
    calls: list[dict[str, Any]] = field(default_factory=list)
    logprobs: list[Any] = field(default_factory=list)
    rest: dict[str, Any] = field(default_factory=dict)

    def add(self, chunk: dict[str, Any]) -> str:
        """Take one chunk; returns its new text."""
        self.rest |= {k: v for k, v in chunk.items() if k not in ("choices", "object") and v is not None}
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        self.logprobs += (choice.get("logprobs") or {}).get("content") or []
        delta = choice.get("delta") or choice.get("message") or {}
        for part in delta.get("tool_calls") or []:
            self._call(part)
        content = delta.get("content")
        text = text_of(content) if isinstance(content, str | list) else ""
        self.message["content"] += text
        for name, value in delta.items():
            if name not in ("role", "content", "tool_calls"):
                self.message[name] = _joined(self.message.get(name), value)
        return text

    def _call(self, part: dict[str, Any]) -> None:
        """A piece of a call: of one that has begun, or the first of another."""
        function = part.get("function") or {}
        number, given, name = part.get("index"), part.get("id"), function.get("name")
        same = self.calls if number is None else [call for call in self.calls if call["index"] == number]
        at = same[-1] if same else None
        another = at and given and at["id"] and given != at["id"]
        again = at and not given and name and number is None and at["function"]["arguments"]
        if at is None or another or again:
            at = {"index": number, "id": "", "type": "function", "function": {"name": "", "arguments": ""}}
            self.calls.append(at)
        at["id"] = given or at["id"]
        inside = at["function"]
        if name and name != inside["name"]:
            inside["name"] += name
        arguments = function.get("arguments")
        inside["arguments"] += arguments if isinstance(arguments, str) else _text(arguments)
        for key, value in part.items():
            if key not in ("index", "id", "type", "function"):
                at[key] = _joined(at.get(key), value)
        for key, value in function.items():
            if key not in ("name", "arguments"):
                inside[key] = _joined(inside.get(key), value)

    def response(self) -> dict[str, Any]:
        """The whole, in the shape of a reply that was not streamed."""
        calls = [{key: value for key, value in call.items() if key != "index"} for call in self.calls]
        message = {**self.message, "tool_calls": calls} if calls else self.message
        choice: dict[str, Any] = {"index": 0, "finish_reason": self.finish_reason, "message": message}
        if self.logprobs:
            choice["logprobs"] = {"content": self.logprobs}
        return {"choices": [choice], **self.rest}


def _joined(old: Any, new: Any) -> Any:
    """Two pieces of a field: texts and lists one after the other, objects merged, else the later one."""
    if new is None:
        return old
    if isinstance(old, str) and isinstance(new, str):
        return old + new
    if isinstance(old, list) and isinstance(new, list):
        return old + new
    return {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new


def _text(arguments: Any) -> str:
    return "" if arguments is None else json.dumps(arguments, ensure_ascii=False)


def text_of(content: Any) -> str:
    """The text of a message's content, also where it is a list of parts. Raises TypeError for what is neither."""
    if isinstance(content, list):
        return "".join(part if isinstance(part, str) else str(part.get("text") or "") for part in content)
    if not isinstance(content, str | None):
        raise TypeError(f"a content of type {type(content).__name__}")
    return content or ""


def calls_of(message: dict[str, Any]) -> list[ToolCall]:
    """The tool calls of a message. Raises LookupError, TypeError or AttributeError where a part has no name."""
    calls = []
    for number, part in enumerate(message.get("tool_calls") or []):
        function = part["function"]
        if not isinstance(function["name"], str) or not function["name"]:
            raise TypeError("a call without a name")
        arguments = function.get("arguments")
        text = arguments if isinstance(arguments, str) else _text(arguments)
        calls.append(ToolCall(str(part.get("id") or f"call_{number}"), function["name"], text or "{}"))
    return calls


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
