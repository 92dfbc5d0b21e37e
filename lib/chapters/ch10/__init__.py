"""Chapter 10: a note about a product, by a team of four and by one agent; members side by side; growing teams; faults.

A note is right when a program finds each fact in it, and no number that is not among the facts (as in chapter 07).
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from chapters import ch07 as POSTS
from llmlab.agents import Agent, Letter, Member, Run, SingleStep, Team, ToolLoop
from llmlab.budget import Budget
from llmlab.llm.chat import Message, Model
from llmlab.measure import Measured, Row, Task, compare, cost_of, made_with
from llmlab.tools import Tool, call_all, tool
from llmlab.wait import together
from shop import Shop
from shop import world as shops

PRODUCTS: list[str] = POSTS.PRODUCTS
COLUMNS = ("part", "variant", "work", "size")  # by which `llmlab measure` tells the rows apart
TASK = "We need a note about {} for the website."
GOALS = {
    "collector": "Find facts about the product in the documents.",
    "analyst": "Find the price and the sales of the product in the database.",
    "writer": "Write two to four sentences. Use all these facts and no others:",
    "editor": "Compare the text of the writer with the facts.",
}
BUDGET = Budget(steps=16, tokens=6000)  # the same for the team and for one agent
REVISE = "Revise the text by this advice: "
REVISIONS = 2
WORDS = 80  # more are too many for two to four sentences
SIZES = range(1, 9)
WAIT = 1.0  # seconds that a slow tool takes


def tools(shop: Shop) -> tuple[Tool, Tool]:
    """One tool for the documents, one for the database."""

    async def search_documents(product: str) -> str:
        """Find facts about a product in the documents of the shop."""
        return told(product, POSTS.facts_in_documents(shop, product))

    async def ask_database(product: str) -> str:
        """Find the price and the sales of a product in the database."""
        return told(product, POSTS.facts_in_database(shop, product))

    def told(product: str, facts: list[str]) -> str:
        return f"{product}: {'; '.join(facts)}" if facts else f"nothing is known about {product!r}"

    return tool(search_documents), tool(ask_database)


def desk_tools() -> tuple[Tool, Tool]:
    """One tool for the writer, one for the editor. Their programs call them; no request to the model names them."""

    async def count_words(text: str) -> int:
        """Count the words of a text."""
        return len(text.split())

    async def compare_with_facts(text: str, facts: list[str]) -> list[str]:
        """Say what is wrong with a text that should hold these facts and no other numbers, as advice."""
        return list(POSTS.faults(text, facts))

    return tool(count_words), tool(compare_with_facts)


class Writer(Agent):
    """Writes, counts the words with its tool, and has a text that is too long shortened once."""

    name = "writer"

    async def work(self, run: Run) -> None:
        """Ask, count, perhaps shorten."""
        run.answer = (await self.model.chat(run.task)).text
        words = int((await self.tools[0].call({"text": run.answer})).text)
        if words > WORDS:
            advice = f"{REVISE}Shorten it to at most {WORDS} words."
            run.answer = (await self.model.chat(f"{advice}\n\n{run.answer.strip()}")).text


class Editor(Agent):
    """Compares the writer's text with the facts that it was sent, and has it revised until they agree, twice at most."""

    name = "editor"

    async def work(self, run: Run) -> None:
        """Read the letters; compare with its tool, advise and revise; the best text is the answer."""
        facts, text = facts_and_text(run.task)
        wrong, run.answer = await self.compare(text, facts), text
        fewest = len(wrong)
        for _ in range(REVISIONS):
            if not wrong:
                return
            text = (await self.model.chat(f"{REVISE}{wrong[0]}\n\n{text}")).text.strip()
            wrong = await self.compare(text, facts)
            if len(wrong) < fewest:
                run.answer, fewest = text, len(wrong)

    async def compare(self, text: str, facts: list[str]) -> list[str]:
        """What the tool finds."""
        found: list[str] = json.loads((await self.tools[0].call({"text": text, "facts": facts})).text)
        return found


def facts_and_text(letters: str) -> tuple[list[str], str]:
    """What stands in letters of the form "collector: oolong: a fact; a fact", and the text behind "writer: "."""
    said, _, text = letters.partition("\nwriter: ")
    lines = [line for line in said.splitlines()[1:] if line.count(": ") > 1]
    return [fact for line in lines for fact in line.split(": ", 2)[2].split("; ")], text


def members(model: Model, shop: Shop) -> list[Member]:
    """Four agents, each with its own goal, tools and memory."""
    documents, database = tools(shop)
    counts, compares = desk_tools()
    return [
        Member("collector", GOALS["collector"], SingleStep(model, [documents])),
        Member("analyst", GOALS["analyst"], SingleStep(model, [database]), accept=priced),
        Member("writer", GOALS["writer"], Writer(model, [counts]), after=["collector", "analyst"]),
        Member("editor", GOALS["editor"], Editor(model, [compares]), after=["collector", "analyst", "writer"]),
    ]


def priced(text: str) -> str:
    """What is wrong with an analyst's result, if anything: there has to be a price in it."""
    return "" if re.search(r"price: \d", text) else "There has to be a price in the answer."


class Newsroom(Team):
    """A team in which a letter of failure is for the program to see, and not for the models to write about."""

    name = "newsroom"

    async def answer(self, member: Member, task: str, read: Sequence[Letter]) -> Any:
        """The same, without the failures of others."""
        return await super().answer(member, task, [letter for letter in read if letter.kind != "failure"])


class OneConversation(Agent):
    """One agent that does the four jobs itself, in the same order, in one conversation that grows."""

    name = "one conversation"

    async def work(self, run: Run) -> None:
        """Look up, look up, write, revise: everything stays in sight."""
        seen: list[Message] = []
        for goal, of in zip(("collector", "analyst"), self.tools, strict=True):
            seen.append({"role": "user", "content": f"{GOALS[goal]}\n{run.task}"})
            reply = await self.model.chat(seen, tools=[of])
            seen += [reply.message, *await call_all(reply.tool_calls, [of])]
        found = [str(message["content"]) for message in seen if message["role"] == "tool"]
        facts = [fact for line in found for fact in line.partition(": ")[2].split("; ")]
        ask = GOALS["writer"].replace(" these", " the")
        for _ in range(1 + REVISIONS):
            seen.append({"role": "user", "content": ask})
            text = (await self.model.chat(seen)).text.strip()
            seen.append({"role": "assistant", "content": text})
            run.answer = min(run.answer or text, text, key=lambda t: len(POSTS.faults(t, facts)))
            wrong = POSTS.faults(text, facts)
            if not wrong:
                return
            ask = f"{REVISE}{wrong[0]}"


def loop(model: Model, shop: Shop) -> ToolLoop:
    """One agent with all the tools: the loop of chapter 04, told where to begin and what the note has to tell."""
    task = "{task} Begin with search_documents. The note has to tell the price and the sales, too."
    return ToolLoop(model, tools(shop), prompts={"task": task}, budget=BUDGET)


def variants(model: Model, shop: Shop) -> dict[str, Agent]:
    """The same tools and the same budget, three times."""
    return {
        "one agent, the loop": loop(model, shop),
        "one agent, the same steps": OneConversation(model, tools(shop), budget=BUDGET),
        "a team of four": Newsroom(members(model, shop), budget=BUDGET),
    }


def notes(shop: Shop, products: Iterable[str], fault: str = "none") -> list[Task]:
    """A note about each product; where the analyst fails, the facts of the documents are all that there can be."""

    def task(product: str) -> Task:
        facts = POSTS.facts_in_documents(shop, product)
        if fault in ("none", "floods"):
            facts = facts + POSTS.facts_in_database(shop, product)
        return Task(product, TASK.format(product), lambda run: not POSTS.faults(str(run), facts), {"fault": fault})

    return [task(product) for product in products]


# Faults


class Crashes(Agent):
    """An agent with a bug."""

    name = "crashes"

    async def work(self, run: Run) -> None:
        """Divide by the number of orders of an empty shop."""
        run.answer = 100 / len([])


class Nonsense(Agent):
    """An agent that answers, and the answer is worth nothing."""

    name = "nonsense"

    async def work(self, run: Run) -> None:
        """Say something."""
        run.answer = "fruit: 7 blue bananas"


class Floods(SingleStep):
    """An agent that does its work, and writes a thousand letters more to a colleague."""

    name = "floods"
    to: Member
    most = 0  # letters that waited in the inbox at once

    async def work(self, run: Run) -> None:
        """Work, then write; when the inbox is full, wait for room."""
        await super().work(run)
        for number in range(1000):
            await self.to.inbox.put(Letter("a stranger", self.to.name, "result", f"Buy now! ({number})"))
            self.most = max(self.most, self.to.inbox.qsize())


def with_fault(model: Model, shop: Shop, fault: str) -> list[Member]:
    """The four, with an analyst that crashes, answers nonsense (with or without a check), or floods the editor's inbox."""
    team = members(model, shop)
    analyst, editor = team[1], team[3]
    if fault == "crashes":
        analyst.agent = Crashes(model)
    if fault.startswith("nonsense"):
        analyst.agent = Nonsense(model)
        analyst.accept = None if fault == "nonsense, unchecked" else priced
    if fault == "floods":
        analyst.agent = flooding = Floods(model, analyst.agent.tools)
        flooding.to = editor
    return team


FAULTS = ("none", "crashes", "nonsense, unchecked", "nonsense, checked", "floods")


# Side by side


SUPPLIERS = ("Finca Almeda", "Moray Decaf", "Kawane Gardens", "Copperleaf Teas")
TEXTS = ("our oolong", "our house blend", "our blue cup", "our hand grinder")


class Brief(SingleStep):
    """One call with a short answer."""

    name = "brief"

    async def work(self, run: Run) -> None:
        """Ask."""
        run.answer = (await self.model.chat(run.task, max_tokens=160)).text.strip()


class Asks(Agent):
    """Calls its tool with its task, without a model."""

    name = "asks"

    async def work(self, run: Run) -> None:
        """Call."""
        run.answer = (await self.tools[0].call({"supplier": run.task})).text


def four_jobs(model: Model, waiting: bool, seconds: float = WAIT) -> list[tuple[Agent, str]]:
    """Four independent tasks: for the model alone, or for a tool that waits so long, as for a server far away."""

    async def ask_supplier(supplier: str) -> str:
        """Ask a supplier for the price of a sack."""
        await asyncio.sleep(seconds)
        return f"{supplier}: 400 euros"

    if waiting:
        return [(Asks(model, [tool(ask_supplier)]), name) for name in SUPPLIERS]
    return [(Brief(model), f"Write one sentence about {text}.") for text in TEXTS]


async def one_after_another(jobs: Sequence[tuple[Agent, str]]) -> list[Run]:
    """Each begins when the one before it is done."""
    return [await agent.run(task) for agent, task in jobs]


async def side_by_side(jobs: Sequence[tuple[Agent, str]]) -> list[Run]:
    """All begin at once."""
    return await together(*(agent.run(task) for agent, task in jobs))


# Growth

FACTS = """the shop is in Quay Lane 7; it opens at 9:00; it closes at 18:00; a parcel costs 4.50 euros;
it takes 2 to 3 working days; orders can come back within 30 days; beans keep their taste for 8 weeks;
a tasting has 12 places""".replace("\n", " ").split("; ")
PART = "Write a short text. Use all these facts and no others:\n{facts}"
FIT = "Your part:\n{facts}\nRead the parts of the others, then write your part again so that it fits them."


class Joins(Agent):
    """Puts the parts together, without a model."""

    name = "joins"

    async def work(self, run: Run) -> None:
        """Leave out the goal and the names."""
        run.answer = "\n".join(line.partition(": ")[2] for line in run.task.splitlines()[1:])


def growing(size: int, everybody: bool, of: Callable[[], Agent], joins: Agent) -> Team:
    """A team that shares the eight facts among so many writers.

    They send their parts to one who joins them, or (`everybody`) first to each other: then each writes its part again.
    """
    shares = ["\n".join(f"- {fact}" for fact in FACTS[n::size]) for n in range(size)]
    goals = [PART.format(facts=share) for share in shares]
    team = [Member(f"writer {n}", goal, of()) for n, goal in enumerate(goals, 1)]
    if everybody:
        names = [member.name for member in team]
        again = [FIT.format(facts=share) for share in shares]
        team += [Member(f"writer {n} again", goal, of(), after=names) for n, goal in enumerate(again, 1)]
    last = [member.name for member in team[-size:]]
    return Team([*team, Member("joiner", "Join the parts.", joins, after=last)], budget=Budget(steps=100))


def letters_of(run: Run) -> int:
    """How many letters were sent in a run."""
    return sum(step.name == "letter" for step in run.calls().of("event"))


async def grow(
    model: Model, sizes: Iterable[int], ways: Iterable[str], told: Callable[[Row], None] | None = None
) -> list[Row]:
    """Teams of these sizes; a row each, with the letters, and whether all facts are in the text."""
    rows = []
    for size in sizes:
        for way in ways:
            team = growing(size, way == "everybody to everybody", lambda: Brief(model), Joins(model))
            run = await team.run("A note about the shop.")
            kept = sum(POSTS.numbers(fact) <= POSTS.numbers(str(run)) for fact in FACTS)
            about = {"variant": way, "task": f"{size} writers", "size": size, "letters": letters_of(run), "facts": kept}
            rows.append({"part": "growth", **about, "right": run.ok and kept == len(FACTS), **cost_of(run)})
            if told:
                told(rows[-1])
    return rows


WAYS = ("all to one", "everybody to everybody")


async def overlap(model: Model, told: Callable[[Row], None] | None = None, times: int = 5) -> list[Row]:
    """Four jobs side by side and one after another, by the clock on the wall."""
    rows = []
    for round in range(times):
        for work, waiting in {"the model alone": False, "a tool that waits": True}.items():
            for name, way in {"one after another": one_after_another, "side by side": side_by_side}.items():
                started = time.perf_counter()
                runs = await way(four_jobs(model, waiting))
                took = round_to(time.perf_counter() - started)
                about = {"part": "side by side", "variant": name, "task": f"round {round}", "work": work}
                called = all(run.calls().of("tool") for run in runs) if waiting else True
                calls = sum(run.spent.model_calls for run in runs)
                rows.append({**about, "right": called and all(r.ok for r in runs), "calls": calls, "seconds": took})
                if told:
                    told(rows[-1])
    return rows


def round_to(seconds: float) -> float:
    """Seconds for a table."""
    return float(f"{seconds:.2f}")


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """Ten notes by each variant; five with each fault; four jobs both ways, five times; teams of one to eight."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shop = shops.lay_out(Path(folder) / "shop")
        notes_of = await compare(model, variants(model, shop), notes(shop, PRODUCTS), told)
        rows += [{"part": "team or one", **row} for row in notes_of.rows]
        for fault in FAULTS[1:]:
            team: dict[str, Agent] = {fault: Newsroom(with_fault(model, shop, fault), budget=BUDGET)}
            faulty = await compare(model, team, notes(shop, PRODUCTS[::2], fault), told)
            rows += [{"part": "faults", **row} for row in faulty.rows]
    rows += await overlap(model, told)
    rows += await grow(model, SIZES, WAYS, told)
    return Measured(rows, made_with(model))
