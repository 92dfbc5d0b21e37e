"""LLM Lab: what stands between a language model and a working application.

    notebook cell
       │ await
       ▼
    app, agents ──── tools ──── a Python function
       │               └─────── mcp_host ── wiretap ── stdio | HTTP ── MCP servers (ours, anybody's)
       ▼
    model ── openai client ── embedded (llama.cpp on loopback) | any OpenAI-compatible endpoint | recording
       │
       ▼
    trace ── show (tables, sequence diagrams, trees, timelines, widgets)

Every call is one step of a trace, recorded at these seams only: `model`, `tools`, `wiretap`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmlab.connection import connect
    from llmlab.errors import BudgetExceeded, LabError, MissingCapability, ModelError, ServerError, ToolError
    from llmlab.mcp_host import Host
    from llmlab.model import Model
    from llmlab.reply import Reply, ToolCall
    from llmlab.trace import Budget, Step, Totals, Trace

# Imported when they are asked for (PEP 562): an MCP server of the lab needs no client of a model, which takes a second.
_HOMES = {
    "Budget": "trace",
    "BudgetExceeded": "errors",
    "connect": "connection",
    "Host": "mcp_host",
    "LabError": "errors",
    "MissingCapability": "errors",
    "Model": "model",
    "ModelError": "errors",
    "Reply": "reply",
    "ServerError": "errors",
    "Step": "trace",
    "ToolCall": "reply",
    "ToolError": "errors",
    "Totals": "trace",
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
