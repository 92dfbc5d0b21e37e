"""The ready tools: arithmetic, programs, documents, the shop's database."""

import ast
import math
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
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
        ("9**9**9", "numbers of up to 300 digits"),
        ("2 ** 1001", "numbers of up to 300 digits"),
        ("1e999", "numbers of up to 300 digits"),
        ("10.0 ** 400", "numbers of up to 300 digits"),
        ("1 / 0", "division by zero"),
        ("(-8) ** 0.5", "no real number"),
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


@given(_arithmetic, st.sampled_from(["+", "-", "*", "/", "**", "//"]), _names, st.booleans())
def test_no_name_attribute_or_call_is_ever_executed(number: str, operator: str, name: str, first: bool) -> None:
    pair = (name, number) if first else (number, name)
    with pytest.raises(ToolError):
        calculate(f"{pair[0]} {operator} ({pair[1]})")


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
import sys

@dataclass
class Point:
    x: int

def main():
    print(Point(2))

if __name__ == "__main__":
    main()
    sys.exit()
"""
    assert await run_python(f"```python{code}```\n") == "Point(x=2)\n"


async def test_a_program_that_prints_nothing_is_told_to() -> None:
    assert "print what you want to know" in await run_python("2 + 2")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("print('so far')\n\nprint(nothing)", "line 3: NameError: name 'nothing' is not defined"),
        ("print('so far')\nraise KeyError('x')", "line 2: KeyError: 'x'"),
        ("import os\nprint('so far')\nos._exit(4)", "it ended without a result (exit code 4)"),
        ("import sys\nprint('so far')\nsys.exit('stop')", "SystemExit: stop"),
        ("print('so far')\ninput()", "EOFError"),
    ],
)
async def test_a_failing_program_gives_its_output_and_the_error_s_last_line(code: str, says: str) -> None:
    result = await tool(run_python).call({"code": code})
    assert not result.ok
    assert result.text.startswith("error: the program failed: ")
    assert says in result.text
    assert result.text.endswith("\nIt had printed:\nso far\n")
    assert "Traceback" not in result.text


async def test_a_program_that_is_no_python_fails_with_its_line() -> None:
    with pytest.raises(ToolError, match=r"failed: line 2: SyntaxError"):
        await run_python("x = 1\nwhile x print")


async def test_a_program_that_never_ends_is_killed_with_all_that_it_started(monkeypatch: Any) -> None:
    monkeypatch.setattr(toolbox, "SECONDS", 2.0)
    code = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]).pid)
while True:
    pass
"""
    with pytest.raises(ToolError, match="may take 2 seconds, but took longer") as killed:
        await run_python(code)
    pid = int(str(killed.value).split("\n")[2])
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_what_a_program_leaves_running_ends_with_it() -> None:
    code = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]).pid)
"""
    pid = int(await run_python(code))
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit the memory of a process")
async def test_a_program_that_needs_too_much_memory_fails() -> None:
    with pytest.raises(ToolError, match="MemoryError: it has 1024 MB, but needed more"):
        await run_python("x = bytearray(2_000_000_000)")


async def test_a_flood_of_output_is_cut() -> None:
    with pytest.raises(ToolError, match="may print 100,000 bytes, but printed more") as killed:
        await run_python("while True: print('x' * 100)")
    assert len(str(killed.value)) < toolbox.SHOWN + 200
    long = await run_python("print('x' * 5000)")
    assert long == "x" * 4000 + "\n… (1,001 more characters are left out)"


async def test_a_program_starts_in_an_empty_folder_without_the_reader_s_variables(monkeypatch: Any) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-that-nobody-may-see")
    code = "import os\nprint(os.listdir(), 'a-key-that-nobody-may-see' in os.environ.values(), os.getcwd())"
    listed, key, folder = (await run_python(code)).split()
    assert (listed, key) == ("[]", "False")
    assert not Path(folder).exists()


async def test_a_program_cannot_hand_a_pickle_to_the_kernel(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    code = f"""
import gc, pathlib, pickle, sys
class Trap:
    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path({str(trap)!r}),)
folder = pathlib.Path(sys.argv[1])
for name in ("job", "value"):
    (folder / name).write_bytes(pickle.dumps(Trap()))
print("done")
"""
    assert await run_python(code) == "done\n"
    assert not trap.exists()


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


def test_the_time_limit_of_a_program_is_told() -> None:
    assert f"killed after {toolbox.SECONDS:g} seconds" in (run_python.__doc__ or "")


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
