"""What happened, as plain data: steps with parents, in order; budgets that stop a run; saved, loaded, resumed as JSONL.

Attribute names follow OpenTelemetry's GenAI semantic conventions (gen_ai.*) where they have one; the lab's own
begin with `llmlab.`. Drawing is other code (`llmlab.show`).
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from llmlab.budget import Budget, Totals
from llmlab.errors import LabError
from llmlab.redaction import plain, redact

Kind = Literal["model", "tool", "protocol", "span", "event"]
Status = Literal["running", "ok", "error", "interrupted"]

_saving: set[Path] = set()
_open: contextvars.ContextVar[tuple[tuple[Trace, int], ...]] = contextvars.ContextVar("llmlab_open", default=())
_entered: contextvars.ContextVar[tuple[Trace, ...]] = contextvars.ContextVar("llmlab_entered", default=())
_limits: contextvars.ContextVar[tuple[_Scope, ...]] = contextvars.ContextVar("llmlab_limits", default=())
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
class _Scope:
    """A budget over a part of a trace, and what was spent since that part began."""

    trace: Trace
    budget: Budget
    begun: float
    spans: int  # that were open before
    spent: Totals = field(default_factory=Totals)


class Trace:
    """An append-only list of steps. With `path`, each finished step is on disk before the next begins."""

    def __init__(self, name: str = "trace", budget: Budget | None = None, path: Path | str | None = None):
        self.name, self.budget, self.path = name, budget, Path(path) if path else None
        self.steps: list[Step] = []
        self.totals = Totals()
        self._zero = time.perf_counter()
        self._kept: dict[str, list[Step]] = {}  # finished calls of a run that was broken off, by what was asked
        self._write(self._header(), "w")

    @classmethod
    def resume(cls, path: Path | str, name: str, budget: Budget | None = None) -> Trace:
        """Go on with the run saved at `path`, or begin one there: calls that were finished are not made again.

        Each attempt is appended to the file under a header of its own. Raises LabError for a run of another name.
        """
        path = Path(path)
        if not path.exists() or (path.is_file() and not path.stat().st_size):  # empty: the first line found no room
            return cls(name, budget, path)
        attempts, found = _read(path)
        if found != redact(name):
            raise LabError(
                f"{path.name} holds the run {found[:80]!r}, and only that can go on there, but {name[:80]!r} was asked for; "
                f"choose another file."
            )
        trace = cls(name, budget)
        for steps in attempts:
            finished: dict[str, list[Step]] = {}
            for step in steps:
                if step.status == "ok" and (key := step.get("llmlab.key")):
                    finished.setdefault(key, []).append(step)
            for key, same in finished.items():
                if len(same) > len(trace._kept.get(key, [])):
                    trace._kept[key] = same
        trace.path = path
        trace._write("\n" + trace._header())
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

    def of(self, kind: Kind) -> list[Step]:
        """The steps of one kind, in order."""
        return [step for step in self.steps if step.kind == kind]

    def part(self, root: int) -> Trace:
        """The step with this id and all below it, as a trace of its own."""
        part, inside = Trace(self.steps[root - 1].name), {root}
        for step in self.steps[root - 1 :]:
            if step.id == root or step.parent in inside:
                inside.add(step.id)
                part.steps.append(step)
                part._count(step)
                part._add(step)
        return part

    def children(self, parent: int | None) -> list[Step]:
        """The steps whose parent has this id (None: the outermost)."""
        return [step for step in self.steps if step.parent == parent]

    @contextlib.contextmanager
    def step(self, kind: Kind, name: str, **attributes: Any) -> Iterator[Step]:
        """Record what happens inside the block as one step; calls inside it become its children.

        Model and tool steps ask the budget first and raise BudgetExceeded before they begin, spans if they are too deep.
        """
        if kind in ("model", "tool"):
            self.check_budget()
        if kind == "span":
            open_spans = self._open_spans()
            for budget, before in [(self.budget, 0), *((s.budget, s.spans) for s in self._scopes())]:
                if budget:
                    budget.check_depth(open_spans - before)
        step = self._begin(kind, name, plain(attributes))
        token = _open.set((*_open.get(), (self, step.id)))
        try:
            yield step
            if step.status == "running":
                step.status = "ok"
        except BaseException as error:  # KeyboardInterrupt and asyncio.CancelledError are no Exception
            step.status = "error" if isinstance(error, Exception) else "interrupted"
            step.error = _sentence(error)
            raise
        finally:
            _open.reset(token)
            # An interrupt stays an interrupt, also where the disk has no room for its last line.
            with contextlib.suppress(LabError) if step.status == "interrupted" else contextlib.nullcontext():
                self._finish(step)

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
        self.totals.seconds = max(self.totals.seconds, step.end)
        self._write_step(step)
        return step

    @contextlib.contextmanager
    def limit(self, budget: Budget) -> Iterator[Totals]:
        """Hold what happens inside the block to a budget of its own; the outer ones go on counting."""
        scope = _Scope(self, budget, self.now(), self._open_spans())
        token = _limits.set((*_limits.get(), scope))
        try:
            yield scope.spent
        finally:
            scope.spent.seconds = self.now() - scope.begun
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

    def now(self) -> float:
        """Seconds since the trace began."""
        return time.perf_counter() - self._zero

    def advance_to(self, moment: float) -> None:
        """Set the clock forward: a replayed call takes as long as the recorded one took."""
        self._zero -= max(0.0, moment - self.now())

    def check_budget(self) -> None:
        """Raises BudgetExceeded if the budget allows no further model or tool step."""
        if self.budget:
            self.totals.seconds = self.now()
            self.budget.check(self.totals)
        for scope in self._scopes():
            scope.spent.seconds = self.now() - scope.begun
            scope.budget.check(scope.spent)

    def _scopes(self) -> list[_Scope]:
        return [scope for scope in _limits.get() if scope.trace is self]

    def _open_spans(self) -> int:
        return sum(owner is self and self.steps[number - 1].kind == "span" for owner, number in _open.get())

    def _begin(self, kind: Kind, name: str, attributes: dict[str, Any]) -> Step:
        # A span of another trace is no parent here, though it may be open around this step.
        parent = next((number for owner, number in reversed(_open.get()) if owner is self), None)
        with _numbering:
            step = Step(len(self.steps) + 1, parent, kind, name, self.now(), attributes=attributes)
            self.steps.append(step)
        self._count(step)
        return step

    def _finish(self, step: Step) -> None:
        step.end, step.attributes = self.now(), plain(step.attributes)
        self._add(step)
        self._write_step(step)

    def _write_step(self, step: Step) -> None:
        if self.path:
            self._write(_line(step))

    def _write(self, text: str, mode: str = "a") -> None:
        if not self.path:
            return
        end = None
        try:
            with self.path.open(mode, encoding="utf-8", errors="replace") as out:  # a server may send half an emoji
                end = out.tell()
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            if end is not None:
                with contextlib.suppress(OSError):
                    os.truncate(self.path, end)  # no half of a line stands before the next one
            raise LabError(
                f"A saved run needs room and the right to write, but {self.path.name} could not be written "
                f"({error.strerror}); make room or choose another file, and run the cell again: it goes on from there."
            ) from error

    def _count(self, step: Step) -> None:
        # Counted as they begin: calls that run side by side may not go over the budget together.
        for total in (self.totals, *(scope.spent for scope in self._scopes())):
            total.steps += 1
            total.model_calls += step.kind == "model"
            total.tool_calls += step.kind == "tool"

    def _add(self, step: Step) -> None:
        self.totals.seconds = max(self.totals.seconds, step.end or 0.0)
        for total in (self.totals, *(scope.spent for scope in self._scopes())):
            total.input_tokens += step.get("gen_ai.usage.input_tokens") or 0
            total.output_tokens += step.get("gen_ai.usage.output_tokens") or 0
            total.cached_tokens += step.get("gen_ai.usage.cache_read.input_tokens") or 0
            if (cost := step.get("llmlab.cost")) is not None:
                total.cost = (total.cost or 0.0) + cost

    def _header(self) -> str:
        return json.dumps({"llmlab_trace": 1, "name": redact(self.name)}) + "\n"

    def save(self, path: Path | str) -> Path:
        """Write the trace as JSONL: a header, then one step a line."""
        path = Path(path)
        path.write_text("".join([self._header(), *map(_line, self.steps)]), encoding="utf-8", errors="replace")
        return path

    @classmethod
    def load(cls, path: Path | str) -> Trace:
        """Read a trace that `save` or an autosaving run wrote: its last attempt. Raises LabError for any other file."""
        attempts, name = _read(Path(path))
        trace = cls(name)
        trace.steps = attempts[-1]
        for step in trace.steps:
            trace._count(step)
            trace._add(step)
        return trace


def current() -> Trace | None:
    """The trace of the innermost `with Trace(...)` block."""
    return _entered.get()[-1] if _entered.get() else None


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a save file for one run of this process; raises LabError while another run writes to it."""
    path = path.resolve()
    if path in _saving:
        raise LabError(
            f"A saved run has a file of its own, but another run is writing to {path.name}; wait for it, or choose "
            f"another file."
        )
    _saving.add(path)
    try:
        yield
    finally:
        _saving.discard(path)


def _read(path: Path) -> tuple[list[list[Step]], str]:
    """The steps of each attempt, and the name of the run."""
    attempts: list[list[Step]] = []
    name, cut = "", False
    try:
        for line in filter(None, path.read_text(encoding="utf-8").split("\n")):
            try:
                row = json.loads(line)
            except ValueError:
                if cut or not attempts:
                    raise
                cut = True  # the process ended in the middle of this line
                continue
            if "llmlab_trace" in row:
                attempts, name, cut = [*attempts, []], row["name"], False
            elif cut:
                raise ValueError("a line in its middle is broken")
            else:
                attempts[-1].append(Step(**row))
        if not attempts:
            raise ValueError("it is empty")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, LookupError) as error:
        raise LabError(
            f"A saved trace is a file that the lab has written, but {path.name} is not one ({_sentence(error)}); check "
            f"the path."
        ) from error
    return [sorted(steps, key=lambda step: step.id) for steps in attempts], name


def _line(step: Step) -> str:
    return json.dumps(plain(asdict(step)), ensure_ascii=False) + "\n"


def _sentence(error: BaseException) -> str:
    return redact(str(error) or type(error).__name__)
