"""Reasoning before the answer, and the vote over several samples."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import TOKENS, Script

from llmlab import Budget
from llmlab.agents import ChainOfThought, SelfConsistency
from llmlab.agents.chain_of_thought import answer_of

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("2 + 3 = 5.\nAnswer: 5", "5"),
        ("Answer: 4\nNo, wait.\nAnswer: 5.", "5"),
        ("The answer is 1,234.50 euros.", "1234.50"),
        ("answer:\n\n-7", "-7"),
        ("**Answer:** 12", "12"),
        ("Answer: $3", "3"),
        ("Answer: yes.", "yes"),
        ("First 2.\nThen 3.", "3"),
        ("I do not know.", "I do not know"),
        ("Answer:", "Answer:"),
        ("", ""),
        (" \n ", ""),
    ],
)
async def test_the_answer_is_read_off_the_end_of_the_reasoning(text: str, answer: str) -> None:
    assert answer_of(text) == answer


@settings(deadline=None, derandomize=True)
@given(st.text() | st.text("answer: is\n\t-0123456789,.").map(lambda tail: f"Answer{tail}"))
async def test_whatever_stands_there_the_answer_is_one_line(text: str) -> None:
    assert len(answer_of(text).splitlines()) <= 1


async def test_it_asks_for_steps_and_keeps_the_reasoning() -> None:
    script = Script("2 and 3 are 5.\nAnswer: 5")
    run = await ChainOfThought(script.model).run("2 + 3?")
    assert (run.answer, run.notes) == ("5", {"reasoning": "2 and 3 are 5.\nAnswer: 5"})
    assert script.said == ["2 + 3?\nThink step by step, then end with 'Answer:' and the number."]
    assert script.asked[0]["temperature"] == 0


async def test_the_answer_that_most_samples_reach_wins() -> None:
    script = Script("Answer: 4", "Answer: 5", "Answer: 6", "Answer: 5", "So 5.")
    run = await SelfConsistency(script.model, samples=5, temperature=0.9).run("2 + 3?")
    assert (run.answer, run.notes["votes"]) == ("5", {"5": 3, "4": 1, "6": 1})
    assert sorted(body["seed"] for body in script.asked) == [0, 1, 2, 3, 4]
    assert {body["temperature"] for body in script.asked} == {0.9}


async def test_of_answers_with_equal_votes_the_first_counts() -> None:
    run = await SelfConsistency(Script("Answer: 4", "Answer: 5").model, samples=2).run("2 + 3?")
    assert run.answer == "4"


async def test_samples_that_the_budget_allowed_vote_without_the_others() -> None:
    script = Script("Answer: 5")
    run = await SelfConsistency(script.model, samples=5, budget=Budget(steps=3)).run("2 + 3?")
    assert (run.stopped, run.answer, run.notes["votes"], len(script.asked)) == ("steps", "5", {"5": 3}, 3)
    assert run.spent.tokens == 3 * TOKENS


async def test_samples_that_came_vote_when_others_fail() -> None:
    script = Script("Answer: 5", 500, "Answer: 5")
    run = await SelfConsistency(script.model, samples=3).run("2 + 3?")
    assert (run.stopped, run.answer, run.notes["votes"]) == ("error", "5", {"5": 2})
    assert "500: scripted" in run.why
