"""How the lab's objects show themselves in a notebook: registered with IPython from here, so that no data knows of drawing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from llmlab import wait
from llmlab.show.stream import LiveText

# A class, by its module and name, and the function that draws it. Nothing of this is imported before something is drawn.
DRAWN = {
    ("llmlab.agents.base", "Run"): "runs.card",
    ("llmlab.chat_app", "Answer"): "replies.answer_card",
    ("llmlab.llm.chat", "Model"): "replies.model_card",
    ("llmlab.llm.reply", "Reply"): "replies.card",
    ("llmlab.mcp.content", "Content"): "servers.content",
    ("llmlab.mcp.host", "Host"): "servers.host",
    ("llmlab.trace", "Trace"): "traces.table",
}


def bundle(thing: Any, include: Any = None, exclude: Any = None) -> Any:
    """What a front end gets for one of these objects, as HTML and as text; {} for any other."""
    named = next((DRAWN[key] for c in type(thing).__mro__ if (key := (c.__module__, c.__name__)) in DRAWN), None)
    if named is None:
        return {}
    module, function = named.split(".")
    return getattr(import_module(f"llmlab.show.{module}"), function)(thing)._repr_mimebundle_()


def register(shell: Any) -> None:
    """Tell an IPython shell; cells that run in it may also watch replies while they are written."""
    for module, name in DRAWN:
        shell.display_formatter.mimebundle_formatter.for_type_by_name(module, name, bundle)
    wait.watched = LiveText.if_watched
