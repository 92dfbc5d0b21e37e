"""A tool, and a conversation that brings even an untuned model to call it: it does so when it has seen two calls."""

import json
from typing import Any

from llmlab.tools import tool


@tool
def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Rain in {city}."


def _asked(i: int, city: str) -> list[dict[str, Any]]:
    called = {"name": "get_weather", "arguments": json.dumps({"city": city})}
    return [
        {"role": "user", "content": f"What is the weather in {city}?"},
        {"role": "assistant", "tool_calls": [{"id": f"c{i}", "type": "function", "function": called}]},
        {"role": "tool", "tool_call_id": f"c{i}", "content": f"Rain in {city}."},
    ]


PARIS = [*_asked(1, "Rome"), *_asked(2, "Oslo"), {"role": "user", "content": "What is the weather in Paris?"}]
