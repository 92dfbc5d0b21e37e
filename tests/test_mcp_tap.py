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
    for reply in (step for step in steps if step.frame == "result"):
        request = by_id[reply.get("llmlab.reply_to")]
        assert request.get("jsonrpc.request.id") == reply.get("jsonrpc.request.id")
        assert (request.direction, reply.direction) == ("sent", "received")


async def test_frames_and_progress_stand_beside_the_request_they_belong_to() -> None:
    async def heard(progress: float, total: float | None, message: str | None) -> None:
        pass

    async def ask(client: Client, name: str, seconds: float) -> Trace:
        with Trace(name) as mine, mine.span("outer"):
            await client.call_tool("echo", {"text": name, "seconds": seconds})
        return mine

    async with tapped("memory") as tap, Client(tap, cache=None) as client:
        await client.list_tools()
        before = len(tap.trace)
        slow, fast = await asyncio.gather(ask(client, "slow", 0.05), ask(client, "fast", 0))
        with Trace("counting") as counting:
            await client.call_tool("count", {"to": 2}, progress_callback=heard)
        assert len(tap.trace) == before
    for each in (slow, fast):
        request, reply = each.of("protocol")
        assert request.parent == reply.parent == each.steps[0].id
        assert reply.message["result"]["content"][0]["text"] == each.name
    names = [step.name for step in counting]
    assert names == ["tools/call", *["notifications/progress"] * 2, "tools/call: result"]


class Scripted:
    """A transport that hands out messages, and looks at the trace when one is sent."""

    def __init__(self, *items: Any):
        self.items, self.into, self.seen = items, Trace(), 0

    async def __aenter__(self) -> Any:
        send, self.read = anyio.create_memory_object_stream[Any](100_000)
        for item in self.items:
            send.send_nowait(item)
        send.close()
        return self.read, self

    async def __aexit__(self, *exc: Any) -> None:
        self.read.close()

    async def send(self, item: SessionMessage) -> None:
        self.seen = len(self.into)


def reply(number: Any, **result: Any) -> SessionMessage:
    return SessionMessage(JSONRPCResponse(jsonrpc="2.0", id=number, result=result))


def notice(**params: Any) -> SessionMessage:
    return SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="x", params=params))


def unparsable(line: str) -> Exception:
    try:
        JSONRPCNotification.model_validate_json(line)
    except ValueError as error:
        return error
    raise AssertionError(line)


async def received(*items: Any, asked: int = 0) -> tuple[WireTap, list[Step]]:
    inner = Scripted(*items)
    tap = WireTap(inner, "demo", inner.into)
    async with tap as (read, write):
        for number in range(1, asked + 1):
            await write.send(SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=number, method="ping")))
            assert inner.seen == number  # recorded before it is sent
        async for _ in read:
            pass
    return tap, tap.trace.of("protocol")


async def test_a_reply_to_nothing_and_a_line_that_is_no_message_are_recorded_and_kept_for_whoever_waits() -> None:
    tap, (asked, wrong, right, end) = await received(reply(9), reply("1"), asked=1)
    assert (wrong.name, wrong.get("llmlab.reply_to")) == ("unknown: result", None)
    assert (right.name, right.get("llmlab.reply_to")) == ("ping: result", asked.id)  # the SDK takes "1" for 1
    assert (end.name, "9" in tap.stray) == ("connection closed", True)
    tap, (junk, _) = await received(unparsable("Loading the model ..."))
    assert (junk.frame, junk.status, junk.message) == ("junk", "error", "Loading the model ...")


async def test_a_server_that_floods_is_listened_to_no_longer() -> None:
    for items in ([notice()], [reply(1)]):  # replies that nobody asked for, too
        tap, steps = await received(*items * (FLOOD + 500))
        assert (len(steps), steps[-1].error) == (FLOOD + 1, tap.fault)
    tap, steps = await received(*map(reply, range(1, FLOOD + 100)), asked=FLOOD + 100)
    assert tap.fault == ""


async def test_of_a_very_long_message_the_beginning_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap_module, "KEPT", 50)
    _, (step, _) = await received(reply(1, text="x" * 1000))
    assert step.message == '{"jsonrpc":"2.0","id":1,"result":{"text":"xxxxxxxx…'
    assert step.size > 1000


@pytest.mark.parametrize("meta", [None, 5, [], {"io.modelcontextprotocol/protocolVersion": 7}])
async def test_a_message_of_any_shape_is_recorded(meta: Any) -> None:
    _, (step, _) = await received(notice(_meta=meta, progressToken=[1]))
    assert step.name == "x"


async def test_no_secret_stands_in_a_frame_a_line_or_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"sesame-sesame", 'with "quotes" in it', "two\nlines of it"}
    monkeypatch.setattr(redaction, "_secrets", secrets)
    for secret in secrets:
        _, (step, _) = await received(reply(1, said=f"<{secret}>"))
        assert step.message["result"] == {"said": "<[key]>"}
    _, (junk, _) = await received(unparsable((JUNK - 8) * "x" + "sesame-sesame"))  # cut in the middle of it
    assert junk.message.endswith("x[key]")
    tap = WireTap(Scripted(), "demo")
    headers = {"authorization": "Bearer open-open-open", "x-api-key": "key-key-key"}
    async with served(make()) as url, httpx2.AsyncClient(headers=headers, event_hooks=tap.hooks()) as http:
        tap.inner = streamable_http_client(url, http_client=http)
        async with Client(tap, mode="legacy", cache=None) as client:
            await client.call_tool("echo", {"text": "sesame-sesame"})
    written = json.dumps([step.attributes for step in tap.trace])
    assert not any(secret in written for secret in ("sesame-sesame", "open-open-open", "key-key-key"))
    posts = [step for step in tap.trace if step.name == "POST /mcp"]
    assert (posts[-1].headers["authorization"], posts[-1].headers["mcp-session-id"]) == ("[key]", "[key]")
    assert any(step.get("http.response.status_code") == 200 for step in tap.trace)


def test_what_lets_somebody_in_is_told_by_its_name() -> None:
    assert all(map(is_secret, ("Mcp-Session-Id", "X-Auth", "x-auth-token", "--api-key")))
    assert not any(map(is_secret, ("author", "mcp-name", "mcp-protocol-version", "monkey")))
