"""The pieces of chapter 05: right answers pass their judges, wrong ones are sorted by how they fail."""

from importlib import import_module

import pytest

from llmlab import Trace
from llmlab.agents import Run
from shop import SCHEMA, Shop, lay_out
from stub import Stub, reply

pytestmark = pytest.mark.anyio
ch05 = import_module("chapters.ch05")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return lay_out(tmp_path_factory.mktemp("world") / "shop")


def run_with(answer: str) -> Run:
    return Run("x", "y", Trace(), answer=answer, stopped="done")


async def test_a_question_goes_out_in_one_call_below_the_tables_that_it_is_about(world: Shop) -> None:
    jobs = {job.id: job for job in ch05.jobs(world.db)}
    with Stub() as stub:
        stub.answers = [reply("SELECT nonsense FROM orders")]
        model = await stub.model()
        measured = await ch05.measure(model, [jobs["sql 33"]])
        await model.aclose()
    [body], [row] = stub.asked, measured.rows
    shown = "\n".join(SCHEMA.splitlines()[n] for n in (1, 0))  # orders, customers
    question = "Who placed order 1143? Name only. Write the SQLite query."
    assert [m["content"] for m in body["messages"]] == [f"{shown}\n\n{question}"]
    assert (row["right"], row["how"], row["calls"]) == (False, "does not run", 1)


def test_a_query_is_judged_by_its_rows_and_a_tweet_by_its_length_facts_and_numbers(world: Shop) -> None:
    gold = "SELECT COUNT(*) FROM customers WHERE city = 'Galway'"
    for query_, how in {
        gold: "",
        "```sql\nSELECT SUM(1.0) FROM customers WHERE city = 'Galway'\n```": "",
        "SELECT COUNT(*) FROM customers": "runs, other rows",
        gold.replace("COUNT(*)", "city, COUNT(*)"): "runs, other columns",
        "DELETE FROM customers": "does not run",
    }.items():
        assert ch05.sql_fails(world.db, query_, gold) == how
    for tweet, how in {
        "The gift box costs 29.00 euros!": "",
        "The gift box costs 129 euros!": "a fact is lost",
        "The gift box costs 29 euros, from 19 May.": "a number is made up",
        "The gift box costs 29 euros. " + "Come! " * 20: "too long",
    }.items():
        text = "The gift box has been in the shop since 18 May. It costs 29 euros."
        assert ch05.tweet_fails(tweet, text, 100, ["gift box", "29"]) == how
