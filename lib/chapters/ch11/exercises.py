"""The exercises of chapter 11: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

from typing import Any

from llmlab.agents import Agent, Run
from llmlab.lesson import Check, Exercise
from llmlab.measure import Measured

SHARES = {"small": (6, 100), "middle": (8, 300), "odd": (8, 500), "big": (10, 900)}  # right of ten, tokens each


def _measured() -> Measured:
    return Measured(
        [
            {"variant": name, "task": str(n), "right": n < right, "tokens": tokens + n}
            for n in range(10)
            for name, (right, tokens) in SHARES.items()
        ]
    )


async def _cheapest(work: Any, model: Any) -> list[Check]:
    wanted = {0.5: "small", 0.6: "small", 0.7: "middle", 0.8: "middle", 0.9: "big", 1.0: "big"}
    points = [
        (
            work(_measured(), share) == name,
            f"for a share of {share} it is {name}, and yours is {work(_measured(), share)}",
        )
        for share, name in wanted.items()
    ]
    return [*points, (work(_measured(), 1.1) is None, "where none is good enough, it is None")]


async def _beaten(work: Any, model: Any) -> list[Check]:
    points = {name: (right / 10, tokens) for name, (right, tokens) in SHARES.items()}
    twins = {"a": (0.5, 10), "b": (0.5, 10)}
    return [
        (work(points) == {"odd"}, f"middle is as good as odd and cheaper; you say {work(points)}"),
        (work({**points, "best": (1.0, 50)}) == set(points), "what is better and cheaper than all beats all"),
        (work({**points, "worst": (0.1, 100)}) == {"odd", "worst"}, "small costs as much as worst and is better"),
        (work(twins) == set(), "two that are alike do not beat each other"),
    ]


class _Says(Agent):
    """Answers with its name."""

    def __init__(self, name: str):
        super().__init__(None, name=name)  # type: ignore[arg-type]  # it asks no model

    async def work(self, run: Run) -> None:
        run.answer = self.name


async def _cascade(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for good, wanted, asked in (
        ("cheap", "cheap", 1),
        ("middle", "middle", 2),
        ("dear", "dear", 3),
        ("none", "dear", 3),
    ):
        names = ["cheap", "middle", "dear"]
        run = await work([_Says(name) for name in names], lambda text, good=good: text == good).run("Do it.")
        spans = [span for span in run.calls().of("span") if span.name in names]  # of the trace: who really ran
        were = [span.name for span in spans]
        when = f"when only {good!r} is accepted" if good != "none" else "when nothing is accepted"
        points.append((were == names[:asked], f"{when}, {names[:asked]} are asked in turn, and it was {were}"))
        points.append((str(run) == wanted, f"{when}, the answer is {wanted!r}, and yours is {str(run)!r}"))
        points.append((all(span.get("task") == "Do it." for span in spans), "each is asked with the same task"))
    return points


EXERCISES = [
    Exercise(
        id="11.1",
        task="Return the cheapest variant that is right often enough.",
        stub="""\
def cheapest(measured, wanted):
    return None
""",
        solution="""\
def cheapest(measured, wanted):
    prices = {}
    for (name,), rows in measured.by("variant").items():
        if sum(row["right"] for row in rows) / len(rows) >= wanted:
            prices[name] = sum(row["tokens"] for row in rows)
    return min(prices, key=prices.get, default=None)
""",
        hints=(
            '`measured.by("variant")` gives the rows in groups: the key is a tuple with one name.',
            "Collect the tokens of those that are good enough in a dictionary, then min(prices, key=prices.get, default=None).",
        ),
        check=_cheapest,
    ),
    Exercise(
        id="11.2",
        task="Return the agents that another one beats: at least as good in both quality and cost, and better in one.",
        stub="""\
def beaten(points):
    return set()
""",
        solution="""\
def beaten(points):
    def beats(one, other):
        return one[0] >= other[0] and one[1] <= other[1] and one != other

    return {name for name, point in points.items() if any(beats(other, point) for other in points.values())}
""",
        hints=(
            "A pair is (share, tokens): more is better in the first, less is better in the second.",
            "If both are at least as good and the pairs differ, one of them has to be better.",
        ),
        check=_beaten,
    ),
    Exercise(
        id="11.3",
        task="Write an agent that asks others, the cheapest first, until an answer is accepted.",
        stub="""\
class Cascade(Agent):
    def __init__(self, agents, accept):
        super().__init__(agents[0].model)
        self.agents, self.accept = agents, accept

    async def work(self, run):
        run.answer = str(await self.agents[0].run(run.task))
""",
        solution="""\
class Cascade(Agent):
    def __init__(self, agents, accept):
        super().__init__(agents[0].model)
        self.agents, self.accept = agents, accept

    async def work(self, run):
        for agent in self.agents:
            run.answer = str(await agent.run(run.task))
            if self.accept(run.answer):
                return
""",
        hints=(
            "A loop over `self.agents`, and `return` as soon as `self.accept(...)` is true.",
            "`run.answer` is set in each round, so that the last answer stays if none is accepted.",
        ),
        check=_cascade,
    ),
]
