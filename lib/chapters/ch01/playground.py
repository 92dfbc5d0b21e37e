"""A chat application whose layers can be switched: the requests compared, the replies side by side."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets

from chapters.ch01.app import ChatApp, Layer, answer_card
from llmlab.llm.chat import Model
from llmlab.show import runs, widgets
from llmlab.show.view import View, compare

MAX_TOKENS = 60  # as in the chapter: an answer that is long enough to be compared, and soon there


def playground(model: Model, layers: Sequence[Layer], question: str) -> widgets.Panel:
    """Ask the same question bare and through the layers that are switched on."""
    wide = {"width": "40em", "max_width": "100%"}
    text = ipywidgets.Text(value=question, description="Question:", layout=wide)
    look: dict[str, Any] = {"value": True, "indent": False, "layout": {"width": "auto"}}
    switches = [ipywidgets.Checkbox(description=layer.name, **look) for layer in layers]
    button = ipywidgets.Button(description="Ask both", button_style="primary")
    said, request = ipywidgets.HTML(), ipywidgets.HTML()

    def app() -> ChatApp:  # a new conversation each time
        return ChatApp(model, [layer for layer, on in zip(layers, switches, strict=True) if on.value])

    def show_request(_: Any = None) -> None:
        bare = [{"role": "user", "content": text.value}]
        try:
            request.value = compare(bare, app().messages(text.value), ("sent by the bare call", "sent by the app")).html
        except Exception as error:  # a layer may be the reader's own
            request.value = f"<b>{escape(str(error))}</b>"

    async def ask() -> None:
        if not text.value.strip():
            said.value = "<b>Type a question first.</b>"
            return
        said.value = "<i>asking …</i>"
        try:
            bare = await model.chat(text.value, max_tokens=MAX_TOKENS)
            answer = await app().ask(text.value, max_tokens=MAX_TOKENS)
        except Exception as error:
            said.value = f"<b>{escape(str(error))}</b>"
            return
        cards = {"the bare call": runs.reply_card(bare), "the app": answer_card(answer)}
        columns = (f"<div style='flex:1;min-width:16em'><b>{who}</b>{card.html}</div>" for who, card in cards.items())
        said.value = f"<div style='display:flex;flex-wrap:wrap;gap:2em;line-height:1.5'>{''.join(columns)}</div>"

    for switch in (*switches, text):
        switch.observe(show_request, names="value")
    widgets.on_click(button, ask)
    show_request()
    row = ipywidgets.HBox(switches, layout={"flex_flow": "row wrap", "grid_gap": "0 1.5em"})
    plain = "The playground needs a running notebook. Its switches: " + ", ".join(layer.name for layer in layers)
    box = ipywidgets.VBox([text, row, button, said, request])
    return widgets.Panel(box, View(f"<p><i>{escape(plain)}</i></p>", plain))
