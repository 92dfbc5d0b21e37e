"""The chapters as files: laid out for the reader, brought back fresh, recorded, their kept outputs refreshed."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from llmlab.errors import LabError
from llmlab.settings import DATA, ROOT

NOTEBOOKS = ROOT / "notebooks"
WORK = ROOT / "work"
CELL_SECONDS = 240


def chapter_files(numbers: list[str] | None = None) -> list[Path]:
    """The notebooks of these chapters, or all. Raises LabError for a number that none has."""
    everything = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not numbers:
        return everything
    chosen = []
    for number in numbers:
        found = [file for file in everything if file.name.startswith(f"{number:0>2}_")]
        if not found:
            have = ", ".join(file.name[:2] for file in everything)
            raise LabError(f"A chapter is one of {have}, not {number!r}; choose one of them.")
        chosen += found
    return chosen


def lay_out(work: Path = WORK) -> list[str]:
    """Copy each chapter that is not there yet into the reader's folder; returns the names of the new ones."""
    work.mkdir(exist_ok=True)
    new = [file for file in chapter_files() if not (work / file.name).exists()]
    for file in new:
        shutil.copyfile(file, work / file.name)
    return [file.name for file in new]


def reset(number: str, work: Path = WORK) -> str:
    """Bring a fresh copy of a chapter and keep the reader's under a new name; returns what was done, as a sentence."""
    [file] = chapter_files([number])
    work.mkdir(exist_ok=True)
    mine, kept = work / file.name, None
    if mine.exists():
        names = (mine.with_name(f"{file.stem}.kept-{date.today()}-{n}.ipynb") for n in count(1))
        kept = next(name for name in names if not name.exists())
        mine.rename(kept)
    shutil.copyfile(file, mine)
    return f"{mine.name} is fresh" + (f"; yours is kept as {kept.name}." if kept else ".")


def record(numbers: list[str], to: Path | None = None) -> int:
    """Run chapters on the connected model and record them; without `to`, refresh their kept outputs by a replay.

    A chapter whose cells fail is left as it was. Returns the number of chapters that failed.
    """
    folder = to or DATA / "recordings"
    failed = 0
    for file in chapter_files(numbers):
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as part:
            try:
                run(file, {"LLMLAB_RECORD": part, "LLMLAB_REPLAY": ""})
                if to is None:
                    replayed = run(file, {"LLMLAB_REPLAY": part, "LLMLAB_STRICT": "1", "LLMLAB_RECORD": ""})
                    file.write_text(nbformat.writes(tidy(replayed)) + "\n", encoding="utf-8")
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                failed += 1
                print(f"{file.stem}: not recorded, a cell failed:\n{error}")
                continue
            folder.mkdir(parents=True, exist_ok=True)
            for made in Path(part).glob("*.jsonl"):
                shutil.copyfile(made, folder / made.name)
        print(f"{file.stem}: recorded in {time.perf_counter() - started:.0f} s")
    return failed


def run(file: Path, environment: dict[str, str]) -> Any:
    """Run a notebook from the top in a new kernel, with the reader's progress out of the way; returns it."""
    notebook = nbformat.read(file, as_version=4)
    with tempfile.TemporaryDirectory() as state:
        env = {**os.environ, "LLMLAB_STATE": state, **environment}
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(file.parent)}},
        )
        client.create_kernel_manager()
        if os.name != "nt":
            # Over TCP, ipykernel warns that the connection is not encrypted.
            client.km.transport, client.km.ip = "ipc", str(Path(state) / "kernel")
        client.execute(env=env)
    return notebook


def tidy(notebook: Any) -> Any:
    """A notebook without what differs from machine to machine: widget states, ids of views, the Python version."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    return notebook
