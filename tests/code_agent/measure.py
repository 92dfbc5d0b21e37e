"""How many of the forty questions an agent answers over the five servers of the shop: `measure.py code_agent`.

questions.json was written by others, who knew the shop and no prompt of the kit; half of the questions need two calls or
two servers. The answers are judged by the facts in them, an act by what stands in the channel afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from llmlab import Budget, Host, connect
from llmlab.agents import Agent, CodeAgent, ToolLoop
from shop import calendar, lay_out, messages, orders, query, repository, sheet

HERE = Path(__file__).parent
BEFORE = 40  # posts that every fresh shop has
AGENTS: dict[str, type[Agent]] = {"code_agent": CodeAgent, "tool_loop": ToolLoop}


def right(question: dict[str, Any], answer: str, posts: list[tuple[str, str]]) -> bool:
    """Whether the answer holds every fact and no wrong one, and what was to be posted stands there."""
    low = answer.lower()
    facts = all(any(one.lower() in low for one in fact) for fact in question.get("facts", []))
    wrong = any(one.lower() in low for one in question.get("not", []))
    posted = question.get("posted")
    done = not posted or any(
        channel == posted["channel"] and all(one.lower() in text.lower() for one in posted["has"])
        for channel, text in posts
    )
    return facts and not wrong and done


async def ask(model: Any, kind: str, question: dict[str, Any]) -> tuple[bool, Any, float]:
    """One question on a fresh shop."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shop = lay_out(Path(folder) / "shop")
        servers = {"calendar": calendar.server(shop.calendar), "messages": messages.server(shop.messages)}
        servers |= {"orders": orders.server(shop.db), "sheet": sheet.server(shop.sheet)}
        servers["repository"] = repository.server(shop.repository)
        async with await Host.open(servers, approve=lambda *asked: True) as host:
            begun = time.perf_counter()
            run = await AGENTS[kind](model, host.tools(), budget=Budget(steps=12, tokens=30_000)).run(question["ask"])
            seconds = time.perf_counter() - begun
        sql = "SELECT channels.name, text FROM posts JOIN channels ON channels.id = channel_id WHERE posts.id > ?"
        posts = [(str(c), str(t)) for c, t in query(shop.messages, sql, [BEFORE]).rows]
        return right(question, str(run), posts), run, seconds


async def main() -> None:
    """A line a question, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("agent", choices=AGENTS)
    parser.add_argument("--size", default="standard")
    parser.add_argument("--only", nargs="*", default=[], help="ids")
    args = parser.parse_args()
    model = await connect(args.size)
    good, of, took = Counter[int](), Counter[int](), 0.0
    questions = json.loads((HERE / "questions.json").read_text(encoding="utf-8"))
    for question in [q for q in questions if not args.only or q["id"] in args.only]:
        well, run, seconds = await ask(model, args.agent, question)
        good[question["calls"]] += well
        of[question["calls"]] += 1
        took += seconds
        made = [step.arguments for step in run.trace.of("tool")]
        said = str(run)[:120].replace("\n", " ")
        print("right" if well else "WRONG", question["id"], question["ask"][:80], "->", said)
        if not well:
            print("     ", run.stopped, json.dumps(made, ensure_ascii=False)[:500], flush=True)
    print(f"{args.agent}, {model.name}: {dict(good)} of {dict(of)}, {took:.0f} s", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
