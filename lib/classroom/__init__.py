"""What a teacher adds to the `llmlab` command: serve, pack."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from llmlab.errors import LabError


def add_commands(command: Callable[[str, Callable[[Namespace], None], str], ArgumentParser]) -> None:
    """Declare them; what they need is imported when they run."""
    serve = command("serve", _serve, "serve the connected model to a class, behind one key")
    serve.add_argument("--host", default="0.0.0.0", help="the address to listen on (all of this machine's)")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--key", help="the class's key (else one is made)")
    serve.add_argument("--at-once", type=int, help="requests that run at the same time (4 for the model in the box)")
    pack = command("pack", _pack, "put kit, packages and weights into a folder, for machines without a network")
    pack.add_argument("folder", type=Path)
    pack.add_argument(
        "--for", dest="systems", nargs="+", help="linux, linux-arm, macos, macos-intel, windows (else this one)"
    )
    pack.add_argument("--python", dest="pythons", nargs="+", help="3.11, 3.12, 3.13 (else all three)")
    pack.add_argument("--model", dest="sizes", nargs="+", help="standard, small, tiny (else what fits this machine)")


def _pack(args: Namespace) -> None:
    from classroom import packing

    for given, known in ((args.systems, packing.SYSTEMS), (args.pythons, packing.PYTHONS)):
        if wrong := [name for name in given or [] if name not in known]:
            raise LabError(f"`llmlab pack` knows {', '.join(known)}, but not {wrong[0]!r}; name one of these.")
    packing.pack(args.folder, args.systems or [packing.here()], args.pythons or [*packing.PYTHONS], args.sizes or [])


def _serve(args: Namespace) -> None:
    from classroom import serving

    asyncio.run(serving.run(args.host, args.port, args.key, args.at_once))
