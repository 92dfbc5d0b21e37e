"""The measured tasks of chapter 04: one look-up, two in a row, several and a sum, a look-up and an act."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date

from chapters.ch04.desk import ORDER, WHOLE, clean_channels, posts, tools
from llmlab.agents import Agent, CodeAgent, Run, SingleStep, ToolLoop
from llmlab.budget import Budget
from llmlab.llm.chat import Model
from llmlab.measure import Measured, Row, Task, compare, made_with
from shop import Shop, query

ONE, TWO, SEVERAL, ACT = "one look-up", "two in a row", "several orders", "look up and post"
KINDS = (ONE, TWO, SEVERAL, ACT)
STATUSES = ("open", "shipped", "delivered", "cancelled", "returned")
BUDGET = Budget(steps=8)  # for each agent and task

# The wordings were chosen on other orders than these.
SINGLE_ORDERS = (
    ("status", "What is the status of order {}?", (1008, 1013, 1038)),
    ("total", "How much was order {}?", (1003, 1018)),
    ("customer", "Who placed order {}?", (1033, 1043, 1053)),
)
CHAINS = (
    ("city", "In which city does the customer of order {} live?", (1009, 1026, 1041)),
    ("city", "To which city does order {} go?", (1014, 1047)),
    ("city", "Where does the person who placed order {} live?", (1032, 1057)),
    ("joined", "Since when has the buyer of order {} been our customer?", (1019, 1064)),
    ("joined", "When did the customer of order {} join?", (1028, 1072)),
)
SUMS = (
    ("What do the orders {} and {} cost together?", (1010, 1035)),
    ("What is the total of the orders {}, {} and {} together?", (1021, 1045, 1066)),
)
HIGHEST = (
    ("Which order has the higher total, {} or {}?", (1060, 1015)),
    ("Which of the orders {}, {} and {} has the highest total?", (1052, 1061, 1077)),
)
ERRANDS = (
    ("customer", "Find out who placed order {} and post the name in the orders channel.", (1016, 1044, 1068)),
    ("status", "Post the status of order {} in the orders channel.", (1025, 1038, 1081)),
)


def order(world: Shop, number: int) -> dict[str, str]:
    """An order and its customer, read from the database and not through the tools."""
    sql = ORDER.replace("status", "status, city, joined", 1)
    [found] = query(world.db, sql, [number]).records()
    return {key: f"{value:g}" if isinstance(value, float) else str(value) for key, value in found.items()}


def says(answer: str, fact: str) -> bool:
    """Whether a text holds a fact: a name, a number written as such, a date in any common form, one status and no other."""
    low = answer.lower()
    if fact in STATUSES:
        return [status for status in STATUSES if status in low] == [fact]
    if re.fullmatch(r"\d{4}-\d\d-\d\d", fact):
        day = date.fromisoformat(fact)
        forms = (fact, f"{day.day} {day:%B} {day.year}", f"{day:%B} {day.day}, {day.year}")
        return any(re.search(rf"(?<!\d){form}(?!\d)".lower(), low) for form in forms)
    if re.fullmatch(r"[\d.]+", fact):
        whole, _, cents = fact.partition(".")
        written = rf"{whole}\.{cents}0?" if cents else rf"{whole}(?:\.00?)?"
        return re.search(rf"(?<![\d.]){written}(?!\.?\d)", answer.replace(",", "")) is not None
    return fact.lower() in low


def tasks(world: Shop) -> list[Task]:
    """All of them, each with a check of what it asks for."""
    made = [
        Task(f"{what} {number}", text.format(number), _said(order(world, number)[what]), {"kind": kind})
        for kind, group in ((ONE, SINGLE_ORDERS), (TWO, CHAINS))
        for what, text, numbers in group
        for number in numbers
    ]
    for text, numbers in SUMS:
        total = sum(float(order(world, number)["total"]) for number in numbers)
        made.append(Task(f"sum {numbers}", text.format(*numbers), _said(f"{total:g}"), {"kind": SEVERAL}))
    for text, numbers in HIGHEST:
        best = max(numbers, key=lambda number: float(order(world, number)["total"]))
        others = [str(number) for number in numbers if number != best]
        made.append(Task(f"highest {numbers}", text.format(*numbers), _picked(str(best), others), {"kind": SEVERAL}))
    for what, text, numbers in ERRANDS:
        for number in numbers:
            right = _posted(world, order(world, number)[what])
            made.append(Task(f"post {what} {number}", text.format(number), right, {"kind": ACT}))
    return made


def _said(fact: str) -> Callable[[Run], bool]:
    return lambda run: says(str(run), fact)


def _picked(best: str, others: Iterable[str]) -> Callable[[Run], bool]:
    """The right one is named first: an explanation may name the others after it."""
    return lambda run: (re.findall("|".join([best, *others]), str(run)) or [""])[0] == best


def _posted(world: Shop, fact: str) -> Callable[[Run], bool]:
    """What counts is the shop's database, not what the agent says that it has done: one post, in the right channel."""

    def right(run: Run) -> bool:
        made = posts(world)
        return len(made) == 1 and made[0].startswith("orders: ") and says(made[0].removeprefix("orders: "), fact)

    return right


def variants(model: Model, world: Shop) -> dict[str, Agent]:
    """The same model and the same tools, three times; the loop is told to do the whole task, as the code agent is."""
    return {
        "one call with tools": SingleStep(model, tools(world)),
        "the loop": ToolLoop(model, tools(world), prompts={"system": WHOLE}, budget=BUDGET),
        "the code agent": CodeAgent(model, tools(world), budget=BUDGET),
    }


async def measure(
    model: Model, world: Shop, some: Iterable[Task], told: Callable[[Row], None] | None = None
) -> Measured:
    """Each task by each of them, in channels where no agent has posted yet."""
    measured = Measured([], made_with(model))
    for task in some:
        for name, agent in variants(model, world).items():
            clean_channels(world)
            measured.rows += (await compare(model, {name: agent}, [task], told)).rows
    return measured
