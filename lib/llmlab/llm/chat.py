"""One chat call -> one Reply. The only code of the lab that calls a model, wherever that model is."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import httpx2
import openai
from pydantic import BaseModel

from llmlab import redaction, settings, trace, wait
from llmlab.errors import MissingCapability, ModelError, SettingsError
from llmlab.llm import capabilities, failures, recording
from llmlab.llm.reply import (
    Answer,
    Assembled,
    Message,
    Reply,
    Source,
    as_object,
    calls_of,
    note_of,
    parse,
    result_attributes,
    text_of,
)

T = TypeVar("T")

SEED = 0  # at temperature 0; above it a seed is drawn for each call, and kept in the reply
MAX_TOKENS = 512
_CHAT = "/chat/completions"
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
        self.abilities: dict[str, bool] = {} if capabilities is None else {c: True for c in capabilities}
        self._declared = capabilities is not None
        self._refused: set[str] = set()  # request fields that this server does not take

    def __repr__(self) -> str:
        return f"<Model {self.name} ({self.source})>"

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
        written, unless `stream=False`; what had come before an error or an interrupt is kept in the trace.
        Raises ModelError, MissingCapability, BudgetExceeded.
        """
        body = self._body(messages, tools, schema, temperature, max_tokens, seed, more)
        drawn = seed is None and temperature > 0
        if tools:
            self._need("tools")
        if schema is not None:
            self._need("json_schema")
        into = trace.current() or self.trace
        with into.step("model", "chat", **self._attributes("chat", body)) as step:
            write: Callable[[str], None] | None = None
            live = None
            if stream is not False and not self.quiet and body.get("n", 1) == 1:
                live = wait.watched()
                write = live.write if live else _unseen if stream else None
            started = time.perf_counter()
            try:
                await asyncio.sleep(0)  # calls side by side all begin before a kept one sets the clock forward
                kept = into.kept(step, {k: v for k, v in body.items() if not (drawn and k == "seed")})
                answer = Answer.of(kept) if kept else await self._send(body, drawn, write, step)
                step.attributes["llmlab.response"] = answer.response
                reply = self._reply(body, answer, time.perf_counter() - started)
            except ModelError as error:
                step.attributes["error.type"] = error.kind
                raise
            finally:
                if live:
                    live.clear()
            if reply.source == "recording":
                into.advance_to(step.start + reply.seconds)
            step.attributes.update(result_attributes(reply))
        return reply

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send any JSON to any path of the API (`/responses`, say) and return the JSON reply; one model step."""
        into = trace.current() or self.trace
        with into.step("model", path.strip("/"), **self._attributes(path.strip("/"), body)) as step:
            try:
                raw = await _watched(self.client.post(path, body=body, cast_to=httpx2.Response))
                answer = parse(raw.text)
            except Exception as error:
                explained = self.explain(error)
                if isinstance(explained, ModelError):
                    step.attributes["error.type"] = explained.kind
                raise explained from error
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
        return dict(self.abilities)

    async def can(self, capability: str) -> bool:
        """Whether the model can do this: declared (LLMLAB_CAPABILITIES), known, or found out by one small request."""
        if capability not in settings.CAPABILITIES:
            raise SettingsError(
                f"A capability is one of {', '.join(settings.CAPABILITIES)}, not {capability!r}; correct the name."
            )
        if capability not in self.abilities:
            self.abilities[capability] = False if self._declared else await capabilities.probe(self, capability)
        return self.abilities[capability]

    async def require(self, *capabilities: str) -> None:
        """Raises MissingCapability, with what to do, unless the model can do all of these."""
        for capability in capabilities:
            if not await self.can(capability):
                self._need(capability)

    async def aclose(self) -> None:
        """Close the connections. The model in the box goes on until the kernel ends."""
        await self.client.close()

    def _need(self, capability: str) -> None:
        if self.abilities.get(capability, not self._declared):
            return
        able = [c for c, yes in self.abilities.items() if yes] or ["nothing beyond text"]
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
            "messages": whole_letters(
                [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
            ),
            "temperature": temperature,
            "max_tokens": max_tokens,
            "seed": seed if seed is not None else SEED if temperature == 0 else random.randrange(2**31),
        }
        if tools:
            for given in tools:
                if not isinstance(given, dict) and not hasattr(given, "openai"):
                    raise SettingsError(
                        f"A request takes tools, but {given!r} is none; make one with tool(…), from llmlab.tools."
                    )
            body["tools"] = [t if isinstance(t, dict) else t.openai() for t in tools]
        if schema is not None:
            shape = schema if isinstance(schema, dict) else schema.model_json_schema()
            name = str(shape.get("title", "answer")).replace(" ", "_")
            strict = shape.get("additionalProperties") is False  # OpenAI refuses any other as strict
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": name, "strict": strict, "schema": shape},
            }
        body.update(more)
        return body

    async def _send(
        self, body: dict[str, Any], drawn: bool, write: Callable[[str], None] | None, step: trace.Step
    ) -> Answer:
        headers = {recording.DRAWN_SEED: "1"} if drawn else {}
        while True:
            sent = self._fitted(body)
            step.attributes |= self._attributes("chat", sent)
            try:
                if write is None:
                    return await _watched(self._whole(sent, headers))
                return await _watched(self._streamed(sent, headers, write, step))
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if not self._adapt(error.response.text, sent):
                    raise self.explain(error) from error
            except (openai.OpenAIError, httpx2.HTTPError, ValueError, TimeoutError) as error:
                raise self.explain(error) from error

    async def _whole(self, sent: dict[str, Any], headers: dict[str, str]) -> Answer:
        raw = await self.client.post(_CHAT, body=sent, cast_to=httpx2.Response, options={"headers": headers})
        return Answer(sent, parse(raw.text), note_of(raw))

    async def _streamed(
        self, sent: dict[str, Any], headers: dict[str, str], write: Callable[[str], None], step: trace.Step
    ) -> Answer:
        body = self._fitted({**sent, "stream": True, "stream_options": {"include_usage": True}})
        started, first = time.perf_counter(), None
        chunks: openai.AsyncStream[object] = await self.client.post(
            _CHAT,
            body=body,
            cast_to=object,
            options={"headers": headers},
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )
        raw = chunks.response
        if not raw.headers.get("content-type", "").startswith("text/event-stream"):
            await raw.aread()
            return Answer(sent, parse(raw.text), note_of(raw))
        answer = Assembled()
        try:
            # The client's own limit begins anew with each comment line by which a server keeps the connection warm.
            async with asyncio.timeout(self.config.timeout) as clock:
                async for chunk in chunks:
                    clock.reschedule(asyncio.get_running_loop().time() + self.config.timeout)
                    if piece := answer.add(as_object(chunk, str(chunk))):
                        first = first or time.perf_counter() - started
                        write(piece)
        finally:
            step.attributes["llmlab.response"] = answer.response()  # also what came before an error or an interrupt
        if not answer.finish_reason and not failures.said_in_a_reply(answer.response()):
            raise ModelError("cut_off", failures.cut_off(self._where(), answer.message["content"]))
        return Answer(sent, answer.response(), note_of(raw), first)

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

    def _reply(self, body: dict[str, Any], answer: Answer, seconds: float) -> Reply:
        data, note, sent = answer.response, answer.note, answer.sent
        if said := failures.said_in_a_reply(data):
            status, words = said
            raise failures.of_status(status, f"{status}: {words}", self._where(), self.name)
        try:
            choice = data["choices"][0]
            message = choice["message"]
            text, calls = text_of(message.get("content")) or text_of(message.get("refusal")), calls_of(message)
        except (LookupError, TypeError, AttributeError):
            raise ModelError("not_json", failures.no_chat_reply(self._where(), data)) from None
        usage = data.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        counted = {"input": usage.get("prompt_tokens") or 0, "output": usage.get("completion_tokens") or 0}
        cost = None
        if self.config.price_in is not None or self.config.price_out is not None:
            price_in, price_out = self.config.price_in or 0.0, self.config.price_out or 0.0
            cost = (counted["input"] * price_in + counted["output"] * price_out) / 1e6
        renamed = {"max_tokens": "max_tokens (sent as max_completion_tokens)"}
        refused = ", ".join(renamed.get(name, name) for name in body if name not in sent)
        notes = [note.get("note", ""), f"Not taken by this server: {refused}." if refused else ""]
        if not text.strip() and not calls:
            notes.append(failures.empty(choice.get("finish_reason"), message))
        return Reply(
            text=text,
            tool_calls=calls,
            finish_reason=choice.get("finish_reason") or "",
            source=note.get("source", self.source),
            model=data.get("model") or self.name,
            input_tokens=counted["input"],
            output_tokens=counted["output"],
            cached_tokens=details.get("cached_tokens") or 0,
            seconds=note.get("seconds", seconds),
            first_token_seconds=answer.first,
            cost=cost,
            currency=self.config.currency,
            seed=note.get("seed", sent.get("seed")),
            request=redaction.plain(sent),
            response=redaction.plain(data),
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
        return "the recorded model" if self.source == "recording" else self.client.base_url.host

    def explain(self, error: Exception) -> Exception:
        """Any failure of a call to this model as an error of the lab."""
        return failures.explain(
            error, self._where(), self.name, self.config.timeout, str(self.client.base_url.copy_with(userinfo=b""))
        )


def whole_letters(value: Any) -> Any:
    """The same data; halves of a surrogate pair, which no JSON may hold, as the sign for what cannot be read."""
    if isinstance(value, str):
        return value if value.isprintable() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {name: whole_letters(inner) for name, inner in value.items()}
    return [whole_letters(inner) for inner in value] if isinstance(value, list | tuple) else value


def _unseen(piece: str) -> None:
    """A stream that no cell shows."""


async def _watched(work: Coroutine[Any, Any, T]) -> T:
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
