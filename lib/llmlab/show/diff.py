"""Two JSON values or texts, compared line by line."""

from __future__ import annotations

import difflib
from html import escape
from typing import Any

from llmlab.show.view import View, pretty

_STYLE = {"+": "background:#0072B233", "-": "background:#D55E0033", " ": ""}


def compare(old: Any, new: Any, names: tuple[str, str] = ("before", "after")) -> View:
    """What was taken away (-) and added (+) between two values, in whole lines."""
    a, b = ((value if isinstance(value, str) else pretty(value)).splitlines() for value in (old, new))
    lines: list[str] = []
    # Not ndiff: it looks for similar lines, and so mixes what was taken away with what was added.
    for kind, i, j, k, n in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += [f"  {line}" for line in a[i:j]]
        else:
            lines += [*(f"- {line}" for line in a[i:j]), *(f"+ {line}" for line in b[k:n])]
    rows = "".join(f"<span style='{_STYLE[line[0]]}'>{escape(line)}</span>\n" for line in lines)
    head = f"- {names[0]}\n+ {names[1]}"
    return View(f"<pre style='white-space:pre-wrap'><b>{escape(head)}</b>\n{rows}</pre>", "\n".join([head, *lines]))
