"""A Python function -> a tool that a model can call: its schema, its arguments checked, its call in the trace."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, get_type_hints, overload

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ArgsKwargs, to_jsonable_python

from llmlab import redaction, trace
from llmlab.errors import ToolError
from llmlab.llm.reply import Message, ToolCall
from llmlab.wait import awake

TIMEOUT = 30.0  # seconds
LIMIT = 20_000  # characters of a result that a model gets to read, as of an MCP server's


@dataclass(frozen=True)
class ToolResult:
    """What a tool gave back: `value` for the program, `text` for the model. A failure is a text that it can read."""

    ok: bool
    text: str
    value: Any = None


@dataclass(frozen=True)
class Tool:
    """A function with a name, a description and a JSON schema of its parameters."""

    name: str
    description: str
    parameters: dict[str, Any]
    function: Callable[..., Any]
    timeout: float = TIMEOUT
    returns: dict[str, Any] | None = None  # a JSON schema of the result, where it is known
    limit: int = LIMIT  # characters of the result that a model gets to read

    def openai(self) -> dict[str, Any]:
        """The form in which a chat request offers it."""
        shown = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": shown}

    async def call(self, arguments: str | dict[str, Any], call_id: str | None = None) -> ToolResult:
        """Check the arguments against the type hints, call the function, record one tool step.

        A call that a resumed run had finished is not made again. What goes wrong (no JSON, wrong arguments, an exception, the time limit) comes back as a result with ok=False.
        """
        into = trace.current() or trace.Trace()
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": self.name,
            "gen_ai.tool.call.id": call_id,
            "gen_ai.tool.call.arguments": arguments,
        }
        with into.step("tool", self.name, **attributes) as step:
            await asyncio.sleep(0)  # calls side by side all begin before a kept one sets the clock forward
            if kept := into.kept(step, arguments):
                text = kept.result
                return ToolResult(True, text, text)
            clock = asyncio.timeout(self.timeout)
            try:
                with awake():
                    async with clock:
                        value = await self._run(arguments)
                result = ToolResult(True, cut(value if isinstance(value, str) else _json(value), self.limit), value)
            except ToolError as error:
                result = ToolResult(False, f"error: {error}")
            except Exception as error:  # a tool's own failure is for the model to read, not for the reader's cell
                why = f"failed: {type(error).__name__}: {error}"
                if isinstance(error, TimeoutError) and clock.expired():
                    why = f"has {self.timeout:g} seconds, but took longer"
                result = ToolResult(False, f"error: {self.name} {why}")
            step.attributes["gen_ai.tool.call.result"] = result.text
            if not result.ok:
                step.status, step.error = "error", redaction.redact(result.text)
                step.attributes["error.type"] = "tool_error"
        return result

    async def _run(self, arguments: str | dict[str, Any]) -> Any:
        if isinstance(arguments, str):
            text = arguments
            try:
                arguments = json.loads(text or "{}")
            except ValueError:
                raise ToolError(f"{self.name} takes its arguments as JSON, but got {text[:80]!r}") from None
        if not isinstance(arguments, dict):
            raise ToolError(f"{self.name} takes a JSON object, but got {type(arguments).__name__}")
        if inspect.iscoroutinefunction(self.function):
            value = _checked(self.name, self.function, arguments)
        else:
            value = await asyncio.to_thread(_checked, self.name, self.function, arguments)
        try:
            return await value if inspect.isawaitable(value) else value
        except (SystemExit, GeneratorExit) as end:
            raise ToolError(f"{self.name} failed: {type(end).__name__}: {end}") from end


def _checked(name: str, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    try:
        return _adapter(function).validate_python(ArgsKwargs((), arguments))
    except ValidationError as error:
        raise ToolError(wrong_arguments(name, error)) from None
    except _ENDING as end:  # of the tool's own: it would end the kernel, or be lost on its way out of the thread
        raise ToolError(f"{name} failed: {type(end).__name__}: {end}") from end


_ENDING = (SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration)


def cut(text: str, limit: int) -> str:
    """A text that a model gets to read: at most so many characters, and a sentence where it was longer."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[Cut here: the result has {len(text):,} characters, of which {limit:,} fit. Ask for less.]"


def wrong_arguments(name: str, error: ValidationError) -> str:
    """What pydantic found wrong with the arguments of a tool, in a sentence for the model."""
    wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors())
    return f"{name} does not take these arguments ({wrong})"


def _json(value: Any) -> str:
    return json.dumps(redaction.plain(to_jsonable_python(value, fallback=str)), ensure_ascii=False)


@lru_cache(maxsize=256)
def _adapter(function: Any) -> TypeAdapter[Any]:
    """Pydantic's view of a function: validating arguments calls it."""
    return TypeAdapter(function)


class _Untitled(GenerateJsonSchema):
    """A schema that does not say each name twice: every call of the model would pay for the titles."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@overload
def tool(function: Tool | Callable[..., Any], *, timeout: float = TIMEOUT) -> Tool: ...
@overload
def tool(*, timeout: float = TIMEOUT) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Tool | Callable[..., Any] | None = None, *, timeout: float = TIMEOUT
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a function with type hints; the first paragraph of its docstring is its description.

    Stands before a call, `tool(function)`, or over a definition, `@tool` or `@tool(timeout=5)`. At its time limit
    (seconds) an async function is cancelled, and a plain one is left to its thread, which nobody can stop.
    """
    if function is None:
        return partial(tool, timeout=timeout)
    if isinstance(function, Tool):
        return function
    if not callable(function):
        raise ToolError(f"A tool is made of a function, but got {function!r}; write one with def and a docstring")
    inner: Any = function.func if isinstance(function, partial) else function
    name = getattr(inner, "__name__", type(inner).__name__)
    if not hasattr(inner, "__name__"):  # an object that can be called
        inner = function = inner.__call__
    try:
        schema, why = _adapter(function).json_schema(schema_generator=_Untitled), "some have no name"
    except PydanticUserError as error:
        schema, why = {}, str(error).splitlines()[0]
    if schema.get("type") != "object":
        why = f"{name} has others ({why})"
        raise ToolError(f"A tool's parameters need names and types that JSON knows, but {why}")
    schema.pop("additionalProperties", None)
    described = (inspect.getdoc(inner) or "").split("\n\n")[0].replace("\n", " ")
    if not described:
        raise ToolError(f"A tool needs a docstring that tells the model what it does, but {name} has none")
    runs: Any = function
    return Tool(name, described, schema, runs, timeout, _returned(inner))


def _returned(function: Callable[..., Any]) -> dict[str, Any] | None:
    """A schema of what the function says that it returns."""
    try:
        kind = get_type_hints(function).get("return", Any)
        return None if kind is Any else TypeAdapter(kind).json_schema(mode="serialization", schema_generator=_Untitled)
    except Exception:  # a hint that nothing is known of: the result is told when it comes
        return None


class _Missing(Tool):
    """Stands in for a tool that does not exist: a call of it is a step with an error."""

    async def _run(self, arguments: str | dict[str, Any]) -> Any:
        raise ToolError(self.description)


async def call_all(calls: Sequence[ToolCall], tools: Sequence[Tool]) -> list[Message]:
    """Carry out a reply's tool calls side by side, and return the messages that answer them, in order.

    When the budget allows no further call, the ones that still run are cancelled.
    """
    by_name = {t.name: t for t in tools}

    async def one(call: ToolCall) -> Message:
        there = f"there is no tool {call.name}; there are {', '.join(by_name) or 'none'}"
        called = by_name.get(call.name) or _Missing(call.name, there, {}, lambda: None)
        result = await called.call(call.arguments, call.id)
        return {"role": "tool", "tool_call_id": call.id, "content": result.text}

    running = [asyncio.create_task(one(call)) for call in calls]
    try:
        return list(await asyncio.gather(*running))
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
