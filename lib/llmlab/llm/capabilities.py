"""What a model can do, found out by one small request."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from llmlab.errors import ModelError

if TYPE_CHECKING:
    from llmlab.llm.chat import Model


async def probe(model: Model, capability: str) -> bool:
    """Whether a model does not refuse tools, keeps a JSON schema, gives logprobs, or takes a picture."""
    ask: dict[str, Any] = {"messages": "Say yes.", "max_tokens": 256}
    if capability == "tools":
        tool = {"name": "say", "parameters": {"type": "object", "properties": {"word": {"type": "string"}}}}
        ask |= {"tools": [{"type": "function", "function": tool}], "tool_choice": "required"}
    elif capability == "json_schema":
        yes = {"type": "integer", "enum": [1]}
        shape = {"type": "object", "properties": {"yes": yes}, "required": ["yes"], "additionalProperties": False}
        ask |= {"schema": shape}
    elif capability == "logprobs":
        ask |= {"logprobs": True}
    else:
        pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixel}"}}
        ask["messages"] = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}]
    model.abilities[capability] = True  # or `chat` would refuse to try
    try:
        reply = await model.chat(**ask)
    except ModelError as error:
        if error.kind in ("bad_request", "not_json") or (capability == "vision" and error.kind == "server"):
            return False
        raise
    finally:
        del model.abilities[capability]
    if capability == "tools":
        # A server may not force a call (Ollama), or all tokens went into thinking: that is no "no", so cells may try.
        return True
    if capability == "json_schema":
        with contextlib.suppress(ValueError):
            return bool(json.loads(reply.text) == {"yes": 1})
        return reply.finish_reason == "length"
    return capability == "vision" or bool((reply.response["choices"][0].get("logprobs") or {}).get("content"))
