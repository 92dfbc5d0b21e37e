"""Members that write to each other: order, failures, floods, and teams that cannot work."""

import asyncio
import dataclasses
from typing import Any

import pytest
from scripted import Script, acts, look

from llmlab import Budget, LabError, Trace
from llmlab.agents import Agent, Letter, Member, Run, SingleStep, Team
from llmlab.agents.team import PERSON, ROOM
from sentence import is_one_sentence

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


class Crashes(Agent):
    """Has a bug."""

    async def work(self, run: Run) -> None:
        raise ZeroDivisionError("division by zero")


def member(name: str, agent: Agent | None = None, *after: str, **more: Any) -> Member:
    return Member(name, f"{name}'s goal.", agent or Says(f"{name}'s part"), after, **more)


async def test_members_work_in_the_order_of_their_letters_and_the_last_one_answers() -> None:
    writer, editor = Says("text"), Says("book")
    team = Team([member("editor", editor, "writer", "analyst"), member("writer", writer, "collector"),
                 member("analyst", None, "collector"), member("collector")])  # fmt: skip
    run = await team.run("A book.")
    assert (run.stopped, run.answer) == ("done", "book")
    assert writer.asked == ["writer's goal.\ncollector: collector's part"]
    assert sorted(editor.asked[0].splitlines()) == ["analyst: analyst's part", "editor's goal.", "writer: text"]
    assert run.notes["results"] == {
        "collector": "collector's part",
        "writer": "text",
        "analyst": "analyst's part",
        "editor": "book",
    }


async def test_what_a_member_reads_is_made_of_prompts_that_can_be_changed() -> None:
    editor = Says("book", "a good book")
    prompts = {"from a colleague": "\n<{sender}>{text}</{sender}>", "again": "{task}\nNot yet: {wrong}"}
    accept = lambda text: "" if "good" in text else "make it good"  # noqa: E731
    members = [member("writer"), member("editor", editor, PERSON, "writer", accept=accept)]
    run = await Team(members, prompts=prompts).run("A book.")
    letters = "editor's goal.\nA book.\n<writer>writer's part</writer>"
    assert (run.answer, editor.asked) == ("a good book", [f"{letters}\nNot yet:", f"{letters}\nNot yet: make it good"])


async def test_a_member_without_letters_to_read_gets_its_goal_alone() -> None:
    class Deaf(Team):
        async def answer(self, member: Member, task: str, read: Any) -> Any:
            return await super().answer(member, task, [])

    writer = Says("text", "good text")
    accept = lambda text: "" if "good" in text else "make it good"  # noqa: E731
    await Deaf([member("writer", writer, accept=accept)]).run("A book.")
    assert writer.asked == ["writer's goal.", "writer's goal.\nmake it good"]


async def test_letters_are_read_in_the_order_of_after_whichever_comes_first() -> None:
    hold = asyncio.Event()

    async def last() -> str:
        await hold.wait()
        return "slow"

    async def first() -> str:
        hold.set()
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
    assert [dict(event.attributes) for event in run.trace.of("event")] == [
        dataclasses.asdict(letter) for letter in letters
    ]
    with pytest.raises(dataclasses.FrozenInstanceError):
        letters[0].text = "Do something else."


async def test_those_who_wait_for_nobody_work_side_by_side() -> None:
    both = asyncio.Barrier(2)

    async def meets() -> str:
        await both.wait()
        return "met"

    team = Team([member("a", Says(meets)), member("b", Says(meets)), member("c", None, "a", "b")])
    assert (await team.run("Meet.")).ok


async def test_members_have_tools_and_models_of_their_own() -> None:
    collector, writer = Script(acts(("look", {"city": "Oslo"}))), Script("It rains.")
    team = Team(
        [
            member("collector", SingleStep(collector.model, [look])),
            member("writer", SingleStep(writer.model), "collector"),
        ]
    )
    run = await team.run("Weather?")
    assert (run.answer, writer.said) == ("It rains.", ["writer's goal.\ncollector: Rain in Oslo."])
    assert ("tools" in collector.asked[0], "tools" in writer.asked[0]) == (True, False)
    assert [step.name for step in run.trace.of("span")] == ["team", "single step", "single step"]


async def test_a_member_that_crashes_is_a_failure_that_the_others_are_told() -> None:
    editor = Says("without figures")
    team = Team(
        [member("analyst", Crashes(Script("").model)), member("writer"), member("editor", editor, "analyst", "writer")]
    )
    run = await team.run("A book.")
    assert (run.stopped, run.answer) == ("done", "without figures")
    assert "analyst: analyst crashed (ZeroDivisionError: division by zero)" in editor.asked[0]
    assert "analyst" not in run.notes["results"]


async def test_a_member_that_is_stopped_is_a_failure_with_its_reason() -> None:
    analyst = SingleStep(Script("never").model, budget=Budget(steps=0))
    run = await Team([member("analyst", analyst), member("editor", None, "analyst")]).run("A book.")
    assert run.ok
    failure = run.notes["letters"][1]
    assert failure.kind == "failure"
    assert "analyst stopped: The budget allows 0 model and tool steps" in failure.text


def not_short(text: str) -> str:
    return "" if len(text) < 10 else "it is too long"


async def test_nonsense_is_asked_for_anew_once_with_what_is_wrong() -> None:
    writer = Says("a very long text", "short")
    run = await Team([member("writer", writer, accept=not_short)]).run("Write.")
    assert (run.answer, writer.asked) == ("short", ["writer's goal.\nWrite.", "writer's goal.\nWrite.\nit is too long"])


async def test_nonsense_twice_is_a_failure_of_that_member_only() -> None:
    editor = Says("book")
    run = await Team(
        [member("writer", Says("a very long text"), accept=not_short), member("editor", editor, "writer")]
    ).run("Write.")
    assert run.answer == "book"
    assert "writer: writer gave no usable result: it is too long" in editor.asked[0]


async def test_a_check_that_crashes_is_a_failure_too_and_nobody_waits_forever() -> None:
    def crash(text: str) -> str:
        raise KeyError(text)

    run = await Team([member("writer", accept=crash), member("editor", None, "writer")]).run("Write.")
    assert run.answer == "editor's part"
    assert "writer crashed (KeyError" in run.notes["letters"][1].text


async def test_when_the_last_one_fails_the_run_says_so_and_keeps_the_parts() -> None:
    run = await Team([member("writer"), member("editor", Crashes(Script("").model), "writer")]).run("A book.")
    assert (run.stopped, run.answer) == ("error", "writer's part")
    assert is_one_sentence(run.why)
    assert "editor crashed" in run.why


async def test_when_the_budget_of_the_team_ends_the_run_says_so_and_keeps_the_parts() -> None:
    script = Script("part")
    members = [Member("m0", "Go.", SingleStep(script.model))]
    members += [Member(f"m{i}", "Go.", SingleStep(script.model), [f"m{i - 1}"]) for i in range(1, 6)]
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
    team = Team([member("flooder", Says(flood)), member("writer"), editor])
    run = await asyncio.wait_for(team.run("A book."), 60)
    assert (run.stopped, run.answer) == ("done", "book")
    assert "writer: writer's part" in says.asked[0]
    assert says.asked[0].count("spam") == (1 if sender == "flooder" else 0)


async def test_more_letters_at_once_than_there_is_room_for_all_arrive() -> None:
    many = [member(f"m{i}") for i in range(3 * ROOM)]
    says = Says("book")
    team = Team([*many, member("editor", says, *(one.name for one in many))])
    run = await asyncio.wait_for(team.run("A book."), 60)
    assert run.answer == "book"
    assert len(says.asked[0].splitlines()) == 1 + 3 * ROOM


async def test_a_team_begins_each_run_with_empty_inboxes() -> None:
    hold = asyncio.Event()

    async def wait() -> str:
        await hold.wait()
        return "slow"

    editor = Says("book")
    team = Team(
        [member("fast", Says("old", "new")), member("slow", Says(wait)), member("editor", editor, "fast", "slow")]
    )
    with Trace() as trace:
        first = asyncio.create_task(team.run("First."))
        while not any(event.get("to") == "editor" for event in trace.of("event")):
            await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    hold.set()
    await team.run("Second.")
    assert sorted(editor.asked[0].splitlines()) == ["editor's goal.", "fast: new", "slow: slow"]


async def test_two_runs_of_one_team_side_by_side_do_not_read_each_others_letters() -> None:
    class Echo(Agent):
        """Hands on what it gets."""

        async def work(self, run: Run) -> None:
            await asyncio.sleep(0)
            run.answer = run.task.splitlines()[-1].removeprefix("a: ")

    script = Script("").model
    team = Team([member("a", Echo(script)), member("b", Echo(script), "a")])
    runs = await asyncio.gather(team.run("One."), team.run("Two."))
    assert [run.answer for run in runs] == ["One.", "Two."]


async def test_a_team_can_be_a_member_of_a_team() -> None:
    inner = Team([member("a"), member("b", None, "a")])
    run = await Team([member("group", inner), member("editor", None, "group")]).run("A book.")
    assert (run.ok, [step.name for step in run.trace.of("span")].count("team")) == (True, 2)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([], "but got none"),
        ([("a", ()), ("a", ())], "each with a name of its own"),
        ([("you", ())], "none 'you'"),
        ([("a", ("b",))], "but b is none"),
        ([("a", ()), ("b", ())], "nobody waits for a, b"),
        ([("a", ("b",)), ("b", ("a",)), ("c", ("a",))], "wait in a circle"),
        ([("a", ("a",))], "wait in a circle: a, a"),
    ],
)
async def test_a_team_that_could_never_end_is_refused_in_a_sentence(members: list[Any], says: str) -> None:
    with pytest.raises(LabError, match=says) as caught:
        Team([member(name, None, *after) for name, after in members])
    assert is_one_sentence(str(caught.value))
