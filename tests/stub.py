"""A server on loopback that plays OpenAI's chat API: it answers what a test has scripted, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from llmlab import connect
from llmlab.llm.chat import Model

KEY = "a-key-that-nobody-may-see"


def reply(text: str = "Hello.", calls: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """A chat reply. `calls` are names of tools with their arguments; the stub sends it whole or in chunks, as asked."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, (name, arguments) in enumerate(calls.items())
        ]
    choice = {"index": 0, "finish_reason": "tool_calls" if calls else "stop", "message": message}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}
    return {"id": "chatcmpl-1", "model": "stub-model-2", "choices": [choice], "usage": usage, **more}


def chunks(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """The same reply as a stream: text word by word, a tool call's arguments in pieces of four characters."""
    choice = whole["choices"][0]
    words = choice["message"]["content"].split(" ")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    deltas += [{"content": word if i == 0 else f" {word}"} for i, word in enumerate(words)]
    for i, call in enumerate(choice["message"].get("tool_calls", [])):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        deltas.append({"tool_calls": [{**call, "index": i, "function": {"name": name, "arguments": ""}}]})
        pieces = [arguments[n : n + 4] for n in range(0, len(arguments), 4)]
        deltas += [{"tool_calls": [{"index": i, "function": {"arguments": piece}}]} for piece in pieces]
    head = {"id": whole["id"], "object": "chat.completion.chunk", "model": whole["model"]}
    made = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    if "logprobs" in choice:
        made[1]["choices"][0]["logprobs"] = choice["logprobs"]
    made.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    return [*made, {**head, "choices": [], "usage": whole["usage"]}]


@dataclass
class Raw:
    """Bytes as they go out. `cut` closes the connection before the end is told; `hang` never comes to the end."""

    content: str = ""
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    hang: bool = False


def error(status: int, message: str, **headers: str) -> Raw:
    """A refusal in OpenAI's form."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Raw(json.dumps({"error": {"message": message, "type": "stub"}}), status, headers=named)


def stream(*data: Any, **more: Any) -> Raw:
    """Chunks that are sent as they are."""
    return Raw("".join(f"data: {json.dumps(d)}\n\n" for d in data), kind="text/event-stream", **more)


class Stub:
    """The server. `answers` are used up in order, the last one again and again; `asked` are the bodies that came."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any] | Raw] = [reply()]
        self.asked: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.models: list[str] | Raw = ["stub-model"]
        self.over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Stub:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    async def model(self, **override: Any) -> Model:
        """A model that is connected to this server."""
        return await connect("endpoint", **{"base_url": self.url, "api_key": KEY, "model": "stub-model", **override})

    def next(self, body: Any) -> Raw:
        """The next answer, in the form that the request asks for."""
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Raw):
            return answer
        if body.get("stream") and "choices" in answer:
            made = stream(*chunks(answer))
            made.content += "data: [DONE]\n\n"
            return made
        return Raw(json.dumps(answer))

    def _handler(stub) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if isinstance(stub.models, Raw):
                    return self.send(stub.models)
                listed = [{"id": name, "object": "model"} for name in stub.models]
                return self.send(Raw(json.dumps({"object": "list", "data": listed})))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                stub.asked.append(body)
                stub.headers.append({name.lower(): value for name, value in self.headers.items()})
                self.send(stub.next(body))

            def send(self, answer: Raw) -> None:
                self.send_response(answer.status)
                told = {"content-type": answer.kind, "transfer-encoding": "chunked", **answer.headers}
                for name, value in told.items():
                    self.send_header(name, value)
                self.end_headers()
                data = answer.content.encode()
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                if answer.hang:
                    stub.over.wait()
                elif not answer.cut:
                    self.wfile.write(b"0\r\n\r\n")
                self.close_connection = answer.cut or answer.hang

            def log_message(self, *args: Any) -> None:
                pass

        return Handler
