"""A test is skipped where the registry cannot be reached, and fails where something else is wrong."""

import os
import sys
from pathlib import Path

import pytest

from installed import install

PIP = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--retries", "1"]


@pytest.fixture(autouse=True)
def no_other_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_registry_that_cannot_be_reached_is_a_skip() -> None:
    with pytest.raises(pytest.skip.Exception, match="registry cannot be reached"):
        install(*PIP, "--index-url", "http://127.0.0.1:9/", "no-such-package==1")


def test_a_package_that_is_not_there_is_a_failure() -> None:
    with pytest.raises(pytest.fail.Exception, match="No matching distribution"):
        install(*PIP, "--no-index", "no-such-package==1")


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("npm error code EAI_AGAIN", pytest.skip.Exception),
        ("npm error code ETARGET", pytest.fail.Exception),
        ("npm warn ECONNRESET, once more\nnpm error code E404", pytest.fail.Exception),
        ("ERROR: No space left on device", pytest.fail.Exception),
    ],
)
def test_what_is_said_tells_one_from_the_other(said: str, outcome: type[BaseException]) -> None:
    with pytest.raises(outcome):
        install(sys.executable, "-c", f"import sys; sys.exit({said!r})")
