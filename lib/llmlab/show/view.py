"""The parts that every picture shares: a thing with an HTML and a text form, cards, tables, comparisons, colours."""

from __future__ import annotations

import difflib
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


def card(kind: str, text: str, note: str, more: str) -> str:
    """A text and a pale note beside a line in the colour of a kind (model, tool, protocol, person), then more HTML."""
    said = f"<div style='white-space:pre-wrap'>{escape(text)}</div><div style='{QUIET}'>{escape(note)}</div>"
    return f"<div style='border-left:3px solid {COLOURS[kind]};padding-left:8px;max-width:50em'>{said}{more}</div>"


def folded(title: str, data: Any) -> str:
    """A line that opens to JSON or text."""
    body = data if isinstance(data, str) else pretty(data)
    return f"<details><summary style='{QUIET}'>{escape(title)}</summary><pre>{escape(body)}</pre></details>"


def table_of(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> View:
    """A table, its caption quiet at its foot; numbers stand right. A `View` in a cell keeps its HTML."""
    lines = [list(head), *map(list, rows)]
    columns = list(zip(*lines, strict=True))
    foot = f"<div style='{QUIET}'>{escape(caption)}</div>" if caption else ""
    heads = "".join(f"<th scope='col' style='text-align:{_side(c[1:])}'>{escape(c[0])}</th>" for c in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in lines[1:])
    html = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{foot}"
    texts = [[str(value).replace("\n", " ") for value in column] for column in columns]
    padded = [[text.ljust(max(map(len, column))) for text in column] for column in texts]
    text = "\n".join("  ".join(line).rstrip() for line in zip(*padded, strict=True))
    return View(html, f"{text}\n{caption}" if caption else text)


def _side(values: Iterable[Any]) -> str:
    return "right" if any(isinstance(value, int | float) for value in values) else "left"


def _cell(value: Any) -> str:
    inner = value.html if isinstance(value, View) else escape(str(value)).replace("\n", "<br>")
    return f"<td style='text-align:{_side([value])};vertical-align:top'>{inner}</td>"


def compare(old: Any, new: Any, names: tuple[str, str] = ("before", "after")) -> View:
    """What was taken away (-) and added (+) between two JSON values or texts, in whole lines."""
    a, b = ((value if isinstance(value, str) else pretty(value)).splitlines() for value in (old, new))
    lines: list[str] = []
    # Not ndiff: it looks for similar lines, and so mixes what was taken away with what was added.
    for kind, i, j, k, n in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        lines += [f"{' ' if kind == 'equal' else '-'} {line}" for line in a[i:j]]
        lines += [f"+ {line}" for line in b[k:n] if kind != "equal"]
    styles = {"+": "background:#0072B233", "-": "background:#D55E0033", " ": ""}
    rows = "".join(f"<span style='{styles[line[0]]}'>{escape(line)}</span>\n" for line in lines)
    head = f"- {names[0]}\n+ {names[1]}"
    return View(f"<pre style='white-space:pre-wrap'><b>{escape(head)}</b>\n{rows}</pre>", "\n".join([head, *lines]))
