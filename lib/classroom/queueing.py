"""Whose turn it is: one model for many readers, so that none of them can starve the others."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

WINDOW = 30.0  # seconds over which speeds are shown


class TooMany(Exception):
    """A reader has as many requests waiting as one may have."""


@dataclass
class Turns:
    """At most `slots` requests run at once. A free slot goes to the waiting reader who has the fewest running, and among
    these to the one who has waited longest for a turn (round robin: by request, not by who asks most)."""

    slots: int
    most: int = 32  # waiting requests of one reader
    waiting: dict[str, deque[asyncio.Future[None]]] = field(default_factory=dict)
    running: Counter[str] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)
    written: deque[tuple[float, str, int]] = field(default_factory=deque)
    waits: dict[str, float] = field(default_factory=dict)  # the longest wait of each reader, in seconds
    _last: dict[str, float] = field(default_factory=dict)

    @asynccontextmanager
    async def turn(self, reader: str) -> AsyncIterator[float]:
        """Wait for a slot and hold it; gives the seconds that were waited. Raises TooMany."""
        queue = self.waiting.setdefault(reader, deque())
        if len(queue) >= self.most:
            raise TooMany
        asked, ticket = time.monotonic(), asyncio.get_running_loop().create_future()
        queue.append(ticket)
        self._next()
        try:
            await ticket
        except asyncio.CancelledError:
            if ticket in queue:
                queue.remove(ticket)
            else:  # the turn had just come
                self._done(reader)
            raise
        try:
            waited = time.monotonic() - asked
            self.waits[reader] = max(self.waits.get(reader, 0.0), waited)
            yield waited
            self.served[reader] += 1
        finally:
            self._done(reader)

    def wrote(self, reader: str, tokens: int) -> None:
        """Count what a reader's request has written."""
        self.written.append((time.monotonic(), reader, tokens))

    def speed(self) -> float:
        """Tokens a second of all readers together, over the last half minute."""
        now = time.monotonic()
        while self.written and self.written[0][0] < now - WINDOW:
            self.written.popleft()
        return sum(tokens for _, _, tokens in self.written) / WINDOW

    def table(self) -> list[dict[str, float | str]]:
        """A row for each reader who has asked."""
        everybody = sorted({*self.waiting, *self.served, *self.running})
        return [
            {
                "reader": name,
                "waiting": len(self.waiting.get(name, ())),
                "running": self.running[name],
                "served": self.served[name],
                "longest wait": round(self.waits.get(name, 0.0), 1),
            }
            for name in everybody
        ]

    def _done(self, reader: str) -> None:
        self.running[reader] -= 1
        self._next()

    def _next(self) -> None:
        while self.running.total() < self.slots:
            hungry = [name for name, queue in self.waiting.items() if queue]
            if not hungry:
                return
            name = min(hungry, key=lambda one: (self.running[one], self._last.get(one, 0.0)))
            ticket = self.waiting[name].popleft()
            if not ticket.done():
                self._last[name] = time.monotonic()
                self.running[name] += 1
                ticket.set_result(None)
