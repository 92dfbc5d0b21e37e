"""Waiting in a Jupyter kernel: side by side, watched, and with an interrupt noticed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
TICK = 0.25  # seconds

# Where the running cell shows a reply while it grows (`write`, `clear`): `llmlab.show` puts its own here in a notebook.
watched: Callable[[], Any] = lambda: None  # noqa: E731


@contextlib.contextmanager
def awake(tell: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Wake the event loop now and then, and `tell`: a Jupyter kernel whose loop is idle does not notice an interrupt."""
    timer: asyncio.TimerHandle

    def tick() -> None:
        nonlocal timer
        timer = asyncio.get_running_loop().call_later(TICK, tick)
        tell()

    tick()
    try:
        yield
    finally:
        timer.cancel()


async def together(*works: Coroutine[Any, Any, T]) -> list[T]:
    """Do all side by side. The first that fails ends the others: none is left behind to go on and cost."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
