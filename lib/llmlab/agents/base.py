"""What every agent shares: a task goes in, a Run comes out; a budget, a trace, and a saved run that can go on."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmlab import redaction, saved, trace, wait
from llmlab.budget import Budget, Totals
from llmlab.checked import checked
from llmlab.errors import BudgetExceeded, LabError
from llmlab.llm.chat import Model
from llmlab.llm.reply import empty
from llmlab.tools import Tool, tool
from llmlab.trace import Trace

REPEATS = 3  # the same thing asked so many times is a loop
INTERRUPTED = "Interrupted: what the run did until then is in the agent's `last`; saved with save=…, it can go on."


@dataclass
class Run:
    """One task done by an agent, or as far as it came."""

    agent: str
    task: str
    trace: Trace
    part: int = 0  # the step of the trace that is this run; 0 if it did not begin
    answer: Any = None  # the best so far
    stopped: str = "running"  # then done, error, interrupted, repetition, or a limit of the budget
    why: str = ""  # in a sentence; also what a run that is done lacks
    spent: Totals = field(default_factory=Totals)
    notes: dict[str, Any] = field(default_factory=dict)  # what the agent itself kept: its plan, its drafts, its votes

    def __str__(self) -> str:
        return "" if self.answer is None else str(self.answer)

    @property
    def ok(self) -> bool:
        """Whether the agent came to its end by itself."""
        return self.stopped == "done"

    def calls(self) -> Trace:
        """The part of the trace that is this run."""
        return self.trace.part(self.part) if self.part else Trace(self.agent)


class Agent:
    """Base of all agents. A new one says in `work` what it does, with `prompts` beside it."""

    name = "agent"
    prompts: dict[str, str] = {}
    budget = Budget()
    last: Run | None = None  # the run that began last: after an interrupt or a bug, all that it did stands here

    @checked
    def __init__(
        self,
        model: Model | Any,  # whatever has its `chat`, a scripted one in a test
        tools: Sequence[Tool | Callable[..., Any]] = (),
        *,
        prompts: dict[str, str] | None = None,
        budget: Budget | None = None,
        name: str = "",
    ):
        self.name = name or type(self).name  # in traces: tells apart agents of one kind
        self.model, self.tools = model, [tool(given) for given in tools]
        self.prompts = type(self).prompts | (prompts or {})
        self.budget = budget or type(self).budget

    async def run(self, task: str, *, save: Path | str | None = None) -> Run:
        """Do a task. Whatever stops it, the Run says so and keeps the best answer so far.

        Its steps go into the trace of a `with Trace()` block or of the agent whose tool it is. With `save`, each step
        that is finished is on disk before the next begins; run again with the same file, it goes on from there.
        """
        run = self.last = Run(self.name, task, Trace(self.name))
        with _ending(run), saved.alone(Path(save)) if save else contextlib.nullcontext():
            if not isinstance(task, str) or not task.strip():
                raise LabError(f"An agent takes a task in words, but got {task!r}; say what it has to do.")
            config = getattr(self.model, "config", None)
            if self.budget.money is not None and config and config.price_in is config.price_out is None:
                raise LabError("A budget in money needs prices; set LLMLAB_PRICE_IN and _OUT in .env, or limit tokens.")
            into = Trace.resume(save, f"{self.name}: {task}") if save else trace.current() or run.trace
            run.trace = into
            watched = wait.awake() if getattr(self.model, "quiet", True) else _watched(run)
            with watched, into, into.limit(self.budget) as run.spent, into.span(self.name, task=task) as span:
                run.part = span.id
                await self.work(run)
        return run

    async def work(self, run: Run) -> None:
        """Do `run.task`; set `run.answer` each time there is a better one."""
        raise NotImplementedError

    def prompt(self, name: str, **values: Any) -> str:
        """One of the agent's prompts, with its {places} filled in."""
        # In one pass: braces in a task or in what a model said are text, and no places.
        return re.sub(r"\{(\w+)\}", lambda place: str(values.get(place[1], place[0])), self.prompts[name])


@contextlib.contextmanager
def _ending(run: Run) -> Iterator[None]:
    """All the ways in which a run ends, in its `stopped` and `why`; an interrupt or a bug goes on to the cell."""
    try:
        yield
        _look_at_last_reply(run)
        run.stopped = "done"
    except BudgetExceeded as limit:
        run.stopped, run.why = limit.limit, str(limit)
    except LabError as error:
        run.stopped, run.why = "error", str(error)
    except (asyncio.CancelledError, KeyboardInterrupt) as stopped:
        run.stopped, run.why = "interrupted", "The run was stopped from outside."
        stopped._render_traceback_ = lambda: [INTERRUPTED]  # type: ignore[union-attr]  # IPython shows it, not the stack
        raise
    except Exception as bug:  # in the agent's own code: the reader has to see its place
        run.stopped, run.why = "error", redaction.redact(f"{type(bug).__name__}: {bug}")
        raise


@contextlib.contextmanager
def _watched(run: Run) -> Iterator[None]:
    """While a run works, one line in the cell says what it does now; a run inside another one leaves that to it."""
    live: Any = None

    def tell() -> None:
        nonlocal live
        calls = [step for step in run.calls() if step.kind in ("model", "tool")]
        if calls and run.trace.steps[run.part - 1].parent is None and (live := live or wait.watched()):
            given = f"({calls[-1].arguments})" if calls[-1].kind == "tool" else ""
            live.say(f"call {len(calls)} · {calls[-1].name}{given[:80]}")

    try:
        with wait.awake(tell):
            yield
    finally:
        if live:
            live.clear()


def _look_at_last_reply(run: Run) -> None:
    """Says when it was cut off. Raises LabError if there is no answer."""
    for step in run.calls().of("model")[-1:]:
        if not str(run).strip():
            choice = (step.response or {"choices": [{"message": {}}]})["choices"][0]
            raise LabError(empty(choice.get("finish_reason"), choice["message"]))
        if step.get("gen_ai.response.finish_reasons") == ["length"]:
            run.why = f"{run.why} Its last reply was cut off at max_tokens.".strip()


class Repetition:
    """Stops a run that asks the same thing again and again."""

    def __init__(self) -> None:
        self._seen = Counter[str]()

    def check(self, thing: str) -> None:
        """Raises BudgetExceeded when a thing comes once too often."""
        self._seen[thing] += 1
        if (times := self._seen[thing]) >= REPEATS:
            short = thing if len(thing) <= 80 else thing[:79] + "…"
            why = f"A run may do the same thing {REPEATS - 1} times, but it came {times} times to {short}"
            raise BudgetExceeded(
                "repetition", f"{why}, so it stops here with its trace kept; reword the task or the tools."
            )
