"""Reading one number among others: "How many guests came? Just the number." (skill "figures")."""

from __future__ import annotations

import random
import re
from typing import Any

Item = dict[str, Any]

TOLD = {  # a sentence with its number, and the question for it
    "{n} parcels went out.": "How many parcels went out?",
    "The post took {n} parcels.": "How many parcels did the post take?",
    "{n} guests came.": "How many guests came?",
    "{n} customers came in.": "How many customers came in?",
    "We sold {n} loaves.": "How many loaves did we sell?",
    "The bar served {n} coffees.": "How many coffees did the bar serve?",
    "{n} letters arrived.": "How many letters arrived?",
    "{n} people called.": "How many people called?",
    "The stall sold {n} candles.": "How many candles did the stall sell?",
    "{n} books came back.": "How many books came back?",
    "We lent out {n} bicycles.": "How many bicycles did we lend out?",
    "{n} pupils were ill.": "How many pupils were ill?",
    "The van drove {n} kilometres.": "How many kilometres did the van drive?",
    "{n} eggs broke.": "How many eggs broke?",
    "The team planted {n} trees.": "How many trees did the team plant?",
    "{n} tickets were left.": "How many tickets were left?",
    "The kitchen made {n} lunches.": "How many lunches did the kitchen make?",
    "{n} seats stayed empty.": "How many seats stayed empty?",
    "The choir sang {n} songs.": "How many songs did the choir sing?",
    "{n} orders were packed.": "How many orders were packed?",
    "Two helpers folded {n} leaflets.": "How many leaflets were folded?",
    "{n} visitors took the tour.": "How many visitors took the tour?",
    "The baker used {n} kilos of flour.": "How many kilos of flour did the baker use?",
    "{n} lamps were repaired.": "How many lamps were repaired?",
}
ASIDE = [
    "It was windy.",
    "It snowed in the morning.",
    "The sky was clear.",
    "Nobody was late.",
    "The street was closed.",
    "It was a quiet day.",
    "Fog lay over the town.",
    "The radio played all day.",
]
MONTHS = ["march", "april", "may", "july", "august", "october"]
ASK = ["{} Just the number."] * 4 + ["{} Only the number.", "{} Answer with the number.", "{}\nWrite the number only."]


def _day(rng: random.Random) -> tuple[str, list[tuple[str, str]]]:
    """A short note with a few numbers; its questions and their answers."""
    chosen = rng.sample(sorted(TOLD), rng.randint(2, 4))
    numbers = rng.sample(range(2, 99), len(chosen))
    said = [told.format(n=n) for told, n in zip(chosen, numbers, strict=True)]
    said += rng.sample(ASIDE, rng.choice([0, 1, 1, 1]))
    rng.shuffle(said)
    head = rng.choice(["", f"{rng.choice(MONTHS)}-{rng.randint(1, 28):02}.md: ", f"Day {rng.randint(1, 28)}: "])
    return head + " ".join(said), [(TOLD[told], str(n)) for told, n in zip(chosen, numbers, strict=True)]


def items(rng: random.Random, n: int) -> list[Item]:
    """`n` conversations of one to six notes, each with a question for one of its numbers."""
    made = []
    for _ in range(n):
        messages = []
        for _ in range(rng.choice([1, 1, 3, 4, 6])):
            text, asked = _day(rng)
            question, answer = rng.choice(asked)
            content = f"{text}\n\n{rng.choice(ASK).format(question)}"
            messages += [{"role": "user", "content": content}, {"role": "assistant", "content": answer}]
        made.append({"skill": "figures", "messages": messages})
    return made


def check(made: list[Item]) -> None:
    """Each answer is a number that stands in the note before it."""
    for item in made:
        messages = item["messages"]
        for asked, answer in zip(messages[::2], messages[1::2], strict=True):
            assert re.search(rf"\b{int(answer['content'])}\b", asked["content"].partition("\n")[0]), asked
