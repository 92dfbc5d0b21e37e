"""Evaluation sets: items with checks that a program can make, how sure their counts are, and the table of both.

An item is a line of JSON: `skill`, `messages`, perhaps `tools` and `schema`, and a `check` whose `type` names one of
the judges below. No judge looks at wording: SQL is executed, tool calls are compared by their parsed arguments, numbers
by value, texts by the facts and limits that they have to hold.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from math import isclose, sqrt
from pathlib import Path
from typing import Any

from llmlab.errors import LabError, ModelError
from llmlab.model import Message, Model, Reply
from llmlab.settings import DATA
from llmlab.show.view import View, table_of
from llmlab.trace import Trace

HELDOUT = DATA / "adapter" / "heldout"
Z95 = 1.959964  # the 97.5 % point of the normal distribution
SQL_STEPS = 1_000_000  # of SQLite's virtual machine, after which a query counts as one that never ends


def interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a success rate (E. B. Wilson, 1927, JASA 22:209): sound for few trials, and for 0 or all."""
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"interval takes 0 <= successes <= trials and trials > 0, not {successes} of {trials}")
    p, z2 = successes / trials, Z95**2
    centre = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 * sqrt(p * (1 - p) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))  # p is inside, also after rounding


def share(successes: int, trials: int) -> str:
    """A count with its interval, for tables: "7/8 (53–98 %)"."""
    low, high = interval(successes, trials)
    return f"{successes}/{trials} ({100 * low:.0f}–{100 * high:.0f} %)"


@dataclass(frozen=True)
class Item:
    """One question of an evaluation set, and how its answer is judged."""

    id: str
    skill: str
    messages: list[Message]
    check: dict[str, Any]
    tools: list[dict[str, Any]] = field(default_factory=list)
    schema: dict[str, Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a model made of an item: right or not, what it said, and the error if the call failed."""

    item: Item
    right: bool
    said: str
    error: str | None = None


def load(files: Iterable[Path], skills: Sequence[str] = ()) -> list[Item]:
    """The items of some JSONL files; word problems come twice, to be solved in steps and directly."""
    items = []
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            item = Item(**{k: row[k] for k in ("id", "skill", "messages", "check", "tools", "schema") if k in row})
            items += _two_ways(item) if item.skill == "word_problem" else [item]
    return [item for item in items if not skills or item.skill in skills]


def heldout(skills: Sequence[str] = ()) -> list[Item]:
    """The held-out set of the adapter."""
    return load(sorted(HELDOUT.glob("*.jsonl")), skills)


def _two_ways(item: Item) -> list[Item]:
    [question] = item.messages
    ways = {
        "steps": "Think step by step, then end with 'Answer:' and the number.",
        "direct": "Give only the answer, as 'Answer:' and the number.",
    }
    return [
        Item(f"{item.id}-{way}", way, [{**question, "content": f"{question['content']}\n{order}"}], item.check)
        for way, order in ways.items()
    ]


async def run(
    model: Model, items: Sequence[Item], told: Callable[[Outcome], None] | None = None, trace: Trace | None = None
) -> list[Outcome]:
    """Ask every item at temperature 0 and judge the replies; a failed call is a wrong answer, and its error is kept."""
    outcomes = []
    with trace or Trace("evaluation"):
        for item in items:
            try:
                reply = await model.chat(
                    item.messages, tools=item.tools or None, schema=item.schema, max_tokens=300, stream=False
                )
            except ModelError as error:
                outcomes.append(Outcome(item, False, "", str(error)))
            else:
                said = " ".join([reply.text, *(f"{c.name}({c.arguments})" for c in reply.tool_calls)]).strip()
                outcomes.append(Outcome(item, judge(item, reply), said))
            if told:
                told(outcomes[-1])
    return outcomes


def judge(item: Item, reply: Reply) -> bool:
    """Whether a reply passes an item's check. Raises LabError for a type of check that there is none of."""
    kind = item.check["type"]
    if kind not in JUDGES:
        raise LabError(f"A check has one of the types {', '.join(JUDGES)}, not {kind!r}; correct item {item.id}.")
    return JUDGES[kind](item.check, reply)


def by_name(items: Iterable[Item]) -> dict[str, list[Item]]:
    """Items by the name of their skill, in alphabetical order."""
    found: dict[str, list[Item]] = {}
    for item in sorted(items, key=lambda item: item.skill):
        found.setdefault(item.skill, []).append(item)
    return found


def by_skill(outcomes: Iterable[Outcome]) -> dict[str, tuple[int, int]]:
    """Right answers and tries of each skill, in alphabetical order."""
    counts: dict[str, tuple[int, int]] = {}
    for outcome in sorted(outcomes, key=lambda o: o.item.skill):
        right, tried = counts.get(outcome.item.skill, (0, 0))
        counts[outcome.item.skill] = (right + outcome.right, tried + 1)
    return counts


def table(columns: dict[str, Iterable[Outcome]]) -> View:
    """Skills down, runs across: counts with their intervals."""
    counted = {name: by_skill(outcomes) for name, outcomes in columns.items()}
    skills = sorted({skill for counts in counted.values() for skill in counts})
    rows = [[skill, *(share(*c[skill]) if skill in c else "" for c in counted.values())] for skill in skills]
    return table_of(["skill", *counted], rows)


def _calls(check: dict[str, Any], reply: Reply) -> bool:
    def comparable(name: str, arguments: Any) -> str:
        return json.dumps([name, arguments], sort_keys=True)

    try:
        made = sorted(comparable(call.name, json.loads(call.arguments)) for call in reply.tool_calls)
    except ValueError:
        return False
    return made == sorted(comparable(call["name"], call["arguments"]) for call in check["calls"])


def _text(check: dict[str, Any], reply: Reply) -> bool:
    text = reply.text.strip()
    low, words, lines = text.lower(), text.split(), text.splitlines()
    sentences = len([s for s in re.split(r"(?<=[.!?])[\"')\]]*\s+", text) if s])
    start, times = check.get("lines_starting_with", ("", 0))
    return bool(text) and all(
        (
            all(any(one.lower() in low for one in _either(name)) for name in check.get("all", [])),
            not check.get("any") or any(name.lower() in low for name in check["any"]),
            not any(name.lower() in low for name in check.get("none", [])),
            len(text) <= check.get("max_chars", len(text)),
            len(words) <= check.get("max_words", len(words)),
            check.get("sentences", [0, sentences])[0] <= sentences <= check.get("sentences", [0, sentences])[1],
            text.endswith(check.get("ends_with", "")),
            low.startswith(check.get("starts_with", "").lower()),
            not check.get("upper") or text == text.upper(),
            not start or sum(line.strip().startswith(start) for line in lines) == times,
            not check.get("no_call") or not reply.tool_calls,
        )
    )


def _either(name: str | list[str]) -> list[str]:
    return [name] if isinstance(name, str) else name


def _number(check: dict[str, Any], reply: Reply) -> bool:
    found = re.findall(r"-?\d+(?:\.\d+)?", reply.text.replace(",", ""))
    return bool(found) and float(found[-1]) == check["value"]


def _sql(check: dict[str, Any], reply: Reply) -> bool:
    query = re.sub(r"^```\w*|```$", "", reply.text.strip()).strip()
    try:
        got, wanted = (_rows(check["db"], sql) for sql in (query, check["sql"]))
    except (sqlite3.Error, ValueError):  # ValueError: text that SQLite does not take at all
        return False
    if not check["ordered"]:
        got, wanted = (sorted(rows, key=str) for rows in (got, wanted))
    return len(got) == len(wanted) and all(_same_row(a, b) for a, b in zip(got, wanted, strict=True))


def _same_row(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    def same(x: Any, y: Any) -> bool:
        numbers = isinstance(x, int | float) and isinstance(y, int | float)
        return isclose(x, y, rel_tol=1e-6) if numbers else bool(x == y)

    return len(a) == len(b) and all(map(same, a, b))


def _rows(name: str, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(_script(name))
        db.execute("PRAGMA query_only = 1")
        db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)  # or a model's query could open any other file
        left = iter(range(SQL_STEPS // 1000))
        db.set_progress_handler(lambda: next(left, None) is None, 1000)
        return db.execute(query).fetchall()


@lru_cache
def _script(name: str) -> str:
    return (HELDOUT / "db" / f"{name}.sql").read_text(encoding="utf-8")


def _data(reply: Reply) -> dict[str, Any]:
    try:
        data = json.loads(reply.text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _split(check: dict[str, Any], reply: Reply) -> bool:
    data = _data(reply)
    left, right = data.get("left"), data.get("right")
    if not isinstance(left, list) or not isinstance(right, list):
        return False
    return left + right == check["items"] and abs(len(left) - len(right)) <= 2


def _plan(check: dict[str, Any], reply: Reply) -> bool:
    steps = _data(reply).get("steps")
    if not isinstance(steps, list) or not 2 <= len(steps) <= 6 or not all(isinstance(s, dict) for s in steps):
        return False
    used = [str(step.get("tool")) for step in steps]
    earlier = all(
        isinstance(step.get("needs"), list) and all(isinstance(n, int) and 1 <= n < i for n in step["needs"])
        for i, step in enumerate(steps, 1)
    )
    fits = set(used) <= set(check["tools"]) and set(check["must_use"]) <= set(used)
    ordered = all({a, b} <= set(used) and used.index(a) < used.index(b) for a, b in check["order"])
    return earlier and fits and ordered


JUDGES: dict[str, Callable[[dict[str, Any], Reply], bool]] = {
    "tool_calls": _calls,
    "no_call": lambda check, reply: not reply.tool_calls and _text(check, reply),
    "asks": lambda check, reply: not reply.tool_calls and "?" in reply.text,
    "text": _text,
    "number": _number,
    "sql": _sql,
    "json": lambda check, reply: all(_data(reply).get(k, ...) == v for k, v in check["equals"].items()),
    "split": _split,
    "plan": _plan,
}
