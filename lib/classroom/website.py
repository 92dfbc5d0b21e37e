"""`llmlab site`: the chapters, the glossary and the teacher's notes as a website with search, also from a folder or a stick."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from functools import partial
from html import escape, unescape
from pathlib import Path
from typing import Any

from classroom import cells, diagrams, pages, routes, teaching
from llmlab import settings
from llmlab.errors import LabError

GROUPS = ("Chapters", "Look up", "Teach", "Routes", "Notes for teachers")
MADE_HERE = "search.js"  # a folder that has this file, or nothing, may be written over


@dataclass
class Page:
    """One page: its file, its title, its name in the menu, its body, and what the search finds in it."""

    file: str
    title: str
    group: str
    body: str
    found: list[dict[str, str]] = field(default_factory=list)


class Site:
    """All pages, made of what the kit holds."""

    def __init__(self) -> None:
        self.chapters = cells.chapters()
        self.pages: list[Page] = []
        self.notes = {c.number: f"notes-{c.number}.html" for c in self.chapters if teaching.notes(c.number)}
        self.known = {each.file: f"{each.about.id}.html" for each in self.chapters}
        self.known |= {routes.TEACH / "notes" / f"{number}.md": file for number, file in self.notes.items()}
        self.known |= {routes.TEACH / "routes" / f"{name}.md": f"route-{name}.html" for name in routes.names()}
        self.known |= {file: "teach.html" for file in [routes.TEACH / "README.md"] if file.is_file()}
        self.pages += [self._chapter(each) for each in self.chapters]
        self.pages.append(self._glossary())
        for file, name in self.known.items():
            if file.suffix == ".md":
                self.pages.append(self._teach(file, name))
        self.pages.sort(key=lambda page: GROUPS.index(page.group))
        self.pages.insert(0, self._start())

    def lead(self, source: Path, address: str) -> str | None:
        """Where a link in a file of the kit leads on the site; None where the site has no such page."""
        path, _, place = address.partition("#")
        if path and (file := self.known.get((source.parent / path).resolve())):
            return f"{file}#{place}" if place else file
        return pages.nowhere(address)

    def _chapter(self, chapter: cells.Chapter) -> Page:
        first, *rest = chapter.sections
        lead = partial(self.lead, chapter.file)
        file, about = f"{chapter.about.id}.html", chapter.about
        facts = f"Teaching: {about.reading} minutes, exercises: {about.exercising} minutes."
        if chapter.number in self.notes:
            facts += f' <a href="{self.notes[chapter.number]}">Notes for the teacher</a>'
        body = pages.section(first, lead, level=1).replace("</h1>", f'</h1>\n<p class="facts">{facts}</p>', 1)
        body += pages.contents(rest) + "".join(pages.section(each, lead) for each in rest)
        found = [
            _entry(f"{file}#{each.anchor}", each.heading, chapter.title, "\n".join(map(_text, each.blocks)))
            for each in chapter.sections
        ]
        return Page(file, chapter.title, "Chapters", body, found)

    def _glossary(self) -> Page:
        terms: dict[str, str] = json.loads((settings.DATA / "glossary.json").read_text(encoding="utf-8"))
        rows = [(f"term-{cells.anchor(term)}", term, terms[term]) for term in sorted(terms)]
        listed = "".join(f'<dt id="{name}">{escape(term)}</dt><dd>{escape(said)}</dd>\n' for name, term, said in rows)
        found = [_entry(f"glossary.html#{name}", term, "Glossary", said) for name, term, said in rows]
        return Page("glossary.html", "Glossary", "Look up", f"<h1>Glossary</h1>\n<dl>{listed}</dl>", found)

    def _teach(self, source: Path, file: str) -> Page:
        """A page from a Markdown file of teach/. A chapter's number in the second column of a table leads to it."""
        files = {each.number: os.path.relpath(each.file, source.parent) for each in self.chapters}
        markdown = re.sub(
            r"^(\|[^|\n]*\| *)(\d\d) *(?=\|)",
            lambda m: f"{m[1]}[{m[2]}]({files[m[2]]}) " if m[2] in files else m[0],
            source.read_text(encoding="utf-8"),
            flags=re.MULTILINE,
        )
        parts = [each for each in cells.split(markdown) if each[0]]
        title = parts[0][0] if parts else file
        group = {"notes": "Notes for teachers", "routes": "Routes"}.get(source.parent.name, "Teach")
        found = [
            _entry(f"{file}#{cells.anchor(heading)}", heading, group if heading == title else title, _bare(text))
            for heading, text in parts
        ]
        return Page(file, title, group, pages.prose(markdown, partial(self.lead, source)), found)

    def _start(self) -> Page:
        rows = "".join(
            f'<tr><td><a href="{each.about.id}.html">{each.number}</a></td>'
            f'<td><a href="{each.about.id}.html">{escape(each.about.question)}</a></td>'
            f"<td>{each.about.reading} + {each.about.exercising} min</td></tr>"
            for each in self.chapters
        )
        return Page("index.html", "LLM Lab", "", pages.asset("start.html").replace("{{rows}}", rows))

    def menu(self, current: str) -> str:
        """The list of all pages, by their groups."""
        groups: dict[str, list[str]] = {}
        for each in self.pages[1:]:
            here = ' aria-current="page"' if each.file == current else ""
            name = re.sub(": notes for the teacher$", "", each.title)
            groups.setdefault(each.group, []).append(f'<li><a href="{each.file}"{here}>{escape(name)}</a></li>')
        return "".join(f"<h2>{name}</h2><ul>{''.join(items)}</ul>\n" for name, items in groups.items())

    def write(self, folder: Path) -> None:
        """Write all files into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        kinds = diagrams.words([source for page in self.pages for source in pages.sources(page.body)])
        (folder / "diagrams.js").write_text(diagrams.script(kinds), encoding="utf-8")
        found = [entry for page in self.pages for entry in page.found]
        index = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        (folder / MADE_HERE).write_text(f"const INDEX = {index};\n", encoding="utf-8")
        (folder / "site.css").write_text(pages.asset("page.css") + pages.asset("site.css"), encoding="utf-8")
        for name in ("theme.js", "site.js"):
            (folder / name).write_text(pages.asset(name), encoding="utf-8")
        for page in self.pages:
            title = "LLM Lab" if page.file == "index.html" else f"{page.title} · LLM Lab"
            drawing = '<script src="diagrams.js"></script>' if pages.sources(page.body) else ""
            parts: dict[str, Any] = {"title": escape(title), "menu": self.menu(page.file)}
            html = pages.fill("site.html", **parts, body=page.body, drawing=drawing)
            (folder / page.file).write_text(html, encoding="utf-8")


def _entry(address: str, title: str, where: str, text: str) -> dict[str, str]:
    return {"a": address, "t": title, "w": where, "x": re.sub(r"\s+", " ", text).strip()}


def _text(block: cells.Block) -> str:
    """What the search reads of a cell: prose and code, not what it showed."""
    return block.source if block.is_code else _bare(block.source)


def _bare(markdown: str) -> str:
    """Markdown as text; a diagram by its title only."""
    titled = re.sub(
        r"```mermaid\n(.*?)```", lambda m: " ".join(re.findall(r"accTitle: (.*)", m[1])), markdown, flags=re.S
    )
    return unescape(re.sub(r"<.*?>", "", pages.prose(titled)))


def write(folder: Path) -> None:
    """The command: make the site and say where it is. Raises LabError for a folder with other things in it."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MADE_HERE).is_file():
        raise LabError(f"A site is written into a folder of its own, but {folder} has other files; name another.")
    site = Site()
    site.write(folder)
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    print(
        f"{folder / 'index.html'} ({len(site.pages)} pages, {size:.1f} MB in all): open it in a browser, also from a stick."
    )
