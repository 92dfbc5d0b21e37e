"""An MCP server for an Excel workbook (.xlsx): its sheets, ranges and rows, and one act: to set a cell."""

import re
import threading
from pathlib import Path
from typing import Annotated, Any

from openpyxl import load_workbook
from openpyxl.utils.cell import range_boundaries
from openpyxl.worksheet.worksheet import Worksheet
from pydantic import Field
from typing_extensions import TypedDict

from shop.common import CHANGES, READS, TEXT, WORD, Further, Limit, Offset, Refusal, Server, page, run

CELLS = 500  # of a range in one call
CELL = r"[A-Za-z]{1,3}[1-9][0-9]{0,6}"
CHANGING = threading.Lock()  # of two changes at once, one would be lost
Value = str | int | float | bool | None
Given = Annotated[str, Field(max_length=TEXT)] | int | float
Sheet = Annotated[str, Field(max_length=WORD, description="Name of a sheet, as list_sheets gives it")]
Cells = Annotated[str, Field(max_length=WORD, description="Such as A1:D5")]
Cell = Annotated[str, Field(max_length=WORD, description="Such as D4")]
Column = Annotated[str, Field(max_length=WORD)]
SheetInfo = TypedDict("SheetInfo", {"name": str, "columns": list[Value], "rows": int})
Found = TypedDict("Found", {"next_offset": Further, "rows": list[dict[str, Value]]})
Change = TypedDict("Change", {"cell": str, "old": Value, "new": Value})


def plain(value: Any) -> Value:
    """A cell's value in a type that JSON has; dates and times become texts."""
    return value if isinstance(value, Value) else str(value)


def opened(file: Path, name: str) -> Worksheet:
    """A sheet of the workbook in a file."""
    book = load_workbook(file)
    if name not in book.sheetnames:
        raise Refusal(f"A sheet is one of {', '.join(book.sheetnames)}, not {name!r}")
    return book[name]


def list_sheets(file: Path) -> list[SheetInfo]:
    """List the sheets, with the names of their columns and how many rows they have."""
    found = load_workbook(file).worksheets
    return [{"name": s.title, "columns": [plain(cell.value) for cell in s[1]], "rows": s.max_row - 1} for s in found]


def read_range(file: Path, sheet: Sheet, cells: Cells) -> list[list[Value]]:
    """Read a range of cells, row by row. A formula is given as its text."""
    if not re.fullmatch(f"{CELL}(:{CELL})?", cells):
        raise Refusal(f"A range is written like A1:D5, not {cells!r}")
    left, top, right, bottom = range_boundaries(cells.upper())
    if not 0 < (size := max(right - left + 1, 0) * max(bottom - top + 1, 0)) <= CELLS:
        corners = f"A range goes from its upper left cell to its lower right one and has at most {CELLS} cells"
        raise Refusal(f"{corners}, but {cells} has {size}")
    return [[plain(v) for v in row] for row in opened(file, sheet).iter_rows(top, bottom, left, right, True)]


def rows(file: Path, name: str) -> list[dict[str, Value]]:
    """All rows of a sheet."""
    columns, *below = [*opened(file, name).iter_rows(values_only=True)] or [()]
    return [{str(c): plain(v) for c, v in zip(columns, row, strict=True)} for row in below]


def find_rows(file: Path, sheet: Sheet, column: Column, value: Given, offset: Offset = 0, limit: Limit = 10) -> Found:
    """Find the rows that have a value in a column, such as "kettle" in "product"."""
    every = rows(file, sheet)
    if every and column not in every[0]:
        raise Refusal(f"A column of {sheet} is one of {', '.join(every[0])}, not {column!r}")
    same = [row for row in every if row[column] == value or str(row[column]).casefold() == str(value).casefold()]
    return page("rows", same, offset, limit)


def set_cell(file: Path, sheet: Sheet, cell: Cell, value: Given) -> Change:
    """Write a value into a cell below the first row that is in use already: a number for a number, a text for a text."""
    with CHANGING:
        used, cell = opened(file, sheet), cell.upper()
        if not re.fullmatch(CELL, cell):
            raise Refusal(f"A cell is written like D4, not {cell!r}; nothing was changed")
        column, row, *_ = range_boundaries(cell)
        if not 2 <= row <= used.max_row or column > used.max_column:
            last = used.dimensions.split(":")[-1]
            raise Refusal(f"{sheet} can be changed from A2 to {last}, but not in {cell}; nothing was changed")
        old = used[cell].value
        if any(isinstance(v, str) and v.startswith("=") for v in (old, value)):
            raise Refusal("Formulas are neither written nor replaced here; nothing was changed")
        if old is not None and isinstance(old, str) != isinstance(value, str):
            kind = "a text" if isinstance(old, str) else "a number"
            raise Refusal(f"{cell} has {kind} ({old!r}), but {value!r} is of another kind; nothing was changed")
        used[cell] = value
        part = file.with_suffix(".part")
        used.parent.save(part)
        part.replace(file)  # whole or not at all
    return {"cell": cell, "old": plain(old), "new": value}


def reorder(supplier: Annotated[str, Field(description="Name of the supplier, such as Kilrush Pottery")]) -> str:
    """Ask what has to be ordered from a supplier."""
    return f"Which products from {supplier} have fewer pieces in stock than the sheet's reorder_at? Write an order by mail."


def server(file: Path) -> Server:
    """The sheets of a workbook."""
    mcp = Server("sheet", "The shop's workbook: stock and suppliers.", file)
    mcp.offer(mcp.tool(annotations=READS), list_sheets, read_range, find_rows)
    mcp.offer(mcp.tool(annotations=CHANGES), set_cell)
    mcp.lend("sheet://sheets", list_sheets, "The sheets.")
    mcp.lend("sheet://sheets/{name}", rows)
    mcp.prompt()(reorder)
    return mcp


if __name__ == "__main__":
    run(server, "sheet")
