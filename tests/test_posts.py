"""What chapters 07 and 08 measure with: facts from the shop, checks of posts, tools that fail on purpose."""

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


async def test_the_desk_refuses_what_comes_too_early_and_is_kept_after_each_step(shop: Shop, tmp_path: Path) -> None:
    texts = ('{"headings": ["Brewing", "Sales"]}', "Nothing.", "Nothing.", "Water, 3.")
    desk = plan.Desk(Writer(*texts), shop, tmp_path / "desk.json")
    search, ask, outline, write, check = desk.tools
    oolong, one, two = {"product": "oolong"}, {"number": 1}, {"number": 2}
    for called, arguments, says in (
        (outline, {}, "no facts yet"),
        (search, oolong, ""),
        (ask, oolong, ""),
        (outline, {}, ""),
        (check, {}, "not written yet"),
        (write, one, ""),
        (write, two, ""),
        (check, {}, "section 1 has to be written again"),
        (write, one, "Water, 3."),
    ):
        assert says in (await called.call(arguments)).text
        again = plan.Desk(desk.model, shop, tmp_path / "desk.json")
        for part in ("product", "facts", "headings", "sections", "advice"):
            assert getattr(again, part) == getattr(desk, part), called.name
    assert "by this advice: Add this fact: 14 grams" in desk.model.asked[-1]
    desk.sections = {n: ". ".join(facts) for n, facts in enumerate(desk.facts.values(), 1)}
    assert (await check.call({})).ok


async def test_each_round_has_a_row_also_where_the_run_has_ended_before() -> None:
    post, writer = mend.POSTS["market"], Writer("Come!", "Come!")
    run = await mend.Reflective(writer, post.checks, rounds=3).run("Write.")
    rows = mend.by_round(run, post)
    assert (len(writer.asked), [row["round"] for row in rows]) == (2, [0, 1, 2, 3])
    assert [row["stopped"] for row in rows] == [False, False, True, True]
