"""Chapter 08: short posts from the shop's documents, judged and revised round by round; and how good the judges are.

What a program can check (length, facts, a question at the end), it checks. The tone is left to a judge, a model.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from llmlab import Model, Reply, Step, Trace, connect
from llmlab.agents import Criterion, Reflective, Run
from llmlab.agents.reflective import Draft, Verdict
from llmlab.measure import Measured, Row, made_with
from shop import Shop, lay_out

COLUMNS = ("part", "variant", "round", "criterion", "meets")  # by which `llmlab measure` tells the rows apart
ROUNDS = 3
TONE = "The tone is friendly and inviting."


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
        """What a program checks; the tone is not among it."""
        facts = [Criterion(f"The text says {name}.", says(name, fact)) for name, fact in self.facts.items()]
        return [Criterion(f"At most {self.words} words.", at_most(self.words)), *facts, Criterion("A question.", asks)]

    @property
    def criteria(self) -> list[Criterion]:
        """The checks, and one criterion for a judge."""
        return [*self.checks, Criterion(TONE)]

    def met(self, text: str) -> int:
        """How many of the checks a text passes."""
        return sum(not c.check(text) for c in self.checks if c.check)


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
    "gift box": Post(
        "gift-box", "The gift box has been", "its parts.", 25, {"the price": "29.00 euros", "the cup": "blue cup"}
    ),
    "tasting": Post(
        "tasting-evenings", "An evening costs", "days before.", 20, {"the price": "15.00 euros", "the places": "12"}
    ),
    "parcels": Post(
        "shipping", "We ship within", "2 to 3 working days.", 25, {"the country": "Ireland", "the price": "4.50 euros"}
    ),
    "grinder": Post(
        "hand-grinder", "A grinder for", "for 2 years", 25, {"the price": "58.00 euros", "the guarantee": "2 years"}
    ),
    "opening": Post(
        "opening-hours", "The shop is in", "Monday: closed", 15, {"the street": "Quay Lane 7", "Saturday": "17:00"}
    ),
    "Christmas": Post(
        "opening-hours",
        "Christmas 2026: on",
        "as usual.",
        25,
        {"Christmas Eve": "14:00", "the last day": "28 December"},
    ),
    "market": Post(
        "opening-hours",
        "During the Christmas market",
        "to 20:00.",
        20,
        {"the place": "Eyre Square", "the end": "20:00"},
    ),
    "returns": Post(
        "returns-policy", "A customer may send", "unopened.", 25, {"the time limit": "30 days", "the coffee": "coffee"}
    ),
    "roasting": Post(
        "roasting", "Kamil roasts each", "250 grams.", 20, {"the name": "Kamil", "the second day": "Thursday"}
    ),
    "boxes": Post(
        "glass-cups", "So we have packed", "broken since.", 15, {"the boxes": "double boxes", "the month": "September"}
    ),
    "beans": Post(
        "brewing-coffee", "Beans keep their", "the fridge.", 15, {"the time": "8 weeks", "the fridge": "fridge"}
    ),
    "burrs": Post(
        "hand-grinder", "Grinding 18 grams", "with a coin.", 25, {"the brush": "brush", "the price": "12.00 euros"}
    ),
}

# A criterion, a text, and whether it is met: the answers on prices and questions are a program's, those on tone ours.
JUDGED = [
    ("It says the price.", "The blue cup costs 14 euros and is made by hand in County Clare.", True),
    ("It says the price.", "Our teapot is back. You pay 34 euros for it.", True),
    ("It says the price.", "A parcel costs 4.50 euros. It takes two to three working days.", True),
    ("It says the price.", "Spare burrs are 12 euros and can be changed at home.", True),
    ("It says the price.", "The travel mug holds half a litre and comes from Leeds.", False),
    ("It says the price.", "Our oolong is back from Shizuoka. Only 40 bags are left.", False),
    ("It says the price.", "On Thursday at 19:00 we taste spiced teas. There are 12 places.", False),
    ("It says the price.", "The hand grinder has 24 steps and weighs 510 grams.", False),
    ("It ends with a question.", "We roast on Tuesday and Thursday. When will you come?", True),
    ("It ends with a question.", "Chai is back on the shelf. Do you like it with milk?", True),
    ("It ends with a question.", "The stall is open until 20:00. Shall we keep a cup for you?", True),
    ("It ends with a question.", "Our cups now travel in double boxes. Have you tried one?", True),
    ("It ends with a question.", "The shop is closed on Sunday and Monday.", False),
    ("It ends with a question.", "Do you like tea? Then come to our tasting evening.", False),
    ("It ends with a question.", "Beans keep their taste for 8 weeks.", False),
    ("It ends with a question.", "Who wants a new kettle? We have ten of them.", False),
    (TONE, "Come in from the cold! We have warm chai and a seat for you.", True),
    (TONE, "We are so glad that you like our cups, and we look forward to your visit!", True),
    (TONE, "Good morning, dear tea friends! Would you like to taste our new oolong with us?", True),
    (TONE, "Thank you for your patience. Your teapot is on its way, and we hope that you will love it!", True),
    (TONE, "Return it within 30 days or keep it. No exceptions.", False),
    (TONE, "You did not read the opening hours. It is your own fault that the door was closed.", False),
    (TONE, "Do not ask us about the alarm. Pay and leave.", False),
    (TONE, "Complaints about broken cups bore us. Buy a better one.", False),
]


class Anew:
    """For comparison: a writer that takes no advice. Whatever it is asked, it does the first task again, by chance."""

    def __init__(self, model: Model) -> None:
        self.model, self.asked = model, list[str]()

    async def chat(self, ask: str, **options: Any) -> Reply:
        """The first draft is the same as with advice: the most likely one."""
        self.asked.append(ask)
        tries = len(self.asked) - 1
        return await self.model.chat(self.asked[0], temperature=0.8 if tries else 0.0, seed=tries, **options)


class Chances(Reflective):
    """Its writer may write something new each time, whatever it is asked."""

    repeats = False


def new_drafts(model: Model, post: Post, rounds: int = ROUNDS) -> Reflective:
    """As many drafts as with advice, but without any; a program scores them, and the best one is the answer."""
    return Chances(Anew(model), post.checks, rounds=rounds)  # type: ignore[arg-type]  # all that is asked is `chat`


def by_round(run: Run, post: Post, rounds: int = ROUNDS) -> list[Row]:
    """One row a round: the checks met by its draft and by the best so far, and what the run had cost until then.

    A run that stopped early keeps its last values: it costs nothing more, and nothing changes. It may have stopped because
    a verdict could not be read; the first draft, which nobody has scored then, counts as it stands.
    """
    drafts = run.notes["drafts"] or [Draft(str(run), 0, "")]
    spans = [s for s in run.trace.part(run.part) if s.kind == "span" and s.name.startswith("round ")]
    rows: list[Row] = []
    calls = tokens = 0
    for number in range(rounds + 1):
        if number < len(spans):
            inside = [s for s in run.trace.children(spans[number].id) if s.kind == "model"]
            calls, tokens = calls + len(inside), tokens + sum(tokens_of(s) for s in inside)
        so_far = drafts[: number + 1]
        best = max(so_far, key=lambda d: d.met).text
        rows.append(
            {
                "round": number,
                "right": post.met(best) == len(post.checks),
                "last right": post.met(so_far[-1].text) == len(post.checks),
                "met": post.met(so_far[-1].text),
                "best met": post.met(best),
                "stopped": number >= len(drafts),
                "calls": calls,
                "tokens": tokens,
                "text": so_far[-1].text[:200],
            }
        )
    return rows


def tokens_of(step: Step) -> int:
    """Tokens in and out of a model call."""
    return sum(step.get(f"gen_ai.usage.{way}_tokens") or 0 for way in ("input", "output"))


def worse(rows: Sequence[Row]) -> list[Row]:
    """The rows whose draft meets fewer checks than the one of the round before."""
    return [b for a, b in pairwise(rows) if b["round"] == a["round"] + 1 and b["met"] < a["met"]]


async def rounds_of(
    agents: dict[str, Callable[[Post], Reflective]], posts: dict[str, Post], told: Callable[[Row], None] | None = None
) -> list[Row]:
    """Every agent writes every post; one row a round."""
    rows = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shop = lay_out(Path(folder) / "shop")
        for task, post in posts.items():
            for name, agent in agents.items():
                run = await agent(post).run(post.task(shop))
                same = [{"variant": name, "task": task, **row} for row in by_round(run, post)]
                rows += same
                if told:
                    told(same[-1])
    return rows


async def verdicts(
    judges: dict[str, Model], cases: Sequence[tuple[str, str, bool]], told: Callable[[Row], None] | None = None
) -> list[Row]:
    """What each judge says of texts whose verdict is known."""
    rows = []
    ask = Reflective.prompts["judge"]
    with Trace("judges"):
        for criterion, text, truth in cases:
            for name, judge in judges.items():
                asked = ask.replace("{text}", text).replace("{criterion}", criterion)
                reply = await judge.chat(asked, schema=Verdict, max_tokens=120)
                said = '"meets": true' in reply.text  # also in a verdict whose advice was too long
                row = {"variant": name, "task": text, "criterion": criterion, "meets": truth, "said": said}
                rows.append({**row, "right": said == truth, "tokens": reply.input_tokens + reply.output_tokens})
                if told:
                    told(rows[-1])
    return rows


def judges_of(model: Model, other: Model) -> dict[str, Model]:
    """The writer itself, and the other model by its name; where both are the same there is one judge."""
    same = (model.source, model.name, model.provenance) == (other.source, other.name, other.provenance)
    return {"the same model": model} if same else {"the same model": model, other.name: other}


async def full(model: Model, told: Callable[[Row], None] | None = None) -> Measured:
    """Twelve posts with each judge and without advice, for three rounds; 24 verdicts by each judge."""
    judges = judges_of(model, await connect("small", label="judge"))
    agents: dict[str, Callable[[Post], Reflective]] = {
        f"judge: {name}": lambda post, judge=judge: Reflective(model, post.criteria, judge=judge, rounds=ROUNDS)  # type: ignore[misc]
        for name, judge in judges.items()
    }
    agents["no judge, checks only"] = lambda post: Reflective(model, post.checks, rounds=ROUNDS)
    agents["no advice, new drafts"] = lambda post: new_drafts(model, post)
    rows = [{"part": "rounds", **row} for row in await rounds_of(agents, POSTS, told)]
    judged = await verdicts(judges, JUDGED, told)
    return Measured([*rows, *({"part": "judges", **row} for row in judged)], made_with(model))
