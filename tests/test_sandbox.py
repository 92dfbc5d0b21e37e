"""Programs that a model wrote: what they can reach, where they end, and the tools inside them as real tool calls."""

import asyncio
import subprocess
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpecManager

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


def workers(of: psutil.Process | None = None) -> list[psutil.Process]:
    """The interpreter's processes that run below this one."""
    found = (of or psutil.Process()).children(recursive=True)
    return [p for p in found if "monty" in p.name() and p.status() != psutil.STATUS_ZOMBIE]


async def test_results_pass_from_tool_to_tool_and_each_call_is_a_step() -> None:
    with Trace() as trace:
        printed = await run_program("print(city(order(1120)['customer']))", [order, city])
    assert printed == "Sligo\n"
    steps = [("order", {"number": 1120}), ("city", {"customer": "Ann Kelly"})]
    assert [(step.name, step.arguments) for step in trace.of("tool")] == steps


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("sum(order(n)['total'] for n in range(3))", "37.5\n"),
        ("order(number=7, full=True)['order']", "7\n"),
        ("try:\n    order(3000)\nexcept Exception as error:\n    print(str(error)[:22])", "there is no order 3000\n"),
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
        ("def city(customer):\n    return 'Cork'\nprint(city('x'))", "city is there already"),
        ("open('/etc/passwd').read()", "PermissionError"),
        ("import os\nprint(os.environ['HOME'])", "'os.environ' is not supported"),
        ("import subprocess", "No module named 'subprocess'"),
        ("import socket", "No module named 'socket'"),
        ("__import__('os').system('ls')", "failed"),
        ("x = 'a' * 10**10", "memory limit exceeded"),
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
    with pytest.raises(ToolError, match="time limit exceeded"):
        await run_program("while True: pass", seconds=0.3)
    assert workers() == []


async def test_a_budget_that_is_used_up_ends_the_program() -> None:
    with pytest.raises(BudgetExceeded), Trace() as trace, trace.limit(Budget(steps=2)):
        await run_program("while True:\n    order(1)", [order])
    assert len(trace.of("tool")) == 2
    assert workers() == []


class Structured(str):
    structured: Any = None


@pytest.mark.parametrize(
    ("given", "structured", "value"),
    [
        ("17", None, "17"),
        ("[1, 2]", None, [1, 2]),
        ({"day": __import__("datetime").date(2026, 11, 30)}, None, {"day": "2026-11-30"}),
        (None, None, None),
        (Structured("text"), {"result": [1, 2]}, [1, 2]),
        (Structured("text"), {"rows": [1], "more": False}, {"rows": [1], "more": False}),
    ],
)
def test_a_result_reaches_the_program_as_data(given: Any, structured: Any, value: Any) -> None:
    if structured:  # as an MCP server sends it
        given.structured = structured
    assert value_of(ToolResult(True, str(given), given)) == value


def until(happened: Callable[[], Any]) -> Any:
    """Wait for something that another process does and nobody tells."""
    end = time.monotonic() + 60
    while not (seen := happened()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return seen


def test_in_a_kernel_interrupt_and_restart_leave_no_process() -> None:
    manager = KernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    manager.start_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kernel, client = psutil.Process(manager.provisioner.pid), manager.client()
    forever = "from llmlab.tools import sandbox\nawait sandbox.run_program('while True: pass', seconds=1000)"
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        asked = client.execute(forever, stop_on_error=False)  # or the kernel may abort what comes right after it
        until(lambda: workers(kernel))
        manager.interrupt_kernel()
        while (said := client.get_shell_msg(timeout=60))["parent_header"]["msg_id"] != asked:
            pass  # a late answer to what `wait_for_ready` asked
        assert said["content"]["status"] == "error"
        until(lambda: not workers(kernel))
        client.execute(forever)
        [running] = until(lambda: workers(kernel))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    until(lambda: not running.is_running() or running.status() == psutil.STATUS_ZOMBIE)
