"""Formatting, lint and types of everything that is Python here."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--no-cache", "lib", "tests", "data", "lab.py", "conftest.py"],
        ["ruff", "format", "--no-cache", "--check", "lib", "tests", "data", "lab.py", "conftest.py"],
        ["mypy", "--cache-dir=/dev/null"],
    ],
    ids=["ruff check", "ruff format", "mypy"],
)
def test_style(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
