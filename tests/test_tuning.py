"""The recipe of the adapter: training data that stay away from the held-out set, and pass their own checks."""

import inspect
import random
import sys
from types import ModuleType

import pytest

from llmlab import settings

sys.path.insert(0, str(settings.ROOT / "lib" / "tuning"))
import generate
from held_out import HeldOut

TOKENS = 30_000


@pytest.fixture(scope="module")
def made() -> list[dict]:
    return list(generate.make(TOKENS, seed=0))


def test_no_item_shares_a_tool_a_table_or_a_name_with_the_held_out_set(made: list[dict]) -> None:
    held_out = HeldOut()
    assert [held_out.shared(item) for item in made if held_out.shared(item)] == []


def test_what_is_shared_is_found() -> None:
    said = "For the talk I wrote to Ms Oyelaran and Mr Pennock."
    item = {
        "messages": [{"role": "user", "content": f"{said} CREATE TABLE singers (id INTEGER)"}],
        "tools": [{"type": "function", "function": {"name": "bus_departures"}}],
    }
    assert HeldOut().shared(item) == {"Oyelaran", "Pennock", "singers", "bus_departures"}


def test_the_same_seed_makes_the_same_items(made: list[dict]) -> None:
    assert list(generate.make(TOKENS, seed=0)) == made


def test_every_skill_is_there_and_ends_with_an_answer(made: list[dict]) -> None:
    assert len({item["skill"] for item in made}) >= len(generate.SHARES)
    assert {item["messages"][-1]["role"] for item in made} == {"assistant"}


@pytest.mark.parametrize("skill", generate.SECOND, ids=lambda skill: skill.__name__)
def test_a_skill_passes_its_own_check(skill: ModuleType) -> None:
    if inspect.signature(skill.check).parameters:
        skill.check(skill.items(random.Random(0), 300))
    else:
        skill.check()
