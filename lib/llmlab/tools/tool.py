"""A Python function -> a tool that a model can call: its schema, its arguments checked, its call in the trace."""

import asyncio
import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError, validate_call
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_jsonable_python

from llmlab import redaction, trace
from llmlab.errors import ToolError
from llmlab.llm.reply import Message, ToolCall
from llmlab.wait import awake, together

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
    limit: int = LIMIT

    def openai(self) -> dict[str, Any]:
        """The form in which a chat request offers it."""
        shown = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": shown}

    async def call(self, arguments: str | dict[str, Any], call_id: str | None = None) -> ToolResult:
        """Check the arguments against the type hints, call the function, record one tool step.

        A call that a resumed run had finished is not made again. What goes wrong is a result with ok=False.
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
                return ToolResult(True, kept.result, kept.result)
            result = await self._result(arguments)
            step.attributes["gen_ai.tool.call.result"] = result.text
            if not result.ok:
                step.status, step.error = "error", redaction.redact(result.text)
                step.attributes["error.type"] = "tool_error"
            return result

    async def _result(self, arguments: str | dict[str, Any]) -> ToolResult:
        """Whatever the function does ends here as a result: it is for the model to read, and the kernel lives."""
        clock = asyncio.timeout(self.timeout)
        try:
            with awake():
                async with clock:
                    value = await self._run(_object(self.name, arguments))
            if not isinstance(text := value, str):
                text = json.dumps(redaction.plain(to_jsonable_python(value, fallback=str)), ensure_ascii=False)
            return ToolResult(True, cut(text, self.limit), value)
        except ToolError as error:
            why = str(error)
        except ValidationError as error:
            why = wrong_arguments(self.name, error)
        except (Exception, SystemExit) as error:
            late = isinstance(error, TimeoutError) and clock.expired()
            what = f"has {self.timeout:g} seconds, but took longer" if late else _failed(error)
            why = f"{self.name} {what}"
        return ToolResult(False, f"error: {why}")

    async def _run(self, arguments: dict[str, Any]) -> Any:
        if inspect.iscoroutinefunction(self.function):
            return await validate_call(self.function)(**arguments)
        value = await asyncio.to_thread(self._in_a_thread, arguments)
        return await value if inspect.isawaitable(value) else value

    def _in_a_thread(self, arguments: dict[str, Any]) -> Any:
        try:
            return validate_call(self.function)(**arguments)
        except (SystemExit, KeyboardInterrupt, StopIteration) as end:  # would end the kernel, or never leave the thread
            raise ToolError(f"{self.name} {_failed(end)}") from end


async def call_all(calls: Sequence[ToolCall], tools: Sequence[Tool]) -> list[Message]:
    """Carry out a reply's tool calls side by side, the same call once; returns the messages that answer them, in order.

    When the budget allows no further call, the ones that still run are cancelled.
    """
    by_name = {t.name: t for t in tools}
    wanted = {(call.name, call.arguments): call for call in calls}

    async def one(call: ToolCall) -> str:
        async def missing(**arguments: Any) -> None:
            raise ToolError(f"there is no tool {call.name}; there are {', '.join(by_name) or 'none'}")

        of = by_name.get(call.name) or Tool(call.name, "", {}, missing)
        return (await of.call(call.arguments, call.id)).text

    texts = dict(zip(wanted, await together(*map(one, wanted.values())), strict=True))
    return [{"role": "tool", "tool_call_id": c.id, "content": texts[c.name, c.arguments]} for c in calls]


def tool(function: Tool | Callable[..., Any], *, timeout: float = TIMEOUT) -> Tool:
    """Make a tool of a function with type hints, also as `@tool`; its description is its docstring's first paragraph.

    At its time limit (seconds) an async function is cancelled; a plain one is left to its thread, which nobody can stop.
    """
    if isinstance(function, Tool):
        return function
    if not inspect.isroutine(function):
        raise ToolError(f"A tool is made of a function, but got {function!r}; write one with def and a docstring")
    name = function.__name__
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(function)  # type: ignore[arg-type]
        schema, why = adapter.json_schema(schema_generator=_Untitled), "some have no name"
    except Exception as error:  # pydantic's own, or a hint that names nothing
        schema, why = {}, str(error).partition("\n")[0]
    if schema.get("type") != "object":
        raise ToolError(f"A tool's parameters need names and types that JSON knows, but {name} has others ({why})")
    schema.pop("additionalProperties", None)
    described = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
    if not described:
        raise ToolError(f"A tool needs a docstring that tells the model what it does, but {name} has none")
    return Tool(name, described, schema, function, timeout, _returned(function))


class _Untitled(GenerateJsonSchema):
    """A schema that does not say each name twice: every call of the model would pay for the titles."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _returned(function: Callable[..., Any]) -> dict[str, Any] | None:
    """A schema of what the function says that it returns."""
    try:
        kind = TypeAdapter(get_type_hints(function).get("return", Any))
        return kind.json_schema(mode="serialization", schema_generator=_Untitled) or None
    except Exception:  # a hint that nothing is known of: the result is told when it comes
        return None


def _object(name: str, arguments: str | dict[str, Any]) -> dict[str, Any]:
    """The arguments that a model wrote."""
    try:
        given = json.loads(arguments or "{}") if isinstance(arguments, str) else arguments
    except ValueError:
        raise ToolError(f"{name} takes its arguments as JSON, but got {str(arguments)[:80]!r}") from None
    if not isinstance(given, dict):
        raise ToolError(f"{name} takes a JSON object, but got {type(given).__name__}")
    return given


def wrong_arguments(name: str, error: ValidationError) -> str:
    """What pydantic found wrong with the arguments of a tool, in a sentence for the model."""
    wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors())
    return f"{name} does not take these arguments ({wrong})"


def cut(text: str, limit: int) -> str:
    """A text that a model gets to read: at most so many characters, and a sentence where it was longer."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[Cut here: the result has {len(text):,} characters, of which {limit:,} fit. Ask for less.]"


def _failed(error: BaseException) -> str:
    return f"failed: {type(error).__name__}: {error}"
