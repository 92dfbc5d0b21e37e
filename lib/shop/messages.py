"""An MCP server for the staff's messages (SQLite): channels and posts, searching, and one act: to post."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field
from typing_extensions import TypedDict

from shop.common import ADDS, READS, TEXT, WORD, Further, Limit, Offset, Refusal, Server, page, run
from shop.world import query

AUTHOR = "assistant"  # a model posts under its own name, never under that of a person
Board = NamedTuple("Board", [("db", Path), ("clock", Callable[[], datetime])])  # the clock dates a new post
CHANNELS = "SELECT name, topic, (SELECT count(*) FROM posts WHERE channel_id = channels.id) AS posts FROM channels"
POSTS = """SELECT posts.id, name AS channel, author, posted_at, text
FROM posts JOIN channels ON channels.id = channel_id WHERE {} ORDER BY posts.id DESC"""
NEW = "INSERT INTO posts (channel_id, author, posted_at, text) SELECT id, ?, ?, ? FROM channels WHERE name = ?"

Channel = Annotated[str, Field(max_length=WORD, description="Name of a channel, as list_channels gives it")]
Word = Annotated[str, Field(min_length=1, max_length=WORD, description="A word or a part of one")]
ChannelInfo = TypedDict("ChannelInfo", {"name": str, "topic": str, "posts": int})
Post = TypedDict("Post", {"id": int, "channel": str, "author": str, "posted_at": str, "text": str})
Posts = TypedDict("Posts", {"next_offset": Further, "posts": list[Post]})


def check_channel(board: Board, channel: str) -> None:
    """Refuse the name of a channel that is not there."""
    names = [found["name"] for found in list_channels(board)]
    if channel not in names:
        raise Refusal(f"A channel is one of {', '.join(names)}, not {channel!r}")


def list_channels(board: Board) -> list[ChannelInfo]:
    """List the channels, with their topics and how many posts they have."""
    return query(board.db, CHANNELS).records()


def read_posts(board: Board, channel: Channel, offset: Offset = 0, limit: Limit = 10) -> Posts:
    """Read the posts of a channel, the newest first."""
    check_channel(board, channel)
    return page("posts", query(board.db, POSTS.format("name = ?"), (channel,), 100_000).records(), offset, limit)


def search_posts(board: Board, text: Word, offset: Offset = 0, limit: Limit = 10) -> Posts:
    """Find posts that contain a text, in all channels, the newest first."""
    found = query(board.db, POSTS.format("instr(lower(text), lower(?))"), (text,), 100_000).records()
    return page("posts", found, offset, limit)


def post_message(board: Board, channel: Channel, text: Annotated[str, Field(min_length=1, max_length=TEXT)]) -> Post:
    """Post a text in a channel, for all of the staff to read."""
    check_channel(board, channel)
    new = (AUTHOR, board.clock().isoformat(" ", "minutes"), text, channel)
    with closing(sqlite3.connect(board.db)) as connection, connection:
        made = connection.execute(NEW, new).lastrowid
    return query(board.db, POSTS.format("posts.id = ?"), (made,)).records()[0]


def newest(board: Board, name: str) -> Posts:
    """The newest ten posts of a channel."""
    return read_posts(board, name)


def summary(channel: Annotated[str, Field(description="Name of the channel, such as general")]) -> str:
    """Ask for a summary of what was written in a channel."""
    return f"Summarize in three sentences what was written last in the channel {channel}, and what has to be done."


def server(db: Path, clock: Callable[[], datetime] = datetime.now) -> Server:
    """The channels and posts in a SQLite file. With a `clock` of its own, a run can be repeated to the letter."""
    mcp = Server("messages", "What the staff of the shop write to each other.", Board(db, clock))
    mcp.offer(mcp.tool(annotations=READS), list_channels, read_posts, search_posts)
    mcp.offer(mcp.tool(annotations=ADDS), post_message)
    mcp.lend("messages://channels", list_channels, "The channels.")
    mcp.lend("messages://channels/{name}", newest)
    mcp.prompt()(summary)
    return mcp


if __name__ == "__main__":
    run(server, "messages")
