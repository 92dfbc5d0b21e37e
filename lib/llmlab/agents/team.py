"""Several agents that work on their own and write to each other over queues (the actor model; AutoGen, Wu and others,
arXiv:2308.08155)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from llmlab.agents.base import Agent
from llmlab.agents.member import PERSON, ROOM, Letter, Member
from llmlab.agents.run import Run
from llmlab.budget import Budget
from llmlab.errors import LabError


class Team(Agent):
    """Runs its members side by side; the result of the one that nobody waits for is the answer."""

    name = "team"
    budget = Budget(steps=100, tokens=200_000)
    prompts = {
        "task": "{goal}{letters}",
        "from you": "\n{text}",
        "from a colleague": "\n{sender}: {text}",
        "again": "{task}\n{wrong}",
    }

    def __init__(
        self, members: Sequence[Member], *, prompts: dict[str, str] | None = None, budget: Budget | None = None
    ):
        self.members = {member.name: member for member in members}
        if not members or len(self.members) < len(members) or PERSON in self.members:
            names = ", ".join(member.name for member in members) or "none"
            raise LabError(
                f"A team has members, each with a name of its own, none {PERSON!r}, but got {names}; rename."
            )
        super().__init__(members[0].agent.model, prompts=prompts, budget=budget)
        waited_for = {name for member in members for name in member.after} - {PERSON}
        if unknown := waited_for - set(self.members):
            raise LabError(f"`after` names members of the team, but {', '.join(sorted(unknown))} is none; add it.")
        try:
            *_, self.ends_with = TopologicalSorter({m.name: {*m.after} - {PERSON} for m in members}).static_order()
        except CycleError as error:
            names = ", ".join(error.args[1])
            raise LabError(
                f"Members may wait only for earlier ones, but these wait in a circle: {names}; change `after`."
            ) from None
        if len(ends := set(self.members) - waited_for) > 1:
            names = ", ".join(sorted(ends))
            raise LabError(f"One member has to be the last, but nobody waits for {names}; name them in `after`.")

    async def work(self, run: Run) -> None:
        """Give the task to those who wait for nobody, and wait for the last one's letter."""
        boxes: dict[str, asyncio.Queue[Letter]] = {PERSON: asyncio.Queue()}
        for member in self.members.values():
            boxes[member.name] = member.inbox = asyncio.Queue(ROOM)  # no letters of an earlier run
        letters: list[Letter] = run.notes.setdefault("letters", [])
        results: dict[str, str] = run.notes.setdefault("results", {})

        async def send(letter: Letter) -> None:
            run.trace.event("letter", sender=letter.sender, to=letter.to, kind=letter.kind, text=letter.text)
            letters.append(letter)
            await boxes[letter.to].put(letter)

        async def live(member: Member) -> None:
            waiting = set(member.after) or {PERSON}
            read: list[Letter] = []
            while waiting:
                letter = await boxes[member.name].get()
                if letter.sender in waiting:  # a second letter of the same sender is not waited for
                    waiting.remove(letter.sender)
                    read.append(letter)
            # In the order of `after`, not of arrival: the same letters make the same request, in a replay or a resumed run.
            read.sort(key=lambda letter: [*member.after, PERSON].index(letter.sender))
            kind, text = await self.answer(member, run.task, read)
            if kind == "result":
                results[member.name] = run.answer = text
            followers = [other.name for other in self.members.values() if member.name in other.after]
            for to in followers or [PERSON]:
                await send(Letter(member.name, to, kind, text))

        for member in self.members.values():
            if not member.after or PERSON in member.after:
                await send(Letter(PERSON, member.name, "task", run.task))
        tasks = {name: asyncio.create_task(live(member), name=name) for name, member in self.members.items()}
        waiting = set(tasks.values())
        try:
            while not tasks[self.ends_with].done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()  # raises what no member can answer for: the saved run could not be written, say
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        final = boxes[PERSON].get_nowait()
        if final.kind == "failure":
            run.trace.check_budget()  # if that is why they failed, the run says so
            raise LabError(
                f"The team ends with a result of {final.sender}, but got none ({final.text}); its letters, in the notes "
                f"of the run, say where it failed."
            )
        run.answer = final.text

    async def answer(
        self, member: Member, task: str, read: Sequence[Letter]
    ) -> tuple[Literal["result", "failure"], str]:
        """What a member makes of its letters. One that crashes, or answers nonsense twice, fails, and the others go on."""
        said = ""
        for letter in read:
            form = "from you" if letter.kind == "task" else "from a colleague"
            said += self.prompt(form, sender=letter.sender, text=letter.text)
        ask, wrong = self.prompt("task", goal=member.goal, letters=said), ""
        for _ in range(2):
            try:
                done = await member.agent.run(self.prompt("again", task=ask, wrong=wrong).strip())
                if not done.ok:
                    return "failure", f"{member.name} stopped: {done.why}"
                wrong = member.accept(str(done)) if member.accept else ""
            except Exception as crash:  # whatever a member's own code does, the others go on
                return "failure", f"{member.name} crashed ({type(crash).__name__}: {crash})"
            if not wrong:
                return "result", str(done)
        return "failure", f"{member.name} gave no usable result: {wrong}"
