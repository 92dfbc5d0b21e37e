"""How a Run looks: the answer first, why it stopped, what it cost, and its calls folded below; a team's letters."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from llmlab.show.mermaid import Mermaid, clean
from llmlab.show.traces import summary, tree
from llmlab.show.view import QUIET, View

if TYPE_CHECKING:
    from llmlab.agents.base import Run
    from llmlab.trace import Trace


def card(run: Run) -> View:
    """A run at a glance."""
    part = run.calls()
    answer = "(no answer)" if run.answer is None else str(run.answer)
    stopped = f"done. {run.why}".strip(". ") if run.ok else f"stopped: {run.stopped}. {run.why}".strip()
    cost = f"{run.agent}, {stopped}\n{summary(part)}"
    calls = tree(part)
    quiet = escape(cost, quote=False).replace("\n", "<br>")
    html = (
        f"<div style='white-space:pre-wrap'>{escape(answer, quote=False)}</div><div style='{QUIET}'>{quiet}</div>"
        f"<details><summary style='{QUIET}'>its calls</summary>{calls.html}</details>"
    )
    return View(html, f"{answer}\n{cost}\n{calls.text}")


def letters(trace: Trace) -> Mermaid:
    """Who wrote what to whom in a team: its letters as a sequence diagram."""
    sent = [step for step in trace.of("event") if step.name == "letter"]
    people = list(dict.fromkeys(step.get(end) for step in sent for end in ("sender", "to")))
    lines = ["sequenceDiagram", f"  accTitle: {clean(f'Letters of {trace.name}')}"]
    lines += [f"  participant p{number} as {clean(name)}" for number, name in enumerate(people)]
    for step in sent:
        sender, to = (people.index(step.get(end)) for end in ("sender", "to"))
        arrow = "--x" if step.get("kind") == "failure" else "->>"
        said = f"{step.get('kind')}: {step.get('text')}"
        lines.append(f"  p{sender}{arrow}p{to}: {clean(said)}")
    return Mermaid("\n".join(lines))
