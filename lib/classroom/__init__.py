"""What a class adds to the `llmlab` command: serve, pack, class, handout, slides and site for the teacher, progress for all."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from llmlab import settings
from llmlab.errors import LabError


def add_commands(command: Callable[[str, Callable[[Namespace], None], str], ArgumentParser]) -> None:
    """Declare them; what they need is imported when they run."""
    serve = command("serve", _serve, "serve the connected model to a class, behind one key")
    serve.add_argument("--host", default="0.0.0.0", help="the address to listen on (all of this machine's)")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--key", help="the class's key (else one is made)")
    serve.add_argument("--solutions", default="", help="when solutions open: 'after 3 tries', 'after 2026-12-01 14:00'")
    serve.add_argument("--at-once", type=int, help="requests that run at the same time (4 for the model in the box)")
    pack = command("pack", _pack, "put kit, packages and weights into a folder, for machines without a network")
    pack.add_argument("folder", type=Path)
    pack.add_argument(
        "--for", dest="systems", nargs="+", help="linux, linux-arm, macos, macos-intel, windows (else this one)"
    )
    pack.add_argument("--python", dest="pythons", nargs="+", help="3.11, 3.12, 3.13 (else all three)")
    pack.add_argument("--model", dest="sizes", nargs="+", help="standard, small, tiny (else what fits this machine)")
    handout = command("handout", _handout, "make each of these chapters one file for browser and printer")
    handout.add_argument("chapters", nargs="+", help="their numbers, such as 06 13")
    handout.add_argument(
        "--solutions", action="store_true", help="with the exercises' solutions, on pages of their own"
    )
    slides = command("slides", _slides, "make the slides of a route (teach/routes) or of a chapter")
    slides.add_argument("name", help="such as half-day, or 06")
    site = command(
        "site", _site, "make a website of the chapters, the glossary and the notes for teachers, with search"
    )
    for made, where in ((handout, "handouts"), (slides, "slides"), (site, "site")):
        made.add_argument(
            "--to", type=Path, default=settings.ROOT / "build" / where, metavar="FOLDER", help="else build/" + where
        )
    look = command("class", _class, "show where the class is, from a folder of exports")
    look.add_argument("folder", type=Path)
    look.add_argument("--picture", type=Path, metavar="FILE", help="draw it, too: a .png, .svg or .pdf file")
    progress = command("progress", _progress, "show what you have done; send it to your class, if you want to")
    one = progress.add_mutually_exclusive_group()
    one.add_argument("--json", action="store_true", help="as it would be sent")
    one.add_argument("--as", dest="name", metavar="NAME", help="join your class under this name")
    one.add_argument("--leave", action="store_true", help="send nothing any more, and take back what was sent")
    one.add_argument("--to", metavar="FOLDER", help="write it into a folder, such as a stick that goes round")


def _handout(args: Namespace) -> None:
    from classroom import handouts

    handouts.write(args.chapters, args.to, args.solutions)


def _slides(args: Namespace) -> None:
    from classroom import slides

    slides.write(args.name, args.to)


def _site(args: Namespace) -> None:
    from classroom import website

    website.write(args.to)


def _pack(args: Namespace) -> None:
    from classroom import packing

    for given, known in ((args.systems, packing.SYSTEMS), (args.pythons, packing.PYTHONS)):
        if wrong := [name for name in given or [] if name not in known]:
            raise LabError(f"`llmlab pack` knows {', '.join(known)}, but not {wrong[0]!r}; name one of these.")
    packing.pack(args.folder, args.systems or [packing.here()], args.pythons or [*packing.PYTHONS], args.sizes or [])


def _serve(args: Namespace) -> None:
    from classroom import locks, serving

    if args.solutions:
        try:
            locks.read(args.solutions)
        except ValueError:
            raise LabError(f"--solutions takes {locks.FORMS}, but got {args.solutions!r}; correct it.") from None
    asyncio.run(serving.run(args.host, args.port, args.key, args.at_once, args.solutions))


def _class(args: Namespace) -> None:
    from classroom import overview

    found = overview.of_folder(args.folder)
    print(found)
    if args.picture:
        if args.picture.suffix not in (".png", ".svg", ".pdf"):
            raise LabError(f"--picture takes a .png, .svg or .pdf file, but got {args.picture.name!r}; name another.")
        found.picture().figure.savefig(args.picture, dpi=150)


def _progress(args: Namespace) -> None:
    from classroom import progress
    from llmlab import lesson

    if args.json:
        print(progress.export().model_dump_json(indent=1))
    elif args.name is not None:
        print(progress.join(args.name))
    elif args.leave:
        print(progress.leave())
    elif args.to:
        progress.send(args.to)
        print("Your progress stands there as it is now.")
    else:
        print(lesson.progress())
