"""What who makes chapters, or teaches with them, adds to the `llmlab` command: record, measure."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from llmlab import settings


def add_commands(command: Callable[[str, Callable[[Namespace], int], str], ArgumentParser]) -> None:
    """Declare them; what they need is imported when they run."""
    record = command("record", _record, "run chapters on the connected model and record its replies")
    record.add_argument("--to", type=Path, help="write recordings for a class here, and leave the chapters as they are")
    measure = command("measure", _measure, "run the full experiments of chapters; minutes to an hour each")
    for made in (record, measure):
        made.add_argument("chapters", nargs="*", help="their numbers, such as 06 (else all)")


def _record(args: Namespace) -> int:
    from authors import recording

    recording.record(args.chapters, args.to)
    return 0


def _measure(args: Namespace) -> int:
    from llmlab import connect, measure

    async def run() -> None:
        chapters = [number.zfill(2) for number in args.chapters] or measure.chapters()
        for chapter in chapters:
            measure.pieces(chapter)  # a chapter without an experiment is an error before the model starts
        model = await connect()
        for chapter in chapters:
            result = await measure.experiment(chapter, model, lambda row: print(".", end="", flush=True))
            columns = measure.columns(chapter)
            file = result.save(chapter, columns=columns)
            print(f"\n{result.table(*columns)}\nEvery run stands in {file.relative_to(settings.ROOT)}.", flush=True)

    asyncio.run(run())
    return 0
