"""The task solver with this kit's own loop."""

import asyncio
import functools
from collections.abc import Callable

from common import MAX_TOKENS, STEPS, TOOLS, serve

from llmlab import Budget, connect
from llmlab.agents import ToolLoop
from llmlab.tools import tool


def make() -> Callable[[str], str]:
    """Connect to the model that the environment names, and make the agent."""
    runner = asyncio.Runner()
    # Its budget counts the calls of tools as well.
    budget = Budget(steps=2 * STEPS, tokens=None, seconds=None)
    model = runner.run(connect("endpoint"))
    model.chat = functools.partial(model.chat, max_tokens=MAX_TOKENS)  # type: ignore[method-assign]
    agent = ToolLoop(model, [tool(function) for function in TOOLS], budget=budget)

    def solve(task: str) -> str:
        run = runner.run(agent.run(task))
        if not run.ok:
            raise RuntimeError(f"{run.stopped}: {run.why}")
        return str(run)

    return solve


if __name__ == "__main__":
    serve(make())
