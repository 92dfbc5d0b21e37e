"""Every frame of the protocol is in the trace: over memory, stdio and HTTP, in both eras, beside what it answers."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client._memory import InMemoryTransport
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from llmlab import Trace, redaction
from llmlab.mcp import tap as tap_module
from llmlab.mcp.tap import FLOOD, JUNK, WireTap, is_secret
from llmlab.trace import Step
from mcp_demo import make, served

pytestmark = pytest.mark.anyio

HAND_MADE = [sys.executable, "-I", "-S", str(Path(__file__).with_name("mcp_faulty.py"))]
OPENING = {
    "auto": ["server/discover", "server/discover: result"],
    "legacy": ["initialize", "initialize: result", "notifications/initialized"],
    "2026-07-28": [],
}


@asynccontextmanager
async def tapped(over: str) -> AsyncIterator[WireTap]:
    async with AsyncExitStack() as stack:
        if over == "memory":
            yield WireTap(InMemoryTransport(make()), "demo")
        elif over == "stdio":
            process = StdioServerParameters(command=HAND_MADE[0], args=[*HAND_MADE[1:], "none"])
            yield WireTap(stdio_client(process, errlog=None), "demo")
        else:
            url = await stack.enter_async_context(served(make()))
            yield WireTap(streamable_http_client(url), "demo")


@pytest.mark.parametrize("mode", OPENING)
@pytest.mark.parametrize("over", ["memory", "stdio", "HTTP"])
async def test_every_message_is_one_step_in_order_and_each_reply_names_its_request(over: str, mode: str) -> None:
    async with tapped(over) as tap, Client(tap, mode=mode, cache=None) as client:
        tool = (await client.list_tools()).tools[0].name
        await client.call_tool(tool, {"a": 1, "b": 2})
    steps = tap.trace.of("protocol")
    called = ["tools/list", "tools/list: result", "tools/call", "tools/call: result"]
    assert [step.name for step in steps][: len(OPENING[mode]) + 4] == OPENING[mode] + called
    by_id = {step.id: step for step in steps}
    for step in steps:
        if step.frame == "result":
            request = by_id[step.get("llmlab.reply_to")]
            assert request.get("jsonrpc.request.id") == step.get("jsonrpc.request.id")
            assert (request.direction, step.direction) == ("sent", "received")
        assert step.server == "demo"
    answer = next(step for step in steps if step.name == "tools/call: result")
    assert answer.message["result"]["content"][0]["type"] == "text"


async def test_frames_stand_in_the_trace_and_under_the_step_in_which_they_were_asked_for() -> None:
    async def ask(client: Client, name: str, seconds: float) -> Trace:
        with Trace(name) as mine, mine.span("outer"):
            await client.call_tool("echo", {"text": name, "seconds": seconds})
        return mine

    async with tapped("memory") as tap, Client(tap, cache=None) as client:
        await client.list_tools()
        before = len(tap.trace)
        slow, fast = await asyncio.gather(ask(client, "slow", 0.05), ask(client, "fast", 0))
        assert len(tap.trace) == before
    for each in (slow, fast):
        request, reply = each.of("protocol")
        assert request.parent == reply.parent == each.steps[0].id
        assert reply.message["result"]["content"][0]["text"] == each.name


async def test_progress_stands_beside_the_request_that_it_tells_of() -> None:
    async def heard(progress: float, total: float | None, message: str | None) -> None:
        pass

    async with tapped("memory") as tap, Client(tap, cache=None) as client:
        await client.list_tools()
        with Trace("counting") as counting:
            await client.call_tool("count", {"to": 3}, progress_callback=heard)
    names = [step.name for step in counting]
    assert names == ["tools/call", *["notifications/progress"] * 3, "tools/call: result"]


class Scripted:
    """A transport that hands out messages, and looks at the trace when one is sent."""

    def __init__(self, *items: Any, into: Trace | None = None):
        self.items, self.into, self.seen = items, into, -1

    async def __aenter__(self) -> Any:
        send, self.read = anyio.create_memory_object_stream[Any](100_000)
        for item in self.items:
            send.send_nowait(item)
        send.close()
        return self.read, self

    async def __aexit__(self, *exc: Any) -> None:
        self.read.close()

    async def send(self, item: SessionMessage) -> None:
        assert self.into
        self.seen = len(self.into)


def reply(number: Any, **result: Any) -> SessionMessage:
    return SessionMessage(JSONRPCResponse(jsonrpc="2.0", id=number, result=result))


def request(number: int) -> SessionMessage:
    return SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=number, method="tools/list"))


async def received(tap: WireTap, *asked: SessionMessage) -> list[Step]:
    async with tap as (read, write):
        for item in asked:
            await write.send(item)
        async for _ in read:
            pass
    return tap.trace.of("protocol")


async def test_a_frame_is_recorded_before_it_is_sent() -> None:
    into = Trace()
    inner = Scripted(into=into)
    await received(WireTap(inner, "demo", into), request(1))
    assert inner.seen == 1


async def test_a_reply_to_nothing_is_recorded_and_kept_for_whoever_waits() -> None:
    into = Trace()
    tap = WireTap(Scripted(reply(9), reply("1"), into=into), "demo", into)
    asked, wrong, right, end = await received(tap, request(1))
    assert (wrong.name, wrong.get("llmlab.reply_to")) == ("unknown: result", None)
    assert (right.name, right.get("llmlab.reply_to")) == ("tools/list: result", asked.id)  # the SDK takes "1" for 1
    assert end.name == "connection closed"
    assert tap.stray == "a reply to 9, which is no request that waits"


async def test_a_line_that_is_no_message_is_an_error_in_the_trace() -> None:
    [junk, _] = await received(WireTap(Scripted(unparsable("Loading the model ...")), "demo"))
    assert (junk.frame, junk.status) == ("junk", "error")
    assert junk.message == "Loading the model ..."


async def test_a_key_is_hidden_though_the_line_is_cut_in_the_middle_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_secrets", {"open-sesame-open"})
    line = (JUNK - 8) * "x" + "open-sesame-open"
    [junk, _] = await received(WireTap(Scripted(unparsable(line)), "demo"))
    assert junk.message.endswith("x[key]")


async def test_a_server_that_floods_is_listened_to_no_longer() -> None:
    line = SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="notifications/message", params={"level": "info"}))
    tap = WireTap(Scripted(*[line] * (FLOOD + 500)), "demo")
    steps = await received(tap)
    assert len(steps) == FLOOD + 1
    assert (steps[-1].name, steps[-1].error) == ("flood", tap.fault)


async def test_replies_that_were_asked_for_are_no_flood_however_many_come_at_once() -> None:
    into, many = Trace(), FLOOD + 100
    tap = WireTap(Scripted(*map(reply, range(many)), into=into), "demo", into)
    steps = await received(tap, *map(request, range(many)))
    assert (len(steps), tap.fault) == (2 * many + 1, "")


async def test_replies_that_nobody_asked_for_are_a_flood() -> None:
    tap = WireTap(Scripted(*[reply(1)] * (FLOOD + 500)), "demo")
    await received(tap)
    assert "more than 2,000 messages" in tap.fault


def unparsable(line: str) -> Exception:
    try:
        JSONRPCNotification.model_validate_json(line)
    except ValueError as error:
        return error
    raise AssertionError(line)


async def test_of_a_very_long_message_the_beginning_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap_module, "KEPT", 50)
    [step, _] = await received(WireTap(Scripted(reply(1, text="x" * 1000)), "demo"))
    assert step.message == '{"jsonrpc":"2.0","id":1,"result":{"text":"xxxxxxxx…'
    assert step.size == len('{"jsonrpc":"2.0","id":1,"result":{"text":""}}') + 1000


@pytest.mark.parametrize("meta", [None, 5, [], {"io.modelcontextprotocol/protocolVersion": 7}])
async def test_a_message_of_any_shape_is_recorded(meta: Any) -> None:
    odd = SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="x", params={"_meta": meta, "progressToken": [1]}))
    [step, _] = await received(WireTap(Scripted(odd), "demo"))
    assert step.name == "x"


@pytest.mark.parametrize(
    "secret", ["plain-plain", 'with "quotes" in it', "back\\slashes\\too", "two\nlines of it", "1234567890"]
)
async def test_a_secret_is_hidden_however_json_writes_it(secret: str) -> None:
    redaction.hide(secret)
    [step, _] = await received(WireTap(Scripted(reply(1, said=f"<{secret}>", count=1234567890)), "demo"))
    assert step.message["result"] == {"said": "<[key]>", "count": 1234567890}


async def test_no_secret_stands_in_a_frame_or_a_header() -> None:
    redaction.hide("sesame-sesame")
    tap = WireTap(Scripted(), "demo")
    headers = {"authorization": "Bearer open-open-open", "x-api-key": "key-key-key", "x-auth": "auth-auth-auth"}
    async with served(make()) as url, httpx2.AsyncClient(headers=headers, event_hooks=tap.hooks()) as http:
        tap.inner = streamable_http_client(url, http_client=http)
        async with Client(tap, cache=None) as client:
            await client.list_tools()
            await client.call_tool("echo", {"text": "sesame-sesame"})
    written = json.dumps([step.attributes for step in tap.trace])
    for secret in ("sesame-sesame", "open-open-open", "key-key-key", "auth-auth-auth"):
        assert secret not in written
    post, answer = [
        step for step in tap.trace if step.get("jsonrpc.request.id") == 3 and step.name in ("POST /mcp", "200 OK")
    ]
    assert post.headers["authorization"] == "[key]"
    assert post.headers["mcp-name"] == "echo"
    assert answer.get("http.response.status_code") == 200


async def test_the_id_of_a_session_lets_somebody_in_and_is_hidden() -> None:
    tap = WireTap(Scripted(), "demo")
    async with served(make()) as url, httpx2.AsyncClient(event_hooks=tap.hooks()) as http:
        tap.inner = streamable_http_client(url, http_client=http)
        async with Client(tap, mode="legacy", cache=None) as client:
            await client.list_tools()
    found = [step.headers.get("mcp-session-id") for step in tap.trace if step.headers]
    assert {value for value in found if value} == {"[key]"}


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("Mcp-Session-Id", True),
        ("X-Auth", True),
        ("x-auth-token", True),
        ("--api-key", True),
        ("author", False),
        ("mcp-name", False),
        ("mcp-protocol-version", False),
        ("monkey", False),
    ],
)
def test_what_lets_somebody_in_is_told_by_its_name(name: str, secret: bool) -> None:
    assert is_secret(name) is secret
