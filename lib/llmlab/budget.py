"""What a run may cost, and what it has cost."""

from __future__ import annotations

from dataclasses import dataclass

from llmlab.errors import BudgetExceeded


@dataclass
class Totals:
    """The sum over a trace. `cost` is None when no price is configured."""

    steps: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    seconds: float = 0.0
    cost: float | None = None

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
        used = {
            "steps": (self.steps, spent.model_calls + spent.tool_calls, "{:,} model and tool steps"),
            "tokens": (self.tokens, spent.tokens, "{:,} tokens"),
            "seconds": (self.seconds, spent.seconds, "{:.1f} seconds"),
            "money": (self.money, spent.cost or 0.0, "{:.6f} in money"),
        }
        for limit, (allowed, so_far, words) in used.items():
            if allowed is not None and so_far >= allowed:
                raise BudgetExceeded(
                    limit,
                    f"The budget allows {words.format(allowed)} and {words.format(so_far)} are used, so the run stops "
                    f"here with its trace kept; raise it with Budget({limit}=…) if the task needs more.",
                )

    def check_depth(self, spans: int) -> None:
        """Raises BudgetExceeded if one more span inside the open ones would be too deep."""
        if self.depth is not None and spans >= self.depth:
            raise BudgetExceeded(
                "depth",
                f"The budget allows {self.depth} spans inside each other and all are open, so the run stops here with "
                f"its trace kept; raise it with Budget(depth=…) if the task needs more.",
            )
