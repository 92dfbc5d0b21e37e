"""The agent loop: what the model sees, and what it gets for calls that cannot be made."""

import asyncio
from typing import Any

import pytest
from scripted import Script, acts, look, looking

from llmlab import Budget
from llmlab.agents import ToolLoop
from llmlab.tools import tool
from stub import reply

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


async def test_the_model_sees_what_it_asked_for_and_what_came_back_until_it_answers_in_words() -> None:
    calls = acts(("look", {"city": "Oslo"}), ("look", {"city": "Rome"}), text="Let me look.")
    script = Script(calls, "Rain in both.")
    run = await ToolLoop(script.model, [look], prompts={"system": "Be brief."}).run("Weather?")
    assert (run.stopped, run.answer) == ("done", "Rain in both.")
    first, second = (body["messages"] for body in script.asked)
    assert first == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Weather?"}]
    assert second == [
        *first,
        {"role": "assistant", "content": "Let me look.", "tool_calls": calls["choices"][0]["message"]["tool_calls"]},
        {"role": "tool", "tool_call_id": "call_0", "content": "Rain in Oslo."},
        {"role": "tool", "tool_call_id": "call_1", "content": "Rain in Rome."},
    ]
    assert [body["tools"] for body in script.asked] == [[look.openai()]] * 2
    assert [step.name for step in run.trace] == ["tool loop", "chat", "look", "look", "chat"]


async def test_without_tools_it_is_one_call() -> None:
    script = Script("Hello.")
    run = await ToolLoop(script.model).run("Say hello.")
    assert (run.answer, len(script.asked), "tools" in script.asked[0]) == ("Hello.", 1, False)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (("fly", {"to": "Oslo"}), "there is no tool fly; there are look"),
        (("look", {"city": 7}), "city: Input should be a valid string"),
        (("look", {"town": "Oslo"}), "city: Missing required argument"),
        (("look", '{"city": "Os'), "takes its arguments as JSON"),
        (("look", ["Oslo"]), "takes a JSON object, but got list"),
    ],
)
async def test_a_call_that_cannot_be_made_is_a_result_from_which_the_model_goes_on(call: Any, says: str) -> None:
    script = Script(acts(call), acts(("look", {"city": "Oslo"})), "It rains.")
    run = await ToolLoop(script.model, [look]).run("Weather?")
    assert (run.stopped, run.answer) == ("done", "It rains.")
    assert script.said[1].startswith("error: ")
    assert says in script.said[1]
    assert script.said[2] == "Rain in Oslo."


async def test_when_the_budget_ends_among_calls_side_by_side_none_goes_on_alone() -> None:
    ended = []

    @tool
    async def wait(city: str) -> str:
        """Wait."""
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(city)
        return ""

    script = Script(acts(*[("wait", {"city": city}) for city in "abcd"], text="Waiting."))
    run = await ToolLoop(script.model, [wait], budget=Budget(steps=3)).run("Wait.")
    assert (run.stopped, run.answer, sorted(ended)) == ("steps", "Waiting.", ["a", "b"])
    assert [step.status for step in run.trace.of("tool")] == ["interrupted", "interrupted"]


async def test_many_calls_in_one_reply_do_not_go_over_the_budget() -> None:
    run = await ToolLoop(Script(looking(50)).model, [look], budget=Budget(steps=10)).run("Look everywhere.")
    assert (run.stopped, len(run.trace.of("model")), len(run.trace.of("tool"))) == ("steps", 1, 9)


async def test_a_run_that_is_stopped_before_anything_was_said_keeps_what_was_found_last() -> None:
    run = await ToolLoop(Script(looking(1)).model, [look], budget=Budget(steps=5)).run("Look everywhere.")
    assert (run.stopped, run.answer) == ("steps", "Rain in City 1.")


async def test_a_model_that_ends_without_a_word_has_not_answered() -> None:
    run = await ToolLoop(Script(acts(("look", {"city": "Oslo"})), reply("")).model, [look]).run("Weather?")
    assert (run.stopped, run.answer, "answered with nothing" in run.why) == ("error", None, True)


async def test_an_empty_reply_keeps_what_was_said_before() -> None:
    script = Script(acts(("look", {"city": "Oslo"}), text="It rains, I think."), reply(""))
    assert (await ToolLoop(script.model, [look]).run("Weather?")).answer == "It rains, I think."
