"""The pieces of chapter 11: thirty tasks that nothing answers by chance, an office in which all hear the task."""

from importlib import import_module

import pytest

from llmlab import Trace
from llmlab.agents import Run
from shop import Shop, lay_out
from stub import Stub, reply

pytestmark = pytest.mark.anyio
ch11 = import_module("chapters.ch11")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return lay_out(tmp_path_factory.mktemp("world") / "shop")


def run_with(answer: str) -> Run:
    return Run("x", "y", Trace(), answer=answer, stopped="done")


def test_nothing_answers_none_of_them(world: Shop) -> None:
    tasks = ch11.tasks(world)
    assert not any(task.right(run_with("")) or task.right(run_with("I do not know.")) for task in tasks)


async def test_each_member_of_the_office_is_told_the_task(world: Shop) -> None:
    with Stub() as stub:
        stub.answers = [reply("Answer: Paris")]
        model = await stub.model()
        run = await ch11.agents(model, world)["team"].run("What is the capital of France?")
        await model.aclose()
    assert str(run) == "Answer: Paris"
    assert all("What is the capital of France?" in body["messages"][-1]["content"] for body in stub.asked)
    assert (len(stub.asked), "thinker: Paris" in stub.asked[-1]["messages"][-1]["content"]) == (3, True)
