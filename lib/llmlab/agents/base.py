"""What every agent shares: a task goes in, a Run comes out; a budget, a trace, and a saved run that can go on."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from llmlab import redaction, saved, trace
from llmlab.agents.run import Run
from llmlab.budget import Budget
from llmlab.errors import BudgetExceeded, LabError
from llmlab.llm.chat import Model
from llmlab.llm.reply import empty
from llmlab.tools import Tool, tool
from llmlab.trace import Trace
from llmlab.wait import awake

T = TypeVar("T")

REPEATS = 3  # the same thing asked so many times is a loop


class Agent:
    """Base of all agents. A new one says in `work` what it does, with `prompts` beside it."""

    name = "agent"
    prompts: dict[str, str] = {}
    budget = Budget()
    last: Run | None = None  # the run that began last: after an interrupt or a bug, all that it did stands here

    def __init__(
        self,
        model: Model,
        tools: Sequence[Tool | Callable[..., Any]] = (),
        *,
        prompts: dict[str, str] | None = None,
        budget: Budget | None = None,
        name: str | None = None,
    ):
        self.name = name or type(self).name  # in traces: tells apart agents of one kind
        self.model, self.tools = model, [tool(given) for given in tools]
        self.prompts = {**type(self).prompts, **(prompts or {})}
        self.budget = budget or type(self).budget

    async def run(self, task: str, *, save: Path | str | None = None) -> Run:
        """Do a task. Whatever stops it, the Run says so and keeps the best answer so far.

        Inside a `with Trace()` block, or as a tool of another agent, its steps go into that trace. With `save`, each
        finished step is on disk before the next begins; run again with the same file, it goes on from there.
        """
        run, saving = Run(self.name, task, Trace(self.name)), contextlib.ExitStack()
        self.last = run
        try:
            if not isinstance(task, str) or not task.strip():
                raise LabError(f"An agent takes a task in words, but got {task!r}; say what it has to do.")
            config = getattr(self.model, "config", None)
            if self.budget.money is not None and config and config.price_in is None and config.price_out is None:
                raise LabError(
                    "A budget in money needs prices, but LLMLAB_PRICE_IN and LLMLAB_PRICE_OUT are not set, so it would "
                    "never stop anything; set them in .env, or limit tokens instead."
                )
            if save:
                saving.enter_context(saved.alone(Path(save)))
                run.trace = Trace.resume(save, f"{self.name}: {task}")
            into = run.trace = run.trace if save else trace.current() or run.trace
            with awake(), into, into.limit(self.budget) as run.spent, into.span(self.name, task=task) as span:
                try:
                    await self.work(run)
                finally:
                    run.part = span.id
            run.stopped = "done"
            last = next((s for s in reversed(run.calls().of("model"))), None)
            if last is not None and (run.answer is None or not str(run.answer).strip()):
                choice = (last.response or {"choices": [{"message": {}}]})["choices"][0]
                run.stopped, run.why = "error", empty(choice.get("finish_reason"), choice["message"])
            elif last is not None and last.get("gen_ai.response.finish_reasons") == ["length"]:
                run.why = f"{run.why} Its last reply was cut off at max_tokens.".strip()
        except BudgetExceeded as limit:
            run.stopped, run.why = limit.limit, str(limit)
        except LabError as error:
            run.stopped, run.why = "error", str(error)
        except (asyncio.CancelledError, KeyboardInterrupt) as stopped:
            run.stopped = "interrupted"
            run.why = "The run was stopped from outside."
            said = (
                "Interrupted: the run was stopped; what it did until then is in the agent's `last`. With save=… it goes on "
                "where it was; without, it begins anew."
            )
            stopped._render_traceback_ = lambda: [said]  # type: ignore[union-attr]  # IPython shows it, not the stack
            raise
        except Exception as bug:  # in the agent's own code: the reader has to see its place
            run.stopped, run.why = "error", redaction.redact(f"{type(bug).__name__}: {bug}")
            raise
        finally:
            saving.close()
        return run

    async def work(self, run: Run) -> None:
        """Do `run.task`; set `run.answer` each time there is a better one."""
        raise NotImplementedError

    def prompt(self, name: str, **values: Any) -> str:
        """One of the agent's prompts, with its {places} filled in."""
        # In one pass: braces in a task or in what a model said are text, and no places.
        return re.sub(r"\{(\w+)\}", lambda place: str(values.get(place[1], place[0])), self.prompts[name])


async def together(*works: Coroutine[Any, Any, T]) -> list[T]:
    """Do all side by side. The first that fails ends the others: none is left behind to go on and cost."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Repetition:
    """Stops a run that asks the same thing again and again."""

    def __init__(self, allowed: int = REPEATS):
        self.allowed, self._seen = allowed, dict[str, int]()

    def check(self, thing: str) -> None:
        """Raises BudgetExceeded when a thing comes once too often."""
        self._seen[thing] = self._seen.get(thing, 0) + 1
        if self._seen[thing] >= self.allowed:
            short = thing if len(thing) <= 80 else thing[:79] + "…"
            raise BudgetExceeded(
                "repetition",
                f"A run may do the same thing {self.allowed - 1} times, but it came {self._seen[thing]} times to "
                f"{short}, so it stops here with its trace kept; reword the task or the tools.",
            )
