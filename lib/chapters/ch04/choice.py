"""Which tool, and with what: fifteen messages, each with three tools and with twelve, and the first reply to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from llmlab.errors import LabError
from llmlab.llm.chat import Model
from llmlab.llm.reply import ToolCall
from llmlab.measure import Row
from llmlab.tools import Tool, tool

VARIANT = "first reply"
CHOOSE = ("choose among 3 tools", "choose among 12 tools")  # the kinds of these rows
Given = Mapping[str, Any]  # an argument's value, or in a tuple the words that it has to hold


def get_order(order_id: int) -> None:
    """Look up an order: its customer, total and status."""


def get_customer(name: str) -> None:
    """Look up a customer by name: the city, and the date of joining."""


def post_message(channel: str, text: str) -> None:
    """Post a message in a channel of the staff, such as orders or stock."""


def in_stock(product: str) -> None:
    """Tell how many pieces of a product are in stock."""


def search_documents(query: str) -> None:
    """Search the shop's documents for some words."""


def next_event(after: date) -> None:
    """Find the first event in the calendar after a day."""


def list_orders(status: str) -> None:
    """List all orders with a status."""


def cancel_order(order_id: int) -> None:
    """Cancel an open order."""


def record_return(order_id: int, reason: str) -> None:
    """Record that a customer has sent an order back."""


def price_of(product: str) -> None:
    """Tell what a product costs."""


def get_supplier(name: str) -> None:
    """Look up a supplier: place, contact and days of delivery."""


def commit_log(path: str) -> None:
    """List the last changes of a file in the code repository."""


FEW = ((get_order, get_customer, post_message), (in_stock, search_documents, next_event))
MORE = (list_orders, cancel_order, record_return, price_of, get_supplier, commit_log)
MESSAGES: list[tuple[str, Callable[..., None] | None, Given]] = [
    ("Has order 1147 left the house yet?", get_order, {"order_id": 1147}),
    ("I need the total of order 1121, please.", get_order, {"order_id": 1121}),
    ("Which town is Orla Fitzgerald from?", get_customer, {"name": "Orla Fitzgerald"}),
    ("How long has Takumi Mori been buying from us?", get_customer, {"name": "Takumi Mori"}),
    ("Tell the people in the stock channel that the kettles have arrived.", post_message,
     {"channel": "stock", "text": ("kettles", "arrived")}),
    ("Write 'We are closed on Monday' in the general channel.", post_message,
     {"channel": "general", "text": ("closed", "monday")}),
    ("Do we still have any hand grinders?", in_stock, {"product": ("hand grinder",)}),
    ("How many bags of mint tea are left?", in_stock, {"product": ("mint tea",)}),
    ("What do our documents say about broken glass?", search_documents, {"query": ("glass",)}),
    ("Look it up in the documents: how warm should the water for green tea be?", search_documents,
     {"query": ("green tea",)}),
    ("What is the next event after 3 August 2026?", next_event, {"after": "2026-08-03"}),
    ("After 2026-10-01, what is the first thing in our calendar?", next_event, {"after": "2026-10-01"}),
    ("Thanks, that was all for today!", None, {}),
    ("How do you say 'good evening' in Italian?", None, {}),
    ("What is the capital of Portugal?", None, {}),
]  # fmt: skip


def offered(wanted: Callable[..., None] | None, among: int) -> list[Tool]:
    """The tools that go along with a message: three of a kind, or all twelve."""
    if among == 12:
        return [tool(function) for function in (*FEW[0], *FEW[1], *MORE)]
    return [tool(function) for function in FEW[wanted in FEW[1]]]


def chosen(calls: list[ToolCall], wanted: Callable[..., None] | None, given: Given) -> bool:
    """Whether just the wanted tool is called, with the arguments that the message gives; or none, where none is wanted."""
    if wanted is None or len(calls) != 1:
        return not calls and wanted is None
    try:
        arguments = json.loads(calls[0].arguments or "{}")
    except ValueError:
        return False
    return (
        calls[0].name == wanted.__name__
        and isinstance(arguments, dict)
        and set(arguments) == set(given)
        and all(_same(arguments[name], value) for name, value in given.items())
    )


def _same(value: Any, wanted: Any) -> bool:
    text = str(value).strip().lower()
    return all(word in text for word in wanted) if isinstance(wanted, tuple) else text == str(wanted).lower()


async def choices(model: Model, told: Callable[[Row], None] | None = None) -> list[Row]:
    """The first reply to each message, with three tools and with twelve: nothing is carried out."""
    rows: list[Row] = []
    for among, kind in zip((3, 12), CHOOSE, strict=True):
        for text, wanted, given in MESSAGES:
            row: Row = {"kind": kind, "variant": VARIANT, "task": text}
            try:
                reply = await model.chat(text, tools=offered(wanted, among), max_tokens=120)
                said = " ".join(f"{call.name}({call.arguments})" for call in reply.tool_calls) or reply.text
                row |= {"right": chosen(reply.tool_calls, wanted, given), "stopped": "done", "calls": 1}
                row |= {"tokens": reply.input_tokens + reply.output_tokens, "seconds": round(reply.seconds, 2)}
            except LabError as error:  # half a call, from a small model
                said, row["right"], row["stopped"] = str(error), False, "error"
            rows.append({**row, "answer": said[:200]})
            if told:
                told(rows[-1])
    return rows
