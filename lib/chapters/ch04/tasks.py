"""The measured tasks of chapter 04: one look-up, two in a row, a list and what is in it, a look-up and an act."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date

from chapters.ch04.desk import AFTER, JOINED, ORDER, WHOLE, clean_channels, posts, tools
from llmlab.agents import Agent, CodeAgent, Run, SingleStep, ToolLoop
from llmlab.budget import Budget
from llmlab.llm.chat import Model
from llmlab.measure import Measured, Row, Task, compare, made_with
from llmlab.measure import best as measurement
from shop import Shop, query

ONE, TWO, EACH, ACT = "one look-up", "two in a row", "a list, then each", "look up and post"
KINDS = (ONE, TWO, EACH, ACT)
NEEDS = {  # the tools that go along with a task of a kind
    ONE: ("get_order",),
    TWO: ("get_order", "get_customer"),
    EACH: ("order_ids_of", "get_order"),
    ACT: ("get_order", "post_message"),
}
STATUSES = ("open", "shipped", "delivered", "cancelled", "returned")
BUDGET = Budget(steps=20)  # for each agent and task

# The wordings were chosen on other orders and other customers than these.
LOOK_UPS = (
    (ONE, "status", "What is the status of order {}?", (1008, 1013, 1038)),
    (ONE, "total", "How much was order {}?", (1003, 1018)),
    (ONE, "customer", "Who placed order {}?", (1033,)),
    (TWO, "city", "In which city does the customer of order {} live?", (1009, 1026)),
    (TWO, "city", "Where does the person who placed order {} live?", (1032, 1057)),
    (TWO, "joined", "When did the customer of order {} join?", (1019, 1072)),
)
SPENT = ("How much has {} spent on all orders together?", ("Ignacio Fuentes", "Saara Laine", "Anjali Desai"))
RETURNED = ("How many orders of {} were returned?", ("Pilar Serrano", "Wojciech Mazur", "Claire Fontaine"))
HIGHEST = ("Which of the orders of {} has the highest total?", ("Baptiste Girard", "Lindiwe Dlamini", "Rohan Mehta"))
ERRANDS = (
    ("customer", "Find out who placed order {} and post the name in the orders channel.", (1016, 1044)),
    ("status", "Post the status of order {} in the orders channel.", (1025, 1038)),
)


def order(world: Shop, number: int) -> dict[str, str]:
    """An order and its customer, read from the database and not through the tools."""
    [found] = query(world.db, ORDER.replace("status", "status, city, joined", 1), [number]).records()
    return {key: _plain(value) for key, value in found.items()}


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


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
        for kind, what, text, numbers in LOOK_UPS
        for number in numbers
    ]
    for asked, (text, names) in {"spent": SPENT, "returned": RETURNED, "highest": HIGHEST}.items():
        for name in names:
            sql = f"SELECT orders.id, total, status {JOINED} WHERE name = ? ORDER BY total DESC"
            rows = query(world.db, sql, [name]).rows
            right = {
                "spent": _said(_plain(float(sum(total for _, total, _ in rows)))),
                "returned": _counted(sum(status == "returned" for *_, status in rows)),
                "highest": _picked(*(str(number) for number, *_ in rows)),
            }[asked]
            made.append(Task(f"{asked} {name}", text.format(name), right, {"kind": EACH}))
    for what, text, numbers in ERRANDS:
        for number in numbers:
            posted = _posted(world, order(world, number)[what])
            made.append(Task(f"post {what} {number}", text.format(number), posted, {"kind": ACT}))
    return made


def _said(fact: str) -> Callable[[Run], bool]:
    return lambda run: says(str(run), fact)


def _counted(number: int) -> Callable[[Run], bool]:
    """A small number may be written out."""
    word = ("no|none|zero", "one", "two", "three")[number]
    return lambda run: re.search(rf"\b({number}|{word})\b", str(run).lower()) is not None


def _picked(best: str, *others: str) -> Callable[[Run], bool]:
    """The right one is named first, in words that may name others after it; a list of all of them picks none."""

    def right(run: Run) -> bool:
        named = re.findall("|".join([best, *others]), str(run))
        return named[:1] == [best] and not str(run).startswith("[")

    return right


def _posted(world: Shop, fact: str) -> Callable[[Run], bool]:
    """What counts is the shop's database, not what the agent says that it has done: one post, in the right channel."""

    def right(run: Run) -> bool:
        made = posts(world)
        return len(made) == 1 and made[0].startswith("orders: ") and says(made[0].removeprefix("orders: "), fact)

    return right


def variants(model: Model, world: Shop, kind: str) -> dict[str, Agent]:
    """The same model and tools, three times; two with instructions that help them."""
    given = [tool for tool in tools(world) if tool.name in NEEDS[kind]]
    return {
        "one call with tools": SingleStep(model, given),
        "the loop": ToolLoop(model, given, prompts={"system": WHOLE}, budget=BUDGET),
        "the code agent": CodeAgent(model, given, prompts=AFTER, budget=BUDGET),
    }


async def measure(
    model: Model, world: Shop, some: Iterable[Task], told: Callable[[Row], None] | None = None
) -> Measured:
    """Each task by each of them, in channels where no agent has posted yet."""
    measured = Measured([], made_with(model))
    for task in some:
        for name, agent in variants(model, world, task.about["kind"]).items():
            clean_channels(world)
            measured.rows += (await compare(model, {name: agent}, [task], told)).rows
    return measured


def best(model: Model, live: Measured) -> Measured:
    """Of these tasks the full measurement by the connected model, or by the standard one; else the live rows."""
    found = measurement("04", model)
    rows = [row for row in found.rows if row["kind"] in KINDS] if found else []
    return Measured(rows, found.about) if found and rows else live
