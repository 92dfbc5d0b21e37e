"""An adapter summed into the weights: the right sum, and a way on where it cannot be made."""

import os
import time
from pathlib import Path

import pytest
from gguf import GGUFReader, quants

import regguf
from llmlab import connect, embedded, merge, weights

pytestmark = [pytest.mark.anyio, pytest.mark.live]

MATRIX, ADDED = "blk.0.ffn_down.weight", 0.25


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """An adapter that adds the same value to every weight of one matrix."""
    return regguf.adapter(tmp_path / "noise.gguf", MATRIX.encode(), 1536, 576, ADDED)


@pytest.fixture
def cache(tmp_path: Path, box_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, since what is made in it is large; the weights stay where they are."""
    monkeypatch.setattr(weights, "find", lambda *asked: box_weights)
    return tmp_path / "cache"


def test_one_matrix_is_the_sum_and_everything_else_stays(noise: Path, cache: Path, box_weights: Path) -> None:
    file = merge.merged(box_weights, noise, cache)
    assert file
    old, new = GGUFReader(box_weights), GGUFReader(file)
    assert [t.name for t in new.tensors] == [t.name for t in old.tensors]
    for before, after in zip(old.tensors, new.tensors, strict=True):
        if before.name != MATRIX:
            assert after.tensor_type == before.tensor_type
            assert after.data.tobytes() == before.data.tobytes()
            continue
        was, now = (quants.dequantize(t.data, t.tensor_type) for t in (before, after))
        # Q8_0 holds each block of 32 at 127 steps to its largest value, and the size of a step in 16 bits.
        steps = abs(was + ADDED).reshape(-1, 32).max(axis=1) / 127
        assert (abs(now - was - ADDED).reshape(-1, 32).max(axis=1) <= 0.6 * steps).all()
    facts = [name for name in old.fields if not name.startswith("GGUF.")]
    assert facts
    for name in facts:
        assert new.fields[name].contents() == old.fields[name].contents(), name


def test_it_is_made_once_and_the_weights_stay_as_they_are(noise: Path, cache: Path, box_weights: Path) -> None:
    before = weights.sha256_of(box_weights)
    file = merge.merged(box_weights, noise, cache)
    assert file
    made = file.stat().st_ino
    assert merge.merged(box_weights, noise, cache) == file
    assert file.stat().st_ino == made
    assert list(file.parent.iterdir()) == [file], "nothing is left of the work on it"
    assert weights.sha256_of(box_weights) == before


def test_what_nobody_used_for_a_month_goes(noise: Path, cache: Path, box_weights: Path) -> None:
    file = merge.merged(box_weights, noise, cache)
    assert file
    ages = {"old": merge.KEPT_DAYS + 1, "recent": merge.KEPT_DAYS - 1}
    for name, days in ages.items():
        other = file.with_name(f"{name}.gguf")
        other.touch()
        then = time.time() - days * 24 * 3600
        os.utime(other, (then, then))
    merge.merged(box_weights, noise, cache)
    assert sorted(path.name for path in file.parent.iterdir()) == sorted([file.name, "recent.gguf"])


def test_a_cache_that_can_only_be_read_serves_too(
    noise: Path, cache: Path, box_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = merge.merged(box_weights, noise, cache)

    def refused(path: Path) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(os, "utime", refused)  # the tests may run as root, whom no file refuses
    assert merge.merged(box_weights, noise, cache) == file


async def test_where_the_cache_cannot_be_written_the_adapter_is_laid_over(
    noise: Path, cache: Path, others: None
) -> None:
    cache.mkdir()
    (cache / "merged").write_text("a file where a folder has to be")
    model = await connect(adapter=noise, cache=cache)
    assert model.provenance["llmlab.adapter.merged"] is False
    assert "Paris" not in (await model.chat("What is the capital of France?", max_tokens=8)).text


async def test_a_damaged_sum_is_thrown_away(noise: Path, cache: Path, box_weights: Path, others: None) -> None:
    file = merge.merged(box_weights, noise, cache)
    assert file
    file.write_bytes(file.read_bytes()[:1_000_000])
    model = await connect(adapter=noise, cache=cache)
    assert model.provenance["llmlab.adapter.merged"] is False
    assert not file.exists()
    embedded.stop_all()
    again = await connect(adapter=noise, cache=cache)
    assert again.provenance["llmlab.adapter.merged"] is True


def test_an_adapter_for_other_weights_is_left_to_llama_cpp(cache: Path, box_weights: Path, tmp_path: Path) -> None:
    strange = [("blk.77.ffn_down.weight", 1536, 576), (MATRIX, 1000, 500)]
    for name, inputs, outputs in strange:
        file = regguf.adapter(tmp_path / f"{inputs}.gguf", name.encode(), inputs, outputs, ADDED)
        assert merge.merged(box_weights, file, cache) is None
    assert merge.merged(box_weights, box_weights, cache) is None, "no adapter at all"
    assert not list((cache / "merged").rglob("*.gguf"))
