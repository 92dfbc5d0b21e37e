"""What servers send beside the protocol's form, mended before the SDK sees it: one odd part costs that part, not the rest.

The trace keeps each message as it came. A tool that is refused whole would hide its neighbours, and a result that is thrown
away may stand for something that was done.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from mcp_types import ContentBlock, Tool
from pydantic import TypeAdapter, ValidationError

_NOT_AT_THE_TOP = ("anyOf", "oneOf", "allOf", "enum", "not")  # of a tool's parameters: OpenAI's API refuses the request


@cache
def _block() -> TypeAdapter[Any]:
    return TypeAdapter(ContentBlock)


def tools(result: dict[str, Any], outputs: dict[str, Any], odd: dict[str, str]) -> None:
    """A list of tools, in place: those in order stay, the others are noted in `odd` with what is wrong. Their output schemas go
    to `outputs`: the SDK would throw a whole result away that does not fit."""
    kept = []
    for number, tool in enumerate(result.get("tools") or []):
        try:
            Tool.model_validate(tool)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = str(tool.get("name", f"tool {number + 1}")) if isinstance(tool, dict) else f"tool {number + 1}"
            odd[name] = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            continue
        outputs[tool["name"]] = tool.get("outputSchema")
        kept.append({key: value for key, value in tool.items() if key != "outputSchema"})
    result["tools"] = kept


def called(result: dict[str, Any]) -> None:
    """A tool's result, in place: a part of a kind that nobody knows becomes a text that says so."""
    blocks = result.get("content")
    blocks = blocks if isinstance(blocks, list) else [] if blocks is None else [blocks]
    result["content"] = [_known(block) for block in blocks]
    if not isinstance(result.get("structuredContent", {}), dict):
        result["structuredContent"] = {"result": result["structuredContent"]}


def _known(block: Any) -> Any:
    try:
        _block().validate_python(block)
    except ValidationError:
        if isinstance(block, str):
            return {"type": "text", "text": block}
        kind = block.get("type", "unknown") if isinstance(block, dict) else type(block).__name__
        said = (
            next((block[key] for key in ("text", "message", "data") if isinstance(block.get(key), str)), "")
            if isinstance(block, dict)
            else str(block)
        )
        return {"type": "text", "text": f"[{kind}: cannot be shown] {said[:2000]}".rstrip()}
    return block


def parameters(schema: dict[str, Any]) -> dict[str, Any]:
    """A tool's parameters as models' APIs take them: always with properties, and with nothing at the top that they refuse; the
    server checks what is left out here."""
    return {
        "type": "object",
        **{key: value for key, value in schema.items() if key not in _NOT_AT_THE_TOP},
        "properties": schema.get("properties") or {},
    }


def misfit(structured: Any, schema: dict[str, Any] | None) -> str:
    """How structured content does not fit the schema that its tool has given; empty if it does."""
    if structured is None or not schema:
        return ""
    import jsonschema

    try:
        jsonschema.validate(structured, schema)
    except jsonschema.ValidationError as error:
        return f"the structured content does not fit its schema: {error.message}"
    except jsonschema.SchemaError as error:
        return f"the tool's output schema is none: {error.message}"
    return ""
