"""Chapter 07: blog posts about the shop's products, in one call, by fixed code, and by a plan; with tools that fail.

A post is right when a program finds each fact in it, and no number that is not among the facts.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from inspect import isawaitable
from pathlib import Path
from typing import Any

from llmlab import LabError, Model, ToolError, Trace
from llmlab.agents import Agent, PlanAndAct, Run
from llmlab.measure import Measured, Row, Task, compare
from llmlab.tools import Tool, tool
from shop import Shop
from shop import world as shops

PRODUCTS = """green tea; oolong; black tea; chai; rooibos; mint tea; house blend; espresso beans; filter coffee;
dark roast""".replace("\n", " ").split("; ")
COLUMNS = ("fault", "variant")  # by which `llmlab measure` tells the rows apart
GOAL = "Write a blog post about {} in two sections, with facts from the documents and the database, and check it at the end."
WORDS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
SALES = "SELECT MAX(price), SUM(quantity), COUNT(DISTINCT order_id) FROM items WHERE product = ?"


def facts_in_documents(shop: Shop, product: str) -> list[str]:
    """What the tables and lists of the documents say about a product."""
    tea = re.search(rf"^\| {product} \| (\d+) \| (\d+) \| (\d+)", _text(shop, "brewing-tea"), re.M)
    coffee = re.search(rf"^- {product}: (.+), (.+)$", _text(shop, "roasting"), re.M)
    supplier = re.search(rf"^- \*\*(.+?)\*\*, ([^,:]+)[^*]*?\b{product}\b", _text(shop, "suppliers"), re.M)
    facts = []
    if tea:
        facts = [f"{tea[1]} grams for a litre", f"water at {tea[2]} degrees", f"ready after {tea[3]} minutes"]
    if coffee:
        facts = [f"roasted for {coffee[1]}", f"roasted at {coffee[2]}"]
    if supplier:
        facts.append(f"from {supplier[1]} in {supplier[2]}")
    return facts


def facts_in_database(shop: Shop, product: str) -> list[str]:
    """What the orders say about a product."""
    [[price, sold, orders]] = shops.query(shop.db, SALES, [product]).rows
    return [] if price is None else [f"price: {price:.2f} euros", f"sold this year: {sold} bags, in {orders} orders"]


def _text(shop: Shop, document: str) -> str:
    return (shop.documents / f"{document}.md").read_text(encoding="utf-8")


def numbers(text: str) -> set[float]:
    """The numbers in a text, in digits or words; not those that count the points of a list."""
    text = re.sub(r"^\W*\d+[.)]\s", "", text, flags=re.M)
    words = {float(i) for i, word in enumerate(WORDS, 2) if re.search(rf"\b{word}\b", text, re.I)}
    return words | {float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}


def names(text: str) -> set[str]:
    """The words with a capital letter in a fact."""
    return set(re.findall(r"[A-Z]\w+", text))


def faults(text: str, facts: list[str], allowed: list[str] | None = None) -> list[str]:
    """What is wrong with a text that should hold these facts, and no numbers but theirs and the allowed ones, as advice."""
    missing = [f for f in facts if not numbers(f) <= numbers(text) or not all(name in text for name in names(f))]
    invented = numbers(text) - {n for f in [*facts, *(allowed or [])] for n in numbers(f)}
    return [f"Add this fact: {f}." for f in missing] + [f"Take out the number {n:g}." for n in sorted(invented)]


Spoil = Callable[[Tool], Tool]  # puts a tool that fails in the place of one that does not


class Desk:
    """What the tools of one post share: its product, the facts by source, headings, sections, what the check found.

    With a file, the desk is there again after a restart: a run that goes on makes no finished tool call anew.
    """

    def __init__(self, model: Model, shop: Shop, file: Path | None = None):
        self.model, self.shop, self.file = model, shop, file
        self.product = ""
        self.facts: dict[str, list[str]] = {}
        self.headings: list[str] = []
        self.sections: dict[int, str] = {}
        self.advice: dict[int, str] = {}
        if file and file.exists():
            self.product, self.facts, self.headings, *texts = json.loads(file.read_text(encoding="utf-8"))
            self.sections, self.advice = ({int(n): text for n, text in by_number.items()} for by_number in texts)

    @property
    def tools(self) -> list[Tool]:
        """The five tools of a writer."""
        return [
            tool(f)
            for f in (self.search_documents, self.ask_database, self.make_outline, self.write_section, self.check_post)
        ]

    def search_documents(self, product: str) -> str:
        """Find facts about a product in the documents of the shop."""
        return self._found("documents", product, facts_in_documents(self.shop, product))

    def ask_database(self, product: str) -> str:
        """Find the price and the sales of a product in the database."""
        return self._found("database", product, facts_in_database(self.shop, product))

    async def make_outline(self) -> list[str]:
        """Make the outline from the facts: one heading for each section."""
        if not self.facts:
            raise ToolError("there are no facts yet; find some first")
        lines = "\n".join("; ".join(facts) for facts in self.facts.values())
        ask = f"Make an outline for a blog post about {self.product}. Answer with JSON: a heading for each line of facts.\n{lines}"
        reply = await self.model.chat(ask, schema=outline_of(len(self.facts)))
        self.headings = reply.json()["headings"]
        self._keep()
        return self.headings

    async def write_section(self, number: int) -> str:
        """Write one section of the outline, by its number (1, 2, …)."""
        if not 1 <= number <= len(self.headings):
            raise ToolError(f"the outline has {len(self.headings)} sections, but this is number {number}")
        heading, facts = self.headings[number - 1], list(self.facts.values())[number - 1]
        ask = section_prompt(self.product, heading, facts)
        if number in self.advice:  # the check has found something
            ask = f"Revise the text by this advice: {self.advice.pop(number)}\n\n{self.sections[number]}"
        self.sections[number] = (await self.model.chat(ask, max_tokens=120)).text.strip()
        self._keep()
        return self.sections[number]

    def check_post(self) -> str:
        """Check that all sections are there and agree with the facts."""
        known = [fact for facts in self.facts.values() for fact in facts]  # true in any section
        for number, facts in enumerate(self.facts.values(), 1):
            text = self.sections.get(number)
            wrong = ["It is not written yet."] if text is None else faults(text, facts, known)
            if wrong:
                self.advice = {number: wrong[0]} if number in self.sections else {}
                self._keep()
                raise ToolError(f"section {number} has to be written again: {wrong[0]}")
        return "The post agrees with the facts."

    @property
    def post(self) -> str:
        """The sections that are written, under their headings."""
        return "\n\n".join(f"{self.headings[n - 1]}\n{text}" for n, text in sorted(self.sections.items()))

    def _found(self, source: str, product: str, facts: list[str]) -> str:
        if not facts:
            raise ToolError(f"nothing is known about {product!r}; products are {', '.join(PRODUCTS)}")
        self.product, self.facts[source] = product, facts
        self._keep()
        return "; ".join(facts)

    def _keep(self) -> None:
        if self.file:
            state = [self.product, self.facts, self.headings, self.sections, self.advice]
            self.file.write_text(json.dumps(state), encoding="utf-8")


def outline_of(points: int) -> dict[str, Any]:
    """JSON schema of so many headings."""
    headings = {"type": "array", "items": {"type": "string"}, "minItems": points, "maxItems": points}
    return {
        "type": "object",
        "properties": {"headings": headings},
        "required": ["headings"],
        "additionalProperties": False,
    }


def section_prompt(product: str, heading: str, facts: list[str]) -> str:
    """What asks the model for one section."""
    listed = "\n".join(f"- {fact}" for fact in facts)
    return f'Write the section "{heading}" about {product} in two to four sentences. Use all these facts and no others:\n{listed}'


def failing(of: Tool, times: float) -> Tool:
    """The same tool, but its first calls fail."""
    failed = 0

    @wraps(of.function)
    async def function(*args: Any, **named: Any) -> Any:
        nonlocal failed
        if failed < times:
            failed += 1
            raise ToolError(f"{of.name} does not answer")
        result = of.function(*args, **named)
        return await result if isawaitable(result) else result

    return replace(of, function=function)


def states(trace: Trace) -> list[str]:
    """How each step of a run went, from its trace: a line for each plan and each step."""
    lines = []
    for step in trace:
        if step.kind == "event" and step.name == "plan":
            names = ", ".join(planned["tool"] for planned in step.get("steps"))
            lines.append(f"plan: {names} {step.get('wrong')}".strip())
        if step.kind == "span" and step.name.startswith("step "):
            tries = [s.status for s in trace.children(step.id) if s.kind == "tool"]
            ended = "✓ done" if tries[-1:] == ["ok"] else "… broken off" if step.status != "ok" else "✗ failed"
            lines.append(f"  {ended} (tool calls: {len(tries)}): {step.name}")
    return lines


class OneCall(Agent):
    """All the facts in one prompt, and the whole post in one reply."""

    name = "one call"

    def __init__(self, model: Model, shop: Shop, **options: Any):
        super().__init__(model, **options)
        self.shop = shop

    async def work(self, run: Run) -> None:
        """Ask once."""
        facts = "\n".join(f"- {fact}" for fact in all_facts(self.shop, product_in(run.task)))
        ask = f"{run.task} Write two to four sentences for each section. Use all these facts and no others:\n{facts}"
        run.answer = (await self.model.chat(ask, max_tokens=300)).text


class PostWriter(PlanAndAct):
    """Plan and act with a fresh desk in memory for each run; the answer is the post on it, as far as it is written."""

    def __init__(self, model: Model, shop: Shop, spoil: Spoil | None = None, **options: Any):
        super().__init__(model, **options)
        self.shop, self.spoil = shop, spoil
        self.last: Run | None = None  # to look into after a comparison, which keeps no runs

    async def work(self, run: Run) -> None:
        """Lay out a fresh desk, then plan and act."""
        self.last = run
        desk = run.notes["desk"] = Desk(self.model, self.shop)
        self.tools = [self.spoil(t) if self.spoil else t for t in desk.tools]
        try:
            await super().work(run)
        finally:
            run.answer = desk.post

    async def answer(self, run: Run, said: str) -> str:
        """The post as it stands: no model has to write it again."""
        return str(run.notes["desk"].post)


class FixedSteps(PostWriter):
    """The same tools in an order that a programmer has written down; each is tried twice, the check mended twice."""

    name = "fixed steps"

    async def work(self, run: Run) -> None:
        """Call one tool after the other."""
        desk = Desk(self.model, self.shop)
        tools = {t.name: self.spoil(t) if self.spoil else t for t in desk.tools}
        product = product_in(run.task)
        try:
            await twice(tools["search_documents"], product=product)
            await twice(tools["ask_database"], product=product)
            await twice(tools["make_outline"])
            for number in range(1, len(desk.headings) + 1):
                await twice(tools["write_section"], number=number)
            for _ in range(2):
                if (await tools["check_post"].call({})).ok:
                    return
                await twice(tools["write_section"], number=next(iter(desk.advice)))
            await twice(tools["check_post"])
        finally:
            run.answer = desk.post


async def twice(of: Tool, **arguments: Any) -> None:
    """Call a tool, and once more if it fails. Raises LabError if it fails again."""
    for _ in range(2):
        result = await of.call(arguments)
        if result.ok:
            return
    raise LabError(f"A step has two tries, but {of.name} failed in both: {result.text}")


def product_in(task: str) -> str:
    """The product that a task is about."""
    return next(product for product in PRODUCTS if product in task)


def all_facts(shop: Shop, product: str) -> list[str]:
    """The facts about a product, from both sources."""
    return [*facts_in_documents(shop, product), *facts_in_database(shop, product)]


def tasks(shop: Shop, products: list[str], fault: str = "none") -> list[Task]:
    """A post about each product; where the database is down for good, the facts in the documents are all there are."""

    def task(product: str) -> Task:
        facts = facts_in_documents(shop, product) if fault == "always" else all_facts(shop, product)
        right = lambda run: not faults(str(run), facts)  # noqa: E731
        return Task(f"{product}, fault {fault}", GOAL.format(product), right, {"fault": fault})

    return [task(product) for product in products]


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """Ten posts by each variant; then with a database that fails once, and with one that always fails."""
    rows = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shop = shops.lay_out(Path(folder) / "shop")
        for fault, times in {"none": 0.0, "once": 1.0, "always": float("inf")}.items():

            def spoil(of: Tool, times: float = times) -> Tool:
                return failing(of, times) if of.name == "ask_database" else of

            variants: dict[str, Agent] = {
                "one call, facts given": OneCall(model, shop),
                "fixed steps": FixedSteps(model, shop, spoil),
                "plan and act": PostWriter(model, shop, spoil),
            }
            if fault != "none":
                del variants["one call, facts given"]
            done = await compare(model, variants, tasks(shop, PRODUCTS, fault), told)
            rows += done.rows
    return Measured(rows, done.about)
