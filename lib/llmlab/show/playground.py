"""A chat application whose layers can be switched: the requests compared, the replies side by side."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets

from llmlab.app import ChatApp, Layer
from llmlab.errors import LabError
from llmlab.model import Model
from llmlab.show import widgets
from llmlab.show.diff import compare
from llmlab.show.view import View

QUESTION = "What should I cook tonight?"


def playground(model: Model, layers: Sequence[Layer], question: str = QUESTION) -> widgets.Panel:
    """Ask the same question bare and through the layers that are switched on."""
    switches = [ipywidgets.Checkbox(value=True, description=layer.name, indent=False) for layer in layers]
    text = ipywidgets.Text(value=question, description="question", layout={"width": "40em"})
    button = ipywidgets.Button(description="Ask both", button_style="primary")
    request, replies, state = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()

    def app() -> ChatApp:
        # Memory would keep each try of the reader; here it only brings back what is there.
        return ChatApp(model, [layer for layer, on in zip(layers, switches, strict=True) if on.value])

    def show_request(_: Any = None) -> None:
        bare = [{"role": "user", "content": text.value}]
        request.value = compare(bare, app().messages(text.value), ("sent by the bare call", "sent by the app")).html

    async def ask() -> None:
        state.value = "<i>asking …</i>"
        try:
            bare = await model.chat(text.value, stream=False)
            answer = await app().ask(text.value, stream=False)
        except LabError as error:
            state.value = f"<b>{escape(str(error))}</b>"
            return
        cells = [("the bare call", bare.text, bare.input_tokens), ("the app", answer.text, answer.input_tokens)]
        columns = "".join(
            f"<div style='flex:1;min-width:16em'><b>{name}</b> ({tokens} tokens in)"
            f"<div style='white-space:pre-wrap'>{escape(said)}</div></div>"
            for name, said, tokens in cells
        )
        replies.value = f"<div style='display:flex;flex-wrap:wrap;gap:2em'>{columns}</div>"
        state.value = "<i>done</i>"

    for switch in (*switches, text):
        switch.observe(show_request, names="value")
    widgets.on_click(button, ask)
    show_request()
    box = ipywidgets.VBox([text, ipywidgets.HBox(switches), button, state, replies, request])
    plain = "The playground needs a running notebook. Its switches: " + ", ".join(layer.name for layer in layers)
    return widgets.Panel(box, View(f"<p><i>{escape(plain)}</i></p>", plain))
