"""How a run, a reply, an answer and a model look: the words first, then how it ended and what it cost, the rest folded."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from llmlab.show.mermaid import Mermaid, sequence_diagram
from llmlab.show.traces import summary, tree
from llmlab.show.view import QUIET, View, card, folded, pretty

if TYPE_CHECKING:
    from llmlab.agents.base import Run
    from llmlab.llm.chat import Model, Reply
    from llmlab.trace import Trace


def run_card(run: Run) -> View:
    """A run at a glance."""
    answer = "(no answer)" if run.answer is None else str(run.answer)
    ended = f"done. {run.why}".strip(". ") if run.ok else f"stopped: {run.stopped}. {run.why}".strip()
    cost = f"{run.agent}, {ended}\n{summary(run.calls())}"
    calls = tree(run)
    quiet = escape(cost, quote=False).replace("\n", "<br>")
    html = (
        f"<div style='white-space:pre-wrap'>{escape(answer, quote=False)}</div><div style='{QUIET}'>{quiet}</div>"
        f"<details><summary style='{QUIET}'>its calls</summary>{calls.html}</details>"
    )
    return View(html, f"{answer}\n{cost}\n{calls.text}")


def letters(trace: Trace) -> Mermaid:
    """Who wrote what to whom in a team: its letters as a sequence diagram."""
    said = []
    for step in trace.of("event"):
        if step.name == "letter":
            sender, to, kind, text = (step.get(part) for part in ("sender", "to", "kind", "text"))
            said.append((sender, "--x" if kind == "failure" else "->>", to, f"{kind}: {text}"))
    return sequence_diagram(f"Letters of {trace.name}", said)


def badge(reply: Reply) -> str:
    """The line under a reply: source, tokens, seconds, money."""
    parts = [
        f"{reply.source}: {reply.model}",
        f"{reply.input_tokens} tokens in ({reply.cached_tokens} cached)",
        f"{reply.output_tokens} out",
        f"{reply.seconds:.2f} s",
    ]
    if reply.cost is not None:
        parts.append(f"{reply.cost:.6f} {reply.currency}")
    if reply.finish_reason not in ("stop", "tool_calls"):
        parts.append(f"ended by: {reply.finish_reason}")
    return " · ".join(parts)


def reply_card(reply: Reply) -> View:
    """A reply, as a cell shows it."""
    calls = [f"→ {call.name}({call.arguments})" for call in reply.tool_calls]
    answer = "\n".join([reply.text, *calls] if reply.text else calls) or "(empty reply)"
    note = f"<div style='{QUIET}'>{escape(reply.note)}</div>" if reply.note else ""
    raw = folded("the request, as it was sent", reply.request) + folded("the reply, as it came", reply.response)
    text = "\n".join(filter(None, [answer, f"[{badge(reply)}]", reply.note]))
    return View(card("model", answer, badge(reply), note + raw), text)


def model_card(model: Model) -> View:
    """A connected model, as a cell shows it."""
    can = [c for c, yes in sorted(model.abilities.items()) if yes]
    rows = {"model": model.name, "source": model.source}
    rows["can"] = ", ".join(can) or "text (more is found out when a cell needs it)"
    rows |= {name.removeprefix("llmlab."): value for name, value in model.provenance.items()}
    left = "style='text-align:left'"
    row = f"<tr><th scope='row' {left}>{{}}</th><td {left}>{{}}</td></tr>"
    lines = "".join(row.format(escape(name), escape(str(value))) for name, value in rows.items())
    return View(f"<table>{lines}</table>", pretty(rows))
