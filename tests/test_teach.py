"""The teacher's material: routes name what is there, promise honest minutes, and their cells run; notes leave nothing out."""

import ast
import builtins
import json
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from classroom import routes
from classroom.routes import Part, Section
from llmlab import LabError, notebooks, settings
from test_notebook_rules import NOT_YET

CHAPTERS = {row["id"][:2]: row for row in json.loads((settings.DATA / "chapters.json").read_text(encoding="utf-8"))}
NOTES = {file.stem: file.read_text(encoding="utf-8") for file in sorted((routes.TEACH / "notes").glob("*.md"))}
SHORT = {
    "08",
    "09",
    "11",
    "14",
}  # their notes wait until the chapter is rewritten: this may only get smaller
FINAL = [number for number in NOTES if number not in SHORT]
SESSIONS = [(name, heading) for name in routes.names() for heading in routes.sessions(name)]
LATE = {*NOT_YET}  # chapters that are being rewritten: their sections and minutes are not held to anything yet


def parts_of(name: str, heading: str) -> list[Part]:
    return [part for part in routes.sessions(name)[heading][1] if part.chapter]


def unknown_names(sections: list[Section]) -> set[str]:
    """The names that these sections' code needs and does not make, whatever the order inside."""
    code = "\n".join(line for section in sections for line in section.code.splitlines() if line[:1] not in "%!")
    tree = compile(code, "cells", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    made, needed = {"display"} | set(dir(builtins)), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (needed if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            made.add(node.name)
        elif isinstance(node, ast.alias):
            made.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.arg):
            made.add(node.arg)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs) and node.name:
            made.add(node.name)
    return needed - made


def test_there_are_the_four_routes_and_another_name_is_answered_with_them() -> None:
    assert set(routes.names()) == {"60-minutes", "half-day", "day", "ten-evenings"}
    assert len(routes.sessions("ten-evenings")) == 10
    with pytest.raises(LabError, match="60-minutes, day, half-day, ten-evenings, not 'week'"):
        routes.read("week")


@pytest.mark.parametrize(("name", "heading"), SESSIONS)
def test_the_minutes_of_a_session_add_up_to_what_its_heading_promises(name: str, heading: str) -> None:
    promised, parts = routes.sessions(name)[heading]
    assert sum(part.minutes for part in parts) == promised
    rows = re.findall(r"(?m)^\| *\d+ *\|", (routes.TEACH / "routes" / f"{name}.md").read_text(encoding="utf-8"))
    assert len(rows) == len(routes.read(name)), "each row is read"
    without = 0  # minutes since the last break
    for part in parts:
        without = 0 if not part.chapter and part.what.startswith("Break") else without + part.minutes
        assert without <= 100, f"a class needs a break before {part.what}"


@pytest.mark.parametrize(("name", "heading"), SESSIONS)
def test_what_a_route_names_is_there_and_takes_no_longer_than_it_says(name: str, heading: str) -> None:
    seen: set[str] = set()
    for part in parts_of(name, heading):
        assert notebooks.chapter_files([part.chapter])
        if part.chapter not in LATE:
            assert part.minutes >= routes.least(part, part.chapter not in seen), part
            untimed = set(part.sections) - set(live_of(part.chapter))
            assert not untimed, f"take the seconds anew: python -m authors.timing {part.chapter}"
        seen.add(part.chapter)


def live_of(chapter: str) -> dict[str, int]:
    [file] = notebooks.chapter_files([chapter])
    found: dict[str, int] = json.loads(routes.LIVE.read_text(encoding="utf-8")).get(file.stem, {})
    return found


@pytest.mark.parametrize("name", routes.names())
def test_the_cells_of_a_route_need_nothing_from_a_section_that_it_skips(name: str) -> None:
    taken: dict[str, list[Section]] = {}
    for part in routes.read(name):
        if part.chapter and part.chapter not in LATE:
            opening = [routes.outline(notebooks.chapter_files([part.chapter])[0])[0]]
            taken.setdefault(part.chapter, opening).extend(routes.chosen(part))
    assert {number: missing for number, sections in taken.items() if (missing := unknown_names(sections))} == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["60-minutes", "half-day", "day"])
def test_the_cells_of_a_route_run_without_the_others(name: str, tmp_path: Path) -> None:
    """By replay. What a cell needs of another one may be more than its names: an answer that it compares with."""
    taken: dict[str, set[str]] = {}
    for part in routes.read(name):
        if part.chapter and part.chapter not in LATE:
            taken.setdefault(part.chapter, {""}).update(part.sections)
    outer = {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}  # as conftest says
    replay = {"LLMLAB_REPLAY": str(settings.DATA / "recordings"), "LLMLAB_STRICT": "1", "LLMLAB_STATE": str(tmp_path)}
    for number, headings in taken.items():
        [file] = notebooks.chapter_files([number])
        notebook, here, cells = nbformat.read(file, as_version=4), "", []
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                for line in re.findall(r"(?m)^## .*", re.sub(r"(?ms)^```.*?^```", "", cell.source)):
                    here = routes.heading(line)[0]
            elif here in headings:
                cells.append(cell)
        notebook.cells = cells
        NotebookClient(notebook, timeout=240).execute(cwd=str(tmp_path), env=outer | replay)


def test_a_missing_section_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(LabError, match=r"has the sections Connect; One call; .*, but not \['Nowhere'\]"):
        routes.chosen(Part(5, "00", ("One call", "Nowhere"), ""))


def test_a_sections_time_is_what_the_rule_says(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": "# A\n" + "word " * 148},
        {"cell_type": "code", "source": "x = 1\n\ny = 2"},
        {"cell_type": "markdown", "source": "## B, or not · core\n```\n## no heading\n```\nshort\n## Exercises\n"},
        {"cell_type": "code", "source": 'lesson.predict("98.x", "?", ["a"])'},
    ]
    (file := tmp_path / "98_a.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    opening, section, exercises = routes.outline(file)
    assert (opening.words, opening.cells, opening.seconds) == (150, 1, 60 + 2 * 5 + 8)
    assert (section.heading, section.mark, section.is_core, section.cells) == ("B, or not", "core", True, 0)
    assert (exercises.is_core, exercises.seconds) == (False, 60 * 2 / 150 + 5 + 8 + 120)


def test_each_chapter_has_its_notes() -> None:
    assert not set(NOTES) - set(CHAPTERS) - LATE, "a page for a chapter that there is not"
    assert set(CHAPTERS) - set(NOTES) <= LATE, "a page is missing"
    assert not [number for number in SHORT if "\n## Predictions\n" in NOTES[number]], (
        "it is whole now: take it off SHORT"
    )


@pytest.mark.parametrize("number", FINAL)
def test_final_notes_name_every_exercise_and_every_prediction_with_the_section_where_it_is(number: str) -> None:
    text, chapter = NOTES[number], CHAPTERS[number]
    assert text.startswith(f"# {number} · {chapter['title']}: notes for the teacher\n")
    assert [each for each in [*chapter["predictions"], *chapter["exercises"]] if each not in text] == []
    for part in (
        "Before class",
        "Predictions",
        "Where it goes wrong on laptops",
        "Questions that come up",
        "Exercises",
    ):
        assert f"\n## {part}\n" in text
    assert f"{chapter['reading']} minutes of teaching, {chapter['exercising']} of exercises" in text
    asked = {
        name: " ".join(where.split()) for name, where in re.findall(r"\*\*(\d\d\.\w+): [^*]*\*\*\s+\(\*([^*]+)\*", text)
    }
    assert set(asked) == set(chapter["predictions"]), "each prediction has its question, and the section where it is"
    if number not in LATE:
        [file] = notebooks.chapter_files([number])
        holds = {section.heading: section.code for section in routes.outline(file)}
        assert [name for name, where in asked.items() if f'"{name}"' not in holds.get(where, "")] == []
    spent = [int(row) for row in re.findall(rf"(?m)^\| {number}\.\d [^|]*\| (\d+) \|", text)]
    assert sum(spent) == chapter["exercising"], "the exercises' minutes are those of the chapter's head"


@pytest.mark.parametrize("number", [number for number in CHAPTERS if number not in LATE])
def test_the_head_of_a_chapter_promises_what_its_core_takes_in_class(number: str) -> None:
    [file] = notebooks.chapter_files([number])
    core = tuple(section.heading for section in routes.outline(file) if section.is_core)
    assert CHAPTERS[number]["reading"] >= routes.least(routes.Part(0, number, core, ""), opening=True)


@pytest.mark.parametrize("file", sorted(routes.TEACH.rglob("*.md")), ids=lambda file: file.name)
def test_links_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", file.read_text(encoding="utf-8")):
        assert target.startswith("http") or (file.parent / target).exists(), target
