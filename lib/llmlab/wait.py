"""Waiting in a Jupyter kernel: an interrupt is noticed, and a reply can be watched while it is written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

TICK = 0.25  # seconds


class Watched(Protocol):
    """A place in the running cell where a reply grows."""

    def write(self, piece: str) -> None:
        """Add text."""

    def clear(self) -> None:
        """Take it away again: the finished reply is the cell's result."""


def nobody() -> Watched | None:
    """Outside a notebook."""
    return None


watched: Callable[[], Watched | None] = nobody  # `llmlab.show` puts its own here in a notebook


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
