"""The `llmlab` command: lab, doctor, fetch, reset, record, measure, refresh."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from llmlab import settings
from llmlab.errors import LabError
from llmlab.llm import shared, weights

PATHS = ("LLMLAB_REPLAY", "LLMLAB_GGUF", "LLMLAB_CACHE", "LLMLAB_STATE", "LLMLAB_ENV_FILE")


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code. A LabError is printed as its sentence."""
    parser = argparse.ArgumentParser(prog="llmlab", description="LLM Lab: open it, check it, mend it.")
    commands = parser.add_subparsers(dest="command", required=True)
    sizes = list(weights.CATALOGUE)

    about = "lay out the chapters in work/ and open JupyterLab; further options go to `jupyter lab`"
    lab = commands.add_parser("lab", help=about, description=about)
    lab.add_argument("--model", choices=sizes, help="the size of the model in the box (else what fits this machine)")
    commands.add_parser("doctor", help="say what is in place, what is not, and what to do")
    fetch = commands.add_parser("fetch", help="put the model in the box into the cache")
    fetch.add_argument("size", nargs="?", metavar="SIZE", help=f"{', '.join(sizes)} (else what fits this machine)")
    fetch.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="a file or folder that holds it, such as a stick"
    )
    fetch.add_argument("--if-missing", action="store_true", help="do nothing when it is there and whole")
    reset = commands.add_parser("reset", help="bring a fresh copy of a chapter; the old one is kept beside it")
    reset.add_argument("chapter", help="its number, such as 05")
    record = commands.add_parser("record", help="run chapters on the connected model and record its replies")
    record.add_argument("chapters", nargs="*", help="their numbers (else all)")
    record.add_argument("--to", type=Path, help="write recordings for a class here, and leave the chapters as they are")

    full = commands.add_parser(
        "measure", help="run the full experiments of chapters on the connected model; minutes to an hour each"
    )
    full.add_argument("chapters", nargs="*", help="their numbers, such as 06 (else all that have one)")

    makes = "make anew what the connected model made: experiments, recordings, kept outputs; hours"
    others = "the comparison with other frameworks (tests/benchmark_frameworks.py)"
    commands.add_parser("refresh", help=makes, description=f"{makes.capitalize()}. It does not make {others}.")

    args, further = parser.parse_known_args(argv)
    if further and args.command != "lab":
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    try:
        if args.command == "lab":
            return _lab(args.model, further)
        if args.command == "doctor":
            from llmlab import doctor

            return doctor.run()
        if args.command == "fetch":
            return _fetch(args.size, args.file, args.if_missing)
        if args.command == "measure":
            return asyncio.run(_measure([f"{number:0>2}" for number in args.chapters]))
        from llmlab import notebooks

        if args.command == "reset":
            print(notebooks.reset(args.chapter))
            return 0
        if args.command == "refresh":
            asyncio.run(_measure([]))
            return notebooks.record([])
        return notebooks.record(args.chapters, args.to)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # as shells say it; what the command had to tell is told


def _lab(size: str | None, options: list[str]) -> int:
    from jupyterlab.labapp import LabApp

    from llmlab import notebooks

    new = notebooks.lay_out()
    if new:
        print(f"New in work/: {', '.join(new)}")
    config = str(Path(__file__).parent / "jupyter")
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, [config, os.environ.get("JUPYTER_CONFIG_PATH")]))
    # Terminals and cells find `llmlab` without an activated environment.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    for name in PATHS:  # kernels run in work/, and would look for a relative path there
        if os.environ.get(name):
            os.environ[name] = str(Path(os.environ[name]).expanduser().absolute())
    if size:
        os.environ["LLMLAB_BOX"] = size
    read = settings.load()
    if not (read.uses_endpoint or read.gguf):
        chosen, why = weights.choose(read.box, read.cache)
        if why:
            print(why)
        shared.begin(chosen.key)
    os.chdir(settings.ROOT)
    screen = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    LabApp.launch_instance(argv=[*([] if screen else ["--no-browser"]), *options])
    return 0


def _fetch(size: str | None, file: Path | None, if_missing: bool) -> int:
    config = settings.load()
    if size is not None and size not in weights.CATALOGUE and file is None:
        file, size = Path(size), None  # `llmlab fetch FILE`
    if if_missing and size is None and config.gguf:
        return 0
    chosen, why = weights.choose(size or config.box, config.cache)
    if if_missing:
        try:
            weights.find(chosen, config.cache)
            return 0
        except LabError:
            pass
    if why:
        print(why)
    print(f"Fetching {chosen.name} ({chosen.size / 1e6:,.0f} MB, {chosen.licence}) …", flush=True)
    weights.fetch(chosen, config.cache, file)
    print(f"{chosen.file} is in place and whole.")
    return 0


async def _measure(chapters: list[str]) -> int:
    from llmlab import connect, measure

    for chapter in chapters:
        measure.pieces(chapter)  # a chapter without an experiment is an error before the model starts
    model = await connect()
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


if __name__ == "__main__":
    sys.exit(main())
