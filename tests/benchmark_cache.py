"""How many tokens of the recorded chapters the model in the box computed again, although it had seen them before.

A request has seen before what it shares, from the beginning, with an earlier request and its reply: the system message and
the tools, or the conversation so far. llama.cpp tells for each request how many tokens came from its cache. Shared
beginnings under 16 tokens are not counted: every request opens alike. Goal: under 5 % computed again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import httpx2

from llmlab import settings
from llmlab.llm import weights
from llmlab.llm.local import Embedded

LEAST = 16  # tokens
RECORDINGS = settings.DATA / "recordings"


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both have in common from the beginning."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def chapter(file: Path, client: httpx2.Client) -> tuple[int, int, int]:
    """Tokens of all requests, of those the ones seen before, of those the ones computed again."""

    def tokens(messages: object, tools: object, open_end: bool) -> list[int]:
        body = {"messages": messages, "add_generation_prompt": open_end} | ({"tools": tools} if tools else {})
        prompt = client.post("/apply-template", json=body).json()["prompt"]
        return list(client.post("/tokenize", json={"content": prompt, "parse_special": True}).json()["tokens"])

    earlier: list[list[int]] = []
    everything = before = again = 0
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row.get("path") != "/chat/completions" or row["status"] != 200 or row["connection"] != "model":
            continue
        asked, answer = row["request"], row["response"]
        prompt = tokens(asked["messages"], asked.get("tools"), True)
        seen = max((shared(prompt, one) for one in earlier), default=0)
        cached = answer["usage"]["prompt_tokens_details"]["cached_tokens"]
        everything += len(prompt)
        if seen >= LEAST:
            before += seen
            again += max(0, seen - 1 - cached)  # the last token has to be computed for the reply to begin
        reply = answer["choices"][0]["message"]
        # llama.cpp renders no conversation that ends with a call; with an empty result after it, it does.
        results = [{"role": "tool", "tool_call_id": c["id"], "content": ""} for c in reply.get("tool_calls") or []]
        earlier.append(tokens([*asked["messages"], reply, *results], asked.get("tools"), False))
    return everything, before, again


def main() -> None:
    """A line a chapter, and all together."""
    config, chosen = settings.load(), weights.get("small")  # it reads as the standard one does
    box = Embedded(weights.find(chosen, config.cache), config.threads, chosen.name, sha256=chosen.sha256)
    headers = {"authorization": f"Bearer {box.api_key}"}
    total = [0, 0, 0]
    with httpx2.Client(base_url=box.base_url.removesuffix("/v1"), headers=headers, timeout=60) as client:
        for file in sorted(RECORDINGS.glob("*.jsonl")):
            found = chapter(file, client)
            total = [a + b for a, b in zip(total, found, strict=True)]
            print(f"{file.stem}: {found[0]} tokens, {found[1]} seen before, {found[2]} computed again", flush=True)
    print(
        f"all: {total[0]} tokens, {total[1]} seen before, {total[2]} computed again ({total[2] / total[1]:.1%}; goal 5 %)"
    )


if __name__ == "__main__":
    main()
