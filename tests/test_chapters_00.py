"""Chapter 00: its judges take right answers however they are put, and its exercises right work however it is written."""

from collections.abc import AsyncIterator
from importlib import import_module

import pytest

import llmlab
from llmlab import LabError, Model, lesson
from stub import Stub, reply

pytestmark = pytest.mark.anyio
ch00 = import_module("chapters.ch00")


def test_there_are_fourteen_kinds_of_eight_different_questions() -> None:
    assert [len({question.text for question in same}) for same in ch00.kinds().values()] == [8] * 14
    with pytest.raises(LabError, match=r"A kind of question is one of a well-known fact, .* but 'poems' came"):
        ch00.questions("poems")


LEAP = "```python\ndef is_leap(y):\n    return {}\n```"
RIGHT = [
    ("a well-known fact", 0, "The capital of Peru is Lima.", "The capital of Peru is Limassol."),
    ("a well-known fact", 3, "It is Au.", "It is Ag, from Latin *aurum*."),
    ("a fact that few people know", 0, "She was born on 23 March 1882.", "She was born in 1882 or 1883."),
    ("a question in another language", 2, "대한민국의 수도는 서울입니다.", "대한민국의 수도는 부산입니다."),
    ("a question in another language", 0, "Die Hauptstadt ist Rom.", "Die Hauptstadt ist Romulus."),
    ("a detail from a text", 1, "At 1:00 PM.", "At 10:30."),
    ("a detail that the text does not hold", 0, "Not stated.", "40 minutes."),
    ("praise or complaint", 1, "Complaint.", "Praise or complaint"),
    ("data out of a sentence, as JSON", 1, '{"name": "Tomasz", "item": "Mugs", "count": 12}', '{"name": "Tomasz"}'),
    ("data out of a sentence, as JSON", 5, '{"name": "Leila", "item": "saucer", "count": 12}', "Leila, saucers, 12"),
    ("a large product, the number only", 0, '{"answer": 96048}', '{"answer": 94016}'),
    ("a word problem, step by step", 0, "24 - 3 - 9 = **12**", "24 - 9 = 15. Noor has 3 left"),
    ("the letters of a word", 0, "The letter r occurs three times.", "1. st 2. raw 3. berry: twice, so 2."),
    ("the letters of a word", 4, "n-r-e-t-n-a-l", "naltern"),
    ("the letters of a word", 7, "It is 'e'.", "It is the letter 'r'."),
    ("an answer of a given form", 3, "1\n2\n3\n4\n5", "1, 2, 3, 4, 5"),
    (
        "a short Python function, run",
        1,
        LEAP.format("y % 4 == 0 and y % 100 != 0 or y % 400 == 0"),
        LEAP.format("y % 4 == 0"),
    ),
    ("a short Python function, run", 0, "def reverse(text): return text[::-1]", "Use slicing: text[::-1]"),
]


@pytest.mark.parametrize(("kind", "number", "right", "wrong"), RIGHT)
async def test_a_judge_takes_the_right_answer_and_no_other(kind: str, number: int, right: str, wrong: str) -> None:
    question = ch00.questions(kind)[number]
    assert await ch00.is_right(question, right)
    assert not await ch00.is_right(question, wrong)


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    with Stub() as stub:
        stub.answers = [reply("Lima")]
        connected = await stub.model()
        yield connected
        await connected.aclose()


async def test_every_question_is_asked_once_and_what_came_is_a_row(model: Model) -> None:
    measured = await ch00.full(model)
    assert [len(rows) for rows in measured.by("kind").values()] == [8] * 14
    assert measured.rate(kind="a well-known fact") == (1, 8)
    shown = await ch00.try_out(model, "a well-known fact", 2)
    assert ch00.hyphens("Spell the word cup backwards.") == "Spell the word c-u-p backwards."
    twice = await ch00.try_out(model, "a well-known fact", 1, str.upper)
    assert twice.text.splitlines()[0].split()[:5] == ["question", "reply", "checked", "with", "upper"]
    assert [line.split()[-1] for line in shown.text.splitlines()] == ["checked", "right", "wrong"]


async def said(model: Model, name: str, code: str) -> str:
    names = {n: getattr(llmlab, n) for n in ("BudgetExceeded", "LabError", "Trace")}
    before = set(names)
    exec(code, names)
    work = [value for key, value in names.items() if key not in before and callable(value)][-1]
    return str((await lesson.check(name, work, model))._repr_mimebundle_()["text/plain"])


TWO = "async def f(model, trace):\n with trace:\n  {}"
ALL = "async def f(model, trace, questions):\n got = []\n with trace:\n  {}\n return got"
OUT = "step.get('gen_ai.usage.output_tokens')"
PASS = [
    ("00.1", TWO.format("for q in ('Hi?', 'Why?'):\n   await model.chat(q, max_tokens=5)")),
    (
        "00.1",
        TWO.format("await model.chat('Hi?')\n with trace:\n  await model.chat([{'role': 'user', 'content': 'Why?'}])"),
    ),
    ("00.1", "import asyncio\n" + TWO.format("await asyncio.gather(model.chat('Hi?'), model.chat('Why?'))")),
    ("00.2", f"def f(trace):\n return sorted(trace.of('model'), key=lambda step: {OUT})[-1]"),
    (
        "00.2",
        f"def f(trace):\n best = None\n for step in trace.of('model'):\n  if best is None or {OUT} > best[0]:\n   best = ({OUT}, step)\n return best[1]",
    ),
    ("00.2", f"def f(trace):\n return max(trace, key=lambda step: {OUT} or 0)"),
    (
        "00.3",
        ALL.format(
            "try:\n   for q in questions:\n    got.append((await model.chat(q)).text)\n  except BudgetExceeded:\n   pass"
        ),
    ),
    (
        "00.3",
        ALL.format(
            "for q in questions:\n   try:\n    got.append(await model.chat(q))\n   except LabError:\n    return got"
        ),
    ),
    (
        "00.3",
        ALL.format(
            "while len(got) < len(questions):\n   try:\n    got += [str(await model.chat(questions[len(got)]))]\n   except BudgetExceeded as error:\n    break"
        ),
    ),
]


@pytest.mark.parametrize(("name", "code"), PASS)
async def test_right_work_passes_however_it_is_written(model: Model, name: str, code: str) -> None:
    assert (await said(model, name, code)).endswith("passed")


FAIL = [
    ("00.1", TWO.format("pass"), "and 0 are in it"),
    ("00.1", TWO.format("await model.chat('Hi?')\n await model.chat('Why?')"), "and 1 are in it"),
    ("00.1", TWO.format("await model.chat('Hi?')\n  await model.chat('Hi?')"), "different questions, and ask 1"),
    ("00.1", TWO.format("[await model.chat(q) for q in 'abc']"), "and 3 are in it"),
    ("00.1", "def f(model, trace):\n return None", "begins with `async def`"),
    (
        "00.2",
        f"def f(trace):\n return min(trace.of('model'), key=lambda step: {OUT})",
        "yours is step 4, a model step with 3 tokens",
    ),
    ("00.2", "def f(trace):\n return trace.of('model')[-1]", "yours is step 5, a model step with 39 tokens out"),
    (
        "00.2",
        "def f(trace):\n return max(trace.of('model'), key=lambda step: step.get('gen_ai.usage.input_tokens'))",
        "✗",
    ),
    ("00.2", "def f(trace):\n return trace.totals.output_tokens", "return a step of the trace, and returned 91"),
    ("00.2", "def f(trace):\n return trace.steps[2]", "12, 7 tokens: step 2 wrote the most; yours is step 3"),
    ("00.2", "def f(trace):\n return max(trace.of('model'), key=lambda step: step.output_tokens)", "AttributeError"),
    (
        "00.3",
        ALL.format("for q in questions:\n   got.append(await model.chat(q))"),
        "your code stopped with BudgetExceeded",
    ),
    (
        "00.3",
        ALL.format("for q in questions[:3]:\n   got.append(await model.chat(q))"),
        "3 questions and a budget of 1",
    ),
    (
        "00.3",
        ALL.format("try:\n   for q in questions:\n    await model.chat(q)\n  except BudgetExceeded:\n   pass"),
        "yours gave 0",
    ),
    ("00.3", "async def f(model, trace, questions):\n return [await model.chat(q) for q in questions]", "yours made 0"),
    (
        "00.3",
        ALL.format("for q in questions[:1]:\n   got.append(await model.chat(q))"),
        "5 questions and a budget of 3 make 3 calls",
    ),
    (
        "00.3",
        ALL.format(
            "try:\n   for q in questions:\n    got.append((await model.chat(q)).text)\n  except BudgetExceeded:\n   return"
        ),
        "yours gave None",
    ),
]


@pytest.mark.parametrize(("name", "code", "why"), FAIL)
async def test_wrong_work_is_told_what_is_wrong(model: Model, name: str, code: str, why: str) -> None:
    text = await said(model, name, code)
    assert "not yet" in text
    assert why in text
