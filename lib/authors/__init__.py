"""What who makes chapters, or teaches with them, adds to the `llmlab` command: record, measure."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path


def add_commands(command: Callable[[str, Callable[[Namespace], None], str], ArgumentParser]) -> None:
    """Declare them; what they need is imported when they run."""
    record = command("record", _record, "run chapters on the connected model and record its replies")
    record.add_argument("--to", type=Path, help="write recordings for a class here, and leave the chapters as they are")
    measure = command("measure", _measure, "run the full experiments of chapters; minutes to an hour each")
    for made in (record, measure):
        made.add_argument("chapters", nargs="*", help="their numbers, such as 06 (else all)")


def _record(args: Namespace) -> None:
    from authors import recording

    recording.record(args.chapters, args.to)


def _measure(args: Namespace) -> None:
    from authors import measuring

    asyncio.run(measuring.measure([number.zfill(2) for number in args.chapters]))
