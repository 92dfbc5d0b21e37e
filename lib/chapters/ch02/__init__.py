"""Chapter 02: what does a customer want? Answered by rules, by a classifier that has learned, and by a prompt.

The prompt is measured on all unseen messages, on each size of the model in the box (`llmlab measure 02`). Rules and
classifiers need no model, and are counted in the chapter itself.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from llmlab import LabError, settings
from llmlab.llm import weights
from llmlab.llm.chat import Model
from llmlab.llm.reply import Reply
from llmlab.measure import Measured, Row, made_with

COLUMNS = ("way", "part")  # by which `llmlab measure` tells the rows apart
WANTS = {
    "orders": "about an order that was placed: its delivery, payment, invoice, or a change before it is sent",
    "returns": "something came broken or wrong, or is not wanted any more: giving it back, an exchange, money back",
    "products": "asks about the goods: stock, price, properties, use, advice",
    "visits": "about coming to the shop: opening hours, the way, the café, tastings and workshops",
}
NEW = {"wholesale": "a business that wants to buy in bulk, resell, or have an account"}
UNSEEN = ("plain", "reworded", "foreign")
SIZES = (1, 2, 5, 10, 20, 40)  # examples of each category from which a classifier learns
DRAWS = 5  # for each size, so many choices of examples: few examples are a matter of luck
SIDE_BY_SIDE = 4  # requests at a time: the model in the box has so many slots


class Said(NamedTuple):
    """A customer's message, and what the customer wants."""

    text: str
    want: str


def messages(part: str, wants: Iterable[str] = WANTS) -> list[Said]:
    """The messages of a part: `learn`, or the unseen `plain`, `reworded` (in other words), `foreign` (another language)."""
    lines = (settings.DATA / "shop" / "inbox.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    wanted = set(wants)
    if part not in ("learn", *UNSEEN):
        raise LabError(f"Messages are of the part learn, {', '.join(UNSEEN)}, but {part!r} was asked for; choose one.")
    return [Said(text, want) for where, want, text in rows if where == part and want in wanted]


# Rules

# Written with the messages of `learn` in view; the first one that is found decides, and where none is: `product`.
RULES = """\
returns: refund|money back|\\breturn|exchange|replace|\\bswap\\b|send \\w+ \\w+ \\w*\\s?back|take it back|take back
returns: broken|crack|chip|leak|smashed|melted|bent|faulty|stopped working|does not \\w+ any more|wrong (size|colour|weight)
returns: not happy|changed my mind|came off|stale|guarantee|bring .* back
orders: parcel|courier|track|deliver(?!y free)|shipp?|invoice|charged|payment|paid|\\bpay order
orders: my order|order \\d|order number|i ordered|i have been waiting|confirmation|the order
visits: \\bopen\\b|opening|clos(e|ed)\\b|tasting|workshop|course|evening|book a|reserve|parking|\\bbus\\b|station|seats|table
visits: your (shop|place|café)|the shop|toilet|wifi|wheelchair|breakfast|roastery|you roast|christmas market"""
# For the new category, with its twelve messages of `learn` in view.
NEW_RULES = """\
wholesale: wholesale|in bulk|restaurant|our (hotel|office|company|staff|bakery)|resell|trade price|supplier|supply|buyer
wholesale: we run a|coffee bar"""


def by_rules(text: str, rules: str = RULES, otherwise: str = "products") -> str:
    """The category of the first rule that is found in a message. Raises LabError for a line that is no rule."""
    for rule in filter(str.strip, rules.splitlines()):
        want, colon, pattern = rule.partition(": ")
        try:
            if not colon or not pattern.strip():
                raise LabError(f"A rule is a line like 'visits: open|close', but {rule!r} came; write it so.")
            if re.search(pattern, str(text).lower()):
                return want
        except re.error as error:
            raise LabError(f"A rule needs a pattern that can be read, but in {rule!r}: {error}; correct it.") from None
    return otherwise


def right(decide: Callable[[str], str], said: Sequence[Said]) -> int:
    """For how many of these messages a function names what the customer wants."""
    return sum(decide(one.text) == one.want for one in said)


def grown(rules: str = RULES) -> list[str]:
    """Rules line by line: each next line is the one that gains most on the messages in view; their order stays."""
    lines, learn = rules.splitlines(), messages("learn")

    def text(numbers: Iterable[int]) -> str:
        return "\n".join(lines[i] for i in sorted(numbers))

    def gain(numbers: Iterable[int]) -> int:
        return right(lambda said: by_rules(said, text(numbers)), learn)

    chosen: list[int] = []
    while left := [i for i in range(len(lines)) if i not in chosen]:
        gains = [gain([*chosen, i]) for i in left]
        chosen.append(left[gains.index(max(gains))])
    return [text(chosen[:n]) for n in range(len(lines) + 1)]


# A classifier that learns


def classifier(examples: Sequence[Said]) -> Any:
    """Trained on examples: words by how much they tell (TF-IDF), and a logistic regression over them."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # slow to import, and only this way needs it
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    # Chosen among eighteen (words or pieces of them, three strengths, with and without balance) on `learn` alone,
    # seven eighths of which taught and one eighth tested: 135 of 172 right.
    sorts = LogisticRegression(C=100, class_weight="balanced", max_iter=1000)
    learned = make_pipeline(TfidfVectorizer(sublinear_tf=True), sorts)
    return learned.fit([said.text for said in examples], [said.want for said in examples])


def drawn(examples: Sequence[Said], each: int, seed: int = 0) -> list[Said]:
    """So many examples of each category, chosen by chance; the same ones for the same seed."""
    chance, chosen = random.Random(f"{seed} {each}"), list[Said]()
    for want in dict.fromkeys(said.want for said in examples):
        there = [said for said in examples if said.want == want]
        chosen += chance.sample(there, min(each, len(there)))
    chance.shuffle(chosen)  # in a prompt, the last ones count most
    return chosen


# A prompt


TASK = """\
You sort the messages that a shop for coffee and tea gets from its customers. The categories:
{listed}
Answer in one line of JSON: {{"category": "…"}}"""


def prompt(text: str, wants: Mapping[str, str] = WANTS, shots: Sequence[Said] = ()) -> list[dict[str, str]]:
    """The task for the system; then the examples, if there are any, as turns that have gone well; then the message."""
    told = wants if isinstance(wants, Mapping) else dict.fromkeys(wants, "")  # also a mere list of names
    listed = "\n".join(f"- {want}: {meaning}" if meaning else f"- {want}" for want, meaning in told.items())
    turns = [{"role": "system", "content": TASK.format(listed=listed)}]
    for said in shots:
        turns.append({"role": "user", "content": said.text})
        turns.append({"role": "assistant", "content": json.dumps({"category": said.want})})
    return [*turns, {"role": "user", "content": str(text)}]


# The first version: all in one message, other names, and a description that begins with a wish to complain.
FIRST = {
    "order": WANTS["orders"],
    "return": "wants to give back, exchange or complain about something broken or wrong, or waits for money back",
    "product": "asks about the goods: stock, price, properties, use, advice",
    "visit": WANTS["visits"],
}


def first_prompt(text: str) -> list[dict[str, str]]:
    """The first version of the prompt."""
    listed = "\n".join(f"- {want}: {meaning}" for want, meaning in FIRST.items())
    task = f"What does a customer of our shop want? The categories:\n{listed}\n\nMessage: {text}\nCategory:"
    return [{"role": "user", "content": task}]


def one_of(wants: Iterable[str] = WANTS) -> dict[str, Any]:
    """The schema of an answer that names one category, and has no room for anything else."""
    if not list(wants):
        raise LabError("An answer is one of the categories, but there are none; give at least one name.")
    named = {"category": {"type": "string", "enum": list(wants)}}
    return {"type": "object", "properties": named, "required": ["category"], "additionalProperties": False}


async def answer(model: Model, text: str, wants: Mapping[str, str] = WANTS, shots: Sequence[Said] = ()) -> Reply:
    """What a model replies; the schema leaves it the names of the categories and nothing else."""
    return await model.chat(prompt(text, wants, shots), schema=one_of(wants), max_tokens=20)


def named(reply: Reply) -> str:
    """The category in a reply; none where the tokens ran out before the object was closed, as small models let them."""
    return str(reply.json()["category"]) if reply.finish_reason == "stop" else ""


async def by_prompt(model: Model, text: str, wants: Mapping[str, str] = WANTS, shots: Sequence[Said] = ()) -> str:
    """The category that a model names."""
    return str((await answer(model, text, wants, shots)).json()["category"])


# The experiment

# What each prompt tells the model: the categories, and how many examples of each.
PROMPTS: dict[str, tuple[Mapping[str, str], int]] = {
    "prompt": (WANTS, 0),
    "first prompt": (WANTS, 0),
    "prompt, 12 examples": (WANTS, 3),
    "prompt, wholesale added": (WANTS | NEW, 0),
}


ALL_SIZES = ("prompt", "prompt, wholesale added")  # the other prompts are not for the smaller models in the box
SMALLER = tuple(weights.CATALOGUE[size].name for size in ("small", "tiny"))


async def asked(
    model: Model, part: str, said: Sequence[Said], way: str = "prompt", together: int = 1, told: Any = None
) -> list[Row]:
    """A row for each message: what a prompt gave, whether it is right, and what it took; so many `together`."""
    if way not in PROMPTS:
        raise LabError(f"A prompt is one of {'; '.join(PROMPTS)}, but {way!r} was asked for; choose one.")
    wants, each = PROMPTS[way]
    shots, free = drawn(messages("learn", wants), each), asyncio.Semaphore(together)

    async def one(n: int, message: Said) -> Row:
        async with free:
            begun = time.perf_counter()
            if way == "first prompt":
                reply = await model.chat(first_prompt(message.text), schema=one_of(FIRST), max_tokens=20)
            else:
                reply = await answer(model, message.text, wants, shots)
            spent = round(time.perf_counter() - begun, 3) if together == 1 else None
        got = named(reply) + ("s" if way == "first prompt" else "")
        row: Row = {"way": way, "part": part, "n": n, "want": message.want, "got": got, "seconds": spent}
        row |= {"input": reply.input_tokens, "output": reply.output_tokens, "right": got == message.want}
        if told:
            told(row)
        return row

    return list(await asyncio.gather(*(one(n, message) for n, message in enumerate(said))))


def timed(way: str, decide: Callable[[str], str], part: str) -> list[Row]:
    """The same of a way that asks no model."""
    rows = list[Row]()
    for n, (text, want) in enumerate(messages(part)):
        begun = time.perf_counter()
        got = decide(text)
        spent = round(time.perf_counter() - begun, 6)
        row: Row = {"way": way, "part": part, "n": n, "want": want, "got": got, "seconds": spent}
        rows.append(row | {"right": got == want})
    return rows


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """All unseen messages by each prompt, and, for the time that they take, by rules and by a classifier."""
    classifier(messages("learn"))  # imports scikit-learn, which is not to be timed
    begun = time.perf_counter()
    learned = classifier(messages("learn"))
    training = time.perf_counter() - begun
    rows = list[Row]()
    for part in UNSEEN:
        rows += timed("rules", by_rules, part)
        rows += timed("classifier", lambda text: str(learned.predict([text])[0]), part)
        for way in (name for name in PROMPTS if name in ALL_SIZES or model.name not in SMALLER):
            wants = PROMPTS[way][0]
            together = 1 if (way, part) == ("prompt", "plain") else SIDE_BY_SIDE  # only one by one are they timed
            # The old categories are asked for again on the plain messages only.
            named = NEW if "wholesale" in wants and part != "plain" else wants
            rows += await asked(model, part, messages(part, named), way, together, told)
    return Measured(rows, {**made_with(model), "training": round(training, 2)})
