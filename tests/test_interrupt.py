"""Jupyter's Interrupt button, on a real kernel."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psutil
import pytest
from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.kernelspec import KernelSpecManager

pytestmark = pytest.mark.live

SECONDS = 60
TOKENS = 3500


class Kernel:
    """A kernel with the model in the box."""

    def __init__(self) -> None:
        self.manager = KernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))  # this environment's own
        env = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        self.manager.start_kernel(env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process = psutil.Process(self.manager.provisioner.pid)
        self.client: BlockingKernelClient = self.manager.client()

    def connect(self) -> None:
        """Wait for it, and load the model."""
        self.client.start_channels()
        self.client.wait_for_ready(timeout=SECONDS)
        self.run("from llmlab import connect, settings; from llmlab.llm import local; model = await connect()")
        self.root = self.run("box = local.start(settings.load()); print(box.base_url)").removesuffix("/v1")
        self.headers = {"authorization": f"Bearer {self.run('print(box.api_key)')}"}

    def run(self, code: str) -> str:
        """Run a cell to its end; returns what it printed."""
        printed: list[str] = []
        reply = self.client.execute_interactive(
            code, timeout=SECONDS, output_hook=lambda m: printed.append(m["content"].get("text", ""))
        )
        assert reply["content"]["status"] == "ok", reply["content"].get("evalue")
        return "".join(printed).strip()

    def generate(self, stream: bool) -> None:
        """Begin a cell that would write for a long time; returns once the model writes."""
        asked = f'await model.chat("Tell me a story.", max_tokens={TOKENS}, ignore_eos=True, stream={stream})'
        self.client.execute(asked)
        until(lambda: any(slot["is_processing"] for slot in self.slots()))
        while stream and self.client.get_iopub_msg(timeout=SECONDS)["msg_type"] != "update_display_data":
            pass

    def slots(self) -> list[dict]:
        """What llama.cpp's four slots do."""
        return httpx2.get(f"{self.root}/slots", headers=self.headers, timeout=SECONDS).json()

    def close(self) -> None:
        """End the kernel at once, as its restart button does."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def until(happened: Callable[[], bool], pause: float = 0.05) -> None:
    """Wait for something that another process does and nobody tells."""
    end = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < end
        time.sleep(pause)


@contextmanager
def started() -> Iterator[Kernel]:
    kernel = Kernel()
    try:
        kernel.connect()
        yield kernel
    finally:
        kernel.close()


@pytest.fixture(scope="module")
def kernel(box_weights: Path) -> Iterator[Kernel]:
    with started() as running:
        yield running


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_an_interrupt_stops_the_generation_and_leaves_the_lab_usable(kernel: Kernel, stream: bool) -> None:
    kernel.generate(stream)
    kernel.manager.interrupt_kernel()
    ended = kernel.client.get_shell_msg(timeout=SECONDS)["content"]
    assert (ended["status"], ended["ename"]) in [("error", "KeyboardInterrupt"), ("error", "CancelledError")]

    # llama.cpp looks for connections that were closed after a second in which it had nothing to tell to anybody.
    until(lambda: not any(slot["is_processing"] for slot in kernel.slots()), pause=1.5)
    written = httpx2.get(f"{kernel.root}/metrics", headers=kernel.headers).text
    (total,) = [line.split()[1] for line in written.splitlines() if line.startswith("llamacpp:tokens_predicted_total ")]
    assert float(total) < TOKENS, "the server went on to the end"

    assert kernel.run("print(model.trace.steps[-1].status)") == "interrupted"
    if stream:
        assert kernel.run("print(model.trace.steps[-1].response['choices'][0]['message']['content'])")
    assert kernel.run("print((await model.chat('Hi', max_tokens=3)).output_tokens)") == "3"
    assert kernel.run("print([step.status for step in model.trace][-2:])") == "['interrupted', 'ok']"


def test_a_killed_kernel_leaves_nothing_behind(box_weights: Path) -> None:
    with started() as kernel:
        kernel.generate(stream=False)
        family = [kernel.process, *kernel.process.children(recursive=True)]
    assert [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    url = httpx2.URL(kernel.root)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((url.host, url.port))
