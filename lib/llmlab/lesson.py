"""The teaching parts that every chapter uses: heads, predictions, exercises, terms, and what the reader has done."""

from __future__ import annotations

import difflib
import json
import os
import warnings
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from importlib import import_module
from typing import Any

import ipywidgets
from filelock import FileLock

from llmlab import settings
from llmlab.errors import LabError
from llmlab.show.view import QUIET, View, table_of
from llmlab.show.widgets import Panel

# What the reader has done, in one small JSON file on this machine


def kept() -> dict[str, dict[str, Any]]:
    """All that is kept, by its kind: opened, guesses, passed, tries, hints, solutions, class; empty if unreadable."""
    try:
        return defaultdict(dict, json.loads((settings.load().state / "progress.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return defaultdict(dict)


def keep(section: str, name: str, value: Any) -> None:
    """Keep one thing. Several notebooks may do so at once: each waits for the others, and none reads half a file."""
    folder = settings.load().state
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "progress.lock", timeout=10):
            everything = kept()
            everything[section][name] = value
            (part := folder / "progress.tmp").write_text(json.dumps(everything, indent=1), encoding="utf-8")
            part.replace(folder / "progress.json")
    except (OSError, NotImplementedError) as error:  # a chapter has to run in a folder that cannot be written, too
        warnings.warn(f"Your progress cannot be kept ({error}); name a folder in LLMLAB_STATE.", stacklevel=3)


# Chapters and terms


@dataclass(frozen=True)
class Chapter:
    """One chapter: its question, how long it takes (minutes), what it builds on and what the reader will have built."""

    id: str
    title: str
    question: str
    reading: int
    exercising: int
    needs: tuple[str, ...]
    built: str
    predictions: tuple[str, ...]
    exercises: tuple[str, ...]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        needs = ", ".join(self.needs) or "nothing"
        facts = f"Before this: {needs}. Teaching: {self.reading} minutes, exercises: {self.exercising} minutes."
        built = f"You will have built: {self.built}"
        html = f"<p><b>{escape(self.question)}</b></p><p>{escape(built)}</p><p style='{QUIET}'>{escape(facts)}</p>"
        return View(html, f"{self.question}\n{built}\n{facts}")._repr_mimebundle_()


@lru_cache
def chapters() -> tuple[Chapter, ...]:
    """All chapters, in order."""
    return tuple(Chapter(**row) for row in json.loads((settings.DATA / "chapters.json").read_text(encoding="utf-8")))


def chapter(number: str) -> Chapter:
    """Begin a chapter ("01"): shows its head; recordings and progress are kept under its name from here on."""
    found = [c for c in chapters() if c.id.startswith(number)]
    if len(found) != 1:
        raise LabError(f"A chapter is one of {', '.join(c.id[:2] for c in chapters())}, not {number!r}.")
    os.environ["LLMLAB_CHAPTER"] = found[0].id
    keep("opened", found[0].id, True)
    return found[0]


def progress() -> View:
    """What the reader has opened, guessed and solved, chapter by chapter."""
    done, rows = kept(), []
    for c in chapters():
        guessed = f"{sum(name in done['guesses'] for name in c.predictions)} of {len(c.predictions)}"
        solved = f"{sum(name in done['passed'] for name in c.exercises)} of {len(c.exercises)}"
        rows.append([c.id, "yes" if c.id in done["opened"] else "not yet", guessed, solved])
    return table_of(["chapter", "opened", "predictions made", "exercises passed"], rows)


def term(words: str = "") -> View:
    """What a term means: `lesson.term("context window")`. Other words search the glossary; no words list all of it.

    Raises LabError with the nearest terms where nothing is found.
    """
    terms: dict[str, str] = json.loads((settings.DATA / "glossary.json").read_text(encoding="utf-8"))
    key = str(words).strip().lower()
    if not key:
        rows = "".join(f"<details><summary>{escape(t)}</summary>{escape(terms[t])}</details>" for t in sorted(terms))
        return View(f"<div style='columns:16em'>{rows}</div>", ", ".join(sorted(terms)))
    found = [key] if key in terms else [t for t in terms if key in t] or difflib.get_close_matches(key, terms, 3, 0.75)
    if not (found := found or [t for t in terms if key in terms[t].lower()]):
        near = ", ".join(difflib.get_close_matches(key, terms, 3, 0.4)) or "lesson.term(), which lists them"
        raise LabError(f"The glossary has {len(terms)} terms, but nothing on {words!r}; the nearest are {near}.")
    html = "".join(f"<p><b>{escape(t)}</b>: {escape(terms[t])}</p>" for t in found)
    return View(html, "\n".join(f"{t}: {terms[t]}" for t in found))


# Predict before you run: a guess is kept, and later shown beside what happened

_asked: dict[str, list[str]] = {}


def predict(name: str, question: str, options: Sequence[str]) -> Panel:
    """Ask for a guess. Choose with the mouse, with Tab and Space, or by `lesson.guess(name, number)`."""
    _asked[name] = list(options)
    chosen = earlier if (earlier := kept()["guesses"].get(name)) in options else None
    radio = ipywidgets.RadioButtons(options=_asked[name], value=chosen, layout={"width": "max-content"})
    note = ipywidgets.HTML(_noted(chosen).html if chosen else "")

    def choose(change: dict[str, str]) -> None:
        keep("guesses", name, change["new"])
        note.value = _noted(change["new"]).html

    radio.observe(choose, names="value")
    asked = ipywidgets.HTML(f"<div style='line-height:1.5'><b>Predict:</b> {escape(question)}</div>")
    numbered = "\n".join(f"{i}. {option}" for i, option in enumerate(options, 1))
    how = f'To answer without the buttons: lesson.guess("{name}", number)'
    html = f"<p><b>Predict:</b> {escape(question)}</p><pre>{escape(numbered)}</pre><p><i>{escape(how)}</i></p>"
    return Panel(ipywidgets.VBox([asked, radio, note]), View(html, f"Predict: {question}\n{numbered}\n{how}"))


def guess(name: str, number: int) -> View:
    """Answer a prediction by the number of the option, counted from 1."""
    keep("guesses", name, chosen := _option(name, number))
    return _noted(chosen)


def reveal(name: str, number: int, because: str) -> View:
    """What happened (the number of the option), beside what the reader had guessed."""
    actual, guessed = _option(name, number), kept()["guesses"].get(name)
    verdict = "as you guessed" if guessed == actual else "not as you guessed" if guessed else "no guess was made"
    text = f"Your guess: {guessed or '(none)'}\nWhat happened: {actual} ({verdict})\n{because}"
    return View(f"<p style='white-space:pre-line'>{escape(text)}</p>", text)


def _noted(option: str) -> View:
    return View(f"<p><i>Kept: {escape(option)}</i></p>", f"Kept: {option}")


def _option(name: str, number: int) -> str:
    if name not in _asked:
        raise LabError(f"A guess needs its question, but {name!r} was not asked in this session; run its cell first.")
    options = _asked[name]
    if number not in range(1, len(options) + 1):
        raise LabError(f"{name} has the options 1 to {len(options)}, but got {number!r}; choose one of them.")
    return options[number - 1]


# Exercises: checked on what the code did and on values, never on the wording of a reply

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


def exercise(name: str) -> Exercise:
    """An exercise by its id ("01.2"). Raises LabError if there is none."""
    if not any(name in chapter.exercises for chapter in chapters()):
        raise LabError(f"An exercise has an id like 01.2, but there is no {name!r}; see the heading above its cell.")
    return next(each for each in import_module(f"chapters.ch{name[:2]}.exercises").EXERCISES if each.id == name)


async def check(name: str, work: Any, model: Any = None) -> Panel | View:
    """Run the reader's work and say, point by point, what holds. An error in it is a point that does not."""
    wanted = exercise(name)
    try:
        points = await wanted.check(work, model)
    except Exception as error:  # whatever the reader's code raises is shown as a sentence, not as 60 lines
        points = [(False, f"your code stopped with {type(error).__name__}: {error}")]
    lines = [f"{'✓' if ok else '✗'} {text}" for ok, text in points]
    good = bool(points) and all(ok for ok, _ in points)
    keep(*("passed", name, True) if good else ("tries", name, kept()["tries"].get(name, 0) + 1))
    lines += [*await import_module("classroom.progress").told(), f"Exercise {name}: {'passed' if good else 'not yet'}"]
    if good:
        return _lines(*lines)
    out, buttons = ipywidgets.HTML(), []
    for label, show in (("Hint", hint), ("Solution", solution)):
        buttons.append(ipywidgets.Button(description=label, tooltip=f"{label} for exercise {name}"))
        buttons[-1].on_click(lambda _, show=show: setattr(out, "value", show(name).html))
    widget = ipywidgets.VBox([ipywidgets.HTML(_lines(*lines).html), ipywidgets.HBox(buttons), out])
    return Panel(widget, _lines(*lines, f'More help: lesson.hint("{name}") or lesson.solution("{name}")'))


def _lines(*lines: str) -> View:
    text = "\n".join(lines)
    return View(f"<div style='white-space:pre-line;line-height:1.5'>{escape(text)}</div>", text)


def hint(name: str) -> View:
    """The next hint; after the last one comes the first."""
    hints, taken = exercise(name).hints, kept()["hints"].get(name, 0)
    keep("hints", name, taken + 1)
    return _lines(f"Hint {taken % len(hints) + 1} of {len(hints)}: {hints[taken % len(hints)]}")


def solution(name: str) -> View:
    """One way to solve it; where a teacher keeps it closed, when it opens."""
    code = exercise(name).solution
    if closed := import_module("classroom.locks").closed(name, kept(), settings.load().solutions):
        return _lines(closed)
    keep("solutions", name, True)
    return View(f"<pre>{escape(code)}</pre>", code)
