"""Chapter 06: stories in which an amount changes one to six times, answered at once, in steps, and in ways between.

Every way to ask is an agent; the same experiment runs on each size of the model in the box (`llmlab measure 06`).
"""

import asyncio
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chapters.ch06.mixed import problems as problems  # for chapter 11
from llmlab.agents import Agent, ChainOfThought, Run, SelfConsistency, SingleStep
from llmlab.agents.chain_of_thought import answer_of
from llmlab.llm.chat import Model
from llmlab.measure import Measured, Row, Task, cost_of, made_with, share
from llmlab.show.view import View, table_of

COLUMNS = ("steps", "variant")  # by which `llmlab measure` tells the rows apart
DIRECT = "Give only the answer, as 'Answer:' and the number."
STEPS = "Think step by step, then end with 'Answer:' and the number."
WAYS = ("at once", "in steps")
LENGTHS = (1, 2, 4, 6)
CONTROLLED: dict[str, Any] = {"each": 6, "lengths": (2, 4)}  # the stories that the controls and the vote get, too
HIGHEST = 60  # no amount is larger: what goes wrong should be the steps, and not large numbers
DOTS = 130  # as many as a chain of thought has tokens
SIDE_BY_SIDE = 4  # requests at a time: the model in the box has so many slots

ORDER = ("First", "Then", "Next", "After that", "Later", "Last")
# How a story begins and ends, what makes the amount larger, and what makes it smaller.
STORIES = [
    (
        "A shelf holds {n} cups.",
        "How many cups are on the shelf now?",
        ("{k} more are delivered", "the potter makes {k} more"),
        ("{k} are sold", "{k} break"),
    ),
    (
        "The workshop has {n} candles.",
        "How many candles does the workshop have now?",
        ("{k} more are made", "{k} more are delivered"),
        ("{k} burn down", "{k} are sold"),
    ),
    (
        "A jar contains {n} beans.",
        "How many beans does the jar contain now?",
        ("Ines puts {k} more into it", "{k} more are added"),
        ("Ines takes {k} out of it", "a mouse eats {k}"),
    ),
    (
        "A bus carries {n} passengers.",
        "How many passengers are on the bus now?",
        ("{k} more get on",),
        ("{k} get off",),
    ),
]
_calculation = re.compile(r"(?<![\d.])(?<![-+x*/×÷] )(\d+) ([-+x*/×÷]|\\times|\\div) (\d+) = (\d+)(?!\.?\d)")


def story(rng: random.Random, steps: int) -> tuple[str, int]:
    """A story in which an amount changes so many times, and the amount at its end."""
    begin, ask, more, less = rng.choice(STORIES)
    amount = rng.randint(10, 40)
    parts = [begin.format(n=amount)]
    for word in ORDER[:steps]:
        k, grows = rng.randint(2, 12), rng.random() < 0.5
        grows = amount + k <= HIGHEST and (grows or k >= amount)
        parts.append(f"{word}, {rng.choice(more if grows else less).format(k=k)}.")
        amount += k if grows else -k
    return " ".join([*parts, ask]), amount


def stories(each: int = 10, lengths: Iterable[int] = LENGTHS, seed: int = 2022) -> list[Task]:
    """So many stories of each length; the same ones for the same seed."""
    tasks = []
    for steps in lengths:
        for i in range(each):
            text, amount = story(random.Random(f"{seed} {steps} {i}"), steps)
            tasks.append(Task(f"{steps}-{i}", text, _says(amount), {"steps": steps}))
    return tasks


def _says(amount: int) -> Callable[[Run], bool]:
    return lambda run: answer_of(str(run)) == str(amount)


def shape(*fields: str) -> dict[str, Any]:
    """The schema of a JSON reply with the steps and the answer, in this order."""
    kinds = {"steps": {"type": "array", "items": {"type": "string"}}, "answer": {"type": "integer"}}
    properties = {name: kinds[name] for name in fields}
    return {"type": "object", "properties": properties, "required": list(fields), "additionalProperties": False}


class InFields(SingleStep):
    """One call whose reply is JSON: the steps and the answer, in the order in which the fields are named."""

    name = "in fields"

    def __init__(self, model: Model, *fields: str, **options: Any):
        asked = {"task": f"{{task}}\nReply as JSON with the fields {' and '.join(fields)}."}
        super().__init__(model, **{"prompts": asked, **options})
        self.fields = fields

    async def work(self, run: Run) -> None:
        """Ask, and read the answer out of its field."""
        reply = await self.model.chat(self.prompt("task", task=run.task), schema=shape(*self.fields))
        run.notes["reasoning"] = reply.text
        run.answer = reply.json()["answer"]


def ways(model: Model) -> dict[str, Agent]:
    """The two ways to ask that the chapter compares; each takes one call."""
    return {
        "at once": SingleStep(model, prompts={"task": "{task}\n" + DIRECT}),
        "in steps": ChainOfThought(model, prompts={"task": "{task}\n" + STEPS}),
    }


def controls(model: Model) -> dict[str, Agent]:
    """As many tokens, but dots; the steps before the answer and behind it, in JSON."""
    return {
        "dots": SingleStep(model, prompts={"task": "{task}\n" + " ." * DOTS + "\n" + DIRECT}),
        "steps, then answer": InFields(model, "steps", "answer"),
        "answer, then steps": InFields(model, "answer", "steps"),
    }


def calculations(text: str) -> list[bool]:
    """For each calculation that stands in a text, whether it is right."""
    found = []
    for a, sign, b, result in _calculation.findall(text):
        x, y, z = int(a), int(b), int(result)
        divided = y * z == x
        known = {"+": x + y == z, "-": x - y == z, "/": divided, "÷": divided, r"\div": divided}
        found.append(known.get(sign, x * y == z))
    return found


async def tried(
    model: Model, agents: Mapping[str, Agent], tasks: Sequence[Task], told: Callable[[Row], None] | None = None
) -> Measured:
    """Each task by each agent, several at a time. A row also says how many calculations were written, and how many false."""
    free = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(task: Task, name: str, agent: Agent) -> Row:
        async with free:
            run = await agent.run(task.text)
        made = calculations(run.notes.get("reasoning", ""))
        row = {"variant": name, "task": task.id, **task.about, "right": run.ok and task.right(run), **cost_of(run)}
        row |= {"calculations": len(made), "slips": made.count(False)}
        if votes := run.notes.get("votes"):
            row["chains right"] = sum(n for vote, n in votes.items() if task.right(replace(run, answer=vote)))
        if told:
            told(row)
        return row

    rows = await asyncio.gather(*(one(task, name, agent) for task in tasks for name, agent in agents.items()))
    return Measured(list(rows), made_with(model))


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """Forty stories in both ways; twelve of them with the controls, and by a vote of three."""
    some = stories(**CONTROLLED)
    measured = await tried(model, ways(model), stories(), told)
    more = await tried(model, controls(model), some, told)
    voted = await tried(model, {"vote of three": SelfConsistency(model, samples=3)}, some, told)
    return Measured(measured.rows + more.rows + voted.rows, measured.about)


def price(measured: Measured, **which: Any) -> int | str:
    """What a right answer costs: all tokens, also those of the wrong answers, divided by the right ones."""
    rows = [row for row in measured.rows if all(row.get(name) == value for name, value in which.items())]
    right = sum(row["right"] for row in rows)
    return round(sum(row["tokens"] for row in rows) / right) if right else "none right"


def votes(sizes: Measured) -> View:
    """For each model: one chain at temperature 0, one that was sampled, and the vote, on the stories that were voted on."""
    rows = []
    for (name,), all_rows in sizes.by("model").items():
        voted = {row["task"]: row["chains right"] for row in all_rows if "chains right" in row}
        if voted:
            same = Measured([row for row in all_rows if row["task"] in voted])
            sampled = share(sum(voted.values()), 3 * len(voted))
            one, vote = (share(*same.rate(variant=v)) for v in ("in steps", "vote of three"))
            rows.append([name, one, sampled, vote, *(price(same, variant=v) for v in ("in steps", "vote of three"))])
    head = ["model", "one chain, temperature 0", "one chain, 0.7", "vote of three", "tokens for a right one", "by vote"]
    return table_of(head, rows)


def window(model: Model) -> int:
    """The tokens that a model's context holds, where it is known; else as many as the box has."""
    return int(model.provenance.get("llmlab.context_tokens", 8192))
