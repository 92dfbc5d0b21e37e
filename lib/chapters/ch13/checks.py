"""What the exercises of chapter 13 are checked on: the frames that the reader's functions send, and what comes back."""

import inspect
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.client._memory import InMemoryTransport
from mcp.client.stdio import stdio_client
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCRequest, JSONRPCResponse, jsonrpc_message_adapter
from pydantic import ValidationError

from llmlab.lesson import Check
from llmlab.mcp.tap import WireTap
from shop import calendar, lay_out

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
HELLO = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "exercise", "version": "1"}}
SECONDS = 30  # for a reply, also on a slow computer


async def _done(made: Any) -> Any:
    """What a function of the reader gave, whether it is plain or async."""
    return await made if inspect.isawaitable(made) else made


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object inside a result, also those that stand as text in it."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, str) and value[:1] in ("{", "["):
        with suppress(ValueError):
            value = json.loads(value)
            yield from _objects(value)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


async def first(work: Any, model: Any) -> list[Check]:
    """13.1: the first message, sent to the calendar server."""
    one, other = await _done(work(1)), await _done(work(22))
    if not isinstance(one, dict) or not isinstance(other, dict):
        return [(False, f"a message is a dict, and yours is of type {type(one).__name__}")]
    params = one.get("params")
    meta = (params.get("_meta") if isinstance(params, dict) else None) or {}
    points = [
        (one.get("jsonrpc") == "2.0", "each message says which form it has: jsonrpc 2.0"),
        ((one.get("id"), other.get("id")) == (1, 22), "the id is the number that the function gets"),
        (
            isinstance(meta, dict) and set(META) <= set(meta),
            f"_meta, in the params, holds {' and '.join(key.rpartition('/')[2] for key in META)}",
        ),
    ]
    try:
        sent = jsonrpc_message_adapter.validate_python(one)
    except ValueError:
        return [*points, (False, "this is no message of JSON-RPC: a request has a jsonrpc, id, method and params")]
    if not isinstance(sent, JSONRPCRequest):
        return [*points, (False, "nothing comes back to it: only a message with a method and an id is a request")]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server, reply = calendar.server(lay_out(Path(folder) / "shop").calendar), dict[str, Any]()
        async with InMemoryTransport(server) as (read, write):
            with anyio.move_on_after(SECONDS):
                await write.send(SessionMessage(sent))
                frame: Any = (await read.receive()).message  # type: ignore[union-attr]
                reply = frame.model_dump(by_alias=True, exclude_none=True)
    failed = reply.get("error", {}).get("message") or ("" if reply else "nothing")
    points.append((not failed, f"the server answers; it says: {failed or 'here is the result'}"))
    result = reply.get("result") or {}
    if result.get("isError"):
        return [*points, (False, f"the tool finds it; it says: {result['content'][0]['text']}")]
    events = [each for each in _objects(result) if "tasting" in str(each.get("title", "")).lower()]
    starts = sorted({str(each.get("start"))[:10] for each in events})
    points.append(
        (
            any(start[:7] == "2026-09" for start in starts),
            f"the result has the tasting of September 2026; yours has {', '.join(starts) or 'no tasting'}",
        )
    )
    return points


OLDER = """
import json, sys

version, confirmed = sys.argv[1], False
settled = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "older", "version": "1"}}
for line in sys.stdin:
    message = json.loads(line)
    method, number = message["method"], message.get("id")
    confirmed = confirmed or (method, number) == ("notifications/initialized", None)
    if method == "initialize":
        reply = {"result": settled}
    elif method == "tools/list":
        early = {"code": -32600, "message": "The handshake is not complete"}
        reply = {"result": {"tools": []}} if confirmed else {"error": early}
    else:
        reply = {"error": {"code": -32601, "message": "Method not found"}}
    if number is not None:
        print(json.dumps({"jsonrpc": "2.0", "id": number, **reply}), flush=True)
"""  # a server of the handshake era, which wants the whole handshake


def _framed(message: dict[str, Any]) -> SessionMessage:
    """A message, if it is one of JSON-RPC. Raises ValueError if not."""
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_python(message))
    except ValidationError:
        raise ValueError(f"a message has a method, and an id where a reply is due, but this came: {message}") from None


class _Wire:
    """A wire as in the chapter, to a server; it keeps what it was given to send."""

    def __init__(self, read: Any, write: Any):
        self.read, self.write, self.number = read, write, 0
        self.sent, self.due = list[dict[str, Any]](), list[dict[str, Any]]()

    def send(self, message: Any) -> None:
        self.sent.append({"jsonrpc": "2.0", **message})
        self.due.append(self.sent[-1])  # goes out before the next question

    async def ask(self, method: str, params: Any = None) -> Any:
        self.number += 1
        self.send({"id": self.number, "method": method, "params": params or {}})
        with anyio.fail_after(SECONDS):
            while self.due:
                await self.write.send(_framed(self.due.pop(0)))
            frame: Any = (await self.read.receive()).message
        reply = frame.model_dump(mode="json", by_alias=True, exclude_none=True)
        return reply.get("result", reply.get("error"))


def _older(version: str) -> Any:
    """A process that speaks this version of the handshake era over stdio."""
    started = StdioServerParameters(command=sys.executable, args=["-c", OLDER, version])
    return stdio_client(started, errlog=None)  # type: ignore[arg-type]


async def _tried(work: Any, transport: Any) -> tuple[Any, list[dict[str, Any]], Any]:
    """What the reader's function gives, what it sends, and what the server says when it is asked afterwards."""
    async with transport as (read, write):
        wire = _Wire(read, write)
        try:
            got = await _done(work(wire, META, HELLO))
            return got, list(wire.sent), await wire.ask("tools/list", {"_meta": META})
        except Exception as error:  # from in here it would come out as a group
            failed = error
    raise failed


async def opened(work: Any, model: Any) -> list[Check]:
    """13.2: the opening, with a server of the modern era and two of the handshake era."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = calendar.server(lay_out(Path(folder) / "shop").calendar)
        got, sent, listed = await _tried(work, InMemoryTransport(server))
    asked = [(message.get("method"), message.get("params")) for message in sent]
    points: list[Check] = [
        (got == MODERN, f"with a server of the modern era, the version is {MODERN}, and yours is {got}"),
        (
            asked == [("server/discover", {"_meta": META})],
            f"there one question is enough, with _meta, and you sent {[method for method, _ in asked]}",
        ),
        ("tools" in listed, f"after that, tools/list is answered; the server says: {listed.get('message', 'yes')}"),
    ]
    for version in (HANDSHAKE, "2024-11-05"):
        got, sent, listed = await _tried(work, _older(version))
        methods = [message.get("method") for message in sent]
        points += [
            (
                methods == ["server/discover", "initialize", "notifications/initialized"],
                f"a server that does not know server/discover gets a handshake, whole; you sent {methods}",
            ),
            (got == version, f"the version is what the server agreed to, {version}, and yours is {got}"),
            ("tools" in listed, f"after that, tools/list is answered; the server says: {listed.get('message', 'yes')}"),
        ]
        if len(sent) == 3:
            points.append((sent[1].get("params") == HELLO, "initialize goes out with what belongs into it"))
            points.append(("id" not in sent[2], "the confirmation is a notification: it has no id"))
    return points


class _ByHand:
    """What the client writes to, where the server is one function."""

    def __init__(self, answered: Any, replies: Any):
        self.answered, self.replies = answered, replies

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self.replies.aclose()

    async def send(self, item: SessionMessage) -> None:
        message: Any = item.message
        if getattr(message, "id", None) is None:
            return
        error: Any = {"code": -32601, "message": "Method not found"}
        try:
            result = json.loads(json.dumps(await _done(self.answered(message.method, dict(message.params or {})))))
        except Exception as fault:  # the reader's code: it shall be read as a sentence
            result, error = None, {"code": -32603, "message": f"{type(fault).__name__}: {fault}"}
        if result is None:
            reply: Any = JSONRPCError(jsonrpc="2.0", id=message.id, error=error)
        else:
            reply = JSONRPCResponse(jsonrpc="2.0", id=message.id, result=result)
        await self.replies.send(SessionMessage(reply))

    async def aclose(self) -> None:
        await self.replies.aclose()


@asynccontextmanager
async def _by_hand(answered: Any) -> AsyncIterator[Any]:
    replies, read = anyio.create_memory_object_stream[Any](100)
    async with replies, read:
        yield read, _ByHand(answered, replies)


def _why(error: Any) -> str:
    """The first cause of a failure of the client, in words."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return str(error)


async def answered(work: Any, model: Any) -> list[Check]:
    """13.3: the function, called by the library's client."""
    unknown, listed = await _done(work("no/such", {})), await _done(work("tools/list", {}))
    points: list[Check] = [(unknown is None, "a method that it does not know gives None")]
    if not (listed.get("tools") if isinstance(listed, dict) else None):
        return [*points, (False, 'tools/list gives {"tools": [...]} with one tool at least')]
    tap, texts = WireTap(_by_hand(work), "yours"), list[str]()
    try:
        async with Client(tap, mode="auto", cache=None, read_timeout_seconds=SECONDS) as client:
            tool = (await client.list_tools()).tools[0]
            points += [
                (bool(tool.description), "the tool has a description, which a model will read"),
                ("text" in tool.input_schema.get("properties", {}), "its inputSchema names the argument, text"),
            ]
            for text in ("Wren", "Kettle"):
                result = await client.call_tool(tool.name, {"text": text})
                texts.append(" ".join(getattr(block, "text", "") for block in result.content))
            said = f"its result depends on the text; for Wren and Kettle it gave {texts}"
            points.append((all(texts) and texts[0] != texts[1], said))
            try:
                wrong = await client.call_tool(tool.name, {})
                gave = "a result with isError" if wrong.is_error else "a result without it"
            except MCPError as error:
                wrong, gave = None, f"an error: {error}"
            said = f"called without its text, the tool gives a result with isError, and yours gives {gave}"
            points.append((bool(wrong and wrong.is_error), said))
    except Exception as error:
        last = tap.trace.steps[-1].name if tap.trace.steps else "nothing"
        points.append((False, f"the client gave up after {last}: {_why(error)}"))
    sent = [step.name for step in tap.trace if step.direction == "sent"]
    points.append(("initialize" not in sent, "a client of the modern era needs no handshake with it"))
    return points
