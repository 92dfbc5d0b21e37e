"""The catalogue of tools for the skill "tools": written/tool_catalogue.txt and written/tool_words.txt, read and filled.

A tool is a paragraph of the catalogue; `## group | system message` opens a group. The first sign of a line says what
it is:

    #  names, the first one is what the catalogue calls it        :  descriptions, the first one is an imperative
    -  parameter: names, `?` if optional, kind, values | description; kinds are s(tring), i(nteger), n(umber),
       b(oolean), e(num, `value=spoken form`), l(ist of strings)
    *  verb phrase, goes into general sentences                    >  request; `>!` if a neighbour could do it as well
    >> request for two calls, {city#1} and {city#2}                ~  follow-up of another request
    ?  request without a needed argument :: parameter :: question|question :: reply|reply
    =  fields of the result, [ fields of each row of the result, S the result as a sentence
    Q  question => answer from the fields, for rows question => min f, max f, count, first, row f or all f => answer
    A  fields of the result of an action => answer                 E  error => answer
    !  tools that are never offered beside it, for they could do the same

{name} is the value of a parameter or field, {name@POOL} takes it from another pool; `|| name=value` at the end of a
line fixes arguments that have no words of their own.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WRITTEN = Path(__file__).resolve().parent.parent / "written"
SLOT = re.compile(r"\{(\w+)(?:@(\w+))?(?:#(\d))?\}")
DIGITS = re.compile(r"\s*(?:kg|g|cm|km|%|mm|kcal|min|mg|pixels|euros|dollars)\b|\s*[%/{:,]| - ")
TYPES = {"s": "string", "i": "integer", "n": "number", "b": "boolean", "e": "string", "l": "array"}
ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
UNIT_KINDS = (
    {"miles", "kilometres", "inches", "feet", "metres", "centimetres", "yards"},
    {"acres", "hectares"},
    {"litres", "gallons", "pints", "cups"},
    {"pounds", "kilograms", "ounces", "grams", "stones"},
)
MONEY = {"amount", "price", "total", "balance", "rent", "fee", "cost", "premium", "net", "gross", "toll", "discount"}
THOUSANDS = MONEY | {"principal", "value", "max_rent", "size"}
TENS = ["", "", *["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a tool, or a field of a result: its possible names, kind and values."""

    names: tuple[str, ...]
    kind: str
    spec: str
    optional: bool = False
    description: str = ""

    @property
    def name(self) -> str:
        """The name by which the catalogue's sentences call it."""
        return self.names[0]

    def enum(self) -> dict[str, str]:
        """The values of an enum with the words in which people say them."""
        pairs = (value.partition("=") for value in self.spec.split(";"))
        return {value: spoken or value for value, _, spoken in pairs}


@dataclass
class Tool:
    """A paragraph of the catalogue."""

    group: str
    names: tuple[str, ...]
    descriptions: list[str] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)
    pairs: list[str] = field(default_factory=list)
    follow_ups: list[str] = field(default_factory=list)
    asks: list[tuple[str, ...]] = field(default_factory=list)
    fields: list[Parameter] = field(default_factory=list)
    rows: bool = False
    sentence: str = ""
    questions: list[tuple[str, ...]] = field(default_factory=list)
    actions: list[tuple[list[Parameter], str]] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    conflicts: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """What the catalogue calls it."""
        return self.names[0]

    @property
    def required(self) -> set[str]:
        """The parameters that every call has."""
        return {p.name for p in self.parameters if not p.optional}


def read_words(path: Path = WRITTEN / "tool_words.txt") -> dict[str, list[str]]:
    """The pools of values; a name that begins with ~ marks patterns."""
    pools: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, values = line.partition(": ")
            mark = "~" if name.startswith("~") else ""
            pools[name.lstrip("~")] = [mark + value.strip() for value in values.split("; ")]
    return pools


def fields_of(text: str) -> list[Parameter]:
    """The fields of a result."""
    found = []
    for part in text.split(" & "):
        name, kind, *spec = part.strip().split(" ", 2)
        found.append(Parameter((name,), kind, spec[0].strip() if spec else ""))
    return found


def _parameter(text: str) -> Parameter:
    head, _, description = text.partition(" | ")
    names, kind, *spec = head.strip().split(" ", 2)
    names_ = tuple(name.strip("_") for name in names.rstrip("?").split("/"))
    return Parameter(names_, kind, spec[0].strip() if spec else "", names.endswith("?"), description.strip())


def add_line(tool: Tool, sign: str, text: str) -> None:
    """Put a line of the catalogue into its tool."""
    if sign == ":":
        tool.descriptions = [d.strip() for d in text.split(" / ")]
    elif sign == "-":
        tool.parameters.append(_parameter(text))
    elif sign == "?":
        text, _, fixed = text.partition(" || ")
        parts = tuple(part.strip() for part in text.split(" :: "))
        tool.asks.append((*parts, *[""] * (4 - len(parts)), fixed))
    elif sign in ("=", "["):
        tool.fields, tool.rows = fields_of(text), sign == "["
    elif sign == "S":
        tool.sentence = text
    elif sign == "Q":
        tool.questions.append(tuple(part.strip() for part in text.split(" => ")))
    elif sign == "A":
        shown, answer = text.split(" => ")
        tool.actions.append((fields_of(shown), answer))
    elif sign == "E":
        error, answer = text.split(" => ")
        tool.errors.append((error, answer))
    elif sign == "!":
        tool.conflicts |= {name.strip() for name in text.split(",")}
    else:
        lists = {"*": tool.phrases, ">": tool.requests, ">!": tool.alone, ">>": tool.pairs, "~": tool.follow_ups}
        lists[sign].append(text)


def read_catalogue(path: Path = WRITTEN / "tool_catalogue.txt") -> tuple[dict[str, Tool], dict[str, str]]:
    """All tools by name, and the system message of each group that has one."""
    tools: dict[str, Tool] = {}
    systems: dict[str, str] = {}
    group, tool = "", None
    for line in path.read_text(encoding="utf-8").splitlines():
        sign, _, text = line.partition(" ")
        if sign == "##":
            group, _, system = (part.strip() for part in text.partition("|"))
            systems[group] = system
        elif sign == "#" and group:
            tool = Tool(group, tuple(name.strip() for name in text.split(",")))
            assert tool.name not in tools, tool.name
            tools[tool.name] = tool
        elif line and tool:
            add_line(tool, sign, text.strip())
    for tool in tools.values():
        for other in tool.conflicts:
            tools[other].conflicts.add(tool.name)
    return tools, systems


POOLS = read_words()
# In these pools "the" is said, but belongs to no argument: "tickets for the Prado", museum: "Prado".
WITH_ARTICLE = set(
    [
        "TOPIC",
        "SHOP",
        "PLACE",
        "TEAM",
        "WIKI",
        "BILLER",
        "MUSEUM",
        "MACHINE",
        "CHARITY",
        "FIELD",
        "POOL",
        "COOP",
        "MEETING",
    ]
)
ARTICLES = {value[4:]: value for pool in sorted(WITH_ARTICLE) for value in POOLS[pool] if value.startswith("the ")}
CATALOGUE, SYSTEMS = read_catalogue()
GROUPS = {tool.group: [t for t in CATALOGUE.values() if t.group == tool.group] for tool in CATALOGUE.values()}


def number_word(number: int) -> str | None:
    """A number in words, for those that people write in words."""
    if 0 <= number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (f"-{ONES[number % 10]}" if number % 10 else "")
    if number in (100, 1000):
        return "a hundred" if number == 100 else "a thousand"
    if number < 1000 and number % 100 == 0:
        return f"{ONES[number // 100]} hundred"
    return None


def pattern(rng: random.Random, text: str) -> str:
    """Fill a pattern: # is a digit, @ a capital letter."""
    text = text.replace("@", "\0")
    text = re.sub("#", lambda _: str(rng.randint(0, 9)), text)
    return re.sub("\0", lambda _: rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ"), text)


class Values:
    """Draws values for the parameters of one item; no value of a pool comes twice."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.used: set[Any] = set()

    def draw(self, parameter: Parameter, pool: str | None = None) -> tuple[Any, str]:
        """A value and the words in which the request says it."""
        kind, spec = ("s", pool) if pool and parameter.kind != "l" else (parameter.kind, pool or parameter.spec)
        if kind == "s":
            value = self._string(spec)
            return (value.removeprefix("the ") if spec in WITH_ARTICLE else value), value
        if kind in "in":
            value = self._number(kind, spec, parameter.name)
            return value, self.spoken(value, parameter.name)
        if kind == "e":
            value, spoken = self._fresh(list(parameter.enum().items()))
            return value, spoken
        if kind == "l":
            values = [self._string(spec) for _ in range(self.rng.choice((2, 2, 2, 3, 3, 1)))]
            return values, listing(values, self.rng)
        value = self.rng.random() < 0.6
        return value, str(value).lower()

    def spoken(self, value: float, name: str) -> str:
        """A number as people write it: digits mostly, words or 1,200 now and then."""
        chance = self.rng.random()
        plain = "id" not in name and "number" not in name and name not in ("year", "room", "number", "order", "card")
        if isinstance(value, int) and plain and chance < (0.3 if value < 13 else 0.1) and (word := number_word(value)):
            return word
        if isinstance(value, int) and name in THOUSANDS and value >= 1000 and chance < 0.3:
            return f"{value:,}"
        return str(value)

    def _string(self, spec: str) -> str:
        if spec.startswith("~"):
            return pattern(self.rng, spec[1:])
        values = POOLS[spec] if spec in POOLS else spec.strip("()").split(";")
        value: str = self._fresh(values)
        return pattern(self.rng, value[1:]) if value.startswith("~") else value

    def _number(self, kind: str, spec: str, name: str) -> float:
        low, high = (float(part) for part in spec.split(".."))
        if (
            kind == "i"
            or name in ("max_price", "max_rent", "principal")
            or (high > 100 and self.rng.random() < 0.7)
            or (high > 9 and self.rng.random() < 0.4)
        ):
            return int(self._fresh(range(-int(-low // 1), int(high) + 1)))
        if name in MONEY:
            return int(self.rng.uniform(low, high)) + self.rng.choice((0.25, 0.49, 0.75, 0.95, 0.99, 0.15, 0.5))
        value = round(self.rng.uniform(low, high), 1)
        return int(value) if value == int(value) else value

    def _fresh(self, values: Any) -> Any:
        for _ in range(30):
            value = self.rng.choice(values)
            if value not in self.used:
                break
        if not isinstance(value, int):
            self.used.add(value)
        return value


def listing(values: list[str], rng: random.Random | None = None) -> str:
    """a, b and c."""
    if len(values) < 2:
        return "".join(values)
    comma = "," if rng and len(values) > 2 and rng.random() < 0.2 else ""
    return f"{', '.join(values[:-1])}{comma} and {values[-1]}"


def articles(text: str) -> str:
    """Make "a" before a vowel "an"."""
    text = re.sub(r"\b([Aa]) (?=[aeioAEIO](?!ne\b|nce\b|u[rl]))", r"\1n ", text)
    text = re.sub(r"\b([Aa]) (?=[uU](?!k|s[ei]|n[ai][^nm]|tili|r[ae]))", r"\1n ", text)
    return re.sub(r"\b([Aa]) (?=(?:8\d*|11|18)\b)", r"\1n ", text)


@dataclass
class Filled:
    """A request with values in it: its text, and the arguments of each call that answers it."""

    text: str
    calls: list[dict[str, Any]]


def fill(values: Values, tool: Tool, frame: str, partial: bool = False) -> Filled:
    """Fill a request frame. Frames with {name#1} and {name#2} give two calls; `partial` lets arguments be missing."""
    filled = _fill(values, tool, frame, partial)
    while not all(_sensible(given) for given in filled.calls):
        filled = _fill(values, tool, frame, partial)
    return filled


def _sensible(arguments: dict[str, Any]) -> bool:
    """Only units of one kind can be converted into each other."""
    units = {arguments[name] for name in ("from_unit", "to_unit") if name in arguments}
    return len(units) < 2 or any(units <= kind for kind in UNIT_KINDS)


def _fill(values: Values, tool: Tool, frame: str, partial: bool) -> Filled:
    text, _, fixed = (part.strip() for part in frame.partition("||"))
    by_name = {p.name: p for p in tool.parameters}
    drawn: dict[tuple[str, str], tuple[Any, str]] = {}

    def put(match: re.Match[str]) -> str:
        name, pool, index = match.group(1), match.group(2), match.group(3) or ""
        if (name, index) not in drawn:
            value = values.draw(by_name[name], pool)
            for _ in range(20):
                if all(value[0] != other[0] or n != name for (n, _), other in drawn.items()):
                    break
                value = values.draw(by_name[name], pool)
            drawn[name, index] = value
        value, spoken = drawn[name, index]
        # No number words before a unit, beside a slash or before another value.
        digits = DIGITS.match(text, match.end()) or text[match.start() - 1 : match.start()] in ("/", "$", "#")
        return str(value) if digits and not isinstance(value, list | str | bool) else spoken

    text = re.sub(r'([.!?]")[.?](?=\s|$)', r"\1", articles(SLOT.sub(put, text)))
    calls = []
    for index in sorted({index for _, index in drawn if index}) or [""]:
        arguments = {n: value for (n, i), (value, _) in drawn.items() if i in ("", index)}
        arguments |= fixed_arguments(tool, fixed)
        calls.append({p.name: arguments[p.name] for p in tool.parameters if p.name in arguments})
        assert partial or tool.required <= set(calls[-1]), (tool.name, frame)
    return Filled(text, calls)


def fixed_arguments(tool: Tool, text: str) -> dict[str, Any]:
    """The arguments after || as values of their kinds."""
    kinds = {p.name: p.kind for p in tool.parameters}
    found: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, value = part.partition("=")
        kind = kinds[name]
        found[name] = value == "true" if kind == "b" else int(value) if kind in "in" else value
    return found
