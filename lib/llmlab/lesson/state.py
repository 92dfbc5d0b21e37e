"""What the reader has done, in one small JSON file on this machine: guesses, exercises passed, hints taken."""

from __future__ import annotations

import contextlib
import json
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmlab import settings

WAITS = 2.0  # seconds; keeping something takes milliseconds


def load() -> dict[str, Any]:
    """Everything that is kept; empty at first, and when the file cannot be read."""
    file = settings.load().state / "progress.json"
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def put(section: str, name: str, value: Any) -> None:
    """Keep one thing. Several notebooks may do so at once: each waits for the other, and none reads half a file."""
    folder = settings.load().state
    part = folder / f"progress.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / "progress.lock"):
            data = load()
            data.setdefault(section, {})[name] = value
            part.write_text(json.dumps(data, indent=1), encoding="utf-8")
            part.replace(folder / "progress.json")
    except OSError as error:  # a chapter has to run in a folder that cannot be written, too
        warnings.warn(f"Your progress cannot be kept ({error}); name a folder in LLMLAB_STATE.", stacklevel=3)


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock that works on each system: who makes the file has it. One that was left behind counts for a moment only."""
    until = time.monotonic() + WAITS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            if time.monotonic() > until:
                break  # whoever held it has ended in the middle
            time.sleep(0.005)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def get(section: str, name: str, default: Any = None) -> Any:
    """One thing that was kept."""
    return load().get(section, {}).get(name, default)
