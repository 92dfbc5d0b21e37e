"""The exercises of chapter 12: stubs as they stand in the notebook, one solution each, and checks on the frames."""

import inspect
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


async def _done(result: Any) -> Any:
    """What a function gives, whether it is async or not."""
    return await result if inspect.isawaitable(result) else result


def _pairs(found: Any) -> list[tuple[str, str]] | None:
    """(author, text) of each post, or None where it is something else."""
    if not isinstance(found, list | tuple) or not all(isinstance(f, list | tuple) and len(f) == 2 for f in found):
        return None
    return [(author, text) for author, text in found]


async def _mentions(work: Any, model: Any) -> list[Check]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        db = lay_out(Path(folder) / "shop").messages
        with closing(sqlite3.connect(db)) as connection, connection:
            new = [("Kamil", f"Parcel {number} is packed.") for number in range(POSTS)]
            post = "INSERT INTO posts (channel_id, posted_at, author, text) VALUES (2, '2026-11-24 09:15', ?, ?)"
            connection.executemany(post, new)
        async with await Host.open({"messages": messages.server(db)}) as host:
            with Trace("exercise 12.1") as trace:
                came = await _done(work(host, "is packed"))
            with Trace("exercise 12.1, nothing to find") as empty:
                nothing = await _done(work(host, "Eyre Square"))
    found, tools = _pairs(came), {call["name"] for call in _calls(trace) + _calls(empty)}
    if found is None:
        first = came[0] if isinstance(came, list | tuple) and came else came
        return [(False, f"your function has to return a list of pairs (author, text), and this came: {first!r}")]
    return [
        (sorted(found) == sorted(new), f"“is packed” stands in {POSTS} posts, and {len(found)} came"),
        (found == [post for post in new[::-1] if post in found], "the newest post comes first"),
        (
            _pairs(nothing) == [],
            f"“Eyre Square” stands in no post, so that an empty list comes; yours gives {nothing!r}",
        ),
        (
            tools == {"search_posts"},
            f"search_posts alone is needed, and you called {', '.join(sorted(tools)) or 'nothing'}",
        ),
        (len(_calls(trace)) == 2, f"{POSTS} posts take 2 calls, and you made {len(_calls(trace))}"),
        (len(_calls(empty)) == 1, f"no posts take 1 call, and you made {len(_calls(empty))}"),
    ]


def search(text: str, limit: int = 10) -> list[str]:
    """Find posts that contain a text."""
    return []


async def _contract(work: Any, model: Any) -> list[Check]:
    good = [("calendar.next_event", ["title", "after"]), ("messages.search", ["text"]), ("messages.search", [])]
    renamed, gone = ("messages.search", ["query", "limit"]), ("messages.search_posts", ["text"])
    no_server: tuple[str, list[str]] = ("sheet.read", [])
    asked = {
        "all of them are offered": (good, []),
        "messages.search takes no argument named query": ([good[0], renamed], [renamed]),
        "messages has no tool named search_posts": ([gone, *good], [gone]),
        "there is no server named sheet": ([no_server], [no_server]),
        "two of three are not offered": ([gone, good[1], no_server], [gone, no_server]),
    }
    points: list[Check] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shop = lay_out(Path(folder) / "shop")
        async with await Host.open({"calendar": calendar.server(shop.calendar), "messages": search}) as host:
            with Trace("exercise 12.2") as trace:
                for why, (uses, wanted) in asked.items():
                    found = await _done(work(host, uses))
                    listed = list(found) if isinstance(found, list | tuple) else found
                    points.append((listed == wanted, f"{why}: {wanted} has to come, and yours gives {found!r}"))
    return [*points, (not _calls(trace), "nothing has to be called for this")]


async def _documents(work: Any, model: Any) -> list[Check]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        texts = {"tea.md": "Green tea. Sláinte!", "cups.md": "A TEA bowl", "beans.md": "Coffee beans"}
        for name, text in texts.items():
            (place / name).write_text(text, "utf-8")
        async with await Host.open({"documents": work(place)}, approve=lambda *_: True) as host:
            offered = host.tools()
            if len(offered) != 1:
                return [(False, f"the server has one tool, and yours has {len(offered)}")]
            [tool], described = offered, offered[0].description
            takes = list(tool.parameters.get("properties", {}))
            if takes != ["word"]:
                return [(False, f"the tool takes one argument, word, and yours takes {takes}")]
            gave: dict[str, Any] = {}
            for word in ("tea", "COFFEE", "sláinte", "moon dust"):
                structured = (await host.call("documents", tool.offer.name, {"word": word})).structured
                gave[word] = (structured or {}).get("result") if isinstance(structured, dict) else None
                if not isinstance(gave[word], list):
                    return [
                        (
                            False,
                            f"the tool has to return a list of names, as its hint -> list[str] says; it gave {structured}",
                        )
                    ]
    return [
        (
            len(described.split()) > 2 and described != "Do something.",
            "the docstring says, in three words or more, what the tool does",
        ),
        (
            sorted(gave["tea"]) == ["cups.md", "tea.md"],
            f"“tea” stands in cups.md (as TEA) and tea.md; yours gives {gave['tea']}",
        ),
        (gave["tea"] == sorted(gave["tea"]), f"the names come in alphabetical order; yours are {gave['tea']}"),
        (gave["COFFEE"] == ["beans.md"], f"“COFFEE” stands in beans.md (as Coffee); yours gives {gave['COFFEE']}"),
        (gave["sláinte"] == ["tea.md"], f"“sláinte” stands in tea.md (as Sláinte); yours gives {gave['sláinte']}"),
        (
            gave["moon dust"] == [],
            f"“moon dust” stands nowhere, so that an empty list comes; yours gives {gave['moon dust']}",
        ),
    ]


EXERCISES = [
    Exercise(
        id="12.1",
        task="Return every post that contains a word, from all pages, as (author, text), in as few calls as possible.",
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
            "Start with offset = 0, and call again until the offset is None.",
            'After each call: offset = page["next_offset"].',
            'The arguments are {"text": word, "offset": offset, "limit": 50}.',
        ),
        check=_mentions,
    ),
    Exercise(
        id="12.2",
        task="Return the uses that the servers of the host do not offer, or no longer offer.",
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
        task="Write the server of a fourth service: the names of the documents that contain a word.",
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
        """List the documents that contain a word."""
        texts = {file.name: file.read_text("utf-8").casefold() for file in folder.glob("*.md")}
        return sorted(name for name, text in texts.items() if word.casefold() in text)

    return [find_documents]
''',
        hints=(
            'folder.glob("*.md") gives the files, file.read_text("utf-8") the text of one.',
            "text.casefold() makes the search case-insensitive; do the same to the word.",
            "The docstring becomes the description of the tool.",
        ),
        check=_documents,
    ),
]
