"""The exercises of chapter 10: stubs as they stand in the notebook, one solution each, and checks on what the code did.

The members of the checks' teams are small programs: no model is called.
"""

import asyncio
import inspect
from typing import Any

from chapters.ch10 import Crashes, Says
from llmlab import Trace
from llmlab.agents import Member, Run, Team
from llmlab.budget import Budget
from llmlab.lesson import Check, Exercise


class _Late(Says):
    async def work(self, run: Run) -> None:
        await asyncio.sleep(30)
        await super().work(run)


class _Stops(Says):
    budget = Budget(steps=0)

    async def work(self, run: Run) -> None:
        await super().work(run)
        run.trace.check_budget()


async def _talks(work: Any, model: Any) -> list[Check]:
    team = Team([Member("a", "", Says("1")), Member("b", "", Says("2"), ["a"]), Member("c", "", Says("3"), ["a", "b"])])
    with Trace("exercise 10.1") as trace:
        await team.run("Count.")
        await team.run("Count again.")
        trace.event("tea break", sender="a", to="b")
    found, empty = work(trace), work(Trace("empty"))
    if inspect.isawaitable(found):
        return [(False, "talks has to be a plain function: def, without async")]
    wanted = {("you", "a"): 2, ("a", "b"): 2, ("a", "c"): 2, ("b", "c"): 2, ("c", "you"): 2}
    return [
        (empty == {}, "a trace without letters gives nothing"),
        (isinstance(found, dict) and set(found) == set(wanted), f"the pairs are {sorted(wanted)}"),
        (found == wanted, f"in two runs, each pair has two letters, and a tea break is none; yours are {found}"),
    ]


async def _substituted(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    cases = {
        "is done": (Says("first"), "first", 0),
        "crashes": (Crashes(), "second", 1),
        "is stopped": (_Stops("half of it"), "second", 1),
    }
    for how, (first, wanted, calls) in cases.items():
        second, when = Says("second"), f"when the first one {how}"
        run = await work(first, second).run("Write it.")
        points += [
            (run.ok, f"{when}, the run has to be done, and it is {run.stopped}"),
            (str(run) == wanted, f"{when}, the answer is {wanted!r}, and yours is {str(run)!r}"),
            (len(first.asked) == 1, f"{when}, it was asked once, and yours asked {len(first.asked)} times"),
            (
                second.asked == ["Write it."] * calls,
                f"{when}, the substitute gets the task {calls} times, and got {second.asked}",
            ),
        ]
    return points


async def _punctual(work: Any, model: Any) -> list[Check]:
    late, quick, editor = Member("slow", "", _Late()), Member("quick", "", Says("in time")), Says("book")
    team = work([late, quick, Member("editor", "", editor, ["slow", "quick"])])
    team.seconds = 0.1
    try:
        async with asyncio.timeout(5) as clock:
            run = await team.run("Write.")
    except TimeoutError:
        if not clock.expired():
            return [(False, "`answer` has to return a pair for a late member, but a TimeoutError came out of it")]
        return [(False, "a member that takes 30 seconds has to be a failure after 0.1, and the team waits for it")]
    letters = [step for step in run.trace.of("event") if step.name == "letter"]
    kinds = {step.get("sender"): step.get("kind") for step in letters if step.get("to") == "editor"}
    said = [step.get("text") for step in letters if step.get("sender") == "slow"]
    return [
        (isinstance(team, Team), "it has to be a variant of Team"),
        (kinds.get("slow") == "failure", "the letter of the slow member has to be a failure"),
        (kinds.get("quick") == "result", "the letter of the quick member has to be a result"),
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
