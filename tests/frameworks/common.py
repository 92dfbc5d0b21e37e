"""What the three loops share: the tools, the limits, and how they are given tasks. Needs nothing but Python."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

STEPS = 4  # calls of the model for one task; the longest takes three
MAX_TOKENS = 200  # written in one call; a tool call takes less than 60, and one that rambles is slow


def get_order(order_id: int) -> str:
    """Look up an order: its customer, day, total and status."""
    sql = "SELECT name AS customer, ordered_on AS day, total, status FROM orders JOIN customers ON customers.id = customer_id"
    return _found(f"{sql} WHERE orders.id = ?", order_id, f"there is no order {order_id}")


def get_customer(name: str) -> str:
    """Look up a customer by name: the city, and the day of joining."""
    return _found("SELECT city, joined FROM customers WHERE name = ?", name, f"there is no customer {name}")


def get_return(order_id: int) -> str:
    """Look up why and when an order was returned."""
    sql = "SELECT reason, returned_on AS day FROM returns WHERE order_id = ?"
    return _found(sql, order_id, f"order {order_id} was not returned")


TOOLS = [get_order, get_customer, get_return]


def _found(sql: str, key: Any, otherwise: str) -> str:
    """The row as JSON. A failure is a text too: the loops differ in what they do with an exception."""
    with closing(sqlite3.connect(os.environ["SHOP_DB"])) as db:
        db.row_factory = sqlite3.Row
        row = db.execute(sql, [key]).fetchone()
    return json.dumps(dict(row), ensure_ascii=False) if row else f"error: {otherwise}"


def serve(solve: Callable[[str], str]) -> None:
    """Say that the agent is ready, then take a task from each line of stdin and write to stdout what came of it."""
    out, sys.stdout = sys.stdout, sys.stderr
    print("ready", file=out, flush=True)
    for line in sys.stdin:
        try:
            done = {"answer": solve(json.loads(line)), "stopped": "done"}
        except Exception as error:  # a loop that fails has failed this task, and gets the next
            done = {"answer": "", "stopped": f"{type(error).__name__}: {error}"[:120]}
        print(json.dumps(done), file=out, flush=True)
