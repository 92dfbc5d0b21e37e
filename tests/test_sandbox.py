"""Programs that a model wrote: what they can reach, where they end, and the tools inside them as real tool calls."""

import asyncio
import time
from typing import Any

import psutil
import pytest

from llmlab import BudgetExceeded, ToolError, Trace
from llmlab.budget import Budget
from llmlab.tools import tool
from llmlab.tools.sandbox import run_program, value_of
from llmlab.tools.tool import ToolResult

pytestmark = pytest.mark.anyio


@tool
def order(number: int, full: bool = False) -> dict[str, Any]:
    """An order."""
    if number > 2000:
        raise ToolError(f"there is no order {number}; orders have numbers up to 2000")
    return {"order": number, "customer": "Ann Kelly", "total": 12.5}


@tool
def city(customer: str) -> str:
    """The city of a customer."""
    return {"Ann Kelly": "Sligo"}[customer]


def workers() -> list[psutil.Process]:
    """The interpreter's processes that this one has."""
    return [p for p in psutil.Process().children(recursive=True) if "monty" in p.name()]


async def test_results_pass_from_tool_to_tool_and_each_call_is_a_step() -> None:
    with Trace() as trace:
        printed = await run_program("print(city(order(1120)['customer']))", [order, city])
    assert printed == "Sligo\n"
    assert [(step.name, step.arguments) for step in trace.of("tool")] == [
        ("order", {"number": 1120}),
        ("city", {"customer": "Ann Kelly"}),
    ]


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("sum(order(n)['total'] for n in range(3))", "37.5\n"),
        ("order(number=7, full=True)['order']", "7\n"),
        ("print([order(n)['order'] for n in (1, 2)])", "[1, 2]\n"),
        (
            "try:\n    order(3000)\nexcept Exception as error:\n    print(error)",
            "there is no order 3000; orders have numbers up to 2000\n",
        ),
        ("x = 3", ""),
    ],
)
async def test_a_tool_is_a_function_of_the_program(code: str, printed: str) -> None:
    assert await run_program(code, [order, city]) == printed


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("order(3000)", "line 1: RuntimeError: there is no order 3000"),
        ("order('seven')", "Input should be a valid integer"),
        ("order(1, True, 3)", "takes 2 arguments, but got 3"),
        ("print('so far')\nnothing", "line 2: NameError: name 'nothing' is not defined\nIt had printed:\nso far"),
        ("x = 1\nwhile x print", "has to be Python, but this is not (line 2"),
        ("x = '\0'", "has to be Python"),
        (
            "def city(customer):\n    return 'Cork'\nprint(city('x'))",
            "city is there already: call it, and do not define it",
        ),
        ("open('/etc/passwd').read()", "PermissionError"),
        ("import os\nprint(os.listdir('/'))", "PermissionError"),
        ("import os\nprint(os.environ['HOME'])", "'os.environ' is not supported"),
        ("import subprocess", "No module named 'subprocess'"),
        ("import socket", "No module named 'socket'"),
        ("import urllib.request", "No module named 'urllib'"),
        ("__import__('os').system('ls')", "failed"),
        ("x = 'a' * 10**10", "memory limit exceeded"),
        ("9**9**9", "memory limit exceeded"),
        ("def f():\n    return f()\nf()", "RecursionError"),
        ("while True:\n    print('x' * 1000)", "memory limit exceeded"),
        ("while True:\n    order(1)", "may call 100 tools, but called more"),
        ("raise SystemExit('bye')", "SystemExit"),
        ("input()", "failed"),
    ],
)
async def test_what_fails_or_is_not_allowed_is_one_readable_error(code: str, says: str) -> None:
    with pytest.raises(ToolError) as failed:
        await run_program(code, [order, city])
    assert says in str(failed.value)
    assert "Traceback" not in str(failed.value)
    assert workers() == []


async def test_a_program_that_never_ends_is_stopped_and_waiting_for_a_tool_does_not_count() -> None:
    @tool
    async def slow() -> str:
        """Wait."""
        await asyncio.sleep(0.6)
        return "done"

    assert await run_program("print(slow())", [slow], seconds=0.3) == "done\n"
    begun = time.monotonic()
    with pytest.raises(ToolError, match="time limit exceeded"):
        await run_program("while True: pass", seconds=0.3)
    assert time.monotonic() - begun < 10
    assert workers() == []


async def test_a_budget_that_is_used_up_ends_the_program() -> None:
    with pytest.raises(BudgetExceeded), Trace() as trace, trace.limit(Budget(steps=2)):
        await run_program("while True:\n    order(1)", [order])
    assert len(trace.of("tool")) == 2
    assert workers() == []


async def test_a_cancelled_program_leaves_no_process() -> None:
    running = asyncio.create_task(run_program("while True: pass", seconds=1000))
    while not workers():
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    _, alive = psutil.wait_procs(workers(), timeout=10)
    assert not alive


async def test_several_programs_run_side_by_side() -> None:
    printed = await asyncio.gather(*(run_program(f"print(order({n})['order'])", [order]) for n in range(5)))
    assert printed == [f"{n}\n" for n in range(5)]


class Structured(str):
    structured: Any = None


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("plain", "plain"),
        ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ("17", "17"),
        (17, 17),
        ({"day": __import__("datetime").date(2026, 11, 30)}, {"day": "2026-11-30"}),
        (None, None),
    ],
)
def test_a_result_reaches_the_program_as_data(given: Any, value: Any) -> None:
    assert value_of(ToolResult(True, str(given), given)) == value


def test_a_server_s_structured_result_is_unwrapped() -> None:
    text = Structured("text")
    text.structured = {"result": [1, 2]}
    assert value_of(ToolResult(True, "text", text)) == [1, 2]
    text.structured = {"rows": [1], "more": False}
    assert value_of(ToolResult(True, "text", text)) == {"rows": [1], "more": False}
