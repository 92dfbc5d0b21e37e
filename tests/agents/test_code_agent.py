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


async def test_a_program_runs_and_what_it_printed_goes_back_for_the_answer() -> None:
    script = Script(program("print(city(order(1120)['customer']))"), "In Sligo.")
    run = await CodeAgent(script.model, [order, city]).run("Where does the customer of order 1120 live?")
    assert (run.answer, run.stopped, run.spent.model_calls) == ("In Sligo.", "done", 2)
    assert "The program printed:\nSligo\n" in script.asked[1]["messages"][-1]["content"]
    assert "tools" not in script.asked[0]
    steps = run.trace.of("tool")
    assert [step.name for step in steps] == ["program", "order", "city"]
    assert {step.parent for step in steps[1:]} == {steps[0].id}, "the calls stand inside the program"


async def test_a_program_that_fails_comes_back_with_its_error_and_may_be_mended() -> None:
    script = Script(program("order(3000)"), program("print(order(30)['customer'])"), "Ann Kelly.")
    run = await CodeAgent(script.model, [order]).run("Who placed order 30?")
    assert run.answer == "Ann Kelly."
    assert "there is no order 3000" in script.asked[1]["messages"][-1]["content"]


async def test_the_same_program_again_and_again_is_stopped_and_the_best_so_far_is_kept() -> None:
    run = await CodeAgent(Script(program("print(order(3)['customer'])")).model, [order]).run("Who?")
    assert (run.stopped, run.answer) == ("repetition", "Ann Kelly")


async def test_what_needs_no_program_is_answered_in_words() -> None:
    run = await CodeAgent(Script("Good morning!").model, [order]).run("Good morning!")
    assert (run.answer, run.trace.of("tool")) == ("Good morning!", [])


async def test_a_budget_ends_a_run_in_the_middle_of_a_program() -> None:
    script = Script(program("for n in range(50):\n    order(n)"))
    run = await CodeAgent(script.model, [order], budget=Budget(steps=5)).run("All of them.")
    assert run.stopped == "steps"
    assert (run.spent.model_calls, run.spent.tool_calls) == (1, 4)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\nprint(1)\n```", "print(1)"),
        ("So:\n```py\nprint(1)\n```\nThat is all.", "print(1)"),
        ("```Python\nprint(1)", "print(1)"),
        ("```python\nprint(1)\n```\n```python\nprint(2)\n```", "print(1)"),
        ("```json\n{}\n```", None),
        ("```python\n\n```", None),
        ("print(1)", None),
        ("", None),
    ],
)
def test_a_program_is_the_first_block_of_python(text: str, code: str | None) -> None:
    assert code_of(text) == code


def test_a_tool_is_shown_as_a_line_of_python() -> None:
    assert signature(order) == "order(number: int) -> dict  # An order."
    assert signature(city) == "city(customer: str, country: str = 'Ireland') -> str  # The city of a customer."
