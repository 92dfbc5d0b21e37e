"""Cells as HTML that needs nothing from elsewhere, and the templates that they are put into."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from html import escape, unescape
from pathlib import Path
from typing import Any

import mistune
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer, get_lexer_by_name
from pygments.util import ClassNotFound

from classroom import cells, diagrams

PAGES = Path(__file__).with_name("pages")
TAGS = re.compile(r"</?(?:kbd|br|sub|sup|b|i|details|summary)\s*/?>")  # of the HTML in prose, these stay
SOURCE = re.compile(r'<pre class="mermaid">(.*?)</pre>', re.DOTALL)
Link = Callable[[str], str | None]  # where an address in prose leads, on the page that is made; None: nowhere


def nowhere(address: str) -> str | None:
    """For a page that stands alone: other pages are not there, what is on the web or on the page itself is."""
    return address if re.match(r"https?:|mailto:|#", address) else None


class Prose(mistune.HTMLRenderer):
    """Markdown as HTML: diagrams to be drawn, code in colours, links where they lead."""

    def __init__(self, lead: Link):
        super().__init__(escape=True)
        self.lead = lead

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """A link, or its text alone."""
        address = self.lead(url)
        return text if address is None else f'<a href="{escape(address)}">{text}</a>'

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """A picture that is in the page; of another, what it shows."""
        inside = url.startswith("data:")
        return f'<img src="{escape(url)}" alt="{escape(text)}">' if inside else escape(text)

    def block_code(self, code: str, info: str | None = None) -> str:
        """A block of code, or a diagram."""
        return diagram(code) if info == "mermaid" else coloured(code, info or "text")

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        """A heading with a name."""
        name = cells.anchor(unescape(re.sub("<.*?>", "", text)))
        return f'<h{level} id="{name}">{text}</h{level}>\n'

    def table(self, text: str) -> str:
        """A table that scrolls by itself where the page is narrow."""
        return f'<div class="wide"><table>{text}</table></div>\n'

    def inline_html(self, html: str) -> str:
        """Keys, line breaks and folded parts; what else is between < and > is shown as it is."""
        return html if TAGS.fullmatch(html) else escape(html)

    def block_html(self, html: str) -> str:
        """The same for a block."""
        return "".join(part if TAGS.fullmatch(part) else escape(part) for part in re.split(r"(<[^>]+>)", html))


def prose(markdown: str, lead: Link = nowhere) -> str:
    """Markdown as HTML."""
    made = mistune.create_markdown(renderer=Prose(lead), plugins=["table", "strikethrough"])
    return str(made(markdown))


def inline(markdown: str) -> str:
    """Markdown of one line, such as a heading, without a paragraph around it."""
    text = re.sub(r"^(\d+)([.)])", r"\1\\\2", markdown)  # "1. More tools" is no list
    return prose(text).strip().removeprefix("<p>").removesuffix("</p>")


def diagram(source: str) -> str:
    """A diagram's source, to be drawn by the page's script."""
    return f'<figure class="diagram"><pre class="mermaid">{escape(source.strip())}</pre></figure>\n'


def coloured(code: str, language: str = "python") -> str:
    """Code, its parts marked for the page's style."""
    try:
        lexer = PythonLexer() if language == "python" else get_lexer_by_name(language)
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    inner = highlight(code, lexer, HtmlFormatter(nowrap=True)).rstrip("\n")
    return f'<pre class="code"><code>{inner}</code></pre>\n'


def output(kept: dict[str, Any]) -> str:
    """One output as it is kept: the richest form that a page without a kernel can show."""
    if html := cells.shown(kept, "text/html"):
        return f'<div class="shown">{html}</div>\n'
    if markdown := cells.shown(kept, "text/markdown"):
        return f'<div class="shown">{prose(markdown)}</div>\n'
    text = cells.shown(kept, "text/plain")
    if png := cells.shown(kept, "image/png"):
        alt = escape(text, quote=True)
        return f'<div class="shown"><img src="data:image/png;base64,{png.strip()}" alt="{alt}"></div>\n'
    return f'<div class="shown"><pre>{escape(text.rstrip())}</pre></div>\n' if text.strip() else ""


def block(piece: cells.Block, lead: Link = nowhere) -> str:
    """Prose, or a cell with its outputs."""
    if not piece.is_code:
        return f'<div class="prose" data-cell="{piece.cell}">{prose(piece.source, lead)}</div>\n'
    shown = "".join(map(output, piece.outputs or []))
    return f'<div class="cell" data-cell="{piece.cell}">{coloured(piece.source)}{shown}</div>\n'


def section(part: cells.Section, lead: Link = nowhere, level: int = 2) -> str:
    """A section with its heading."""
    mark = f' <small class="mark">{part.mark}</small>' if part.mark else ""
    inner = "".join(block(piece, lead) for piece in part.blocks)
    heading = f"<h{level}>{inline(part.heading)}{mark}</h{level}>"
    return f'<section id="{part.anchor}">{heading}\n{inner}</section>\n'


def contents(sections: list[cells.Section]) -> str:
    """The list of a page's sections."""
    items = (
        f'<li><a href="#{each.anchor}">{escape(_plain(each.heading))}</a>{f" ({each.mark})" if each.mark else ""}</li>'
        for each in sections
    )
    return f'<nav aria-label="Sections"><ul class="parts">{"".join(items)}</ul></nav>\n'


def _plain(heading: str) -> str:
    return re.sub("[`*]", "", heading)


def sources(html: str) -> list[str]:
    """The sources of the diagrams in a page."""
    return [unescape(found) for found in SOURCE.findall(html)]


def drawing(html: str) -> str:
    """The script that draws the diagrams of a page."""
    return diagrams.script(diagrams.words(sources(html)))


@cache
def asset(name: str) -> str:
    """A style, script or template that stands beside this module."""
    return (PAGES / name).read_text(encoding="utf-8")


def fill(template: str, **parts: str) -> str:
    """A template with its {{parts}}; a part that is not given is the file of this name."""
    return re.sub(r"\{\{([\w.]+)\}\}", lambda m: parts[m[1]] if m[1] in parts else asset(m[1]), asset(template))
