"""What a run may cost, and what it has cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmlab.errors import BudgetExceeded

if TYPE_CHECKING:
    from llmlab.trace import Step


@dataclass
class Totals:
    """The sum over some steps. `cost` is None when no price is configured."""

    steps: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    seconds: float = 0.0
    cost: float | None = None

    @classmethod
    def of(cls, steps: Iterable[Step], seconds: float | None = None) -> Totals:
        """Add up steps; a call counts as soon as it begins. Without `seconds`, the end of the last one counts."""
        total = cls(seconds=seconds or 0.0)
        for step in steps:
            total.steps += 1
            total.model_calls += step.kind == "model"
            total.tool_calls += step.kind == "tool"
            total.input_tokens += step.get("gen_ai.usage.input_tokens") or 0
            total.output_tokens += step.get("gen_ai.usage.output_tokens") or 0
            total.cached_tokens += step.get("gen_ai.usage.cache_read.input_tokens") or 0
            if (cost := step.get("llmlab.cost")) is not None:
                total.cost = (total.cost or 0.0) + cost
            if seconds is None:
                total.seconds = max(total.seconds, step.end or 0.0)
        return total

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens


@dataclass
class Budget:
    """Limits of a run: model and tool steps, tokens in and out, seconds of wall time, money, and how many spans may
    stand inside each other. None is no limit. They are asked before each call: what is in flight may overshoot."""

    steps: int | None = 50
    tokens: int | None = 100_000
    seconds: float | None = 300.0
    money: float | None = None
    depth: int | None = 12

    def check(self, spent: Totals) -> None:
        """Raises BudgetExceeded if one more model or tool step would go over a limit."""
        self._allow("steps", spent.model_calls + spent.tool_calls, "{:,} model and tool steps")
        self._allow("tokens", spent.tokens, "{:,} tokens")
        self._allow("seconds", spent.seconds, "{:.1f} seconds")
        self._allow("money", spent.cost or 0.0, "{:.6f} in money")

    def check_depth(self, spans: int) -> None:
        """Raises BudgetExceeded if one more span inside the open ones would be too deep."""
        self._allow("depth", spans, "{} spans inside each other")

    def _allow(self, limit: str, used: float, words: str) -> None:
        allowed = getattr(self, limit)
        if allowed is not None and used >= allowed:
            raise BudgetExceeded(
                limit,
                f"The budget allows {words.format(allowed)} and {words.format(used)} are used, so the run stops here "
                f"with its trace kept; raise it with Budget({limit}=…) if the task needs more.",
            )
