"""Recursive decomposition: what is too big is split in two, each part solved, the results combined.

After "Least-to-Most" (Zhou and others, arXiv:2205.10625) and "Decomposed Prompting" (Khot and others, arXiv:2210.02406).
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from llmlab.agents.base import Agent, Run
from llmlab.errors import BudgetExceeded
from llmlab.llm.chat import Model
from llmlab.wait import together


class Halves(BaseModel, extra="forbid"):
    """A list in two parts; its items are whole numbers or texts."""

    left: list[int | str]
    right: list[int | str]


class Recursive(Agent):
    """Solves a list by halves, until they are `small` enough to be asked at once; the prompts say what to do."""

    name = "recursive decomposition"
    prompts = {
        "solve": "Add these numbers: {items}\n\nJust the number.",
        "split": 'Add these numbers: {items}\nSplit the list into two halves: {"left": [...], "right": [...]}.',
        "combine": "Add these numbers: {left}, {right}\n\nJust the number.",
    }

    def __init__(self, model: Model, small: int = 2, **options: Any):
        super().__init__(model, **options)
        self.small = small

    async def work(self, run: Run) -> None:
        """Solve the whole list."""
        run.answer = await self.solve(run, items_of(run.task))

    async def solve(self, run: Run, items: Sequence[str]) -> str:
        """The result for some items. Each is kept: if the run is stopped, that of the most items is the answer."""
        with run.trace.span(f"solve {len(items)}"):
            if len(items) <= self.small:
                result = await self.small_one(items)
            else:
                left, right = await self.split(run, items)
                result = await self.combine(*await together(self.solve(run, left), self.solve(run, right)))
        parts = run.notes.setdefault("parts", [])
        parts.append((list(items), result))
        run.answer = max(parts, key=lambda part: len(part[0]))[1]
        return result

    async def small_one(self, items: Sequence[str]) -> str:
        """The result for few items."""
        return (await self.model.chat(self.prompt("solve", items=", ".join(items)))).text.strip()

    async def combine(self, left: str, right: str) -> str:
        """One result from the results of both halves."""
        return (await self.model.chat(self.prompt("combine", left=left, right=right))).text.strip()

    async def split(self, run: Run, items: Sequence[str]) -> tuple[list[str], list[str]]:
        """Two halves of a list, by the model. Raises BudgetExceeded if they are not smaller than the whole."""
        ask = self.prompt("split", items=", ".join(items))
        halves = (await self.model.chat(ask, schema=Halves)).parse(Halves)
        left, right = [*map(str, halves.left)], [*map(str, halves.right)]
        if max(len(left), len(right)) >= len(items) or not left or not right:
            made = f"but {len(items)} items were split into {len(left)} and {len(right)}, which would never end"
            why = f"A part has to be smaller than the whole, {made}; the run stops here with its trace kept."
            raise BudgetExceeded("repetition", why)
        if left + right != list(items):
            run.trace.event("items changed", before=list(items), after=left + right)
        return left, right


def items_of(task: str) -> list[str]:
    """The items of a list written as JSON, with commas, or one a line."""
    try:
        data = json.loads(task)
    except (ValueError, RecursionError):  # no JSON, or brackets without end
        data = None
    return [*map(str, data)] if isinstance(data, list) else [s.strip() for s in re.split(r"[\n,]", task) if s.strip()]
