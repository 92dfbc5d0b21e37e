"""What an MCP server gives back, as text for the model's context, and with its pictures for the reader."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mcp_types import CallToolResult, ContentBlock, GetPromptResult, ReadResourceResult, Tool
from pydantic import BaseModel, TypeAdapter, ValidationError

from llmlab.llm.reply import Message
from llmlab.tools.tool import LIMIT, cut

_TOOL, _BLOCK = TypeAdapter(Tool), TypeAdapter[Any](ContentBlock)


class Content(str):
    """The text that the model reads. A notebook shows its pictures and structured data, too."""

    blocks: list[dict[str, Any]]  # as they came
    structured: Any

    def __new__(cls, text: str, blocks: Sequence[dict[str, Any]] = (), structured: Any = None) -> Content:
        """A str is made here, not in __init__."""
        made = super().__new__(cls, cut(text or "(nothing)", LIMIT))
        made.blocks, made.structured = list(blocks), structured
        return made


def of_call(result: CallToolResult) -> Content:
    """A tool's result. Structured content that repeats the text is not said twice."""
    blocks = [_plain(block) for block in result.content]
    structured, lines = result.structured_content, [line(block) for block in blocks]
    if structured is not None and not _repeats(structured, lines):
        lines.append(json.dumps(structured, ensure_ascii=False, indent=2, default=str))
    return Content("\n".join(lines), blocks, structured)


def of_read(result: ReadResourceResult) -> Content:
    """A resource: its text; what is no text is named."""
    blocks: list[dict[str, Any]] = []
    for part in result.contents:
        data = _plain(part)
        is_picture = "blob" in data and data.get("mimeType", "").startswith("image/")
        picture = {"type": "image", "data": data.get("blob"), "mimeType": data.get("mimeType")}
        blocks.append(picture if is_picture else {"type": "resource", "resource": data})
    whole = len(blocks) == 1 and blocks[0].get("resource", {}).get("text")
    return Content(whole or "\n".join(line(block) for block in blocks), blocks)


def of_prompt(result: GetPromptResult) -> list[Message]:
    """A prompt, as the messages of a chat."""
    blocks = [(message.role, _plain(message.content)) for message in result.messages]
    return [{"role": role, "content": Content(line(block), [block])} for role, block in blocks]


def line(block: dict[str, Any]) -> str:
    """A block as the model reads it; what is no text is named."""
    kind, mime = block.get("type"), block.get("mimeType", "of unknown type")
    if kind == "text":
        return str(block["text"])
    if kind in ("image", "audio"):
        return f"[{kind}: {mime}, {_size(block['data'])} bytes]"
    if kind == "resource_link":
        named = " ".join(str(block[key]) for key in ("title", "description") if block.get(key))
        return f"[link: {block['uri']} {block.get('name', '')} {named}".rstrip() + "]"
    inner = block.get("resource", {})
    if "text" in inner:
        return f"[{inner.get('uri')}]\n{inner['text']}"
    mime = inner.get("mimeType", "of unknown type")
    return f"[file: {inner.get('uri')}, {mime}, {_size(inner.get('blob', ''))} bytes]"


def mend(method: str, result: dict[str, Any], odd: dict[str, str]) -> None:
    """Mend what a server sent beside the protocol's form: the SDK would refuse a whole list or result for one odd part.

    `odd` gets the tools that cannot be offered, and what is wrong with them.
    """
    if method == "tools/list":
        tools = [(tool, _wrong(_TOOL, tool)) for tool in result.get("tools") or []]
        result["tools"] = [tool for tool, wrong in tools if not wrong]
        for number, (tool, wrong) in enumerate(tools, 1):
            if wrong:
                odd[str(tool.get("name") if isinstance(tool, dict) else f"tool {number}")] = wrong
    if method == "tools/call" and result.get("resultType", "complete") == "complete":
        blocks = result.get("content") or []
        result["content"] = [_known(block) for block in (blocks if isinstance(blocks, list) else [blocks])]
        if not isinstance(result.get("structuredContent", {}), dict):
            result["structuredContent"] = {"result": result["structuredContent"]}


def _known(block: Any) -> Any:
    """A part of a result; one of a kind that nobody knows becomes a text that says so."""
    if not _wrong(_BLOCK, block):
        return block
    kind = block.get("type") if isinstance(block, dict) else type(block).__name__
    said = f"[{kind}: cannot be shown] {json.dumps(block, ensure_ascii=False)[:2000]}"
    return {"type": "text", "text": block if isinstance(block, str) else said}


def _wrong(form: TypeAdapter[Any], data: Any) -> str:
    try:
        form.validate_python(data)
        return ""
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _plain(part: BaseModel) -> dict[str, Any]:
    return part.model_dump(mode="json", by_alias=True, exclude_none=True)


def _size(base64: str) -> str:
    return f"{len(base64.rstrip('=')) * 3 // 4:,}"


def _repeats(structured: Any, lines: list[str]) -> bool:
    """Whether the text blocks are the structured content over again; servers send both, for older clients.

    What is no object, the SDK for Python wraps as {"result": …}; servers in TypeScript wrap it as {"content": …}.
    """
    wrapped = isinstance(structured, dict) and list(structured) in (["result"], ["content"])
    inner = next(iter(structured.values())) if wrapped else structured
    said = [inner if isinstance(inner, list) else [inner], [structured]]
    return any(len(values) == len(lines) and all(map(_says, lines, values)) for values in said)


def _says(line: str, value: Any) -> bool:
    try:
        return line == value or bool(json.loads(line) == value)
    except ValueError:
        return False
