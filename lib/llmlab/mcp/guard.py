"""Runs an MCP server's command, and ends it when the kernel has died: python guard.py KERNEL COMMAND ARGUMENT ...

A server learns from its closed input that nobody listens any more. One that is busy, hangs, or keeps a timer never
looks, and would live on. It reads and writes the kernel's pipes itself; nothing passes through here. Not needed on
Windows, where the MCP SDK puts each server into a job that ends with the kernel. Imports nothing of the lab.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

LOOK = 0.5  # seconds between two looks at the kernel
GRACE = 2.0  # seconds in which a server may end by itself


def main(kernel: int, command: list[str]) -> None:
    """Start the command, end when it ends, and kill it and what it started when the kernel is gone."""
    server = os.posix_spawnp(command[0], command, os.environ)
    for inherited in (0, 1):  # or the kernel would not see the pipes close when the server dies
        os.close(inherited)

    def watch() -> None:
        while os.getppid() == kernel:
            time.sleep(LOOK)
        time.sleep(GRACE)
        os.killpg(0, signal.SIGKILL)  # the SDK makes each server the head of a process group

    threading.Thread(target=watch, daemon=True).start()
    _, status = os.waitpid(server, 0)
    os._exit(abs(os.waitstatus_to_exitcode(status)))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
