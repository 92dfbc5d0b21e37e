"""Servers over HTTP that refuse or fail, in both eras: one sentence each, and nothing is left behind, as over stdio."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import pytest

from llmlab.errors import ServerError
from llmlab.mcp import tap
from llmlab.mcp.host import Host
from mcp_demo import make, served
from sentence import is_one_sentence
from test_mcp_host import mine, until

pytestmark = pytest.mark.anyio

MODES = ["auto", "legacy"]
WORK = {"name": "work", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}
CHATTER = (
    b'event: message\ndata: {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info"}}\n\n'
)
REFUSALS = {
    401: (b"Unauthorized", b"application/json", b'{"error": "invalid_token"}'),
    503: (b"Service Unavailable", b"text/html", b"<html>Try again later.</html>"),
}
COMPLETE = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


def answer(asked: dict[str, Any], fault: str) -> tuple[bytes, bytes]:
    """What is sent: a head without its length, and the body."""
    method, number = asked.get("method"), asked.get("id")
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    if fault.isdecimal():
        reason, kind, body = REFUSALS[int(fault)]
        return b"HTTP/1.1 %s %s\r\ncontent-type: %s\r\n" % (fault.encode(), reason, kind), body
    if number is None:
        return b"HTTP/1.1 202 Accepted\r\n", b""
    shape = COMPLETE if "_meta" in asked.get("params", {}) else {}
    unknown = "2099-01-01" if fault == "version" else None
    found: dict[str, Any] = {
        "server/discover": {"supportedVersions": [unknown or "2026-07-28"], "capabilities": {"tools": {}}},
        "initialize": {
            "protocolVersion": unknown or "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "faulty", "version": "1"},
        },
        "tools/list": {"tools": [WORK]},
        "tools/call": {"content": [{"type": "text", "text": "x" * (50_000_000 if fault == "huge" else 4)}]},
    }[str(method)]
    if method == "tools/call":
        number = 999 if fault == "wrong id" else number
        if fault == "error 500":
            return b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain\r\n", b"out of\nmemory"
        if fault == "a web page":
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n"
    body = json.dumps({"jsonrpc": "2.0", "id": number, "result": found | shape}).encode()
    return head, body[:20] if method == "tools/call" and fault == "malformed" else body


@asynccontextmanager
async def failing(fault: str) -> AsyncIterator[str]:
    """An MCP server by hand, without the SDK, that fails in each call."""
    talking: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talking.add(task := asyncio.current_task())
        task.add_done_callback(talking.discard)
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                if not head.startswith("post"):
                    writer.write(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n")
                    continue
                length = int(head.split("content-length:")[1].split("\r\n")[0])
                asked = json.loads(await reader.readexactly(length))
                calling = asked.get("method") == "tools/call"
                if asked.get("method") == "tools/list" and fault == "vanishes":
                    break
                if calling and fault == "floods":
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
                    while not writer.is_closing():
                        writer.write(CHATTER * 100)
                        await writer.drain()
                    break
                if calling and fault == "hangs":
                    await reader.read()  # until the client has gone
                    break
                if calling and fault == "refuses silently":
                    writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\n")
                    await reader.read()  # until the client has gone
                    break
                head_, body = answer(asked, fault)
                writer.write(head_ + b"content-length: %d\r\n\r\n" % len(body))
                if calling and fault == "breaks off":
                    writer.write(body[: len(body) // 2])
                    await writer.drain()
                    break
                writer.write(body)
                await writer.drain()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
    finally:
        server.close()
        await asyncio.gather(*talking)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("fault", "seconds", "said"),
    [
        ("breaks off", 60, "peer closed connection"),
        ("hangs", 0.5, "has 0.5 seconds for the call of work"),
        ("malformed", 60, "(-32700: Failed to parse JSON response); look at"),
        ("wrong id", 2, "a reply to 999, which is no request that waits"),
        ("error 500", 60, "it refused (HTTP 500 Internal Server Error: out of memory); look at the log of the server"),
        ("refuses silently", 60, "it refused (HTTP 403 Forbidden); ask whether you may use it"),
        ("floods", 60, "it sent more than 2,000 messages without being asked"),
        ("a web page", 60, "(-32600: Unexpected content type: text/html)"),
    ],
)
async def test_a_server_that_fails_in_a_call_over_http_gets_one_sentence_and_leaves_nothing(
    fault: str, seconds: float, said: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tap, "SAYS", 0.1)
    await asyncio.to_thread(int)  # the loop's thread pool and its pipe stay
    before = mine()
    async with (
        failing(fault) as url,
        await Host.open({"x": url}, mode=mode, seconds=seconds) as host,
    ):
        with pytest.raises(ServerError, match=re.escape(said)) as caught:
            await host.call("x", "work")
        assert is_one_sentence(str(caught.value))
    await until(lambda: mine() == before)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("vanishes", "say what it offers, but it "),
        ("version", "2099-01-01"),
        ("401", 'it refused (HTTP 401 Unauthorized: {"error": "invalid_token"}); give it what lets you in: {"url": …'),
        ("503", "it refused (HTTP 503 Service Unavailable); look at the log of the server"),
    ],
)
async def test_a_server_that_fails_at_the_start_over_http_gets_one_sentence(fault: str, said: str, mode: str) -> None:
    await asyncio.to_thread(int)  # the loop's thread pool and its pipe stay
    before = mine()
    async with failing(fault) as url:
        with pytest.raises(ServerError, match=re.escape(said)) as caught:
            await Host.open({"x": url}, mode=mode)
        assert is_one_sentence(str(caught.value))
    await until(lambda: mine() == before)


@pytest.mark.parametrize("mode", [*MODES, "2026-07-28"])
@pytest.mark.parametrize(
    ("header", "said", "advice"),
    [
        ("Origin", "it refused (HTTP 403 Forbidden: Invalid Origin header)", "look at the Origin and Authorization"),
        ("Host", "it refused (HTTP 421 Misdirected Request: Invalid Host header)", "by the address that it expects"),
    ],
)
async def test_a_wrong_origin_or_host_is_said_with_what_to_do(header: str, said: str, advice: str, mode: str) -> None:
    async with served(make()) as url:
        with pytest.raises(ServerError, match=re.escape(said)) as caught:
            await Host.open({"demo": {"url": url, "headers": {header: "elsewhere.example"}}}, mode=mode)
    assert advice in str(caught.value)
    assert is_one_sentence(str(caught.value))


async def test_what_a_refusal_says_is_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "open-sesame-open"
    monkeypatch.setitem(REFUSALS, 401, (b"Unauthorized", b"text/plain", f"no such key: {secret}".encode()))
    async with failing("401") as url:
        with pytest.raises(ServerError, match=re.escape("(HTTP 401 Unauthorized: no such key: [key])")):
            await Host.open({"x": {"url": url, "headers": {"X-Auth": secret}}})


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
async def test_over_http_fifty_megabytes_are_cut_with_a_sentence(mode: str) -> None:
    async with failing("huge") as url, await Host.open({"x": url}, mode=mode, seconds=600) as host:
        said = await host.call("x", "work")
    assert said.endswith("[Cut here: the result has 50,000,000 characters, of which 20,000 fit. Ask for less.]")


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
async def test_over_http_a_thousand_calls_and_fifty_at_once_keep_their_results_and_leave_nothing(mode: str) -> None:
    async with served(make()) as url:
        async with await Host.open({"demo": url}, mode=mode) as host:
            await host.call("demo", "add", {"a": 1, "b": 1})
        await asyncio.sleep(0)
        before = mine()
        async with await Host.open({"demo": url}, mode=mode) as host:
            for number in range(950):
                assert await host.call("demo", "add", {"a": number, "b": 1}) == str(number + 1)
            late = [{"text": str(n), "seconds": (n % 5) / 100} for n in range(50)]
            answers = await asyncio.gather(*(host.call("demo", "echo", given) for given in late))
            assert answers == [str(n) for n in range(50)]
        await until(lambda: mine() == before)
