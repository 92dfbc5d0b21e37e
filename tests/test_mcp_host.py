"""A host keeps several servers open across cells, and asks a person where it has to."""

import asyncio
import gc
import json
import os
import re
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
from mcp_types import CallToolResult

from llmlab import ToolError, Trace, redaction
from llmlab.errors import ServerError
from llmlab.mcp.content import Content, of_call
from llmlab.mcp.host import Host
from llmlab.mcp.offers import NAME, Offer, names
from llmlab.show import approval
from llmlab.show.approval import Approval
from llmlab.show.formatters import bundle
from llmlab.tools import ToolResult
from mcp_demo import make, served

pytestmark = pytest.mark.anyio

HAND_MADE = [sys.executable, "-I", "-S", str(Path(__file__).with_name("mcp_faulty.py"))]


async def call(host: Host, name: str, /, **arguments: Any) -> ToolResult:
    """As an agent does it."""
    [tool] = [tool for tool in host.tools() if tool.name == name]
    return await tool.call(arguments)


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


# What servers offer


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_a_server_offers_tools_resources_and_prompts_in_each_era(mode: str) -> None:
    async with await Host.open({"demo": make()}, mode=mode) as host:
        assert (await call(host, "add", a=1, b=2)).text == "3"
        templates = {resource.uri: resource.template for resource in host.resources()}
        assert templates == {"note://today": False, "picture://pixel": False, "note://by/{name}": True}
        assert await host.read("note://today") == "Buy bread."
        assert await host.read("note://by/Ann") == "The note Ann."
        assert [(p.name, p.arguments) for p in host.prompts()] == [("greet", {"name": True})]
        assert await host.prompt("greet", name="Ann") == [{"role": "user", "content": "Say hello to Ann."}]
        spoken = "2025-11-25 (handshake)" if mode == "legacy" else "2026-07-28 (modern)"
        assert f"demo    memory  {spoken}" in bundle(host)["text/plain"]


@pytest.mark.parametrize("mode", ["auto", "legacy", "sse"])
async def test_over_http_it_is_the_same_and_no_key_is_recorded(mode: str) -> None:
    server = make()
    app, path = (server.sse_app(), "/sse") if mode == "sse" else (server, "/mcp")
    async with served(app, path) as url:
        entry = {"url": url, "headers": {"Authorization": "Bearer open-sesame-open"}}
        async with await Host.open({"demo": entry}, mode="auto" if mode == "sse" else mode) as host:
            assert (await call(host, "echo", text="open-sesame-open")).text == "open-sesame-open"
        assert "open-sesame-open" not in json.dumps([step.attributes for step in host.trace])


async def test_functions_commands_and_servers_stand_side_by_side() -> None:
    def double(number: int) -> int:
        """Twice as much."""
        return 2 * number

    command = StdioServerParameters(command=HAND_MADE[0], args=[*HAND_MADE[1:], "none"])
    async with await Host.open({"sums": double, "more": [double], "hand": command, "demo": make()}, ask=()) as host:
        assert [tool.name for tool in host.tools()][:3] == ["sums_double", "more_double", "work"]
        host.approved = {}  # a tool that nobody accepted is not offered
        assert host.tools() == []


DEMO = str(Path(__file__).with_name("mcp_demo.py"))


@pytest.mark.parametrize(
    "entry",
    [
        {"args": [DEMO], "env": {"GIVEN": 5, "API_KEY": "very-secret-key", "EMPTY": None}, "headers": None},
        {"args": DEMO, "env": {"GIVEN": "5"}, "disabled": False},
        {"args": [DEMO], "env": {"GIVEN": 5}, "servers": "as VS Code writes it"},
    ],
)
async def test_an_mcp_json_is_read_as_people_write_it(entry: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("LLMLAB_HIDDEN", "no")
    path, key = tmp_path / "mcp.json", "servers" if "servers" in entry else "mcpServers"
    asleep = {"command": "no-such-program", "disabled": True}
    path.write_text("\ufeff" + json.dumps({key: {"demo": {"command": sys.executable, **entry}, "off": asleep}}))
    async with await Host.open(path) as host:
        assert list(host.servers) == ["demo"]
        assert (await call(host, "environment", name="GIVEN")).text == "5"
        assert (await call(host, "environment", name="LLMLAB_HIDDEN")).text == "(nothing)"
    assert "API_KEY" not in entry["env"] or redaction.redact("very-secret-key") == "[key]"


@pytest.mark.parametrize(
    ("given", "hidden", "kept"),
    [
        (["--api-key", "abc-123-def"], "abc-123-def", []),
        (["--token=abc-123-def"], "abc-123-def", []),
        (["sk-abc-123-def"], "sk-abc-123-def", []),
        (["-e", "DB_PASSWORD=abc-123-def"], "abc-123-def", []),
        (["--header", "Authorization: Bearer abc-123-def"], "abc-123-def", []),
        (["postgres://shop:abc-123-def@localhost/db"], "abc-123-def", []),
        (["--token", "--verbose", "--path=documents", "repository"], "", ["--verbose", "documents", "repository"]),
    ],
)
async def test_keys_among_the_arguments_are_hidden(
    given: list[str], hidden: str, kept: list[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(redaction, "_secrets", set())
    script = "import sys; print('begun with', sys.argv[1:], file=sys.stderr)"
    with pytest.raises(ServerError, match="begun with") as caught:
        await Host.open({"x": [sys.executable, "-I", "-S", "-c", script, *given]})
    assert ("[key]" in str(caught.value)) is bool(hidden)
    assert not (hidden and hidden in str(caught.value))
    assert all(word in str(caught.value) for word in kept)


def test_names_are_those_that_a_models_api_takes_and_no_two_are_alike() -> None:
    owned = [("a", "find"), ("b", "find"), ("a", "read.file"), ("a", "read/file"), ("c", "x" * 80), ("d", "x" * 80)]
    made = names([*owned, ("a", ""), ("e", "a_find")])
    assert made[:2] == ["a_find", "b_find"]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(rf"[a-zA-Z0-9_-]{{1,{NAME}}}", name) for name in made)


# Results


def result(structured: Any = None, *content: Any) -> Content:
    blocks = [{"type": "text", "text": block} if isinstance(block, str) else block for block in content]
    return of_call(CallToolResult.model_validate({"content": blocks, "structuredContent": structured}))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (result(None, "a", "b"), "a\nb"),
        (result({"result": "3"}, "3"), "3"),
        (result({"content": "tea"}, "tea"), "tea"),
        (result({"result": ["a", "b"]}, "a", "b"), "a\nb"),
        (result({"order": 5}, '{"order": 5}'), '{"order": 5}'),
        (result({"order": 5}, "found"), 'found\n{\n  "order": 5\n}'),
        (result(None), "(nothing)"),
        (result(None, {"type": "audio", "mimeType": "audio/wav", "data": "AAAA"}), "[audio: audio/wav, 3 bytes]"),
        (result(None, {"type": "resource", "resource": {"uri": "a://b", "text": "hi"}}), "[a://b]\nhi"),
        (result(None, {"type": "resource_link", "uri": "a://b", "name": "b", "title": "B"}), "[link: a://b b B]"),
    ],
)
def test_a_result_becomes_text_in_which_nothing_is_dropped(made: Content, expected: str) -> None:
    assert made == expected


async def test_a_picture_is_named_to_the_model_and_shown_to_the_reader() -> None:
    async with await Host.open({"demo": make()}) as host:
        for content in ((await call(host, "picture")).value, await host.read("picture://pixel")):
            assert content == "[image: image/png, 70 bytes]"
            assert "<img src='data:image/png;base64,iVBOR" in bundle(content)["text/html"]


def test_nothing_in_a_result_becomes_an_element() -> None:
    evil = "'><script>alert(1)</script>"
    link = {"type": "resource_link", "uri": f"https://{evil}", "name": evil}
    picture = {"type": "image", "mimeType": f"image/{evil}", "data": evil}
    assert "<script" not in bundle(result({"a": evil}, evil, link, picture))["text/html"]


async def test_a_failure_of_a_tool_is_a_result_that_the_model_can_read() -> None:
    async with await Host.open({"demo": make()}) as host:
        failed = await call(host, "fail")
        assert (failed.ok, "there is no such order" in failed.text) == (False, True)
        [tool] = [tool for tool in host.tools() if tool.name == "add"]
        for arguments, said in (("{", "as JSON"), ("[]", "a JSON object"), ({"a": "x", "b": 1}, "valid integer")):
            assert said in (await tool.call(arguments)).text
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
    assert (declined.ok, "declined" in declined.text) == (False, True)
    assert [(step.name, step.arguments) for step in run.of("event")] == [
        ("approved", {"order": 5}),
        ("declined", {"order": 6}),
    ]
    sent = [step.message["params"]["name"] for step in run if step.name == "tools/call"]
    assert sent == ["refund", "history"]  # the declined call was never sent


@pytest.mark.parametrize("approve", [None, lambda *_: None, lambda *_: "no"])
async def test_without_a_clear_yes_nothing_is_changed(approve: Any) -> None:
    async with await Host.open({"demo": make()}, approve=approve) as host:
        assert not (await call(host, "refund", order=5)).ok
        assert (await call(host, "history")).text == "(nothing)"


@pytest.mark.parametrize(
    ("ask", "needs"),
    [
        (["demo.refund"], {"add", "history"}),
        (lambda offer, arguments: arguments.get("order", 0) > 100, set()),
    ],
)
async def test_a_rule_may_stand_in_for_the_annotations(ask: Any, needs: set[str]) -> None:
    async with await Host.open({"demo": make()}, ask=ask) as host:
        calls = [("refund", {"order": 5}), ("add", {"a": 1, "b": 1}), ("history", {})]
        assert {name for name, given in calls if not (await call(host, name, **given)).ok} == needs


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_description_that_changed_is_not_used_before_it_is_approved_anew(mode: str) -> None:
    asked: list[Offer] = []

    def second(server: str, offer: Offer, arguments: dict[str, Any] | None) -> bool:
        asked.append(offer)
        return len(asked) > 1

    async with await Host.open({"demo": make()}, mode=mode, approve=second) as host:
        old = {tool.name: tool for tool in host.tools()}
        await call(host, "turn_coat")
        await until(lambda: len(host.changes()) == 2)
        now = {tool.name: tool for tool in host.tools()}
        assert now["add"].description == "Add two numbers."  # no model sees the new text
        assert "steal" not in now
        assert not (await old["add"].call({"a": 1, "b": 2})).ok
        assert "refund" in asked[0].description
        assert asked[0].before == old["add"].offer
        assert (await old["add"].call({"a": 1, "b": 2})).text == "3"  # the second answer was yes
        assert "refund" in {tool.name: tool for tool in host.tools()}["add"].description
        assert [offer.name for offer in host.changes()] == ["steal"]
        assert len(asked) == 2


async def test_a_tool_that_changes_while_the_person_is_asked_is_not_called() -> None:
    async def slow(server: str, offer: Offer, arguments: dict[str, Any] | None) -> bool:
        host.servers["demo"].tools[2] = replace(offer, description="Pay all orders back.")
        return True

    async with await Host.open({"demo": make()}, approve=slow) as host:
        assert "changed refund" in (await call(host, "refund", order=1)).text
        assert (await call(host, "history")).text == "(nothing)"


REFUND = Offer("demo", "refund", "Pay an order back.", {"type": "object"})


async def test_a_click_answers_while_the_cell_awaits(monkeypatch: Any, capsys: Any) -> None:
    assert await Approval()("demo", REFUND, {"order": 5}) is False  # where nobody can click
    assert "only a running notebook" in capsys.readouterr().out
    shown: asyncio.Queue[Any] = asyncio.Queue()
    monkeypatch.setattr("IPython.get_ipython", lambda: type("Shell", (), {"kernel": object()}))
    monkeypatch.setattr("IPython.display.display", shown.put_nowait)
    for press, expected in ((0, "Approved"), (1, "Declined")):
        waiting = asyncio.create_task(Approval()("demo", REFUND, {"order": 5}))
        panel = await shown.get()
        assert '"order": 5' in panel._repr_mimebundle_()["text/plain"]
        button = panel.widget.children[1].children[press]
        threading.Thread(target=button.click).start()  # where ipykernel 7 hears clicks
        assert await waiting is (expected == "Approved")
        assert expected in panel.widget.children[1].value
    assert await Approval(seconds=0.01)("demo", REFUND, {}) is False
    assert "Not answered in" in (await shown.get()).widget.children[1].value
    waiting = asyncio.create_task(Approval()("demo", REFUND, {}))
    panel = await shown.get()
    waiting.cancel()  # an interrupt takes the buttons away
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert "Not answered" in panel.widget.children[1].value


def test_the_person_sees_both_descriptions_and_none_becomes_an_element() -> None:
    shown = approval.question(Offer("demo", "<script>", "New <script> text", {}, before=REFUND), {"a": "<script>"})
    assert "<script" not in shown.html
    assert all(text in shown.text for text in ("New <script> text", "Pay an order back.", "have changed"))


# Cells, interrupts, ends


async def test_a_host_is_opened_used_and_closed_in_different_tasks_as_cells_are() -> None:
    host = await asyncio.create_task(Host.open({"demo": make(), "hand": [*HAND_MADE, "none"]}))
    assert await asyncio.create_task(host.call("demo", "add", {"a": 1, "b": 2})) == "3"
    await asyncio.create_task(host.close())
    with pytest.raises(ServerError, match="open host"):
        await host.call("demo", "add", {"a": 1, "b": 2})
    assert "closed" in bundle(host)["text/plain"]
    await host.close()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_many_calls_keep_their_results_and_leave_nothing(mode: str) -> None:
    await asyncio.to_thread(int)  # the loop's thread pool and its pipe stay
    before = mine()
    async with await Host.open({"hand": [*HAND_MADE, "none"], "demo": make()}, mode=mode) as host:
        hand = (host.call("hand", "work", {"number": number}) for number in range(50))
        demo = (host.call("demo", "echo", {"text": str(n), "seconds": (n % 5) / 100}) for n in range(50))
        assert await asyncio.gather(*hand, *demo) == [str(number) for number in [*range(50), *range(50)]]
    await until(lambda: mine() == before)


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
    before = mine()[0]
    opening = asyncio.create_task(Host.open({"quiet": [*HAND_MADE, "silent"], "demo": make()}))
    await until(lambda: mine()[0] > before)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await until(lambda: mine()[0] == before)


async def test_a_host_that_a_cell_has_forgotten_is_closed() -> None:
    host = await Host.open({"demo": make()})
    await call(host, "add", a=1, b=2)
    server = host.servers["demo"]
    del host
    gc.collect()
    await until(lambda: server.client is None)


@pytest.fixture
def kernel() -> Iterator[tuple[KernelManager, Callable[..., str]]]:
    """A Jupyter kernel, and a function that runs a cell in it, and interrupts one that prints "waiting"."""
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
    servers = f"{{'memory': wait, 'hand': {[*HAND_MADE, 'none']}, 'busy': {[*HAND_MADE, 'stubborn']}}}"
    run(
        "import asyncio\nfrom llmlab.mcp.host import Host\n"
        "async def wait(seconds: float) -> str:\n    'Wait.'\n    await asyncio.sleep(seconds)\n    return 'done'\n"
        f"host = await Host.open({servers}, ask=['memory.wait', 'hand.work', 'busy.work'], seconds=1000)"
    )
    both = "print(await host.call('memory', 'wait', {'seconds': 0}), await host.call('hand', 'work'))"
    assert run(both) == "done done\n"
    for server, tool in (("memory", "wait"), ("busy", "work")):
        run(f"print('waiting', flush=True)\nawait host.call('{server}', '{tool}', {{'seconds': 1000}})", status="error")
    assert run(both) == "done done\n"
    servers = psutil.Process(manager.provisioner.pid).children(recursive=True)
    manager.shutdown_kernel(now=True)
    _, alive = psutil.wait_procs(servers, timeout=60)
    assert alive == []
