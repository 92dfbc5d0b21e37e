"""What all tests share: a home of their own for settings and progress, notebooks by strict replay, skips that count."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbval.kernel
import nbval.plugin
import pytest

from llmlab import settings
from llmlab.errors import WeightsError
from llmlab.llm import local, weights

ROOT = Path(__file__).resolve().parent

# No test may see the reader's own configuration: an endpoint there would be called, and paid for.
for name in [
    n for n in os.environ if n.startswith(("OPENAI_", "LLMLAB_")) and n not in ("LLMLAB_CACHE", "LLMLAB_NO_SKIP")
]:
    del os.environ[name]
os.environ["LLMLAB_BOX"] = (
    "tiny"  # what is tested on any model is tested on the quickest; tests name another where it counts
)
os.environ["LLMLAB_ENV_FILE"] = os.devnull
os.environ["LLMLAB_STATE"] = tempfile.mkdtemp(prefix="llmlab-state-")


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, as Jupyter does."""
    return "asyncio"


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Progress of its own for each test."""
    monkeypatch.setenv("LLMLAB_STATE", str(tmp_path_factory.mktemp("state")))


@pytest.fixture(scope="session")
def box() -> local.Embedded:
    """The model in the box, started once for each test process; skips, with the way to mend it, where it is missing."""
    try:
        return local.start(settings.load())
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def box_weights() -> Path:
    """The file of the smallest model in the box."""
    try:
        return weights.find(weights.get("tiny"), settings.load().cache)
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def standard() -> None:
    """Skips where the weights that chapters are written for are missing."""
    try:
        weights.find(weights.get("standard"), settings.load().cache)
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Servers that a test starts through `connect` or `start`, apart from the box that all tests share."""
    monkeypatch.setattr(local, "_running", {})
    yield
    local.stop_all()


def _start_kernel(self: Any, *args: Any, **kwargs: Any) -> None:
    """Start nbval's kernel as a replay. Kernels that see PYTEST_CURRENT_TEST give stdio servers no file descriptors."""
    outer = dict(os.environ)
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    os.environ["LLMLAB_REPLAY"] = str(ROOT / "data" / "recordings")
    os.environ["LLMLAB_STRICT"] = "1"
    os.environ["LLMLAB_STATE"] = tempfile.mkdtemp(prefix="llmlab-state-")
    try:
        _nbval_start(self, *args, **kwargs)
    finally:
        os.environ.clear()
        os.environ.update(outer)


_nbval_start = nbval.kernel.RunningKernel.__init__
nbval.kernel.RunningKernel.__init__ = _start_kernel


def _execute(self: Any, cell_input: str, allow_stdin: bool | None = None) -> str:
    """Run a cell as a front end does. With nbval's store_history=False a trailing `;` would not hush an output."""
    return self.kc.execute(cell_input, allow_stdin=allow_stdin, stop_on_error=False, store_history=True)


nbval.kernel.RunningKernel.execute_cell_input = _execute


@pytest.hookimpl(tryfirst=True)  # before pytest counts the report
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Where nothing may be missing (.ci/run sets LLMLAB_NO_SKIP), a skip is a failure."""
    if os.environ.get("LLMLAB_NO_SKIP") and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, but nothing may be skipped here: {report.longrepr}"
