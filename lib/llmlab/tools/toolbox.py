"""Ready tools for the chapters: plain functions, of which `tool()` makes tools."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from llmlab.errors import LabError, ToolError
from llmlab.tools.sandbox import run_program
from llmlab.tools.tool import cut

SHOWN = 4000  # characters that a program gives the model to read
PASSAGES = 3


async def calculate(expression: str) -> int | float:
    """Calculate with numbers, + - * / // % ** and parentheses, as in (3 + 4.5) * 2."""
    # So it can only be arithmetic, and no other program.
    if not re.fullmatch(r"[\d\s.eE_+*/%()-]+", expression):
        hint = "write 1200 for 1,200 and 2**3 for 2^3"
        raise ToolError(f"calculate takes numbers, + - * / // % ** and parentheses, but got {expression}; {hint}")
    try:
        value: int | float = json.loads(await run_program(" ".join(expression.split()), seconds=1, memory=1))
    except ValueError:
        raise ToolError(f"calculate gives real numbers, but {expression} makes none that can be written") from None
    return value


async def run_python(code: str) -> str:
    """Run a Python program and return what it prints.

    It runs apart, without files, network or other packages than datetime, json, math and re, for up to 10 seconds.
    """
    fenced = re.fullmatch(r"\s*```\w*\n(.*?)(```)?\s*", code, re.DOTALL)
    printed = await run_program(fenced[1] if fenced else code)
    return cut(printed, SHOWN) or "(it printed nothing; print what you want to know)"


def search_documents(folder: Path | str) -> Callable[[str], list[dict[str, str]]]:
    """Make the tool that searches the Markdown files of a folder: `tool(search_documents(folder))`."""

    def passages() -> list[dict[str, str]]:
        names = [path.relative_to(folder).as_posix() for path in sorted(Path(folder).rglob("*.md"))]
        return [{"document": name, "text": text} for name in names for text in _paragraphs(Path(folder, name))]

    def search_documents(query: str) -> list[dict[str, str]]:
        """Search the documents for some words; gives the passages that fit best, each with its document's name."""
        found = passages()
        scores = bm25(query, [f"{p['document']} {p['text']}" for p in found])
        best = sorted(range(len(found)), key=lambda i: -scores[i])[:PASSAGES]
        return [found[i] for i in best if scores[i]]

    if not passages():
        raise LabError(f"A folder of documents needs Markdown files (*.md), but {folder} has none; check the path.")
    return search_documents


def bm25(query: str, texts: list[str]) -> list[float]:
    """How well each text fits the words of a query; rare words count more (Robertson and Zaragoza 2009)."""
    k1, b = 1.5, 0.75
    counts = [Counter(_words(text)) for text in texts]
    average = sum(count.total() for count in counts) / max(len(counts), 1) or 1
    scores = [0.0] * len(texts)
    for word in set(_words(query)):
        having = sum(word in count for count in counts)
        rarity = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
        for i, count in enumerate(counts):
            scores[i] += rarity * count[word] * (k1 + 1) / (count[word] + k1 * (1 - b + b * count.total() / average))
    return scores


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _paragraphs(path: Path) -> Iterator[str]:
    """Each under its heading."""
    heading = ""
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip()):
        if block.startswith("#"):
            heading, _, block = block.partition("\n")
        if block.strip():
            yield f"{heading}\n{block}".strip()
