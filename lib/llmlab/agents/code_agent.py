"""The code agent: what the model writes is a program over the tools (CodeAct, Wang and others, arXiv:2402.01030)."""

import math
import re
from collections.abc import Sequence
from typing import Any

from llmlab.agents.base import Agent, Repetition, Run
from llmlab.llm.chat import Message
from llmlab.tools import Tool
from llmlab.tools.sandbox import run_program

SYSTEM = """\
You work in a Python session. These functions are defined already (do not define or import them):
{functions}

For each message write one short program in a ```python block. It calls the functions that are needed, passes results from one \
to the next, does all that was asked for, and prints the answer. You know nothing of what these functions look up: call them. \
Only what needs none of them (a greeting, a translation) the program prints itself. For example:
```python
{example}
```"""
PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None", "object": "dict"}
SAMPLES = {"date": "'YYYY-MM-DD'", "date-time": "2025-03-01", "integer": 3, "number": 1.5, "boolean": True}


class CodeAgent(Agent):
    """The model writes a program over its tools, sees what it printed, and answers or writes another."""

    name = "code agent"
    prompts = {
        "system": SYSTEM,
        "task": "{task}",
        "printed": "The program printed:\n{printed}\nIf something is still to be done, write another program. If not, answer "
        "my message in plain words.",
        "failed": "{why}\nWrite a program without this mistake.",
    }

    async def work(self, run: Run) -> None:
        """Write, run, read, until there is no program in the reply."""

        async def program(code: str) -> str:
            return await run_program(code, self.tools)

        # One step of the trace, with the tool calls inside it. It has its own limit of time, and a person may think.
        runs = Tool("program", "Run a program.", {"type": "object"}, program, timeout=math.inf)
        shown = {"functions": "\n".join(map(signature, self.tools)), "example": example(self.tools)}
        seen: list[Message] = [
            {"role": "system", "content": self.prompt("system", **shown)},
            {"role": "user", "content": self.prompt("task", task=run.task)},
        ]
        loop = Repetition()
        while True:
            reply = await self.model.chat(seen)
            code = code_of(reply.text)
            if code is None:
                run.answer = reply.text
                return
            loop.check(code)
            result = await runs.call({"code": code})
            if result.ok:
                run.answer = result.text.strip() or run.answer  # what was found is the best, until something is said
            printed = result.text or "(nothing; print what you want to know)"
            said = self.prompt("printed" if result.ok else "failed", printed=printed, why=result.text)
            seen += [reply.message, {"role": "user", "content": said}]


def code_of(text: str) -> str | None:
    """The program in a reply: its first block of Python, also one that is not closed; None where there is none."""
    found = re.search(r"```(?:python|py)\n(.*?)(?:```|$)", text, re.DOTALL | re.IGNORECASE)
    return found[1].strip() or None if found else None


def signature(tool: Tool) -> str:
    """A tool as a line of Python, `stock(product: str, shop: str = 'main') -> int  # how many are left`."""
    required, named = tool.parameters.get("required", []), []
    for name, shape in tool.parameters.get("properties", {}).items():
        default = "" if name in required else f" = {shape.get('default')!r}"
        named.append(f"{name}: {_kind(shape, tool.parameters)}{default}")
    given = _given(tool)
    gives = f" -> {_kind(given, given)}" if given else ""
    return f"{tool.name}({', '.join(named)}){gives}  # {tool.description}"


def example(tools: Sequence[Tool]) -> str:
    """Two lines that call one of the tools, as an example of the form."""
    for tool in tools:
        keys, required = [*_given(tool).get("properties", {})], tool.parameters.get("required", [])
        if keys and required:
            arguments = ", ".join(f"{name}={_sample(tool.parameters['properties'][name])!r}" for name in required)
            return f"found = {tool.name}({arguments})\nprint(found[{keys[0]!r}])"
    return "print('Good morning!')"


def _sample(shape: dict[str, Any]) -> Any:
    return shape.get("enum", [SAMPLES.get(str(shape.get("format")), SAMPLES.get(str(shape.get("type")), "some text"))])[
        0
    ]


def _given(tool: Tool) -> dict[str, Any]:
    """The schema of a result as a program gets it: what the SDK for MCP wraps as {"result": …} is unwrapped."""
    schema = tool.returns or {}
    inside = schema.get("properties", {})
    return {**inside["result"], "$defs": schema.get("$defs", {})} if list(inside) == ["result"] else schema


def _kind(shape: dict[str, Any], whole: dict[str, Any], depth: int = 0) -> str:
    """A JSON schema in Python's words; an object by its keys."""
    shape = whole.get("$defs", {}).get(str(shape.get("$ref", "")).rpartition("/")[2], shape)
    if "enum" in shape:
        return " | ".join(map(repr, shape["enum"]))
    if "anyOf" in shape:
        return " | ".join(_kind(one, whole, depth) for one in shape["anyOf"])
    if shape.get("type") == "array":
        return f"list[{_kind(shape.get('items', {}), whole, depth + 1)}]"
    if "properties" in shape and depth < 3:
        kinds = {name: _kind(one, whole, depth + 1) for name, one in shape["properties"].items()}
        # Of plain values the names are enough: the description of twenty tools has to stay short.
        keys = [f"{name!r}: {kind}" if kind[0] in "[{l" else repr(name) for name, kind in kinds.items()]
        return f"{{{', '.join(keys)}}}"
    return PLAIN.get(str(shape.get("type")), "Any")
