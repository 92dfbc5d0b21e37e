"""One model server for all open chapters of a reader, in a process beside JupyterLab.

`llmlab lab` calls `begin`, which starts the process (`local.serve`) and does not wait for it. The process writes where it
answers into a file that only the reader can read; kernels find the file by LLMLAB_SHARED, which they inherit. The process
ends when the pipe to its parent closes, and that is also so when the parent is killed.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

VARIABLE = "LLMLAB_SHARED"
START_SECONDS = 120  # a slow disk reads a gigabyte in this time
SERVE = "import sys; from llmlab.llm.local import serve; serve(*sys.argv[1:])"

_begun: list[subprocess.Popen[bytes]] = []  # the pipe is open as long as somebody holds it


@dataclass
class Server:
    """A running server: `base_url` and `api_key` for any OpenAI client, `provenance` for the trace."""

    base_url: str
    api_key: str = field(repr=False)
    name: str
    provenance: dict[str, Any]


def begin(box: str) -> subprocess.Popen[bytes]:
    """Start a server for this model of the catalogue beside this process, and tell those that this process starts."""
    state = Path(tempfile.mkdtemp(prefix="llmlab-")) / "server.json"  # in a folder of mode 0700
    write(state, box=box)  # until the process puts its own there
    # Detached from the terminal's Ctrl+C: JupyterLab asks first whether to end, and cells may go on meanwhile.
    apart: dict[str, Any] = {"creationflags": 0x200} if sys.platform == "win32" else {"start_new_session": True}
    command = [sys.executable, "-c", SERVE, box, str(state)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, **apart)
    _begun.append(process)
    os.environ[VARIABLE] = str(state)
    return process


def find(box: str) -> Server | None:
    """The lab's server, once it is ready; None where there is none for this model, or it has ended."""
    until = time.monotonic() + START_SECONDS
    while (named := os.environ.get(VARIABLE)) and time.monotonic() < until:
        try:
            found = json.loads(Path(named).read_text(encoding="utf-8"))
            if found["box"] != box or psutil.Process(found["pid"]).status() == psutil.STATUS_ZOMBIE:
                return None
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None
        if "served" in found:
            return Server(**found["served"])
        time.sleep(0.1)
    return None


def write(state: Path, **content: Any) -> None:
    """Put a state file in place, whole."""
    part = state.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps({"pid": os.getpid(), **content}), encoding="utf-8")
    part.replace(state)
