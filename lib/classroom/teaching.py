"""What teach/ holds, as data: the teacher's notes on each chapter, and the routes through the chapters."""

from __future__ import annotations

import re
from dataclasses import dataclass

from classroom import cells, routes


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
    file = routes.TEACH / "notes" / f"{number}.md"
    if not file.is_file():
        return {}
    (_, first), *rest = cells.split(file.read_text(encoding="utf-8"))
    return {"": first.strip()} | {heading: text.strip() for heading, text in rest}


def predictions(number: str) -> dict[str, str]:
    """What the notes say on each prediction of a chapter, by its name."""
    found = re.split(r"^(?=\*\*\d\d\.\w+)", notes(number).get("Predictions", ""), flags=re.MULTILINE)
    return {m[1]: text.strip() for text in found if (m := re.match(r"\*\*(\d\d\.\w+)", text))}


def route(name: str) -> Route:
    """A route with the sections that its rows name. Raises LabError for a row that cannot be read."""
    parts = []
    for meeting, (_, rows) in routes.sessions(name).items():
        for row in rows:
            if row.chapter:
                routes.chosen(row)  # named sections that the chapter lacks are an error here
                [chapter] = cells.chapters([row.chapter])
                sections = [each for each in chapter.sections if each.heading in row.sections]
                parts.append(Part(meeting, row.minutes, chapter.title, chapter, sections, row.what))
            else:  # "Break", "Talk: …", "Welcome; …"
                label, _, happens = re.sub(r"[.:;,]\s*|$", "\n", row.what, count=1).partition("\n")
                parts.append(Part(meeting, row.minutes, label, None, [], happens[:1].upper() + happens[1:]))
    text = (routes.TEACH / "routes" / f"{name}.md").read_text(encoding="utf-8")
    return Route(text.partition("\n")[0].removeprefix("# "), parts)
