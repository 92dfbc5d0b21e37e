"""Python code in a process of its own, which can be killed: a thread cannot be stopped, a process can.

The process ends at its time limit, when the cell is interrupted, and when the kernel dies. Its memory is limited on
Linux; Windows and macOS have no such limit for a process, so there only time is limited. It is no security sandbox:
what runs there can read files and use the network like every other program of the reader.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import contextlib
import dis
import functools
import inspect
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from llmlab.errors import ToolError

MEMORY = 1024  # MB
OUTPUT = 100_000  # bytes: what prints more is killed
TICK = 0.25  # seconds
_CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Ended:
    """How a process ended: "ok", "refused" (a ToolError), "failed" (another exception, or no end of its own),
    "seconds" or "output" (killed at that limit). `text` says why, `output` is what it printed."""

    how: str
    text: str
    output: str


def in_process(function: Callable[..., Any], memory: int = MEMORY) -> Callable[..., Coroutine[Any, Any, Any]]:
    """The same function, but each call runs in a process of its own, which is killed when the call is cancelled.

    A function in a module is imported there (where the module imports the lab, that takes a second or two each time).
    A function in a cell is sent as its source, without anything around it.
    Arguments and result are pickled; what it prints is shown when it ends. `memory` is in MB.
    """
    where = _where(function)

    @functools.wraps(function)
    async def run_apart(*args: Any, **kwargs: Any) -> Any:
        given = inspect.signature(function).bind(*args, **kwargs)
        given.apply_defaults()
        try:
            arguments = pickle.dumps((given.args, given.kwargs))
        except Exception as error:  # pickle raises whatever the object's own code does
            raise ToolError(f"{function.__name__} cannot take its arguments to its process ({error})") from None
        with _folder() as folder:
            ended = await run({**where, "arguments": arguments, "memory": memory}, folder)
            print(ended.output, end="")
            if ended.how == "ok":
                return pickle.loads((folder / "value").read_bytes())
        if ended.how == "output":
            raise ToolError(f"{function.__name__} may print {OUTPUT:,} bytes, but printed more")
        raise ToolError(ended.text if ended.how == "refused" else f"{function.__name__} failed: {ended.text}")

    run_apart.in_this_process = function  # type: ignore[attr-defined]  # what child.py calls
    return run_apart


async def run_code(code: str, seconds: float, memory: int = MEMORY) -> Ended:
    """Run a program in a fresh Python and an empty folder, without the reader's environment variables."""
    kept = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LD_LIBRARY_PATH")
    env = {name: os.environ[name] for name in kept if name in os.environ}  # keys stand in the others
    env |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # numpy reserves memory for each core
    with _folder() as folder:
        empty = folder / "empty"
        empty.mkdir()
        return await run({"code": code, "memory": memory}, folder, seconds, cwd=empty, env=env)


async def run(job: dict[str, Any], folder: Path, seconds: float | None = None, **where: Any) -> Ended:
    """Let child.py do a job. It, and what it started, has ended when this returns or raises."""
    (folder / "job").write_bytes(pickle.dumps({**job, "seconds": seconds}))
    child = _start(folder, **where)
    # Threads, because on Windows the loop of a Jupyter kernel cannot watch processes.
    printed = bytearray()
    reader = threading.Thread(target=_read, args=(child, printed), daemon=True)
    reader.start()
    how = "failed"
    try:
        with awake():
            async with asyncio.timeout(seconds):
                await asyncio.to_thread(child.wait)
    except TimeoutError:
        how = "seconds"
    finally:
        _kill(child)
        child.wait()
        if child.stdin:
            child.stdin.close()
        reader.join(timeout=1)  # longer only where something that has left the group still holds the pipe
    text = f"it ended without a result (exit code {child.returncode})"
    if len(printed) > OUTPUT:
        how = "output"
    elif how == "failed" and (folder / "end").exists():
        how, text = json.loads((folder / "end").read_text(encoding="utf-8"))
    return Ended(how, text, printed[:OUTPUT].decode(errors="replace").replace("\r\n", "\n"))


@contextlib.contextmanager
def awake() -> Iterator[None]:
    """Wake the event loop now and then: a Jupyter kernel whose loop is idle does not notice an interrupt."""
    timer: asyncio.TimerHandle

    def tick() -> None:
        nonlocal timer
        timer = asyncio.get_running_loop().call_later(TICK, tick)

    tick()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="llmlab-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _start(folder: Path, **where: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-u", "-X", "utf8", str(_CHILD), str(folder)],
        stdin=subprocess.PIPE,  # says nothing; when the kernel dies it closes, and the child ends itself
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=os.name == "posix",  # a process group, to be killed as a whole
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        **where,
    )


def _read(child: subprocess.Popen[bytes], printed: bytearray) -> None:
    assert child.stdout
    with child.stdout as pipe:
        while len(printed) <= OUTPUT and (piece := os.read(pipe.fileno(), 65536)):
            printed += piece
    if len(printed) > OUTPUT:
        _kill(child)


def _kill(child: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended (macOS: PermissionError)
            os.killpg(child.pid, signal.SIGKILL)
    elif child.poll() is None:
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(child.pid)], capture_output=True)


def _where(function: Callable[..., Any]) -> dict[str, Any]:
    """How the process finds the function."""
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        raise ToolError(f"A process runs plain functions, but {function!r} is none; an async one needs no process")
    if function.__module__ == "__main__" or "<locals>" in function.__qualname__:
        return {"name": function.__name__, "source": _source(function)}
    return {"name": function.__qualname__, "module": function.__module__, "path": sys.path}


def _source(function: Callable[..., Any]) -> str:
    """The function without its decorators and defaults, which would need what stands around it."""
    name, code = function.__name__, function.__code__
    outside = {*_globals(code), *code.co_freevars} - {*dir(builtins), name}
    if outside:
        raise ToolError(
            f"A function of a cell takes nothing along into its process, but {name} uses {', '.join(sorted(outside))}; "
            f"import or define that inside {name}, or write the function into a module and import it"
        )
    try:
        [tree] = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, SyntaxError, ValueError):
        raise ToolError(
            f"A process needs the source of {name}, but there is none; write it with def in a cell or module"
        ) from None
    assert isinstance(tree, ast.FunctionDef)
    tree.decorator_list = []
    tree.args.defaults = [ast.Constant(None) for _ in tree.args.defaults]
    tree.args.kw_defaults = [default and ast.Constant(None) for default in tree.args.kw_defaults]
    return "from __future__ import annotations\n" + ast.unparse(tree)


def _globals(code: CodeType) -> Iterator[str]:
    yield from (step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _globals(inner)
