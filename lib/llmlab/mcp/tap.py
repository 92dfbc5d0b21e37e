"""A transport that records the protocol frames passing through it: `Client(WireTap(stdio_client(...), "orders"))`.

A transport of the MCP SDK is any context manager that yields a stream to read and a stream to write, so one can stand
around another. Each JSON-RPC message becomes one step of kind "protocol", in the trace that is current where it was
sent, or in the tap's own. A reply stands beside its request. Attribute names follow OpenTelemetry's conventions for MCP
where they have one.
"""

from __future__ import annotations

import contextvars
import re
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import httpx2
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse
from pydantic import ValidationError

from llmlab import redaction, trace
from llmlab.mcp.content import mend

Direction = Literal["sent", "received"]  # as the client sees it
Frame = Literal["request", "notification", "result", "error", "junk", "http", "ended"]
KEPT = 1_000_000  # characters of one message
JUNK = 1_000  # characters of a line that is no message
FLOOD = 2_000  # messages, one after the other, that a server may send without being asked
_FRAMES: dict[type, Frame] = {
    JSONRPCRequest: "request",
    JSONRPCNotification: "notification",
    JSONRPCResponse: "result",
    JSONRPCError: "error",
}
_SECRET = re.compile(
    r"authorization|cookie|secret|passw|token|credential|session[-_]?id|(^|[-_])(api)?key|(^|[-_])auth($|[-_])",
    re.IGNORECASE,
)


def is_secret(name: str) -> bool:
    """Whether a header or variable of this name holds something to hide."""
    return bool(_SECRET.search(name))


@dataclass
class _Asked:
    """A request that waits for its reply."""

    step: int
    method: str
    context: contextvars.Context


class WireTap:
    """A transport around a transport: records every message in both directions, and passes it on.

    What a server sends beside the protocol's form is recorded as it came, and mended for the SDK. `odd`: the tools that
    are not offered, and what is wrong with them. `stray`: the last that fitted nothing, for whoever waits in vain.
    """

    def __init__(self, inner: AbstractAsyncContextManager[Any], server: str, into: trace.Trace | None = None):
        self.inner, self.server = inner, redaction.redact(server)
        self.trace = into or trace.Trace(f"the wire to {server}")
        self.odd: dict[str, str] = {}
        self.stray = self.fault = ""
        self._asked: dict[tuple[Direction, str], _Asked] = {}
        self._last = contextvars.copy_context()  # where something was sent last
        self._unasked = 0

    async def __aenter__(self) -> tuple[_Tapped, _Tapped]:
        read, write = await self.inner.__aenter__()
        return _Tapped(read, self), _Tapped(write, self)

    async def __aexit__(self, *exc: Any) -> bool | None:
        return await self.inner.__aexit__(*exc)

    def sending(self, message: JSONRPCMessage) -> None:
        """Record a message that is about to be sent."""
        self._last = contextvars.copy_context()
        self._record("sent", message, self._last)

    def received(self, item: SessionMessage | Exception) -> None:
        """Record what came, and mend it. Raises EndOfStream where the server floods."""
        message: Any = item.message if isinstance(item, SessionMessage) else None
        reply = isinstance(message, JSONRPCResponse | JSONRPCError)
        number = message.id if reply else (getattr(message, "params", None) or {}).get("progressToken")
        asked = self._asked.get(("sent", str(number)))  # the SDK takes "7" for 7, too
        context = asked.context if asked else self._last
        self._unasked = 0 if asked else self._unasked + 1
        if self._unasked > FLOOD:
            self.fault = f"it sent more than {FLOOD:,} messages without being asked"
            context.run(self.note, "flood", "received", "ended", self.fault)
            raise anyio.EndOfStream
        if message:
            context.run(self._record, "received", message, context)
            if asked and isinstance(message, JSONRPCResponse):
                mend(asked.method, message.result, self.odd)
        else:
            line: Any = item.errors(include_url=False)[0]["input"] if isinstance(item, ValidationError) else item
            junk = redaction.redact(str(line))[:JUNK]  # in this order: half a key would not be found
            self.stray = f"a line that is no message: {junk}"
            context.run(self.note, "no message", "received", "junk", self.stray, **{"llmlab.message": junk})

    def ended(self) -> None:
        """Record that the server closed the connection, which no message of the protocol says."""
        self._last.run(self.note, "connection closed", "received", "ended")

    def note(self, name: str, way: Direction, frame: Frame, error: str | None = None, **more: Any) -> trace.Step:
        """Add one step of kind "protocol" to the current trace, or to the tap's own; the attributes are plain data."""
        about = {"llmlab.server": self.server, "llmlab.direction": way, "llmlab.frame": frame, **more}
        return (trace.current() or self.trace).add("protocol", name, about, error and redaction.redact(error))

    def hooks(self) -> dict[str, list[Any]]:
        """Event hooks for an `httpx2.AsyncClient`: they record each HTTP request and response with its headers."""

        def note(name: str, request: httpx2.Request, headers: httpx2.Headers, status: int | None = None) -> None:
            about = {
                "http.request.method": request.method,
                "http.response.status_code": status,
                "url.path": request.url.path,
                "llmlab.headers": {key: "[key]" if is_secret(key) else value for key, value in headers.items()},
            }
            error = name if status and status >= 400 else None
            self.note(name, "received" if status else "sent", "http", error, **redaction.plain(about))

        async def request(sent: httpx2.Request) -> None:
            note(f"{sent.method} {sent.url.path}", sent, sent.headers)

        async def response(got: httpx2.Response) -> None:
            note(f"{got.status_code} {got.reason_phrase}", got.request, got.headers, got.status_code)

        return {"request": [request], "response": [response]}

    def _record(self, way: Direction, message: JSONRPCMessage, context: contextvars.Context) -> None:
        asked, error, number, frame = None, None, getattr(message, "id", None), _FRAMES[type(message)]
        if isinstance(message, JSONRPCRequest | JSONRPCNotification):
            name = method = message.method
        else:
            asked = self._asked.pop(("received" if way == "sent" else "sent", str(number)), None)
            method = asked.method if asked else "unknown"
            name = f"{method}: {frame}"
            if not asked:
                self.stray = f"a reply to {number}, which is no request that waits"
        if isinstance(message, JSONRPCError):
            error = f"{message.error.code}: {message.error.message}"
        text = message.model_dump_json(by_alias=True, exclude_unset=True)
        attributes = redaction.plain({"mcp.method.name": method, "jsonrpc.request.id": number}) | {
            "llmlab.message": redaction.parsed(text) if len(text) <= KEPT else f"{redaction.redact(text[:KEPT])}…",
            "llmlab.size": len(text),  # characters
            "llmlab.reply_to": asked.step if asked else None,
        }
        step = self.note(redaction.redact(name), way, frame, error, **attributes)
        if isinstance(message, JSONRPCRequest):
            self._asked[way, str(number)] = _Asked(step.id, method, context)


class _Tapped(ObjectReceiveStream[Any], ObjectSendStream[Any]):
    """A stream that tells the tap what passes, and leaves all else to the inner one."""

    def __init__(self, inner: Any, tap: WireTap):
        self._inner, self._tap = inner, tap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def receive(self) -> Any:
        try:
            item = await self._inner.receive()
        except anyio.EndOfStream:
            self._tap.ended()
            raise
        self._tap.received(item)
        return item

    async def send(self, item: Any) -> None:
        self._tap.sending(item.message)  # before it goes: else a fast reply could stand before its request
        await self._inner.send(item)

    async def aclose(self) -> None:
        await self._inner.aclose()
