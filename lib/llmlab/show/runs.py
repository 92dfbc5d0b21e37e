"""How a Run looks: the answer first, why it stopped, what it cost, and its calls folded below."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from llmlab.show.traces import summary, tree
from llmlab.show.view import QUIET, View

if TYPE_CHECKING:
    from llmlab.agents.base import Run


def card(run: Run) -> View:
    """A run at a glance."""
    part = run.calls()
    answer = "(no answer)" if run.answer is None else str(run.answer)
    stopped = "done" if run.ok else f"stopped: {run.stopped}. {run.why}".strip()
    cost = f"{run.agent}, {stopped}\n{summary(part)}"
    calls = tree(part)
    quiet = escape(cost, quote=False).replace("\n", "<br>")
    html = (
        f"<div style='white-space:pre-wrap'>{escape(answer, quote=False)}</div><div style='{QUIET}'>{quiet}</div>"
        f"<details><summary style='{QUIET}'>its calls</summary>{calls.html}</details>"
    )
    return View(html, f"{answer}\n{cost}")
