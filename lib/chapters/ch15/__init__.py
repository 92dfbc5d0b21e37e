"""Chapter 15: a server's files in the reader's folder, its settings for desktop hosts, and what a model does with it."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from llmlab import settings
from llmlab.agents import Run
from llmlab.errors import LabError
from shop.common import CHANGES, READS

# Where each application reads its servers from, and under which key.
HOSTS = {
    "VS Code": (".vscode/mcp.json", "servers"),
    "Cursor": (".cursor/mcp.json", "mcpServers"),
    "Claude Code": (".mcp.json", "mcpServers"),
    "Claude Desktop": ("claude_desktop_config.json", "mcpServers"),
}


def keep(file: Path, *parts: str) -> str:
    """Write a file of the reader's and say so. One that was changed by hand stays: the new text goes beside it."""
    text = "\n".join(parts)
    file.parent.mkdir(parents=True, exist_ok=True)
    mark = file.with_name(f".{file.name}.sha256")  # of what was written here last
    known = mark.read_text("utf-8") if mark.exists() else ""
    if file.exists() and _hash(file.read_text("utf-8")) not in (known, _hash(text)):
        new = file.with_name(f"{file.stem}.new{file.suffix}")
        new.write_text(text, encoding="utf-8")
        return f"{file.as_posix()} was changed by hand, so it stays as it is; the text of this cell is in {new.name}"
    file.write_text(text, encoding="utf-8")
    mark.write_text(_hash(text), encoding="utf-8")
    return f"{file.as_posix()}: {sum(bool(line.strip()) for line in text.splitlines())} lines"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def mcp_json(host: str, name: str, command: Sequence[str], env: Mapping[str, str]) -> str:
    """A server's entry in the settings of an application (`HOSTS`). Raises LabError for one that is not known here."""
    if host not in HOSTS:
        raise LabError(
            f"An application is one of {', '.join(HOSTS)}, not {host!r}; most others take what Cursor takes."
        )
    entry = {"type": "stdio", "command": command[0], "args": [*command[1:]], "env": dict(env)}
    return json.dumps({HOSTS[host][1]: {name: entry}}, indent=2, ensure_ascii=False)


def published(text: str) -> str:
    """The text; in a strict replay, which makes the outputs that are published, with `…` for the folders of this machine."""
    return re.sub(r'"/[^"]*/', '"…/', text) if settings.load().strict else text


# What a model does with a server

THINGS = {"hand grinder": None, "scales": "Oisin", "party kettle": None}  # as the list is before each sentence


@dataclass(frozen=True)
class Sentence:
    """What a person says, how the list has to change, and what has to be in the answer."""

    text: str
    changes: Mapping[str, str]
    says: Sequence[str] = ()


SENTENCES = [
    Sentence("Who has the scales?", {}, ["Oisin"]),
    Sentence("What does the shop lend?", {}, ["grinder", "scales", "kettle"]),
    Sentence("Lend the party kettle to Kamil.", {"party kettle": "Kamil"}),
    Sentence("Ciara takes the hand grinder.", {"hand grinder": "Ciara"}),
    Sentence("Please write down that Aoife has borrowed the party kettle.", {"party kettle": "Aoife"}),
    Sentence("Lend the scales to Ciara.", {}),  # Oisin has them
    Sentence("Lend the ladder to Kamil.", {}),  # there is none
    Sentence("저울(scales)은 누가 가지고 있나요?", {}, ["Oisin"]),
]


@contextmanager
def a_list() -> Iterator[Path]:
    """A list of its own, for one sentence."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "lending.db"
        with closing(sqlite3.connect(data)) as db, db:
            db.execute("CREATE TABLE things (name TEXT PRIMARY KEY COLLATE NOCASE, borrower TEXT)")
            db.executemany("INSERT INTO things VALUES (?, ?)", THINGS.items())
        yield data


def lent(data: Path) -> dict[str, str | None]:
    """Who has what, by the file itself."""
    with closing(sqlite3.connect(data)) as db:
        return dict(db.execute("SELECT name, borrower FROM things"))


def rename(data: Path, old: str, new: str) -> None:
    """Take a table away, or bring it back."""
    with closing(sqlite3.connect(data)) as db, db:
        db.execute(f"ALTER TABLE {old} RENAME TO {new}")


def judged(sentence: Sentence, data: Path, run: Run) -> str:
    """What became of a sentence: right, a wrong answer, no entry in the list, or a wrong one."""
    if (now := lent(data)) != {**THINGS, **sentence.changes}:
        return "no entry" if now == THINGS else "wrong entry"
    return "right" if all(word in str(run.answer) for word in sentence.says) else "wrong answer"


def calls(run: Run) -> str:
    """The tool calls of a run, as a program would write them."""
    made = [(step.name, step.arguments) for step in run.trace.of("tool") if step.name != "program"]
    given = [(name, json.loads(said) if isinstance(said, str) else said) for name, said in made]
    return "; ".join(f"{name}({', '.join(_short(value) for value in arguments.values())})" for name, arguments in given)


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else f"{text[:39]}…"


Thing = Annotated[int, Field(ge=1, lt=1000, description="Number of the thing, as list_things gives it")]
Person = Annotated[str, Field(min_length=1, max_length=40, description="Who takes it")]


def numbered(data: Path) -> MCPServer:
    """The same list behind tools that want the number of a thing."""
    mcp = MCPServer("lending", log_level="WARNING")

    def ask(sql: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(data)) as db, db:
            return db.execute(sql, values).fetchall()

    @mcp.tool(annotations=READS)
    def list_things() -> list[str]:
        """List the things that the shop lends, each with its number and who has it."""
        return [f"{n}: {name}, {who or 'here'}" for n, name, who in ask("SELECT rowid, * FROM things ORDER BY rowid")]

    @mcp.tool(annotations=CHANGES)
    def lend(thing: Thing, to: Person) -> str:
        """Lend a thing to a person: write down who takes it."""
        taken = ask("UPDATE things SET borrower = ? WHERE rowid = ? AND borrower IS NULL RETURNING name", to, thing)
        if not taken:
            raise ToolError(f"Thing {thing} is not here to be lent; list_things shows what is")
        return f"{to} has the {taken[0][0]}"

    return mcp
