"""One model server for all open chapters of a reader, in a process beside JupyterLab.

`llmlab lab` calls `begin`, which starts the process and does not wait for it. The process writes where it answers into
a file that only the reader can read; kernels find the file by LLMLAB_SHARED, which they inherit. The process ends when
the pipe to its parent closes, and that is also so when the parent is killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VARIABLE = "LLMLAB_SHARED"
START_SECONDS = 120  # a slow disk reads a gigabyte in this time
TICK = 0.1

_begun: list[subprocess.Popen[bytes]] = []


@dataclass
class Shared:
    """Where the shared server answers; what `local.Embedded` has, for a client."""

    base_url: str
    api_key: str = field(repr=False)
    name: str
    provenance: dict[str, Any]


def begin(box: str) -> subprocess.Popen[bytes]:
    """Start a server for this model of the catalogue beside this process, and tell those that this process starts."""
    folder = Path(tempfile.mkdtemp(prefix="llmlab-"))  # of mode 0700
    state = folder / "server.json"
    command = [sys.executable, "-m", "llmlab.llm.serve", box, str(state)]
    # Detached from the terminal's Ctrl+C: JupyterLab asks first whether to end, and cells may go on meanwhile.
    apart: dict[str, Any] = (
        {"creationflags": 0x00000200} if sys.platform == "win32" else {"start_new_session": True}
    )  # CREATE_NEW_PROCESS_GROUP
    write(state, {"box": box, "pid": os.getpid()})  # until the process puts its own there
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, **apart)
    _begun.append(process)  # the pipe is open as long as somebody holds it
    os.environ[VARIABLE] = str(state)
    return process


def find(box: str) -> Shared | None:
    """The lab's server, once it is ready, if there is one for this model; None where there is none, or it has ended."""
    if not (named := os.environ.get(VARIABLE)):
        return None
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        state = _read(Path(named))
        if state.get("box") != box or not _is_alive(state.get("pid")):
            return None
        if "base_url" in state:
            return Shared(state["base_url"], state["api_key"], state["name"], state["provenance"])
        time.sleep(TICK)
    return None


def write(state: Path, content: dict[str, Any]) -> None:
    """Put a state file in place, whole."""
    part = state.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(content), encoding="utf-8")
    part.replace(state)


def _read(state: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(state.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _is_alive(pid: Any) -> bool:
    import psutil

    return isinstance(pid, int) and psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
