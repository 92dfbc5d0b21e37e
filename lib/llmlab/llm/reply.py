"""What comes back from a model: a Reply and its tool calls, whether it came whole or in pieces."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from llmlab import redaction
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
    seed: int | None
    request: dict[str, Any]
    response: dict[str, Any]
    provenance: dict[str, Any]
    note: str = ""
    cost: float | None = None
    currency: str = ""

    @classmethod
    def of(cls, request: dict[str, Any], response: dict[str, Any], note: dict[str, Any], source: Source) -> Reply:
        """Read a reply as the server sent it, with what the transport noted on it.

        Raises LookupError, TypeError or AttributeError where it is no chat reply.
        """
        choice = response["choices"][0]
        message, usage = choice["message"], response.get("usage") or {}
        text, calls = text_of(message.get("content")) or text_of(message.get("refusal")), calls_of(message)
        finish, about = choice.get("finish_reason"), note.get("note", "")
        if not text.strip() and not calls:
            about = f"{about} {empty(finish, message)}".strip()
        return cls(
            text=text,
            tool_calls=calls,
            finish_reason=finish or "",
            source=note.get("source", source),
            model=response.get("model") or request["model"],
            input_tokens=usage.get("prompt_tokens") or 0,
            output_tokens=usage.get("completion_tokens") or 0,
            cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
            seconds=note["seconds"],
            first_token_seconds=note.get("first"),
            seed=note.get("seed", request.get("seed")),
            request=request,
            response=response,
            provenance={name: note[name] for name in ("recorded",) if name in note},
            note=about,
        )

    @property
    def message(self) -> Message:
        """The reply as a message, to be appended to the conversation: as it came, with all its fields, for some servers
        want their own back. Only arguments that are no JSON are mended."""
        came = self.response["choices"][0]["message"]
        said = came.get("content") or self.text
        message: Message = {**came, "role": came.get("role") or "assistant", "content": said}
        if self.tool_calls:
            message["tool_calls"] = [
                {**part, "id": call.id, "type": "function", "function": {**part["function"], "arguments": _json(call)}}
                for part, call in zip(came["tool_calls"], self.tool_calls, strict=True)
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
            said = f"The reply has to be JSON, but begins {self.text[:60]!r}; ask with schema=…"
            raise ModelError("not_json", said) from None

    def parse(self, shape: type[S]) -> S:
        """The text as an object of a pydantic class. Raises ModelError if it does not fit."""
        try:
            return shape.model_validate_json(self.text)
        except ValidationError as error:
            first = error.errors()[0]
            where = "".join(f"{part}: " for part in [".".join(map(str, first["loc"]))] if part)
            raise ModelError(
                "not_json",
                f"The reply has to be JSON of the shape {shape.__name__}, but begins {self.text[:60]!r} "
                f"({where}{first['msg']}); ask with schema={shape.__name__}.",
            ) from None

    def attributes(self) -> dict[str, Any]:
        """The reply as attributes of its step, by OpenTelemetry's names."""
        return {
            "gen_ai.response.model": self.model,
            "gen_ai.response.id": self.response.get("id"),
            "gen_ai.response.finish_reasons": [self.finish_reason],
            "gen_ai.request.seed": self.seed,
            "gen_ai.usage.input_tokens": self.input_tokens,
            "gen_ai.usage.output_tokens": self.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": self.cached_tokens,
            "llmlab.source": self.source,
            "llmlab.cost": self.cost,
        }

    def __str__(self) -> str:
        return self.text


@dataclass
class Stream:
    """The chunks of a stream, put together into the reply that would have come whole.

    Servers differ: parallel calls come with one index for all, or with none, names again in each chunk, arguments as objects,
    content as a list of parts, and fields that nobody else has. What has no rule here is kept as it came last.
    """

    finish_reason: str = ""
    message: dict[str, Any] = field(default_factory=lambda: {"role": "assistant", "content": ""})
    calls: list[dict[str, Any]] = field(default_factory=list)
    logprobs: list[Any] = field(default_factory=list)
    rest: dict[str, Any] = field(default_factory=dict)

    def add(self, chunk: Any) -> str:
        """Take one chunk; returns its new text. Raises ValueError if it is no JSON object."""
        if not isinstance(chunk, dict):
            raise ValueError(f"it begins {str(chunk)[:60]!r}")
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
        _join(self.message, delta, ("role", "content", "tool_calls"))
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
        inside = at["function"]
        at["id"] = given or at["id"]
        if name and name != inside["name"]:
            inside["name"] += name
        inside["arguments"] += _text(function.get("arguments"))
        _join(at, part, ("index", "id", "type", "function"))
        _join(inside, function, ("name", "arguments"))

    def response(self) -> dict[str, Any]:
        """The whole, in the shape of a reply that was not streamed."""
        calls = [{key: value for key, value in call.items() if key != "index"} for call in self.calls]
        message = {**self.message, "tool_calls": calls} if calls else self.message
        choice: dict[str, Any] = {"index": 0, "finish_reason": self.finish_reason, "message": message}
        if self.logprobs:
            choice["logprobs"] = {"content": self.logprobs}
        return {"choices": [choice], **self.rest}


def _join(whole: dict[str, Any], piece: dict[str, Any], known: tuple[str, ...]) -> None:
    """Add the other fields of a piece: texts and lists one after the other, objects merged, else the later one counts."""
    for name, new in piece.items():
        old = whole.get(name)
        if name in known or new is None:
            continue
        if (isinstance(old, str) and isinstance(new, str)) or (isinstance(old, list) and isinstance(new, list)):
            whole[name] = old + new  # type: ignore[operator]
        else:
            whole[name] = {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new


def _text(arguments: Any) -> str:
    """Arguments as JSON text: some servers send an object."""
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return json.dumps(arguments, ensure_ascii=False)


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
        text = _text(function.get("arguments")) or "{}"
        calls.append(ToolCall(str(part.get("id") or f"call_{number}"), function["name"], text))
    return calls


def empty(finish_reason: object, message: dict[str, Any]) -> str:
    """For a reply that has neither text nor calls."""
    thought = sum(len(message[name]) for name in REASONING if isinstance(message.get(name), str))
    wrote = f", but wrote {thought:,} characters of reasoning" if thought else ""
    return f"The model answered with nothing{wrote} (finish reason {finish_reason or 'none'})."


def json_object(text: str) -> dict[str, Any]:
    """A reply's text as a JSON object, redacted. Raises ValueError, which quotes the text, if it is none."""
    try:
        data = redaction.parsed(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise ValueError(f"it begins {text[:60]!r}")
    return data


def note_of(response: Any) -> dict[str, Any]:
    """What the transport noted on a response: whether it was recorded, and how long it took."""
    return dict(json.loads(response.headers.get(recording.HEADER, "{}")))


def whole_letters(value: Any) -> Any:
    """The same data; halves of a surrogate pair, which no JSON may hold, as the sign for what cannot be read."""
    if isinstance(value, str):
        return value if value.isprintable() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {name: whole_letters(inner) for name, inner in value.items()}
    return [whole_letters(inner) for inner in value] if isinstance(value, list | tuple) else value


def _json(call: ToolCall) -> str:
    """What a server takes back: llama.cpp refuses a whole conversation for one call whose arguments are no JSON, and then
    the model would never read what was wrong with them."""
    try:
        json.loads(call.arguments)
    except ValueError:
        return json.dumps({"no_json": call.arguments}, ensure_ascii=False)
    return call.arguments
