"""Messages of a training item, in the form of a chat request."""

from __future__ import annotations

import json
from typing import Any

Item = dict[str, Any]
Message = dict[str, Any]
Done = tuple[list[Message], list[Any]]  # the messages, and the tools that they use


def call(name: str, number: int, /, **arguments: Any) -> Message:
    """The assistant's call of a tool."""
    function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
    made = {"id": f"call_{number}", "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [made]}


def gave(number: int, value: Any, indent: int | None = None) -> Message:
    """What the tool gave back."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=indent)
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": text}


def user(text: str) -> Message:
    """The user's words."""
    return {"role": "user", "content": text}


def say(text: str) -> Message:
    """The assistant's words."""
    return {"role": "assistant", "content": text}


def listed(words: list[str], last: str = "and") -> str:
    """Words as English lists them: "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
