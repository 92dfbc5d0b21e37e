"""A fresh shop, and a client of each server over it, in memory and in both eras of the protocol."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import Client

from shop import Shop, lay_out
from shop import calendar as calendar_
from shop import messages as messages_
from shop import orders as orders_
from shop import repository as repository_
from shop import sheet as sheet_


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return lay_out(tmp_path / "shop")


@pytest.fixture(params=["legacy", "2026-07-28"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def calendar(shop: Shop, era: str) -> AsyncIterator[Client]:
    async with Client(calendar_.server(shop.calendar), mode=era) as client:
        yield client


@pytest.fixture
async def messages(shop: Shop, era: str) -> AsyncIterator[Client]:
    async with Client(messages_.server(shop.messages), mode=era) as client:
        yield client


@pytest.fixture
async def orders(shop: Shop, era: str) -> AsyncIterator[Client]:
    async with Client(orders_.server(shop.db), mode=era) as client:
        yield client


@pytest.fixture
async def repository(shop: Shop, era: str) -> AsyncIterator[Client]:
    async with Client(repository_.server(shop.repository), mode=era) as client:
        yield client


@pytest.fixture
async def sheet(shop: Shop, era: str) -> AsyncIterator[Client]:
    async with Client(sheet_.server(shop.sheet), mode=era) as client:
        yield client
