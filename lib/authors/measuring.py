"""The full experiments of the chapters (`llmlab measure`), kept in data/measured, a file for a chapter and model."""

from __future__ import annotations

import json
import pkgutil
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

import chapters
import llmlab
from llmlab.errors import LabError
from llmlab.measure import MEASURED, Measured, Row


def experiments() -> dict[str, ModuleType]:
    """The modules of the chapters that have one, the function `full`, by their numbers."""
    names = sorted(found.name for found in pkgutil.iter_modules(chapters.__path__))
    modules = {name.removeprefix("ch"): import_module(f"chapters.{name}") for name in names}
    return {number: module for number, module in modules.items() if hasattr(module, "full")}


def columns(chapter: ModuleType) -> tuple[str, ...]:
    """The columns by which its rows are told apart."""
    return getattr(chapter, "COLUMNS", ("variant",))


async def measure(numbers: list[str]) -> None:
    """Run those of these chapters, or all."""
    there = experiments()
    for number in numbers:
        if number not in there:
            raise LabError(
                f"Chapters with an experiment: {', '.join(there)}, but {number!r} was asked for; choose one."
            )
    model = await llmlab.connect()
    for number in numbers or there:
        measured: Measured = await there[number].full(model, lambda row: print(".", end="", flush=True))
        name = re.sub(r"[^A-Za-z0-9.]+", "-", measured.about["model"]).strip("-")
        by = columns(there[number])
        file = write(measured, MEASURED / f"{number}-{name}.json", by)
        print(f"\n{measured.table(*by)}\nEvery run stands in {file}.", flush=True)


def write(measured: Measured, file: Path, by: Sequence[str] = ()) -> Path:
    """Keep it as this JSON file: what it was made with, the counts by these columns (if any), and every row."""

    def lines(rows: Iterable[Row]) -> str:
        return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]"

    counts = []
    for group in measured.by(*by) if by else ():
        same = dict(zip(by, group, strict=True))
        right, of = measured.rate(**same)
        interval = [round(end, 3) for end in measured.interval(**same)]
        counts.append({**same, "right": right, "of": of, "interval": interval})
    made = json.dumps(measured.about, ensure_ascii=False)
    file.write_text(
        f'{{"about": {made},\n"table": {lines(counts)},\n"rows": {lines(measured.rows)}}}\n', encoding="utf-8"
    )
    return file
