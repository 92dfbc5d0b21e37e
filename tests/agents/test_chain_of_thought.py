"""Reasoning before the answer, and the vote over several samples."""

from typing import Any

import pytest
from scripted import Script

from llmlab import Budget
from llmlab.agents import ChainOfThought, SelfConsistency
from llmlab.agents.chain_of_thought import answer_of
from stub import reply

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("2 + 3 = 5.\nAnswer: 5", "5"),
        ("Answer: 4\nNo, wait.\nAnswer: 5.", "5"),
        ("The answer is 1,234.50 euros.", "1234.50"),
        ("answer:\n\n-7", "-7"),
        ("**Answer:** 12", "12"),
        ("Answer: yes.", "yes"),
        ("First 2.\nThen 3.", "3"),
        ("I do not know.", "I do not know"),
        ("Answer:", "Answer:"),
        (" \n ", ""),
    ],
)
async def test_the_answer_is_read_off_the_end_of_the_reasoning(text: str, answer: str) -> None:
    assert answer_of(text) == answer


async def test_it_asks_for_steps_and_keeps_the_reasoning() -> None:
    script = Script("2 and 3 are 5.\nAnswer: 5")
    run = await ChainOfThought(script.model).run("2 + 3?")
    assert (run.answer, run.notes) == ("5", {"reasoning": "2 and 3 are 5.\nAnswer: 5"})
    assert script.said == ["2 + 3?\nThink step by step, then end with 'Answer:' and the number."]


async def test_reasoning_that_was_cut_off_has_no_answer() -> None:
    cut = reply("2 and 3 are")
    cut["choices"][0]["finish_reason"] = "length"
    run = await ChainOfThought(Script(cut).model).run("2 + 3?")
    assert (run.stopped, run.answer, "cut off" in run.why) == ("error", None, True)


async def test_each_sample_has_a_seed_and_the_answer_that_most_reach_wins() -> None:
    script = Script("Answer: 4", "Answer: 5", "Answer: 6", "Answer: 5", "So 5.")
    run = await SelfConsistency(script.model, samples=5, temperature=0.9).run("2 + 3?")
    assert (run.answer, run.notes["votes"]) == ("5", {"5": 3, "4": 1, "6": 1})
    assert sorted(body["seed"] for body in script.asked) == [0, 1, 2, 3, 4]
    assert {body["temperature"] for body in script.asked} == {0.9}


@pytest.mark.parametrize(
    ("answers", "steps", "stopped", "votes"),
    [
        (["Answer: 4", "Answer: 5"], 2, "steps", {"4": 1, "5": 1}),
        (["Answer: 5", 500, "Answer: 5"], 9, "error", {"5": 2}),
    ],
)
async def test_samples_that_came_vote_without_the_others(answers: Any, steps: int, stopped: str, votes: Any) -> None:
    run = await SelfConsistency(Script(*answers).model, samples=3, budget=Budget(steps=steps)).run("2 + 3?")
    assert (run.stopped, run.answer, run.notes["votes"]) == (stopped, next(iter(votes)), votes)
