"""One chat call -> one Reply. The only code of the lab that calls a model, wherever that model is."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
import openai
from pydantic import BaseModel

from llmlab import redaction, settings, trace, wait
from llmlab.checked import checked
from llmlab.errors import MissingCapability, ModelError, SettingsError
from llmlab.llm import capabilities, endpoint, failures, recording
from llmlab.llm.reply import Message, Reply, Source, Stream, json_object, note_of, whole_letters

T = TypeVar("T")

SEED = 0  # at temperature 0; above it a seed is drawn for each call, and kept in the reply
MAX_TOKENS = 512
ADAPTER = "llmlab.adapter.sha256"  # in the provenance of a model that has one for calling tools
LORA = [{"id": 0, "scale": 1.0}]  # llama.cpp lays it over the model; in requests without tools the model is the makers'
_OPTIONAL = ("seed", "temperature", "stream_options", "logprobs", "top_logprobs")
_NOT_TAKEN = re.compile(r"support|unknown|unrecogni|unexpected|not (permitted|allowed)", re.I)


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
        self.declared = capabilities is not None
        self.abilities = {c: True for c in capabilities or ()}  # what is declared or was found out so far
        self._refused: set[str] = set()  # request fields that this server does not take

    def __repr__(self) -> str:
        return f"<Model {self.name} ({self.source})>"

    @checked
    async def chat(
        self,
        messages: str | Sequence[Message],
        *,
        tools: Sequence[Any] | None = None,
        schema: type[BaseModel] | dict[str, Any] | None = None,
        temperature: float = 0.0,
        max_tokens: int = MAX_TOKENS,
        seed: int | None = None,
        stream: bool = False,
        **more: Any,
    ) -> Reply:
        """Send messages (a string is one user message) and wait for the reply; one model step in the trace.

        `schema` (a pydantic class or a JSON schema) makes the reply JSON of that shape; `tools` are `Tool`s or OpenAI
        tool dictionaries; `more` goes into the request as it is. With `stream=True` the text appears in the cell while
        it is written. What had come before an error or an interrupt is kept in the trace.
        Raises ModelError, MissingCapability, BudgetExceeded.
        """
        drawn = seed is None and temperature > 0
        body: dict[str, Any] = {
            "model": self.name,
            "messages": [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages),
            "temperature": temperature,
            "max_tokens": max_tokens,
            "seed": random.randrange(2**31) if drawn else SEED if seed is None else seed,
        }
        if tools:
            body["tools"] = [_offered(given) for given in tools]
            body |= {"lora": LORA} if ADAPTER in self.provenance else {}
            self._need("tools")
        if schema is not None:
            body["response_format"] = _response_format(schema)
            self._need("json_schema")
        if '"type": "image_url"' in json.dumps(body["messages"], default=str):  # in a text, these quotes are escaped
            self._need("vision")
        body = whole_letters({**body, **more})
        into = trace.current() or self.trace
        with into.step("model", "chat", **self._attributes("chat", self._fitted(body))) as step:
            began = time.perf_counter()
            await asyncio.sleep(0)  # calls side by side all begin before a kept one sets the clock forward
            try:
                if kept := into.kept(step, {k: v for k, v in body.items() if not (drawn and k == "seed")}):
                    note = {"source": kept.get("llmlab.source"), "seconds": kept.seconds, "note": failures.KEPT}
                else:
                    note = await self._send(body, step, stream and not self.quiet and body.get("n", 1) == 1, drawn)
                reply = self._reply(body, step, {"seconds": time.perf_counter() - began, **note})
            except ModelError as error:
                step.attributes["error.type"] = error.kind
                raise
            if reply.source == "recording":
                into.advance_to(step.start + reply.seconds)
            step.attributes |= reply.attributes()
        return reply

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send any JSON to any path of the API (`/responses`, say) and return the JSON reply; one model step."""
        into, operation = trace.current() or self.trace, path.strip("/")
        with into.step("model", operation, **self._attributes(operation, body)) as step:
            try:
                raw = await _interruptible(self.client.post(path, body=body, cast_to=httpx2.Response))
                answer = json_object(raw.text)
            except Exception as error:
                explained = self.explain(error)
                step.attributes["error.type"] = getattr(explained, "kind", type(error).__name__)
                raise explained from error
            usage = answer.get("usage") or {}
            step.attributes |= {
                "gen_ai.usage.input_tokens": usage.get("input_tokens", usage.get("prompt_tokens")),
                "gen_ai.usage.output_tokens": usage.get("output_tokens", usage.get("completion_tokens")),
                "llmlab.response": answer,
            }
        return answer

    async def can(self, capability: str) -> bool:
        """Whether the model can do this: declared (LLMLAB_CAPABILITIES), known, or found out by one small request."""
        if capability not in settings.CAPABILITIES:
            raise SettingsError(f"A capability is one of {', '.join(settings.CAPABILITIES)}, not {capability!r}.")
        if capability not in self.abilities:
            self.abilities[capability] = False if self.declared else await capabilities.probe(self, capability)
        return self.abilities[capability]

    @asynccontextmanager
    async def endpoint(self) -> AsyncIterator[str]:
        """An address on loopback for other clients and frameworks: what they ask is answered by this model, live or
        replayed, and is a step of the trace that is open here. `async with model.endpoint() as base_url: …`"""
        with endpoint.serve(self) as url:
            yield url

    async def aclose(self) -> None:
        """Close the connections. The model in the box goes on until the kernel ends."""
        await self.client.close()

    def explain(self, error: Exception) -> Exception:
        """Any failure of a call to this model as an error of the lab."""
        address = str(self.client.base_url.copy_with(userinfo=b""))
        return failures.explain(error, self._where(), self.name, self.config.timeout, address)

    def _need(self, capability: str) -> None:
        if not self.abilities.get(capability, not self.declared):
            able = sorted(c for c, yes in self.abilities.items() if yes) or ["nothing beyond text"]
            raise MissingCapability(
                f"This cell needs a model that can do {capability}, but {self.name} offers {', '.join(able)}; connect "
                f"another one (README, “Use another model”), or declare it in LLMLAB_CAPABILITIES if it can."
            )

    async def _send(self, body: dict[str, Any], step: trace.Step, stream: bool, drawn: bool) -> dict[str, Any]:
        """Send a request until it is in a form that the server takes; returns what the transport noted on the reply."""
        while True:
            sent = self._fitted(body)
            try:
                return await _interruptible(self._sent(sent, step, stream, drawn))
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if not self._adapt(error.response.text, sent):
                    raise self.explain(error) from error
                step.attributes |= redaction.plain(self._attributes("chat", self._fitted(body)))
            except (openai.OpenAIError, httpx2.HTTPError, ValueError, TimeoutError) as error:
                raise self.explain(error) from error

    async def _sent(self, sent: dict[str, Any], step: trace.Step, stream: bool, drawn: bool) -> dict[str, Any]:
        """One request, by the client's own method; the reply, or what came of it, goes into the step."""
        more = {k: v for k, v in sent.items() if k not in ("model", "messages")}
        if stream:
            more |= self._fitted({"stream_options": {"include_usage": True}})
        began, create = time.perf_counter(), self.client.chat.completions.with_raw_response.create
        raw: Any = await create(  # type: ignore[call-overload]
            model=sent["model"],
            messages=sent["messages"],
            extra_body=more,
            extra_headers={recording.DRAWN_SEED: "1"} if drawn else None,
            **({"stream": True} if stream else {}),
        )
        if not stream or not raw.headers.get("content-type", "").startswith("text/event-stream"):
            step.attributes["llmlab.response"] = json_object((await raw.http_response.aread()).decode())
            return note_of(raw)
        answer, first, live = Stream(), None, wait.watched()
        try:
            # The client's own limit begins anew with each comment line by which a server keeps the connection warm.
            async with asyncio.timeout(self.config.timeout) as clock:
                async for chunk in raw.parse(to=openai.AsyncStream[object]):
                    clock.reschedule(asyncio.get_running_loop().time() + self.config.timeout)
                    if (piece := answer.add(chunk)) and live:
                        live.write(piece)
                    first = first or (time.perf_counter() - began if piece else None)
        finally:
            # Also what came before an error or an interrupt.
            step.attributes["llmlab.response"] = redaction.plain(answer.response())
            if live:
                live.clear()
        if not answer.finish_reason and not failures.said_in_a_reply(answer.response()):
            raise ModelError("cut_off", failures.cut_off(self._where(), answer.message["content"]))
        return {**note_of(raw), "first": first}

    def _fitted(self, body: dict[str, Any]) -> dict[str, Any]:
        """The request as this server takes it, as far as that was found out."""
        sent = {k: v for k, v in body.items() if k not in self._refused}
        if "max_tokens" in self._refused and "max_tokens" in body:
            sent.setdefault("max_completion_tokens", body["max_tokens"])
        return sent

    def _adapt(self, complaint: str, sent: dict[str, Any]) -> bool:
        """Whether the request can go again without a field that this server does not take; remembered for later."""
        field = None
        if "max_completion_tokens" in complaint:
            field = "max_tokens" if "max_tokens" in sent else None
        elif _NOT_TAKEN.search(complaint):
            asked = {*sent, "stream_options"} - self._refused
            field = next((name for name in _OPTIONAL if name in asked and name in complaint), None)
        if field:
            self._refused.add(field)
        return field is not None

    def _reply(self, body: dict[str, Any], step: trace.Step, note: dict[str, Any]) -> Reply:
        if said := failures.said_in_a_reply(step.response):
            status, words = said
            raise failures.of_status(status, f"{status}: {words}", self._where(), self.name)
        try:
            reply = Reply.of(step.request, step.response, note, self.source)
        except (LookupError, TypeError, AttributeError):
            raise ModelError("not_json", failures.no_chat_reply(self._where(), step.response)) from None
        if self.config.price_in is not None or self.config.price_out is not None:
            price_in, price_out = self.config.price_in or 0.0, self.config.price_out or 0.0
            reply.cost = (reply.input_tokens * price_in + reply.output_tokens * price_out) / 1e6
        reply.currency = self.config.currency
        reply.provenance = {**self.provenance, **reply.provenance}
        renamed = {"max_tokens": "max_tokens (sent as max_completion_tokens)"}
        if refused := [renamed.get(name, name) for name in body if name not in step.request]:
            reply.note = f"{reply.note} Not taken by this server: {', '.join(refused)}.".strip()
        return reply

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
        where = {"embedded": "the model in the box", "recording": "the recorded model"}
        return where.get(self.source) or self.client.base_url.host


def _offered(given: Any) -> dict[str, Any]:
    """A tool as a request offers it."""
    if isinstance(given, dict) or hasattr(given, "openai"):
        offered: dict[str, Any] = given if isinstance(given, dict) else given.openai()
        return offered
    raise SettingsError(f"A request takes tools, but {given!r} is none; make one with tool(…), from llmlab.tools.")


def _response_format(schema: type[BaseModel] | dict[str, Any]) -> dict[str, Any]:
    shape = schema if isinstance(schema, dict) else schema.model_json_schema()
    name = str(shape.get("title", "answer")).replace(" ", "_")
    strict = shape.get("additionalProperties") is False  # OpenAI refuses any other as strict
    return {"type": "json_schema", "json_schema": {"name": name, "strict": strict, "schema": shape}}


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Await in a task of its own, so that an interrupt of the kernel is noticed, and stops the generation."""
    task = asyncio.ensure_future(work)
    try:
        with wait.awake():
            await asyncio.wait([task])
        return task.result()
    except (asyncio.CancelledError, KeyboardInterrupt) as stopped:
        said = "Interrupted: the generation was stopped, and what had come is in the trace; the lab goes on."
        stopped._render_traceback_ = lambda: [said]  # type: ignore[union-attr]  # IPython shows it instead of the stack
        raise
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
