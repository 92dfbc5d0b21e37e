"""Mermaid diagrams, and text that fits into them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import wrap
from typing import Any

from llmlab.show.view import View

NOTE, NOTHING, WIDEST = "note", "(nothing)", 60


class Mermaid(View):
    """A Mermaid diagram: drawn by JupyterLab, its source elsewhere."""

    def __init__(self, source: str):
        super().__init__("", source)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/markdown": f"```mermaid\n{self.text}\n```", "text/plain": self.text}


def sequence_diagram(title: str, said: Iterable[tuple[str, str, str, str]], ids: Mapping[str, str] = {}) -> Mermaid:
    """Who said what to whom: sender, arrow (or `NOTE`), receiver and text. `ids` name those who stand leftmost."""
    said = list(said)
    people = dict.fromkeys(name for sender, _, to, _ in said for name in (sender, to) if name not in ids)
    named = {**ids, **{name: f"p{number}" for number, name in enumerate(people)}}
    lines = ["sequenceDiagram", f"  accTitle: {clean(title)}"]
    lines += [f"  participant {key} as {clean(name)}" for name, key in named.items()]
    width = max(20, 76 // max(len(named) - 1, 1))  # characters: the more people, the less room between two of them
    for sender, arrow, to, text in said:
        ends = f"Note over {named[sender]},{named[to]}" if arrow == NOTE else f"{named[sender]}{arrow}{named[to]}"
        lines.append(f"  {ends}: {'<br/>'.join(map(clean, wrap(short(text, WIDEST), width))) or NOTHING}")
    return Mermaid("\n".join(lines))


def short(text: str, width: int) -> str:
    """The text on one line, cut to a number of characters."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def clean(text: str) -> str:
    """Text that Mermaid takes as text: no line breaks, and none of its own signs (each makes a diagram wider)."""
    return "".join(f"#{ord(c)};" if c in "#;<>&$%" else c for c in short(text, WIDEST)) or NOTHING
