"""A real kernel, killed in the middle of a run: a new one goes on without paying again."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.kernelspec import KernelSpecManager

from stub import KEY, Raw, Stub, reply, stream

SECONDS = 120
CELL = """
from llmlab import connect
from llmlab.agents import ToolLoop
from llmlab.tools import tool

@tool
async def look(city: str) -> str:
    "The weather in a city."
    return f"Rain in {{city}}."

model = await connect("endpoint", base_url={url!r}, api_key={key!r}, model="stub-model")
run = await ToolLoop(model, [look]).run("Weather in Oslo and Rome?", save={path!r})
print(run.stopped, run.answer, run.spent.model_calls, run.spent.tool_calls)
"""


class Watched(Stub):
    """Tells when the third request has come."""

    def __init__(self) -> None:
        super().__init__()
        self.third = threading.Event()

    def next(self, body: Any) -> Raw:
        if len(self.asked) == 3:
            self.third.set()
        return super().next(body)


@contextmanager
def kernel() -> Iterator[BlockingKernelClient]:
    """A kernel; at the end it is killed, as the restart button does."""
    manager = KernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))  # this environment's own
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    manager.start_kernel(env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=SECONDS)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_kernel_that_is_killed_in_the_middle_goes_on_without_paying_again(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    half = {"choices": [{"index": 0, "delta": {"content": "It ra"}, "finish_reason": None}]}
    with Watched() as stub:
        cell = CELL.format(url=stub.url, key=KEY, path=str(path))
        oslo, rome = (reply("", {"look": f'{{"city": "{city}"}}'}) for city in ("Oslo", "Rome"))
        stub.answers = [oslo, rome, stream(half, hang=True)]
        with kernel() as client:
            client.execute(cell)
            assert stub.third.wait(SECONDS)
        assert "It ra" not in path.read_text(encoding="utf-8")

        stub.answers = [reply("It rains.")]
        printed: list[str] = []
        with kernel() as client:
            done = client.execute_interactive(
                cell, timeout=SECONDS, output_hook=lambda m: printed.append(m["content"].get("text", ""))
            )
        assert done["content"]["status"] == "ok", done["content"].get("evalue")
        assert "".join(printed).strip() == "done It rains. 3 2"
        assert len(stub.asked) == 4
        assert stub.asked[3]["messages"] == stub.asked[2]["messages"]
