"""What the servers of the calendar, the messages, the orders and the sheet answer, change, and refuse in words."""

import asyncio
import datetime
import json
from typing import Any

import pytest
from asking import bad, good, missing, text
from mcp import Client
from openpyxl import load_workbook

from shop import SCHEMA, Shop, query

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("server", "tool", "arguments", "key", "total"),
    [
        ("calendar", "events_between", {"first": "2026-01-01", "last": "2026-12-31", "limit": 50}, "events", 195),
        ("messages", "read_posts", {"channel": "orders", "limit": 5}, "posts", 12),
        ("orders", "list_orders", {"status": "open", "limit": 4}, "orders", 11),
        ("sheet", "find_rows", {"sheet": "stock", "column": "category", "value": "tea", "limit": 4}, "rows", 6),
        ("repository", "commit_log", {"limit": 9}, "commits", 12),
    ],
)
async def test_a_long_list_comes_in_pages_without_gaps(
    clients: dict[str, Client], server: str, tool: str, arguments: dict[str, Any], key: str, total: int
) -> None:
    whole = await good(clients[server], tool, **arguments | {"limit": 50})
    seen, offset = [], 0
    while offset is not None:
        page = await good(clients[server], tool, **arguments, offset=offset)
        seen, offset = seen + page[key], page["next_offset"]
    assert len(seen) == total
    assert seen[:50] == whole[key]


async def test_events_are_one_by_one_with_exceptions_last_days_and_zones(calendar: Client) -> None:
    found = (await good(calendar, "events_between", first="2026-12-02", last="2026-12-03"))["events"]
    assert [event["start"][:10] for event in found] == ["2026-11-27", "2026-12-02", "2026-12-03", "2026-12-03"]
    moved = await good(calendar, "next_event", title="tasting", after="2026-07-01")
    assert (moved["title"], moved["start"]) == ("Tasting evening (moved)", "2026-07-09T19:00:00+01:00")
    holiday = await good(calendar, "next_event", title="OISIN on holiday", after="2026-01-01")
    assert (holiday["start"], holiday["end"]) == ("2026-08-03", "2026-08-14")
    winter = await good(calendar, "next_event", title="team", after="2026-11-01")
    assert winter["start"] == "2026-11-03T08:15:00+00:00"
    free = await good(calendar, "events_at", start="2026-07-02T19:00", end="2026-07-02T21:00")
    assert free["events"] == []


async def test_posts_are_found_and_a_new_one_is_the_assistants(messages: Client) -> None:
    found = (await good(messages, "search_posts", text="GLASS CUP"))["posts"]
    assert [post["id"] for post in found] == [38, 22, 18, 13]
    assert (await good(messages, "search_posts", text="100%"))["posts"] == []
    texts = [f"It's {n} kettles; 'DROP TABLE posts' 🫖" for n in range(8)]
    made = await asyncio.gather(*(good(messages, "post_message", channel="stock", text=one) for one in texts))
    assert [(post["author"], post["text"]) for post in made] == [("assistant", one) for one in texts]
    assert sum(channel["posts"] for channel in await good(messages, "list_channels")) == 48


async def test_orders_are_asked_in_sql_by_name_and_by_number(orders: Client) -> None:
    found = await good(orders, "query_orders", sql="SELECT status, count(*) AS n FROM orders GROUP BY 1 ORDER BY 2")
    assert (found["columns"], found["rows"][0], found["more"]) == (["status", "n"], ["shipped", 2], False)
    assert (await good(orders, "query_orders", sql="SELECT id FROM items"))["more"]
    named = (await good(orders, "list_orders", customer="chikore"))["orders"]
    assert ({order["customer"] for order in named}, len(named)) == ({"Farai Chikore"}, 7)
    full = await asyncio.gather(*(good(orders, "order_details", order_id=i) for i in range(1040, 1045)))
    assert [order["id"] for order in full] == [*range(1040, 1045)]
    assert full[2]["items"] == [{"product": "milk jug", "quantity": 1, "price": 17.5}]


async def test_of_many_attempts_at_once_one_records_the_return(orders: Client, shop: Shop) -> None:
    arguments = {"order_id": 1147, "reason": "late", "returned_on": "2026-11-20"}
    results = await asyncio.gather(*(orders.call_tool("record_return", arguments) for _ in range(8)))
    refused = [result.content[0].text for result in results if result.is_error]
    assert ["1147 is returned; nothing" in said for said in refused] == [True] * 7
    assert query(shop.db, "SELECT reason FROM returns WHERE order_id = 1147").rows == [["late"]]


async def test_a_sheet_is_read_by_range_and_by_value(sheet: Client, shop: Shop) -> None:
    stock, suppliers = await good(sheet, "list_sheets")
    assert (stock["rows"], stock["columns"][:2], suppliers["rows"]) == (24, ["product", "category"], 7)
    [kettle] = (await good(sheet, "find_rows", sheet="stock", column="product", value="Kettle"))["rows"]
    assert (kettle["price"], kettle["in_stock"], kettle["supplier"]) == (52, 3, "Northgate Wares")
    assert len((await good(sheet, "find_rows", sheet="stock", column="price", value="9"))["rows"]) == 3
    book = load_workbook(shop.sheet)
    book["stock"]["G2"], book["stock"]["G3"] = "=D2*2", datetime.date(2026, 7, 1)
    book.save(shop.sheet)
    read = await good(sheet, "read_range", sheet="stock", cells="f2:G4")
    assert read == [["Finca Almeda", value] for value in ("=D2*2", "2026-07-01 00:00:00", None)]
    assert "Formulas" in await bad(sheet, "set_cell", sheet="stock", cell="G2", value=1)


async def test_cells_are_set_also_many_at_once_and_the_rest_stays(sheet: Client, shop: Shop) -> None:
    change = await good(sheet, "set_cell", sheet="stock", cell="d20", value=15)
    assert change == {"cell": "D20", "old": 3, "new": 15}
    new = {f"D{row}": 1000 + row for row in range(2, 8)}
    await asyncio.gather(*(good(sheet, "set_cell", sheet="stock", cell=cell, value=new[cell]) for cell in new))
    book = load_workbook(shop.sheet)
    assert {cell: book["stock"][cell].value for cell in new} == new
    assert [cell.value for cell in book["stock"][20]] == ["kettle", "equipment", 52, 15, 5, "Northgate Wares"]
    assert [file.name for file in shop.folder.glob("stock*")] == ["stock.xlsx"]


@pytest.mark.parametrize(
    ("server", "tool", "says", "arguments"),
    [
        ("calendar", "events_between", "by at most 366 days", {"first": "2026-07-02", "last": "2026-07-01"}),
        ("calendar", "events_at", "timezone info", {"start": "2026-07-01T09:00Z", "end": "2026-07-01T10:00"}),
        ("calendar", "next_event", "No event with 'circus'", {"title": "circus", "after": "2026-01-01"}),
        ("messages", "read_posts", "one of general, orders, stock, website", {"channel": "stock' OR '1'='1"}),
        ("messages", "post_message", "at most 2000 characters", {"channel": "stock", "text": "a" * 2001}),
        ("orders", "query_orders", "Only SELECT is allowed", {"sql": "DELETE FROM orders"}),
        ("orders", "record_return", "1160 is open", {"order_id": 1160}),
        ("orders", "record_return", "1143 is returned", {"order_id": 1143}),
        ("orders", "record_return", "from 2026-11-09 to 2026-12-09", {"returned_on": "2026-12-10"}),
        ("orders", "record_return", "reason: Input should be", {"reason": "too blue"}),
        ("sheet", "read_range", "one of stock, suppliers", {"sheet": "nope", "cells": "A1"}),
        ("sheet", "read_range", "at most 500 cells", {"sheet": "stock", "cells": "A1:XFD1048576"}),
        ("sheet", "set_cell", "has a number (3)", {"value": "many"}),
        ("sheet", "set_cell", "has a text ('kettle')", {"cell": "A20"}),
        ("sheet", "set_cell", "Formulas are neither", {"cell": "A20", "value": "=A1"}),
        ("sheet", "set_cell", "from A2 to F25", {"cell": "A1"}),
        ("sheet", "set_cell", "like D4", {"cell": "D2:D20"}),
    ],
)
async def test_a_call_that_cannot_be_is_refused_in_words_and_changes_nothing(
    clients: dict[str, Client], shop: Shop, server: str, tool: str, says: str, arguments: dict[str, Any]
) -> None:
    usual: dict[str, dict[str, Any]] = {"set_cell": {"sheet": "stock", "cell": "D20", "value": 7}}
    usual["record_return"] = {"order_id": 1147, "reason": "broken", "returned_on": "2026-11-20"}
    before = [file.read_bytes() for file in (shop.db, shop.messages, shop.sheet)]
    assert says in await bad(clients[server], tool, **usual.get(tool, {}) | arguments)
    assert [file.read_bytes() for file in (shop.db, shop.messages, shop.sheet)] == before


async def test_resources_hold_the_data_and_the_prompt_for_sql_the_schema(clients: dict[str, Client]) -> None:
    calendar, messages, orders, _, sheet = clients.values()
    assert (await text(calendar, "calendar://file")).startswith("BEGIN:VCALENDAR")
    assert [one["title"] for one in json.loads(await text(calendar, "calendar://days/2026-07-01"))] == ["New prices"]
    assert "like 2026-07-01" in await missing(calendar, "calendar://days/2026-02-30")
    assert len(json.loads(await text(messages, "messages://channels/general"))["posts"]) == 10
    assert "A channel is one of" in await missing(messages, "messages://channels/gossip")
    assert json.loads(await text(orders, "shop://orders/1042"))["customer"] == "Khaled Mansour"
    assert json.loads(await text(sheet, "sheet://sheets/suppliers"))[0]["place"] == "Huila, Colombia"
    assert await text(orders, "shop://schema") == SCHEMA
    assert SCHEMA in (await orders.get_prompt("sql_for", {"question": "How many?"})).messages[0].content.text
