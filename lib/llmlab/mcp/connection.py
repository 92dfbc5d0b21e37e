"""One MCP server, kept open by a task of its own: its lists, questions to it, and a sentence for what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
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
from llmlab.mcp.offers import Offer, Prompt, Resource
from llmlab.mcp.tap import WireTap
from llmlab.mcp.transports import SESSION_LOST, Remote, Target, transport
from llmlab.wait import awake

# A process that starts slower than the SDK's 10 s, as with npx, would be taken for a server of the handshake era.
mcp.client.session.DISCOVER_TIMEOUT_SECONDS = 30.0
LISTENS = 5.0  # seconds in which a server has to say that it will tell of changes
CLOSES = 8.0  # seconds; the SDK itself gives a process about 5
PAGES = 100  # of one list
STDERR = 20_000  # bytes of the end that are read
# What to do where a server refuses with an HTTP status, does not start, takes too long, or else.
ADVICE: dict[Any, str] = {
    401: 'give it what lets you in: {"url": …, "headers": {"Authorization": "Bearer …"}}',
    403: "ask whether you may use it, and look at the Origin and Authorization among its headers",
    404: "check its address",
    421: "call it by the address that it expects: it checks the Host of each request",
    429: "wait, and call it less often",
    500: "look at the log of the server, where the cause stands",
    "memory": "look at its code",
    "HTTP": "check that it runs, and its address",
    "stdio": "run its command in a terminal to see more",
    TimeoutError: "give it more with Host.open(…, seconds=…), or look at what it does",
    None: "look at its frames in the trace",
}
_CHANGED = (
    types.ToolListChangedNotification | types.ResourceListChangedNotification | types.PromptListChangedNotification
)
_T = TypeVar("_T")


@dataclass(eq=False, repr=False)
class Server:
    """A server that stays open: entered and left in one task of its own, which no cell's end or interrupt touches."""

    name: str
    target: Target
    into: trace.Trace
    mode: str
    seconds: float  # for one question
    starts: float  # seconds to start in
    elicit: Callable[..., Any] | None
    client: Client | None = None
    protocol: str = ""
    tools: list[Offer] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)
    prompts: list[Prompt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lists, self._opening, self._stale = asyncio.Lock(), asyncio.Lock(), False

    async def open(self) -> None:
        """Start or reach the server and read its lists. Raises ServerError."""
        self.stop, ready = asyncio.Event(), asyncio.Event()
        self._problem: BaseException | None = None
        self._scope = anyio.CancelScope(deadline=anyio.current_time() + self.starts)
        self._owner = asyncio.create_task(self._own(ready), name=f"MCP server {self.name}")
        try:
            await ready.wait()
        except asyncio.CancelledError:  # the cell was interrupted
            self._scope.cancel()
            raise
        if not self.client:
            raise self._failed("start and say what it offers", self._problem, self.transport)

    async def close(self) -> None:
        """Close the connection; a process is ended."""
        self.stop.set()
        await asyncio.wait([self._owner])

    @property
    def transport(self) -> str:
        """How it is reached."""
        return {MCPServer: "memory", Remote: "HTTP"}.get(type(self.target), "stdio")

    def stderr(self) -> str:
        """The last that a process has written beside the protocol."""
        if not self._log.closed:
            self._log.seek(max(0, self._log.seek(0, 2) - STDERR))
            self._wrote = redaction.redact(self._log.read().decode(errors="replace"))
        return self._wrote

    async def ask(self, what: str, send: Callable[[Client], Awaitable[_T]], again: bool = True) -> _T:
        """Send something and await the answer within the server's time. Raises ServerError."""
        if not (client := self.client):
            said = (
                f"A call needs an open host, but the connection to server {self.name} has ended; use Host.open again."
            )
            raise ServerError(self.name, said)
        why: BaseException
        try:
            async with asyncio.timeout(self.seconds):
                return await send(client)
        except TimeoutError:
            stray = f" (the last that came was {self.tap.stray})" if self.tap.stray else ""
            why = TimeoutError(f"took longer than {self.seconds:g} seconds{stray}")
        except Exception as error:
            why = error
        if again and isinstance(why, MCPError) and why.code == SESSION_LOST:  # the protocol asks for a new one
            async with self._opening:
                if self.client is client:
                    await self.close()
                    await self.open()
            return await self.ask(what, send, again=False)
        if isinstance(why, MCPError) and why.message == "Connection closed":
            await self.close()
            why = self._problem or why
        raise self._failed(f"answer {what}", why, type(why)) from why

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

    async def _own(self, ready: asyncio.Event) -> None:
        # What the SDK would log with tracebacks into the cell stands in the trace.
        logging.getLogger("mcp.client").setLevel(logging.CRITICAL)
        try:
            with self._scope, awake(), tempfile.TemporaryFile("a+b", buffering=0) as self._log:
                self.tap = WireTap(transport(self.target, self._log), self.name, self.into)
                async with contextlib.AsyncExitStack() as stack:
                    stack.callback(self.stderr)  # what a process wrote to its end
                    client = Client(
                        self.tap,
                        mode=self.mode,
                        cache=None,  # so that the reader sees each question on the wire
                        message_handler=self._heard,
                        elicitation_callback=self._elicited if self.elicit else None,
                        client_info=types.Implementation(name="llmlab", version=version("llmlab")),
                    )
                    await stack.enter_async_context(client)
                    _tolerate_misfits(client)
                    self.protocol = client.protocol_version
                    await self._discover(client)
                    await self._listen(client, stack)
                    self.client, self._scope.deadline = client, math.inf
                    ready.set()
                    await self.stop.wait()
                    self._scope.deadline = anyio.current_time() + CLOSES
            if not ready.is_set():
                self._problem = TimeoutError(f"took longer than {self.starts:g} seconds")
        except (Exception, BaseExceptionGroup) as error:
            self._problem = error
        finally:
            self.client = None
            ready.set()

    async def _listen(self, client: Client, stack: contextlib.AsyncExitStack) -> None:
        """Subscribe to changes of the lists. Servers of the handshake era push them unasked."""
        can, pinned = client.server_capabilities, self.mode not in ("auto", "legacy")
        told = [k for k in ("tools", "resources", "prompts") if getattr(getattr(can, k), "list_changed", pinned)]
        kinds: dict[str, Any] = {f"{kind}_list_changed": True for kind in told}
        if kinds and client.protocol_version in MODERN_PROTOCOL_VERSIONS:
            with anyio.move_on_after(LISTENS), contextlib.suppress(MCPError, SubscriptionLost):
                await stack.enter_async_context(client.listen(**kinds))

    async def _heard(self, message: Any) -> None:
        if isinstance(message, _CHANGED):
            self._stale = True
            if self.client:
                with contextlib.suppress(ServerError):  # the next call says it
                    await self.refresh()

    async def _elicited(self, context: Any, params: Any) -> types.ElicitResult:
        assert self.elicit
        answer = self.elicit(self.name, params.message, getattr(params, "requested_schema", None))
        answer = await answer if isinstance(answer, Awaitable) else answer
        return types.ElicitResult(action="decline" if answer is None else "accept", content=answer)

    async def _discover(self, client: Client) -> None:
        self.tap.odd.clear()
        tools = [Offer.of(self.name, tool) for tool in await self._pages(client, client.list_tools, "tools")]
        self.tools = list({offer.name: offer for offer in tools}.values())
        plain = await self._pages(client, client.list_resources, "resources")
        templates = await self._pages(client, client.list_resource_templates, "resources", "resource_templates")
        self.resources = [Resource.of(self.name, one) for one in [*plain, *templates]]
        self.prompts = [Prompt.of(self.name, one) for one in await self._pages(client, client.list_prompts, "prompts")]

    async def _pages(self, client: Client, fetch: Callable[..., Any], kind: str, listed: str = "") -> list[Any]:
        """A list, page by page, if the server has one. With a fixed version, nobody has said what it has."""
        found, cursor = list[Any](), None
        if self.mode in ("auto", "legacy") and getattr(client.server_capabilities, kind) is None:
            return found
        for _ in range(PAGES):
            try:
                page = await fetch(cursor=cursor)
            except MCPError as error:
                if error.code == types.METHOD_NOT_FOUND:  # templates are optional where resources are offered
                    return found
                raise
            found += getattr(page, listed or kind)
            if not (cursor := page.next_cursor):
                return found
        raise RuntimeError(f"its list of {listed or kind} goes on after {PAGES} pages")

    def _failed(self, what: str, error: BaseException | None, situation: Any) -> ServerError:
        """What the server has to do, but what happened; what to do next."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        status = -error.code if isinstance(error, MCPError) else 0
        advice = next((ADVICE[key] for key in (status, status // 100 * 100, situation) if key in ADVICE), ADVICE[None])
        said = "; ".join(self.stderr().strip().splitlines()[-3:])[-400:]
        wrote = f" (it wrote: {said})" if said else ""
        sentence = f"Server {self.name} has to {what}, but {self.tap.fault or _why(error)}{wrote}; {advice}."
        return ServerError(self.name, redaction.redact(" ".join(sentence.split())))


def _tolerate_misfits(client: Client) -> None:
    """Keep results that do not fit the schema of their tool, with a note: the SDK would throw them away, and each may
    stand for something that was done."""
    validate = client.session.validate_tool_result

    async def noted(name: str, result: types.CallToolResult) -> None:
        try:
            await validate(name, result)
        except RuntimeError as error:
            result.content.append(types.TextContent(type="text", text=f"[{str(error).splitlines()[0]}]"))

    client.session.validate_tool_result = noted  # type: ignore[method-assign]


def _why(error: BaseException | None) -> str:
    """What an exception of the SDK means, without its stack."""
    said = str(error) or type(error).__name__
    match error:
        case MCPError(message="Connection closed"):
            return "it ended"
        case MCPError():
            refused = f"it refused ({error.message})"
            answered = f"it answered with an error ({error.code}: {error.message.splitlines()[0]})"
            return refused if -600 < error.code <= -400 else answered
        case ValidationError():
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            return f"its answer does not have the form that the protocol asks for ({where}: {first['msg']})"
        case TimeoutError():
            return f"it {said}"
        case httpx2.HTTPError() | OSError():
            return f"it cannot be reached ({said})"
    return f"it did not keep to the protocol ({said})"
