"""The pieces of chapters 10 and 11: teams with faults, thirty tasks that nothing answers by chance."""

import json
from importlib import import_module
from typing import Any

import pytest

from llmlab import Trace
from llmlab.agents import Run
from shop import Shop, lay_out
from stub import Raw, Stub, reply

pytestmark = pytest.mark.anyio
ch10, ch11 = import_module("chapters.ch10"), import_module("chapters.ch11")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return lay_out(tmp_path_factory.mktemp("world") / "shop")


class Clever(Stub):
    """Calls the tool that it is offered for oolong, says the facts that it is given, and adds the one that is missing."""

    def next(self, body: Any) -> Raw:
        asked = str(body["messages"][-1]["content"])
        if "tools" in body:
            name = body["tools"][0]["function"]["name"]
            return Raw(json.dumps(reply("", {name: '{"product": "oolong"}'})))
        if "Add this fact: " in asked:
            advice, text = asked.split("\n\n")
            return Raw(json.dumps(reply(f"{text} {advice.partition('Add this fact: ')[2]}")))
        return Raw(json.dumps(reply(" ".join(asked.splitlines()[1:]).replace("3 minutes", "a while"))))


def run_with(answer: str) -> Run:
    return Run("x", "y", Trace(), answer=answer, stopped="done")


@pytest.mark.parametrize(
    ("fault", "right"),
    [("none", True), ("crashes", True), ("nonsense, unchecked", False), ("nonsense, checked", True), ("floods", True)],
)
async def test_a_broken_analyst_does_not_keep_the_others_from_their_note(world: Shop, fault: str, right: bool) -> None:
    [task] = ch10.notes(world, ["oolong"], fault)
    with Clever() as stub:
        model = await stub.model()
        team = ch10.with_fault(model, world, fault)
        run = await ch10.Newsroom(team, budget=ch10.BUDGET).run(task.text)
        await model.aclose()
    assert run.ok
    assert task.right(run) == right


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
