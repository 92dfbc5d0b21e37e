"""The exercises of a chapter as an assignment for nbgrader: `python -m classroom.grading 00 COURSE` (teach/grading.md)."""

from __future__ import annotations

import ast
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from llmlab import lesson, notebooks
from llmlab.errors import LabError

SETTINGS = """c = get_config()
c.ClearSolutions.code_stub = {"python": "# Write your solution here, in place of what stands above."}
c.ExecutePreprocessor.timeout = 600
"""
TEST = """points = await lesson.exercise("{id}").check({given})
wrong = [text for holds, text in points if not holds]
assert points and not wrong, "; ".join(wrong)"""


def assignment(number: str) -> nbformat.NotebookNode:
    """The source version of a chapter's exercises: stub, solution and the kit's own check of each. Raises LabError."""
    chapter = next((each for each in lesson.chapters() if each.id[:2] == number), None)
    if chapter is None or not chapter.exercises:
        raise LabError(
            f"A chapter is one of {', '.join(c.id[:2] for c in lesson.chapters())}, not {number!r}; name one."
        )
    notebook = nbformat.read(notebooks.NOTEBOOKS / f"{chapter.id}.ipynb", as_version=4)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    given = {id: _given(code, id) for id in chapter.exercises}
    begin = _imports(code) + (
        ["", "model = await connect()"] if any("model" in each for each in given.values()) else []
    )
    cells = [new_markdown_cell(f"# {chapter.title}: exercises"), new_code_cell("\n".join(begin))]
    for id in chapter.exercises:
        exercise, place = lesson.exercise(id), id.replace(".", "-")
        cells.append(new_markdown_cell(f"**{id}** {exercise.task}"))
        work = f"{exercise.stub.rstrip()}\n\n### BEGIN SOLUTION\n{exercise.solution.rstrip()}\n### END SOLUTION"
        cells.append(_marked(work, f"work-{place}", solution=True))
        cells.append(_marked(TEST.format(id=id, given=given[id]), f"check-{place}", grade=True, locked=True, points=1))
    return new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )


def _given(code: list[str], id: str) -> str:
    """What the chapter's own cell hands to the check, with None for a model where it has none to give."""
    begin = f'await lesson.check("{id}", '
    found = next(source for source in code if source.startswith(begin)).removeprefix(begin).rstrip().removesuffix(")")
    return found if "," in found else f"{found}, None"


def _imports(code: list[str]) -> list[str]:
    """All that the chapter imports on its way, and what the checks need."""
    found = {"from llmlab import connect, lesson": None}
    for source in code:
        with suppress(SyntaxError):  # a cell that calls the shell
            nodes = ast.parse(source).body
            found |= {ast.unparse(node): None for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)}
    return list(found)


def _marked(source: str, grade_id: str, **marks: Any) -> nbformat.NotebookNode:
    about = {
        "schema_version": 3,
        "grade_id": grade_id,
        "solution": False,
        "grade": False,
        "locked": False,
        "task": False,
    }
    return new_code_cell(source, metadata={"nbgrader": about | marks})


def main(number: str, course: Path) -> None:
    """Write it where nbgrader looks for it, and nbgrader's settings if there are none."""
    folder = course / "source" / f"chapter-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "exercises.ipynb"
    nbformat.write(assignment(number), file)
    if not (course / "nbgrader_config.py").exists():
        (course / "nbgrader_config.py").write_text(SETTINGS, encoding="utf-8")
    print(f"{file} is there. Next, in {course}: nbgrader generate_assignment chapter-{number}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m classroom.grading CHAPTER COURSE")
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except LabError as error:
        sys.exit(str(error))
