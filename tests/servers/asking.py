"""Calls that have to succeed, and calls that have to be refused in words."""

from typing import Any

import pytest
from mcp import Client, MCPError


async def good(client: Client, tool: str, **arguments: Any) -> Any:
    """The structured result of a call."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    found = result.structured_content
    return found["result"] if list(found) == ["result"] else found


async def bad(client: Client, tool: str, **arguments: Any) -> str:
    """What a refused call says."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return str(result.content[0].text)


async def text(client: Client, uri: str) -> str:
    return (await client.read_resource(uri)).contents[0].text


async def missing(client: Client, uri: str) -> str:
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    return str(caught.value)
