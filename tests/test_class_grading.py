"""The exercises as an assignment for nbgrader (tried by hand with nbgrader itself: teach/grading.md)."""

import ast
import json
from pathlib import Path

import pytest

from classroom import grading
from llmlab import LabError, lesson

CHAPTERS = [chapter for chapter in lesson.chapters() if chapter.exercises]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.id)
def test_each_exercise_is_a_stub_with_its_solution_and_a_check_of_what_it_defines(chapter: lesson.Chapter) -> None:
    cells = {
        cell.metadata.nbgrader.grade_id: cell for cell in grading.assignment(chapter.id[:2]).cells if cell.metadata
    }
    for id in chapter.exercises:
        work, check = (cells[f"{kind}-{id.replace('.', '-')}"] for kind in ("work", "check"))
        stub, solution = work.source.split("\n### BEGIN SOLUTION\n")
        name = check.source.split(".check(")[1].split(",")[0]
        for code in (stub, solution.removesuffix("\n### END SOLUTION")):
            assert name in {node.name for node in ast.parse(code).body if hasattr(node, "name")}
        marks = [(cell.metadata.nbgrader.solution, cell.metadata.nbgrader.grade) for cell in (work, check)]
        assert marks == [(True, False), (False, True)]


def test_it_is_written_where_nbgrader_looks_and_settings_of_the_teachers_stay(tmp_path: Path) -> None:
    (tmp_path / "nbgrader_config.py").write_text("mine", encoding="utf-8")
    grading.main("00", tmp_path)
    written = json.loads((tmp_path / "source" / "chapter-00" / "exercises.ipynb").read_text(encoding="utf-8"))
    assert len(written["cells"]) == 2 + 3 * 3
    assert (tmp_path / "nbgrader_config.py").read_text(encoding="utf-8") == "mine"
    with pytest.raises(LabError, match="not '77'"):
        grading.assignment("77")
