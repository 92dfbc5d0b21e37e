"""A stick for a class without a network: what goes on it for each system, and a machine that is set up from it."""

import os
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from classroom import packing
from llmlab import cli
from llmlab.settings import ROOT

MACHINES = [*product(packing.SYSTEMS, packing.PYTHONS)]
# In a network namespace of its own: loopback, as on every machine, and no network at all.
LOOPBACK_ONLY = """
import fcntl, os, socket, struct, sys
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 0x41))  # SIOCSIFFLAGS: up
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.parametrize(("system", "python"), MACHINES, ids=lambda part: str(part))
def test_each_system_gets_its_own_packages_each_once(system: str, python: str) -> None:
    found = packing.pins(system, f"{python}.0")
    names = [pin.partition("==")[0] for pin in found]
    assert len(names) == len(set(names)) > 100
    assert ("pywin32" in names) == (system == "windows")
    assert ("appnope" in names) == system.startswith("macos")
    assert ("uvicorn" in names, "setuptools" in names) == (True, True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--for", "beos"], "knows linux, linux-arm, macos"),
        (["--python", "3.9"], "knows 3.11, 3.12, 3.13, but not '3.9'"),
        (["--model", "huge"], "standard, small, tiny"),
    ],
)
def test_what_a_stick_cannot_hold_is_said_before_anything_is_fetched(
    given: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["pack", str(tmp_path / "stick"), *given]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "stick").exists()


def test_a_stick_lies_outside_the_kit(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["pack", str(ROOT / "stick")]) == 1
    assert "outside the kit" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("system", "python"), MACHINES, ids=lambda part: str(part))
def test_there_is_a_wheel_of_every_package_for_this_system(system: str, python: str, tmp_path: Path) -> None:
    # Resolved against the index, with the files' names and hashes; that they also arrive the next test shows for one.
    platforms = [part for name in packing.SYSTEMS[system][0] for part in ("--platform", name)]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install", "--dry-run", "--no-deps"]
    command += ["--ignore-installed", "--ignore-requires-python", "--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", python, *platforms, "--target", str(tmp_path), *packing.pins(system, f"{python}.9")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]


@pytest.mark.slow
def test_a_machine_without_a_network_is_set_up_from_the_stick(tmp_path: Path) -> None:
    stick, mine = tmp_path / "stick", f"3.{sys.version_info[1]}"
    assert cli.main(["pack", str(stick), "--python", mine, "--model", "tiny"]) == 0
    shutil.copytree(stick / "kit", tmp_path / "kit")
    for rubbish in (".venv", "work", ".git", "build"):
        assert not (tmp_path / "kit" / rubbish).exists()
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:9",
        "PIP_CONFIG_FILE": os.devnull,
        "HF_ENDPOINT": "http://127.0.0.1:9",
    }
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "LLMLAB_", "PYTHON"))}
    environment = {**kept, **nowhere, "LLMLAB_CACHE": str(tmp_path / "cache")}
    apart = ["unshare", "-rn"] if shutil.which("unshare") and not subprocess.call(["unshare", "-rn", "true"]) else []
    start = [*apart, sys.executable, "-c", LOOPBACK_ONLY] if apart else [sys.executable]
    command = [*start, "lab.py", "--from", str(stick), "doctor"]
    done = subprocess.run(command, cwd=tmp_path / "kit", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The lab can run." in done.stdout
    again = subprocess.run([*start, "lab.py", "doctor"], cwd=tmp_path / "kit", env=environment)
    assert again.returncode == 0
