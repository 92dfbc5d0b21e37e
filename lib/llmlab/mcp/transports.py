"""What a host is told of a server (functions, a command, an address, an mcp.json), and the transport that reaches it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import sys
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
from mcp import StdioServerParameters
from mcp.client._memory import InMemoryTransport
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer

from llmlab import redaction, settings
from llmlab.errors import ServerError
from llmlab.mcp.tap import is_secret

STDERR = 20_000  # characters that are kept
CONNECT = 30.0  # seconds
_NAMED = re.compile(r"-*([\w.-]+)\s*[=:]\s*(.+)", re.DOTALL)
_KEY = re.compile(r"(sk|pk|rk)-|gh[a-z]_|github_pat_|glpat-|xox[a-z]-")  # how well-known keys begin
_GUARD = Path(__file__).with_name("guard.py")


@dataclass(frozen=True)
class Remote:
    """A server behind an address."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)


Target = MCPServer | StdioServerParameters | Remote


def targets(servers: Mapping[str, Any] | str | Path) -> dict[str, Target]:
    """The servers of a host, by name: from objects, functions, commands, addresses, or an mcp.json (or its path)."""
    found: Any = servers
    if isinstance(servers, str | Path):
        try:
            found = json.loads(Path(servers).read_text(encoding="utf-8-sig"))  # Notepad writes a mark before the text
        except (OSError, ValueError) as error:
            raise ServerError(
                "",
                f"A host takes the path of an mcp.json, but {servers} cannot be read ({error}); check the path, and that it is JSON, which has no comments.",
            ) from error
        if isinstance(found, Mapping) and "servers" in found and "mcpServers" not in found:  # as VS Code writes it
            found = {"mcpServers": found["servers"]}
        if not isinstance(found, Mapping) or "mcpServers" not in found:
            raise ServerError(
                "", 'An mcp.json is {"mcpServers": {name: …}}, but this file holds something else; look into it.'
            )
    if isinstance(found.get("mcpServers"), Mapping):
        found = found["mcpServers"]
    wanted = {
        name: entry for name, entry in found.items() if not (isinstance(entry, Mapping) and entry.get("disabled"))
    }
    return {name: _target(name, value) for name, value in wanted.items()}


def _target(name: str, value: Any) -> Target:
    if isinstance(value, MCPServer):
        return value
    if isinstance(value, StdioServerParameters):
        _hide_all(value.args, value.env)
        return value
    if isinstance(value, Mapping) and value.get("type") == "sse":
        raise ServerError(
            name,
            f"Server {name} is to be reached over the older HTTP+SSE, but the lab speaks stdio and Streamable HTTP; look for "
            f"its newer address, often /mcp.",
        )
    if isinstance(value, Mapping) and "url" in value:
        return _remote(_text(name, "url", value["url"]), _texts(name, "headers", value.get("headers") or {}))
    if isinstance(value, Mapping) and "command" in value:
        given = value.get("args", [])
        if not isinstance(given, list | tuple):
            raise _field(name, "args", "a list of texts", given)
        command = [_text(name, "command", value["command"]), *(_text(name, "args", one) for one in given)]
        return _process(command, _texts(name, "env", value.get("env") or {}) or None, value.get("cwd"))
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        return _remote(value, {})
    parts: Any = shlex.split(value, posix=os.name == "posix") if isinstance(value, str) else value
    parts = [parts] if callable(parts) else parts
    if isinstance(parts, Sequence) and parts and all(isinstance(part, str) for part in parts):
        return _process(list(parts))
    if isinstance(parts, Sequence) and parts and all(callable(part) for part in parts):
        made = MCPServer(name, log_level="WARNING")  # its default would fill the cells
        for function in parts:
            made.add_tool(function)
        return made
    raise ServerError(
        name,
        f"A server is an MCPServer, functions, a command, an address, or an entry of an mcp.json, but {name} is of type "
        f"{type(value).__name__}; give one of these.",
    )


def _text(name: str, field: str, value: Any) -> str:
    """A text, or a number as one. Raises ServerError for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _field(name, field, "texts and numbers", value)
    return str(value)


def _texts(name: str, field: str, values: Any) -> dict[str, str]:
    if not isinstance(values, Mapping):
        raise _field(name, field, "an object", values)
    return {str(key): _text(name, f"{field}.{key}", value) for key, value in values.items()}


def _field(name: str, field: str, wanted: str, came: Any) -> ServerError:
    said = json.dumps(came, default=str)[:60]
    return ServerError(
        name, f"An entry of an mcp.json takes {wanted} in {field}, but server {name} has {said}; correct it."
    )


def _remote(url: str, headers: dict[str, str]) -> Remote:
    parts = urlsplit(url)
    for name, value in [*parse_qsl(parts.query), *headers.items(), ("password", parts.password or "")]:
        _hide(name, value)
    return Remote(url, headers)


def _process(command: list[str], env: dict[str, str] | None = None, cwd: str | None = None) -> StdioServerParameters:
    _hide_all(command[1:], env)
    return StdioServerParameters(command=command[0], args=command[1:], env=env, cwd=cwd)


def _hide_all(arguments: Sequence[str], env: Mapping[str, str] | None) -> None:
    """What a process is given and may write to its stderr: --api-key KEY, --token=KEY, NAME=KEY, "Header: KEY", an
    address with a password."""
    for name, value in (env or {}).items():
        _hide(name, value)
    words = [str(argument) for argument in arguments]  # an mcp.json may hold numbers
    for argument, following in zip(words, [*words, ""][1:], strict=True):
        if named := _NAMED.fullmatch(argument):
            _hide(named[1], named[2])
        elif argument.startswith("-") and not following.startswith("-"):
            _hide(argument, following)
        if _KEY.match(argument):
            redaction.hide(argument)
        with contextlib.suppress(ValueError):  # no address
            parts = urlsplit(argument)
            for name, value in [*parse_qsl(parts.query), ("password", parts.password or "")]:
                _hide(name, value)


def _hide(name: str, value: str) -> None:
    if is_secret(name):
        redaction.hide(value)
        redaction.hide(value.rpartition(" ")[2])  # the key of "Bearer KEY"


class Stderr:
    """The last that a process writes beside the protocol. A pipe and a thread: nothing stays on the disk."""

    def __init__(self) -> None:
        self.text = ""
        self._thread: threading.Thread | None = None

    def begin(self) -> int:
        """The descriptor for the process, to be closed here once it is started."""
        read, write = os.pipe()
        self._thread = threading.Thread(target=self._read, args=(read,), daemon=True)
        self._thread.start()
        return write

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, "rb", buffering=0) as pipe:
            while piece := pipe.read(65536):
                self.text = (self.text + piece.decode(errors="replace"))[-STDERR:]

    async def ended(self) -> None:
        """Wait until all is read of a process that has ended; not long, for a child of it may live on."""
        if self._thread:
            await asyncio.to_thread(self._thread.join, 1.0)


def transport(target: Target, stderr: Stderr, hooks: dict[str, list[Any]]) -> AbstractAsyncContextManager[Any]:
    """How the SDK reaches a server; `hooks` are an HTTP client's event hooks."""
    if isinstance(target, MCPServer):
        return InMemoryTransport(target)
    return _over_http(target, hooks) if isinstance(target, Remote) else _over_stdio(target, stderr)


@contextlib.asynccontextmanager
async def _over_stdio(given: StdioServerParameters, stderr: Stderr) -> AsyncIterator[Any]:
    if not given.cwd and not shutil.which(given.command, path=(given.env or {}).get("PATH")):
        raise FileNotFoundError(f"there is no program {given.command}")
    if os.name == "posix":
        guarded = ["-I", "-S", str(_GUARD), str(os.getpid()), given.command, *given.args]
        given = given.model_copy(update={"command": sys.executable, "args": guarded})
    # A pipe of our own, because a kernel's sys.stderr may have no descriptor.
    with os.fdopen(stderr.begin(), "w") as file:
        async with stdio_client(given, errlog=file) as streams:
            file.close()  # the process has its own
            yield streams


@contextlib.asynccontextmanager
async def _over_http(remote: Remote, hooks: dict[str, list[Any]]) -> AsyncIterator[Any]:
    timeout = httpx2.Timeout(CONNECT, read=None)  # how long a call may take, the host decides
    async with (
        httpx2.AsyncClient(
            headers=remote.headers, timeout=timeout, event_hooks=hooks, trust_env=not settings.is_here(remote.url)
        ) as client,
        streamable_http_client(remote.url, http_client=client) as streams,
    ):
        yield streams
