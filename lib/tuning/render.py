"""A training item as text: the parts that the model reads, and the parts that it learns to write.

The text is made with the chat template of the model in the box itself (`llmlab.embedded.TEMPLATE`), so that training and
serving cannot drift apart; `check_template.py` compares both on real items.
"""

from __future__ import annotations

import json
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment

from llmlab.embedded import TEMPLATE

_environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
_environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
_template = _environment.from_string(TEMPLATE)


def prompt(messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None, answer_next: bool) -> str:
    """What the model reads for these messages."""
    return _template.render(
        messages=[_parsed(m) for m in messages], tools=tools or None, add_generation_prompt=answer_next
    )


def segments(item: dict[str, Any]) -> list[tuple[str, bool]]:
    """The item's whole text in pieces; True marks what the model has to learn to write.

    Every assistant message is learned, or with `"learn": "last"` only the last one.
    """
    messages, tools = item["messages"], item.get("tools")
    said = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    if item.get("learn") == "last":
        said = said[-1:]
    pieces: list[tuple[str, bool]] = []
    done = ""
    for i in said:
        before, after = prompt(messages[:i], tools, True), prompt(messages[: i + 1], tools, False)
        if not (before.startswith(done) and after.startswith(before)):
            raise ValueError(f"the template does not grow message by message: {item}")
        answer = after[len(before) :]
        pieces += [(before[len(done) :], False), (answer.removesuffix("\n"), True)]
        done = before + answer.removesuffix("\n")
    return pieces


def _parsed(message: dict[str, Any]) -> dict[str, Any]:
    """The message with the arguments of its tool calls as data, as llama.cpp hands them to the template."""
    if not message.get("tool_calls"):
        return message
    calls = []
    for call in message["tool_calls"]:
        function = call["function"]
        arguments = function["arguments"]
        calls.append(
            {
                **call,
                "function": {
                    **function,
                    "arguments": json.loads(arguments) if isinstance(arguments, str) else arguments,
                },
            }
        )
    return {**message, "tool_calls": calls}
