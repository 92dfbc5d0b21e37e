"""Chapter 02: its messages, its three ways, what is shown of them, and its exercises, however they are written."""

import json
from importlib import import_module
from typing import Any

import pytest

from llmlab import LabError, lesson, measure
from llmlab.measure import Measured
from stub import Stub, reply

pytestmark = pytest.mark.anyio
ch02, shown = import_module("chapters.ch02"), import_module("chapters.ch02.shown")
WANTS = [*ch02.WANTS]

CHANGES = "from chapters import ch02\ndef changes(rule, rules, messages):\n    "
BOTH = "ch02.by_rules(m.text, rules), ch02.by_rules(m.text, rule + '\\n' + rules)"
DECIDE = "def decide(text, learned, sure):\n    "
CHANCES = "chances = learned.predict_proba([text])[0]\n    "
CASCADE = "from chapters import ch02\nasync def cascade(text, learned, model):\n    "
RIGHT = [
    ("02.1", CHANGES + f"return [(m.text, a, b) for m in messages for a, b in [({BOTH})] if a != b]"),
    ("02.1", CHANGES + "new, out = f'{rule}\\n{rules}', []\n    for m in messages:\n        a = ch02.by_rules(m.text, rules)\n"
             "        if a != ch02.by_rules(m.text, new):\n            out.append([m.text, a, rule.split(':')[0]])\n    return out"),
    ("02.1", CHANGES + "def all(r):\n        return [ch02.by_rules(m.text, r) for m in messages]\n"
             "    rows = zip([m.text for m in messages], all(rules), all('\\n'.join([rule, *rules.splitlines()])))\n"
             "    return [row for row in rows if row[1] != row[2]]"),
    ("02.2", DECIDE + CHANCES + "return learned.classes_[chances.argmax()] if chances.max() >= sure else None"),
    ("02.2", DECIDE + CHANCES + "if max(chances) < sure:\n        return None\n    return learned.predict([text])[0]"),
    ("02.2", DECIDE + CHANCES + "found = sorted(zip(chances, learned.classes_))\n    chance, want = found[-1]\n"
             "    return str(want) if chance >= sure else None"),
    ("02.3", CASCADE + CHANCES + "if chances.max() >= 0.6:\n        return learned.classes_[chances.argmax()]\n"
             "    return await ch02.by_prompt(model, text)"),
    ("02.3", CASCADE + CHANCES + "if max(chances) < 0.6:\n        return (await ch02.answer(model, text)).json()['category']\n"
             "    return learned.predict([text])[0]"),
    ("02.3", "from chapters import ch02\ndef sure(text, learned):\n    best = max(zip(learned.predict_proba([text])[0], learned.classes_))\n"
             "    return best[1] if best[0] >= 0.6 else None\n"
             "async def cascade(text, learned, model):\n    return sure(text, learned) or await ch02.by_prompt(model, text)"),
]  # fmt: skip
WRONG = [
    ("02.1", CHANGES + "return [m.text for m in messages if ch02.by_rules(m.text, rule + '\\n' + rules) != m.want]", "wholesale"),
    ("02.1", CHANGES + f"return [(m.text, b, a) for m in messages for a, b in [({BOTH})] if a != b]", "gave [('Can you supply"),
    ("02.1", CHANGES + f"return [(m.text, a, b) for m in messages for a, b in [({BOTH})]]", "changes nothing"),
    ("02.1", CHANGES + f"return [(m.text, a, b) for m in messages for a, b in [({BOTH.replace('rule + ', 'rules + ').replace('+ rules)', '+ rule)')})]"
             " if a != b]", "before all others"),
    ("02.1", CHANGES + "import re\n    want, pattern = rule.split(': ')\n    return [(m.text, ch02.by_rules(m.text, rules), want) "
             "for m in messages if re.search(pattern, m.text.lower())]", "a rule is found, but the category stays"),
    ("02.1", CHANGES + f"return [(m.text, a, b) for m in messages for a, b in [({BOTH})] if a == m.want != b]", "a new category"),
    ("02.1", CHANGES + f"return {{m.text: b for m in messages for a, b in [({BOTH})] if a != b}}", "and gave ["),
    ("02.1", CHANGES + "pass", "a list of changes is wanted, but NoneType"),
    ("02.2", DECIDE + CHANCES + "return learned.predict([text])[0] if max(chances) > sure else None", "orders at 0.6 with sure=0.6"),
    ("02.2", DECIDE + CHANCES + "return learned.predict([text])[0] if max(chances) >= 0.6 else None", "with sure=0.4 has to give"),
    ("02.2", DECIDE + CHANCES + "return chances.argmax() if chances.max() >= sure else None", "gave 3"),
    ("02.2", DECIDE + CHANCES + "return learned.predict([text])[0] if max(chances) >= sure else 'None'", "gave 'None'"),
    ("02.2", DECIDE + CHANCES + "return learned.classes_[0] if chances[0] >= sure else None", "visits at 0.9"),
    ("02.2", DECIDE + "return learned.predict(text)[0]", "put it into a list"),
    ("02.3", CASCADE + "return learned.predict([text])[0]", "the model is called 1 times, and was 0 times"),
    ("02.3", CASCADE + CHANCES + "asked = await ch02.by_prompt(model, text)\n"
             "    return asked if max(chances) < 0.6 else learned.predict([text])[0]", "called 0 times, and was 1 times"),
    ("02.3", CASCADE + CHANCES + "if max(chances) < 0.6:\n        await ch02.by_prompt(model, text)\n"
             "    return learned.predict([text])[0]", "the model's answer counts, and 'returns' came"),
    ("02.3", CASCADE + CHANCES + "if max(chances) > 0.6:\n        return learned.predict([text])[0]\n"
             "    return await ch02.by_prompt(model, text)", "where its best chance is 0.6, the model is called 0 times"),
    ("02.3", CASCADE + CHANCES + "if max(chances) < 0.6:\n        return await ch02.by_prompt(model, text)", "and None came"),
    ("02.3", CASCADE + CHANCES + "if max(chances) >= 0.6:\n        return learned.predict([text])[0]\n"
             "    await ch02.by_prompt(model, text)\n    return await ch02.by_prompt(model, text)", "and was 2 times"),
]  # fmt: skip


async def checked(name: str, code: str) -> str:
    names: dict[str, Any] = {}
    exec(code, names)
    work = names[{"02.1": "changes", "02.2": "decide", "02.3": "cascade"}[name]]
    with Stub() as stub:
        stub.answers = [reply('{"category": "orders"}')]
        model = await stub.model()
        said = await lesson.check(name, work, model)
        await model.aclose()
    return str(said._repr_mimebundle_()["text/plain"])


@pytest.mark.parametrize(("name", "code"), RIGHT)
async def test_right_work_passes_in_whatever_way_it_is_written(name: str, code: str) -> None:
    said = await checked(name, code)
    assert said.endswith("passed"), said


@pytest.mark.parametrize(("name", "code", "why"), WRONG)
async def test_wrong_work_is_told_what_is_wrong(name: str, code: str, why: str) -> None:
    said = await checked(name, code)
    assert "not yet" in said
    assert any(why in line for line in said.splitlines() if line.startswith("✗")), said


async def test_each_solution_passes() -> None:
    for name in ("02.1", "02.2", "02.3"):
        assert (await checked(name, lesson.exercise(name).solution)).endswith("passed")


def test_the_messages_are_balanced_and_none_of_the_unseen_is_among_those_to_learn_from() -> None:
    sizes = {part: len(ch02.messages(part)) for part in ("learn", *ch02.UNSEEN)}
    assert sizes == {"learn": 160, "plain": 60, "reworded": 32, "foreign": 16}
    assert [len(ch02.messages(part, ch02.NEW)) for part in ("learn", *ch02.UNSEEN)] == [12, 10, 5, 3]
    everything = [said.text for part in sizes for said in ch02.messages(part, ch02.WANTS | ch02.NEW)]
    assert len(everything) == len(set(everything)) == 298
    for part, count in sizes.items():
        assert [sum(said.want == want for said in ch02.messages(part)) for want in WANTS] == [count // 4] * 4


def test_the_first_rule_that_is_found_decides_and_lines_are_added_by_what_they_gain_in_view() -> None:
    rules = "returns: broken\norders: courier"
    texts = ("A broken courier", "The COURIER", "Hello")
    assert [ch02.by_rules(text, rules) for text in texts] == ["returns", "orders", "products"]
    steps = ch02.grown()
    assert (steps[0], steps[-1]) == ("", ch02.RULES)
    learn = ch02.messages("learn")
    gains = [ch02.right(lambda text, rules=r: ch02.by_rules(text, rules), learn) for r in steps]
    assert gains == sorted(gains)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: ch02.by_rules("A cup", "visit open"),
            "A rule is a line like 'visits: open|close', but 'visit open' came",
        ),
        (lambda: ch02.by_rules("A cup", "visits: (open"), "in 'visits: \\(open': missing"),
        (lambda: ch02.messages("test"), "learn, plain, reworded, foreign, but 'test' was asked for"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(call: Any, said: str) -> None:
    with pytest.raises(LabError, match=said):
        call()


def test_a_classifier_learns_from_the_examples_that_were_drawn_and_learns_a_new_category() -> None:
    learn = ch02.messages("learn")
    few = ch02.drawn(learn, 3, seed=1)
    assert few == ch02.drawn(learn, 3, seed=1) != ch02.drawn(learn, 3, seed=2)
    assert [sum(said.want == want for said in few) for want in WANTS] == [3] * 4
    learned = ch02.classifier(learn + ch02.messages("learn", ch02.NEW))
    assert learned.predict(
        ["Please send the invoice for my order", "We need a supplier for our restaurant"]
    ).tolist() == [
        "orders",
        "wholesale",
    ]


async def test_the_prompts_differ_in_what_they_tell_and_the_schema_leaves_only_the_categories(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = {"plain": 2, "reworded": 1, "foreign": 1}
    messages = ch02.messages
    monkeypatch.setattr(ch02, "messages", lambda part, wants=ch02.WANTS: messages(part, wants)[: few.get(part)])
    with Stub() as stub:
        stub.answers = [reply('{"category": "orders"}')]
        model = await stub.model()
        measured = await ch02.full(model)
        await model.aclose()
    assert len(stub.asked) == 3 * 4 + 4
    turns = [len(body["messages"]) for body in stub.asked]
    assert [turns.count(n) for n in (1, 2, 2 + 2 * 12)] == [4, 8, 4]
    enums = [body["response_format"]["json_schema"]["schema"]["properties"]["category"]["enum"] for body in stub.asked]
    assert [enums.count(names) for names in (WANTS, [*WANTS, "wholesale"], [*ch02.FIRST])] == [8, 4, 4]
    assert ch02.prompt("Hi", ["a", "b"])[0]["content"].splitlines()[1:3] == ["- a", "- b"]
    assert measured.rate(way="prompt") == (4, 4)
    assert [
        sum(row["seconds"] is not None for row in measured.rows if row["way"] in PROMPTS)
        for PROMPTS in (ch02.PROMPTS, ["prompt"])
    ] == [2, 2]
    assert {column for row in measured.rows for column in row} >= set(ch02.COLUMNS)


def made_up() -> Measured:
    rows = []
    for size in shown.MODELS:
        for way, (wants, _) in ch02.PROMPTS.items():
            for part in ch02.UNSEEN:
                wants = ch02.NEW if len(wants) == 5 and part != "plain" else wants
                for n, said in enumerate(ch02.messages(part, wants)):
                    tokens = {"input": 100, "output": 10, "seconds": 0.5 if way == "prompt" else None}
                    row = {"model": size, "way": way, "part": part, "n": n, "want": said.want, "got": "orders"}
                    rows.append({**row, **tokens, "right": said.want == "orders"})
    rows += [
        {**row, "model": "standard", "way": way, "seconds": 0.001}
        for way in ("rules", "classifier")
        for row in rows[:3]
    ]
    return Measured(rows, {"model": "made up"})


def test_what_is_shown_counts_now_what_needs_no_model_and_the_rest_from_what_is_kept() -> None:
    kept = made_up()
    table = shown.ways(kept, {"rules": ch02.by_rules, "nothing": lambda text: "visits"}).text.splitlines()
    assert table[2].split() == ["nothing", "15/60", "(16–37", "%)", "8/32", "(13–42", "%)", "4/16", "(10–49", "%)"]
    assert table[5].startswith("prompt, standard model  15/60")
    assert len(shown.variants(kept).text.splitlines()) == 1 + 3 + 1
    ways = {"nothing": lambda text: "visits"}
    lines = shown.changed(kept, ways, {"nothing": lambda text: "wholesale"}).text.splitlines()
    assert [word for word in lines[1].split() if "/" in word] == ["10/10", "8/8", "15/60", "0/60"]
    assert (lines[1].split()[-1], lines[-2].split()[-1]) == ("60", "0"), "the old ones that are taken for new"
    assert [word for word in lines[-2].split() if "/" in word] == ["0/10", "0/8", "15/60", "15/60"]
    costs = shown.costs(kept, 0.10, 0.10, 0.40).text.splitlines()
    assert costs[1].split() == ["rules", "1.00", "ms", "16.7", "minutes", "0.03"]
    assert costs[5].split() == ["prompt,", "standard", "model", "0.5", "s", "5.8", "days", "13.89"]
    assert costs[6].split() == ["prompt,", "by", "the", "token", "100", "+", "10", "tokens", "14.00"]


def test_in_a_cascade_the_model_is_asked_where_the_classifier_is_not_sure() -> None:
    learned = ch02.classifier(ch02.messages("learn"))
    always, never = (shown.cascade(made_up(), learned, sure).text.splitlines() for sure in (1.1, 0.0))
    assert [word for word in always[1].split() if "/" in word] == ["15/60"]
    assert (always[1].endswith("60 of 60"), never[1].endswith("0 of 60")) == (True, True)
    alone = ch02.right(shown.by_classifier(learned), ch02.messages("plain"))
    assert never[1].split()[1] == f"{alone}/60"


def test_a_curve_says_its_shares_and_takes_the_mean_of_several_draws() -> None:
    rows = [{"at": at, "part": "plain", "right": [5, 5 + at], "of": 10} for at in (1, 5)]
    assert shown.curve(rows, "examples").alt == (
        "Right answers over examples, with 95 % intervals. plain: 1: 55 %, 5: 75 %."
    )
    assert {row["part"] for row in shown.over_lines()} == {"in view", *ch02.UNSEEN}
    assert [len(row["right"]) for row in shown.over_examples() if row["part"] == "plain"] == [5, 5, 5, 5, 5, 1]


def test_what_is_kept_has_all_sizes_of_the_model_and_rules_and_classifier_once() -> None:
    kept = shown.kept()
    assert sorted({row["model"] for row in kept.rows if row["way"] == "prompt"}) == sorted(shown.MODELS)
    assert kept.rate(way="rules")[1] == kept.rate(way="classifier")[1] == 108
    assert kept.rate(way="prompt, wholesale added", model="tiny")[1] == 78
    for measured in measure.kept("02"):
        assert json.dumps(measured.about["training"])
