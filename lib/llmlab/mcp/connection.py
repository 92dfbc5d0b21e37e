"""One MCP server, kept open by a task of its own: its lists, questions to it, and a sentence for what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import version
from typing import Any, TypeVar

import anyio
import httpx2
import mcp.client.session
import mcp_types as types
from mcp import Client, MCPError
from mcp.client.subscriptions import SubscriptionLost
from mcp.server import MCPServer
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from llmlab import redaction, trace
from llmlab.errors import ServerError
from llmlab.mcp.offers import Offer
from llmlab.mcp.tap import HTTP_STATUS, WireTap
from llmlab.mcp.transports import Remote, Stderr, Target, transport

# A process that starts slower than the SDK's 10 s, as with npx, would be taken for a server of the handshake era.
mcp.client.session.DISCOVER_TIMEOUT_SECONDS = 30.0
TICK = 0.25  # seconds: an idle loop does not notice Jupyter's Interrupt button
LISTENS = 5.0  # seconds in which a server has to say that it will tell of changes
CLOSES = 8.0  # seconds; the SDK itself gives a process about 5
PAGES = 100  # of one list
REFUSALS = {  # what to do about an HTTP status
    (401,): 'give it what lets you in: {"url": …, "headers": {"Authorization": "Bearer …"}}',
    (403,): "ask whether you may use it, and look at the Origin and Authorization among its headers",
    (
        404,
        405,
    ): "check its address; one that ends in /sse speaks the older HTTP+SSE, which the lab does not: look for its "
    "newer address, often /mcp",
    (421,): "call it by the address that it expects: it checks the Host of each request",
    (429,): "wait, and call it less often",
    tuple(range(500, 600)): "look at the log of the server, where the cause stands",
}
_T = TypeVar("_T")
_owners: set[asyncio.Task[None]] = set()  # the loop alone would let go of a task


class Server:
    """A server that stays open: entered and left in one task of its own, which no cell's end or interrupt touches."""

    def __init__(
        self,
        name: str,
        target: Target,
        into: trace.Trace,
        mode: str = "auto",
        seconds: float = 30.0,
        starts: float = 60.0,
        http: bool = False,
        elicit: Callable[..., Any] | None = None,
    ):
        self.name, self.target, self.mode, self.seconds, self.starts = name, target, mode, seconds, starts
        self.client: Client | None = None
        self.protocol: str | None = None
        self.tools: list[Offer] = []
        self.resources: list[types.Resource] = []
        self.templates: list[types.ResourceTemplate] = []
        self.prompts: list[types.Prompt] = []
        self._stderr, self._elicit = Stderr(), elicit
        hooks: dict[str, list[Any]] = {}
        self.tap = WireTap(transport(target, self._stderr, hooks), name, into)
        if http:
            hooks.update(self.tap.hooks())
        hooks.setdefault("response", []).append(self.tap.refused)
        self._ready, self._stop, self._lists = asyncio.Event(), asyncio.Event(), asyncio.Lock()
        self._opened = self._stale = self._closing = False
        self._problem: BaseException | None = None
        self._scope = anyio.CancelScope()
        self._owner: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start or reach the server and read its lists. Raises ServerError."""
        self._owner = asyncio.create_task(self._own(), name=f"MCP server {self.name}")
        _owners.add(self._owner)
        self._owner.add_done_callback(_owners.discard)
        try:
            await self._ready.wait()
        except asyncio.CancelledError:  # the cell was interrupted
            self._scope.cancel()
            raise
        if not self._opened:
            await self._ended()
            raise self._sentence("start and say what it offers", self._check_it()) from self._problem

    async def close(self) -> None:
        """Close the connection; a process is ended."""
        self.stop()
        await self._ended()

    def stop(self) -> None:
        """Let the owner close the connection, without waiting for it."""
        self._closing = True
        self._stop.set()

    @property
    def is_open(self) -> bool:
        """Whether calls can be made; a process that has died is noticed at the next one."""
        return self.client is not None and not self._closing

    @property
    def stderr(self) -> str:
        """The last that a process has written beside the protocol."""
        return redaction.redact(self._stderr.text)

    @property
    def transport(self) -> str:
        """How it is reached."""
        return {MCPServer: "memory", Remote: "HTTP"}.get(type(self.target), "stdio")

    async def ask(self, what: str, send: Callable[[Client], Awaitable[_T]]) -> _T:
        """Send something and await the answer within the server's time. Raises ServerError."""
        if self.client is None or self._closing:
            raise self._lost("answer")
        try:
            async with asyncio.timeout(self.seconds) as clock:
                return await send(self.client)
        except TimeoutError as error:
            if not clock.expired():
                raise
            stray = f" (the last that came was {self.tap.stray[:200]})" if self.tap.stray else ""
            raise ServerError(
                self.name,
                f"Server {self.name} has {self.seconds:g} seconds for {what}, but took longer{stray}; give it more with "
                f"Host.open(…, seconds=…), or look at what it does.",
            ) from error
        except Exception as error:
            closed = isinstance(error, MCPError) and (error.code, error.message) == (
                types.CONNECTION_CLOSED,
                "Connection closed",  # over HTTP one answer may break off, and the server is still there
            )
            if closed or self.client is None:
                self._stop.set()
                await self._ended()
                raise self._lost(f"answer {what}") from error
            raise self._sentence(f"answer {what}", "look at its frames in the trace", error) from error

    async def refresh(self) -> None:
        """Read the lists again, if the server has said that they changed."""
        async with self._lists:
            if self._stale:
                self._stale = False  # before it is asked: what changes meanwhile is read at the next time
                try:
                    await self.ask("its lists", self._discover)
                except ServerError:
                    self._stale = True
                    raise

    async def _own(self) -> None:
        self._scope.deadline = anyio.current_time() + self.starts
        # What the SDK would log with tracebacks into the cell stands in the trace.
        logging.getLogger("mcp.client").setLevel(logging.CRITICAL)
        try:
            with self._scope:
                client = Client(
                    self.tap,
                    mode=self.mode,
                    cache=None,  # so that the reader sees each question on the wire
                    message_handler=self._heard,
                    elicitation_callback=self._elicited if self._elicit else None,
                    client_info=types.Implementation(name="llmlab", version=version("llmlab")),
                )
                async with client:
                    self.protocol = client.protocol_version
                    await self._discover(client)
                    async with self._changes(client):
                        self.client, self._opened, self._scope.deadline = client, True, math.inf
                        self._ready.set()
                        while not self._stop.is_set():
                            with contextlib.suppress(TimeoutError):
                                await asyncio.wait_for(self._stop.wait(), TICK)
        except (Exception, BaseExceptionGroup) as error:
            self._problem = error
        finally:
            self.client = None
            self._ready.set()

    @contextlib.asynccontextmanager
    async def _changes(self, client: Client) -> AsyncIterator[None]:
        """Be told of changed lists. In the handshake era servers say so unasked."""
        async with contextlib.AsyncExitStack() as stack:
            if client.protocol_version in MODERN_PROTOCOL_VERSIONS:
                offered = client.server_capabilities
                kinds = {
                    f"{kind}_list_changed": True
                    for kind in ("tools", "resources", "prompts")
                    if self._pinned or getattr(getattr(offered, kind), "list_changed", None)
                }
                if kinds:
                    with anyio.move_on_after(LISTENS), contextlib.suppress(MCPError, SubscriptionLost):
                        await stack.enter_async_context(client.listen(**kinds))  # type: ignore[arg-type]
            yield

    async def _heard(self, message: Any) -> None:
        changed = (
            types.ToolListChangedNotification
            | types.ResourceListChangedNotification
            | types.PromptListChangedNotification
        )
        if isinstance(message, changed):
            self._stale = True
            if self._opened:
                with contextlib.suppress(ServerError):  # the next call says it
                    await self.refresh()

    async def _elicited(self, context: Any, params: Any) -> types.ElicitResult:
        assert self._elicit
        answer = self._elicit(self.name, params.message, getattr(params, "requested_schema", None))
        answer = await answer if isinstance(answer, Awaitable) else answer
        return types.ElicitResult(action="decline" if answer is None else "accept", content=answer)

    @property
    def _pinned(self) -> bool:
        """With a fixed version nothing is negotiated, so nobody has said what the server can do."""
        return self.mode not in ("auto", "legacy")

    async def _discover(self, client: Client) -> None:
        can = client.server_capabilities
        self.tap.odd.clear()
        listed = {
            tool.name: tool for tool in await self._pages(client.list_tools, "tools", can.tools)
        }  # the last of a name
        self.tools = [Offer.of(self.name, tool, self.tap.outputs.get(name)) for name, tool in listed.items()]
        self.resources = await self._pages(client.list_resources, "resources", can.resources)
        self.templates = await self._pages(client.list_resource_templates, "resource_templates", can.resources)
        self.prompts = await self._pages(client.list_prompts, "prompts", can.prompts)

    async def _pages(self, fetch: Callable[..., Any], what: str, can: Any) -> list[Any]:
        found: list[Any] = []
        cursor = None
        if can is None and not self._pinned:
            return found
        for _ in range(PAGES):
            try:
                page = await fetch(cursor=cursor)
            except MCPError as error:
                if error.code == types.METHOD_NOT_FOUND:  # templates are optional where resources are offered
                    return found
                raise
            found += getattr(page, what)
            cursor = page.next_cursor
            if not cursor:
                return found
        raise RuntimeError(f"its list of {what} goes on after {PAGES} pages")

    async def _ended(self) -> None:
        """Wait until the owner has closed everything."""
        if self._owner and not self._owner.done():
            _, hanging = await asyncio.wait([self._owner], timeout=CLOSES)
            if hanging:
                self._scope.cancel()
                await asyncio.wait([self._owner], timeout=CLOSES)
        await self._stderr.ended()

    def _lost(self, what: str) -> ServerError:
        if self._closing:
            return ServerError(
                self.name,
                f"A call needs an open host, but the connection to server {self.name} was closed; open it again with "
                f"Host.open.",
            )
        return self._sentence(what, "open the host again")

    def _sentence(self, what: str, advice: str, error: BaseException | None = None) -> ServerError:
        error = _first(error or self._problem)
        status = _status(error)
        advice = next((said for code, said in REFUSALS.items() if status in code), advice)
        if self.tap.fault:
            why = self.tap.fault
        elif error is None and not self._opened:
            why = f"took longer than {self.starts:g} seconds"
        else:
            why = _why(error)
        last = "; ".join(self.stderr.strip().splitlines()[-3:])
        said = f" (it wrote: {last[-400:]})" if last else ""
        return ServerError(
            self.name,
            redaction.redact(f"Server {self.name} has to {what}, but {why}{said}; {advice}.".replace("\n", " ")),
        )

    def _check_it(self) -> str:
        advice = {"memory": "look at its code", "HTTP": "check that it runs, and its address"}
        return advice.get(self.transport, "run its command in a terminal to see more")


def _first(error: BaseException | None) -> BaseException | None:
    """An error without its groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _status(error: BaseException | None) -> int | None:
    """The HTTP status of a refusal, if it is one."""
    data = error.error.data if isinstance(error, MCPError) else None
    status = data.get(HTTP_STATUS) if isinstance(data, dict) else None
    return status if isinstance(status, int) else None


def _why(error: BaseException | None) -> str:
    """What an exception of the SDK means, without its stack."""
    if error is None or str(error) == "Connection closed":
        return "it ended"
    if isinstance(error, MCPError):
        # With an answer that is no JSON, the SDK hands on all that pydantic says about it.
        message = error.message.partition(": 1 validation")[0] if error.code == types.PARSE_ERROR else error.message
        if _status(error):
            return f"it refused ({message})"
        return f"it answered with an error ({error.code}: {message})"
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return f"its answer does not have the form that the protocol asks for ({where}: {first['msg']})"
    if isinstance(error, httpx2.HTTPError | OSError):
        return f"it cannot be reached ({error or type(error).__name__})"
    return f"it did not keep to the protocol ({error or type(error).__name__})"
