"""The routes of teach/routes: which sections of which chapters a class goes through, and how long that takes at least."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from llmlab import notebooks, settings
from llmlab.errors import LabError

TEACH = settings.ROOT / "teach"
LIVE = TEACH / "seconds.json"  # what each section's cells take to run; `python -m authors.timing` makes it
TABLE = re.compile(r"(?m)^## (.+) · (\d+) minutes$")  # the heading above the table of a session
ROW = re.compile(r"\| *(\d+) *\|(.*?)\|(.*?)\|(.*?)\| *$")
HEAD = re.compile(r"\| *Minutes *\||[|:\- ]+$")  # what stands above the rows of a table

# The rule for the least minutes; teach/README.md gives the reasons.
WORDS_A_MINUTE, SECONDS_A_LINE, SECONDS_A_CELL = 150, 5, 8
MINUTES_A_PREDICTION, MINUTES_AN_EXERCISE = 2, 8
QUESTIONS = 1.2  # a fifth more, for the class's questions and for those who are slower


@dataclass(frozen=True)
class Part:
    """A row of a route: minutes, chapter ("06", or "" for a break or talk), its sections by heading, what happens.

    Where the table says `core`, the headings of all core sections of the chapter are here.
    """

    minutes: int
    chapter: str
    sections: tuple[str, ...]
    what: str


@dataclass
class Section:
    """A section of a chapter: its heading without the mark, and what has to be read, run and guessed in it."""

    heading: str
    mark: str = ""  # core or optional; the opening, the exercises and chapters of the old form have none
    words: int = 0
    code: str = ""
    cells: int = 0

    @property
    def is_core(self) -> bool:
        """Whether it may not be skipped. In a chapter of the old form, which marks nothing, all sections are."""
        return self.mark == "core" or (not self.mark and self.heading not in ("", "Exercises"))

    @property
    def seconds(self) -> float:
        """For reading, guessing and looking at what comes; running is not in it."""
        lines = sum(bool(line.strip()) for line in self.code.splitlines())
        guesses = 60 * MINUTES_A_PREDICTION * self.code.count("lesson.predict(")
        return 60 * self.words / WORDS_A_MINUTE + SECONDS_A_LINE * lines + SECONDS_A_CELL * self.cells + guesses


def names() -> list[str]:
    """The routes that there are."""
    return sorted(file.stem for file in (TEACH / "routes").glob("*.md"))


def sessions(name: str) -> dict[str, tuple[int, list[Part]]]:
    """A route by its sessions (most have one): the minutes that the heading promises, and the parts.

    Raises LabError for a name that no route has, and for a table or a row that cannot be read.
    """
    if name not in names():
        raise LabError(f"A route is one of {', '.join(names())}, not {name!r}; choose one of them.")
    text = (TEACH / "routes" / f"{name}.md").read_text(encoding="utf-8")
    heads = list(TABLE.finditer(text))
    if not heads:
        raise LabError(f"A route has its table under a heading such as `## An hour · 60 minutes`, but {name} has none.")
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {
        head[1]: (int(head[2]), _parts(name, text[head.end() : end])) for head, end in zip(heads, ends, strict=True)
    }


def read(name: str) -> list[Part]:
    """All parts of a route, in order. Raises LabError for a name that no route has."""
    return [part for _, parts in sessions(name).values() for part in parts]


def _parts(name: str, text: str) -> list[Part]:
    found = []
    for line in text.splitlines():
        if line.startswith("|") and not HEAD.match(line):
            if not (row := ROW.match(line)):
                raise LabError(f"A row of a route is | minutes | chapter | sections | what |, but {name} has {line!r}.")
            chapter, sections, what = (cell.strip() for cell in row.groups()[1:])
            named = [each.strip() for each in sections.split(";") if each.strip()]
            if "core" in named:
                at, core = named.index("core"), [each.heading for each in outline(_file(chapter)) if each.is_core]
                named[at : at + 1] = core
            found.append(Part(int(row[1]), chapter, tuple(named), what))
    return found


def _file(chapter: str) -> Path:
    return notebooks.chapter_files([chapter])[0]


@cache
def outline(file: Path) -> tuple[Section, ...]:
    """The sections of a notebook; the first, with an empty heading, is what stands before all headings."""
    found = [Section("")]
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            found[-1].code += source + "\n"
            found[-1].cells += 1
            continue
        fenced = re.sub(r"(?ms)^```.*?^```", "", source)  # a diagram's source is not read
        for piece in re.split(r"(?m)^(?=## )", fenced):
            if piece.startswith("## "):
                found.append(Section(*heading(piece.split("\n")[0])))
            found[-1].words += len(piece.split())
    return tuple(found)


def heading(line: str) -> tuple[str, str]:
    """A heading's text and mark: `## Connect · core` gives Connect and core."""
    text, dot, mark = line.removeprefix("## ").rpartition(" · ")
    return (text, mark) if dot and mark in ("core", "optional") else (line.removeprefix("## "), "")


def chosen(part: Part) -> list[Section]:
    """The sections of a part as they stand in its chapter. Raises LabError for one that is not there."""
    there = {section.heading: section for section in outline(_file(part.chapter))}
    if missing := [each for each in part.sections if each not in there or not each]:
        raise LabError(f"Chapter {part.chapter} has the sections {'; '.join(filter(None, there))}, but not {missing}.")
    return [there[each] for each in part.sections]


def least(part: Part, opening: bool) -> float:
    """The minutes that a part takes at least, by the rule; with `opening`, what stands before the first heading, too.

    Of the exercises those count whose ids stand in the part's words. A break or a talk has no least.
    """
    if not part.chapter:
        return 0.0
    file = _file(part.chapter)
    live = json.loads(LIVE.read_text(encoding="utf-8")).get(file.stem, {})
    sections = [section for section in chosen(part) if section.heading != "Exercises"]
    if opening:
        sections.insert(0, outline(file)[0])
    exercises = len(set(re.findall(rf"{part.chapter}\.\d", part.what))) if "Exercises" in part.sections else 0
    taught = QUESTIONS * sum(section.seconds for section in sections) + sum(live.get(s.heading, 0) for s in sections)
    return taught / 60 + MINUTES_AN_EXERCISE * exercises
