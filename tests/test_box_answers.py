"""Ten questions with tools and ten plain ones, live on the standard model: enough to see that a change of the engine, the
template or the weights has broken something. How good it is, `tests/tool_calls/measure.py` counts."""

import json
from typing import Any, Literal

import pytest

from llmlab import connect
from llmlab.tools import Tool, tool

pytestmark = [pytest.mark.anyio, pytest.mark.live, pytest.mark.slow, pytest.mark.usefixtures("standard")]


@tool
def order_status(order: int) -> str:
    """Look up the status of an order by its number."""
    return ""


@tool
def stock_of(product: str) -> int:
    """How many pieces of a product are in stock."""
    return 0


@tool
def convert(amount: float, unit: Literal["grams", "ounces"]) -> str:
    """Convert a weight into this unit."""
    return ""


@tool
def next_event(after: str) -> str:
    """The next event in the calendar after a date (YYYY-MM-DD)."""
    return ""


TOOLS: list[Tool] = [order_status, stock_of, convert, next_event]
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("What is the status of order 1120?", "order_status", {"order": 1120}),
    ("Has order 77 been sent yet?", "order_status", {"order": 77}),
    ("Please check on order number 2041 for me.", "order_status", {"order": 2041}),
    ("How many teapots do we have in stock?", "stock_of", {"product": "teapot"}),
    ("Are there any blue cups left in stock?", "stock_of", {"product": "blue cup"}),
    ("Look up our stock of filter papers.", "stock_of", {"product": "filter paper"}),
    ("Convert 12.5 ounces to grams.", "convert", {"amount": 12.5, "unit": "grams"}),
    ("What are 500 grams in ounces?", "convert", {"amount": 500, "unit": "ounces"}),
    ("Which event comes next after 2026-07-01?", "next_event", {"after": "2026-07-01"}),
    ("Find the next event after 2026-12-24.", "next_event", {"after": "2026-12-24"}),
]
PLAIN = [
    ("What is the capital of France?", "paris"),
    ("What is the capital of Japan? Answer in one word.", "tokyo"),
    ("Who wrote Hamlet?", "shakespeare"),
    ("Which planet is the largest of the solar system?", "jupiter"),
    ("What is 7 times 8?", "56"),
    ("How many days has a week?", "7|seven"),
    ("What is the chemical formula of water?", "h2o|h₂o"),
    ("Translate 'good night' into German.", "gute nacht"),
    ("In which year did the Second World War end?", "1945"),
    ("What colour do you get from blue and yellow?", "green"),
]


def fits(wanted: dict[str, Any], given: dict[str, Any]) -> bool:
    """Whether arguments are right; a name may stand in the plural or with a capital."""
    if wanted.keys() != given.keys():
        return False
    return all(
        str(w).lower() in str(g).lower() if isinstance(w, str) else w == g
        for w, g in zip(wanted.values(), given.values(), strict=True)
    )


async def test_eight_of_ten_questions_for_a_tool_call_it_rightly() -> None:
    model, right = await connect("standard"), []
    for question, name, arguments in CALLS:
        reply = await model.chat(question, tools=TOOLS, max_tokens=100)
        calls = [(call.name, json.loads(call.arguments)) for call in reply.tool_calls]
        right.append(len(calls) == 1 and calls[0][0] == name and fits(arguments, calls[0][1]))
    assert sum(right) >= 8, [question for (question, *_), good in zip(CALLS, right, strict=True) if not good]


async def test_nine_of_ten_plain_questions_are_answered_rightly() -> None:
    model, right = await connect("standard"), []
    for question, fact in PLAIN:
        text = (await model.chat(question, max_tokens=60)).text.lower()
        right.append(any(one in text for one in fact.split("|")))
    assert sum(right) >= 9, [question for (question, _), good in zip(PLAIN, right, strict=True) if not good]
