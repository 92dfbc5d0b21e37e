"""Skill "posts": short texts about a shop's things, made shorter, judged and revised, in the kit's own words.

All is composed from sentences that carry one fact or none, so that a program knows which facts a text holds, how long it is,
whether it asks, and of what tone it is.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from typing import Any

from llmlab.agents.reflective import Reflective

from . import kit_words
from .messages import listed, user
from .shop_world import PRODUCTS
from .sql import _names

Item = dict[str, Any]

# what it is | its value | how a text says it / … | how a tweet says it
FACTS = """the price | {p} euros | It costs {p} euros. / The price is {p} euros. / You pay {p} euros for it. | {p} euros
the date | {d} | You can buy it from {d} on. / It arrives on {d}. / On {d} it will be in the shop. | from {d}
the time | {t} | We show it every day at {t}. / Come at {t} to see it. / It is shown at {t}. | at {t}
the street | {s} | You find it in {s}. / It stands in our window in {s}. | in {s}
the maker | {m} | It comes from {m}. / {m} has made it. / We get it from {m}. | by {m}
the guarantee | {y} years | It has a guarantee of {y} years. / If it breaks, we mend it for {y} years. | {y} years guarantee
the weight | {w} grams | It weighs {w} grams. / Its weight is {w} grams. | {w} grams
the places | {n} | There are {n} of them. / We have {n} of them. / Only {n} are left. | only {n} left
the discount | {q} percent | This week it is {q} percent off. / Regulars get {q} percent off. | {q} percent off""".splitlines()
INTROS = """Our {x} is back. / We have a new {x}. / The {x} is in the shop again. / There is news about our {x}.
Many have asked for our {x}. / Here is the {x} of the month. / The {x} has come at last.""".replace("\n", " / ").split(
    " / "
)
FILLERS = """It was a long way until it stood here. / We like it very much, and so do our guests. / Nobody knows why, but it sells
best when it rains. / It goes well with a quiet afternoon. / Some say that it was better before, but we do not think so. / We
had thought about it for a long time, and then it went quickly. / There was some trouble with the boxes on the way. / Our
neighbours have one too. / The cat of the house sleeps beside it. / It is made with much care.""".replace(
    "\n", " "
).split(" / ")
QUESTIONS = """Have you tried it? / Would you like one? / Shall we keep one for you? / When will you come? / Who comes along? / Do
you know somebody who would like it? / What do you think of it?""".replace("\n", " ").split(" / ")
FRIENDLY = """We are so glad that you are here! / Come in, warm up, and stay as long as you like. / Thank you for your patience, it
means a lot to us. / We look forward to your visit! / Dear friends, we have something nice for you. / Take your time, we are
happy to help. / It would be lovely to see you on Saturday. / A warm welcome to all who are new! / We hope that you will love
it. / Do tell us how you liked it, it makes our day.""".replace("\n", " ").split(" / ")
RUDE = """Read the sign before you ask. / That is not our problem. / Pay first, talk later. / If you do not like it, go somewhere
else. / No refunds, no exceptions, no discussion. / You should have come earlier, it is your own fault. / We do not answer such
questions. / Keep your hands off the cups. / Whoever complains has to wait. / Hurry up, others want to pay too.""".replace("\n", " ").split(" / ")  # fmt: skip
PLAIN = """The shop opens at ten. / The box is made of wood. / It stands beside the door. / The stairs are at the back. / It has two
handles. / The label is blue.""".replace("\n", " ").split(" / ")
STREETS = [
    "Mill Street",
    "Station Road",
    "Bridge Street",
    "Castle Lane",
    "Park Row",
    "Church Square",
    "Harbour Street",
    "Old Market",
]


@dataclass
class Fact:
    """One fact: what it is, its value, a sentence and a few words that say it."""

    name: str
    value: str
    sentence: str
    short: str


def some_facts(rng: random.Random, n: int) -> list[Fact]:
    """`n` different facts."""
    months = ["January", "March", "May", "July", "September", "October", "December"]
    found = []
    for line in rng.sample(FACTS, n):
        name, value, said, short = (part.strip() for part in line.split("|"))
        values = {
            "p": rng.randint(3, 90),
            "d": f"{rng.randint(1, 28)} {rng.choice(months)}",
            "t": f"{rng.randint(9, 20)}:{rng.choice(['00', '30'])}",
            "s": rng.choice(STREETS),
            "m": f"{rng.choice(_names()['family'])} {rng.choice(['& Sons', 'Pottery', 'Imports'])}",
            "y": rng.randint(2, 9),
            "w": rng.randint(10, 90) * 10,
            "n": rng.randint(3, 60),
            "q": rng.choice([5, 10, 15, 20, 25]),
        }
        found.append(Fact(*(text.format(**values) for text in (name, value, rng.choice(said.split(" / ")), short))))
    return found


def text_of(rng: random.Random, thing: str, facts: list[Fact], fillers: int) -> list[str]:
    """The sentences of a text: one about the thing, then its facts and some that say nothing."""
    rest = [fact.sentence for fact in facts] + rng.sample(FILLERS, fillers)
    rng.shuffle(rest)
    return [rng.choice(INTROS).format(x=thing), *rest]


def made(skill: str, ask: str, answer: str) -> Item:
    """An item."""
    return {"skill": skill, "messages": [user(ask), {"role": "assistant", "content": answer}]}


def shortened(rng: random.Random) -> Item:
    """A text made a tweet of so many characters, or a post of so many words that ends with a question."""
    thing = rng.choice(PRODUCTS)
    facts = some_facts(rng, rng.randint(2, 4))
    text = " ".join(text_of(rng, thing, facts, rng.randint(1, 3)))
    keep = rng.sample(facts, rng.choice([1, 2, 2]))
    wanted = [fact.name for fact in keep]
    answer = f"Our {thing}: {', '.join(fact.short for fact in keep)}."
    if rng.random() < 0.4:
        answer = f"{thing.capitalize()}, {listed([fact.short for fact in keep])}."
    if rng.random() < 0.5:
        if rng.random() < 0.25:
            wanted = ["what it is", *wanted[:1]]
            answer = f"Our {thing}: {keep[0].short}."
        limit = f"{max(rng.choice([100, 110, 120, 130, 140]), len(answer) + 10) // 10 * 10} characters"
        return made("posts", kit_words.fill(kit_words.TWEET, limit=limit, keep=listed(wanted), text=text), answer)
    answer = f"{answer} {rng.choice(QUESTIONS)}"
    limit = f"{max(rng.choice([15, 20, 25]), len(answer.split()) + 1)} words"
    return made("posts", kit_words.fill(kit_words.POST, limit=limit, keep=listed(wanted), text=text), answer)


def judged(rng: random.Random) -> Item:
    """Whether a text meets a criterion; as many that do not as that do."""
    meets, kind = rng.random() < 0.5, rng.choice(["fact", "question", "tone", "tone", "words"])
    thing, facts = rng.choice(PRODUCTS), some_facts(rng, 3)
    sentences = text_of(rng, thing, facts[: rng.choice([1, 2])], rng.choice([0, 1]))
    if kind == "fact":
        fact = facts[0] if meets else facts[2]
        criterion = rng.choice([f"It says {fact.name}.", f"The text says {fact.name}.", f"It mentions {fact.name}."])
        advice = f"Mention {fact.name}."
    elif kind == "question":
        criterion = rng.choice(["It ends with a question.", "It ends with a question to the reader."])
        advice = "Add a question at the end."
        asks = rng.choice(QUESTIONS)
        if meets:
            sentences.append(asks)
        elif rng.random() < 0.4:
            sentences.insert(rng.randint(0, 1), asks)
    elif kind == "tone":
        criterion = rng.choice(["The tone is friendly and inviting.", "The tone is friendly.", "It sounds friendly."])
        advice = "Make it friendly: welcome the reader."
        pool = FRIENDLY if meets else rng.choice([RUDE, RUDE, PLAIN])
        sentences = rng.sample(pool, rng.choice([1, 2, 2, 3]))
        if rng.random() < 0.4:
            sentences.insert(0, rng.choice(INTROS).format(x=thing))
    else:
        count = len(" ".join(sentences).split())
        most = count + rng.randint(0, 12) if meets else max(3, count - rng.randint(2, 12))
        criterion = rng.choice([f"At most {most} words.", f"It has at most {most} words."])
        advice = f"Too long: cut it to {most} words."
    verdict = {
        "meets": meets,
        "score": rng.randint(8, 10) if meets else rng.randint(1, 4),
        "advice": "None needed." if meets else advice,
    }
    ask = kit_words.fill(kit_words.JUDGE, text=" ".join(sentences), criterion=criterion)
    return made("posts", ask, json.dumps(verdict))


def revised(rng: random.Random) -> Item:
    """A text changed by one piece of advice, in the words of the checks of chapters 07, 08 and 10."""
    thing, facts = rng.choice(PRODUCTS), some_facts(rng, 4)
    fillers = rng.choice([0, 1, 2])
    sentences = text_of(rng, thing, facts[: rng.choice([1, 2, 3])], fillers)
    question, fact = rng.choice(QUESTIONS), facts[3]
    if rng.random() < 0.4:
        sentences.append(question)
    asks = sentences[-1].endswith("?")
    body, end = (sentences[:-1], [sentences[-1]]) if asks else (sentences, [])
    kind = rng.choice(["question", "fact", "fact", "long", "number", "tone"])
    if kind == "question" and not asks:
        advice, answer = "Add a question to the reader at the end.", [*sentences, question]
    elif kind == "long" and fillers:
        answer = [s for s in sentences if s not in FILLERS]
        most = len(" ".join(answer).split()) + rng.randint(0, 3)
        advice = f"Too long: at most {most} words. Leave out what says nothing."
    elif kind == "number" and any(re.search(r"\d", s) for s in body[1:]):
        out = rng.choice([s for s in body[1:] if re.search(r"\d", s)])
        number = re.search(r"\d+", out)[0]  # type: ignore[index]
        advice, answer = f"Take out the number {number}.", [s for s in sentences if s != out]
    elif kind == "tone":
        advice = "Make it friendly: welcome the reader."
        answer = [*body, rng.choice(FRIENDLY), *end]
    else:
        advice = rng.choice([f"Mention {fact.name} ({fact.value}).", f"Add this fact: {fact.name}: {fact.value}."])
        answer = [*body, fact.sentence, *end]
    return made("posts", kit_words.fill(kit_words.REVISE, advice=advice, text=" ".join(sentences)), " ".join(answer))


def items(rng: random.Random, n: int) -> list[Item]:
    """`n` items: four of ten made shorter, three judged, three revised."""
    return [rng.choices([shortened, judged, revised], [4, 3, 3])[0](rng) for _ in range(n)]


def check(given: list[Item]) -> None:
    """What is made shorter keeps its limit and its question; verdicts are verdicts; prompts are the kit's."""
    for item in given:
        ask, answer = (message["content"] for message in item["messages"])
        if limit := re.match(r"Turn (?:this|the text) into a (?:tweet|post) of at most (\d+) (\w+)", ask):
            size = len(answer) if limit[2] == "characters" else len(answer.split())
            assert size <= int(limit[1]), (ask, answer)
            assert answer.endswith("?") == ("End with a question" in ask), answer
        elif ask.endswith("(meets, score, advice)."):
            verdict = json.loads(answer)
            assert verdict["meets"] == (verdict["advice"] == "None needed."), answer
        else:
            assert ask.startswith(Reflective.prompts["revise"].split("{")[0]), ask
            assert answer, ask
