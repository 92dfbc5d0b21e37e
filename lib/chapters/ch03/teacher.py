"""A language lesson: the program says what each exercise practises, the model writes it, and the program reads it again."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from pydantic import BaseModel, ConfigDict

from chapters.ch03 import spanish
from llmlab.errors import LabError, ModelError
from llmlab.llm.chat import Message, Model, Reply
from llmlab.show.view import QUIET, View

TRIES, MOST_TOKENS, WARM = 4, 100, 0.7
TOPICS = {
    "time": ("the train", "breakfast", "the shop", "a film", "the bus", "lunch", "a concert", "the Spanish class"),
    "number": ("the price of a book", "a page of a book", "someone's age", "a house number", "guests", "a bus line"),
}
KINDS = ("time", "number")
ASK = (
    "Write an example sentence for beginners of Spanish. Topic: {topic}. It says {what}, in words, without digits.\n"
    "Reply as JSON with the fields spanish (the sentence) and english (its translation, with the number in digits)."
)
AGAIN = "{fault} Write the exercise again."
UNCHECKED = "Look over the exercise, and write it again without mistakes."


class Item(BaseModel):
    """What the model writes."""

    model_config = ConfigDict(extra="forbid")
    spanish: str
    english: str


@dataclass(frozen=True)
class Slot:
    """What one exercise has to practise: `value` is a number, or the minutes after twelve on the dial of a clock."""

    kind: str
    topic: str
    value: int

    def __post_init__(self) -> None:
        last = spanish.HALF_DAY - 1 if self.kind == "time" else 99
        if self.kind not in KINDS or self.value not in range(1 if self.kind == "time" else 2, last + 1):
            raise LabError(
                f"A slot is a time (in minutes after twelve, 1 to {spanish.HALF_DAY - 1}) or a number (2 to 99), "
                f"but got {self.kind!r}, {self.value!r}."
            )

    @property
    def key(self) -> str:
        """What the learner has to understand, in digits."""
        return spanish.clock(self.value) if self.kind == "time" else str(self.value)

    @property
    def what(self) -> str:
        """The same in the words of the prompt."""
        return f"the {self.kind} {self.key}"


def slots(each: int, seed: int) -> list[Slot]:
    """So many slots of each kind; the same ones for the same seed."""
    rng = random.Random(seed)
    times = [Slot("time", rng.choice(TOPICS["time"]), t) for t in rng.sample(range(65, spanish.HALF_DAY, 5), 3 * each)]
    times = [slot for slot in times if slot.value % 60][:each]
    numbers = [Slot("number", rng.choice(TOPICS["number"]), n) for n in rng.sample(range(21, 100), each)]
    return [*times, *numbers]


def fault(slot: Slot, item: Item) -> str:
    """What is wrong with an exercise, in a sentence that its writer can use; empty if a program finds nothing."""
    if re.search(r"\d", item.spanish):
        return "The Spanish sentence has digits; write them as words."
    said = spanish.times(item.spanish) if slot.kind == "time" else spanish.numbers(item.spanish)
    if set(said) != {slot.value}:
        heard = [spanish.clock(n) if slot.kind == "time" else str(n) for n in said]
        return f"The Spanish sentence says {' and '.join(heard) or f'no {slot.kind}'}, but has to say {slot.key}."
    other = [digits for digits in re.findall(r"\d+(?::\d+)?", item.english) if digits != slot.key]
    if other:
        return f"The English sentence says {' and '.join(other)}, but has to say {slot.key}."
    return ""


SOLVED = (  # two exercises as they should be, for a prompt that shows instead of only saying
    (
        Slot("number", "a bill", 24),
        Item(spanish="La cuenta es de veinticuatro euros.", english="The bill is 24 euros."),
    ),
    (
        Slot("time", "a party", 260),
        Item(spanish="La fiesta empieza a las cuatro y veinte.", english="The party starts at 4:20."),
    ),
)


def asked(slot: Slot, solved: bool = False) -> list[Message]:
    """The request for an exercise; if wanted, after two solved ones."""
    before: list[Message] = []
    for other, item in SOLVED if solved else ():
        before += [*asked(other), {"role": "assistant", "content": item.model_dump_json()}]
    return [*before, {"role": "user", "content": ASK.format(topic=slot.topic, what=slot.what)}]


@dataclass
class Draft:
    """One attempt: the reply, the exercise in it (none if it is no JSON of the shape), and what is wrong with it."""

    reply: Reply
    item: Item | None
    fault: str


@dataclass
class Made:
    """All attempts at one slot, in order."""

    slot: Slot
    drafts: list[Draft] = field(default_factory=list)

    @property
    def item(self) -> Item | None:
        """The last attempt, if the check let it pass."""
        return self.drafts[-1].item if self.ok else None

    @property
    def ok(self) -> bool:
        """Whether the last attempt passed."""
        return bool(self.drafts) and not self.drafts[-1].fault


async def draft(model: Model, slot: Slot, messages: Sequence[Message], turn: int = 0) -> Draft:
    """One call: the first at temperature 0, later ones with some chance, or the same mistake would come again."""
    chance: dict[str, Any] = {"temperature": WARM, "seed": turn} if turn else {}
    reply = await model.chat(messages, schema=Item, max_tokens=MOST_TOKENS, **chance)
    try:
        item = reply.parse(Item)
    except ModelError:
        return Draft(reply, None, "The reply has to be JSON with the fields spanish and english.")
    return Draft(reply, item, fault(slot, item))


async def make(
    model: Model, slot: Slot, tries: int = TRIES, told: bool = True, begun: Draft | None = None, solved: bool = False
) -> Made:
    """Ask, check, and ask again with the reason (or, if it is not `told`, from the start) until it passes or tries end.

    `begun` is a first draft that is there already; with `solved`, two solved exercises go before the request.
    """
    made, messages = Made(slot), asked(slot, solved)
    for turn in range(tries):
        last = begun if begun and not turn else await draft(model, slot, messages, turn)
        made.drafts.append(last)
        if made.ok:
            break
        if told:
            messages = [*messages, last.reply.message, {"role": "user", "content": AGAIN.format(fault=last.fault)}]
    return made


async def unchecked(model: Model, slot: Slot, rounds: int, begun: Draft | None = None) -> Made:
    """The control: so many calls, each after the first asked to look over what stands there; no check steers it."""
    made, messages = Made(slot), asked(slot)
    for turn in range(rounds):
        last = begun if begun and not turn else await draft(model, slot, messages, turn)
        made.drafts.append(last)
        messages = [*messages, last.reply.message, {"role": "user", "content": UNCHECKED}]
    return made


def right(slot: Slot, answer: str) -> bool:
    """Whether the learner's answer is right."""
    return answer.strip() == slot.key


def lesson_card(lesson: Sequence[Made]) -> View:
    """The exercises that passed, their answers folded; those that did not are only counted."""
    lines, texts = [], []
    for made in lesson:
        if made.item:
            ask = f"{made.item.spanish} Which {made.slot.kind}, in digits?"
            behind = f"{made.slot.key}: {made.item.english}"
            hidden = f"<details><summary style='{QUIET}'>answer</summary>{escape(behind)}</details>"
            lines.append(f"<li>{escape(ask)}{hidden}</li>")
            texts.append(f"{ask} [{behind}]")
    calls, dropped = sum(len(made.drafts) for made in lesson), sum(not made.ok for made in lesson)
    note = f"{len(lesson)} exercises asked for, {calls} calls, {calls - len(lesson) + dropped} drafts rejected, {dropped} given up"
    return View(f"<ol>{''.join(lines)}</ol><p style='{QUIET}'>{note}</p>", "\n".join([*texts, note]))
