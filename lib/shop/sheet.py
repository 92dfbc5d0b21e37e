"""An MCP server for an Excel workbook (.xlsx): its sheets, ranges and rows, and one act: to set a cell."""

from __future__ import annotations

import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from openpyxl import load_workbook
from openpyxl.utils.cell import range_boundaries
from openpyxl.utils.exceptions import InvalidFileException
from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import PydanticKnownError

from shop.common import CHANGES, READS, TEXT, WORD, Limit, Offset, Page, Server, page, run

CELLS = 500  # of a range in one call
CELL = r"[A-Za-z]{1,3}[1-9][0-9]{0,6}"
Value = str | int | float | bool | None
Sheet = Annotated[str, Field(max_length=WORD, description="Name of a sheet, as list_sheets gives it")]


def not_too_long(value: object) -> object:
    """Refuse a long text in one sentence; out of several types, pydantic would add one for each."""
    if isinstance(value, str) and len(value) > TEXT:
        raise PydanticKnownError("string_too_long", {"max_length": TEXT})
    return value


Given = Annotated[Annotated[str, Field(max_length=TEXT)] | int | float, BeforeValidator(not_too_long)]


class SheetInfo(BaseModel):
    """A sheet: its first row, and how many rows follow."""

    name: str
    columns: list[Value]
    rows: int


class Found(Page):
    """Rows of a sheet, with the names of its columns."""

    rows: list[dict[str, Value]]


class Change(BaseModel):
    """What stood in a cell, and what stands there now."""

    cell: str
    old: Value
    new: Value


def plain(value: Any) -> Value:
    """A cell's value in a type that JSON has; dates and times become texts."""
    return value if isinstance(value, Value) else str(value)


def server(file: Path) -> Server:
    """The sheets of a workbook."""
    mcp = Server("sheet", "The shop's workbook: stock and suppliers.")
    lock = threading.Lock()  # a file that is being replaced cannot be read on Windows, nor changed by two

    @contextmanager
    def workbook() -> Iterator[Any]:
        with lock:
            try:
                book = load_workbook(file)
            except (OSError, InvalidFileException, zipfile.BadZipFile, KeyError, ValueError) as error:
                raise ToolError(f"{file.name} has to be an .xlsx workbook, but cannot be read: {error}") from None
            yield book

    def named(book: Any, name: str) -> Any:
        if name not in book.sheetnames:
            raise ToolError(f"A sheet is one of {', '.join(book.sheetnames)}, not {name!r}")
        return book[name]

    def rows_of(name: str) -> list[dict[str, Value]]:
        with workbook() as book:
            columns, *rows = [[*row] for row in named(book, name).iter_rows(values_only=True)] or [[]]
        return [{str(c): plain(v) for c, v in zip(columns, row, strict=True)} for row in rows]

    @mcp.tool(annotations=READS)
    def list_sheets() -> list[SheetInfo]:
        """List the sheets, with the names of their columns and how many rows they have."""
        with workbook() as book:
            return [
                SheetInfo(name=s.title, columns=[plain(cell.value) for cell in s[1]], rows=s.max_row - 1)
                for s in book.worksheets
            ]

    @mcp.tool(annotations=READS)
    def read_range(
        sheet: Sheet, cells: Annotated[str, Field(max_length=WORD, description="Such as A1:D5")]
    ) -> list[list[Value]]:
        """Read a range of cells, row by row. A formula is given as its text."""
        if not re.fullmatch(f"{CELL}(:{CELL})?", cells):
            raise ToolError(f"A range is written like A1:D5, not {cells!r}")
        left, top, right, bottom = range_boundaries(cells.upper())
        if not 0 < (size := max(right - left + 1, 0) * max(bottom - top + 1, 0)) <= CELLS:
            raise ToolError(
                f"A range goes from its upper left cell to its lower right one and has at most {CELLS} cells, "
                f"but {cells} has {size}"
            )
        with workbook() as book:
            area = named(book, sheet).iter_rows(top, bottom, left, right, values_only=True)
            return [[plain(value) for value in row] for row in area]

    @mcp.tool(annotations=READS)
    def find_rows(
        sheet: Sheet,
        column: Annotated[str, Field(max_length=WORD)],
        value: Given,
        offset: Offset = 0,
        limit: Limit = 10,
    ) -> Found:
        """Find the rows that have a value in a column, such as "kettle" in "product"."""
        rows = rows_of(sheet)
        if rows and column not in rows[0]:
            raise ToolError(f"A column of {sheet} is one of {', '.join(rows[0])}, not {column!r}")
        same = [row for row in rows if row[column] == value or str(row[column]).casefold() == str(value).casefold()]
        found, further = page(same, offset, limit)
        return Found(rows=found, next_offset=further)

    @mcp.tool(annotations=CHANGES)
    def set_cell(
        sheet: Sheet, cell: Annotated[str, Field(max_length=WORD, description="Such as D4")], value: Given
    ) -> Change:
        """Write a value into a cell below the first row that is in use already: a number for a number, a text for a text."""
        with workbook() as book:
            used, cell = named(book, sheet), cell.upper()
            if not re.fullmatch(CELL, cell):
                raise ToolError(f"A cell is written like D4, not {cell!r}; nothing was changed")
            column, row, *_ = range_boundaries(cell)
            if not 2 <= row <= used.max_row or column > used.max_column:
                last = used.dimensions.split(":")[-1]
                raise ToolError(f"{sheet} can be changed from A2 to {last}, but not in {cell}; nothing was changed")
            old = used[cell].value
            if any(isinstance(v, str) and v.startswith("=") for v in (old, value)):
                raise ToolError("Formulas are neither written nor replaced here; nothing was changed")
            if old is not None and isinstance(old, str) != isinstance(value, str):
                kind = "a text" if isinstance(old, str) else "a number"
                raise ToolError(f"{cell} has {kind} ({old!r}), but {value!r} is of another kind; nothing was changed")
            used[cell] = value
            part = file.with_suffix(".part")
            book.save(part)
            part.replace(file)  # whole or not at all
        return Change(cell=cell, old=plain(old), new=value)

    @mcp.resource("sheet://sheets", mime_type="application/json")
    def sheets() -> list[SheetInfo]:
        """The sheets."""
        return list_sheets()

    @mcp.resource("sheet://sheets/{name}", mime_type="application/json")
    def rows(name: str) -> list[dict[str, Value]]:
        """All rows of a sheet."""
        try:
            return rows_of(name)
        except ToolError as error:
            raise ResourceNotFoundError(str(error)) from None

    @mcp.prompt()
    def reorder(supplier: Annotated[str, Field(description="Name of the supplier, such as Kilrush Pottery")]) -> str:
        """Ask what has to be ordered from a supplier."""
        return f"Which products from {supplier} have fewer pieces in stock than the sheet's reorder_at? Write an order by mail."

    return mcp


if __name__ == "__main__":
    run(server, "sheet")
