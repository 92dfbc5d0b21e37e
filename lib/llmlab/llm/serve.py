"""The process of the shared server (`llmlab.llm.shared`): python -m llmlab.llm.serve SIZE STATE_FILE."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from llmlab import settings
from llmlab.errors import LabError
from llmlab.llm import local, weights
from llmlab.llm.shared import Shared, write


def serve(box: str, state: Path) -> None:
    """What the process does: load the model, say where it answers, and end when the parent's end of the pipe closes."""
    write(state, {"box": box, "pid": os.getpid()})
    threading.Thread(target=_end_with_the_parent, args=[state], daemon=True).start()
    config = settings.load()
    chosen = weights.get(box)
    try:
        made = local.Embedded(weights.find(chosen, config.cache), config.threads, chosen.name, sha256=chosen.sha256)
    except LabError:
        _end(state)  # each kernel then starts its own, and its reader is told what is wrong
    told = Shared(made.base_url, made.api_key, made.name, made.provenance)
    write(state, {"box": box, "pid": os.getpid(), **asdict(told)})
    threading.Event().wait()


def _end_with_the_parent(state: Path) -> None:
    sys.stdin.buffer.read()
    _end(state)


def _end(state: Path) -> None:
    shutil.rmtree(state.parent, ignore_errors=True)
    os._exit(0)  # at once: an answer that is being written has no reader any more


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
