"""What the lab costs, as ratios within one run. `.venv/bin/python tests/benchmark.py` prints a table; nothing is asserted."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import openai
import psutil
from jupyter_client.manager import KernelManager

from llmlab import Budget, Trace, connect, settings
from llmlab.llm import local
from llmlab.tools import call_all, tool

CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2, "b": 3}'}}
USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """An instant reply: first a tool call, then its result in words."""
    done = any(message["role"] == "tool" for message in body["messages"])
    message: dict[str, Any] = {"role": "assistant", "content": "The sum is 5." if done else None}
    if not done:
        message["tool_calls"] = [CALL]
    choice = {"index": 0, "finish_reason": "stop" if done else "tool_calls", "message": message}
    return {"id": "x", "object": "chat.completion", "created": 0, "model": "stub", "choices": [choice], "usage": USAGE}


async def stub() -> None:
    """An HTTP server with keep-alive that does nothing but answer; prints its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.split("content-length:")[1].split("\r\n")[0])
                body = json.dumps(answer(json.loads(await reader.readexactly(length)))).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
                writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


async def bare_run(client: openai.AsyncOpenAI, shown: dict[str, Any]) -> str:
    """Two model calls and one tool call with the openai client alone."""
    messages: list[Any] = [{"role": "user", "content": "What is 2 + 3?"}]
    offered: Any = [shown]
    first = await client.chat.completions.create(model="stub", messages=messages, tools=offered)
    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    for call in first.choices[0].message.tool_calls or []:
        result = add(**json.loads(call.function.arguments))  # type: ignore[union-attr]
        messages.append({"role": "tool", "tool_call_id": call.id, "content": str(result)})
    last = await client.chat.completions.create(model="stub", messages=messages, tools=offered)
    return last.choices[0].message.content or ""


async def lab_run(model: Any, tools: list[Any]) -> str:
    """The same through the lab, with a trace and a budget."""
    messages: list[Any] = [{"role": "user", "content": "What is 2 + 3?"}]
    with Trace("run", budget=Budget()):
        reply = await model.chat(messages, tools=tools, stream=False)
        messages += [reply.message, *await call_all(reply.tool_calls, tools)]
        return str((await model.chat(messages, tools=tools, stream=False)).text)


async def overhead(rounds: int = 200) -> str:
    """Time of a run through the lab over the same run with the bare client, medians of interleaved rounds."""
    server = subprocess.Popen([sys.executable, __file__, "stub"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    base_url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
    try:
        client = openai.AsyncOpenAI(base_url=base_url, api_key="none")
        model = await connect("endpoint", base_url=base_url, model="stub")
        ours = tool(add)
        times: dict[str, list[float]] = {"bare": [], "lab": []}
        for _ in range(rounds):
            for name, run in (("bare", bare_run(client, ours.openai())), ("lab", lab_run(model, [ours]))):
                started = time.perf_counter()
                assert await run == "The sum is 5."
                times[name].append(time.perf_counter() - started)
    finally:
        server.terminate()
    bare, lab = (statistics.median(times[name]) for name in ("bare", "lab"))
    return f"{lab / bare:.2f} times the bare client ({lab * 1e3:.2f} ms against {bare * 1e3:.2f} ms); goal 1.2"


def importing() -> str:
    """Seconds that `import llmlab` adds to `import openai`, median of 7 fresh processes."""
    code = "import time, openai; t = time.perf_counter(); import llmlab; print(time.perf_counter() - t)"
    times = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(7)]
    return f"{statistics.median(times):.3f} s beyond openai; goal 0.15 s"


def cold_start() -> str:
    """From the start of a kernel to the first token, and the memory of that kernel."""
    code = (
        "from llmlab import connect\nmodel = await connect()\n"
        "reply = await model.chat('What is the capital of France?', stream=True)\nprint(reply.first_token_seconds, reply.seconds)"
    )
    started = time.perf_counter()
    manager = KernelManager()
    manager.start_kernel(env={**os.environ, "LLMLAB_REPLAY": ""})
    client = manager.client()
    client.start_channels()
    said: list[str] = []
    try:
        client.wait_for_ready(timeout=60)
        client.execute_interactive(
            code,
            timeout=60,
            output_hook=lambda m: said.append(m["content"]["text"]) if m["msg_type"] == "stream" else None,
        )
        whole = time.perf_counter() - started
        memory = psutil.Process(manager.provisioner.pid).memory_info().rss / 1e6  # type: ignore[union-attr]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    first, reply = map(float, said[-1].split())
    return f"{whole - reply + first:.1f} s to the first token; goal 3 s. Memory {memory:.0f} MB; goal 650 MB"


async def speed(rounds: int = 5) -> str:
    """Tokens per second as the lab sees them over llama.cpp's own count for the same calls."""
    model = await connect("embedded")
    ratios, rates = [], []
    for i in range(rounds):
        reply = await model.chat(f"Tell me {i + 2} things about the sea.", max_tokens=300, stream=False)
        timings = reply.response["timings"]
        own = (timings["prompt_ms"] + timings["predicted_ms"]) / 1e3
        ratios.append(own / reply.seconds)
        rates.append(timings["predicted_per_second"])
    local.stop_all()
    return f"{statistics.median(ratios):.3f} of llama.cpp's own {statistics.median(rates):.0f} tokens/s; goal 0.95"


if __name__ == "__main__":
    if sys.argv[1:] == ["stub"]:
        asyncio.run(stub())
    else:
        os.environ["LLMLAB_ENV_FILE"] = os.devnull
        print(f"run with a tool   {asyncio.run(overhead())}")
        print(f"import llmlab     {importing()}")
        print(f"cold kernel       {cold_start()}")
        print(f"tokens a second   {asyncio.run(speed())} ({settings.load().threads} threads)")
