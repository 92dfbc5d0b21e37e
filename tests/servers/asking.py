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
    said = str(result.content[0].text)
    assert said != f"Error executing tool {tool}", "this has crashed instead of refusing"
    return said


async def text(client: Client, uri: str) -> str:
    """A resource."""
    return (await client.read_resource(uri)).contents[0].text


async def missing(client: Client, uri: str) -> str:
    """What is said of a resource that is not there."""
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    assert "Error creating resource" not in str(caught.value), "this has crashed instead of refusing"
    return str(caught.value)


async def prompt(client: Client, name: str, **arguments: str) -> str:
    """The text of a prompt."""
    return (await client.get_prompt(name, arguments)).messages[0].content.text
