"""The protocol frames of a trace: as a sequence diagram, as a table, and one by one with a sentence on each."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from llmlab.settings import DATA
from llmlab.show.mermaid import NOTE, sequence_diagram, short
from llmlab.show.view import COLOURS, View, folded, pretty, table_of
from llmlab.show.widgets import Panel

if TYPE_CHECKING:
    from llmlab.trace import Step, Trace

NOTHING = View("<p>The trace has no protocol frames.</p>", "The trace has no protocol frames.")
# What each frame is for: a method, its reply where there is more to say than that it answers, or a kind of frame.
PURPOSES: dict[str, str] = json.loads((DATA / "frames.json").read_text(encoding="utf-8"))
HOST = "the host"
ARROWS = {"request": "->>", "notification": "-)", "result": "-->>"}


def sequence(trace: Trace) -> View:
    """The frames as a Mermaid sequence diagram, which Jupyter draws."""
    if not (steps := trace.of("protocol")):
        return NOTHING
    ids = {name: f"s{number}" for number, name in enumerate(dict.fromkeys(str(step.server) for step in steps))}
    said = []
    for step in steps:
        ends = (HOST, str(step.server)) if step.direction == "sent" else (str(step.server), HOST)
        if step.frame in ("http", "ended"):
            said.append((HOST, NOTE, str(step.server), step.name))
        else:
            said.append((ends[0], ARROWS.get(str(step.frame), "--x"), ends[1], label(step)))
    return sequence_diagram(f"Frames between the host and {', '.join(ids)}", said, {HOST: "host", **ids})


def table(trace: Trace) -> View:
    """One row a frame, with the whole message folded under it."""
    rows = []
    for number, step in enumerate(trace.of("protocol"), 1):
        brief, data = short(label(step), 80), step.get("llmlab.message", step.headers)
        detail = View(escape(brief, quote=False) + (folded("all of it", data) if data else ""), brief)
        rows.append([number, way(step), step.frame, detail])
    return table_of(["#", "from → to", "frame", "what"], rows) if rows else NOTHING


def stepper(trace: Trace) -> Panel | View:
    """Walk through the frames one by one, with a sentence on each. Where nothing can be pressed, all as text."""
    import ipywidgets

    steps = trace.of("protocol")
    views = [_one(step, number, len(steps)) for number, step in enumerate(steps, 1)]
    if not views:
        return NOTHING
    shown = ipywidgets.HTML(views[0].html)
    slider = ipywidgets.IntSlider(value=1, min=1, max=len(steps), description="Frame")
    back, forth = ipywidgets.Button(description="◀ Back"), ipywidgets.Button(description="Next ▶")

    def go(by: int) -> None:
        slider.value += by  # the slider keeps to its ends

    slider.observe(lambda change: setattr(shown, "value", views[change["new"] - 1].html), names="value")
    back.on_click(lambda _: go(-1))
    forth.on_click(lambda _: go(1))
    plain = View("".join(f"<div>{view.html}</div>" for view in views), "\n".join(view.text for view in views))
    return Panel(ipywidgets.VBox([ipywidgets.HBox([back, forth, slider]), shown]), plain)


def label(step: Step) -> str:
    """A frame in a few words: the method and what matters of it."""
    message = step.message
    if step.frame in ("junk", "error"):
        return f"(no message) {message}" if step.frame == "junk" else f"error {step.error}"
    if not isinstance(message, dict):  # HTTP, or one that was too long to keep
        return step.name
    if step.frame == "result":
        return _result(message.get("result") or {}) or step.name
    params = message.get("params") or {}
    named = [str(params[key]) for key in ("name", "uri", "protocolVersion", "requestId", "level") if key in params]
    given = [pretty(params["arguments"])] if params.get("arguments") else []
    done = [f"{params['progress']:g} of {params.get('total', '?')}"] if "progress" in params else []
    return " ".join([step.name, *named, *given, *done])


def _result(result: dict[str, Any]) -> str:
    for key in ("tools", "resources", "resourceTemplates", "prompts"):
        if isinstance(listed := result.get(key), list):
            # A server may list anything: what is no object has no name.
            named = (str(entry.get("name") if isinstance(entry, dict) else entry) for entry in listed)
            return f"{key} ({len(listed)}): {', '.join(named)}".rstrip(": ")
    parts = result.get("content") or result.get("contents")
    if isinstance(parts, list):
        texts = [
            str(part.get("text") or f"[{part.get('type') or part.get('mimeType')}]") if isinstance(part, dict) else part
            for part in parts
        ]
        return ("(failed) " if result.get("isError") else "") + " ".join(map(str, texts))
    if "messages" in result:
        return f"{(count := len(result['messages']))} message{'s' * (count != 1)}"
    return str(result.get("protocolVersion") or ", ".join(result.get("supportedVersions", [])))


def way(step: Step) -> str:
    """From whom to whom a frame goes."""
    return f"host → {step.server}" if step.direction == "sent" else f"{step.server} → host"


def _one(step: Step, number: int, of: int) -> View:
    reply = f"{step.name}. " if step.frame in ("result", "error") else ""
    head = f"{number} of {of}. {way(step)}: {reply}{short(label(step), 120)}"
    purpose = PURPOSES.get(step.name) or PURPOSES.get(str(step.frame), "")
    data = step.get("llmlab.message", step.headers)
    body = escape(data if isinstance(data, str) else pretty(data)) if data else ""
    html = (
        f"<div style='border-left:3px solid {COLOURS['protocol']};padding-left:8px'><b>{escape(head)}</b>"
        f"<p>{escape(purpose)}</p><pre style='max-height:24em;overflow:auto;resize:vertical'>{body}</pre></div>"
    )
    return View(html, f"{head}\n   {purpose}")
