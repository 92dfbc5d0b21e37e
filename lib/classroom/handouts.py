"""`llmlab handout 13`: a chapter as one file for browser and printer, which needs nothing else."""

from __future__ import annotations

from html import escape
from pathlib import Path

from classroom import cells, pages
from llmlab import lesson


def handout(chapter: cells.Chapter, solutions: bool = False) -> str:
    """A chapter as one HTML page; with solutions, they stand at the end, on pages of their own."""
    first, *rest = chapter.sections
    body = pages.section(first, level=1) + pages.contents(rest)
    body += "".join(map(pages.section, rest))
    if solutions:
        body += _solutions(chapter)
    about = chapter.about
    facts = f"Teaching: {about.reading} minutes, exercises: {about.exercising} minutes."
    title = escape(chapter.title)
    return pages.fill("handout.html", title=title, facts=facts, body=body, drawing=pages.drawing(body))


def _solutions(chapter: cells.Chapter) -> str:
    parts = []
    for name in chapter.about.exercises:
        found = lesson.exercise(name)
        parts.append(f"<h3>{name}</h3><p>{escape(found.task)}</p>{pages.coloured(found.solution.strip())}")
    return f'<section id="solutions" class="apart"><h2>Solutions</h2>{"".join(parts)}</section>\n'


def write(numbers: list[str], folder: Path, solutions: bool = False) -> None:
    """Write the hand-outs of these chapters into a folder, and say where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for chapter in cells.chapters(numbers):
        file = folder / f"{chapter.about.id}{'_solutions' if solutions else ''}.html"
        file.write_text(handout(chapter, solutions), encoding="utf-8")
        print(f"{file} ({file.stat().st_size / 1e6:.1f} MB): open it in a browser, and print it from there.")
