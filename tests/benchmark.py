"""What the lab costs, as ratios within one run. `.venv/bin/python tests/benchmark.py` prints a table; nothing is asserted."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import takewhile
from statistics import median
from typing import Any

import httpx2
import nbformat
import openai
from nbclient import NotebookClient

from llmlab import Budget, Trace, connect, settings
from llmlab.llm import local
from llmlab.llm.recording import Recording
from llmlab.tools import call_all, tool
from stub import reply

Call = Callable[[], Awaitable[Any]]
COLD = """import time, psutil
from llmlab import connect
model = await connect()
asked = time.time()
reply = await model.chat("What is the capital of France?", stream=True)
print(asked + reply.first_token_seconds, psutil.Process().memory_info().rss / 1e6)"""


async def in_turn(calls: dict[str, Call], rounds: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of each call by the clock and of the processor: medians of rounds in which they take turns, so that a
    machine that gets slower does so for all."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            clock, processor = time.perf_counter(), time.process_time()
            await call()
            taken[name].append((1e3 * (time.perf_counter() - clock), 1e3 * (time.process_time() - processor)))
    return {name: (median(c for c, _ in pairs), median(p for _, p in pairs)) for name, pairs in taken.items()}


async def stub() -> None:
    """An HTTP server with keep-alive that answers at once, with a tool call and then in words; prints its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.split("content-length:")[1].split("\r\n")[0])
                done = b'"tool_call_id"' in await reader.readexactly(length)
                answer = reply("The sum is 5.") if done else reply("", {"add": '{"a": 2, "b": 3}'})
                body = json.dumps(answer).encode()
                head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


async def bare_run(client: openai.AsyncOpenAI, shown: dict[str, Any]) -> None:
    """Two model calls and one tool call with the openai client alone."""
    asked: dict[str, Any] = {"model": "stub", "tools": [shown], "messages": [{"role": "user", "content": "2 + 3?"}]}
    first = (await client.chat.completions.create(**asked)).choices[0].message
    asked["messages"].append(first.model_dump(exclude_none=True))
    for call in first.tool_calls or []:
        result = str(add(**json.loads(call.function.arguments)))  # type: ignore[union-attr]
        asked["messages"].append({"role": "tool", "tool_call_id": call.id, "content": result})
    assert (await client.chat.completions.create(**asked)).choices[0].message.content == "The sum is 5."


async def lab_run(model: Any, tools: list[Any]) -> None:
    """The same through the lab, with a trace and a budget."""
    messages: list[Any] = [{"role": "user", "content": "2 + 3?"}]
    with Trace("run", budget=Budget()):
        first = await model.chat(messages, tools=tools)
        messages += [first.message, *await call_all(first.tool_calls, tools)]
        assert (await model.chat(messages, tools=tools)).text == "The sum is 5."


async def overhead(rounds: int = 200) -> str:
    """Time of a run through the lab over the same run with the bare client."""
    with subprocess.Popen([sys.executable, __file__, "stub"], stdout=subprocess.PIPE, text=True) as server:
        try:
            base_url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"  # type: ignore[union-attr]
            client, ours = openai.AsyncOpenAI(base_url=base_url, api_key="none"), tool(add)
            model = await connect("endpoint", base_url=base_url, model="stub")
            runs = {"bare": lambda: bare_run(client, ours.openai()), "lab": lambda: lab_run(model, [ours])}
            (bare, _), (lab, _) = (await in_turn(runs, rounds)).values()
        finally:
            server.terminate()
    return f"{lab / bare:.2f} times the bare client ({lab:.2f} ms against {bare:.2f} ms); goal 1.0"


def importing() -> str:
    """Seconds that `import llmlab` adds to `import openai`, median of 7 fresh processes."""
    code = "import time, openai; t = time.perf_counter(); import llmlab; print(time.perf_counter() - t)"
    times = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(7)]
    return f"{median(times):.3f} s beyond openai; goal 0.10 s"


def cold_start() -> str:
    """From the start of a kernel to the first token, and the memory of that kernel."""
    notebook, started = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(COLD)]), time.time()
    NotebookClient(notebook, timeout=60).execute(env={**os.environ, "LLMLAB_REPLAY": ""})
    [said] = [out.text for out in notebook.cells[0].outputs if out.output_type == "stream"]
    first, memory = map(float, said.split())
    return f"{first - started:.1f} s to the first token; goal 3 s. Memory {memory:.0f} MB; goal 2,500 MB"


async def speed(rounds: int = 5) -> str:
    """Tokens per second as the lab sees them over llama.cpp's own count for the same calls."""
    model, ratios, rates = await connect("embedded"), [], []
    for i in range(rounds):
        answer = await model.chat(f"Tell me {i + 2} things about the sea.", max_tokens=300)
        timings = answer.response["timings"]
        ratios.append((timings["prompt_ms"] + timings["predicted_ms"]) / 1e3 / answer.seconds)
        rates.append(timings["predicted_per_second"])
    return f"{median(ratios):.3f} of llama.cpp's own {median(rates):.0f} tokens/s; goal 0.95"


def computed_again() -> str:
    """The share of the recorded tokens that the model computed again, although it had seen them before.

    A request has seen before what it shares, from the beginning, with an earlier request of its chapter and the reply.
    """
    box = local.start(settings.load())  # any size: they read alike
    headers = {"authorization": f"Bearer {box.api_key}"}
    client = httpx2.Client(base_url=box.base_url.removesuffix("/v1"), headers=headers, timeout=60)

    def tokens(messages: object, tools: object, open_end: bool) -> list[int]:
        body = {"messages": messages, "add_generation_prompt": open_end} | ({"tools": tools} if tools else {})
        prompt = client.post("/apply-template", json=body).json()["prompt"]
        return list(client.post("/tokenize", json={"content": prompt, "parse_special": True}).json()["tokens"])

    seen = again = 0
    for file in (settings.DATA / "recordings").glob("*.jsonl"):
        earlier: list[list[int]] = []
        for made in Recording.load(file).exchanges:
            if (made["path"], made["status"], made["connection"]) != ("/chat/completions", 200, "model"):
                continue
            messages, tools = made["request"]["messages"], made["request"].get("tools")
            prompt, reply = tokens(messages, tools, True), made["response"]["choices"][0]["message"]
            pairs = (zip(prompt, one, strict=False) for one in earlier)
            shared = max((sum(1 for _ in takewhile(lambda p: p[0] == p[1], pair)) for pair in pairs), default=0)
            if shared >= 16:  # a shorter beginning is every request's
                seen += shared  # the last one has to be computed in any case
                again += max(0, shared - 1 - made["response"]["usage"]["prompt_tokens_details"]["cached_tokens"])
            # llama.cpp renders no conversation that ends with a call; with an empty result after it, it does.
            results = [{"role": "tool", "tool_call_id": c["id"], "content": ""} for c in reply.get("tool_calls") or []]
            earlier.append(tokens([*messages, reply, *results], tools, False))
    return f"{again:,} of {seen:,} tokens that were seen before ({again / seen:.1%}); goal 5 %"


if __name__ == "__main__":
    if sys.argv[1:] == ["stub"]:
        asyncio.run(stub())
    else:
        os.environ["LLMLAB_ENV_FILE"] = os.devnull
        print(f"run with a tool   {asyncio.run(overhead())}")
        print(f"import llmlab     {importing()}")
        print(f"cold kernel       {cold_start()}")
        print(f"tokens a second   {asyncio.run(speed())} ({settings.load().threads} threads)")
        print(f"computed again    {computed_again()}")
        local.stop_all()
