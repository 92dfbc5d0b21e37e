"""The chapters as files: laid out for the reader, without outputs, and brought back fresh."""

from __future__ import annotations

import json
from datetime import date
from itertools import count
from pathlib import Path

from llmlab.errors import LabError
from llmlab.settings import ROOT, WORK

NOTEBOOKS = ROOT / "notebooks"


def chapter_files(numbers: list[str] | None = None) -> list[Path]:
    """The notebooks of these chapters, or all. Raises LabError for a number that none has."""
    everything = {file.name[:2]: file for file in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
    try:
        return [everything[number.zfill(2)] for number in numbers or everything]
    except KeyError as error:
        raise LabError(f"A chapter is one of {', '.join(everything)}, not {error}; choose one of them.") from None


def lay_out(work: Path = WORK) -> list[str]:
    """Copy each chapter that is not there yet into the reader's folder; returns the names of the new ones."""
    work.mkdir(exist_ok=True)
    new = [file for file in chapter_files() if not (work / file.name).exists()]
    for file in new:
        (work / file.name).write_text(_not_run(file.read_text(encoding="utf-8")), encoding="utf-8")
    return [file.name for file in new]


def _not_run(notebook: str) -> str:
    """The same notebook without outputs: nothing below a question answers it before the reader does."""
    data = json.loads(notebook)
    for cell in data["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def reset(number: str, work: Path = WORK) -> str:
    """Bring a fresh copy of a chapter and keep the reader's under a new name; returns what was done, as a sentence."""
    [file] = chapter_files([number])
    mine, kept = work / file.name, ""
    if mine.exists():
        names = (f"{file.stem}.kept-{date.today()}-{n}.ipynb" for n in count(1))
        kept = next(name for name in names if not (work / name).exists())
        mine.rename(work / kept)
    lay_out(work)
    return f"{mine.name} is fresh" + (f"; yours is kept as {kept}." if kept else ".")
