"""How a host and what its servers give back look."""

from __future__ import annotations

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
        counts = [len(server.tools), len(server.resources), len(server.prompts)]
        state = "open" if server.client else "closed"
        rows.append([name, server.transport, f"{server.protocol} ({era})", *counts, state])
        odd += [f"{name}.{tool} is not offered ({why})" for tool, why in server.tap.odd.items()]
    head = ["server", "over", "protocol", "tools", "resources", "prompts", "state"]
    return table_of(head, rows, caption="; ".join(odd))


def content(content: Content) -> View:
    """A result's text, its pictures, and its structured data folded."""
    pictures = "".join(map(_picture, content.blocks))
    data = "" if content.structured is None else folded("structured content", content.structured)
    text = f"<div style='white-space:pre-wrap'>{escape(content)}</div>"
    return View(f"{text}{pictures}{data}", str(content))


def _picture(block: dict[str, Any]) -> str:
    """An image, also inside a resource."""
    inner = block.get("resource") or block
    mime, data = str(inner.get("mimeType", "")), str(inner.get("blob") or inner.get("data") or "")
    if not data or not mime.startswith("image/") or len(data) > PICTURE:
        return ""
    return f"<img src='data:{escape(mime)};base64,{escape(data)}' alt='{escape(line(block))}' style='max-width:100%'>"
