"""Python functions as tools: their schema, their arguments, their failures, their steps in the trace."""

import asyncio
import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from llmlab import ToolCall, ToolError, Trace
from llmlab.tools import call_all, tool

pytestmark = pytest.mark.anyio


def weather(
    city: Annotated[str, Field(description="Name of a town")],
    unit: Literal["celsius", "fahrenheit"] = "celsius",
    days: int = 1,
) -> str:
    """The weather in a town.

    Not for the model to read.
    """
    return f"{city}: 20 {unit} for {days} days"


async def add(a: int, b: int = 2) -> int:
    """Add two
    whole numbers."""
    return a + b


def divide(a: int) -> float:
    """Divide."""
    return 1 / a


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """A thread cannot be stopped; the test lets it go at its end."""
    event = threading.Event()
    yield event
    event.set()


def test_a_typed_function_has_a_name_a_description_and_a_schema() -> None:
    made = tool(weather)
    assert (made.name, made.description) == ("weather", "The weather in a town.")
    assert made.openai()["function"]["parameters"] == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Name of a town"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
            "days": {"type": "integer", "default": 1},
        },
        "required": ["city"],
    }
    assert (tool(add).description, tool(add).returns) == ("Add two whole numbers.", {"type": "integer"})
    assert tool(made) is made


def silent(a: int) -> int:
    return a


def listen(to: threading.Event) -> str:
    """Listen."""
    return ""


def many(*numbers: int) -> str:
    """Take many."""
    return ""


def ahead(when: "NotThere") -> str:  # type: ignore[name-defined]  # noqa: F821
    """Look ahead."""
    return ""


def first(a: int, /) -> str:
    """Take one by its place."""
    return ""


@pytest.mark.parametrize("function", [silent, listen, many, ahead, first])
def test_a_function_that_no_model_could_call_is_refused_in_a_sentence(function: Any) -> None:
    with pytest.raises(ToolError, match=rf"A tool.*, but {function.__name__} has") as refused:
        tool(function)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("arguments", ['{"a": 3, "b": 4}', {"a": 3, "b": 4}, '{"a": "3", "b": 4.0}', '{"a": 5}'])
async def test_good_arguments_reach_the_function_in_their_types(arguments: Any) -> None:
    result = await tool(add).call(arguments)
    assert (result.ok, result.text, result.value) == (True, "7", 7)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ('{"city": 7}', "city: Input should be a valid string"),
        ('{"city": "Oslo", "unit": "kelvin"}', "unit: Input should be 'celsius' or 'fahrenheit'"),
        ("", "city: Missing required argument"),
        ('{"city": "Oslo", "town": 1, "days": "x"}', "town: Unexpected keyword argument"),
        ("{city: Oslo}", "takes its arguments as JSON, but got '{city: Oslo}'"),
        ('["Oslo"]', "takes a JSON object, but got list"),
        (["Oslo"], "takes a JSON object, but got list"),
    ],
)
async def test_wrong_arguments_come_back_as_a_text_that_says_what_is_wrong(arguments: Any, says: str) -> None:
    called = []

    @functools.wraps(weather)
    def watched(**kwargs: Any) -> str:
        called.append(kwargs)
        return ""

    result = await tool(watched).call(arguments)
    assert not result.ok
    assert result.text.startswith("error: weather ")
    assert says in result.text
    assert "\n" not in result.text
    assert called == [], "with wrong arguments nothing may be carried out"


class Item(BaseModel):
    name: str


@dataclass
class Order:
    day: date
    items: list[Item]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        ({"Ort": "서울", "Grad": [1, None, True]}, '{"Ort": "서울", "Grad": [1, null, true]}'),
        (None, "null"),
        (Order(date(2026, 11, 22), [Item(name="lamp")]), '{"day": "2026-11-22", "items": [{"name": "lamp"}]}'),
    ],
)
async def test_what_is_no_text_goes_to_the_model_as_readable_json(value: Any, text: str) -> None:
    def look() -> Any:
        """Look."""
        return value

    result = await tool(look).call("")
    assert (result.text, result.value) == (text, value)


async def test_plain_functions_do_not_block_the_loop_and_what_they_return_is_awaited(gate: threading.Event) -> None:
    def wait() -> Any:
        """Wait."""
        return add(1) if gate.wait(20) else "never"

    running = asyncio.create_task(tool(wait).call(""))
    await asyncio.sleep(0)  # were the loop blocked, the gate below would never be opened
    gate.set()
    assert (await running).value == 3


async def test_an_exception_comes_back_as_a_text_and_never_stops_the_cell() -> None:
    async def refuse() -> None:
        """Refuse."""
        raise ToolError("ask the person first")

    def far() -> None:
        """Go far."""
        raise TimeoutError("the server did not answer")

    assert (await tool(divide).call('{"a": 0}')).text == "error: divide failed: ZeroDivisionError: division by zero"
    assert (await tool(refuse).call("{}")).text == "error: ask the person first"
    assert (await tool(far).call("")).text == "error: far failed: TimeoutError: the server did not answer"


async def test_a_tool_that_takes_too_long_is_given_up(gate: threading.Event) -> None:
    def sleep() -> None:
        """Sleep."""
        gate.wait(20)

    async def asleep() -> None:
        """Sleep."""
        await asyncio.Event().wait()

    for function in (sleep, asleep):
        result = await tool(function, timeout=0.05).call("")
        assert result.text == f"error: {function.__name__} has 0.05 seconds, but took longer"
    gate.set()  # the loop waits for its threads before it ends


@pytest.mark.parametrize(("arguments", "ok"), [('{"a": 1}', True), ('{"a": 0}', False), ("nonsense", False)])
async def test_a_call_is_a_step_with_what_went_in_and_out(arguments: str, ok: bool) -> None:
    with Trace() as trace:
        result = await tool(divide).call(arguments, call_id="call_7")
    [step] = trace
    assert (step.kind, step.name, step.status) == ("tool", "divide", "ok" if ok else "error")
    assert (step.arguments, step.result, step.get("gen_ai.tool.call.id")) == (arguments, result.text, "call_7")
    assert (step.error, step.get("error.type")) == ((None, None) if ok else (result.text, "tool_error"))


def calls(*wanted: tuple[str, str]) -> list[ToolCall]:
    return [ToolCall(f"call_{i}", name, arguments) for i, (name, arguments) in enumerate(wanted)]


async def test_calls_run_side_by_side_and_are_answered_in_order_also_those_that_cannot_be_made() -> None:
    first_may_end = asyncio.Event()

    async def first() -> str:
        """End after the second."""
        await asyncio.wait_for(first_may_end.wait(), 20)
        return "first"

    async def second() -> str:
        """End at once."""
        first_may_end.set()
        return "second"

    with Trace() as trace:
        messages = await call_all(calls(("first", ""), ("second", "{}"), ("fly", "{}")), [tool(second), tool(first)])
    assert messages == [
        {"role": "tool", "tool_call_id": "call_0", "content": "first"},
        {"role": "tool", "tool_call_id": "call_1", "content": "second"},
        {"role": "tool", "tool_call_id": "call_2", "content": "error: there is no tool fly; there are second, first"},
    ]
    assert [(step.name, step.status) for step in trace] == [("first", "ok"), ("second", "ok"), ("fly", "error")]
    assert (await call_all(calls(("fly", "{}")), []))[0]["content"].endswith("there are none")
    assert await call_all([], [tool(add)]) == []


async def test_the_same_call_in_one_reply_is_made_once_and_each_gets_its_result() -> None:
    with Trace() as trace:
        messages = await call_all(calls(*[("add", '{"a": 1}')] * 15, ("add", '{"a": 2}')), [tool(add)])
    assert [m["content"] for m in messages] == ["3"] * 15 + ["4"]
    assert [m["tool_call_id"] for m in messages] == [f"call_{i}" for i in range(16)]
    assert len(trace) == 2
