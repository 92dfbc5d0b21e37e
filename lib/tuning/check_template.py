"""Compare what training renders with what llama.cpp serves, prompt by prompt: `python lib/tuning/check_template.py build/train.jsonl`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import httpx2
from render import prompt

from llmlab import embedded, settings


def main() -> int:
    """Ask the server to render the prompts of the first items; returns 1 when one differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--items", type=int, default=300)
    args = parser.parse_args()
    box = embedded.start(settings.load())
    client = httpx2.Client(headers={"authorization": f"Bearer {box.api_key}"}, timeout=30)
    url = box.base_url.removesuffix("/v1") + "/apply-template"
    for number, line in enumerate(args.data.read_text(encoding="utf-8").splitlines()[: args.items], 1):
        item = json.loads(line)
        messages = item["messages"][:-1]
        body = {"messages": messages, **({"tools": item["tools"]} if item.get("tools") else {})}
        served = client.post(url, json=body).json()["prompt"]
        if served != prompt(messages, item.get("tools"), True):
            print(
                f"item {number} differs.\nserved:  {served!r}\ntrained: {prompt(messages, item.get('tools'), True)!r}"
            )
            return 1
    print(f"{number} prompts are the same.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
