"""The orders server: it reads anything and changes nothing, except that it records returns that are allowed."""

import asyncio
import json

import pytest
from asking import bad, good, missing, prompt, text
from mcp import Client

from shop import SCHEMA, Shop, query

pytestmark = pytest.mark.anyio


async def test_sql_is_answered_with_columns_and_rows(orders: Client) -> None:
    found = await good(orders, "query_orders", sql="SELECT status, count(*) AS n FROM orders GROUP BY 1 ORDER BY 2")
    assert found["columns"] == ["status", "n"]
    assert found["rows"][0] == ["shipped", 2]
    assert not found["more"]
    many = await good(orders, "query_orders", sql="SELECT id FROM items")
    assert (len(many["rows"]), many["more"]) == (100, True)


async def test_wrong_sql_brings_what_sqlite_says(orders: Client, shop: Shop) -> None:
    assert await bad(orders, "query_orders", sql="SELECT x FROM orders") == "SQLite says: no such column: x"
    assert "Only SELECT is allowed" in await bad(orders, "query_orders", sql="DELETE FROM orders")
    assert query(shop.db, "SELECT count(*) FROM orders").rows == [[160]]


async def test_orders_are_listed_in_pages_until_the_last(orders: Client) -> None:
    seen, offset = [], 0
    while offset is not None:
        page = await good(orders, "list_orders", status="open", offset=offset, limit=4)
        seen += [order["id"] for order in page["orders"]]
        offset = page["next_offset"]
    assert seen == [*range(1160, 1149, -1)]


async def test_orders_are_found_by_a_part_of_the_name(orders: Client) -> None:
    found = await good(orders, "list_orders", customer="chikore")
    assert {order["customer"] for order in found["orders"]} == {"Farai Chikore"}
    assert (len(found["orders"]), found["next_offset"]) == (7, None)
    assert (await good(orders, "list_orders", customer="%"))["orders"] == []


@pytest.mark.parametrize("arguments", [{"status": "lost"}, {"limit": 0}, {"limit": 1000}, {"offset": -1}])
async def test_what_the_schema_does_not_allow_is_refused(orders: Client, arguments: dict[str, object]) -> None:
    assert "Input should be" in await bad(orders, "list_orders", **arguments)


async def test_an_order_is_shown_with_its_items(orders: Client) -> None:
    found = await good(orders, "order_details", order_id=1042)
    assert (found["customer"], found["total"], found["status"]) == ("Khaled Mansour", 17.5, "delivered")
    assert found["items"] == [{"product": "milk jug", "quantity": 1, "price": 17.5}]
    assert "There is no order 7;" in await bad(orders, "order_details", order_id=7)
    assert "Input should be less than" in await bad(orders, "order_details", order_id=10**30)


async def test_a_return_is_recorded_with_the_new_status(orders: Client, shop: Shop) -> None:
    found = await good(orders, "record_return", order_id=1147, reason="broken", returned_on="2026-11-20")
    assert found["status"] == "returned"
    new = query(shop.db, "SELECT reason, returned_on FROM returns WHERE order_id = 1147").rows
    assert new == [["broken", "2026-11-20"]]


@pytest.mark.parametrize(
    ("order_id", "reason", "day", "says"),
    [
        (7, "broken", "2026-11-20", "There is no order 7"),
        (1160, "broken", "2026-11-20", "but 1160 is open"),
        (1143, "broken", "2026-11-20", "but 1143 is returned"),
        (1147, "broken", "2026-12-10", "can come back from 2026-11-09 to 2026-12-09"),
        (1147, "broken", "2026-11-08", "can come back from 2026-11-09 to 2026-12-09"),
        (1147, "too blue", "2026-11-20", "Input should be 'broken', 'wrong item', 'changed mind' or 'late'"),
        (1147, "broken", "yesterday", "Input should be a valid date"),
    ],
)
async def test_a_return_that_cannot_be_is_not_recorded(
    orders: Client, shop: Shop, order_id: int, reason: str, day: str, says: str
) -> None:
    assert says in await bad(orders, "record_return", order_id=order_id, reason=reason, returned_on=day)
    assert query(shop.db, "SELECT count(*) FROM returns").rows == [[25]]


async def test_of_many_attempts_at_once_one_records_the_return(orders: Client, shop: Shop) -> None:
    arguments = {"order_id": 1147, "reason": "late", "returned_on": "2026-11-20"}
    results = await asyncio.gather(*(orders.call_tool("record_return", arguments) for _ in range(8)))
    refused = [result.content[0].text for result in results if result.is_error]
    assert [text.partition("but ")[2] for text in refused] == ["1147 is returned; nothing was recorded"] * 7
    assert query(shop.db, "SELECT count(*) FROM returns WHERE order_id = 1147").rows == [[1]]


async def test_many_questions_at_once_get_their_own_answers(orders: Client) -> None:
    ids = range(1001, 1041)
    found = await asyncio.gather(*(good(orders, "order_details", order_id=i) for i in ids))
    assert [order["id"] for order in found] == [*ids]


async def test_schema_and_orders_are_resources_and_the_prompt_brings_the_schema(orders: Client) -> None:
    assert await text(orders, "shop://schema") == SCHEMA
    assert json.loads(await text(orders, "shop://orders/1042"))["customer"] == "Khaled Mansour"
    for order_id in ("7", "seven", "9" * 30):
        assert await missing(orders, f"shop://orders/{order_id}") == f"There is no order '{order_id}'"
    asked = await prompt(orders, "sql_for", question="How many customers live in Sligo?")
    assert SCHEMA in asked
    assert asked.endswith("How many customers live in Sligo?")
