"""One call, one answer."""

import pytest
from scripted import Script, acts, look

from llmlab.agents import SingleStep

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


async def test_what_the_model_says_is_the_answer() -> None:
    script = Script("SELECT 1;")
    run = await SingleStep(script.model, prompts={"task": "As SQL: {task}"}).run("One?")
    assert (run.answer, script.said, "tools" in script.asked[0]) == ("SELECT 1;", ["As SQL: One?"], False)


async def test_what_its_tools_return_is_the_answer_and_the_model_never_sees_it() -> None:
    script = Script(acts(("look", {"city": "Oslo"}), ("look", {"city": "Rome"}), text="I look."))
    run = await SingleStep(script.model, [look]).run("Weather?")
    assert (run.stopped, run.answer, len(script.asked)) == ("done", "Rain in Oslo.\nRain in Rome.", 1)


async def test_it_does_not_recover_from_a_wrong_call() -> None:
    script = Script(acts(("fly", {})))
    run = await SingleStep(script.model, [look]).run("Weather?")
    assert run.answer == "error: there is no tool fly; there are look"
    assert len(script.asked) == 1
