"""How a host and what its servers give back look."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from llmlab.mcp.content import Content, line
from llmlab.show.view import View, folded, table_of

if TYPE_CHECKING:
    from llmlab.mcp.host import Host

PICTURE = 4_000_000  # characters of base64: larger pictures are named, not shown


def host(host: Host) -> View:
    """The servers of a host, and how much each offers."""
    rows: list[list[Any]] = []
    odd: list[str] = []
    for name, server in host.servers.items():
        era = "modern" if server.protocol in MODERN_PROTOCOL_VERSIONS else "handshake"
        counts = [len(server.tools), len(server.resources) + len(server.templates), len(server.prompts)]
        state = "open" if server.is_open else "closed"
        rows.append([name, server.transport, f"{server.protocol} ({era})", *counts, state])
        odd += [f"{name}.{tool} is not offered ({why})" for tool, why in server.tap.odd.items()]
    head = ["server", "over", "protocol", "tools", "resources", "prompts", "state"]
    return table_of(head, rows, caption="; ".join(odd))


def content(content: Content) -> View:
    """A result's text, its pictures, and its structured data folded."""
    pictures = "".join(map(_picture, content.blocks))
    data = "" if content.structured is None else folded("structured content", content.structured)
    text = f"<div style='white-space:pre-wrap'>{_linked(content, content.blocks)}</div>"
    return View(f"{text}{pictures}{data}", str(content))


def _linked(text: str, blocks: list[dict[str, Any]]) -> str:
    """The text as HTML, in which links to web pages can be clicked; the address stands in each."""
    links = {
        escape(line(block)): f"<a href='{escape(block['uri'])}' target='_blank' rel='noopener noreferrer'>"
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
    return f"<img src='data:{escape(mime)};base64,{escape(data)}' alt='{escape(line(block))}' style='max-width:100%'>"
