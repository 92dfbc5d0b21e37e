"""What a host with its tap costs over the SDK's own client, as ratios within one run. Nothing is asserted.

`.venv/bin/python tests/benchmark_mcp.py` prints a table and writes data/measured/mcp.json. Calls of both go in turn to
the same server, a process of its own. On a busy machine the processor time of both ends tells more than the clock.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from authors.measuring import write
from benchmark import in_turn
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
LAB = ("orders", "calendar", "messages", "repository", "sheet")
SUM = {"a": 1, "b": 2}


def servers() -> float:
    """Milliseconds of the processor that all servers have had."""
    times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return 1000 * sum(spent.user + spent.system for spent in times)


async def call_ratio(url: str | None, mode: str, rounds: int = 500) -> dict[str, float]:
    """A call through the host over the same call with the bare client."""
    command = [sys.executable, SERVER]
    async with AsyncExitStack() as stack:
        transport = url or stdio_client(StdioServerParameters(command=command[0], args=command[1:]))
        bare = await stack.enter_async_context(Client(transport, mode=mode, cache=None))
        host = await stack.enter_async_context(await Host.open({"demo": url or command}, mode=mode))
        await bare.list_tools()
        assert (await bare.call_tool("add", SUM)).structured_content == {"result": 3}
        assert await host.call("demo", "add", SUM) == "3"
        before = servers()
        calls = {"bare": lambda: bare.call_tool("add", SUM), "host": lambda: host.call("demo", "add", SUM)}
        (b, b_processor), (h, h_processor) = (await in_turn(calls, rounds)).values()
        server = (servers() - before) / (2 * rounds)
    row = {"by the clock": h / b, "by processor time": (h_processor + server) / (b_processor + server)}
    row |= {"host ms": h, "bare client ms": b, "host processor ms": h_processor}
    row |= {"bare client processor ms": b_processor, "server processor ms": server}
    return {name: round(value, 3) for name, value in row.items()}


async def opening(names: tuple[str, ...], rounds: int = 5) -> float:
    """Seconds from Host.open to the first answered call, the median of some rounds."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        async with await Host.open({name: [sys.executable, "-m", f"shop.{name}"] for name in names}) as host:
            await host.call("orders", "query_orders", {"sql": "SELECT 1"})
            taken.append(time.perf_counter() - began)
    return round(median(taken), 2)


def main() -> None:
    rows: list[dict[str, Any]] = []
    with subprocess.Popen([sys.executable, "-c", SERVE], cwd=Path(SERVER).parent, stdout=subprocess.PIPE) as server:
        url = server.stdout.readline().decode().strip()  # type: ignore[union-attr]
        for over, address in (("stdio", None), ("HTTP", url)):
            for era, mode in (("handshake", "legacy"), ("modern", "2026-07-28")):
                rows.append({"call over": over, "era": era, **asyncio.run(call_ratio(address, mode))})
                print(rows[-1], flush=True)
        server.terminate()
    print("goal of the ratios: 1.05")
    for names in (LAB[:1], LAB):
        rows.append({"servers": len(names), "seconds from open to the first answer": asyncio.run(opening(names))})
        print(rows[-1], flush=True)
    versions = {name: metadata.version(name) for name in ("llmlab", "mcp")}
    about = {"versions": versions, "date": datetime.now(UTC).date().isoformat(), "machine": machine()}
    write(Measured(rows, about), MEASURED / "mcp.json")


if __name__ == "__main__":
    main()
