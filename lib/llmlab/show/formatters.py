"""How the lab's objects show themselves in a notebook: registered with IPython from here, so that no data knows of drawing."""

from __future__ import annotations

import time
from html import escape
from importlib import import_module
from typing import Any

from IPython.display import display

from llmlab import wait

# A class, and the function that draws it. Nothing of this is imported before something is drawn.
DRAWN = {
    "llmlab.agents.base.Run": "runs.run_card",
    "llmlab.llm.chat.Model": "runs.model_card",
    "llmlab.llm.reply.Reply": "runs.reply_card",
    "llmlab.mcp.content.Content": "servers.content",
    "llmlab.mcp.host.Host": "servers.host",
    "llmlab.trace.Trace": "traces.table",
}
REDRAW = 0.05  # seconds; a front end that redraws for each of 100 tokens a second would fall behind


def bundle(thing: Any, include: Any = None, exclude: Any = None) -> Any:
    """What a front end gets for one of these objects, as HTML and as text; {} for any other."""
    for cls in type(thing).__mro__:
        if drawn := DRAWN.get(f"{cls.__module__}.{cls.__name__}"):
            module, function = drawn.split(".")
            return getattr(import_module(f"llmlab.show.{module}"), function)(thing)._repr_mimebundle_()
    return {}


class LiveText:
    """A reply in the running cell, which grows while it is written."""

    def __init__(self) -> None:
        self._text, self._drawn = "", 0.0
        self._handle = display({"text/plain": ""}, raw=True, display_id=True)

    def write(self, piece: str) -> None:
        """Add text, and redraw now and then."""
        self._text += piece
        if time.monotonic() - self._drawn > REDRAW:
            self._drawn = time.monotonic()
            html = f"<div style='white-space:pre-wrap;max-width:50em;opacity:.8'>{escape(self._text)}▌</div>"
            self._handle.update({"text/html": html, "text/plain": self._text}, raw=True)

    def say(self, text: str) -> None:
        """Put a text in place of what stood there."""
        self._text, self._drawn = "", 0.0
        self.write(text)

    def clear(self) -> None:
        """Leave nothing behind: the finished reply is the cell's result."""
        self._handle.update({"text/html": "", "text/plain": ""}, raw=True)


def register(shell: Any) -> None:
    """Tell an IPython shell; cells of a notebook may also watch replies while they are written."""
    for name in DRAWN:
        shell.display_formatter.mimebundle_formatter.for_type_by_name(*name.rsplit(".", 1), bundle)
    if hasattr(shell, "kernel"):
        wait.watched = LiveText
