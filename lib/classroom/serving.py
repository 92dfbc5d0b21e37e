"""`llmlab serve`: the connected model for everybody in the room, behind one key, each reader in turn."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from html import escape
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from classroom import keys
from classroom.collecting import Collected
from classroom.queueing import TooMany, Turns
from llmlab import connect
from llmlab.llm.chat import ADAPTER, LORA, Model
from llmlab.llm.local import SLOTS

SERVED = ("chat/completions", "completions", "responses", "embeddings")  # of the model's API; nothing else goes through
EXTRA = ("apply-template", "tokenize")  # llama.cpp's own: chapter 04 shows what the model reads
PATIENCE = 10.0  # seconds; then a space goes out now and then, so that the reader's client goes on waiting
ON_A_HUB = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "")  # where a hub that has started this shows its pages
PAGE = Path(__file__).with_name("serving.html")


class Gateway:
    """Stands before the model's server: asks for the key, puts requests in turn, and hands them on as they came."""

    def __init__(self, model: Model, key: str, at_once: int, most: int = 32, lines: str = "", teacher: str = ""):
        self.model, self.key, self.turns, self.lines = model, key, Turns(at_once, most), lines
        self.progress = Collected(lambda request: self.reader(request) is not None, teacher or secrets.token_hex(8))
        self.upstream = httpx2.AsyncClient(
            headers={"authorization": f"Bearer {model.client.api_key}"},
            timeout=httpx2.Timeout(None, connect=10),
            limits=httpx2.Limits(max_connections=None),
            trust_env=False,
        )
        asked = [Route(f"/v1/{name}", self.asked, methods=["POST"]) for name in SERVED]
        extra = [Route(f"/{name}", self.asked, methods=["POST"]) for name in EXTRA]
        looked = [Route("/v1/models", self.models), Route("/", self.page), Route("/status", self.status)]
        routes: list[BaseRoute] = [*asked, *extra, *looked, *self.progress.routes]
        if ON_A_HUB:
            routes.append(Mount(ON_A_HUB.rstrip("/"), routes=[*looked, *self.progress.routes]))
        self.app = Starlette(routes=routes)

    def reader(self, request: Request) -> str | None:
        """Who asks: the name behind the key (`key.anna`), else the address; None without the key."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ") or request.query_params.get("key", "")
        if not keys.fits(given, self.key):
            return None
        return given.partition(".")[2][:40] or (request.client.host if request.client else "somebody")

    async def models(self, request: Request) -> Response:
        """The one model that is served here."""
        if self.reader(request) is None:
            return refused(401, "The class's key is missing or wrong; the teacher's page shows it.")
        return JSONResponse({"object": "list", "data": [{"id": self.model.name, "object": "model"}]})

    async def status(self, request: Request) -> Response:
        """Who waits, and how fast the model writes."""
        if self.reader(request) is None:
            return refused(401, "The class's key is missing or wrong; the teacher's page shows it.")
        return JSONResponse(self.state())

    async def page(self, request: Request) -> Response:
        """The same for people."""
        if self.reader(request) is None:
            return HTMLResponse("The page's address ends in ?key=…; the teacher has it.", 401)
        text = PAGE.read_text(encoding="utf-8").replace("{lines}", escape(self.lines))
        return HTMLResponse(text.replace("{model}", escape(self.model.name)))

    def state(self) -> dict[str, Any]:
        """What the page shows."""
        return {
            "readers": self.turns.table(),
            "tokens_per_second": round(self.turns.speed(), 1),
            "slots": self.turns.slots,
        }

    async def asked(self, request: Request) -> Response:
        """One request: in its turn, to the model, and back as it comes."""
        reader = self.reader(request)
        if reader is None:
            return refused(401, "The class's key is missing or wrong; the teacher's page shows it.")
        try:
            body = json.loads(await request.body())
            if not isinstance(body, dict):
                raise TypeError
        except (ValueError, TypeError):
            return refused(400, "A request is a JSON object; this one is not.")
        if body.get("tools") and ADAPTER in self.model.provenance:
            body.setdefault("lora", LORA)  # as `Model.chat` does where the model is its own
        if len(self.turns.waiting.get(reader, ())) >= self.turns.most:
            return refused(429, f"{self.turns.most} requests of yours wait already; let some come back first.")
        return await Passed(self, request, reader, body).response()


class Passed:
    """A request on its way: the answer is a stream, so that a reader who leaves gives the slot back."""

    def __init__(self, gateway: Gateway, request: Request, reader: str, body: dict[str, Any]):
        self.gateway, self.reader, self.body = gateway, reader, body
        base = str(gateway.model.client.base_url).rstrip("/")
        path = request.url.path
        self.request = request
        self.url = base + path.removeprefix("/v1") if path.startswith("/v1/") else base.removesuffix("/v1") + path
        self.stack, self.kept = AsyncExitStack(), b""

    async def response(self) -> Response:
        """The model's answer, with its status if it comes soon, else after spaces, which JSON allows."""
        task, left = asyncio.create_task(self._open()), asyncio.create_task(self._left())
        await asyncio.wait([task, left], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        left.cancel()
        if left.done() and not task.done():
            await self.end(task)
            return refused(499, "The reader has left.")
        if task.done():
            try:
                answer = task.result()
            except TooMany:
                return refused(429, "Too many requests of yours wait already; let some come back first.")
            except httpx2.HTTPError as error:
                return refused(502, f"The model's server does not answer ({type(error).__name__}); tell the teacher.")
            kind = answer.headers.get("content-type", "application/json")
            return Streamed(self, task, answer.status_code, kind)
        kind = "text/event-stream" if self.body.get("stream") else "application/json"
        return Streamed(self, task, 200, kind)

    async def _left(self) -> None:
        while not await self.request.is_disconnected():  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(0.2)

    async def end(self, task: asyncio.Task[httpx2.Response]) -> None:
        """Give the turn back, and count what was written."""
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self.stack.aclose()
        self.gateway.turns.wrote(self.reader, tokens_in(self.kept, bool(self.body.get("stream"))))

    async def _open(self) -> httpx2.Response:
        await self.stack.enter_async_context(self.gateway.turns.turn(self.reader))
        request = self.gateway.upstream.build_request("POST", self.url, json=self.body)
        answer = await self.gateway.upstream.send(request, stream=True)
        self.stack.push_async_callback(answer.aclose)
        return answer

    async def pieces(self, task: asyncio.Task[httpx2.Response]) -> AsyncIterator[bytes]:
        """The answer as it comes, and something now and then while it does not."""
        streamed = bool(self.body.get("stream"))
        while not task.done():
            yield b": waiting\n\n" if streamed else b" "
            await asyncio.wait([task], timeout=PATIENCE)
        try:
            async for piece in task.result().aiter_raw():
                self.kept += piece
                yield piece
        except (httpx2.HTTPError, TooMany) as error:
            said = {"error": {"message": f"The model's server broke off ({type(error).__name__}).", "code": 502}}
            yield (f"data: {json.dumps(said)}\n\n" if streamed else json.dumps(said)).encode()


class Streamed(StreamingResponse):
    """The answer as it comes. Whether it is read to its end, in part or not at all, the turn is over then."""

    def __init__(self, passed: Passed, task: asyncio.Task[httpx2.Response], status: int, kind: str):
        super().__init__(passed.pieces(task), status, media_type=kind)
        self.passed, self.task = passed, task

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.passed.end(self.task)


def tokens_in(answer: bytes, streamed: bool) -> int:
    """The tokens that an answer holds, as its server counts them; of a stream that does not say, its pieces."""
    lines = answer.decode("utf-8", "replace").splitlines() if streamed else [answer.decode("utf-8", "replace")]
    found, pieces = 0, 0
    for line in lines:
        try:
            data = json.loads(line.removeprefix("data: "))
            pieces += 1
            found = (data.get("usage") or {}).get("completion_tokens") or found
        except (ValueError, AttributeError):
            continue
    return found or (pieces if streamed else 0)


def refused(status: int, sentence: str) -> JSONResponse:
    """An error as OpenAI's API says it."""
    wait = {"retry-after": "5"} if status == 429 else None
    return JSONResponse({"error": {"message": sentence, "code": status}}, status, wait)


def address() -> str:
    """This machine's address in the room's network, as far as it can be seen; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: an address for documentation
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


@asynccontextmanager
async def served(
    host: str = "127.0.0.1",
    port: int = 0,
    key: str | None = None,
    at_once: int | None = None,
    teacher: str = "",
    solutions: str = "",
) -> AsyncIterator[tuple[str, Gateway]]:
    """Serve the connected model until the block ends; gives the address and the gateway."""
    model, key = await connect(), key or secrets.token_hex(8)
    slots = at_once or (SLOTS if model.source == "embedded" else 16)
    gateway = Gateway(model, key, slots, teacher=teacher)
    config = uvicorn.Config(gateway.app, host, port, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    listening = socket.create_server((host, port))
    where = f"http://{address() if host == '0.0.0.0' else host}:{listening.getsockname()[1]}"
    gateway.lines = f"OPENAI_BASE_URL={where}/v1\nOPENAI_API_KEY={key}\nLLMLAB_CLASSROOM={where}/?key={key}"
    gateway.lines += f"\nLLMLAB_SOLUTIONS={solutions}" if solutions else ""
    if ON_A_HUB:
        gateway.lines = "# On this hub all of this is done already."
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield where, gateway
    finally:
        server.should_exit = True
        await task
        await gateway.upstream.aclose()
        await model.aclose()


async def run(host: str, port: int, key: str | None, at_once: int | None, solutions: str) -> None:
    """The command: say what everybody has to know, then serve until Ctrl+C. Keys may come in the environment, too, where
    a list of processes does not show them."""
    import segno

    key, teacher = key or os.environ.get("LLMLAB_CLASS_KEY"), os.environ.get("LLMLAB_TEACHER_KEY", "")
    async with served(host, port, key, at_once, teacher, solutions) as (where, gateway):
        page = f"{where}/?key={gateway.key}"
        if ON_A_HUB:  # its log is no place for keys
            print(f"{gateway.model.name} is served to the hub, {gateway.turns.slots} requests at once.", flush=True)
            await asyncio.Event().wait()
        print(f"{gateway.model.name} is served to the room, {gateway.turns.slots} requests at once.\n")
        print("Everybody writes these lines into the file .env of the kit's folder, and restarts the kernel:\n")
        print(f"{gateway.lines}\n\nA name behind the key (…{gateway.key[-4:]}.anna) is shown on the page: {page}\n")
        segno.make(page).terminal(compact=True)
        print(f"Where the class is, for you only: {where}/class?key={gateway.progress.key}\n")
        print("Stop with Ctrl+C.", flush=True)
        await asyncio.Event().wait()
