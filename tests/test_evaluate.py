"""Intervals, against published values and what must hold for any counts; judges, right and wrong answers; the gate."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmlab import LabError, ModelError, Reply, ToolCall, evaluate
from llmlab.evaluate import Item, Outcome

COUNTS = st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
quietly = settings(deadline=None, derandomize=True)  # no clock, no database, the same cases each time


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998),
        # table I, method 3 (the score method of Wilson without continuity correction)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_values(successes: int, trials: int, low: float, high: float) -> None:
    assert evaluate.interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@quietly
@example((4, 4))  # without care, rounding puts the upper end below 1
@given(COUNTS)
def test_the_rate_lies_inside_its_interval_and_the_interval_inside_0_and_1(counts: tuple[int, int]) -> None:
    low, high = evaluate.interval(*counts)
    assert 0 <= low <= counts[0] / counts[1] <= high <= 1
    assert low < high


@quietly
@given(COUNTS)
def test_failures_have_the_mirrored_interval(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = evaluate.interval(successes, trials)
    assert evaluate.interval(trials - successes, trials) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@quietly
@given(COUNTS)
def test_more_of_the_same_makes_it_narrower(counts: tuple[int, int]) -> None:
    successes, trials = counts
    few, many = evaluate.interval(successes, trials), evaluate.interval(4 * successes, 4 * trials)
    assert many[1] - many[0] < few[1] - few[0]


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        # R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in
        # Medicine 17 (1998), table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 20), 0.6791, 1.0000),
    ],
)
def test_published_values_of_a_difference(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    assert evaluate.difference(first, second) == pytest.approx((low, high), abs=5e-5)
    assert evaluate.difference(second, first) == pytest.approx((-high, -low), abs=5e-5)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5), (0, 0), (1, 0), (0, -3)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match=f"not {successes} of {trials}"):
        evaluate.interval(successes, trials)
    with pytest.raises(ValueError):
        evaluate.share(successes, trials)


@pytest.mark.parametrize(
    ("successes", "trials", "text"),
    [(7, 8, "7/8 (53–98 %)"), (0, 7, "0/7 (0–35 %)"), (7, 7, "7/7 (65–100 %)"), (1, 1, "1/1 (21–100 %)")],
)
def test_a_share_is_a_count_with_its_interval(successes: int, trials: int, text: str) -> None:
    assert evaluate.share(successes, trials) == text


# Judges


def reply(text: str = "", *calls: tuple[str, str]) -> Reply:
    made = [ToolCall(f"c{i}", name, arguments) for i, (name, arguments) in enumerate(calls)]
    return Reply(text, made, "stop", "embedded", "m", 1, 1, 0, 0.1, None, None, "USD", 0, {}, {}, {})


def item(kind: str, **check: Any) -> Item:
    return Item("x-1", "x", [{"role": "user", "content": "?"}], {"type": kind, **check})


CALL = item("tool_calls", calls=[{"name": "add", "arguments": {"a": 1, "b": "x"}}, {"name": "now", "arguments": {}}])
SAYS = item("text", all=["Oslo", ["9", "nine"]], none=["Bergen"], max_words=6, ends_with=".")
LIST = item("text", lines_starting_with=["- ", 2])
SQL = item("sql", db="choir", sql="SELECT 1 UNION SELECT 2.5", ordered=False)
SORTED = item("sql", db="choir", sql="SELECT 1 UNION SELECT 2 ORDER BY 1", ordered=True)
SPLIT = item("split", items=["a", "b", "c", "d"])
PLAN = item("plan", tools=["search", "mail", "sing"], must_use=["search"], order=[["search", "mail"]])
DATA = item("json", equals={"meets": True})


def plan(*steps: tuple[Any, Any]) -> str:
    return json.dumps({"steps": [{"tool": tool, "needs": needs} for tool, needs in steps]})


RIGHT = [
    (CALL, reply("", ("now", """ {} """), ("add", '{"b": "x", "a": 1}'))),
    (SAYS, reply("In OSLO, at Nine.")),
    (LIST, reply("Two:\n- a\n - b")),
    (item("text", upper=True, sentences=[2, 2]), reply("YES! IT IS.")),
    (item("no_call", any=["a", "b"]), reply("B")),
    (item("asks"), reply("Which one?")),
    (item("number", value=1234.5), reply("First 7, so: 1,234.50.")),
    (item("number", value=-3), reply("Answer: -3")),
    (SQL, reply("```sql\nSELECT 2.5 UNION ALL SELECT 1;\n```")),
    (SORTED, reply("SELECT 1 UNION ALL SELECT 2")),
    (SPLIT, reply('{"left": ["a"], "right": ["b", "c", "d"]}')),
    (PLAN, reply(plan(("search", []), ("mail", [1])))),
    (DATA, reply('{"meets": true, "why": ""}')),
]
WRONG = [
    (CALL, reply("", ("now", "{}"))),
    (CALL, reply("", ("now", "{}"), ("add", '{"a": 1, "b": "y"}'))),
    (CALL, reply("", ("now", "{}"), ("add", "no JSON"))),
    (CALL, reply("", ("now", "{}"), ("now", "{}"), ("add", '{"a": 1, "b": "x"}'))),
    (SAYS, reply("")),
    (SAYS, reply("Oslo, Bergen, nine.")),
    (SAYS, reply("Oslo, nine, and this is far too long.")),
    (SAYS, reply("Oslo at nine")),
    (LIST, reply("- a\n- b\n- c")),
    (item("text", upper=True), reply("Yes")),
    (item("text", no_call=True), reply("Yes", ("now", "{}"))),
    (item("no_call"), reply("B", ("now", "{}"))),
    (item("asks"), reply("This one.")),
    (item("asks"), reply("Which?", ("now", "{}"))),
    (item("number", value=7), reply("7, or rather 8")),
    (item("number", value=7), reply("seven")),
    (item("number", value=7), reply("9" * 400)),
    (SQL, reply("SELECT 1")),
    (SQL, reply("SELECT 1, 2 UNION SELECT 2.5, 3")),
    (SQL, reply("I cannot.")),
    (SQL, reply("")),
    (SQL, reply("SELECT '\ud83d'")),
    (SQL, reply("SELECT 1; SELECT 2.5")),
    (SQL, reply("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c")),
    (SQL, reply("DROP TABLE singers")),
    (SORTED, reply("SELECT 1 UNION ALL SELECT 2 ORDER BY 1 DESC")),
    (SPLIT, reply('{"left": ["b"], "right": ["a", "c", "d"]}')),
    (SPLIT, reply('{"left": [], "right": ["a", "b", "c", "d"]}')),
    (SPLIT, reply('{"left": "ab", "right": "cd"}')),
    (SPLIT, reply("[1]")),
    (PLAN, reply(plan(("mail", []), ("search", [])))),
    (PLAN, reply(plan(("search", []), ("sing", [])))),
    (PLAN, reply(plan(("search", []), ("dance", [])))),
    (PLAN, reply(plan(("search", []), ("mail", [2])))),
    (PLAN, reply(plan(("search", []), ({"name": "mail"}, [1])))),
    (PLAN, reply(plan(("search", [])))),
    (PLAN, reply('{"steps": ["search", "mail"]}')),
    (DATA, reply('{"meets": false}')),
    (DATA, reply("{}")),
    (DATA, reply("true")),
]


def named(case: Any) -> str | None:
    return case.check["type"] if isinstance(case, Item) else None


@pytest.mark.parametrize(("asked", "answer"), RIGHT, ids=named)
def test_a_right_answer_passes(asked: Item, answer: Reply) -> None:
    assert evaluate.judge(asked, answer)


@pytest.mark.parametrize(("asked", "answer"), WRONG, ids=named)
def test_a_wrong_answer_fails_whatever_it_is(asked: Item, answer: Reply) -> None:
    assert not evaluate.judge(asked, answer)


def test_every_judge_has_a_right_and_a_wrong_answer_here() -> None:
    for cases in (RIGHT, WRONG):
        assert {asked.check["type"] for asked, _ in cases} == set(evaluate.JUDGES)


ADVICE = [
    ({"max_words": 3}, "one two three four", "It has 4 words; at most 3 are allowed."),
    ({"max_chars": 3}, "four", "It has 4 characters; at most 3 are allowed."),
    ({"sentences": [2, 2]}, "One.", "It has 1 sentence; it has to have 2."),
    ({"sentences": [2, 4]}, "One.", "It has 1 sentence; it has to have 2 to 4."),
    ({"starts_with": "Dear"}, "Hi.", 'It has to start with "Dear".'),
    ({"ends_with": "?"}, "Hi.", 'It has to end with "?".'),
    ({"upper": True}, "Hi.", "It has to be in capital letters."),
    ({"lines_starting_with": ["- ", 2]}, "- a\nb", 'It has 1 line starting with "- "; it has to have 2.'),
    ({"none": ["cheap"]}, "Cheap!", 'It must not say "cheap".'),
    ({"all": [["nine", "9"]]}, "Ten.", 'It has to say "nine".'),
    ({"any": ["a", "b"]}, "Ten.", 'It has to say "a".'),
    ({}, " ", "It is empty."),
]


@pytest.mark.parametrize(("check", "text", "advice"), ADVICE)
def test_what_a_text_lacks_is_said_in_a_sentence(check: dict[str, Any], text: str, advice: str) -> None:
    assert evaluate.shortcomings(check, reply(text)) == [advice]


def test_a_models_query_cannot_open_another_file(tmp_path: Path) -> None:
    assert not evaluate.judge(SQL, reply(f"ATTACH DATABASE '{tmp_path / 'other.db'}' AS other"))
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_type_of_check_is_an_error_that_names_the_item() -> None:
    with pytest.raises(LabError, match="not 'vibes'; correct item x-1"):
        evaluate.judge(item("vibes"), reply("x"))


# The held-out set, and running one


HELDOUT = evaluate.heldout()


def test_every_item_of_the_held_out_set_has_an_id_of_its_own_and_a_check_that_there_is() -> None:
    assert len({one.id for one in HELDOUT}) == len(HELDOUT) > 1000
    for one in HELDOUT:
        assert one.check["type"] in evaluate.JUDGES
        assert one.messages[-1]["role"] in ("user", "tool")
        assert not evaluate.judge(one, reply("")), f"{one.id} is passed by saying nothing"


@pytest.mark.parametrize("skill", ["sql", "sql_repair"])
def test_every_query_of_the_held_out_set_runs_and_passes_its_own_check(skill: str) -> None:
    for one in evaluate.heldout([skill]):
        assert evaluate.judge(one, reply(one.check["sql"])), one.id


ROWS = [json.loads(line) for line in (evaluate.HELDOUT / "revision.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_text_to_revise_fails_its_check_and_can_be_mended(row: dict[str, Any]) -> None:
    [one] = [item for item in HELDOUT if item.id == row["id"]]
    assert one.rounds == 3
    assert row["text"] in one.messages[0]["content"]
    assert not evaluate.judge(one, reply(row["text"]))
    assert evaluate.shortcomings(one.check, reply(row["example"])) == []
    assert one.check["all"], "an emptied text must not pass"


def test_the_gate_is_a_fixed_part_of_every_skill() -> None:
    part = evaluate.gate(HELDOUT)
    assert {len(same) for same in evaluate.by_name(part).values()} == {evaluate.GATE}
    assert evaluate.by_name(part).keys() == evaluate.by_name(HELDOUT).keys()
    assert evaluate.gate(reversed(HELDOUT)) == part


def test_word_problems_come_twice_and_skills_can_be_chosen() -> None:
    chosen = evaluate.heldout(["steps", "direct"])
    assert {one.skill for one in chosen} == {"steps", "direct"}
    first = [one for one in chosen if one.id.startswith(chosen[0].id.rsplit("-", 1)[0])]
    assert [one.skill for one in first] == ["steps", "direct"]
    assert first[0].check == first[1].check
    assert evaluate.heldout(["no such skill"]) == []


class Scripted:
    """A model that gives its lines in order; an error is raised."""

    def __init__(self, *lines: str | Exception):
        self.lines = list(lines)
        self.asked: list[Any] = []

    async def chat(self, messages: Sequence[Any], **options: Any) -> Reply:
        self.asked.append(messages[-1]["content"])
        line = self.lines.pop(0)
        if isinstance(line, Exception):
            raise line
        return reply(line)


@pytest.mark.anyio
async def test_a_run_judges_each_item_and_a_failed_call_is_a_wrong_answer() -> None:
    items = [replace(item("asks"), id=str(i), skill=skill) for i, skill in enumerate("bab")]
    told: list[Outcome] = []
    model: Any = Scripted("Which?", ModelError("timeout", "It took too long."), "That.")
    outcomes = await evaluate.run(model, items, told.append)
    assert told == outcomes
    assert [(o.item.id, o.right, o.said, o.error) for o in outcomes] == [
        ("0", True, "Which?", None),
        ("1", False, "", "It took too long."),
        ("2", False, "That.", None),
    ]
    assert evaluate.by_skill(outcomes) == {"a": (0, 1), "b": (1, 2)}
    table = evaluate.table({"first": outcomes, "second": outcomes[:1]}).text.splitlines()
    assert table[0].split() == ["skill", "first", "second"]
    assert table[1].split()[:2] == ["a", "0/1"]
    assert re.split(r" {2,}", table[2]) == ["b", "1/2 (9–91 %)", "1/1 (21–100 %)"]


TWEET = replace(item("text", max_words=3, all=["Oslo"]), rounds=3)


@pytest.mark.anyio
async def test_an_answer_that_fails_is_given_back_with_advice() -> None:
    model: Any = Scripted("In Oslo it is cold.", "It is cold.", "Oslo is cold.")
    [outcome] = await evaluate.run(model, [TWEET])
    assert (outcome.right, outcome.rounds) == (True, 3)
    assert outcome.said.split("\n\n") == ["In Oslo it is cold.", "It is cold.", "Oslo is cold."]
    assert model.asked[0] == "?"
    assert "It has 5 words; at most 3 are allowed." in model.asked[1]
    assert "In Oslo it is cold." in model.asked[1]
    assert 'It has to say "Oslo".' in model.asked[2]


@pytest.mark.anyio
@pytest.mark.parametrize("lines", [["Too long, this one."] * 4, ["", "Oslo is cold."], [ModelError("server", "Down.")]])
async def test_rounds_come_to_an_end(lines: list[Any]) -> None:
    model: Any = Scripted(*lines)
    [outcome] = await evaluate.run(model, [TWEET])
    assert not outcome.right
    assert len(model.lines) == 1 if len(lines) > 1 else model.lines == []


@pytest.mark.anyio
async def test_a_summary_has_counts_and_intervals_and_says_how_many_answers_were_cut_off() -> None:
    class CutOff(Scripted):
        async def chat(self, messages: Sequence[Any], **options: Any) -> Reply:
            return replace(await super().chat(messages), finish_reason="length")

    model: Any = CutOff("Which?", "Well")
    outcomes = await evaluate.run(model, [item("asks"), item("asks")])
    assert evaluate.summary(outcomes) == {
        "cut_off": 2,
        "skills": {"x": {"right": 1, "of": 2, "interval": [0.095, 0.905]}},
    }


@pytest.mark.parametrize(
    ("recorded", "seen", "fallen"),
    [
        ({"a": (8, 8)}, {"a": (8, 8)}, []),
        ({"a": (8, 8)}, {"a": (5, 8)}, []),
        ({"a": (8, 8)}, {"a": (4, 8)}, ["a", "all"]),
        ({"a": (1, 8)}, {"a": (0, 8)}, []),
        ({"a": (0, 8)}, {"a": (8, 8)}, []),
        ({"a": (8, 8), "b": (8, 8)}, {"a": (2, 8), "b": (8, 8)}, ["a", "all"]),
        ({"a": (4, 8), "b": (8, 8)}, {"a": (8, 8), "b": (4, 8)}, ["b"]),
        ({s: (8, 8) for s in "abcdefgh"}, {s: (6, 8) for s in "abcdefgh"}, ["all"]),
    ],
)
def test_the_gate_fails_for_what_is_clearly_below_its_recorded_value(
    recorded: dict[str, tuple[int, int]], seen: dict[str, tuple[int, int]], fallen: list[str]
) -> None:
    assert evaluate.fallen(recorded, seen) == fallen
