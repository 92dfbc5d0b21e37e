"""LLM Lab: what stands between a language model and a working application.

    notebook cell
       │ await
       ▼
    chat_app, agents ──── tools ──── a Python function
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

if TYPE_CHECKING:
    from llmlab.errors import BudgetExceeded, LabError, MissingCapability, ModelError, ServerError, ToolError
    from llmlab.llm.chat import Model
    from llmlab.llm.connection import connect
    from llmlab.llm.reply import Reply, ToolCall
    from llmlab.mcp.host import Host
    from llmlab.trace import Budget, Step, Totals, Trace

# Imported when they are asked for (PEP 562): an MCP server of the lab needs no client of a model, which takes a second.
_HOMES = {
    "Budget": "budget",
    "BudgetExceeded": "errors",
    "connect": "llm.connection",
    "Host": "mcp.host",
    "LabError": "errors",
    "MissingCapability": "errors",
    "Model": "llm.chat",
    "ModelError": "errors",
    "Reply": "llm.reply",
    "ServerError": "errors",
    "Step": "trace",
    "ToolCall": "llm.reply",
    "ToolError": "errors",
    "Totals": "budget",
    "Trace": "trace",
}
__all__ = [
    "Budget",
    "BudgetExceeded",
    "Host",
    "LabError",
    "MissingCapability",
    "Model",
    "ModelError",
    "Reply",
    "ServerError",
    "Step",
    "ToolCall",
    "ToolError",
    "Totals",
    "Trace",
    "connect",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"llmlab.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


if "IPython" in sys.modules and (_shell := sys.modules["IPython"].get_ipython()) is not None:
    # `show` is below nothing: only here, at the top, and by name.
    import_module("llmlab.show.formatters").register(_shell)
