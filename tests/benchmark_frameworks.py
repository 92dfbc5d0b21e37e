"""Our loop beside smolagents and LangGraph: 30 tasks with tools, on the model in the box.

`.venv/bin/python tests/benchmark_frameworks.py` makes an environment for the two in build/frameworks (once, with pip),
runs all tasks with each loop, prints a table and writes data/measured/frameworks.json. Nothing is asserted.

Each loop runs in a process of its own (tests/frameworks/loop_*.py), the way its documentation recommends, with the same
functions as tools, temperature 0, the same limit of tokens for a call and of calls for a task. They take turns, task by
task, so that a machine that gets slower does so for all.

How to read it:
- Calls and tokens are counted between the loops and the model, by the server's own figures. Every request counts, those
  included that were sent again after an error. "Sent" are all tokens of the prompts, cached or not.
- Right is what the loop returned by itself and what contains the known answer. smolagents may ask once more when its
  steps are used up; that answer counts, and that call too.
- Outside the model is the time of a task less the time in which the model's server worked on it, for each call: the
  loop, its HTTP client, the tool. The median over the tasks, since the first brings in what is loaded late.
- Import is what the imports of the loop's script take in a fresh process; ready is that and the making of the agent:
  smolagents imports its HTTP client only then. Medians of five.
- The model is small, and its adapter was tuned on plain chat requests with tools, the form that our loop and LangGraph
  send. smolagents brings its own instructions, has every answer given by a tool, and writes earlier calls and results as
  text. So its rate and its tokens here say how it does with this model, and nothing about a large one. Its tools also
  describe their arguments, because it insists on that.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from statistics import fmean, median
from typing import Any
from urllib.parse import urlsplit

from llmlab import connect
from llmlab.measure import MEASURED, Measured, made_with, share
from llmlab.settings import ROOT
from shop import world

SCRIPTS = ROOT / "tests" / "frameworks"
PINS = SCRIPTS / "requirements.txt"
ENVIRONMENT = ROOT / "build" / "frameworks"
LOOPS = ("llmlab", "langgraph", "smolagents")
IMPORTS = 5
IMPORT = """\
import time
began = time.perf_counter()
import loop_{name}
imported = time.perf_counter()
loop_{name}.make()
print(imported - began, time.perf_counter() - began)"""
# Six orders for each kind of question, whose answers differ.
ORDERS = {
    "status": (1004, 1020, 1027, 1083, 1148, 1150),
    "customer": (1009, 1031, 1053, 1075, 1097, 1119),
    "city": (1046, 1081, 1084, 1096, 1108, 1133),
    "return": (1022, 1029, 1052, 1064, 1106, 1130),
    "customer's city": (1019, 1021, 1045, 1055, 1078, 1118),  # takes two tools, one after the other
}


@dataclass(frozen=True)
class Task:
    """A question about the shop, and the words that its answer has to contain."""

    kind: str
    text: str
    answer: str

    def right(self, said: str) -> bool:
        """Whether the answer stands in what was said."""
        return bool(re.search(rf"\b{re.escape(self.answer)}\b", said, re.I))


def tasks(db: Path) -> list[Task]:
    """Thirty questions; what is right is asked from the same database as the tools."""
    sql = """SELECT status, name, city, reason FROM orders JOIN customers ON customers.id = customer_id
        LEFT JOIN returns ON returns.order_id = orders.id WHERE orders.id = ?"""
    made = []
    for kind, orders in ORDERS.items():
        for order in orders:
            [[status, name, city, reason]] = world.query(db, sql, [order]).rows
            text, answer = {
                "status": (f"What is the status of order {order}?", status),
                "customer": (f"Who placed order {order}?", name),
                "city": (f"In which city does our customer {name} live?", city),
                "return": (f"Why was order {order} returned?", reason),
                "customer's city": (f"In which city does the customer who placed order {order} live?", city),
            }[kind]
            made.append(Task(kind, text, answer))
    return made


@dataclass(frozen=True)
class Call:
    """One request to the model: how long its server worked on it, and the tokens in and out."""

    seconds: float
    sent: int
    written: int


class Meter:
    """Stands before the model's server on loopback, hands everything on, and notes each call."""

    def __init__(self, base_url: str) -> None:
        self.calls: list[Call] = []
        self.upstream = urlsplit(base_url).netloc
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{urlsplit(base_url).path}"

    def __enter__(self) -> Meter:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self) -> list[Call]:
        """The calls since the last time."""
        taken, self.calls = self.calls, []
        return taken

    def _handler(meter) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # An answer in two packets would wait for the client's delayed acknowledgement: 40 ms, and not the loop's.
            wbufsize, disable_nagle_algorithm = -1, True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                began = time.perf_counter()
                upstream = http.client.HTTPConnection(meter.upstream)
                headers = {name: self.headers[name] for name in ("authorization", "content-type")}
                upstream.request("POST", self.path, body, headers)
                answer = upstream.getresponse()
                data = answer.read()
                upstream.close()
                usage = json.loads(data).get("usage") or {}  # an error has none
                meter.calls.append(
                    Call(time.perf_counter() - began, usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0))
                )
                self.send_response(answer.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


class Loop:
    """A process that solves tasks, one at a time."""

    def __init__(self, python: Path | str, name: str, surroundings: dict[str, str]):
        self._script = f"loop_{name}.py"
        self._process = subprocess.Popen(
            [python, self._script],
            cwd=SCRIPTS,
            env=surroundings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def __enter__(self) -> Loop:
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{self._script} has to say that it is ready, but ended; its reason stands above.")
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.communicate()

    def solve(self, task: str) -> dict[str, str]:
        """Its answer, and how it stopped."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        done: dict[str, str] = json.loads(self._process.stdout.readline())
        return done


def environment() -> Path:
    """The Python of the environment that has the frameworks; it is made anew when the pins or our Python change."""
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp, wanted = ENVIRONMENT / "made-for.txt", f"{sys.version}\n{PINS.read_text(encoding='utf-8')}"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        print("Installing the frameworks into build/frameworks: a minute or two, once …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", PINS]
        subprocess.run([python, *install], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return python


def surroundings(base_url: str, key: str, model: str, db: Path) -> dict[str, str]:
    """The environment variables of a loop: the model's address and key, and none of the reader's own settings."""
    others = ("OPENAI_", "LLMLAB_", "LANGCHAIN_", "LANGSMITH_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    told = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": key, "LLMLAB_MODEL": model, "SHOP_DB": str(db)}
    return {**kept, **told, "LLMLAB_ENV_FILE": os.devnull, "NO_PROXY": "127.0.0.1", "PYTHONUTF8": "1"}


def measure(loops: dict[str, Loop], meter: Meter, db: Path) -> list[dict[str, Any]]:
    """Every task with every loop: one row each."""
    rows = []
    for number, task in enumerate(tasks(db), 1):
        for name, loop in loops.items():
            began = time.perf_counter()
            done = loop.solve(task.text)
            seconds = time.perf_counter() - began
            calls = meter.take()
            outside = seconds - sum(call.seconds for call in calls)
            rows.append(
                {
                    "variant": name,
                    "task": f"{task.kind} {number}",
                    "kind": task.kind,
                    "right": task.right(done["answer"]),
                    "stopped": done["stopped"],
                    "calls": len(calls),
                    "input": sum(call.sent for call in calls),
                    "output": sum(call.written for call in calls),
                    "seconds": round(seconds, 3),
                    "outside_ms": round(1000 * outside / max(len(calls), 1), 2),
                    "answer": done["answer"][:200],
                }
            )
        print(f"{number}: {task.text}", flush=True)
    return rows


def imports(pythons: dict[str, Path | str], variables: dict[str, str]) -> dict[str, dict[str, float]]:
    """Seconds until each loop's script is imported, and until its agent is ready."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in pythons}
    for turn in range(IMPORTS + 1):
        for name, python in pythons.items():
            command = [python, "-c", IMPORT.format(name=name)]
            done = subprocess.run(command, cwd=SCRIPTS, env=variables, stdout=subprocess.PIPE, text=True, check=True)
            if turn:  # the first compiles, and fills the cache of the disk
                first, second = done.stdout.split()
                taken[name].append((float(first), float(second)))
    return {
        name: {"import": round(median(i for i, _ in pairs), 2), "ready": round(median(r for _, r in pairs), 2)}
        for name, pairs in taken.items()
    }


def versions() -> dict[str, str]:
    """What was compared."""
    pins = [line.split("==") for line in PINS.read_text(encoding="utf-8").splitlines() if "==" in line]
    listed = {name.split("[")[0]: version for name, version in pins}
    return {"llmlab": metadata.version("llmlab"), **listed, "python": sys.version.split()[0]}


def table(measured: Measured) -> str:
    """One line for each loop."""
    head = ["", "right (95 %)", "calls", "sent", "written", "outside the model", "import", "ready"]
    lines = [head, ["", "", "a task", "a task", "a task", "ms a call", "s", "s"]]
    for (name,), rows in measured.by("variant").items():
        means = [f"{fmean(row[column] for row in rows):.1f}" for column in ("calls", "input", "output")]
        taken = measured.about["imports"][name]
        outside = f"{median(row['outside_ms'] for row in rows):.1f}"
        right = share(sum(row["right"] for row in rows), len(rows))
        version = measured.about["versions"][name]
        lines.append([f"{name} {version}", right, *means, outside, f"{taken['import']:.2f}", f"{taken['ready']:.2f}"])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def main() -> None:
    python = environment()
    pythons = {name: sys.executable if name == "llmlab" else python for name in LOOPS}
    model = asyncio.run(connect("embedded"))
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        db = world.lay_out(Path(folder) / "shop").db
        meter = stack.enter_context(Meter(str(model.client.base_url).rstrip("/")))
        variables = surroundings(meter.url, model.client.api_key, model.name, db)
        about = {**made_with(model), "versions": versions(), "imports": imports(pythons, variables)}
        loops = {name: stack.enter_context(Loop(pythons[name], name, variables)) for name in LOOPS}
        measured = Measured(measure(loops, meter, db), about)
    file = measured.write(MEASURED / "frameworks.json")
    print(f"\n{measured.label}\n{table(measured)}\n→ {file.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
