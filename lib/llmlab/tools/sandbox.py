"""Programs that a model wrote, run apart by pydantic-monty: an interpreter for a part of Python, in a worker process.

Isolated: such a program sees no file, no network, no environment variable and no package beyond the interpreter's own
(datetime, json, math, re); its computing time, memory and output are limited, and a crash ends the worker only. Not isolated:
the tools that it is given run in this process, with everything that the reader may do. They are checked, traced and
approved like any other tool call, one at a time.
"""

import ast
import json
from collections.abc import Sequence
from typing import Any

import pydantic_monty as monty
from pydantic_core import to_jsonable_python

from llmlab.errors import ToolError
from llmlab.tools.tool import Tool, ToolResult

SECONDS = 10.0  # of computing; waiting for a tool does not count
MEMORY = 128  # MB
OUTPUT = 100_000  # bytes: what prints more is stopped
CALLS = 100  # of tools, in one program


async def run_program(code: str, tools: Sequence[Tool] = (), *, seconds: float = SECONDS, memory: int = MEMORY) -> str:
    """Run a program in which tools are plain functions; returns what it printed, and the value of a last expression.

    Raises ToolError, with what had been printed, where the program is no Python, fails, or meets a limit.
    """
    by_name = {tool.name: tool for tool in tools}
    _refuse_names_of_tools(code, by_name)
    printed, calls = monty.CollectString(max_bytes=OUTPUT), 0
    limits = monty.ResourceLimits(max_feed_duration_secs=seconds, max_memory=memory << 20, max_suspensions=10 * CALLS)
    try:
        # A pool of its own, of one worker: it starts in some ten milliseconds, and nothing is left open at the end.
        async with monty.AsyncMonty(max_processes=1) as pool, pool.checkout(limits=limits) as session:
            at: Any = await session.feed_start(code, print_callback=printed)
            while not isinstance(at, monty.MontyComplete):
                calls += isinstance(at, monty.AsyncFunctionSnapshot) and not at.is_os_function
                if calls > CALLS:
                    raise ToolError(f"a program may call {CALLS} tools, but called more")
                at = await _answered(at, by_name)
    except (monty.MontyError, ToolError) as error:
        why = str(error) if isinstance(error, ToolError) else f"the program failed: {_told(error)}"
        before = f"\nIt had printed:\n{printed.output}" if printed.output else ""
        raise ToolError(why + before) from None
    value = at.output
    return printed.output + ("" if value is None else f"{value if isinstance(value, str) else repr(value)}\n")


async def _answered(at: Any, tools: dict[str, Tool]) -> Any:
    """Go on from where the program waits: with a tool's result, or without what is not there."""
    if isinstance(at, monty.AsyncNameLookupSnapshot):
        return await at.resume()  # a NameError, in the program
    if at.is_os_function:
        return await at.resume_not_handled()
    tool = tools.get(at.function_name)
    if tool is None:
        return await at.resume({"exception": NameError(at.function_name)})
    names = list(tool.parameters.get("properties", {}))
    if len(at.args) > len(names):
        wrong = TypeError(f"{tool.name} takes {len(names)} arguments, but got {len(at.args)}")
        return await at.resume({"exception": wrong})
    given = dict(zip(names, at.args, strict=False)) | at.kwargs
    result = await tool.call(to_jsonable_python(given, fallback=str))
    if not result.ok:
        return await at.resume({"exception": RuntimeError(result.text.removeprefix("error: "))})
    return await at.resume({"return_value": value_of(result)})


def value_of(result: ToolResult) -> Any:
    """A tool's result as a program takes it: data instead of the text that a model would read."""
    value = getattr(result.value, "structured", None)  # of an MCP server
    if isinstance(value, dict) and list(value) == ["result"]:
        value = value["result"]  # so the SDK wraps what is no object
    if value is None:
        value = result.value
    if not isinstance(value, str):
        return to_jsonable_python(value, fallback=str)
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    return found if isinstance(found, dict | list) else str(value)


def _refuse_names_of_tools(code: str, tools: dict[str, Tool]) -> None:
    """A program that defines a function named like a tool would go on with its own invention."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)
        raise ToolError(f"a program has to be Python, but this is not ({said})") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in tools:
            raise ToolError(f"{node.name} is there already: call it, and do not define it")


def _told(error: monty.MontyError) -> str:
    """Where and why a program failed, in a line."""
    frames = error.traceback() if isinstance(error, monty.MontyRuntimeError | monty.MontySyntaxError) else []
    return (f"line {frames[-1].line}: " if frames else "") + str(error).partition("\n")[0]
