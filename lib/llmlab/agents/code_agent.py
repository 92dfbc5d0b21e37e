"""The code agent: what the model writes is a program over the tools (CodeAct, Wang and others, arXiv:2402.01030)."""

from __future__ import annotations

import math
import re
from typing import Any

from llmlab.agents.base import Agent, Repetition
from llmlab.agents.run import Run
from llmlab.llm.chat import Message
from llmlab.tools import Tool
from llmlab.tools.sandbox import run_program

SYSTEM = """\
You work in a Python session. These functions are there already; call them, and do not define or import them:
{functions}
To look something up or to do something, write one short Python program in a ```python block that calls them and prints what \
you need to know. Results can be passed from one to the next. For example, with price(product) and stock(product), \
"What are all our tea towels worth?" takes the program
```python
print(price('tea towel') * stock('tea towel'))
```
What it printed comes back to you; then answer in plain words. What needs none of the functions, answer in plain words at once."""


class CodeAgent(Agent):
    """The model writes a program over its tools, sees what it printed, and answers or writes another."""

    name = "code agent"
    prompts = {
        "system": SYSTEM,
        "task": "{task}",
        "printed": "The program printed:\n{printed}\nNow answer in plain words.",
        "failed": "{why}\nMend the program, or answer in plain words.",
    }

    async def work(self, run: Run) -> None:
        """Write, run, read, until there is no program in the reply."""
        shown = "\n".join(map(signature, self.tools))
        seen: list[Message] = [
            {"role": "system", "content": self.prompt("system", functions=shown)},
            {"role": "user", "content": self.prompt("task", task=run.task)},
        ]
        loop, program = Repetition(), self._program()
        while True:
            reply = await self.model.chat(seen)
            code = code_of(reply.text)
            if code is None:
                run.answer = reply.text
                return
            loop.check(code)
            result = await program.call({"code": code})
            if result.ok:
                said = self.prompt("printed", printed=result.text or "(nothing; print what you want to know)")
                run.answer = result.text.strip() or run.answer  # what was found is the best, until something is said
            else:
                said = self.prompt("failed", why=result.text)
            seen += [reply.message, {"role": "user", "content": said}]

    def _program(self) -> Tool:
        """The program as one step of the trace, with the tool calls inside it."""

        async def run_it(code: str) -> str:
            return await run_program(code, self.tools)

        # No limit of time here: the program has one of its own, and a person who is asked may think.
        return Tool("program", "Run a program.", {"type": "object"}, run_it, timeout=math.inf)


def code_of(text: str) -> str | None:
    """The program in a reply: its first block of Python, also one that is not closed; None where there is none."""
    found = re.search(r"```(?:python|py)\n(.*?)(?:```|$)", text, re.DOTALL | re.IGNORECASE)
    return found[1].strip() if found and found[1].strip() else None


def signature(tool: Tool) -> str:
    """A tool as a line of Python, `stock(product: str, shop: str = 'main') -> int  # how many are left`."""
    defs = tool.parameters.get("$defs", {})
    required = tool.parameters.get("required", [])
    named = []
    for name, shape in tool.parameters.get("properties", {}).items():
        default = "" if name in required else f" = {shape.get('default')!r}"
        named.append(f"{name}: {_kind(shape, defs)}{default}")
    gives = f" -> {_kind(tool.returns, tool.returns.get('$defs', {}))}" if tool.returns else ""
    return f"{tool.name}({', '.join(named)}){gives}  # {tool.description}"


def _kind(shape: dict[str, Any], defs: dict[str, Any], depth: int = 0) -> str:
    """A JSON schema in Python's words; an object by its keys."""
    plain = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
    shape = defs.get(str(shape.get("$ref", "")).rpartition("/")[2], shape)
    if "enum" in shape:
        return " | ".join(map(repr, shape["enum"]))
    if "anyOf" in shape:
        return " | ".join(_kind(one, defs, depth) for one in shape["anyOf"])
    if shape.get("type") == "array":
        return f"list[{_kind(shape.get('items', {}), defs, depth + 1)}]"
    if "properties" in shape and depth < 3:
        inside = ", ".join(f"{name!r}: {_kind(one, defs, depth + 1)}" for name, one in shape["properties"].items())
        return f"{{{inside}}}"
    return plain.get(str(shape.get("type")), "dict" if shape.get("type") == "object" else "Any")
