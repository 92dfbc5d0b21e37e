"""Chapter 05: four jobs for one call: SQL over the shop, a text made a tweet, a mail made data, a direct answer.

The tasks stand in tasks.json. Each is judged by a program, which also says how a wrong answer failed.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from llmlab.agents import Run, SingleStep
from llmlab.errors import ToolError
from llmlab.llm.chat import Model
from llmlab.measure import Measured, Row, cost_of, made_with
from shop import world

COLUMNS = ("job",)  # by which `llmlab measure` tells the rows apart
SIDE_BY_SIDE = 4  # requests at a time: the model in the box has so many slots

# The whole of each agent: what stands around the task. A task for SQL holds its tables, one for a tweet its text.
PROMPTS = {
    "sql": "{task} Write the SQLite query.",
    "tweet": "{task}\n\nWrite one short sentence, without hashtags.",
    "mail": "{task}\n\nReply as JSON with the fields kind (return, question or praise), order (its number, or null) and product.",
    "direct": "{task} Answer briefly.",
}
JOBS = tuple(PROMPTS)
NO_SCHEMA = "mail, no schema"  # the same prompt, but nothing makes the reply JSON of that shape


class Mail(BaseModel):
    """What the shop wants to know of a customer's mail."""

    kind: Literal["return", "question", "praise"]
    order: int | None
    product: str


@dataclass(frozen=True)
class Job:
    """A task for one call. `fails` says how an answer fails, and nothing if it is right."""

    job: str
    id: str
    text: str
    fails: Callable[[str], str]
    part: str = ""  # for SQL: the kind of query


def tasks_of(job: str) -> list[Any]:
    """The tasks of a job (sql, tweet, mail, direct) as they stand in the file."""
    return list(json.loads(Path(__file__).with_name("tasks.json").read_text(encoding="utf-8"))[job])


def jobs(db: Path) -> list[Job]:
    """All tasks: 40 of SQL, which are tried on this database, 40 tweets, 24 mails, each in two ways, 40 direct answers."""
    made = []
    for n, (part, question, gold) in enumerate(tasks_of("sql"), 1):
        ask = f"{world.tables(*tables_of(gold))}\n\n{question}"
        made.append(Job("sql", f"sql {n}", ask, lambda answer, gold=gold: sql_fails(db, answer, gold), part))
    for n, (text, limit, what, keep) in enumerate(tasks_of("tweet"), 1):
        ask = f"Turn this into a tweet of at most {limit} characters. Keep {what}.\n\n{text}"
        made.append(Job("tweet", f"tweet {n}", ask, lambda a, t=text, m=limit, k=keep: tweet_fails(a, t, m, k)))
    for job in ("mail", NO_SCHEMA):
        for n, task in enumerate(tasks_of("mail"), 1):
            made.append(Job(job, f"{job} {n}", task[0], lambda answer, task=task: mail_fails(answer, *task)))
    for n, (question, accepted) in enumerate(tasks_of("direct"), 1):
        made.append(Job("direct", f"direct {n}", question, lambda a, k=accepted: "" if holds(a, k) else "wrong answer"))
    return made


def tables_of(sql: str) -> list[str]:
    """The names of the tables that a query reads, its sub-queries included, each once."""
    return list(dict.fromkeys(re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", sql, re.IGNORECASE)))


def sql_of(answer: str) -> str:
    """The query (or the JSON) in an answer, without the Markdown fence that some models put around it."""
    fenced = re.search(r"```\w*\n(.*?)```", answer, re.DOTALL)
    return (fenced[1] if fenced else answer).strip()


def sql_fails(db: Path, answer: str, gold: str) -> str:
    """How a query fails: it does not run, or gives other columns or rows than the one known to be right."""
    wanted = world.query(db, gold)
    try:
        got = world.query(db, sql_of(answer))
    except ToolError:
        return "does not run"
    if len(got.columns) != len(wanted.columns):
        return "runs, other columns"
    return "" if _sorted(got.rows) == _sorted(wanted.rows) else "runs, other rows"


def _sorted(rows: Sequence[Sequence[object]]) -> list[list[str]]:
    return sorted([f"{v:.6g}" if isinstance(v, int | float) else str(v) for v in row] for row in rows)


def tweet_fails(answer: str, text: str, limit: int, keep: Sequence[str]) -> str:
    """How a tweet fails: too long, a fact lost, or a number in it that the text does not have."""
    if not 0 < len(answer.strip()) <= limit:
        return "too long" if answer.strip() else "empty"
    if not all(holds(answer, fact.split("|")) for fact in keep):
        return "a fact is lost"
    return "" if _numbers(answer) <= _numbers(" ".join([text, *keep])) else "a number is made up"


def mail_fails(answer: str, mail: str, kind: str, order: int | None, product: str) -> str:
    """How data out of a mail fail: no JSON of this shape, a number that the mail does not have, or a wrong field."""
    try:
        got = Mail.model_validate_json(sql_of(answer))
    except ValidationError:
        return "not the shape"
    if got.order is not None and not re.search(rf"(?<!\d){got.order}(?!\d)", mail):
        return "a number is made up"
    wrong = [name for name, is_right in (("kind", got.kind == kind), ("order", got.order == order)) if not is_right]
    return f"wrong {wrong[0]}" if wrong else "" if product in got.product.lower() else "wrong product"


def _numbers(text: str) -> set[float]:
    return {float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}


def holds(answer: str, accepted: Sequence[str]) -> bool:
    """Whether one of these stands in the answer as the beginning of a word; a number has to stand there whole."""
    return any(re.search(rf"(?<!\w){re.escape(a)}" + r"(?!\d)" * a[-1].isdigit(), answer, re.I) for a in accepted)


class Extract(SingleStep):
    """One call whose reply has to be JSON of a shape."""

    name = "extract"
    shape: type[BaseModel] = Mail

    async def work(self, run: Run) -> None:
        """Ask for it."""
        run.answer = (await self.model.chat(self.prompt("task", task=run.task), schema=self.shape)).text


def agent(model: Model, job: str) -> SingleStep:
    """The single-step agent for a job: its prompt, and for mails the shape of the reply, is all that it is."""
    kind = Extract if job == "mail" else SingleStep
    return kind(model, prompts={"task": PROMPTS[job.removesuffix(", no schema")]})


async def measure(model: Model, tasks: Sequence[Job], told: Callable[[Row], None] | None = None) -> Measured:
    """One call for each task, several at a time."""
    free = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(task: Job) -> Row:
        async with free:
            run = await agent(model, task.job).run(task.text)
        how = task.fails(str(run)) if run.ok else run.stopped
        about = {"job": task.job, "task": task.id, "part": task.part, "right": not how, "how": how or "right"}
        row = {**about, **cost_of(run)}
        if told:
            told(row)
        return row

    return Measured(list(await asyncio.gather(*map(one, tasks))), made_with(model))


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """All tasks."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        return await measure(model, jobs(world.lay_out(Path(folder) / "shop").db), told)
