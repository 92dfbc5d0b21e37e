"""Chapters, run from the top on the standard model, with their check cells. Nothing is compared but what they assert.

Those that the browser test runs live are left to it: each takes minutes.
"""

import time
from pathlib import Path

import pytest

from authors.recording import run
from llmlab import notebooks
from test_browser import LIVE as IN_THE_BROWSER

pytestmark = [pytest.mark.slow, pytest.mark.live]

MINUTES = 4  # for a chapter on two cores
LEFT = [file for file in notebooks.chapter_files() if file.name[:2] not in IN_THE_BROWSER]


@pytest.mark.parametrize("file", LEFT, ids=lambda file: file.stem)
def test_chapter_runs_live(file: Path, standard: None, capsys: pytest.CaptureFixture[str]) -> None:
    started = time.perf_counter()
    notebook = run(file, {"LLMLAB_REPLAY": "", "LLMLAB_RECORD": "", "LLMLAB_BOX": "standard"})
    with capsys.disabled():
        print(
            f"\n{file.stem}: {time.perf_counter() - started:.0f} s live (goal: at most {60 * MINUTES} s on two cores)"
        )
    if not any("await connect(" in cell.source for cell in notebook.cells):
        return  # a chapter that asks no model
    shown = [
        data for cell in notebook.cells for out in cell.get("outputs", []) for data in out.get("data", {}).values()
    ]
    assert any("embedded" in str(data) for data in shown), "the badge has to say that the model in the box answered"
