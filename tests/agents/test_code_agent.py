"""The code agent: programs over tools, round after round, until the model answers in words."""

from typing import Any

import pytest

from agents.scripted import Script
from llmlab import ToolError
from llmlab.agents import CodeAgent
from llmlab.agents.code_agent import code_of, signature
from llmlab.budget import Budget
from llmlab.tools import tool

pytestmark = pytest.mark.anyio


@tool
def order(number: int) -> dict[str, Any]:
    """An order."""
    if number > 2000:
        raise ToolError(f"there is no order {number}")
    return {"order": number, "customer": "Ann Kelly"}


@tool
def city(customer: str, country: str = "Ireland") -> str:
    """The city of a customer."""
    return "Sligo"


def program(code: str) -> str:
    return f"```python\n{code}\n```"


async def test_programs_run_and_what_they_printed_or_their_error_goes_back_for_the_answer() -> None:
    script = Script(program("order(3000)"), program("print(city(order(1120)['customer']))"), "In Sligo.")
    run = await CodeAgent(script.model, [order, city]).run("Where does the customer of order 1120 live?")
    assert (run.answer, run.stopped, run.spent.model_calls, "tools" in script.asked[0]) == (
        "In Sligo.",
        "done",
        3,
        False,
    )
    assert "there is no order 3000" in script.said[1]
    assert "The program printed:\nSligo\n" in script.said[2]
    _, _, *steps = run.trace.of("tool")
    assert [step.name for step in steps] == ["program", "order", "city"]
    assert {step.parent for step in steps[1:]} == {steps[0].id}, "the calls stand inside the program"


@pytest.mark.parametrize(
    ("code", "steps", "stopped", "answer"),
    [
        ("print(order(3)['customer'])", 50, "repetition", "Ann Kelly"),
        ("for n in range(50):\n    order(n)", 5, "steps", None),
    ],
)
async def test_a_run_that_would_not_end_is_stopped(code: str, steps: int, stopped: str, answer: str | None) -> None:
    run = await CodeAgent(Script(program(code)).model, [order], budget=Budget(steps=steps)).run("Who?")
    assert (run.stopped, run.answer) == (stopped, answer)
    assert run.spent.model_calls + run.spent.tool_calls <= steps


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("So:\n```py\nprint(1)\n```\nThat is all.", "print(1)"),
        ("```Python\nprint(1)", "print(1)"),
        ("```python\nprint(1)\n```\n```python\nprint(2)\n```", "print(1)"),
        ("```json\n{}\n```", None),
        ("```python\n\n```", None),
        ("print(1)", None),
    ],
)
def test_a_program_is_the_first_block_of_python(text: str, code: str | None) -> None:
    assert code_of(text) == code


def test_a_tool_is_shown_as_a_line_of_python() -> None:
    assert signature(order) == "order(number: int) -> dict  # An order."
    assert signature(city) == "city(customer: str, country: str = 'Ireland') -> str  # The city of a customer."
