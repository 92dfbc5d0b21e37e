"""Experiments: tasks with known answers, agents that try them, and what it took, as rows that a table can be made of.

A chapter runs a few tasks live; `llmlab measure 06` runs all of them and keeps the rows in data/measured/, with the
model, the date and the class of machine.
"""

import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import sqrt
from statistics import fmean
from typing import Any

from llmlab import settings
from llmlab.agents import Agent, Run
from llmlab.llm import weights
from llmlab.llm.chat import Model
from llmlab.show.view import View, table_of

MEASURED = settings.DATA / "measured"
Z95 = 1.959964  # the 97.5 % point of the normal distribution
Row = dict[str, Any]
Told = Callable[[Row], None] | None


def interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a success rate (E. B. Wilson, 1927, JASA 22:209): sound for few trials, and for 0 or all."""
    p, z2 = successes / trials, Z95**2
    centre = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 * sqrt(p * (1 - p) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))  # p is inside, also after rounding


def share(successes: int, trials: int) -> str:
    """A count with its interval, for tables: "7/8 (53–98 %)"."""
    low, high = interval(successes, trials)
    return f"{successes}/{trials} ({100 * low:.0f}–{100 * high:.0f} %)"


@dataclass(frozen=True)
class Task:
    """One thing to do whose result a program can check; `about` sorts it (its kind, its size)."""

    id: str
    text: str
    right: Callable[[Run], bool]
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Measured:
    """The rows of an experiment, one a task and variant, and what they were made with."""

    rows: list[Row]
    about: dict[str, Any] = field(default_factory=dict)

    def by(self, *columns: str) -> dict[tuple[Any, ...], list[Row]]:
        """The rows in groups, in the order in which the groups first come."""
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in self.rows:
            groups.setdefault(tuple(row.get(c) for c in columns), []).append(row)
        return groups

    def table(self, *columns: str, means: Sequence[str] = ("calls", "tokens", "seconds")) -> View:
        """Counts with 95 % intervals for each group, and the means of some columns."""
        rows = []
        for group, same in self.by(*columns).items():
            names = ["" if value is None else value for value in group]  # rows of another part lack a column
            rows.append([*names, share(*_count(same)), *(_mean(same, column) for column in means)])
        return table_of([*columns, "right (95 %)", *(f"{column} each" for column in means)], rows, self.label)

    def rate(self, **wanted: Any) -> tuple[int, int]:
        """Right answers and tries among the rows with these values."""
        return _count([r for r in self.rows if all(r.get(k) == v for k, v in wanted.items())])

    def interval(self, **wanted: Any) -> tuple[float, float]:
        """The 95 % interval of the rate among the rows with these values."""
        return interval(*self.rate(**wanted))

    @property
    def label(self) -> str:
        """Model, date and machine in a line."""
        return ", ".join(str(self.about[name]) for name in ("model", "date", "machine") if self.about.get(name))


async def compare(model: Model, variants: Mapping[str, Agent], tasks: Iterable[Task], told: Told = None) -> Measured:
    """Let every variant try every task; a run that stops early is wrong, and its reason is kept."""
    rows = []
    for task in tasks:
        for name, agent in variants.items():
            run = await agent.run(task.text)
            row = {"variant": name, "task": task.id, **task.about, "right": run.ok and task.right(run), **cost_of(run)}
            rows.append(row)
            if told:
                told(row)
    return Measured(rows, made_with(model))


def cost_of(run: Run) -> Row:
    """What a run took, for a row: how it stopped, calls, tokens, seconds, money, and its answer cut short."""
    spent = run.spent
    calls = {"stopped": run.stopped, "calls": spent.model_calls, "tool calls": spent.tool_calls}
    tokens = {"input": spent.input_tokens, "output": spent.output_tokens, "tokens": spent.tokens}
    return calls | tokens | {"seconds": round(spent.seconds, 2), "cost": spent.cost, "answer": str(run)[:200]}


def made_with(model: Model) -> dict[str, Any]:
    """Model, source, date and class of machine: no names of people or machines."""
    recorded = model.provenance.get("llmlab.recorded")  # a replay has to say the same on every day and machine
    today = {"date": recorded or datetime.now(UTC).date().isoformat(), "machine": None if recorded else machine()}
    return {"model": model.name, "source": model.source} | today


def machine() -> str:
    """The class of this machine: cores, architecture, system."""
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"


def kept(chapter: str) -> list[Measured]:
    """The full measurements of a chapter in data/measured, one a model."""
    files = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(MEASURED.glob(f"{chapter}-*.json"))]
    return [Measured(data["rows"], data["about"]) for data in files]


def sizes(chapter: str) -> Measured:
    """The kept measurements of a chapter as one, the smallest model first; the column "model" says whose a row is."""
    order = {model.name: key for key, model in reversed(weights.CATALOGUE.items())}
    found = {str(m.about.get("model")): m for m in kept(chapter)}
    names = sorted(found, key=lambda name: [*order, name].index(name))  # other models behind those in the box
    rows = [{"model": order.get(name, name), **row} for name in names for row in found[name].rows]
    return Measured(rows, {"model": ", ".join(names)})


def best(chapter: str, model: Model) -> Measured | None:
    """The full measurement that a chapter goes on with: of the connected model, else of the standard model, else none."""
    found = {m.about.get("model"): m for m in kept(chapter)}
    return found.get(model.name) or found.get(weights.CATALOGUE["standard"].name)


def _count(rows: Sequence[Row]) -> tuple[int, int]:
    return sum(row["right"] for row in rows), len(rows)


def _mean(rows: Sequence[Row], column: str) -> float | str:
    values = [row[column] for row in rows if row.get(column) is not None]
    if not values:
        return ""
    return f"{fmean(values):.1f} s" if column == "seconds" else round(fmean(values), 1)
