"""Measurements: tables, what is kept of them, and which of the kept ones a chapter goes on with."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as quick
from hypothesis import strategies as st

import chapters
import llmlab
from llmlab import cli, measure, settings
from llmlab.errors import LabError
from llmlab.llm import weights
from llmlab.measure import Measured

ROWS = [
    {"variant": "a", "size": 2, "right": True, "ms": 1.0, "seconds": 3.0},
    {"variant": "a", "size": 2, "right": False, "ms": 2.0, "seconds": 1.0},
    {"variant": "a", "size": 4, "right": False, "ms": 90.0, "seconds": 2.0},
    {"variant": "b", "right": True},
]


def test_a_table_has_means_of_some_columns_and_medians_of_others() -> None:
    lines = Measured(ROWS).table("variant", means=("ms",), medians=("ms", "seconds")).text.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "variant right (95 %) ms each ms, median seconds, median",
        "a 1/3 (6–79 %) 31.0 2.0 2.0 s",
        "b 1/1 (21–100 %)",
    ]


def test_rows_that_lack_a_column_are_a_group_without_a_name() -> None:
    text = Measured(ROWS).table("size", means=()).text
    assert "None" not in text
    assert text.splitlines()[-1].split() == ["1/1", "(21–100", "%)"]


def test_counts_say_the_same_as_the_table() -> None:
    assert Measured(ROWS).counts("variant", "size") == [
        {"variant": "a", "size": 2, "right": 1, "of": 2, "interval": [0.095, 0.905]},
        {"variant": "a", "size": 4, "right": 0, "of": 1, "interval": [0.0, 0.793]},
        {"variant": "b", "size": None, "right": 1, "of": 1, "interval": [0.207, 1.0]},
    ]


def test_what_is_saved_has_the_counts_beside_the_rows_and_is_read_back(tmp_path: Path) -> None:
    file = Measured(ROWS, {"model": "A model/1"}).save("98", tmp_path, columns=("size",))
    assert file.name == "98-A-model-1.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    assert list(data) == ["about", "table", "rows"]
    assert [(group["size"], group["right"], group["of"]) for group in data["table"]] == [
        (2, 1, 2),
        (4, 0, 1),
        (None, 1, 1),
    ]
    [again] = measure.kept("98", tmp_path)
    assert (again.rows, again.about) == (ROWS, {"model": "A model/1"})


def test_a_file_without_counts_is_read_as_before(tmp_path: Path) -> None:
    old = tmp_path / "98-m.json"
    old.write_text(json.dumps({"about": {"model": "m"}, "rows": ROWS}), encoding="utf-8")
    assert Measured.load(old).rows == ROWS
    old.write_text('{"about": {}}', encoding="utf-8")
    with pytest.raises(LabError, match=r"98-m\.json is not one"):
        Measured.load(old)


def test_every_experiment_tells_its_rows_apart_by_columns_that_the_kept_rows_have() -> None:
    for chapter in measure.chapters():
        columns = measure.columns(chapter)
        for measured in measure.kept(chapter):
            for column in columns:
                assert any(column in row for row in measured.rows), f"{chapter} has no column {column}"
    assert measure.columns("05") == ("job",)


def add_chapters(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The modules of a folder are chapters, too."""
    monkeypatch.setattr(chapters, "__path__", [*chapters.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, "chapters.ch98", raising=False)


def test_an_experiment_that_names_no_columns_is_told_apart_by_its_variants(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ch98.py").write_text("", encoding="utf-8")
    add_chapters(monkeypatch, tmp_path)
    assert measure.columns("98") == ("variant",)


def test_the_command_shows_and_keeps_the_counts_by_the_experiments_own_columns(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def connect() -> None:
        return None

    source = f"async def full(model, told):\n    return Measured({ROWS!r}, {{'model': 'm'}})\n"
    head = "from llmlab.measure import Measured\n\nCOLUMNS = ('size',)\n\n"
    (tmp_path / "ch98.py").write_text(head + source, encoding="utf-8")
    monkeypatch.setattr(llmlab, "connect", connect)
    add_chapters(monkeypatch, tmp_path)
    monkeypatch.setattr(measure, "MEASURED", tmp_path)
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    assert cli.main(["measure", "98"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:5]] == ["size", "2", "4"]
    table = json.loads((tmp_path / "98-m.json").read_text(encoding="utf-8"))["table"]
    assert [(group["size"], group["of"]) for group in table] == [(2, 2), (4, 1), (None, 1)]


def a_model(name: str) -> Any:
    return SimpleNamespace(name=name)


@pytest.mark.parametrize(
    ("kept", "model", "chosen"),
    [
        (["standard", "strong"], "strong", "strong"),
        (["standard", "strong"], "small", "standard"),
        (["strong"], "small", None),
        ([], "standard", None),
    ],
)
def test_a_chapter_goes_on_with_the_connected_models_measurement_else_with_that_of_the_standard_model(
    kept: list[str], model: str, chosen: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(measure, "MEASURED", tmp_path)

    def name(size: str) -> str:
        return weights.CATALOGUE[size].name if size in weights.CATALOGUE else size

    for one in kept:
        Measured(ROWS, {"model": name(one)}).save("98")
    Measured(ROWS, {"model": name(model)}).save("97")  # of another chapter
    found = measure.best("98", a_model(name(model)))
    assert (found and found.about["model"]) == (chosen and name(chosen))


# Intervals

COUNTS = st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
quietly = quick(deadline=None, derandomize=True)  # no clock, no database, the same cases each time


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998),
        # table I, method 3 (the score method of Wilson without continuity correction)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_values(successes: int, trials: int, low: float, high: float) -> None:
    assert measure.interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@quietly
@example((4, 4))  # without care, rounding puts the upper end below 1
@given(COUNTS)
def test_the_rate_lies_inside_its_interval_and_failures_have_the_mirrored_one(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = measure.interval(*counts)
    assert 0 <= low <= successes / trials <= high <= 1
    assert low < high
    assert measure.interval(trials - successes, trials) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5), (0, 0), (1, 0), (0, -3)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match=f"not {successes} of {trials}"):
        measure.interval(successes, trials)


@pytest.mark.parametrize(
    ("successes", "trials", "text"),
    [(7, 8, "7/8 (53–98 %)"), (0, 7, "0/7 (0–35 %)"), (7, 7, "7/7 (65–100 %)"), (1, 1, "1/1 (21–100 %)")],
)
def test_a_share_is_a_count_with_its_interval(successes: int, trials: int, text: str) -> None:
    assert measure.share(successes, trials) == text
