"""The messages server: channels and posts in pages, searching, and posting under the assistant's own name."""

import asyncio
import json

import pytest
from asking import bad, good, missing, prompt, text
from mcp import Client

from shop import Shop, query

pytestmark = pytest.mark.anyio


async def test_channels_are_listed_with_how_many_posts_they_have(messages: Client) -> None:
    found = await good(messages, "list_channels")
    assert [channel["name"] for channel in found] == ["general", "orders", "stock", "website"]
    assert sum(channel["posts"] for channel in found) == 40


async def test_a_channel_is_read_in_pages_the_newest_first(messages: Client) -> None:
    seen, offset = [], 0
    while offset is not None:
        page = await good(messages, "read_posts", channel="orders", offset=offset, limit=5)
        seen += page["posts"]
        offset = page["next_offset"]
    assert (len(seen), {post["channel"] for post in seen}) == (12, {"orders"})
    assert [post["id"] for post in seen] == sorted((post["id"] for post in seen), reverse=True)


async def test_posts_are_found_by_a_text_in_any_channel(messages: Client) -> None:
    found = (await good(messages, "search_posts", text="GLASS CUP"))["posts"]
    assert [post["id"] for post in found] == [38, 22, 18, 13]
    assert len((await good(messages, "search_posts", text="Siobhán"))["posts"]) == 1
    assert (await good(messages, "search_posts", text="100%"))["posts"] == []


async def test_a_post_appears_under_the_name_of_the_assistant(messages: Client) -> None:
    made = await good(messages, "post_message", channel="stock", text="It's 3 kettles; 'DROP TABLE posts' 🫖")
    assert (made["author"], made["channel"]) == ("assistant", "stock")
    assert (await good(messages, "read_posts", channel="stock", limit=1))["posts"] == [made]


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("read_posts", {"channel": "gossip"}, "A channel is one of general, orders, stock, website, not 'gossip'"),
        ("read_posts", {"channel": "stock' OR '1'='1"}, "A channel is one of"),
        ("read_posts", {"channel": "stock", "limit": 51}, "less than or equal to 50"),
        ("search_posts", {"text": ""}, "at least 1 character"),
        ("post_message", {"channel": "gossip", "text": "Hello"}, "A channel is one of"),
        ("post_message", {"channel": "stock", "text": ""}, "at least 1 character"),
        ("post_message", {"channel": "stock", "text": "a" * 2001}, "at most 2000 characters"),
    ],
)
async def test_wrong_arguments_are_refused_in_words(
    messages: Client, shop: Shop, tool: str, arguments: dict[str, object], says: str
) -> None:
    assert says in await bad(messages, tool, **arguments)
    assert query(shop.messages, "SELECT count(*) FROM posts").rows == [[40]]


async def test_of_many_posts_at_once_none_is_lost(messages: Client, shop: Shop) -> None:
    texts = [f"number {n}" for n in range(20)]
    made = await asyncio.gather(*(good(messages, "post_message", channel="general", text=text) for text in texts))
    assert [post["text"] for post in made] == texts
    assert query(shop.messages, "SELECT count(*) FROM posts").rows == [[60]]


async def test_a_file_that_is_no_database_is_told(messages: Client, shop: Shop) -> None:
    shop.messages.write_bytes(b"hello" * 500)
    assert "file is not a database" in await bad(messages, "list_channels")


async def test_channels_are_resources(messages: Client) -> None:
    assert len(json.loads(await text(messages, "messages://channels"))) == 4
    assert len(json.loads(await text(messages, "messages://channels/general"))["posts"]) == 10
    assert "A channel is one of" in await missing(messages, "messages://channels/gossip")
    assert "website" in await prompt(messages, "summary", channel="website")
