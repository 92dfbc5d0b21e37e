"""The tasks of the experiments 06 and 09: they know their right answers, and are the same for the same seed."""

import json
import re
from importlib import import_module

from llmlab import Trace
from llmlab.agents import Run
from llmlab.measure import Task

SIX, MIXED, NINE = (import_module(f"chapters.{name}") for name in ("ch06", "ch06.mixed", "ch09"))


def accepts(task: Task, answer: object) -> bool:
    return task.right(Run("agent", task.text, Trace(), answer=answer))


def test_the_hundred_problems_differ_and_the_answer_follows_from_the_text() -> None:
    tasks = MIXED.problems()
    assert (len({task.text for task in tasks}), [t.text for t in MIXED.problems()]) == (100, [t.text for t in tasks])
    told = {e.split(" ", 1)[1]: e[0] for _, _, all_events in MIXED.STORIES for e in all_events.split(" / ")}
    for task in tasks:
        begin, *events, _ = re.split(r"(?<=[.?]) ", task.text)
        amount = int(re.search(r"\d+", begin)[0])
        for event in events:
            k = int((re.search(r"\d+", event) or [2])[0])
            kept = event.replace("twice as", "{k} times as")
            plain = kept if kept in told else re.sub(r"\d+", "{k}", event)
            amount = {"+": amount + k, "-": amount - k, "x": amount * k, ":": amount // 2}[told[plain]]
        assert (len(events), [n for n in range(MIXED.HIGHEST + 1) if accepts(task, n)]) == (
            task.about["steps"],
            [amount],
        )


def test_in_a_story_nothing_but_the_changes_makes_the_amount_and_no_sentence_begins_with_a_number() -> None:
    tasks = SIX.stories()
    assert (len({task.text for task in tasks}), [t.text for t in SIX.stories()]) == (40, [t.text for t in tasks])
    less = {event.replace("{k}", "#") for *_, events in SIX.STORIES for event in events}
    for task in tasks:
        begin, *events, _ = re.split(r"(?<=[.?]) ", task.text)
        amount = int(re.search(r"\d+", begin)[0])
        for event in events:
            k = int(re.search(r"\d+", event)[0])
            amount += -k if re.sub(r"\d+", "#", event.split(", ", 1)[1].rstrip(".")) in less else k
            assert 0 < amount <= SIX.HIGHEST
        assert (len(events), [n for n in range(SIX.HIGHEST + 1) if accepts(task, n)]) == (task.about["steps"], [amount])
        assert not re.search(r"\. \d", task.text), "2. 10 would read as a number"


def test_totals_sorted_lists_and_reports_know_their_right_answer() -> None:
    assert all(accepts(task, str(sum(map(int, task.text.split(", "))))) for task in NINE.totals(2))
    for task in NINE.sorting(2):
        words = sorted(task.text.split(", "))
        answers = [json.dumps(words), json.dumps(words[1:]), json.dumps(words[::-1]), "no JSON", None]
        assert [accepts(task, answer) for answer in answers] == [True, False, False, False, False]
    for task in NINE.report(2):
        found = re.findall(r"^(june-\d\d\.md):.*?(\d+) parcels", task.text, re.MULTILINE)
        assert len(found) == task.about["size"]
        right, wrong = ("\n".join(f"{name}: {int(number) + more}" for name, number in found) for more in (0, 1))
        assert (accepts(task, right), accepts(task, wrong)) == (True, False)
