"""What the reader has done, in one small JSON file on this machine: guesses, exercises passed, hints taken."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any

from llmlab import settings


def load() -> dict[str, Any]:
    """Everything that is kept; empty at first, and when the file cannot be read."""
    file = settings.load().state / "progress.json"
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def put(section: str, name: str, value: Any) -> None:
    """Keep one thing, replacing the file in one step so that a second notebook never reads half of it."""
    data = load()
    data.setdefault(section, {})[name] = value
    folder = settings.load().state
    part = folder / f"progress.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(data, indent=1), encoding="utf-8")
        part.replace(folder / "progress.json")
    except OSError as error:  # a chapter has to run in a folder that cannot be written, too
        warnings.warn(f"Your progress cannot be kept ({error}); name a folder in LLMLAB_STATE.", stacklevel=3)


def get(section: str, name: str, default: Any = None) -> Any:
    """One thing that was kept."""
    return load().get(section, {}).get(name, default)
