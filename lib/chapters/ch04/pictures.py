"""The two pictures of chapter 04: the loop, lit up by a run, and the choice of tools by models of three sizes."""

from __future__ import annotations

from html import escape

from chapters.ch04.choice import CHOOSE, VARIANT
from llmlab.agents import Run
from llmlab.measure import Measured, share
from llmlab.show.mermaid import Mermaid
from llmlab.show.view import COLOURS, Picture, View


def lit(run: Run) -> Mermaid:
    """The loop with how often each box was reached in a run; what was not reached is dashed."""
    steps = run.calls()
    acts = [step.name for step in steps.of("tool")]
    count = {"o": len(steps.of("model")), "d": len(steps.of("model")), "a": len(acts), "out": int(run.ok)}
    names = {
        "o": "observe",
        "d": "decide",
        "a": ": ".join(["act", *([", ".join(acts)] if acts else [])]),
        "out": "answer",
    }
    boxes = [f'  {box}["{names[box]} ×{n}"]' for box, n in count.items()]
    styles = [f"  style {box} {'stroke-width:4px' if n else 'stroke-dasharray:4'}" for box, n in count.items()]
    flow = ["flowchart LR", f"  accTitle: This run, which ended with {run.stopped}", *boxes]
    return Mermaid("\n".join([*flow, "  o --> d --> a --> o", "  d --> out", *styles]))


def sizes(measured: Measured) -> Picture | View:
    """The choice of tools: the share of right first replies among few and many tools, by model, with 95 % intervals."""
    from matplotlib.figure import Figure

    models = [name for (name,) in measured.by("model") if measured.rate(model=name, variant=VARIANT)[1]]
    if not models:
        text = "Nothing is measured yet: run `llmlab measure 04` in a terminal, once for each model."
        return View(f"<p>{escape(text)}</p>", text)
    figure = Figure(figsize=(8, 3.2), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    told = []
    for place, (kind, colour, hatch) in enumerate(zip(CHOOSE, ("model", "tool"), (None, "//"), strict=True)):
        for at, name in enumerate(models):
            wanted = {"model": name, "kind": kind, "variant": VARIANT}
            (right, of), (low, high) = measured.rate(**wanted), measured.interval(**wanted)
            x, y = at + (place - 0.5) * 0.36, right / of
            bar = axes.bar(x, y, 0.34, color=COLOURS[colour], hatch=hatch)
            axes.errorbar(x, y, [[y - low], [high - y]], color="black", capsize=4)
            bar.set_label("_" if at else kind)
            told.append(f"{name}, {kind}: {share(right, of)}")
    axes.set_xticks(range(len(models)), models)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("right tool and arguments")
    axes.legend(loc="upper left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return Picture(figure, "Right choices, with 95 % intervals. " + "; ".join(told))
