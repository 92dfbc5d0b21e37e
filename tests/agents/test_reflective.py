"""Drafts, judges, revisions: the best draft is the answer, not the last."""

import json

import pytest
from scripted import Script

from llmlab import Budget
from llmlab.agents import Criterion, Reflective
from llmlab.errors import LabError
from stub import reply

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


def has(word: str) -> Criterion:
    return Criterion(f"It has {word}.", lambda text: "" if word in text else f"add {word}")


def verdict(meets: bool, advice: str = "") -> str:
    return json.dumps({"meets": meets, "score": 5, "advice": advice})


async def test_a_draft_that_meets_everything_is_the_answer_at_once() -> None:
    script = Script("a b")
    run = await Reflective(script.model, [has("a"), has("b")]).run("Write.")
    assert (run.stopped, run.answer, len(script.asked)) == ("done", "a b", 1)


async def test_it_revises_by_the_first_advice_until_nothing_is_left_to_advise() -> None:
    script = Script("x", "x a", "x a b")
    run = await Reflective(script.model, [has("a"), has("b")]).run("Write.")
    assert (run.answer, [draft.met for draft in run.notes["drafts"]]) == ("x a b", [0, 1, 2])
    assert script.said[1:] == [
        "Revise the text by this advice: add a\nWrite only the revised text.\n\nx",
        "Revise the text by this advice: add b\nWrite only the revised text.\n\nx a",
    ]


async def test_a_revision_that_is_worse_does_not_replace_the_better_draft() -> None:
    script = Script("a", "x", "y")
    run = await Reflective(script.model, [has("a"), has("b")], rounds=2).run("Write.")
    assert (run.stopped, run.answer) == ("done", "a")
    assert run.why == "The rounds are used up; the best draft meets 1 of 2 criteria."
    assert [(draft.text, draft.met) for draft in run.notes["drafts"]] == [("a", 1), ("x", 0), ("y", 0)]


@pytest.mark.parametrize("rounds", [0, 1, 3])
async def test_it_revises_no_more_often_than_allowed(rounds: int) -> None:
    script = Script("x", "y", "z", "u", "v")
    run = await Reflective(script.model, [has("a")], rounds=rounds).run("Write.")
    assert (run.stopped, run.answer, len(script.asked)) == ("done", "x", 1 + rounds)
    assert run.why == "The rounds are used up; the best draft meets 0 of 1 criteria."


async def test_a_number_of_rounds_below_nought_is_refused() -> None:
    with pytest.raises(LabError, match="but got -1"):
        Reflective(Script("x").model, [], rounds=-1)


SAME = "Another round would ask the same again and get the same; the best draft meets 0 of 1 criteria."


@pytest.mark.parametrize(("texts", "calls"), [("x", 2), ("xyx", 3), ("xyyz", 3)])
async def test_a_request_that_was_made_before_is_not_paid_again(texts: str, calls: int) -> None:
    script = Script(*texts)
    run = await Reflective(script.model, [has("a")], rounds=7).run("Write.")
    assert (run.stopped, run.why, len(script.asked), len(set(script.said))) == ("done", SAME, calls, calls)


async def test_the_same_draft_with_other_advice_is_another_request() -> None:
    advice = iter("bcde")
    script = Script("x", "x", "x", "good")
    picky = Criterion("It is good.", lambda text: "" if text == "good" else next(advice))
    run = await Reflective(script.model, [picky]).run("Write.")
    assert (run.answer, run.why, len(script.asked)) == ("good", "", 4)


async def test_a_variant_that_is_content_early_says_so() -> None:
    class Once(Reflective):
        def done(self, drafts: object) -> bool:
            return True

    run = await Once(Script("x").model, [has("a"), has("x")]).run("Write.")
    assert (run.ok, run.why) == (True, "No further round was wanted; the best draft meets 1 of 2 criteria.")


async def test_a_reply_that_was_cut_off_is_said_too() -> None:
    cut = reply("x")
    cut["choices"][0]["finish_reason"] = "length"
    run = await Reflective(Script(cut).model, [has("a")], rounds=0).run("Write.")
    assert run.why == (
        "The rounds are used up; the best draft meets 0 of 1 criteria. Its last reply was cut off at max_tokens."
    )


async def test_a_criterion_in_words_is_judged_by_the_judge() -> None:
    writer, judge = Script("Draft.", "Better."), Script(verdict(False, "be kinder"), verdict(True, "still, a comma"))
    run = await Reflective(writer.model, [Criterion("It is kind.")], judge=judge.model).run("Write.")
    assert (run.stopped, run.answer) == ("done", "Better.")
    assert writer.said[1] == "Revise the text by this advice: be kinder\nWrite only the revised text.\n\nDraft."
    assert judge.said[1].startswith("Text: Better.\nCriterion: It is kind.\nDoes the text meet the criterion?")
    assert judge.asked[0]["response_format"]["json_schema"]["name"] == "Verdict"
    assert run.spent.model_calls == 4


async def test_without_advice_a_judge_that_says_no_repeats_the_criterion() -> None:
    script = Script("Draft.", verdict(False), "Better.", verdict(True))
    await Reflective(script.model, [Criterion("It is kind.")]).run("Write.")
    assert "by this advice: It is kind." in script.said[2]


@pytest.mark.parametrize("said", ["Quite good!", '{"meets": true}', '{"meets": true, "score": 11, "advice": ""}'])
async def test_a_verdict_that_cannot_be_read_is_no_yes_and_ends_nothing(said: str) -> None:
    writer, judge = Script("Draft.", "Better."), Script(said, verdict(True))
    run = await Reflective(writer.model, [Criterion("It is kind.")], judge=judge.model).run("Write.")
    assert (run.stopped, run.answer) == ("done", "Better.")
    assert writer.said[1] == "Revise the text by this advice: It is kind.\nWrite only the revised text.\n\nDraft."
    [event] = [step for step in run.trace if step.name == "unreadable verdict"]
    assert "JSON of the shape Verdict" in event.get("error")


async def test_when_the_budget_ends_the_best_draft_is_kept() -> None:
    script = Script("a", "x")
    run = await Reflective(script.model, [has("a"), has("b")], budget=Budget(steps=2)).run("Write.")
    assert (run.stopped, run.answer) == ("steps", "a")


async def test_a_fresh_run_knows_nothing_of_earlier_advice() -> None:
    script = Script("x", "x a", "x", "x a")
    agent = Reflective(script.model, [has("a")])
    runs = [await agent.run("Write."), await agent.run("Write.")]
    assert script.asked[:2] == script.asked[2:]
    assert [run.notes["drafts"] for run in runs] == [runs[0].notes["drafts"]] * 2
