"""The steps of recursive decomposition: lists cut into halves (skill "split"), parts put together ("combine"), and many
small cases in a row ("practice")."""

from __future__ import annotations

import json
import random
import re
import string
from functools import cache
from pathlib import Path
from typing import Any

from . import kit_words

WRITTEN = Path(__file__).parent.parent / "written"
LIMIT = 2200  # characters of an item

Item = dict[str, Any]
Values = list[Any]


# --- What is written by hand ---------------------------------------------------------------------------------------


def _lines(name: str) -> list[str]:
    lines = (WRITTEN / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def frames() -> dict[str, list[str]]:
    """The sections of splitting_frames.txt."""
    sections: dict[str, list[str]] = {}
    for line in _lines("splitting_frames.txt"):
        if line.startswith("== "):
            current = sections.setdefault(line[3:], [])
        else:
            current.append(line)
    return sections


@cache
def words() -> dict[str, list[str]]:
    """The lists of words.txt."""
    return {name: values.split(", ") for name, _, values in (line.partition(": ") for line in _lines("words.txt"))}


# --- Lists ---------------------------------------------------------------------------------------------------------


def numbers(rng: random.Random, n: int) -> Values:
    """`n` numbers: mostly of one or two digits; now and then large, negative or with a decimal."""
    top = rng.choice([9, 20, 50, 99, 99, 99, 250, 999])
    kind = rng.random()
    if kind < 0.04:
        return [round(rng.uniform(0.5, 30), 1) for _ in range(n)]
    if kind < 0.07:
        return [rng.randint(-20, 20) for _ in range(n)]
    return [rng.randint(1, top) for _ in range(n)]


def some_words(rng: random.Random, n: int, repeated: bool = False) -> Values:
    """`n` words of one list, or of several."""
    pools = words()
    plain = [name for name in pools if name[0].islower() and name not in ("phrases", "things")]
    if rng.random() < 0.3 or n > 18:
        pool = sorted({word for name in plain for word in pools[name]})
    else:
        pool = pools[rng.choice([name for name in pools if len(pools[name]) >= n])]
    if repeated and rng.random() < 0.5:
        few = rng.sample(pool, rng.randint(2, min(6, n)))
        return [rng.choice(few) for _ in range(n)]
    return rng.sample(pool, n)


def letters(rng: random.Random, n: int) -> Values:
    """`n` letters: few different ones or any, capital or small."""
    alphabet = rng.choice([string.ascii_lowercase, string.ascii_uppercase])
    return rng.choices(rng.sample(alphabet, rng.choice([2, 3, 5, 26])), k=n)


def said(rng: random.Random, values: Values) -> str:
    """A list as people write it: with commas, semicolons, bars, spaces, a line each, as JSON."""
    texts = [str(v) for v in values]
    spaced = any(" " in t for t in texts)
    is_number = not isinstance(values[0], str)
    forms = ["comma"] * 8 + ["and", "semicolon", "bar", "lines", "dashes", "json", "tight", "quoted"]
    forms += [] if spaced else ["spaces", "spaces"]
    forms += [] if is_number else ["numbered"]
    form = rng.choice(forms)
    if form in ("lines", "dashes", "numbered"):
        mark = {"lines": lambda i: "", "dashes": lambda i: "- ", "numbered": lambda i: f"{i + 1}. "}[form]
        return "\n" + "\n".join(mark(i) + t for i, t in enumerate(texts))
    if form == "and":
        return ", ".join(texts[:-1]) + f" and {texts[-1]}"
    if form == "json":
        return json.dumps(values)
    if form == "quoted" and not is_number:
        return ", ".join(f'"{t}"' for t in texts)
    return {"semicolon": "; ", "bar": " | ", "spaces": " ", "tight": ","}.get(form, ", ").join(texts)


def _fill(frame: str, **slots: Any) -> str:
    """A frame with its slots filled; other braces stay."""
    for name, value in slots.items():
        frame = frame.replace("{" + name + "}", str(value))
    return frame


def _about(rng: random.Random, frame: str, values: Values) -> str:
    """A frame with the list in it; a list on lines of its own is not followed by more on its last line."""
    listed = said(rng, values)
    text = _fill(frame, list=listed, plus=" + ".join(map(str, values))).replace(" \n", "\n")
    return re.sub(r"\n(?!.*\n)([^\n]*?)([.?])$", r"\n\1", text) if listed.startswith("\n") else text


# --- Items ---------------------------------------------------------------------------------------------------------


def _messages(rng: random.Random, text: str, request: str, system: list[str]) -> list[dict[str, str]]:
    """The task with the request after or before it, or with the request as a system message."""
    layout = rng.choices(["after", "below", "before", "system", "neutral"], [26, 24, 16, 26, 8])[0]
    if layout == "system":
        rules = rng.choice([*system, request])
        return [{"role": "system", "content": rules}, {"role": "user", "content": text}]
    gap = rng.choice(["\n", "\n\n"]) if layout != "after" or "\n" in text or text[-1] not in ".?!" else " "
    content = gap.join([request, text] if layout == "before" else [text, request])
    messages = [{"role": "user", "content": content}]
    if layout == "neutral":
        messages.insert(0, {"role": "system", "content": rng.choice(frames()["neutral system"])})
    return messages


def _item(skill: str, messages: list[dict[str, str]], answer: str) -> Item:
    return {"skill": skill, "messages": [*messages, {"role": "assistant", "content": answer}]}


def halves(values: Values) -> tuple[Values, Values]:
    """The two halves; the left one has the odd item."""
    middle = (len(values) + 1) // 2
    return values[:middle], values[middle:]


def split_item(rng: random.Random) -> Item:
    """A task on a list, to be cut into two."""
    n = rng.randint(4, 24)
    kind = rng.choices(["sum", "sort", "sort numbers", "count", "largest", "each"], [38, 22, 7, 18, 5, 10])[0]
    if kind in ("sum", "sort numbers", "largest"):
        values = numbers(rng, n)
    else:
        values = letters(rng, n) if rng.random() < 0.15 else some_words(rng, n, repeated=True)
    task = _about(rng, rng.choice(frames()[kind]), values)
    if rng.random() < 0.25:
        task = rng.choice(["Task: ", "Task:\n", "The task: ", "Problem: ", "Job: "]) + task
    left, right = halves(values)
    messages = _messages(rng, task, rng.choice(frames()["split"]), frames()["split system"])
    if kind in ("sum", "sort", "sort numbers") and kit_words.used(rng):
        prompts = kit_words.SUM if kind == "sum" else kit_words.SORT
        messages = kit_words.ask(prompts["split"], items=", ".join(map(str, values)))
    return _item("split", messages, json.dumps({"left": left, "right": right}))


def add_item(rng: random.Random) -> Item:
    """A short list, added."""
    n, top = rng.choice([2, 2, 3, 3, 4]), rng.choice([9, 20, 50, 99, 99])
    values = [rng.randint(0 if rng.random() < 0.1 else 1, top) for _ in range(n)]
    task = _about(rng, rng.choice(frames()["add"]), values)
    messages = _messages(rng, task, rng.choice(frames()["number"]), frames()["number system"])
    if kit_words.used(rng):
        messages = kit_words.ask(kit_words.SUM["solve"], items=", ".join(map(str, values)))
    return _item("combine", messages, str(sum(values)))


def subtotal_item(rng: random.Random) -> Item:
    """Two subtotals, added."""
    top = rng.choice([30, 99, 200, 200, 500, 999])
    a, b = rng.randint(1, top), rng.randint(1, top)
    text = _fill(rng.choice(frames()["subtotals"]), a=a, b=b)
    messages = _messages(rng, text, rng.choice(frames()["number"]), frames()["number system"])
    if kit_words.used(rng):
        messages = kit_words.ask(kit_words.SUM["combine"], left=a, right=b)
    return _item("combine", messages, str(a + b))


def merge_item(rng: random.Random) -> Item:
    """Two sorted short lists, merged."""
    n, m = rng.randint(1, 5), rng.randint(1, 5)
    values = (
        [rng.randint(1, rng.choice([20, 99, 99])) for _ in range(n + m)]
        if rng.random() < 0.45
        else some_words(rng, n + m)
    )
    rng.shuffle(values)
    left, right = sorted(values[:n]), sorted(values[n:])
    shown = json.dumps if rng.random() < 0.7 else lambda v: ", ".join(map(str, v))
    text = _fill(rng.choice(frames()["merge"]), a=shown(left), b=shown(right))
    messages = _messages(rng, text, rng.choice(frames()["list"]), frames()["list system"])
    if kit_words.used(rng):
        messages = kit_words.ask(kit_words.SORT["combine"], left=json.dumps(left), right=json.dumps(right))
    return _item("combine", messages, json.dumps(sorted(values)))


def small_item(rng: random.Random) -> Item:
    """The other cases that are small enough to be solved at once: sorted, counted, the largest found."""
    kind = rng.choices(["short sort", "short count", "short largest"], [50, 25, 25])[0]
    n = rng.randint(2, 4)
    if kind == "short sort":
        values = numbers(rng, n) if rng.random() < 0.4 else some_words(rng, n)
        request, system, answer = "list", "list system", json.dumps(sorted(values))
    elif kind == "short count":
        values = some_words(rng, n)
        request, system, answer = "number", "number system", str(n)
    else:
        values = rng.sample(range(1, 999), n)
        request, system, answer = "number", "number system", str(max(values))
    frame = rng.choice(frames()[kind])
    if "{a}" in frame:
        answer = str(max(values[:2])) if kind == "short largest" else answer
        frame = _fill(frame, a=values[0], b=values[1])
    wanted = [r for r in frames()[request] if not re.search(r"sum|total", r)]
    rules = [r for r in frames()[system] if not re.search(r"sum|add|merge", r, re.I)]
    messages = _messages(rng, _about(rng, frame, values), rng.choice(wanted), rules)
    if kind == "short sort" and kit_words.used(rng):
        messages = kit_words.ask(kit_words.SORT["solve"], items=", ".join(map(str, values)))
    return _item("combine", messages, answer)


def _case(rng: random.Random, kind: str) -> tuple[str, str]:
    """A small case in the kit's own words, and its answer."""
    if kind == "sum":
        values = [rng.randint(1, rng.choice([9, 20, 60])) for _ in range(rng.choice([1, 2, 2, 2, 2, 2, 3]))]
        return kit_words.fill(kit_words.SUM["solve"], items=", ".join(map(str, values))), str(sum(values))
    if kind == "subtotal":
        a, b = (rng.randint(1, rng.choice([20, 60, 120, 250])) for _ in range(2))
        return kit_words.fill(kit_words.SUM["combine"], left=a, right=b), str(a + b)
    if kind == "sort":
        words = some_words(rng, rng.randint(1, 4))
        return kit_words.fill(kit_words.SORT["solve"], items=", ".join(words)), json.dumps(sorted(words))
    words = some_words(rng, rng.randint(2, 10))
    cut = (len(words) + 1) // 2
    left, right = json.dumps(sorted(words[:cut])), json.dumps(sorted(words[cut:]))
    return kit_words.fill(kit_words.SORT["combine"], left=left, right=right), json.dumps(sorted(words))


def practice_item(rng: random.Random) -> Item:
    """Small cases one after another in one conversation: much to learn for little to read."""
    kind = rng.choice(["sum", "sum", "subtotal", "sort", "sort", "merge", "any"])
    messages: list[dict[str, str]] = []
    for _ in range(rng.choice([1, 1, 4, 6, 8])):
        asked, answer = _case(rng, rng.choice(["sum", "subtotal", "sort", "merge"]) if kind == "any" else kind)
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        if sum(len(m["content"]) for m in messages) > LIMIT - 500:
            break
    return {"skill": "practice", "messages": messages}


def combine_item(rng: random.Random) -> Item:
    """A small case solved, or two results combined."""
    makers = [add_item, subtotal_item, merge_item, small_item]
    return rng.choices(makers, [30, 25, 27, 18])[0](rng)


def items(rng: random.Random, n: int) -> list[Item]:
    """`n` items: four of ten split a list, two combine, four practise small cases."""
    return [rng.choices([split_item, combine_item, practice_item], [4, 2, 4])[0](rng) for _ in range(n)]


# --- Checks --------------------------------------------------------------------------------------------------------


def check(made: list[Item]) -> None:
    """Halves hold the items of the prompt in order and differ by one at most; numbers and lists are plain JSON."""
    for item in made:
        *asked, last = item["messages"]
        prompt = "\n".join(m["content"] for m in asked)
        assert len(prompt) + len(last["content"]) <= LIMIT
        found = json.loads(last["content"])
        if item["skill"] != "split":
            assert isinstance(found, (int, list)), last
            assert not isinstance(found, list) or found == sorted(found), last
            continue
        assert list(found) == ["left", "right"], last
        assert 0 <= len(found["left"]) - len(found["right"]) <= 1, last
        at = 0
        for value in found["left"] + found["right"]:
            at = prompt.find(str(value), at)
            assert at >= 0, (value, prompt)
            at += len(str(value))
