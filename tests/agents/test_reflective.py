"""Drafts, judges, revisions: the best draft is the answer, not the last."""

import json
from typing import Any

import pytest
from scripted import Script

from llmlab import LabError
from llmlab.agents import Criterion, Reflective

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


def has(word: str) -> Criterion:
    return Criterion(f"It has {word}.", lambda text: "" if word in text else f"add {word}")


def verdict(meets: bool, advice: str = "") -> str:
    return json.dumps({"meets": meets, "score": 5, "advice": advice})


async def test_it_revises_by_the_first_advice_until_nothing_is_left_to_advise_and_a_fresh_run_begins_anew() -> None:
    script = Script("x", "x a", "x a b", "x", "x a", "x a b")
    agent = Reflective(script.model, [has("a"), has("b")])
    runs = [await agent.run("Write."), await agent.run("Write.")]
    for run in runs:
        assert (run.answer, run.why, [draft.met for draft in run.notes["drafts"]]) == ("x a b", "", [0, 1, 2])
    assert script.said[1:3] == [
        "Revise the text by this advice: add a\nWrite only the revised text.\n\nx",
        "Revise the text by this advice: add b\nWrite only the revised text.\n\nx a",
    ]


@pytest.mark.parametrize(
    ("texts", "rounds", "calls", "answer", "met"),
    [("ab", 3, 1, "ab", 2), ("x", 0, 1, "x", 0), ("axy", 2, 3, "a", 1), ("xayzuv", 3, 4, "a", 1)],
)
async def test_it_revises_no_more_often_than_allowed_and_a_worse_draft_replaces_no_better_one(
    texts: str, rounds: int, calls: int, answer: str, met: int
) -> None:
    script = Script(*([texts] if texts == "ab" else texts))
    run = await Reflective(script.model, [has("a"), has("b")], rounds=rounds).run("Write.")
    assert (run.stopped, run.answer, len(script.asked)) == ("done", answer, calls)
    assert ("rounds are used up" in run.why, f"meets {met} of 2" in run.why) == (met < 2, met < 2)


@pytest.mark.parametrize(("texts", "calls"), [("x", 2), ("xyx", 3), ("xyyz", 3)])
async def test_a_request_that_was_made_before_is_not_paid_again(texts: str, calls: int) -> None:
    script = Script(*texts)
    run = await Reflective(script.model, [has("a")], rounds=7).run("Write.")
    assert (run.ok, "ask the same again" in run.why, len(script.asked), len(set(script.said))) == (
        True,
        True,
        calls,
        calls,
    )


async def test_the_same_draft_with_other_advice_is_another_request() -> None:
    advice = iter("bcde")
    script = Script("x", "x", "x", "good")
    picky = Criterion("It is good.", lambda text: "" if text == "good" else next(advice))
    run = await Reflective(script.model, [picky]).run("Write.")
    assert (run.answer, run.why, len(script.asked)) == ("good", "", 4)


async def test_a_criterion_in_words_is_judged_by_the_judge() -> None:
    writer, judge = Script("Draft.", "Better."), Script(verdict(False, "be kinder"), verdict(True, "still, a comma"))
    run = await Reflective(writer.model, [Criterion("It is kind.")], judge=judge.model).run("Write.")
    assert (run.stopped, run.answer, run.spent.model_calls) == ("done", "Better.", 4)
    assert "by this advice: be kinder" in writer.said[1]
    assert judge.said[1].startswith("Text: Better.\nCriterion: It is kind.\nDoes the text meet the criterion?")
    assert judge.asked[0]["response_format"]["json_schema"]["name"] == "Verdict"


async def test_the_prompt_for_a_revision_may_hold_the_task() -> None:
    script = Script("x", "x a")
    again = {"revise": "{task} Not {text}: {advice}."}
    assert (await Reflective(script.model, [has("a")], prompts=again).run("Write.")).answer == "x a"
    assert script.said[1] == "Write. Not x: add a."


@pytest.mark.parametrize("gives", [True, False, 3, ["add a"]])
async def test_a_check_that_gives_no_words_is_named_and_nothing_means_fine(gives: Any) -> None:
    script = Script("x", "x")
    run = await Reflective(script.model, [Criterion("It is short.", lambda text: gives)]).run("Write.")
    assert (run.stopped, run.answer, len(script.asked)) == ("error", "x", 1)
    assert run.why == f"A check gives advice, or '' for a good text; that of 'It is short.' gave {gives!r}."
    run = await Reflective(script.model, [Criterion("It is short.", lambda text: None)]).run("Write.")  # type: ignore[arg-type, return-value]
    assert (run.stopped, run.why) == ("done", "")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"criteria": [str.upper]}, "Reflective takes criteria: "),
        ({"rounds": "two"}, "but got 'two'"),
        ({"judge": "a model"}, "but got 'a model'"),
        ({"round": 1}, "did you mean rounds?"),
    ],
)
async def test_a_slip_in_its_arguments_is_named(given: Any, said: str) -> None:
    with pytest.raises(LabError) as caught:
        Reflective(None, **{"criteria": [has("a")], **given})
    assert said in str(caught.value)


@pytest.mark.parametrize("said", [verdict(False), "Quite good!", '{"meets": true, "score": 11, "advice": ""}'])
async def test_without_advice_that_can_be_read_the_criterion_is_the_advice(said: str) -> None:
    writer, judge = Script("Draft.", "Better."), Script(said, verdict(True))
    run = await Reflective(writer.model, [Criterion("It is kind.")], judge=judge.model).run("Write.")
    assert (run.stopped, run.answer) == ("done", "Better.")
    assert "by this advice: It is kind." in writer.said[1]
