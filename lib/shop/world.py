"""Wren and Kettle, the small shop that the agents and the MCP servers work on: laid out fresh, and asked in SQL."""

import csv
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from llmlab.errors import LabError, ToolError
from llmlab.settings import DATA

SOURCE = DATA / "shop"
# The tables of shop.db, one a line: what a model has to know to write SQL.
SCHEMA = "\n".join(re.findall(r"^CREATE TABLE .*;$", (SOURCE / "shop.sql").read_text("utf-8"), re.MULTILINE))
LIMIT, SECONDS, LONGEST = 100, 2.0, 100_000  # of one query: rows, seconds of computing, bytes of a value
READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


class Shop:
    """A copy of the shop in a folder. The sheet and the repository are made when they are first asked for."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.db = folder / "shop.db"  # SQLite: customers, orders, items, returns
        self.messages = folder / "messages.db"  # SQLite: channels and posts of the staff
        self.calendar = folder / "calendar.ics"  # the shop's year (RFC 5545)
        self.documents = folder / "documents"  # short texts in Markdown

    @cached_property
    def sheet(self) -> Path:
        """An Excel workbook: stock and suppliers."""
        from openpyxl import Workbook  # slow to import, and most chapters need no sheet

        book = Workbook(write_only=True)
        for name in ("stock", "suppliers"):
            sheet = book.create_sheet(name)
            for row in csv.reader((SOURCE / f"{name}.csv").read_text("utf-8").splitlines()):
                sheet.append([json.loads(value) if value[0].isdigit() else value for value in row])
        book.save(self.folder / "stock.xlsx")
        return self.folder / "stock.xlsx"

    @cached_property
    def repository(self) -> Path:
        """A Git repository: the price list and the script that prints labels. Raises LabError where Git is missing."""
        folder = self.folder / "repository"
        folder.mkdir(exist_ok=True)
        git(folder, "init", "--quiet", "--template=", "--initial-branch=main")
        commits = (SOURCE / "repository.txt").read_text("utf-8").encode()
        git(folder, "fast-import", "--quiet", "--force", "--date-format=rfc2822", stdin=commits)
        git(folder, "-c", "core.autocrlf=false", "reset", "--quiet", "--hard", "main")
        return folder


def lay_out(folder: Path) -> Shop:
    """Make a fresh copy of the shop in a new or empty folder, or in place of an earlier copy."""
    shop = Shop(folder.resolve())
    mark = shop.folder / ".llmlab-shop"
    if mark.exists():  # an earlier copy: everything in it is ours
        for path in shop.folder.rglob("*"):
            if not path.is_symlink():
                path.chmod(stat.S_IRWXU)  # Git's objects are read-only, and Windows deletes no such files
        shutil.rmtree(shop.folder)
    shop.folder.mkdir(parents=True, exist_ok=True)
    if any(shop.folder.iterdir()):
        raise LabError(f"The shop is laid out in an empty folder, but {folder} has other files; choose another.")
    mark.touch()
    for script, db in (("shop.sql", shop.db), ("messages.sql", shop.messages)):
        with closing(sqlite3.connect(db)) as connection:
            connection.executescript(f"PRAGMA synchronous = OFF;\n{(SOURCE / script).read_text('utf-8')}")
    shop.calendar.write_text((SOURCE / "calendar.ics").read_text("utf-8"), "utf-8", newline="\r\n")  # RFC 5545, 3.1
    shutil.copytree(SOURCE / "documents", shop.documents)
    return shop


def git_environment() -> dict[str, str]:
    """An environment without the reader's configuration, or a repository around us (in a hook, GIT_DIR is set)."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    return env | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0"}


def git(folder: Path, *arguments: str, stdin: bytes = b"", refusal: Exception | None = None) -> str:
    """What git answers about the repository in this very folder. Where it fails, the refusal, or what git says, is raised."""
    safe = ["-c", "log.showSignature=false", "--literal-pathspecs"]  # settings there may name a program to be run
    command = ["git", f"--git-dir={(folder / '.git').resolve()}", *safe, *arguments]
    try:
        done = subprocess.run(command, cwd=folder, input=stdin, capture_output=True, timeout=10, env=git_environment())
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"This needs the program git, but that does not run ({error}); install it") from None
    if done.returncode:
        raise refusal or ToolError(f"Git says: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")


def tables(*names: str) -> str:
    """The lines of SCHEMA for these tables, in this order."""
    lines = {line.split()[2]: line for line in SCHEMA.splitlines()}
    return "\n".join(lines[name] for name in names)


@dataclass(frozen=True)
class Rows:
    """The answer to a query. `more` says that there are further rows than these."""

    columns: list[str]
    rows: list[list[Any]]
    more: bool = False

    def __str__(self) -> str:
        return "\n".join([*(" | ".join(map(str, row)) for row in [self.columns, *self.rows]), *["…"] * self.more])

    def records(self) -> list[Any]:
        """Each row with the names of its columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def query(db: Path, sql: str, parameters: Sequence[Any] = (), limit: int = LIMIT) -> Rows:
    """Run one SELECT on a database that is opened for reading only. Raises ToolError with what SQLite says."""
    end = time.thread_time() + SECONDS
    try:
        with closing(sqlite3.connect(f"{db.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
            connection.set_progress_handler(lambda: time.thread_time() > end, 10_000)
            # Needed besides mode=ro, which lets ATTACH and VACUUM INTO write other files.
            connection.set_authorizer(lambda act, *_: sqlite3.SQLITE_OK if act in READING else sqlite3.SQLITE_DENY)
            cursor = connection.execute(sql, parameters)
            found = [[v.hex() if isinstance(v, bytes) else v for v in row] for row in cursor.fetchmany(limit + 1)]
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        if time.thread_time() > end:
            raise ToolError(f"A query has {SECONDS:g} seconds, but this one takes longer; ask for less") from None
        if "authoriz" in str(error):
            raise ToolError(f"Only SELECT is allowed here, but this is another statement ({error})") from None
        raise ToolError(f"SQLite says: {error}") from None
    if cursor.description is None:
        raise ToolError("A query is one SELECT statement, but this is empty")
    return Rows([column[0] for column in cursor.description], found[:limit], len(found) > limit)
