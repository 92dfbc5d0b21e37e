"""From the dialogues in worlds/ to conversations that teach calling tools: read, fill in, check.

`>` begins a dialogue, `>>` goes on in it, `<` is the model's reply; wordings stand beside each other (`|`), `call … => …` is a
call with its result, `and …` a second one in the same reply. `dialogues.py check FILE …` validates files.
"""

from __future__ import annotations

import json
import random
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CANNOT = (
    "I have no tool for that here.",
    "I cannot do that with the functions that I have.",
    "That is not something that I can look up or do here.",
)


@dataclass
class Dialogue:
    """Groups of lines: ("user", wordings), ("calls", calls with their results), ("answer", wordings)."""

    turns: list[tuple[str, list[Any]]] = field(default_factory=list)

    @property
    def tools(self) -> set[str]:
        """The names of the tools that are called in it."""
        return {name for kind, lines in self.turns if kind == "calls" for name, _, _ in lines}

    @property
    def asks_back(self) -> bool:
        """Whether a call comes only after a question to the user."""
        kinds = [kind for kind, _ in self.turns]
        return kinds[:3] == ["user", "answer", "user"] and "calls" in kinds[3:]


@dataclass
class World:
    """One setting: its system messages, values, tools (OpenAI's shape) and dialogues."""

    title: str
    systems: list[str] = field(default_factory=lambda: [""])
    slots: dict[str, str] = field(default_factory=dict)
    tools: dict[str, dict[str, Any]] = field(default_factory=dict)
    dialogues: list[Dialogue] = field(default_factory=list)


def _split(text: str, mark: str) -> list[str]:
    """The parts of a text at a mark that stands outside brackets and quotes."""
    parts, depth, quoted = [""], 0, False
    for sign in text:
        quoted ^= sign == '"'
        depth += not quoted and (sign in "{[(") - (sign in "}])")
        if sign == mark and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON schema of a type as the worlds write it: `list of "a" | "b"`, `{"x": integer}`, `date`."""
    kind = kind.strip()
    if kind.startswith("list of "):
        return {"type": "array", "items": schema_of(kind[8:])}
    if kind.startswith("{"):
        pairs = [_split(pair, ":") for pair in _split(kind[1:-1], ",")]
        names = [(name.strip('"').rstrip("?"), rest[0], not name.strip('"').endswith("?")) for name, *rest in pairs]
        return {
            "type": "object",
            "properties": {name: schema_of(inner) for name, inner, _ in names},
            "required": [name for name, _, needed in names if needed],
        }
    if "|" in kind or kind.startswith('"'):
        choices = [json.loads(value) for value in _split(kind, "|")]
        return {"type": "string" if isinstance(choices[0], str) else "integer", "enum": choices}
    if kind in ("date", "time", "date-time"):
        return {"type": "string", "format": kind}
    if kind not in ("string", "integer", "number", "boolean", "object"):
        raise ValueError(f"no type {kind!r}")
    return {"type": kind}


def tool_of(line: str) -> dict[str, Any]:
    """A tool in OpenAI's shape from `name(parameter: type, optional?: type = default): description`."""
    found = re.match(r"([\w.-]+)\((.*)\): (.+)$", line)
    if not found:
        raise ValueError(f"not a tool: {line}")
    name, inside, description = found.groups()
    properties, required = {}, []
    for one in filter(None, _split(inside, ",")):
        parameter, kind = (part.strip() for part in one.split(":", 1))
        kind, *default = _split(kind, "=")
        schema = schema_of(kind)
        if default:
            schema["default"] = json.loads(default[0])
        elif not parameter.endswith("?"):
            required.append(parameter)
        properties[parameter.rstrip("?")] = schema
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def read(path: Path) -> World:
    """A world from its file; raises ValueError that names the line."""
    world = World(path.stem)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            _take(world, line)
        except (ValueError, IndexError, KeyError) as error:
            raise ValueError(f"{path.name}:{number}: {line[:80]}: {error}") from error
    return world


def _take(world: World, line: str) -> None:
    """One line of a world's file."""
    mark, _, rest = line.partition(" ")
    if line.startswith("  "):  # a parameter of the tool above
        name, text = line.strip().split(": ", 1)
        last = list(world.tools.values())[-1]
        last["function"]["parameters"]["properties"][name]["description"] = text
    elif mark == "system:":
        world.systems = [one.strip() for one in rest.split("|")]
    elif mark == "slot":
        name, _, values = rest.partition(" = ")
        world.slots[name.strip()] = values.strip()
    elif mark == "tool":
        tool = tool_of(rest)
        world.tools[tool["function"]["name"]] = tool
    elif mark in (">", ">>", "<"):
        if mark == ">":
            world.dialogues.append(Dialogue())
        world.dialogues[-1].turns.append(("answer" if mark == "<" else "user", rest.split(" | ")))
    elif mark in ("call", "and"):
        head, result = rest.split(" => ", 1)
        name, _, arguments = head.partition(" ")
        if mark == "call":
            world.dialogues[-1].turns.append(("calls", []))
        world.dialogues[-1].turns[-1][1].append((name, arguments or "{}", result))
    elif mark != "#":
        raise ValueError("no such line")


class Values:
    """The values of one telling: `{name}` is drawn once, `{name2}` is another one of the same slot."""

    def __init__(self, slots: dict[str, str], chance: random.Random):
        self.slots, self.chance, self.known = slots, chance, dict[str, str]()

    def _one(self, values: str) -> str:
        if found := re.fullmatch(r"(-?\d+)\.\.(-?\d+)", values):
            return str(self.chance.randint(int(found[1]), int(found[2])))
        one = self.chance.choice(values.split(" | ")).strip()
        return re.sub("#", lambda _: str(self.chance.randint(1, 9)), one)

    def get(self, name: str) -> str:
        """The value for a place in the text."""
        if name not in self.known:
            base, number = re.fullmatch(r"(.+?)(\d*)", name).groups()  # type: ignore[union-attr]
            group = next((g for g in self.slots if base in g.split("/")), None)
            if group is None:
                raise ValueError(f"no slot {name}")
            taken = {self.known.get(f"{base}{n}") for n in ("", 2, 3, 4, 5)}
            for _ in range(200):
                drawn = self._one(self.slots[group]).split("/") if "/" in group else [self._one(self.slots[group])]
                if drawn[group.split("/").index(base)] not in taken:
                    break
            for part, value in zip(group.split("/"), drawn, strict=True):
                self.known[part + number] = value
        return self.known[name]

    def fill(self, text: str) -> str:
        """A text with all its places filled; braces of JSON stay."""
        return re.sub(r"\{([a-z_]+\d?)\}", lambda m: self.get(m[1]), text)


def tell(world: World, dialogue: Dialogue, chance: random.Random, *, lacking: bool = False) -> list[dict[str, Any]]:
    """The messages of one telling; `lacking` ends it with a "cannot" where the first tool would be called."""
    values = Values(world.slots, chance)
    messages: list[dict[str, Any]] = []
    at = asked = 0
    for kind, lines in dialogue.turns:
        if kind == "user":
            at, asked = chance.randrange(len(lines)), len(lines)
            messages.append({"role": "user", "content": values.fill(lines[at])})
        elif kind == "answer":
            line = lines[at] if len(lines) == asked else chance.choice(lines)
            messages.append({"role": "assistant", "content": values.fill(line)})
        elif lacking:
            return [*messages, {"role": "assistant", "content": chance.choice(CANNOT)}]
        else:
            calls = [
                {"function": {"name": name, "arguments": json.loads(values.fill(given))}} for name, given, _ in lines
            ]
            messages.append({"role": "assistant", "content": "", "tool_calls": calls})
            messages += [{"role": "tool", "content": values.fill(result)} for _, _, result in lines]
    return messages


def offered(
    world: World, others: list[World], needed: set[str], without: set[str], chance: random.Random
) -> list[dict[str, Any]]:
    """The tools of a request: those needed, more of this world and sometimes some of others, in any order."""
    own = [tool for name, tool in world.tools.items() if name not in needed | without]
    tools = [world.tools[name] for name in sorted(needed)]
    tools += chance.sample(own, chance.randint(0 if tools else min(1, len(own)), len(own)))
    if not tools or (others and chance.random() < 0.3):
        far = [tool for name, tool in chance.choice(others).tools.items() if name not in world.tools]
        tools += chance.sample(far, min(len(far), chance.randint(1, 3)))
    chance.shuffle(tools)
    return tools


def renamed(tools: list[dict[str, Any]], told: list[list[dict[str, Any]]]) -> tuple[Any, Any]:
    """The same with tools named in camelCase: how a name is written must not matter."""
    tools, told = json.loads(json.dumps([tools, told]))
    calls = [c for messages in told for m in messages for c in m.get("tool_calls", [])]
    for one in [*tools, *calls]:
        head, *tail = one["function"]["name"].split("_")
        one["function"]["name"] = head + "".join(part.capitalize() for part in tail)
    return tools, told


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    kinds = {"string": str, "integer": int, "number": (int, float), "array": list, "object": dict, "boolean": bool}
    if "enum" in schema:
        return value in schema["enum"]
    if isinstance(value, bool) or schema["type"] == "boolean":
        return isinstance(value, bool) and schema["type"] == "boolean"
    if not isinstance(value, kinds[schema["type"]]):
        return False
    if schema["type"] == "array":
        return all(_fits(one, schema["items"]) for one in value)
    if schema["type"] == "object" and "properties" in schema:
        inside = schema["properties"]
        return all(name in inside and _fits(one, inside[name]) for name, one in value.items()) and all(
            name in value for name in schema.get("required", [])
        )
    return True


def check(path: Path) -> str:
    """One filled-in sample of each dialogue; raises ValueError where calls do not fit their tools."""
    world, chance, shown = read(path), random.Random(0), []
    for dialogue in world.dialogues:
        kinds = [kind for kind, _ in dialogue.turns]
        if kinds[0] != "user" or kinds[-1] != "answer":
            raise ValueError(f"{path.name}: a dialogue starts with > and ends with <: {dialogue.turns[0]}")
        for _ in range(20):
            messages = tell(world, dialogue, chance)
            for call in (c["function"] for m in messages for c in m.get("tool_calls", [])):
                if call["name"] not in world.tools:
                    raise ValueError(f"{path.name}: no tool {call['name']}")
                if not _fits(call["arguments"], world.tools[call["name"]]["function"]["parameters"]):
                    raise ValueError(f"{path.name}: {call} does not fit its tool")
        shown.append("\n".join(f"  {m['role']}: {m.get('tool_calls') or m['content']}" for m in messages))
    return "\n\n".join(shown) + f"\n{path.name}: {len(world.tools)} tools, {len(world.dialogues)} dialogues"


if __name__ == "__main__":
    for given in sys.argv[2:]:
        print(check(Path(given)))
