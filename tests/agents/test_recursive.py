"""Splitting what is too big, and the splits that would never end."""

import asyncio
import json
import re
from typing import Any

import pytest
from scripted import Script

from llmlab import Budget
from llmlab.agents import Recursive
from llmlab.agents.recursive import items_of

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


@pytest.mark.parametrize(
    ("task", "items"),
    [
        ("1, 2,3", ["1", "2", "3"]),
        ("[1, 2.5, \"a\"]", ["1", "2.5", "a"]),
        ("apples\npears, plums\n\n", ["apples", "pears", "plums"]),
        ("7", ["7"]),
        ('{"a": 1}', ['{"a": 1}']),
        (",", []),
        ("[" * 50_000, ["[" * 50_000]),
    ],
)  # fmt: skip
async def test_a_list_is_read_as_json_with_commas_or_by_lines(task: str, items: list[str]) -> None:
    assert items_of(task) == items


def adds(body: Any) -> str:
    """A model that adds and splits without a mistake."""
    numbers = [int(n) for n in re.findall(r"\d+", body["messages"][0]["content"])]
    if "response_format" not in body:
        return str(sum(numbers))
    half = len(numbers) // 2
    return json.dumps({"left": numbers[:half], "right": numbers[half:]})


@pytest.mark.parametrize(("size", "calls"), [(1, 1), (2, 1), (3, 4), (4, 4), (9, 13)])
async def test_a_list_of_any_size_is_solved_by_small_ones(size: int, calls: int) -> None:
    script = Script(adds)
    run = await Recursive(script.model).run(str(list(range(size))))
    assert (run.stopped, run.answer, len(script.asked)) == ("done", str(sum(range(size))), calls)


@pytest.mark.parametrize(("steps", "answer", "sizes"), [(1, None, []), (3, "1", [2, 2]), (4, "6", [2, 2, 4])])
async def test_when_the_budget_ends_the_largest_finished_part_is_the_answer(
    steps: int, answer: str | None, sizes: list[int]
) -> None:
    run = await Recursive(Script(adds).model, budget=Budget(steps=steps)).run("0, 1, 2, 3")
    assert (run.stopped, run.answer) == ("done" if steps == 4 else "steps", answer)
    assert [len(part.items) for part in run.notes.get("parts", [])] == sizes


async def test_a_larger_part_is_a_better_answer_than_the_part_that_came_last() -> None:
    run = await Recursive(Script(adds).model, budget=Budget(steps=9)).run(str(list(range(8))))
    parts = {tuple(map(int, part.items)): part.result for part in run.notes["parts"]}
    assert parts == {items: str(sum(items)) for items in parts}
    assert run.stopped == "steps"
    assert (run.answer, max(map(len, parts))) == ("6", 4)


async def test_the_tree_of_the_parts_stands_in_the_trace() -> None:
    run = await Recursive(Script(adds).model).run("1, 2, 3, 4, 5")
    spans = {step.id: (step.name, step.parent) for step in run.trace.of("span")}
    inside = [(name, spans[parent][0] if parent else None) for name, parent in spans.values()]
    assert inside == [
        ("recursive decomposition", None),
        ("solve 5", "recursive decomposition"),
        ("solve 2", "solve 5"),
        ("solve 3", "solve 5"),
        ("solve 1", "solve 3"),
        ("solve 2", "solve 3"),
    ]


@pytest.mark.parametrize(
    "halves",
    [
        {"left": [1, 2, 3], "right": []},
        {"left": [], "right": [1]},
        {"left": [1], "right": [1, 2, 3, 4]},
        {"left": [], "right": []},
    ],
)
async def test_a_split_that_makes_nothing_smaller_is_stopped_as_a_loop(halves: dict[str, list[int]]) -> None:
    script = Script(json.dumps(halves))
    run = await Recursive(script.model).run("1, 2, 3")
    assert (run.stopped, len(script.asked)) == ("repetition", 1)
    assert "3 items were split into" in run.why


@pytest.mark.parametrize(
    "said", ["Half and half.", '{"left": [1]}', '{"left": 1, "right": 2}', '{"left": [1.5], "right": [2]}']
)
async def test_a_split_that_is_none_is_an_error(said: str) -> None:
    run = await Recursive(Script(said).model).run("1, 2, 3")
    assert run.stopped == "error"
    assert "JSON of the shape Halves" in run.why


async def test_a_split_that_changes_the_items_is_noted_and_not_hidden() -> None:
    script = Script('{"left": [1, 2], "right": [9]}', "3", "9", "12")
    run = await Recursive(script.model).run("1, 2, 3")
    (event,) = run.trace.of("event")
    assert (event.get("before"), event.get("after")) == (["1", "2", "3"], ["1", "2", "9"])


async def test_a_list_that_is_split_off_item_by_item_is_stopped_by_its_depth() -> None:
    def peel(body: Any) -> str:
        if "response_format" not in body:
            return "0"
        first, *rest = re.findall(r"\d+", body["messages"][0]["content"])
        return json.dumps({"left": [first], "right": rest})

    run = await Recursive(Script(peel).model, budget=Budget(depth=5)).run(str(list(range(20))))
    assert run.stopped == "depth"
    assert max(len(step.name) for step in run.trace.of("span")) > 0
    assert [step.name for step in run.trace.of("span")][-1] in ("solve 1", "solve 17")


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
    assert run.stopped == "error"
    assert stopped.is_set()
    assert sorted(step.status for step in run.trace.of("model")) == ["error", "interrupted", "ok"]
