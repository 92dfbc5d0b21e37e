"""What a host with its tap costs over the SDK's own client, as ratios within one run. Nothing is asserted.

`.venv/bin/python tests/benchmark_mcp.py` prints a table and writes data/measured/mcp.json. Calls of both go in turn to
the same server, which is a process of its own. On a busy machine the processor time of both ends tells more than the
clock; what a call takes at the server is the mean of all calls.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from llmlab.mcp.host import Host
from llmlab.measure import MEASURED, Measured, machine

SERVER = str(Path(__file__).with_name("mcp_demo.py"))
SERVE = """
import asyncio
from mcp_demo import make, served

async def main():
    async with served(make()) as url:
        print(url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
LAB = ("calendar", "messages", "orders", "repository", "sheet")
SUM = {"a": 1, "b": 2}

Call = Callable[[], Awaitable[Any]]


async def taken(call: Call) -> tuple[float, float]:
    """Milliseconds by the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    await call()
    return 1000 * (time.perf_counter() - clock), 1000 * (time.process_time() - processor)


def servers() -> float:
    """Milliseconds of the processor that all servers have had."""
    times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return 1000 * sum(spent.user + spent.system for spent in times)


async def call_ratio(url: str | None, mode: str, rounds: int = 500) -> dict[str, float]:
    """A call through the host over the same call with the bare client, medians of interleaved calls."""
    command = [sys.executable, SERVER]
    async with AsyncExitStack() as stack:
        transport = url or stdio_client(StdioServerParameters(command=command[0], args=command[1:]))
        bare = await stack.enter_async_context(Client(transport, mode=mode, cache=None))
        host = await stack.enter_async_context(await Host.open({"demo": url or command}, mode=mode))
        await bare.list_tools()
        assert (await bare.call_tool("add", SUM)).structured_content == {"result": 3}
        assert await host.call("demo", "add", SUM) == "3"
        calls: dict[str, Call] = {
            "bare": lambda: bare.call_tool("add", SUM),
            "host": lambda: host.call("demo", "add", SUM),
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
        before = servers()
        for _ in range(rounds):
            for name, call in calls.items():
                times[name].append(await taken(call))
        server = (servers() - before) / (2 * rounds)
    (b, b_processor), (h, h_processor) = (
        [median(column) for column in zip(*times[name], strict=True)] for name in ("bare", "host")
    )
    return {
        "by the clock": round(h / b, 3),
        "by processor time": round((h_processor + server) / (b_processor + server), 3),
        "host ms": round(h, 3),
        "bare client ms": round(b, 3),
        "host processor ms": round(h_processor, 3),
        "bare client processor ms": round(b_processor, 3),
        "server processor ms": round(server, 3),
    }


async def opening(names: tuple[str, ...], rounds: int = 5) -> float:
    """Seconds from Host.open to the first answered call, the median of some rounds."""

    async def once() -> None:
        servers = {name: [sys.executable, "-m", f"shop.{name}"] for name in names}
        async with await Host.open(servers) as host:
            await host.call("orders", "query_orders", {"sql": "SELECT 1"})
            answered.append(time.perf_counter())

    answered: list[float] = []
    began: list[float] = []
    for _ in range(rounds):
        began.append(time.perf_counter())
        await once()
    return round(median(end - start for start, end in zip(began, answered, strict=True)), 2)


def main() -> None:
    rows: list[dict[str, Any]] = []
    with subprocess.Popen([sys.executable, "-c", SERVE], cwd=Path(SERVER).parent, stdout=subprocess.PIPE) as server:
        assert server.stdout
        url = server.stdout.readline().decode().strip()
        for over, address in (("stdio", None), ("HTTP", url)):
            for era, mode in (("handshake", "legacy"), ("modern", "2026-07-28")):
                rows.append({"call over": over, "era": era, **asyncio.run(call_ratio(address, mode))})
                print(rows[-1], flush=True)
        server.terminate()
    print("goal of the ratios: 1.05")
    for names in (("orders",), LAB):
        seconds = asyncio.run(opening(names))
        rows.append({"servers": len(names), "seconds from open to the first answer": seconds})
        print(rows[-1], flush=True)
    about = {
        "versions": {name: metadata.version(name) for name in ("llmlab", "mcp")},
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
    }
    Measured(rows, about).write(MEASURED / "mcp.json")


if __name__ == "__main__":
    main()
