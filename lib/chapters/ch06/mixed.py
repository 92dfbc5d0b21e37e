"""Problems that also double and halve, for the comparison of agents in chapter 11."""

import random
from collections.abc import Callable, Iterable

from llmlab.agents import Run
from llmlab.agents.chain_of_thought import answer_of
from llmlab.measure import Task

LENGTHS = (1, 2, 3, 4, 5)
HIGHEST = 60  # no amount is larger: what goes wrong should be the steps, and not large numbers

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
