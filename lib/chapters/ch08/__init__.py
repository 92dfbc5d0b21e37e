"""Chapter 08: queries for a database whose columns the writer does not know, and what a second and a third try bring.

The database is the evaluator: it says what is wrong with a query that does not run, or finds nothing. Whether the rows are
those that the question asks for, it does not know; the known answers of chapter 05's questions do.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chapters import ch05
from chapters.ch08 import judging, posts
from llmlab.errors import ToolError
from llmlab.llm.chat import Model
from llmlab.llm.reply import Message, Reply
from llmlab.llm.weights import CATALOGUE
from llmlab.measure import Measured, Row, Told, kept, made_with, share
from llmlab.show.view import View, table_of
from shop import world

STANDARD = CATALOGUE["standard"].name
COLUMNS = ("part", "variant", "round", "before", "criterion", "meets")  # by which `llmlab measure` tells the rows apart
REVIEWED = 30  # queries that the model reviews itself
ROUNDS = 2  # further tries
MOST, FOUND = 120, 100  # tokens of a query, and of what a review finds
SIDE_BY_SIDE = 4  # requests at a time: the model in the box has so many slots
EACH = 8  # right and wrong queries for the judges
OLD = 40  # questions of chapter 05
HELD = 4  # with every fourth question the prompts were worded; the others are measured
TASK = (
    "A shop's SQLite database has the tables customers, orders, items and returns.\n\n"
    "{question} Write the SQLite query. Reply with the query only."
)
REVISE = "{task}\n\nAn earlier query failed. {advice}"
SHOWING = "{task}\n\nThis query was tried:\n{text}\n{advice}\n\nWrite a query that works. Reply with the query only."
WRONG = "It is wrong."
MESSAGE, SHOWN, ERROR, BARE, FRESH = WAYS = (
    "error and columns",
    "the same, draft shown",
    "the error alone",
    "only: it is wrong",
    "a fresh draft",
)
DOUBT = "That is wrong. Write the right query. Reply with the query only."
FIND = "Review your query and find problems with it."
IMPROVE = "Based on the problems you found, improve your query. Reply with the query only."
TABLES = {line.split()[2]: re.findall(r"[(,] ?(\w+) ", line[line.index("(") :]) for line in world.SCHEMA.splitlines()}


@dataclass(frozen=True)
class Question:
    """A question to the shop's database, and a query whose rows are known to be right."""

    db: Path
    number: int
    text: str
    gold: str = ""

    @property
    def task(self) -> str:
        """What the writer is asked: the tables by their names only."""
        return TASK.format(question=self.text)

    @property
    def with_tables(self) -> str:
        """The same, with the columns of the tables that it needs, as in chapter 05."""
        return f"{world.tables(*ch05.tables_of(self.gold))}\n\n{self.text} Write the SQLite query. Reply with the query only."

    def error(self, reply: str) -> str:
        """What the database says against the query in a reply, or ""."""
        return error(self.db, sql_of(reply))

    def complaint(self, reply: str) -> str:
        """The same, with the columns of the tables that the query names."""
        said = self.error(reply)
        return f"{said} {columns(sql_of(reply))}".strip() if said else ""

    def right(self, reply: str) -> bool:
        """Whether the rows are the right ones."""
        return not ch05.sql_fails(self.db, sql_of(reply), self.gold)


def sql_of(reply: str) -> str:
    """The query in a reply, without what Markdown puts around it."""
    return ch05.sql_of(reply).strip("`")


def error(db: Path, sql: str) -> str:
    """What is wrong with a query, as far as its database can tell: it does not run, or finds nothing. Else ""."""
    try:
        found = world.query(db, sql)
    except ToolError as refused:
        return f"{str(refused).rstrip('.')}."
    nothing = all(value is None for row in found.rows for value in row)
    return "It runs, but finds nothing." if nothing else ""


def columns(sql: str) -> str:
    """Which columns the tables have that a query names."""
    used = [name for name in TABLES if re.search(rf"\b{name}\b", sql, re.IGNORECASE)]
    return " ".join(f"The table {name} has the columns {', '.join(TABLES[name])}." for name in used)


def questions(db: Path) -> list[Question]:
    """The forty SQL questions of chapter 05, and twenty-four more in the same style."""
    more = json.loads(Path(__file__).with_name("more.json").read_text(encoding="utf-8"))
    pairs = [(text, gold) for _, text, gold in ch05.tasks_of("sql")] + [(text, gold) for text, gold in more]
    return [Question(db, number, text, gold) for number, (text, gold) in enumerate(pairs)]


def measured(db: Path) -> list[Question]:
    """Those with which no prompt was worded: not every fourth of chapter 05's, and all of the others."""
    return [each for each in questions(db) if each.number >= OLD or each.number % HELD]


# The measurement


async def ask(model: Model, messages: str | list[Message], **options: Any) -> Reply:
    """One call for a query."""
    return await model.chat(messages, **{"max_tokens": MOST, **options})


def request(question: Question, way: str, last: str) -> str:
    """What the writer is asked after a draft that the database refuses."""
    if way == FRESH:
        return question.task
    advice = {ERROR: question.error(last), BARE: WRONG}.get(way) or question.complaint(last)
    return (SHOWING if way == SHOWN else REVISE).format(task=question.task, text=last, advice=advice)


async def tries(model: Model, question: Question, way: str, first: Reply) -> list[Row]:
    """One row a round, until the database is content or the same would be asked again; then its last values stay."""
    rows, asked = list[Row](), set[str]()
    reply, spent, calls = first, first.input_tokens + first.output_tokens, 1
    for number in range(ROUNDS + 1):
        again = request(question, way, reply.text)
        if number and not rows[-1]["content"] and again not in asked:
            chance = {"temperature": 0.8, "seed": number} if way == FRESH else {}
            asked |= set() if chance else {again}
            reply = await ask(model, again, **chance)
            spent, calls = spent + reply.input_tokens + reply.output_tokens, calls + 1
        said = question.error(reply.text)
        row = {"part": "rounds", "variant": way, "task": question.number, "round": number}
        row |= {"right": question.right(reply.text), "content": not said, "calls": calls, "tokens": spent}
        rows.append({**row, "said": said, "text": sql_of(reply.text)})
    return rows


async def review(model: Model, question: Question) -> list[Row]:
    """No database: with the columns in sight, the model writes, looks for problems itself, and improves its query."""
    first = await ask(model, question.with_tables)
    found = await ask(model, said(question, first, FIND), max_tokens=FOUND)
    better = await ask(model, [*said(question, first, FIND), *said(None, found, IMPROVE)])
    return [{**outcome("its own review", question, first, found, better), "found": found.text}]


async def doubt(model: Model, question: Question) -> list[Row]:
    """An evaluator that is no good: whatever the query, it is told to be wrong."""
    first = await ask(model, question.with_tables)
    return [outcome("told: it is wrong", question, first, await ask(model, said(question, first, DOUBT)))]


def said(question: Question | None, reply: Reply, then: str) -> list[Message]:
    """The task (at the beginning), a reply, and what it is answered."""
    asked: list[Message] = [{"role": "user", "content": question.with_tables}] if question else []
    return [*asked, {"role": "assistant", "content": reply.text}, {"role": "user", "content": then}]


def outcome(variant: str, question: Question, first: Reply, *later: Reply) -> Row:
    """What has become of a query. A reply without a query leaves it as it was."""
    last = later[-1].text if re.search(r"\bselect\b", later[-1].text, re.IGNORECASE) else first.text
    row: Row = {"part": "review", "variant": variant, "task": question.number, "calls": len(later)}
    row |= {"before": question.right(first.text), "right": question.right(last), "first": sql_of(first.text)}
    return {**row, "tokens": sum(r.input_tokens + r.output_tokens for r in later), "text": sql_of(later[-1].text)}


async def rounds_of(model: Model, question: Question) -> list[Row]:
    """The three ways; the first draft is asked for once."""
    first = await ask(model, question.task)
    return [row for way in WAYS for row in await tries(model, question, way, first)]


async def tried(model: Model, some: Sequence[Question]) -> Measured:
    """The three ways on some questions, one after the other."""
    return Measured([row for each in some for row in await rounds_of(model, each)], made_with(model))


def jobs(model: Model, db: Path) -> dict[str, Callable[[], Awaitable[list[Row]]]]:
    """What is measured, in parts that can be done one by one: all of it on the standard model, the judging on others."""
    work: dict[str, Callable[[], Awaitable[list[Row]]]] = {}
    if model.name == STANDARD:
        work |= {f"rounds {q.number}": lambda q=q: rounds_of(model, q) for q in measured(db)}  # type: ignore[misc]
        work |= {f"review {q.number}": lambda q=q: review(model, q) for q in measured(db)[:REVIEWED]}  # type: ignore[misc]
        work |= {f"doubt {q.number}": lambda q=q: doubt(model, q) for q in measured(db)[:REVIEWED]}  # type: ignore[misc]
        work |= {f"post {name}": lambda name=name: posts.revised(model, name) for name in posts.POSTS}  # type: ignore[misc]
    work["sentences"] = lambda: judging.all_of(model, judging.texts())
    return work


async def full(model: Model, told: Told = None) -> Measured:
    """All of it, several at a time."""
    free, rows = asyncio.Semaphore(SIDE_BY_SIDE), list[Row]()

    async def done(job: Callable[[], Awaitable[list[Row]]]) -> None:
        async with free:
            made = await job()
        rows.extend(made)
        if told:
            told(made[-1])

    with laid_out() as db:
        await asyncio.gather(*map(done, jobs(model, db).values()))
        cases = drafts(db, rows if model.name == STANDARD else standard())
        await asyncio.gather(*(done(lambda case=case: judging.all_of(model, [case])) for case in cases))  # type: ignore[misc]
    return Measured(rows, made_with(model))


@contextmanager
def laid_out() -> Iterator[Path]:
    """The shop's database in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield world.lay_out(Path(folder) / "shop").db


def drafts(db: Path, rows: Sequence[Row]) -> list[judging.Judged]:
    """For judges: eight first drafts that are right (with the columns in sight) and eight that are wrong (without)."""
    known = {question.number: question for question in questions(db)}
    right = [(row["task"], row["first"]) for row in rows if row["variant"] == "its own review" and row["before"]]
    first = [row for row in rows if row["part"] == "rounds" and row["variant"] == MESSAGE and row["round"] == 0]
    wrong = [(row["task"], row["text"]) for row in first if not row["right"]]
    cases = [(right, True), (wrong, False)]
    return [(criterion(known[n]), text, truth) for some, truth in cases for n, text in sorted(some)[:EACH]]


def criterion(question: Question) -> str:
    """What a judge is asked about a query."""
    return f"{judging.QUERY}: {question.text} The tables are:\n{world.tables(*ch05.tables_of(question.gold))}"


def standard() -> list[Row]:
    """The kept rows of the standard model, whose drafts the judges of other sizes get."""
    return [row for each in kept("08") if each.about["model"] == STANDARD for row in each.rows]


# Tables


def repaired(measured: Measured) -> View:
    """For each way: right queries round by round, how many only content the database, and all that was paid."""
    rows = []
    for way in WAYS:
        last = [row for row in measured.rows if row["variant"] == way and row["round"] == ROUNDS]
        only = sum(row["content"] and not row["right"] for row in last)
        right = [share(*measured.rate(variant=way, round=number)) for number in range(ROUNDS + 1)]
        rows.append([way, *right, only, sum(row["calls"] for row in last), sum(row["tokens"] for row in last)])
    rounds = ["right at first", *(f"after {n} more" for n in range(1, ROUNDS + 1))]
    return table_of(["way", *rounds, "run, but wrong", "calls", "tokens"], rows, measured.label)


def agreement(judged: Measured) -> View:
    """For each judge: how often it says yes to what meets the criterion, and no to what does not; sentences and queries."""
    rows = []
    for (size,) in judged.by("model"):
        for name, query in (("sentences", False), ("queries", True)):
            of = [row for row in judged.rows if row["model"] == size and (row["criterion"] == judging.QUERY) == query]
            if of:
                same = Measured(of)
                parts = [same.rate(), *(same.rate(meets=meets) for meets in (True, False))]
                rows.append([size, name, *(share(*part) if part[1] else "–" for part in parts)])
    return table_of(["judge", "of", "agrees", "where it is met", "where it is not"], rows)
