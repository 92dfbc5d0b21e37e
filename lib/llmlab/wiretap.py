"""A transport that records the protocol frames passing through it: `Client(WireTap(stdio_client(...), "orders"))`.

A transport of the MCP SDK is any context manager that yields a stream to read and a stream to write, so one can stand
around another. Each JSON-RPC message becomes one step of kind "protocol", in the trace that is current where it was
sent, or in the tap's own. A reply stands beside its request. Attribute names follow OpenTelemetry's conventions for MCP
where they have one.
"""

from __future__ import annotations

import contextvars
import json
import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import httpx2
from mcp.shared.message import SessionMessage
from mcp_types import PROTOCOL_VERSION_META_KEY
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from llmlab import trace

Direction = Literal["sent", "received"]  # as the client sees it
Frame = Literal["request", "notification", "result", "error", "junk", "http", "ended"]
KEPT = 1_000_000  # characters of one message
FLOOD = 2_000  # messages that a server may send while it is asked nothing
_SECRET = re.compile(r"authorization|cookie|secret|passw|token|credential|(^|[-_])(api)?key", re.IGNORECASE)


@dataclass
class _Asked:
    """A request that waits for its reply."""

    step: int
    method: str
    context: contextvars.Context


class WireTap:
    """A transport around a transport: records every message in both directions, and passes it on unchanged."""

    def __init__(self, inner: AbstractAsyncContextManager[Any], server: str, into: trace.Trace | None = None):
        self.inner, self.server = inner, server
        self.trace = into or trace.Trace(f"the wire to {server}")
        self.stray = ""  # the last message that fitted nothing, for whoever waits in vain
        self.fault = ""  # why the tap stopped listening
        self._version: str | None = None
        self._asked: dict[tuple[Direction, str], _Asked] = {}
        self._last = contextvars.copy_context()  # where something was sent last
        self._unasked = 0

    async def __aenter__(self) -> tuple[_Read, _Write]:
        read, write = await self.inner.__aenter__()
        return _Read(read, self), _Write(write, self)

    async def __aexit__(self, *exc: Any) -> bool | None:
        return await self.inner.__aexit__(*exc)

    def sending(self, item: SessionMessage) -> None:
        """Record a message that is about to be sent."""
        self._last, self._unasked = contextvars.copy_context(), 0
        self._record("sent", item)

    def received(self, item: SessionMessage | Exception) -> None:
        """Record what came. Raises EndOfStream where the server floods."""
        self._unasked += 1
        if self._unasked > FLOOD:
            self.fault = f"it sent more than {FLOOD:,} messages without being asked"
            self._last.run(self.note, "flood", "received", "ended", error=self.fault)
            raise anyio.EndOfStream
        if isinstance(item, SessionMessage):
            self._place(item.message).run(self._record, "received", item)
        else:
            junk = _junk(item)
            self.stray = f"a line that is no message: {junk}"
            self._last.run(self.note, "no message", "received", "junk", {"llmlab.message": junk}, error=self.stray)

    def ended(self) -> None:
        """Record that the server closed the connection, which no message of the protocol says."""
        self._last.run(self.note, "connection closed", "received", "ended")

    def note(
        self,
        name: str,
        direction: Direction,
        frame: Frame,
        attributes: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> trace.Step:
        """Add one step of kind "protocol" to the current trace, or to the tap's own."""
        about = {"llmlab.server": self.server, "llmlab.direction": direction, "llmlab.frame": frame}
        with (trace.current() or self.trace).step("protocol", name) as step:
            step.attributes.update(about, **(attributes or {}))  # redacted once, when the step ends
            if error is not None:
                step.status, step.error = "error", trace.redact(error)
        return step

    def hooks(self) -> dict[str, list[Any]]:
        """Event hooks for an `httpx2.AsyncClient`: they record each HTTP request and response with its headers."""

        async def request(sent: httpx2.Request) -> None:
            self.note(f"{sent.method} {sent.url.path}", "sent", "http", _http(sent, sent.headers))

        async def response(got: httpx2.Response) -> None:
            attributes = _http(got.request, got.headers) | {"http.response.status_code": got.status_code}
            name = f"{got.status_code} {got.reason_phrase}"
            self.note(name, "received", "http", attributes, name if got.is_error else None)

        return {"request": [request], "response": [response]}

    def _place(self, message: Any) -> contextvars.Context:
        """Where a message belongs: replies and progress to their request, all else to what was sent last."""
        number = getattr(message, "id", None)
        if params := getattr(message, "params", None):
            number = params.get("progressToken")
        asked = self._asked.get(("sent", str(number)))
        return asked.context if asked else self._last

    def _record(self, direction: Direction, item: SessionMessage) -> None:
        text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        message = json.loads(text)
        method, number = message.get("method"), message.get("id")
        asked, error, frame = None, None, "notification"
        if method and number is not None:
            frame = "request"
        elif not method:
            # The SDK takes "7" for 7, too.
            asked = self._asked.pop(("received" if direction == "sent" else "sent", str(number)), None)
            frame = "error" if "error" in message else "result"
            if frame == "error":
                error = f"{_at(message, 'error', 'code')}: {_at(message, 'error', 'message')}"
            if not asked:
                self.stray = f"a reply to {number}, which is no request that waits"
        opening = method == "initialize" or (asked and asked.method == "initialize")
        named = _at(message, "params", "_meta", PROTOCOL_VERSION_META_KEY) or (
            opening and (_at(message, "params", "protocolVersion") or _at(message, "result", "protocolVersion"))
        )
        self._version = str(named) if named else self._version
        attributes: dict[str, Any] = {
            "mcp.method.name": asked.method if asked else method,
            "mcp.protocol.version": self._version,
            "jsonrpc.request.id": number,
            "llmlab.era": "modern" if self._version in MODERN_PROTOCOL_VERSIONS else "handshake",
            "llmlab.message": message if len(text) <= KEPT else text[:KEPT] + "…",
            "llmlab.size": len(text),  # characters
        }
        if asked:
            attributes["llmlab.reply_to"] = asked.step
        name = method or f"{asked.method if asked else 'unknown'}: {frame}"
        step = self.note(name, direction, frame, attributes, error)  # type: ignore[arg-type]  # one of Frame
        if frame == "request":
            self._asked[direction, str(number)] = _Asked(step.id, method, contextvars.copy_context())


class _Stream:
    """A stream that leaves to the inner one what it does not do itself."""

    def __init__(self, inner: Any, tap: WireTap):
        self._inner, self._tap = inner, tap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def __aenter__(self) -> Any:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> bool | None:
        return await self._inner.__aexit__(*exc)


class _Read(_Stream):
    def __aiter__(self) -> _Read:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def receive(self) -> SessionMessage | Exception:
        try:
            item = await self._inner.receive()
        except anyio.EndOfStream:
            self._tap.ended()
            raise
        self._tap.received(item)
        return item


class _Write(_Stream):
    async def send(self, item: SessionMessage) -> None:
        self._tap.sending(item)  # before it goes: else a fast reply could stand before its request
        await self._inner.send(item)


def safe(headers: Mapping[str, str]) -> dict[str, str]:
    """HTTP headers without what lets somebody in: Authorization, cookies, keys, tokens."""
    return {name: "[key]" if is_secret(name) else value for name, value in headers.items()}


def is_secret(name: str) -> bool:
    """Whether a header or variable of this name holds something to hide."""
    return bool(_SECRET.search(name))


def _http(request: httpx2.Request, headers: Mapping[str, str]) -> dict[str, Any]:
    number = _at(json.loads(request.content), "id") if request.content else None
    return {
        "http.request.method": request.method,
        "url.path": request.url.path,
        "jsonrpc.request.id": number,
        "llmlab.headers": safe(headers),
    }


def _at(data: Any, *path: str) -> Any:
    """A value inside nested objects, or None: what a server sends may have any shape."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _junk(error: Exception) -> str:
    """The line that could not be read as a message: pydantic keeps it."""
    kept = error.errors(include_url=False)[0]["input"] if isinstance(error, ValidationError) else error
    return str(kept)[:1000]
