"""Plans in a checked shape, steps that fail, and plans that are none."""

import json
from typing import Any

import pytest
from scripted import Script, acts, look

from llmlab import Budget, ToolError
from llmlab.agents import PlanAndAct
from llmlab.agents.plan_and_act import Step, plan_schema, read_plan
from llmlab.tools import tool

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


@tool
async def write(about: str) -> str:
    """Write a text."""
    return f"A text about {about}."


def plan(*steps: tuple[str, str, list[int]]) -> str:
    return json.dumps({"steps": [{"tool": tool, "task": task, "needs": needs} for tool, task, needs in steps]})


OSLO = acts(("look", {"city": "Oslo"}))
TWO = plan(("look", "Look at Oslo.", []), ("write", "Write.", [1]))


async def test_it_plans_acts_and_answers_with_each_step_in_the_trace() -> None:
    script = Script(TWO, OSLO, acts(("write", {"about": "rain"})), "A post.")
    run = await PlanAndAct(script.model, [look, write]).run("A post about Oslo.")
    assert (run.stopped, run.answer) == ("done", "A post.")
    assert run.notes["results"] == {1: "Rain in Oslo.", 2: "A text about rain."}
    assert run.notes["plans"] == [
        [Step(tool="look", task="Look at Oslo."), Step(tool="write", task="Write.", needs=[1])]
    ]
    planned, first, second, last = script.asked
    assert "- look: The weather in a city.\n- write: Write a text." in planned["messages"][0]["content"]
    assert planned["response_format"]["json_schema"]["schema"] == plan_schema(["look", "write"])
    assert [[t["function"]["name"] for t in body["tools"]] for body in (first, second)] == [["look"], ["write"]]
    assert script.said[1:] == [
        "Look at Oslo.",
        "Rain in Oslo.\nWrite.",
        "Look at Oslo.: Rain in Oslo.\nWrite.: A text about rain.\nA post about Oslo.",
    ]
    assert "tools" not in last
    assert [step.name for step in run.trace.of("span")] == ["plan and act", "step 1: look", "step 2: write"]
    assert [event.get("wrong") for event in run.trace.of("event")] == [""]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("First I look, then I write.", "it is no JSON object with a list of steps"),
        ('{"steps": "look"}', "it is no JSON object"),
        ('[{"tool": "look"}]', "it is no JSON object"),
        ('{"steps": [{"tool": "look"}]}', "it is no JSON object"),
        ("{" * 10_000, "it is no JSON object"),
        ('{"steps": []}', "it has no steps"),
        (plan(("fly", "Fly.", [])), "step 1 uses 'fly', which is no tool here"),
        (plan(("look", "Look.", [1])), "step 1 needs [1], but may need only earlier steps"),
        (plan(("look", "Look.", []), ("look", "Look.", [0])), "step 2 needs [0]"),
        (plan(("look", "Look.", []), ("look", "Look.", [3])), "step 2 needs [3]"),
    ],
)
async def test_a_plan_that_is_no_plan_is_asked_for_again_with_what_is_wrong_and_then_given_up(
    text: str, wrong: str
) -> None:
    assert wrong in read_plan(text, ["look", "write"])[1]
    script = Script(text)
    run = await PlanAndAct(script.model, [look, write]).run("A post.")
    assert (run.stopped, run.answer, len(script.asked)) == ("error", None, 2)
    assert f"This plan is wrong, {wrong}" in script.said[1]
    assert f"but {wrong}" in run.why
    again = Script(text, plan(("look", "Look.", [])), OSLO, "A post.")
    assert (await PlanAndAct(again.model, [look, write]).run("A post.")).ok


def failing(times: int) -> Any:
    """A tool that fails so many times, and then works."""
    left = [times]

    @tool
    async def look(city: str) -> str:
        """The weather in a city."""
        left[0] -= 1
        if left[0] >= 0:
            raise ToolError("the station is down")
        return f"Rain in {city}."

    return look


async def test_a_tool_that_fails_once_is_called_again() -> None:
    script = Script(TWO, OSLO, OSLO, acts(("write", {"about": "rain"})), "A post.")
    run = await PlanAndAct(script.model, [failing(1), write]).run("A post.")
    assert (run.ok, len(run.notes["plans"])) == (True, 1)
    assert [step.status for step in run.trace.of("tool")] == ["error", "ok", "ok"]


async def test_a_step_that_fails_twice_is_planned_anew_behind_what_is_done() -> None:
    down = failing(2)
    first = plan(("write", "Write.", []), ("look", "Look at Oslo.", [1]), ("write", "End.", [1]))
    rest = plan(("look", "Look at Rome.", []), ("write", "Write again.", [1]))
    rain, rome = acts(("write", {"about": "rain"})), acts(("look", {"city": "Rome"}))
    script = Script(first, rain, OSLO, OSLO, rest, rome, rain, "A post.")
    run = await PlanAndAct(script.model, [down, write]).run("A post.")
    assert (run.stopped, run.answer, len(run.notes["plans"])) == ("done", "A post.", 2)
    assert "Done: Write.: A text about rain.\nStep 2 (look) failed: error: the station is down" in script.said[4]
    # The new plan's step 1 is step 2 now, and what needs it gets its result.
    assert script.said[6] == "Rain in Rome.\nWrite again."
    # What stands in the place of the failed step gets what that one needed.
    assert script.said[5] == "A text about rain.\nLook at Rome."
    assert run.notes["results"] == {1: "A text about rain.", 2: "Rain in Rome.", 3: "A text about rain."}


async def test_a_tool_that_always_fails_ends_the_run_with_the_finished_parts_kept() -> None:
    first = plan(("write", "Write.", []), ("look", "Look.", []))
    rest = plan(("look", "Look.", []))
    script = Script(first, acts(("write", {"about": "rain"})), OSLO, OSLO, rest, OSLO, OSLO, rest, OSLO)
    run = await PlanAndAct(script.model, [failing(99), write]).run("A post.")
    assert (run.stopped, run.answer, run.notes["results"]) == ("error", "A text about rain.", {1: "A text about rain."})
    assert "may plan 3 times, but step 2 (look) failed again: error: the station is down" in run.why
    assert len(run.trace.of("tool")) == 1 + 3 * 2


async def test_all_that_the_model_reads_is_a_prompt_that_can_be_changed() -> None:
    prompts = {"plan again": "{ask} Not so: {wrong}.", "act again": "{ask} Mind: {error}."}
    script = Script('{"steps": []}', plan(("look", "Look.", [])), "No.", OSLO, "A post.")
    run = await PlanAndAct(script.model, [look], prompts=prompts).run("A post.")
    assert run.ok
    assert script.said[1] == f"{script.said[0]} Not so: it has no steps."
    assert script.said[3] == "Look. Mind: the model did not call look."


async def test_what_went_wrong_is_told_in_the_next_request() -> None:
    script = Script('{"steps": []}', plan(("look", "Look.", [])), "No.", OSLO, "A post.")
    await PlanAndAct(script.model, [look]).run("A post.")
    assert script.said[1] == f'{script.said[0]}\nThis plan is wrong, it has no steps: {{"steps": []}}'
    assert script.said[3] == "Look.\n(the model did not call look)"


@pytest.mark.parametrize("answer", ["I would rather not.", acts(("fly", {}))])
async def test_a_model_that_does_not_call_the_tool_of_its_step_fails_that_step(answer: Any) -> None:
    script = Script(plan(("look", "Look.", [])), answer, answer, plan(("look", "Look.", [])), OSLO, "A post.")
    run = await PlanAndAct(script.model, [look]).run("A post.")
    assert run.ok
    assert "failed: the model did not call look" in script.said[3]


async def test_without_tools_there_is_nothing_to_plan_with() -> None:
    script = Script("")
    run = await PlanAndAct(script.model).run("A post.")
    assert (run.stopped, script.asked) == ("error", [])
    assert "A plan needs tools" in run.why


async def test_when_the_budget_ends_the_last_finished_part_is_the_answer() -> None:
    script = Script(TWO, OSLO, acts(("write", {"about": "rain"})))
    run = await PlanAndAct(script.model, [look, write], budget=Budget(steps=4)).run("A post.")
    assert (run.stopped, run.answer, run.notes["results"]) == ("steps", "Rain in Oslo.", {1: "Rain in Oslo."})
