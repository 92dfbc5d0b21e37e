"""What a host is told of a server (functions, a command, an address, an mcp.json), and the transport that reaches it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from mcp import StdioServerParameters
from mcp.client._memory import InMemoryTransport
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import MCP_SESSION_ID, streamable_http_client
from mcp.server import MCPServer

from llmlab import redaction, settings
from llmlab.errors import ServerError
from llmlab.mcp.tap import is_secret

CONNECT = 30.0  # seconds
SAID = 300  # characters that are told of an HTTP refusal
SESSION_LOST = -1  # the code of the error that stands for it; of other HTTP refusals: the status, negative
_GIVEN = re.compile(r"([\w-]+)(?=[=:\s]+(?:(?:Bearer|Basic)\s+)?([^\s&-][^\s&]*))")  # NAME=KEY, --name KEY, "Name: KEY"
_KEY = re.compile(r"\b(?:(?:sk|pk|rk)-|gh[a-z]_|github_pat_|glpat-|xox[a-z]-)\S+|(?<=:)[^:/@\s]+(?=@)")
# A server that is busy, or keeps a timer, does not notice that a killed kernel has closed its input: a second shell ends it.
# On Windows the SDK puts each server into a job that ends with the kernel.
_WITH_KERNEL = """kernel=$PPID
(exec <&- >&- 2>&-; while kill -0 $kernel && kill -0 $$; do sleep 1; done; kill -0 $$ && sleep 2 && kill -9 0) &
exec "$@\""""


@dataclass(frozen=True)
class Remote:
    """A server behind an address. `sse`: it speaks HTTP+SSE, which came before Streamable HTTP."""

    url: str
    headers: dict[str, str] = field(repr=False)
    sse: bool


Target = MCPServer | StdioServerParameters | Remote


def targets(servers: Mapping[str, Any] | str | Path) -> dict[str, Target]:
    """The servers of a host, by name: from objects, functions, commands, addresses, or an mcp.json (or its path)."""
    found: Any = servers
    if isinstance(servers, str | Path):
        try:
            found = json.loads(Path(servers).read_text(encoding="utf-8-sig"))  # Notepad writes a mark before the text
            found = found.get("mcpServers") or found["servers"]  # VS Code writes "servers"
        except (OSError, ValueError, LookupError, AttributeError) as error:
            raise ServerError(
                "",
                f'A host takes the path of an mcp.json, {{"mcpServers": {{name: …}}}}, but {servers} cannot be read as '
                f"one ({error!r}); check the path, and that it is JSON, which has no comments.",
            ) from error
    found = found.get("mcpServers", found)
    return {
        name: _target(name, entry)
        for name, entry in found.items()
        if not (isinstance(entry, Mapping) and entry.get("disabled"))
    }


def _target(name: str, given: Any) -> Target:
    entry = given
    if isinstance(given, str):
        is_address = given.startswith(("http://", "https://"))
        words = [word.strip('"') for word in shlex.split(given, posix=os.name == "posix")]  # Windows' keep their quotes
        entry = {"url": given} if is_address else words
    parts = [entry] if callable(entry) else entry if isinstance(entry, list | tuple) else []
    if parts and all(callable(part) for part in parts):
        entry = MCPServer(name, log_level="WARNING")  # its default would fill the cells
        for function in parts:
            entry.add_tool(function)
    if isinstance(entry, MCPServer):
        return entry
    if parts:
        entry = {"command": parts[0], "args": parts[1:]}
    elif isinstance(entry, StdioServerParameters):
        entry = entry.model_dump()
    with suppress(AttributeError, TypeError, ValueError):
        if url := entry.get("url"):
            headers = _texts(entry.get("headers"))
            _hide(url, *map(": ".join, headers.items()))
            return Remote(url, headers, entry.get("type") == "sse" or urlsplit(url).path.rstrip("/").endswith("/sse"))
        args, env = entry.get("args") or [], _texts(entry.get("env"))
        args = [_text(arg) for arg in ([args] if isinstance(args, str) else args)]
        _hide(" ".join(args), *map("=".join, env.items()))
        return StdioServerParameters.model_validate({**entry, "args": args, "env": env})
    raise ServerError(
        name,
        f"A server is an MCPServer, functions, a command, an address, or an entry of an mcp.json, but {name} is of type "
        f"{type(given).__name__}; give one of these.",
    )


def _text(value: Any) -> str:
    """A text of an mcp.json, which may hold numbers."""
    return value if isinstance(value, str) else json.dumps(value)


def _texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: _text(value) for name, value in (values or {}).items() if value is not None}


def _hide(*given: str) -> None:
    """Let no key among a server's arguments, variables, headers or its address into a trace or an error."""
    for text in given:
        for key in [*_KEY.findall(text), *(value for name, value in _GIVEN.findall(text) if is_secret(name))]:
            redaction.hide(key)


class _Http(httpx2.AsyncClient):
    """Says what a server answers where it refuses: the SDK would only say that there was an error."""

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        response = await super().send(request, **options)
        if request.method != "POST" or response.status_code < 400:
            return response
        said = " ".join((await response.aread()).decode(errors="replace").split())
        lost = response.status_code == 404 and MCP_SESSION_ID in request.headers
        if '"jsonrpc"' in said and not lost:
            return response
        told = f": {said[:SAID]}" if said and not said.startswith("<") else ""  # no web page
        why = f"HTTP {response.status_code} {response.reason_phrase}".strip() + told
        error = {"code": SESSION_LOST if lost else -response.status_code, "message": why}
        answer = {"jsonrpc": "2.0", "id": None, "error": error}
        return httpx2.Response(response.status_code, json=answer, request=request)


@asynccontextmanager
async def transport(target: Target, log: Any) -> AsyncIterator[Any]:
    """How the SDK reaches a server; what a process writes beside the protocol goes to `log`."""
    async with AsyncExitStack() as stack:
        inner: AbstractAsyncContextManager[Any]
        if isinstance(target, MCPServer):
            inner = InMemoryTransport(target)
        elif isinstance(target, StdioServerParameters):
            if not target.cwd and not shutil.which(target.command, path=(target.env or {}).get("PATH")):
                raise FileNotFoundError(f"there is no program {target.command}")
            if os.name == "posix":
                args = ["-c", _WITH_KERNEL, "sh", target.command, *target.args]
                target = target.model_copy(update={"command": "/bin/sh", "args": args})
            inner = stdio_client(target, errlog=log)  # a kernel's own sys.stderr may have no descriptor
        else:
            timeout = httpx2.Timeout(CONNECT, read=None)  # how long a call may take, the host decides
            http = _Http(headers=target.headers, timeout=timeout, trust_env=not settings.is_here(target.url))
            if target.sse:
                inner = sse_client(target.url, httpx_client_factory=lambda *_, **__: http)
            else:
                await stack.enter_async_context(http)
                inner = streamable_http_client(target.url, http_client=http)
        yield await stack.enter_async_context(inner)
