"""Each server as a process of its own, over stdio and over HTTP, in both eras; what all of them offer."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import good
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from shop import Shop

pytestmark = pytest.mark.anyio

# A question to each server, and what has to stand in the answer.
ASKED: dict[str, tuple[str, dict[str, Any], str]] = {
    "calendar": ("next_event", {"title": "tasting", "after": "2026-12-01"}, "2026-12-03"),
    "messages": ("search_posts", {"text": "photographer"}, "28 May"),
    "orders": ("query_orders", {"sql": "SELECT name FROM customers WHERE id = 36"}, "Khaled Mansour"),
    "repository": ("read_source", {"path": "notes/packing.md"}, "double box"),
    "sheet": ("find_rows", {"sheet": "stock", "column": "product", "value": "kettle"}, "Northgate Wares"),
}


@pytest.fixture(params=["legacy", "2026-07-28"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("name", ASKED)
async def test_over_stdio_a_server_answers_says_nothing_else_and_leaves_nothing(
    name: str, era: str, tmp_path: Path
) -> None:
    env = {**os.environ, **{variable: str(tmp_path / "own") for variable in ("TMPDIR", "TEMP", "TMP")}}
    (tmp_path / "own").mkdir()
    tool, asked, answer = ASKED[name]
    started = StdioServerParameters(command=sys.executable, args=["-m", f"shop.{name}"], env=env)
    with (tmp_path / "stderr").open("w+", encoding="utf-8") as errors:
        async with Client(stdio_client(started, errlog=errors), mode=era) as client:
            assert answer in json.dumps(await good(client, tool, **asked))
    assert (tmp_path / "stderr").read_text("utf-8") == ""
    assert list((tmp_path / "own").iterdir()) == [], "the copy of the shop goes with the process"


async def test_what_the_servers_offer_is_described_and_says_what_it_changes(clients: dict[str, Client]) -> None:
    names: list[str] = []
    for client in clients.values():
        for tool in (await client.list_tools()).tools:
            assert tool.output_schema
            assert tool.annotations
            assert tool.annotations.read_only_hint == (tool.name not in ("record_return", "set_cell", "post_message"))
            assert bool(tool.annotations.destructive_hint) == (tool.name in ("record_return", "set_cell"))
            names.append(tool.name)
    assert len({*names}) == len(names), "tools of different servers stand side by side"


@pytest.fixture
def over_http(shop: Shop) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["shop.orders", "--db", str(shop.db), "--http", "--port", str(port)]
    with subprocess.Popen([sys.executable, "-m", *arguments], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        yield process.stderr.readline().split()[-1]
        process.terminate()
        assert process.wait(20) is not None


async def test_over_http_a_server_works_on_the_file_that_it_was_given(over_http: str, era: str, shop: Shop) -> None:
    async with await _until_it_listens(over_http, era) as client:
        arguments = {"order_id": 1147, "reason": "late", "returned_on": "2026-11-20"}
        assert (await good(client, "record_return", **arguments))["status"] == "returned"
    assert b"late2026-11-20" in shop.db.read_bytes()


async def _until_it_listens(address: str, mode: str) -> Client:
    host, port = address.removeprefix("http://").removesuffix("/mcp").split(":")
    while True:
        try:
            socket.create_connection((host, int(port)), 5).close()
            return Client(address, mode=mode)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(("part", "says"), [("", "has no .git; choose another"), ("none", "No such file")])
def test_a_path_that_does_not_fit_is_told_in_a_sentence(tmp_path: Path, part: str, says: str) -> None:
    command = [sys.executable, "-m", "shop.repository", "--repository", str(tmp_path / part)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
