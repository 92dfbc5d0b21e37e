"""A host keeps several servers open across cells, asks a person where it has to, and says clearly what goes wrong."""

import asyncio
import gc
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpecManager
from mcp import StdioServerParameters
from mcp.server import MCPServer

from llmlab import LabError, ToolError, Trace, redaction
from llmlab.errors import ServerError
from llmlab.mcp.content import Content, of_call
from llmlab.mcp.host import Host
from llmlab.mcp.offers import NAME, Offer, names
from llmlab.show import approval
from llmlab.show.approval import Approval
from llmlab.show.formatters import bundle
from llmlab.tools import ToolResult
from mcp_demo import make, served
from sentence import is_one_sentence

pytestmark = pytest.mark.anyio

HAND_MADE = [sys.executable, "-I", "-S", str(Path(__file__).with_name("mcp_faulty.py"))]
MODES = ["auto", "legacy", "2026-07-28"]


def yes(server: str, offer: Offer, arguments: dict[str, Any] | None) -> bool:
    return True


async def call(host: Host, name: str, /, **arguments: Any) -> ToolResult:
    """As an agent does it."""
    [tool] = [tool for tool in host.tools() if tool.name == name]
    return await tool.call(arguments)


# What servers offer


@pytest.mark.parametrize("mode", MODES)
async def test_a_server_in_memory_offers_tools_resources_and_prompts(mode: str) -> None:
    async with await Host.open({"demo": make()}, mode=mode) as host:
        assert (await call(host, "add", a=1, b=2)).text == "3"
        assert {(r.uri, r.template) for r in host.resources()} == {
            ("note://today", False),
            ("picture://pixel", False),
            ("note://by/{name}", True),
        }
        assert await host.read("note://today") == "Buy bread."
        assert await host.read("note://by/Ann") == "The note Ann."
        assert [(p.name, p.arguments) for p in host.prompts()] == [("greet", {"name": True})]
        assert await host.prompt("greet", name="Ann") == [{"role": "user", "content": "Say hello to Ann."}]
        assert (
            f"demo    memory  {'2025-11-25 (handshake)' if mode == 'legacy' else '2026-07-28 (modern)'}"
            in (bundle(host)["text/plain"])
        )


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_over_http_it_is_the_same_and_headers_are_recorded_where_asked(mode: str) -> None:
    async with served(make()) as url:
        servers = {"demo": {"url": url, "headers": {"Authorization": "Bearer open-sesame-open"}}}
        async with await Host.open(servers, mode=mode, http=True) as host:
            assert (await call(host, "add", a=1, b=2)).text == "3"
            posts = [step for step in host.trace if step.name == "POST /mcp"]
            assert posts[-1].headers["authorization"] == "[key]"
        assert "open-sesame-open" not in json.dumps([step.attributes for step in host.trace])
        async with await Host.open({"demo": url}, mode=mode) as host:
            assert not [step for step in host.trace if step.frame == "http"]


async def test_functions_commands_and_servers_stand_side_by_side() -> None:
    def double(number: int) -> int:
        """Twice as much."""
        return 2 * number

    command = StdioServerParameters(command=HAND_MADE[0], args=[*HAND_MADE[1:], "none"])
    async with await Host.open({"sums": double, "more": [double], "hand": command, "demo": make()}, ask=()) as host:
        offered = [tool.name for tool in host.tools()]
        assert offered[:3] == ["sums_double", "more_double", "work"]
        host.approved = {}  # a tool that nobody accepted is not offered
        assert host.tools() == []


async def test_an_mcp_json_of_a_desktop_host_is_read(tmp_path: Path) -> None:
    entry = {"command": sys.executable, "args": [*HAND_MADE[1:], "none"], "env": {"API_KEY": "very-secret-key"}}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"hand": entry}}))
    for servers in (path, str(path), json.loads(path.read_text())):
        async with await Host.open(servers) as host:
            assert [str(tool.offer) for tool in host.tools()] == ["hand.work"]
    assert redaction.redact("very-secret-key") == "[key]"


@pytest.mark.parametrize(
    ("given", "hidden", "kept"),
    [
        (["--api-key", "abc-123-def"], ["abc-123-def"], []),
        (["--token=abc-123-def"], ["abc-123-def"], []),
        (["sk-abc-123-def"], ["sk-abc-123-def"], []),
        (["-e", "DB_PASSWORD=abc-123-def"], ["abc-123-def"], []),
        (["--header", "Authorization: Bearer abc-123-def"], ["abc-123-def"], []),
        (["postgres://shop:abc-123-def@localhost/db"], ["abc-123-def"], []),
        (["--token", "--verbose", "--path=documents", "repository"], [], ["--verbose", "documents", "repository"]),
    ],
)
@pytest.mark.parametrize("shape", ["command", "entry", "parameters"])
async def test_secrets_among_the_arguments_are_hidden_where_the_server_writes_them(
    given: list[str], hidden: list[str], kept: list[str], shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_secrets", set())
    script = "import sys; print('begun with', sys.argv[1:], file=sys.stderr)"
    command, arguments = sys.executable, ["-I", "-S", "-c", script, *given]
    server = {
        "command": [command, *arguments],
        "entry": {"command": command, "args": arguments},
        "parameters": StdioServerParameters(command=command, args=arguments),
    }[shape]
    with pytest.raises(ServerError, match="begun with") as caught:
        await Host.open({"x": server})
    assert ("[key]" in str(caught.value)) is bool(hidden)
    assert not any(secret in str(caught.value) for secret in hidden)
    assert all(word in str(caught.value) for word in kept)


async def test_a_process_gets_the_variables_that_it_is_given_and_none_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LLMLAB_HIDDEN", "no")
    demo = {"command": sys.executable, "args": [str(Path(__file__).with_name("mcp_demo.py"))], "env": {"GIVEN": "yes"}}
    async with await Host.open({"demo": demo}) as host:
        assert (await call(host, "environment", name="GIVEN")).text == "yes"
        assert (await call(host, "environment", name="LLMLAB_HIDDEN")).text == "(nothing)"
        assert (await call(host, "picture")).text == "[image: image/png, 70 bytes]"


def test_names_are_those_that_a_models_api_takes_and_no_two_are_alike() -> None:
    owned = [("a", "find"), ("b", "find"), ("a", "read.file"), ("a", "read/file"), ("c", "x" * 80), ("d", "x" * 80)]
    made = names([*owned, ("a", ""), ("e", "a_find")])
    assert made[:2] == ["a_find", "b_find"]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(rf"[a-zA-Z0-9_-]{{1,{NAME}}}", name) for name in made)


@pytest.mark.parametrize(
    ("servers", "mode", "said"),
    [
        ({"x": 5}, "auto", "x is of type int"),
        ({"x": []}, "auto", "x is of type list"),
        ({"x": {"type": "stdio"}}, "auto", "x is of type dict"),
        ({"x": ["no-such-program-here"]}, "auto", "there is no program no-such-program-here"),
        ({"x": "http://127.0.0.1:9/mcp"}, "auto", "cannot be reached"),
        ("no-such-file.json", "auto", "cannot be read"),
        ({}, "1999-01-01", "but 1999-01-01 came"),
    ],
)
async def test_what_is_no_server_gets_one_sentence(servers: Any, mode: str, said: str) -> None:
    with pytest.raises(ServerError, match=re.escape(said)) as caught:
        await Host.open(servers, mode=mode, starts=20)
    assert is_one_sentence(str(caught.value))


async def test_what_a_host_does_not_have_gets_one_sentence() -> None:
    async with await Host.open({"demo": make()}) as host:
        for asked in (host.read("note://"), host.prompt("x"), host.call("x", "add"), host.read("note://today", "y")):
            with pytest.raises(ServerError, match="was asked for") as caught:
                await asked
            assert is_one_sentence(str(caught.value))


# Results


def result(structured: Any = None, *content: dict[str, Any]) -> Content:
    from mcp_types import CallToolResult

    whole = {"content": list(content), "structuredContent": structured}
    return of_call(CallToolResult.model_validate(whole), limit=1000)


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (result(None, text("a"), text("b")), "a\nb"),
        (result({"result": 3}, text("3")), "3"),
        (result({"result": "3"}, text("3")), "3"),
        (result({"content": "tea"}, text("tea")), "tea"),
        (result({"result": ["a", "b"]}, text("a"), text("b")), "a\nb"),
        (result({"order": 5}, text('{"order": 5}')), '{"order": 5}'),
        (result({"order": 5}, text("found")), 'found\n{\n  "order": 5\n}'),
        (result({"order": 5}), '{\n  "order": 5\n}'),
        (result(None), "(nothing)"),
        (result(None, {"type": "audio", "mimeType": "audio/wav", "data": "AAAA"}), "[audio: audio/wav, 3 bytes]"),
        (result(None, {"type": "resource", "resource": {"uri": "a://b", "text": "hi"}}), "[a://b]\nhi"),
        (
            result(None, {"type": "resource", "resource": {"uri": "a://b", "blob": "AAA="}}),
            "[file: a://b, of unknown type, 2 bytes]",
        ),
        (
            result(None, {"type": "resource_link", "uri": "a://b", "name": "b", "description": "the b"}),
            "[link: a://b b the b]",
        ),
        (
            result(None, text("x" * 2000)),
            "x" * 1000 + "\n[Cut here: the result has 2,000 characters, of which 1,000 fit. Ask for less.]",
        ),
    ],
)
def test_a_result_becomes_text_in_which_nothing_is_dropped(made: Content, expected: str) -> None:
    assert made == expected


async def test_a_picture_is_named_to_the_model_and_shown_to_the_reader() -> None:
    async with await Host.open({"demo": make()}) as host:
        answer = await call(host, "picture")
        read = await host.read("picture://pixel")
    for content in (answer.value, read):
        assert content == "[image: image/png, 70 bytes]"
        shown = bundle(content)
        assert "<img src='data:image/png;base64,iVBOR" in shown["text/html"]
        assert shown["text/plain"] == content


@pytest.mark.parametrize(("mime", "drawn"), [("image/png", True), ("text/html", False), (None, False)])
def test_a_picture_in_an_embedded_resource_is_shown_too(mime: str | None, drawn: bool) -> None:
    inner = {"uri": "a://b", "blob": "iVBORw0K"} | ({"mimeType": mime} if mime else {})
    shown = bundle(result(None, {"type": "resource", "resource": inner}))["text/html"]
    assert ("<img src='data:image/png;base64,iVBORw0K'" in shown) is drawn
    assert "[file: a://b" in shown


def test_a_link_to_a_web_page_can_be_clicked_and_no_other() -> None:
    page = "https://shop.example/?a=1&b='2'"
    links = [{"type": "resource_link", "uri": uri, "name": "n"} for uri in (page, page, "javascript:alert(1)", "a://b")]
    shown = bundle(result(None, *links))["text/html"]
    anchor = "<a href='https://shop.example/?a=1&amp;b=&#x27;2&#x27;' target='_blank' rel='noopener noreferrer'>"
    assert shown.count(f"{anchor}[link: https://shop.example/?a=1&amp;b=&#x27;2&#x27; n]</a>") == 2
    assert shown.count("<a ") == 2
    assert "[link: javascript:alert(1) n]" in shown


def test_nothing_in_a_result_becomes_an_element() -> None:
    evil = "'><script>alert(1)</script>"
    link = {"type": "resource_link", "uri": f"https://{evil}", "name": evil}
    file = {"type": "resource", "resource": {"uri": evil, "mimeType": f"image/{evil}", "blob": evil}}
    assert "<script" not in bundle(result(None, link, file))["text/html"]
    shown = Content(evil, [{"type": "image", "mimeType": f"image/{evil}", "data": evil}], {"a": evil})
    assert "<script" not in bundle(shown)["text/html"]


async def test_a_failure_of_a_tool_is_a_result_that_the_model_can_read() -> None:
    async with await Host.open({"demo": make()}) as host:
        failed = await call(host, "fail")
        assert (failed.ok, "there is no such order" in failed.text) == (False, True)
        assert "valid integer" in (await call(host, "add", a="x", b=1)).text
        [tool] = [tool for tool in host.tools() if tool.name == "add"]
        assert "takes its arguments as JSON" in (await tool.call("{")).text
        assert "takes a JSON object" in (await tool.call("[]")).text
        with pytest.raises(ToolError, match="no such order"):
            await host.call("demo", "fail")


# Approval


async def test_what_changes_something_needs_a_yes_and_a_no_is_a_result() -> None:
    asked: list[Any] = []

    async def only_five(server: str, offer: Offer, arguments: dict[str, Any] | None) -> bool:
        asked.append((server, offer.name, arguments))
        await asyncio.sleep(0)
        return arguments == {"order": 5}

    async with await Host.open({"demo": make()}, approve=only_five) as host:
        with Trace("run") as run:
            assert (await call(host, "refund", order=5)).text == "refunded 5"
            declined = await call(host, "refund", order=6)
            assert (await call(host, "history")).text == "refunded 5"
    assert asked == [("demo", "refund", {"order": 5}), ("demo", "refund", {"order": 6})]
    assert (declined.ok, "the person declined this call of refund" in declined.text) == (False, True)
    said = [(step.name, step.arguments) for step in run.of("event")]
    assert said == [("approved", {"order": 5}), ("declined", {"order": 6})]
    names_of_calls = [step.message["params"]["name"] for step in run if step.name == "tools/call"]
    assert names_of_calls == ["refund", "history"]  # the declined call was never sent


@pytest.mark.parametrize("approve", [None, lambda *_: False, lambda *_: None, lambda *_: "no"])
async def test_without_a_clear_yes_nothing_is_changed(approve: Any) -> None:
    async with await Host.open({"demo": make()}, approve=approve) as host:
        assert not (await call(host, "refund", order=5)).ok
        assert (await call(host, "history")).text == "(nothing)"


@pytest.mark.parametrize(
    ("ask", "needs"),
    [
        (["demo.refund"], {"add", "history"}),
        ((), {"refund", "add", "history"}),
        (lambda offer, arguments: arguments.get("order", 0) > 100, set()),
    ],
)
async def test_a_rule_may_stand_in_for_the_annotations(ask: Any, needs: set[str]) -> None:
    async with await Host.open({"demo": make()}, ask=ask) as host:
        calls = [("refund", {"order": 5}), ("add", {"a": 1, "b": 1}), ("history", {})]
        assert {name for name, given in calls if not (await call(host, name, **given)).ok} == needs


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_description_that_changed_after_it_was_approved_is_not_used_before_it_is_approved_anew(
    mode: str,
) -> None:
    asked: list[Offer] = []
    answers = [False, True, False]

    def person(server: str, offer: Offer, arguments: dict[str, Any] | None) -> bool:
        asked.append(offer)
        return answers[len(asked) - 1]

    async with await Host.open({"demo": make()}, mode=mode, approve=person) as host:
        old = {tool.name: tool for tool in host.tools()}
        await call(host, "turn_coat")
        await until(lambda: len(host.changes()) == 2)
        now = {tool.name: tool for tool in host.tools()}
        assert now["add"].description == "Add two numbers."  # no model sees the new text
        assert "steal" not in now
        assert not (await old["add"].call({"a": 1, "b": 2})).ok
        assert "refund" in asked[0].description
        assert asked[0].before
        assert asked[0].before.description == "Add two numbers."
        assert (await old["add"].call({"a": 1, "b": 2})).text == "3"  # the second answer was yes
        assert "refund" in {tool.name: tool for tool in host.tools()}["add"].description
        assert await host.review() == []  # the third was no
        assert (asked[2].name, asked[2].before) == ("steal", None)
        assert [offer.name for offer in host.changes()] == ["steal"]
        assert (await old["add"].call({"a": 1, "b": 2})).text == "3"
        assert len(asked) == 3


async def test_what_another_host_approved_can_be_held_against_the_server_of_today() -> None:
    async with await Host.open({"demo": make()}) as first:
        approved = dict(first.approved)
    approved["demo.add"] = replace(approved["demo.add"], description="Multiply.")
    async with await Host.open({"demo": make()}, approved=approved) as host:
        assert [(offer.name, offer.before.description) for offer in host.changes() if offer.before] == [
            ("add", "Multiply.")
        ]
        assert not (await call(host, "add", a=1, b=2)).ok


async def test_a_tool_that_changes_while_the_person_is_asked_is_not_called() -> None:
    async def slow(server: str, offer: Offer, arguments: dict[str, Any] | None) -> bool:
        host.servers["demo"].tools[2] = replace(offer, description="Pay all orders back.")
        return True

    async with await Host.open({"demo": make()}, approve=slow) as host:
        assert "changed refund while the person was asked" in (await call(host, "refund", order=1)).text
        assert (await call(host, "history")).text == "(nothing)"


def refund(**more: Any) -> Offer:
    return Offer("demo", "refund", "Pay an order back.", {"type": "object"}, **more)


async def test_a_click_answers_while_the_cell_awaits(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: asyncio.Queue[Any] = asyncio.Queue()
    monkeypatch.setattr("IPython.get_ipython", lambda: type("Shell", (), {"kernel": object()}))
    monkeypatch.setattr("IPython.display.display", shown.put_nowait)
    for press, expected in ((0, True), (1, False)):
        waiting = asyncio.create_task(Approval()("demo", refund(), {"order": 5}))
        panel = await shown.get()
        assert panel._repr_mimebundle_()["text/plain"] == ('May this tool be called?\ndemo.refund {\n  "order": 5\n}')
        button = panel.widget.children[1].children[press]
        threading.Thread(target=button.click).start()  # where ipykernel 7 hears clicks
        assert await waiting is expected
        assert panel.widget.children[1].value == ("<b>Approved.</b>" if expected else "<b>Declined.</b>")


async def test_no_answer_in_time_is_a_no_and_an_interrupt_takes_the_buttons_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: asyncio.Queue[Any] = asyncio.Queue()
    monkeypatch.setattr("IPython.get_ipython", lambda: type("Shell", (), {"kernel": object()}))
    monkeypatch.setattr("IPython.display.display", shown.put_nowait)
    assert await Approval(seconds=0.01)("demo", refund(), {}) is False
    assert "Not answered in 0.01 seconds" in (await shown.get()).widget.children[1].value
    waiting = asyncio.create_task(Approval()("demo", refund(), {}))
    panel = await shown.get()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert panel.widget.children[1].value == "<b>Not answered.</b>"


async def test_where_there_is_no_notebook_nobody_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert await Approval()("demo", refund(), {"order": 5}) is False
    assert "only a running notebook can ask" in capsys.readouterr().out


def test_the_person_sees_both_descriptions_and_none_becomes_an_element() -> None:
    evil = Offer("demo", "<script>", "New <script> text", {}, before=refund())
    shown = approval.question(evil, {"a": "<script>"})
    assert "<script" not in shown.html
    assert shown.text.endswith("New <script> text\nWhen it was approved, it said:\nPay an order back.")
    assert "annotations have changed" in approval.question(refund(before=refund(output={})), None).text


# Time, numbers, ends


async def until(happened: Callable[[], bool]) -> None:
    """Wait for something that another task does."""
    async with asyncio.timeout(30):
        while not happened():
            await asyncio.sleep(0.01)


def mine() -> tuple[int, int, int]:
    """Processes, descriptors and tasks that this test has open."""
    gc.collect()
    me = psutil.Process()
    return len(me.children(recursive=True)), me.num_fds() if hasattr(me, "num_fds") else 0, len(asyncio.all_tasks())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_thousand_calls_and_fifty_at_once_keep_their_results_and_leave_nothing(mode: str) -> None:
    await asyncio.to_thread(int)  # the loop's thread pool and its pipe stay
    async with await Host.open({"hand": [*HAND_MADE, "none"]}, mode=mode):
        pass
    before = mine()
    async with await Host.open({"hand": [*HAND_MADE, "none"], "demo": make()}, mode=mode) as host:
        for number in range(950):
            assert await host.call("hand", "work", {"number": number}) == str(number)
        both = await asyncio.gather(
            *(host.call("hand", "work", {"number": number}) for number in range(50)),
            *(host.call("demo", "echo", {"text": str(n), "seconds": (n % 5) / 100}) for n in range(50)),
        )
        assert both == [str(number) for number in [*range(50), *range(50)]]
        requests = [step for step in host.trace if step.name == "tools/call"]
        replies = [step for step in host.trace if step.name == "tools/call: result"]
        assert len(requests) == len(replies) == 1050
        assert {step.get("llmlab.reply_to") for step in replies} == {step.id for step in requests}
    assert mine() == before


async def test_a_host_is_opened_used_and_closed_in_different_tasks_as_cells_are() -> None:
    host = await asyncio.create_task(Host.open({"demo": make(), "hand": [*HAND_MADE, "none"]}))
    assert await asyncio.create_task(host.call("demo", "add", {"a": 1, "b": 2})) == "3"
    await asyncio.create_task(host.close())
    with pytest.raises(ServerError, match="was closed") as caught:
        await host.call("demo", "add", {"a": 1, "b": 2})
    assert is_one_sentence(str(caught.value))
    assert "closed" in bundle(host)["text/plain"]
    await host.close()


async def test_an_interrupted_call_is_cancelled_and_the_next_one_works() -> None:
    async with await Host.open({"demo": make()}) as host:
        waiting = asyncio.create_task(host.call("demo", "echo", {"text": "late", "seconds": 1000}))
        await until(lambda: any(step.name == "tools/call" for step in host.trace))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await host.call("demo", "echo", {"text": "next"}) == "next"
        assert any(step.name == "notifications/cancelled" for step in host.trace)


async def test_an_interrupt_while_servers_start_leaves_nothing() -> None:
    before = mine()
    opening = asyncio.create_task(Host.open({"quiet": [*HAND_MADE, "silent"], "demo": make()}))
    await until(lambda: len(psutil.Process().children(recursive=True)) > before[0])
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await until(lambda: mine()[0] == before[0])


async def test_a_host_that_a_cell_has_forgotten_is_closed() -> None:
    host = await Host.open({"demo": make()})
    await call(host, "add", a=1, b=2)
    server = host.servers["demo"]
    del host
    gc.collect()
    await until(lambda: not server.is_open and server.client is None)


async def test_each_server_has_its_own_time_for_a_call() -> None:
    async with await Host.open({"quick": make(), "slow": make()}, seconds={"quick": 0.2}) as host:
        late = {"text": "late", "seconds": 0.4}
        with pytest.raises(ServerError, match=re.escape("Server quick has 0.2 seconds")) as caught:
            await host.call("quick", "echo", late)
        assert is_one_sentence(str(caught.value))
        assert await host.call("slow", "echo", late) == "late"
        assert await host.call("quick", "echo", {"text": "next"}) == "next"


# Faults


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("start", "it ended (it wrote: no configuration found)"),
        ("vanishes", "it ended (it wrote: the disk is full)"),
        ("version", "Unsupported protocol version from the server: 2099-01-01"),
        ("pages", "its list of tools goes on after 100 pages"),
    ],
)
async def test_a_server_that_fails_at_the_start_gets_one_sentence(fault: str, mode: str, said: str) -> None:
    before = mine()[0]
    with pytest.raises(ServerError, match=re.escape(said)) as caught:
        await Host.open({"fine": make(), "x": [*HAND_MADE, fault]}, mode=mode)
    assert is_one_sentence(str(caught.value))
    assert caught.value.server == "x"
    assert mine()[0] == before


async def test_a_server_that_says_nothing_is_given_up() -> None:
    with pytest.raises(ServerError, match=r"took longer than 0\.5 seconds") as caught:
        await Host.open({"x": [*HAND_MADE, "silent"]}, starts=0.5)
    assert is_one_sentence(str(caught.value))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(
    ("fault", "seconds", "said"),
    [
        ("dies", 60, "it ended (it wrote: out of memory (as a test))"),
        ("hangs", 0.5, "Server x has 0.5 seconds for the call of work"),
        ("floods", 60, "it sent more than 2,000 messages without being asked"),
        ("chatters", 60, "it sent more than 2,000 messages without being asked"),
        ("malformed", 5, 'a line that is no message: {"jsonrpc": "2.0", "id": )'),
        ("wrong id", 5, "a reply to 999, which is no request that waits"),
        ("error", 60, "it answered with an error (-32000: the disk is full)"),
    ],
)
async def test_a_server_that_fails_in_a_call_gets_one_sentence_and_so_do_all_that_wait(
    fault: str, seconds: float, said: str, mode: str
) -> None:
    await asyncio.to_thread(int)  # the loop's thread pool and its pipe stay
    before = mine()
    async with await Host.open({"x": [*HAND_MADE, fault]}, mode=mode, seconds=seconds) as host:
        *ended, shown = await asyncio.gather(
            host.call("x", "work"), host.call("x", "work"), call(host, "work"), return_exceptions=True
        )
    for error in ended:
        assert isinstance(error, ServerError)
        assert said in str(error)
        assert is_one_sentence(str(error))
    assert isinstance(shown, ToolResult)
    assert (shown.ok, shown.text) == (False, f"error: {ended[0]}")
    await until(lambda: mine() == before)


async def test_a_broken_line_fails_the_one_call_that_waits_at_once() -> None:
    async with await Host.open({"x": [*HAND_MADE, "malformed"]}, seconds=600) as host:
        with pytest.raises(ServerError, match=re.escape('a line that is no JSON: {"jsonrpc": "2.0", "id": ')) as caught:
            await host.call("x", "work")
        assert is_one_sentence(str(caught.value))


async def test_junk_on_the_wire_is_recorded_and_the_call_succeeds() -> None:
    async with await Host.open({"x": [*HAND_MADE, "junk"]}) as host:
        assert (await call(host, "work")).text == "done"
        assert [step.message for step in host.trace if step.name == "no message"] == ["Loading the model ..."]


@pytest.mark.slow  # the SDK joins a long line from many pieces
async def test_fifty_megabytes_are_cut_with_a_sentence() -> None:
    async with await Host.open({"x": [*HAND_MADE, "huge"]}, seconds=600) as host:
        answer = await call(host, "work")
        assert answer.text.endswith(
            "[Cut here: the result has 50,000,000 characters, of which 20,000 fit. Ask for less.]"
        )
        assert len(json.dumps([step.attributes for step in host.trace])) < 3_000_000


async def test_what_a_process_writes_beside_the_protocol_can_be_read() -> None:
    async with await Host.open({"x": [*HAND_MADE, "dies"]}) as host:
        assert host.stderr("x") == "(nothing)"
        await call(host, "work")
        assert host.stderr("x") == "out of memory (as a test)\n"


async def test_an_http_server_that_goes_away_gets_one_sentence() -> None:
    async with served(make()) as url:
        host = await Host.open({"demo": url})
        assert await host.call("demo", "add", {"a": 1, "b": 2}) == "3"
    with pytest.raises(ServerError, match="Server demo has to answer") as caught:
        await host.call("demo", "add", {"a": 1, "b": 2})
    assert is_one_sentence(str(caught.value))
    await host.close()


HOLDING = """
import asyncio, sys
from llmlab.mcp.host import Host

async def main():
    host = await Host.open({"x": sys.argv[1:]})
    print("open", flush=True)
    await host.call("x", "work")

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there the SDK's job objects end the servers")
def test_a_killed_kernel_leaves_no_server_not_even_one_that_looks_at_nothing() -> None:
    command = [sys.executable, "-c", HOLDING, *HAND_MADE, "stubborn"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as kernel:
        assert kernel.stdout
        assert kernel.stdout.readline() == "open\n"
        servers = psutil.Process(kernel.pid).children(recursive=True)
        assert any("stubborn" in process.cmdline() for process in servers)
        kernel.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(servers, timeout=60)
    assert alive == []


@pytest.fixture
def kernel() -> Iterator[tuple[KernelManager, Callable[..., str]]]:
    """A Jupyter kernel, and a function that runs a cell in it."""
    manager = KernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    manager.start_kernel(env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=120)

    def run(code: str, status: str = "ok") -> str:
        printed: list[str] = []

        def out(message: Any) -> None:
            printed.append(message["content"].get("text", ""))
            if "waiting" in printed[-1]:
                manager.interrupt_kernel()

        reply = client.execute_interactive(code, timeout=120, output_hook=out)["content"]
        assert reply["status"] == status, reply.get("evalue")
        return "".join(printed)

    yield manager, run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_in_a_notebook_a_host_lives_across_cells_interrupts_and_ends_with_the_kernel(kernel: Any) -> None:
    manager, run = kernel
    run(
        "import asyncio\nfrom llmlab.mcp.host import Host\n"
        "async def wait(seconds: float) -> str:\n    'Wait.'\n    await asyncio.sleep(seconds)\n    return 'done'\n"
        f"host = await Host.open({{'memory': wait, 'hand': {[*HAND_MADE, 'none']}, 'busy': {[*HAND_MADE, 'stubborn']}}}, "
        "ask=['memory.wait', 'hand.work', 'busy.work'], seconds=1000)"
    )
    assert (
        run("print(await host.call('memory', 'wait', {'seconds': 0}), await host.call('hand', 'work'))")
        == "done done\n"
    )
    for server, tool in (("memory", "wait"), ("busy", "work")):
        run(f"print('waiting', flush=True)\nawait host.call('{server}', '{tool}', {{'seconds': 1000}})", status="error")
    assert (
        run("print(await host.call('memory', 'wait', {'seconds': 0}), await host.call('hand', 'work'))")
        == "done done\n"
    )
    servers = psutil.Process(manager.provisioner.pid).children(recursive=True)
    assert len([process for process in servers if "stubborn" in process.cmdline()]) >= 1
    manager.shutdown_kernel(now=True)
    _, alive = psutil.wait_procs(servers, timeout=60)
    assert alive == []


async def test_a_stubborn_server_is_ended_when_the_host_closes() -> None:
    before = mine()[0]
    async with await Host.open({"x": [*HAND_MADE, "stubborn"]}, seconds=0.2) as host:
        assert not (await call(host, "work")).ok
    assert mine()[0] == before


async def test_a_question_of_a_server_reaches_the_reader() -> None:
    from typing import Annotated

    from mcp.server.mcpserver import Elicit, Resolve
    from pydantic import BaseModel

    class Wanted(BaseModel):
        size: int

    server = MCPServer("shop", log_level="WARNING")

    async def ask_size() -> Elicit[Wanted]:
        return Elicit("Which size?", Wanted)

    @server.tool()
    def order(wanted: Annotated[Wanted, Resolve(ask_size)]) -> str:
        """Order one."""
        return f"size {wanted.size}"

    def person(name: str, question: str, schema: dict[str, Any]) -> dict[str, Any]:
        assert (name, question) == ("shop", "Which size?")
        assert schema["properties"]["size"]["type"] == "integer"
        return {"size": 42}

    for mode in ("auto", "legacy"):
        async with await Host.open({"shop": server}, mode=mode, approve=yes, elicit=person) as host:
            assert await host.call("shop", "order") == "size 42"


def test_every_error_of_a_server_is_one_of_the_labs() -> None:
    assert issubclass(ServerError, LabError)
