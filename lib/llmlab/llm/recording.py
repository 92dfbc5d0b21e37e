"""Record the exchanges with a model, and replay them exactly without one.

Both are HTTP transports under the openai client, so that everything that is sent through it is covered, whoever
sends it. An exchange is found by its request and its occurrence: the second time the same request is sent, the second
recorded reply comes back. A seed that the lab has drawn, streaming and the model's name are no part of the request.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx2

from llmlab.errors import RecordingError, RecordingMiss
from llmlab.redaction import plain, redact

HEADER = "x-llmlab"  # a response header: where the reply came from, as JSON
DRAWN_SEED = "x-llmlab-drawn-seed"  # a request header, taken off before the request leaves
_PASSING = (408, 409, 429)  # with 500 and above: failures that pass, and belong in no recording
_NOT_KEYED = ("model", "stream", "stream_options")


@dataclass
class Exchange:
    """One request and its reply, as data. `n` counts from 0 the times that this request was sent."""

    connection: str
    key: str
    n: int
    path: str
    request: Any
    status: int
    content_type: str
    response: Any
    seconds: float


@dataclass
class Recording:
    """The exchanges of a chapter, and what is known of the model behind each connection."""

    chapter: str = ""
    recorded: str = ""
    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)

    @classmethod
    def load(cls, file: Path) -> Recording:
        """Read a recording. Raises RecordingError when the file is missing or is no recording."""
        try:
            header, *lines = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
            found = cls(header["chapter"], header["recorded"])
            if header["llmlab_recording"] != 1:
                raise ValueError("another version")
            for line in lines:
                if "key" in line:
                    found.exchanges.append(Exchange(**line))
                else:
                    found.connections[line.pop("connection")] = line
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordingError(
                f"LLMLAB_REPLAY takes a recording that `llmlab record` wrote, but {redact(str(file))} cannot be read "
                f"as one ({type(error).__name__}); check the path, or record the chapter anew."
            ) from error
        return found

    def find(self, connection: str, key: str, n: int, wrap: bool) -> Exchange | None:
        """The n-th reply to a request; with `wrap`, a request that was sent more often starts again at the first."""
        # Requests that were sent side by side may have been answered, and written, in another order.
        same = sorted((e for e in self.exchanges if (e.connection, e.key) == (connection, key)), key=lambda e: e.n)
        if not same or (n >= len(same) and not wrap):
            return None
        return same[n % len(same)]

    def explain(self, connection: str, path: str, body: Any) -> str:
        """The nearest recorded request, and what differs."""
        near = [e for e in self.exchanges if (e.connection, e.path) == (connection, path)]
        if not near:
            return f"it has no request to {path} on the connection {connection!r}"
        drawn = isinstance(body, dict) and "seed" not in body  # then the recorded one is no difference
        asked = [body_of(e.request, drawn) for e in near]
        ranked = [(len(d := list(differences(old, body))), i, d) for i, old in enumerate(asked)]
        count, index, found = min(ranked)
        if not count:
            return f"request {index + 1} is the same, but was recorded fewer times than it is sent now"
        shown = "; ".join(found[:3]) + (f"; and {count - 3} more" if count > 3 else "")
        return f"the nearest is request {index + 1}, where {shown}"


def body_of(body: Any, drawn_seed: bool = False) -> Any:
    """The part of a request by which it is found again."""
    if not isinstance(body, dict):
        return body
    return {k: v for k, v in body.items() if k not in _NOT_KEYED and not (drawn_seed and k == "seed")}


def key_of(path: str, body: Any) -> str:
    """The name of a request: a hash over its path and its body."""
    text = json.dumps([path, body], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """Where two JSON values differ, a line each."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from differences(old.get(name), new.get(name), f"{at}.{name}" if at else name)
    elif isinstance(old, list) and isinstance(new, list):
        for i in range(max(len(old), len(new))):
            a, b = (x[i] if i < len(x) else None for x in (old, new))
            yield from differences(a, b, f"{at}[{i}]")
    elif old != new:
        yield f"{at} was {_short(old)} and is now {_short(new)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 70 else text[:67] + "…"


def _read(request: httpx2.Request, base: str) -> tuple[str, Any, bool]:
    drawn = request.headers.pop(DRAWN_SEED, "") == "1"
    path = request.url.path.removeprefix(base)
    content = request.content
    try:
        body = json.loads(content) if content else None
    except ValueError:
        body = content.decode("utf-8", "replace")
    return path, body, drawn


class Live(httpx2.AsyncBaseTransport):
    """Pass requests to a real server; with a file, record them. `base` is the path before all the API's paths."""

    def __init__(
        self, file: File | None = None, connection: str = "model", base: str = "/v1", proxy: str | None = None
    ):
        self.file, self.connection, self.base, self.proxy = file, connection, base, proxy
        # Connections belong to the event loop that opened them: a script may call asyncio.run more than once.
        self._inner: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncHTTPTransport] = (
            weakref.WeakKeyDictionary()
        )

    @property
    def inner(self) -> httpx2.AsyncHTTPTransport:
        """The connections of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._inner:
            self._inner[loop] = httpx2.AsyncHTTPTransport(proxy=self.proxy)
        return self._inner[loop]

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request."""
        if self.file is None:
            request.headers.pop(DRAWN_SEED, None)
            return await self.inner.handle_async_request(request)
        path, body, drawn = _read(request, self.base)
        keyed = body_of(body, drawn)
        key = key_of(path, keyed)
        n = self.file.sent[self.connection, key] = self.file.sent.get((self.connection, key), -1) + 1
        started = time.perf_counter()
        response = await self.inner.handle_async_request(request)
        content = await response.aread()
        seconds = round(time.perf_counter() - started, 3)
        kind = response.headers.get("content-type", "")
        try:
            data = json.loads(content)
        except ValueError:
            data = content.decode("utf-8", "replace")
        request_data = {**keyed, "seed": body["seed"]} if drawn and "seed" in body else keyed
        if response.status_code in _PASSING or response.status_code >= 500:
            self.file.sent[self.connection, key] -= 1  # the client will ask again, and the next reply counts
        else:
            self.file.add(
                Exchange(self.connection, key, n, path, request_data, response.status_code, kind, data, seconds)
            )
        told = {k: v for k, v in response.headers.items() if k in ("content-type", "retry-after")}
        return httpx2.Response(response.status_code, headers=told, content=content, request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.inner.aclose()


class Replay(httpx2.AsyncBaseTransport):
    """Answer requests from a recording.

    A request that is not in it raises RecordingMiss, or goes to `fallback` (the model in the box) where there is one.
    """

    def __init__(
        self,
        recording: Recording,
        connection: str = "model",
        fallback: Callable[[httpx2.Request], Awaitable[httpx2.Response]] | None = None,
    ):
        self.recording, self.connection, self.fallback = recording, connection, fallback
        self._sent: dict[str, int] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request."""
        path, body, drawn = _read(request, "/v1")
        keyed = body_of(body, drawn)
        key = key_of(path, keyed)
        n = self._sent[key] = self._sent.get(key, -1) + 1
        found = self.recording.find(self.connection, key, n, wrap=self.fallback is not None)
        if found is None:
            why = self.recording.explain(self.connection, path, keyed)
            if self.fallback is None:
                raise RecordingMiss(
                    f"A replay takes only requests that were recorded, but this one to {path} is not in the recording "
                    f"of {self.recording.chapter}: {why}; record the chapter anew with `llmlab record`."
                )
            response = await self.fallback(request)
            response.headers[HEADER] = json.dumps({"source": "embedded", "note": f"Not in the recording: {why}."})
            return response
        note = {"source": "recording", "seconds": found.seconds, "recorded": self.recording.recorded}
        if isinstance(found.request, dict) and "seed" in found.request:
            note["seed"] = found.request["seed"]
        text = found.response if isinstance(found.response, str) else json.dumps(found.response, ensure_ascii=False)
        return httpx2.Response(
            found.status,
            headers={"content-type": found.content_type, HEADER: json.dumps(note)},
            content=text.encode(),
            request=request,
        )


class File:
    """A recording that is being written: each exchange is on disk as soon as it is complete."""

    def __init__(self, path: Path, chapter: str):
        self.path = path
        self.sent: dict[tuple[str, str], int] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        header = {"llmlab_recording": 1, "chapter": chapter, "recorded": date.today().isoformat()}
        path.write_text(json.dumps(header) + "\n", encoding="utf-8")

    def connect(self, connection: str, about: dict[str, Any]) -> None:
        """Note the model behind a connection."""
        self._line({"connection": connection, **about})

    def add(self, exchange: Exchange) -> None:
        """Append one exchange, without keys and home paths."""
        self._line(asdict(exchange))

    def _line(self, data: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8", errors="replace") as out:
            out.write(json.dumps(plain(data), ensure_ascii=False) + "\n")


_files: dict[Path, File] = {}


def writer(path: Path, chapter: str) -> File:
    """The file that this process records a chapter into; the first call starts it anew."""
    if path not in _files:
        _files[path] = File(path, chapter)
    return _files[path]


def file_in(path: Path, chapter: str) -> Path:
    """The recording of a chapter, where `path` is a recording or a folder of them."""
    return path if path.suffix == ".jsonl" else path / f"{chapter or 'session'}.jsonl"
