"""Servers over HTTP, on this computer: as a process, in a thread, and as a web page would call them."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.middleware.cors import CORSMiddleware

from llmlab import errors

LISTENS = 60  # seconds
VERSION, META = "2026-07-28", "io.modelcontextprotocol/"


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def start(command: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[subprocess.Popen[bytes], str]:
    """Run a server's command with a free port behind it, and wait until it listens: the process, and the address.

    A process in between ends the server when its own input closes: because `stop` closes it, or because the kernel died.
    """
    port = free_port()
    keep = (
        "import os, subprocess as s, sys, threading as t; p = s.Popen(sys.argv[1:], stdin=s.DEVNULL); "
        "t.Thread(target=lambda: os._exit(p.wait()), daemon=True).start(); sys.stdin.read(); p.terminate(); p.wait()"
    )
    whole = [sys.executable, "-c", keep, *command, str(port)]
    quiet: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    # Jupyter's event loop on Windows may not be one that can start processes itself.
    process = await asyncio.to_thread(subprocess.Popen, whole, env={**os.environ, **(env or {})}, **quiet)
    writer, end = None, time.monotonic() + LISTENS
    while not writer:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        if (ended := process.poll() is not None) or time.monotonic() > end:
            await stop(process)
            what = "this one ended" if ended else "this one does not"
            raise errors.LabError(
                f"A server has {LISTENS} seconds to listen on its port, but {what}; run its command in a terminal."
            )
    writer.close()
    return process, f"http://127.0.0.1:{port}/mcp"


async def stop(process: subprocess.Popen[bytes]) -> None:
    """End what `start` has started."""
    assert process.stdin
    process.stdin.close()
    await asyncio.to_thread(process.wait)


@contextmanager
def over_http(server: MCPServer, port: int = 0, open_to_all: bool = False) -> Iterator[str]:
    """A server over HTTP in a thread. `open_to_all`: as careless ones do, it takes any Host and any Origin."""
    off = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app: Any = server.streamable_http_app(transport_security=off if open_to_all else None)
    if open_to_all:
        app = CORSMiddleware(app, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
    http = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1))
    log = logging.getLogger("mcp.server")  # it would write what it refuses into the cell
    level = log.level
    log.setLevel(logging.ERROR)
    thread = threading.Thread(target=http.run, daemon=True)  # in the main thread it would take the Interrupt button
    thread.start()
    while not http.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{http.servers[0].sockets[0].getsockname()[1]}/mcp"
    finally:
        http.should_exit = True
        thread.join()
        log.setLevel(level)


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    """The headers and the body of a call in the modern era, for an HTTP client: one request, no session."""
    about = {"protocolVersion": VERSION, "clientCapabilities": {}, "clientInfo": {"name": "by hand", "version": "1"}}
    params = {"name": tool, "arguments": arguments, "_meta": {META + key: value for key, value in about.items()}}
    headers = {"mcp-protocol-version": VERSION, "mcp-method": "tools/call", "mcp-name": tool}
    headers |= {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    return {"headers": headers, "json": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}}


async def page(url: str, origin: str, tool: str, **arguments: Any) -> str:
    """What a browser sends for a script of a page on `origin`, and what comes back.

    A page that has rebound its own name to 127.0.0.1 speaks to its own origin, so the browser asks nobody. Any other has
    to be allowed by the server's answer to an OPTIONS request first (CORS).
    """
    port = str(httpx2.URL(url).port)
    origin = origin.replace("PORT", port)
    sent = call(tool, **arguments)
    sent["headers"]["origin"] = origin
    async with httpx2.AsyncClient(trust_env=False) as browser:
        if origin.endswith(f":{port}"):
            sent["headers"]["host"] = origin.removeprefix("http://")
        else:
            asks = {"method": "POST", "headers": "content-type, mcp-method"}
            asked = {f"access-control-request-{key}": value for key, value in asks.items()}
            allowed = await browser.options(url, headers={"origin": origin, **asked})
            if allowed.headers.get("access-control-allow-origin") not in ("*", origin):
                return f"{allowed.status_code} to the browser's question, so it sent nothing"
        answer = await browser.post(url, **sent)
    return f"{answer.status_code} {answer.reason_phrase}"
