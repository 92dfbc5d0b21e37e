"""The pieces of chapter 13: programs that misbehave, messages by hand, the table of features, and its exercises' checks."""

import re
import sys
from importlib import import_module
from typing import Any

import pytest
from mcp.server.session import ServerSession
from mcp_types import ClientCapabilities, InputRequiredResult

from llmlab import LabError, lesson
from llmlab.show import frames
from shop import lay_out

pytestmark = pytest.mark.anyio
ch13 = import_module("chapters.ch13")
checks = import_module("chapters.ch13.checks")


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["no-such-program"], "'no-such-program' cannot be started"),
        ("python server.py", "A command is a list"),
        ([], "A command is a list"),
        ([sys.executable, 5], "A command is a list"),
        (python("import sys; sys.exit(3)"), "ended with code 3"),
        (python("1 / 0"), "its last words: 'ZeroDivisionError: division by zero'"),
        (python("print('Loading'); input()"), "but the program wrote 'Loading'"),
        (python("print([1]); input()"), r"wrote '\[1\]'"),
        (python("input(); input()"), "said nothing within 0.5 seconds"),
    ],
)
async def test_a_program_that_is_no_server_is_one_sentence_at_once(command: Any, said: str) -> None:
    with pytest.raises(LabError, match=said):
        await ch13.Program(command).message(0.5 if "input" in str(command) and "print" not in str(command) else 20)


async def test_what_an_ended_program_is_sent_is_one_sentence_too() -> None:
    program = ch13.Program(python("pass"))
    assert await program.close() == 0
    with pytest.raises(LabError, match="ended with code 0"):
        program.write("hello")


ECHO = python("while True:\n try: print(input())\n except EOFError: break")
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.mark.parametrize(
    ("command", "messages", "drawn"),
    [
        (python('input(); print(\'{"jsonrpc": "2.0", "id": 1, "result": {}}\')'), PING, ["request", "result"]),
        (python("input(); print('Loading'); input()"), PING, ["request", "junk"]),
        (python("input()"), PING, ["request", "ended"]),
        (python("input(); input()"), "hello", ["junk", "silence"]),
        (python("input(); input()"), {"jsonrpc": "2.0", "method": "notifications/initialized"}, ["notification"]),
        (python("input(); input()"), {"id": 1, "method": "ping"}, ["request", "silence"]),
        (python("input(); input()"), {"jsonrpc": "2.0", "id": 1.5, "method": 7}, ["junk", "silence"]),
        (ECHO, [PING, PING], ["request"] * 4),
    ],
)
async def test_messages_by_hand_are_sent_as_they_are_and_can_be_drawn(
    command: Any, messages: Any, drawn: list[str]
) -> None:
    trace = await ch13.exchange(command, messages, "it", seconds=0.5)
    assert [step.frame for step in trace] == drawn
    assert len(frames.sequence(trace).text.splitlines()) == 4 + len(drawn)
    assert f"{len(drawn)} of {len(drawn)}" in frames.stepper(trace).plain.text  # type: ignore[union-attr]


@pytest.mark.parametrize("pairs", [None, [1], [("sent",)], [("there", {})], "hello"])
def test_what_is_no_list_of_frames_is_named(pairs: Any) -> None:
    with pytest.raises(LabError, match="list of pairs"):
        ch13.drawn(pairs)


async def test_what_cannot_be_sent_is_named() -> None:
    with pytest.raises(LabError, match="list of dicts"):
        await ch13.exchange(ECHO, 5)
    with pytest.raises(LabError, match="sent as JSON"):
        await ch13.exchange(ECHO, [{"jsonrpc": "2.0", "id": {1, 2}}])


def test_the_table_of_features_agrees_with_the_sdk() -> None:
    rows = {row[0]: row for row in ch13.features()}
    for name, method in [
        ("sampling", ServerSession.create_message),
        ("roots", ServerSession.list_roots),
        ("logging", ServerSession.send_log_message),
    ]:
        assert "deprecated" in rows[name][3]
        assert "2026-07-28" in method.__deprecated__  # type: ignore[attr-defined]
    assert not hasattr(ServerSession.elicit_form, "__deprecated__")
    asked = str(InputRequiredResult.model_fields["input_requests"].annotation)
    for name, request in [("sampling", "CreateMessage"), ("roots", "ListRoots"), ("elicitation", "Elicit")]:
        assert "input_required" in rows[name][3]
        assert f"{request}Request" in asked
        assert "=" not in rows[name][2]
    assert {"extensions", "tasks", "elicitation", "roots", "sampling"} <= set(ClientCapabilities.model_fields)
    assert rows["handshake"][2].replace("\N{NO-BREAK SPACE}", " ") == "− initialize\n− notifications/initialized"
    assert rows["subscriptions"][2].count("+") == 2
    assert [row[2] for row in rows.values()].count("") == 3, "tasks, extensions, authorization: no messages of the core"


def test_a_server_that_is_not_installed_has_no_command() -> None:
    assert ch13.foreign("no_such_server_of_anybody") is None
    assert ch13.foreign("json") == [sys.executable, "-m", "json"]


# The checks of the exercises: right work in several forms passes, wrong work is told what is wrong with it

CALL = "return {'jsonrpc': '2.0', 'id': n, 'method': 'tools/call', 'params': {"
FIRST = [
    ("next_event", f"{CALL}'_meta': META, 'name': 'next_event', 'arguments': {{'title': 'tasting', 'after': '2026-09-01'}}}}}}", ""),
    ("another word", f"{CALL}'name': 'next_event', 'arguments': {{'title': 'Tasting', 'after': '2026-09-02'}}, '_meta': META}}}}", ""),
    ("a list of days", f"{CALL}'_meta': META, 'name': 'events_between', 'arguments': {{'first': '2026-09-01', 'last': '2026-09-30'}}}}}}", ""),
    ("a resource", "return {'jsonrpc': '2.0', 'id': n, 'method': 'resources/read', 'params': {'_meta': META, 'uri': 'calendar://days/2026-09-03'}}", ""),
    ("no _meta", f"{CALL}'name': 'next_event', 'arguments': {{'title': 'tasting', 'after': '2026-09-01'}}}}}}", "✗ _meta, in the params"),
    ("_meta outside", f"{CALL}'name': 'next_event', 'arguments': {{}}}}, '_meta': META}}", "✗ _meta, in the params"),
    ("one id for all", f"{CALL}'_meta': META, 'name': 'next_event', 'arguments': {{'title': 'tasting', 'after': '2026-09-01'}}}}}}".replace("'id': n", "'id': 1"), "✗ the id"),
    ("July", f"{CALL}'_meta': META, 'name': 'next_event', 'arguments': {{'title': 'tasting', 'after': '2026-07-01'}}}}}}", "yours has 2026-07-09"),
    ("no such tool", f"{CALL}'_meta': META, 'name': 'tasting', 'arguments': {{}}}}}}", "it says: Unknown tool: tasting"),
    ("a notification", "return {'jsonrpc': '2.0', 'method': 'tools/call', 'params': {'_meta': META}}", "✗ nothing comes back"),
    ("no form", "return {'id': n, 'method': 'tools/call', 'params': {'_meta': META}}", "✗ this is no message of JSON-RPC"),
    ("a text", "return 'tools/call'", "✗ a message is a dict, and yours is of type str"),
    ("a misspelt method", "return {'jsonrpc': '2.0', 'id': n, 'method': 'tool/call', 'params': {'_meta': META}}", "it says: Method not found"),
]  # fmt: skip

HANDSHAKE = "settled = await wire.ask('initialize', hello)\n    wire.send({'method': 'notifications/initialized'})\n"
DISCOVER = "found = await wire.ask('server/discover', {'_meta': meta})\n    "
OPENED = [
    ("by what it has", f"{DISCOVER}if 'supportedVersions' in found:\n        return '2026-07-28'\n    {HANDSHAKE}    return settled['protocolVersion']", ""),
    ("by its code", f"{DISCOVER}if found.get('code') != -32601:\n        return found['supportedVersions'][-1]\n    {HANDSHAKE}    return settled['protocolVersion']", ""),
    ("with jsonrpc and params", f"{DISCOVER}if 'code' not in found:\n        return max(found['supportedVersions'])\n    " + HANDSHAKE.replace("{'method'", "{'jsonrpc': '2.0', 'params': {}, 'method'") + "    return settled['protocolVersion']", ""),
    ("never a handshake", f"{DISCOVER}return '2026-07-28'", "✗ a server that does not know server/discover gets a handshake, whole"),
    ("always a handshake", f"{HANDSHAKE}    return settled['protocolVersion']", "✗ there one question is enough"),
    ("not confirmed", f"{DISCOVER}if 'code' in found:\n        found = await wire.ask('initialize', hello)\n    return found.get('protocolVersion', '2026-07-28')", "the server says: The handshake is not complete"),
    ("what was asked for", f"{DISCOVER}if 'code' not in found:\n        return '2026-07-28'\n    {HANDSHAKE}    return hello['protocolVersion']", "✗ the version is what the server agreed to, 2024-11-05"),
    ("confirmed by a request", f"{DISCOVER}if 'code' not in found:\n        return '2026-07-28'\n    settled = await wire.ask('initialize', hello)\n    await wire.ask('notifications/initialized')\n    return settled['protocolVersion']", "✗ the confirmation is a notification"),
    ("without _meta", f"{DISCOVER}if 'code' not in found:\n        return '2026-07-28'\n    {HANDSHAKE}    return settled['protocolVersion']".replace("{'_meta': meta}", "{}"), "✗ there one question is enough, with _meta"),
]  # fmt: skip

SERVER = """
    every = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    takes = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    tool = {"name": "loud", "description": "Shout.", "inputSchema": takes}
    if method == "server/discover":
        return {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, **every}
    if method == "tools/list":
        return {"tools": [tool], **every}
    if method == "tools/call":
        text = params.get("arguments", {}).get("text")
        said = "a text, please" if text is None else text.upper()
        return {"content": [{"type": "text", "text": said}], "isError": text is None, **every}
"""
ANSWERED = [
    ("ifs", SERVER, ""),
    ("its own way", SERVER.replace("text.upper()", "str(len(text)) + text[:1]").replace("loud", "count"), ""),
    ("an exception", SERVER.replace('params.get("arguments", {}).get("text")', "params['arguments']['text'] if params.get('arguments') else None"), ""),
    ("two tools", SERVER.replace("[tool]", "[tool, {**tool, 'name': 'other'}]"), ""),
    ("never None", SERVER + "    return {}", "✗ a method that it does not know gives None"),
    ("nothing listed", SERVER.replace("[tool]", "[]"), "✗ tools/list gives"),
    ("no description", SERVER.replace('"description": "Shout.", ', ""), "✗ the tool has a description"),
    ("another argument", SERVER.replace('"text": {"type"', '"words": {"type"'), "✗ its inputSchema names the argument"),
    ("always the same", SERVER.replace("text.upper()", "'HELLO'"), "✗ its result depends on the text"),
    ("no word on errors", SERVER.replace('"isError": text is None, ', ""), "and yours gives a result without it"),
    ("a crash without text", SERVER.replace('params.get("arguments", {}).get("text")', 'params["arguments"]["text"]'), "and yours gives an error: KeyError: 'text'"),
    ("no every", SERVER.replace('"tools": [tool], **every', '"tools": [tool]'), "✗ the client gave up after"),
]  # fmt: skip


def made(code: str, head: str) -> Any:
    names: dict[str, Any] = {"META": checks.META}
    exec(f"{head}\n    {code.strip()}", names)
    return list(names.values())[-1]


async def say(name: str, code: str, head: str, said: str) -> None:
    text = str((await lesson.check(name, made(code, head)))._repr_mimebundle_()["text/plain"])
    assert (text.splitlines()[-1] == f"Exercise {name}: passed") == (not said), text
    assert said in text, text
    if said and "stopped with" not in text:
        assert re.search("^✓", text, re.MULTILINE) or name != "13.3", "what is right is told as well"


@pytest.mark.parametrize(("what", "code", "said"), FIRST, ids=[row[0] for row in FIRST])
async def test_the_first_message(what: str, code: str, said: str) -> None:
    await say("13.1", code, f"{'async ' * (what == 'another word')}def first_message(n):", said)


@pytest.mark.parametrize(("what", "code", "said"), OPENED, ids=[row[0] for row in OPENED])
async def test_the_opening(what: str, code: str, said: str) -> None:
    await say("13.2", code, "async def opened(wire, meta, hello):", said)


@pytest.mark.parametrize(("what", "code", "said"), ANSWERED, ids=[row[0] for row in ANSWERED])
async def test_the_server_without_a_library(what: str, code: str, said: str) -> None:
    await say("13.3", code, "def answered(method, params):", said)


async def test_a_walk_over_http_is_told_in_pairs(tmp_path: Any) -> None:
    calendar = import_module("shop.calendar")
    url = await ch13.serve(calendar.server(lay_out(tmp_path / "shop").calendar))

    async def walk(client: Any) -> None:
        await client.list_tools()
        await client.call_tool("next_event", {"title": "nothing such", "after": "2026-07-01"})

    told = ch13.told(await ch13.over_http(url, "legacy", walk))
    assert told[0] == "initialize → result"
    assert told[1].endswith("(notification)")
    assert told[2:] == ["tools/list → result", "tools/call → result"]
    assert await ch13.stop() == 0
