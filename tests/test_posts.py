"""What chapters 07 and 08 measure with: facts from the shop, checks of posts, tools that fail on purpose."""

import json
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmlab import Trace
from llmlab.agents.reflective import Draft
from llmlab.tools import tool
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


# Chapter 07


@pytest.mark.parametrize("product", plan.PRODUCTS)
def test_each_product_has_facts_in_the_documents_and_in_the_database(product: str, shop: Shop) -> None:
    said, sold = plan.facts_in_documents(shop, product), plan.facts_in_database(shop, product)
    assert len(said) >= 3
    assert len(sold) == 2
    documents = " ".join(f.read_text(encoding="utf-8") for f in shop.documents.glob("*.md"))
    assert {name for fact in said for name in plan.names(fact)} <= plan.names(documents)
    assert not plan.faults(". ".join(said + sold), said + sold)


def test_a_fault_is_a_missing_fact_or_a_number_that_was_invented() -> None:
    facts = ["ready after 3 minutes", "price: 11.00 euros", "from Kawane Gardens in Shizuoka"]
    good = "For 11 euros you get leaves from Kawane Gardens, Shizuoka, that are ready in three minutes."
    assert plan.faults(good, facts) == []
    assert plan.faults(good.replace("three", "four"), facts) == [
        "Add this fact: ready after 3 minutes.",
        "Take out the number 4.",
    ]
    assert plan.faults(good.replace("Shizuoka", "Japan"), facts) == [f"Add this fact: {facts[2]}."]
    assert plan.faults(f"1. {good}\n2. At 85 degrees.", facts, ["water at 85 degrees"]) == []


async def test_the_tools_of_the_desk_refuse_what_comes_too_early_and_end_in_a_checked_post(shop: Shop) -> None:
    desk = plan.Desk(Writer('{"headings": ["Brewing", "Sales"]}', "Nothing.", "Nothing.", "Water, 3."), shop)
    search, ask, outline, write, check = desk.tools
    assert "no facts yet" in (await outline.call({})).text
    assert "has 0 sections" in (await write.call({"number": 1})).text
    assert "nothing is known about 'coal'" in (await search.call({"product": "coal"})).text
    for called in (search, ask):
        assert (await called.call({"product": "oolong"})).ok
    assert (await outline.call({})).ok
    assert "not written yet" in (await check.call({})).text
    for number in (1, 2):
        assert (await write.call({"number": number})).ok
    assert "section 1 has to be written again: Add this fact: 14 grams" in (await check.call({})).text
    assert (await write.call({"number": 1})).text == "Water, 3."
    assert desk.model.asked[-1] == "Revise the text by this advice: Add this fact: 14 grams for a litre.\n\nNothing."
    desk.sections = {n: ". ".join(facts) for n, facts in enumerate(desk.facts.values(), 1)}
    assert (await check.call({})).ok


async def test_a_desk_with_a_file_is_as_it_was_after_each_change_of_it(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "desk.json"
    desk = plan.Desk(Writer('{"headings": ["Brewing"]}', "Water, 3."), shop, file)
    search, _, outline, write, check = desk.tools
    for called, arguments in ((search, {"product": "oolong"}), (outline, {}), (write, {"number": 1}), (check, {})):
        await called.call(arguments)
        again = plan.Desk(desk.model, shop, file)
        for part in ("product", "facts", "headings", "sections", "advice"):
            assert getattr(again, part) == getattr(desk, part), called.name


async def test_a_failing_tool_fails_so_often_and_then_works_with_its_arguments_still_checked() -> None:
    def double(number: int) -> int:
        """Double a number."""
        return 2 * number

    broken = plan.failing(tool(double), 2)
    assert [(await broken.call({"number": 4})).text for _ in range(3)] == ["error: double does not answer"] * 2 + ["8"]
    assert "does not take these arguments" in (await broken.call({"number": "four"})).text
    assert broken.openai() == tool(double).openai()


# Chapter 08


@pytest.mark.parametrize("name", mend.POSTS)
def test_a_passage_holds_what_its_post_has_to_say_and_is_no_good_post_itself(name: str, shop: Shop) -> None:
    post = mend.POSTS[name]
    length, *facts, question = post.checks
    text = post.text(shop)
    assert len(facts) == 2
    assert not any(fact.check(text) for fact in facts)
    assert length.check(text)
    assert question.check(text)
    assert all(str(wanted) in post.task(shop) for wanted in (post.words, *post.facts))


def test_half_of_the_verdicts_are_no_for_each_criterion() -> None:
    for criterion in {criterion for criterion, _, _ in mend.JUDGED}:
        truths = [truth for asked, _, truth in mend.JUDGED if asked == criterion]
        assert len(truths) == 8
        assert sum(truths) == 4
    for criterion, text, truth in mend.JUDGED:
        if "question" in criterion:
            assert truth is (mend.asks(text) == "")
        if "price" in criterion:
            assert truth is ("euro" in text)


def test_a_price_is_said_with_or_without_its_cents_but_not_inside_another_number() -> None:
    check = mend.says("the price", "15.00 euros")
    assert check("It costs 15 euros.") == check("It costs 15.00 euros.") == ""
    assert check("It costs 115 euros.") == check("It costs 8.15 euros.") == "Mention the price (15.00 euros)."


def test_the_rounds_keep_the_best_draft_and_cost_nothing_after_an_early_end() -> None:
    post = mend.POSTS["market"]
    good, bad = "On Eyre Square until 20:00! Will you come?", "Come!"
    trace = Trace("rounds")
    with trace.span("reflective"):
        for tokens in (10, 20):
            with trace.span(f"round {tokens}"), trace.step("model", "chat", **{"gen_ai.usage.input_tokens": tokens}):
                pass
    run = SimpleNamespace(notes={"drafts": [Draft(good, 4, "Go on."), Draft(bad, 1, "")]}, trace=trace, part=1)
    rows = mend.by_round(run, post)
    assert [(row["right"], row["last right"], row["tokens"]) for row in rows] == [
        (True, True, 10),
        (True, False, 30),
        (True, False, 30),
        (True, False, 30),
    ]
    assert [row["stopped"] for row in rows] == [False, False, True, True]
    assert [row["round"] for row in mend.worse(rows)] == [1]


async def test_a_run_that_would_ask_the_same_again_has_a_row_for_each_round_all_the_same() -> None:
    post, writer = mend.POSTS["market"], Writer("Come!", "Come!")
    run = await mend.Reflective(writer, post.checks, rounds=3).run("Write.")
    rows = mend.by_round(run, post)
    assert (len(writer.asked), [row["round"] for row in rows]) == (2, [0, 1, 2, 3])
    assert [row["stopped"] for row in rows] == [False, False, True, True]
    assert {(row["met"], row["best met"], row["text"]) for row in rows} == {(1, 1, "Come!")}


async def test_new_drafts_by_chance_are_made_although_two_are_the_same() -> None:
    post, writer = mend.POSTS["market"], Writer("Come!", "Come!", "Come!", "Come to Eyre Square!")
    run = await mend.new_drafts(writer, post).run("Write.")
    assert (run.answer, writer.asked) == ("Come to Eyre Square!", ["Write."] * 4)
    assert run.why == "The rounds are used up; the best draft meets 2 of 4 criteria."


def test_a_judge_that_is_the_writer_itself_is_not_measured_twice() -> None:
    def a_model(source: str, name: str) -> Any:
        return SimpleNamespace(source=source, name=name, provenance={})

    box, small, endpoint = a_model("embedded", "box"), a_model("embedded", "small"), a_model("endpoint", "large")
    assert mend.judges_of(box, small) == {"the same model": box, "small": small}
    assert mend.judges_of(box, box) == {"the same model": box}
    assert mend.judges_of(endpoint, a_model("endpoint", "large")) == {"the same model": endpoint}
    assert list(mend.judges_of(box, endpoint)) == ["the same model", "large"]
