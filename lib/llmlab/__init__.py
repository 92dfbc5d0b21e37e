"""LLM Lab: what stands between a language model and a working application.

    notebook cell
       │ await
       ▼
    app, agents ──── tools ──── a Python function
       │
       ▼
    model ── openai client ── embedded (llama.cpp on loopback) | any OpenAI-compatible endpoint | recording
       │
       ▼
    trace ── show (tables, sequence diagrams, trees, timelines, widgets)

Every call is one step of a trace, recorded at these seams only: `model`, `tools`.
"""

from llmlab.connect import connect
from llmlab.errors import BudgetExceeded, LabError, MissingCapability, ModelError, ToolError
from llmlab.model import Model, Reply, ToolCall
from llmlab.trace import Budget, Step, Totals, Trace

__all__ = [
    "Budget",
    "BudgetExceeded",
    "LabError",
    "MissingCapability",
    "Model",
    "ModelError",
    "Reply",
    "Step",
    "ToolCall",
    "ToolError",
    "Totals",
    "Trace",
    "connect",
]
