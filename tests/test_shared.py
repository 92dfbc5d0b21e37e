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
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
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


def is_gone(process: psutil.Process, seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


async def test_a_kernel_of_the_lab_finds_the_shared_server_and_starts_none_of_its_own(
    box_weights: Path, lab: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_running", {})
    model = await connect()
    reply = await model.chat("What is the capital of France?", max_tokens=16)
    assert (model.source, reply.source) == ("embedded", "embedded")
    assert "Paris" in reply.text
    assert model.provenance["llmlab.weights.file"] == box_weights.name
    assert local._running == {}
    second = await connect()
    assert second.client.base_url == model.client.base_url, "a restarted kernel finds it warm"


async def test_another_size_is_served_by_the_kernel_itself(box_weights: Path, lab: subprocess.Popen[str]) -> None:
    assert shared.find("small") is None
    assert shared.find("tiny")


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_no_server_stays_behind_when_the_lab(how: str, box_weights: Path, lab: subprocess.Popen[str]) -> None:
    assert shared.find("tiny")
    process, state = server(lab), Path(os.environ[shared.VARIABLE])
    if how == "ends":
        assert lab.stdin
        lab.stdin.close()
    else:
        lab.kill()
    assert is_gone(process)
    assert not state.parent.exists(), "nor its file"
    assert shared.find("tiny") is None, "a kernel that goes on starts its own"


def test_a_server_that_was_killed_is_not_waited_for(box_weights: Path, lab: subprocess.Popen[str]) -> None:
    process = server(lab)
    process.kill()
    started = time.monotonic()
    assert shared.find("tiny") is None
    assert time.monotonic() - started < 30


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes of files")
def test_only_the_reader_can_read_where_it_answers(box_weights: Path, lab: subprocess.Popen[str]) -> None:
    assert Path(os.environ[shared.VARIABLE]).parent.stat().st_mode & 0o077 == 0


def test_without_weights_the_server_ends_and_each_kernel_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLMLAB_CACHE", str(tmp_path))
    monkeypatch.setenv(shared.VARIABLE, "")
    process = shared.begin("tiny")
    assert process.wait(60) == 0
    assert shared.find("tiny") is None
