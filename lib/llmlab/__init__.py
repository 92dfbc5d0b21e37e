"""LLM Lab: what stands between a language model and a working application.

    notebook cell
       │ await
       ▼
    agents ────────────── tools ──── a Python function
       │                    └─────── mcp (host, tap) ── stdio | HTTP ── MCP servers (the shop's, anybody's)
       ▼
    llm ── openai client ── local (llama.cpp on loopback) | any OpenAI-compatible endpoint | recording
       │
       ▼
    trace ── show (tables, sequence diagrams, trees, timelines, widgets)

Every call is one step of a trace, recorded at three seams only: `llm`, `tools`, `mcp`.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from llmlab.budget import Budget, Totals
from llmlab.errors import BudgetExceeded, LabError, MissingCapability, ModelError, ServerError, ToolError
from llmlab.trace import Step, Trace

if TYPE_CHECKING:
    from llmlab.llm.chat import Model
    from llmlab.llm.connection import connect
    from llmlab.llm.reply import Reply, ToolCall
    from llmlab.mcp.host import Host

__all__ = ["Budget", "BudgetExceeded", "Host", "LabError", "MissingCapability", "Model", "ModelError", "Reply"]
__all__ += ["ServerError", "Step", "ToolCall", "ToolError", "Totals", "Trace", "connect"]

# Imported when they are asked for (PEP 562): an MCP server of the lab needs no client of a model, which takes a second.
_LATER = {
    "connect": "llm.connection",
    "Host": "mcp.host",
    "Model": "llm.chat",
    "Reply": "llm.reply",
    "ToolCall": "llm.reply",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"llmlab.{_LATER[name]}"), name)


if "IPython" in sys.modules and (_shell := sys.modules["IPython"].get_ipython()) is not None:
    # `show` is below nothing: only here, at the top, and by name.
    import_module("llmlab.show.formatters").register(_shell)
