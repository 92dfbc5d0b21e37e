"""Terms explained where the reader meets them."""

from __future__ import annotations

import difflib
import json
from functools import lru_cache
from html import escape

from llmlab.errors import LabError
from llmlab.settings import DATA
from llmlab.show.view import View


@lru_cache
def _terms() -> dict[str, str]:
    return dict(json.loads((DATA / "glossary.json").read_text(encoding="utf-8")))


def term(name: str) -> View:
    """What a term means: `lesson.term("context window")`. Raises LabError with the nearest terms for an unknown one."""
    terms = _terms()
    key = name.strip().lower()
    if key not in terms:
        near = difflib.get_close_matches(key, terms, n=3, cutoff=0.4) or sorted(terms)[:5]
        raise LabError(f"The glossary has {len(terms)} terms, but not {name!r}; the nearest are {', '.join(near)}.")
    return View(f"<p><b>{escape(key)}</b>: {escape(terms[key])}</p>", f"{key}: {terms[key]}")
