"""Chapter 10: two jobs, each by a team of four and by one agent, with the same words, tools and budget.

A *note* about a product has to be looked up in two places, written and published: a program finds in what was published
each fact, and no number that is not among the facts (as in chapter 07). A *packing list* is made of a customer's letter:
a program counts the details of the letter that are still in it.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from chapters import ch07 as POSTS
from chapters.ch04 import WHOLE
from llmlab import LabError
from llmlab.agents import Agent, Member, Run, Team, ToolLoop
from llmlab.agents.team import PERSON
from llmlab.budget import Budget
from llmlab.llm.chat import Message, Model
from llmlab.measure import MEASURED, Measured, Row, Task, Told, cost_of, made_with
from llmlab.tools import Tool, call_all, tool
from shop import Shop, lay_out

PRODUCTS: list[str] = POSTS.PRODUCTS
MEASURED_PRODUCTS = ["rooibos", "mint tea", "house blend", "filter coffee"]  # the goals were worded with the others
COLUMNS = ("job", "variant")  # by which `llmlab measure` tells the rows apart
BUDGET = Budget(steps=24, tokens=8000)  # of a team as well as of one agent
After = Mapping[str, Sequence[str]]  # for whose letters each member waits
AFTER: After = {
    "collector": [],
    "analyst": [],
    "writer": ["you", "collector", "analyst"],
    "editor": ["writer"],
}
NOTE = {
    "collector": "Search the documents for the product. Say all the facts that they give about it, with all numbers.",
    "analyst": "Ask the database for the product. Say its price and its sales, with all numbers.",
    "writer": "Write a short text about the product, in one paragraph: one sentence for each fact that was found, with its number.",
    "editor": "Publish the whole text on the website.",
}
LETTER = {
    "collector": "Sum up in one short sentence what the customer wants.",
    "analyst": "Say step by step what we have to do for this customer.",
    "writer": "Make a packing list for the packer: every detail of the order, one a line.",
    "editor": "Check the packing list, and write it again with every detail of the order, one a line.",
}
PRODUCT_IS = "The product is {}."
TASK = "We need a note about {} for the website."  # as chapter 11 puts it


# The tools of the four


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


@tool
async def publish(text: str) -> str:
    """Publish a text on the website."""
    return "published"


def published(run: Run) -> str:
    """The text that was published last in a run, or nothing."""
    done = [step for step in run.calls().of("tool") if step.name == "publish" and step.result == "published"]
    said = done[-1].arguments if done else {"text": ""}
    return str((json.loads(said) if isinstance(said, str) else said)["text"])


# One agent: all at once, asked to go on, one goal at a time


def one_agent(model: Model, goals: Mapping[str, str], tools: Sequence[Tool]) -> ToolLoop:
    """The loop of chapter 04 with all the tools, told all the goals, and to do the whole task."""
    task = "\n".join(["{task}", *(f"{n}. {goal}" for n, goal in enumerate(goals.values(), 1))])
    return ToolLoop(model, tools, prompts={"system": WHOLE, "task": task}, budget=BUDGET)


class AskedToGoOn(Agent):
    """One agent that is told all the goals, and is asked three times whether all of it is done: more calls, no more."""

    name = "asked to go on"
    goals: Mapping[str, str] = NOTE

    async def work(self, run: Run) -> None:
        """The loop, and again."""
        first = one_agent(self.model, self.goals, self.tools).prompt("task", task=run.task)
        seen: list[Message] = [{"role": "system", "content": WHOLE}]
        for said in (first, *["Is all of it done? Go on with what is missing."] * 3):
            await turn(self, run, seen, said, self.tools)


class GoalByGoal(Agent):
    """One agent in place of a team's members: their goals, one after the other, each with its tools and with what its
    letters say, but in one conversation, in which everything stays in sight."""

    name = "goal by goal"

    def __init__(self, model: Model, goals: Mapping[str, str], after: After, own: Mapping[str, Sequence[Tool]]):
        super().__init__(model, [each for tools in own.values() for each in tools], budget=BUDGET)
        self.goals, self.after, self.own = goals, after, own

    async def work(self, run: Run) -> None:
        """A turn for each goal."""
        seen: list[Message] = []
        said = {PERSON: run.task}
        for name, goal in self.goals.items():
            read = [f"{who}: {said[who]}" if who != PERSON else said[who] for who in self.after[name] or [PERSON]]
            await turn(self, run, seen, "\n".join([goal, *read]), self.own.get(name, ()))
            said[name] = str(run)


async def turn(agent: Agent, run: Run, seen: list[Message], said: str, tools: Sequence[Tool]) -> None:
    """One turn of a conversation: the loop, until the model answers in words, four calls at most."""
    seen.append({"role": "user", "content": said})
    for _ in range(4):
        reply = await agent.model.chat(seen, tools=tools or None)
        seen.append(reply.message)
        if not reply.tool_calls:
            run.answer = reply.text
            return
        seen += await call_all(reply.tool_calls, tools)


# Teams for both jobs


def own_tools(shop: Shop) -> dict[str, list[Tool]]:
    """Who has which tools in the team."""
    return dict(zip(AFTER, [[each] for each in tools(shop)] + [[], [publish]], strict=True))


def note_team(model: Model, shop: Shop) -> Team:
    """Two look things up side by side, one writes, one publishes; each has its own tools, goal and memory."""
    own = own_tools(shop)
    return Team([Member(n, NOTE[n], ToolLoop(model, own[n], name=n), AFTER[n]) for n in AFTER], budget=BUDGET)


def pipeline(read: Sequence[str] = ()) -> After:
    """Each hears from the one before; with `read` ("you"), from the customer's letter as well."""
    return dict(zip(LETTER, [read, *((*read, name) for name in LETTER)], strict=False))


def letter_team(model: Model, read: Sequence[str] = ()) -> Team:
    """The same four roles one after the other."""
    return Team(
        [Member(n, LETTER[n], ToolLoop(model, name=n), who) for n, who in pipeline(read).items()], budget=BUDGET
    )


def note_variants(model: Model, shop: Shop) -> dict[str, Agent]:
    """The note by one agent, by one that is asked to go on, by one that is told goal by goal, and by the team."""
    all_tools = [*tools(shop), publish]
    return {
        "one agent": one_agent(model, NOTE, all_tools),
        "one agent, asked to go on": AskedToGoOn(model, all_tools, budget=BUDGET),
        "one agent, goal by goal": GoalByGoal(model, NOTE, AFTER, own_tools(shop)),
        "a team of four": note_team(model, shop),
    }


def letter_variants(model: Model) -> dict[str, Agent]:
    """The packing list by one agent, goal by goal, by the team, and by a team in which all read the letter."""
    return {
        "one agent": one_agent(model, LETTER, []),
        "one agent, goal by goal": GoalByGoal(model, LETTER, pipeline(), {}),
        "a team of four": letter_team(model),
        "a team, all read the letter": letter_team(model, read=["you"]),
    }


def notes(shop: Shop, products: Iterable[str]) -> list[Task]:
    """A note about each product, as the tasks of chapter 11: the answer has to hold the facts."""

    def task(product: str) -> Task:
        facts = POSTS.all_facts(shop, product)
        return Task(product, TASK.format(product), lambda run: not POSTS.faults(str(run), facts))

    return [task(product) for product in products]


def note_faults(shop: Shop, product: str, text: str) -> list[str]:
    """What is wrong with a note: the product, a fact that is missing, a number that is in no fact."""
    unnamed = [] if product in text.lower() else [f"Name the product: {product}."]
    return unnamed + POSTS.faults(text, POSTS.all_facts(shop, product), ["1"])  # as in "1 litre"


# Letters of customers, written for this chapter, each with the details that the packer needs ("|": either will do).
LETTERS: dict[str, list[str]] = json.loads(Path(__file__).with_name("letters.json").read_text(encoding="utf-8"))
TRIED = 2  # with so many of them the goals were worded; the others are measured


def missing(text: str, letter: str) -> list[str]:
    """The details of a letter that are not in a text."""
    if letter not in LETTERS:
        got = f"but got {letter[:40]!r}; put yours in: ch10.LETTERS[letter] = ['a detail', …]"
        raise LabError(f"Details are known for the letters in ch10.LETTERS, {got}")
    found = lambda words: any(re.search(rf"\b{re.escape(w)}", text, re.I) for w in words.split("|"))  # noqa: E731
    return [detail for detail in LETTERS[letter] if not found(detail)]


Wrong = Callable[[Run], list[str]]  # what is wrong with what a run has made


async def do_notes(model: Model, shop: Shop, products: Iterable[str], told: Told = None) -> list[Row]:
    """A note about each of these products in all four ways."""
    wrong: dict[str, Wrong] = {p: lambda run, p=p: note_faults(shop, p, published(run)) for p in products}  # type: ignore[misc]
    return await _try("note", note_variants(model, shop), {p: PRODUCT_IS.format(p) for p in wrong}, wrong, told)


async def do_letters(model: Model, letters: Iterable[str], told: Told = None) -> list[Row]:
    """A packing list for each of these letters in all four ways."""
    texts = {letter.partition(".")[0]: letter for letter in letters}
    wrong: dict[str, Wrong] = {n: lambda run, of=of: missing(str(run), of) for n, of in texts.items()}  # type: ignore[misc]
    return await _try("letter", letter_variants(model), texts, wrong, told)


async def _try(
    job: str, agents: Mapping[str, Agent], texts: Mapping[str, str], wrong: Mapping[str, Wrong], told: Told
) -> list[Row]:
    rows: list[Row] = []
    for task, text in texts.items():
        for name, agent in agents.items():
            run = await agent.run(text)
            found = wrong[task](run)
            row = {"job": job, "variant": name, "task": task, "right": run.ok and not found, "faults": len(found)}
            rows.append({**row, **cost_of(run), "published": published(run)[:400]})
            if told:
                told(rows[-1])
    return rows


async def full(model: Model, told: Told = None) -> Measured:
    """Notes about five products and packing lists for four letters, four ways each."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shop = lay_out(Path(folder) / "shop")
        rows = await do_notes(model, shop, MEASURED_PRODUCTS, told)
    return Measured(rows + await do_letters(model, list(LETTERS)[TRIED:], told), made_with(model))


# Members that are small programs: no model is called


class Says(Agent):
    """Answers with a text; keeps what it was asked."""

    name = "says"

    def __init__(self, text: str = "…"):
        super().__init__(None)  # it asks no model
        self.text, self.asked = text, list[str]()

    async def work(self, run: Run) -> None:
        """Say it."""
        self.asked.append(run.task)
        run.answer = self.text


class Crashes(Says):
    """An agent with a bug."""

    name = "crashes"

    async def work(self, run: Run) -> None:
        """Divide by the number of orders of an empty shop."""
        self.asked.append(run.task)
        run.answer = 100 / len([])


def growing(size: int, everybody: bool, text: str) -> Team:
    """So many writers send their parts to one who joins them, or (`everybody`) first to each other, and write again."""
    team = [Member(f"writer {n}", "Write.", Says(text)) for n in range(1, size + 1)]
    if everybody:
        first = [member.name for member in team]
        team += [Member(f"{name} again", "Write again.", Says(text), first) for name in first]
    last = [member.name for member in team[-size:]]
    return Team([*team, Member("joiner", "Join the parts.", Says(text), last)])


def serving() -> Measured:
    """How fast the box writes for one, two and four requests at once, from data/measured/serving.json."""
    data = json.loads((MEASURED / "serving.json").read_text(encoding="utf-8"))
    return Measured(data["rows"], data["about"])
