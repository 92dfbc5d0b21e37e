"""Chapter 07, measured: where a plan wins, where it loses, and what else could explain it."""

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from chapters.ch07.guide import PRODUCTS, Guide, all_facts, facts_in_database, goal, known, numbers
from chapters.ch07.guide import facts_in_documents as facts_in_documents  # these for the notebook, and for chapter 10
from chapters.ch07.guide import failing as failing
from chapters.ch07.guide import faults as faults
from chapters.ch07.guide import names as names
from chapters.ch07.guide import states as states
from llmlab import LabError, Model
from llmlab.agents import Agent, PlanAndAct, Run, SingleStep, ToolLoop
from llmlab.budget import Budget
from llmlab.llm.chat import Message
from llmlab.measure import Measured, Row, Told, cost_of, made_with
from llmlab.tools import Tool, call_all, tool
from shop import Shop, lay_out

COLUMNS = ("task", "variant")  # by which `llmlab measure` tells the rows apart
BUDGET = Budget(steps=70)  # for each agent and task
WHOLE = (  # the words that did best of five, on the four teas of the notebook
    "{} For each part, begin with a line '## ' and its name, then write two or three full sentences, with all these facts and "
    "no others:\n{}"
)
TO_THE_END = "Do the whole task, one call after the other. Answer only when all of it is done."  # as in chapter 04
PRICE = "What does {} cost?"
GO_ON = "The task is not done yet. Go on."
MORE = 4  # times that a loop is told to go on: then it may make more calls than plan and act
CONTROLLED = 5  # guides that the controls get, too
SIDE_BY_SIDE = 4  # tasks at a time: the model in the box has so many slots
Way = Callable[[Model, Guide], Agent]


class Writer(PlanAndAct):
    """Plan and act on a guide; the answer is the guide as it stands: no model has to write it once more."""

    def __init__(self, model: Model, guide: Guide, **options: Any):
        super().__init__(model, guide.tools, budget=BUDGET, **options)
        self.guide = guide

    async def answer(self, run: Run, said: str) -> str:
        """The guide, as far as it is written."""
        return self.guide.text


class PlanInPrompt(Writer):
    """The same plan, but no program follows it: it stands in the prompt of a tool loop."""

    async def work(self, run: Run) -> None:
        """Plan, then let the loop have it."""
        tools = "\n".join(f"- {tool.name}: {tool.description}" for tool in self.tools)
        steps = await self.plan(run, self.prompt("plan", task=run.task, tools=tools))
        listed = "\n".join(f"{number}. {step.tool}: {step.task}" for number, step in enumerate(steps, 1))
        run.answer = str(await loop(self.model, self.guide, f"{TO_THE_END}\nThe plan:\n{listed}").run(run.task))


class ToldToGoOn(ToolLoop):
    """A tool loop that is told to go on when it ends, so many times: more calls, and no plan."""

    async def work(self, run: Run) -> None:
        """Observe, decide, act; when it answers, send it on."""
        system, asked = ({"role": r, "content": c} for r, c in (("system", TO_THE_END), ("user", run.task)))
        seen: list[Message] = [system, asked]
        for _ in range(1 + MORE):
            while (reply := await self.model.chat(seen, tools=self.tools)).tool_calls:
                seen += [reply.message, *await call_all(reply.tool_calls, self.tools)]
            run.answer = reply.text
            seen += [reply.message, {"role": "user", "content": GO_ON}]


class FixedSteps(Agent):
    """The same tools in an order that a programmer has written down, each tried twice."""

    def __init__(self, model: Model, guide: Guide):
        super().__init__(model, guide.tools)
        self.guide = guide

    async def work(self, run: Run) -> None:
        """Call one tool after the other."""
        section, overview, check = self.tools
        for of, arguments in [*((section, {"product": p}) for p in self.guide.products), (overview, {}), (check, {})]:
            if not (await of.call(arguments)).ok and not (last := await of.call(arguments)).ok:
                raise LabError(f"A step has two tries, but {of.name} failed in both: {last.text}")
        run.answer = self.guide.text


class OneCall(Agent):
    """All the facts in one prompt, looked up and counted by a program; the whole guide in one reply."""

    def __init__(self, model: Model, guide: Guide):
        super().__init__(model)
        self.guide = guide

    async def work(self, run: Run) -> None:
        """Ask for everything at once."""
        run.answer = (await self.model.chat(whole(self.guide), max_tokens=700)).text
        self.guide.read(run.answer)


def whole(guide: Guide) -> str:
    """The goal with all the facts, those of the overview too: what one call needs, for it gets no tools."""
    facts = "\n".join(f"{part}: {'; '.join(guide.facts(part))}" for part in [*guide.products, "overview"])
    return WHOLE.format(goal(guide.products), facts)


def loop(model: Model, guide: Guide, system: str = TO_THE_END) -> ToolLoop:
    """Chapter 04's agent, with the tools of the guide."""
    return ToolLoop(model, guide.tools, prompts={"system": system}, budget=BUDGET)


TO_A_GUIDE: dict[str, Way] = {
    "tool loop": loop,
    "plan and act": Writer,
    "fixed steps": FixedSteps,
}
CONTROLS: dict[str, Way] = {
    "tool loop, told to go on": lambda model, guide: ToldToGoOn(model, guide.tools, budget=BUDGET),
    "tool loop, plan in the prompt": PlanInPrompt,
    "one call, facts given": OneCall,
}
TO_A_PRICE: dict[str, Way] = {
    "one call with the tool": lambda model, guide: SingleStep(model, [look_up(guide.shop)], budget=BUDGET),
    "tool loop": lambda model, guide: ToolLoop(model, [look_up(guide.shop)], budget=BUDGET),
    "plan and act": lambda model, guide: PlanAndAct(model, [look_up(guide.shop)], budget=BUDGET),
}


def look_up(shop: Shop) -> Tool:
    """The one tool that the question for a price needs."""

    def look_up(product: str) -> str:
        """Look up what is known about a product: its price, its sales, where it is from."""
        return "; ".join(all_facts(shop, known(product)))

    return tool(look_up)


def guides(number: int = 10, size: int = 4) -> list[list[str]]:
    """The products of so many guides, drawn by chance, but the same ones every time. The first two were tried out before."""
    return [Random(f"7 {n}").sample(PRODUCTS, size) for n in range(number)]


def wrong_with(run: Run, guide: Guide) -> list[str]:
    """What is wrong with what an agent has done: with the guide, or, where one price was asked for, with the answer."""
    if guide.products[1:]:
        return guide.faults()
    price = facts_in_database(guide.shop, guide.products[0])[0]
    return [] if numbers(price) <= numbers(str(run)) else [f"The answer lacks the {price}."]


async def tried(
    model: Model, shop: Shop, ways: Mapping[str, Way], wanted: Sequence[list[str]], told: Told = None
) -> Measured:
    """The guide to these products by each way, or, for a product alone, the question for its price; several at a time."""
    free = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(products: list[str], name: str, way: Way) -> Row:
        guide = Guide(model, shop, products)
        run = await way(model, guide).run(goal(products) if products[1:] else PRICE.format(products[0]))
        wrong = wrong_with(run, guide)
        about = {"task": "guide" if products[1:] else "price", "products": ", ".join(products), "variant": name}
        row = {**about, "right": run.ok and not wrong, **cost_of(run), "written": len(guide.parts)}
        row |= {"wrong": (run.why if not run.ok else "; ".join(wrong))[:200]}
        del row["seconds"]  # several at a time
        if told:
            told(row)
        return row

    async def all_ways(products: list[str]) -> list[Row]:
        async with free:
            return [await one(products, *way) for way in ways.items()]

    rows = await asyncio.gather(*(all_ways(products) for products in wanted))
    return Measured([row for same in rows for row in same], made_with(model))


async def full(model: Model, told: Told = None) -> Measured:
    """Ten guides to four products and ten prices; some of the guides with the controls, too."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shop = lay_out(Path(folder) / "shop")
        large = await tried(model, shop, TO_A_GUIDE, guides(), told)
        small = await tried(model, shop, TO_A_PRICE, [[product] for product in PRODUCTS], told)
        controlled = await tried(model, shop, CONTROLS, guides()[:CONTROLLED], told)
    return Measured(large.rows + small.rows + controlled.rows, large.about)
