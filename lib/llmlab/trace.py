"""What happened, as plain data: steps with parents, in order; budgets that stop a run; saved and loaded as JSONL.

Attribute names follow OpenTelemetry's GenAI semantic conventions (gen_ai.*) where they have one; the lab's own
begin with `llmlab.`. Drawing is other code (`llmlab.show`).
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from llmlab.errors import BudgetExceeded, LabError

Kind = Literal["model", "tool", "protocol", "span", "event"]
Status = Literal["running", "ok", "error", "interrupted"]

_secrets: set[str] = set()
_open: contextvars.ContextVar[tuple[tuple[Trace, int], ...]] = contextvars.ContextVar("llmlab_open", default=())
_entered: contextvars.ContextVar[tuple[Trace, ...]] = contextvars.ContextVar("llmlab_entered", default=())
_numbering = threading.Lock()  # a tool that is no coroutine runs in a thread, and may add steps from there


def hide(secret: str) -> str:
    """Never let this text (a key) into a trace, recording or error; returns it."""
    if len(secret) >= 8:  # shorter ones ("none", "ollama") are placeholders, and would blank out ordinary words
        _secrets.add(secret)
    return secret


def redact(text: str) -> str:
    """The text without hidden keys and without the path of the reader's home folder."""
    for secret in _secrets:
        text = text.replace(secret, "[key]")
    home = _home()
    return home.sub("~", text) if home else text


@lru_cache
def _home() -> re.Pattern[str] | None:
    home = str(Path.home())
    return re.compile(re.escape(home) + r"(?![\w.-])") if len(home) > 3 else None


def plain(value: Any) -> Any:
    """Any value as JSON data, redacted; what JSON does not know becomes its text."""
    if isinstance(value, str):
        return redact(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {redact(str(name)): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return redact(str(value))


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

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute by its full name."""
        return self.attributes.get(name, default)


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
    """Limits of a run: model and tool steps, tokens in and out, seconds of wall time, money. None is no limit."""

    steps: int | None = 50
    tokens: int | None = 100_000
    seconds: float | None = 300.0
    money: float | None = None

    def check(self, spent: Totals) -> None:
        """Raises BudgetExceeded if one more step would go over a limit."""
        used = {
            "steps": (self.steps, spent.model_calls + spent.tool_calls, "{:,} model and tool steps"),
            "tokens": (self.tokens, spent.tokens, "{:,} tokens"),
            "seconds": (self.seconds, spent.seconds, "{:.1f} seconds"),
            "money": (self.money, spent.cost or 0.0, "{:.4f} in money"),
        }
        for limit, (allowed, so_far, words) in used.items():
            if allowed is not None and so_far >= allowed:
                raise BudgetExceeded(
                    limit,
                    f"The budget allows {words.format(allowed)} and {words.format(so_far)} are used, so the run stops "
                    f"here with its trace kept; raise it with Budget({limit}=…) if the task needs more.",
                )


class Trace:
    """An append-only list of steps. With `path`, each finished step is on disk before the next begins."""

    def __init__(self, name: str = "trace", budget: Budget | None = None, path: Path | str | None = None):
        self.name, self.budget, self.path = name, budget, Path(path) if path else None
        self.steps: list[Step] = []
        self.totals = Totals()
        self._zero = time.perf_counter()
        if self.path:
            self.path.write_text(self._header(), encoding="utf-8")

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

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from llmlab.show import traces

        return traces.table(self)._repr_mimebundle_()

    def of(self, kind: Kind) -> list[Step]:
        """The steps of one kind, in order."""
        return [step for step in self.steps if step.kind == kind]

    def children(self, parent: int | None) -> list[Step]:
        """The steps whose parent has this id (None: the outermost)."""
        return [step for step in self.steps if step.parent == parent]

    @contextlib.contextmanager
    def step(self, kind: Kind, name: str, **attributes: Any) -> Iterator[Step]:
        """Record what happens inside the block as one step; calls inside it become its children.

        Model and tool steps ask the budget first and raise BudgetExceeded before they begin.
        """
        if kind in ("model", "tool"):
            self.check_budget()
        step = self._begin(kind, name, attributes)
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
            self._finish(step)

    def span(self, name: str, **attributes: Any) -> contextlib.AbstractContextManager[Step]:
        """A named group of steps."""
        return self.step("span", name, **attributes)

    def event(self, name: str, **attributes: Any) -> Step:
        """Something that happened at one moment: a message sent, an approval given, a state reached."""
        step = self._begin("event", name, attributes)
        step.status = "ok"
        self._finish(step)
        return step

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

    def _begin(self, kind: Kind, name: str, attributes: dict[str, Any]) -> Step:
        # A span of another trace is no parent here, though it may be open around this step.
        parent = next((number for owner, number in reversed(_open.get()) if owner is self), None)
        data = plain(attributes)
        with _numbering:
            step = Step(len(self.steps) + 1, parent, kind, name, self.now(), attributes=data)
            self.steps.append(step)
        self._count(step)
        return step

    def _finish(self, step: Step) -> None:
        step.end = step.start if step.kind == "event" else self.now()
        step.attributes = plain(step.attributes)
        self._add(step)
        if self.path:
            with self.path.open("a", encoding="utf-8", errors="replace") as out:  # a server may send half an emoji
                out.write(_line(step))
                out.flush()
                os.fsync(out.fileno())

    def _count(self, step: Step) -> None:
        # Counted as they begin: calls that run side by side may not go over the budget together.
        self.totals.steps += 1
        self.totals.model_calls += step.kind == "model"
        self.totals.tool_calls += step.kind == "tool"

    def _add(self, step: Step) -> None:
        total = self.totals
        total.input_tokens += step.get("gen_ai.usage.input_tokens") or 0
        total.output_tokens += step.get("gen_ai.usage.output_tokens") or 0
        total.cached_tokens += step.get("gen_ai.usage.cache_read.input_tokens") or 0
        total.seconds = max(total.seconds, step.end or 0.0)
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
        """Read a trace that `save` or an autosaving run wrote. Raises LabError for a file that is none."""
        path = Path(path)
        try:
            header, *lines = path.read_text(encoding="utf-8").split("\n")
            trace = cls(json.loads(header)["name"])
            trace.steps = sorted((Step(**json.loads(line)) for line in lines if line), key=lambda step: step.id)
            for step in trace.steps:
                trace._count(step)
                trace._add(step)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LabError(
                f"Trace.load takes a file that Trace.save wrote, but {path.name} is not one ({_sentence(error)}); "
                f"check the path."
            ) from error
        return trace


def current() -> Trace | None:
    """The trace of the innermost `with Trace(...)` block."""
    return _entered.get()[-1] if _entered.get() else None


def _line(step: Step) -> str:
    return json.dumps(plain(asdict(step)), ensure_ascii=False) + "\n"


def _sentence(error: BaseException) -> str:
    return redact(str(error) or type(error).__name__)
