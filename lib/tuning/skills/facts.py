"""Plain facts and explanations, so that an adapter does not make the model forget them."""

from __future__ import annotations

import json
import random
import re

from .conversation import WRITTEN, Deck, Item, after, assistant, lower_first, sentences, system, user, written

SYSTEMS = [
    "You are a helpful assistant.",
    "You are a helpful assistant.",
    "You answer questions briefly.",
    "You are a friendly assistant.",
    "Answer in one or two sentences.",
    "You are the assistant of a school.",
    "You help people with questions of all kinds.",
    "Be short and clear.",
]
OPENINGS = [
    "Hi!", "Hello,", "Hey,", "Please:", "Quick question:", "I'd like to know:", "Sorry, one question:", "So,", "Tell me:",
    "A question:", "My daughter wants to know:", "For a quiz:", "I was wondering:", "Could you help me?", "Good evening!",
    "Help me out:", "Just curious:", "Next question:", "Our teacher asked:", "I forgot this:",
]  # fmt: skip
CLOSINGS = [
    "Thanks!",
    "Please answer briefly.",
    "Answer briefly.",
    "Thank you.",
    "In short.",
    "I would like to know.",
    "Answer briefly.",
]


def table_facts() -> list[Item]:
    """The facts of ../written/fact_tables.txt: for each table its questions, its answer, and pairs "a: b"."""
    found: list[Item] = []
    for block in (WRITTEN / "fact_tables.txt").read_text(encoding="utf-8").strip().split("\n\n"):
        asked, answer, pairs = block.split("\n")
        for pair in pairs.split("; "):
            a, b = pair.split(": ")
            questions = [q.format(a=a, b=b) for q in asked.removeprefix("? ").split(" / ")]
            messages = [user(questions[0]), assistant(answer.removeprefix("= ").format(a=a, b=b))]
            found.append({"skill": "facts", "kind": "fact", "messages": messages, "also": questions[1:]})
    return [articled(fact) for fact in found]


def said(fact: Item, at: int) -> str:
    """The text of one of the messages of a fact."""
    return fact["messages"][at]["content"]


def articled(fact: Item) -> Item:
    """The fact with "an" where a table's "a" came before a vowel."""

    def mend(text: str) -> str:
        return re.sub(r"\ba (?=[aeiou]\w)", "an ", text)

    messages = [{**m, "content": mend(m["content"])} for m in fact["messages"]]
    return {**fact, "messages": messages, "also": [mend(q) for q in fact["also"]]}


def all_facts() -> list[Item]:
    """The facts written one by one and those of the tables that are not among them."""
    own = written("facts")
    known = {said(fact, 0) for fact in own}
    return own + [fact for fact in table_facts() if said(fact, 0) not in known]


def framed(rng: random.Random, fact: Item) -> str:
    """The question of a fact in one of its wordings, as different people type it."""
    question = rng.choice([fact["messages"][0]["content"], *fact.get("also", [])])
    chance = rng.random() if question.endswith("?") else 0.0
    if chance < 0.52:
        return question
    if chance < 0.68:
        return after(rng.choice(OPENINGS), question)
    if chance < 0.82:
        return f"{question} {rng.choice(CLOSINGS)}"
    return lower_first(question).rstrip("?") if chance < 0.92 else lower_first(question)


def fact_item(rng: random.Random, fact: Item, before: Item) -> Item:
    """A fact by itself, with a system message, or after another question."""
    messages = [user(framed(rng, fact)), fact["messages"][1]]
    if rng.random() < 0.08:
        messages = [user(before["messages"][0]["content"]), before["messages"][1], *messages]
    elif rng.random() < 0.05:
        messages = [user("Hello!"), assistant("Hello! How can I help you?"), *messages]
    if rng.random() < 0.18:
        messages = [system(rng.choice(SYSTEMS)), *messages]
    return {"skill": "facts", "messages": messages}


def items(rng: random.Random, n: int) -> list[Item]:
    """n items drawn from the written facts and explanations; none comes again before all have come."""
    deck = Deck(rng, all_facts())
    return [fact_item(rng, deck.deal(), rng.choice(deck.cards)) for _ in range(n)]


def check() -> None:
    """Questions are unique, answers short, and items the same for the same seed."""
    facts = all_facts()
    questions = [fact["messages"][0]["content"] for fact in facts]
    assert len(set(questions)) == len(questions)
    for fact in facts:
        answer = fact["messages"][1]["content"]
        count = len(sentences(answer))
        assert count in (2, 3) if fact["kind"] == "explanation" else count <= 2, fact
        assert len(answer) < 420, fact
        assert fact.get("next", "?").endswith("?"), fact
    made = items(random.Random(1), 700)
    assert made == items(random.Random(1), 700)
    assert max(len(json.dumps(item)) for item in made) < 1200
