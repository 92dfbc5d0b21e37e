"""Chapter 04: the same tasks by one call with tools, by the loop of JSON calls, and by a program that the model writes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from chapters.ch04.choice import CHOOSE, choices
from chapters.ch04.desk import AFTER, WHOLE, clean_channels, posts, programs, prompt_of, send_back, tools
from chapters.ch04.pictures import lit, sizes
from chapters.ch04.tasks import KINDS, best, measure, says, tasks, variants
from llmlab.llm.chat import Model
from llmlab.measure import Measured, Row
from shop import lay_out

__all__ = [
    "AFTER", "CHOOSE", "COLUMNS", "KINDS", "WHOLE", "best", "choices", "clean_channels", "full", "lit", "measure", "posts",
    "programs", "prompt_of", "says", "send_back", "sizes", "tasks", "tools", "variants",
]  # fmt: skip
COLUMNS = ("kind", "variant")  # by which `llmlab measure` tells the rows apart


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """All tasks by all three, and the choice of tools."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        world = lay_out(Path(folder) / "shop")
        measured = await measure(model, world, tasks(world), told)
    return Measured(measured.rows + await choices(model, told), measured.about)
