"""Chapter 12: what two applications know of three services, counted in their own code: words, lines, parts, seconds."""

from __future__ import annotations

import ast
import inspect
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from llmlab import Host
from llmlab.show.mermaid import Mermaid
from llmlab.show.view import COLOURS, Picture, View, table_of
from shop import Shop, calendar, messages, query, repository

SERVICES = ("messages", "calendar", "repository")
SERVERS = (messages, calendar, repository)  # the lab's own, as modules
Functions = Sequence[Callable[..., Any]]
Known = dict[str, dict[str, set[str]]]  # service -> function -> the words of the service that the function knows
GIT = re.compile(r"git$|log$|-|%")  # what looks like a command, an option or a placeholder of Git


# Reading code as Python itself reads it: as a tree


def tree_of(thing: Any) -> ast.Module:
    """The code of a function or module as a tree, without docstrings: those are for people."""
    tree = ast.parse(inspect.getsource(thing))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def code_lines(*things: Any) -> int:
    """Lines on which there is code: no blank lines, comments and docstrings."""
    return sum(len({node.lineno for node in ast.walk(tree_of(t)) if hasattr(node, "lineno")}) for t in things)


def words_of(thing: Any) -> set[str]:
    """The words in its strings, and the names of the arguments that it passes."""
    nodes = list(ast.walk(tree_of(thing)))
    strings = [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return {
        *re.findall(r"%?[\w-]+", " ".join(strings)),
        *(n.arg for n in nodes if isinstance(n, ast.keyword) and n.arg),
    }


def names_in(thing: Any) -> set[str]:
    """The names that its code uses."""
    return {node.id for node in ast.walk(tree_of(thing)) if isinstance(node, ast.Name)}


# What an application knows of a service


def by_hand(shop: Shop, functions: Functions) -> Known:
    """The words of each service's own language that stand in these functions."""
    tables = {table: query(shop.messages, f"SELECT * FROM {table}").columns for table in ("channels", "posts")}
    database = {*tables, *(column for columns in tables.values() for column in columns)}
    calendar_file = {re.split("[:;]", line)[0] for line in shop.calendar.read_text("utf-8").splitlines()}
    using_git = [function for function in functions if "git" in words_of(function)]
    return {
        "messages": _knowing(functions, database),
        "calendar": _knowing(functions, calendar_file),
        "repository": _knowing(using_git, {word for f in using_git for word in words_of(f) if GIT.match(word)}),
    }


def through_mcp(host: Host, functions: Functions) -> Known:
    """The words of each server that stand in these functions: its name, its tools, their arguments, fields of results."""
    offered = {service: {service} for service in host.servers}
    for tool in host.tools():
        offered[tool.offer.server] |= {tool.offer.name, *_fields(tool.parameters), *_fields(tool.offer.output)}
    return {service: _knowing(functions, listed) for service, listed in offered.items()}


def words(known: Known, service: str) -> set[str]:
    """All that is known of a service."""
    return set().union(*known[service].values())


def coupling(hand: Known, mcp: Known) -> View:
    """The words that both ways know of each service, beside each other."""
    known = [(service, sorted(words(hand, service)), sorted(words(mcp, service))) for service in SERVICES]
    rows: list[list[Any]] = [[s, len(own), ", ".join(own), len(listed), ", ".join(listed)] for s, own, listed in known]
    rows.append(["together", sum(len(own) for _, own, _ in known), "", sum(len(listed) for *_, listed in known), ""])
    return table_of(["service", "by hand", "words of its own language", "MCP", "words that its server lists"], rows)


def _knowing(functions: Functions, language: set[str]) -> dict[str, set[str]]:
    return {f.__name__: known for f in functions if (known := words_of(f) & language)}


def _fields(schema: Mapping[str, Any] | None) -> set[str]:
    """The names in a JSON schema, at any depth."""
    inner = [_fields(part) for part in (schema or {}).values() if isinstance(part, dict)]
    return set((schema or {}).get("properties", {})).union(*inner)


# Tables and pictures


def outcome(function: Callable[..., Any], *arguments: Any) -> str:
    """How a call ends."""
    try:
        return f"returns {type(function(*arguments)).__name__}"
    except Exception as error:
        return f"raises {type(error).__name__}"


def side_by_side(first: Mapping[str, Any], second: Mapping[str, Any], nowhere: Path) -> View:
    """The connectors of both applications: how each is called, and what comes when its service is not there."""
    db, ics, root = nowhere / "new.db", nowhere / "none.ics", nowhere / "none"
    calls = {
        "messages": ((db, "orders", 2), ({"file": db, "word": "price"},)),
        "calendar": ((ics, date(2026, 7, 1)), ("price", "01/06/2026", ics)),
        "repository": ((root, 1), ("prices.csv", nowhere)),
    }
    rows = []
    for service, arguments in calls.items():
        for number, (function, given) in enumerate(zip((first[service], second[service]), arguments, strict=True)):
            names = ", ".join(inspect.signature(function).parameters)
            row = [f"{function.__name__}({names})", outcome(function, *given)]
            rows.append([service if number == 0 else "", ("first", "second")[number], *row])
    return table_of(["service", "application", "its connector", "when the service is missing"], rows)


def web(hand: Mapping[str, Functions], through: Functions, client: Callable[..., Any]) -> Mermaid:
    """Who uses what, read from the code. `hand`: each application's connectors, in the order of the services."""
    lines = ["flowchart LR", "  accTitle: The same two applications with connectors of their own, and through MCP"]
    apps = [app for app in through if client.__name__ in names_in(app)]
    lines += ["  subgraph mcp [through MCP]", "    direction LR"]  # the one that comes first is drawn below
    for number, app in enumerate(apps):
        lines.append(f"    {app.__name__} --> client{number}[its client]")
        asked = [service for service in SERVICES if service in words_of(app)]
        lines += [f"    client{number} --> {service}_server[{service} server]" for service in asked]
    used = [service for service in SERVICES if any(service in words_of(app) for app in apps)]
    lines += [f"    {service}_server --> {service}_data[({service})]" for service in used]
    lines += ["  end", "  subgraph hand [by hand]", "    direction LR"]
    lines += [f"    {app} --> {f.__name__}" for app, own in hand.items() for f in own]
    for place, service in enumerate(SERVICES):
        lines += [f"    {own[place].__name__} --> {service}[({service})]" for own in hand.values()]
    return Mermaid("\n".join([*lines, "  end"]))


def counted(hand: Mapping[str, Functions], through: Functions) -> list[int]:
    """In the code at hand: applications, services, connectors by hand, clients and servers."""
    asked = {service for app in through for service in SERVICES if service in words_of(app)}
    connectors = sum(len(own) for own in hand.values())
    return [len(hand), len(SERVICES), connectors, len(through) + len(asked)]


def picture(services: int, most: int = 12) -> Picture:
    """Parts to write, and parts to change after a service has changed, for one application to many."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.8), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2)
    apps = list(range(1, most + 1))
    hand = {"color": COLOURS["tool"], "linestyle": "--", "marker": "s", "markersize": 4}
    mcp = {"color": COLOURS["protocol"], "marker": "D", "markersize": 4}
    left.plot(apps, [n * services for n in apps], label="connectors by hand: N × M", **hand)
    left.plot(apps, [n + services for n in apps], label="clients and servers: N + M", **mcp)
    right.plot(apps, apps, label="connectors by hand: N", **hand)
    right.plot(apps, [1 for _ in apps], label="the server: 1", **mcp)
    titles = {left: f"parts to write, for {services} services", right: "parts to repair when one service changes"}
    for axes, title in titles.items():
        axes.set(xlabel="applications", title=title, ylim=(0, None), xticks=apps)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="upper left")
    last = f"With {most} applications and {services} services: {most * services} connectors by hand, or {most + services} clients"
    return Picture(figure, f"{last} and servers. When one service changes: {most} repairs, or 1.")


def lines_table(connectors: Functions, client: Callable[..., Any], small: Callable[..., Any]) -> View:
    """Lines of code: a connector, a client, a server. Libraries are counted on neither side."""
    rows = [
        [f"a connector by hand (average of {len(connectors)})", round(code_lines(*connectors) / len(connectors), 1)],
        ["the client", code_lines(client)],
        ["the small server of the messages", code_lines(small)],
        [f"a server of the lab (average of {len(SERVERS)})", round(code_lines(*SERVERS) / len(SERVERS), 1)],
    ]
    return table_of(["part", "lines of code"], rows)


async def quickest(call: Callable[[], Any], times: int = 20) -> float:
    """Seconds of the quickest of some calls."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        result = call()
        if inspect.isawaitable(result):
            await result
        took.append(time.perf_counter() - began)
    return min(took)


def tools(offered: Iterable[Any]) -> View:
    """What servers say of their tools: name, arguments, description."""
    rows = [[str(tool.offer), ", ".join(tool.parameters.get("properties", {})), tool.description] for tool in offered]
    return table_of(["tool", "arguments", "says of itself"], rows)
