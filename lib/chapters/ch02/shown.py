"""Chapter 02's tables and pictures: of the kept measurement, and of what the reader's own cells have made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

import matplotlib.pyplot as plt

from chapters.ch02 import DRAWS, NEW, PROMPTS, SIZES, UNSEEN, by_rules, classifier, drawn, grown, messages, right
from chapters.pictures import LINES
from llmlab import measure
from llmlab.measure import Measured, Row, interval, share
from llmlab.show.view import COLOURS, Picture, View, table_of

Decide = Callable[[str], str]
MODELS = ("tiny", "small", "standard")
MILLION = 1_000_000
STYLES = dict(zip(("in view", *UNSEEN), LINES, strict=True))


def kept() -> Measured:
    """What `llmlab measure 02` kept of each size of the model in the box; rules and classifier, being the same, once."""
    sizes = measure.sizes("02")
    last = sizes.rows[-1]["model"] if sizes.rows else ""
    rows = [row for row in sizes.rows if row["way"] in PROMPTS or row["model"] == last]
    return Measured(rows, sizes.about)


def by_classifier(learned: Any) -> Decide:
    """A classifier as a function of one message."""
    return lambda text: str(learned.predict([text])[0])


def counts(decide: Decide, wants: Iterable[str] | None = None, parts: Sequence[str] = UNSEEN) -> list[tuple[int, int]]:
    """Right answers and messages for each part."""
    found = [messages(part, wants) if wants else messages(part) for part in parts]
    return [(right(decide, said), len(said)) for said in found]


# What more lines, and more examples, are worth


def over_lines() -> list[Row]:
    """Rules with more and more lines, on the messages in view and on the unseen ones."""
    rows = list[Row]()
    for n, rules in enumerate(grown()):
        for part in ("learn", *UNSEEN):
            [(count, of)] = counts(lambda text, rules=rules: by_rules(text, rules), parts=[part])  # type: ignore[misc]
            rows.append({"at": n, "part": "in view" if part == "learn" else part, "right": [count], "of": of})
    return rows


def over_examples() -> list[Row]:
    """Classifiers that have learned from more and more examples of each category, on the unseen messages."""
    learn, rows = messages("learn"), list[Row]()
    for size in SIZES:
        choices = [classifier(drawn(learn, size, n)) for n in range(DRAWS if size < SIZES[-1] else 1)]
        for part in UNSEEN:
            said = messages(part)
            texts, wants = [one.text for one in said], [one.want for one in said]
            found = [sum(map(str.__eq__, map(str, learned.predict(texts)), wants)) for learned in choices]
            rows.append({"at": size, "part": part, "right": found, "of": len(said)})
    return rows


def curve(rows: Sequence[Row], along: str) -> Picture:
    """Shares of right answers along a number, a line for each part, with 95 % intervals; a dot for each draw."""
    figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
    told, places = [], sorted({row["at"] for row in rows})
    for part in dict.fromkeys(row["part"] for row in rows):
        kind, style = STYLES[part]
        mine = [row for row in rows if row["part"] == part]
        means = [sum(row["right"]) / len(row["right"]) for row in mine]
        shares = [mean / row["of"] for mean, row in zip(means, mine, strict=True)]
        low, high = zip(*(interval(mean, row["of"]) for mean, row in zip(means, mine, strict=True)), strict=True)  # type: ignore[arg-type]
        at = [places.index(row["at"]) for row in mine]
        ax.plot(at, shares, style, color=COLOURS[kind], label=part)
        ax.fill_between(at, low, high, color=COLOURS[kind], alpha=0.12)
        for x, row in zip(at, mine, strict=True):
            if len(row["right"]) > 1:
                ax.plot([x] * len(row["right"]), [n / row["of"] for n in row["right"]], ".", ms=3, color=COLOURS[kind])
        said = (f"{row['at']}: {100 * s:.0f} %" for row, s in zip(mine, shares, strict=True))
        told.append(f"{part}: {', '.join(said)}")
    ax.set(xlabel=along, ylabel="share of right answers", ylim=(-0.03, 1.03))
    ax.set_xticks(range(len(places)), [str(place) for place in places])
    ax.legend(loc="best")
    plt.close(figure)
    return Picture(figure, f"Right answers over {along}, with 95 % intervals. {'; '.join(told)}.")


# All three ways


def ways(kept: Measured, without: Mapping[str, Decide], prompts: Sequence[str] = ("prompt",)) -> View:
    """Right answers of each way on the unseen messages, with 95 % intervals: counted now, or kept."""
    rows = [[name, *(share(*count) for count in counts(decide))] for name, decide in without.items()]
    for way in prompts:
        for size in MODELS:
            name = f"{way}, {size} model" if len(prompts) == 1 else f"{size}: {way}"
            rows.append([name, *(share(*kept.rate(way=way, part=part, model=size)) for part in UNSEEN)])
    return table_of(["way", *UNSEEN], rows, kept.label)


def variants(kept: Measured, size: str = "standard") -> View:
    """What else one may write into a prompt: right answers, and the tokens that are read for a message."""
    rows, mine = [], [row for row in kept.rows if row.get("input") and row["model"] == size]
    for way in list(PROMPTS)[:-1]:
        tokens = round(fmean(row["input"] for row in mine if row["way"] == way))
        parts = [kept.rate(way=way, part=part, model=size) for part in UNSEEN]
        rows.append([way, *(share(*part) for part in parts), tokens])
    return table_of(["prompt", *UNSEEN, "tokens read"], rows, f"{size} model")


def changed(kept: Measured, before: Mapping[str, Decide], after: Mapping[str, Decide]) -> View:
    """After the change: the new category's messages, plain and others; the old plain ones, and how many are taken for new."""
    rows = []
    for name in before:
        new = counts(after[name], NEW)
        old = [counts(decide, parts=["plain"]) for decide in (before[name], after[name])]
        taken = sum(after[name](said.text) in NEW for said in messages("plain"))
        rows.append([name, *map(_sum, (new[:1], new[1:], *old)), taken])
    for size in MODELS:
        same = [row for row in kept.rows if row["model"] == size and row["part"] == "plain"]
        others = [row for row in kept.rows if row["model"] == size and row["part"] != "plain" and row["want"] in NEW]
        first = [row for row in same if row["way"] == "prompt"]
        then = [row for row in same if row["way"] == "prompt, wholesale added"]
        new_ones, old_ones = ([row for row in then if (row["want"] in NEW) == new] for new in (True, False))
        taken = sum(row["got"] in NEW for row in old_ones)
        rows.append([f"prompt, {size} model", *map(_right, (new_ones, others, first, old_ones)), taken])
    return table_of(
        ["way", "new, plain", "new, others", "old before", "old after", "old taken for new"], rows, kept.label
    )


def _sum(counts: Sequence[tuple[int, int]]) -> str:
    return share(sum(count for count, _ in counts), sum(of for _, of in counts))


def _right(rows: Sequence[Row]) -> str:
    return share(sum(row["right"] for row in rows), len(rows))


# What it costs


def cascade(kept: Measured, learned: Any, sure: float, size: str = "standard") -> View:
    """The classifier where its best chance is at least `sure`, and the model elsewhere: right answers, and calls."""
    rows, asked = [], [row for row in kept.rows if row["way"] == "prompt" and row["model"] == size]
    for part in UNSEEN:
        said, replies = messages(part), {row["n"]: row["got"] for row in asked if row["part"] == part}
        chances = learned.predict_proba([one.text for one in said])
        asks = [max(each) < sure for each in chances]
        gave = [replies[n] if asks[n] else learned.classes_[each.argmax()] for n, each in enumerate(chances)]
        count = sum(got == one.want for got, one in zip(gave, said, strict=True))
        rows.append([part, share(count, len(said)), f"{sum(asks)} of {len(said)}"])
    return table_of(["messages", "right", "model asked"], rows, kept.label)


def costs(kept: Measured, hour: float, price_in: float, price_out: float) -> View:
    """Seconds a message, how long a million take on this machine one by one, and what they come to at given prices."""
    rows, one = [], kept.rows
    found = {way: [row for row in one if row["way"] == way] for way in ("rules", "classifier")}
    for size in MODELS:
        found[f"prompt, {size} model"] = [row for row in one if row["way"] == "prompt" and row["model"] == size]
    for name, took in found.items():
        each = fmean(row["seconds"] for row in took if row["seconds"])
        rows.append([name, _time(each), _time(each * MILLION), f"{each * MILLION / 3600 * hour:,.2f}"])
    tokens = [round(sum(row[kind] for row in took) / len(took)) for kind in ("input", "output")]
    price = tokens[0] * price_in + tokens[1] * price_out
    rows.append(["prompt, by the token", f"{tokens[0]} + {tokens[1]} tokens", "", f"{price:,.2f}"])
    return table_of(["way", "a message", "a million messages", "cost of a million"], rows, kept.label)


def _time(seconds: float) -> str:
    for unit, of in (("days", 86400), ("hours", 3600), ("minutes", 60), ("s", 1)):
        if seconds >= 2 * of or (of == 1 and seconds >= 0.1):
            return f"{seconds / of:.1f} {unit}"
    return f"{1000 * seconds:.2f} ms"
