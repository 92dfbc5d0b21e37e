"""A chapter's notebook as its sections: prose, code and what the code showed, as they are kept in the file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmlab import lesson, notebooks

MARKS = ("core", "optional")
FENCED = re.compile(r"^(`{3,}|~{3,}).*?^\1[`~]*\s*$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^(#{1,2}) (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A piece of a cell: prose (Markdown), or code with its outputs. `cell` is the id of the cell."""

    cell: str
    source: str
    outputs: list[dict[str, Any]] | None = None

    @property
    def is_code(self) -> bool:
        """Whether it is a cell of code."""
        return self.outputs is not None


@dataclass
class Section:
    """What stands under one heading; `mark` is "core", "optional" or nothing."""

    heading: str
    mark: str = ""
    blocks: list[Block] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """Its name in an address."""
        return anchor(self.heading)


@dataclass(frozen=True)
class Chapter:
    """A chapter: what the lab knows of it, and its sections. The first one has the chapter's own heading."""

    about: lesson.Chapter
    file: Path
    sections: list[Section]

    @property
    def number(self) -> str:
        """Such as "06"."""
        return self.about.id[:2]

    @property
    def title(self) -> str:
        """Such as "06 · Chain of thought"."""
        return self.sections[0].heading


def chapter(file: Path) -> Chapter:
    """Read a notebook."""
    [about] = [each for each in lesson.chapters() if each.id == file.stem]
    sections: list[Section] = []
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            sections[-1].blocks.append(Block(cell["id"], source, cell["outputs"]))
            continue
        for heading, text in split(source):
            if heading:
                name, _, mark = heading.rpartition(" · ")
                sections.append(Section(name, mark) if mark in MARKS else Section(heading))
            if text.strip():
                sections[-1].blocks.append(Block(cell["id"], text.strip()))
    return Chapter(about, file, sections)


def chapters(numbers: list[str] | None = None) -> list[Chapter]:
    """The chapters with these numbers, or all. Raises LabError for a number that none has."""
    return [chapter(file) for file in notebooks.chapter_files(numbers)]


def split(markdown: str) -> list[tuple[str, str]]:
    """Markdown at its headings of the first and second level: each with what follows it. Without one, the first is ""."""
    fences = [(found.start(), found.end()) for found in FENCED.finditer(markdown)]
    marks = [m for m in HEADING.finditer(markdown) if not any(a <= m.start() < b for a, b in fences)]
    ends = [*(mark.start() for mark in marks), len(markdown)]
    parts = [("", markdown[: ends[0]])] if markdown[: ends[0]].strip() else []
    return parts + [(m[2].strip(), markdown[m.end() : end]) for m, end in zip(marks, ends[1:], strict=True)]


def anchor(text: str) -> str:
    """A text as a name in an address: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def shown(output: dict[str, Any], kind: str) -> str:
    """What an output holds of a kind (text/html, …), as one text; "" if nothing. A stream and an error are text/plain."""
    if kind == "text/plain" and output["output_type"] in ("stream", "error"):
        text = output["text"] if output["output_type"] == "stream" else "\n".join(output["traceback"])
        return re.sub(r"\x1b\[[0-9;]*m", "", "".join(text))
    return "".join(output.get("data", {}).get(kind, ""))
