"""Chapter 03: three products in miniature, each around a model that nobody here trained, and what the check of one gains.

`eyes` describes a picture, `teacher` makes a language lesson, `desk` helps with a document; `spanish` is what the check reads.
"""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from chapters.ch03.teacher import Made, Slot, make, slots, unchecked
from llmlab import settings
from llmlab.llm.chat import Message, Model
from llmlab.measure import Measured, Row, Told, made_with, share
from llmlab.show.view import View, table_of

COLUMNS = ("variant", "kind")  # by which `llmlab measure` tells the rows apart
FIRST, CHECKED, UNTOLD, CONTROL = (
    "first draft",
    "check, reason told",
    "check, from the start",
    "as many calls, no check",
)
SHOWN, SHOWN_CHECKED = "solved examples, first draft", "solved examples, check, reason told"
SIDE_BY_SIDE = 4  # requests at a time: the model in the box has so many slots
READ = settings.DATA / "lesson" / "read.tsv"  # what a reader found in the full measurement
LIVE, FULL = {"each": 3, "seed": 3}, {"each": 10, "seed": 16}


def row_of(variant: str, made: Made, drafts: int | None = None) -> Row:
    """What became of a slot, for a row; with `drafts`, after so many of them."""
    some = made.drafts[:drafts]
    last, spent = some[-1], [draft.reply for draft in some]
    tokens = sum(reply.input_tokens + reply.output_tokens for reply in spent)
    written = f"{last.item.spanish} | {last.item.english}" if last.item else last.reply.text[:100]
    about = {"variant": variant, "kind": made.slot.kind, "task": f"{made.slot.topic}: {made.slot.what}"}
    counted = {"right": not last.fault, "calls": len(some), "tokens": tokens}
    return {**about, **counted, "fault": last.fault, "answer": written}


async def all_of(some: Sequence[Slot], work: Callable[[Slot], Awaitable[Made]]) -> list[Made]:
    """The same work for each slot, several at a time."""
    free = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(slot: Slot) -> Made:
        async with free:
            return await work(slot)

    return list(await asyncio.gather(*(one(slot) for slot in some)))


async def tried(model: Model, some: Sequence[Slot], told: Told = None, untold: bool = True) -> Measured:
    """Each slot in each way, all from the same first draft; the control makes as many calls as the check on average."""
    begun = dict(zip(some, await all_of(some, lambda slot: make(model, slot, tries=1)), strict=True))
    checked = await all_of(some, lambda slot: make(model, slot, begun=begun[slot].drafts[0]))
    rounds = max(2, round(fmean(len(made.drafts) for made in checked)))
    others = {CONTROL: await all_of(some, lambda slot: unchecked(model, slot, rounds, begun[slot].drafts[0]))}
    if untold:
        others[UNTOLD] = await all_of(some, lambda slot: make(model, slot, told=False, begun=begun[slot].drafts[0]))
    rows = [row_of(FIRST, made, 1) for made in checked] + [row_of(CHECKED, made) for made in checked]
    rows += [row_of(variant, made) for variant, several in others.items() for made in several]
    if told:
        for row in rows:
            told(row)
    return Measured(rows, made_with(model))


async def full(model: Model, told: Told = None) -> Measured:
    """Twenty exercises, ten of each kind, in all ways."""
    return await tried(model, slots(**FULL), told)


async def with_examples(model: Model, some: Sequence[Slot]) -> list[Row]:
    """Each slot again, by a prompt with two solved exercises in it: the first draft, and what the check makes of it."""
    checked = await all_of(some, lambda slot: make(model, slot, solved=True))
    return [row_of(SHOWN, made, 1) for made in checked] + [row_of(SHOWN_CHECKED, made) for made in checked]


def verdicts() -> dict[tuple[str, str], str]:
    """What a reader found wrong with each exercise ("" if nothing), by what it had to practise and what was written."""
    with READ.open(encoding="utf-8", newline="") as file:
        return {(row["task"], row["answer"]): row["wrong"] for row in csv.DictReader(file, delimiter="\t")}


def shown(row: Row) -> bool:
    """Whether the learner gets to see it: what fails a check is not shown."""
    return bool(row["right"] or row["variant"] not in (CHECKED, UNTOLD, SHOWN_CHECKED))


def delivered(measured: Measured) -> View:
    """For each way: what passes the check, what the learner is shown, how much of that the reader found right, the calls."""
    rows, read = [], verdicts()
    known = all((row["task"], row["answer"]) in read for row in measured.rows if shown(row))
    for (variant,), same in measured.by("variant").items():
        found = [read.get((row["task"], row["answer"])) for row in same if shown(row)]
        right, passed = sum(wrong == "" for wrong in found), sum(row["right"] for row in same)
        judged = [f"{right}/{len(found)}", share(right, len(same))] if known else []
        rows.append([variant, share(passed, len(same)), len(found), *judged, sum(row["calls"] for row in same)])
    judged = ["right of those shown", "right of all (95 %)"] if known else []  # a new run is read by nobody
    return table_of(["variant", "passes the check (95 %)", "shown", *judged, "calls"], rows, measured.label)


def missed(measured: Measured) -> View:
    """What passed the check, and the reader found wrong all the same."""
    rows, read = dict[tuple[str, str], str](), verdicts()
    for row in measured.rows:
        wrong = read.get((row["task"], row["answer"]))
        if row["right"] and wrong:
            rows[row["task"], row["answer"]] = wrong
    head = ["to practise", "passed the check", "what the reader found"]
    return table_of(head, [[*key, wrong] for key, wrong in rows.items()], measured.label)


def typed_and_sent(requests: Mapping[str, tuple[str, Sequence[Message]]]) -> View:
    """For each app: what the person typed, and what is sent, in characters, by the role of the message and the kind of part."""
    rows = []
    for name, (typed, messages) in requests.items():
        kinds = {"system": 0, "user": 0, "picture": 0}
        for message in messages:
            content: Any = message["content"]
            pieces: list[Any] = [{"text": content}] if isinstance(content, str) else content
            for piece in pieces:
                text = piece.get("text")
                kind = "picture" if text is None else "system" if message["role"] == "system" else "user"
                kinds[kind] += len(piece["image_url"]["url"] if text is None else text)
        rows.append([name, len(typed), *kinds.values()])
    return table_of(["app", "the person typed", "sent as system", "sent as user", "sent as picture"], rows)
