"""The pieces of chapter 14: all forty questions can be answered over MCP, and their judge takes right answers only."""

from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

import pytest

from llmlab import Host
from llmlab.agents import Run
from llmlab.trace import Trace
from shop import Shop, lay_out
from stub import Stub, reply

pytestmark = pytest.mark.anyio
ch14 = import_module("chapters.ch14")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return lay_out(tmp_path_factory.mktemp("world") / "shop")


@pytest.fixture
async def host(shop: Shop) -> AsyncIterator[Host]:
    async with await Host.open(ch14.servers(shop)) as opened:
        yield opened


def said(answer: str) -> Run:
    return Run("x", "y", Trace(), answer=answer, stopped="done")


def question(shop: Shop, name: str) -> Any:
    [found] = [q for q in ch14.questions(shop) if q.id == name]
    return found


def test_there_are_forty_questions_over_all_servers_and_none_holds_its_answer(shop: Shop) -> None:
    asked = ch14.questions(shop)
    assert (len({q.text for q in asked}), {len(set(q.servers)) for q in asked}) == (40, {1, 2})
    assert not any(q.task().right(said(text)) for q in asked for text in (q.text, ""))


async def test_the_right_calls_give_the_right_answers_from_the_servers(shop: Shop, host: Host) -> None:
    for q in ch14.questions(shop):
        results, answer = await ch14.answer_of(host, q)
        assert q.task().right(said(f"It is {answer}.")), (q.text, answer)
        assert all(len(result) < 2000 for result in results), "short enough for a small model"


def test_the_judge_takes_a_day_in_several_ways_and_no_result_as_it_came(shop: Shop) -> None:
    day, status = question(shop, "calendar 1").task(), question(shop, "orders 1").task()
    assert all(day.right(said(text)) for text in ("2026-04-02", "on 2 April", "April 2, 2026"))
    assert not any(day.right(said(text)) for text in ("2026-04-20", "12 April", "April 22"))
    assert status.right(said("It was cancelled."))
    assert not status.right(said('{"id": 1120, "status": "cancelled"}'))


async def test_a_program_between_the_calls_takes_the_data_and_not_the_words(shop: Shop, host: Host) -> None:
    q = question(shop, "combined 3")
    with Stub() as stub:
        stub.answers = [
            reply("", {"search_posts": '{"text": "milk jug"}'}),
            reply("It is order 9999."),  # wrong, and of no weight
            reply("", {"order_details": '{"order_id": 1129}'}),
            reply("In Galway."),
        ]
        model = await stub.model()
        run = await ch14.Between(model, host, [q]).run(q.text)
        await model.aclose()
    assert "order 1129" in stub.asked[2]["messages"][0]["content"]
    assert q.task().right(run)
