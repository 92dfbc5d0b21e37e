"""The list of chapters, the head of each, and how far the reader has come."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any

from pydantic import TypeAdapter

from llmlab.errors import LabError
from llmlab.lesson import state
from llmlab.settings import DATA
from llmlab.show.view import QUIET, View, table_of


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
    rows = json.loads((DATA / "chapters.json").read_text(encoding="utf-8"))
    return TypeAdapter(tuple[Chapter, ...]).validate_python(rows)


def chapter(number: str) -> Chapter:
    """Begin a chapter ("01"): shows its head; recordings and progress are kept under its name from here on."""
    found = [c for c in chapters() if c.id.startswith(number)]
    if len(found) != 1:
        raise LabError(f"A chapter is one of {', '.join(c.id[:2] for c in chapters())}, not {number!r}.")
    os.environ["LLMLAB_CHAPTER"] = found[0].id
    state.put("opened", found[0].id, True)
    return found[0]


def progress() -> View:
    """What the reader has opened, guessed and solved, chapter by chapter."""
    kept = state.load()
    rows = []
    for c in chapters():
        guessed = sum(p in kept.get("guesses", {}) for p in c.predictions)
        passed = sum(e in kept.get("passed", {}) for e in c.exercises)
        opened = "yes" if c.id in kept.get("opened", {}) else "not yet"
        rows.append([c.id, opened, f"{guessed} of {len(c.predictions)}", f"{passed} of {len(c.exercises)}"])
    return table_of(["chapter", "opened", "predictions made", "exercises passed"], rows)
