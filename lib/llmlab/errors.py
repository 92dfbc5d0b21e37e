"""The errors of the lab. Each says in one sentence what was allowed, what came, and what to do next."""

from __future__ import annotations


class LabError(Exception):
    """Base of all errors that the lab raises on purpose; Jupyter shows its sentence instead of a traceback."""

    def _render_traceback_(self) -> list[str]:
        """IPython calls this instead of printing the stack (IPython docs, "Customizing tracebacks")."""
        return [f"{type(self).__name__}: {self}"]


class ModelError(LabError):
    """A model call failed. `kind` says how: auth, not_found, rate_limit, server, timeout, unreachable,
    bad_request, context, not_json, cut_off."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


class MissingCapability(LabError):
    """The connected model cannot do what this cell needs (tools, JSON schema, vision, logprobs)."""


class WeightsError(LabError):
    """Weights are missing, cut short, or are not the file that the catalogue names."""


class SettingsError(LabError):
    """A setting in the environment or in .env has a value that is not allowed."""


class RecordingMiss(LabError):
    """A request is not in the recording that is being replayed."""


class RecordingError(LabError):
    """A recording cannot be read."""


class BudgetExceeded(LabError):
    """A run reached a limit of its budget. `limit` names it: steps, tokens, seconds, money, depth or repetition."""

    def __init__(self, limit: str, message: str):
        super().__init__(message)
        self.limit = limit


class ToolError(LabError):
    """A tool could not be called or failed; the text is written for the model to read."""


class ServerError(LabError):
    """An MCP server cannot be reached, does not speak the protocol, took too long, or has ended. `server` names it."""

    def __init__(self, server: str, message: str):
        super().__init__(message)
        self.server = server
