"""Chapter 09: tasks whose size is a number, done at once and by halves: pieces of orders to add, sorting, a report."""

import json
import random
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

from llmlab.agents import Agent, Recursive, Run, SingleStep
from llmlab.agents.chain_of_thought import answer_of
from llmlab.llm.chat import Model
from llmlab.measure import Measured, Row, Task, compare
from shop import world

COLUMNS = ("kind", "size", "variant")  # by which `llmlab measure` tells the rows apart
SIZES = {"totals": (2, 4, 8, 16, 32), "sorting": (4, 8, 16), "report": (2, 4, 8, 16)}
EACH = 10
WORDS = re.findall(
    r"\w+",
    """apron basket bean bowl candle cocoa cork crate cup filter ginger grinder honey jar jug kettle label ladder lamp
    lemon lid mint mug napkin pot ribbon saucer scale shelf sieve spoon stool sugar tea timer tin towel tray whisk""",
)
SORT = {
    "solve": "Sort {items}.\n\nJSON list only.",
    "split": 'Sort these words: {items}\nSplit the list into two halves: {"left": [...], "right": [...]}.',
    "combine": "Merge the two sorted lists {left} and {right} into one sorted list.\n\nJSON list only.",
}
WEATHER = ["It rained all day.", "The sun shone.", "A storm kept people at home.", "It was a grey day."]


class Sliced(Recursive):
    """Solves by halves as Recursive does, but the program cuts the list."""

    name = "recursive, halved by program"

    async def split(self, run: Run, items: Sequence[str]) -> tuple[list[str], list[str]]:
        """Two halves, at no cost."""
        middle = (len(items) + 1) // 2
        return list(items[:middle]), list(items[middle:])


class Report(Sliced):
    """A report over documents: each is read by itself, and the program puts the lines together."""

    name = "report by halves"

    async def work(self, run: Run) -> None:
        """The documents stand apart by an empty line."""
        run.answer = await self.solve(run, run.task.split("\n\n"))

    async def small_one(self, items: Sequence[str]) -> str:
        """A line for a document: what is found cannot be given to the wrong one."""
        return f"{items[0].split(':')[0]}: {await super().small_one(items)}"

    async def combine(self, left: str, right: str) -> str:
        """The lines of both halves."""
        return f"{left}\n{right}"


@cache
def order_pieces() -> list[int]:
    """How many pieces each order of the shop has, from the first order on."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        ours = world.lay_out(Path(folder) / "shop")
        found = world.query(ours.db, "SELECT SUM(quantity) FROM items GROUP BY order_id ORDER BY order_id", limit=1000)
    return [row[0] for row in found.rows]


def totals(each: int = EACH, sizes: Iterable[int] = SIZES["totals"], seed: int = 9) -> list[Task]:
    """The pieces of n orders, to be added."""
    tasks = []
    for size, i, rng in _draws(each, sizes, seed):
        numbers = rng.sample(order_pieces(), size)
        tasks.append(_task("totals", size, i, ", ".join(map(str, numbers)), _total(sum(numbers))))
    return tasks


def sorting(each: int = EACH, sizes: Iterable[int] = SIZES["sorting"], seed: int = 9) -> list[Task]:
    """Lists of n words to be sorted."""
    tasks = []
    for size, i, rng in _draws(each, sizes, seed):
        words = rng.sample(WORDS, size)
        tasks.append(_task("sorting", size, i, ", ".join(words), _sorted(words)))
    return tasks


def report(each: int = EACH, sizes: Iterable[int] = SIZES["report"], seed: int = 9) -> list[Task]:
    """Piles of n documents, each with one number that has to come into the report beside its name."""
    tasks = []
    for size, i, rng in _draws(each, sizes, seed):
        parcels = {f"june-{day:02}.md": rng.randint(3, 40) for day in sorted(rng.sample(range(1, 31), size))}
        text = "\n\n".join(f"{name}: {_day(rng, number)}" for name, number in parcels.items())
        tasks.append(_task("report", size, i, text, _reported(parcels)))
    return tasks


def _draws(each: int, sizes: Iterable[int], seed: int) -> list[tuple[int, int, random.Random]]:
    return [(size, i, random.Random(f"{seed} {size} {i}")) for size in sizes for i in range(each)]


def _task(kind: str, size: int, i: int, text: str, right: Callable[[Run], bool]) -> Task:
    return Task(f"{kind}-{size}-{i}", text, right, {"kind": kind, "size": size})


def _day(rng: random.Random, parcels: int) -> str:
    said = [
        f"{parcels} parcels went out.",
        f"{rng.randint(20, 90)} customers came.",
        f"The stall sold {rng.randint(2, 30)} cups.",
        rng.choice(WEATHER),
    ]
    rng.shuffle(said)
    return " ".join(said)


def _total(wanted: int) -> Callable[[Run], bool]:
    return lambda run: answer_of(str(run)) == str(wanted)


def _sorted(words: list[str]) -> Callable[[Run], bool]:
    def right(run: Run) -> bool:
        try:
            return bool(json.loads(str(run)) == sorted(words))
        except ValueError:
            return False

    return right


def _reported(wanted: dict[str, int]) -> Callable[[Run], bool]:
    def right(run: Run) -> bool:
        found = {name: re.search(rf"{re.escape(name)}\W+(\d+)\b", str(run)) for name in wanted}
        return all(hit and int(hit[1]) == wanted[name] for name, hit in found.items())

    return right


def agents(model: Model) -> dict[str, dict[str, Agent]]:
    """For each kind of task, the ways to do it."""
    part = "{items}\n\nHow many parcels went out? Just the number."
    whole = "{task}\n\nHow many parcels went out? Write one line for each document: its name, a colon and the number."
    return {
        "totals": {
            "at once": SingleStep(model, prompts={"task": "Add these numbers: {task}\n\nJust the number."}),
            "by halves": Recursive(model),
            "halved by program": Sliced(model),
        },
        "sorting": {
            "at once": SingleStep(model, prompts={"task": "Sort {task}.\n\nJSON list only."}),
            "by halves": Recursive(model, small=4, prompts=SORT),
            "halved by program": Sliced(model, small=4, prompts=SORT),
        },
        "report": {
            "at once": SingleStep(model, prompts={"task": whole}),
            "halved by program": Report(model, small=1, prompts={"solve": part}),
        },
    }


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """Ten tasks of each kind and size, in each way."""
    ways, rows = agents(model), []
    for tasks in (totals(), sorting(), report()):
        measured = await compare(model, ways[str(tasks[0].about["kind"])], tasks, told)
        rows += measured.rows
    return Measured(rows, measured.about)
