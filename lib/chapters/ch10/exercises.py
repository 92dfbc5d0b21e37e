"""The exercises of chapter 10: stubs as they stand in the notebook, one solution each, and checks on what the code did.

The members of the checks' teams are small programs: no model is called.
"""

import asyncio
from typing import Any

from llmlab import Trace
from llmlab.agents import Agent, Member, Run, Team
from llmlab.budget import Budget
from llmlab.lesson import Check, Exercise


class _Says(Agent):
    """Answers with a text, after some seconds."""

    def __init__(self, text: str, seconds: float = 0.0):
        super().__init__(None)  # type: ignore[arg-type]  # it asks no model
        self.text, self.seconds, self.asked = text, seconds, list[str]()

    async def work(self, run: Run) -> None:
        self.asked.append(run.task)
        await asyncio.sleep(self.seconds)
        run.answer = self.text


class _Crashes(_Says):
    async def work(self, run: Run) -> None:
        self.asked.append(run.task)
        raise ZeroDivisionError("division by zero")


class _Stops(_Says):
    async def work(self, run: Run) -> None:
        self.asked.append(run.task)
        run.answer = "half of it"
        run.trace.check_budget()


def _letters(trace: Any) -> list[tuple[str, str, str]]:
    return [(s.get("sender"), s.get("to"), s.get("kind")) for s in trace.of("event") if s.name == "letter"]


async def _talks(work: Any, model: Any) -> list[Check]:
    team = Team(
        [Member("a", "", _Says("1")), Member("b", "", _Says("2"), ["a"]), Member("c", "", _Says("3"), ["a", "b"])]
    )
    with Trace("exercise 10.1") as trace:
        await team.run("Count.")
        await team.run("Count again.")
        trace.event("tea break", sender="a", to="b")
    found = work(trace)
    wanted = {("you", "a"): 2, ("a", "b"): 2, ("a", "c"): 2, ("b", "c"): 2, ("c", "you"): 2}
    return [
        (work(Trace("empty")) == {}, "a trace without letters gives nothing"),
        (isinstance(found, dict) and set(found) == set(wanted), f"the pairs are {sorted(wanted)}"),
        (found == wanted, f"in two runs, each pair has two letters, and a tea break is none; yours are {found}"),
    ]


async def _substituted(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    cases = {
        "is done": (_Says("first"), "first", 0),
        "crashes": (_Crashes("first"), "second", 1),
        "is stopped": (_Stops("first"), "second", 1),
    }
    for how, (first, wanted, calls) in cases.items():
        second = _Says("second")
        if how == "is stopped":
            first.budget = Budget(steps=0)
        agent = work(first, second)
        run = await agent.run("Write it.")
        points.append((run.ok, f"when the first one {how}, the run has to be done, and it is {run.stopped}"))
        points.append(
            (str(run) == wanted, f"when the first one {how}, the answer is {wanted!r}, and yours is {str(run)!r}")
        )
        points.append((len(second.asked) == calls, f"when the first one {how}, the substitute is asked {calls} times"))
        points.append((second.asked in ([], ["Write it."]), "the substitute gets the same task"))
    return points


async def _punctual(work: Any, model: Any) -> list[Check]:
    editor = _Says("book")
    members = [Member("slow", "", _Says("late", 30)), Member("quick", "", _Says("in time"))]
    team = work([*members, Member("editor", "", editor, ["slow", "quick"])])
    team.seconds = 0.1
    try:
        async with asyncio.timeout(5):
            run = await team.run("Write.")
    except TimeoutError:
        return [(False, "a member that takes 30 seconds has to be a failure after 0.1, and the team waits for it")]
    sent = _letters(run.trace)
    said = [s.get("text") for s in run.trace.of("event") if s.get("sender") == "slow"]
    return [
        (isinstance(team, Team), "it has to be a variant of Team"),
        (("slow", "editor", "failure") in sent, "the letter of the slow member has to be a failure"),
        (("quick", "editor", "result") in sent, "the letter of the quick member has to be a result"),
        (any("slow" in text for text in said), f"the failure has to say who was late, and says {said}"),
        (run.ok and str(run) == "book", f"the others go on: the run has to be done, and it is {run.stopped}"),
    ]


EXERCISES = [
    Exercise(
        id="10.1",
        task="Count the letters in a trace by sender and receiver.",
        stub="""\
def talks(trace):
    return {}
""",
        solution="""\
def talks(trace):
    sent = [step for step in trace.of("event") if step.name == "letter"]
    pairs = [(step.get("sender"), step.get("to")) for step in sent]
    return {pair: pairs.count(pair) for pair in pairs}
""",
        hints=(
            'trace.of("event") gives the events; those of letters have the name "letter".',
            'step.get("sender") and step.get("to") are the names.',
        ),
        check=_talks,
    ),
    Exercise(
        id="10.2",
        task="Write an agent that hands its task to a colleague, and to a substitute if the colleague fails.",
        stub="""\
class WithSubstitute(Agent):
    def __init__(self, first, second):
        super().__init__(first.model)
        self.first, self.second = first, second

    async def work(self, run):
        run.answer = str(await self.first.run(run.task))
""",
        solution="""\
class WithSubstitute(Agent):
    def __init__(self, first, second):
        super().__init__(first.model)
        self.first, self.second = first, second

    async def work(self, run):
        try:
            done = await self.first.run(run.task)
        except Exception:
            done = None
        if done is None or not done.ok:
            done = await self.second.run(run.task)
        run.answer = str(done)
""",
        hints=(
            "There are two ways to fail: a crash is an exception; a run that was stopped has `ok` False.",
            "try: done = await self.first.run(run.task), and in `except Exception:` done = None.",
        ),
        check=_substituted,
    ),
    Exercise(
        id="10.3",
        task="Write a team with deadlines: a member that is late is a failure, and the others go on without it.",
        stub="""\
class Punctual(Team):
    seconds = 0.2

    async def answer(self, member, task, read):
        return await super().answer(member, task, read)
""",
        solution="""\
class Punctual(Team):
    seconds = 0.2

    async def answer(self, member, task, read):
        try:
            async with asyncio.timeout(self.seconds):
                return await super().answer(member, task, read)
        except TimeoutError:
            return "failure", f"{member.name} was not done after {self.seconds} seconds"
""",
        hints=(
            "`async with asyncio.timeout(self.seconds):` raises TimeoutError around what takes longer.",
            'The method returns a pair, such as ("failure", "… was late").',
        ),
        check=_punctual,
    ),
]
