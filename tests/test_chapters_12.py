"""Chapter 12: its counters read code as it is written, and its exercises take what is right, in whatever way it is done."""

import ast
import asyncio
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from llmlab import Host, lesson
from shop import Shop, lay_out

pytestmark = pytest.mark.anyio
ch12 = import_module("chapters.ch12")
second = import_module("chapters.ch12.second")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return lay_out(tmp_path_factory.mktemp("world") / "shop")


@pytest.fixture
async def host(shop: Shop) -> AsyncIterator[Host]:
    async with await Host.open({"calendar": ch12.calendar.server(shop.calendar)}) as opened:
        yield opened


def one_line(db: str) -> str:
    """A docstring with posts and SUMMARY is for people."""
    # and so is this comment, with git
    return f"SELECT author FROM channels {db}"


async def asks(host: Host) -> Any:
    return await host.call("calendar", "next_event", {"title": "x"})


def test_code_is_counted_without_what_is_for_people() -> None:
    assert ch12.code_lines(one_line) == 2
    assert ch12.words_of(one_line) == {"SELECT", "author", "FROM", "channels"}
    assert ch12.names_in(one_line) == {"db", "str"}
    assert isinstance(ch12.tree_of(second), ast.Module)


async def test_words_belong_to_a_service_where_the_service_itself_has_them(shop: Shop, host: Host) -> None:
    known = ch12.by_hand(shop, [one_line, *second.CONNECTORS.values()])
    assert known["messages"]["one_line"] == {"author", "channels"}
    assert known["calendar"] == {"agenda": {"DTSTART", "SUMMARY"}}
    assert list(known["repository"]) == ["git_log"], "%d in a date is no placeholder of Git"
    assert ch12.through_mcp(host, [asks, one_line]) == {"calendar": {"asks": {"calendar", "next_event", "title"}}}


def test_both_applications_give_the_picture_of_who_uses_what(shop: Shop) -> None:
    hand = {"release_notes": [*second.CONNECTORS.values()]}
    drawn = ch12.web(hand, [asks], ch12.quickest).text
    assert "release_notes --> agenda" in drawn
    assert "client0" not in drawn, "it does not use this client"
    assert ch12.counted(hand, [asks]) == [1, 3, 3, 2]


@pytest.mark.parametrize("service", ch12.SERVICES)
def test_a_missing_service_is_an_outcome_and_not_an_error_of_the_table(service: str, tmp_path: Path) -> None:
    shown = ch12.side_by_side(second.CONNECTORS, second.CONNECTORS, tmp_path)
    assert service in shown.text
    assert "returns dict" in shown.text


async def said(name: str, code: str) -> str:
    names: dict[str, Any] = {"asyncio": asyncio}
    exec(code, names)
    work = list(names.values())[-1]
    return str((await lesson.check(name, work))._repr_mimebundle_()["text/plain"])


# Right ones, each written another way.
LOOP = """
async def mentions(host, word):
    found, at = [], 0
    while True:
        page = (await host.call("messages", "search_posts", {"text": word, "offset": at, "limit": %s})).structured
        found += [%s for p in page["posts"]]
        at = page["next_offset"]
        if at is None:
            return %s
"""
FILES = """
def server(folder):
    def find(word: str)%s:
        "%s"
        hits = [f for f in folder.iterdir() if %s]
        return %s
    return %s
"""
HIT = "word.lower() in f.read_text('utf-8').lower()"
RIGHT = [
    ("12.1", LOOP % (50, "(p['author'], p['text'])", "found")),
    ("12.1", LOOP % (30, "[p['author'], p['text']]", "tuple(found)")),
    (
        "12.1",
        """
async def page(host, word, at):
    return (await host.call("messages", "search_posts", dict(text=word, limit=50, offset=at))).structured
async def mentions(host, word, at=0):
    got = await page(host, word, at)
    rest = [] if got["next_offset"] is None else await mentions(host, word, got["next_offset"])
    return [(post["author"], post["text"]) for post in got["posts"]] + rest
""",
    ),
    (
        "12.2",
        """
def gone(host, uses):
    left = []
    for name, arguments in uses:
        tools = [tool for tool in host.tools() if str(tool.offer) == name]
        if not tools or any(a not in tools[0].parameters["properties"] for a in arguments):
            left.append((name, arguments))
    return left
""",
    ),
    (
        "12.2",
        """
async def gone(host, uses):
    there = {str(t.offer): t.parameters.get("properties", {}) for t in host.tools()}
    return tuple(u for u in uses if not (u[0] in there and all(a in there[u[0]] for a in u[1])))
""",
    ),
    (
        "12.2",
        """
def gone(host, uses):
    there = {f"{t.offer.server}.{t.offer.name}": set(t.parameters["properties"]) for t in host.tools()}
    return list(filter(lambda use: set(use[1]) - there.get(use[0], set()) or use[0] not in there, uses))
""",
    ),
    (
        "12.3",
        FILES % (" -> list[str]", "Names of the files with a word.", HIT, "sorted(f.name for f in hits)", "[find]"),
    ),
    ("12.3", FILES % (" -> list[str]", "Find files by word.", HIT, "sorted(str(f.name) for f in hits)", "find")),
    (
        "12.3",
        """
import re
def server(folder):
    def find(word: str) -> list[str]:
        "Search all documents for a word."
        names = []
        for file in sorted(folder.glob("*.md")):
            if re.search(re.escape(word), file.read_text(encoding="utf-8"), re.IGNORECASE):
                names.append(file.name)
        return names
    return [find]
""",
    ),
]


@pytest.mark.parametrize(("name", "code"), RIGHT)
async def test_right_work_passes_however_it_is_written(name: str, code: str) -> None:
    assert (await said(name, code)).endswith("passed")


PAIR = "(p['author'], p['text'])"
WRONG = [
    ("12.1", LOOP % (10, PAIR, "found"), "✗ 60 posts take 2 calls, and you made 6"),
    ("12.1", LOOP % (50, PAIR, "found[::-1]"), "✗ the newest post comes first"),
    (
        "12.1",
        LOOP % (50, "p", "found"),
        "✗ your function has to return a list of pairs (author, text), and this came: {'id'",
    ),
    ("12.1", LOOP % (50, PAIR, "found[:50]"), "✗ “is packed” stands in 60 posts, and 50 came"),
    (
        "12.1",
        LOOP % (50, PAIR, "None"),
        "✗ your function has to return a list of pairs (author, text), and this came: None",
    ),
    ("12.1", "async def f(host, word): return []", "✗ search_posts alone is needed, and you called nothing"),
    ("12.1", LOOP % (60, PAIR, "found"), "✗ your code stopped with ToolError"),
    ("12.2", "def f(host, uses): return uses", "✗ all of them are offered: [] has to come"),
    (
        "12.2",
        "def f(host, uses):\n there = [str(t.offer) for t in host.tools()]\n return [u for u in uses if u[0] not in there]",
        "✗ messages.search takes no argument named query",
    ),
    (
        "12.2",
        "def f(host, uses):\n there = [t.offer.name for t in host.tools()]\n return [u for u in uses if u[0] not in there]",
        "✗ all of them are offered",
    ),
    ("12.2", "def f(host, uses): return None", "yours gives None"),
    (
        "12.2",
        "def f(host, uses):\n there = {str(t.offer): t.parameters['properties'] for t in host.tools()}\n"
        " return [u for u in uses if any(a not in there[u[0]] for a in u[1])]",
        "✗ your code stopped with KeyError",
    ),
    (
        "12.2",
        "async def f(host, uses):\n await host.call('messages', 'search', {'text': 'x'})\n return []",
        "✗",
    ),
    (
        "12.3",
        FILES % ("", "Find files by word.", HIT, "{'files': sorted(f.name for f in hits)}", "[find]"),
        "✗ the tool has to return a list",
    ),
    ("12.3", FILES % (" -> list[str]", "", HIT, "sorted(f.name for f in hits)", "[find]"), "✗ the docstring says"),
    (
        "12.3",
        FILES
        % (
            " -> list[str]",
            "Find files by word.",
            "word in f.read_text('utf-8')",
            "sorted(f.name for f in hits)",
            "[find]",
        ),
        "✗ “COFFEE” stands in beans.md",
    ),
    (
        "12.3",
        FILES % (" -> list[str]", "Find files by word.", HIT, "sorted((f.name for f in hits), reverse=True)", "[find]"),
        "✗ the names come in alphabetical order",
    ),
    (
        "12.3",
        FILES % (" -> list[str]", "Find files by word.", HIT, "[str(f) for f in hits]", "[find]"),
        "✗ “tea” stands in cups.md",
    ),
    ("12.3", FILES % (" -> list[str]", "Find files by word.", HIT, "[f.name for f in hits]", "[]"), "✗ "),
    (
        "12.3",
        "def f(folder):\n def g(text: str) -> list[str]:\n  'Find files by word.'\n  return []\n return g",
        "takes ['text']",
    ),
]


@pytest.mark.parametrize(("name", "code", "why"), WRONG)
async def test_wrong_work_is_told_what_is_wrong(name: str, code: str, why: str) -> None:
    text = await said(name, code)
    assert "not yet" in text
    assert why in text
