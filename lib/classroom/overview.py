"""Where a class is, from the exports of its readers: a table, a picture, and the exercise that stops it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from statistics import median, median_low
from typing import Any

from pydantic import ValidationError

from classroom.progress import Done, Export
from llmlab import lesson
from llmlab.errors import LabError
from llmlab.show.view import COLOURS, Picture, View, table_of

STUCK = 3  # tries after which a reader who has not passed is called stuck
LARGEST = 64_000  # bytes of an export


def read(text: str | bytes) -> Export:
    """An export as it came. Raises LabError."""
    try:
        if len(text) > LARGEST:
            raise ValueError
        export = Export.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise LabError(
            f"An export is what `llmlab progress --json` prints, but in this one {where} is wrong."
        ) from None
    except ValueError:
        raise LabError(f"An export has at most {LARGEST:,} bytes, but this one has {len(text):,}.") from None
    if not (export.name and export.id):
        raise LabError("An export for a class carries a name, but this one has none: `llmlab progress --as NAME`.")
    return export


def of_folder(folder: Path) -> Class:
    """The exports in a folder; what is none is named, and left out. Raises LabError where there is no folder."""
    if not folder.is_dir():
        raise LabError(f"`llmlab class` takes the folder that holds the exports, but there is no {folder}; name it.")
    exports, left_out = {}, []
    for file in sorted(folder.glob("*.json")):
        try:
            export = read(file.read_bytes())
            exports[export.id] = export
        except (LabError, OSError):
            left_out.append(file.name)
    return Class(list(exports.values()), left_out)


@dataclass(frozen=True)
class Class:
    """The readers of a class as they were when each was heard of last."""

    exports: list[Export]
    left_out: list[str]

    @cached_property
    def chapters(self) -> list[lesson.Chapter]:
        """Those that anybody has opened."""
        opened = {id for export in self.exports for id, chapter in export.chapters.items() if chapter.opened}
        return [chapter for chapter in lesson.chapters() if chapter.id in opened]

    def done(self, name: str) -> list[Done]:
        """An exercise as each reader has done it, those who have not begun left out."""
        id = next(chapter.id for chapter in lesson.chapters() if name in chapter.exercises)
        found = [e.chapters[id].exercises.get(name) for e in self.exports if id in e.chapters]
        return [each for each in found if each and each.tries]

    @cached_property
    def hardest(self) -> str:
        """The exercise that most readers have tried and not passed; of several the one with the most tries."""
        names = [name for chapter in self.chapters for name in chapter.exercises]
        open_ = {name: [each.tries for each in self.done(name) if not each.passed] for name in names}
        return max((name for name in names if open_[name]), key=lambda n: (len(open_[n]), sum(open_[n])), default="")

    @property
    def sentence(self) -> str:
        """Where the class is, and what stops it."""
        if not self.exports:
            return "Nobody has sent anything yet."
        part = "1 reader takes part" if len(self.exports) == 1 else f"{len(self.exports)} readers take part"
        if not self.chapters:
            return f"{part}, and nobody has opened a chapter yet."
        at = [max((c.id for c in self.chapters if _opened(e, c.id)), default="") for e in self.exports]
        counts = {id: at.count(id) for id in sorted(set(at) - {""})}
        said = ", ".join(f"{id[:2]} by {count}" for id, count in counts.items())
        waiting = at.count("")
        said = f"{part}. Furthest chapter opened: {said}{f', none by {waiting}' if waiting else ''}."
        if not self.hardest:
            return f"{said} No exercise stops anybody."
        tried = self.done(self.hardest)
        tries = [each.tries for each in tried if not each.passed]
        open_ = f"not passed by {len(tries)} of the {len(tried)} who tried it"
        return f"{said} Exercise {self.hardest} stops most: {open_} (median: {median(tries):g} tries)."

    def exercises(self) -> View:
        """A row for each exercise of the chapters that are open."""
        rows = []
        for name in (name for chapter in self.chapters for name in chapter.exercises):
            tried = self.done(name)
            passed = sum(each.passed for each in tried)
            tries = median_low([each.tries for each in tried]) if tried else ""
            helped = sum(each.hints > 0 for each in tried), sum(each.solution for each in tried)
            rows.append([name, len(tried), passed, len(tried) - passed, tries, *helped])
        head = ["exercise", "tried by", "passed", "not yet", "tries (median)", "took a hint", "saw the solution"]
        return table_of(head, rows)

    def readers(self) -> View:
        """A row for each reader: what was passed in each chapter, and where they are stuck."""
        rows = []
        for export in sorted(self.exports, key=lambda each: each.name.lower()):
            cells, stuck = [], []
            for chapter in self.chapters:
                mine = export.chapters.get(chapter.id)
                done = {name: mine.exercises[name] for name in chapter.exercises if mine and name in mine.exercises}
                passed = sum(each.passed for each in done.values())
                cells.append(f"{passed}/{len(chapter.exercises)}" if mine and mine.opened else "")
                stuck += [f"{n} ({e.tries} tries)" for n, e in done.items() if not e.passed and e.tries >= STUCK]
            rows.append([export.name, *cells, ", ".join(stuck), export.at[:16].replace("T", " ")])
        return table_of(["reader", *(chapter.id[:2] for chapter in self.chapters), "stuck at", "last heard of"], rows)

    def picture(self) -> Picture:
        """A bar for each exercise: how many have passed it, and how many have tried and not passed."""
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        names = [name for chapter in self.chapters for name in chapter.exercises]
        tried = {name: self.done(name) for name in names}
        passed = [sum(each.passed for each in tried[name]) for name in names]
        waiting = [len(tried[name]) - good for name, good in zip(names, passed, strict=True)]
        figure = Figure(figsize=(8, 1.2 + 0.24 * max(len(names), 1)), layout="constrained")
        ax = figure.subplots()
        ax.barh(names, passed, color=COLOURS["person"], edgecolor="black", linewidth=0.6, label="passed")
        ax.barh(
            names,
            waiting,
            left=passed,
            color="white",
            edgecolor="black",
            linewidth=0.6,
            hatch="////",
            label="tried, not passed",
        )
        ax.set(xlim=(0, max(len(self.exports), 1)), xlabel=f"readers, of {len(self.exports)}", ylabel="exercise")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.invert_yaxis()
        if names:
            figure.legend(loc="outside upper right", ncols=2, frameon=False)
        each = (f"{n}: {p} passed, {w} not yet" for n, p, w in zip(names, passed, waiting, strict=True))
        return Picture(figure, f"{self.sentence} {'; '.join(each)}")

    def html(self) -> str:
        """All of it, for a page."""
        picture = self.picture()._repr_mimebundle_()[0]["text/html"] if self.chapters else ""
        tables = [self.exercises().html, self.readers().html] if self.exports else []
        return f"<p><b>{escape(self.sentence)}</b></p>{picture}{''.join(tables)}"

    def __str__(self) -> str:
        tables = [str(self.exercises()), str(self.readers())] if self.exports else []
        missing = [f"Left out, as they are no exports: {', '.join(self.left_out)}"] if self.left_out else []
        return "\n\n".join([self.sentence, *tables, *missing])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return View(self.html(), str(self))._repr_mimebundle_()


def _opened(export: Export, id: str) -> bool:
    return id in export.chapters and export.chapters[id].opened
