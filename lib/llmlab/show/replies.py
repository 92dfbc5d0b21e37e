"""How a reply and a model look: the answer first, then where it came from and what it cost; the raw data folded."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from llmlab.show.view import COLOURS, QUIET, View, folded, pretty

if TYPE_CHECKING:
    from llmlab.chat_app import Answer
    from llmlab.llm.chat import Model, Reply


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


def card(reply: Reply) -> View:
    """A reply, as a cell shows it."""
    calls = [f"→ {call.name}({call.arguments})" for call in reply.tool_calls]
    answer = "\n".join([reply.text, *calls] if reply.text else calls) or "(empty reply)"
    note = f"<div style='{QUIET}'>{escape(reply.note)}</div>" if reply.note else ""
    html = (
        f"<div style='border-left:3px solid {COLOURS['model']};padding-left:8px;max-width:50em'>"
        f"<div style='white-space:pre-wrap'>{escape(answer)}</div>"
        f"<div style='{QUIET}'>{escape(badge(reply))}</div>{note}"
        f"{folded('the request, as it was sent', reply.request)}"
        f"{folded('the reply, as it came', reply.response)}</div>"
    )
    return View(html, "\n".join(filter(None, [answer, f"[{badge(reply)}]", reply.note])))


def answer_card(answer: Answer) -> View:
    """What a chat application said, with each call behind it folded."""
    calls = "".join(folded(f"call {i}: {badge(r)}", r.request) for i, r in enumerate(answer.replies, 1))
    cost = f"{len(answer.replies)} calls · {answer.input_tokens} tokens in · {answer.output_tokens} out"
    html = (
        f"<div style='border-left:3px solid {COLOURS['person']};padding-left:8px;max-width:50em'>"
        f"<div style='white-space:pre-wrap'>{escape(answer.text)}</div>"
        f"<div style='{QUIET}'>{escape(cost)}</div>{calls}</div>"
    )
    return View(html, f"{answer.text}\n[{cost}]")


def model_card(model: Model) -> View:
    """A connected model, as a cell shows it."""
    can = [c for c, yes in sorted(model.abilities.items()) if yes]
    rows = {
        "model": model.name,
        "source": model.source,
        "can": ", ".join(can) or "text (more is found out when a cell needs it)",
        **{k.removeprefix("llmlab."): v for k, v in model.provenance.items()},
    }
    lines = "".join(
        f"<tr><th scope='row' style='text-align:left'>{escape(k)}</th>"
        f"<td style='text-align:left'>{escape(str(v))}</td></tr>"
        for k, v in rows.items()
    )
    return View(f"<table>{lines}</table>", pretty(rows))
