"""One step, and the loop: what the model sees, and what it gets for calls that cannot be made."""

import asyncio
from typing import Any

import pytest
from scripted import Script, acts, look

from llmlab import Budget
from llmlab.agents import SingleStep, ToolLoop
from stub import reply

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]
OSLO = acts(("look", {"city": "Oslo"}))


async def test_in_a_single_step_what_the_tools_return_is_the_answer_and_the_model_never_sees_it() -> None:
    script = Script(acts(("look", {"city": "Oslo"}), ("fly", {}), text="I look."))
    run = await SingleStep(script.model, [look]).run("Weather?")
    assert (run.stopped, len(script.asked)) == ("done", 1)
    assert run.answer == "Rain in Oslo.\nerror: there is no tool fly; there are look"


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


@pytest.mark.parametrize("call", [("fly", {"to": "Oslo"}), ("look", {"city": 7}), ("look", '{"city": "Os')])
async def test_a_call_that_cannot_be_made_is_a_result_from_which_the_model_goes_on(call: Any) -> None:
    script = Script(acts(call), OSLO, "It rains.")
    run = await ToolLoop(script.model, [look]).run("Weather?")
    assert (run.stopped, run.answer) == ("done", "It rains.")
    assert script.said[1].startswith("error: ")
    assert script.said[2] == "Rain in Oslo."


async def test_when_the_budget_ends_among_calls_side_by_side_none_goes_on_alone() -> None:
    ended = []

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


@pytest.mark.parametrize(
    ("first", "stopped", "answer"), [("", "error", None), ("It rains, I think.", "done", "It rains, I think.")]
)
async def test_an_empty_reply_keeps_what_was_said_before_and_is_no_answer(
    first: str, stopped: str, answer: Any
) -> None:
    script = Script(acts(("look", {"city": "Oslo"}), text=first), reply(""))
    run = await ToolLoop(script.model, [look]).run("Weather?")
    assert (run.stopped, run.answer, "nothing" in run.why) == (stopped, answer, not answer)


async def test_a_reply_that_was_cut_off_is_done_and_says_so() -> None:
    cut = reply("x")
    cut["choices"][0]["finish_reason"] = "length"
    run = await SingleStep(Script(cut).model).run("Write.")
    assert (run.ok, "cut off" in run.why) == (True, True)
