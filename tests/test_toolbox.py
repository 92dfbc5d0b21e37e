"""The ready tools: arithmetic, programs, documents, the shop's database."""

import ast
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab import LabError, ToolError
from llmlab.tools import tool, toolbox
from llmlab.tools.toolbox import bm25, calculate, read_document, run_python, search_documents
from shop import world

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", 14),
        (" (2 + 3) * 4\n", 20),
        ("-2 ** 2", -4),
        ("7 // 2 + 7 % 4 - +1", 5),
        ("1 / 4", 0.25),
        ("2 ** -1", 0.5),
        ("1 ** 100000", 1),
        ("2 ** 999", 2**999),
        ("1_000 * 1e3", 1e6),
    ],
)
def test_arithmetic_is_worked_out(expression: str, value: float) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("9**9**9", "cannot work out"),
        ("2 ** 1001", "up to 300 digits"),
        ("1e999", "up to 300 digits"),
        ("10.0 ** 400", "cannot work out"),
        ("1 / 0", "division by zero"),
        ("(-8) ** 0.5", "real number"),
        ("1,200 + 5", "write 1200 for 1,200"),
        ("2 ^ 3", "2**3 for 2^3"),
        ("1 << 100000", "but got 1 << 100000"),
        ("True + 1", "but got True"),
        ("'a' * 3", "but got 'a'"),
        ("2j", "but got 2j"),
        ("sum([1, 2])", "but got sum([1, 2])"),
        ("x", "but got x"),
        ("12 x 3", "takes arithmetic such as (3 + 4.5) * 2, but got '12 x 3'"),
        ("", "takes arithmetic"),
        ("1\0", "takes arithmetic"),
        ("(" * 400, "takes arithmetic"),
        ("1+" * 400, "up to 500 characters, but got 800"),
    ],
)
def test_what_is_no_arithmetic_or_too_large_is_refused_readably(expression: str, says: str) -> None:
    with pytest.raises(ToolError) as refused:
        calculate(expression)
    assert says in str(refused.value)


_numbers = st.integers(0, 10**6).map(str) | st.floats(0, 1e6).map(repr)
_arithmetic = st.recursive(
    _numbers,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner).map(" ".join)
        | st.tuples(inner, st.integers(-4, 4).map("** {}".format)).map(" ".join)
        | inner.map("({})".format)
        | inner.map("-{}".format)
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(_arithmetic)
def test_arithmetic_agrees_with_python(expression: str) -> None:
    try:
        value = eval(expression)
        possible = math.isfinite(value) and abs(value) < 1e300
    except (ArithmeticError, TypeError, ValueError):  # TypeError: // of complex numbers
        possible = False
    if possible and len(expression) <= toolbox.EXPRESSION:
        assert (calculate(expression), type(calculate(expression))) == (value, type(value))
    else:
        with pytest.raises(ToolError):
            calculate(expression)


_names = st.sampled_from(["trap", "trap()", "trap.x", "trap[0]", "[trap() for _ in '1']", "(lambda: trap())()"])


@settings(max_examples=40, deadline=None)
@given(_arithmetic, st.sampled_from(["+", "-", "*", "/", "**", "//"]), _names, st.booleans())
def test_no_name_attribute_or_call_is_ever_executed(number: str, operator: str, name: str, first: bool) -> None:
    pair = (name, number) if first else (number, name)
    with pytest.raises(ToolError):
        calculate(f"{pair[0]} {operator} ({pair[1]})")


@settings(max_examples=40, deadline=None)
@given(st.text("0123456789.+-*/%() eE,_jxand'\"[]{}:=^é½中\0\n"))
def test_any_text_gives_a_number_or_a_readable_refusal(text: str) -> None:
    try:
        value = calculate(text)
    except ToolError:
        return
    allowed = ast.Expression | ast.BinOp | ast.UnaryOp | ast.Constant | ast.operator | ast.unaryop
    assert all(isinstance(node, allowed) for node in ast.walk(ast.parse(text.strip(), mode="eval")))
    assert math.isfinite(value)


async def test_a_program_runs_and_what_it_prints_comes_back() -> None:
    result = await tool(run_python).call({"code": "import math\nprint(math.factorial(5), 'größer')"})
    assert (result.ok, result.text) == (True, "120 größer\n")


async def test_a_program_may_stand_in_a_fence_and_use_what_programs_use() -> None:
    code = """
from dataclasses import dataclass
import datetime, json, math, re

@dataclass
class Point:
    x: int

print(Point(2), math.floor(2.5), json.dumps({"a": [1]}), re.findall(r"\\d+", "a1b22"), datetime.date(2026, 11, 30))
"""
    assert await run_python(f"```python{code}```\n") == "Point(x=2) 2 {\"a\": [1]} ['1', '22'] 2026-11-30\n"


async def test_the_value_of_a_last_expression_counts_as_printed() -> None:
    assert await run_python("2 + 2") == "4\n"
    assert "print what you want to know" in await run_python("x = 2")


async def test_a_long_output_is_cut() -> None:
    assert await run_python("print('x' * 5000)") == "x" * 4000 + "\n… (1,001 more characters are left out)"


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    (tmp_path / "returns.md").write_text(
        "# Returns\n\nGoods come back within 30 days.\n\n## Refunds\nA refund takes five days.", encoding="utf-8"
    )
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "shipping.md").write_text(
        "# Shipping\n\nA parcel takes two days.\n\nIt is free.", encoding="utf-8"
    )
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "returns-checkpoint.md").write_text("# Returns\n\nold", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("refund", encoding="utf-8")
    return tmp_path


async def test_a_search_finds_the_passages_that_fit_best(documents: Path) -> None:
    made = tool(search_documents(documents))
    assert made.name == "search_documents"
    result = await made.call({"query": "How long does a REFUND take?"})
    best = result.value[0]
    assert (best.document, best.text) == ("returns.md", "## Refunds\nA refund takes five days.")
    assert result.text.startswith('[{"document": "returns.md", "text": "## Refunds\\nA refund')
    assert search_documents(documents)("parcel days")[0].document == "more/shipping.md"
    assert search_documents(documents)("zebra !?") == []


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    common, rare, _, none = bm25("the lamp", ["the chair", "a lamp", "a chair by the door", "nothing"])
    assert rare > common > none == 0
    assert bm25("lamp", []) == []


async def test_a_document_is_read_by_its_name_and_nothing_else_is(documents: Path) -> None:
    made = tool(read_document(documents))
    assert (await made.call({"name": "more/shipping.md"})).text.startswith("# Shipping")
    for name in ("secret.txt", "../secret.md", str(documents / "returns.md")):
        result = await made.call({"name": name})
        assert result.text == f"error: there is no document {name}; there are more/shipping.md, returns.md"


def test_a_folder_without_documents_is_refused_at_once(tmp_path: Path) -> None:
    for factory in (search_documents, read_document):
        with pytest.raises(LabError, match="needs Markdown files"):
            factory(tmp_path)


async def test_the_database_is_asked_for_reading_only_and_its_tables_are_told(tmp_path: Path) -> None:
    db = world.lay_out(tmp_path / "shop").db
    made = tool(toolbox.query_database(db))
    assert (made.name, made.parameters["required"]) == ("query_database", ["sql"])
    assert "CREATE TABLE customers (id INTEGER" in made.description
    assert (await made.call({"sql": "SELECT 1 AS one, 'a' AS two"})).text == "one | two\n1 | a"
    for sql in ("DELETE FROM orders", "SELECT nothing FROM orders"):
        result = await made.call({"sql": sql})
        assert not result.ok
    assert int((await made.call({"sql": "SELECT count(*) AS n FROM orders"})).text.split()[1]) > 0
