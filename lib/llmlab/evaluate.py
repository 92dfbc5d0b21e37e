"""Evaluation sets: items with checks that a program can make, how sure their counts are, and the table of both.

An item is a line of JSON: `skill`, `messages`, perhaps `tools` and `schema`, and a `check` whose `type` names one of
the judges below. No judge looks at wording: SQL is executed, tool calls are compared by their parsed arguments, numbers
by value, texts by the facts and limits that they have to hold. An item with `rounds` is asked again with advice.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields
from functools import lru_cache
from math import inf, isclose, sqrt
from pathlib import Path
from typing import Any

from llmlab.agents.reflective import Reflective
from llmlab.errors import LabError, ModelError
from llmlab.model import Message, Model, Reply
from llmlab.settings import DATA
from llmlab.show.view import View, table_of
from llmlab.trace import Trace

HELDOUT = DATA / "adapter" / "heldout"
Z95 = 1.959964  # the 97.5 % point of the normal distribution
SQL_STEPS = 1_000_000  # of SQLite's virtual machine, after which a query counts as one that never ends
GATE = 8  # items of each skill in the gate
# Tokens of an answer, by type of check: about three times what a right one needs, for a weak model may never stop.
MAX_TOKENS = {"tool_calls": 120, "no_call": 120, "asks": 120, "json": 160, "sql": 160, "number": 240}
LONGEST = 300


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


def difference(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, float]:
    """The 95 % interval of the first success rate minus the second (R. G. Newcombe, 1998, Statistics in Medicine
    17:873, method 10)."""
    (p1, low1, high1), (p2, low2, high2) = ((r / n, *interval(r, n)) for r, n in (first, second))
    return p1 - p2 - sqrt((p1 - low1) ** 2 + (high2 - p2) ** 2), p1 - p2 + sqrt((high1 - p1) ** 2 + (p2 - low2) ** 2)


@dataclass(frozen=True)
class Item:
    """One question of an evaluation set, and how its answer is judged.

    With `rounds`, an answer that fails its check of type text is given back with advice, and judged anew.
    """

    id: str
    skill: str
    messages: list[Message]
    check: dict[str, Any]
    tools: list[dict[str, Any]] = field(default_factory=list)
    schema: dict[str, Any] | None = None
    rounds: int = 1

    @property
    def max_tokens(self) -> int:
        """How long its answer may be."""
        return MAX_TOKENS.get(self.check["type"], LONGEST)


@dataclass(frozen=True)
class Outcome:
    """What a model made of an item: right or not, what it said, in how many rounds, whether its last answer was cut off
    at its limit, and the error if a call failed."""

    item: Item
    right: bool
    said: str
    error: str | None = None
    rounds: int = 1
    cut_off: bool = False


def load(files: Iterable[Path], skills: Sequence[str] = ()) -> list[Item]:
    """The items of some JSONL files; word problems come twice, to be solved in steps and directly."""
    items = []
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            item = Item(**{field.name: row[field.name] for field in fields(Item) if field.name in row})
            items += _two_ways(item) if item.skill == "word_problem" else [item]
    return [item for item in items if not skills or item.skill in skills]


def heldout(skills: Sequence[str] = ()) -> list[Item]:
    """The held-out set of the adapter."""
    return load(sorted(HELDOUT.glob("*.jsonl")), skills)


def gate(items: Iterable[Item]) -> list[Item]:
    """A small fixed part: of each skill the items whose ids have the lowest hashes."""
    by_hash = sorted(items, key=lambda item: hashlib.sha256(item.id.encode()).hexdigest())
    return [item for same in by_name(by_hash).values() for item in same[:GATE]]


def fallen(recorded: dict[str, tuple[int, int]], seen: dict[str, tuple[int, int]]) -> list[str]:
    """Skills that are clearly below what was recorded: the 95 % interval of the difference is above 0. "all" is their
    sum, which shows a small loss everywhere. One answer in eight that flips, as between processors, is no alarm."""

    def with_sum(counts: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        right, tried = zip(*counts.values(), strict=True)
        return {**counts, "all": (sum(right), sum(tried))}

    before, now = with_sum(recorded), with_sum(seen)
    return [skill for skill in before if difference(before[skill], now[skill])[0] > 0]


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
            outcomes.append(await _ask(model, item))
            if told:
                told(outcomes[-1])
    return outcomes


async def _ask(model: Model, item: Item) -> Outcome:
    messages = item.messages
    said: list[str] = []
    options: dict[str, Any] = {"tools": item.tools or None, "schema": item.schema, "max_tokens": item.max_tokens}
    try:
        while True:
            reply = await model.chat(messages, **options, stream=False)
            said.append(" ".join([reply.text, *(f"{c.name}({c.arguments})" for c in reply.tool_calls)]).strip())
            right = judge(item, reply)
            if right or len(said) == item.rounds or not reply.text.strip():
                cut_off = reply.finish_reason == "length"
                return Outcome(item, right, "\n\n".join(said), None, len(said), cut_off)
            # As the reflective agent does it: the latest text and one line of advice, without what was said before.
            ask = Reflective.prompts["revise"].format(
                advice=shortcomings(item.check, reply)[0], text=reply.text.strip()
            )
            messages = [{"role": "user", "content": ask}]
    except ModelError as error:
        return Outcome(item, False, "\n\n".join(said), str(error), len(said) + 1)


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


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Counts and intervals by skill, to be saved as JSON."""
    return {
        "cut_off": sum(outcome.cut_off for outcome in outcomes),
        "skills": {
            skill: {"right": right, "of": n, "interval": [round(end, 3) for end in interval(right, n)]}
            for skill, (right, n) in by_skill(outcomes).items()
        },
    }


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


def shortcomings(check: dict[str, Any], reply: Reply) -> list[str]:
    """What a text lacks by its check, a sentence each, to be given to the model as advice; none if it passes."""
    text = reply.text.strip()
    low, words, lines = text.lower(), len(text.split()), text.splitlines()
    sentences = len([s for s in re.split(r"(?<=[.!?])[\"')\]]*\s+", text) if s])
    least, most = check.get("sentences", (0, inf))
    start, times = check.get("lines_starting_with", ("", 0))
    starting = sum(line.strip().startswith(start) for line in lines)
    max_words, max_chars = check.get("max_words", inf), check.get("max_chars", inf)
    opening, ending = check.get("starts_with", ""), check.get("ends_with", "")
    facts = [[name] if isinstance(name, str) else name for name in check.get("all", [])]
    facts += [check["any"]] if check.get("any") else []
    wanted = [
        (bool(text), "It is empty."),
        (words <= max_words, f"It has {words} words; at most {max_words} are allowed."),
        (len(text) <= max_chars, f"It has {len(text)} characters; at most {max_chars} are allowed."),
        (
            least <= sentences <= most,
            f"It has {_count(sentences, 'sentence')}; it has to have {least if least == most else f'{least} to {most}'}.",
        ),
        (low.startswith(opening.lower()), f'It has to start with "{opening}".'),
        (text.endswith(ending), f'It has to end with "{ending}".'),
        (not check.get("upper") or text == text.upper(), "It has to be in capital letters."),
        (
            not start or starting == times,
            f'It has {_count(starting, "line")} starting with "{start}"; it has to have {times}.',
        ),
        *((name.lower() not in low, f'It must not say "{name}".') for name in check.get("none", [])),
        *((any(one.lower() in low for one in names), f'It has to say "{names[0]}".') for names in facts),
        (not check.get("no_call") or not reply.tool_calls, "It has to be an answer in words, without a tool call."),
    ]
    return [sentence for met, sentence in wanted if not met]


def _count(n: int, name: str) -> str:
    return f"{n} {name}" if n == 1 else f"{n} {name}s"


def _text(check: dict[str, Any], reply: Reply) -> bool:
    return not shortcomings(check, reply)


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
