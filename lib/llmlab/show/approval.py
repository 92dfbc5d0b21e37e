"""Asking a person before a tool changes something: two buttons, which a cell awaits."""

from __future__ import annotations

import asyncio
from functools import partial
from html import escape
from typing import Any

from llmlab.mcp.offers import Offer
from llmlab.show import widgets
from llmlab.show.view import COLOURS, View, pretty

PARTS = ("parameters", "output", "annotations")


class Approval:
    """For `Host.open(…, approve=Approval())`: shows each call and waits for a click. No answer in time is a no."""

    def __init__(self, seconds: float = 300.0):
        self.seconds = seconds

    async def __call__(self, server: str, offer: Offer, arguments: dict[str, Any] | None) -> bool:
        """Whether the person pressed Approve."""
        import ipywidgets
        from IPython import get_ipython
        from IPython.display import display

        asked = question(offer, arguments)
        if getattr(get_ipython(), "kernel", None) is None:
            print(f"{asked.text}\nDeclined: only a running notebook can ask.")
            return False
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        buttons = [ipywidgets.Button(description=name) for name in ("Approve", "Decline")]
        buttons[0].button_style = "primary"

        async def answer(agreed: bool) -> None:
            if not answered.done():
                answered.set_result(agreed)

        for button, agreed in zip(buttons, (True, False), strict=True):
            widgets.on_click(button, partial(answer, agreed))
        box = ipywidgets.VBox([ipywidgets.HTML(asked.html), ipywidgets.HBox(buttons)])
        display(widgets.Panel(box, asked))
        said = "Not answered."
        try:
            async with asyncio.timeout(self.seconds):
                said = "Approved." if await answered else "Declined."
        except TimeoutError:
            said = f"Not answered in {self.seconds:g} seconds, so declined."
        finally:  # an interrupt, too
            box.children = [box.children[0], ipywidgets.HTML(f"<b>{said}</b>")]
        return said == "Approved."


def question(offer: Offer, arguments: dict[str, Any] | None) -> View:
    """What the person is asked: the call, and the description where it is not the one that was approved."""
    lines = [("May this tool be called?" if arguments is not None else "May this tool be offered to the model?", "b")]
    lines.append((str(offer) + ("" if arguments is None else f" {pretty(arguments)}"), "pre"))
    if offer.before and any(getattr(offer, part) != getattr(offer.before, part) for part in PARTS):
        lines.append(("Its parameters, results or annotations have changed.", "span"))
    if arguments is None or offer.before:
        # A model reads the parameters' descriptions, too.
        declared = pretty({"parameters": offer.parameters, "annotations": offer.annotations})
        lines += [("It declares:", "span"), (declared, "pre"), ("It says:", "span"), (offer.description, "pre")]
    if offer.before:
        lines += [("When it was approved, it said:", "span"), (offer.before.description, "pre")]
    lines = [(visible(text), tag) for text, tag in lines]
    inner = "".join(
        f"<{tag}{' style=white-space:pre-wrap' if tag == 'pre' else ''}>{escape(text)}</{tag}>" for text, tag in lines
    )
    html = f"<div style='border-left:3px solid {COLOURS['person']};padding-left:8px'>{inner}</div>"
    return View(html, "\n".join(text for text, _ in lines))


def visible(text: str) -> str:
    """A text in which what no screen draws (Unicode's tags, marks of direction) stands as its number."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\u{{{ord(c):x}}}" for c in text)
