"""Record the exchanges with a model, and replay them exactly without one.

It is an HTTP transport under the openai client, so that everything that is sent through it is covered, whoever sends
it. An exchange is found by its request and its occurrence: the second time the same request is sent, the second
recorded reply comes back. A seed that the lab has drawn, streaming and the model's name are no part of the request.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx2

from llmlab.errors import RecordingError, RecordingMiss
from llmlab.redaction import plain, redact

HEADER = "x-llmlab"  # a response header: where the reply came from, as JSON
DRAWN_SEED = "x-llmlab-drawn-seed"  # a request header, taken off before the request leaves

Exchange = dict[str, Any]  # a line of the file; `n` counts from 0 the times that this request was sent


@dataclass
class Recording:
    """The exchanges of a chapter, and what is known of the model behind each connection."""

    chapter: str
    recorded: str
    connections: dict[str, dict[str, Any]]
    exchanges: list[Exchange]

    @classmethod
    def load(cls, file: Path) -> Recording:
        """Read a recording. Raises RecordingError when the file is missing or is no recording."""
        try:
            header, *lines = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
            if header["llmlab_recording"] != 1:
                raise ValueError("another version")
            connections = {line["connection"]: line for line in lines if "key" not in line}
            return cls(header["chapter"], header["recorded"], connections, [line for line in lines if "key" in line])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RecordingError(
                f"LLMLAB_REPLAY takes a recording that `llmlab record` wrote, but {redact(str(file))} cannot be read "
                f"as one ({type(error).__name__}); check the path, or record the chapter anew."
            ) from error

    def find(self, asked: Exchange, wrap: bool) -> Exchange | None:
        """The n-th reply to a request; with `wrap`, a request that was sent more often starts again at the first."""
        same = [e for e in self.exchanges if (e["connection"], e["key"]) == (asked["connection"], asked["key"])]
        if not same or (asked["n"] >= len(same) and not wrap):
            return None
        # Requests that were sent side by side may have been answered, and written, in another order.
        return sorted(same, key=lambda e: int(e["n"]))[asked["n"] % len(same)]

    def explain(self, asked: Exchange) -> str:
        """The nearest recorded request, and the lines that only it (-) or only this one (+) has."""
        found, lines_of = [], partial(json.dumps, indent=0, sort_keys=True, ensure_ascii=False)
        for number, old in enumerate(self.exchanges, 1):
            if (old["connection"], old["path"]) == (asked["connection"], asked["path"]):
                was, now = (lines_of(e["request"]).split("\n") for e in (old, asked))
                changes = list(difflib.unified_diff(was, now, n=0))[2:]
                # The old seed may have been drawn, and is then no difference.
                found.append((number, [c.rstrip(",")[:100] for c in changes if not c.startswith(("@", '-"seed"'))]))
        if not found:
            return f"it has no request to {asked['path']} on the connection {asked['connection']!r}"
        number, lines = min(found, key=lambda each: len(each[1]))
        differs = " ".join(lines[:6]) or "nothing differs, but it was recorded fewer times than it is sent now"
        return f"the nearest is request {number}, where {differs}"

    def reply(self, found: Exchange) -> httpx2.Response:
        """The recorded reply, which says that it is one."""
        note = {"source": "recording", "seconds": found["seconds"], "recorded": self.recorded}
        if isinstance(found["request"], dict) and "seed" in found["request"]:
            note["seed"] = found["request"]["seed"]
        said = found["response"]
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        headers = {"content-type": found["content_type"], HEADER: json.dumps(note)}
        return httpx2.Response(found["status"], headers=headers, content=text.encode())


@cache
def begin(file: Path, chapter: str) -> Counter[tuple[str, str]]:
    """Begin a recording anew, once in a process; the result counts how often each request is sent."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("", encoding="utf-8")
    append(file, llmlab_recording=1, chapter=chapter, recorded=date.today().isoformat())
    return Counter()


def append(file: Path, **line: Any) -> None:
    """Write an exchange, or what is known of the model behind a connection; without keys and home paths."""
    with file.open("a", encoding="utf-8", errors="replace") as out:
        out.write(json.dumps(plain(line), ensure_ascii=False) + "\n")


def file_in(path: Path, chapter: str) -> Path:
    """The recording of a chapter, where `path` is a recording or a folder of them."""
    return path if path.suffix == ".jsonl" else path / f"{chapter or 'session'}.jsonl"


@dataclass(eq=False)
class Transport(httpx2.AsyncBaseTransport):
    """Answer a request from a `recording`, else `send` it to a model; what was sent and answered goes into a `file`.

    Without `send`, what is not in the recording raises RecordingMiss. `base` is the path before all the API's paths.
    """

    send: Callable[[httpx2.Request], Awaitable[httpx2.Response]] | None
    connection: str = "model"
    base: str = "/v1"
    recording: Recording | None = None
    file: Path | None = None
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request."""
        asked, seed = self._read(request)
        why = ""
        if self.recording:
            if found := self.recording.find(asked, wrap=self.send is not None):
                return self.recording.reply(found)
            why = self.recording.explain(asked)
        if self.send is None:
            raise RecordingMiss(
                f"A replay takes only requests that were recorded, but this one to {asked['path']} is not in the "
                f"recording: {why}; record the chapter anew with `llmlab record`."
            )
        started = time.perf_counter()
        response = await self.send(request)
        if why:
            response.headers[HEADER] = json.dumps({"source": "embedded", "note": f"Not in the recording: {why}."})
        elif self.file:
            content, seconds = _data(await response.aread()), round(time.perf_counter() - started, 3)
            status, kind = response.status_code, response.headers.get("content-type", "")
            if status in (408, 409, 429) or status >= 500:
                # It passes: the client asks again, and the next reply counts.
                self.sent[self.connection, asked["key"]] -= 1
            else:
                asked["request"] = {**asked["request"], **seed} if seed else asked["request"]
                append(self.file, **asked, status=status, content_type=kind, response=content, seconds=seconds)
        return response

    def _read(self, request: httpx2.Request) -> tuple[Exchange, dict[str, Any]]:
        """The first half of an exchange, and apart from it the seed that the lab has drawn."""
        drawn, seed = request.headers.pop(DRAWN_SEED, "") == "1", {}
        path, body = request.url.path.removeprefix(self.base), _data(request.content)
        if isinstance(body, dict):
            body = {name: value for name, value in body.items() if name not in ("model", "stream", "stream_options")}
            if drawn and "seed" in body:
                seed = {"seed": body.pop("seed")}
        text = json.dumps([path, body], sort_keys=True, ensure_ascii=False)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.sent[self.connection, key] += 1
        n = self.sent[self.connection, key] - 1
        return {"connection": self.connection, "key": key, "n": n, "path": path, "request": body}, seed


def _data(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode("utf-8", "replace")
