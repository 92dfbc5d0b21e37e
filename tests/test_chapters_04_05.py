"""The pieces of chapters 04 and 05: right answers pass their judges, wrong ones are sorted by how they fail."""

import sqlite3
from contextlib import closing
from importlib import import_module
from typing import Any

import pytest

from llmlab import Trace
from llmlab.agents import Run
from shop import SCHEMA, Shop, lay_out, query
from stub import Stub, reply

pytestmark = pytest.mark.anyio
ch04, ch05 = import_module("chapters.ch04"), import_module("chapters.ch05")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return lay_out(tmp_path_factory.mktemp("world") / "shop")


def run_with(answer: str) -> Run:
    return Run("x", "y", Trace(), answer=answer, stopped="done")


def test_there_are_forty_tasks_of_each_job_and_no_two_are_the_same(world: Shop) -> None:
    jobs = ch05.jobs(world.db)
    assert [sum(j.job == name for j in jobs) for name in ("sql", "tweet", "direct")] == [40, 40, 40]
    assert len({j.text for j in jobs}) == 120


@pytest.mark.parametrize(
    ("number", "names", "question"),
    [
        (13, ["customers"], "How many customers live in Galway?"),
        (33, ["orders", "customers"], "Who placed order 1143? Name only."),
        (39, ["customers", "orders"], "Which customers have never ordered? Names only."),  # the second in a sub-query
    ],
)
async def test_a_question_goes_out_below_the_tables_that_it_is_about_and_no_others(
    world: Shop, number: int, names: list[str], question: str
) -> None:
    [job] = [j for j in ch05.jobs(world.db) if j.id == f"sql {number}"]
    with Stub() as stub:
        model = await stub.model()
        await ch05.agent(model, "sql").run(job.text)
        await model.aclose()
    [body] = stub.asked
    shown = "\n".join(line for name in names for line in SCHEMA.splitlines() if f"TABLE {name} " in line)
    assert [m["content"] for m in body["messages"]] == [f"{shown}\n\n{question} Write the SQLite query."]


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        ("SELECT COUNT(*) FROM customers WHERE city = 'Galway';", ""),
        ("```sql\nSELECT SUM(1.0) FROM customers WHERE city = 'Galway'\n```", ""),
        ("SELECT COUNT(*) FROM customers", "runs, other rows"),
        ("SELECT city, COUNT(*) FROM customers WHERE city = 'Galway'", "runs, other columns"),
        ("SELECT COUNT(*) FROM clients", "does not run"),
        ("DELETE FROM customers", "does not run"),
        ("", "does not run"),
    ],
)
def test_a_query_is_judged_by_its_rows(world: Shop, answer: str, how: str) -> None:
    assert ch05.sql_fails(world.db, answer, "SELECT COUNT(*) FROM customers WHERE city = 'Galway'") == how


@pytest.mark.parametrize(
    ("tweet", "how"),
    [
        ("The gift box costs 29.00 euros!", ""),
        ("The gift box costs 129 euros!", "a fact is lost"),
        ("The gift box costs 29 euros, from 19 May.", "a number is made up"),
        ("The gift box costs 29 euros. " + "Come! " * 20, "too long"),
        (" ", "empty"),
    ],
)
def test_a_tweet_is_judged_by_its_length_facts_and_numbers(tweet: str, how: str) -> None:
    text = "The gift box has been in the shop since 18 May. It costs 29 euros."
    assert ch05.tweet_fails(tweet, text, 100, ["gift box", "29"]) == how


def test_an_answer_holds_a_word_from_its_beginning_and_a_number_whole() -> None:
    assert ch05.holds("They turn into butterflies.", ["butterfl"])
    assert not ch05.holds("It has 60 legs.", ["6"])
    assert not ch05.holds("That is unlike us.", ["like"])


async def test_each_job_is_one_call_and_what_failed_is_kept(world: Shop) -> None:
    with Stub() as stub:
        stub.answers = [reply("SELECT nonsense FROM orders")]
        model = await stub.model()
        [job] = [j for j in ch05.jobs(world.db) if j.id == "sql 12"]
        measured = await ch05.measure(model, [job])
        await model.aclose()
    assert len(stub.asked) == 1
    [row] = measured.rows
    assert (row["right"], row["how"], row["calls"]) == (False, "does not run", 1)


def test_the_tasks_of_chapter_04_are_of_three_kinds_and_not_answered_by_nothing(world: Shop) -> None:
    tasks = ch04.tasks(world)
    kinds = [task.about["kind"] for task in tasks]
    assert [kinds.count(k) for k in ("look up", "look up and act", "no tool needed")] == [24, 8, 8]
    assert not any(task.right(run_with("")) for task in tasks)


async def test_an_errand_is_right_when_the_post_is_there_and_not_when_it_is_only_claimed(world: Shop) -> None:
    tools = {tool.name: tool for tool in ch04.tools(world)}
    [task] = [task for task in ch04.tasks(world) if task.id == "post 1018"]
    name = (await tools["get_order"].call({"order_id": 1018})).value["customer"]
    assert not task.right(run_with(f"I have posted {name}."))
    await tools["post_message"].call({"channel": "#orders", "text": f"It was {name}."})
    assert ch04.posts(world) == [f"orders: It was {name}."]
    assert task.right(run_with(""))
    assert ch04.posts(world) == [], "the next task begins with a clean channel"


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("get_order", {"order_id": 7}, "there is no order 7"),
        ("get_customer", {"name": "Nobody"}, "there is no customer Nobody"),
        ("post_message", {"channel": "cats", "text": "x"}, "there is no channel cats; there are general, orders"),
    ],
)
async def test_a_tool_of_the_shop_says_what_is_not_there(
    world: Shop, name: str, arguments: dict[str, Any], says: str
) -> None:
    [tool] = [tool for tool in ch04.tools(world) if tool.name == name]
    result = await tool.call(arguments)
    assert not result.ok
    assert says in result.text


def test_the_facts_asked_for_in_chapter_04_are_those_of_the_database(world: Shop) -> None:
    [task] = [task for task in ch04.tasks(world) if task.id == "status 1023"]
    [[status]] = query(world.db, "SELECT status FROM orders WHERE id = 1023").rows
    assert task.right(run_with(f"Order 1023 is {status}."))
    with closing(sqlite3.connect(world.db)) as db:
        others = [row[0] for row in db.execute("SELECT DISTINCT status FROM orders WHERE status <> ?", [status])]
    assert not any(task.right(run_with(f"Order 1023 is {other}.")) for other in others)


def test_the_measured_database_is_left_as_it_was(world: Shop) -> None:
    before = world.db.read_bytes()
    assert all(job.fails("DROP TABLE orders") for job in ch05.jobs(world.db))
    assert world.db.read_bytes() == before
