"""Chapter 02: what does a customer want? Answered by rules, by a classifier that has learned, and by a prompt."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from llmlab import settings
from llmlab.llm.chat import Model
from llmlab.measure import Measured, Row, made_with

COLUMNS = ("part", "way", "examples")  # by which `llmlab measure` tells the rows apart
WANTS = {
    "order": "about an order that was placed: its delivery, payment, invoice, or a change before it is sent",
    "return": "wants to give back, exchange or complain about something broken or wrong, or waits for money back",
    "product": "asks about the goods: stock, price, properties, use, advice",
    "visit": "about coming to the shop: opening hours, the way, the café, tastings and workshops",
}
NEW = {"wholesale": "a business that wants to buy in bulk, resell, or have an account"}
SIZES = (1, 2, 5, 10, 20, 40)  # examples of each category from which a classifier learns
DRAWS = 10  # for each size, so many choices of examples: few examples are a matter of luck


class Said(NamedTuple):
    """A customer's message, and what the customer wants."""

    text: str
    want: str


def messages(part: str, wants: Iterable[str] = WANTS) -> list[Said]:
    """The messages of a part: `learn`, or the unseen `plain` and `reworded`."""
    lines = (settings.DATA / "shop" / "inbox.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    wanted = set(wants)
    return [Said(text, want) for where, want, text in rows if where == part and want in wanted]


# Rules

# Written in half an hour, with the messages of `learn` in view: the first one that is found decides.
RULES = """\
return: refund|money back|\\breturn|exchange|replace|\\bswap\\b|send \\w+ \\w+ \\w*\\s?back|take it back|take back
return: broken|crack|chip|leak|smashed|melted|bent|faulty|stopped working|does not \\w+ any more|wrong (size|colour|weight)
return: not happy|changed my mind|came off|stale|guarantee|bring .* back
order: parcel|courier|track|deliver(?!y free)|shipp?|invoice|charged|payment|paid|\\bpay order
order: my order|order \\d|order number|i ordered|i have been waiting|confirmation|the order
visit: \\bopen\\b|opening|clos(e|ed)\\b|tasting|workshop|course|evening|book a|reserve|parking|\\bbus\\b|station|seats|table
visit: your (shop|place|café)|the shop|toilet|wifi|wheelchair|breakfast|roastery|you roast|christmas market
product: do you (have|sell|still|grind)|in stock|cost|which|how (much|many|heavy|strong|long|do i clean)|what (size|is|does)
product: is (the|there|your)|are (your|the|there)|does the|can the|can i use|at what temperature|where do the beans|when will"""


def by_rules(text: str, rules: str = RULES, otherwise: str = "product") -> str:
    """The category of the first rule that is found in a message."""
    for rule in rules.splitlines():
        want, pattern = rule.split(": ", 1)
        if re.search(pattern, text.lower()):
            return want
    return otherwise


# A classifier that learns


def classifier(examples: Sequence[Said]) -> Any:
    """Trained on examples: counts of short pieces of words (TF-IDF), and a logistic regression over them."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # slow to import, and only this way needs it
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    learned = make_pipeline(pieces, LogisticRegression(max_iter=1000))
    return learned.fit([said.text for said in examples], [said.want for said in examples])


def drawn(examples: Sequence[Said], each: int, seed: int = 0) -> list[Said]:
    """So many examples of each category, chosen by chance; the same ones for the same seed."""
    chance, chosen = random.Random(f"{seed} {each}"), list[Said]()
    for want in dict.fromkeys(said.want for said in examples):
        there = [said for said in examples if said.want == want]
        chosen += chance.sample(there, min(each, len(there)))
    return chosen


# A prompt


def prompt(text: str, wants: dict[str, str], shots: Sequence[Said] = ()) -> list[dict[str, str]]:
    """The categories in words, some examples if there are any, and the message."""
    listed = "\n".join(f"- {want}: {meaning}" for want, meaning in wants.items())
    shown = "".join(f"Message: {said.text}\nCategory: {said.want}\n\n" for said in shots)
    task = f"What does a customer of our shop want? The categories:\n{listed}\n\n{shown}Message: {text}\nCategory:"
    return [{"role": "user", "content": task}]


async def by_prompt(model: Model, text: str, wants: dict[str, str] | None = None, shots: Sequence[Said] = ()) -> str:
    """The category that a model names; a schema leaves it no other words."""
    wants = wants or WANTS
    category = {"type": "object", "properties": {"category": {"enum": [*wants]}}, "required": ["category"]}
    reply = await model.chat(prompt(text, wants, shots), schema=category, max_tokens=20)
    return str(reply.json()["category"])


# The experiment


def tried(way: str, part: str, said: Sequence[Said], answers: Sequence[str], seconds: float, **more: Any) -> list[Row]:
    """A row for each message: what came, whether it is right, and what it took."""
    each = seconds / len(said)
    return [
        {"way": way, "part": part, **more, "want": s.want, "got": a, "right": a == s.want, "seconds": round(each, 5)}
        for s, a in zip(said, answers, strict=True)
    ]


def timed(decide: Callable[[str], str], said: Sequence[Said]) -> tuple[list[str], float]:
    """The answers of a way that asks no model, and the seconds for all of them."""
    begun = time.perf_counter()
    answers = [decide(s.text) for s in said]
    return answers, time.perf_counter() - begun


def without_a_model(parts: Iterable[str] = ("plain", "reworded")) -> list[Row]:
    """Rules, and classifiers that have learned from more and more examples, on unseen messages."""
    rows, learn = [], messages("learn")
    for part in parts:
        said = messages(part)
        rows += tried("rules", part, said, *timed(by_rules, said))
        for size in SIZES:
            for draw in range(DRAWS if size < SIZES[-1] else 1):
                learned = classifier(drawn(learn, size, draw))
                answers, seconds = timed(lambda text, learned=learned: learned.predict([text])[0], said)
                rows += tried("classifier", part, said, answers, seconds, examples=size, draw=draw)
    return rows


async def with_a_model(
    model: Model, said: Sequence[Said], part: str, shots: int = 0, wants: dict[str, str] | None = None
) -> list[Row]:
    """The prompt, with so many examples of each category in it, on messages."""
    wants = wants or WANTS
    shown, rows = drawn(messages("learn", wants), shots), list[Row]()
    for one in said:
        begun = time.perf_counter()
        answer = await by_prompt(model, one.text, wants, shown)
        rows += tried("prompt", part, [one], [answer], time.perf_counter() - begun, examples=shots)
    return rows


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """All unseen messages: by rules, by classifiers, and by the prompt without examples and with one and three of each."""
    rows = without_a_model()
    for part in ("plain", "reworded"):
        for shots in (0, 1, 3):
            for one in messages(part):
                rows += (made := await with_a_model(model, [one], part, shots))
                if told:
                    told(made[0])
    return Measured(rows, made_with(model))
