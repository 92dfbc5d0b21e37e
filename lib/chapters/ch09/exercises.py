"""The exercises of chapter 09: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

from typing import Any

from llmlab.lesson import Check, Exercise

PAIRS = ["11, 7", "4, 9", "8, 2"]


async def _calls(work: Any, model: Any) -> list[Check]:
    wanted = {(2, 2): 1, (4, 2): 4, (8, 2): 10, (7, 2): 10, (16, 2): 22, (8, 4): 4, (3, 1): 7}
    return [
        (work(n, small) == calls, f"{n} items, up to {small} at once, take {calls} calls (yours: {work(n, small)})")
        for (n, small), calls in wanted.items()
    ]


async def _flat(work: Any, model: Any) -> list[Check]:
    run = await work(model, small=2).run(", ".join(PAIRS))
    calls = run.trace.of("model")
    asked = [c.request for c in calls]
    texts = [str(body["messages"][-1]["content"]) for body in asked]
    said = [str(c.response["choices"][0]["message"]["content"]).strip() for c in calls]
    split = any("response_format" in body for body in asked)
    return [
        (run.ok, f"the run has to come to its end by itself {run.why}".strip()),
        (not split, "the program cuts the list, so no call asks the model for halves"),
        (len(calls) == 4, f"six numbers in pairs take three calls, and one for the results (it took {len(calls)})"),
        (
            all(any(pair in text for text in texts[:3]) for pair in PAIRS),
            "each of the first three calls gets two of the numbers, in their order",
        ),
        (
            bool(texts) and all(result in texts[-1] for result in said[:3]),
            "the last call gets what the first three had answered",
        ),
        (bool(said) and str(run) == said[-1], "its reply is the answer of the run"),
    ]


async def _fresh(work: Any, model: Any) -> list[Check]:
    known = ["Buy tea.", "Invite the guests"]
    return [
        (
            work(["Find a room", "Buy milk"], known) == ["Find a room", "Buy milk"],
            "new tasks stay, in their order",
        ),
        (work(["Buy tea.", "Find a room"], known) == ["Find a room"], "a task that is known has to go"),
        (
            work(["buy tea", "INVITE THE GUESTS."], known) == [],
            "capitals and the point at the end make no new task",
        ),
        (
            work(["Find a room", "find a room."], known) == ["Find a room"],
            "of twins among the new ones, the first stays",
        ),
        (known == ["Buy tea.", "Invite the guests"], "the list of known tasks stays as it was"),
    ]


EXERCISES = [
    Exercise(
        id="09.1",
        task="Write a function that says how many calls a list of n items takes by halves.",
        stub="""\
def calls(n, small=2):
    return n
""",
        solution="""\
def calls(n, small=2):
    if n <= small:
        return 1
    return 2 + calls((n + 1) // 2, small) + calls(n // 2, small)
""",
        hints=(
            "A list that is small enough takes one call. That is the base case.",
            "Any other takes one call to split, one to combine, and the calls of its two halves.",
            "The halves of n items have (n + 1) // 2 and n // 2 of them; the function may call itself.",
        ),
        check=_calls,
    ),
    Exercise(
        id="09.2",
        task="Write a variant of Recursive with one level only: solve small parts, then all their results in one call.",
        stub="""\
from llmlab.agents import Recursive
from llmlab.agents.recursive import items_of


class Flat(Recursive):
    async def work(self, run):
        await super().work(run)
""",
        solution="""\
from llmlab.agents import Recursive
from llmlab.agents.recursive import items_of


class Flat(Recursive):
    async def work(self, run):
        items = items_of(run.task)
        parts = [items[i : i + self.small] for i in range(0, len(items), self.small)]
        results = [await self.solve(run, part) for part in parts]
        ask = self.prompt("solve", items=", ".join(results))
        run.answer = (await self.model.chat(ask)).text.strip()
""",
        hints=(
            "items_of(run.task) gives the items; cut them into parts of self.small with a program.",
            "await self.solve(run, part) solves a part that is small enough with one call.",
            'self.prompt("solve", items=...) makes the prompt for the last call; its reply is run.answer.',
        ),
        check=_flat,
    ),
    Exercise(
        id="09.3",
        task="Write a function that keeps, of the tasks that a model proposes, only those that are new.",
        stub="""\
def fresh(tasks, known):
    return tasks
""",
        solution="""\
def fresh(tasks, known):
    seen = {task.lower().strip(" .") for task in known}
    new = []
    for task in tasks:
        if task.lower().strip(" .") not in seen:
            seen.add(task.lower().strip(" ."))
            new.append(task)
    return new
""",
        hints=(
            'task.lower().strip(" .") is the same for "Buy tea." and "buy tea".',
            "Keep a set of what was seen; it begins with the known tasks and grows with each new one.",
        ),
        check=_fresh,
    ),
]
