"""A reply in the cell while it is written."""

from __future__ import annotations

import time
from html import escape
from typing import Any

REDRAW = 0.05  # seconds; a front end that redraws for each of 100 tokens a second would fall behind


class LiveText:
    """A display that grows; `clear` takes it away again, for the finished reply is the cell's result."""

    def __init__(self, handle: Any):
        self._handle, self._text, self._drawn = handle, "", 0.0

    @classmethod
    def if_watched(cls) -> LiveText | None:
        """One in the running cell, if this is a Jupyter kernel."""
        try:
            from IPython import get_ipython
            from IPython.display import display
        except ImportError:
            return None
        shell = get_ipython()
        if shell is None or not hasattr(shell, "kernel"):
            return None
        return cls(display({"text/plain": ""}, raw=True, display_id=True))

    def write(self, piece: str) -> None:
        """Add text, and redraw now and then."""
        self._text += piece
        if time.monotonic() - self._drawn > REDRAW:
            self._drawn = time.monotonic()
            html = f"<div style='white-space:pre-wrap;max-width:50em;opacity:.8'>{escape(self._text)}▌</div>"
            self._handle.update({"text/html": html, "text/plain": self._text}, raw=True)

    def clear(self) -> None:
        """Leave nothing behind."""
        self._handle.update({"text/html": "", "text/plain": ""}, raw=True)
