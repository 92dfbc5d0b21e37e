"""An address on loopback behind which the connected model answers: for frameworks, with every request in the trace."""

from __future__ import annotations

import asyncio
import contextvars
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from llmlab import redaction
from llmlab.errors import LabError

if TYPE_CHECKING:
    from llmlab.llm.chat import Model

OURS = (
    "messages",
    "tools",
    "temperature",
    "max_tokens",
    "seed",
)  # what `chat` takes by name; the rest goes on as it is
NOT_SENT = ("model", "stream", "stream_options", "max_completion_tokens")


@contextmanager
def serve(model: Model) -> Iterator[str]:
    """Answer `/chat/completions` and `/models` in threads of their own, until the block ends; gives the base URL.

    The URL holds a random part, so that no other program or web page finds it. Its calls run beside the caller's event
    loop, so that a framework that blocks it (`invoke`) is answered, too.
    """
    context, path = contextvars.copy_context(), f"/{redaction.hide(secrets.token_urlsafe(16))}/v1"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize, disable_nagle_algorithm = -1, True  # one packet: else 40 ms of waiting for an acknowledgement

        def do_GET(self) -> None:
            listed = {"object": "list", "data": [{"id": model.name, "object": "model"}]}
            self._send(*((200, listed) if self.path == f"{path}/models" else _error(404, f"no {self.path}")))

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.path != f"{path}/chat/completions":
                return self._send(*_error(404, "the lab's endpoint answers /chat/completions and /models"))
            try:
                body = json.loads(content)
                answer = context.copy().run(asyncio.run, _asked(model, body))
            except (LabError, ValueError, TypeError) as error:
                status = {"rate_limit": 429, "server": 503}.get(getattr(error, "kind", ""), 400)
                return self._send(*_error(status, str(error)))
            return self._send(200, answer, stream=bool(body.get("stream")))

        def _send(self, status: int, answer: dict[str, Any], stream: bool = False) -> None:
            text = json.dumps(answer) if not stream else _stream(answer)
            self.send_response(status)
            self.send_header("content-type", "text/event-stream" if stream else "application/json")
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{path}"
    finally:
        server.shutdown()
        server.server_close()


async def _asked(model: Model, body: dict[str, Any]) -> dict[str, Any]:
    """A request as any OpenAI client writes it -> `Model.chat` -> the reply as it came."""
    given = {name: body[name] for name in OURS if body.get(name) is not None}
    if limit := body.get("max_completion_tokens"):
        given.setdefault("max_tokens", limit)
    more = {k: v for k, v in body.items() if k not in (*OURS, *NOT_SENT) and v is not None}
    reply = await model.chat(**given, **more)
    return {"id": "lab", "object": "chat.completion", "created": 0, "model": model.name, **reply.response}


def _stream(answer: dict[str, Any]) -> str:
    """A whole reply as a stream of two events: all of it, and the usage."""
    head = {**{k: answer[k] for k in ("id", "created", "model")}, "object": "chat.completion.chunk"}
    choices = []
    for choice in answer["choices"]:
        calls = choice["message"].get("tool_calls")
        numbered = {"tool_calls": [{"index": i, **call} for i, call in enumerate(calls)]} if calls else {}
        choices.append({"index": 0, "delta": choice["message"] | numbered, "finish_reason": choice["finish_reason"]})
    events = [{**head, "choices": choices}, {**head, "choices": [], "usage": answer.get("usage")}]
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def _error(status: int, said: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"message": said, "type": "llmlab"}}
