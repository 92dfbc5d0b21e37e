"""Members that write to each other: order, failures, floods, and teams that cannot work."""

import asyncio
import dataclasses
from typing import Any

import pytest
from scripted import Script

from llmlab import Budget, LabError, Trace
from llmlab.agents import Agent, Letter, Member, Run, SingleStep, Team
from llmlab.agents.team import PERSON, ROOM

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


class Says(Agent):
    """Answers without a model, and remembers what it was asked."""

    def __init__(self, *answers: Any):
        super().__init__(Script("").model)
        self.answers, self.asked = list(answers), list[str]()

    async def work(self, run: Run) -> None:
        self.asked.append(run.task)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        run.answer = await answer() if callable(answer) else answer


async def crashing() -> str:
    raise ZeroDivisionError("division by zero")


def member(name: str, agent: Agent | None = None, *after: str, **more: Any) -> Member:
    return Member(name, f"{name}'s goal.", agent or Says(f"{name}'s part"), after, **more)


def short(text: str) -> str:
    return "" if len(text) < 10 else "it is too long"


async def test_members_work_in_the_order_of_their_letters_and_the_last_one_answers() -> None:
    writer, editor = Says("text"), Says("book")
    team = Team([member("editor", editor, "writer", "analyst"), member("writer", writer, "collector"),
                 member("analyst", None, "collector"), member("collector")])  # fmt: skip
    run = await team.run("A book.")
    assert (run.stopped, run.answer) == ("done", "book")
    assert writer.asked == ["writer's goal.\ncollector: collector's part"]
    assert editor.asked == ["editor's goal.\nwriter: text\nanalyst: analyst's part"]
    parts = {"collector": "collector's part", "writer": "text", "analyst": "analyst's part", "editor": "book"}
    assert run.notes["results"] == parts


async def test_nonsense_is_asked_for_anew_once() -> None:
    editor = Says("a very long book", "short")
    run = await Team([member("writer"), member("editor", editor, PERSON, "writer", accept=short)]).run("A book.")
    letters = "editor's goal.\nA book.\nwriter: writer's part"
    assert (run.answer, editor.asked) == ("short", [letters, f"{letters}\nit is too long"])


async def test_letters_are_read_in_the_order_of_after_whichever_comes_first() -> None:
    hold = asyncio.Event()

    async def last() -> str:
        await hold.wait()
        return "slow"

    async def first() -> str:
        hold.set()  # so both work side by side
        return "fast"

    editor = Says("book")
    members = [member("slow", Says(last)), member("fast", Says(first)), member("editor", editor, "slow", "fast")]
    await Team(members).run("Go.")
    assert editor.asked == ["editor's goal.\nslow: slow\nfast: fast"]


async def test_each_letter_keeps_to_the_contract_and_is_an_event_of_the_trace() -> None:
    run = await Team([member("a"), member("b", None, "a")]).run("Do it.")
    letters = run.notes["letters"]
    assert letters == [
        Letter(PERSON, "a", "task", "Do it."),
        Letter("a", "b", "result", "a's part"),
        Letter("b", PERSON, "result", "b's part"),
    ]
    assert [event.attributes for event in run.trace.of("event")] == [dataclasses.asdict(letter) for letter in letters]
    with pytest.raises(dataclasses.FrozenInstanceError):
        letters[0].text = "Do something else."


def broken(text: str) -> str:
    raise KeyError(text)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (lambda: member("analyst", Says(crashing)), "analyst crashed (ZeroDivisionError: division by zero)"),
        (lambda: member("analyst", accept=broken), "analyst crashed (KeyError"),
        (lambda: member("analyst", Says("a very long text"), accept=short), "no usable result: it is too long"),
        (lambda: member("analyst", accept=lambda text: False), "accept returns what is wrong with a result, or ''"),
        (
            lambda: member("analyst", SingleStep(Script("").model, budget=Budget(steps=0))),
            "analyst stopped: The budget",
        ),
    ],
)
async def test_a_member_that_fails_tells_the_others_and_they_go_on(fault: Any, says: str) -> None:
    editor = Says("without figures")
    run = await Team([fault(), member("writer"), member("editor", editor, "analyst", "writer")]).run("A book.")
    assert (run.stopped, run.answer, list(run.notes["results"])) == ("done", "without figures", ["writer", "editor"])
    assert says in editor.asked[0]
    assert [letter.kind for letter in run.notes["letters"] if letter.sender == "analyst"] == ["failure"]


async def test_when_the_budget_of_the_team_ends_the_run_says_so_and_keeps_the_parts() -> None:
    script = Script("part")
    members = [member(f"m{i}", SingleStep(script.model), *([f"m{i - 1}"] if i else [])) for i in range(6)]
    run = await Team(members, budget=Budget(steps=3)).run("A book.")
    assert (run.stopped, run.answer, len(script.asked)) == ("steps", "part", 3)
    assert list(run.notes["results"]) == ["m0", "m1", "m2"]


@pytest.mark.parametrize("sender", ["flooder", "a stranger"])
async def test_a_member_that_floods_an_inbox_has_to_wait_and_the_letters_of_others_arrive(sender: str) -> None:
    async def flood() -> str:
        for i in range(1000):
            await editor.inbox.put(Letter(sender, "editor", "result", f"spam {i}"))
            assert editor.inbox.qsize() <= ROOM
        return "flooded"

    says = Says("book")
    editor = member("editor", says, "flooder", "writer")
    run = await asyncio.wait_for(Team([member("flooder", Says(flood)), member("writer"), editor]).run("A book."), 60)
    assert (run.stopped, run.answer) == ("done", "book")
    assert "writer: writer's part" in says.asked[0]
    assert says.asked[0].count("spam") == (1 if sender == "flooder" else 0)


async def test_a_team_begins_each_run_with_empty_inboxes() -> None:
    hold, editor = asyncio.Event(), Says("book")

    async def wait() -> str:
        await hold.wait()
        return "slow"

    fast, slow = member("fast", Says("old", "new")), member("slow", Says(wait))
    team = Team([fast, slow, member("editor", editor, "fast", "slow")])
    with Trace() as trace:
        first = asyncio.create_task(team.run("First."))
        while not any(event.get("to") == "editor" for event in trace.of("event")):
            await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    hold.set()
    await team.run("Second.")
    assert editor.asked == ["editor's goal.\nfast: new\nslow: slow"]


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([], "but got none"),
        ([("a", ()), ("a", ())], "names of their own"),
        ([("you", ())], "not 'you'"),
        ([("a", ("b",))], "but got a: .+ after b"),
        ([("a", ()), ("b", ())], "one for whom nobody waits, but got a: .+ after you; b: .+ after you"),
        ([("a", ("b",)), ("b", ("a",)), ("c", ("a",))], "wait in a circle"),
        ([("a", ("a",))], "wait in a circle: a, a"),
    ],
)
async def test_a_team_that_could_never_end_is_refused_in_a_sentence(members: list[Any], says: str) -> None:
    with pytest.raises(LabError, match=says):
        Team([member(name, None, *after) for name, after in members])


async def test_a_member_without_an_agent_is_refused_in_a_sentence() -> None:
    with pytest.raises(LabError, match=r"A team has agents.*but got a: str after you"):
        Team([Member("a", "Write.", "the model")])  # type: ignore[arg-type]
