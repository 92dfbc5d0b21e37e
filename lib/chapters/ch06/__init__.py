"""Chapter 06: problems of one to five steps, answered at once, in steps, and in steps several times with a vote."""

import random
import re
from collections.abc import Callable, Iterable

from llmlab import Trace
from llmlab.agents import Agent, ChainOfThought, Run, SelfConsistency, SingleStep
from llmlab.agents.chain_of_thought import answer_of
from llmlab.llm.chat import Model
from llmlab.measure import Measured, Row, Task, compare

COLUMNS = ("steps", "variant")  # by which `llmlab measure` tells the rows apart
DIRECT = "Give only the answer, as 'Answer:' and the number."
STEPS = "Think step by step, then end with 'Answer:' and the number."
LENGTHS = (1, 2, 3, 4, 5)
HIGHEST = 60  # no amount is larger: what goes wrong should be the steps, and not large numbers
VOTED = 6  # of each length: a vote takes five calls

# How a story begins and ends, and what can happen between: {k} more, {k} fewer, {k} times as many, half.
STORIES = [
    (
        "A shelf holds {n} cups.",
        "How many cups are on the shelf now?",
        "+ A crate brings {k} more. / + The potter adds {k}. / - {k} are sold. / - {k} of them break. / "
        "x Then the stock grows to {k} times as many. / : Half of them are lent to a café.",
    ),
    (
        "The workshop has {n} candles.",
        "How many candles does the workshop have now?",
        "+ {k} more are poured. / + A neighbour returns {k}. / - {k} go to a hotel. / - {k} melt in the sun. / "
        "x A big order makes it {k} times as many. / : Half of them are sold at the market.",
    ),
    (
        "{n} people wait at the ferry.",
        "How many people wait now?",
        "+ {k} more arrive by bus. / + {k} come on foot. / - {k} leave again. / - {k} take the early boat. / "
        "x After the match there are {k} times as many. / : Half of them decide to walk.",
    ),
    (
        "A jar contains {n} beans.",
        "How many beans does the jar contain now?",
        "+ Ines drops in {k}. / + Another {k} are put in. / - {k} are taken out. / - A mouse eats {k}. / "
        "x Ines fills it until there are {k} times as many. / : Half of them are planted.",
    ),
]
_calculation = re.compile(r"(?<![\d.])(?<![-+x*/×÷] )(\d+) ([-+x*/×÷]|\\times|\\div) (\d+) = (\d+)(?!\.?\d)")


def problem(rng: random.Random, steps: int) -> tuple[str, int]:
    """A story in which an amount changes so many times, and the amount at its end."""
    begin, ask, told = rng.choice(STORIES)
    while True:
        start = amount = rng.randint(5, 30)
        parts = [begin.format(n=start)]
        for event in rng.sample(told.split(" / "), steps):
            sign, sentence = event.split(" ", 1)
            k = 2 if sign == ":" else rng.randint(2, 3 if sign == "x" else 12)
            if (sign == "-" and k >= amount) or (sign == ":" and amount % k):
                break
            amount = {"+": amount + k, "-": amount - k, "x": amount * k, ":": amount // k}[sign]
            if amount > HIGHEST:
                break
            parts.append(sentence.format(k=k).replace("2 times as", "twice as"))
        if len(parts) == steps + 1:
            return " ".join([*parts, ask]), amount


def problems(each: int = 20, lengths: Iterable[int] = LENGTHS, seed: int = 6) -> list[Task]:
    """So many problems of each length; the same ones for the same seed."""
    tasks = []
    for steps in lengths:
        for i in range(each):
            text, answer = problem(random.Random(f"{seed} {steps} {i}"), steps)
            tasks.append(Task(f"{steps}-{i}", text, _right(answer), {"steps": steps}))
    return tasks


def _right(answer: int) -> Callable[[Run], bool]:
    return lambda run: answer_of(str(run)) == str(answer)


def agents(model: Model) -> dict[str, Agent]:
    """Both ways to ask; each takes one call."""
    return {
        "at once": SingleStep(model, prompts={"task": "{task}\n" + DIRECT}),
        "in steps": ChainOfThought(model, prompts={"task": "{task}\n" + STEPS}),
    }


def calculations(text: str) -> list[bool]:
    """For each calculation that stands in a text, whether it is right."""
    found = []
    for a, sign, b, result in _calculation.findall(text):
        x, y, z = int(a), int(b), int(result)
        divided = y * z == x
        known = {"+": x + y == z, "-": x - y == z, "/": divided, "÷": divided, r"\div": divided}
        found.append(known.get(sign, x * y == z))
    return found


async def both_ways(model: Model, tasks: Iterable[Task], told: Callable[[Row], None] | None = None) -> Measured:
    """Each task at once and in steps; a row also says how many calculations were written, and how many are wrong."""
    with Trace("both ways") as trace:
        measured = await compare(model, agents(model), tasks, told)
    for row, call in zip(measured.rows, trace.of("model"), strict=True):
        choices = (call.response or {}).get("choices") or [{"message": {}}]
        made = calculations(choices[0]["message"].get("content") or "")
        row |= {"calculations": len(made), "slips": made.count(False)}
    return measured


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """A hundred problems both ways, thirty of them also five times with a vote."""
    measured = await both_ways(model, problems(), told)
    voted = await compare(model, {"five and a vote": SelfConsistency(model)}, problems(VOTED), told)
    return Measured(measured.rows + voted.rows, measured.about)
