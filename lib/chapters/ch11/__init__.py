"""Chapter 11: thirty tasks of six kinds, through all six agents. The tasks come from the chapters before, with other seeds."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from chapters import ch05 as SINGLE
from chapters import ch06 as THOUGHT
from chapters import ch09 as HALVES
from chapters import ch10 as TEAM
from llmlab.agents import (
    Agent,
    ChainOfThought,
    Criterion,
    Member,
    PlanAndAct,
    Recursive,
    Reflective,
    Run,
    SingleStep,
    Team,
)
from llmlab.agents.chain_of_thought import answer_of
from llmlab.agents.recursive import items_of
from llmlab.budget import Budget
from llmlab.errors import LabError, ToolError
from llmlab.llm.chat import Model
from llmlab.measure import Measured, Row, Task, compare
from llmlab.tools import Tool, tool
from shop import Shop
from shop import world as shops

COLUMNS = ("variant",)  # by which `llmlab measure` tells the rows apart
EACH = 5
BUDGET = Budget(steps=14, tokens=4000)  # for each agent and task: a plan of six steps with tools, and the answer
KINDS = ("fact", "look up", "problem", "sum", "short text", "note")
FACTS = [
    ("What is the capital of France?", "Paris"),
    ("Which day comes after Monday?", "Tuesday"),
    ("How many minutes does an hour have?", "60|sixty"),
    ("What is the opposite of cheap?", "expensive|dear|costly"),
    ("Which colour do blue and yellow make together?", "green"),
]
TWEETS = (1, 8, 15, 22, 29)  # of the tasks of chapter 05
LENGTH, ADDENDS = 3, 8


def tasks(shop: Shop, each: int = EACH) -> list[Task]:
    """So many tasks of each kind; one kind after the other."""
    made = [_task("fact", n, text, _holds(accepted)) for n, (text, accepted) in enumerate(FACTS[:each])]
    for n, order in enumerate((1046, 1065, 1090, 1127, 1148)[:each]):
        [[status]] = shops.query(shop.db, "SELECT status FROM orders WHERE id = ?", [order]).rows
        made.append(_task("look up", n, f"What is the status of order {order}?", _holds(status)))
    for n, problem in enumerate(THOUGHT.problems(each, [LENGTH], seed=11)):
        made.append(_task("problem", n, problem.text, problem.right))
    for n in range(each):
        numbers = Random(f"11 {n}").sample(HALVES.order_pieces(), ADDENDS)
        made.append(_task("sum", n, f"Add these numbers: {', '.join(map(str, numbers))}", _is(sum(numbers))))
    tweets = SINGLE.tasks_of("tweet")
    for n, number in enumerate(TWEETS[:each]):
        text, limit, what, keep = tweets[number]
        ask = f"Turn this into a tweet of at most {limit} characters. Keep {what}.\n\n{text}"
        made.append(_task("short text", n, ask, _fits(text, limit, keep)))
    for n, note in enumerate(TEAM.notes(shop, TEAM.PRODUCTS[:each])):
        made.append(_task("note", n, f"{note.text} {LOOK_UP}", note.right))
    return made


LOOK_UP = "Two to four sentences, with the facts from the documents and the database."


def _task(kind: str, number: int, text: str, right: Callable[[Run], bool]) -> Task:
    return Task(f"{kind} {number + 1}", text, right, {"kind": kind})


def _holds(accepted: str) -> Callable[[Run], bool]:
    return lambda run: any(fact.lower() in str(run).lower() for fact in accepted.split("|"))


def _is(number: int) -> Callable[[Run], bool]:
    return lambda run: answer_of(str(run)) == str(number)


def _fits(text: str, limit: int, keep: list[str]) -> Callable[[Run], bool]:
    return lambda run: not SINGLE.tweet_fails(str(run), text, limit, keep)


def tools(shop: Shop) -> list[Tool]:
    """Three that look things up, for each agent that uses tools: orders, documents, sales."""

    def get_order(order_id: int) -> dict[str, Any]:
        """Look up an order: its customer, day, total and status."""
        sql = "SELECT name, ordered_on, total, status FROM orders JOIN customers ON customers.id = customer_id"
        found = shops.query(shop.db, f"{sql} WHERE orders.id = ?", [order_id])
        if not found.rows:
            raise ToolError(f"there is no order {order_id}; they are numbered from 1001")
        return dict(zip(["customer", "day", "total", "status"], found.rows[0], strict=True))

    return [tool(get_order), *TEAM.tools(shop)]


class Thinks(ChainOfThought):
    """The answer may be a text, too: all that stands after the last "Answer:"."""

    async def work(self, run: Run) -> None:
        """Reason, then read off."""
        await super().work(run)
        run.answer = run.notes["reasoning"].rpartition("Answer:")[2].strip()


class Mends(Reflective):
    """Finds its criteria in the task: a limit, which a program checks, and the task itself, which the model judges."""

    async def work(self, run: Run) -> None:
        """Draft, judge, revise."""
        await Reflective(self.model, criteria_of(run.task), rounds=self.rounds).work(run)


def criteria_of(task: str) -> list[Criterion]:
    """What a good answer to a task meets, as far as the task says it."""
    criteria = [Criterion(f"It answers this: {task.splitlines()[0]}")]
    if limit := re.search(r"at most (\d+) characters", task):
        most = int(limit[1])
        advice = f"Shorten it to at most {most} characters."
        criteria.insert(0, Criterion(limit[0], lambda text: "" if len(text) <= most else advice))
    return criteria


class Splits(Recursive):
    """Halves lists of numbers; whatever is no list cannot be halved, and is asked at once."""

    async def work(self, run: Run) -> None:
        """Split, or ask."""
        numbers = items_of(run.task.partition(": ")[2])
        if len(numbers) > 1 and all(number.isdigit() for number in numbers):
            run.answer = await self.solve(run, numbers)
        else:
            run.answer = (await self.model.chat(run.task)).text


class Office(Agent):
    """A team for any task: one looks things up, one thinks, one puts both together; all are told the task."""

    name = "team"

    async def work(self, run: Run) -> None:
        """Give each member its goal for this task, and let them write to each other."""
        task = run.task
        members = [
            Member("collector", task, SingleStep(self.model, self.tools)),
            Member("thinker", "Think about this:", Thinks(self.model, prompts={"task": THINK})),
            Member("editor", f"{task}\nYour colleagues say:", SingleStep(self.model), ["collector", "thinker"]),
        ]
        done = await Team(members, budget=self.budget).run(task)
        run.answer = done.answer
        if not done.ok:
            raise LabError(done.why)


THINK = "{task}\nThink step by step, then end with 'Answer:' and the answer."


class Plans(PlanAndAct):
    """Plan and act with the words and the length of a plan with which this chapter was measured."""

    longest = 6
    form = 'JSON: {"steps": [{"tool": "...", "task": "...", "needs": [...]}]}, where needs holds the numbers of '
    prompts = PlanAndAct.prompts | {
        "plan": f"Goal: {{task}}\nTools:\n{{tools}}\nWrite a plan as {form}earlier steps.",
        "act again": "{ask}\n({error})",
    }


def agents(model: Model, shop: Shop) -> dict[str, Agent]:
    """The six, as their chapters built them; the same tools where they use tools, and the same budget."""
    three = tools(shop)
    return {
        "single step": SingleStep(model, three, budget=BUDGET),
        "chain of thought": Thinks(model, prompts={"task": THINK}, budget=BUDGET),
        "plan and act": Plans(model, three, budget=BUDGET),
        "reflective": Mends(model, [], rounds=2, budget=BUDGET),
        "recursive": Splits(model, budget=BUDGET),
        "team": Office(model, three, budget=BUDGET),
    }


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """All thirty tasks, six times."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shop = shops.lay_out(Path(folder) / "shop")
        return await compare(model, agents(model, shop), tasks(shop), told)
