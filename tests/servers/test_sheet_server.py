"""The sheet server: what is in the workbook, and one cell at a time that may be changed, within bounds."""

import asyncio
import datetime
import json

import pytest
from asking import bad, good, missing, prompt, text
from mcp import Client
from openpyxl import load_workbook

from shop import Shop

pytestmark = pytest.mark.anyio


async def test_sheets_are_listed_with_their_columns(sheet: Client) -> None:
    stock, suppliers = await good(sheet, "list_sheets")
    assert (stock["name"], stock["rows"], stock["columns"][:2]) == ("stock", 24, ["product", "category"])
    assert (suppliers["name"], suppliers["rows"]) == ("suppliers", 7)


async def test_a_range_is_read_row_by_row(sheet: Client) -> None:
    assert await good(sheet, "read_range", sheet="stock", cells="a1:C2") == [
        ["product", "category", "price"],
        ["house blend", "coffee", 9],
    ]
    assert await good(sheet, "read_range", sheet="stock", cells="Z99") == [[None]]


async def test_rows_are_found_by_a_value(sheet: Client) -> None:
    [kettle] = (await good(sheet, "find_rows", sheet="stock", column="product", value="Kettle"))["rows"]
    assert (kettle["price"], kettle["in_stock"], kettle["supplier"]) == (52, 3, "Northgate Wares")
    page = await good(sheet, "find_rows", sheet="stock", column="category", value="tea", limit=4)
    rest = await good(sheet, "find_rows", sheet="stock", column="category", value="tea", offset=page["next_offset"])
    assert (len(page["rows"]), len(rest["rows"]), rest["next_offset"]) == (4, 2, None)
    assert len((await good(sheet, "find_rows", sheet="stock", column="price", value="9"))["rows"]) == 3
    assert (await good(sheet, "find_rows", sheet="stock", column="product", value="lamp"))["rows"] == []


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("read_range", {"sheet": "Stock", "cells": "A1"}, "A sheet is one of stock, suppliers, not 'Stock'"),
        ("read_range", {"sheet": "stock", "cells": "A:A"}, "A range is written like A1:D5"),
        ("read_range", {"sheet": "stock", "cells": "everything"}, "A range is written like A1:D5"),
        ("read_range", {"sheet": "stock", "cells": "C3:A1"}, "upper left"),
        ("read_range", {"sheet": "stock", "cells": "A1:XFD1048576"}, "at most 500 cells"),
        ("find_rows", {"sheet": "stock", "column": "colour", "value": 1}, "not 'colour'"),
    ],
)
async def test_wrong_arguments_are_refused_in_words(sheet: Client, tool: str, arguments: object, says: str) -> None:
    assert says in await bad(sheet, tool, **arguments)  # type: ignore[arg-type]


async def test_a_cell_is_set_and_the_rest_stays(sheet: Client, shop: Shop) -> None:
    change = await good(sheet, "set_cell", sheet="stock", cell="d20", value=15)
    assert change == {"cell": "D20", "old": 3, "new": 15}
    book = load_workbook(shop.sheet)
    assert [cell.value for cell in book["stock"][20]] == ["kettle", "equipment", 52, 15, 5, "Northgate Wares"]
    assert book["suppliers"].max_row == 8
    assert [file.name for file in shop.folder.glob("stock*")] == ["stock.xlsx"]


@pytest.mark.parametrize(
    ("cell", "value", "says"),
    [
        ("D20", "many", "D20 has a number (3), but 'many' is of another kind"),
        ("A20", 7, "A20 has a text ('kettle'), but 7 is of another kind"),
        ("A20", '=HYPERLINK("http://example.com")', "Formulas are neither written nor replaced"),
        ("A1", "name", "can be changed from A2 to F25"),
        ("A26", "sugar", "can be changed from A2 to F25"),
        ("G2", "sugar", "can be changed from A2 to F25"),
        ("D2:D20", 0, "A cell is written like D4"),
        ("D", 0, "A cell is written like D4"),
        ("D20", None, "Input should be a valid"),
    ],
)
async def test_a_cell_that_may_not_be_set_stays(sheet: Client, shop: Shop, cell: str, value: object, says: str) -> None:
    before = shop.sheet.read_bytes()
    assert says in await bad(sheet, "set_cell", sheet="stock", cell=cell, value=value)
    assert shop.sheet.read_bytes() == before


async def test_formulas_and_days_are_read_as_texts_and_formulas_stay(sheet: Client, shop: Shop) -> None:
    book = load_workbook(shop.sheet)
    book["stock"]["G2"], book["stock"]["G3"] = "=D2*2", datetime.date(2026, 7, 1)
    book.save(shop.sheet)
    assert await good(sheet, "read_range", sheet="stock", cells="G2:G3") == [["=D2*2"], ["2026-07-01 00:00:00"]]
    assert "Formulas are neither" in await bad(sheet, "set_cell", sheet="stock", cell="G2", value=1)


async def test_a_file_that_is_no_workbook_is_told(sheet: Client, shop: Shop) -> None:
    for content in (b"", b"hello"):
        shop.sheet.write_bytes(content)
        assert "stock.xlsx has to be an .xlsx workbook" in await bad(sheet, "list_sheets")


async def test_of_many_changes_at_once_none_is_lost(sheet: Client, shop: Shop) -> None:
    await asyncio.gather(
        *(good(sheet, "set_cell", sheet="stock", cell=f"D{row}", value=1000 + row) for row in range(2, 12)),
        *(good(sheet, "list_sheets") for _ in range(5)),
    )
    stock = load_workbook(shop.sheet)["stock"]
    assert [stock[f"D{row}"].value for row in range(2, 12)] == [1000 + row for row in range(2, 12)]


async def test_sheets_are_resources(sheet: Client) -> None:
    assert [one["name"] for one in json.loads(await text(sheet, "sheet://sheets"))] == ["stock", "suppliers"]
    rows = json.loads(await text(sheet, "sheet://sheets/suppliers"))
    assert rows[0]["place"] == "Huila, Colombia"
    assert "A sheet is one of" in await missing(sheet, "sheet://sheets/nope")
    assert "Kilrush Pottery" in await prompt(sheet, "reorder", supplier="Kilrush Pottery")
