"""Chapter 02's tables and pictures, of the kept measurement and of the reader's own tries."""

from __future__ import annotations

from collections.abc import Sequence

from chapters.ch02 import SIZES, Said, by_rules
from llmlab import measure
from llmlab.llm import weights
from llmlab.measure import Measured, Row, interval, share
from llmlab.show.view import COLOURS, Picture, View, table_of

PARTS = ("plain", "reworded")
NAMES = {weights.CATALOGUE[key].name: key for key in ("tiny", "small", "standard")}
HOURS = 1e6 / 3600  # of a second a message, for a million messages


def kept() -> Measured:
    """What `llmlab measure 02` kept of all sizes of the model in the box; rules and classifiers, being the same, once."""
    rows: list[Row] = []
    for one in measure.kept("02"):
        size = NAMES.get(one.about["model"], one.about["model"])
        rows += [{**row, "size": size} if row["way"] == "prompt" else row for row in one.rows]
    first = measure.kept("02")[0]
    apart = [row for row in first.rows if row["way"] != "prompt"]
    return Measured(apart + [row for row in rows if row["way"] == "prompt"], first.about)


def learning_curve(kept: Measured) -> Picture:
    """How many unseen messages a classifier gets right, by the examples that it has learned from; rules as lines."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained", facecolor="white")
    axes, said = figure.add_subplot(), []
    for part, mark, colour in zip(PARTS, "os", (COLOURS["model"], COLOURS["tool"]), strict=True):
        rates = [kept.rate(way="classifier", part=part, examples=size) for size in SIZES]
        shares = [100 * right / of for right, of in rates]
        ends = [interval(right, of) for right, of in rates]
        low = [s - 100 * a for s, (a, _) in zip(shares, ends, strict=True)]
        high = [100 * b - s for s, (_, b) in zip(shares, ends, strict=True)]
        axes.errorbar(SIZES, shares, [low, high], marker=mark, color=colour, capsize=3, label=f"classifier, {part}")
        right, of = kept.rate(way="rules", part=part)
        axes.axhline(100 * right / of, color=colour, linestyle=":", label=f"rules, {part}")
        said.append(f"{part}: " + ", ".join(f"{s:.0f} % with {n}" for n, s in zip(SIZES, shares, strict=True)))
    axes.set_xscale("log")
    axes.set_xticks(SIZES, [str(size) for size in SIZES])
    axes.set_xlabel("labelled examples of each category")
    axes.set_ylabel("right, %")
    axes.set_ylim(0, 100)
    axes.legend(fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return Picture(figure, "Right answers of the classifier on unseen messages. " + "; ".join(said))


def ways(kept: Measured) -> View:
    """All three ways on both unseen sets, with 95 % intervals."""
    rows = [
        ["rules", *(share(*kept.rate(way="rules", part=part)) for part in PARTS)],
        ["classifier, 160 examples", *(share(*kept.rate(way="classifier", part=part, examples=40)) for part in PARTS)],
    ]
    for size in NAMES.values():
        name = f"prompt, no example, {size} model"
        rows.append([name, *(share(*kept.rate(way="prompt", part=part, examples=0, size=size)) for part in PARTS)])
    return table_of(["way", *PARTS], rows)


def shots(kept: Measured) -> View:
    """The prompt without examples, with one and with three of each category, for each size of the model."""
    rows = [
        [
            size,
            f"{n} of each" if n else "none",
            *(share(*kept.rate(way="prompt", part=p, examples=n, size=size)) for p in PARTS),
        ]
        for size in NAMES.values()
        for n in (0, 1, 3)
    ]
    return table_of(["model", "examples in the prompt", *PARTS], rows)


def changed(said: Sequence[Said], rules: str, taught: object, before: Sequence[Row], after: Sequence[Row]) -> View:
    """The old messages before and after a category was added."""
    from chapters.ch02 import classifier, messages

    old, n = classifier(messages("learn")), len(said)

    def right(learned: object) -> int:
        texts = [one.text for one in said]
        found = learned.predict(texts)  # type: ignore[attr-defined]
        return sum(want == one.want for want, one in zip(found, said, strict=True))

    prompts = [[row for row in rows if row["part"] == "plain"] for rows in (before, after)]
    ruled = [sum(by_rules(one.text, *given) == one.want for one in said) for given in ((), (rules,))]
    return table_of(
        ["way", "before", "after"],
        [
            ["rules", *(f"{count} of {n}" for count in ruled)],
            ["classifier", f"{right(old)} of {n}", f"{right(taught)} of {n}"],
            ["prompt", *(f"{sum(row['right'] for row in rows)} of {len(rows)}" for rows in prompts)],
        ],
    )


def costs(kept: Measured) -> View:
    """Seconds a message, and the hours and days that a million take."""
    rows = []
    for name, wanted in {
        "rules": {"way": "rules"},
        "classifier": {"way": "classifier", "examples": 40},
        **{f"prompt, {size} model": {"way": "prompt", "examples": 0, "size": size} for size in NAMES.values()},
    }.items():
        found = [row["seconds"] for row in kept.rows if all(row.get(k) == v for k, v in wanted.items())]
        each = sum(found) / len(found)
        hours = each * HOURS
        spent = (
            f"{hours * 60:.0f} minutes"
            if hours < 2
            else f"{hours:.0f} hours"
            if hours < 72
            else f"{hours / 24:.1f} days"
        )
        rows.append([name, f"{1000 * each:.2f} ms" if each < 0.01 else f"{each:.2f} s", spent])
    return table_of(["way", "a message", "a million messages"], rows)
