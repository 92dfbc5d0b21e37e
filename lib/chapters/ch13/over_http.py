"""Servers over HTTP in threads of this kernel, and what the library says to them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from chapters.ch13 import kitchen
from llmlab.mcp.tap import WireTap

Frames = list[tuple[str, dict[str, Any]]]
_running: list[tuple[uvicorn.Server, threading.Thread]] = []


async def serve(made: Any) -> str:
    """Serve an MCP server over HTTP on a free port until `stop`; returns the address."""
    logging.getLogger("mcp").setLevel(logging.CRITICAL)  # what the SDK logs would appear among the outputs
    settings: dict[str, Any] = {
        "port": 0,
        "log_level": "critical",
        "date_header": False,
        "timeout_graceful_shutdown": 1,
    }
    server = uvicorn.Server(uvicorn.Config(made.streamable_http_app(), **settings))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while thread.is_alive() and not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    _running.append((server, thread))
    return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp"


async def stop() -> int:
    """Stop all that `serve` has started; returns how many still run."""
    for server, thread in _running:
        server.should_exit = True
        await asyncio.to_thread(thread.join, 5)
    left = [(server, thread) for server, thread in _running if thread.is_alive()]
    _running[:] = left
    return len(left)


def recorded(tap: WireTap) -> Frames:
    """The messages that a tap has recorded, each with its direction."""
    return [(str(step.direction), step.message) for step in tap.trace if step.message]


def told(tap: WireTap) -> list[str]:
    """One line for each exchange that a tap has recorded: the request and what came, or a notification."""
    lines, asked = list[str](), dict[Any, int]()
    for way, message in recorded(tap):
        if "method" in message:
            asked[way, message.get("id")] = len(lines)
            lines.append(message["method"] if "id" in message else f"{message['method']} (notification)")
        elif (place := asked.get(("received" if way == "sent" else "sent", message.get("id")))) is not None:
            lines[place] += " → error" if "error" in message else f" → {message['result'].get('resultType', 'result')}"
    return [line.replace("→ complete", "→ result") for line in lines]


async def over_http(url: str, mode: str, walk: Callable[[Client], Awaitable[None]]) -> WireTap:
    """A walk of the library's client over HTTP; the tap has its messages, and the headers of each POST."""
    tap = WireTap(None, "calendar")  # type: ignore[arg-type]
    async with httpx2.AsyncClient(trust_env=False, event_hooks=tap.hooks()) as watched:
        tap.inner = streamable_http_client(url, http_client=watched)
        async with Client(tap, mode=mode, cache=None) as client:
            await walk(client)
    return tap


async def give_up(url: str, mode: str, drink: str) -> tuple[list[str], int]:
    """Order a drink of the kitchen that takes a minute and cancel it; returns what the client said, and its number of POSTs."""

    for drinks in (kitchen.begun, kitchen.dropped):  # the cell may run again
        while drink in drinks:
            drinks.remove(drink)

    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def order(client: Client) -> None:
        brewing = asyncio.create_task(client.call_tool("brew", {"drink": drink, "seconds": 60}))
        await until(lambda: drink in kitchen.begun)
        brewing.cancel()
        await until(lambda: drink in kitchen.dropped)

    tap = await over_http(url, mode, order)
    said = [message["method"] for way, message in recorded(tap) if way == "sent"]
    return said, sum(step.name == "POST /mcp" for step in tap.trace)
