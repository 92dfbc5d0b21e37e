"""Predict before you run: a guess is kept, and later shown beside what happened."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import ipywidgets

from llmlab.errors import LabError
from llmlab.lesson import state
from llmlab.show.view import View
from llmlab.show.widgets import Panel

_asked: dict[str, list[str]] = {}


def predict(name: str, question: str, options: Sequence[str]) -> Panel:
    """Ask for a guess. Choose with the mouse, with Tab and Space, or by `lesson.guess(name, number)`."""
    _asked[name] = list(options)
    earlier = state.get("guesses", name)
    radio = ipywidgets.RadioButtons(
        options=list(options), value=earlier if earlier in options else None, layout={"width": "max-content"}
    )
    kept = ipywidgets.HTML(f"<i>Kept: {escape(earlier)}</i>" if earlier in options else "")

    def choose(change: dict[str, str]) -> None:
        state.put("guesses", name, change["new"])
        kept.value = f"<i>Kept: {escape(change['new'])}</i>"

    radio.observe(choose, names="value")
    asked = ipywidgets.HTML(f"<div style='line-height:1.5'><b>Predict:</b> {escape(question)}</div>")
    widget = ipywidgets.VBox([asked, radio, kept])
    numbered = [f"{i}. {option}" for i, option in enumerate(options, 1)]
    how = f'To answer without the buttons: lesson.guess("{name}", number)'
    html = f"<p><b>Predict:</b> {escape(question)}</p><pre>{escape(chr(10).join(numbered))}</pre><p><i>{escape(how)}</i></p>"
    return Panel(widget, View(html, "\n".join([f"Predict: {question}", *numbered, how])))


def guess(name: str, number: int) -> View:
    """Answer a prediction by the number of the option, counted from 1."""
    chosen = _option(name, number)
    state.put("guesses", name, chosen)
    return View(f"<p><i>Kept: {escape(chosen)}</i></p>", f"Kept: {chosen}")


def reveal(name: str, number: int, because: str) -> View:
    """What happened (the number of the option), beside what the reader had guessed."""
    actual, guessed = _option(name, number), state.get("guesses", name)
    verdict = (
        "no guess was made" if guessed is None else "as you guessed" if guessed == actual else "not as you guessed"
    )
    text = f"Your guess: {guessed or '(none)'}\nWhat happened: {actual} ({verdict})\n{because}"
    return View(f"<p style='white-space:pre-line'>{escape(text)}</p>", text)


def _option(name: str, number: int) -> str:
    if name not in _asked:
        raise LabError(f"A guess needs its question, but {name!r} was not asked in this session; run its cell first.")
    options = _asked[name]
    if number not in range(1, len(options) + 1):
        raise LabError(f"{name} has the options 1 to {len(options)}, but got {number!r}; choose one of them.")
    return options[number - 1]
