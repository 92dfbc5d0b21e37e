"""How the tools of the skill "tools" are offered: names, descriptions and schemas in many styles, and distractors."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from .tool_catalogue import CATALOGUE, GROUPS, TYPES, Parameter, Tool
from .tool_inventions import Invention, beside, invention

LIMIT = 2300  # characters of an item with its tools
VERBS = {
    "get": "fetch retrieve query load request obtain read",
    "find": "search locate discover lookup list",
    "search": "find query scan lookup",
    "create": "make add new open insert",
    "add": "insert append put register",
    "set": "change update",
    "list": "show get enumerate all fetch",
    "check": "inspect verify query get test",
    "book": "reserve schedule arrange request",
    "delete": "remove drop erase discard",
    "send": "dispatch submit deliver write",
    "log": "record track save store",
    "show": "display view get print",
    "order": "request place buy purchase",
    "report": "file submit register announce",
    "start": "run begin launch activate",
    "convert": "change transform compute",
    "request": "ask submit file",
    "track": "follow trace locate",
    "schedule": "plan arrange set book",
}
LEADS = ("Use this to {d}.", "Call this to {d}.", "{D}.", "{D}.", "{D}", "{D}", "{D}", "{D}", "{d}", "{d}")
COUNTS = (1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6)


# Tools with at most one needed parameter, for long offers.
SMALL = [tool for tool in CATALOGUE.values() if len(tool.required) < 2]


@dataclass
class Shown:
    """A tool as one item offers it: its name and the names of its parameters there."""

    tool: Tool
    name: str
    parameters: dict[str, str]
    schema: dict[str, Any]

    def arguments(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Arguments under the names that this item uses."""
        return {self.parameters[name]: value for name, value in arguments.items()}


@dataclass
class Style:
    """How one item writes its tools: all of them in the same way."""

    rng: random.Random
    case: str
    form: str
    opaque: str = ""

    @classmethod
    def draw(cls, rng: random.Random) -> Style:
        """A random style; snake_case and plain schemas most often."""
        case = rng.choice(("snake",) * 6 + ("camel",) * 3 + ("kebab", "prefix"))
        form = rng.choice(("plain",) * 5 + ("pydantic", "described", "short", "short", "short", "short"))
        opaque = rng.choice(("fn_", "tool_", "op", "action", "f", "skill_")) if rng.random() < 0.04 else ""
        return cls(rng, case, form, opaque)

    def show(self, tool: Tool, number: int, lean: bool = False) -> Shown:
        """A tool in this style, under a name of its own or an invented one; `lean` without optional parameters."""
        if lean:
            tool = replace(tool, parameters=[p for p in tool.parameters if not p.optional])
        name = f"{self.opaque}{number}" if self.opaque else self._case(self._name(tool), tool.group)
        hidden = bool(self.opaque) and self.rng.random() < 0.5
        names = {}
        for index, parameter in enumerate(tool.parameters, 1):
            other = parameter.names[0] if self.rng.random() < 0.4 else self.rng.choice(parameter.names)
            names[parameter.name] = f"arg{index}" if hidden else self._case(other)
        if len(set(names.values())) < len(names):
            names = {p.name: self._case(p.name) for p in tool.parameters}
        function = {
            "name": name,
            "description": self._description(tool),
            "parameters": self._parameters(tool, names, hidden),
        }
        return Shown(tool, name, names, {"type": "function", "function": function})

    def _name(self, tool: Tool) -> str:
        if self.rng.random() < 0.35:
            return tool.name
        name = self.rng.choice(tool.names)
        verb, _, rest = name.partition("_")
        if verb in VERBS and rest and self.rng.random() < 0.5:
            return f"{self.rng.choice(VERBS[verb].split())}_{rest}"
        return name

    def _case(self, name: str, group: str = "") -> str:
        if self.case == "camel":
            return re.sub(r"_(\w)", lambda m: m.group(1).upper(), name)
        if self.case == "kebab" and group:
            return name.replace("_", "-")
        return f"{group}_{name}" if self.case == "prefix" and group and group not in name else name

    def _description(self, tool: Tool) -> str:
        text = self.rng.choice(tool.descriptions)
        if text == tool.descriptions[0]:
            lower = text[0].lower() + text[1:]
            return self.rng.choice(LEADS).format(d=lower, D=text)
        return text + ("." if text[-1] != "?" and self.rng.random() < 0.25 else "")

    def _parameters(self, tool: Tool, names: dict[str, str], hidden: bool) -> dict[str, Any]:
        properties = {names[p.name]: self._property(p, names[p.name], hidden) for p in tool.parameters}
        required = [names[p.name] for p in tool.parameters if not p.optional]
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        if self.form == "pydantic":
            schema = {"properties": properties, **({"required": required} if required else {}), "type": "object"}
        return schema

    def _property(self, parameter: Parameter, name: str, hidden: bool) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": TYPES[parameter.kind]}
        if parameter.kind == "e":
            schema["enum"] = list(parameter.enum())
        if parameter.kind == "l":
            schema["items"] = {"type": "string"}
        if self.form == "pydantic":
            if parameter.optional:
                schema = {"anyOf": [schema, {"type": "null"}], "default": None}
            schema["title"] = re.sub(r"[_-]", " ", name).title()
            return {key: schema[key] for key in sorted(schema)}
        text = parameter.description or parameter.name.replace("_", " ")
        if hidden or self.form == "described" or (parameter.description and self.form == "plain"):
            schema["description"] = text
        return schema


def distractors(rng: random.Random, tools: Iterable[Tool], count: int, apart: bool = False) -> list[Tool]:
    """Tools to offer beside the needed ones: some of the same group (unless `apart`), none that could do the same."""
    needed = list(tools)
    blocked = {name for tool in needed for name in tool.conflicts} | {tool.name for tool in needed}
    groups = {tool.group for tool in needed}
    avoid = {group for tool in needed if isinstance(tool, Invention) for group in tool.avoid}
    near = [] if apart else needed
    found: list[Tool] = []
    while len(found) < count:
        tool = _beside(rng, near, count > 5)
        if isinstance(tool, Invention):
            fits = not (apart or tool.avoid & groups)
        else:
            fits = tool.group not in avoid and not (apart and tool.group in groups)
        if fits and tool.name not in blocked:
            found.append(tool)
            blocked.add(tool.name)
        elif near and rng.random() < 0.1:
            near = []
    return found


def _beside(rng: random.Random, near: list[Tool], small: bool) -> Tool:
    """A tool near one of these, or any."""
    tool = rng.choice(near) if near else None
    if isinstance(tool, Invention) and rng.random() < 0.75:
        return beside(rng, tool)
    if tool and tool.group in GROUPS and not small and rng.random() < 0.45:
        return rng.choice(GROUPS[tool.group])
    return invention(rng) if rng.random() < 0.3 else rng.choice(SMALL if small else list(CATALOGUE.values()))


def offer(
    rng: random.Random, needed: list[Tool], others: list[Tool], style: Style | None = None
) -> tuple[list[Shown], list[Shown]]:
    """The needed tools as offered, and the whole offer in random order."""
    style = style or Style.draw(rng)
    if len(others) > 4:
        style.form, style.case = "short", style.case.replace("prefix", "snake")
    shown: list[Shown] = []
    # The number in an invented name must not tell which tool is the right one.
    numbers = rng.sample(range(1, len(needed) + len(others) + 1), len(needed) + len(others))
    for index, tool in enumerate([*needed, *others]):
        lean = index >= len(needed) and rng.random() < (0.9 if len(others) > 5 else 0.6)
        one = style.show(tool, numbers[index], lean)
        if len(others) > 4 and lean:
            one.schema["function"]["description"] = min(tool.descriptions, key=len)
        if one.name in {s.name for s in shown}:
            one = Shown(tool, tool.name, one.parameters, one.schema)
            one.schema["function"]["name"] = tool.name
        if one.name not in {s.name for s in shown}:
            shown.append(one)
    main = shown[: len(needed)]
    rng.shuffle(shown)
    return main, shown


def size(item: dict[str, Any]) -> int:
    """Characters of an item as the model sees it: its messages, and its tools as JSON."""
    tools = sum(len(json.dumps(t["function"], ensure_ascii=False)) for t in item.get("tools", []))
    text = sum(len(m["content"]) + 12 for m in item["messages"])
    calls = [c["function"] for m in item["messages"] for c in m.get("tool_calls", [])]
    return tools + text + sum(len(json.dumps(c, ensure_ascii=False)) for c in calls)


def finish(item: dict[str, Any], keep: Iterable[str], limit: int = LIMIT) -> dict[str, Any]:
    """Leave out offered tools that are not needed until the item is within the limit."""
    names = set(keep)
    spare = [t for t in item["tools"] if t["function"]["name"] not in names]
    while size(item) > limit and spare:
        item["tools"].remove(spare.pop())
    return item
