"""Word problems with small numbers and plain sums, solved in short steps (skill "steps") or at once ("direct")."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from . import kit_words

WRITTEN = Path(__file__).parent.parent / "written"
HIGHEST = 500
LIMIT = 2200  # characters of an item

Item = dict[str, Any]
Scope = dict[str, Any]
NUMBER_WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
CURRENCIES = ["dollars", "euros", "pounds", "pesos", "crowns", "francs", "rupees"]
PARTS = {2: "half", 3: "third", 4: "quarter", 5: "fifth"}


# --- What is written by hand ---------------------------------------------------------------------------------------


@dataclass
class Story:
    """A kind of word problem: how its numbers are drawn, its wordings, steps and answer."""

    name: str
    draws: list[str] = field(default_factory=list)
    wordings: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    answer: str = ""


@dataclass
class Setting:
    """A kind of problem in which one amount changes again and again."""

    thing: str  # the list that {t} is taken from
    low: int
    high: int
    start: list[str] = field(default_factory=list)
    ask: list[str] = field(default_factory=list)
    events: list[tuple[str, str, str]] = field(default_factory=list)  # sign, sentence, name of the step


@dataclass
class Problem:
    """One problem: its text, the lines that solve it, and the answer."""

    text: str
    steps: list[str]
    answer: int
    kind: str

    def worked(self) -> str:
        """Nothing but its calculations and the answer, as the kit's own prompt asks for it."""
        calculations = [found[0] for step in self.steps for found in CALCULATION.finditer(step)]
        return "\n".join([*calculations, f"Answer: {self.answer}"])


def _lines(name: str) -> list[str]:
    lines = (WRITTEN / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def stories() -> list[Story]:
    """The kinds of word problems in stories.txt."""
    found: list[Story] = []
    for line in _lines("stories.txt"):
        mark, _, rest = line.partition(" ")
        if mark == "==":
            found.append(Story(rest))
        elif mark == ":":
            found[-1].draws += rest.split("; ")
        elif mark == "if":
            found[-1].draws.append(line)
        elif mark == "?":
            found[-1].wordings.append(rest)
        elif mark == "-":
            found[-1].steps.append(rest)
        elif mark == "=":
            found[-1].answer = rest
    return found


@cache
def things() -> dict[str, list[tuple[str, str]]]:
    """The lists of things in stories.txt: singular and plural."""
    lists = {}
    for line in _lines("stories.txt"):
        if line.startswith("* "):
            name, _, words = line[2:].partition(": ")
            lists[name] = [tuple(word.split("/")) for word in words.split(", ")]
    return lists  # type: ignore[return-value]


@cache
def settings() -> list[Setting]:
    """The settings of chains.txt."""
    found: list[Setting] = []
    for line in _lines("chains.txt"):
        mark, _, rest = line.partition(" ")
        if mark == "==":
            name, low, high = rest.replace(": ", " ").rsplit(" ", 2)
            found.append(Setting(name if name in things() else "small", int(low), int(high)))
        elif mark in ("start:", "ask:"):
            getattr(found[-1], mark[:-1]).extend(rest.split(" / "))
        else:
            sentence, _, name = rest.partition(" | ")
            found[-1].events.append((mark, sentence, name))
    return found


@cache
def frames() -> dict[str, list[str]]:
    """The sections of arithmetic_frames.txt."""
    sections: dict[str, list[str]] = {}
    for line in _lines("arithmetic_frames.txt"):
        if line.startswith("== "):
            current = sections.setdefault(line[3:], [])
        else:
            current.append(line)
    return sections


@cache
def _people() -> dict[str, list[str]]:
    pairs = (line.partition(": ") for line in _lines("people.txt"))
    return {key: values.split(";" if ";" in values else " ") for key, _, values in pairs}


# --- Word problems -------------------------------------------------------------------------------------------------


def _scope(rng: random.Random) -> Scope:
    """Two people, a currency and one thing of each list."""
    sex = rng.choice(["she", "he"])
    people = _people()
    first = rng.choice(people[sex])
    second = rng.choice([n for n in people["she"] + people["he"] if n != first])
    she, her, em = ("she", "her", "her") if sex == "she" else ("he", "his", "him")
    currency = rng.choice(CURRENCIES)
    scope: Scope = {"N": first, "M": second, "she": she, "her": her, "em": em, "She": she.title(), "Her": her.title()}
    scope |= {"cur": currency, "cur1": currency[:-1], "city": rng.choice(people["cities"]), "z": rng.randint(2, 40)}
    for name, words in things().items():
        scope[name + "1"], scope[name] = rng.choice(words)
    return scope


def _draw(rng: random.Random, draws: list[str], scope: Scope) -> bool:
    """Draw what a story needs; False if its conditions are not met."""
    for draw in draws:
        if draw.startswith("if "):
            if not _value(draw[3:], scope):
                return False
            continue
        name, worked_out, value = re.match(r"(\w+)(:?)=(.+)", draw).groups()  # type: ignore[union-attr]
        if worked_out:
            scope[name] = _value(value, scope)
        elif value in things():
            scope[name + "1"], scope[name] = rng.choice(things()[value])
        elif value.startswith("["):
            scope[name] = rng.choice(_value(value, scope))
        else:
            low, high = (int(_value(v, scope)) for v in value.split(".."))
            if low > high:
                return False
            scope[name] = rng.randint(low, high)
    return True


def _value(expression: str, scope: Scope) -> Any:
    """The value of an expression in stories.txt (our own file: names, numbers and arithmetic)."""
    return eval(expression, {"__builtins__": {}}, scope)


def _fill(text: str, scope: Scope, spoken: frozenset[int] = frozenset()) -> str:
    """A text with its braces filled; numbers in `spoken` are written as words."""

    def value(match: re.Match[str]) -> str:
        found = _value(match.group(1), scope)
        if isinstance(found, float):
            assert found == int(found), (text, found)
            found = int(found)
        if isinstance(found, int) and found in spoken and not re.match(r":| ?(km/h|h\b)", text[match.end() :]):
            return NUMBER_WORDS[found]
        return str(found)

    filled = re.sub(r"\{([^}]+)\}", value, text)
    filled = re.sub(r"(?<![\d:.])\b1 ([a-z]+[^s\W])s\b", r"1 \1", filled).replace("1 children", "1 child")
    filled = re.sub(r"\b([Aa]) (?=[aeiou8]|1[18]\b)", r"\1n ", filled)
    return re.sub(r"(^|[.!?] )([a-z])", lambda m: m.group(1) + m.group(2).upper(), filled)


def story(rng: random.Random, kind: Story) -> Problem:
    """A problem of one kind."""
    for _ in range(500):
        scope = _scope(rng)
        if not _draw(rng, kind.draws, scope):
            continue
        answer = _value(kind.answer, scope)
        if not 0 <= answer <= HIGHEST:
            continue
        spoken = frozenset(range(2, 13)) if rng.random() < 0.14 else frozenset()
        text = _fill(rng.choice(kind.wordings), scope, spoken)
        if rng.random() < 0.06:
            aside = _fill(rng.choice(frames()["aside"]), scope)
            text = f"{aside} {text}"
        return Problem(text, [_fill(step, scope) for step in kind.steps], int(answer), kind.name)
    raise AssertionError(f"no numbers for {kind.name}")


def chain(rng: random.Random, least: int = 2) -> Problem:
    """An amount that changes up to five times."""
    while True:
        setting, scope = rng.choice(settings()), _scope(rng)
        scope["t"], scope["t1"] = scope[setting.thing], scope[f"{setting.thing}1"]
        high = setting.high if rng.random() < 0.3 else max(setting.low + 10, 30)  # small numbers more often
        amount = scope["x"] = rng.randint(setting.low, min(setting.high, high))
        told, steps = [rng.choice(setting.start)], []
        for sign, sentence, name in rng.sample(
            setting.events, rng.choice([least, 2, 2, 3, 3, 3, 4, 4, 5]) if len(setting.events) > 5 else 3
        ):
            made = _change(rng, sign, amount)
            if made is None:
                continue
            scope["k"], new = made
            scope["k_th"] = PARTS.get(scope["k"], "")
            told.append(_fill(sentence, scope).replace("2 times as", "twice as"))
            symbol = {"*": "x", ":": "/"}.get(sign, sign)
            steps.append(f"{_fill(name, scope)}: {amount} {symbol} {scope['k']} = {new}.")
            amount = new
        if len(steps) < least or not 0 <= amount <= HIGHEST:
            continue
        text = " ".join([_fill(told[0], scope), *told[1:], _fill(rng.choice(setting.ask), scope)])
        return Problem(text, steps, amount, "chain")


def _change(rng: random.Random, sign: str, amount: int) -> tuple[int, int] | None:
    """A number for an event, and the amount after it."""
    if sign == "+":
        k = rng.randint(2, 40 if amount > 30 and rng.random() < 0.3 else 12)
        return k, amount + k
    if sign == "-":
        if amount < 4:
            return None
        k = rng.randint(2, min(amount - 1, 40 if rng.random() < 0.3 else 12))
        return k, amount - k
    if sign == "*":
        k = rng.randint(2, 4)
        return (k, amount * k) if amount * k <= 400 else None
    fitting = [k for k in (2, 3, 4, 5) if amount % k == 0 and amount >= 2 * k]
    if not fitting:
        return None
    k = rng.choice(fitting)
    return k, amount // k


# --- Plain sums ----------------------------------------------------------------------------------------------------


def _said(rng: random.Random, numbers: list[int]) -> str:
    """Numbers as people list them."""
    words = [str(n) for n in numbers]
    if len(words) == 2:
        return " and ".join(words)
    return rng.choice([", ".join(words), ", ".join(words[:-1]) + " and " + words[-1], ", ".join(words)])


def plain(rng: random.Random) -> Problem:
    """A sum of two to eight numbers, a difference or a product."""
    kind = rng.choices(["sum", "minus", "times"], [66, 18, 16])[0]
    ask = rng.choice(frames()[kind])
    if kind == "sum":
        size = rng.choice([2, 2, 3, 3, 4, 4, 5, 6, 7, 8])
        top = rng.choice([20, 60, 99, 99] if size < 5 else [12, 30, 60])
        numbers = [rng.randint(1, top) for _ in range(size)]
        steps, total = [], numbers[0]
        for n in numbers[1:]:
            steps.append(f"{total} + {n} = {total + n}.")
            total += n
        text = ask.format(list=_said(rng, numbers), plus=rng.choice([" + ", " + ", " plus "]).join(map(str, numbers)))
        return Problem(text, steps, total, kind)
    if kind == "minus":
        a = rng.randint(5, rng.choice([30, 100, 300]))
        b = rng.randint(1, a)
        steps = [f"{a} - {b} = {a - b}."]
        tens = b // 10 * 10
        if b > 10 and tens != b and a - b > 0 and a > 30:
            steps = [f"{a} - {tens} = {a - tens}.", f"{a - tens} - {b - tens} = {a - b}."]
        return Problem(ask.format(a=a, b=b), steps, a - b, kind)
    a, b = rng.randint(2, 12), rng.randint(2, rng.choice([12, 12, 30]))
    steps = [f"{a} x {b} = {a * b}."]
    if b > 12 and b % 10:
        tens = b // 10 * 10
        steps = [
            f"{a} x {tens} = {a * tens}.",
            f"{a} x {b - tens} = {a * (b - tens)}.",
            f"{a * tens} + {a * (b - tens)} = {a * b}.",
        ]
    return Problem(ask.format(a=a, b=b), steps, a * b, kind)


# --- Items ---------------------------------------------------------------------------------------------------------


def problem(rng: random.Random, kit: bool) -> Problem:
    """A problem of any kind; those in the kit's own words are chains more often, as in chapter 06."""
    kind = rng.choices(["story", "chain", "plain"], [55, 37, 8] if kit else [70, 15, 15])[0]
    if kind == "story":
        return story(rng, rng.choice(stories()))
    return chain(rng, least=1 if kit else 2) if kind == "chain" else plain(rng)


def item(rng: random.Random, skill: str) -> Item:
    """A problem with the instruction to solve it in steps, or at once."""
    kit = kit_words.used(rng)
    made = problem(rng, kit)
    asked = _ask(rng, made, skill)
    content = "\n".join([*made.steps, f"Answer: {made.answer}"])
    if kit:
        asked = kit_words.ask(kit_words.STEPS if skill == "steps" else kit_words.DIRECT, task=made.text)
        content = made.worked()
    if skill != "steps":
        content = f"Answer: {made.answer}"
    return {"skill": skill, "messages": [*asked, {"role": "assistant", "content": content}]}


def _ask(rng: random.Random, made: Problem, skill: str) -> list[dict[str, str]]:
    text, instructions = made.text, frames()[skill]
    if skill == "direct" and made.kind in ("sum", "minus", "times"):  # a bare number is what splitting.py teaches
        instructions = [i for i in instructions if "nswer" in i and "number only" not in i]
    instruction = rng.choice(instructions)
    if rng.random() < 0.12:
        text = f"{rng.choice(frames()['lead'])}{rng.choice([' ', chr(10)])}{text}"
    elif rng.random() < 0.04:
        text = (
            text[0].lower() + text[1:].rstrip("?.")
            if not text.split()[0].isalpha() or text.split()[0] in ("There", "How", "What")
            else text
        )
    layout = rng.choices(["after", "below", "before", "system"], [42, 22, 16, 20])[0]
    if layout == "system":
        system = rng.choice(frames()[f"{skill} system"] + [instruction])
        return [{"role": "system", "content": system}, {"role": "user", "content": text}]
    gap = {"after": " ", "below": rng.choice(["\n", "\n\n"]), "before": rng.choice([" ", "\n", "\n\n"])}[layout]
    parts = [instruction, text] if layout == "before" else [text, instruction]
    if layout == "after" and text[-1] not in ".?!":
        gap = "\n"
    messages = [{"role": "user", "content": gap.join(parts)}]
    if rng.random() < 0.06:
        messages.insert(0, {"role": "system", "content": rng.choice(frames()["neutral system"])})
    return messages


def calculation(rng: random.Random) -> tuple[str, int]:
    """A small calculation and its result, mostly below 80, as the chapters need them: 7 + 48, 61 - 24, 17 x 3, 34 / 2."""
    kind = rng.choices(["+", "+ both", "-", "x", "/", "large"], [24, 28, 26, 7, 3, 12])[0]
    if kind == "+":
        a, b = rng.randint(1, 60), rng.randint(1, 20)
        return f"{a} + {b}", a + b
    if kind == "+ both":
        a, b = rng.randint(3, 60), rng.randint(3, 60)
        return f"{a} + {b}", a + b
    if kind == "-":
        a = rng.randint(4, 80)
        b = rng.randint(1, min(a - 1, rng.choice([9, 20, 20, 40])))
        return f"{a} - {b}", a - b
    if kind == "x":
        a, b = rng.choice([(rng.randint(2, 30), rng.randint(2, 3)), (rng.randint(2, 10), rng.randint(2, 10))])
        return f"{a} x {b}", a * b
    if kind == "/":
        a, b = rng.randint(2, 30), rng.choice([2, 2, 2, 3, 4, 5])
        return f"{a * b} / {b}", a
    a, b = rng.randint(30, rng.choice([150, 600])), rng.randint(5, 300)
    return (f"{a} + {b}", a + b) if a < b or rng.random() < 0.5 else (f"{a} - {b}", a - b)


def drill_item(rng: random.Random) -> Item:
    """Calculations with nothing around them: what every step is made of, with little to read for each."""
    made = [calculation(rng) for _ in range(rng.randint(6, 14))]
    listed = rng.choice([", ", "\n", "; "]).join(text for text, _ in made)
    ask = rng.choice(["Calculate", "Work these out", "Calculate each, one a line", "Results", "Solve these"])
    answer = "\n".join(f"{text} = {result}" for text, result in made)
    content = f"{ask}: {listed}" if "\n" not in listed else f"{ask}:\n{listed}"
    return {
        "skill": "drill",
        "messages": [{"role": "user", "content": content}, {"role": "assistant", "content": answer}],
    }


def items(rng: random.Random, n: int) -> list[Item]:
    """`n` items: of five, two in steps and two direct, over the same kinds of problems, and one drill."""
    kinds = ("steps", "direct", "steps", "direct", "drill")
    return [drill_item(rng) if (kind := kinds[i % 5]) == "drill" else item(rng, kind) for i in range(n)]


# --- Checks --------------------------------------------------------------------------------------------------------

CALCULATION = re.compile(r"(\d+(?: [-+x/] \d+)+) = (\d+)")


def check(made: list[Item]) -> None:
    """Every calculation is right, the steps lead to the answer, and both forms have the same one."""
    for item in made:
        *_, last = item["messages"]
        assert sum(len(m["content"]) for m in item["messages"]) <= LIMIT
        if item["skill"] == "drill":
            for line in last["content"].split("\n"):
                done = CALCULATION.search(line)
                assert done, line
                assert eval(done.group(1).replace("x", "*")) == int(done.group(2)), line
            continue
        *steps, answer = last["content"].split("\n")
        match = re.fullmatch(r"Answer: (\d+)", answer)
        assert match, last
        assert int(match.group(1)) <= HIGHEST, last
        assert bool(steps) == (item["skill"] == "steps"), last
        assert not any("{" in m["content"] for m in item["messages"]), item
        if not steps:
            continue
        assert len(steps) <= 7, last
        for step in steps:
            found = CALCULATION.search(step)
            assert found, step
            assert eval(found.group(1).replace("x", "*")) == int(found.group(2)), step
            assert step.endswith(".") or step == found[0], step
        assert re.search(rf"\b{match.group(1)}\b", "\n".join(steps)), last


def written() -> list[Item]:
    """The items composed by hand."""
    return [json.loads(line) for line in (WRITTEN / "arithmetic.jsonl").read_text(encoding="utf-8").splitlines()]
