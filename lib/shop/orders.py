"""An MCP server for the shop's orders (SQLite): questions in SQL, single orders, and one act: to record a return."""

import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from shop.common import CHANGES, READS, TEXT, WORD, Further, Limit, Offset, Refusal, Server, page, run
from shop.world import LIMIT, SCHEMA, query

RETURN_DAYS = 30
ORDERS = """SELECT orders.id, name AS customer, city, ordered_on, total, status
FROM orders JOIN customers ON customers.id = customer_id WHERE {} ORDER BY orders.id DESC"""

# What a model may write, as narrow as can be (the SDK checks it before a function runs); then what it gets to read.
Sql = Annotated[str, Field(max_length=TEXT, description="One SELECT statement for SQLite")]
Status = Literal["open", "shipped", "delivered", "cancelled", "returned"]
Reason = Literal["broken", "wrong item", "changed mind", "late"]
Name = Annotated[str, Field(max_length=WORD)]
OrderId = Annotated[int, Field(ge=1, lt=2**31, description="Number of the order, such as 1042")]
Euros = Annotated[float, Field(description="In euros")]
More = Annotated[bool, Field(description=f"There are more than these {LIMIT} rows")]
Answer = TypedDict("Answer", {"columns": list[str], "rows": list[list[str | int | float | None]], "more": More})
Order = TypedDict(
    "Order", {"id": int, "customer": str, "city": str, "ordered_on": date, "total": Euros, "status": Status}
)
Item = TypedDict("Item", {"product": str, "quantity": int, "price": Euros})
Orders = TypedDict("Orders", {"next_offset": Further, "orders": list[Order]})


class FullOrder(Order):
    """An order with what is in it."""

    items: list[Item]


def query_orders(db: Path, sql: Sql) -> Answer:
    """Run SQL on the tables customers, orders, items and returns. Nothing can be changed with it."""
    found = query(db, sql)
    return {"columns": found.columns, "rows": found.rows, "more": found.more}


def list_orders(
    db: Path, status: Status | None = None, customer: Name | None = None, offset: Offset = 0, limit: Limit = 20
) -> Orders:
    """List orders, the newest first: all, or those with a status, or those of a customer (a part of the name)."""
    where = "(?1 IS NULL OR status = ?1) AND (?2 IS NULL OR instr(lower(name), lower(?2)))"
    return page("orders", query(db, ORDERS.format(where), (status, customer), 100_000).records(), offset, limit)


def order_details(db: Path, order_id: OrderId) -> FullOrder:
    """Get one order: customer, date, status, total and its items."""
    found = query(db, ORDERS.format("orders.id = ?"), (order_id,)).records()
    if not found:
        raise Refusal(f"There is no order {order_id}; list_orders shows those that there are")
    items = query(db, "SELECT product, quantity, price FROM items WHERE order_id = ?", (order_id,)).records()
    return found[0] | {"items": items}


def record_return(db: Path, order_id: OrderId, reason: Reason, returned_on: date) -> FullOrder:
    """Record that a customer has sent an order back; the order gets the status "returned"."""
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")  # nobody else writes between what we read and what we write
        found = connection.execute("SELECT status, ordered_on FROM orders WHERE id = ?", (order_id,)).fetchone()
        if found is None:
            raise Refusal(f"There is no order {order_id}; nothing was recorded")
        status, ordered_on = found[0], date.fromisoformat(found[1])
        if status != "delivered":
            raise Refusal(f"Only a delivered order can come back, but {order_id} is {status}; nothing was recorded")
        last = ordered_on + timedelta(RETURN_DAYS)
        if not ordered_on <= returned_on <= last:
            raise Refusal(f"Order {order_id} can come back from {ordered_on} to {last}; nothing was recorded")
        connection.execute("INSERT INTO returns VALUES (NULL, ?, ?, ?)", (order_id, reason, returned_on.isoformat()))
        connection.execute("UPDATE orders SET status = 'returned' WHERE id = ?", (order_id,))
        connection.execute("COMMIT")  # all of it, or nothing
    return order_details(db, order_id)


def schema(db: Path) -> str:
    """The tables of the shop's database."""
    return SCHEMA


def sql_for(question: Annotated[str, Field(description="The question, such as: How many orders are open?")]) -> str:
    """Ask for the SQL that answers a question about the shop."""
    return f"{SCHEMA}\n\nDates are texts such as 2026-07-01. Write one SELECT statement for SQLite.\n{question}"


def server(db: Path) -> Server:
    """The orders of a shop in a SQLite file."""
    mcp = Server("orders", "Customers, orders, items and returns of the shop.", db)
    mcp.offer(mcp.tool(annotations=READS), query_orders, list_orders, order_details)
    mcp.offer(mcp.tool(annotations=CHANGES), record_return)
    mcp.lend("shop://schema", schema, mime_type="application/sql")
    mcp.lend("shop://orders/{order_id}", order_details, "One order with its items.")
    mcp.prompt()(sql_for)
    return mcp


if __name__ == "__main__":
    run(server, "db")
