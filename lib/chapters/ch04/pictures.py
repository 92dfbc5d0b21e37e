"""The two pictures of chapter 04: the loop, lit up by a run, and the choice of tools by models of three sizes."""

from __future__ import annotations

from collections.abc import Sequence

from llmlab.agents import Run
from llmlab.measure import Measured, share
from llmlab.show.mermaid import Mermaid
from llmlab.show.view import COLOURS, Picture


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


def sizes(kept: Sequence[Measured], kinds: Sequence[str], variant: str) -> Picture:
    """The share of right rows of each kind, a group of bars for each model, with 95 % intervals."""
    from matplotlib.figure import Figure

    kept = [measured for measured in kept if measured.rate(kind=kinds[0], variant=variant)[1]]
    figure = Figure(figsize=(8, 3.2), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    told = []
    for place, kind in enumerate(kinds):
        for at, measured in enumerate(kept):
            right, of = measured.rate(kind=kind, variant=variant)
            low, high = measured.interval(kind=kind, variant=variant)
            x, y = at + (place - (len(kinds) - 1) / 2) * 0.36, right / of
            bar = axes.bar(x, y, 0.34, color=COLOURS["tool" if place else "model"], hatch="//" if place else None)
            axes.errorbar(x, y, [[y - low], [high - y]], color="black", capsize=4)
            bar.set_label(kind if at == 0 else "_")
            told.append(f"{measured.about['model']}, {kind}: {share(right, of)}")
    axes.set_xticks(range(len(kept)), [str(measured.about["model"]) for measured in kept])
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("right tool and arguments")
    axes.legend(loc="upper left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return Picture(figure, "Right choices, with 95 % intervals. " + "; ".join(told))
