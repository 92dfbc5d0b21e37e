"""A task solver in one of three frameworks, with the same tools and limits: `loop.py llmlab|langgraph|smolagents`.

It says "ready" and after how many seconds, then takes a task from each line of stdin and writes to stdout what came of it.
"""

import asyncio
import functools
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

BEGAN = time.perf_counter()
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


def _found(sql: str, key: Any, otherwise: str) -> str:
    """The row as JSON. A failure is a text too: the loops differ in what they do with an exception."""
    with closing(sqlite3.connect(os.environ["SHOP_DB"])) as db:
        db.row_factory = sqlite3.Row
        row = db.execute(sql, [key]).fetchone()
    return json.dumps(dict(row), ensure_ascii=False) if row else f"error: {otherwise}"


TOOLS = [get_order, get_customer, get_return]


def llmlab() -> Callable[[str], str]:
    """This kit's own loop, whose budget counts the calls of tools as well."""
    from llmlab import Budget, connect
    from llmlab.agents import ToolLoop

    runner = asyncio.Runner()
    model = runner.run(connect("endpoint"))
    model.chat = functools.partial(model.chat, max_tokens=MAX_TOKENS)  # type: ignore[method-assign]
    agent = ToolLoop(model, TOOLS, budget=Budget(steps=2 * STEPS, tokens=None, seconds=None))

    def solve(task: str) -> str:
        run = runner.run(agent.run(task))
        if not run.ok:
            raise RuntimeError(f"{run.stopped}: {run.why}")
        return str(run)

    return solve


def langgraph() -> Callable[[str], str]:
    """LangGraph through LangChain's create_agent: each call of the model and each round of tools is a step of the graph."""
    from langchain.agents import create_agent
    from langchain_openai import ChatOpenAI

    where = {"model": os.environ["LLMLAB_MODEL"], "base_url": os.environ["OPENAI_BASE_URL"]}
    agent = create_agent(ChatOpenAI(**where, temperature=0, max_tokens=MAX_TOKENS), TOOLS)
    limit: Any = {"recursion_limit": 2 * STEPS}
    return lambda task: agent.invoke({"messages": [{"role": "user", "content": task}]}, limit)["messages"][-1].text


def smolagents() -> Callable[[str], str]:
    """ToolCallingAgent, which refuses a tool whose arguments are not described in the docstring."""
    from smolagents import LogLevel, OpenAIModel, ToolCallingAgent, tool

    for function in TOOLS:
        about = "name: Name of the customer." if function is get_customer else "order_id: Number of the order."
        function.__doc__ = f"{function.__doc__}\n\nArgs:\n    {about}"
    where = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"]}
    model = OpenAIModel(os.environ["LLMLAB_MODEL"], **where, temperature=0, max_tokens=MAX_TOKENS)
    agent = ToolCallingAgent([tool(f) for f in TOOLS], model, max_steps=STEPS, verbosity_level=LogLevel.OFF)
    return lambda task: str(agent.run(task))


if __name__ == "__main__":
    out, sys.stdout = sys.stdout, sys.stderr
    solve = {"llmlab": llmlab, "langgraph": langgraph, "smolagents": smolagents}[sys.argv[1]]()
    print("ready", time.perf_counter() - BEGAN, file=out, flush=True)
    for line in sys.stdin:
        try:
            done = {"answer": solve(json.loads(line)), "stopped": "done"}
        except Exception as error:  # a loop that fails has failed this task, and gets the next
            done = {"answer": "", "stopped": f"{type(error).__name__}: {error}"[:120]}
        print(json.dumps(done), file=out, flush=True)
