"""Chapter 04: questions and errands in the shop: one call without tools, one call with them, and the loop."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from llmlab.agents import Agent, Run, SingleStep, ToolLoop
from llmlab.budget import Budget
from llmlab.errors import ToolError
from llmlab.llm.chat import Model
from llmlab.measure import Measured, Row, Task, compare
from llmlab.tools import Tool, tool
from shop import Shop, lay_out, query

COLUMNS = ("kind", "variant")  # by which `llmlab measure` tells the rows apart
ORDERS = range(1003, 1160, 5)  # 32 of them
# Without this, the model in the box looks the order up, says who placed it, and posts nothing.
WHOLE = "Do the whole task, one call after the other. Answer only when all of it is done."
NO_TOOL = [
    ("What is the opposite of cheap?", "expensive|dear|costly"),
    ("How many days does a week have?", "7|seven"),
    ("What is the plural of cup?", "cups"),
    ("Which colour do blue and yellow make together?", "green"),
    ("What is the capital of France?", "Paris"),
    ("Which drink is made from grapes?", "wine|juice"),
    ("Which day comes after Monday?", "Tuesday"),
    ("How many minutes does an hour have?", "60|sixty"),
]


def tools(world: Shop) -> list[Tool]:
    """What the agent can do in the shop: look up orders and customers, write to the staff."""

    def get_order(order_id: int) -> dict[str, Any]:
        """Look up an order: its customer, day, total and status."""
        sql = "SELECT name, ordered_on, total, status FROM orders JOIN customers ON customers.id = customer_id"
        found = query(world.db, f"{sql} WHERE orders.id = ?", [order_id])
        if not found.rows:
            raise ToolError(f"there is no order {order_id}; they are numbered from 1001")
        return dict(zip(["customer", "day", "total", "status"], found.rows[0], strict=True))

    def get_customer(name: str) -> dict[str, Any]:
        """Look up a customer by name: the city, and the day of joining."""
        found = query(world.db, "SELECT city, joined FROM customers WHERE name = ?", [name])
        if not found.rows:
            raise ToolError(f"there is no customer {name}; give the full name")
        return dict(zip(found.columns, found.rows[0], strict=True))

    def post_message(channel: str, text: str) -> str:
        """Post a message in a channel of the staff, such as orders or stock."""
        with closing(sqlite3.connect(world.messages)) as db, db:
            found = db.execute("SELECT id FROM channels WHERE name = ?", [channel.removeprefix("#")]).fetchone()
            if not found:
                raise ToolError(f"there is no channel {channel}; there are general, orders, stock and website")
            # The shop's days end on 20 November 2026; the agent writes on the next.
            row = (found[0], "agent", "2026-11-21 09:00", text)
            db.execute("INSERT INTO posts (channel_id, author, posted_at, text) VALUES (?, ?, ?, ?)", row)
        return "posted"

    return [tool(get_order), tool(get_customer), tool(post_message)]


async def prompt_of(model: Model, request: Mapping[str, Any]) -> str:
    """The text that the model in the box reads of a request, as its server's template makes it; nothing is generated."""
    if "llmlab.weights.sha256" not in model.provenance:
        return "(The server of this model does not show what it makes of a request.)"
    shown = {key: request[key] for key in ("messages", "tools") if key in request}
    rendered = await model.post("/../apply-template", shown)  # in llama.cpp it stands beside /v1
    return str(rendered["prompt"])


def posts(world: Shop) -> list[str]:
    """What agents have posted so far, each with its channel."""
    sql = "SELECT name || ': ' || text FROM posts JOIN channels ON channels.id = channel_id WHERE author = 'agent'"
    return [row[0] for row in query(world.messages, f"{sql} ORDER BY posts.id").rows]


def tasks(world: Shop) -> list[Task]:
    """24 look-ups, 8 look-ups whose result has to be posted, 8 questions that need no tool."""
    sql = "SELECT orders.id, name, status FROM orders JOIN customers ON customers.id = customer_id"
    rows = [query(world.db, f"{sql} WHERE orders.id = ?", [number]).rows[0] for number in ORDERS]
    made: list[Task] = []
    for place, (number, name, status) in enumerate(rows):
        [[city]] = query(world.db, "SELECT city FROM customers WHERE name = ?", [name]).rows
        kind = ("status", "customer", "city", "post")[place % 4]
        text, fact = {
            "status": (f"What is the status of order {number}?", status),
            "customer": (f"Who placed order {number}?", name),
            "city": (f"Where does our customer {name} live? Look it up.", city),
            "post": (f"Find out who placed order {number} and post the name in the orders channel.", name),
        }[kind]
        about = {"kind": "look up and act" if kind == "post" else "look up"}
        made.append(Task(f"{kind} {number}", text, _posted(world, fact) if kind == "post" else _said(fact), about))
    return made + [Task(text, text, _said(accepted), {"kind": "no tool needed"}) for text, accepted in NO_TOOL]


def _said(accepted: str) -> Callable[[Run], bool]:
    return lambda run: any(fact.lower() in str(run).lower() for fact in accepted.split("|"))


def _posted(world: Shop, name: str) -> Callable[[Run], bool]:
    """What counts is the shop's database, not what the agent says that it has done."""

    def right(run: Run) -> bool:
        found = any(post.startswith("orders: ") and name in post for post in posts(world))
        with closing(sqlite3.connect(world.messages)) as db, db:
            db.execute("DELETE FROM posts WHERE author = 'agent'")
        return found

    return right


def variants(model: Model, world: Shop) -> dict[str, Agent]:
    """The same model three times; the loop, which alone can act more than once, is told to do the whole task."""
    return {
        "one call": SingleStep(model),
        "one call with tools": SingleStep(model, tools(world)),
        "the loop": ToolLoop(model, tools(world), prompts={"system": WHOLE}, budget=Budget(steps=8)),
    }


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """All 40 tasks, three times."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        world = lay_out(Path(folder) / "shop")
        return await compare(model, variants(model, world), tasks(world), told)
