"""The pieces of chapters 10 and 11: teams with faults, letters that grow, thirty tasks that nothing answers by chance."""

import json
from importlib import import_module
from typing import Any

import pytest

from llmlab import Trace
from llmlab.agents import Agent, Run
from llmlab.agents.team import ROOM
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
        return Raw(json.dumps(reply(" ".join(line for line in asked.splitlines()[1:]).replace("3 minutes", "a while"))))


class Silent(Agent):
    async def work(self, run: Run) -> None:
        run.answer = "…"


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
    if fault == "floods":
        assert 0 < team[1].agent.most <= ROOM


@pytest.mark.parametrize("size", [1, 2, 5])
async def test_letters_grow_with_the_team_or_with_its_square(size: int) -> None:
    counts = []
    for everybody in (False, True):
        with Stub() as stub:
            model = await stub.model()
            team = ch10.growing(size, everybody, lambda: Silent(model), Silent(model))  # noqa: B023
            counts.append(ch10.letters_of(await team.run("A note.")))
            await model.aclose()
    assert counts == [2 * size + 1, (size + 1) ** 2]


def test_each_fact_goes_to_one_writer_and_can_be_counted_in_the_text() -> None:
    goals = [m.goal for m in ch10.growing(3, False, lambda: Silent(None), Silent(None)).members.values()]
    assert all(sum(fact in goal for goal in goals) == 1 for fact in ch10.FACTS)
    assert all(ch10.POSTS.numbers(fact) for fact in ch10.FACTS)


def test_the_editor_finds_the_facts_in_its_letters() -> None:
    letters = (
        "Compare.\ncollector: chai: at 100 degrees; 5 minutes\nanalyst: chai: price: 7 euros\nwriter: Chai.\nIt is hot."
    )
    assert ch10.facts_and_text(letters) == (["at 100 degrees", "5 minutes", "price: 7 euros"], "Chai.\nIt is hot.")


def test_there_are_five_tasks_of_each_kind_and_nothing_answers_none_of_them(world: Shop) -> None:
    tasks = ch11.tasks(world)
    assert [sum(t.about["kind"] == kind for t in tasks) for kind in ch11.KINDS] == [5] * 6
    assert len({task.text for task in tasks}) == 30
    assert not any(task.right(run_with("")) or task.right(run_with("I do not know.")) for task in tasks)


def test_a_limit_in_the_task_becomes_a_check_by_program() -> None:
    limit, answers = ch11.criteria_of("Turn this into a tweet of at most 20 characters.\n\nA text.")
    assert (limit.check("Short."), limit.check("x" * 21)) == ("", "Shorten it to at most 20 characters.")
    assert (answers.check, "A text" in answers.text) == (None, False)
    assert len(ch11.criteria_of("What is ice?")) == 1


async def test_only_lists_of_numbers_are_split() -> None:
    with Stub() as stub:
        stub.answers = [reply("12")]
        model = await stub.model()
        for task in ("What is: ice, snow or rain?", "Add these numbers: 5, 7"):
            assert str(await ch11.Splits(model).run(task)) == "12"
        await model.aclose()
    assert [body["messages"][-1]["content"] for body in stub.asked] == [
        "What is: ice, snow or rain?",
        "Add these numbers: 5, 7\n\nJust the number.",
    ]


async def test_each_member_of_the_office_is_told_the_task(world: Shop) -> None:
    with Stub() as stub:
        stub.answers = [reply("Answer: Paris")]
        model = await stub.model()
        run = await ch11.agents(model, world)["team"].run("What is the capital of France?")
        await model.aclose()
    assert str(run) == "Answer: Paris"
    assert all("What is the capital of France?" in body["messages"][-1]["content"] for body in stub.asked)
    assert (len(stub.asked), "thinker: Paris" in stub.asked[-1]["messages"][-1]["content"]) == (3, True)
