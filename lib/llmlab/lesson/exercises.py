"""Exercises: checked on what the code did and on values, never on the wording of a reply; hints in steps; solutions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any

import ipywidgets

from llmlab.errors import LabError
from llmlab.lesson import state
from llmlab.show.view import View
from llmlab.show.widgets import Panel

Check = tuple[bool, str]  # whether it holds, and a sentence on it


@dataclass(frozen=True)
class Exercise:
    """A stub to complete, checked by `check(work, model)`, which gives one `Check` for each thing asked for."""

    id: str
    task: str
    stub: str
    solution: str
    hints: tuple[str, ...]
    check: Callable[[Any, Any], Awaitable[list[Check]]]


def find(name: str) -> Exercise:
    """An exercise by its id ("01.2"). Raises LabError if there is none."""
    try:
        found = [e for e in import_module(f"chapters.ch{name[:2]}.exercises").EXERCISES if e.id == name]
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("chapters."):  # the chapter is there, and a package that it needs is not
            raise
        found = []
    if not found:
        raise LabError(
            f"An exercise has an id like 01.2, but there is no {name!r}; look at the heading above the cell."
        )
    return found[0]


async def check(name: str, work: Any, model: Any = None) -> Panel:
    """Run the reader's work and say, point by point, what holds. An error in it is a point that does not."""
    exercise = find(name)
    try:
        points = await exercise.check(work, model)
    except Exception as error:  # whatever the reader's code raises is shown as a sentence, not as 60 lines
        points = [(False, f"your code stopped with {type(error).__name__}: {error}")]
    passed = bool(points) and all(ok for ok, _ in points)
    if passed:
        state.put("passed", name, True)
    lines = [f"{'✓' if ok else '✗'} {text}" for ok, text in points]
    lines.append(f"Exercise {name}: {'passed' if passed else 'not yet'}")
    more = "" if passed else f'More help: lesson.hint("{name}") or lesson.solution("{name}")'
    out = ipywidgets.HTML()
    buttons = []
    for label, show in (("Hint", hint), ("Solution", solution)):
        button = ipywidgets.Button(description=label, tooltip=f"{label} for exercise {name}")
        button.on_click(lambda _, show=show: setattr(out, "value", show(name).html))
        buttons.append(button)
    shown = ipywidgets.HTML(_lines(lines).html)
    widget = ipywidgets.VBox([shown] if passed else [shown, ipywidgets.HBox(buttons), out])
    return Panel(widget, _lines([*lines, more] if more else lines))


def _lines(lines: list[str]) -> View:
    text = "\n".join(lines)
    return View(f"<div style='white-space:pre-line;line-height:1.5'>{escape(text)}</div>", text)


def hint(name: str) -> View:
    """The next hint; after the last one it starts again."""
    hints = find(name).hints
    taken = state.get("hints", name, 0)
    state.put("hints", name, taken + 1)
    text = f"Hint {taken % len(hints) + 1} of {len(hints)}: {hints[taken % len(hints)]}"
    return View(f"<p>{escape(text)}</p>", text)


def solution(name: str) -> View:
    """One way to solve it."""
    code = find(name).solution
    return View(f"<pre>{escape(code)}</pre>", code)
