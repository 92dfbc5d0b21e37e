"""The ready tools: arithmetic, programs, documents."""

from pathlib import Path

import pytest

from llmlab import LabError
from llmlab.tools import tool
from llmlab.tools.toolbox import bm25, calculate, run_python, search_documents

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", 14),
        (" (2 + 3) *\n4\n", 20),
        ("-2 ** 2", -4),
        ("7 // 2 + 7 % 4 - +1", 5),
        ("2 ** -1", 0.5),
        ("2 ** 999", 2**999),
        ("1_000 * 1e3", 1e6),
    ],
)
async def test_arithmetic_is_worked_out(expression: str, value: float) -> None:
    result = await tool(calculate).call({"expression": expression})
    assert (result.ok, result.value) == (True, value)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("9**9**9", "memory limit"),
        ("1e999", "real numbers"),
        ("(-8) ** 0.5", "real numbers"),
        ("2 ** 100000", ""),
        ("1 / 0", "division by zero"),
        ("1,200 + 5", "write 1200 for 1,200"),
        ("2 ^ 3", "2**3 for 2^3"),
        ("open('shop.db')", "but got open('shop.db')"),
        ("12 x 3", "but got 12 x 3"),
        ("e.e()", ""),
        ("...", "real numbers"),
        ("", "takes numbers"),
        ("1\0", "takes numbers"),
        ("(" * 400, "has to be Python"),
        ("1+" * 9000 + "1", ""),
    ],
)
async def test_what_is_no_arithmetic_or_too_large_is_refused_readably(expression: str, says: str) -> None:
    result = await tool(calculate).call({"expression": expression})
    assert not result.ok
    assert says in result.text


async def test_a_program_may_stand_in_a_fence_and_use_what_programs_use() -> None:
    code = (
        "import json, math, re\nprint(math.floor(2.5), json.dumps({'a': [1]}), re.findall('[0-9]+', 'a1b22'), 'größer')"
    )
    assert await run_python(f"```python\n{code}\n```\n") == "2 {\"a\": [1]} ['1', '22'] größer\n"
    assert await run_python("2 + 2") == "4\n"
    assert "print what you want to know" in await run_python("x = 2")
    assert len(await run_python("print('x' * 50_000)")) < 4200


def test_a_search_finds_the_passages_that_fit_best(tmp_path: Path) -> None:
    files = {
        "returns.md": "# Returns\n\nGoods come back within 30 days.\n\n## Refunds\nA refund takes five days.",
        "more/shipping.md": "# Shipping\n\nA parcel takes two days.\n\nIt is free.",
        "secret.txt": "refund",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    search = search_documents(tmp_path)
    assert tool(search).name == "search_documents"
    best = search("How long does a REFUND take?")[0]
    assert best == {"document": "returns.md", "text": "## Refunds\nA refund takes five days."}
    assert search("parcel days")[0]["document"] == "more/shipping.md"
    assert search("zebra !?") == []
    with pytest.raises(LabError, match="needs Markdown files"):
        search_documents(tmp_path / "nothing")


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    common, rare, _, none = bm25("the lamp", ["the chair", "a lamp", "a chair by the door", "nothing"])
    assert rare > common > none == 0
    assert bm25("lamp", []) == []
