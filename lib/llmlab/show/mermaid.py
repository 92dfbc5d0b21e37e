"""Mermaid diagrams, and text that fits into them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmlab.show.view import View


class Mermaid(View):
    """A Mermaid diagram: drawn by JupyterLab, its source elsewhere."""

    def __init__(self, source: str):
        super().__init__("", source)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/markdown": f"```mermaid\n{self.text}\n```", "text/plain": self.text}


def sequence_diagram(title: str, said: Iterable[tuple[str, str, str, str]], ids: Mapping[str, str] = {}) -> Mermaid:
    """Who said what to whom: sender, arrow, receiver and text of each message. `ids` name those who stand leftmost."""
    said = list(said)
    people = dict.fromkeys(name for sender, _, to, _ in said for name in (sender, to) if name not in ids)
    named = {**ids, **{name: f"p{number}" for number, name in enumerate(people)}}
    lines = ["sequenceDiagram", f"  accTitle: {clean(title)}"]
    lines += [f"  participant {key} as {clean(name)}" for name, key in named.items()]
    lines += [f"  {named[sender]}{arrow}{named[to]}: {clean(text)}" for sender, arrow, to, text in said]
    return Mermaid("\n".join(lines))


def short(text: str, width: int) -> str:
    """The text on one line, cut to a number of characters."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def clean(text: str) -> str:
    """Text that Mermaid takes as text: no line breaks, and none of its own signs."""
    text = short(text, 60)
    return "".join(f"#{ord(c)};" if c in '#;:<>{}"`&$' else c for c in text) or "(nothing)"
