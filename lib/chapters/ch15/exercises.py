"""The exercises of chapter 15: stubs as they stand in the notebook, one solution each, and checks on the frames."""

import sqlite3
import tempfile
from contextlib import closing
from inspect import isawaitable, iscoroutinefunction
from pathlib import Path
from typing import Any

from mcp.server import MCPServer

from chapters.ch15 import attacks
from llmlab import Host, ToolError
from llmlab.lesson import Check, Exercise
from shop import query

RAW = "Error executing tool give_back"  # of an exception that was not meant for the model, nothing follows it


async def _tried(host: Host, server: str, tool: str, arguments: dict[str, Any]) -> tuple[bool, str]:
    """Whether the call was made and went well, and the text that came."""
    try:
        return True, await host.call(server, tool, arguments)
    except ToolError as error:
        return False, str(error)


def _calls(host: Host) -> list[dict[str, Any]]:
    """The calls that really went out."""
    return [step.message["params"] for step in host.trace.of("protocol") if step.name == "tools/call"]


async def _give_back(work: Any, model: Any) -> list[Check]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        db = Path(folder) / "lending.db"

        def ask(sql: str, *values: Any) -> list[Any]:
            with closing(sqlite3.connect(db)) as connection, connection:
                return connection.execute(sql, values).fetchall()

        ask("CREATE TABLE things (name TEXT PRIMARY KEY COLLATE NOCASE, borrower TEXT)")
        ask("INSERT INTO things VALUES ('hand grinder', 'Ann'), ('party kettle', NULL), ('scales', 'Bo')")
        mcp = MCPServer("lending", log_level="WARNING")
        if isawaitable(done := work(mcp, ask)):
            await done
        async with await Host.open({"lending": mcp}, approve=lambda *_: True) as host:
            offers = {tool.name: tool.offer for tool in host.tools()}
            if "give_back" not in offers:
                return [(False, f"the server has to offer give_back, and it offers {', '.join(offers) or 'nothing'}")]
            tried = {}
            for thing in ("hand grinder", "party kettle", "ladder", "' OR 'x' = 'x"):
                tried[thing] = (
                    *await _tried(host, "lending", "give_back", {"thing": thing}),
                    ask("SELECT * FROM things"),
                )
    offer, (back, said, rows) = offers["give_back"], tried["hand grinder"]
    return [
        (
            len(offer.description.split()) >= 4,
            f"the description has to say in four words or more what the tool does: {offer.description}",
        ),
        (not offer.reads_only, "it changes something, so it may not be marked as reading only"),
        (
            back and rows == [("hand grinder", None), ("party kettle", None), ("scales", "Bo")],
            f"the hand grinder has to be here again, and the rest as before: {rows}; yours says: {said or '(nothing)'}",
        ),
        *(
            (
                not done and len(told.removeprefix(RAW)) > 10,
                f"{what} has to be refused in a sentence; yours {_says(done, told)}",
            )
            for what, (done, told, _) in (
                ("what is not lent", tried["party kettle"]),
                ("a thing that the shop does not have", tried["ladder"]),
            )
        ),
        (tried["' OR 'x' = 'x"][2] == rows, "a name with SQL in it may change nothing"),
    ]


def _says(done: bool, told: str) -> str:
    if done:
        return f"was carried out, and says: {told or '(nothing)'}"
    hidden = " (of an exception that is not the SDK's ToolError, the caller reads no more)" if told == RAW else ""
    return f"says: {told}{hidden}"


async def _rule(work: Any, model: Any) -> list[Check]:
    if iscoroutinefunction(work):
        return [(False, "a rule is asked before each call and answers at once: def, and not async def")]
    with attacks.world("false annotation") as world:
        tries = [
            (("messages", "read_posts", {"channel": "stock"}), True),
            (("messages", "post_message", {"channel": "stock", "text": "Tea is low."}), True),
            (("messages", "list_channels", {}), True),
            (("messages", "post_message", {"channel": "general", "text": "Tea is low."}), False),
            (("messages", "post_message", {"channel": "stock", "text": "x" * 201}), False),
            (("parcels", "track", {"parcel": "7"}), False),
        ]
        async with await Host.open(
            world.servers("messages", "parcels"), ask=work
        ) as host:  # nobody to ask: what needs a person is declined
            for call, _ in tries:
                await _tried(host, *call)
            went = [(params["name"], params["arguments"]) for params in _calls(host)]
        says = {True: "has to go out without a question", False: "has to be asked about first"}
        posts = query(world.shop.messages, "SELECT text FROM posts WHERE author = 'assistant'").rows
    return [
        *(
            (((name, given) in went) == allowed, f"{server}.{name} {str(given)[:60]} {says[allowed]}")
            for (server, name, given), allowed in tries
        ),
        (posts == [["Tea is low."]], f"in the end there is one post, and there are {len(posts)}"),
    ]


async def _own(work: Any, model: Any) -> list[Check]:
    made = await made if isawaitable(made := work()) else made
    if not isinstance(made, MCPServer):
        return [(False, f"the function returns an MCPServer, and yours returns {type(made).__name__}")]
    async with await Host.open({"mine": made}, approve=lambda *_: True) as host:
        offers = [tool.offer for tool in host.tools()]
        fields = {f"{o.name}.{p}": field for o in offers for p, field in o.parameters.get("properties", {}).items()}
        needed = [o for o in offers if o.parameters.get("required")]
        empty = [await _tried(host, "mine", offer.name, {}) for offer in needed]
        replies = [step for step in host.trace.of("protocol") if step.name == "tools/call: result"]
    texts = {name: field for name, field in fields.items() if field.get("type") == "string" and "enum" not in field}
    reading = [offer for offer in offers if offer.reads_only]
    return [
        (len(offers) >= 2, f"a server with at least two tools, and yours offers {len(offers)}"),
        (0 < len(reading) < len(offers), "one tool that only reads, and says so, and one that changes something"),
        (
            bool(offers) and all(len(offer.description.split()) >= 5 for offer in offers),
            "each description says in five words or more what the tool does",
        ),
        (
            bool(fields) and all(field.get("description") for field in fields.values()),
            f"each parameter has a description; without one are {[n for n, f in fields.items() if not f.get('description')]}",
        ),
        (
            all("maxLength" in field or "pattern" in field for field in texts.values()),
            f"each text has a limit; without one are {[n for n, f in texts.items() if 'maxLength' not in f]}",
        ),
        (
            bool(needed)
            and not any(ok for ok, _ in empty)
            and all(step.message["result"].get("isError") for step in replies),
            "a call without its arguments gets a result with isError",
        ),
    ]


EXERCISES = [
    Exercise(
        id="15.1",
        task="Write the tool that is missing: give_back, which writes down that a thing came back, and refuses in a sentence.",
        stub='''\
from mcp.server.mcpserver.exceptions import ToolError as Refusal  # the SDK's, as in lending.py


def add_give_back(mcp, ask):
    @mcp.tool()
    def give_back(thing: str) -> str:
        """Do something."""
        return ""
''',
        solution='''\
from mcp.server.mcpserver.exceptions import ToolError as Refusal


def add_give_back(mcp, ask):
    @mcp.tool()
    def give_back(thing: str) -> str:
        """Write down that a thing came back to the shop."""
        back = ask("UPDATE things SET borrower = NULL WHERE name = ? AND borrower IS NOT NULL RETURNING name", thing)
        if not back:
            raise Refusal(f"No {thing} is lent; list_things shows who has what")
        return f"The {back[0][0]} is here again"
''',
        hints=(
            "It is `lend` the other way round: the borrower becomes NULL, where it was not NULL.",
            "`ask` returns the rows of RETURNING; an empty list means that nothing was changed.",
            "Where nothing was changed, raise Refusal with a sentence. An exception of another kind is not passed on.",
        ),
        check=_give_back,
    ),
    Exercise(
        id="15.2",
        task="Write a rule for `ask` that lets reads of messages and short posts in the channel stock through.",
        stub="""\
def my_rule(offer, arguments):
    return False
""",
        solution="""\
def my_rule(offer, arguments):
    if offer.server != "messages":
        return True
    short = len(str(arguments.get("text", ""))) <= 200
    to_stock = offer.name == "post_message" and arguments.get("channel") == "stock"
    return not (offer.reads_only or (to_stock and short))
""",
        hints=(
            "True means: ask a person. Begin with `return True`, and let through only what you name.",
            "offer.server, offer.name and offer.reads_only say which tool it is; arguments is a dictionary.",
            "A server that is not yours may call itself reading only. Look at offer.server first.",
        ),
        check=_rule,
    ),
    Exercise(
        id="15.3",
        task="Write your own variant: a server for a problem of your own, with one tool that reads and one that changes.",
        stub="""\
from mcp.server import MCPServer


def my_server():
    mcp = MCPServer("mine", log_level="WARNING")
    return mcp
""",
        solution='''\
def my_server():
    from typing import Annotated

    from mcp.server import MCPServer
    from mcp.types import ToolAnnotations
    from pydantic import Field

    mcp = MCPServer("recipes", log_level="WARNING")
    recipes = {"chai": "Half milk, half water, five minutes."}
    Name = Annotated[str, Field(min_length=1, max_length=40, description="Name of the drink")]
    Text = Annotated[str, Field(min_length=1, max_length=400, description="How to make it")]

    @mcp.tool(annotations=ToolAnnotations(read_only_hint=True))
    def read_recipe(name: Name) -> str:
        """Read how a drink is made."""
        return recipes.get(name, "There is no recipe for it yet.")

    @mcp.tool(annotations=ToolAnnotations(read_only_hint=False))
    def write_recipe(name: Name, text: Text) -> str:
        """Write down how a drink is made."""
        recipes[name] = text
        return f"{name} is written down"

    return mcp
''',
        hints=(
            "Begin with a dictionary instead of a database; make it two functions with @mcp.tool(annotations=...).",
            "Annotated[str, Field(max_length=40, description='...')] gives a parameter a limit and a description.",
            "ToolAnnotations(read_only_hint=True) marks what only reads.",
        ),
        check=_own,
    ),
]
