"""The shop: its data fit together, each copy is fresh and one's own, and queries only read."""

import csv
import re
import runpy
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from openpyxl import load_workbook

from llmlab.errors import LabError, ToolError
from shop import SCHEMA, SOURCE, Shop, git_environment, lay_out, query, tables, world

HEAD = "f39f5d727baa043a093df9e05190f0b8"  # of the repository: the same on each machine


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return lay_out(tmp_path / "shop")


def column(shop: Shop, sql: str) -> list[object]:
    return [row[0] for row in query(shop.db, sql, limit=1000).rows]


def test_the_script_makes_the_same_text_each_time_and_the_schema_is_its_tables(shop: Shop) -> None:
    made = runpy.run_path(str(SOURCE / "make.py"))["make"]()
    assert "\n".join(made) + "\n" == (SOURCE / "shop.sql").read_text("utf-8")
    assert "\n".join(f"{sql};" for sql in column(shop, "SELECT sql FROM sqlite_master")) == SCHEMA
    assert tables("orders", "customers").splitlines() == SCHEMA.splitlines()[1::-1]


def test_orders_items_and_returns_fit_together(shop: Shop) -> None:
    counts = [column(shop, f"SELECT count(*) FROM {name}")[0] for name in ("customers", "orders", "items", "returns")]
    assert counts == [60, 160, 330, 25]
    with closing(sqlite3.connect(shop.db)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    summed = "SELECT sum(quantity * price) FROM items WHERE order_id = orders.id"
    assert column(shop, f"SELECT id FROM orders WHERE total IS NOT ({summed})") == []
    early = "SELECT orders.id FROM orders JOIN customers ON customers.id = customer_id WHERE ordered_on < joined"
    assert column(shop, early) == []
    returned = column(shop, "SELECT id FROM orders WHERE status = 'returned' ORDER BY id")
    assert returned == column(shop, "SELECT order_id FROM returns ORDER BY order_id")


def test_documents_posts_sheet_and_price_list_agree_with_the_orders(shop: Shop) -> None:
    assert len(list(shop.documents.glob("*.md"))) == 12
    broken = "reason = 'broken' AND order_id IN (SELECT order_id FROM items WHERE product = 'glass cup')"
    report = re.findall(r"\b1\d{3}\b", (shop.documents / "glass-cups.md").read_text("utf-8"))
    assert sorted(column(shop, f"SELECT order_id FROM returns WHERE {broken}")) == [int(n) for n in report]
    for posted_at, text in query(shop.messages, "SELECT posted_at, text FROM posts").rows:
        for number in re.findall(r"\b1\d{3}\b", text):
            assert column(shop, f"SELECT ordered_on <= '{posted_at}' FROM orders WHERE id = {number}") == [1], text
    stock = {row[0]: row[2] for row in load_workbook(shop.sheet)["stock"].iter_rows(min_row=2, values_only=True)}
    with (shop.repository / "prices.csv").open(encoding="utf-8") as file:
        assert {row["product"]: float(row["price"]) for row in csv.DictReader(file)} == stock
    sold = "SELECT product, price FROM items JOIN orders ON orders.id = order_id WHERE ordered_on >= '2026-07-01'"
    assert dict(query(shop.db, sold, limit=1000).rows) == stock


def test_a_change_stays_in_its_copy_and_a_fresh_one_has_none(tmp_path: Path) -> None:
    one, other = lay_out(tmp_path / "one"), lay_out(tmp_path / "other")
    (one.repository / "README.md").write_text("mine", encoding="utf-8")
    with closing(sqlite3.connect(one.db)) as connection, connection:
        connection.execute("DELETE FROM returns")
    assert column(other, "SELECT count(*) FROM returns") == [25]
    fresh = lay_out(tmp_path / "one")
    assert column(fresh, "SELECT count(*) FROM returns") == [25]
    assert (fresh.repository / "README.md").read_text("utf-8") != "mine"


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(LabError, match="has other files"):
        lay_out(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_the_repository_needs_git_and_is_the_same_whatever_git_is_told_elsewhere(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as without:
        without.setenv("PATH", "")
        with pytest.raises(LabError, match="needs the program git"):
            _ = shop.repository
    (tmp_path / ".gitconfig").write_text("[core]\nautocrlf = true\n[init]\ndefaultBranch = trunk\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    command = ["git", "-C", str(shop.repository), "log", "main", "--format=%H"]
    log = subprocess.run(command, capture_output=True, text=True, check=True, env=git_environment()).stdout.split()
    assert (log[0][:32], len(log)) == (HEAD, 12)
    assert b"\r" not in (shop.repository / "labels.py").read_bytes()


def test_a_query_gives_columns_and_rows_and_says_if_there_are_more(shop: Shop) -> None:
    found = query(shop.db, "SELECT id, total FROM orders WHERE id < ?", [1004], limit=2)
    assert (found.columns, found.rows, found.more) == (["id", "total"], [[1001, 40.5], [1002, 23.0]], True)
    assert str(found) == "id | total\n1001 | 40.5\n1002 | 23.0\n…"
    assert query(shop.db, "SELECT x'00ff', NULL;").records() == [{"x'00ff'": "00ff", "NULL": None}]


READS_ONLY = "Only SELECT is allowed"
REFUSED = {
    "DELETE FROM orders": READS_ONLY,
    "INSERT INTO returns VALUES (99, 1001, 'late', '2026-02-01') RETURNING id": READS_ONLY,
    "ATTACH 'other.db' AS other": READS_ONLY,
    "VACUUM INTO 'other.db'": READS_ONLY,
    "PRAGMA query_only = OFF": READS_ONLY,
    "SELECT load_extension('x')": READS_ONLY,
    "SELECT nam FROM customers": "no such column: nam",
    "SELECT '\ud800'": "surrogates not allowed",
    "SELECT CAST(x'ff' AS TEXT)": "Could not decode to UTF-8",
    "SELECT randomblob(10000000)": "string or blob too big",
    "-- nothing": "is empty",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n": "0.1 seconds",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_a_query_changes_nothing_ends_in_time_and_tells_what_is_wrong(
    sql: str, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shop.db.read_bytes()
    monkeypatch.chdir(shop.folder)
    monkeypatch.setattr(world, "SECONDS", 0.1)
    with pytest.raises(ToolError, match=re.escape(REFUSED[sql])):
        query(shop.db, sql)
    assert (shop.db.read_bytes(), (shop.folder / "other.db").exists()) == (before, False)
