"""The pictures of chapter 01: shares of three model sizes side by side, and the probabilities of the next token."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import Any

import matplotlib.pyplot as plt

from llmlab.errors import LabError
from llmlab.llm.chat import Reply
from llmlab.measure import Measured
from llmlab.show.view import COLOURS, Picture

# A place is told apart by its mark, too, not by its colour alone.
DOTS = (("span", "o"), ("model", "s"), ("tool", "^"), ("protocol", "D"))
APART = 0.19  # of a row: between the marks of one row


def dots(measured: Measured, places: Sequence[str], label: str) -> Picture:
    """A field for each model, a row for each thing asked, a mark with its 95 % interval for each place."""
    models, things = measured.by("model"), [what for (what,) in measured.by("what")]
    high = 1.2 + 0.62 * len(things)
    figure, axes = plt.subplots(1, len(models), figsize=(10, high), sharey=True, squeeze=False, layout="constrained")
    said = []
    for ax, ((name,), rows) in zip(axes[0], models.items(), strict=True):
        theirs, told = Measured(rows), []
        for k, (place, (colour, mark)) in enumerate(zip(places, DOTS, strict=False)):
            told.append(_marks(ax, theirs, things, place, (k - (len(places) - 1) / 2) * APART, COLOURS[colour], mark))
        ax.set(title=name, xlim=(-0.04, 1.04), xlabel=label, yticks=range(len(things)), yticklabels=things)
        ax.grid(axis="x", alpha=0.25)
        ax.set_axisbelow(True)
        said.append(f"{name}: {'; '.join(filter(None, told))}")
    axes[0][0].invert_yaxis()
    handles, labels = axes[0][-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(places), frameon=False)
    plt.close(figure)
    return Picture(figure, f"{label.capitalize()}, with 95 % intervals. {'. '.join(said)}.")


def _marks(ax: Any, theirs: Measured, things: Sequence[str], place: str, shift: float, colour: str, mark: str) -> str:
    told, drawn = [], False
    for y, thing in enumerate(things):
        good, tries = theirs.rate(what=thing, where=place)
        if not tries:
            continue
        low, top = theirs.interval(what=thing, where=place)
        ax.plot([low, top], [y + shift] * 2, color=colour, alpha=0.45, linewidth=2)
        ax.plot(good / tries, y + shift, mark, color=colour, markersize=6.5, label=None if drawn else place)
        told.append(f"{thing} {good} of {tries}")
        drawn = True
    return f"{place}: {', '.join(told)}" if told else ""


def next_tokens(reply: Reply) -> dict[str, float]:
    """The most likely first tokens of a reply that was asked for with `logprobs`, and their probabilities."""
    found = (reply.response["choices"][0].get("logprobs") or {}).get("content") or []
    if not found:
        raise LabError("The reply has to come with log probabilities; ask with logprobs=True, top_logprobs=8.")
    return {each["token"]: exp(each["logprob"]) for each in found[0]["top_logprobs"]}


def bars(columns: dict[str, dict[str, float]]) -> Picture:
    """Probabilities of the same tokens, a field for each column."""
    tokens = list(next(iter(columns.values())))
    figure, axes = plt.subplots(
        1,
        len(columns),
        figsize=(10, 0.9 + 0.3 * len(tokens)),
        sharey=True,
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    said = []
    for ax, (name, chances) in zip(axes[0], columns.items(), strict=True):
        values = [chances.get(token, 0.0) for token in tokens]
        ax.barh([repr(token) for token in tokens], values, color=COLOURS["model"])
        for y, value in enumerate(values):
            ax.annotate(f"{value:.0%}", (value, y), xytext=(3, 0), textcoords="offset points", va="center")
        ax.set(title=name, xlim=(0, 1.15))
        ax.set_xticks([])
        ax.spines[["top", "right", "bottom"]].set_visible(False)
        said.append(f"{name}: {', '.join(f'{t!r} {v:.0%}' for t, v in zip(tokens, values, strict=True))}")
    axes[0][0].invert_yaxis()
    plt.close(figure)
    return Picture(figure, f"Probability of the next token. {'; '.join(said)}.")
