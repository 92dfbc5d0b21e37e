"""What the five servers share: how one is made and run, hints and limits, pages."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from types import MethodType
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError, UnexpectedToolError
from mcp.types import ToolAnnotations
from pydantic import Field, ValidationError

from llmlab import errors
from llmlab.tools import wrong_arguments
from shop.world import lay_out

# Hints, not guards: a host may use them to decide where it asks for approval.
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
CHANGES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)

WORD, TEXT = 200, 2_000  # characters; an engine that makes a grammar of a schema can refuse a longer text in it
Offset = Annotated[int, Field(ge=0, lt=2**31, description="How many to skip: the next_offset of the page before")]
Limit = Annotated[int, Field(ge=1, le=50, description="How many to give at most")]
Further = Annotated[int | None, Field(description="The offset that gives the next page; null on the last one")]


def page(name: str, found: Sequence[Any], offset: int, limit: int) -> Any:
    """One page of what was found, under its name, and the offset of the next page."""
    end = offset + limit
    return {"next_offset": end if end < len(found) else None, name: found[offset:end]}


class Refusal(ToolError, ResourceNotFoundError):
    """A sentence for whoever asked, by a tool or for a resource. Of any other error the SDK passes no word on."""


class Server(MCPServer):
    """A server over some data of the shop: each function that it offers gets these data as its first argument."""

    def __init__(self, name: str, instructions: str, data: Any):
        # Without a level of its own, the SDK sets the whole process to log at INFO.
        super().__init__(name, instructions=instructions, version=version("llmlab"), log_level="WARNING")
        self.data = data

    def offer(self, as_what: Callable[[Any], Any], *functions: Callable[..., Any]) -> None:
        """Register functions: `as_what` is a decorator of the SDK, such as `mcp.tool(annotations=READS)`."""
        for function in functions:
            as_what(MethodType(function, self.data))

    def lend(self, uri: str, function: Any, about: str = "", mime_type: str = "application/json") -> None:
        """Register a function as a resource; `about` says what it gives, where its docstring does not."""
        about, bound = about or function.__doc__ or "", MethodType(function, self.data)
        lent = self.resource(uri, name=function.__name__, description=about, mime_type=mime_type)
        lent(bound if "{" in uri else lambda: bound())  # where the address has no parameter, the SDK allows none

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
        """Call a tool; the SDK would put a phrase before each refusal, and hand on pydantic's links."""
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            match error.__cause__:
                case Refusal() | errors.ToolError() as cause:
                    raise ToolError(str(cause)) from None
                case ValidationError() as cause if not isinstance(error, UnexpectedToolError):
                    raise ToolError(wrong_arguments(name, cause)) from None
            raise


def run(server: Callable[[Path], MCPServer], part: str) -> None:
    """Serve this part of the shop; what the command line allows is told by --help."""
    parser = argparse.ArgumentParser(description=server.__doc__)
    parser.add_argument(f"--{part}", type=Path, dest="path", help="default: of a fresh copy of the shop")
    parser.add_argument("--http", action="store_true", help="Streamable HTTP on 127.0.0.1 instead of stdio")
    parser.add_argument("--port", type=int, default=8000, help="for --http (8000)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llmlab-shop-") as folder, suppress(KeyboardInterrupt):
        try:
            made = server(given.path.resolve(strict=True) if given.path else getattr(lay_out(Path(folder)), part))
        except (OSError, errors.LabError) as error:
            parser.error(str(error))
        if given.http:
            print(f"{made.name}: http://127.0.0.1:{given.port}/mcp", file=sys.stderr, flush=True)
            made.run("streamable-http", host="127.0.0.1", port=given.port)
        else:
            made.run()
