"""What the held-out set is about, so that the training data stay away from it.

An item is kept out of the training data if it offers a tool, creates a table or names somebody or some place that the
held-out set has too, or if it holds a question or a query of chapter 05's measurement word for word (capitals, quotation
marks and spaces aside). Nobody has to remember that while writing examples: `generate.py` drops such items.
"""

from __future__ import annotations

import calendar
import json
import re
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "data"
FOLDER = DATA / "adapter" / "heldout"
MEASURED = DATA / "experiments" / "ch05.json"
# Words with a capital that name nothing which could be learned by heart.
COMMON = {*calendar.day_name, *calendar.month_name, *(f"{day}s" for day in calendar.day_name)}
COMMON |= {"English", "French", "German", "Spanish", "Italian", "Portuguese", "Korean", "Finnish", "Welsh", "Celtic"}
COMMON |= {"Africa", "America", "Europe", "Earth", "United", "States", "Kingdom", "Christmas", "War", "Lane", "Lanes"}
COMMON |= {"Avenue", "Bay", "Peak", "Mrs", "Sir", "Madam", "Bonjour", "Hola"}
_word = re.compile(r"\b[A-Z][a-z]{2,}\b")
_inside = re.compile(r"(?<![.!?:\"“\n•*\-] )(?<=[a-z,;] )[A-Z][a-z]{2,}\b")  # not at the start of a sentence
_table = re.compile(r"create table (?:if not exists )?\\?[\"`]?(\w+)", re.IGNORECASE)


def plain(text: str) -> str:
    """Only the words of a text, so that capitals, quotation marks and spaces do not hide what is the same."""
    return " ".join(re.findall(r"\w+|[<>=*]", text.lower()))


def spoken(item: dict[str, Any]) -> str:
    """What is said in an item: contents and arguments, without the schemas of its tools."""
    parts = []
    for message in item["messages"]:
        parts.append(message.get("content") or "")
        parts += [str(call["function"]["arguments"]) for call in message.get("tool_calls") or []]
    return "\n".join(parts)


def tools(item: dict[str, Any]) -> set[str]:
    """Names of the tools that an item offers."""
    return {tool["function"]["name"] for tool in item.get("tools") or []}


def tables(text: str) -> set[str]:
    """Names of the tables that a text creates."""
    return {name.lower() for name in _table.findall(text)}


class HeldOut:
    """Tools, tables and names of the held-out set."""

    def __init__(self, folder: Path = FOLDER):
        items = [
            json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()
        ]
        said = "\n".join(map(spoken, items))
        scripts = "\n".join(file.read_text("utf-8") for file in sorted((folder / "db").glob("*.sql")))
        self.tools = {name for item in items for name in tools(item)}
        self.tables = tables(said) | tables(scripts)
        measured = json.loads(MEASURED.read_text("utf-8"))
        self.questions = [plain(q) for _, q, _ in measured["sql"]] + [plain(q) for q, _ in measured["direct"]]
        self.queries = {plain(query) for _, _, query in measured["sql"]}
        lower = set(re.findall(r"\b[a-z]{3,}\b", said))
        self.names = {w for w in _inside.findall(said) if w not in COMMON and w.lower() not in lower}

    def shared(self, item: dict[str, Any]) -> set[str]:
        """What the item has in common with the held-out set: nothing, if it may be trained on."""
        said = spoken(item)
        answers = {plain(m.get("content") or "") for m in item["messages"] if m["role"] == "assistant"}
        words = plain(said)
        asked = {question for question in self.questions if question in words}
        return (
            asked
            | answers & self.queries
            | tools(item) & self.tools
            | tables(said) & self.tables
            | set(_word.findall(said)) & self.names
        )
