"""Chapters run from the top: recorded (`llmlab record`), their kept outputs refreshed."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from llmlab.errors import LabError
from llmlab.notebooks import chapter_files
from llmlab.settings import DATA

CELL_SECONDS = 240


def record(numbers: list[str], to: Path | None = None) -> None:
    """Run chapters on the connected model and record them; without `to`, refresh their kept outputs by a replay.

    Raises LabError for the first chapter whose cells fail; it is left as it was.
    """
    for file in chapter_files(numbers):
        with tempfile.TemporaryDirectory() as part:
            try:
                run(file, {"LLMLAB_RECORD": part, "LLMLAB_REPLAY": ""})
                if to is None:
                    replayed = run(file, {"LLMLAB_REPLAY": part, "LLMLAB_STRICT": "1", "LLMLAB_RECORD": ""})
                    file.write_text(nbformat.writes(tidy(replayed)) + "\n", encoding="utf-8")
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                raise LabError(f"{file.stem} could not be recorded: {error}") from error
            shutil.copytree(part, to or DATA / "recordings", dirs_exist_ok=True)
        print(f"{file.stem} is recorded.", flush=True)


def run(file: Path, environment: dict[str, str]) -> Any:
    """Run a notebook from the top in a new kernel, with the reader's progress out of the way; returns it."""
    notebook = nbformat.read(file, as_version=4)
    client = NotebookClient(notebook, timeout=CELL_SECONDS, record_timing=False, coalesce_streams=True)
    with tempfile.TemporaryDirectory() as state:
        client.execute(cwd=str(file.parent), env={**os.environ, "LLMLAB_STATE": state, **environment})
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
