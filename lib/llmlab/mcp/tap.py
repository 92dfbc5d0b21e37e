"""A transport that records the protocol frames passing through it: `Client(WireTap(stdio_client(...), "orders"))`.

A transport of the MCP SDK is any context manager that yields a stream to read and a stream to write, so one can stand
around another. Each JSON-RPC message becomes one step of kind "protocol", in the trace that is current where it was
sent, or in the tap's own. A reply stands beside its request. Attribute names follow OpenTelemetry's conventions for MCP
where they have one.
"""

from __future__ import annotations

import contextlib
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
from mcp_types import PARSE_ERROR, PROTOCOL_VERSION_META_KEY, ErrorData, JSONRPCError, JSONRPCRequest, JSONRPCResponse
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from llmlab import redaction, trace
from llmlab.mcp import mend

Direction = Literal["sent", "received"]  # as the client sees it
Frame = Literal["request", "notification", "result", "error", "junk", "http", "ended"]
KEPT = 1_000_000  # characters of one message
FLOOD = 2_000  # messages that a server may send while it is asked nothing
HTTP_STATUS = "http.response.status_code"
_LISTEN = "subscriptions/listen"  # waits for no answer
_REPLY = (JSONRPCResponse, JSONRPCError)
_SECRET = re.compile(
    r"authorization|cookie|secret|passw|token|credential|session[-_]?id|(^|[-_])(api)?key|(^|[-_])auth($|[-_])",
    re.IGNORECASE,
)
_STAND_IN = "Server returned an error response"  # the SDK's words for an HTTP error that is no message
SAYS = 5.0  # seconds in which a server may say why it refuses
JUNK = 1_000  # characters that are kept of a line that is no message
SHORT = 300  # characters that are told of what a server says


@dataclass
class _Asked:
    """A request that waits for its reply."""

    step: int
    method: str
    number: int | str
    context: contextvars.Context


class WireTap:
    """A transport around a transport: records every message in both directions, and passes it on.

    Unchanged but for two: what the SDK says in place of an HTTP error gets the status and the server's words, and a
    broken message becomes an error for the one request that can be meant.
    """

    def __init__(self, inner: AbstractAsyncContextManager[Any], server: str, into: trace.Trace | None = None):
        self.inner, self.server = inner, redaction.redact(server)
        self.trace = into or trace.Trace(f"the wire to {server}")
        self.stray = ""  # the last message that fitted nothing, for whoever waits in vain
        self.fault = ""  # why the tap stopped listening
        self._version: str | None = None
        self._asked: dict[tuple[Direction, str], _Asked] = {}
        self._last = contextvars.copy_context()  # where something was sent last
        self._unasked = 0
        self._refused: dict[str, tuple[int, str]] = {}  # by the request's id: the HTTP status, and what was said
        self.outputs: dict[str, Any] = {}  # the output schema of each tool that was listed
        self.odd: dict[str, str] = {}  # tools that are not offered, and what is wrong with them

    async def __aenter__(self) -> tuple[_Read, _Write]:
        read, write = await self.inner.__aenter__()
        return _Read(read, self), _Write(write, self)

    async def __aexit__(self, *exc: Any) -> bool | None:
        return await self.inner.__aexit__(*exc)

    def sending(self, item: SessionMessage) -> None:
        """Record a message that is about to be sent."""
        self._last, self._unasked = contextvars.copy_context(), 0
        self._record("sent", item, self._last)

    def received(self, item: SessionMessage | Exception) -> SessionMessage | Exception:
        """Record what came, and return what is passed on. Raises EndOfStream where the server floods."""
        message = item.message if isinstance(item, SessionMessage) else None
        wanted = isinstance(message, _REPLY) and ("sent", str(message.id)) in self._asked
        self._unasked += not wanted
        if self._unasked > FLOOD:
            self.fault = f"it sent more than {FLOOD:,} messages without being asked"
            self._last.run(self.note, "flood", "received", "ended", error=self.fault)
            raise anyio.EndOfStream
        if isinstance(item, SessionMessage):
            if isinstance(message, JSONRPCError) and (refused := self._refused.pop(str(message.id), None)):
                _tell(message.error, *refused)
            context = self._place(message)
            asked = self._asked.get(("sent", str(message.id))) if isinstance(message, JSONRPCResponse) else None
            context.run(self._record, "received", item, context)
            if asked and isinstance(message, JSONRPCResponse) and isinstance(message.result, dict):
                if asked.method == "tools/list":
                    mend.tools(message.result, self.outputs, self.odd)
                elif asked.method == "tools/call" and message.result.get("resultType", "complete") == "complete":
                    mend.called(message.result)
            return item
        line = _line(item)
        junk = redaction.redact(line)[:JUNK]  # in this order: half a key would not be found
        self.stray = f"a line that is no message: {junk}"
        attributes = {"llmlab.message": junk}
        self._last.run(self.note, "no message", "received", "junk", attributes, error=self.stray)
        return self._broken(line) or item

    def ended(self) -> None:
        """Record that the server closed the connection, which no message of the protocol says."""
        self._last.run(self.note, "connection closed", "received", "ended")

    def note(
        self,
        name: str,
        direction: Direction,
        frame: Frame,
        attributes: dict[str, Any] | None = None,
        error: str | None = None,
    ) -> trace.Step:
        """Add one step of kind "protocol" to the current trace, or to the tap's own; the attributes are plain data."""
        about: dict[str, Any] = {"llmlab.server": self.server, "llmlab.direction": direction, "llmlab.frame": frame}
        about.update(attributes or ())
        error = None if error is None else redaction.redact(error)
        return (trace.current() or self.trace).add("protocol", name, about, error)

    def hooks(self) -> dict[str, list[Any]]:
        """Event hooks for an `httpx2.AsyncClient`: they record each HTTP request and response with its headers."""

        async def request(sent: httpx2.Request) -> None:
            self.note(f"{sent.method} {sent.url.path}", "sent", "http", _http(sent, sent.headers))

        async def response(got: httpx2.Response) -> None:
            attributes = _http(got.request, got.headers) | {HTTP_STATUS: got.status_code}
            name = f"{got.status_code} {got.reason_phrase}"
            self.note(name, "received", "http", attributes, name if got.is_error else None)

        return {"request": [request], "response": [response]}

    async def refused(self, got: httpx2.Response) -> None:
        """An event hook for an `httpx2.AsyncClient`: keep what the SDK does not tell of an HTTP error."""
        if not got.is_error or not got.request.content:
            return
        number, said = _at(_json(got.request.content), "id"), b""
        with contextlib.suppress(httpx2.HTTPError):  # the SDK will see it, too
            if got.headers.get("content-type", "").lower().startswith("application/json"):
                said = await got.aread()  # for the SDK, which looks for a message in it
            else:
                async with contextlib.aclosing(aiter(got.aiter_bytes())) as pieces:  # type: ignore[type-var]
                    with anyio.move_on_after(SAYS):
                        said = await anext(pieces, b"")
        text = " ".join(redaction.redact(said.decode(errors="replace")).split())[:SHORT]
        status = f"{got.status_code} {got.reason_phrase}".strip()
        told = f": {text}" if text and not text.startswith("<") else ""  # no web page
        self._refused[str(number)] = got.status_code, f"HTTP {redaction.redact(status)}{told}"

    def _broken(self, line: str) -> SessionMessage | None:
        """The error for the request that a broken message was to answer, if just one waits."""
        waiting = [key for key, asked in self._asked.items() if key[0] == "sent" and asked.method != _LISTEN]
        if len(waiting) != 1 or not line.startswith('{"jsonrpc"') or _json(line) is not None:
            return None
        asked = self._asked.pop(waiting[0])
        error = ErrorData(code=PARSE_ERROR, message=f"a line that is no JSON: {redaction.redact(line)[:SHORT]}")
        return SessionMessage(JSONRPCError(jsonrpc="2.0", id=asked.number, error=error))

    def _place(self, message: Any) -> contextvars.Context:
        """Where a message belongs: replies and progress to their request, all else to what was sent last."""
        reply = isinstance(message, _REPLY)
        number = message.id if reply else (message.params or {}).get("progressToken")
        asked = self._asked.get(("sent", str(number)))
        return asked.context if asked else self._last

    def _record(self, direction: Direction, item: SessionMessage, context: contextvars.Context) -> None:
        message = item.message
        frame: Frame = "notification"
        asked, error, number = None, None, None
        if isinstance(message, _REPLY):
            number = message.id
            # The SDK takes "7" for 7, too.
            asked = self._asked.pop(("received" if direction == "sent" else "sent", str(number)), None)
            method = asked.method if asked else ""
            if isinstance(message, JSONRPCError):
                frame, said = "error", None
                error = f"{message.error.code}: {message.error.message}"
            else:
                frame, said = "result", message.result
            if not asked:
                self.stray = f"a reply to {number}, which is no request that waits"
        else:
            method, said = redaction.redact(message.method), message.params
            if isinstance(message, JSONRPCRequest):
                frame, number = "request", message.id
        named = _at(said, "_meta", PROTOCOL_VERSION_META_KEY) or (
            method == "initialize" and _at(said, "protocolVersion")
        )
        if named:
            self._version = redaction.redact(str(named))
        text = message.model_dump_json(by_alias=True, exclude_unset=True)
        attributes: dict[str, Any] = {
            "mcp.method.name": method or None,
            "mcp.protocol.version": self._version,
            "jsonrpc.request.id": redaction.redact(number) if isinstance(number, str) else number,
            "llmlab.era": "modern" if self._version in MODERN_PROTOCOL_VERSIONS else "handshake",
            "llmlab.message": redaction.parsed(text) if len(text) <= KEPT else f"{redaction.redact(text[:KEPT])}…",
            "llmlab.size": len(text),  # characters
        }
        if asked:
            attributes["llmlab.reply_to"] = asked.step
        name = f"{method or 'unknown'}: {frame}" if isinstance(message, _REPLY) else method
        step = self.note(name, direction, frame, attributes, error)
        if isinstance(message, JSONRPCRequest):
            self._asked[direction, str(message.id)] = _Asked(step.id, method, message.id, context)


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
            item = await self._inner.receive()  # as `receive`, without a coroutine more for each message
        except anyio.EndOfStream:
            self._tap.ended()
            raise StopAsyncIteration from None
        try:
            return self._tap.received(item)
        except anyio.EndOfStream:  # it floods
            raise StopAsyncIteration from None

    async def receive(self) -> SessionMessage | Exception:
        try:
            item = await self._inner.receive()
        except anyio.EndOfStream:
            self._tap.ended()
            raise
        return self._tap.received(item)


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
    number = _at(_json(request.content), "id") if request.content else None
    about = {
        "http.request.method": request.method,
        "url.path": request.url.path,
        "jsonrpc.request.id": number,
        "llmlab.headers": safe(headers),
    }
    plain: dict[str, Any] = redaction.plain(about)
    return plain


def _tell(error: ErrorData, status: int, said: str) -> None:
    """Put what the server said over HTTP where the SDK only says that there was an error."""
    if error.message == _STAND_IN:
        error.message, error.data = said, {HTTP_STATUS: status}


def _json(text: str | bytes) -> Any:
    """The data, or None where it is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _at(data: Any, *path: str) -> Any:
    """A value inside nested objects, or None: what a server sends may have any shape."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _line(error: Exception) -> str:
    """The line that could not be read as a message: pydantic keeps it."""
    kept = error.errors(include_url=False)[0]["input"] if isinstance(error, ValidationError) else error
    return str(kept)
