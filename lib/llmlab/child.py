"""The other end of process.py: does one job in a fresh Python, without importing the lab, and notes how it ended."""

from __future__ import annotations

import functools
import importlib
import json
import os
import pickle
import shutil
import signal
import sys
import threading
import traceback
import types
from pathlib import Path
from typing import Any


def main(folder: Path) -> None:
    """Read the job from the folder, do it, and write how it ended (and a function's value) next to it."""
    _end_with_the_kernel(folder)
    job = pickle.loads((folder / "job").read_bytes())
    _limit(job["memory"], job["seconds"])
    how, text = "ok", ""
    try:
        if "code" in job:
            _program(job["code"])
        else:
            value = _call(job)
            (folder / "value").write_bytes(pickle.dumps(value))
    except SystemExit as end:
        if "code" not in job or end.code not in (None, 0):
            how, text = "failed", f"SystemExit: {end.code}"
    except MemoryError:
        how, text = "failed", f"MemoryError: it has {job['memory']} MB, but needed more"
    except BaseException as error:
        lab = sys.modules.get("llmlab.errors")  # whoever raises a ToolError has imported it
        refused = lab is not None and isinstance(error, lab.ToolError)
        how, text = ("refused", str(error)) if refused else ("failed", _last_line(error))
    (folder / "end").write_text(json.dumps([how, text]), encoding="utf-8")


def _program(code: str) -> None:
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(compile(code, "<code>", "exec"), main.__dict__)


def _call(job: dict[str, Any]) -> Any:
    if "source" in job:
        space: dict[str, Any] = {"__name__": "__main__"}
        exec(job["source"], space)
        function = space[job["name"]]
    else:
        sys.path[:] = job["path"]
        module = importlib.import_module(job["module"])
        function = functools.reduce(getattr, job["name"].split("."), module)
        function = getattr(function, "function", function)  # under @tool the name stands for the Tool
        function = getattr(function, "in_this_process", function)
    args, kwargs = pickle.loads(job["arguments"])
    return function(*args, **kwargs)


def _last_line(error: BaseException) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<code>"]
    if isinstance(error, SyntaxError) and error.filename == "<code>":
        lines.append(error.lineno)
    return f"{f'line {lines[-1]}: ' if lines else ''}{type(error).__name__}: {error}"


def _limit(memory: int, seconds: float | None) -> None:
    try:
        import resource

        if seconds:  # process.py kills it before; this is for code that lets no other thread run when the kernel dies
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1,) * 2)
        resource.setrlimit(resource.RLIMIT_AS, (memory << 20,) * 2)
    except (ImportError, ValueError, OSError):  # Windows has no such limits, and macOS does not limit memory
        pass


def _end_with_the_kernel(folder: Path) -> None:
    kernel = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # input() finds nothing

    def watch() -> None:
        os.read(kernel, 1)  # nothing is ever sent: this is the end
        shutil.rmtree(folder, ignore_errors=True)
        if os.name == "posix":
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
