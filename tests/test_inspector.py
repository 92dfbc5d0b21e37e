"""Our servers under the command line of the MCP Inspector, a client that shares no code with ours, in both eras."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import installed

pytestmark = pytest.mark.slow

INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"
PATIENCE = ["--connect-timeout", "300000"]  # ms: importing takes its time on a busy machine
# A question to each server, and what has to stand in the answer.
ASKED: dict[str, tuple[str, dict[str, Any], str]] = {
    "calendar": ("next_event", {"title": "tasting", "after": "2026-12-01"}, "2026-12-03"),
    "messages": ("search_posts", {"text": "photographer"}, "28 May"),
    "orders": ("query_orders", {"sql": "SELECT name FROM customers WHERE id = 36"}, "Khaled Mansour"),
    "repository": ("read_source", {"path": "notes/packing.md"}, "double box"),
    "sheet": ("find_rows", {"sheet": "stock", "column": "product", "value": "kettle"}, "Northgate Wares"),
}


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("name", ASKED)
def test_the_inspector_lists_the_tools_and_calls_one(name: str, era: str, tmp_path: Path) -> None:
    inspector = installed.npm("inspector", INSPECTOR)["inspector"]
    env = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}  # it keeps a catalogue there

    def inspected(method: str, *more: str) -> dict[str, Any]:
        server = [sys.executable, "-m", f"llmlab.servers.{name}"]
        command = [*inspector, "--cli", *server, "--protocol-era", era, *PATIENCE, "--method", method, *more]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=env)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    tool, arguments, answer = ASKED[name]
    listed = {one["name"]: one for one in inspected("tools/list")["tools"]}
    assert listed[tool]["description"]
    pairs = [f"{key}={value}" for key, value in arguments.items()]
    result = inspected("tools/call", "--tool-name", tool, "--tool-arg", *pairs)
    assert not result.get("isError")
    assert answer in json.dumps(result)
