"""What a model can do, found out by one small request."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from llmlab.errors import ModelError

if TYPE_CHECKING:
    from llmlab.llm.chat import Model

_SAY = {"name": "say", "parameters": {"type": "object", "properties": {"word": {"type": "string"}}}}
_YES = {"type": "object", "properties": {"yes": {"type": "integer", "enum": [1]}}, "required": ["yes"]}
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PIXEL}"}}
_ASKS: dict[str, dict[str, Any]] = {
    "tools": {"tools": [{"type": "function", "function": _SAY}], "tool_choice": "required"},
    "json_schema": {"schema": {**_YES, "additionalProperties": False}},
    "logprobs": {"logprobs": True},
    "vision": {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, _IMAGE]}]},
}


async def probe(model: Model, capability: str) -> bool:
    """Whether a model does not refuse tools, keeps a JSON schema, gives logprobs, or takes a picture."""
    model.abilities[capability] = True  # or `chat` would refuse to try
    try:
        reply = await model.chat(**{"messages": "Say yes.", "max_tokens": 256, **_ASKS[capability]})
    except ModelError as error:
        if error.kind in ("bad_request", "not_json") or (capability == "vision" and error.kind == "server"):
            return False
        raise
    finally:
        del model.abilities[capability]
    if capability == "json_schema":
        with contextlib.suppress(ValueError):
            return bool(json.loads(reply.text) == {"yes": 1})
        return reply.finish_reason == "length"
    if capability == "logprobs":
        return bool((reply.response["choices"][0].get("logprobs") or {}).get("content"))
    return True  # a server may not force a tool call (Ollama), or all tokens went into thinking: that is no "no"
