"""The exercises of chapter 14: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

import json
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from openpyxl import load_workbook

from llmlab import Host, ToolCall, Trace
from llmlab.agents import ToolLoop
from llmlab.lesson import Check, Exercise
from shop import Shop, calendar, lay_out, messages, orders, query, sheet


@asynccontextmanager
async def _opened(**more: Any) -> Any:
    """A shop of its own for each check, and a host over its servers, in this process."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shop = lay_out(Path(folder) / "shop")
        servers = {
            "calendar": calendar.server(shop.calendar),
            "orders": orders.server(shop.db),
            "sheet": sheet.server(shop.sheet),
            "messages": messages.server(shop.messages),
        }
        async with await Host.open(servers, **more) as host:
            yield shop, host


def _sent(trace: Trace) -> list[tuple[str, dict[str, Any]]]:
    """The calls that left the host: the server, and the call's name and arguments."""
    calls = [s for s in trace.of("protocol") if s.name == "tools/call" and s.direction == "sent"]
    return [(str(s.server), s.message["params"]) for s in calls]


async def _approval(work: Any, model: Any) -> list[Check]:
    wanted = {
        "a short post in the channel stock": ("post_message", {"channel": "stock", "text": "Kettles are low."}, True),
        "100 characters": ("post_message", {"channel": "stock", "text": "x" * 100}, True),
        "101 characters": ("post_message", {"channel": "stock", "text": "x" * 101}, False),
        "the channel general": ("post_message", {"channel": "general", "text": "Hello."}, False),
        "a call without a text": ("post_message", {"channel": "stock"}, False),
        "a return": ("record_return", {"order_id": 1142, "reason": "broken", "returned_on": "2026-11-20"}, False),
    }
    points: list[Check] = []
    raised: list[str] = []
    async with _opened(approve=work) as (shop, host):
        tools = {t.name: t for t in host.tools()}
        for what, (name, arguments, yes) in wanted.items():
            with Trace(what) as trace:
                result = await tools[name].call(arguments)
            through = bool(_sent(trace))
            say = {True: "allowed", False: "declined"}
            points.append((through == yes, f"{what} has to be {say[yes]}, and yours is {say[through]}"))
            raised += [result.text] if "failed:" in result.text else []
        points.append((not raised, f"it raises no exception, whatever comes; yours: {', '.join(raised) or 'none'}"))
        [[posts]] = query(shop.messages, "SELECT COUNT(*) FROM posts WHERE author = 'assistant'").rows
        points.append((posts == 2, f"2 posts have to be written in the end, and {posts} were"))
        changed = work("messages", tools["post_message"].offer, None)
        points.append((changed is False, f"a changed description is answered with False, and yours says {changed!r}"))
    return points


def _set_stock(shop: Shop, product: str, pieces: int) -> None:
    book = load_workbook(shop.sheet)
    [row] = [row for row in book["stock"].iter_rows(min_row=2) if row[0].value == product]
    row[3].value = pieces
    book.save(shop.sheet)


async def _missing(work: Any, model: Any) -> list[Check]:
    async with _opened() as (shop, host):
        with Trace("exercise 14.2") as trace:
            enough = await work(host, 1154)
        for product, pieces in (("tea bowl", 1), ("kettle", 1), ("milk jug", 1)):
            _set_stock(shop, product, pieces)
        short = await work(host, 1139)
    servers = [server for server, _ in _sent(trace)]
    return [
        ("orders" in servers, "the order has to come from the server orders"),
        ("sheet" in servers, "what is in stock has to come from the server sheet"),
        (enough == [], f"of order 1154 nothing is missing, and yours says {enough!r}"),
        (
            short == ["kettle", "tea bowl"],
            f"order 1139 wants 2 kettles, 2 tea bowls and 1 milk jug; of each, 1 is there; and yours says {short!r}",
        ),
    ]


class _Scripted:
    """Stands in for the model: wishes for one call, then answers. It keeps what it was offered."""

    def __init__(self) -> None:
        self.offered: list[list[dict[str, Any]]] = []
        self.heard: list[str] = []

    async def chat(self, seen: list[dict[str, Any]], tools: Any = None, **more: Any) -> Any:
        self.offered.append([t if isinstance(t, dict) else t.openai() for t in tools or []])
        self.heard.append(str(seen[-1]["content"]))
        first = len(self.offered) == 1
        call = ToolCall("c1", "next_event", json.dumps({"title": "tasting", "after": "2026-07-01"}))
        message = {"role": "assistant", "content": "" if first else "On 9 July."}
        return SimpleNamespace(text=message["content"], tool_calls=[call] if first else [], message=message)


def _parameters(tool: dict[str, Any]) -> dict[str, Any]:
    return dict(tool["parameters"].get("properties", {}))


def _required(tool: dict[str, Any]) -> set[str]:
    return set(tool["parameters"].get("required", []))


async def _slim(work: Any, model: Any) -> list[Check]:
    scripted = _Scripted()
    async with _opened() as (_, host):
        before = [t.openai() for t in host.tools()]
        agent = work(scripted, host.tools())
        with Trace("exercise 14.3") as trace:
            run = await agent.run("On which day is the next tasting evening from 2026-07-01 on?")
        after = [t.openai() for t in host.tools()]
    offered = [t["function"] for t in (scripted.offered or [[]])[0]]
    whole = [t["function"] for t in before]
    left = sorted({name for t in offered for name in set(_parameters(t)) - _required(t)})
    kept = [{name: _parameters(t)[name] for name in _parameters(t) if name in _required(t)} for t in whole]
    same = [(t["name"], t["description"], _required(t)) for t in offered]
    return [
        (isinstance(agent, ToolLoop), "it has to be a variant of ToolLoop"),
        (
            bool(offered) and not left,
            f"what may be left out is not sent, and yours sends {', '.join(left) or 'nothing'}",
        ),
        (
            same == [(t["name"], t["description"], _required(t)) for t in whole]
            and [{n: p for n, p in _parameters(t).items() if n in _required(t)} for t in offered] == kept,
            "names, descriptions and required parameters stay as they are",
        ),
        (before == after, "the host's own tools stay as they are"),
        (len(_sent(trace)) == 1, f"the model's one wish goes to the server; calls that went: {len(_sent(trace))}"),
        ("Tasting evening" in (scripted.heard or [""])[-1], "the result goes back to the model"),
        (run.answer == "On 9 July.", f"the run ends with the model's answer, and yours with {run.answer!r}"),
    ]


EXERCISES = [
    Exercise(
        id="14.1",
        task="Write an approval rule for short posts in one channel.",
        stub="""\
def approve(server, offer, arguments):
    return False
""",
        solution="""\
def approve(server, offer, arguments):
    if arguments is None or str(offer) != "messages.post_message":
        return False
    text = arguments.get("text")
    return arguments.get("channel") == "stock" and isinstance(text, str) and len(text) <= 100
""",
        hints=(
            "`offer.name` is the tool's name, and `str(offer)` has the server before it: messages.post_message.",
            "`arguments` may lack a key: use `.get`.",
            "Say True only for what you have checked, and False at the end for all the rest.",
        ),
        check=_approval,
    ),
    Exercise(
        id="14.2",
        task="Compose two servers: which products of an order are missing.",
        stub="""\
async def missing(host, order_id):
    return []
""",
        solution="""\
async def missing(host, order_id):
    order = await host.call("orders", "order_details", {"order_id": order_id})
    names = []
    for item in order.structured["items"]:
        asked = {"sheet": "stock", "column": "product", "value": item["product"]}
        found = await host.call("sheet", "find_rows", asked)
        if found.structured["rows"][0]["in_stock"] < item["quantity"]:
            names.append(item["product"])
    return names
""",
        hints=(
            '`(await host.call("orders", "order_details", {"order_id": order_id})).structured["items"]` is a list of dicts.',
            "For each item, ask the sheet with find_rows, as `runs_low` does in the chapter.",
            "Compare the row's in_stock with the item's quantity.",
        ),
        check=_missing,
    ),
    Exercise(
        id="14.3",
        task="Write a variant of the loop that sends only the parameters that are required.",
        stub="""\
class Slim(ToolLoop):
    async def work(self, run):
        await super().work(run)
""",
        solution="""\
from dataclasses import replace


def slim(schema):
    required = schema.get("required", [])
    kept = {name: part for name, part in schema.get("properties", {}).items() if name in required}
    return {**schema, "properties": kept}


class Slim(ToolLoop):
    async def work(self, run):
        tools = [replace(tool, parameters=slim(tool.parameters)) for tool in self.tools]
        await ToolLoop(self.model, tools).work(run)
""",
        hints=(
            "A tool is a dataclass: `dataclasses.replace(tool, parameters=…)` makes a copy with other parameters.",
            "A schema names its parameters in `properties`, a dict, and those that it needs in `required`, a list.",
            "`required` may be missing: then nothing is needed. Make a new dict; the host still holds the old one.",
        ),
        check=_slim,
    ),
]
