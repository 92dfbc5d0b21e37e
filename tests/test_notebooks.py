"""The chapters as files: laid out, brought back fresh, run, tidied."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from llmlab import LabError, notebooks
from llmlab.llm.recording import Recording

FIRST = notebooks.chapter_files()[0].name


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


# Laying out and resetting


def test_chapters_are_found_by_number() -> None:
    everything = notebooks.chapter_files()
    assert [f.name[:2] for f in everything] == sorted(f.name[:2] for f in everything)
    assert notebooks.chapter_files([]) == everything
    assert [f.name[:2] for f in notebooks.chapter_files(["01", "0"])] == ["01", "00"]


@pytest.mark.parametrize("number", ["77", "x", "001", "*"])
def test_an_unknown_chapter_is_answered_with_the_numbers_that_there_are(number: str, work: Path) -> None:
    with pytest.raises(LabError, match=r"A chapter is one of 00, 01.* choose one of them"):
        notebooks.chapter_files([number])
    with pytest.raises(LabError):
        notebooks.reset(number, work)
    assert not work.exists()


def test_laying_out_copies_every_chapter_once(work: Path) -> None:
    everything = [file.name for file in notebooks.chapter_files()]
    assert notebooks.lay_out(work) == everything == names(work)
    assert notebooks.lay_out(work) == []
    for file in notebooks.chapter_files():
        assert (work / file.name).read_bytes() == file.read_bytes()


def test_laying_out_brings_what_is_missing_and_never_overwrites(work: Path) -> None:
    notebooks.lay_out(work)
    (work / FIRST).write_text("mine", encoding="utf-8")
    gone = work / notebooks.chapter_files()[1].name
    gone.unlink()
    assert notebooks.lay_out(work) == [gone.name]
    assert (work / FIRST).read_text(encoding="utf-8") == "mine"


def test_a_reset_brings_a_fresh_copy_and_keeps_the_readers(work: Path) -> None:
    notebooks.lay_out(work)
    (work / FIRST).write_text("mine", encoding="utf-8")
    said = notebooks.reset("0", work)
    [kept] = [name for name in names(work) if ".kept-" in name]
    assert said == f"{FIRST} is fresh; yours is kept as {kept}."
    assert (work / kept).read_text(encoding="utf-8") == "mine"
    assert (work / FIRST).read_bytes() == (notebooks.NOTEBOOKS / FIRST).read_bytes()
    assert notebooks.lay_out(work) == []


def test_several_resets_on_one_day_keep_every_copy(work: Path) -> None:
    notebooks.lay_out(work)
    for i in range(3):
        (work / FIRST).write_text(f"mine {i}", encoding="utf-8")
        notebooks.reset("00", work)
    kept = [work / name for name in names(work) if ".kept-" in name]
    assert [file.read_text(encoding="utf-8") for file in kept] == ["mine 0", "mine 1", "mine 2"]
    # The reader throws the first away; the next one may not take the place of another.
    kept[0].unlink()
    (work / FIRST).write_text("mine 3", encoding="utf-8")
    notebooks.reset("00", work)
    left = {(work / name).read_text(encoding="utf-8") for name in names(work) if ".kept-" in name}
    assert left == {"mine 1", "mine 2", "mine 3"}


def test_a_reset_of_a_chapter_that_is_not_there_lays_it_out(work: Path) -> None:
    assert notebooks.reset("00", work) == f"{FIRST} is fresh."
    assert names(work) == [FIRST]


# Tidying


def test_tidying_takes_away_what_differs_from_machine_to_machine() -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "a1"}, "text/plain": "shown"}
    cell = new_code_cell("x", outputs=[new_output("display_data", view), new_output("stream", text="said")])
    cell.metadata["execution"] = {"iopub.status.busy": "2026-01-01"}
    cell.metadata["tags"] = ["kept"]
    notebook = new_notebook(cells=[new_markdown_cell("words"), cell])
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}
    notebook.metadata["language_info"] = {"name": "python", "version": "3.11.7"}
    text = nbformat.writes(notebooks.tidy(notebook))
    for gone in ("widget", "3.11.7", "2026-01-01"):
        assert gone not in text
    for stays in ("shown", "said", "kept", "words", '"name": "python"'):
        assert stays in text


@pytest.mark.parametrize("file", notebooks.chapter_files(), ids=lambda f: f.stem)
def test_the_kept_notebooks_are_tidy(file: Path) -> None:
    notebook = nbformat.read(file, as_version=4)
    before = nbformat.writes(notebook)
    assert nbformat.writes(notebooks.tidy(notebook)) == before


# Running and recording


def notebook(folder: Path, *cells: str) -> Path:
    file = folder / "00_tiny.ipynb"
    file.write_text(nbformat.writes(new_notebook(cells=[new_code_cell(cell) for cell in cells])), encoding="utf-8")
    return file


def said(ran: Any) -> str:
    return "".join(output.get("text", "") for cell in ran.cells for output in cell.get("outputs", []))


TINY = """\
import os
from llmlab import connect
os.environ["LLMLAB_CHAPTER"] = "00_tiny"
model = await connect()
reply = await model.chat("What is snow?", max_tokens=8)
print(reply.source, "|", reply.text, "|", os.environ["LLMLAB_STATE"])"""


@pytest.mark.live
def test_a_notebook_that_was_recorded_gives_the_same_in_a_strict_replay(box_weights: Path, tmp_path: Path) -> None:
    file = notebook(tmp_path, TINY)
    before = file.read_bytes()
    folder = tmp_path / "recordings"
    live = said(notebooks.run(file, {"LLMLAB_RECORD": str(folder), "LLMLAB_REPLAY": ""}))
    assert len(Recording.load(folder / "00_tiny.jsonl").exchanges) == 1
    replay = said(notebooks.run(file, {"LLMLAB_REPLAY": str(folder), "LLMLAB_STRICT": "1", "LLMLAB_RECORD": ""}))
    sources, texts, states = zip(*(line.strip().split(" | ") for line in (live, replay)), strict=True)
    assert sources == ("embedded", "recording")
    assert texts[0] == texts[1] != ""
    assert not any(Path(state).exists() for state in states), "runs may not touch the reader's progress"
    assert file.read_bytes() == before, "running does not write; recording does"


@pytest.mark.live
def test_a_kernel_in_work_replays_from_the_folder_that_the_env_file_names(box_weights: Path, tmp_path: Path) -> None:
    """As the README says it: a folder `class` beside `.env`, and the reader's copies in work/."""
    (tmp_path / "work").mkdir()
    file = notebook(tmp_path / "work", TINY)
    notebooks.run(file, {"LLMLAB_RECORD": str(tmp_path / "class"), "LLMLAB_REPLAY": ""})
    (tmp_path / ".env").write_text("LLMLAB_REPLAY=class\n", encoding="utf-8")
    ran = notebooks.run(file, {"LLMLAB_ENV_FILE": str(tmp_path / ".env")})
    assert said(ran).startswith("recording | ")
    (tmp_path / "class" / "00_tiny.jsonl").unlink()
    ran = notebooks.run(file, {"LLMLAB_ENV_FILE": str(tmp_path / ".env")})
    assert said(ran).startswith("No recording of 00_tiny is in class; the model in the box answers.\nembedded | ")


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = notebook(tmp_path, "1 + 1")
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(notebooks, "DATA", tmp_path / "data")
    return file


def runs(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> list[dict[str, str]]:
    """Let the kernel be: what a run gets, and that it writes a recording where it is told to."""
    calls: list[dict[str, str]] = []

    def run(file: Path, environment: dict[str, str]) -> Any:
        calls.append(environment)
        if environment["LLMLAB_RECORD"]:
            (Path(environment["LLMLAB_RECORD"]) / f"{file.stem}.jsonl").write_text("recorded", encoding="utf-8")
        if error:
            raise error
        return new_notebook(cells=[new_code_cell("1 + 1", outputs=[new_output("stream", text="fresh")])])

    monkeypatch.setattr(notebooks, "run", run)
    return calls


def test_recording_keeps_the_exchanges_and_refreshes_the_outputs_by_a_strict_replay_of_them(
    book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = runs(monkeypatch)
    assert notebooks.record([]) == 0
    assert (book.parent / "data" / "recordings" / "00_tiny.jsonl").read_text(encoding="utf-8") == "recorded"
    assert "fresh" in book.read_text(encoding="utf-8")
    live, replay = calls
    assert (live["LLMLAB_REPLAY"], replay["LLMLAB_RECORD"], replay["LLMLAB_STRICT"]) == ("", "", "1")
    assert live["LLMLAB_RECORD"] == replay["LLMLAB_REPLAY"]


def test_recording_for_a_class_leaves_the_chapters_as_they_are(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = book.read_bytes()
    assert len(runs(monkeypatch)) == 0
    assert notebooks.record(["00"], to=book.parent / "class") == 0
    assert names(book.parent / "class") == ["00_tiny.jsonl"]
    assert book.read_bytes() == before
    assert not (book.parent / "data").exists()


@pytest.mark.parametrize(
    "error",
    [
        notebooks.CellExecutionError("traceback", "NameError", "x"),
        CellTimeoutError("a cell took too long"),
        DeadKernelError("Kernel died"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_a_chapter_that_fails_is_counted_and_left_as_it_was(
    error: Exception, book: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = book.read_bytes()
    runs(monkeypatch, error)
    assert notebooks.record([]) == 1
    assert book.read_bytes() == before
    assert not (book.parent / "data").exists()
    assert "00_tiny: not recorded" in capsys.readouterr().out


def test_the_kernel_of_a_run_stops_at_the_first_failing_cell(tmp_path: Path) -> None:
    file = notebook(tmp_path, "print('first')", "1 / 0", "print('never')")
    with pytest.raises(notebooks.CellExecutionError, match="ZeroDivisionError"):
        notebooks.run(file, {})
    assert json.loads(file.read_text(encoding="utf-8"))["cells"][0]["outputs"] == []
