"""How well a model calls tools through a chat template: `measure.py development standard data/chat_template.jinja`.

Counts what a program can check: the name and parsed arguments of a call, the facts that an answer has to hold, no call
where none is needed. `development.json` is what templates were chosen by; `held_out.json` was written by others, and
only ever counted. A template named `none` is the one inside the model's file.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2

from llmlab import settings
from llmlab.llm import weights
from llmlab.llm.local import Embedded

HERE = Path(__file__).parent
ROUNDS = 5  # calls of the model for one item
HALF = ('{"name"', "{'name'", "```json", "<tool_call>", "</tool_call>", '"arguments"', "<|im_start|>")


def chat(box: Embedded, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any] | str:
    """One request at temperature 0, as any client would send it: the message, or the text of an error."""
    body = {"messages": messages, "tools": tools, "temperature": 0, "max_tokens": 200, "parallel_tool_calls": True}
    headers = {"authorization": f"Bearer {box.api_key}"}
    response = httpx2.post(f"{box.base_url}/chat/completions", json=body, headers=headers, timeout=600)
    return response.json()["choices"][0]["message"] if response.status_code == 200 else response.text


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
    return bool(wanted == given) and isinstance(wanted, bool) == isinstance(given, bool)  # True is no 1


def matches(wanted: dict[str, Any], call: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Whether this is the call; a default or null that is written out counts as left out."""
    try:
        given = json.loads(call["arguments"] or "{}")
    except ValueError:
        return False
    if call["name"] != wanted["name"] or not isinstance(given, dict):
        return False
    expected, shapes = wanted.get("arguments", {}), schema.get("properties", {})
    needless = [v is None or v == shapes.get(n, {}).get("default", ...) for n, v in given.items() if n not in expected]
    return all(needless) and all(name in given and same(expected[name], given[name]) for name in expected)


def holds(item: dict[str, Any], text: str) -> bool:
    """Whether an answer has every fact, and none of the words that it must not have."""
    low = text.lower().replace("’", "'")
    return all(any(one.lower() in low for one in fact) for fact in item.get("facts", [])) and not any(
        word.lower() in low for word in item.get("not", [])
    )


def play(box: Embedded, world: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    """Ask one item; returns what was right, by name of the count."""
    tools, kind = world["tools"], item["kind"]
    schemas = {t["function"]["name"]: t["function"].get("parameters") or {} for t in tools}
    messages = [{"role": "system", "content": world["system"]}] if world.get("system") else []
    messages += item.get("messages") or [{"role": "user", "content": item["ask"]}]
    single = [item["call"] | {"result": item.get("result", "")}] if "call" in item else []
    known = item.get("steps") or item.get("calls") or single
    counts = {"call": False} if kind == "call" else dict[str, bool]()
    made, met, said, half = [], list[dict[str, Any]](), "", False
    for turn in range(ROUNDS):
        message = chat(box, messages, tools)
        if isinstance(message, str):
            half, said = True, message[:300]
            break
        calls, said = message.get("tool_calls") or [], message.get("content") or ""
        half |= any(mark in said for mark in HALF) or not (calls or said.strip())
        asked = [(call["function"], schemas.get(call["function"]["name"], {})) for call in calls]
        right = [next((k for k in known if matches(k, call, schema)), None) for call, schema in asked]
        made += [(call["name"], call["arguments"], bool(r)) for (call, _), r in zip(asked, right, strict=True)]
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
    answered, every = words and holds(item, said), all(one in met for one in known) and len(made) == len(known)
    again = "call" in item and len(made) == 1 and made[0][2]
    counts |= {
        "call": {"answer after the call": len(made) == 1 and answered} if counts.get("call") else {},
        "no_call": {"no call": words},
        "missing": {"asks back": words and "?" in said},
        "use": {"result used": answered},
        "error": {"error met": not half and (again or answered)},
    }.get(kind, {kind: every and answered, f"{kind}: calls": every})
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
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    config, gguf = settings.load(), Path(args.model)
    gguf = gguf if gguf.is_file() else weights.find(weights.get(args.model), config.cache)
    template = None if args.template == "none" else Path(args.template).read_text(encoding="utf-8")
    data = json.loads((HERE / f"{args.set}.json").read_text(encoding="utf-8"))
    by_kind: dict[str, list[Any]] = defaultdict(list)
    for item in [item for item in data["items"] if not args.kinds or item["kind"] in args.kinds]:
        by_kind[item["kind"]].append(item)
    chosen = [item for same_kind in by_kind.values() for item in same_kind[:: args.every]]
    items = sorted(chosen, key=lambda item: item["world"])  # a world's tools stay cached
    box = Embedded(gguf, config.threads, gguf.stem, template, "not asked", args.adapter)
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda item: play(box, data["worlds"][item["world"]], item), items))
    right, of = Counter[str](), Counter[str]()
    for item, result in zip(items, results, strict=True):
        counts = {**result["counts"], "half a call": result["half"]}
        right.update({name: int(good) for name, good in counts.items()})
        of.update(counts.keys())
        if args.show and (result["half"] or not all(result["counts"].values())):
            print(json.dumps({**result, "ask": item.get("ask", "")}, ensure_ascii=False)[:600], flush=True)
    about = f"{args.set} {gguf.stem} {Path(args.template).stem}{' with adapter' if args.adapter else ''}"
    counted = ", ".join(f"{name} {right[name]}/{of[name]}" for name in sorted(of))
    print(f"{about}: {counted}; {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
