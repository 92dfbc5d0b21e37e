"""Chapter 00: what this model can and cannot be asked: fourteen small kinds of question, each judged by a program."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from llmlab import Trace, measure
from llmlab.errors import LabError, ToolError
from llmlab.llm.chat import Model
from llmlab.measure import Measured, Row, made_with, share
from llmlab.show import mermaid
from llmlab.show.view import View, table_of
from llmlab.tools.sandbox import run_program

COLUMNS = ("kind",)  # by which `llmlab measure` tells the rows apart
ORDER = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "item": {"type": "string"}, "count": {"type": "integer"}},
    "required": ["name", "item", "count"],
}
INTEGER = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


@dataclass(frozen=True)
class Question:
    """A question whose answer a program can check."""

    kind: str
    text: str
    answer: Any
    judge: str
    tokens: int  # the longest reply

    @property
    def schema(self) -> dict[str, Any] | None:
        """The form of the reply, where one is asked for: these replies would explain until they are cut."""
        count = self.judge == "integer" or (self.judge == "letters" and self.answer.isdigit())
        return INTEGER if count else ORDER if self.judge == "json" else None


@lru_cache
def kinds() -> dict[str, list[Question]]:
    """All questions, by their kind."""
    found = json.loads(Path(__file__).with_name("questions.json").read_text(encoding="utf-8"))
    return {
        k["kind"]: [Question(k["kind"], text, answer, k["judge"], k["tokens"]) for text, answer in k["questions"]]
        for k in found
    }


def questions(kind: str) -> list[Question]:
    """The questions of one kind. Raises LabError for another one."""
    if kind not in kinds():
        raise LabError(f"A kind of question is one of {', '.join(kinds())}, but {kind!r} came; choose one of them.")
    return kinds()[kind]


# Judges: whether a reply is right, by what is in it and not by how it is put


def _words(reply: str, answer: str) -> bool:
    spelled = re.sub(r"\b(\w)\b[- ,]+(?=\w\b)", r"\1", reply)  # n-r-e-t is nret
    return any(
        re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)
        for word in answer.split("|")
        for text in (reply, spelled)
    ) or any(
        not word.isascii() and word in reply for word in answer.split("|")
    )  # 서울입니다: no blank before an ending


def _number(reply: str, answer: str) -> bool:
    digits = re.sub(r"\b(" + "|".join(NUMBERS) + r")\b", lambda m: str(NUMBERS.index(m[1].lower())), reply, flags=re.I)
    found = re.findall(r"\d[\d,]*(?:\.\d+)?", digits)
    return bool(found) and float(found[-1].replace(",", "")) == float(answer)


def _json(reply: str, answer: dict[str, Any]) -> bool:
    try:
        said = json.loads(reply)
    except ValueError:
        return False
    same = str(said.get("name")).casefold() == answer["name"].casefold() and said.get("count") == answer["count"]
    return same and answer["item"] in str(said.get("item")).casefold()


JUDGES: dict[str, Callable[[str, Any], bool]] = {
    "words": _words,
    "number": _number,
    "integer": _number,
    "letters": lambda reply, answer: (_number if answer.isdigit() else _words)(reply, answer),
    "only": lambda reply, answer: reply.strip(" .!\n").casefold() == answer,
    "form": lambda reply, answer: re.fullmatch(answer, reply.strip()) is not None,
    "json": _json,
}


async def _runs(reply: str, answer: dict[str, Any]) -> bool:
    """Whether the function in a reply gives what it should, each call tried apart from this process."""
    fenced = re.search(r"```\w*\n(.*?)```", reply, re.DOTALL)
    program = (fenced[1] if fenced else reply) + f"\n[{', '.join(answer['calls'])}]"
    try:
        said = await run_program(program, seconds=2)
        return bool(ast.literal_eval(said.strip().splitlines()[-1]) == list(answer["calls"].values()))
    except (ToolError, ValueError, SyntaxError, IndexError):
        return False


async def is_right(question: Question, reply: str) -> bool:
    """Whether a reply answers the question."""
    if question.judge == "code":
        return await _runs(reply, question.answer)
    return JUDGES[question.judge](reply, question.answer)


# Asking


async def ask(model: Model, question: Question) -> Row:
    """One question, one call, one row."""
    reply = await model.chat(question.text, max_tokens=question.tokens, schema=question.schema)
    right = await is_right(question, reply.text)
    cost = {"tokens": reply.input_tokens + reply.output_tokens, "seconds": round(reply.seconds, 2)}
    return {"kind": question.kind, "question": question.text, "right": right, **cost, "answer": reply.text[:300]}


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """Every question of every kind, once."""
    rows = []
    with Trace("what it can be asked"):
        for same in kinds().values():
            for question in same:
                rows.append(await ask(model, question))
                if told:
                    told(rows[-1])
    return Measured(rows, made_with(model))


def hyphens(text: str) -> str:
    """The question with the letters of its word apart: the word cup becomes c-u-p."""
    return re.sub(r"(?<=the word )\w+", lambda word: "-".join(word[0]), text)


async def try_out(model: Model, kind: str, count: int = 4, changed: Callable[[str], str] | None = None) -> View:
    """Ask the first questions of a kind now, and show what came; with `changed`, also as that function changes them."""
    rows = []
    for question in questions(kind)[:count]:
        ways = [question] if changed is None else [question, replace(question, text=changed(question.text))]
        came = [await ask(model, way) for way in ways]
        said = [(mermaid.short(row["answer"], 60), "right" if row["right"] else "wrong") for row in came]
        rows.append([question.text, *(part for pair in said for part in pair)])
    head = ["question", "reply", "checked", *([] if changed is None else [f"with {changed.__name__}", "checked"])]
    return table_of(head, rows)


def overview() -> View:
    """Right answers of each model that was measured, with 95 % intervals; the kinds that go best come first."""
    measured = sorted(measure.kept("00"), key=lambda m: -m.rate()[0])
    if not measured:
        raise LabError("Nothing has been measured for chapter 00 yet; run `llmlab measure 00` in a terminal.")
    order = sorted(kinds(), key=lambda kind: -measured[0].rate(kind=kind)[0])
    rows = []
    for kind in order:
        example = mermaid.short(kinds()[kind][0].text.split("\n\n")[-1], 70)
        rows.append([kind, example, *(share(*m.rate(kind=kind)) for m in measured)])
    rows.append(["all of them", "", *(share(*m.rate()) for m in measured)])
    return table_of(["kind of question", "for example", *(m.about["model"] for m in measured)], rows)
