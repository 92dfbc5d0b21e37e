"""What an MCP server gives back, as text for the model's context, and with its pictures for the reader."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mcp_types import CallToolResult, GetPromptResult, ReadResourceResult

from llmlab.llm.chat import Message
from llmlab.tools.tool import cut


class Content(str):
    """The text that the model reads. A notebook shows its pictures and structured data, too."""

    blocks: list[dict[str, Any]]  # as they came
    structured: Any

    def __new__(cls, text: str, blocks: Sequence[dict[str, Any]] = (), structured: Any = None) -> Content:
        """A str is made here, not in __init__."""
        made = super().__new__(cls, text)
        made.blocks, made.structured = list(blocks), structured
        return made


def of_call(result: CallToolResult, limit: int, misfit: str = "") -> Content:
    """A tool's result. Structured content that repeats the text is not said twice; `misfit` is said besides."""
    blocks = [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in result.content]
    structured, lines = result.structured_content, [line(block) for block in blocks]
    if structured is not None and not _repeats(structured, lines):
        lines.append(json.dumps(structured, ensure_ascii=False, indent=2, default=str))
    if misfit:
        lines.append(f"[{misfit}]")
    return Content(cut("\n".join(lines) or "(nothing)", limit), blocks, structured)


def of_read(result: ReadResourceResult, limit: int) -> Content:
    """A resource: its text; what is no text is named."""
    blocks: list[dict[str, Any]] = []
    for part in result.contents:
        data = part.model_dump(mode="json", by_alias=True, exclude_none=True)
        is_picture = "blob" in data and data.get("mimeType", "").startswith("image/")
        picture = {"type": "image", "data": data.get("blob"), "mimeType": data.get("mimeType")}
        blocks.append(picture if is_picture else {"type": "resource", "resource": data})
    whole = len(blocks) == 1 and blocks[0].get("resource", {}).get("text")
    text = whole or "\n".join(line(block) for block in blocks)
    return Content(cut(text or "(nothing)", limit), blocks)


def of_prompt(result: GetPromptResult, limit: int) -> list[Message]:
    """A prompt, as the messages of a chat."""
    messages: list[Message] = []
    for message in result.messages:
        block = message.content.model_dump(mode="json", by_alias=True, exclude_none=True)
        messages.append({"role": message.role, "content": Content(cut(line(block), limit), [block])})
    return messages


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
    return (
        f"[file: {inner.get('uri')}, {inner.get('mimeType', 'of unknown type')}, {_size(inner.get('blob', ''))} bytes]"
    )


def _size(base64: str) -> str:
    return f"{len(base64.rstrip('=')) * 3 // 4:,}"


def _repeats(structured: Any, lines: list[str]) -> bool:
    """Whether the text blocks are the structured content over again; servers send both, for older clients.

    What is no object, the SDK for Python wraps as {"result": …}; servers in TypeScript wrap it as {"content": …}.
    """
    wrapped = isinstance(structured, dict) and list(structured) in (["result"], ["content"])
    inner = next(iter(structured.values())) if wrapped else structured
    said = [inner if isinstance(inner, list) else [inner], *([[structured]] if wrapped else [])]
    return any(
        len(values) == len(lines) and all(_says(line, value) for line, value in zip(lines, values, strict=True))
        for values in said
    )


def _says(line: str, value: Any) -> bool:
    try:
        return line == value or json.loads(line) == value
    except ValueError:
        return False
