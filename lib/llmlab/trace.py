"""What happened, as plain data: steps with parents, in order; budgets that stop a run; saved, loaded, resumed as JSONL.

Attribute names follow OpenTelemetry's GenAI semantic conventions (gen_ai.*) where they have one; the lab's own
begin with `llmlab.`. Drawing is other code (`llmlab.show`).
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from llmlab import saved
from llmlab.budget import Budget, Totals
from llmlab.checked import checked
from llmlab.errors import LabError
from llmlab.redaction import plain, redact

Kind = Literal["model", "tool", "protocol", "span", "event"]
Status = Literal["running", "ok", "error", "interrupted"]

_open: contextvars.ContextVar[tuple[tuple[Trace, int], ...]] = contextvars.ContextVar("llmlab_open", default=())
_entered: contextvars.ContextVar[tuple[Trace, ...]] = contextvars.ContextVar("llmlab_entered", default=())
_limits: contextvars.ContextVar[tuple[_Limit, ...]] = contextvars.ContextVar("llmlab_limits", default=())
_numbering = threading.Lock()  # a tool that is no coroutine runs in a thread, and may add steps from there


def _held(name: str, about: str) -> property:
    return property(lambda step: step.attributes.get(name), doc=about)


@dataclass
class Step:
    """One thing that happened. Times are seconds since the trace began; `end` is None while it runs."""

    id: int
    parent: int | None
    kind: Kind
    name: str
    start: float
    end: float | None = None
    status: Status = "running"
    attributes: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def seconds(self) -> float:
        """How long it took; 0 for an event or a step that still runs."""
        return (self.end or self.start) - self.start

    # What steps of each kind hold, so that nobody has to know the names of the attributes.
    request = _held("llmlab.request", "The request of a model step, as it was sent.")
    response = _held("llmlab.response", "What the server sent back, as JSON.")
    arguments = _held("gen_ai.tool.call.arguments", "The arguments of a tool step.")
    result = _held("gen_ai.tool.call.result", "A tool's result, as the model reads it.")
    server = _held("llmlab.server", "The MCP server of a protocol step.")
    message = _held("llmlab.message", "A protocol step's message (JSON-RPC).")
    direction = _held("llmlab.direction", "sent or received.")
    frame = _held("llmlab.frame", "request, result, error, notification, http …")
    size = _held("llmlab.size", "Characters of the message.")
    headers = _held("llmlab.headers", "HTTP headers, without what lets somebody in.")
    key = _held("llmlab.key", "By which a saved run finds a finished call again.")
    resumed = _held("llmlab.resumed", "Whether the call was made in an earlier attempt.")

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute by its full name."""
        return self.attributes.get(name, default)


@dataclass
class _Limit:
    """A budget over a part of a trace: the steps that began inside it, and the spans that were open before."""

    trace: Trace
    budget: Budget
    begun: float
    spans: int
    steps: list[Step]

    def spent(self) -> Totals:
        return Totals.of(self.steps, self.trace.now() - self.begun)


class Trace:
    """An append-only list of steps. With `path`, each finished step is on disk before the next begins."""

    @checked
    def __init__(self, name: str = "trace", budget: Budget | None = None, path: Path | str | None = None):
        self.name, self.budget, self.path = name, budget, Path(path) if path else None
        self.steps: list[Step] = []
        self._zero = time.perf_counter()
        self._kept: dict[str, list[Step]] = {}  # finished calls of a run that was broken off, by what was asked
        if self.path:
            saved.append(self.path, saved.header(name), anew=True)

    @classmethod
    def resume(cls, path: Path | str, name: str, budget: Budget | None = None) -> Trace:
        """Go on with the run saved at `path`, or begin one there: calls that were finished are not made again.

        Each attempt is appended to the file under a header of its own. Raises LabError for a run of another name.
        """
        path = Path(path)
        if not path.exists() or (path.is_file() and not path.stat().st_size):  # empty: the first line found no room
            return cls(name, budget, path)
        attempts, found = saved.read(path, Step)
        if found != redact(name):
            raise LabError(
                f"{path.name} holds the run {found[:80]!r}, and only that can go on there, but {name[:80]!r} was asked for; "
                f"choose another file."
            )
        trace = cls(name, budget)
        for steps in attempts:
            finished: dict[str, list[Step]] = {}
            for step in steps:
                if step.status == "ok" and step.key:
                    finished.setdefault(step.key, []).append(step)
            for key, same in finished.items():
                trace._kept[key] = max(trace._kept.get(key, []), same, key=len)
        trace.path = path
        saved.append(path, saved.header(name))
        return trace

    def __enter__(self) -> Trace:
        _entered.set((*_entered.get(), self))
        return self

    def __exit__(self, *exc: object) -> None:
        _entered.set(_entered.get()[:-1])

    def __len__(self) -> int:
        return len(self.steps)

    def __bool__(self) -> bool:
        return True  # an empty trace is a trace all the same: `current() or another` has to find it

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    @property
    def totals(self) -> Totals:
        """What all steps together cost."""
        return Totals.of(self.steps)

    def of(self, kind: Kind) -> list[Step]:
        """The steps of one kind, in order."""
        return [step for step in self.steps if step.kind == kind]

    def children(self, parent: int | None) -> list[Step]:
        """The steps whose parent has this id (None: the outermost)."""
        return [step for step in self.steps if step.parent == parent]

    def part(self, root: int) -> Trace:
        """The step with this id and all below it, as a trace of its own."""
        part, inside = Trace(self.steps[root - 1].name), {root}
        for step in self.steps[root - 1 :]:
            if step.id == root or step.parent in inside:
                inside.add(step.id)
                part.steps.append(step)
        return part

    @contextlib.contextmanager
    def step(self, kind: Kind, name: str, **attributes: Any) -> Iterator[Step]:
        """Record what happens inside the block as one step; calls inside it become its children.

        Model and tool steps ask the budgets first and raise BudgetExceeded before they begin, spans if they are too deep.
        """
        if kind in ("model", "tool"):
            self.check_budget()
        for limit in self._limits() if kind == "span" else ():
            limit.budget.check_depth(self._open_spans() - limit.spans)
        step = self._begin(kind, name, begun := plain(attributes))
        token = _open.set((*_open.get(), (self, step.id)))
        try:
            yield step
            if step.status == "running":
                step.status = "ok"
        except BaseException as error:  # KeyboardInterrupt and asyncio.CancelledError are no Exception
            step.status = "error" if isinstance(error, Exception) else "interrupted"
            step.error = redact(str(error) or type(error).__name__)
            raise
        finally:
            _open.reset(token)
            step.end = self.now()
            step.attributes = {k: v if begun.get(k) is v else plain(v) for k, v in step.attributes.items()}
            # An interrupt stays an interrupt, also where the disk has no room for its last line.
            with contextlib.suppress(LabError) if step.status == "interrupted" else contextlib.nullcontext():
                self._write(step)

    def span(self, name: str, **attributes: Any) -> contextlib.AbstractContextManager[Step]:
        """A named group of steps."""
        return self.step("span", name, **attributes)

    def event(self, name: str, **attributes: Any) -> Step:
        """Something that happened at one moment: a message sent, an approval given, a state reached."""
        return self.add("event", name, plain(attributes))

    def add(self, kind: Kind, name: str, attributes: dict[str, Any], error: str | None = None) -> Step:
        """One step without duration and cost, from what is `plain` already; with `error`, one that failed."""
        step = self._begin(kind, name, attributes)
        step.end, step.status, step.error = step.start, "error" if error else "ok", error
        self._write(step)
        return step

    @contextlib.contextmanager
    def limit(self, budget: Budget) -> Iterator[Totals]:
        """Hold what happens inside the block to a budget of its own; the outer ones go on counting.

        What the block has cost stands in the Totals that it gives, once it is over.
        """
        limit, spent = _Limit(self, budget, self.now(), self._open_spans(), []), Totals()
        token = _limits.set((*_limits.get(), limit))
        try:
            yield spent
        finally:
            vars(spent).update(vars(limit.spent()))
            _limits.reset(token)

    def kept(self, step: Step, asked: Any) -> Step | None:
        """The same call of the run that this one goes on with, if it was finished there; it counts as made here."""
        if not self.path:
            return None
        text = json.dumps([step.kind, step.name, plain(asked)], sort_keys=True)
        key = step.attributes["llmlab.key"] = hashlib.sha256(text.encode()).hexdigest()[:16]
        if not (same := self._kept.get(key)):
            return None
        old = same.pop(0)
        step.attributes |= {**old.attributes, "llmlab.resumed": True}
        self.advance_to(step.start + old.seconds)
        return old

    def check_budget(self) -> None:
        """Raises BudgetExceeded if the budgets allow no further model or tool step."""
        for limit in self._limits():
            limit.budget.check(limit.spent())

    def now(self) -> float:
        """Seconds since the trace began."""
        return time.perf_counter() - self._zero

    def advance_to(self, moment: float) -> None:
        """Set the clock forward: a replayed call takes as long as the recorded one took."""
        self._zero -= max(0.0, moment - self.now())

    def save(self, path: Path | str) -> Path:
        """Write the trace as JSONL: a header, then one step a line."""
        lines = map(saved.line, [saved.header(self.name), *map(asdict, self.steps)])
        Path(path).write_text("\n".join(lines), encoding="utf-8", errors="replace")
        return Path(path)

    @classmethod
    def load(cls, path: Path | str) -> Trace:
        """Read a trace that `save` or an autosaving run wrote: its last attempt. Raises LabError for any other file."""
        attempts, name = saved.read(Path(path), Step)
        trace = cls(name)
        trace.steps = attempts[-1]
        return trace

    def _limits(self) -> list[_Limit]:
        whole = [_Limit(self, self.budget, 0.0, 0, self.steps)] if self.budget else []
        return whole + [limit for limit in _limits.get() if limit.trace is self]

    def _open_spans(self) -> int:
        return sum(owner is self and self.steps[number - 1].kind == "span" for owner, number in _open.get())

    def _begin(self, kind: Kind, name: str, attributes: dict[str, Any]) -> Step:
        # A span of another trace is no parent here, though it may be open around this step.
        parent = next((number for owner, number in reversed(_open.get()) if owner is self), None)
        with _numbering:
            step = Step(len(self.steps) + 1, parent, kind, name, self.now(), attributes=attributes)
            self.steps.append(step)
        # Counted as they begin: calls that run side by side may not go over a budget together.
        for limit in _limits.get():
            if limit.trace is self:
                limit.steps.append(step)
        return step

    def _write(self, step: Step) -> None:
        if self.path:
            saved.append(self.path, asdict(step))


def current() -> Trace | None:
    """The trace of the innermost `with Trace(...)` block."""
    return _entered.get()[-1] if _entered.get() else None
