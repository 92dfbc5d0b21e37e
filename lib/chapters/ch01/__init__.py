"""Chapter 01: how often instructions are followed, by size and place, and what a memory does to answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chapters.ch01.app import ChatApp, FollowUp, Instructions, Layer
from llmlab import Trace
from llmlab.llm.chat import Message, Model, Reply
from llmlab.measure import Measured, Row, made_with
from llmlab.show.view import View, table_of

COLUMNS = ("part", "what", "where")  # by which `llmlab measure` tells the rows apart
SIDE_BY_SIDE = 4  # requests at a time: the model in the box has so many slots
ANSWER, RECALL = 80, 40  # the longest answers, in tokens

# Instructions that a program can check

GERMAN = re.compile(
    r"\b(der|die|das|den|dem|ein|eine|einen|ist|sind|und|aus|mit|von|für|wird|werden|nicht|wir|es|sie|im|auf|zu|"
    r"hat|haben|macht|machen|lebt|leben)\b",
    re.I,
)
ENGLISH = re.compile(r"\b(the|an|is|are|and|of|with|for|it|to|by|not|we)\b", re.I)


@dataclass(frozen=True)
class Wish:
    """An instruction, and whether a reply follows it."""

    name: str
    text: str
    followed: Callable[[Reply], bool]


def in_german(text: str) -> bool:
    """Whether a text has more of the small words of German than of those of English."""
    return len(GERMAN.findall(text)) > len(ENGLISH.findall(text))


def asks_back(reply: Reply) -> bool:
    """Whether a reply comes to its end, and the end is a question."""
    return reply.finish_reason == "stop" and reply.text.strip().endswith("?")


WISHES = [
    Wish("in German", "Answer in German.", lambda reply: in_german(reply.text)),
    Wish("five words at most", "Answer in at most five words.", lambda reply: 0 < len(reply.text.split()) <= 5),
    Wish("capital letters", "Answer in capital letters only.", lambda reply: reply.text.isupper()),
    Wish(
        "begins with Ahoy", "Begin your answer with the word Ahoy.", lambda reply: reply.text.lower().startswith("ahoy")
    ),
    Wish("ends with a question", "End your answer with a question to the user.", asks_back),
]
TOPICS = [
    "Which planet is the largest?",
    "What is bread made of?",
    "How many legs does a spider have?",
    "What is a violin?",
    "Which language do people speak in Brazil?",
    "What do bees make?",
    "Where do penguins live?",
    "What is a lighthouse for?",
    "Who painted the Mona Lisa?",
    "What colour is a ripe banana?",
]
NOT_GIVEN, SYSTEM, PROMPT, SECOND = PLACES = ("not given", "system message", "end of the prompt", "a second call")

# Facts that a person told the app, each with a question about it and one about something near it, that was never told

FACTS = {  # the fact: what is asked, the word that has to come, what is asked near it
    "My dog is called Biscuit.": ("What is my dog called?", "Biscuit", "What is my horse called?"),
    "I am allergic to nuts.": ("Which food am I allergic to?", "nuts", "Which medicine am I allergic to?"),
    "I work as a nurse.": ("What is my job?", "nurse", "What is my father's job?"),
    "I am learning the cello.": ("Which instrument am I learning?", "cello", "Which language am I learning?"),
    "My favourite colour is green.": ("What is my favourite colour?", "green", "What is my favourite film?"),
    "I live in Lisbon.": ("Where do I live?", "Lisbon", "Where did I go to school?"),
    "My sister is called Amira.": ("What is my sister called?", "Amira", "What is my daughter called?"),
    "My car is from 2015.": ("From which year is my car?", "2015", "In which year did I marry?"),
}
WORLD = {  # what has nothing to do with the person
    "Which city is the capital of Peru?": "Lima",
    "How many legs does a spider have?": "eight|8",
    "What colour is a ripe banana?": "yellow",
    "Who wrote Romeo and Juliet?": "Shakespeare",
    "Which planet is closest to the sun?": "Mercury",
    "What is 12 plus 30?": "42",
    "Which language do people speak in Brazil?": "Portuguese",
    "What do bees make?": "honey",
}
TOLD, NEAR, GENERAL = ASKED = ("what it was told", "what it was not told", "general knowledge")
WITHOUT, WITH, CAREFUL = MEMORIES = ("without memory", "with memory", "with memory, and told to admit")
ADMIT = "If the user asks for something about themselves that is not written there, say that you do not know it."
_admits = re.compile(
    r"\b(not|n't|cannot|never) (\w+ ){0,3}(know|sure|said|say|told|tell|mention|provide|specif|state|give|given|have|has|find|"
    r"access|able|determine|possible|enough)|\b(no|without|lacks?|need|any) (\w+ ){0,3}information|\bunknown|\bsorry|"
    r"\b(unable|unclear)|n't (know|have|say|mention|provide|specify|state|tell)|\bas an ai\b|not (available|listed|written)",
    re.I,
)


def admits(text: str) -> bool:
    """Whether a reply says that it does not know."""
    return _admits.search(text.replace("’", "'")) is not None


def has(text: str, words: str) -> bool:
    """Whether one of some words, separated by bars, stands in a text."""
    return re.search(rf"(?<!\w)({words})(?!\w)", text, re.I) is not None


class About(Layer):
    """Known lines in front of the question, as `Memory` sends them, without a file."""

    def __init__(self, known: Iterable[str]):
        self.known = " ".join(known)

    def before(self, messages: list[Message]) -> list[Message]:
        """Bring them back in the user message."""
        *earlier, last = messages
        return [*earlier, {**last, "content": f"About me: {self.known}\nQuestion: {last['content']}"}]


# The measurements


class Asking:
    """Several calls side by side; each becomes a row."""

    def __init__(self, model: Model, told: Callable[[Row], None] | None = None):
        self.model, self.told, self.free = model, told, asyncio.Semaphore(SIDE_BY_SIDE)

    async def reply(self, messages: Sequence[Message], longest: int) -> Reply:
        """One call, as soon as a slot is free."""
        async with self.free:
            return await self.model.chat(messages, max_tokens=longest)

    def row(self, part: str, what: str, where: str, task: str, right: bool, reply: Reply, **more: Any) -> Row:
        """What came of a call."""
        cost = {"tokens": reply.input_tokens + reply.output_tokens, "seconds": round(reply.seconds, 2)}
        row = {"part": part, "what": what, "where": where, "task": task, "right": right, **more, **cost}
        row["answer"] = reply.text[:200]
        if self.told:
            self.told(row)
        return row


def sent(model: Model, question: str, *layers: Layer) -> list[Message]:
    """The messages of one question through some layers."""
    return ChatApp(model, layers).messages(question)


async def instructions(
    model: Model,
    told: Callable[[Row], None] | None = None,
    wishes: Sequence[Wish] = WISHES,
    topics: Sequence[str] = TOPICS,
) -> Measured:
    """Each question without any instruction, then each instruction in two places; the question at the end by a second call, too."""
    asking = Asking(model, told)

    async def plain(topic: str) -> list[Row]:
        reply = await asking.reply(sent(model, topic), ANSWER)
        rows = [asking.row("instructions", w.name, NOT_GIVEN, topic, w.followed(reply), reply) for w in wishes]
        if any(wish.followed is asks_back for wish in wishes):
            async with asking.free:
                _, [second] = await FollowUp().after(reply.text, model)
            rows.append(asking.row("instructions", wishes[-1].name, SECOND, topic, asks_back(second), second))
        return rows

    async def one(wish: Wish, topic: str, where: str) -> list[Row]:
        messages = (
            sent(model, topic, Instructions(wish.text)) if where == SYSTEM else sent(model, f"{topic} {wish.text}")
        )
        reply = await asking.reply(messages, ANSWER)
        return [asking.row("instructions", wish.name, where, topic, wish.followed(reply), reply)]

    tries = [plain(topic) for topic in topics]
    tries += [one(wish, topic, where) for wish in wishes for where in (SYSTEM, PROMPT) for topic in topics]
    return Measured([row for rows in await asyncio.gather(*tries) for row in rows], made_with(model))


def questions(facts: Mapping[str, tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """What is asked for, the question, and the word of a right answer (of the neighbour, where nothing was told)."""
    told = [(TOLD, question, word) for question, word, _ in facts.values()]
    near = [(NEAR, question, word) for _, word, question in facts.values()]
    return [*told, *near, *((GENERAL, question, words) for question, words in WORLD.items())]


async def memory(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """Questions on what was told, on what was not, and on the world: without memory, with it, with a word of caution."""
    asking, about = Asking(model, told), About(FACTS)
    layers: dict[str, list[Layer]] = {WITHOUT: [], WITH: [about], CAREFUL: [Instructions(ADMIT), about]}
    values = "|".join(word for _, word, _ in FACTS.values())

    async def one(what: str, question: str, word: str, where: str) -> Row:
        reply = await asking.reply(sent(model, question, *layers[where]), RECALL)
        right = admits(reply.text) if what == NEAR else has(reply.text, word)
        misled = what == NEAR and not right and has(reply.text, values)
        return asking.row("memory", what, where, question, right, reply, misled=misled)

    tries = [one(*each, where) for where in MEMORIES for each in questions(FACTS)]
    return Measured(list(await asyncio.gather(*tries)), made_with(model))


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """Both measurements."""
    with Trace("chapter 01"):
        first, second = await instructions(model, told), await memory(model, told)
    return Measured(first.rows + second.rows, first.about)


# Tables


def part(measured: Measured, name: str, **which: Any) -> Measured:
    """The rows of one part, and of these values."""
    wanted = {"part": name, **which}
    return Measured([r for r in measured.rows if all(r.get(k) == v for k, v in wanted.items())], measured.about)


def unknown(measured: Measured) -> View:
    """How the models answer what they were not told: they say so, take something out of the memory, or make something up."""
    rows = []
    for (model, where), same in part(measured, "memory", what=NEAR).by("model", "where").items():
        admitted, misled = (sum(bool(row[name]) for row in same) for name in ("right", "misled"))
        rows.append([model, where, admitted, misled, len(same) - admitted - misled])
    return table_of(["model", "asked", "says so", "answers out of the memory", "makes it up"], rows)
