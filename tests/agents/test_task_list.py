"""A list of tasks that grows: its order, its end, and what ends it otherwise."""

import json
from typing import Any

import pytest
from scripted import Script

from llmlab import Budget
from llmlab.agents import TaskList

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


def tasks(*some: str) -> str:
    return json.dumps({"tasks": some})


async def test_it_does_the_first_task_adds_new_ones_sorts_and_ends_with_the_list() -> None:
    script = Script("r1", tasks("b", "c"), tasks("c", "b"), "r2", tasks(), "r3", tasks())
    run = await TaskList(script.model).run("a")
    assert (run.stopped, run.answer, run.notes) == (
        "done",
        "r3",
        {"done": {"a": "r1", "c": "r2", "b": "r3"}, "open": []},
    )
    assert "Done so far: r1; r2\nTask: b\n" in script.said[5]
    assert [step.get("task") for step in run.trace.of("span")] == ["a", "a", "c", "b"]


async def test_sorting_takes_only_the_order_from_the_model() -> None:
    script = Script(
        "r1", tasks("b", "c", "d"), tasks("invented", "d"), "r2", tasks(), tasks(), "r3", tasks(), "r4", tasks()
    )
    run = await TaskList(script.model).run("a")
    assert list(run.notes["done"]) == ["a", "d", "b", "c"]


async def test_a_list_that_never_ends_is_stopped_by_its_budget_with_what_was_done() -> None:
    count = iter(range(1000))

    def answer(body: Any) -> str:
        asked = body["messages"][0]["content"]
        return tasks(f"more {next(count)}") if "new tasks" in asked else tasks() if "Sort" in asked else "Did it."

    script = Script(answer)
    run = await TaskList(script.model).run("Take over the world.")
    assert (run.stopped, run.answer, len(script.asked)) == ("steps", "Did it.", TaskList.budget.steps)
    assert len(run.notes["done"]) == 12
    assert (await TaskList(script.model, budget=Budget(steps=3)).run("Again.")).spent.model_calls == 3


async def test_a_task_that_comes_again_and_again_is_stopped_as_a_loop() -> None:
    script = Script("r1", tasks("a"), "r2", tasks("a"))
    run = await TaskList(script.model).run("a")
    assert (run.stopped, run.answer, len(script.asked)) == ("repetition", "r2", 4)


@pytest.mark.parametrize("said", ["None.", '{"tasks": "b"}', tasks(*"bcdefgh")])
async def test_new_tasks_that_are_none_are_an_error_with_the_result_kept(said: str) -> None:
    run = await TaskList(Script("r1", said).model).run("a")
    assert (run.stopped, run.answer) == ("error", "r1")
