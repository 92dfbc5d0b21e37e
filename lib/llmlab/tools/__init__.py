"""Tools: functions that a model can call."""

from llmlab.tools.tool import TIMEOUT, Tool, ToolResult, call_all, tool, wrong_arguments

__all__ = ["TIMEOUT", "Tool", "ToolResult", "call_all", "tool", "wrong_arguments"]
