"""The parts that every picture shares: a thing with an HTML and a text form, folded details, tables, colours."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import Any

# Okabe and Ito's palette, told apart by colour-blind readers; the same colour for the same thing in every chapter.
COLOURS = {"model": "#0072B2", "tool": "#D55E00", "protocol": "#009E73", "person": "#CC79A7", "span": "#7f7f7f"}
COLOURS["event"] = COLOURS["person"]
# A mark beside each colour: nothing is told by colour alone.
MARKS = {"model": "●", "tool": "■", "protocol": "◆", "person": "▲", "span": "▸", "event": "▲"}

QUIET = "opacity:.7;font-size:85%"  # paler than the text around it, in any theme


@dataclass(frozen=True)
class View:
    """Something to show: `html` in a notebook, `text` in a terminal, a test, or to a screen reader."""

    html: str
    text: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        # Without these classes JupyterLab would typeset the dollars of "$5 and $6" as mathematics.
        html = f"<div class='tex2jax_ignore mathjax_ignore'>{self.html}</div>"
        return {"text/html": html, "text/plain": self.text}

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Picture:
    """A matplotlib figure with a text that says the same."""

    figure: Any
    alt: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        buffer = BytesIO()
        self.figure.savefig(buffer, format="png", dpi=110)
        png = b64encode(buffer.getvalue()).decode()
        # JupyterLab draws image/png without a text alternative; in HTML the picture has one.
        html = f"<img src='data:image/png;base64,{png}' alt='{escape(self.alt)}' style='max-width:100%'>"
        return {"text/html": html, "image/png": png, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def pretty(data: Any) -> str:
    """JSON for people: one field a line."""
    return json.dumps(data, ensure_ascii=False, indent=2, default=str)


def folded(title: str, data: Any) -> str:
    """A line that opens to JSON or text."""
    body = data if isinstance(data, str) else pretty(data)
    return f"<details><summary style='{QUIET}'>{escape(title)}</summary><pre>{escape(body)}</pre></details>"


def table_of(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> View:
    """A table; numbers stand right. A `View` in a cell keeps its HTML."""
    rows = [list(row) for row in rows]
    sides = ["right" if any(_side(row[i]) == "right" for row in rows) else "left" for i in range(len(head))]
    title = f"<caption style='caption-side:top;text-align:left'>{escape(caption)}</caption>" if caption else ""
    head_html = "".join(
        f"<th scope='col' style='text-align:{side}'>{escape(h)}</th>" for h, side in zip(head, sides, strict=True)
    )
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    html = f"<table>{title}<thead><tr>{head_html}</tr></thead><tbody>{body}</tbody></table>"
    lines = [[str(value).replace("\n", " ") for value in row] for row in (head, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = "\n".join("  ".join(v.ljust(w) for v, w in zip(line, widths, strict=True)).rstrip() for line in lines)
    return View(html, f"{caption}\n{text}" if caption else text)


def _side(value: Any) -> str:
    return "right" if isinstance(value, int | float) else "left"


def _cell(value: Any) -> str:
    inner = value.html if isinstance(value, View) else escape(str(value)).replace("\n", "<br>")
    return f"<td style='text-align:{_side(value)};vertical-align:top'>{inner}</td>"


def mark(kind: str) -> View:
    """The sign of a kind of step, in its colour."""
    sign = f"<span style='color:{COLOURS[kind]}'>{MARKS[kind]}</span>"
    return View(f"<span style='white-space:nowrap'>{sign} {kind}</span>", f"{MARKS[kind]} {kind}")
