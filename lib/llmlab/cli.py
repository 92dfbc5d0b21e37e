"""The `llmlab` command: lab, doctor, fetch, reset; and what teachers and authors add."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from llmlab import notebooks, settings
from llmlab.errors import LabError
from llmlab.llm import shared, weights

JUPYTER = Path(__file__).parent / "jupyter"
PATHS = ("LLMLAB_REPLAY", "LLMLAB_GGUF", "LLMLAB_CACHE", "LLMLAB_STATE", "LLMLAB_ENV_FILE")


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code. A LabError is printed as its sentence."""
    parser = argparse.ArgumentParser(prog="llmlab", description="LLM Lab: open it, check it, mend it.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, run: Callable[..., int | None], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    command("lab", _lab, "lay out the chapters in work/, not run, and open JupyterLab; other options are its own")
    command("doctor", _doctor, "say what is in place, what is not, and what to do")
    fetch = command("fetch", _fetch, "put the model in the box into the cache")
    fetch.add_argument("size", nargs="?", choices=weights.CATALOGUE, help="else what fits this machine")
    fetch.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a file or folder that holds it: a stick")
    fetch.add_argument("--from", dest="stick", type=Path, help="a folder that may hold any of the sizes")
    fetch.add_argument("--if-missing", action="store_true", help="do nothing when it is there and whole")
    reset = command("reset", _reset, "bring a fresh copy of a chapter; the old one is kept beside it")
    reset.add_argument("chapter", help="its number, such as 05")
    for who in ("classroom", "authors"):
        import_module(who).add_commands(command)

    args, options = parser.parse_known_args(argv)
    if options and args.command != "lab":
        parser.error(f"unrecognized arguments: {' '.join(options)}")
    try:
        return args.run(args, *options) or 0
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # as shells say it; what the command had to tell is told


def _lab(args: argparse.Namespace, *options: str) -> None:
    from jupyterlab.labapp import LabApp

    if new := notebooks.lay_out():
        print(f"New in work/: {', '.join(new)}")
    for name in PATHS:  # kernels run in work/, and would look for a relative path there
        if os.environ.get(name):
            os.environ[name] = str(Path(os.environ[name]).expanduser().absolute())
    # Terminals and cells find `llmlab` without an activated environment.
    for name, first in {"PATH": Path(sys.executable).parent, "JUPYTER_CONFIG_PATH": JUPYTER}.items():
        os.environ[name] = os.pathsep.join(filter(None, [str(first), os.environ.get(name)]))
    config = settings.load()
    if not (config.uses_endpoint or config.gguf):
        chosen, why = weights.choose(config.box, config.cache)
        if why:
            print(why)
        shared.begin(chosen.key)
    os.chdir(settings.ROOT)
    own = ["--allow-root", f"--ServerApp.tornado_settings={{'static_custom_path': {[str(JUPYTER / 'custom')]}}}"]
    if os.name != "nt":  # ipykernel warns about unencrypted TCP between server and kernel; files of this user need none
        own.append("--KernelManager.transport=ipc")
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        own.append("--no-browser")
    LabApp.launch_instance(argv=[*own, *options])


def _fetch(args: argparse.Namespace) -> None:
    config = settings.load()
    if args.if_missing and config.gguf and not args.size:
        return
    chosen, why = weights.choose(args.size or config.box, config.cache)
    if args.stick and not (args.stick / chosen.file).is_file():
        there = [each for each in weights.CATALOGUE.values() if (args.stick / each.file).is_file()]
        chosen = there[0] if there and not args.size else chosen
    if args.if_missing:
        with suppress(LabError):
            weights.find(chosen, config.cache)
            return
    if why:
        print(why)
    print(f"Fetching {chosen.name} ({chosen.size / 1e6:,.0f} MB, {chosen.licence}) …", flush=True)
    weights.fetch(chosen, config.cache, args.file or args.stick)
    print(f"{chosen.file} is in place and whole.")


def _doctor(args: argparse.Namespace) -> int:
    from llmlab import doctor

    return doctor.run()


def _reset(args: argparse.Namespace) -> None:
    print(notebooks.reset(args.chapter))


if __name__ == "__main__":
    sys.exit(main())
