"""`llmlab slides half-day`: the slides of a route, or of a chapter, made of the chapters' own cells."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from classroom import brief, cells, pages, routes, teaching
from llmlab import notebooks
from llmlab.errors import LabError

ROOM = 560  # pixels of a slide below its heading
TOO_TALL = 1.15 * ROOM  # what is taller than a slide, but not more so, is made a little smaller
ROWS = 12  # of a plan with its sections
SHORT = 190  # what may stand above a question
NOT_SHOWN = ("lesson.check(", "lesson.chapter(", "lesson.hint(", "lesson.solution(", "lesson.progress(")
CHECK = "Check"  # the heading of what the notebook asserts about itself
LINKS = re.compile(r"\[[^\]]*\]\(\S+\.ipynb\)( · \[[^\]]*\]\(\S+\.ipynb\))?")
ASKED = re.compile(r"lesson\.predict\(\s*[\"']([^\"']+)")


@dataclass
class Slide:
    """One slide: its heading, its parts in HTML, and what the teacher reads beside it."""

    heading: str
    parts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kind: str = ""
    foot: str = ""
    used: int = 0
    cells: bool = False

    def add_cell(self, html: str) -> None:
        """Put a cell, or a part of one, onto it."""
        self.parts.append(f'<div class="cell">{html}</div>')
        self.cells = True


class Deck:
    """Slides in the making: a part goes onto the slide that is there, or onto a new one where it has no room."""

    def __init__(self) -> None:
        self.slides: list[Slide] = []
        self.foot = ""

    def new(self, heading: str, kind: str = "") -> Slide:
        """Begin a slide."""
        self.slides.append(Slide(heading, kind=kind, foot=self.foot))
        return self.slides[-1]

    def room(self, heading: str, height: int) -> Slide:
        """The slide for a part of this height: the last one if it has this heading and room, else a new one."""
        last = self.slides[-1]
        if not self._goes(last, heading, height):
            last = self.new(heading)
        last.used += height
        return last

    def _goes(self, slide: Slide, heading: str, height: int) -> bool:
        fits = not slide.parts or slide.used + height <= (TOO_TALL if slide.cells or slide.kind else ROOM)
        return slide.heading == heading and slide.kind in ("", "diagram") and fits

    def section(self, section: cells.Section, chapter: cells.Chapter) -> None:
        """The slides of a section."""
        said, exercises = teaching.notes(chapter.number), section.heading == "Exercises"
        heading, first = section.heading, len(self.slides)
        for block in section.blocks:
            if not block.is_code:
                heading = self._prose(block, section.heading, heading)
            elif asked := ASKED.search(block.source):
                self._asked(block, heading, teaching.predictions(chapter.number).get(asked[1], ""))
            elif not exercises and not heading.endswith(CHECK) and not any(word in block.source for word in NOT_SHOWN):
                self._code(block, heading)
        if exercises and said.get("Exercises"):
            self.slides[min(first, len(self.slides) - 1)].notes.append(pages.prose(said["Exercises"]))

    def opening(self, chapter: cells.Chapter) -> None:
        """The first slides of a chapter: its question, what will be built, and its picture."""
        said, about, section = teaching.notes(chapter.number), chapter.about, chapter.sections[0]
        slide = self.new(chapter.title, "title")
        slide.parts.append(f'<p class="question">{escape(about.question)}</p>')
        slide.parts.append(f"<p>You will have built: {escape(about.built)}</p>")
        for name in ("", "Before class", "If time runs out"):
            if name in said:
                slide.notes.append((f"<h3>{name}</h3>" if name else "") + pages.prose(said[name]))
        for block in section.blocks:
            if not block.is_code:
                self._prose(block, section.heading, section.heading)

    def _prose(self, block: cells.Block, section: str, heading: str) -> str:
        """Leading sentences on the slide, the whole in the notes; a diagram has a slide of its own. Returns the heading."""
        for number, piece in enumerate(brief.pieces(block.source)):
            if name := re.match(r"###+ (.+)", piece):
                heading = section if name[1] == section else f"{section}: {name[1]}"
                continue
            if heading.endswith(CHECK) or LINKS.fullmatch(piece):
                continue
            if piece.startswith("```mermaid"):
                self._picture(heading, piece)
                continue
            short = brief.brief(piece)
            # What comes after a cell says what it showed, and stands there if it can; the next thought begins anew.
            if self.slides[-1].heading == heading and self.slides[-1].cells and (number or piece.startswith("**")):
                self.new(heading)
            slide = self.room(heading, brief.height(short))
            slide.parts.append(pages.prose(short))
            if len(short) < len(" ".join(piece.split())):
                slide.notes.append(pages.prose(piece))
        return heading

    def _code(self, block: cells.Block, heading: str) -> None:
        """A cell with its outputs: below the prose that leads to it, if there is room enough, else on a new slide."""
        outputs = block.outputs or []
        last, code = self.slides[-1], pages.coloured(block.source)
        tall = 36 + sum(25 * (1 + len(line) // 104) for line in block.source.splitlines())
        if "lesson.reveal(" in block.source and len(outputs) == 1:  # what happened, without its reckoning
            code, tall = "", 0
        first = next((i for i, each in enumerate(outputs) if brief.diagram(each)), len(outputs))
        if first == 0 and first < len(outputs) and tall + brief.picture(brief.diagram(outputs[0])) <= ROOM:
            self._picture(heading, brief.diagram(outputs[0]), f'<div class="cell">{code}</div>', tall)
            first = 1
        else:
            self._cell(heading, last, code, tall, outputs[:first])
        for each in outputs[first:]:
            if markdown := brief.diagram(each):
                self._picture(heading, markdown)
            elif html := brief.shown(each, ROOM):
                self.room(heading, html[1]).add_cell(html[0])

    def _cell(self, heading: str, last: Slide, code: str, tall: int, kept: list[dict[str, Any]]) -> None:
        led = [last.used] if self._goes(last, heading, tall) and not (last.cells or last.kind) else []
        for used in (*led, 0):
            outputs = [brief.shown(each, ROOM - tall - used) for each in kept]
            whole = tall + sum(height for _, height in outputs)
            if used + whole <= TOO_TALL:
                slide = last if used else self.room(heading, whole)
                slide.used += whole if used else 0
                slide.add_cell(code + "".join(html for html, _ in outputs))
                return
        self.room(heading, tall).add_cell(code)
        for html, height in outputs:
            if html:
                self.room(heading, height).add_cell(html)

    def _picture(self, heading: str, markdown: str, above: str = "", tall: int = 0) -> None:
        """A diagram with a slide to itself, but for a sentence or a short cell above it."""
        last, height = self.slides[-1], tall + brief.picture(markdown)
        alone = last.kind or last.cells or last.heading != heading or last.used + height > ROOM
        slide = self.new(heading) if alone else last
        slide.kind, slide.used = "diagram", slide.used + height
        slide.parts += [above, pages.prose(markdown)]

    def _asked(self, block: cells.Block, heading: str, said: str) -> None:
        """A prediction: the question and what to choose from; what happened comes later."""
        text = next((cells.shown(each, "text/plain") for each in block.outputs or []), "")
        question, *options = text.splitlines() or [""]
        listed = "".join(f"<li>{escape(o.partition('. ')[2])}</li>" for o in options if re.match(r"\d+\. ", o))
        last = self.slides[-1]
        if last.kind or last.cells or last.used > SHORT or last.heading != heading:
            last = self.new("")
        slide = last  # what leads to a question stands above it
        slide.heading, slide.kind = "What do you think?", "predict"
        slide.parts.append(f'<p class="question">{escape(question.removeprefix("Predict: "))}</p><ol>{listed}</ol>')
        if said:
            slide.notes.append(pages.prose(said))


def of_chapter(chapter: cells.Chapter) -> Deck:
    """All sections of one chapter."""
    deck = Deck()
    deck.foot = escape(chapter.title)
    deck.opening(chapter)
    for section in chapter.sections[1:]:
        deck.section(section, chapter)
    return deck


def of_route(title: str, parts: list[teaching.Part]) -> Deck:
    """The sections that the rows of a route name, in their order, with their minutes at the foot."""
    deck, at = Deck(), 0
    rows = "".join(
        f"<tr><td>{part.minutes} min</td><td>{escape(part.name)}</td><td>{escape(_listed(part, len(parts)))}</td></tr>"
        for part in parts
    )
    total = sum(part.minutes for part in parts)
    deck.new(title, "title").parts.append(f'<table class="plan">{rows}</table>')
    opened: set[str] = set()
    for part in parts:
        deck.foot = f"{escape(part.name)} · {part.minutes} min, from {clock(at)} of {clock(total)}"
        at, first = at + part.minutes, len(deck.slides)
        if part.chapter is None:
            deck.new(part.name, "title").parts.append(pages.prose(part.happens))
            continue
        if part.chapter.number not in opened:
            deck.opening(part.chapter)
            opened.add(part.chapter.number)
        for section in part.sections:
            if section is not part.chapter.sections[0]:
                deck.section(section, part.chapter)
        if part.happens and len(deck.slides) > first:
            deck.slides[first].notes.insert(0, pages.prose(part.happens))
    return deck


def _listed(part: teaching.Part, rows: int) -> str:
    """The sections of a part, in a line; nothing for a whole chapter, or where a plan has too many rows for that."""
    whole = part.chapter and len(part.sections) >= len(part.chapter.sections) - 1
    whole = whole or (rows > ROWS and len(part.sections) > 1)
    return "" if whole else " · ".join(re.sub("[`*]", "", section.heading) for section in part.sections)


def clock(minutes: int) -> str:
    """Minutes as 1:05."""
    return f"{minutes // 60}:{minutes % 60:02}"


def page(title: str, deck: Deck) -> str:
    """The slides as one HTML page."""
    made = []
    for number, slide in enumerate(deck.slides, 1):
        heading = "h1" if slide.kind == "title" else "h2"
        shown = pages.inline(slide.heading)
        body = f'<{heading}>{shown}</{heading}><div class="content">{"".join(slide.parts)}</div>'
        foot = f"<footer><span>{slide.foot}</span><span>{number} of {len(deck.slides)}</span></footer>"
        notes = f'<aside class="notes">{"".join(slide.notes)}</aside>'
        label = f'aria-label="Slide {number} of {len(deck.slides)}"'
        made.append(f'<section class="slide {slide.kind}-slide" tabindex="-1" {label}>{body}{foot}</section>{notes}\n')
    body = "".join(made)
    return pages.fill("slides.html", title=escape(title), body=body, drawing=pages.drawing(body))


def write(name: str, folder: Path) -> None:
    """Write the slides of a chapter or a route, of a course a file for each evening, and say where. Raises LabError."""
    if name in routes.names():
        route = teaching.route(name)
        meetings = list(dict.fromkeys(part.meeting for part in route.parts))
        several = len(meetings) > 1
        for number, meeting in enumerate(meetings, 1):
            title = meeting if several else route.title
            parts = [part for part in route.parts if part.meeting == meeting]
            _write(folder / f"{name}{f'-{number:02}' if several else ''}_slides.html", title, of_route(title, parts))
    elif name.isdigit():
        [chapter] = cells.chapters([name])
        _write(folder / f"{chapter.about.id}_slides.html", chapter.title, of_chapter(chapter))
    else:
        known = [*routes.names(), *(file.name[:2] for file in notebooks.chapter_files())]
        raise LabError(f"Slides are of a route or a chapter ({', '.join(known)}), but not of {name!r}; choose one.")


def _write(file: Path, title: str, deck: Deck) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page(title, deck), encoding="utf-8")
    size = file.stat().st_size / 1e6
    print(f"{file} ({len(deck.slides)} slides, {size:.1f} MB): open it in a browser; the arrow keys turn the slides.")
