"""A fresh shop, and a client of each server over it, in memory."""

from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from shop import Shop, lay_out

SERVERS = {"calendar": "calendar", "messages": "messages", "orders": "db", "repository": "repository", "sheet": "sheet"}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return lay_out(tmp_path / "shop")


def client_of(name: str, part: str) -> Any:
    @pytest.fixture(name=name)
    async def client(shop: Shop) -> AsyncIterator[Client]:
        async with Client(import_module(f"shop.{name}").server(getattr(shop, part))) as opened:
            yield opened

    return client


globals().update({name: client_of(name, part) for name, part in SERVERS.items()})


@pytest.fixture
def clients(request: pytest.FixtureRequest) -> dict[str, Client]:
    return {name: request.getfixturevalue(name) for name in SERVERS}
