"""Wren and Kettle, the small shop that the agents and the MCP servers work on: laid out fresh, and asked in SQL."""

from __future__ import annotations

import csv
import os
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
# The tables of shop.db, as they stand in shop.sql: what a model has to know to write SQL.
SCHEMA = """\
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT, joined TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id), ordered_on TEXT, total REAL, status TEXT);
CREATE TABLE items (id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders(id), product TEXT, quantity INTEGER, price REAL);
CREATE TABLE returns (id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders(id), reason TEXT, returned_on TEXT);"""

LIMIT = 100  # rows
SECONDS = 2.0  # of computing, for one query
LONGEST = 100_000  # bytes of a statement, and of a value that it makes
_MARK = ".llmlab-shop"  # in a folder with this file, everything is ours
_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


@dataclass(frozen=True)
class Shop:
    """A copy of the shop in a folder. The sheet and the repository are made when they are first asked for."""

    folder: Path

    @property
    def db(self) -> Path:
        """SQLite: customers, orders, items, returns."""
        return self.folder / "shop.db"

    @property
    def messages(self) -> Path:
        """SQLite: channels and posts of the staff."""
        return self.folder / "messages.db"

    @property
    def calendar(self) -> Path:
        """The shop's year as an iCalendar file (RFC 5545)."""
        return self.folder / "calendar.ics"

    @property
    def documents(self) -> Path:
        """A folder of short texts in Markdown."""
        return self.folder / "documents"

    @cached_property
    def sheet(self) -> Path:
        """An Excel workbook: stock and suppliers."""
        file = self.folder / "stock.xlsx"
        if not file.exists():
            _make_sheet(file)
        return file

    @cached_property
    def repository(self) -> Path:
        """A Git repository: the price list and the script that prints labels. Raises LabError where Git is missing."""
        folder = self.folder / "repository"
        if not folder.exists():
            _make_repository(folder)
        return folder


def lay_out(folder: Path) -> Shop:
    """Make a fresh copy of the shop in a new or empty folder, or in place of an earlier copy."""
    folder = folder.resolve()
    if (folder / _MARK).exists():
        _remove(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise LabError(
            f"The shop is laid out in an empty folder or over an earlier copy, but {folder} has other files; choose another."
        )
    (folder / _MARK).touch()
    shop = Shop(folder)
    _make_database(SOURCE / "shop.sql", shop.db)
    _make_database(SOURCE / "messages.sql", shop.messages)
    # Lines of a calendar end in CR LF (RFC 5545, 3.1).
    shop.calendar.write_text((SOURCE / "calendar.ics").read_text("utf-8"), "utf-8", newline="\r\n")
    shutil.copytree(SOURCE / "documents", shop.documents)
    return shop


def tables(*names: str) -> str:
    """The lines of SCHEMA for these tables, in this order. Raises LabError for a name that is not there."""
    lines = {line.split()[2]: line for line in SCHEMA.splitlines()}
    if unknown := [name for name in names if name not in lines]:
        raise LabError(f"The shop has the tables {', '.join(lines)}, but not {', '.join(unknown)}; take some of those.")
    return "\n".join(lines[name] for name in names)


@dataclass(frozen=True)
class Rows:
    """The answer to a query. `more` says that there are further rows than these."""

    columns: list[str]
    rows: list[list[Any]]
    more: bool = False

    def __str__(self) -> str:
        lines = [" | ".join(map(str, row)) for row in [self.columns, *self.rows]]
        return "\n".join(lines + ["…"] * self.more)


def query(db: Path, sql: str, parameters: Sequence[Any] = (), limit: int = LIMIT) -> Rows:
    """Run one SELECT on a database that is opened for reading only, for at most SECONDS of computing.

    Raises ToolError with what SQLite says, also of texts that are no Unicode and of numbers that are too large. The
    authorizer is needed besides `mode=ro`: that alone lets ATTACH and VACUUM INTO write other files.
    """
    started = time.thread_time()

    def late() -> bool:
        return time.thread_time() - started > SECONDS

    def allow(action: int, *_: str | None) -> int:
        return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY

    try:
        with closing(sqlite3.connect(f"{db.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
            connection.set_progress_handler(late, 10_000)
            connection.set_authorizer(allow)
            cursor = connection.execute(sql, parameters)
            found = [[v.hex() if isinstance(v, bytes) else v for v in row] for row in cursor.fetchmany(limit + 1)]
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        if late():
            raise ToolError(f"A query has {SECONDS:g} seconds, but this one takes longer; ask for less") from None
        if "authoriz" in str(error):
            raise ToolError(f"Only SELECT is allowed here, but this is another statement ({error})") from None
        raise ToolError(f"SQLite says: {error}") from None
    if cursor.description is None:
        raise ToolError("A query is one SELECT statement, but this is empty")
    return Rows([column[0] for column in cursor.description], found[:limit], len(found) > limit)


def git_environment() -> dict[str, str]:
    """An environment in which neither the reader's configuration nor a repository around us (in a hook, GIT_DIR is set)
    changes what Git does.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    return env | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0"}


def _make_database(script: Path, to: Path) -> None:
    with closing(sqlite3.connect(to)) as connection:
        connection.executescript(f"PRAGMA synchronous = OFF;\n{script.read_text('utf-8')}")


def _make_sheet(file: Path) -> None:
    from openpyxl import Workbook  # slow to import, and most chapters need no sheet

    book = Workbook()
    book.remove(book.worksheets[0])
    for name in ("stock", "suppliers"):
        sheet = book.create_sheet(name)
        with (SOURCE / f"{name}.csv").open(encoding="utf-8", newline="") as rows:
            for row in csv.reader(rows):
                sheet.append([_number(value) for value in row])
    book.save(file)


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _make_repository(folder: Path) -> None:
    part = folder.with_name("repository.part")
    part.mkdir(exist_ok=True)

    def git(*arguments: str, text: str = "") -> None:
        command = ["git", "-C", str(part), "-c", "core.autocrlf=false", *arguments]
        subprocess.run(command, input=text.encode(), check=True, capture_output=True, env=git_environment())

    try:
        git("init", "--quiet", "--template=", "--initial-branch=main")
        git(
            "fast-import",
            "--quiet",
            "--force",
            "--date-format=rfc2822",
            text=(SOURCE / "repository.txt").read_text("utf-8"),
        )
        git("reset", "--quiet", "--hard", "main")
    except FileNotFoundError:
        raise LabError(
            "The shop's repository is made by the program git, but there is none on the path; install it from "
            "git-scm.com, then run the cell again."
        ) from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise LabError(f"The shop's repository needs Git 2.28 or newer, but git failed ({said}); update it.") from None
    part.rename(folder)


def _remove(folder: Path) -> None:
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(stat.S_IRWXU)  # Git's objects are read-only, and Windows deletes no such files
    shutil.rmtree(folder)
