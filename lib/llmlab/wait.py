"""Waiting in a Jupyter kernel, so that an interrupt is noticed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

TICK = 0.25  # seconds


@contextlib.contextmanager
def awake() -> Iterator[None]:
    """Wake the event loop now and then: a Jupyter kernel whose loop is idle does not notice an interrupt."""
    timer: asyncio.TimerHandle

    def tick() -> None:
        nonlocal timer
        timer = asyncio.get_running_loop().call_later(TICK, tick)

    tick()
    try:
        yield
    finally:
        timer.cancel()
