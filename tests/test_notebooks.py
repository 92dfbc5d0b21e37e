"""The chapters as files: laid out, brought back fresh, run, recorded, tidied."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from authors import recording
from llmlab import LabError, notebooks

FIRST, SECOND = (file.name for file in notebooks.chapter_files()[:2])


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def not_run(file: Path) -> str:
    """A chapter as the reader gets it."""
    notebook = nbformat.read(file, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return nbformat.writes(notebook) + "\n"


def texts(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(folder.iterdir())}


def test_chapters_are_found_by_number_and_an_unknown_one_is_answered_with_those_that_there_are(work: Path) -> None:
    assert [f.name for f in notebooks.chapter_files(["01", "0"])] == [SECOND, FIRST]
    for number in ("77", "x", "001", "*"):
        with pytest.raises(LabError, match="00, 01"):
            notebooks.reset(number, work)
    assert not work.exists()


def test_laying_out_brings_what_is_missing_and_never_overwrites(work: Path) -> None:
    assert notebooks.lay_out(work) == list(texts(work)) == [file.name for file in notebooks.chapter_files()]
    (work / FIRST).write_text("mine", encoding="utf-8")
    (work / SECOND).unlink()
    assert notebooks.lay_out(work) == [SECOND]
    assert texts(work)[FIRST] == "mine"
    assert texts(work)[SECOND] == not_run(notebooks.NOTEBOOKS / SECOND)


def test_the_readers_copies_have_the_same_cells_and_no_outputs_and_the_kept_notebooks_keep_theirs(work: Path) -> None:
    notebooks.lay_out(work)
    for file in notebooks.chapter_files():
        mine, kept = (nbformat.read(at, as_version=4) for at in (work / file.name, file))
        nbformat.validate(mine)
        code = [cell for cell in mine.cells if cell.cell_type == "code"]
        assert [cell for cell in code if cell.outputs or cell.execution_count is not None] == []
        assert [(c.id, c.source, c.metadata) for c in mine.cells] == [(c.id, c.source, c.metadata) for c in kept.cells]
        assert any(cell.get("outputs") for cell in kept.cells)


def test_a_reset_brings_a_fresh_copy_and_keeps_each_of_the_readers(work: Path) -> None:
    assert notebooks.reset("0", work) == f"{FIRST} is fresh."
    for text in ("first", "second"):
        (work / FIRST).write_text(text, encoding="utf-8")
        said = notebooks.reset("00", work)
    kept = {name: text for name, text in texts(work).items() if ".kept-" in name}
    assert list(kept.values()) == ["first", "second"]
    assert said.endswith(f"{list(kept)[1]}.")
    assert texts(work)[FIRST] == not_run(notebooks.NOTEBOOKS / FIRST)
    (work / next(iter(kept))).unlink()  # the reader throws the first away
    (work / FIRST).write_text("third", encoding="utf-8")
    notebooks.reset("00", work)
    assert {"second", "third"} <= set(texts(work).values()), "the next one may not take the place of another"


# What authors do with them


def test_tidying_takes_away_what_differs_from_machine_to_machine() -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "a1"}, "text/plain": "shown"}
    cell = new_code_cell("x", outputs=[new_output("display_data", view), new_output("stream", text="said")])
    cell.metadata.update({"execution": {"iopub.status.busy": "2026-01-01"}, "tags": ["kept"]})
    notebook = new_notebook(cells=[cell])
    notebook.metadata.update({"widgets": {"state": {}}, "language_info": {"name": "python", "version": "3.11.7"}})
    text = nbformat.writes(recording.tidy(notebook))
    assert [word for word in ("widget", "3.11.7", "2026-01-01") if word in text] == []
    assert [word for word in ("shown", "said", "kept", '"name": "python"') if word not in text] == []


@pytest.mark.parametrize("file", notebooks.chapter_files(), ids=lambda f: f.stem)
def test_the_kept_notebooks_are_tidy(file: Path) -> None:
    notebook = nbformat.read(file, as_version=4)
    before = nbformat.writes(notebook)
    assert nbformat.writes(recording.tidy(notebook)) == before


TINY = """\
import os
from llmlab import connect
os.environ["LLMLAB_CHAPTER"] = "00_tiny"
model = await connect()
reply = await model.chat("What is snow?", max_tokens=8)
print(reply.source, "|", reply.text, "|", os.environ["LLMLAB_STATE"])"""


@pytest.fixture
def book(work: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the only chapter of a kit of its own from these cells."""
    monkeypatch.setattr(notebooks, "NOTEBOOKS", work)
    monkeypatch.setattr(recording, "DATA", work / "data")
    work.mkdir()

    def make(*cells: str) -> Path:
        file = work / "00_tiny.ipynb"
        notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
        file.write_text(nbformat.writes(notebook), encoding="utf-8")
        return file

    return make


def said(file: Path) -> list[str]:
    notebook = nbformat.read(file, as_version=4)
    return [out.text for cell in notebook.cells for out in cell.outputs][-1].strip().split(" | ")


@pytest.mark.live
def test_a_recorded_chapter_holds_the_outputs_of_a_strict_replay(box_weights: Path, book: Any, work: Path) -> None:
    """And as the README says it: a folder `class` beside `.env`, and the reader's copies in work/."""
    file = book(TINY)
    before = file.read_bytes()
    recording.record(["00"], to=work.parent / "class")
    assert file.read_bytes() == before
    assert list(texts(work.parent / "class")) == ["00_tiny.jsonl"]
    recording.record([])
    source, text, state = said(file)
    assert (source, bool(text)) == ("recording", True)
    assert not Path(state).exists(), "runs may not touch the reader's progress"
    assert (work / "data" / "recordings" / "00_tiny.jsonl").is_file()
    env_file = {"LLMLAB_ENV_FILE": str(work.parent / ".env")}
    Path(env_file["LLMLAB_ENV_FILE"]).write_text("LLMLAB_REPLAY=class\n", encoding="utf-8")
    assert "recording | " in nbformat.writes(recording.run(file, env_file))
    (work.parent / "class" / "00_tiny.jsonl").unlink()
    assert "the model in the box answers" in nbformat.writes(recording.run(file, env_file))


def test_a_chapter_whose_cells_fail_is_left_as_it_was(book: Any, work: Path) -> None:
    file = book("print('first')", "1 / 0", "print('never')")
    before = file.read_bytes()
    with pytest.raises(LabError, match=r"(?s)00_tiny could not be recorded.*ZeroDivisionError"):
        recording.record([])
    assert file.read_bytes() == before
    assert not (work / "data").exists()
