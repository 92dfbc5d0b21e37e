"""Splitting what is too big, and the splits that would never end; a list of tasks that grows."""

import asyncio
import json
import re
from typing import Any

import pytest
from scripted import Script

from llmlab import Budget
from llmlab.agents import Recursive, TaskList
from llmlab.agents.recursive import items_of

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


@pytest.mark.parametrize(
    ("task", "items"),
    [
        ("1, 2,3", ["1", "2", "3"]),
        ('[1, 2.5, "a"]', ["1", "2.5", "a"]),
        ("apples\npears, plums\n\n", ["apples", "pears", "plums"]),
        ('{"a": 1}', ['{"a": 1}']),
        (",", []),
    ],
)
async def test_a_list_is_read_as_json_with_commas_or_by_lines(task: str, items: list[str]) -> None:
    assert items_of(task) == items


def adds(body: Any) -> str:
    """A model that adds and splits without a mistake."""
    numbers = [int(n) for n in re.findall(r"\d+", body["messages"][0]["content"])]
    if "response_format" not in body:
        return str(sum(numbers))
    half = len(numbers) // 2
    return json.dumps({"left": numbers[:half], "right": numbers[half:]})


@pytest.mark.parametrize(("size", "calls"), [(1, 1), (2, 1), (3, 4), (9, 13)])
async def test_a_list_of_any_size_is_solved_by_small_ones(size: int, calls: int) -> None:
    script = Script(adds)
    run = await Recursive(script.model).run(str(list(range(size))))
    assert (run.stopped, run.answer, len(script.asked)) == ("done", str(sum(range(size))), calls)
    assert run.trace.of("span")[1].name == f"solve {size}"


@pytest.mark.parametrize(("steps", "answer", "largest"), [(1, None, 0), (3, "1", 2), (9, "6", 4)])
async def test_when_the_budget_ends_the_largest_finished_part_is_the_answer(
    steps: int, answer: str | None, largest: int
) -> None:
    items = "0, 1, 2, 3" if steps < 9 else "0, 1, 2, 3, 4, 5, 6, 7"
    run = await Recursive(Script(adds).model, budget=Budget(steps=steps)).run(items)
    assert (run.stopped, run.answer) == ("steps", answer)
    assert max((len(items) for items, _ in run.notes.get("parts", [])), default=0) == largest


@pytest.mark.parametrize("halves", [([1, 2, 3], []), ([], [1]), ([1], [1, 2, 3, 4]), ([], [])])
async def test_a_split_that_makes_nothing_smaller_is_stopped_as_a_loop(halves: tuple[list[int], list[int]]) -> None:
    script = Script(json.dumps(dict(zip(("left", "right"), halves, strict=True))))
    run = await Recursive(script.model).run("1, 2, 3")
    assert (run.stopped, len(script.asked)) == ("repetition", 1)
    assert "3 items were split into" in run.why


async def test_a_split_that_changes_the_items_is_noted_and_not_hidden() -> None:
    script = Script('{"left": [1, 2], "right": [9]}', "3", "9", "12")
    run = await Recursive(script.model).run("1, 2, 3")
    (event,) = run.trace.of("event")
    assert (event.get("before"), event.get("after")) == (["1", "2", "3"], ["1", "2", "9"])


async def test_when_one_half_fails_the_other_does_not_go_on() -> None:
    stopped = asyncio.Event()

    async def answer(body: Any) -> Any:
        asked = body["messages"][0]["content"]
        if "response_format" in body:
            return '{"left": [1, 2], "right": [3, 4]}'
        if "1, 2" in asked:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()
        return 500

    run = await Recursive(Script(answer).model).run("1, 2, 3, 4")
    assert (run.stopped, stopped.is_set()) == ("error", True)
    assert sorted(step.status for step in run.trace.of("model")) == ["error", "interrupted", "ok"]


# The task list, which grows instead


def tasks(*some: str) -> str:
    return json.dumps({"tasks": some})


async def test_a_task_list_grows_and_of_a_sorting_takes_only_the_order() -> None:
    answers = ["r1", tasks("b", "c", "d"), tasks("invented", "d"), "r2", tasks(), tasks(), "r3", tasks(), "r4", tasks()]
    script = Script(*answers)
    run = await TaskList(script.model).run("a")
    assert (run.stopped, run.answer) == ("done", "r4")
    assert run.notes == {"done": {"a": "r1", "d": "r2", "b": "r3", "c": "r4"}, "open": []}
    assert "Done so far: r1; r2\nTask: b\n" in script.said[6]


@pytest.mark.parametrize(
    ("new", "steps", "stopped"),
    [
        (lambda n: tasks(f"more {n}"), 9, "steps"),
        (lambda n: tasks("a"), 9, "repetition"),
        (lambda n: "None.", 9, "error"),
        (lambda n: tasks(*"bcdefgh"), 9, "error"),
    ],
)
async def test_a_task_list_that_would_not_end_is_stopped_with_what_was_done(new: Any, steps: int, stopped: str) -> None:
    def answer(body: Any) -> str:
        asked = body["messages"][0]["content"]
        return new(len(script.asked)) if "new tasks" in asked else tasks() if "Sort" in asked else "Did it."

    script = Script(answer)
    run = await TaskList(script.model, budget=Budget(steps=steps)).run("a")
    assert (run.stopped, run.answer) == (stopped, "Did it.")
    assert len(script.asked) <= steps
