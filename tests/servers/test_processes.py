"""Each server as a process of its own, over stdio and over HTTP, in both eras; what all of them offer."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx2
import pytest
from asking import bad, good
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from shop import Shop

pytestmark = pytest.mark.anyio

PREFIX = "io.modelcontextprotocol"
# A question to each server, and what has to stand in the answer.
ASKED: dict[str, tuple[str, dict[str, Any], str]] = {
    "calendar": ("next_event", {"title": "tasting", "after": "2026-12-01"}, "2026-12-03"),
    "messages": ("search_posts", {"text": "photographer"}, "28 May"),
    "orders": ("query_orders", {"sql": "SELECT name FROM customers WHERE id = 36"}, "Khaled Mansour"),
    "repository": ("read_source", {"path": "notes/packing.md"}, "double box"),
    "sheet": ("find_rows", {"sheet": "stock", "column": "product", "value": "kettle"}, "Northgate Wares"),
}

# Arguments that fit, where a tool asks for one of this name.
FITTING: dict[str, Any] = {
    "first": "2026-12-01",
    "last": "2026-12-02",
    "after": "2026-12-01",
    "start": "2026-12-01T09:00",
    "end": "2026-12-01T10:00",
    "title": "tasting",
    "channel": "stock",
    "text": "kettle",
    "sql": "SELECT 1",
    "order_id": 1147,
    "reason": "late",
    "returned_on": "2026-11-20",
    "commit": "HEAD",
    "path": "README.md",
    "sheet": "stock",
    "cells": "A1",
    "column": "product",
    "value": "kettle",
    "cell": "A20",
}


def command(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"shop.{name}", *arguments]


def _own_temporary(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "temporary").mkdir()
    own = {variable: str(tmp_path / "temporary") for variable in ("TMPDIR", "TEMP", "TMP")}
    return {**os.environ, **own}


@pytest.mark.parametrize("name", ASKED)
async def test_over_stdio_a_server_answers_says_nothing_else_and_leaves_nothing(
    name: str, era: str, tmp_path: Path
) -> None:
    python, *arguments = command(name)
    env = _own_temporary(tmp_path)
    tool, asked, answer = ASKED[name]
    with (tmp_path / "stderr").open("w+", encoding="utf-8") as errors:
        process = stdio_client(StdioServerParameters(command=python, args=arguments, env=env), errlog=errors)
        async with Client(process, mode=era) as client:
            assert answer in json.dumps(await good(client, tool, **asked))
            tools = (await client.list_tools()).tools
        errors.seek(0)
        assert errors.read() == ""
    assert list((tmp_path / "temporary").iterdir()) == [], "the copy of the shop goes with the process"
    for one in tools:
        assert one.description
        assert one.output_schema
        assert one.annotations
        assert one.annotations.read_only_hint == (one.name not in ("record_return", "set_cell", "post_message"))
        assert bool(one.annotations.destructive_hint) == (one.name in ("record_return", "set_cell"))


async def test_what_every_server_offers_has_a_name_and_a_description(
    calendar: Client, messages: Client, orders: Client, repository: Client, sheet: Client
) -> None:
    names = set()
    for client in (calendar, messages, orders, repository, sheet):
        if client.server_info:  # with a fixed modern version it stands in no answer
            assert client.server_info.version == version("llmlab")
        for listed in (
            (await client.list_tools()).tools,
            (await client.list_resources()).resources,
            (await client.list_resource_templates()).resource_templates,
            (await client.list_prompts()).prompts,
        ):
            assert listed
            assert all(one.description for one in listed)
            assert names.isdisjoint(one.name for one in listed), "tools of different servers stand side by side"
            names |= {one.name for one in listed}


def _texts(schema: dict[str, Any], defs: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each text that a schema allows, however deep it stands."""
    schema = defs.get(schema.get("$ref", "").rpartition("/")[2], schema)
    if schema.get("type") == "string":
        yield schema
    items = [schema["items"]] if "items" in schema else []
    for one in [*schema.get("anyOf", []), *schema.get("properties", {}).values(), *items]:
        yield from _texts(one, defs)


async def test_every_text_has_a_limit_and_a_longer_one_is_refused_in_one_sentence(
    calendar: Client, messages: Client, orders: Client, repository: Client, sheet: Client
) -> None:
    limited = 0
    for client in (calendar, messages, orders, repository, sheet):
        for tool in (await client.list_tools()).tools:
            required = {name: FITTING[name] for name in tool.input_schema.get("required", [])}
            for name, schema in tool.input_schema["properties"].items():
                for one in _texts(schema, tool.input_schema.get("$defs", {})):
                    if "enum" in one or one.get("format") in ("date", "date-time"):
                        continue
                    most = one.get("maxLength")
                    assert most, f"{tool.name}.{name} takes a text of any length"
                    limited += 1
                    said = await bad(client, tool.name, **{**required, name: "a" * (most + 1)})
                    why = f"{name}: String should have at most {most} characters"
                    assert said == f"{tool.name} does not take these arguments ({why})"
                    just = await client.call_tool(tool.name, {**required, name: "a" * most})
                    assert "String should" not in just.content[0].text
    assert limited == 21


async def test_every_argument_of_a_prompt_is_described(
    calendar: Client, messages: Client, orders: Client, repository: Client, sheet: Client
) -> None:
    for client in (calendar, messages, orders, repository, sheet):
        for one in (await client.list_prompts()).prompts:
            assert one.arguments
            assert all(argument.description for argument in one.arguments), one.name


@pytest.fixture
def over_http(shop: Shop, tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = command("orders", "--db", str(shop.db), "--http", "--port", str(port))
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env=_own_temporary(tmp_path)) as process:
        assert process.stderr
        yield process.stderr.readline().split()[-1], process
        process.kill()


async def test_over_http_a_server_works_on_the_file_that_it_was_given(
    over_http: tuple[str, "subprocess.Popen[str]"], shop: Shop, tmp_path: Path
) -> None:
    address, process = over_http
    for mode, order_id in (("legacy", 1147), ("2026-07-28", 1145)):
        client = await _until_it_listens(address, mode)
        async with client:
            arguments = {"order_id": order_id, "reason": "late", "returned_on": "2026-11-20"}
            assert (await good(client, "record_return", **arguments))["status"] == "returned"
    assert shop.db.read_bytes().count(b"late2026-11-20") == 2
    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.wait, 20)
    if sys.platform != "win32":  # there, this signal leaves no time to clear up
        assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Host", "evil.example.org", 421),
        ("Origin", "https://evil.example.org", 403),
        ("Origin", "null", 403),
        ("Origin", "http://127.0.0.1:8888", 200),
    ],
)
async def test_over_http_a_page_from_elsewhere_gets_no_answer(
    over_http: tuple[str, "subprocess.Popen[str]"], header: str, value: str, status: int, modern: bool
) -> None:
    async with await _until_it_listens(over_http[0], "legacy"):
        pass
    told = {f"{PREFIX}/protocolVersion": "2026-07-28", f"{PREFIX}/clientCapabilities": {}}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "page", "version": "1"}}
    method, params = ("server/discover", {"_meta": told}) if modern else ("initialize", hello)
    headers = {"Accept": "application/json, text/event-stream", header: value}
    if modern:
        headers |= {"MCP-Protocol-Version": "2026-07-28", "MCP-Method": method}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with httpx2.AsyncClient() as page:
        answer = await page.post(over_http[0], json=body, headers=headers)
    assert answer.status_code == status
    assert ("result" in answer.text) == (status == 200)


async def _until_it_listens(address: str, mode: str) -> Client:
    host, port = address.removeprefix("http://").removesuffix("/mcp").split(":")
    while True:
        try:
            socket.create_connection((host, int(port)), 5).close()
            return Client(address, mode=mode)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)


def test_a_path_that_does_not_fit_is_told_in_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run(command("repository", "--repository", str(tmp_path)), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "This server takes the top folder of a Git repository" in done.stderr
