"""Several agents that work on their own and write to each other over queues (the actor model; AutoGen, Wu and others,
arXiv:2308.08155)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

from pydantic.dataclasses import dataclass as checked

from llmlab.agents.base import Agent, Run
from llmlab.budget import Budget
from llmlab.errors import LabError
from llmlab.wait import together

PERSON = "you"
ROOM = 16  # letters that wait in an inbox; a colleague who writes more has to wait
Kind = Literal["task", "result", "failure"]


@checked(frozen=True)
class Letter:
    """What one member of a team may send to another, and nothing else: pydantic refuses any other kind."""

    sender: str
    to: str
    kind: Kind
    text: str


@dataclass
class Member:
    """An agent with a name and a part in the work; what arrives is joined into one task, `goal` first."""

    name: str
    goal: str
    agent: Agent
    after: Sequence[str] = ()  # the colleagues (or "you") whose letters it waits for; without, for the task only
    accept: Callable[[str], str] | None = None  # what is wrong with its result, or ""; nonsense is asked for anew once
    inbox: asyncio.Queue[Letter] = field(default_factory=lambda: asyncio.Queue(ROOM))


class Team(Agent):
    """Runs its members side by side; the result of the one that nobody waits for is the answer."""

    name = "team"
    budget = Budget(steps=100, tokens=200_000)

    def __init__(self, members: Sequence[Member], **options: Any):
        self.members = {member.name: member for member in members}
        waits = {name: member.after for name, member in self.members.items()}
        try:
            TopologicalSorter(waits).prepare()
        except CycleError as error:
            circle = ", ".join(error.args[1])
            why = f"Members may wait only for earlier ones, but these wait in a circle: {circle}; change `after`."
            raise LabError(why) from None
        waited_for = set[str]().union(*waits.values()) - {PERSON}
        named = PERSON not in waits and len(waits) == len(members) and all(isinstance(m.agent, Agent) for m in members)
        if not named or not waited_for <= waits.keys() or len(waits.keys() - waited_for) != 1:
            got = "; ".join(f"{m.name}: {type(m.agent).__name__} after {', '.join(m.after) or PERSON}" for m in members)
            why = f"A team has agents with names of their own (not {PERSON!r}) who wait (`after`) for one another, and"
            raise LabError(f"{why} one for whom nobody waits, but got {got or 'none'}; change names or `after`.")
        super().__init__(members[0].agent.model, **options)

    async def work(self, run: Run) -> None:
        """Give the task to those who wait for nobody, and wait for the last one's letter."""
        for member in self.members.values():
            member.inbox = asyncio.Queue(ROOM)  # no letters of an earlier run
        letters: list[Letter] = run.notes.setdefault("letters", [])
        results: dict[str, str] = run.notes.setdefault("results", {})

        async def send(sender: str, to: str, kind: Kind, text: str) -> None:
            run.trace.event("letter", sender=sender, to=to, kind=kind, text=text)
            letters.append(Letter(sender, to, kind, text))
            if to != PERSON:
                await self.members[to].inbox.put(letters[-1])

        async def live(member: Member) -> None:
            # In the order of `after`, not of arrival: the same letters make the same request, also in a replay.
            read = dict.fromkeys(member.after or [PERSON])
            while None in read.values():
                letter = await member.inbox.get()
                if read.get(letter.sender, letter) is None:  # strangers, and second letters, are not waited for
                    read[letter.sender] = letter
            kind, text = await self.answer(member, run.task, [letter for letter in read.values() if letter])
            if kind == "result":
                results[member.name] = run.answer = text
            followers = [other.name for other in self.members.values() if member.name in other.after]
            for to in followers or [PERSON]:
                await send(member.name, to, kind, text)

        for member in self.members.values():
            if not member.after or PERSON in member.after:
                await send(PERSON, member.name, "task", run.task)
        await together(*map(live, self.members.values()))
        final = letters[-1]
        if final.kind == "failure":
            run.trace.check_budget()  # if that is why they failed, the run says so
            raise LabError(f"A team ends with a result, but got none ({final.text}); read the letters in the notes.")
        run.answer = final.text

    async def answer(self, member: Member, task: str, read: Sequence[Letter]) -> tuple[Kind, str]:
        """What a member makes of its letters. One that crashes, or answers nonsense twice, fails, and the others go on."""
        said = [letter.text if letter.kind == "task" else f"{letter.sender}: {letter.text}" for letter in read]
        ask, wrong = "\n".join([member.goal, *said]), ""
        for _ in range(2):
            try:
                done = await member.agent.run(f"{ask}\n{wrong}".strip())
                if not done.ok:
                    return "failure", f"{member.name} stopped: {done.why}"
                wrong = member.accept(str(done)) if member.accept else ""
                if isinstance(wrong, bool):
                    raise TypeError("accept returns what is wrong with a result, or '', but returned a bool")
            except Exception as crash:  # whatever a member's own code does, the others go on
                return "failure", f"{member.name} crashed ({type(crash).__name__}: {crash})"
            if not wrong:
                return "result", str(done)
        return "failure", f"{member.name} gave no usable result: {wrong}"
