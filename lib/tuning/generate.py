"""Make the training data: `python lib/tuning/generate.py --tokens 1000000 --out build/train.jsonl`.

Deterministic for a seed. The share of each skill is a share of tokens (about four characters each), not of items, since
an item with eight offered tools is ten times as long as a plain fact. Items that share a tool, a table or a name with the
held-out set are dropped.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from held_out import HeldOut
from render import segments
from skills import (
    arithmetic,
    conversation,
    errands,
    facts,
    figures,
    judging,
    planning,
    posts,
    reading,
    splitting,
    sql,
    tools,
    verdicts,
    workbench,
    writing,
)

SHARES = {
    tools: 0.19,
    errands: 0.115,
    sql: 0.17,
    arithmetic: 0.14,
    splitting: 0.10,
    figures: 0.02,
    planning: 0.05,
    posts: 0.05,
    judging: 0.025,
    verdicts: 0.03,
    writing: 0.03,
    conversation: 0.04,
    reading: 0.03,
    facts: 0.01,
}
# The second round goes on from the first: more of what that did not reach, and tools whose argument is a text to be closed.
SECOND = SHARES | {tools: 0.13, sql: 0.12, arithmetic: 0.13, figures: 0.01, posts: 0.06, judging: 0.02, facts: 0.015}
SECOND |= {workbench: 0.125}
ROUNDS = {1: SHARES, 2: SECOND}
CHARACTERS_A_TOKEN = 3.6
LONGEST = 2600  # characters; longer items are left out, for one long item slows its whole batch


def make(tokens: int, seed: int, round: int = 1) -> Iterator[dict[str, Any]]:
    """Items of all skills by the shares of a round, shuffled."""
    chosen: list[dict[str, Any]] = []
    held_out = HeldOut()
    for module, share in ROUNDS[round].items():
        rng = random.Random(f"{seed} {module.__name__}")
        wanted, made = share * tokens * CHARACTERS_A_TOKEN, 0.0
        while made < wanted:
            for item in module.items(rng, 200):
                length = sum(len(text) for text, _ in segments(item))
                if length <= LONGEST and made < wanted and not held_out.shared(item):
                    chosen.append(item)
                    made += length
    random.Random(seed).shuffle(chosen)
    yield from chosen


def main() -> None:
    """Write the data and print how much there is of each skill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--round", type=int, choices=ROUNDS, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/train.jsonl"))
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    items, characters = Counter[str](), Counter[str]()
    with args.out.open("w", encoding="utf-8") as out:
        for item in make(args.tokens, args.seed, args.round):
            out.write(json.dumps(item, ensure_ascii=False) + "\n")
            items[item["skill"]] += 1
            characters[item["skill"]] += sum(len(text) for text, _ in segments(item))
    for skill, count in sorted(items.items()):
        print(f"{skill:14} {count:6} items, about {characters[skill] / CHARACTERS_A_TOKEN:9,.0f} tokens")


if __name__ == "__main__":
    main()
