"""How long a chapter's cells take: `python -m authors.timing 06` writes it into teach/seconds.json, by section.

A cell's time is what it takes in a replay, which answers at once, and what the recorded calls took when they were
made; calls that ran side by side count once.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from authors.recording import CELL_SECONDS
from classroom.routes import LIVE, heading
from llmlab.notebooks import chapter_files
from llmlab.settings import DATA

# Runs in the chapter's kernel before it: each recorded reply that is given is noted, with the time of day.
NOTE = """\
def _():
    import json, time
    from llmlab.llm.recording import Recording
    give = Recording.reply
    def noted(self, found):
        with open({file!r}, "a", encoding="utf-8") as out:
            print(json.dumps([time.time(), found["seconds"], found["response"]]), file=out)
        return give(self, found)
    Recording.reply = noted
_()
"""


def span(calls: list[tuple[float, Any]]) -> float:
    """The seconds that calls took together; the reply says when it was made, unless it is an error."""
    total, until = 0.0, 0.0
    known = [(float(at[1]), s) for s, r in calls if (at := re.search(r'"created": ?(\d+)', json.dumps(r)))]
    for end, seconds in sorted(known):
        total += max(0.0, end - max(until, end - seconds))
        until = max(until, end)
    return total


def seconds_of(file: Path) -> dict[str, int]:
    """The seconds of each section of a chapter; the opening's heading is empty."""
    notebook, spent, here = nbformat.read(file, as_version=4), {"": 0.0}, ""
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        notebook.cells.insert(0, new_code_cell(NOTE.format(file=str(notes))))
        client = NotebookClient(notebook, timeout=CELL_SECONDS, record_timing=True, allow_errors=True)
        replay = {"LLMLAB_REPLAY": str(DATA / "recordings"), "LLMLAB_STRICT": "1", "LLMLAB_STATE": folder}
        client.execute(cwd=folder, env={**os.environ, **replay})
        lines = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
    given = [json.loads(line) for line in lines]
    for cell in notebook.cells[1:]:
        if cell.cell_type == "markdown":
            for line in re.findall(r"(?m)^## .*", re.sub(r"(?ms)^```.*?^```", "", cell.source)):
                spent[here := heading(line)[0]] = 0.0
        elif when := cell.metadata.get("execution"):
            begin, end = (at(when[key]) for key in ("iopub.execute_input", "shell.execute_reply"))
            spent[here] += end - begin + span([(s, r) for time, s, r in given if begin <= time <= end])
    return {name: round(seconds) for name, seconds in spent.items()}


def at(stamp: str) -> float:
    """A time of the kernel's messages, in seconds."""
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


if __name__ == "__main__":
    known = json.loads(LIVE.read_text(encoding="utf-8")) if LIVE.exists() else {}
    for chapter in chapter_files(sys.argv[1:]):
        known[chapter.stem] = seconds_of(chapter)
        print(chapter.stem, known[chapter.stem], flush=True)
    LIVE.write_text(json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
