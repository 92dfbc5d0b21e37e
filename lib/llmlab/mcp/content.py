"""What an MCP server gives back, as text for the model's context, and with its pictures for the reader."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

from mcp_types import CallToolResult, GetPromptResult, ReadResourceResult

from llmlab.llm.chat import Message
from llmlab.show.view import View, folded, pretty

PICTURE = 4_000_000  # characters of base64: larger pictures are named, not shown


class Content(str):
    """The text that the model reads. In a notebook it shows itself, pictures and structured data included."""

    blocks: list[dict[str, Any]]  # as they came
    structured: Any

    def __new__(cls, text: str, blocks: Sequence[dict[str, Any]] = (), structured: Any = None) -> Content:
        """A str is made here, not in __init__."""
        made = super().__new__(cls, text)
        made.blocks, made.structured = list(blocks), structured
        return made

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        pictures = "".join(map(_picture, self.blocks))
        data = "" if self.structured is None else folded("structured content", self.structured)
        text = f"<div style='white-space:pre-wrap'>{_linked(self, self.blocks)}</div>"
        return View(f"{text}{pictures}{data}", str(self))._repr_mimebundle_()


def of_call(result: CallToolResult, limit: int) -> Content:
    """A tool's result. Structured content that repeats the text is not said twice."""
    blocks = [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in result.content]
    structured, lines = result.structured_content, [_line(block) for block in blocks]
    if structured is not None and not _repeats(structured, lines):
        lines.append(pretty(structured))
    return Content(_cut("\n".join(lines) or "(nothing)", limit), blocks, structured)


def of_read(result: ReadResourceResult, limit: int) -> Content:
    """A resource: its text; what is no text is named."""
    blocks: list[dict[str, Any]] = []
    for part in result.contents:
        data = part.model_dump(mode="json", by_alias=True, exclude_none=True)
        is_picture = "blob" in data and data.get("mimeType", "").startswith("image/")
        picture = {"type": "image", "data": data.get("blob"), "mimeType": data.get("mimeType")}
        blocks.append(picture if is_picture else {"type": "resource", "resource": data})
    whole = len(blocks) == 1 and blocks[0].get("resource", {}).get("text")
    text = whole or "\n".join(_line(block) for block in blocks)
    return Content(_cut(text or "(nothing)", limit), blocks)


def of_prompt(result: GetPromptResult, limit: int) -> list[Message]:
    """A prompt, as the messages of a chat."""
    messages: list[Message] = []
    for message in result.messages:
        block = message.content.model_dump(mode="json", by_alias=True, exclude_none=True)
        messages.append({"role": message.role, "content": Content(_cut(_line(block), limit), [block])})
    return messages


def _line(block: dict[str, Any]) -> str:
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


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[Cut here: the result has {len(text):,} characters, of which {limit:,} fit. Ask for less.]"


def _linked(text: str, blocks: list[dict[str, Any]]) -> str:
    """The text as HTML, in which links to web pages can be clicked; the address stands in each."""
    links = {
        escape(_line(block)): f"<a href='{escape(block['uri'])}' target='_blank' rel='noopener noreferrer'>"
        for block in blocks
        if block.get("type") == "resource_link" and str(block["uri"]).lower().startswith(("http://", "https://"))
    }
    if not links:
        return escape(text)
    either = re.compile("|".join(map(re.escape, links)))
    return either.sub(lambda found: f"{links[found[0]]}{found[0]}</a>", escape(text))


def _picture(block: dict[str, Any]) -> str:
    kind, inner = block.get("type"), block.get("resource")
    if kind == "resource" and isinstance(inner, dict):
        mime, data = str(inner.get("mimeType", "")), str(inner.get("blob", ""))
    else:
        mime, data = str(block.get("mimeType", "")), str(block.get("data", "")) if kind == "image" else ""
    if not data or not mime.startswith("image/") or len(data) > PICTURE:
        return ""
    return f"<img src='data:{escape(mime)};base64,{escape(data)}' alt='{escape(_line(block))}' style='max-width:100%'>"
