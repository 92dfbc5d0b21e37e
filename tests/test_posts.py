"""What chapters 07 and 08 measure with: facts from the shop, checks of a guide and of posts."""

import json
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shop import Shop, lay_out

pytestmark = pytest.mark.anyio
plan, mend = import_module("chapters.ch07"), import_module("chapters.ch08")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return lay_out(tmp_path_factory.mktemp("posts") / "shop")


class Writer:
    """Stands in for a model: it answers with its texts in turn."""

    def __init__(self, *texts: str) -> None:
        self.texts, self.asked = list(texts), list[str]()

    async def chat(self, ask: str, **options: Any) -> Any:
        self.asked.append(ask)
        text = self.texts.pop(0)
        return SimpleNamespace(text=text, json=lambda: json.loads(text))


def test_each_product_has_facts_in_the_documents_and_in_the_database(shop: Shop) -> None:
    documents = " ".join(f.read_text(encoding="utf-8") for f in shop.documents.glob("*.md"))
    for product in plan.PRODUCTS:
        said, sold = plan.facts_in_documents(shop, product), plan.facts_in_database(shop, product)
        assert (len(said) >= 3, len(sold)) == (True, 2)
        assert {name for fact in said for name in plan.names(fact)} <= plan.names(documents)
        assert not plan.faults(". ".join(said + sold), said + sold)


def test_a_fault_is_a_missing_fact_or_a_number_that_was_invented() -> None:
    facts = ["ready after 3 minutes", "price: 11.00 euros", "from Kawane Gardens in Shizuoka"]
    good = "For 11 euros you get leaves from Kawane Gardens, Shizuoka, that are ready in three minutes."
    lost, invented = plan.faults(good.replace("three", "four"), facts)
    assert (plan.faults(good, facts), facts[0] in lost, "number 4" in invented) == ([], True, True)
    assert len(plan.faults(good.replace("Shizuoka", "Japan"), facts)) == 1
    assert plan.faults(f"1. {good}\n2. At 85 degrees.", facts, ["water at 85 degrees"]) == []


GOOD = {"green tea": "6.50", "oolong": "11.00", "black tea": "5.00", "chai": "7.00"}
OVERVIEW = "Four products: black tea is the cheapest at 5 euros, oolong the dearest at 11."


async def test_a_part_that_is_wrong_is_refused_with_advice_which_the_next_try_is_given(
    shop: Shop, tmp_path: Path
) -> None:
    right = {product: ". ".join(plan.all_facts(shop, product)) + "." for product in GOOD}
    writer = Writer(
        "Nothing.", right["oolong"], right["green tea"], right["black tea"], right["chai"], "Ten.", OVERVIEW
    )
    guide = plan.Guide(writer, shop, list(GOOD), tmp_path / "guide.json")
    section, overview, check = guide.tools
    for called, arguments, says in (
        (overview, {}, "no section yet on green tea, oolong, black tea, chai"),
        (check, {}, "overview: it is not written"),
        (section, {"product": "cake"}, "there is no product 'cake'"),
        (section, {"product": "oolong"}, "the text on oolong is not right yet: Add this fact: 14 grams"),
        (section, {"product": "Oolong tea"}, right["oolong"]),
        (section, {"product": "green tea"}, ""),
        (section, {"product": "black tea"}, ""),
        (section, {"product": "chai"}, ""),
        (overview, {}, "Take out the number 10."),
        (overview, {}, OVERVIEW),
        (check, {}, "The guide agrees."),
    ):
        assert says in (await called.call(arguments)).text
        again = plan.Guide(writer, shop, list(GOOD), tmp_path / "guide.json")
        assert again.parts == guide.parts, "it is kept after each step"
    assert "follow this advice: Add this fact: 14 grams" in writer.asked[1]
    assert guide.text.count("## ") == 5
    assert not plan.Guide(writer, shop, list(GOOD)).read(guide.text).faults()


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("black tea is the cheapest", "chai is the cheapest", "overview: Name black tea."),
        ("at 5 euros", "at 7 euros", "overview: Take out the number 7."),
        ("## Chai", "## Chat", "chai: it is not written"),
        ("from Kawane Gardens", "from Japan", "Add this fact: from Kawane Gardens"),
        ("6.50", "6.50" + " word" * 60, "green tea: Shorten it"),
    ],
)
def test_a_guide_is_wrong_when_a_part_is_missing_or_disagrees(shop: Shop, old: str, new: str, fault: str) -> None:
    parts = {product: ". ".join(plan.all_facts(shop, product)) + "." for product in GOOD} | {"overview": OVERVIEW}
    text = "\n\n".join(f"## {part.capitalize()}\n{said}" for part, said in parts.items())
    guide = lambda text: plan.Guide(Writer(), shop, list(GOOD)).read(text).faults()  # noqa: E731
    assert guide(text) == []
    assert fault in "; ".join(guide(text.replace(old, new, 1)))


async def test_each_round_has_a_row_also_where_the_run_has_ended_before() -> None:
    post, writer = mend.POSTS["market"], Writer("Come!", "Come!")
    run = await mend.Reflective(writer, post.checks, rounds=3).run("Write.")
    rows = mend.by_round(run, post)
    assert (len(writer.asked), [row["round"] for row in rows]) == (2, [0, 1, 2, 3])
    assert [row["stopped"] for row in rows] == [False, False, True, True]
