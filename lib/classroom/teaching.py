"""What teach/ holds, as data: the teacher's notes on each chapter, and the routes through the chapters."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from classroom import cells
from llmlab import settings
from llmlab.errors import LabError

TEACH = settings.ROOT / "teach"
WHOLE = ("", "all", "the whole chapter", "whole chapter", "-", "–", "—")


@dataclass(frozen=True)
class Part:
    """A row of a route: how long it takes, and which sections of which chapter it runs; none, if it is no chapter's.

    `meeting` is the heading above its table: an evening of a course.
    """

    meeting: str
    minutes: int
    name: str
    chapter: cells.Chapter | None
    sections: list[cells.Section]
    happens: str


@dataclass(frozen=True)
class Route:
    """A way through the chapters for a class: its title and its parts, in order."""

    title: str
    parts: list[Part]


def notes(number: str) -> dict[str, str]:
    """The teacher's notes on a chapter: Markdown by heading, the beginning under ""; empty where there are none."""
    file = TEACH / "notes" / f"{number}.md"
    if not file.is_file():
        return {}
    (_, first), *rest = cells.split(file.read_text(encoding="utf-8"))
    return {"": first.strip()} | {heading: text.strip() for heading, text in rest}


def predictions(number: str) -> dict[str, str]:
    """What the notes say on each prediction of a chapter, by its name."""
    found = re.split(r"^(?=\*\*\d\d\.\w+)", notes(number).get("Predictions", ""), flags=re.MULTILINE)
    return {m[1]: text.strip() for text in found if (m := re.match(r"\*\*(\d\d\.\w+)", text))}


def routes() -> dict[str, Path]:
    """The routes by their names."""
    return {file.stem: file for file in sorted((TEACH / "routes").glob("*.md"))}


def route(name: str) -> Route:
    """Read a route: every table of it that has the columns Minutes, Chapter, Sections. Raises LabError with the row."""
    text = routes()[name].read_text(encoding="utf-8")
    blocks = cells.split(text)
    parts = [_part(name, heading, cell) for heading, block in blocks for cell in _rows(block)]
    if not parts:
        raise LabError(f"A route is a table with the columns Minutes, Chapter and Sections, but {name} has none.")
    return Route(blocks[0][0] or name, parts)


def _part(name: str, heading: str, cell: dict[str, str]) -> Part:
    number = re.search(r"\b\d\d\b", cell["chapter"])
    chapter = cells.chapters([number[0]])[0] if number else None
    happens = next((value for key, value in cell.items() if key.startswith("what")), "")
    sections = _sections(chapter, cell["sections"], name) if chapter else []
    label = chapter.title if chapter else _plain(cell["chapter"]) or _plain(cell["sections"])
    if not label:  # "Break", "Talk: …", "Welcome; …"
        label, happens = re.match(r"([^.:;,]*)[.:;,]?\s*(.*)", happens, re.DOTALL).groups()  # type: ignore[union-attr]
        happens = happens[:1].upper() + happens[1:]
    meeting = re.sub(r" · \d+ min\w*$", "", heading)
    return Part(meeting, _minutes(cell["minutes"], name), label, chapter, sections, happens)


def _rows(text: str) -> list[dict[str, str]]:
    """The rows of the tables that are a route's, each by the heads of its columns in small letters."""
    found: list[dict[str, str]] = []
    heads: list[str] = []
    for line in text.splitlines():
        if not line.lstrip().startswith("|"):
            heads = []
            continue
        row = [each.strip() for each in re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))]
        if not heads:
            heads = [_plain(each).lower() for each in row]
        elif {"minutes", "chapter", "sections"} <= set(heads) and not all(
            re.fullmatch(r":?-+:?", each) for each in row
        ):
            found.append(dict(zip(heads, [*row, *[""] * len(heads)], strict=False)))
    return found


def _minutes(text: str, name: str) -> int:
    """ "20", "20 min", or "0:40-1:00", of which the length counts."""
    if times := re.findall(r"(\d+):(\d\d)", text):
        clock = [60 * int(hours) + int(minutes) for hours, minutes in times]
        return clock[-1] - clock[0]
    if not (number := re.search(r"\d+", text)):
        raise LabError(f"A row of a route begins with its minutes, but one of {name} has {text!r}; write a number.")
    return int(number[0])


def _sections(chapter: cells.Chapter, text: str, name: str) -> list[cells.Section]:
    """The sections that a row names. Marks, stars and small differences in spelling do not matter."""
    heads = {_key(section.heading): section for section in chapter.sections}
    asked = [part for part in re.split(r"\s+·\s+|;|<br\s*/?>", text) if _key(part) not in cells.MARKS]
    if _key(text) in (*WHOLE, "core", "all core"):
        left_out = ("optional", "Exercises") if "core" in _key(text) else ()
        return [each for each in chapter.sections if not {each.mark, each.heading} & {*left_out}]
    found = []
    for part in asked:
        key = _key(part)
        near = [h for h in heads if h.startswith(key)] or difflib.get_close_matches(key, heads, 1, 0.75)
        if not (place := key if key in heads else near[0] if near else ""):
            given = "; ".join(each.heading for each in chapter.sections)
            raise LabError(f"A row names sections of its chapter ({given}), but {name} has {_plain(part)!r}.")
        found.append(heads[place])
    return found


def _key(text: str) -> str:
    """A heading without what may be written in more than one way."""
    text = re.sub(r" · (core|optional)$", "", _plain(text).lower())
    return re.sub(r"\s+", " ", re.sub(r"[`*_?!.,:“”\"'’]", "", text)).strip()


def _plain(text: str) -> str:
    """Markdown of one line as text."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"[*_`]", "", text)).strip()
