"""Servers that fail, over stdio and HTTP, in both eras: one sentence each, and nothing is left behind."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import pytest

from llmlab.errors import ServerError
from llmlab.mcp.host import Host
from llmlab.show.formatters import bundle
from llmlab.tools import ToolResult
from mcp_demo import make, served
from mcp_faulty import result
from sentence import is_one_sentence
from test_mcp_host import HAND_MADE, call, mine, until

pytestmark = pytest.mark.anyio

both_eras = pytest.mark.parametrize("mode", ["auto", "legacy"])


def web(fault: str, secret: str = "") -> Any:
    """A web application that answers as the server by hand, and fails in the way that `fault` names."""
    lost = [fault == "forgets the session"]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def reply(status: int, kind: str, body: bytes, length: int | None = None, **headers: str) -> None:
            named = {"content-type": kind, "content-length": str(length or len(body)), **headers}
            head = [(key.replace("_", "-").encode(), value.encode()) for key, value in named.items()]
            await send({"type": "http.response.start", "status": status, "headers": head})
            await send({"type": "http.response.body", "body": body})

        assert scope["type"] == "http"
        asked = json.loads((await receive())["body"] or "{}")
        method, calling = asked.get("method"), asked.get("method") == "tools/call"
        if fault.isdecimal():
            return await reply(int(fault), "text/plain", f"no such key:\n{secret}".encode())
        if scope["method"] != "POST":
            return await reply(405, "text/plain", b"")
        if "id" not in asked:
            return await reply(202, "text/plain", b"")
        if calling and lost.pop() if lost else False:
            error = {"code": -32001, "message": "Session not found"}
            return await reply(
                404, "application/json", json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
            )
        if calling and fault == "hangs":
            await receive()  # until the client has gone
        done = result(fault, method, asked.get("params", {}))
        number = 999 if calling and fault == "wrong id" else asked["id"]
        body = json.dumps({"jsonrpc": "2.0", "id": number, "result": done}).encode()
        session = {"mcp_session_id": "a-session"} if method == "initialize" else {}
        if calling and fault == "error 500":
            await reply(500, "text/plain", b"out of\nmemory")
        elif calling and fault == "a web page":
            await reply(200, "text/html", body)
        elif calling and fault == "malformed":
            await reply(200, "application/json", body[:20])
        elif calling and fault == "breaks off":
            await reply(200, "application/json", body[:20], len(body))
        else:
            await reply(200, "application/json", body, **session)

    return app


@both_eras
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("start", "it ended (it wrote: no configuration found)"),
        ("vanishes", "it ended (it wrote: the disk is full)"),
        ("version", "2099-01-01"),
        ("pages", "goes on after 100 pages"),
        ("silent", "took longer than 2 seconds"),
    ],
)
async def test_a_server_that_fails_at_the_start_gets_one_sentence(fault: str, mode: str, said: str) -> None:
    before = mine()[0]
    with pytest.raises(ServerError) as caught:
        await Host.open({"fine": make(), "x": [*HAND_MADE, fault]}, mode=mode, starts=2 if fault == "silent" else 60)
    assert said in str(caught.value)
    assert is_one_sentence(str(caught.value))
    assert caught.value.server == "x"
    await until(lambda: mine()[0] == before)


@pytest.mark.parametrize(
    ("servers", "mode", "said"),
    [
        ({"x": 5}, "auto", "x is of type int"),
        ({"x": []}, "auto", "x is of type list"),
        ({"x": {"type": "stdio"}}, "auto", "x is of type dict"),
        ({"x": {"command": "x", "env": 5}}, "auto", "x is of type dict"),
        ({"x": ["no-such-program-here"]}, "auto", "there is no program no-such-program-here"),
        ({"x": "http://127.0.0.1:9/mcp"}, "auto", "cannot be reached"),
        ("no-such-file.json", "auto", "cannot be read"),
        ({}, "1999-01-01", "but 1999-01-01 came"),
    ],
)
async def test_what_is_no_server_gets_one_sentence(servers: Any, mode: str, said: str) -> None:
    with pytest.raises(ServerError) as caught:
        await Host.open(servers, mode=mode)
    assert said in str(caught.value)
    assert is_one_sentence(str(caught.value))


async def test_what_a_host_does_not_have_gets_one_sentence() -> None:
    async with await Host.open({"demo": make()}) as host:
        for asked in (host.read("note://"), host.prompt("x"), host.call("x", "add"), host.read("note://today", "y")):
            with pytest.raises(ServerError, match="was asked for") as caught:
                await asked
            assert is_one_sentence(str(caught.value))


@both_eras
@pytest.mark.parametrize(
    ("over", "fault", "seconds", "said"),
    [
        ("stdio", "dies", 60, "it ended (it wrote: out of memory (as a test))"),
        ("stdio", "hangs", 0.5, "took longer than 0.5 seconds"),
        ("stdio", "stubborn", 0.5, "took longer than 0.5 seconds"),
        ("stdio", "floods", 60, "it sent more than 2,000 messages"),
        ("stdio", "malformed", 1, 'a line that is no message: {"jsonrpc": "2.0", "id": )'),
        ("stdio", "wrong id", 1, "a reply to 999"),
        ("stdio", "error", 60, "an error (-32000: the disk is full)"),
        ("stdio", "form", 60, "call of work"),
        ("HTTP", "hangs", 0.5, "took longer than 0.5 seconds"),
        ("HTTP", "wrong id", 1, "a reply to 999"),
        ("HTTP", "breaks off", 60, "peer closed connection"),
        ("HTTP", "malformed", 60, "-32700"),
        ("HTTP", "error 500", 60, "it refused (HTTP 500 Internal Server Error: out of memory); look at the log"),
        ("HTTP", "a web page", 60, "Unexpected content type: text/html"),
    ],
)
async def test_a_server_that_fails_in_a_call_gets_one_sentence_and_so_do_all_that_wait(
    over: str, fault: str, seconds: float, said: str, mode: str
) -> None:
    before = mine()[::2]
    async with AsyncExitStack() as stack:
        server: Any = [*HAND_MADE, fault]
        if over == "HTTP":
            server = await stack.enter_async_context(served(web(fault)))
        async with await Host.open({"x": server}, mode=mode, seconds=seconds) as host:
            calls = host.call("x", "work"), host.call("x", "work"), call(host, "work")
            *ended, shown = await asyncio.gather(*calls, return_exceptions=True)
    if fault == "form":  # mended
        assert ended[0] == "[int: cannot be shown] 5"
        return
    for error in ended:
        assert isinstance(error, ServerError)
        assert said in str(error)
        assert is_one_sentence(str(error))
    assert isinstance(shown, ToolResult)
    assert (shown.ok, shown.text) == (False, f"error: {ended[0]}")
    await until(lambda: mine()[::2] == before)


@both_eras
@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "Bearer"), (403, "ask whether"), (404, "address"), (429, "less often"), (503, "the log")],
)
async def test_what_an_http_server_refuses_is_said_with_what_to_do(status: int, advice: str, mode: str) -> None:
    secret = "open-sesame-open"
    async with served(web(str(status), secret)) as url:
        with pytest.raises(ServerError) as caught:
            await Host.open({"x": {"url": url, "headers": {"X-Auth": secret}}}, mode=mode)
    assert f"it refused (HTTP {status} " in str(caught.value)
    assert ": no such key: [key])" in str(caught.value)
    assert advice in str(caught.value)
    assert is_one_sentence(str(caught.value))


async def test_a_session_that_a_server_has_forgotten_is_opened_anew_once() -> None:
    async with served(web("forgets the session")) as url, await Host.open({"x": url}, mode="legacy") as host:
        assert [await host.call("x", "work", {"number": number}) for number in range(2)] == ["0", "1"]
        assert [step.name for step in host.trace].count("initialize") == 2


@both_eras
async def test_one_odd_tool_result_part_or_schema_costs_that_one_thing_and_is_named(mode: str) -> None:
    async with await Host.open({"x": [*HAND_MADE, "odd"]}, mode=mode) as host:
        assert [tool.name for tool in host.tools()] == ["work"]
        for odd in ("x.broken is not offered", "x.tool 2 is not offered"):
            assert odd in bundle(host)["text/plain"]
        said = (await call(host, "work")).text
        for part in ("plain words", "[hologram: cannot be shown]", "fine", '"number": 5', "Invalid structured content"):
            assert part in said


async def test_junk_on_the_wire_is_recorded_and_the_call_succeeds() -> None:
    async with await Host.open({"x": [*HAND_MADE, "junk"]}) as host:
        assert (await call(host, "work")).text == "done"
        assert [step.message for step in host.trace if step.name == "no message"] == ["Loading the model ..."]


async def test_what_a_process_writes_beside_the_protocol_can_be_read() -> None:
    async with await Host.open({"x": [*HAND_MADE, "dies"]}) as host:
        assert host.stderr("x") == "(nothing)"
        await call(host, "work")
        assert host.stderr("x") == "out of memory (as a test)\n"


@pytest.mark.slow  # the SDK joins a long line from many pieces
@pytest.mark.parametrize("over", ["stdio", "HTTP"])
async def test_fifty_megabytes_are_cut_with_a_sentence(over: str) -> None:
    async with served(web("huge")) as url:
        server = url if over == "HTTP" else [*HAND_MADE, "huge"]
        async with await Host.open({"x": server}, seconds=600) as host:
            assert "has 50,000,000 characters, of which 20,000 fit" in await host.call("x", "work")
            assert len(json.dumps([step.attributes for step in host.trace])) < 3_000_000
