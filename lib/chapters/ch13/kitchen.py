"""A small server of the modern era whose tools ask the person, take their time, and change what the server offers."""

from __future__ import annotations

import asyncio
from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Elicit, Resolve
from pydantic import BaseModel

begun, dropped = list[str](), list[str]()  # drinks that were ordered, and those that nobody waits for any more


class Sure(BaseModel):
    """What the person is asked."""

    sure: bool


async def ask_first() -> Elicit[Sure]:
    """The question to the person."""
    return Elicit("Pour the whole pot away?", Sure)


async def pour_away(answer: Annotated[Sure, Resolve(ask_first)]) -> str:
    """Pour the pot away, if the person is sure."""
    return "poured away" if answer.sure else "kept"


async def brew(drink: str, seconds: float) -> str:
    """Brew a drink."""
    begun.append(drink)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        dropped.append(drink)
        raise
    return f"{drink} is ready"


def kitchen() -> MCPServer:
    """The server."""
    mcp = MCPServer("kitchen", log_level="WARNING")

    async def learn(recipe: str, context: Context) -> str:
        """Learn a recipe, which becomes a tool of its own."""
        mcp.add_tool(lambda: f"{recipe} is ready", name=recipe, description=f"Make {recipe}.")
        await context.notify_tools_changed()
        return f"{recipe} is on the menu"

    for tool in (pour_away, brew, learn):
        mcp.add_tool(tool)
    return mcp
