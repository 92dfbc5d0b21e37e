"""The exercises of chapter 13: stubs as they stand in the notebook, one solution each, and checks on the frames."""

import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client._memory import InMemoryTransport
from mcp.client.stdio import stdio_client
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCResponse, jsonrpc_message_adapter
from pydantic import ValidationError

from llmlab.lesson import Check, Exercise
from llmlab.mcp.tap import WireTap
from shop import calendar, lay_out

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
HELLO = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "exercise", "version": "1"}}
SECONDS = 30  # for a reply, also on a slow computer


async def _first(work: Any, model: Any) -> list[Check]:
    one, other = work(1), work(22)
    if not isinstance(one, dict) or not isinstance(other, dict):
        return [(False, f"a message is a dict, and yours is of type {type(one).__name__}")]
    points = [
        (one.get("jsonrpc") == "2.0", "each message says which form it has: jsonrpc 2.0"),
        ((one.get("id"), other.get("id")) == (1, 22), "the id is the number that the function gets"),
    ]
    try:
        sent = jsonrpc_message_adapter.validate_python(one)
    except ValueError:
        return [*points, (False, "this is no message of JSON-RPC: a request has a jsonrpc, id, method and params")]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = calendar.server(lay_out(Path(folder) / "shop").calendar)
        async with InMemoryTransport(server) as (read, write):
            with anyio.move_on_after(10):
                await write.send(SessionMessage(sent))
                frame: Any = (await read.receive()).message  # type: ignore[union-attr]
                reply = frame.model_dump(by_alias=True, exclude_none=True)
    failed = reply.get("error", {}).get("message")
    points.append((not failed, f"the server has to answer, and it says: {failed or 'here is the result'}"))
    result = reply.get("result") or {}
    event = (None if result.get("isError") else result.get("structuredContent")) or {}
    points.append((str(event.get("start", ""))[:7] == "2026-09", "the result is the tasting of September 2026"))
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
    return stdio_client(started, errlog=None)


async def _tried(work: Any, transport: Any) -> tuple[Any, list[dict[str, Any]], Any]:
    """What the reader's function gives, what it sends, and what the server says when it is asked afterwards."""
    async with transport as (read, write):
        wire = _Wire(read, write)
        try:
            got = await work(wire, META, HELLO)
            return got, list(wire.sent), await wire.ask("tools/list", {"_meta": META})
        except Exception as error:  # from in here it would come out as a group
            failed = error
    raise failed


async def _opened(work: Any, model: Any) -> list[Check]:
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
        error = {"code": -32601, "message": "Method not found"}
        try:
            result = json.loads(json.dumps(self.answered(message.method, dict(message.params or {}))))
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


async def _answered(work: Any, model: Any) -> list[Check]:
    points: list[Check] = [(work("no/such", {}) is None, "a method that it does not know gives None")]
    if not (work("tools/list", {}) or {}).get("tools"):
        return [*points, (False, 'tools/list gives {"tools": [...]} with one tool at least')]
    tap = WireTap(_by_hand(work), "yours")
    try:
        async with Client(tap, mode="auto", cache=None, read_timeout_seconds=5) as client:
            tool = (await client.list_tools()).tools[0]
            said = [await client.call_tool(tool.name, {"text": text}) for text in ("Wren", "Kettle")]
            wrong = await client.call_tool(tool.name, {})
    except Exception as error:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        why = str(error)
        if isinstance(error, ValidationError):
            why = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        last = tap.trace.steps[-1].name if tap.trace.steps else "nothing"
        return [*points, (False, f"the client gave up after {last}: {why}")]
    texts = [" ".join(getattr(block, "text", "") for block in result.content) for result in said]
    sent = [step.name for step in tap.trace if step.direction == "sent"]
    points += [
        ("initialize" not in sent, "a client of the modern era needs no handshake with it"),
        (bool(tool.description), "the tool has a description, which a model will read"),
        ("text" in tool.input_schema.get("properties", {}), "its inputSchema names the argument, text"),
        (all(texts) and texts[0] != texts[1], f"its result depends on the text; for two texts it gave {texts}"),
        (bool(wrong.is_error), "without its text, the tool says so in a result with isError, for a model to read"),
    ]
    return points


EXERCISES = [
    Exercise(
        id="13.1",
        task="Write the first message of a connection in the modern era, which asks for the next tasting.",
        stub="""\
def first_message(number):
    return {"jsonrpc": "2.0", "id": number, "method": "tools/list"}
""",
        solution="""\
def first_message(number):
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    asked = {"name": "next_event", "arguments": {"title": "tasting", "after": "2026-09-01"}}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"_meta": meta, **asked}}
""",
        hints=(
            "The method is tools/call; its params hold the name of the tool, the arguments, and _meta.",
            "`MODERN` and `WANTED` in this chapter are two halves of what you need; mind the day.",
        ),
        check=_first,
    ),
    Exercise(
        id="13.2",
        task='Write "auto" yourself: ask a server what it speaks, and shake hands only where it has to be.',
        stub="""\
async def opened(wire, meta, hello):
    found = await wire.ask("server/discover", {"_meta": meta})
    return "2026-07-28"
""",
        solution="""\
async def opened(wire, meta, hello):
    found = await wire.ask("server/discover", {"_meta": meta})
    if "supportedVersions" in found:
        return "2026-07-28"
    settled = await wire.ask("initialize", hello)
    wire.send({"method": "notifications/initialized"})
    return settled["protocolVersion"]
""",
        hints=(
            "A server of the handshake era answers server/discover with an error, which has a code and a message.",
            "A handshake is two messages of the client: `initialize`, and after its reply `notifications/initialized`.",
            "The version is in the reply to `initialize`; it need not be the one that you asked for.",
        ),
        check=_opened,
    ),
    Exercise(
        id="13.3",
        task="Write a server without any library, with a tool of your own choice that takes a text.",
        stub="""\
def answered(method, params):
    every = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    if method == "server/discover":
        return {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, **every}
    return None
""",
        solution="""\
def answered(method, params):
    every = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    if method == "server/discover":
        return {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, **every}
    if method == "tools/list":
        takes = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
        tool = {"name": "backwards", "description": "Write a text backwards.", "inputSchema": takes}
        return {"tools": [tool], **every}
    if method == "tools/call":
        text = params["arguments"].get("text")
        said = "backwards needs a text" if text is None else text[::-1]
        return {"content": [{"type": "text", "text": said}], "isError": text is None, **every}
    return None
""",
        hints=(
            "Look at what the calendar server answers to tools/list and tools/call; most fields may be left out, but not "
            "those in `every`.",
            'A tool is {"name": ..., "description": ..., "inputSchema": {"type": "object", "properties": ...}}.',
            'A result is {"content": [{"type": "text", "text": ...}]}; where the text is missing, with "isError": True.',
        ),
        check=_answered,
    ),
]
