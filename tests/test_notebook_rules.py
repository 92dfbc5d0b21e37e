"""What the reader's notebooks have to be like: short cells, marked sections, links that lead on, nothing given away."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from llmlab import notebooks, settings

# Chapters that break rules until they are rewritten, and which: this may only get smaller.
NOT_YET = {
    "08": "length, headings, links, attributes by their names",
    "09": "length, headings, links",
    "11": "length, headings, links",
    "14": "length, headings, links, reveals",
}
FILES = notebooks.chapter_files()
TERMS = json.loads((settings.DATA / "glossary.json").read_text(encoding="utf-8"))
MOST_CELLS, MOST_LINES = 70, 16
GIVEN_AWAY = {
    "a mark for a linter": r"noqa",
    "an attribute asked for by its name": r"\.get\(.llmlab\.",
    "what happened stands in the source": r"lesson\.reveal\(\s*[\"'][^\"']+[\"'],\s*\d+\s*[,)]",
}


def cells_of(file: Path) -> list[Any]:
    return list(nbformat.read(file, as_version=4).cells)


def links_of(file: Path) -> str:
    """The line that has to stand at the end of a chapter: the one before it, and the one after it."""
    place, links = FILES.index(file), []
    for other, form in ((place - 1, "[← {}]({})"), (place + 1, "[{} →]({})")):
        if 0 <= other < len(FILES):
            heading = cells_of(FILES[other])[0].source.split("\n")[0]
            links.append(form.format(heading.removeprefix("# ").strip(), FILES[other].name))
    return " · ".join(links)


def faults(cells: list[Any], links: str) -> list[str]:
    """All that breaks a rule, in words."""
    found = [f"{len(cells)} cells"] if len(cells) > MOST_CELLS else []
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    found += [f"{n} lines in {c[:60]!r}" for c in code if (n := len(c.splitlines())) > MOST_LINES]
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for heading in re.findall(r"(?m)^## .*", re.sub(r"(?ms)^```.*?^```", "", prose)):
        if heading != "## Exercises" and not heading.endswith((" · core", " · optional")):
            found.append(f"neither core nor optional: {heading}")
    if (last := cells[-1].source.strip().split("\n")[-1]) != links:
        found.append(f"the last line is {last!r}, not {links!r}")
    found += [f"{why}: {at[0]}" for why, sign in GIVEN_AWAY.items() for at in re.finditer(sign, "\n".join(code))]
    asked = re.findall(r"lesson\.term\(\s*[\"']([^\"']+)", "\n".join(code))
    return found + [f"not in the glossary: {term}" for term in asked if term.lower() not in TERMS]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_chapter_keeps_to_the_rules(file: Path) -> None:
    found = faults(cells_of(file), links_of(file))
    if file.name[:2] in NOT_YET:
        assert found, "it keeps to all rules now: take it off NOT_YET"
    else:
        assert found == []


GOOD = ["# 98 · A", "## One · core\n```\n## no heading\n```", "lesson.term('Token')", "## Exercises", "end\n\n[links]"]


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("x = reveal['00', 1]\n" * 16, None),
        ("x = 1\n" * 17, "17 lines in "),
        ("import os  # noqa: F401", "a mark for a linter: noqa"),
        ('step.attributes.get("llmlab.request")', "an attribute asked for"),
        ('lesson.reveal(\n    "00.x",\n    2,\n    "why")', "what happened stands in the source"),
        ('lesson.reveal("00.x", 2 if happened else 1, "why")', None),
        ('lesson.term("no such term")', "not in the glossary: no such term"),
        ("## Two", "neither core nor optional: ## Two"),
        ("## Two · optional", None),
    ],
)
def test_a_break_of_a_rule_is_found_and_nothing_else(cell: str, fault: str | None) -> None:
    def book(sources: list[str]) -> list[Any]:
        return [(new_markdown_cell if source[0] in "#e" else new_code_cell)(source) for source in sources]

    found = faults(book([*GOOD[:3], cell, *GOOD[3:]]), "[links]")
    assert [each.startswith(str(fault)) for each in found] == [True] * bool(fault), found
    assert len(faults(book([*GOOD, *GOOD * 14]), "[link]")) == 2  # its length, its last line


def test_the_readme_lists_every_chapter_with_its_question_and_its_minutes() -> None:
    text = (settings.ROOT / "README.md").read_text(encoding="utf-8")
    told = re.findall(r"(?m)^\| \[(\d\d)\]\((.+?)\) \| (.+?) \| (\d+) \+ (\d+) min \|$", text)
    rows = json.loads((settings.DATA / "chapters.json").read_text(encoding="utf-8"))
    assert told == [
        (row["id"][:2], f"notebooks/{row['id']}.ipynb", row["question"], str(row["reading"]), str(row["exercising"]))
        for row in rows
    ]
