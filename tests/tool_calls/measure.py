"""How well a model calls tools through a chat template: `measure.py development standard data/chat_template.jinja`.

Counts what a program can check: the name and parsed arguments of a call, the facts that an answer has to hold, no call
where none is needed. `development.json` is what templates were chosen by; `held_out.json` was written by others, and
only ever counted. A template named `none` is the one inside the model's file.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROUNDS = 5  # calls of the model for one item
TOKENS = 200
HALF = ('{"name"', "{'name'", "```json", "<tool_call>", "</tool_call>", '"arguments"', "<|im_start|>")


class Server:
    """A model behind one template, asked over HTTP as any client would."""

    def __init__(self, gguf: Path, template: Path | None, adapter: Path | None = None):
        os.environ.setdefault("GOMP_SPINCOUNT", "100")  # or whatever else runs on this machine starves it
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(gguf)
        params.n_ctx, params.n_parallel, params.cache_ram_mib = 32768, 4, 1024
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
        params.cpuparams.poll = params.cpuparams_batch.poll = 0
        params.port, params.ui, params.verbosity, params.use_jinja = 0, False, -1, True
        if adapter:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
        if template:
            params.chat_template = template.read_text(encoding="utf-8")
        self._server: Any = xllamacpp.Server(params)
        self._host = self._server.listening_address.split("//")[1]

    def chat(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        """One request at temperature 0: the status, and the message or the error."""
        body = {
            "messages": messages,
            "tools": tools,
            "temperature": 0,
            "max_tokens": TOKENS,
            "parallel_tool_calls": True,
        }
        connection = http.client.HTTPConnection(self._host, timeout=600)
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        data = json.loads(response.read())
        connection.close()
        return response.status, data["choices"][0]["message"] if response.status == 200 else data


def same(wanted: Any, given: Any) -> bool:
    """Whether an argument is right: equal, one of `$any`, or a text with all words of `$has`."""
    if isinstance(wanted, dict) and "$any" in wanted:
        return any(same(one, given) for one in wanted["$any"])
    if isinstance(wanted, dict) and "$has" in wanted:
        return all(word.lower() in str(given).lower() for word in wanted["$has"])
    if isinstance(wanted, dict) and isinstance(given, dict):
        return wanted.keys() == given.keys() and all(same(wanted[name], given[name]) for name in wanted)
    if isinstance(wanted, list) and isinstance(given, list):
        return len(wanted) == len(given) and all(map(same, wanted, given))
    if isinstance(wanted, bool) or isinstance(given, bool):
        return wanted is given
    return bool(wanted == given)


def matches(wanted: dict[str, Any], call: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Whether this is the call; a default or null that is written out counts as left out."""
    try:
        given = json.loads(call["function"]["arguments"] or "{}")
    except ValueError:
        return False
    if call["function"]["name"] != wanted["name"] or not isinstance(given, dict):
        return False
    expected = wanted.get("arguments", {})
    shapes = schema.get("properties", {})
    extra = {n: v for n, v in given.items() if n not in expected}
    if any(v is not None and v != shapes.get(n, {}).get("default", ...) for n, v in extra.items()):
        return False
    return all(name in given and same(expected[name], given[name]) for name in expected)


def holds(item: dict[str, Any], text: str) -> bool:
    """Whether an answer has every fact, and none of the words that it must not have."""
    low = text.lower().replace("’", "'")
    return all(any(one.lower() in low for one in fact) for fact in item.get("facts", [])) and not any(
        word.lower() in low for word in item.get("not", [])
    )


def play(server: Server, world: dict[str, Any], item: dict[str, Any], rounds: int = ROUNDS) -> dict[str, Any]:
    """Ask one item; returns what was right, by name of the count."""
    tools, kind = world["tools"], item["kind"]
    schemas = {t["function"]["name"]: t["function"].get("parameters") or {} for t in tools}
    messages = [{"role": "system", "content": world["system"]}] if world.get("system") else []
    messages += item.get("messages") or [{"role": "user", "content": item["ask"]}]
    known = (
        item.get("steps")
        or item.get("calls")
        or ([item["call"] | {"result": item.get("result", "")}] if "call" in item else [])
    )
    counts: dict[str, bool] = {}
    made, met, said, half = [], list[dict[str, Any]](), "", False
    for turn in range(rounds):
        status, message = server.chat(messages, tools)
        if status != 200:
            half, said = True, json.dumps(message)[:300]
            break
        calls, said = message.get("tool_calls") or [], message.get("content") or ""
        half |= any(mark in said for mark in HALF) or not (calls or said.strip())
        right = [next((k for k in known if matches(k, c, schemas.get(c["function"]["name"], {}))), None) for c in calls]
        made += [
            (c["function"]["name"], c["function"]["arguments"], bool(r)) for c, r in zip(calls, right, strict=True)
        ]
        met += [found for found in right if found]
        if turn == 0 and kind == "call":
            counts["call"] = len(calls) == 1 and bool(right[0])
        if not calls or kind in ("no_call", "missing", "use", "error"):
            break
        messages = [*messages, {**message, "content": said or None}]
        for call, found in zip(calls, right, strict=True):
            result = found["result"] if found else "error: that did not work"
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
    words = not half and bool(said.strip()) and not calls
    if kind == "call" and counts["call"] and rounds > 1:
        counts["answer after the call"] = len(made) == 1 and words and holds(item, said)
    elif kind == "no_call":
        counts["no call"] = words
    elif kind == "missing":
        counts["asks back"] = words and "?" in said
    elif kind == "use":
        counts["result used"] = words and holds(item, said)
    elif kind == "error":
        again = "call" in item and len(made) == 1 and made[0][2]
        counts["error met"] = not half and (again or (words and holds(item, said)))
    elif kind in ("chain", "parallel"):
        every = all(one in met for one in known) and len(made) == len(known)
        counts[kind] = every and words and holds(item, said)
        counts[f"{kind}: calls"] = every
    return {"id": item["id"], "counts": counts, "half": half, "made": made, "said": said}


def main() -> None:
    """Run a set and print its counts, a line a kind; `--show` prints each item that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", choices=["development", "held_out"])
    parser.add_argument("model", help="standard, small, tiny, or a GGUF file")
    parser.add_argument("template", help="a file, or none")
    parser.add_argument("--adapter", type=Path, help="a LoRA adapter in GGUF, laid over the model")
    parser.add_argument("--every", type=int, default=1, help="only each Nth item of a kind")
    parser.add_argument("--kinds", nargs="*", default=[], help="only these")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="calls of the model for one item, at most")
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    gguf = Path(args.model)
    if not gguf.is_file():
        from llmlab import settings
        from llmlab.llm import weights

        gguf = weights.find(weights.CATALOGUE[args.model], settings.load().cache)
    data = json.loads((HERE / f"{args.set}.json").read_text(encoding="utf-8"))
    by_kind: dict[str, list[Any]] = defaultdict(list)
    for item in data["items"]:
        if not args.kinds or item["kind"] in args.kinds:
            by_kind[item["kind"]].append(item)
    chosen = {i["id"] for same_kind in by_kind.values() for i in same_kind[:: args.every]}
    items = sorted(
        (i for i in data["items"] if i["id"] in chosen), key=lambda i: i["world"]
    )  # a world's tools stay cached
    server = Server(gguf, None if args.template == "none" else Path(args.template), args.adapter)
    started = time.perf_counter()
    with ThreadPoolExecutor(args.at_once) as pool:
        results = list(pool.map(lambda item: play(server, data["worlds"][item["world"]], item, args.rounds), items))
    right, of = Counter[str](), Counter[str]()
    for item, result in zip(items, results, strict=True):
        for name, good in result["counts"].items():
            right[name] += good
            of[name] += 1
        right["half a call"] += result["half"]
        of["half a call"] += 1
        if args.show and (result["half"] or not all(result["counts"].values())):
            print(json.dumps({**result, "ask": item.get("ask", "")}, ensure_ascii=False)[:600], flush=True)
    counts = ", ".join(f"{name} {right[name]}/{of[name]}" for name in sorted(of))
    print(
        f"{args.set} {gguf.stem} {Path(args.template).stem}{' with adapter' if args.adapter else ''}: {counts}; {time.perf_counter() - started:.0f} s",
        flush=True,
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
