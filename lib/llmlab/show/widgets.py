"""Widgets that fall back to text where there is no front end: a web viewer, a test, a screen reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from llmlab.show.view import View


class Panel:
    """A widget with a plain form beside it. The front end shows the first that it can."""

    def __init__(self, widget: Any, plain: View):
        self.widget, self.plain = widget, plain

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {**self.widget._repr_mimebundle_(), **self.plain._repr_mimebundle_()}


def on_click(button: Any, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `work` on the kernel's own loop at each click; the button waits until it is done.

    Since ipykernel 7 a click arrives on a thread of its own (a subshell), so that it is heard while a cell awaits.
    """
    loop = asyncio.get_event_loop()

    async def run() -> None:
        button.disabled = True
        try:
            await work()
        finally:
            button.disabled = False

    button.on_click(lambda _: asyncio.run_coroutine_threadsafe(run(), loop))
