"""The exercises of chapter 12: stubs as they stand in the notebook, one solution each, and checks on the frames."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from llmlab import Host, Trace
from llmlab.lesson import Check, Exercise
from shop import calendar, lay_out, messages

POSTS = 60  # more than one page can hold


def _calls(trace: Trace) -> list[dict[str, Any]]:
    """The parameters of each call of a tool, as they went over the wire."""
    sent = [step for step in trace.of("protocol") if step.name == "tools/call"]
    return [step.message["params"] for step in sent]


async def _mentions(work: Any, model: Any) -> list[Check]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        db = lay_out(Path(folder) / "shop").messages
        with closing(sqlite3.connect(db)) as connection, connection:
            new = [("Kamil", f"Parcel {number} is packed.") for number in range(POSTS)]
            post = "INSERT INTO posts (channel_id, posted_at, author, text) VALUES (2, '2026-11-24 09:15', ?, ?)"
            connection.executemany(post, new)
        async with await Host.open({"messages": messages.server(db)}) as host:
            points: list[Check] = []
            for word, there, needed in (("is packed", POSTS, 2), ("Eyre Square", 0, 1)):
                with Trace("exercise 12.1") as trace:
                    found = await work(host, word)
                made = _calls(trace)
                right = new[::-1][:there]
                points += [
                    ([tuple(row) for row in found] == right, f"“{word}”: {there} posts, and yours are {len(found)}"),
                    (
                        {call["name"] for call in made} == {"search_posts"} and len(made) == needed,
                        f"“{word}”: calls of search_posts that are needed: {needed}, that went over the wire: {len(made)}",
                    ),
                ]
            return points


def search(text: str, limit: int = 10) -> list[str]:
    """Find posts that contain a text."""
    return []


async def _contract(work: Any, model: Any) -> list[Check]:
    good = [("calendar.next_event", ["title", "after"]), ("messages.search", ["text"]), ("messages.search", [])]
    renamed, gone = ("messages.search", ["query", "limit"]), ("messages.search_posts", ["text"])
    no_server = ("sheet.read", [])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shop = lay_out(Path(folder) / "shop")
        async with await Host.open({"calendar": calendar.server(shop.calendar), "messages": search}) as host:
            with Trace("exercise 12.2") as trace:
                found = [list(work(host, uses)) for uses in (good, [good[0], renamed], [gone, *good], [no_server])]
    return [
        (found[0] == [], f"everything in {good} is offered, and yours gives {found[0]}"),
        (found[1] == [renamed], f"an argument that the tool does not take: {renamed}; yours gives {found[1]}"),
        (found[2] == [gone], f"a tool that is not there: {gone}; yours gives {found[2]}"),
        (found[3] == [no_server], f"a server that is not there: {no_server}; yours gives {found[3]}"),
        (not _calls(trace), "nothing has to be called for this"),
    ]


async def _documents(work: Any, model: Any) -> list[Check]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        texts = {"tea.md": "Green tea. Sláinte!", "cups.md": "A TEA bowl", "beans.md": "Coffee beans"}
        for name, text in texts.items():
            (place / name).write_text(text, "utf-8")
        async with await Host.open({"documents": work(place)}, approve=lambda *_: True) as host:
            [tool] = host.tools()
            described, takes = tool.description, list(tool.parameters.get("properties", {}))
            if takes != ["word"]:
                return [(False, f"the tool takes one argument, word, and yours takes {takes}")]
            with Trace("exercise 12.3") as trace:
                for word in ("tea", "COFFEE", "sláinte", "moon dust"):
                    await host.call("documents", tool.offer.name, {"word": word})
    replies = [step.message["result"] for step in trace.of("protocol") if step.name.endswith("result")]
    given = [reply.get("structuredContent", {}).get("result") for reply in replies]
    wanted = [["cups.md", "tea.md"], ["beans.md"], ["tea.md"], []]
    return [
        (len(described) >= 20 and described != "Do something.", "the docstring has to say what the tool does"),
        (given == wanted, f"what came over the wire has to be {wanted}, and was {given}"),
    ]


EXERCISES = [
    Exercise(
        id="12.1",
        task="Return everything that was ever said about a word, from all pages, as (author, text).",
        stub="""\
async def mentions(host, word):
    page = (await host.call("messages", "search_posts", {"text": word})).structured
    return [(post["author"], post["text"]) for post in page["posts"]]
""",
        solution="""\
async def mentions(host, word):
    found, offset = [], 0
    while offset is not None:
        arguments = {"text": word, "offset": offset, "limit": 50}
        page = (await host.call("messages", "search_posts", arguments)).structured
        found += [(post["author"], post["text"]) for post in page["posts"]]
        offset = page["next_offset"]
    return found
""",
        hints=(
            "Begin with offset = 0, and call again as long as the offset is not None.",
            'After each call: offset = page["next_offset"].',
            'The arguments are {"text": word, "offset": offset, "limit": 50}.',
        ),
        check=_mentions,
    ),
    Exercise(
        id="12.2",
        task="Return those uses that the servers of the host do not offer (any more).",
        stub="""\
def no_longer_offered(host, uses):
    return []
""",
        solution="""\
def no_longer_offered(host, uses):
    offered = {str(tool.offer): set(tool.parameters.get("properties", {})) for tool in host.tools()}
    return [use for use in uses if use[0] not in offered or not set(use[1]) <= offered[use[0]]]
""",
        hints=(
            "`str(tool.offer)` is the name of a tool with its server, as in messages.read_posts.",
            '`tool.parameters` is a JSON schema; the names of the arguments are the keys of its "properties".',
            "For sets, a <= b asks whether everything in a is in b.",
        ),
        check=_contract,
    ),
    Exercise(
        id="12.3",
        task="Write the server of a fourth service: names of the documents in which a word stands.",
        stub='''\
def documents_server(folder):
    def find_documents(word: str) -> list[str]:
        """Do something."""
        return []

    return [find_documents]
''',
        solution='''\
def documents_server(folder):
    def find_documents(word: str) -> list[str]:
        """Give the names of the documents in which a word stands."""
        texts = {file.name: file.read_text("utf-8").casefold() for file in folder.glob("*.md")}
        return sorted(name for name, text in texts.items() if word.casefold() in text)

    return [find_documents]
''',
        hints=(
            'folder.glob("*.md") gives the files, file.read_text("utf-8") the text of one.',
            "text.casefold() makes upper and lower case the same; do it to the word, too.",
            "The docstring is what the server says of its tool.",
        ),
        check=_documents,
    ),
]
