"""Pictures of measurements that several chapters draw: shares of right answers, with their 95 % intervals."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt

from llmlab.measure import Measured
from llmlab.show.view import COLOURS, Picture

# A line is told apart by its mark and its dashes, too, not by its colour alone.
LINES = (("person", "o--"), ("model", "s-"), ("tool", "^-."), ("protocol", "D:"))


def shares(measured: Measured, over: str, by: str, panels: str = "") -> Picture:
    """A line for each value of the column `by`, along the column `over`; with `panels`, one field for each value of it."""
    fields = {
        name: Measured(rows) for (name,), rows in measured.by(*([panels] if panels else ["no such column"])).items()
    }
    figure, axes = plt.subplots(
        1, len(fields), figsize=(4 + 2 * len(fields), 3.2), sharey=True, squeeze=False, layout="constrained"
    )
    said = []
    for ax, (name, field) in zip(axes[0], fields.items(), strict=True):
        told = [
            _line(ax, field, over, by, line, style) for (line,), style in zip(field.by(by), cycle(LINES), strict=False)
        ]
        ticks = sorted({row[over] for row in field.rows if over in row})
        ax.set(title=name or "", xticks=ticks, ylim=(-0.03, 1.03), xlabel=over)
        said.append(f"{name}: {'; '.join(told)}" if name else "; ".join(told))
    axes[0][0].set_ylabel("share of right answers")
    axes[0][-1].legend(loc="best")
    plt.close(figure)
    return Picture(figure, f"Right answers over {over}, with 95 % intervals. {'. '.join(said)}.")


def _line(ax: Any, field: Measured, over: str, by: str, line: Any, style: tuple[str, str]) -> str:
    places = sorted({row[over] for row in field.rows if row[by] == line})
    counts = [field.rate(**{by: line, over: place}) for place in places]
    low, high = zip(*(field.interval(**{by: line, over: place}) for place in places), strict=True)
    ax.plot(places, [right / tries for right, tries in counts], style[1], color=COLOURS[style[0]], label=str(line))
    ax.fill_between(places, low, high, color=COLOURS[style[0]], alpha=0.15)
    told = (f"{place}: {right} of {tries}" for place, (right, tries) in zip(places, counts, strict=True))
    return f"{line} {', '.join(told)}"
