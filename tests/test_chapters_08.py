"""The pieces of chapter 08: what a database says of queries, further tries, judged texts, posts; and checks of the exercises."""

import re
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmlab import lesson
from llmlab.agents import Run
from llmlab.agents.reflective import Draft
from llmlab.measure import Measured
from llmlab.trace import Trace
from shop import lay_out

pytestmark = pytest.mark.anyio
ch08 = import_module("chapters.ch08")
judging, posts = ch08.judging, ch08.posts


class Writer:
    """Stands in for a model: it answers with its texts in turn, the last one again and again."""

    name, source, provenance = ch08.STANDARD, "scripted", {"llmlab.recorded": "2026-12-01"}

    def __init__(self, *texts: str) -> None:
        self.texts, self.asked = list(texts), list[Any]()

    async def chat(self, ask: Any, **options: Any) -> Any:
        self.asked.append((ask, options))
        text = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
        return SimpleNamespace(text=text, input_tokens=10, output_tokens=5)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("world") / "shop").db


def test_the_prompts_were_worded_with_other_questions_than_those_that_are_measured(db: Path) -> None:
    everything, some = ch08.questions(db), ch08.measured(db)
    assert (len(everything), len(some)) == (64, 54)
    assert all(question.right(question.gold) for question in everything)
    assert not [question.text for question in some if "ordered_on" in question.task or "customer_id" in question.task]
    assert "customer_id" in everything[34].with_tables


@pytest.mark.parametrize(
    ("query", "said", "tables"),
    [
        ("SELECT COUNT(*) FROM orders", "", ""),
        ("```sql\nSELECT id FROM orders\n```\nThis gives all.", "", ""),
        ("SELECT day FROM Orders", "SQLite says: no such column: day.", "orders"),
        ("SELECT name FROM shop", "SQLite says: no such table: shop.", ""),
        ("SELECT x FROM orders JOIN customers", "SQLite says: no such column: x.", "customers orders"),
        ("SELECT id FROM orders WHERE status = 'Sent!'", "It runs, but finds nothing.", "orders"),
        ("SELECT SUM(total) FROM orders WHERE id = 1", "It runs, but finds nothing.", "orders"),
        ("I cannot do that.", "SQLite says: near", ""),
        ("", "A query is one SELECT statement", ""),
    ],
)
def test_the_database_complains_of_what_does_not_run_or_finds_nothing(
    db: Path, query: str, said: str, tables: str
) -> None:
    question = ch08.Question(db, 0, "")
    found = question.complaint(query)
    assert bool(found) == bool(said)
    assert question.error(query).startswith(said)
    assert re.findall(r"The table (\w+) has the columns", found) == tables.split()


WRONG, EMPTY, RIGHT = "SELECT n FROM orders", "SELECT id FROM orders WHERE id = 1", "SELECT COUNT(*) FROM orders"


async def test_five_ways_get_the_same_first_draft_and_nothing_is_asked_twice(db: Path) -> None:
    question = ch08.Question(db, 1, "How many orders are there?", RIGHT)
    writer = Writer(WRONG)
    live = await ch08.tried(writer, [question])
    calls = {way: [row["calls"] for row in live.rows if row["variant"] == way] for way in ch08.WAYS}
    assert list(calls.values()) == [[1, 2, 2]] * 4 + [[1, 2, 3]]
    asked = [ask for ask, _ in writer.asked]
    assert ["no such column: n" in ask for ask in asked] == [False, True, True, True, False, False, False]
    assert ["has the columns" in ask for ask in asked] == [False, True, True, False, False, False, False]
    assert [WRONG in ask for ask in asked] == [False, False, True, False, False, False, False]
    assert ["It is wrong." in ask for ask in asked] == [False, False, False, False, True, False, False]
    assert [options.get("temperature", 0) for _, options in writer.asked] == [0] * 5 + [0.8] * 2
    assert len({options["seed"] for _, options in writer.asked[5:]}) == 2


async def test_nothing_more_is_asked_when_the_database_is_content_right_or_not(db: Path) -> None:
    question = ch08.Question(db, 1, "How many orders are there?", RIGHT)
    live = await ch08.tried(Writer(EMPTY, "SELECT 1", RIGHT), [question])
    assert [(row["content"], row["right"]) for row in live.rows] == [
        *[(False, False), (True, False), (True, False)],
        *[(False, False), (True, True), (True, True)] * 4,
    ]
    table = ch08.repaired(live).text.splitlines()
    assert [line.split()[-3:] for line in table[1:6]] == [["1", "2", "30"]] + [["0", "2", "30"]] * 4


async def test_a_review_asks_for_problems_then_for_a_better_one_and_tells_nothing(db: Path) -> None:
    writer = Writer(RIGHT, "It is too short.", WRONG)
    [row] = await ch08.review(writer, ch08.Question(db, 1, "How many orders are there?", RIGHT))
    assert (row["before"], row["right"], row["found"]) == (True, False, "It is too short.")
    assert [len(messages) for messages, _ in writer.asked[1:]] == [3, 5]
    assert "SQLite says" not in str(writer.asked)


async def test_all_is_measured_on_the_standard_model_and_judges_of_other_sizes_get_its_drafts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = await ch08.full(Writer(WRONG))
    counts = {part: len(rows) for (part,), rows in whole.by("part").items()}
    assert counts == {"rounds": 810, "review": 60, "posts": 6, "judge": 32 + 8}
    monkeypatch.setattr(ch08, "kept", lambda chapter: [whole])
    other = Writer('{"meets": false')
    other.name = "another"
    judged = await ch08.full(other)
    assert len(judged.rows) == 40
    lines = ch08.agreement(Measured([{"model": "tiny", **row} for row in judged.rows])).text.splitlines()
    assert [line.split()[1:3] for line in lines[1:]] == [["sentences", "16/32"], ["queries", "8/8"]]


def test_half_of_the_judged_sentences_meet_their_criterion_and_what_a_program_can_tell_is_labelled_right() -> None:
    texts = judging.texts()
    assert (len(texts), sum(meets for _, _, meets in texts)) == (32, 16)
    for criterion, text, meets in texts:
        by_program = {
            "It says the price.": " euros" in text or " pay " in text,
            "It ends with a question.": text.endswith("?"),
            "It mentions a dog.": " dog" in text,
        }
        assert by_program.get(criterion, meets) == meets, text


@pytest.mark.parametrize(
    ("said", "agrees"),
    [('{ "meets": true,', True), ('{"meets":true,"sc', True), ('{\n"meets": false', False), ("Yes.", False)],
)
async def test_a_judge_that_gives_no_verdict_does_not_agree(said: str, agrees: bool) -> None:
    writer = Writer(said)
    [row] = await judging.all_of(writer, [("It is short.", "Hi {criterion}", True)])
    assert row["right"] == agrees
    assert writer.asked[0][0].startswith("Text: Hi {criterion}\nCriterion: It is short.")


def test_a_revision_may_meet_one_check_and_break_another() -> None:
    post = posts.POSTS["market"]
    assert "at most 20 words" in posts.task("market")
    texts = ["At Eyre Square until 20:00.", "At Eyre Square until 20:00. Do you come?", "Do you come?"]
    run = Run("reflective", "Write.", Trace("t"), notes={"drafts": [Draft(text, 0, "") for text in texts]})
    assert [sum(post.meets(text)) for text in texts] == [3, 4, 2]
    assert posts.steps_of(run, post) == [(1, 0), (0, 2)]


# Exercises: more than one way is right, and a wrong one is told what is wrong

HEAD = "def only_numbers_of(source):\n"
NUMBERS = {
    "regular expression": "import re\n"
    + HEAD
    + "    def check(text):\n        find = lambda t: re.findall(r'\\d+(?:\\.\\d+)?', t)\n"
    "        wrong = [n for n in find(text) if n not in find(source)]\n"
    "        return f'Take out {wrong[0]}' if wrong else ''\n    return check",
    "None for a good text": "import re\n" + HEAD + "    known = set(re.findall(r'\\d+(?:\\.\\d+)?', source))\n"
    "    def check(text):\n        for n in re.findall(r'\\d+(?:\\.\\d+)?', text):\n            if n not in known:\n"
    "                return 'No ' + n\n    return check",
    "words": HEAD + "    clean = lambda t: {w.strip('.,;!?') for w in t.split()}\n    def check(text):\n"
    "        new = [w for w in clean(text) - clean(source) if w[:1].isdigit()]\n"
    "        return ' '.join(f'Leave out {w}.' for w in new)\n    return check",
}
NO_NUMBERS = {
    "6 is not in the source": HEAD + "    return lambda text: ''",
    "5 is not in the source": "import re\n" + HEAD + "    def check(text):\n"
    "        wrong = [n for n in re.findall(r'\\d+', text) if n not in source]\n"
    "        return f'Take out {wrong[0]}' if wrong else ''\n    return check",
    "has to be named": HEAD + "    return lambda text: 'Take out the number.' if '6' in text or 'days' in text else ''",
    "got True": HEAD + "    return lambda text: True",
    "gives back a check": HEAD + "    return ''",
}
WORSE = {
    "zip": "def worse_rounds(drafts):\n    pairs = zip(drafts, drafts[1:])\n"
    "    return [n for n, (a, b) in enumerate(pairs, 1) if b.met < a.met]",
    "loop": "def worse_rounds(drafts):\n    found = []\n    for n in range(len(drafts) - 1):\n"
    "        if drafts[n + 1].met < drafts[n].met:\n            found.append(n + 1)\n    return found",
    "generator": "def worse_rounds(drafts):\n    for n, d in enumerate(drafts):\n"
    "        if n and d.met < drafts[n - 1].met:\n            yield n",
}
NO_WORSE = {
    "and it was [0, 2]": "def worse_rounds(drafts):\n    return [n for n in range(len(drafts) - 1) if drafts[n + 1].met < drafts[n].met]",
    "a round that is as good": "def worse_rounds(drafts):\n    return [n for n in range(1, len(drafts)) if drafts[n].met <= drafts[n - 1].met]",
    "though not as good as round 0": "def worse_rounds(drafts):\n    best = [max(d.met for d in drafts[:n]) for n in range(1, len(drafts))]\n"
    "    return [n for n, b in enumerate(best, 1) if drafts[n].met < b]",
    "every round is better": "def worse_rounds(drafts):\n    return [n for n in range(1, len(drafts)) if drafts[n].met > drafts[n - 1].met]",
    "and it was None": "def worse_rounds(drafts):\n    pass",
}
CLASS = "class Impatient(Reflective):\n    def done(self, drafts):\n"
PATIENT = {
    "two last": CLASS
    + "        return not drafts[-1].advice or len(drafts) > 1 and drafts[-1].met <= max(d.met for d in drafts[:-1])",
    "default": CLASS
    + "        return super().done(drafts) or drafts[-1].met <= max((d.met for d in drafts[:-1]), default=-1)",
    "if": CLASS
    + "        for earlier in drafts[:-1]:\n            if earlier.met >= drafts[-1].met:\n                return True\n"
    "        return super().done(drafts)",
}
NO_PATIENT = {
    "so it is the last; you stopped after draft 4": CLASS + "        return super().done(drafts)",
    "you stopped after draft 1": CLASS + "        return True",
    "you stopped after draft 5": CLASS + "        return False",
    "you stopped after draft 2": CLASS + "        return len(drafts) > 1",
    "has to be a Reflective": "def Impatient(*given, **more):\n    return 3",
}


@pytest.mark.parametrize(
    ("number", "name", "ways", "wrong_ways"),
    [
        ("08.1", "only_numbers_of", NUMBERS, NO_NUMBERS),
        ("08.2", "worse_rounds", WORSE, NO_WORSE),
        ("08.3", "Impatient", PATIENT, NO_PATIENT),
    ],
)
async def test_right_ways_pass_and_a_wrong_one_is_told_why(
    number: str, name: str, ways: dict[str, str], wrong_ways: dict[str, str]
) -> None:
    async def missed(code: str) -> list[str]:
        namespace: dict[str, Any] = {"Reflective": import_module("llmlab.agents").Reflective}
        exec(code, namespace)  # as the cell of the notebook would
        return [said for ok, said in await lesson.exercise(number).check(namespace[name], None) if not ok]

    for way, code in ways.items():
        assert await missed(code) == [], way
    for why, code in wrong_ways.items():
        assert [said for said in await missed(code) if why in said], f"{why}: {await missed(code)}"
