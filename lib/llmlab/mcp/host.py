"""A host: several MCP servers at once, and what they offer as tools, resources and prompts for a model.

    host = await Host.open({"orders": [sys.executable, "-m", "shop.orders"], "docs": "http://…/mcp"})
    reply = await model.chat(question, tools=host.tools())
    await host.close()  # in a later cell; or: async with await Host.open(…) as host

What a person has to approve is decided here, and not by the model: what it reads may talk it into anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import weakref
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from llmlab import trace
from llmlab.errors import ServerError, ToolError
from llmlab.llm.reply import Message
from llmlab.mcp import content
from llmlab.mcp.connection import Server
from llmlab.mcp.content import Content
from llmlab.mcp.offers import Offer, Prompt, Resource, names
from llmlab.mcp.transports import targets
from llmlab.tools import Tool

Approve = Callable[[str, Offer, dict[str, Any] | None], bool | Awaitable[bool]]
Ask = Callable[[Offer, dict[str, Any]], bool]


@dataclass(frozen=True)
class ServerTool(Tool):
    """A tool whose server checks the arguments, and whose host keeps the time: a person may think longer."""

    timeout: float = math.inf
    limit: int = sys.maxsize  # the host has cut the result
    offer: Offer = field(kw_only=True)

    async def _run(self, arguments: dict[str, Any]) -> Any:
        try:
            return await self.function(arguments)
        except ServerError as error:
            raise ToolError(str(error)) from error  # for the model to read


def unless_it_only_reads(offer: Offer, arguments: dict[str, Any]) -> bool:
    """The rule for `ask` where none is given: ask before each call of a tool that is not marked as reading only.

    It believes the annotations of every server; where some are not your own, use `trusting`.
    """
    return not offer.reads_only


def trusting(*servers: str) -> Ask:
    """A rule for `ask`: only these servers are believed when they say that a tool only reads; of all others, each call
    is asked about (MCP: annotations of a server that is not trusted are not to be relied on)."""
    return lambda offer, arguments: offer.server not in servers or not offer.reads_only


@dataclass(eq=False, repr=False)
class Host:
    """Servers that are open together; made by `Host.open`."""

    servers: dict[str, Server]
    trace: trace.Trace
    approve: Approve | None
    ask: Ask
    approved: dict[str, Offer] = field(default_factory=dict)  # "server.tool" -> the tool as it was when it was accepted

    def __post_init__(self) -> None:
        # A cell that runs again drops the host of its first run.
        weakref.finalize(self, _stop, list(self.servers.values()), asyncio.get_running_loop()).atexit = False

    @classmethod
    async def open(
        cls,
        servers: Mapping[str, Any] | str | Path,
        *,
        mode: str = "auto",
        approve: Approve | None = None,
        ask: Ask | Collection[str] = unless_it_only_reads,
        approved: Mapping[str, Offer] | None = None,
        seconds: float = 30.0,
        starts: float = 60.0,
        elicit: Callable[..., Any] | None = None,
    ) -> Host:
        """Start or reach all servers side by side, and read what they offer. Raises ServerError.

        `servers`: a name for each MCPServer, function or list of functions, command, address, or entry of an mcp.json;
        or the path of an mcp.json. `mode`: "auto", "legacy" (the handshake), or a version such as "2026-07-28".
        `approve(server, offer, arguments)` says yes or no to a call; without it, all that needs approval is declined.
        `ask(offer, arguments)` tells which calls need it; or give the tools that need none, as "server.tool".
        Descriptions count as approved as they are when the host opens; or, with another host's `approved`, as they
        stand there, and tools that are not in it are new. `seconds`: for a call; `starts`: to start in (npx and uvx
        fetch a package first). `elicit(server, question, schema)` answers what a server asks the person, with a dict
        or None.
        """
        if mode not in (modes := ("auto", "legacy", *MODERN_PROTOCOL_VERSIONS)):
            raise ServerError("", f"A host's mode is one of {', '.join(modes)}, but {mode} came; choose one of them.")
        into = trace.Trace("MCP host")
        given = (into, mode, seconds, starts, elicit)
        opened = {name: Server(name, target, *given) for name, target in targets(servers).items()}
        done = await asyncio.gather(*(server.open() for server in opened.values()), return_exceptions=True)
        rule: Ask = ask if callable(ask) else lambda offer, arguments: str(offer) not in ask
        host = cls(opened, into, approve, rule)
        for error in filter(None, done):
            await host.close()
            raise error
        offered = host._offers()
        host.approved = offered if approved is None else {key: approved[key] for key in offered if key in approved}
        return host

    async def close(self) -> None:
        """Close all connections and end the processes."""
        await asyncio.gather(*(server.close() for server in self.servers.values()))

    async def __aenter__(self) -> Host:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def tools(self) -> list[ServerTool]:
        """The tools for a model, as they were described when they were approved."""
        offers = [offer for key, offer in self.approved.items() if key in self._offers()]
        called = names([(offer.server, offer.name) for offer in offers])
        found = []
        for name, offer in zip(called, offers, strict=True):
            call = partial(self.call, offer.server, offer.name)
            found.append(ServerTool(name, offer.description, offer.for_model, call, returns=offer.output, offer=offer))
        return found

    def changes(self) -> list[Offer]:
        """The tools that are new, or are described differently than what was approved; no model sees them yet."""
        known = [(offer, self.approved.get(key)) for key, offer in self._offers().items()]
        return [replace(now, before=then) for now, then in known if not then or then.fingerprint != now.fingerprint]

    async def call(self, server: str, tool: str, arguments: dict[str, Any] | None = None) -> Content:
        """Call a tool. Raises ToolError where it is declined or fails, ServerError where its server does."""
        given, connection = arguments or {}, self._server(server)
        await connection.refresh()
        await self._permit(server, tool, given)
        result = await connection.ask(f"the call of {tool}", lambda client: client.call_tool(tool, given))
        if result.is_error:
            raise ToolError(content.of_call(result))
        return content.of_call(result)

    def resources(self) -> list[Resource]:
        """What can be read; templates last."""
        found = [resource for server in self.servers.values() for resource in server.resources]
        return sorted(found, key=lambda resource: resource.template)

    async def read(self, uri: str, server: str | None = None) -> Content:
        """Read a resource, from the server that offers it or the one that is named."""
        found = [server] if server else [resource.server for resource in self.resources() if resource.fits(uri)]
        if not found:
            raise self._unknown("resources", uri, (resource.uri for resource in self.resources()))
        asked = self._server(found[0]).ask(f"reading {uri}", lambda client: client.read_resource(uri))
        return content.of_read(await asked)

    def prompts(self) -> list[Prompt]:
        """The prompts that servers keep, each by a name of its own."""
        kept = [prompt for server in self.servers.values() for prompt in server.prompts]
        called = names([(prompt.server, prompt.name) for prompt in kept])
        return [replace(prompt, name=name, own=prompt.name) for name, prompt in zip(called, kept, strict=True)]

    async def prompt(self, name: str, /, **arguments: str) -> list[Message]:
        """A prompt with its arguments filled in, as the messages of a chat."""
        kept = {prompt.name: prompt for prompt in self.prompts()}
        if name not in kept:
            raise self._unknown("prompts", name, kept)
        server, own, given = kept[name].server, kept[name].own, {key: str(v) for key, v in arguments.items()}
        result = await self.servers[server].ask(f"the prompt {own}", lambda client: client.get_prompt(own, given))
        return content.of_prompt(result)

    def stderr(self, server: str) -> str:
        """The last that a server's process wrote beside the protocol: warnings, errors."""
        return self._server(server).stderr() or "(nothing)"

    def _server(self, name: str) -> Server:
        if name not in self.servers:
            raise self._unknown("servers", name, self.servers)
        return self.servers[name]

    def _unknown(self, kind: str, asked: str, there: Iterable[str]) -> ServerError:
        listed = ", ".join(list(there)[:20]) or "none"
        return ServerError("", f"This host's {kind} are {listed}, but {asked} was asked for; choose one of them.")

    def _offers(self) -> dict[str, Offer]:
        return {str(offer): offer for server in self.servers.values() for offer in server.tools}

    def _offer(self, server: str, tool: str) -> Offer:
        there = {offer.name: offer for offer in self._server(server).tools}
        if tool not in there:
            raise ToolError(f"the tools of server {server} are {', '.join(there) or 'none'}, but {tool} was called")
        return there[tool]

    async def _permit(self, server: str, tool: str, arguments: dict[str, Any]) -> None:
        """Ask a person where the rule or a changed description says so. Raises ToolError, for the model, if declined."""
        offer = self._offer(server, tool)
        changed = {change.name: change for change in self.changes() if change.server == server}
        if tool not in changed and not self.ask(offer, arguments):
            return
        asked = changed.get(tool, offer)
        answer: Any = self.approve(server, asked, arguments) if self.approve else False
        agreed = (await answer if isinstance(answer, Awaitable) else answer) is True
        (trace.current() or self.trace).event(
            "approved" if agreed else "declined",
            **{
                "gen_ai.tool.name": tool,
                "gen_ai.tool.call.arguments": arguments,
                "llmlab.server": server,
                "llmlab.description": offer.description,
                "llmlab.before": asked.before.description if asked.before else None,
                "llmlab.fingerprint": offer.fingerprint,
            },
        )
        if not self.approve:
            raise ToolError(f"a person has to approve this call of {tool}, but this host has nobody to ask")
        if not agreed:
            raise ToolError(f"the person declined this call of {tool}; do not try it again, and tell what was not done")
        if self._offer(server, tool).fingerprint != offer.fingerprint:
            raise ToolError(f"server {server} changed {tool} while the person was asked, so it was not called")
        self.approved[str(offer)] = offer


def _stop(servers: list[Server], loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended, and the connections with it
        for server in servers:
            loop.call_soon_threadsafe(server.stop.set)
