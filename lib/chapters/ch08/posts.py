"""Short posts out of the shop's documents: a limit of words, facts that have to stay, a question at the end. Each is checked
by a program, so it can be seen which criterion a revision meets, and which one it breaks."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from llmlab.agents import Criterion, Reflective, Run
from llmlab.llm.chat import Model
from llmlab.measure import Row
from shop import Shop, lay_out

ROUNDS = 3


@dataclass(frozen=True)
class Post:
    """A passage of a document, to be made a post of at most so many words that says some facts (by name) of it."""

    document: str
    first: str
    last: str
    words: int
    facts: dict[str, str]

    def text(self, shop: Shop) -> str:
        """The passage, from its first words to its last."""
        whole = " ".join((shop.documents / f"{self.document}.md").read_text(encoding="utf-8").split())
        start = whole.index(self.first)
        return whole[start : whole.index(self.last, start) + len(self.last)]

    def task(self, shop: Shop) -> str:
        """What the writer is asked. All that a program will check is said here."""
        names = " and ".join(self.facts)
        return (
            f"Turn the text into a post of at most {self.words} words with {names} in it. "
            f"End with a question to the reader.\n\n{self.text(shop)}"
        )

    @property
    def checks(self) -> list[Criterion]:
        """What a program checks."""
        facts = [Criterion(f"The text says {name}.", says(name, fact)) for name, fact in self.facts.items()]
        return [Criterion(f"At most {self.words} words.", at_most(self.words)), *facts, Criterion("A question.", asks)]

    def meets(self, text: str) -> list[bool]:
        """For each check, whether a text passes it."""
        return [not c.check(text) for c in self.checks if c.check]


def at_most(words: int) -> Callable[[str], str]:
    """A check of the length."""

    def check(text: str) -> str:
        return "" if len(text.split()) <= words else f"Too long: at most {words} words. Leave out what says nothing."

    return check


def says(name: str, fact: str) -> Callable[[str], str]:
    """A check that a text holds a fact: "15.00 euros" is said as "15", too."""
    needed = fact.removesuffix(" euros").removesuffix(".00")
    pattern = re.compile(rf"(?<![\d.]){re.escape(needed)}(?!\d)", re.I)

    def check(text: str) -> str:
        return "" if pattern.search(text) else f"Mention {name} ({fact})."

    return check


def asks(text: str) -> str:
    """A check that a text ends with a question."""
    return "" if text.rstrip().endswith("?") else "Add a question to the reader at the end."


POSTS = {
    "parcels": Post(
        "shipping", "We ship within", "2 to 3 working days.", 25, {"the country": "Ireland", "the price": "4.50 euros"}
    ),
    "grinder": Post(
        "hand-grinder", "A grinder for", "for 2 years", 25, {"the price": "58.00 euros", "the guarantee": "2 years"}
    ),
    "opening": Post(
        "opening-hours", "The shop is in", "Monday: closed", 15, {"the street": "Quay Lane 7", "Saturday": "17:00"}
    ),
    "market": Post(
        "opening-hours",
        "During the Christmas market",
        "to 20:00.",
        20,
        {"the place": "Eyre Square", "the end": "20:00"},
    ),
    "beans": Post(
        "brewing-coffee", "Beans keep their", "the fridge.", 15, {"the time": "8 weeks", "the fridge": "fridge"}
    ),
    "burrs": Post(
        "hand-grinder", "Grinding 18 grams", "with a coin.", 25, {"the brush": "brush", "the price": "12.00 euros"}
    ),
}


def agent(model: Model, post: Post, rounds: int = ROUNDS) -> Reflective:
    """The library's agent with the checks of a post."""
    return Reflective(model, post.checks, rounds=rounds)


def steps_of(run: Run, post: Post) -> list[tuple[int, int]]:
    """For each revision of a run: how many checks it meets that the draft before did not, and how many it breaks."""
    met = [post.meets(draft.text) for draft in run.notes["drafts"]]
    changed = [list(zip(a, b, strict=True)) for a, b in pairwise(met)]
    return [(pairs.count((False, True)), pairs.count((True, False))) for pairs in changed]


def task(name: str) -> str:
    """What the writer of a post is asked, with the passage of the shop's document in it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        return POSTS[name].task(lay_out(Path(folder) / "shop"))


async def revised(model: Model, name: str) -> list[Row]:
    """One row for a post: the checks that its first draft met, its best one, and what each revision met and broke."""
    post = POSTS[name]
    run = await agent(model, post).run(task(name))
    met = [sum(post.meets(draft.text)) for draft in run.notes["drafts"]]
    row = {"part": "posts", "variant": "by checks", "task": name, "right": max(met) == len(post.checks)}
    row |= {"criteria": len(post.checks), "met": met, "steps": steps_of(run, post), "tokens": run.spent.tokens}
    return [{**row, "texts": [draft.text[:300] for draft in run.notes["drafts"]]}]
