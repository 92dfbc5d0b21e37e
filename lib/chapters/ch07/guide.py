"""Chapter 07: a guide to the shop's products, section by section, and a program that checks it; tools that fail."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from inspect import isawaitable
from pathlib import Path
from typing import Any

from llmlab import LabError, Model, ToolError, Trace
from llmlab.tools import Tool, tool
from shop import Shop
from shop import world as shops

PRODUCTS = """green tea; oolong; black tea; chai; rooibos; mint tea; house blend; espresso beans; filter coffee;
dark roast""".replace("\n", " ").split("; ")
LIMIT = 60  # words in a section
SECTION = "Write the section on {} of a shop's guide: two or three full sentences, without a heading. Use all these facts, no others:\n{}"
OVERVIEW = "Write the overview of a shop's guide: one or two full sentences, without a heading. Use all these facts, no others:\n{}"
AGAIN = "{}\n\nYour last text:\n{}\n\nWrite it again, and follow this advice: {}"
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


def goal(products: Sequence[str]) -> str:
    """What is asked for, whoever does it. Raises LabError where there is nothing to write about."""
    if isinstance(products, str) or not products:
        raise LabError(f"A guide takes a list of products, but got {products!r}; products are {', '.join(PRODUCTS)}.")
    *most, last = (known(product) for product in products)
    listed = f"{', '.join(most)} and {last}" if most else last
    return f"Write a guide to our {listed}: a section on each, and an overview; check it at the end."


def known(name: str) -> str:
    """The product that is meant ("Oolong tea" is oolong). Raises ToolError if there is none."""
    short = str(name).strip(" *:#").lower().removesuffix(" tea")
    for product in PRODUCTS:
        if short == product.removesuffix(" tea"):
            return product
    raise ToolError(f"there is no product {name!r}; there are {', '.join(PRODUCTS)}")


def all_facts(shop: Shop, product: str) -> list[str]:
    """The facts from both sources."""
    return facts_in_documents(shop, product) + facts_in_database(shop, product)


class Guide:
    """A guide as far as it is written, its three tools, and the program that checks each part.

    With a file, it is there again after a restart: a run that goes on makes no finished tool call again.
    """

    def __init__(self, model: Model, shop: Shop, products: Sequence[str], file: Path | None = None):
        self.model, self.shop, self.file = model, shop, file
        self.products = [known(product) for product in products]
        self.parts: dict[str, str] = json.loads(file.read_text("utf-8")) if file and file.exists() else {}
        self.tools = [tool(f) for f in (self.write_section, self.write_overview, self.check_guide)]

    async def write_section(self, product: str) -> str:
        """Look up one product and write its section of the guide."""
        return await self.write(known(product), SECTION.format(known(product), "{}"))

    async def write_overview(self) -> str:
        """Write the overview of the guide: how many products, the cheapest and the dearest. Needs the sections."""
        if missing := [product for product in self.products if product not in self.parts]:
            raise ToolError(f"the guide has no section yet on {', '.join(missing)}")
        return await self.write("overview", OVERVIEW)

    def check_guide(self) -> str:
        """Check that the sections and the overview of the guide agree."""
        if wrong := self.faults():
            raise ToolError("; ".join(wrong))
        return "The guide agrees."

    async def write(self, part: str, ask: str) -> str:
        """One call that gets the facts of this part, and the advice where the last text was wrong; then the check."""
        ask = ask.format("\n".join(f"- {fact}" for fact in self.facts(part)))
        if part in self.parts and (wrong := self.faults_of(part)):
            ask = AGAIN.format(ask, self.parts[part], " ".join(wrong))
        self.parts[part] = (await self.model.chat(ask, max_tokens=150)).text.strip()
        if self.file:
            self.file.write_text(json.dumps(self.parts), "utf-8")
        if wrong := self.faults_of(part):
            raise ToolError(f"the text on {part} is not right yet: {' '.join(wrong)}")
        return self.parts[part]

    def facts(self, part: str) -> list[str]:
        """What a part has to say. For the overview, a program counts and compares: it does so better than a model."""
        if part != "overview":
            return all_facts(self.shop, part)
        prices = {p: shops.query(self.shop.db, SALES, [p]).rows[0][0] for p in self.products}
        low, high = min(prices, key=prices.__getitem__), max(prices, key=prices.__getitem__)
        ends = [f"{what}: {p}, {prices[p]:.2f} euros" for what, p in (("the cheapest", low), ("the dearest", high))]
        return [f"it has {len(prices)} products", *ends]

    def faults_of(self, part: str) -> list[str]:
        """What is wrong with one part, as advice."""
        text, facts = self.parts[part], self.facts(part)
        named = [p for p in self.products if any(f": {p}," in fact for fact in facts) and p not in text.lower()]
        listed = [] if text.endswith((".", "!")) and ";" not in text else ["Write full sentences."]
        long = [f"Shorten it to {LIMIT} words."] if len(text.split()) > LIMIT else []
        return [*faults(text, facts), *(f"Name {product}." for product in named), *listed, *long]

    def faults(self) -> list[str]:
        """What is wrong with the guide, part by part."""
        wanted = [*self.products, "overview"]
        lacking = [f"{part}: it is not written." for part in wanted if part not in self.parts]
        return lacking + [f"{p}: {wrong}" for p in wanted if p in self.parts for wrong in self.faults_of(p)]

    @property
    def text(self) -> str:
        """The guide in Markdown."""
        parts = [part for part in [*self.products, "overview"] if part in self.parts]
        return "\n\n".join(f"## {part.capitalize()}\n{self.parts[part]}" for part in parts)

    def read(self, text: str) -> Guide:
        """This guide, with the parts that a text in Markdown has."""
        for part in re.split(r"^#+ *", text, flags=re.M)[1:]:
            heading, _, body = part.partition("\n")
            with contextlib.suppress(ToolError):
                heading = known(heading)
            self.parts[heading.lower()] = body.strip()
        return self


def failing(of: Tool, times: int) -> Tool:
    """The same tool, but its first calls fail."""
    failures = [f"{of.name} does not answer"] * times

    async def function(**arguments: Any) -> Any:
        if failures:
            raise ToolError(failures.pop())
        result = of.function(**arguments)
        return await result if isawaitable(result) else result

    return replace(of, function=function)


def states(trace: Trace) -> list[str]:
    """How a run went, from its trace: a line for each plan and each step."""
    lines = []
    for step in trace:
        if step.kind == "event" and step.name == "plan":
            lines.append(f"plan of {len(step.get('steps'))} steps {step.get('wrong')}".strip())
        if step.kind == "span" and step.name.startswith("step "):
            tries = [s.status for s in trace.children(step.id) if s.kind == "tool"]
            ended = "✓ done" if tries[-1:] == ["ok"] else "… cut off" if step.status != "ok" else "✗ failed"
            times = f", {len(tries)} tool calls" if len(tries) > 1 else ""
            lines.append(f"  {ended}: {step.name.partition(':')[0]}, {step.get('task')}{times}")
    return lines
