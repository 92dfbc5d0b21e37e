"""How the model in the box is served, for each size: tokens a second and memory, written to data/measured/serving.json.

    benchmark_serving.py [SIZE …]      all of it, some minutes a size, on a machine that does nothing else
    benchmark_serving.py --grid SIZE   reading and writing with other settings of the engine, against the lab's

Each measurement runs in a process of its own, so that memory is counted for one model. Rates are medians; what counts are
the ratios of one run, for a shared machine is fast at one time and slow at another.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import psutil

from authors.measuring import write

WORDS = [
    "shop",
    "order",
    "customer",
    "city",
    "river",
    "paper",
    "window",
    "number",
    "table",
    "green",
    "cold",
    "letter",
    "seven",
    "market",
    "honest",
    "ladder",
    "lamp",
]
SETTINGS: dict[str, dict[str, Any]] = {
    "as the lab": {},
    "batch 256": {"n_ubatch": 256},
    "batch 1024": {"n_ubatch": 1024},
    "no flash attention": {"flash_attn_type": "LLAMA_FLASH_ATTN_TYPE_DISABLED"},
    "cache in 8 bits": {"cache_type_k": "GGML_TYPE_Q8_0", "cache_type_v": "GGML_TYPE_Q8_0"},
    "weights as they are": {"no_extra_bufts": True},
    "threads that spin": {"poll": 50},
}


class Asked:
    """A server in this process, asked without a client in between."""

    def __init__(self, size: str, change: dict[str, Any]):
        os.environ.setdefault("GOMP_SPINCOUNT", "100")
        import xllamacpp

        from llmlab import settings
        from llmlab.llm import local, weights

        make = xllamacpp.Server

        def changed(params: Any) -> Any:
            for name, value in change.items():
                if name == "poll":
                    params.cpuparams.poll = params.cpuparams_batch.poll = value
                elif name.startswith("cache_type"):
                    setattr(params, name, getattr(xllamacpp.ggml_type, value))
                elif name == "flash_attn_type":
                    params.flash_attn_type = getattr(xllamacpp.llama_flash_attn_type, value)
                else:
                    setattr(params, name, value)
            return make(params)

        xllamacpp.Server = changed
        config, chosen = settings.load(), weights.get(size)
        self.box = local.Embedded(weights.find(chosen, config.cache), config.threads, chosen.name, sha256=chosen.sha256)
        self.client = httpx2.Client(
            base_url=self.box.base_url.removesuffix("/v1"),
            headers={"authorization": f"Bearer {self.box.api_key}"},
            timeout=600,
        )
        self.complete("Hi", 2)

    def complete(self, prompt: str, tokens: int) -> dict[str, float]:
        """llama.cpp's own timings of one completion, with nothing taken from the cache."""
        body = {"prompt": prompt, "n_predict": tokens, "ignore_eos": True, "temperature": 0, "cache_prompt": False}
        return dict(self.client.post("/completion", json=body).json()["timings"])


def text(words: int, seed: int) -> str:
    chance = random.Random(seed)
    return " ".join(chance.choice(WORDS) for _ in range(words))


def speeds(asked: Asked, rounds: int) -> dict[str, float]:
    reading = [asked.complete(text(600, n), 1)["prompt_per_second"] for n in range(rounds)]
    writing = [asked.complete(text(50, n), 64)["predicted_per_second"] for n in range(rounds)]
    return {"reading": statistics.median(reading), "writing": statistics.median(writing)}


def at_once(asked: Asked, requests: int, rounds: int) -> float:
    """Tokens a second of all requests together."""
    rates = []
    for n in range(rounds):
        started = time.perf_counter()
        with ThreadPoolExecutor(requests) as pool:
            list(pool.map(lambda i, n=n: asked.complete(text(10, 100 * n + i), 64), range(requests)))
        rates.append(requests * 64 / (time.perf_counter() - started))
    return statistics.median(rates)


def whole(size: str) -> dict[str, Any]:
    """What is kept of a size. Memory is that of a process with all slots used and the cache of prompts filled."""
    started = time.perf_counter()
    asked = Asked(size, {})
    row: dict[str, Any] = {"size": size, "model": asked.box.name, "start_seconds": time.perf_counter() - started}
    row |= speeds(asked, 3) | {f"at_once_{n}": at_once(asked, n, 3) for n in (1, 2, 4)}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: asked.complete(text(1500, 500 + n), 2), range(4)))
    for n in range(6):
        body = {"prompt": text(700, 900 + n), "n_predict": 2}
        asked.client.post("/completion", json=body)
    row["memory_gb"] = psutil.Process().memory_info().rss / 1e9
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in row.items()}


def apart(*arguments: str) -> Any:
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", default=["standard", "small", "tiny"])
    parser.add_argument("--grid", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        size, name = args.one.split(":")
        if name == "whole":
            found = whole(size)
        else:
            asked = Asked(size, SETTINGS[name])
            found = {**speeds(asked, 3), "memory_gb": psutil.Process().memory_info().rss / 1e9}
        print(json.dumps(found))
        sys.stdout.flush()
        os._exit(0)
    from llmlab import measure

    if args.grid:
        for size in args.sizes:
            for name in SETTINGS:
                print(size, name, {k: round(v, 2) for k, v in apart("--one", f"{size}:{name}").items()}, flush=True)
        return
    rows = [apart("--one", f"{size}:whole") for size in args.sizes]
    for row in rows:
        print(row)
    about = {"what": "tokens a second and memory", "machine": measure.machine(), "date": time.strftime("%Y-%m-%d")}
    write(measure.Measured(rows, about), measure.MEASURED / "serving.json")


if __name__ == "__main__":
    main()
