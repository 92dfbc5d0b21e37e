"""`llmlab pack FOLDER`: kit, packages and weights on a stick, from which machines without a network are set up."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from llmlab import settings
from llmlab.errors import LabError
from llmlab.llm import weights

# For each system its names in pip's words (which knows that newer Macs run what was made for older ones), and what markers in requirements.txt ask about it.
SYSTEMS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "linux": (
        (*(f"manylinux_2_{n}_x86_64" for n in (34, 31, 28, 27, 26, 24, 17, 12, 5)), "manylinux2014_x86_64"),
        {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
    ),
    "linux-arm": (
        (*(f"manylinux_2_{n}_aarch64" for n in (34, 31, 28, 27, 26, 24, 17)), "manylinux2014_aarch64"),
        {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "aarch64"},
    ),
    "macos": (
        ("macosx_15_0_arm64",),
        {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
    ),
    "macos-intel": (
        ("macosx_15_0_x86_64",),
        {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "x86_64"},
    ),
    "windows": (
        ("win_amd64",),
        {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
    ),
}
PYTHONS = ("3.11", "3.12", "3.13")
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "work", "build", "artefacts", ".env", "__pycache__", ".*_cache", "*.egg-info"
)
HOW = """LLM Lab, for machines without a network. They need Python {pythons} and nothing else.

1. Copy the folder `kit` from here to the machine's own disk, and open a terminal in it.
2. Linux, macOS:   python3 lab.py --from THIS_FOLDER
   Windows:        py lab.py --from THIS_FOLDER
   where THIS_FOLDER is where this file is. The next time `python3 lab.py` is enough.

Packages for: {systems}. Model: {model}.
"""


def pins(system: str, python: str) -> list[str]:
    """What requirements.txt wants on a system (Python as 3.11.0), without markers, and what builds the kit itself."""
    machine = {**SYSTEMS[system][1], "python_version": python.rpartition(".")[0], "python_full_version": python}
    machine |= {"implementation_name": "cpython", "platform_python_implementation": "CPython", "extra": ""}
    lines = (settings.ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    wanted = [f"{each.name}{each.specifier}" for each in found if each.marker is None or each.marker.evaluate(machine)]
    project = (settings.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return [*wanted, project.split('requires = ["', 1)[1].split('"', 1)[0]]


def wheels(folder: Path, system: str, python: str) -> None:
    """Fetch every pinned wheel for a system and a Python (3.11.0) into a folder. Raises LabError with what pip said."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    platforms = [part for name in SYSTEMS[system][0] for part in ("--platform", name)]
    command += ["download", "--no-deps", "--only-binary=:all:", "--python-version", python, *platforms]
    command += ["--implementation", "cp", "--dest", str(folder), *pins(system, python)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or done.stderr.splitlines()
        why = said[-1].removeprefix("ERROR: ") if said else f"it ended with code {done.returncode}"
        raise LabError(f"A stick needs a wheel of every package for {system} and Python {python}, but pip says: {why}")


def pack(folder: Path, systems: list[str], pythons: list[str], sizes: list[str]) -> None:
    """Fill a folder. What is there already is not fetched again. Raises LabError."""
    if folder.resolve().is_relative_to(settings.ROOT):
        raise LabError(f"A stick is a folder outside the kit, but {folder} is inside it; name another.")
    config = settings.load()
    models = [weights.get(size) for size in sizes or [weights.choose(config.box, config.cache)[0].key]]
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(settings.ROOT, folder / "kit", ignore=LEFT_OUT, dirs_exist_ok=True)
    for model in models:
        (folder / "weights").mkdir(exist_ok=True)
        if not (folder / "weights" / model.file).is_file():
            print(f"{model.file} ({model.size / 1e6:,.0f} MB) …", flush=True)
            try:
                source = weights.find(model, config.cache)
            except LabError:
                source = weights.fetch(model, config.cache)
            shutil.copyfile(source, folder / "weights" / model.file)
    if not any(model.key == "standard" for model in models):
        (folder / "kit" / ".env").write_text(f"LLMLAB_BOX={models[0].key}\n", encoding="utf-8")
    for system, python in product(systems, pythons):
        print(f"packages for {system}, Python {python} …", flush=True)
        first, last = f"{python}.0", f"{python}.9"  # some packages ask for a late patch release
        for patch in [last] if pins(system, first) == pins(system, last) else [first, last]:
            wheels(folder / "wheels", system, patch)
    about: dict[str, Any] = {"pythons": ", ".join(pythons), "systems": ", ".join(systems)}
    text = HOW.format(**about, model=", ".join(f"{model.name} ({model.key})" for model in models))
    (folder / "READ ME.txt").write_text(text, encoding="utf-8")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e9
    print(f"{folder} is complete ({size:.1f} GB). What to do with it stands in its READ ME.txt.")


def here() -> str:
    """The name of this machine's system."""
    arm = platform.machine().lower() in ("arm64", "aarch64")
    return {"darwin": "macos" if arm else "macos-intel", "win32": "windows"}.get(
        sys.platform, "linux-arm" if arm else "linux"
    )
