"""Chapter 14: forty questions that only the shop's servers can answer, from one of them or from two in a row.

The right answers are read from the shop's own files, and not through the servers.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import recurring_ical_events
from icalendar import Calendar
from mcp.server import MCPServer
from openpyxl import load_workbook

from chapters import ch05 as SINGLE
from chapters.ch04 import prompt_of as prompt_of  # for the notebook
from llmlab.agents import Agent, Run, ToolLoop
from llmlab.budget import Budget
from llmlab.errors import LabError
from llmlab.llm.chat import Model
from llmlab.mcp.content import Content
from llmlab.mcp.host import Host, ServerTool
from llmlab.measure import Measured, Row, Task, compare
from llmlab.show.frames import label
from llmlab.show.mermaid import Mermaid, sequence_diagram
from llmlab.show.traces import answered
from llmlab.trace import Trace
from shop import Shop, calendar, messages, orders, repository, sheet
from shop import world as shops

BUDGET = Budget(steps=8)  # for each agent and question
COLUMNS = ("kind", "variant")  # by which `llmlab measure` tells the rows apart
MOST = 4  # tools that are chosen by the question's words

Take = Callable[[Any], Any]


@dataclass(frozen=True)
class Step:
    """A call on the way to an answer: how a person would ask for it, the call, and what to take from its result.

    `{}` in `ask` and in the arguments stands for what the step before gave.
    """

    ask: str
    server: str
    tool: str
    arguments: Mapping[str, Any]
    take: Take

    def call(self, given: str) -> dict[str, Any]:
        """The arguments, filled in."""
        return {k: v.replace("{}", given) if isinstance(v, str) else v for k, v in self.arguments.items()}


@dataclass(frozen=True)
class Question:
    """A question, the forms in which its answer may come, and the calls that lead to it."""

    id: str
    kind: str
    text: str
    right: Sequence[str]
    steps: Sequence[Step]

    @property
    def servers(self) -> list[str]:
        """Whose tools it needs."""
        return [step.server for step in self.steps]

    def task(self) -> Task:
        """The form in which it is measured. The answer has to be in words: a result passed on as it came is none."""
        return Task(self.id, self.text, lambda run: "{" not in str(run) and holds(run, self.right), {"kind": self.kind})


def holds(answer: object, accepted: Sequence[str]) -> bool:
    """Whether one of these stands in the answer."""
    return bool(SINGLE.holds(str(answer), accepted))


def forms(value: Any) -> tuple[str, ...]:
    """How people write a value: a day, an amount, a word."""
    if isinstance(value, float):
        return (f"{value:g}", f"{value:.2f}")
    if isinstance(value, date):
        return (value.isoformat(), f"{value.day} {value:%B}", f"{value:%B} {value.day}")
    return (str(value),)


def servers(shop: Shop) -> dict[str, MCPServer]:
    """The five servers in this process: as quick to start as a function."""
    return {
        "calendar": calendar.server(shop.calendar),
        "orders": orders.server(shop.db),
        "repository": repository.server(shop.repository),
        "sheet": sheet.server(shop.sheet),
        "messages": messages.server(shop.messages),
    }


def questions(shop: Shop) -> list[Question]:
    """All forty, kind by kind."""
    made = [
        *_of_orders(shop),
        *_of_calendar(shop),
        *_of_repository(shop),
        *_of_sheet(shop),
        *_of_messages(shop),
        *_combined(shop),
    ]
    counts: dict[str, int] = {}
    named = []
    for kind, text, right, steps in made:
        counts[kind] = counts.get(kind, 0) + 1
        named.append(Question(f"{kind} {counts[kind]}", kind, text, right, steps))
    return named


Made = tuple[str, str, Sequence[str], Sequence[Step]]


def _one(kind: str, right: Any, step: Step) -> Made:
    return kind, step.ask, forms(right), [step]


# Orders

ORDER = {  # what is asked of an order: the words, the column that knows it, and where the server says it
    "status": ("What is the status of order {}?", "status", lambda order: order["status"]),
    "customer": ("Who placed order {}?", "name", lambda order: order["customer"]),
    "city": ("In which city does the customer of order {} live?", "city", lambda order: order["city"]),
    "total": ("What is the total of order {}?", "total", lambda order: order["total"]),
    "day": ("On which day was order {} placed?", "ordered_on", lambda order: order["ordered_on"]),
    "product": ("Which product is in order {}?", "product", lambda order: order["items"][0]["product"]),
}


def _order(what: str, number: str) -> Step:
    ask, _, take = ORDER[what]
    arguments = {"order_id": number if number == "{}" else int(number)}
    return Step(ask.format(number), "orders", "order_details", arguments, take)


def _of_order(shop: Shop, what: str, number: str) -> Any:
    joined = "orders JOIN customers ON customers.id = customer_id JOIN items ON order_id = orders.id"
    [value] = {
        row[0] for row in shops.query(shop.db, f"SELECT {ORDER[what][1]} FROM {joined} WHERE orders.id = {number}").rows
    }
    return date.fromisoformat(value) if what == "day" else value


def _of_orders(shop: Shop) -> Iterable[Made]:
    asked = [("status", 1120), ("status", 1148), ("customer", 1016), ("customer", 1131)]
    asked += [("city", 1118), ("total", 1090), ("day", 1074), ("product", 1060)]
    for what, number in asked:
        yield _one("orders", _of_order(shop, what, str(number)), _order(what, str(number)))


# Calendar


def _events(shop: Shop, first: date, days: int) -> list[Any]:
    events = recurring_ical_events.of(Calendar.from_ical(shop.calendar.read_bytes())).between(
        first, first + timedelta(days)
    )
    return sorted(events, key=lambda event: event.start.isoformat())


def _next(title: str, after: str, ask: str, take: Take) -> Step:
    return Step(ask, "calendar", "next_event", {"title": title, "after": after}, take)


def _day_of(event: dict[str, Any]) -> date:
    return datetime.fromisoformat(event["start"]).date()


def _found(shop: Shop, title: str, after: date) -> Any:
    return next(event for event in _events(shop, after, 366) if title in str(event["SUMMARY"]).lower())


def _day(event: Any) -> date:
    return event.start.date() if isinstance(event.start, datetime) else event.start


def _of_calendar(shop: Shop) -> Iterable[Made]:
    for title, after in (
        ("tasting evening", "2026-03-10"),
        ("stocktaking", "2026-05-01"),
        ("fire drill", "2026-09-01"),
    ):
        right = _day(_found(shop, title, date.fromisoformat(after)))
        yield _one(
            "calendar", right, _next(title, after, f"On which day is the next {title} from {after} on?", _day_of)
        )
    for title, after in (("boiler service", "2026-11-01"), ("accountant", "2026-06-01")):
        right = str(_found(shop, title, date.fromisoformat(after))["LOCATION"])
        ask = f"At which place is the next event with {title} in its title, from {after} on?"
        yield _one("calendar", right, _next(title, after, ask, lambda event: event["place"]))
    for day in ("2026-10-21", "2026-11-23"):
        [event] = _events(shop, date.fromisoformat(day), 1)
        ask, arguments = f"Which event is in the calendar on {day}?", {"first": day, "last": day}
        step = Step(ask, "calendar", "events_between", arguments, lambda found: found["events"][0]["title"])
        yield _one("calendar", str(event["SUMMARY"]), step)


# Repository


def _git(shop: Shop, *arguments: str) -> str:
    command = ["git", "-C", str(shop.repository), *arguments]
    done = subprocess.run(command, capture_output=True, check=True, env=shops.git_environment())
    return done.stdout.decode().strip()


def _changed(path: str, what: str) -> Step:
    ask = {"author": f"Who changed the file {path} last?", "date": f"On which day was the file {path} changed last?"}[
        what
    ]
    return Step(ask, "repository", "commit_log", {"path": path}, lambda log: log["commits"][0][what])


def _of_repository(shop: Shop) -> Iterable[Made]:
    for path, ask, pattern in (
        ("notes/roasting.md", "up to how many degrees is dark roast roasted?", r"dark roast: \d+ minutes, up to (\d+)"),
        ("notes/roasting.md", "how many days do espresso beans rest?", r"espresso beans (\d+) days"),
        ("notes/market.md", "how many gift boxes shall we take along?", r"(\d+) gift boxes"),
        ("notes/packing.md", "how many euros more does each box cost?", r"(\d+\.\d+) euros"),
    ):
        right = re.findall(pattern, _git(shop, "show", f"HEAD:{path}"))[0]

        def take(source: dict[str, Any], pattern: str = pattern) -> str:
            return re.findall(pattern, source["text"])[0]

        right = float(right) if "." in right else right
        yield _one(
            "repository", right, Step(f"Read the file {path}: {ask}", "repository", "read_source", {"path": path}, take)
        )
    author = _git(shop, "log", "-1", "--format=%an", "--", "labels.py")
    yield (
        "repository",
        "Who changed the file labels.py last?",
        (author, author.split()[0]),
        [_changed("labels.py", "author")],
    )
    day = date.fromisoformat(_git(shop, "log", "-1", "--format=%as", "--", "prices.csv"))
    yield _one("repository", day, _changed("prices.csv", "date"))


# Sheet


def _row(shop: Shop, name: str, key: str) -> dict[str, Any]:
    columns, *rows = load_workbook(shop.sheet)[name].iter_rows(values_only=True)
    return next(dict(zip(columns, row, strict=True)) for row in rows if row[0] == key)


def _in_sheet(name: str, key: str, column: str, ask: str) -> Step:
    first = {"stock": "product", "suppliers": "supplier"}[name]
    whole = f"In the sheet {name}, find {key} in the column {first}: {ask}"
    arguments = {"sheet": name, "column": first, "value": key}
    return Step(whole, "sheet", "find_rows", arguments, lambda found: found["rows"][0][column])


def _of_sheet(shop: Shop) -> Iterable[Made]:
    for name, key, column, ask in (
        ("stock", "kettle", "in_stock", "how many are in stock?"),
        ("stock", "tea bowl", "in_stock", "how many are in stock?"),
        ("stock", "oolong", "supplier", "who is the supplier?"),
        ("stock", "hand grinder", "price", "what is the price?"),
        ("suppliers", "Moray Decaf", "days", "how many days does a delivery take?"),
        ("suppliers", "Northgate Wares", "place", "at which place is it?"),
    ):
        yield _one("sheet", _row(shop, name, key)[column], _in_sheet(name, key, column, ask))


# Messages


def _post_with(text: str, ask: str, take: Take) -> Step:
    return Step(ask, "messages", "search_posts", {"text": text}, take)


def _of_messages(shop: Shop) -> Iterable[Made]:
    joined = "SELECT {} FROM posts JOIN channels ON channels.id = channel_id WHERE {}"
    for word, what, ask in (
        ("crema", "author", "Who wrote the post with the word crema?"),
        ("inspector", "author", "Who wrote the post with the word inspector?"),
        ("percent", "channel", "In which channel is the post with the word percent?"),
    ):
        column = "name" if what == "channel" else what
        [[right]] = shops.query(shop.messages, joined.format(column, f"text LIKE '%{word}%'")).rows
        yield _one("messages", right, _post_with(word, ask, lambda found, what=what: found["posts"][0][what]))
    newest = joined.format("author", "name = 'website' ORDER BY posts.id DESC LIMIT 1")
    step = Step(
        "Who wrote the newest post in the channel website?",
        "messages",
        "read_posts",
        {"channel": "website"},
        lambda found: found["posts"][0]["author"],
    )
    yield _one("messages", shops.query(shop.messages, newest).rows[0][0], step)
    [[count]] = shops.query(shop.messages, joined.format("COUNT(*)", "name = 'stock'")).rows
    ask = "How many posts does the channel stock have?"
    step = Step(
        ask, "messages", "list_channels", {}, lambda found: {c["name"]: c["posts"] for c in found["result"]}["stock"]
    )
    yield _one("messages", count, step)


# Combined: what the first server gives is what the second is asked for.


def _combined(shop: Shop) -> Iterable[Made]:
    for order, column, ask in (
        ("1143", "supplier", "who is its supplier?"),
        ("1125", "in_stock", "how many are in stock?"),
    ):
        product = _of_order(shop, "product", order)
        text = f"Look up which product is in order {order}. Then find this product in the column product of the sheet stock: {ask}"
        steps = [_order("product", order), _in_sheet("stock", "{}", column, ask)]
        yield "combined", text, forms(_row(shop, "stock", product)[column]), steps
    for words, what in (("milk jug", "city"), ("extra paper", "total")):
        [[post]] = shops.query(shop.messages, "SELECT text FROM posts WHERE text LIKE ?", [f"%{words}%"]).rows
        order = re.findall(r"\b1\d{3}\b", post)[0]
        find = _post_with(
            words,
            f"Find the post with the words {words}. Which order does it name?",
            lambda f: re.findall(r"\b1\d{3}\b", f["posts"][0]["text"])[0],
        )
        asked = _order(what, "{}").ask.format("it names").replace("order it names", "the order that it names")
        text = f"Find the post with the words {words}. {asked}"
        yield "combined", text, forms(_of_order(shop, what, order)), [find, _order(what, "{}")]
    for after, column, ask in (
        ("2026-11-24", "days", "how many days does a delivery take?"),
        ("2026-09-01", "place", "at which place is it?"),
    ):
        supplier = str(_found(shop, "delivery", date.fromisoformat(after))["SUMMARY"]).partition(" from ")[2]
        first = f"From whom is the next delivery from {after} on?"
        find = _next("delivery", after, first, lambda event: event["title"].partition(" from ")[2])
        text = f"{first} Then find this supplier in the column supplier of the sheet suppliers: {ask}"
        right = forms(_row(shop, "suppliers", supplier)[column])
        yield "combined", text, right, [find, _in_sheet("suppliers", "{}", column, ask)]
    for path, title in (("notes/roasting.md", "tasting evening"), ("labels.py", "stocktaking")):
        changed = date.fromisoformat(_git(shop, "log", "-1", "--format=%as", "--", path))
        second = _next(title, "{}", f"On which day is the next {title} from {{}} on?", _day_of)
        text = f"On which day was the file {path} changed last, and on which day is the next {title} from that day on?"
        yield "combined", text, forms(_day(_found(shop, title, changed))), [_changed(path, "date"), second]


# Which tools a question is offered


def tools_of(host: Host, *names: str) -> list[ServerTool]:
    """The tools of some servers."""
    return [tool for tool in host.tools() if tool.offer.server in names]


def words(text: str) -> set[str]:
    """The longer words of a text, without the s of the plural."""
    return {word.rstrip("s") for word in re.findall(r"[a-z]{4,}", text.lower())}


def choose(question: str, tools: Sequence[ServerTool], most: int = MOST) -> list[ServerTool]:
    """The tools whose names and descriptions share most words with the question."""
    asked = words(question)
    return sorted(tools, key=lambda tool: -len(asked & words(f"{tool.name} {tool.description}")))[:most]


def keeps(question: Question, chosen: Sequence[ServerTool]) -> bool:
    """Whether all that a question needs is among the chosen tools."""
    return {step.tool for step in question.steps} <= {tool.offer.name for tool in chosen}


class Offering(ToolLoop):
    """A tool loop that finds for each task the tools to offer."""

    def __init__(self, model: Model, find: Callable[[str], Sequence[ServerTool]]):
        super().__init__(model, budget=BUDGET)
        self.find = find

    async def work(self, run: Run) -> None:
        """Find, then loop."""
        await ToolLoop(self.model, self.find(run.task)).work(run)


class Between(Agent):
    """Asks for one step after the other; between them, a program takes from the result what the next one needs."""

    name = "program between"

    def __init__(self, model: Model, host: Host, asked: Sequence[Question]):
        super().__init__(model, budget=BUDGET)
        self.host, self.steps = host, {question.text: question.steps for question in asked}

    async def work(self, run: Run) -> None:
        """One run a step; the last one's answer is the answer."""
        given = ""
        for step in self.steps[run.task]:
            part = await ToolLoop(self.model, tools_of(self.host, step.server)).run(step.ask.replace("{}", given))
            if not part.ok:
                raise LabError(part.why)
            run.answer = part.answer
            if step is not self.steps[run.task][-1]:
                given = str(_taken(part, step))


def _taken(part: Run, step: Step) -> Any:
    """What the next step needs, from the data that the tool gave and not from the model's words."""
    results = [call.result for call in part.calls().of("tool") if call.name == step.tool]
    try:
        return step.take(json.loads(results[-1]))
    except (LookupError, TypeError, ValueError):
        raise LabError(
            f"A step has to give what the next one needs, but “{step.ask}” did not; look at its calls."
        ) from None


def variants(model: Model, host: Host, asked: Sequence[Question]) -> dict[str, Agent]:
    """The same loop with few tools that a person chose, few that their words chose, and all."""
    needed = {question.text: question.servers for question in asked}
    return {
        "tools of its servers": Offering(model, lambda text: tools_of(host, *needed[text])),
        f"{MOST} tools by words": Offering(model, lambda text: choose(text, host.tools())),
        "all tools": Offering(model, lambda text: host.tools()),
    }


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """All forty questions, three times, and the combined ones with a program between the calls, too."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shop = shops.lay_out(Path(folder) / "shop")
        asked = questions(shop)
        combined = [question for question in asked if question.kind == "combined"]
        async with await Host.open(servers(shop)) as host:
            done = await compare(model, variants(model, host, asked), [q.task() for q in asked], told)
            between = {"a program between": Between(model, host, asked)}
            further = await compare(model, between, [q.task() for q in combined], told)
    return Measured(done.rows + further.rows, done.about)


async def answer_of(host: Host, question: Question) -> tuple[list[Content], str]:
    """What the servers say when all is called rightly: the results, and what the last one gives."""
    results, given = [], ""
    for step in question.steps:
        results.append(await host.call(step.server, step.tool, step.call(given)))
        given = str(step.take(results[-1].structured))
    return results, given


async def tokens(model: Model, text: str, tools: Sequence[Any] = ()) -> int:
    """How many tokens the model reads of a request. The box only counts; elsewhere one token is asked for."""
    if "llmlab.weights.sha256" not in model.provenance:
        return (await model.chat(text, tools=tools, max_tokens=1)).input_tokens
    body = {"messages": [{"role": "user", "content": text}], "tools": [tool.openai() for tool in tools]}
    counted = await model.post("/chat/completions/input_tokens", body if tools else {"messages": body["messages"]})
    return int(counted["input_tokens"])


def story(opening: Trace, done: Trace) -> Mermaid:
    """One question from end to end: what was discovered when the host opened, then each model call and each frame."""
    called = sorted({str(step.server) for step in done.of("protocol")})
    found = [s for s in opening.of("protocol") if s.server in called and s.name.startswith("tools/list")]
    said = []
    for step in [*found, *done]:
        if step.kind == "protocol":
            sent, server = step.direction == "sent", str(step.server)
            said.append(("host", "->>", server, label(step)) if sent else (server, "-->>", "host", label(step)))
        if step.kind == "model":
            last, offered = step.request["messages"][-1], len(step.request.get("tools", []))
            said.append(("host", "->>", "model", f"{offered} tools, {last['role']}: {last['content']}"))
            said.append(("model", "-->>", "host", answered(step)))
    people = ["model", "host", *called]
    return sequence_diagram("From discovery to the answer", said, {name: name for name in people})
