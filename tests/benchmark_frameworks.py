"""Our loop beside smolagents and LangGraph: 30 tasks with tools, on the model in the box.

`.venv/bin/python tests/benchmark_frameworks.py` makes an environment for the two in build/foreign (once, with pip), runs
all tasks with each loop, prints a table and writes data/measured/frameworks.json. Nothing is asserted.

Each loop runs in a process of its own (tests/frameworks/loop.py), the way its documentation recommends, with the same
functions as tools, temperature 0, the same limit of tokens for a call and of calls for a task. They take turns, task by
task, so that a machine that gets slower does so for all.

How to read it:
- Calls and tokens are counted between the loops and the model, by the server's own figures. Every request counts, those
  included that were sent again after an error. Input are all tokens of the prompts, cached or not.
- Right is what the loop returned by itself and what contains the known answer.
- Outside the model is the time of a task less the time in which the model's server worked on it, for each call: the
  loop, its HTTP client, the tool. The median over the tasks, since the first brings in what is loaded late.
- Ready is what the imports and the making of the agent take in a fresh process. The median of five.
- The model is small, and its template was chosen on plain chat requests with tools, the form that our loop and LangGraph
  send. smolagents brings its own instructions, has every answer given by a tool, and writes earlier calls and results as
  text. So its rate and its tokens here say how it does with this model, and nothing about a large one.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import httpx2

import installed
from authors.measuring import write
from llmlab import connect
from llmlab.measure import MEASURED, Measured, made_with
from llmlab.settings import ROOT
from shop import lay_out, query

SCRIPT = ROOT / "tests" / "frameworks" / "loop.py"
LOOPS = ("llmlab", "langgraph", "smolagents")
# Six orders for each kind of question, whose answers differ; the last kind takes two tools. What is right the database tells.
ORDERS = {
    "What is the status of order {order}?": ("status", 1004, 1020, 1027, 1083, 1148, 1150),
    "Who placed order {order}?": ("name", 1009, 1031, 1053, 1075, 1097, 1119),
    "In which city does our customer {name} live?": ("city", 1046, 1081, 1084, 1096, 1108, 1133),
    "Why was order {order} returned?": ("reason", 1022, 1029, 1052, 1064, 1106, 1130),
    "In which city does the customer who placed order {order} live?": ("city", 1019, 1021, 1045, 1055, 1078, 1118),
}


def tasks(db: Path) -> list[dict[str, str]]:
    """Thirty questions about the shop, and the words that each answer has to contain."""
    sql = """SELECT orders.id AS "order", status, name, city, reason FROM orders JOIN customers ON customers.id = customer_id
        LEFT JOIN returns ON returns.order_id = orders.id WHERE orders.id = ?"""
    made = []
    for kind, (column, *orders) in ORDERS.items():
        for order in orders:
            found = query(db, sql, [order])
            known = dict(zip(found.columns, found.rows[0], strict=True))
            made.append({"kind": kind, "task": kind.format(**known), "expected": known[column]})
    return made


class Meter:
    """Stands before the model's server on loopback, hands everything on, and notes each call: the seconds that the server
    worked on it, the tokens in and out."""

    def __init__(self, base_url: str) -> None:
        self.calls: list[tuple[float, int, int]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(httpx2.URL(base_url)))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{httpx2.URL(base_url).path}"

    def __enter__(self) -> Meter:
        threading.Thread(target=self._server.serve_forever, args=(0.01,)).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(meter, upstream: httpx2.URL) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # An answer in two packets would wait for the client's delayed acknowledgement: 40 ms, and not the loop's.
            wbufsize, disable_nagle_algorithm = -1, True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name: self.headers[name] for name in ("authorization", "content-type")}
                began = time.perf_counter()
                answer = httpx2.post(upstream.copy_with(path=self.path), content=body, headers=headers, timeout=600)
                seconds, usage = time.perf_counter() - began, answer.json().get("usage") or {}  # an error has none
                meter.calls.append((seconds, usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)))
                self.send_response(answer.status_code)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


class Loop:
    """A process that solves tasks, one at a time; `ready` are the seconds until it could."""

    def __init__(self, python: Path | str, name: str, environment: dict[str, str]):
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
        self._process = subprocess.Popen([python, SCRIPT, name], env=environment, **pipes)

    def __enter__(self) -> Loop:
        said = self._process.stdout.readline()  # type: ignore[union-attr]
        if not said.startswith("ready"):
            raise RuntimeError("A loop has to say that it is ready, but this one ended; its reason stands above.")
        self.ready = float(said.split()[1])
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.communicate()

    def solve(self, task: str) -> dict[str, str]:
        """Its answer, and how it stopped."""
        print(json.dumps(task), file=self._process.stdin, flush=True)
        return dict(json.loads(self._process.stdout.readline()))  # type: ignore[union-attr]


def surroundings(base_url: str, key: str, model: str, db: Path) -> dict[str, str]:
    """The environment variables of a loop: the model's address and key, and none of the reader's own settings."""
    others = ("OPENAI_", "LLMLAB_", "LANGCHAIN_", "LANGSMITH_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    told = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": key, "LLMLAB_MODEL": model, "SHOP_DB": str(db)}
    return {**kept, **told, "LLMLAB_ENV_FILE": os.devnull, "NO_PROXY": "127.0.0.1", "PYTHONUTF8": "1"}


def measure(loops: dict[str, Loop], meter: Meter, asked: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Every task with every loop: one row each."""
    rows = []
    for task in asked:
        for name, loop in loops.items():
            began = time.perf_counter()
            done = loop.solve(task["task"])
            seconds, calls = time.perf_counter() - began, meter.calls
            meter.calls = []
            right = bool(re.search(rf"\b{re.escape(task['expected'])}\b", done["answer"], re.I))
            row = {"variant": name, **task, **done, "right": right}
            row |= {"calls": len(calls), "input": sum(c[1] for c in calls), "output": sum(c[2] for c in calls)}
            outside = seconds - sum(c[0] for c in calls)
            row |= {"seconds": round(seconds, 3), "outside ms": round(1000 * outside / max(len(calls), 1), 2)}
            rows.append(row)
        print(task["task"], flush=True)
    return rows


def main() -> None:
    pins = [pin for pin in SCRIPT.with_name("requirements.txt").read_text(encoding="utf-8").splitlines() if "==" in pin]
    python = installed.python("frameworks", *pins)
    model = asyncio.run(connect("embedded"))
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        db = lay_out(Path(folder) / "shop").db
        meter = stack.enter_context(Meter(str(model.client.base_url).rstrip("/")))
        variables = surroundings(meter.url, model.client.api_key, model.name, db)

        def started(name: str) -> Loop:
            return stack.enter_context(Loop(sys.executable if name == "llmlab" else python, name, variables))

        # The first start of each compiles, and fills the cache of the disk.
        ready = {name: [started(name).ready for _ in range(6)][1:] for name in LOOPS}
        about = {**made_with(model), "versions": [f"llmlab=={metadata.version('llmlab')}", *pins]}
        about["ready"] = {name: round(median(seconds), 2) for name, seconds in ready.items()}
        measured = Measured(measure({name: started(name) for name in LOOPS}, meter, tasks(db)), about)
    print(measured.table("variant", means=("calls", "input", "output", "outside ms")))
    print("seconds until ready:", about["ready"], "→", write(measured, MEASURED / "frameworks.json").relative_to(ROOT))


if __name__ == "__main__":
    main()
