"""Ready tools for the chapters: plain functions, of which `tool()` makes tools.

Those that need something to work on are made by a function of the same name: `tool(search_documents(folder))`.
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pydantic_monty as monty

from llmlab.errors import LabError, ToolError
from llmlab.tools.sandbox import run_program
from shop import world

LARGEST = 2**1000  # some 300 digits, so that each number can also be a float
EXPRESSION = 500  # characters
SHOWN = 4000  # characters that a tool gives the model to read
PASSAGES = 3
_ARITHMETIC = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.FloorDiv,
    ast.Mod,
    ast.Pow,
    ast.UAdd,
    ast.USub,
)


def calculate(expression: str) -> int | float:
    """Calculate with numbers, + - * / // % ** and parentheses, as in (3 + 4.5) * 2."""
    if len(expression) > EXPRESSION:
        raise ToolError(f"calculate takes up to {EXPRESSION} characters, but got {len(expression)}")
    hint = "write 1200 for 1,200 and 2**3 for 2^3"
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # ValueError: a null character (Python 3.11)
        raise ToolError(f"calculate takes arithmetic such as (3 + 4.5) * 2, but got {expression!r}; {hint}") from None
    for node in ast.walk(tree):  # so it is worked out by an interpreter, but can only be arithmetic
        number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
        if not number and not isinstance(node, _ARITHMETIC):
            raise ToolError(
                f"calculate takes numbers, + - * / // % ** and parentheses, but got {_said(node) or expression}; {hint}"
            )
    limits: monty.ResourceLimits = {"max_feed_duration_secs": 1.0, "max_memory": 1 << 20}
    try:
        with monty.Monty(max_processes=1) as pool, pool.checkout(limits=limits) as session:
            value = session.feed_run(ast.unparse(tree))
    except monty.MontyError as error:
        raise ToolError(f"calculate cannot work out {expression!r}: {error}") from None
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > LARGEST:
        raise ToolError(f"calculate gives real numbers of up to 300 digits, but {expression!r} makes others")
    return value


def _said(node: ast.AST) -> str:
    try:
        return ast.unparse(node)
    except Exception:  # an operator does not stand alone
        return ""


async def run_python(code: str) -> str:
    """Run a Python program and return what it prints.

    It runs apart, without files, network or other packages than datetime, json, math and re, for up to 10 seconds.
    """
    fenced = re.fullmatch(r"\s*```\w*\n(.*?)(```)?\s*", code, re.DOTALL)
    printed = _cut(await run_program(fenced[1] if fenced else code))
    return printed or "(it printed nothing; print what you want to know)"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}\n… ({len(text) - SHOWN:,} more characters are left out)"


@dataclass(frozen=True)
class Passage:
    """A part of a document that was found."""

    document: str
    text: str


def search_documents(folder: Path | str) -> Callable[[str], list[Passage]]:
    """Make the tool that searches the Markdown files of a folder."""
    _documents(folder)

    def search_documents(query: str) -> list[Passage]:
        """Search the documents for some words; gives the passages that fit best, each with its document's name."""
        found = [Passage(name, text) for name, path in _documents(folder).items() for text in _passages(path)]
        scores = bm25(query, [f"{p.document} {p.text}" for p in found])
        best = sorted(range(len(found)), key=lambda i: -scores[i])[:PASSAGES]
        return [found[i] for i in best if scores[i]]

    return search_documents


def read_document(folder: Path | str) -> Callable[[str], str]:
    """Make the tool that reads a Markdown file of a folder."""
    _documents(folder)

    def read_document(name: str) -> str:
        """Read a document by its name."""
        there = _documents(folder)
        if name not in there:  # and so no path leads out of the folder
            raise ToolError(f"there is no document {name}; there are {', '.join(there)}")
        return _cut(there[name].read_text(encoding="utf-8"))

    return read_document


def query_database(db: Path | str) -> Callable[[str], str]:
    """Make the tool that asks an SQLite database, for reading only; the model is told its tables."""
    tables = world.query(Path(db), "SELECT sql FROM sqlite_master WHERE type = 'table' ORDER BY rowid").rows

    def query_database(sql: str) -> str:
        return str(world.query(Path(db), sql))

    told = "; ".join(" ".join(sql.split()) for [sql] in tables)
    query_database.__doc__ = f"Ask the SQLite database with one SELECT statement. Its tables: {told}"
    return query_database


def bm25(query: str, texts: list[str]) -> list[float]:
    """How well each text fits the words of a query; rare words count more (Robertson and Zaragoza 2009)."""
    k1, b = 1.5, 0.75
    counts = [Counter(_words(text)) for text in texts]
    lengths = [count.total() for count in counts]
    average = sum(lengths) / max(len(lengths), 1) or 1
    scores = [0.0] * len(texts)
    for word in set(_words(query)):
        having = sum(word in count for count in counts)
        rarity = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
        for i, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            scores[i] += rarity * count[word] * (k1 + 1) / (count[word] + k1 * (1 - b + b * length / average))
    return scores


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _documents(folder: Path | str) -> dict[str, Path]:
    """The Markdown files by their names in the folder."""
    there = {path.relative_to(folder).as_posix(): path for path in sorted(Path(folder).rglob("*.md"))}
    there = {name: path for name, path in there.items() if not re.search(r"(^|/)\.", name)}  # Jupyter's checkpoints
    if not there:
        raise LabError(f"A folder of documents needs Markdown files (*.md), but {folder} has none; check the path.")
    return there


def _passages(path: Path) -> Iterator[str]:
    """The paragraphs, each under its heading."""
    heading = ""
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip()):
        if block.startswith("#"):
            heading, _, block = block.partition("\n")
        if block.strip():
            yield f"{heading}\n{block}".strip()
