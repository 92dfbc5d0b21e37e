"""Our host against servers that others wrote: two from PyPI (the modern era), three from npm (the handshake era)."""

import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import installed
from llmlab.errors import ToolError
from llmlab.mcp.host import Host
from llmlab.show.formatters import bundle
from shop import lay_out

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NPM = [f"@modelcontextprotocol/server-{name}@2026.8.31" for name in ("everything", "filesystem", "memory")]


@pytest.fixture(scope="module")
def theirs() -> dict[str, list[str]]:
    """The command of each server."""
    python = str(installed.python("servers-of-pypi", "mcp-server-git==2026.10.19", "mcp-server-time==2026.10.19"))
    return {"server-git": [python, "-m", "mcp_server_git"], **installed.npm("servers-of-npm", *NPM)}


async def opened(command: Any) -> Host:
    return await Host.open({"it": command}, approve=lambda *_: True, seconds=120, starts=120)


async def test_git_tells_what_a_repository_holds(theirs: dict[str, list[str]], tmp_path: Path) -> None:
    repository = str(lay_out(tmp_path / "shop").repository)
    last = subprocess.check_output(["git", "log", "-1", "--format=%s"], cwd=repository, text=True).strip()
    async with await opened([*theirs["server-git"], "--repository", repository]) as host:
        assert {"git_status", "git_log", "git_diff"} <= {tool.name for tool in host.tools()}
        assert last in await host.call("it", "git_log", {"repo_path": repository, "max_count": 1})
        assert host.servers["it"].protocol == "2026-07-28"


async def test_time_answers_what_chapter_13_writes_by_hand_in_both_eras(theirs: dict[str, list[str]]) -> None:
    ch13, checks = import_module("chapters.ch13"), import_module("chapters.ch13.checks")
    command = ch13.foreign("mcp_server_time")
    assert command, "found where the tests install it"
    noon = {"source_timezone": "Asia/Seoul", "time": "12:00", "target_timezone": "Asia/Kolkata"}
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "convert_time", "arguments": noon}}
    modern = {**call, "params": {**call["params"], "_meta": checks.META}}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": checks.HELLO}
    confirm = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    for said in ([modern], [hello, confirm, call]):
        trace = await ch13.exchange(command, said, "time", seconds=0.5)
        assert "T08:30:00+05:30" in trace.steps[-1].message["result"]["content"][0]["text"]


async def test_filesystem_reads_below_its_folder_and_nowhere_else(theirs: dict[str, list[str]], tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside.txt"
    inside.mkdir()
    (inside / "tea.txt").write_text("oolong, sencha")
    outside.write_text("secret")
    async with await opened([*theirs["server-filesystem"], str(inside)]) as host:
        assert {"read_text_file", "write_file"} <= {tool.name for tool in host.tools()}
        assert await host.call("it", "read_text_file", {"path": str(inside / "tea.txt")}) == "oolong, sencha"
        with pytest.raises(ToolError, match="denied"):
            await host.call("it", "read_text_file", {"path": str(outside)})
        assert host.servers["it"].protocol == "2025-11-25"


async def test_everything_offers_tools_resources_and_prompts(theirs: dict[str, list[str]]) -> None:
    async with await opened(theirs["server-everything"]) as host:
        assert await host.call("it", "echo", {"message": "oolong"}) == "Echo: oolong"
        assert "data:image/png;base64," in bundle(await host.call("it", "get-tiny-image"))["text/html"]
        assert {resource.template for resource in host.resources()} == {False, True}
        assert len(await host.read(next(r.uri for r in host.resources() if not r.template))) > 20
        [message] = await host.prompt("args-prompt", city="Daegu")
        assert "Daegu" in message["content"]


async def test_memory_keeps_what_it_was_told(theirs: dict[str, list[str]], tmp_path: Path) -> None:
    node, script = theirs["server-memory"]
    server = {"command": node, "args": [script], "env": {"MEMORY_FILE_PATH": str(tmp_path / "memory.jsonl")}}
    ann = {"name": "Ann", "entityType": "person", "observations": ["likes oolong"]}
    async with await opened(server) as host:
        await host.call("it", "create_entities", {"entities": [ann]})
    async with await opened(server) as host:
        assert "likes oolong" in await host.call("it", "search_nodes", {"query": "Ann"})
