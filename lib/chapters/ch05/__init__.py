"""Chapter 05: three jobs for one call, 40 tasks each: SQL over the shop, a text made a tweet, a direct answer.

The tasks stand in tasks.json. Each is judged by a program, which also says how a wrong answer failed.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmlab.agents import SingleStep
from llmlab.errors import ToolError
from llmlab.llm.chat import Model
from llmlab.measure import Measured, Row, cost_of, made_with
from shop import world

COLUMNS = ("job",)  # by which `llmlab measure` tells the rows apart

# The whole of each agent: what stands around the task. A task for SQL holds its tables, one for a tweet its text.
PROMPTS = {
    "sql": "{task} Write the SQLite query.",
    "tweet": "{task}\n\nWrite one short sentence, without hashtags.",
    "direct": "{task} Answer briefly.",
}


@dataclass(frozen=True)
class Job:
    """A task for one call. `fails` says how an answer fails, and nothing if it is right."""

    job: str
    id: str
    text: str
    fails: Callable[[str], str]
    part: str = ""  # for SQL: the kind of query


def tasks_of(job: str) -> list[Any]:
    """The tasks of a job (sql, tweet, direct) as they stand in the file."""
    return list(json.loads(Path(__file__).with_name("tasks.json").read_text(encoding="utf-8"))[job])


def jobs(db: Path) -> list[Job]:
    """All 120 tasks; the SQL ones are tried on this database."""
    made = []
    for n, (part, question, gold) in enumerate(tasks_of("sql"), 1):
        ask = f"{world.tables(*tables_of(gold))}\n\n{question}"
        made.append(Job("sql", f"sql {n}", ask, lambda answer, gold=gold: sql_fails(db, answer, gold), part))
    for n, (text, limit, what, keep) in enumerate(tasks_of("tweet"), 1):
        ask = f"Turn this into a tweet of at most {limit} characters. Keep {what}.\n\n{text}"
        made.append(Job("tweet", f"tweet {n}", ask, lambda a, t=text, m=limit, k=keep: tweet_fails(a, t, m, k)))
    for n, (question, accepted) in enumerate(tasks_of("direct"), 1):
        made.append(Job("direct", f"direct {n}", question, lambda a, k=accepted: "" if holds(a, k) else "wrong answer"))
    return made


def tables_of(sql: str) -> list[str]:
    """The names of the tables that a query reads, its sub-queries included, each once."""
    return list(dict.fromkeys(re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", sql, re.IGNORECASE)))


def sql_of(answer: str) -> str:
    """The query in an answer, without the Markdown fence that some models put around it."""
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


def _numbers(text: str) -> set[float]:
    return {float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}


def holds(answer: str, accepted: Sequence[str]) -> bool:
    """Whether one of these stands in the answer as the beginning of a word; a number has to stand there whole."""
    return any(re.search(rf"(?<!\w){re.escape(a)}" + r"(?!\d)" * a[-1].isdigit(), answer, re.I) for a in accepted)


def agent(model: Model, job: str) -> SingleStep:
    """The single-step agent for a job: its prompt is all that it is."""
    return SingleStep(model, prompts={"task": PROMPTS[job]})


async def measure(model: Model, tasks: Sequence[Job], told: Callable[[Row], None] | None = None) -> Measured:
    """One call for each task."""
    rows = []
    for task in tasks:
        run = await agent(model, task.job).run(task.text)
        how = task.fails(str(run)) if run.ok else run.stopped
        rows.append(
            {
                "job": task.job,
                "task": task.id,
                "part": task.part,
                "right": not how,
                "how": how or "right",
                **cost_of(run),
            }
        )
        if told:
            told(rows[-1])
    return Measured(rows, made_with(model))


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """All 120 tasks."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        return await measure(model, jobs(world.lay_out(Path(folder) / "shop").db), told)
