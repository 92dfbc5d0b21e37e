"""The file of a saved trace: JSONL, a header for each attempt and one step a line, each on disk before the next."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from llmlab.errors import LabError
from llmlab.redaction import plain, redact

_writing: set[Path] = set()


class Numbered(Protocol):
    """What is saved: a step, with its number."""

    id: int


S = TypeVar("S", bound=Numbered)


def header(name: str) -> dict[str, Any]:
    """The line with which an attempt begins."""
    return {"llmlab_trace": 1, "name": name}


def line(row: dict[str, Any]) -> str:
    """A row as it is saved, without keys and home paths."""
    return json.dumps(plain(row), ensure_ascii=False)


def append(path: Path, row: dict[str, Any], anew: bool = False) -> None:
    """Add one row, and wait until it is on disk. Raises LabError where that fails."""
    end = None
    try:
        with path.open("w" if anew else "a", encoding="utf-8", errors="replace") as out:  # half an emoji may come
            end = out.tell()
            # The line's end comes before the next one: where a process was killed within one, it spoils no other.
            out.write(line(row) if anew else f"\n{line(row)}")
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        if end is not None:
            with contextlib.suppress(OSError):
                os.truncate(path, end)
        raise LabError(
            f"A saved run needs room and the right to write, but {path.name} could not be written ({error.strerror}); "
            f"make room or choose another file, and run the cell again: it goes on from there."
        ) from error


def read(path: Path, make: Callable[..., S]) -> tuple[list[list[S]], str]:
    """The steps of each attempt in their order, and the name of the run. Lines that were cut off are passed over."""
    attempts: list[list[S]] = []
    name = ""
    try:
        for text in filter(None, path.read_text(encoding="utf-8").split("\n")):
            try:
                row = json.loads(text)
            except ValueError:
                if not attempts:
                    raise
                continue
            if "llmlab_trace" in row:
                attempts, name = [*attempts, []], row["name"]
            else:
                attempts[-1].append(make(**row))
        if not attempts:
            raise ValueError("it is empty")
        return [sorted(steps, key=lambda step: step.id) for steps in attempts], name
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise LabError(
            f"A saved trace is a file that the lab has written, but {path.name} is not one "
            f"({redact(str(error)) or type(error).__name__}); check the path."
        ) from error


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a file for one run of this process; raises LabError while another run writes to it."""
    path = path.resolve()
    if path in _writing:
        raise LabError(f"A saved run needs a file of its own, but another run is writing to {path.name}; take another.")
    _writing.add(path)
    try:
        yield
    finally:
        _writing.discard(path)
