"""One chat call -> one Reply. The only code of the lab that calls a model, wherever that model is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import httpx2
import openai
from pydantic import BaseModel

from llmlab import faults, recording, settings, trace
from llmlab.errors import MissingCapability, ModelError, SettingsError

Source = Literal["embedded", "endpoint", "recording"]
Message = dict[str, Any]
T = TypeVar("T")

SEED = 0  # at temperature 0; above it a seed is drawn for each call, and kept in the reply
MAX_TOKENS = 512
_INTERRUPT_TICK = 0.25  # seconds; an idle event loop notices SIGINT only when it wakes
_OPTIONAL = ("seed", "temperature", "stream_options", "logprobs", "top_logprobs")


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
        """The reply as a message, to be appended to the conversation."""
        message: Message = {"role": "assistant", "content": self.text}
        if self.tool_calls:
            message["tool_calls"] = [
                {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
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

    def __str__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from llmlab.show import replies

        return replies.card(self)._repr_mimebundle_()


class Model:
    """A connected model. Make one with `await connect()`."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        name: str,
        source: Source,
        config: settings.Settings,
        provenance: dict[str, Any] | None = None,
        capabilities: frozenset[str] | None = None,
        quiet: bool = False,
    ):
        self.client, self.name, self.source, self.config = client, name, source, config
        self.provenance = {k: v for k, v in (provenance or {}).items() if v is not None}
        self.trace = trace.Trace("session")
        self.quiet = quiet  # no streaming into the cell: a replay or a recording has to give the same outputs
        self._can: dict[str, bool] = {} if capabilities is None else {c: True for c in capabilities}
        self._declared = capabilities is not None
        self._dropped: set[str] = set()

    def __repr__(self) -> str:
        return f"<Model {self.name} ({self.source})>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from llmlab.show import replies

        return replies.model_card(self)._repr_mimebundle_()

    async def chat(
        self,
        messages: str | Sequence[Message],
        *,
        tools: Sequence[Any] | None = None,
        schema: type[BaseModel] | dict[str, Any] | None = None,
        temperature: float = 0.0,
        max_tokens: int = MAX_TOKENS,
        seed: int | None = None,
        stream: bool | None = None,
        **more: Any,
    ) -> Reply:
        """Send messages (a string is one user message) and wait for the reply; one model step in the trace.

        `schema` (a pydantic class or a JSON schema) makes the reply JSON of that shape; `tools` are `Tool`s or OpenAI
        tool dictionaries; `more` goes into the request as it is. In a live notebook the text appears while it is
        written, unless `stream=False`. Raises ModelError, MissingCapability, BudgetExceeded.
        """
        body = self._body(messages, tools, schema, temperature, max_tokens, seed, more)
        drawn = seed is None and temperature > 0
        if tools:
            self._need("tools")
        if schema is not None:
            self._need("json_schema")
        into = trace.current() or self.trace
        with into.step("model", "chat", **self._attributes("chat", body)) as step:
            live = None
            if stream or (stream is None and not self.quiet):
                from llmlab.show import stream as streaming

                live = streaming.LiveText.if_watched()
            started = time.perf_counter()
            try:
                answer, note, first = await self._send(body, drawn, live)
            except ModelError as error:
                step.attributes["error.type"] = error.kind
                raise
            finally:
                if live:
                    live.clear()
            reply = self._reply(body, answer, note, time.perf_counter() - started, first)
            if reply.source == "recording":
                into.advance_to(step.start + reply.seconds)
            step.attributes.update(_result_attributes(reply))
        return reply

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send any JSON to any path of the API (`/responses`, say) and return the JSON reply; one model step."""
        into = trace.current() or self.trace
        with into.step("model", path.strip("/"), **self._attributes(path.strip("/"), body)) as step:
            try:
                raw = await _watched(self.client.post(path, body=body, cast_to=httpx2.Response))
                answer = _parse(raw.text)
            except Exception as error:
                raise self.explain(error) from error
            usage = answer.get("usage") or {}
            step.attributes.update(
                {
                    "gen_ai.usage.input_tokens": usage.get("input_tokens", usage.get("prompt_tokens")),
                    "gen_ai.usage.output_tokens": usage.get("output_tokens", usage.get("completion_tokens")),
                    "llmlab.response": answer,
                }
            )
        return answer

    @property
    def known_capabilities(self) -> dict[str, bool]:
        """What is declared or was found out so far."""
        return dict(self._can)

    async def can(self, capability: str) -> bool:
        """Whether the model can do this: declared (LLMLAB_CAPABILITIES), known, or found out by one small request."""
        if capability not in settings.CAPABILITIES:
            raise SettingsError(
                f"A capability is one of {', '.join(settings.CAPABILITIES)}, not {capability!r}; correct the name."
            )
        if capability not in self._can:
            self._can[capability] = False if self._declared else await self._probe(capability)
        return self._can[capability]

    async def require(self, *capabilities: str) -> None:
        """Raises MissingCapability, with what to do, unless the model can do all of these."""
        for capability in capabilities:
            if not await self.can(capability):
                self._need(capability)

    async def aclose(self) -> None:
        """Close the connections. The model in the box goes on until the kernel ends."""
        await self.client.close()

    def _need(self, capability: str) -> None:
        if self._can.get(capability, not self._declared):
            return
        able = [c for c, yes in self._can.items() if yes] or ["nothing beyond text"]
        raise MissingCapability(
            f"This cell needs a model that can do {capability}, but {self.name} offers {', '.join(able)}; connect "
            f"another one (README, “Use another model”), or declare it in LLMLAB_CAPABILITIES if it can."
        )

    def _body(
        self,
        messages: str | Sequence[Message],
        tools: Sequence[Any] | None,
        schema: type[BaseModel] | dict[str, Any] | None,
        temperature: float,
        max_tokens: int,
        seed: int | None,
        more: dict[str, Any],
    ) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.name,
            "messages": [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages),
            "temperature": temperature,
            "max_tokens": max_tokens,
            "seed": seed if seed is not None else SEED if temperature == 0 else random.randrange(2**31),
        }
        if tools:
            body["tools"] = [t if isinstance(t, dict) else t.openai() for t in tools]
        if schema is not None:
            shape = schema if isinstance(schema, dict) else schema.model_json_schema()
            name = str(shape.get("title", "answer")).replace(" ", "_")
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": name, "strict": True, "schema": shape},
            }
        body.update(more)
        return body

    async def _send(
        self, body: dict[str, Any], drawn: bool, live: Any
    ) -> tuple[dict[str, Any], dict[str, Any], float | None]:
        """The reply, the transport's note on it, and the seconds to the first token (streamed only)."""
        while True:
            sent = {k: v for k, v in body.items() if k not in self._dropped}
            if "max_completion_tokens" in self._dropped:
                sent["max_completion_tokens"] = sent.pop("max_tokens")
            headers = {recording.DRAWN_SEED: "1"} if drawn else {}
            try:
                if live is None:
                    return await _watched(self._once(sent, headers))
                return await _watched(self._streamed(sent, headers, live.write))
            except openai.BadRequestError as error:
                if not self._adapt(error.message, sent):
                    raise self.explain(error) from error
            except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
                raise self.explain(error) from error

    async def _once(self, body: dict[str, Any], headers: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any], None]:
        # `post` sends the body as it is; `chat.completions.create` would walk through it field by field first.
        raw = await self.client.post(
            "/chat/completions", body=body, cast_to=httpx2.Response, options={"headers": headers}
        )
        return _parse(raw.text), json.loads(raw.headers.get(recording.HEADER, "{}")), None

    async def _streamed(
        self, body: dict[str, Any], headers: dict[str, str], write: Callable[[str], None]
    ) -> tuple[dict[str, Any], dict[str, Any], float | None]:
        body = {**body, "stream": True, "stream_options": {"include_usage": True}}
        body = {k: v for k, v in body.items() if k not in self._dropped}
        started, first = time.perf_counter(), None
        raw = await self.client.chat.completions.with_raw_response.create(**body, extra_headers=headers)
        answer = _Assembled()
        async for chunk in await _maybe(raw.parse()):
            piece = answer.add(chunk.model_dump(exclude_unset=True))
            if piece:
                first = first or time.perf_counter() - started
                write(piece)
        if not answer.finish_reason:
            raise ModelError(
                "cut_off",
                f"A streamed reply ends with a finish reason, but this one broke off after {len(answer.text)} "
                f"characters ({answer.text[-40:]!r}); run the cell again.",
            )
        return answer.response(), json.loads(raw.headers.get(recording.HEADER, "{}")), first

    def _adapt(self, complaint: str, sent: dict[str, Any]) -> bool:
        """Whether the request can go again without a field that this server does not take; remembered for later."""
        if "max_completion_tokens" in complaint and "max_tokens" in sent:
            self._dropped.add("max_completion_tokens")
            return True
        for name in _OPTIONAL:
            if name in sent and name in complaint and name not in self._dropped:
                self._dropped.add(name)
                return True
        return False

    def _reply(
        self, body: dict[str, Any], answer: dict[str, Any], note: dict[str, Any], seconds: float, first: float | None
    ) -> Reply:
        choice = (answer.get("choices") or [{}])[0]
        message = choice.get("message")
        if message is None:
            raise ModelError(
                "not_json",
                f"A chat reply has choices[0].message, but {self._where()} sent {json.dumps(answer)[:80]}; check that "
                f"OPENAI_BASE_URL points to an OpenAI-compatible API.",
            )
        usage = answer.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        counted = {"input": usage.get("prompt_tokens") or 0, "output": usage.get("completion_tokens") or 0}
        cost = None
        if self.config.price_in is not None or self.config.price_out is not None:
            price_in, price_out = self.config.price_in or 0.0, self.config.price_out or 0.0
            cost = (counted["input"] * price_in + counted["output"] * price_out) / 1e6
        source = note.get("source", self.source)
        calls = [
            ToolCall(c.get("id") or f"call_{i}", c["function"]["name"], c["function"].get("arguments") or "{}")
            for i, c in enumerate(message.get("tool_calls") or [])
        ]
        dropped = sorted(self._dropped & set(body))
        notes = [note.get("note", ""), f"Not taken by this server: {', '.join(dropped)}." if dropped else ""]
        return Reply(
            text=message.get("content") or "",
            tool_calls=calls,
            finish_reason=choice.get("finish_reason") or "",
            source=source,
            model=answer.get("model") or self.name,
            input_tokens=counted["input"],
            output_tokens=counted["output"],
            cached_tokens=details.get("cached_tokens") or 0,
            seconds=note.get("seconds", seconds),
            first_token_seconds=first,
            cost=cost,
            currency=self.config.currency,
            seed=note.get("seed", body.get("seed")),
            request=trace.plain(body),
            response=trace.plain(answer),
            provenance={**self.provenance, **{k: note[k] for k in ("recorded",) if k in note}},
            note=" ".join(filter(None, notes)),
        )

    def _attributes(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        return {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": self._where(),
            "gen_ai.request.model": self.name,
            "gen_ai.request.temperature": body.get("temperature"),
            "gen_ai.request.max_tokens": body.get("max_tokens"),
            "gen_ai.request.seed": body.get("seed"),
            "llmlab.request": body,
            **self.provenance,
        }

    def _where(self) -> str:
        if self.source == "embedded":
            return "the model in the box"
        return "the recording" if self.source == "recording" else self.client.base_url.host

    def explain(self, error: Exception) -> Exception:
        """Any failure of a call to this model as an error of the lab."""
        return faults.explain(error, self._where(), self.name, self.config.timeout, str(self.client.base_url))

    async def _probe(self, capability: str) -> bool:
        ask: dict[str, Any] = {"messages": "Say yes.", "max_tokens": 16, "stream": False}
        if capability == "tools":
            tool = {"name": "say", "parameters": {"type": "object", "properties": {"word": {"type": "string"}}}}
            ask |= {"tools": [{"type": "function", "function": tool}], "tool_choice": "required", "max_tokens": 64}
        elif capability == "json_schema":
            ask |= {"schema": {"type": "object", "properties": {"yes": {"const": 1}}, "required": ["yes"]}}
        elif capability == "logprobs":
            ask |= {"logprobs": True}
        else:
            pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
            image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixel}"}}
            ask["messages"] = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}]
        self._can[capability] = True  # or `chat` would refuse to try
        try:
            reply = await self.chat(**ask)
        except ModelError as error:
            if error.kind in ("bad_request", "server", "not_json"):
                return False
            raise
        finally:
            del self._can[capability]
        if capability == "tools":
            return bool(reply.tool_calls)
        if capability == "json_schema":
            with contextlib.suppress(ValueError):
                return bool(json.loads(reply.text) == {"yes": 1})
            return False
        return capability == "vision" or bool((reply.response["choices"][0].get("logprobs") or {}).get("content"))


@dataclass
class _Assembled:
    """The chunks of a stream, put together into the reply that would have come whole."""

    text: str = ""
    finish_reason: str = ""
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)

    def add(self, chunk: dict[str, Any]) -> str:
        """Take one chunk; returns its new text."""
        self.rest |= {k: v for k, v in chunk.items() if k not in ("choices", "object") and v is not None}
        piece = ""
        for choice in chunk.get("choices") or []:
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            delta = choice.get("delta") or {}
            piece += delta.get("content") or ""
            for part in delta.get("tool_calls") or []:
                call = self.calls.setdefault(
                    part.get("index", 0), {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
                )
                call["id"] = part.get("id") or call["id"]
                for name, value in (part.get("function") or {}).items():
                    call["function"][name] += value or ""
        self.text += piece
        return piece

    def response(self) -> dict[str, Any]:
        """The whole, in the shape of a reply that was not streamed."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.calls:
            message["tool_calls"] = [self.calls[i] for i in sorted(self.calls)]
        return {"choices": [{"index": 0, "finish_reason": self.finish_reason, "message": message}], **self.rest}


async def _watched(work: Coroutine[Any, Any, T]) -> T:
    """Await in a task of its own, so that an interrupt of the kernel is noticed, and stops the generation."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=_INTERRUPT_TICK)
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _maybe(value: Any) -> Any:
    return await value if asyncio.iscoroutine(value) else value


def _parse(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        raise ValueError(f"it begins {text[:60]!r}") from None
    if not isinstance(data, dict):
        raise ValueError(f"it begins {text[:60]!r}")
    return data


def _result_attributes(reply: Reply) -> dict[str, Any]:
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
