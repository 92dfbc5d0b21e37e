"""The tasks of the experiments 06 and 09: they know their right answers, and are the same for the same seed."""

import json
import re
from importlib import import_module

import pytest
from scripted import Script

from llmlab import Trace
from llmlab.agents import Run
from llmlab.measure import Task

pytestmark = pytest.mark.anyio
SIX, NINE = import_module("chapters.ch06"), import_module("chapters.ch09")


def accepts(task: Task, answer: object) -> bool:
    return task.right(Run("agent", task.text, Trace(), answer=answer))


def test_a_hundred_different_problems_of_one_to_five_steps_with_one_right_answer_each() -> None:
    tasks = SIX.problems()
    assert len({task.text for task in tasks}) == 100
    assert [task.about["steps"] for task in tasks[::20]] == [1, 2, 3, 4, 5]
    assert all(sum(accepts(task, f"Answer: {n}") for n in range(SIX.HIGHEST + 1)) == 1 for task in tasks)
    assert [t.text for t in tasks] == [t.text for t in SIX.problems()]
    assert [t.text for t in SIX.problems(seed=7)] != [t.text for t in tasks]


@pytest.mark.parametrize("task", SIX.problems(), ids=lambda t: t.id)
def test_the_answer_of_a_problem_follows_from_its_text(task: Task) -> None:
    begin, *events, _ = re.split(r"(?<=[.?]) ", task.text)
    told = {e.split(" ", 1)[1]: e[0] for _, _, all_events in SIX.STORIES for e in all_events.split(" / ")}
    amount = int(re.search(r"\d+", begin)[0])
    for event in events:
        k = int((re.search(r"\d+", event) or [2])[0])
        kept = event.replace("twice as", "{k} times as")
        plain = kept if kept in told else re.sub(r"\d+", "{k}", event)
        amount = {"+": amount + k, "-": amount - k, "x": amount * k, ":": amount // 2}[told[plain]]
        assert 0 < amount <= SIX.HIGHEST
    assert accepts(task, amount)


def test_a_calculation_in_a_text_is_checked() -> None:
    assert SIX.calculations("16 - 12 = 4\n4 x 3 = 13\nHalf: 9 / 2 = 4.\n7 + 1 = 8") == [
        True,
        False,
        False,
        True,
    ]


async def test_a_row_says_how_many_calculations_were_written_and_how_many_are_false() -> None:
    script = Script("Answer: 1", "1 + 1 = 3\n3 + 1 = 4\nAnswer: 4")
    measured = await SIX.both_ways(script.model, SIX.problems(each=1, lengths=[2]))
    assert [(row["variant"], row["calculations"], row["slips"]) for row in measured.rows] == [
        ("at once", 0, 0),
        ("in steps", 2, 1),
    ]


@pytest.mark.parametrize("task", NINE.totals(2), ids=lambda t: t.id)
def test_a_total_is_right_only_to_the_piece(task: Task) -> None:
    total = sum(map(int, task.text.split(", ")))
    assert len(task.text.split(", ")) == task.about["size"]
    assert accepts(task, str(total))
    assert not accepts(task, str(total + 1))


@pytest.mark.parametrize("task", NINE.sorting(2), ids=lambda t: t.id)
def test_a_sorted_list_has_every_word_once_and_in_order(task: Task) -> None:
    words = sorted(task.text.split(", "))
    assert len(set(words)) == task.about["size"]
    assert accepts(task, json.dumps(words))
    assert not any(accepts(task, wrong) for wrong in (json.dumps(words[1:]), json.dumps(words[::-1]), "no JSON", None))


@pytest.mark.parametrize("task", NINE.report(2), ids=lambda t: t.id)
def test_a_report_gives_each_number_to_its_document(task: Task) -> None:
    found = re.findall(r"^(june-\d\d\.md):.*?(\d+) parcels", task.text, re.MULTILINE)
    assert len(found) == task.about["size"]
    assert accepts(task, "\n".join(f"{name}: {number}" for name, number in found))
    assert not accepts(task, "\n".join(f"{name}: {int(number) + 1}" for name, number in found))


async def test_a_report_by_halves_asks_for_one_document_a_call() -> None:
    [task] = NINE.report(1, sizes=[4])
    script = Script(lambda body: re.search(r"(\d+) parcels", body["messages"][-1]["content"])[1])
    run = await NINE.agents(script.model)["report"]["halved by program"].run(task.text)
    assert task.right(run)
    assert [said.count("june-") for said in script.said] == [1, 1, 1, 1]
