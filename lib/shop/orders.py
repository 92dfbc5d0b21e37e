"""An MCP server for the shop's orders (SQLite): questions in SQL, single orders, and one act: to record a return."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from pydantic import BaseModel, Field

from shop.common import (
    CHANGES,
    READS,
    TEXT,
    WORD,
    Limit,
    Offset,
    Page,
    Server,
    ask,
    page,
    records,
    run,
    writing,
)
from shop.world import LIMIT, SCHEMA

RETURN_DAYS = 30
Status = Literal["open", "shipped", "delivered", "cancelled", "returned"]
Reason = Literal["broken", "wrong item", "changed mind", "late"]
OrderId = Annotated[int, Field(ge=1, lt=2**31, description="Number of the order, such as 1042")]


class Answer(BaseModel):
    """What a query found."""

    columns: list[str]
    rows: list[list[str | int | float | None]]
    more: bool = Field(description=f"There are more than these {LIMIT} rows")


class Order(BaseModel):
    """An order, without what is in it."""

    id: int
    customer: str
    city: str
    ordered_on: date
    total: float = Field(description="In euros")
    status: Status


class Item(BaseModel):
    """One product of an order."""

    product: str
    quantity: int
    price: float = Field(description="Of one piece, in euros")


class FullOrder(Order):
    """An order with what is in it."""

    items: list[Item]


class Orders(Page):
    """A page of orders."""

    orders: list[Order]


ORDERS = (
    "SELECT orders.id, name AS customer, city, ordered_on, total, status "
    "FROM orders JOIN customers ON customers.id = customer_id"
)


def server(db: Path) -> Server:
    """The orders of a shop in a SQLite file."""
    mcp = Server("orders", "Customers, orders, items and returns of the shop.")

    @mcp.tool(annotations=READS)
    def query_orders(
        sql: Annotated[str, Field(max_length=TEXT, description="One SELECT statement for SQLite")],
    ) -> Answer:
        """Run SQL on the tables customers, orders, items and returns. Nothing can be changed with it."""
        found = ask(db, sql, limit=LIMIT)
        return Answer(columns=found.columns, rows=found.rows, more=found.more)

    @mcp.tool(annotations=READS)
    def list_orders(
        status: Status | None = None,
        customer: Annotated[str, Field(max_length=WORD)] | None = None,
        offset: Offset = 0,
        limit: Limit = 20,
    ) -> Orders:
        """List orders, the newest first: all, or those with a status, or those of a customer (a part of the name)."""
        where = "(?1 IS NULL OR status = ?1) AND (?2 IS NULL OR instr(lower(name), lower(?2)))"
        found = records(ask(db, f"{ORDERS} WHERE {where} ORDER BY orders.id DESC", (status, customer), limit=100_000))
        orders, further = page(found, offset, limit)
        return Orders(orders=orders, next_offset=further)

    @mcp.tool(annotations=READS)
    def order_details(order_id: OrderId) -> FullOrder:
        """Get one order: customer, date, status, total and its items."""
        found = records(ask(db, f"{ORDERS} WHERE orders.id = ?", (order_id,)))
        if not found:
            raise ToolError(f"There is no order {order_id}; list_orders shows those that there are")
        items = records(ask(db, "SELECT product, quantity, price FROM items WHERE order_id = ?", (order_id,)))
        return FullOrder.model_validate({**found[0], "items": items})

    @mcp.tool(annotations=CHANGES)
    def record_return(order_id: OrderId, reason: Reason, returned_on: date) -> FullOrder:
        """Record that a customer has sent an order back; the order gets the status "returned"."""
        with writing(db) as connection:
            found = connection.execute("SELECT status, ordered_on FROM orders WHERE id = ?", (order_id,)).fetchone()
            if found is None:
                raise ToolError(f"There is no order {order_id}; nothing was recorded")
            status, ordered_on = found[0], date.fromisoformat(found[1])
            if status != "delivered":
                raise ToolError(
                    f"Only a delivered order can come back, but {order_id} is {status}; nothing was recorded"
                )
            last = ordered_on + timedelta(RETURN_DAYS)
            if not ordered_on <= returned_on <= last:
                raise ToolError(f"Order {order_id} can come back from {ordered_on} to {last}; nothing was recorded")
            new = "INSERT INTO returns (order_id, reason, returned_on) VALUES (?, ?, ?)"
            connection.execute(new, (order_id, reason, returned_on.isoformat()))
            connection.execute("UPDATE orders SET status = 'returned' WHERE id = ?", (order_id,))
        return order_details(order_id)

    @mcp.resource("shop://schema", mime_type="application/sql")
    def schema() -> str:
        """The tables of the shop's database."""
        return SCHEMA

    @mcp.resource("shop://orders/{order_id}", mime_type="application/json")
    def order(order_id: str) -> dict[str, Any]:
        """One order with its items."""
        try:
            return order_details(int(order_id)).model_dump(mode="json")
        except (ToolError, ValueError):
            raise ResourceNotFoundError(f"There is no order {order_id!r}") from None

    @mcp.prompt()
    def sql_for(question: Annotated[str, Field(description="The question, such as: How many orders are open?")]) -> str:
        """Ask for the SQL that answers a question about the shop."""
        return f"{SCHEMA}\n\nDates are texts such as 2026-07-01. Write one SELECT statement for SQLite.\n{question}"

    return mcp


if __name__ == "__main__":
    run(server, "db")
