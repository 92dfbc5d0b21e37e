"""Plans in a checked shape, steps that fail, and plans that are none."""

import json
from typing import Any

import pytest
from scripted import Script, acts, look

from llmlab import ToolError
from llmlab.agents import PlanAndAct
from llmlab.agents.plan_and_act import Step, plan_schema

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


async def write(about: str) -> str:
    """Write a text."""
    return f"A text about {about}."


def plan(*steps: tuple[str, str, list[int]]) -> str:
    return json.dumps({"steps": [{"tool": tool, "task": task, "needs": needs} for tool, task, needs in steps]})


OSLO, RAIN = acts(("look", {"city": "Oslo"})), acts(("write", {"about": "rain"}))
TWO = plan(("look", "Look at Oslo.", []), ("write", "Write.", [1]))


async def test_it_plans_acts_and_answers_with_each_step_in_the_trace() -> None:
    script = Script(TWO, OSLO, RAIN, "A post.")
    run = await PlanAndAct(script.model, [look, write]).run("A post about Oslo.")
    assert (run.stopped, run.answer) == ("done", "A post.")
    assert run.notes["results"] == {1: "Rain in Oslo.", 2: "A text about rain."}
    assert run.notes["plans"] == [
        [Step(tool="look", task="Look at Oslo."), Step(tool="write", task="Write.", needs=[1])]
    ]
    planned, first, second, last = script.asked
    assert "- look: The weather in a city.\n- write: Write a text." in planned["messages"][0]["content"]
    assert planned["response_format"]["json_schema"]["schema"] == plan_schema(["look", "write"], 10)
    assert [[t["function"]["name"] for t in body["tools"]] for body in (first, second)] == [["look"], ["write"]]
    assert script.said[1:] == [
        "Look at Oslo.",
        "Rain in Oslo.\nWrite.",
        "Look at Oslo.: Rain in Oslo.\nWrite.: A text about rain.\nA post about Oslo.",
    ]
    assert "tools" not in last
    assert [step.name for step in run.trace.of("span")] == ["plan and act", "step 1: look", "step 2: write"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("First I look, then I write.", "no JSON object"),
        ('{"steps": "look"}', "no JSON object"),
        ('{"steps": [{"tool": "look"}]}', "no JSON object"),
        ("{" * 10_000, "no JSON object"),
        ('{"steps": []}', "no steps"),
        (plan(("fly", "Fly.", [])), "step 1 uses 'fly'"),
        (plan(("look", "Look.", [1])), "step 1 needs [1]"),
        (plan(("look", "Look.", []), ("look", "Look.", [0])), "step 2 needs [0]"),
    ],
)
async def test_a_plan_that_is_none_is_asked_for_again_with_what_is_wrong_and_then_given_up(
    text: str, wrong: str
) -> None:
    script = Script(text)
    run = await PlanAndAct(script.model, [look, write]).run("A post.")
    assert (run.stopped, run.answer, len(script.asked)) == ("error", None, 2)
    assert wrong in script.said[1].removeprefix(script.said[0])
    assert wrong in run.why
    again = Script(text, plan(("look", "Look.", [])), OSLO, "A post.")
    assert (await PlanAndAct(again.model, [look, write]).run("A post.")).ok


def failing(times: int) -> Any:
    """A tool that fails so many times, and then works."""
    left = [times]

    async def look(city: str) -> str:
        """The weather in a city."""
        left[0] -= 1
        if left[0] >= 0:
            raise ToolError("the station is down")
        return f"Rain in {city}."

    return look


async def test_a_step_that_fails_twice_is_planned_anew_behind_what_is_done() -> None:
    first = plan(("write", "Write.", []), ("look", "Look at Oslo.", [1]), ("write", "End.", [1]))
    rest = plan(("look", "Look at Rome.", []), ("write", "Write again.", [1]))
    script = Script(first, RAIN, OSLO, OSLO, rest, acts(("look", {"city": "Rome"})), RAIN, "A post.")
    run = await PlanAndAct(script.model, [failing(2), write]).run("A post.")
    assert (run.stopped, run.answer, len(run.notes["plans"])) == ("done", "A post.", 2)
    assert script.said[3].endswith("(error: the station is down)\nCall look again.")
    assert "Done: Write.: A text about rain..\nStep 2 (look) failed: error: the station is down." in script.said[4]
    # The new plan's step 1 is step 2 now, and gets what the failed one needed; what needs it gets its result.
    assert script.said[5:7] == ["A text about rain.\nLook at Rome.", "Rain in Rome.\nWrite again."]
    assert run.notes["results"] == {1: "A text about rain.", 2: "Rain in Rome.", 3: "A text about rain."}


async def test_what_is_done_is_not_done_again_where_a_new_plan_begins_from_the_start() -> None:
    first = plan(("write", "Write.", []), ("look", "Look at Oslo.", [1]))
    whole = plan(("write", "Write.", []), ("look", "Look at Rome.", []), ("write", "End.", [1, 2]))
    script = Script(first, RAIN, OSLO, OSLO, whole, acts(("look", {"city": "Rome"})), RAIN, "A post.")
    run = await PlanAndAct(script.model, [failing(2), write]).run("A post.")
    assert (run.stopped, run.answer) == ("done", "A post.")
    assert script.said[5:7] == ["A text about rain.\nLook at Rome.", "A text about rain.\nRain in Rome.\nEnd."]
    assert [step.name for step in run.trace.of("span")][-2:] == ["step 2: look", "step 3: write"]


@pytest.mark.parametrize("answer", ["I would rather not.", acts(("fly", {}))])
async def test_a_model_that_never_calls_the_tool_of_its_step_ends_with_the_finished_parts_kept(answer: Any) -> None:
    first, rest = plan(("write", "Write.", []), ("look", "Look.", [])), plan(("look", "Look.", []))
    script = Script(first, RAIN, answer, answer, rest, answer, answer, rest, answer)
    run = await PlanAndAct(script.model, [look, write]).run("A post.")
    assert (run.stopped, run.answer, run.notes["results"]) == ("error", "A text about rain.", {1: "A text about rain."})
    assert script.said[3] == "Look.\n(the model did not call look)\nCall look again."
    assert "may plan 3 times" in run.why


async def test_without_tools_there_is_nothing_to_plan_with() -> None:
    script = Script("")
    run = await PlanAndAct(script.model).run("A post.")
    assert (run.stopped, script.asked, "needs tools" in run.why) == ("error", [], True)
