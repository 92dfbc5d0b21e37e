"""Tools of many subjects for the skill "tools": written/tool_inventions.txt, a few tools for each of many nouns.

Each draw writes a tool anew: parts of its sentences in [ ] are kept or left out, so the same tool is asked for with
more and with fewer of its optional arguments.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

from .tool_catalogue import WRITTEN, Tool, add_line, articles

PART = re.compile(r"\[([^\]]*)\]")


@dataclass
class Invention(Tool):
    """A tool of a noun; `kind` and `number` say which one."""

    kind: str = ""
    noun: str = ""
    number: int = 0
    avoid: set[str] = field(default_factory=set)


@dataclass
class Kind:
    """A kind of nouns: groups of the catalogue that could do the same, nouns with plural and values, their tools."""

    avoid: set[str]
    nouns: dict[str, tuple[str, str]]
    tools: list[list[str]] = field(default_factory=list)


def _nouns(text: str) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for part in text.split("; "):
        head, _, value = part.partition(" = ")
        if "/" in head:
            noun, plural = head.split("/")
            found[noun] = (plural, value)
        else:
            found[noun] = (plural, f"{found[noun][1]};{head}")
    return found


def _kinds() -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for line in (WRITTEN / "tool_inventions.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            name, avoid, nouns = (part.strip() for part in line[3:].split("|"))
            kinds[name] = Kind(set(avoid.split()), _nouns(nouns))
        elif line.startswith("# ") and kinds:
            kinds[name].tools.append([line])
        elif line and kinds:
            kinds[name].tools[-1].append(line)
    return kinds


KINDS = _kinds()


def invention(rng: random.Random, kind: str = "", noun: str = "", number: int = -1) -> Invention:
    """A tool of this kind and noun, or of any."""
    kind = kind or rng.choice(list(KINDS))
    noun = noun or rng.choice(list(KINDS[kind].nouns))
    number = number if number >= 0 else rng.randrange(len(KINDS[kind].tools))
    plural, values = KINDS[kind].nouns[noun]

    def filled(line: str, name: bool) -> str:
        words = (re.sub(r"\W", "_", word.lower()) if name else word for word in (noun, plural))
        for sign, word in zip(("<n>", "<ns>"), words, strict=True):
            line = line.replace(sign, word)
        return line.replace("<values>", f"({values})")

    lines = KINDS[kind].tools[number]
    names = tuple(filled(lines[0][2:], True).split(", "))
    tool = Invention(kind, names, kind=kind, noun=noun, number=number, avoid=KINDS[kind].avoid)
    for line in lines[1:]:
        sign, _, text = line.partition(" ")
        if sign != "-":
            text = PART.sub(lambda m: m.group(1) if rng.random() < 0.5 else "", text)
            text = articles(text.replace("<n>", noun).replace("<ns>", plural))
        add_line(tool, sign, filled(text, sign == "-") if sign == "-" else text)
    return tool


def beside(rng: random.Random, tool: Invention) -> Invention:
    """A tool near this one: another for the same noun, the same for another noun, or one of another kind."""
    chance = rng.random()
    if chance < 0.4:
        return invention(rng, tool.kind, tool.noun)
    if chance < 0.75:
        return invention(rng, tool.kind, number=tool.number)
    return invention(rng)
