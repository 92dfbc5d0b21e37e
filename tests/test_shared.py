"""One model server for several kernels: found by those that the lab starts, and gone when the lab is, also when killed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from llmlab import connect
from llmlab.llm import local, shared

pytestmark = [pytest.mark.anyio, pytest.mark.live]

LAB = """
import os, sys
from llmlab.llm import shared
shared.begin(sys.argv[1])
print(os.environ["LLMLAB_SHARED"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def lab(box_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """A process that stands for the lab command, and this one for a kernel that it has started."""
    command = [sys.executable, "-c", LAB, "tiny"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        monkeypatch.setenv(shared.VARIABLE, process.stdout.readline().strip())
        yield process
        process.kill()


def server(lab: subprocess.Popen[str]) -> psutil.Process:
    """The process of the server, as its file names it once it runs."""
    while (pid := json.loads(Path(os.environ[shared.VARIABLE]).read_text())["pid"]) == lab.pid:
        time.sleep(0.05)
    return psutil.Process(pid)


async def test_a_kernel_of_the_lab_finds_the_shared_server_and_starts_none_of_its_own(
    box_weights: Path, lab: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_running", {})
    model = await connect()
    reply = await model.chat("What is the capital of France?", max_tokens=16)
    assert (model.source, reply.source, "Paris" in reply.text) == ("embedded", "embedded", True)
    assert model.provenance["llmlab.weights.file"] == box_weights.name
    assert local._running == {}
    assert (await connect()).client.base_url == model.client.base_url, "a restarted kernel finds it warm"
    assert shared.find("small") is None, "a kernel serves that itself"
    assert os.name == "nt" or Path(os.environ[shared.VARIABLE]).parent.stat().st_mode & 0o077 == 0, (
        "only for the reader"
    )


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_no_server_stays_behind_when_the_lab(how: str, lab: subprocess.Popen[str]) -> None:
    assert shared.find("tiny")
    process, state = server(lab), Path(os.environ[shared.VARIABLE])
    if how == "ends":
        assert lab.stdin
        lab.stdin.close()
    else:
        lab.kill()
    psutil.wait_procs([process], timeout=10)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert not state.parent.exists(), "nor its file"
    assert shared.find("tiny") is None, "a kernel that goes on starts its own"


def test_a_server_that_was_killed_is_not_waited_for(lab: subprocess.Popen[str]) -> None:
    server(lab).kill()
    started = time.monotonic()
    assert shared.find("tiny") is None
    assert time.monotonic() - started < 30


def test_without_weights_the_server_ends_and_each_kernel_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLMLAB_CACHE", str(tmp_path))
    monkeypatch.setenv(shared.VARIABLE, "")
    assert shared.begin("tiny").wait(60) == 0
    assert shared.find("tiny") is None
