"""The shop: its data fit together, each copy is fresh and one's own, and queries only read."""

import csv
import re
import runpy
import sqlite3
import subprocess
import unicodedata
from contextlib import closing
from pathlib import Path

import pytest
from icalendar import Calendar
from openpyxl import load_workbook

from llmlab.errors import LabError, ToolError
from shop import SCHEMA, SOURCE, Shop, git_environment, lay_out, query, tables
from shop import world as shop_module

HEAD = "f39f5d727baa043a093df9e05190f0b8"  # of the repository: the same on each machine


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return lay_out(tmp_path / "shop")


@pytest.fixture
def git_log(shop: Shop) -> list[str]:
    command = ["git", "-C", str(shop.repository), "log", "--format=%H %an %as"]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=git_environment()
    ).stdout.splitlines()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def column(shop: Shop, sql: str) -> list[object]:
    return [row[0] for row in query(shop.db, sql, limit=1000).rows]


# The data


def test_the_script_makes_the_same_text_each_time() -> None:
    made = runpy.run_path(str(SOURCE / "make.py"))["make"]()
    assert "\n".join(made) + "\n" == (SOURCE / "shop.sql").read_text("utf-8")


def test_the_shop_has_the_size_that_was_meant(shop: Shop) -> None:
    tables = {
        name: column(shop, f"SELECT count(*) FROM {name}")[0] for name in ("customers", "orders", "items", "returns")
    }
    assert tables == {"customers": 60, "orders": 160, "items": 330, "returns": 25}
    assert len(list(shop.documents.glob("*.md"))) == 12


def test_the_schema_for_prompts_is_the_one_of_the_database(shop: Shop) -> None:
    assert "\n".join(f"{sql};" for sql in column(shop, "SELECT sql FROM sqlite_master")) == SCHEMA


def test_some_tables_of_the_schema_are_named_and_an_unknown_one_is_refused() -> None:
    customers, orders, *_ = SCHEMA.splitlines()
    assert tables("orders", "customers") == f"{orders}\n{customers}"
    with pytest.raises(LabError, match=r"customers, orders, items, returns, but not clients"):
        tables("orders", "clients")


def test_totals_are_the_sums_of_the_items_and_keys_lead_somewhere(shop: Shop) -> None:
    summed = "SELECT sum(quantity * price) FROM items WHERE order_id = orders.id"
    assert column(shop, f"SELECT id FROM orders WHERE total IS NOT ({summed})") == []
    with closing(sqlite3.connect(shop.db)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_days_are_of_2026_and_in_order(shop: Shop) -> None:
    days = "SELECT joined FROM customers UNION SELECT ordered_on FROM orders UNION SELECT returned_on FROM returns"
    assert all(re.fullmatch(r"2026-\d\d-\d\d", str(day)) for day in column(shop, days))
    early = "SELECT orders.id FROM orders JOIN customers ON customers.id = customer_id WHERE ordered_on < joined"
    assert column(shop, early) == []


def test_what_came_back_came_back_once_and_in_time(shop: Shop) -> None:
    returned = column(shop, "SELECT id FROM orders WHERE status = 'returned' ORDER BY id")
    assert returned == column(shop, "SELECT order_id FROM returns ORDER BY order_id")
    days = "SELECT julianday(returned_on) - julianday(ordered_on) FROM returns JOIN orders ON orders.id = order_id"
    assert all(0 < day <= 30 for day in column(shop, days))  # type: ignore[operator]


def test_documents_are_short() -> None:
    lengths = {file.name: len(file.read_text("utf-8").split()) for file in (SOURCE / "documents").iterdir()}
    assert {name: length for name, length in lengths.items() if not 60 <= length <= 150} == {}


def test_the_report_on_glass_cups_names_the_orders_that_broke(shop: Shop) -> None:
    broken = column(
        shop,
        "SELECT returns.order_id FROM returns JOIN items ON items.order_id = returns.order_id "
        "WHERE reason = 'broken' AND product = 'glass cup'",
    )
    report = (shop.documents / "glass-cups.md").read_text("utf-8")
    assert sorted(broken) == [int(n) for n in re.findall(r"\b1\d{3}\b", report)] == [1030, 1045, 1052, 1059]


def test_posts_speak_of_orders_that_exist(shop: Shop) -> None:
    posts = query(shop.messages, "SELECT posted_at, text FROM posts ORDER BY id").rows
    assert (len(posts), posts) == (40, sorted(posts, key=lambda post: post[0]))
    for posted_at, text in posts:
        for number in re.findall(r"\b1\d{3}\b", text):
            [[ordered_on]] = query(shop.db, "SELECT ordered_on FROM orders WHERE id = ?", [int(number)]).rows
            assert ordered_on <= posted_at[:10], text


def test_stock_price_list_and_orders_agree_on_products_and_prices(shop: Shop) -> None:
    sheet = load_workbook(shop.sheet)["stock"]
    stock = {product: price for product, _, price, *_ in sheet.iter_rows(min_row=2, values_only=True)}
    with (shop.repository / "prices.csv").open(encoding="utf-8") as file:
        assert {row["product"]: float(row["price"]) for row in csv.DictReader(file)} == stock
    sold = query(
        shop.db,
        "SELECT DISTINCT product, price FROM items JOIN orders ON orders.id = order_id WHERE ordered_on >= '2026-07-01'",
    ).rows
    assert {product: price for product, price in sold} == stock


def test_the_calendar_is_a_real_one(shop: Shop) -> None:
    data = shop.calendar.read_bytes()
    assert data.count(b"\r\n") == data.count(b"\n")
    assert max(map(len, data.split(b"\r\n"))) <= 75
    calendar = Calendar.from_ical(data)
    assert (len(calendar.events), [part.errors for part in calendar.walk() if part.errors]) == (27, [])
    assert sum("RRULE" in event for event in calendar.events) == 4


def test_the_repository_is_the_same_on_each_machine(git_log: list[str]) -> None:
    assert git_log[0].startswith(HEAD)
    assert len(git_log) == 12
    assert {line.split()[1] for line in git_log} == {"Brigid", "Ciara", "Kamil"}


def test_texts_are_ready_to_be_compared() -> None:
    files = [file for file in SOURCE.rglob("*") if file.is_file() and file.suffix != ".pyc"]
    assert [f.name for f in files if not unicodedata.is_normalized("NFC", f.read_text("utf-8"))] == []


# Laying it out


def test_a_change_stays_in_its_copy_and_a_fresh_one_has_none(tmp_path: Path) -> None:
    one, other = lay_out(tmp_path / "one"), lay_out(tmp_path / "other")
    (one.repository / "README.md").write_text("mine", encoding="utf-8")
    with closing(sqlite3.connect(one.db)) as connection, connection:
        connection.execute("DELETE FROM returns")
    assert column(other, "SELECT count(*) FROM returns") == [25]
    fresh = lay_out(tmp_path / "one")
    assert column(fresh, "SELECT count(*) FROM returns") == [25]
    assert (fresh.repository / "README.md").read_text("utf-8").startswith("# Price list")


def test_sheet_and_repository_are_made_when_they_are_asked_for(shop: Shop) -> None:
    slow = {"repository", "stock.xlsx"}
    assert slow & names(shop.folder) == set()
    assert {shop.repository.name, shop.sheet.name} == slow
    assert slow <= names(shop.folder)
    (shop.repository / "README.md").unlink()
    assert not (Shop(shop.folder).repository / "README.md").exists(), "what is there may not be made again"


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(LabError, match=r"has other files; choose another\.$"):
        lay_out(tmp_path)
    assert names(tmp_path) == {"letter.txt"}


def test_without_git_a_sentence_says_what_to_do(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.setenv("PATH", "")
        with pytest.raises(LabError, match=r"there is none on the path; install it from git-scm\.com"):
            _ = shop.repository
    assert (shop.repository / "labels.py").exists(), "with Git, the same copy goes on"


def test_what_git_says_when_it_fails_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "repository.txt").write_text("nonsense\n", encoding="utf-8")
    monkeypatch.setattr(shop_module, "SOURCE", tmp_path)
    with pytest.raises(LabError, match=r"git failed .*nonsense"):
        _ = shop.repository


def test_the_readers_configuration_of_git_changes_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".gitconfig").write_text(
        "[core]\n\tautocrlf = true\n[init]\n\tdefaultBranch = trunk\n", encoding="utf-8"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert (shop.repository / ".git" / "refs" / "heads" / "main").read_text().startswith(HEAD)
    assert b"\r" not in (shop.repository / "labels.py").read_bytes()
    assert not (tmp_path / "elsewhere").exists()


# Asking it


def test_a_query_gives_columns_and_rows_and_says_if_there_are_more(shop: Shop) -> None:
    found = query(shop.db, "SELECT id, total FROM orders WHERE id < ?", [1004], limit=2)
    assert (found.columns, found.rows, found.more) == (["id", "total"], [[1001, 40.5], [1002, 23.0]], True)
    assert str(found) == "id | total\n1001 | 40.5\n1002 | 23.0\n…"
    assert not query(shop.db, "SELECT id FROM orders LIMIT 2;", limit=2).more
    assert query(shop.db, "SELECT x'00ff', NULL").rows == [["00ff", None]]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders",
        "UPDATE orders SET total = 0",
        "INSERT INTO returns VALUES (99, 1001, 'late', '2026-02-01') RETURNING id",
        "DROP TABLE orders",
        "CREATE TEMP TABLE mine (a)",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'other.db'",
        "PRAGMA query_only = OFF",
        "BEGIN",
        "SELECT load_extension('x')",
    ],
)
def test_a_query_cannot_change_anything(sql: str, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shop.db.read_bytes()
    monkeypatch.chdir(shop.folder)
    with pytest.raises(ToolError, match="Only SELECT is allowed here"):
        query(shop.db, sql)
    assert shop.db.read_bytes() == before
    assert not (shop.folder / "other.db").exists()


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT nam FROM customers", "no such column: nam"),
        ("SELECT * FROM clients", "no such table: clients"),
        ("SELEC 1", 'near "SELEC": syntax error'),
        ("SELECT 1; SELECT 2", "one statement at a time"),
        ("SELECT ?", "Incorrect number of bindings"),
        ("SELECT '\0'", "null character"),
        ("SELECT '\ud800'", "surrogates not allowed"),
        ("SELECT CAST(x'ff' AS TEXT)", "Could not decode to UTF-8"),
        ("SELECT randomblob(10000000)", "string or blob too big"),
        ("", "is empty"),
        ("-- nothing", "is empty"),
    ],
)
def test_a_wrong_query_brings_what_sqlite_says(sql: str, says: str, shop: Shop) -> None:
    with pytest.raises(ToolError, match=re.escape(says)):
        query(shop.db, sql)


def test_a_query_that_would_run_forever_is_stopped(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop_module, "SECONDS", 0.1)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(ToolError, match=r"A query has 0\.1 seconds, but this one takes longer"):
        query(shop.db, endless)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="unable to open database file"):
        query(tmp_path / "none.db", "SELECT 1")
    assert names(tmp_path) == set()
