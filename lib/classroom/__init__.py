"""What a teacher adds to the `llmlab` command: serve."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable


def add_commands(command: Callable[[str, Callable[[Namespace], None], str], ArgumentParser]) -> None:
    """Declare them; what they need is imported when they run."""
    serve = command("serve", _serve, "serve the connected model to a class, behind one key")
    serve.add_argument("--host", default="0.0.0.0", help="the address to listen on (all of this machine's)")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--key", help="the class's key (else one is made)")
    serve.add_argument("--at-once", type=int, help="requests that run at the same time (4 for the model in the box)")


def _serve(args: Namespace) -> None:
    from classroom import serving

    asyncio.run(serving.run(args.host, args.port, args.key, args.at_once))
