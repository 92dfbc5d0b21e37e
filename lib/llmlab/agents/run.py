"""What comes out of an agent: one task, done or as far as it came."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from llmlab.budget import Totals
from llmlab.trace import Trace


@dataclass
class Run:
    """One task done by an agent, or as far as it came.

    `stopped` is done, the limit that ended it (steps, tokens, seconds, money, depth, repetition), error or interrupted;
    `why` says it in a sentence, and `answer` is then the best so far. A run that is done says in `why` what it lacks, if
    anything. `notes` is what the agent itself kept: its plan, its drafts, its votes.
    """

    agent: str
    task: str
    trace: Trace
    part: int = 0  # the step of the trace that is this run; 0 if it did not begin
    answer: Any = None
    stopped: str = "running"
    why: str = ""
    spent: Totals = field(default_factory=Totals)
    notes: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "" if self.answer is None else str(self.answer)

    @property
    def ok(self) -> bool:
        """Whether the agent came to its end by itself."""
        return self.stopped == "done"

    def calls(self) -> Trace:
        """The part of the trace that is this run."""
        return self.trace.part(self.part) if self.part else Trace(self.agent)
