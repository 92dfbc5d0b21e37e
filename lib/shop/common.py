"""What the servers share: annotations, pages, SQLite, the command line."""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError, UnexpectedToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from llmlab import errors
from llmlab.tools import wrong_arguments
from shop.world import Rows, lay_out, query

# Hints, not guards: a host may use them to decide where it asks for approval.
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
CHANGES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)

# Limits of texts in characters, far above what a call needs: a longer text is refused in a sentence. They stand in the
# schemas, and an engine that makes a grammar of a schema can refuse a very long text in it: hence none above TEXT.
WORD = 200  # a name, a title, a word to look for
PATH = 1_000
TEXT = 2_000  # a post, a statement in SQL, what is written into a cell

Offset = Annotated[int, Field(ge=0, lt=2**31, description="How many to skip: the next_offset of the page before")]
Limit = Annotated[int, Field(ge=1, le=50, description="How many to give at most")]


class Server(MCPServer):
    """A server of the shop: it names its version, and says in one sentence what is wrong with arguments."""

    def __init__(self, name: str, instructions: str):
        # Without a level of its own, the SDK sets the whole process to log at INFO.
        super().__init__(name, instructions=instructions, version=version("llmlab"), log_level="WARNING")

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
        """Call a tool; the SDK would put a phrase before each refusal, and hand on pydantic's links."""
        try:
            return await super().call_tool(name, arguments, context)
        except UnexpectedToolError:  # the server's own mistake
            raise
        except ToolError as error:
            said, cause = str(error).removeprefix(f"Error executing tool {name}: "), error.__cause__
            raise ToolError(wrong_arguments(name, cause) if isinstance(cause, ValidationError) else said) from None


class Page(BaseModel):
    """A part of a long list."""

    next_offset: int | None = Field(
        default=None, description="The offset that gives the next page; null on the last one"
    )


def page(found: Sequence[Any], offset: int, limit: int) -> tuple[list[Any], int | None]:
    """One page of what was found, and the offset of the next."""
    end = offset + limit
    return list(found[offset:end]), end if end < len(found) else None


def offset_in(text: str) -> int:
    """The offset that stands in the URI of a page."""
    try:
        return TypeAdapter(Offset).validate_python(text)
    except ValidationError:
        raise ResourceNotFoundError(
            f"An offset is a whole number from 0 on, not {text[:WORD]!r}; take the next_offset of the page before"
        ) from None


def ask(db: Path, sql: str, parameters: Sequence[Any] = (), limit: int = 1000) -> Rows:
    """`shop.query`, with the error that the SDK shows to the model: any other reaches it without its text."""
    try:
        return query(db, sql, parameters, limit)
    except errors.ToolError as error:
        raise ToolError(str(error)) from None


@contextmanager
def writing(db: Path) -> Iterator[sqlite3.Connection]:
    """A transaction: all of it is written, or nothing. Nobody else writes between its reading and its writing."""
    try:
        with closing(sqlite3.connect(f"{db.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise ToolError(f"SQLite says: {error}; nothing was written") from None


def records(rows: Rows) -> list[dict[str, Any]]:
    """Each row with the names of its columns."""
    return [dict(zip(rows.columns, row, strict=True)) for row in rows.rows]


def run(server: Callable[[Path], MCPServer], part: str) -> None:
    """Serve this part of the shop; what the command line allows is told by --help."""
    parser = argparse.ArgumentParser(description=server.__doc__)
    parser.add_argument(f"--{part}", type=Path, dest="path", help="default: of a fresh copy of the shop")
    parser.add_argument("--http", action="store_true", help="Streamable HTTP on 127.0.0.1 instead of stdio")
    parser.add_argument("--port", type=int, default=8000, help="for --http (8000)")
    given = parser.parse_args()
    if given.path and not given.path.exists():
        parser.error(f"--{part} takes a file or folder that exists, but there is no {given.path}")

    folder = tempfile.TemporaryDirectory(prefix="llmlab-shop-")

    def end(*_: object) -> None:
        folder.cleanup()
        os._exit(0)  # the thread that waits for stdin would hold up any other end

    signal.signal(signal.SIGTERM, end)
    with folder, suppress(KeyboardInterrupt):
        try:
            made = server(given.path or getattr(lay_out(Path(folder.name)), part))
        except errors.LabError as error:
            parser.error(str(error))
        if given.http:
            print(f"{made.name}: http://127.0.0.1:{given.port}/mcp", file=sys.stderr, flush=True)
            made.run("streamable-http", host="127.0.0.1", port=given.port)
        else:
            made.run()
