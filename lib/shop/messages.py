"""An MCP server for the staff's messages (SQLite): channels and posts, searching, and one act: to post."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from pydantic import BaseModel, Field

from shop.common import (
    ADDS,
    READS,
    TEXT,
    WORD,
    Limit,
    Offset,
    Page,
    Server,
    ask,
    page,
    records,
    run,
    writing,
)

AUTHOR = "assistant"  # a model posts under its own name, never under that of a person
Channel = Annotated[str, Field(max_length=WORD, description="Name of a channel, as list_channels gives it")]
Text = Annotated[str, Field(min_length=1, max_length=TEXT)]


class ChannelInfo(BaseModel):
    """A channel."""

    name: str
    topic: str
    posts: int


class Post(BaseModel):
    """What somebody wrote."""

    id: int
    channel: str
    author: str
    posted_at: str = Field(description="Date and time")
    text: str


class Posts(Page):
    """A page of posts, the newest first."""

    posts: list[Post]


POSTS = (
    "SELECT posts.id, name AS channel, author, posted_at, text FROM posts JOIN channels ON channels.id = channel_id "
    "WHERE {} ORDER BY posts.id DESC"
)


def server(db: Path, clock: Callable[[], datetime] = datetime.now) -> Server:
    """The channels and posts in a SQLite file. With a `clock` of its own, a run can be repeated to the letter."""
    mcp = Server("messages", "What the staff of the shop write to each other.")

    def posts(where: str, value: object, offset: int, limit: int) -> Posts:
        found, further = page(records(ask(db, POSTS.format(where), (value,), limit=100_000)), offset, limit)
        return Posts(posts=found, next_offset=further)

    def known(channel: str) -> None:
        names = [name for (name,) in ask(db, "SELECT name FROM channels").rows]
        if channel not in names:
            raise ToolError(f"A channel is one of {', '.join(names)}, not {channel!r}")

    @mcp.tool(annotations=READS)
    def list_channels() -> list[ChannelInfo]:
        """List the channels, with their topics and how many posts they have."""
        counted = (
            "SELECT name, topic, (SELECT count(*) FROM posts WHERE channel_id = channels.id) AS posts FROM channels"
        )
        return [ChannelInfo(**row) for row in records(ask(db, counted))]

    @mcp.tool(annotations=READS)
    def read_posts(channel: Channel, offset: Offset = 0, limit: Limit = 10) -> Posts:
        """Read the posts of a channel, the newest first."""
        known(channel)
        return posts("name = ?", channel, offset, limit)

    @mcp.tool(annotations=READS)
    def search_posts(
        text: Annotated[str, Field(min_length=1, max_length=WORD, description="A word or a part of one")],
        offset: Offset = 0,
        limit: Limit = 10,
    ) -> Posts:
        """Find posts that contain a text, in all channels, the newest first."""
        return posts("instr(lower(text), lower(?))", text, offset, limit)

    @mcp.tool(annotations=ADDS)
    def post_message(channel: Channel, text: Text) -> Post:
        """Post a text in a channel, for all of the staff to read."""
        known(channel)
        new = "INSERT INTO posts (channel_id, author, posted_at, text) SELECT id, ?, ?, ? FROM channels WHERE name = ?"
        now = clock().isoformat(" ", "minutes")
        with writing(db) as connection:
            made = connection.execute(new, (AUTHOR, now, text, channel)).lastrowid
        return posts("posts.id = ?", made, 0, 1).posts[0]

    @mcp.resource("messages://channels", mime_type="application/json")
    def channels() -> list[ChannelInfo]:
        """The channels."""
        return list_channels()

    @mcp.resource("messages://channels/{name}", mime_type="application/json")
    def newest(name: str) -> Posts:
        """The newest ten posts of a channel."""
        try:
            return read_posts(name, 0, 10)
        except ToolError as error:
            raise ResourceNotFoundError(str(error)) from None

    @mcp.prompt()
    def summary(channel: Annotated[str, Field(description="Name of the channel, such as general")]) -> str:
        """Ask for a summary of what was written in a channel."""
        return f"Summarize in three sentences what was written last in the channel {channel}, and what has to be done."

    return mcp


if __name__ == "__main__":
    run(server, "messages")
