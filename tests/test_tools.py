"""Python functions as tools: their schema, their arguments, their failures, their steps in the trace."""

import asyncio
import functools
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any, Literal

import psutil
import pytest
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpecManager
from pydantic import BaseModel, Field

from llmlab import BudgetExceeded, ToolCall, ToolError, Trace
from llmlab.budget import Budget
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


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """A thread cannot be stopped; the test lets it go at its end."""
    event = threading.Event()
    yield event
    event.set()


def test_a_typed_function_has_a_name_a_description_and_a_schema() -> None:
    made = tool(weather)
    assert (made.name, made.description) == ("weather", "The weather in a town.")
    assert made.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Name of a town"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
            "days": {"type": "integer", "default": 1},
        },
        "required": ["city"],
    }
    assert made.openai() == {
        "type": "function",
        "function": {"name": "weather", "description": made.description, "parameters": made.parameters},
    }
    assert tool(add).description == "Add two whole numbers."


def test_a_function_without_parameters_has_an_empty_schema() -> None:
    def now() -> str:
        """The time."""
        return "noon"

    assert tool(now).parameters == {"type": "object", "properties": {}}


def test_a_function_without_a_docstring_is_no_tool() -> None:
    def silent(a: int) -> int:
        return a

    with pytest.raises(ToolError, match="docstring that tells the model what it does, but silent has none"):
        tool(silent)


def test_types_that_json_does_not_know_are_refused_in_a_sentence() -> None:
    def listen(to: threading.Event) -> str:
        """Listen."""
        return ""

    def many(*numbers: int) -> str:
        """Take many."""
        return ""

    def ahead(when: "asyncio.Event") -> str:
        """Look ahead."""
        return ""

    def first(a: int, /) -> str:
        """Take one by its place."""
        return ""

    for function in (listen, ahead, many, first):
        with pytest.raises(ToolError, match=f"types that JSON knows, but {function.__name__} has others"):
            tool(function)


@pytest.mark.parametrize("arguments", ['{"a": 3, "b": 4}', {"a": 3, "b": 4}, '{"a": "3", "b": 4.0}'])
async def test_good_arguments_reach_the_function_in_their_types(arguments: Any) -> None:
    result = await tool(add).call(arguments)
    assert (result.ok, result.text, result.value) == (True, "7", 7)


async def test_defaults_fill_what_is_left_out() -> None:
    assert (await tool(add).call('{"a": 3}')).value == 5
    assert (await tool(weather).call('{"city": "Oslo"}')).text == "Oslo: 20 celsius for 1 days"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ('{"city": 7}', "city: Input should be a valid string"),
        ('{"city": "Oslo", "days": "soon"}', "days: Input should be a valid integer"),
        ('{"city": "Oslo", "unit": "kelvin"}', "unit: Input should be 'celsius' or 'fahrenheit'"),
        ("{}", "city: Missing required argument"),
        ("", "city: Missing required argument"),
        ('{"city": "Oslo", "town": "Oslo"}', "town: Unexpected keyword argument"),
        ("{city: Oslo}", "takes its arguments as JSON, but got '{city: Oslo}'"),
        ('{"city": "Os', "takes its arguments as JSON"),
        ('["Oslo"]', "takes a JSON object, but got list"),
        ('"Oslo"', "takes a JSON object, but got str"),
        ("null", "takes a JSON object, but got NoneType"),
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


async def test_each_wrong_argument_is_named() -> None:
    text = (await tool(weather).call('{"days": "x", "town": 1}')).text
    assert all(name in text for name in ("city:", "days:", "town:"))


async def test_what_is_no_text_goes_to_the_model_as_readable_json() -> None:
    def look() -> dict[str, Any]:
        """Look."""
        return {"Ort": "서울", "Grad": [1, None, True]}

    def nothing() -> None:
        """Do nothing."""

    result = await tool(look).call("")
    assert result.text == '{"Ort": "서울", "Grad": [1, null, true]}'
    assert result.value == {"Ort": "서울", "Grad": [1, None, True]}
    assert (await tool(nothing).call("")).text == "null"


async def test_pydantic_classes_and_dataclasses_go_to_the_model_as_json() -> None:
    class Item(BaseModel):
        name: str

    @dataclass
    class Order:
        day: date
        items: list[Item]

    order = Order(date(2026, 11, 22), [Item(name="lamp")])

    def look(deep: bool) -> Any:
        """Look."""
        return {"order": order} if deep else order

    result = await tool(look).call('{"deep": false}')
    assert (result.text, result.value) == ('{"day": "2026-11-22", "items": [{"name": "lamp"}]}', order)
    assert (await tool(look).call('{"deep": true}')).text == f'{{"order": {result.text}}}'


async def test_sync_functions_do_not_block_the_loop(gate: threading.Event) -> None:
    def wait() -> str:
        """Wait."""
        return "opened" if gate.wait(20) else "never"

    running = asyncio.create_task(tool(wait).call(""))
    await asyncio.sleep(0)  # were the loop blocked, the gate below would never be opened
    gate.set()
    assert (await running).text == "opened"


async def test_what_a_function_returns_is_awaited_if_it_has_to_be() -> None:
    def later(a: int) -> Any:
        """Add later."""
        return add(a)

    assert (await tool(later).call('{"a": 1}')).value == 3


def divide(a: int) -> float:
    """Divide."""
    return 1 / a


async def test_an_exception_comes_back_as_a_text_and_never_stops_the_cell() -> None:
    async def refuse() -> None:
        """Refuse."""
        raise ToolError("ask the person first")

    def strict(a: int) -> None:
        """Parse."""
        raise ValueError(f"{a} is odd")

    assert (await tool(divide).call('{"a": 0}')).text == "error: divide failed: ZeroDivisionError: division by zero"
    assert (await tool(refuse).call("{}")).text == "error: ask the person first"
    assert (await tool(strict).call('{"a": 3}')).text == "error: strict failed: ValueError: 3 is odd"


async def test_a_tool_that_takes_too_long_is_given_up(gate: threading.Event) -> None:
    def sleep() -> None:
        """Sleep."""
        gate.wait(20)

    async def asleep() -> None:
        """Sleep."""
        await asyncio.Event().wait()

    for function in (sleep, asleep):
        result = await replace(tool(function), timeout=0.05).call("")
        assert (result.ok, result.value) == (False, None)
        assert result.text == f"error: {function.__name__} has 0.05 seconds, but took longer"
    gate.set()  # the loop waits for its threads before it ends


async def test_a_timeout_inside_a_tool_is_its_own_and_not_the_labs() -> None:
    def far() -> None:
        """Go far."""
        raise TimeoutError("the server did not answer")

    assert (await tool(far).call("")).text == "error: far failed: TimeoutError: the server did not answer"


async def test_a_call_is_a_step_with_what_went_in_and_out() -> None:
    with Trace() as trace:
        await tool(add).call('{"a": 3}', call_id="call_7")
    [step] = trace
    assert (step.kind, step.name, step.status) == ("tool", "add", "ok")
    assert step.attributes == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "add",
        "gen_ai.tool.call.id": "call_7",
        "gen_ai.tool.call.arguments": '{"a": 3}',
        "gen_ai.tool.call.result": "5",
    }


@pytest.mark.parametrize("arguments", ['{"a": 0}', '{"a": "zero"}', "nonsense"])
async def test_a_failed_call_is_a_step_with_an_error(arguments: str) -> None:
    with Trace() as trace:
        result = await tool(divide).call(arguments)
    [step] = trace
    assert (step.status, step.error, step.get("error.type")) == ("error", result.text, "tool_error")
    assert trace.totals.tool_calls == 1


async def test_a_cancelled_call_is_an_interrupted_step() -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        """Wait."""
        begun.set()
        await asyncio.Event().wait()

    with Trace() as trace:
        task = asyncio.create_task(tool(wait).call(""))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert trace.steps[0].status == "interrupted"


def calls(*wanted: tuple[str, str]) -> list[ToolCall]:
    return [ToolCall(f"call_{i}", name, arguments) for i, (name, arguments) in enumerate(wanted)]


async def test_calls_run_side_by_side_and_are_answered_in_order() -> None:
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
        messages = await call_all(calls(("first", ""), ("second", "{}")), [tool(second), tool(first)])
    assert messages == [
        {"role": "tool", "tool_call_id": "call_0", "content": "first"},
        {"role": "tool", "tool_call_id": "call_1", "content": "second"},
    ]
    assert [step.name for step in trace] == ["first", "second"]


async def test_an_unknown_tool_is_answered_with_the_tools_that_there_are() -> None:
    messages = await call_all(calls(("add", '{"a": 1}'), ("fly", "{}")), [tool(add), tool(weather)])
    assert [m["content"] for m in messages] == ["3", "error: there is no tool fly; there are add, weather"]
    assert (await call_all(calls(("fly", "{}")), []))[0]["content"].endswith("there are none")


@pytest.mark.parametrize("arguments", ['{"to": "Oslo"}', "nonsense"])
async def test_a_call_of_an_unknown_tool_is_a_step_with_an_error(arguments: str) -> None:
    with Trace() as trace:
        await call_all(calls(("fly", arguments)), [tool(add)])
    [step] = trace.of("tool")
    assert (step.name, step.status, step.error) == ("fly", "error", "error: there is no tool fly; there are add")
    assert (step.get("gen_ai.tool.call.id"), step.arguments) == ("call_0", arguments)


async def test_no_calls_give_no_messages() -> None:
    assert await call_all([], [tool(add)]) == []


async def test_one_failing_call_does_not_keep_the_others_from_their_answers() -> None:
    messages = await call_all(calls(("divide", '{"a": 0}'), ("add", '{"a": 1}')), [tool(add), tool(divide)])
    assert messages[0]["content"].startswith("error: divide failed")
    assert messages[1]["content"] == "3"


async def test_tool_calls_count_against_the_budget() -> None:
    with Trace(budget=Budget(steps=1)) as trace, pytest.raises(BudgetExceeded):
        await call_all(calls(("add", '{"a": 1}'), ("add", '{"a": 2}')), [tool(add)])
    assert len(trace) == 1


async def test_a_call_over_the_budget_ends_the_others() -> None:
    @tool
    async def wait() -> None:
        """Wait."""
        await asyncio.Event().wait()

    with Trace(budget=Budget(steps=1)) as trace, pytest.raises(BudgetExceeded):
        await call_all(calls(("wait", ""), ("wait", "")), [wait])
    assert [step.status for step in trace] == ["interrupted"]


async def test_a_tool_may_take_a_pydantic_class() -> None:
    class Place(BaseModel):
        city: str
        inhabitants: int = 0

    def describe(place: Place) -> str:
        """Describe a place."""
        return f"{place.city} has {place.inhabitants}"

    made = tool(describe)
    assert (await made.call('{"place": {"city": "Oslo", "inhabitants": 700000}}')).text == "Oslo has 700000"
    assert "place.city: Field required" in (await made.call('{"place": {}}')).text


async def test_a_decorator_may_set_the_limits() -> None:
    @tool(timeout=0.05)
    async def sleep() -> None:
        """Sleep."""
        await asyncio.Event().wait()

    assert (await sleep.call("")).text == "error: sleep has 0.05 seconds, but took longer"


# Tools in a process of their own


def apart(of: psutil.Process | None = None) -> list[psutil.Process]:
    """The processes that run now for tools, with all that they started."""
    found = (of or psutil.Process()).children(recursive=True)
    return [p for p in found if p.status() != psutil.STATUS_ZOMBIE and "monty" in p.name()]


def until(happened: Callable[[], Any]) -> Any:
    """Wait for something that another process does and nobody tells."""
    end = time.monotonic() + 60
    while not (seen := happened()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return seen


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


CELL = """
import asyncio
from llmlab.tools import sandbox, tool
from llmlab.tools.toolbox import run_python
sandbox.SECONDS = 1000

@tool
def double(a: int) -> int:
    "Double."
    return 2 * a

assert (await double.call({"a": 4})).value == 8
"""


def test_in_a_kernel_interrupt_and_restart_leave_no_process() -> None:
    manager = KernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    manager.start_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kernel = psutil.Process(manager.provisioner.pid)
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        reply = client.execute_interactive(CELL, timeout=60, output_hook=lambda message: None)["content"]
        assert reply["status"] == "ok", reply["evalue"]

        for wait in ("sandbox.run_program('while True: pass', seconds=1000)",):
            client.execute(f"await {wait}", stop_on_error=False)  # or the kernel may abort what comes right after it
            [running] = until(lambda: apart(kernel))
            manager.interrupt_kernel()
            assert client.get_shell_msg(timeout=60)["content"]["status"] == "error"
            assert gone(running.pid)

        client.execute("await sandbox.run_program('while True: pass', seconds=1000)")
        [running] = until(lambda: apart(kernel))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    until(lambda: gone(running.pid))
