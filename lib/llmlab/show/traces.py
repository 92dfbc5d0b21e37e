"""A trace as table, tree, timeline and sequence diagram."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from llmlab.show import frames
from llmlab.show.mermaid import Mermaid, clean, short
from llmlab.show.view import COLOURS, MARKS, Picture, View, folded, mark, table_of

if TYPE_CHECKING:
    from llmlab.agents.base import Run
    from llmlab.trace import Step, Trace


def summary(trace: Trace) -> str:
    """The cost of a trace in one line."""
    t = trace.totals
    money = "" if t.cost is None else f", {t.cost:.6f} in money"
    return (
        f"{t.model_calls} model calls, {t.tool_calls} tool calls, {t.input_tokens} tokens in "
        f"({t.cached_tokens} cached), {t.output_tokens} out, {_seconds(trace):.2f} s{money}"
    )


def table(trace: Trace) -> View:
    """One row a step, with what it said and cost; the whole data folded under each."""
    rows = []
    for step in trace:
        brief = _brief(step, 80)
        detail = View(f"{escape(brief, quote=False)}{folded('all of it', step.attributes)}", brief)
        tokens = [step.get(f"gen_ai.usage.{name}_tokens", "") for name in ("input", "output")]
        rows.append([step.id, mark(step.kind), "· " * _depth(trace, step) + step.name, detail, *tokens,
                     f"{step.seconds:.2f} s", step.status])  # fmt: skip
    view = table_of(["#", "kind", "step", "what", "in", "out", "time", "status"], rows, summary(trace))
    return view if rows else View("<p>The trace is empty.</p>", "The trace is empty.")


def _trace_of(shown: Trace | Run) -> Trace:
    """A trace as it is, and of a run its part."""
    return shown.calls() if hasattr(shown, "calls") else shown


def tree(shown: Trace | Run) -> View:
    """Which step of a trace or a run called which."""
    trace = _trace_of(shown)
    lines: list[str] = []
    known = {step.id for step in trace}

    def walk(parent: int | None, indent: str) -> None:
        # A step whose parent was still running when the trace was cut off stands at the root.
        children = [s for s in trace if (s.parent if s.parent in known else None) == parent]
        for i, step in enumerate(children):
            last = i == len(children) - 1
            lines.append(f"{indent}{'└─' if last else '├─'} {MARKS[step.kind]} {_title(step)}: {_brief(step, 70)}")
            walk(step.id, indent + ("   " if last else "│  "))

    walk(None, "")
    text = "\n".join([trace.name, *lines])
    return View(f"<pre>{escape(text)}</pre>", text)


def timeline(shown: Trace | Run) -> Picture:
    """When each step of a trace or a run took place: bars over seconds, marked and coloured by kind."""
    trace = _trace_of(shown)
    from matplotlib.figure import Figure

    steps = [s for s in trace if s.kind != "event"]
    figure = Figure(figsize=(8, 0.6 + 0.35 * max(len(steps), 1)), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    for row, step in enumerate(steps):
        axes.barh(row, max(step.seconds, 0.002), left=step.start, color=COLOURS[step.kind], height=0.6)
    axes.set_yticks(range(len(steps)), [f"{s.name} {MARKS[s.kind]}" for s in steps], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds since the trace began")
    axes.spines[["top", "right"]].set_visible(False)
    return Picture(figure, "Timeline: " + "; ".join(f"{s.name} took {s.seconds:.2f} s" for s in steps))


def sequence(trace: Trace) -> Mermaid:
    """Who sent what to whom: the calls of the trace as a Mermaid sequence diagram, which Jupyter draws."""
    lines = ["sequenceDiagram", f"  accTitle: {clean(f'Sequence of {trace.name}')}", "  participant app as the app"]
    seen: dict[str, str] = {}
    body: list[str] = []
    for step in trace:
        if step.kind not in ("model", "tool"):
            continue
        who = step.get("gen_ai.request.model") if step.kind == "model" else step.name
        name = seen.setdefault(f"{step.kind} {who}", f"p{len(seen)}")
        asked, said = _asked(step), answered(step)
        body += [f"  app->>{name}: {clean(asked)}", f"  {name}-->>app: {clean(said)}"]
    lines += [f"  participant {name} as {clean(full)}" for full, name in seen.items()]
    return Mermaid("\n".join(lines + body))


def _seconds(trace: Trace) -> float:
    """Of all calls; one that was made inside another, as by a tool that asks the model, is part of that one's time."""
    steps = {step.id: step for step in trace}
    calls = [step for step in trace if step.kind in ("model", "tool")]
    return sum(c.seconds for c in calls if not any(outer.kind == "tool" for outer in _outside(steps, c)))


def _depth(trace: Trace, step: Step) -> int:
    return sum(1 for _ in _outside({s.id: s for s in trace}, step))


def _outside(steps: dict[int, Step], step: Step) -> Iterator[Step]:
    """The steps around a step, from the nearest on."""
    while step.parent in steps:
        step = steps[step.parent]
        yield step


def _asked(step: Step) -> str:
    if step.kind == "tool":
        return str(step.get("gen_ai.tool.call.arguments", ""))
    messages = (step.request or {}).get("messages") or [{}]
    return str(messages[-1].get("content") or step.name)


def answered(step: Step) -> str:
    """What a step gave back, as text."""
    if step.error:
        return step.error
    if step.kind == "tool":
        return str(step.get("gen_ai.tool.call.result", ""))
    choices = (step.response or {}).get("choices") or [{}]
    message = choices[0].get("message") or {}
    calls = [f"{c['function']['name']}({c['function']['arguments']})" for c in message.get("tool_calls") or []]
    return str(message.get("content") or " ".join(calls) or step.status)


def _title(step: Step) -> str:
    return frames.way(step) if step.kind == "protocol" else step.name


def _brief(step: Step, width: int) -> str:
    if step.kind == "protocol":
        return short(frames.label(step), width)
    if step.kind in ("model", "tool") and not step.error:
        said = short(answered(step), width // 2)
        return f"{short(_asked(step), width - len(said) - 3)} → {said}"
    return short(step.error or " ".join(f"{k}={v}" for k, v in step.attributes.items()), width)
