"""A program that is spoken to line by line, and a conversation that was written by hand, as a trace that can be drawn."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from mcp_types import JSONRPCNotification, JSONRPCRequest, jsonrpc_message_adapter

from llmlab.errors import LabError
from llmlab.settings import ROOT
from llmlab.trace import Trace

Message = dict[str, Any]
START = 60.0  # seconds within which a program says its first word, on a slow computer too
INSTALLED = ROOT / "build" / "foreign" / "servers-of-pypi"  # where the tests install servers of others


class Program:
    """A running program: lines go to its standard input, and lines come from its standard output."""

    def __init__(self, command: Sequence[str]):
        if isinstance(command, str) or not command or not all(isinstance(part, str) for part in command):
            raise LabError(f'A command is a list such as ["python", "server.py"], but got {command!r}; split it there.')
        pipe = subprocess.PIPE
        try:
            self.child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
        except OSError as error:
            raise LabError(
                f"A command begins with a program on this computer, but {command[0]!r} cannot be started "
                f"({error.strerror}); check its name."
            ) from None
        self._heard: queue.Queue[str | None] = queue.Queue()
        self._beside: deque[str] = deque(
            maxlen=20
        )  # what it writes beside the protocol: warnings, the end of a traceback
        for work in (self._listen, self._overhear):
            threading.Thread(target=work, daemon=True).start()

    def _listen(self) -> None:
        for line in self.child.stdout or ():
            self._heard.put(line.decode(errors="replace").rstrip())
        self._heard.put(None)

    def _overhear(self) -> None:
        for line in self.child.stderr or ():
            self._beside.append(line.decode(errors="replace").strip())

    def write(self, line: str) -> None:
        """Send one line. Raises LabError if the program has ended."""
        try:
            assert self.child.stdin
            self.child.stdin.write(" ".join(line.splitlines()).encode() + b"\n")
            self.child.stdin.flush()
        except (OSError, ValueError):
            raise self._over() from None

    async def read(self, seconds: float = START) -> str | None:
        """The next line, or None if none comes in time. Raises LabError if the program has ended."""
        until = time.monotonic() + seconds
        while True:
            try:
                line = self._heard.get_nowait()
            except queue.Empty:
                if time.monotonic() > until:
                    return None
                await asyncio.sleep(0.005)
                continue
            if line is None:
                self._heard.put(None)
                raise self._over()
            return line

    async def message(self, seconds: float = START) -> Message:
        """The next message. Raises LabError if none comes in time, or a line that is no message."""
        line = await self.read(seconds)
        if line is None:
            raise LabError(f"The program said nothing within {seconds:g} seconds; look at what was sent to it.")
        if (message := parsed(line)) is None:
            raise LabError(
                f"On standard output, each line has to be one JSON object, but the program wrote {line[:100]!r}; "
                "a server prints what is for people to standard error."
            )
        return message

    async def close(self) -> int:
        """Close its input, which ends a server; returns its exit code. A program that goes on is ended."""
        assert self.child.stdin
        with suppress(OSError):  # it has ended before
            self.child.stdin.close()
        try:
            return await asyncio.to_thread(self.child.wait, 10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return await asyncio.to_thread(self.child.wait)

    def _over(self) -> LabError:
        try:
            code = self.child.wait(2)
        except subprocess.TimeoutExpired:
            return LabError("The program has closed its standard output, so nothing more can come; start it again.")
        time.sleep(0.05)  # its last words arrive on another thread
        said = f"; its last words: {self._beside[-1][:200]!r}" if self._beside and code else ""
        return LabError(f"The program has ended with code {code}{said}. Start it again, with a new Wire or Program.")


def parsed(line: str) -> Message | None:
    """The JSON object in a line, or None if there is none."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def drawn(frames: Any, server: str = "server") -> Trace:
    """A list of (direction, message) as a trace, which `frames.sequence`, `frames.table` and `frames.stepper` draw."""
    trace, methods = Trace(f"the wire to {server}"), dict[tuple[str, str], str]()
    for pair in frames if isinstance(frames, list | tuple) else [frames]:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or pair[0] not in ("sent", "received"):
            raise LabError(f"Frames are a list of pairs, (“sent” or “received”, message), but one is {pair!r}.")
        way, message = pair
        number, error = (message.get("id") if isinstance(message, dict) else None), None
        if isinstance(message, LabError):
            name, frame, message = str(message), "ended", None
        elif not isinstance(message, dict):
            name, frame = ("nothing came", "silence") if message is None else ("no message", "junk")
        elif isinstance(message.get("method"), str):
            name, frame = message["method"], "notification" if number is None else "request"
            methods[way, str(number)] = name
        else:
            frame = "error" if "error" in message else "result" if "result" in message else "junk"
            asked = methods.get(("received" if way == "sent" else "sent", str(number)), "unknown")
            name = "no message" if frame == "junk" else f"{asked}: {frame}"
        if frame == "error":
            fault = message["error"]
            error = f"{fault.get('code')}: {fault.get('message')}" if isinstance(fault, dict) else str(fault)
        about = {"llmlab.server": server, "llmlab.direction": way, "llmlab.frame": frame, "llmlab.message": message}
        trace.add("protocol", name, about, error)
    return trace


async def exchange(command: Sequence[str], messages: Any, server: str = "server", seconds: float = 3.0) -> Trace:
    """Start a server, send messages exactly as they stand (a text as it is), and draw up what was said.

    The reply to a request is waited for as long as a server needs to start, anything else for a few seconds.
    """
    messages = [messages] if isinstance(messages, dict | str) else messages
    if not isinstance(messages, list | tuple):
        raise LabError(f"Messages are a list of dicts (or of texts), but got {messages!r}.")
    program, said = Program(command), list[tuple[str, Any]]()
    try:
        for message in messages:
            line = message if isinstance(message, str) else _json(message)
            program.write(line)
            said.append(("sent", line if (sent := parsed(line)) is None else sent))
            kind = _kind(sent)
            before = len(said)
            await _replies(program, said, sent["id"] if sent and kind is JSONRPCRequest else None, seconds)
            if kind is not JSONRPCNotification and len(said) == before:
                said.append(("received", None))  # a reply was due, or it was no message
    except LabError as error:
        if not said:
            raise
        said.append(("received", error))
    finally:
        await program.close()
    return drawn(said, server)


def _json(message: Any) -> str:
    try:
        return json.dumps(message)
    except (TypeError, ValueError) as error:
        raise LabError(f"A message is sent as JSON, but {message!r} cannot be written so ({error}).") from None


def _kind(message: Message | None) -> type | None:
    """Whether it is a request, a notification or a reply of JSON-RPC; None if it is none of them."""
    try:
        return type(jsonrpc_message_adapter.validate_python(message))
    except ValueError:
        return None


async def _replies(program: Program, said: list[tuple[str, Any]], number: Any, seconds: float) -> None:
    """Write down what comes until the reply with this number, or until nothing more comes."""
    wait = seconds if number is None else START
    while line := await program.read(wait):
        message = parsed(line)
        said.append(("received", line if message is None else message))
        if message and number is not None and message.get("id") == number and "method" not in message:
            return
        wait = seconds


def foreign(module: str) -> list[str] | None:
    """The command of a server from PyPI by its module, from this environment or the tests' own; None if in neither."""
    if importlib.util.find_spec(module):
        return [sys.executable, "-m", module]
    for python in (INSTALLED / "bin" / "python", INSTALLED / "Scripts" / "python.exe"):
        packages = [
            *INSTALLED.glob(f"lib/python*/site-packages/{module}"),
            *INSTALLED.glob(f"Lib/site-packages/{module}"),
        ]
        if python.exists() and packages:
            return [str(python), "-m", module]
    return None
