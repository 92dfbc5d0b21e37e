"""A trace as table, tree, timeline and sequence diagram."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from llmlab.errors import LabError
from llmlab.show import frames
from llmlab.show.mermaid import Mermaid, sequence_diagram, short
from llmlab.show.view import COLOURS, MARKS, Picture, View, folded, table_of

if TYPE_CHECKING:
    from llmlab.agents.base import Run
    from llmlab.trace import Step, Trace


def summary(trace: Trace) -> str:
    """The cost of a trace in one line. A call inside another, as of a tool that asks the model, is part of that one's time."""
    t = trace.totals
    calls = [step for step in trace if step.kind in ("model", "tool")]
    seconds = sum(c.seconds for c in calls if not any(outer.kind == "tool" for outer in _around(trace, c)))
    money = "" if t.cost is None else f", {t.cost:.6f} in money"
    return (
        f"{t.model_calls} model calls, {t.tool_calls} tool calls, {t.input_tokens} tokens in "
        f"({t.cached_tokens} cached), {t.output_tokens} out, {seconds:.2f} s{money}"
    )


def table(shown: Trace | Run) -> View:
    """One row a step, with what it said and cost; the whole data folded under each."""
    trace, rows = _trace_of(shown), []
    for step in trace:
        sign = f"<span style='color:{COLOURS[step.kind]}'>{MARKS[step.kind]}</span> {step.kind}"
        kind = View(f"<span style='white-space:nowrap'>{sign}</span>", f"{MARKS[step.kind]} {step.kind}")
        brief = _brief(step, 80)
        detail = View(f"{escape(brief, quote=False)}{folded('all of it', step.attributes)}", brief)
        tokens = [step.get(f"gen_ai.usage.{way}_tokens", "") for way in ("input", "output")]
        name = "· " * len(_around(trace, step)) + step.name
        rows.append([step.id, kind, name, detail, *tokens, f"{step.seconds:.2f} s", step.status])
    if not rows:
        return View("<p>The trace is empty.</p>", "The trace is empty.")
    return table_of(["#", "kind", "step", "what", "in", "out", "time", "status"], rows, summary(trace))


def tree(shown: Trace | Run) -> View:
    """Which step of a trace or a run called which."""
    trace = _trace_of(shown)
    known = {step.id for step in trace}

    def below(parent: int | None, indent: str) -> Iterator[str]:
        # A step whose parent was still running when the trace was cut off stands at the root.
        children = [s for s in trace if (s.parent if s.parent in known else None) == parent]
        for step in children:
            branch, bar = ("└─", "   ") if step is children[-1] else ("├─", "│  ")
            title = frames.way(step) if step.kind == "protocol" else step.name
            yield f"{indent}{branch} {MARKS[step.kind]} {title}: {_brief(step, 70)}"
            yield from below(step.id, indent + bar)

    text = "\n".join([trace.name, *below(None, "")])
    return View(f"<pre>{escape(text)}</pre>", text)


def timeline(shown: Trace | Run) -> Picture:
    """When each step of a trace or a run took place: bars over seconds, marked and coloured by kind."""
    from matplotlib.figure import Figure

    steps = [s for s in _trace_of(shown) if s.kind != "event"]
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


def sequence(shown: Trace | Run) -> Mermaid:
    """Who sent what to whom: the calls of the trace as a Mermaid sequence diagram, which Jupyter draws."""
    trace, said = _trace_of(shown), []
    for step in trace:
        if step.kind in ("model", "tool"):
            who = f"{step.kind} {step.get('gen_ai.request.model') if step.kind == 'model' else step.name}"
            said += [("the app", "->>", who, _asked(step)), (who, "-->>", "the app", answered(step))]
    return sequence_diagram(f"Sequence of {trace.name}", said, {"the app": "app"})


def _trace_of(shown: Trace | Run) -> Trace:
    if not hasattr(trace := shown.calls() if hasattr(shown, "calls") else shown, "steps"):
        raise LabError(f"What is drawn is a trace or a run, but got {shown!r:.80}; give run.trace, for example.")
    return trace


def _around(trace: Trace, step: Step) -> list[Step]:
    """The steps around a step, from the nearest on."""
    outer = next((other for other in trace if other.id == step.parent), None)
    return [outer, *_around(trace, outer)] if outer else []


def _asked(step: Step) -> str:
    if step.kind == "tool":
        return str(step.get("gen_ai.tool.call.arguments", ""))
    messages = (step.request or {}).get("messages") or [{}]
    return str(messages[-1].get("content") or step.name)


def answered(step: Step) -> str:
    """What a step gave back, as text."""
    if step.error or step.kind == "tool":
        return step.error or str(step.get("gen_ai.tool.call.result", ""))
    choices = (step.response or {}).get("choices") or [{}]
    message = choices[0].get("message") or {}
    calls = [f"{c['function']['name']}({c['function']['arguments']})" for c in message.get("tool_calls") or []]
    return str(message.get("content") or " ".join(calls) or step.status)


def _brief(step: Step, width: int) -> str:
    if step.kind == "protocol":
        return short(frames.label(step), width)
    if step.kind in ("model", "tool") and not step.error:
        said = short(answered(step), width // 2)
        return f"{short(_asked(step), width - len(said) - 3)} → {said}"
    return short(step.error or " ".join(f"{k}={v}" for k, v in step.attributes.items()), width)
