"""The ways to a guide that chapter 07 compares."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from scripted import Script, acts

import llmlab
from shop import lay_out

pytestmark = pytest.mark.anyio
ch07 = import_module("chapters.ch07")


def parts_of(shop: Any, products: list[str]) -> list[str]:
    """A right text for each section, then one for the overview."""
    guide = ch07.Guide(None, shop, products)
    return [". ".join(guide.facts(part)) + "." for part in [*guide.products, "overview"]]


@pytest.mark.parametrize(
    ("variant", "calls", "right"),
    [
        ("tool loop", 1, False),
        ("tool loop, told to go on", 1 + ch07.MORE, False),
        ("tool loop, plan in the prompt", 2, False),
        ("plan and act", 1 + 2 * 3 + 1, True),
        ("fixed steps", 3, True),
        ("one call, facts given", 1, False),
    ],
)
async def test_each_way_to_a_guide_asks_as_often_as_it_should(
    tmp_path: Path, variant: str, calls: int, right: bool
) -> None:
    shop, products = lay_out(tmp_path / "shop"), ["oolong", "chai"]
    texts = parts_of(shop, products)
    steps = [("write_section", p) for p in products] + [("write_overview", ""), ("check_guide", "")]
    planned = json.dumps({"steps": [{"tool": tool, "task": f"{tool} {p}", "needs": []} for tool, p in steps]})
    wanted = [acts((tool, {"product": p} if p else {})) for tool, p in steps]
    acted = [said for pair in zip(wanted, [*texts, ""], strict=True) for said in pair if said]
    script = {
        "plan and act": [planned, *acted],
        "fixed steps": texts,
        "tool loop, plan in the prompt": [planned, "No."],
    }
    model = Script(*script.get(variant, ["No."] * calls)).model
    measured = await ch07.tried(model, shop, {variant: (ch07.TO_A_GUIDE | ch07.CONTROLS)[variant]}, [products])
    [row] = measured.rows
    assert (row["calls"], row["right"], row["written"]) == (calls, right, 3 if right else 0)


@pytest.mark.parametrize("products", [[], "oolong", ["oolong", "cake"], [5]])
def test_a_guide_to_nothing_or_to_what_the_shop_lacks_is_refused_with_the_products(products: Any) -> None:
    with pytest.raises(llmlab.LabError, match="oolong, black tea"):
        ch07.goal(products)


def test_the_tasks_are_the_same_every_time() -> None:
    assert ch07.guides() == ch07.guides()
    assert {len(set(products)) for products in ch07.guides()} == {4}
    assert ch07.goal(["Oolong tea"]).startswith("Write a guide to our oolong: ")
