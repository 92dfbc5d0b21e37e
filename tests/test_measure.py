"""Measurements: tables, what is kept of them, and which of the kept ones a chapter goes on with."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import chapters
import llmlab
from authors import measuring
from chapters import pictures
from llmlab import cli, measure
from llmlab.llm import weights
from llmlab.measure import Measured

ROWS = [
    {"variant": "a", "size": 2, "right": True, "ms": 1.0, "seconds": 3.0},
    {"variant": "a", "size": 2, "right": False, "ms": 2.0, "seconds": 1.0},
    {"variant": "a", "size": 4, "right": False, "ms": 90.0, "seconds": 2.0},
    {"variant": "b", "right": True},
]


def test_a_table_has_shares_and_means_and_rows_that_lack_a_column_have_no_name() -> None:
    lines = Measured(ROWS).table("variant", "size", means=("ms", "seconds")).text.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "variant size right (95 %) ms each seconds each",
        "a 2 1/2 (9–91 %) 1.5 2.0 s",
        "a 4 0/1 (0–79 %) 90.0 2.0 s",
        "b 1/1 (21–100 %)",
    ]


def test_what_is_saved_has_the_counts_beside_the_rows_and_is_read_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(measure, "MEASURED", tmp_path)
    file = measuring.write(Measured(ROWS, {"model": "A model/1"}), tmp_path / "98-a.json", ("size",))
    data = json.loads(file.read_text(encoding="utf-8"))
    assert list(data) == ["about", "table", "rows"]
    assert data["table"][1] == {"size": 4, "right": 0, "of": 1, "interval": [0.0, 0.793]}
    [again] = measure.kept("98")
    assert (again.rows, again.about) == (ROWS, {"model": "A model/1"})


def test_every_experiment_tells_its_rows_apart_by_columns_that_the_kept_rows_have() -> None:
    for chapter, module in measuring.experiments().items():
        for measured in measure.kept(chapter):
            for column in measuring.columns(module):
                assert any(column in row for row in measured.rows), f"{chapter} has no column {column}"


@pytest.mark.parametrize(
    ("head", "groups"), [("", ["variant", "a", "b"]), ("COLUMNS = ('size',)\n\n", ["size", "2", "4"])]
)
def test_the_command_shows_and_keeps_the_counts_by_the_experiments_own_columns(
    head: str, groups: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def connect() -> None:
        return None

    source = f"async def full(model, told):\n    return Measured({ROWS!r}, {{'model': 'A model/1'}})\n"
    (tmp_path / "ch98.py").write_text(f"from llmlab.measure import Measured\n\n{head}{source}", encoding="utf-8")
    monkeypatch.setattr(llmlab, "connect", connect)
    monkeypatch.setattr(chapters, "__path__", [*chapters.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "chapters.ch98", raising=False)
    for module in (measure, measuring):
        monkeypatch.setattr(module, "MEASURED", tmp_path)
    assert cli.main(["measure", "98"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:4]] == groups
    assert measure.kept("98")[0].rows == ROWS
    assert (tmp_path / "98-A-model-1.json").exists()


@pytest.mark.parametrize(
    ("kept", "model", "chosen"),
    [
        (["standard", "strong"], "strong", "strong"),
        (["standard", "strong"], "small", "standard"),
        (["strong"], "small", None),
    ],
)
def test_a_chapter_goes_on_with_the_connected_models_measurement_else_with_that_of_the_standard_model(
    kept: list[str], model: str, chosen: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(measure, "MEASURED", tmp_path)
    names = {size: model.name for size, model in weights.CATALOGUE.items()}
    for one in kept:
        measuring.write(Measured(ROWS, {"model": names.get(one, one)}), tmp_path / f"98-{one}.json")
    measuring.write(
        Measured(ROWS, {"model": names.get(model, model)}), tmp_path / "97-other.json"
    )  # of another chapter
    found = measure.best("98", SimpleNamespace(name=names.get(model, model)))  # type: ignore[arg-type]
    assert (found and found.about["model"]) == (chosen and names.get(chosen, chosen))


def test_the_kept_measurements_of_all_sizes_are_one_with_the_smallest_model_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(measure, "MEASURED", tmp_path)
    assert measure.sizes("98").rows == []
    names = [weights.CATALOGUE[size].name for size in ("standard", "tiny")]
    for name in ["a stranger", *names]:
        measuring.write(Measured(ROWS, {"model": name}), tmp_path / f"98-{name}.json")
    all_sizes = measure.sizes("98")
    assert list(all_sizes.by("model")) == [("tiny",), ("standard",), ("a stranger",)]
    assert all_sizes.rate(model="tiny", variant="a") == (1, 3)
    assert all_sizes.label == f"{names[1]}, {names[0]}, a stranger"


def test_a_picture_of_shares_has_a_line_for_each_variant_and_says_the_counts() -> None:
    rows = [{"model": key, **row} for key in ("tiny", "small") for row in ROWS[:3]]
    drawn = pictures.shares(Measured(rows), over="size", by="variant")
    assert drawn.alt == "Right answers over size, with 95 % intervals. a 2: 2 of 4, 4: 0 of 2."
    drawn = pictures.shares(Measured(rows), over="size", by="variant", panels="model")
    assert drawn.alt.endswith("intervals. tiny: a 2: 1 of 2, 4: 0 of 1. small: a 2: 1 of 2, 4: 0 of 1.")
    assert [ax.get_title() for ax in drawn.figure.axes] == ["tiny", "small"]
    assert drawn._repr_mimebundle_()[0]["image/png"]


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998),
        # table I, method 3 (the score method of Wilson without continuity correction)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (4, 4, 0.5101, 1.0),  # without care, rounding puts the upper end below 1
    ],
)
def test_published_values(successes: int, trials: int, low: float, high: float) -> None:
    found = measure.interval(successes, trials)
    assert found == pytest.approx((low, high), abs=5e-5)
    assert 0 <= found[0] <= successes / trials <= found[1] <= 1
