"""Our servers and that of chapter 15 under the MCP Inspector: a client that shares no code with ours, in both eras."""

import asyncio
import json
import os
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
import pytest

import installed
from llmlab.settings import ROOT

pytestmark = pytest.mark.slow

INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"
CUSTOMER = "'sql=SELECT name FROM customers WHERE id = 36'"
# For each server: a call and what has to stand in the answer; a resource and a word of it; its prompt.
ASKED = {
    "calendar": (
        "next_event title=tasting after=2026-12-01",
        "2026-12-03",
        "calendar://file",
        "BEGIN:VCALENDAR",
        "week",
    ),
    "messages": ("search_posts text=photographer", "28 May", "messages://channels/general", "author", "summary"),
    "orders": (f"query_orders {CUSTOMER}", "Khaled Mansour", "shop://schema", "CREATE TABLE", "sql_for"),
    "repository": (
        "read_source path=notes/packing.md",
        "double box",
        "repo://files/notes/packing.md",
        "box",
        "explain_commit",
    ),
    "sheet": ("find_rows sheet=stock column=product value=kettle", "North", "sheet://sheets/stock", "North", "reorder"),
}


def inspected(folder: Path, *given: str) -> dict[str, Any]:
    """What the Inspector prints; it keeps a catalogue in the home folder."""
    env = {**os.environ, "HOME": str(folder), "USERPROFILE": str(folder)}
    command = [*installed.npm("inspector", INSPECTOR)["inspector"], "--cli", *given, "--connect-timeout", "300000"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def inspect(name: str, folder: Path, *server: str) -> None:
    """List and use a tool, a resource and a prompt of a server of the lab, however it is reached."""
    call, answer, uri, word, prompt = ASKED[name]
    tool, *pairs = shlex.split(call)
    listed = {one["name"]: one for one in inspected(folder, *server, "--method", "tools/list")["tools"]}
    result = inspected(folder, *server, "--method", "tools/call", "--tool-name", tool, "--tool-arg", *pairs)
    assert (bool(listed[tool]["description"]), result.get("isError") or False) == (True, False)
    assert answer in json.dumps(result)
    [part] = inspected(folder, *server, "--method", "resources/read", "--uri", uri)["contents"]
    assert (part["uri"], word in part["text"]) == (uri, True)
    [kept] = inspected(folder, *server, "--method", "prompts/list")["prompts"]
    assert (kept["name"], bool(kept["arguments"][0]["description"])) == (prompt, True)


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("name", ASKED)
def test_the_inspector_uses_a_tool_a_resource_and_a_prompt(name: str, era: str, tmp_path: Path) -> None:
    inspect(name, tmp_path, sys.executable, "-m", f"shop.{name}", "--protocol-era", era)


@pytest.mark.anyio
async def test_over_http_it_is_the_same(tmp_path: Path) -> None:
    lab = import_module("chapters.ch15.http")
    process, url = await lab.start([sys.executable, "-m", "shop.orders", "--http", "--port"])  # it adds a free port
    try:
        for era in ("legacy", "modern"):
            where = [url, "--transport", "http", "--protocol-era", era]
            await asyncio.to_thread(inspect, "orders", tmp_path, *where)
    finally:
        await lab.stop(process)


def test_the_commands_that_chapter_15_prints_work_on_the_server_that_it_writes(tmp_path: Path) -> None:
    made, printed = dict[str, str](), ""
    for cell in nbformat.read(ROOT / "notebooks" / "15_your_own_server.ipynb", as_version=4).cells:
        printed += f"{cell.source}\n" if cell.cell_type == "markdown" else ""
        if cell.source.startswith(("BASE = ", "READ = ", "LEND = ", "REST = ")):
            exec(cell.source, made)  # the pieces of the server
    text = "\n".join(made[part] for part in ("BASE", "READ", "LEND", "REST"))
    (tmp_path / "lending.py").write_text(text, encoding="utf-8")
    commands = [shlex.split(line) for line in printed.splitlines() if line.startswith("npx ")]
    assert [command[:4] for command in commands] == [["npx", INSPECTOR, "--cli", "python"]] * 2
    listed, lent = (inspected(tmp_path, sys.executable, *command[4:]) for command in commands)
    assert {tool["name"] for tool in listed["tools"]} == {"list_things", "who_has", "lend"}
    assert "Kamil has the party kettle" in json.dumps(lent)
    with closing(sqlite3.connect(tmp_path / "lending.db")) as db:
        assert db.execute("SELECT borrower FROM things WHERE name = 'party kettle'").fetchall() == [("Kamil",)]
