"""What the agents of chapter 04 can do in the shop, and what the model in the box reads of a request."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from typing_extensions import TypedDict

from llmlab.errors import ToolError
from llmlab.llm.chat import Model
from llmlab.tools import Tool, tool
from llmlab.trace import Trace
from shop import Shop, query

# Without this, the loop looks an order up, says who placed it, and posts nothing.
WHOLE = "Do the whole task, one call after the other. Answer only when all of it is done."
# Without these, the code agent says "the program has done it" for an answer, and writes a program that failed once more.
AFTER = {
    "printed": "The program printed:\n{printed}\nIf something is still to be done, write another program. If not, tell me in a "
    "sentence what it printed, as the answer to my message.",
    "failed": "{why}\nWrite the program again without this mistake. It may use no name that it has not defined itself.",
}

JOINED = "FROM orders JOIN customers ON customers.id = customer_id"
ORDER = f"SELECT orders.id AS order_id, name AS customer, total, status {JOINED} WHERE orders.id = ?"


class Order(TypedDict):
    """An order, as a tool gives it."""

    order_id: int
    customer: str
    total: float
    status: str


class Customer(TypedDict):
    """A customer, as a tool gives it."""

    name: str
    city: str
    joined: str


def tools(world: Shop) -> list[Tool]:
    """What the agent can do in the shop: look up an order, a customer, a customer's orders; write to the staff."""

    def get_order(order_id: int) -> Order:
        """Look up an order: customer, total, status (open, shipped, delivered, cancelled or returned)."""
        found: list[Order] = query(world.db, ORDER, [order_id]).records()
        if not found:
            raise ToolError(f"there is no order {order_id}; they are numbered from 1001")
        return found[0]

    def get_customer(name: str) -> Customer:
        """Look up a customer by name: the city, and joined, the date of joining."""
        sql = "SELECT name, city, joined FROM customers WHERE name = ?"
        found: list[Customer] = query(world.db, sql, [name.strip()]).records()
        if not found:
            raise ToolError(f"there is no customer {name.strip()}; give the full name")
        return found[0]

    def order_ids_of(customer: str) -> list[int]:
        """List the ids of all orders of a customer, by name."""
        found = query(world.db, f"SELECT orders.id {JOINED} WHERE name = ?", [customer.strip()]).rows
        if not found:
            raise ToolError(f"there is no customer {customer.strip()}; give the full name")
        return [number for (number,) in found]

    def post_message(channel: str, text: str) -> str:
        """Post a message in a channel of the staff, such as orders or stock."""
        with closing(sqlite3.connect(world.messages)) as db, db:
            found = db.execute(
                "SELECT id FROM channels WHERE name = ?", [channel.strip().removeprefix("#").lower()]
            ).fetchone()
            if not found:
                raise ToolError(f"there is no channel {channel}; there are general, orders, stock and website")
            # The shop's days end on 20 November 2026; the agent writes on the next.
            row = (found[0], "agent", "2026-11-21 09:00", text)
            db.execute("INSERT INTO posts (channel_id, author, posted_at, text) VALUES (?, ?, ?, ?)", row)
        return "posted"

    return [tool(get_order), tool(get_customer), tool(order_ids_of), tool(post_message)]


def posts(world: Shop) -> list[str]:
    """What agents have posted so far, each with its channel."""
    sql = "SELECT name || ': ' || text FROM posts JOIN channels ON channels.id = channel_id WHERE author = 'agent'"
    return [row[0] for row in query(world.messages, f"{sql} ORDER BY posts.id").rows]


def clean_channels(world: Shop) -> None:
    """Take away what agents have posted."""
    with closing(sqlite3.connect(world.messages)) as db, db:
        db.execute("DELETE FROM posts WHERE author = 'agent'")


def send_back(world: Shop, order_id: int, reason: str) -> None:
    """A customer sends an order back: a row in the database, and no word to any model."""
    with closing(sqlite3.connect(world.db)) as db, db:
        row = (order_id, reason, "2026-11-21")
        db.execute("INSERT INTO returns (order_id, reason, returned_on) VALUES (?, ?, ?)", row)


async def prompt_of(model: Model, request: Mapping[str, Any]) -> str:
    """The text that the model in the box reads of a request, as its server's template makes it; nothing is generated."""
    if "llmlab.weights.sha256" not in model.provenance:
        return "(The server of this model does not show what it makes of a request.)"
    shown = {key: request[key] for key in ("messages", "tools") if key in request}
    rendered = await model.post("/../apply-template", shown)  # in llama.cpp it stands beside /v1
    return str(rendered["prompt"])


def programs(trace: Trace) -> list[str]:
    """The programs that a code agent ran, in order."""
    return [str(step.arguments["code"]) for step in trace.of("tool") if step.name == "program"]
