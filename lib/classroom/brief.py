"""Prose and outputs in the size of a slide: the leading sentences, the first lines."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from classroom import cells, pages

LEAST = 75  # characters: a first sentence that is shorter takes the next one along
ITEM = re.compile(r"^(?:[-*+]|\d+\.) ", re.MULTILINE)
END = re.compile(r"[.?!][”\"')*_]*\s+(?=[A-Z“*`\[(])")
LINES = 14  # of an output in text
TALLEST = 26  # lines of an output in HTML; a taller one is shown as its text


def pieces(markdown: str) -> list[str]:
    """Markdown at its empty lines; a fence stays whole."""
    found: list[str] = []
    inside = ""
    for line in markdown.split("\n"):
        fence = re.match(r"`{3,}|~{3,}", line)
        if inside or fence:
            if not inside:
                found.append(line)
            else:
                found[-1] += "\n" + line
            inside = "" if inside and line.startswith(inside) else inside or (fence[0] if fence else "")
        elif not line.strip():
            found.append("")
        elif found and found[-1] and not re.match(r"`{3,}|~{3,}", found[-1]):
            found[-1] += "\n" + line
        else:
            found.append(line)
    return [piece for piece in found if piece.strip()]


def brief(piece: str) -> str:
    """A paragraph, or each item of a list, as its leading sentences; anything else as it is."""
    if re.match(r"`{3,}|~{3,}|\||#|>", piece):
        return piece
    if ITEM.match(piece):
        starts = [m.start() for m in ITEM.finditer(piece)]
        items = [piece[a:b].strip() for a, b in zip(starts, [*starts[1:], len(piece)], strict=True)]
        return "\n".join(lead(item) for item in items)
    return lead(piece)


def lead(paragraph: str) -> str:
    """The first sentences of a paragraph, as many as say something."""
    text = " ".join(paragraph.split())
    hidden = re.sub(r"`[^`]*`", lambda m: "x" * len(m[0]), text)  # code has points that end no sentence
    for end in END.finditer(hidden):
        head = text[: end.end()].strip()
        stars = [head.count("**"), head.replace("**", "").count("*"), head.count("(") - head.count(")")]
        if len(head) >= LEAST and [n % 2 for n in stars[:2]] == [0, 0] and stars[2] == 0:
            return head
    return text


def height(piece: str) -> int:
    """About how many pixels of a slide a piece of prose takes."""
    if piece.startswith(("```", "~~~")):
        return 24 * piece.count("\n")
    if piece.startswith("|"):
        return 38 * (piece.count("\n") + 1)
    return 16 + sum(36 * (1 + len(line) // 84) for line in piece.split("\n"))


def diagram(kept: dict[str, Any]) -> str:
    """An output that is a diagram too large to stand below other things, as Markdown; "" for any other."""
    markdown = cells.shown(kept, "text/markdown")
    small = "sequenceDiagram" in markdown and picture(markdown) < 260
    return markdown if "```mermaid" in markdown and not small else ""


def picture(markdown: str) -> int:
    """About how many pixels of a slide a diagram takes at least, so that its texts can be read."""
    said = len(re.findall(r"^\s+(?:Note|\w+-).*:", markdown, re.MULTILINE))
    if "sequenceDiagram" in markdown:
        return int(0.75 * (170 + 46 * said + 18 * markdown.count("<br/>")))
    return 480 if re.search(r"flowchart T[DB]", markdown) or len(re.findall(r"--|==|-\.", markdown)) > 12 else 300


def shown(kept: dict[str, Any], room: int) -> tuple[str, int]:
    """An output for a slide with so many pixels left: its HTML and about how many it takes."""
    html, text = cells.shown(kept, "text/html"), cells.shown(kept, "text/plain").rstrip()
    if happened := re.fullmatch(r"Your guess: .*\n(What happened: .*) \(.*?\)\n(.*)", text, re.DOTALL):
        return f'<p class="happened"><b>{escape(happened[1])}.</b> {escape(happened[2])}</p>\n', height(
            happened[2]
        ) + 36
    if "<img" in html or cells.shown(kept, "image/png"):
        return pages.output(kept), 380
    if markdown := cells.shown(kept, "text/markdown"):
        return pages.output(kept), 420 if "```mermaid" in markdown else height(markdown)
    seen = re.sub(r"<details.*?</details>", "", html, flags=re.DOTALL)
    lines = max(len(re.findall(r"<tr|<p\b|<br|\n", seen)), len(re.sub("<.*?>", "", seen)) // 110)
    if html and lines <= TALLEST:
        return pages.output(kept), 40 + 27 * lines
    if not text:
        return "", 0
    most = max(min(LINES, room // 24), 6)
    cut, over = text.splitlines()[:most], len(text.splitlines()) - most
    more = f'<p class="more">… and {over} more lines</p>' if over > 0 else ""
    rows = sum(1 + len(line) // 110 for line in cut)
    return f'<div class="shown"><pre>{escape(chr(10).join(cut))}</pre>{more}</div>\n', 24 * rows + (30 if more else 0)
