"""What the tests of the agents share."""

import asyncio
from collections.abc import AsyncIterator

import pytest


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """No task that a test has begun outlives it."""
    yield
    runner = "TestRunner."  # anyio's own
    assert [task for task in asyncio.all_tasks() if not task.get_coro().__qualname__.startswith(runner)] == []
