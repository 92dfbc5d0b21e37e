"""The exercises of chapter 02: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

from typing import Any

import numpy as np

from chapters.ch02 import RULES, WANTS, Said
from llmlab.lesson import Check, Exercise

ASKED = "When do you open?"
UNSURE = {"returns": 0.4, "orders": 0.35, "products": 0.15, "visits": 0.1}
LIMIT = {"orders": 0.6, "returns": 0.25, "products": 0.1, "visits": 0.05}
SURE = {"visits": 0.9, "orders": 0.04, "products": 0.03, "returns": 0.03}
BROKEN = "orders: courier\nreturns: broken"


class Scripted:
    """A classifier whose probabilities are known, as a check needs it."""

    classes_ = np.array(sorted(WANTS))

    def __init__(self, chances: dict[str, float]):
        self.chances = chances

    def predict_proba(self, texts: list[str]) -> Any:
        """The same chances for every text."""
        return np.array([[self.chances[want] for want in self.classes_] for _ in _list(texts)])

    def predict(self, texts: list[str]) -> Any:
        """The category with the highest chance, for every text."""
        return self.classes_[self.predict_proba(texts).argmax(axis=1)]


def _list(texts: Any) -> Any:
    if isinstance(texts, str):
        raise ValueError("a classifier takes a list of messages, but a single text came; put it into a list: [text]")
    return texts


def _plain(got: Any) -> Any:
    """A value of numpy's as Python's own."""
    return got.item() if isinstance(got, np.generic) else got


def _changes() -> list[tuple[str, str, list[Said], list[tuple[str, str, str]], str]]:
    """A new rule, the rules, messages, what changes, and what the case is about."""
    late = Said("The courier is late.", "orders")
    cup = Said("My cup came broken.", "returns")
    both = Said("The courier brought a broken cup.", "returns")
    open_ = Said("When do you open?", "visits")
    supply = Said("Can you supply our hotel with broken biscuits?", "wholesale")
    plain = Said("Do you supply hotels?", "wholesale")
    return [
        (
            "wholesale: hotel",
            BROKEN,
            [late, supply, cup, plain],
            [(supply.text, "returns", "wholesale"), (plain.text, "products", "wholesale")],
            "a new category, whose rule has to come before all others",
        ),
        ("returns: broken", BROKEN, [both, cup], [(both.text, "orders", "returns")], "the order of the rules changes"),
        ("orders: courier", BROKEN, [late, both, cup, open_], [], "a rule that is there already changes nothing"),
        ("visits: cup", BROKEN, [cup], [(cup.text, "returns", "visits")], "also a change for the worse is a change"),
        ("products: open", BROKEN, [open_], [], "a rule is found, but the category stays"),
        ("visits: open", RULES, [open_, late], [], "the rules of the chapter"),
    ]


async def _what_changes(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for rule, rules, said, wanted, why in _changes():
        given = list(said)
        got = work(rule, rules, said)
        if got is None or isinstance(got, str) or not hasattr(got, "__iter__"):
            return [(False, f"a list of changes is wanted, but {type(got).__name__} came")]
        found = [tuple(each) if isinstance(each, list | tuple) else each for each in got]
        points.append((found == wanted, f"{rule!r} ({why}) has to give {wanted}, and gave {found}"))
        if said != given:
            points.append((False, "the messages may not be changed"))
    return points


async def _sure(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    cases = (
        (SURE, 0.6, "visits"),
        (UNSURE, 0.6, None),
        (UNSURE, 0.4, "returns"),
        (UNSURE, 0.41, None),
        (LIMIT, 0.6, "orders"),
        (SURE, 0.95, None),
    )
    for chances, sure, wanted in cases:
        got = _plain(work(ASKED, Scripted(chances), sure))
        best = max(chances, key=lambda want: chances[want])
        why = f"{best} at {chances[best]} with sure={sure} has to give {wanted!r}, and gave {got!r}"
        points.append((got == wanted, why))
    return points


async def _cascade(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for chances, calls in ((SURE, 0), (LIMIT, 0), (UNSURE, 1)):
        before = len(model.trace.of("model"))
        got = _plain(await work("My cup is late and broken.", Scripted(chances), model))
        made = model.trace.of("model")[before:]
        chance = f"where its best chance is {max(chances.values())}"
        points.append((len(made) == calls, f"{chance}, the model is called {calls} times, and was {len(made)} times"))
        best = max(chances, key=lambda want: chances[want])
        said = made[0].response["choices"][0]["message"]["content"] if made else ""
        holds = got in WANTS and f'"{got}"' in said if calls else got == best
        wanted = "the model's answer counts" if calls else f"the answer is {best!r}"
        points.append((holds, f"{chance}, {wanted}, and {got!r} came"))
    return points


EXERCISES = [
    Exercise(
        id="02.1",
        task="Which messages get another category if a rule is added in front of the others? A list of (text, before, after).",
        stub="""\
def changes(rule, rules, messages):
    return []
""",
        solution="""\
from chapters import ch02


def changes(rule, rules, messages):
    found = []
    for said in messages:
        before, after = ch02.by_rules(said.text, rules), ch02.by_rules(said.text, rule + "\\n" + rules)
        if before != after:
            found.append((said.text, before, after))
    return found
""",
        hints=(
            "`ch02.by_rules(text, rules)` says what rules make of a message.",
            'The rules are one text, a rule a line: `rule + "\\n" + rules` puts yours in front.',
            "Not every message that the rule matches changes: compare before and after.",
        ),
        check=_what_changes,
    ),
    Exercise(
        id="02.2",
        task="A classifier that knows when it does not know: None where its best chance is below a limit.",
        stub="""\
def decide(text, learned, sure):
    return learned.predict([text])[0]
""",
        solution="""\
def decide(text, learned, sure):
    chances = dict(zip(learned.classes_, learned.predict_proba([text])[0]))
    best = max(chances, key=chances.get)
    return best if chances[best] >= sure else None
""",
        hints=(
            "`learned.predict_proba([text])[0]` holds a chance for each category, in the order of `learned.classes_`.",
            "`dict(zip(learned.classes_, …))` puts names to them; `max(chances, key=chances.get)` is the best name.",
        ),
        check=_sure,
    ),
    Exercise(
        id="02.3",
        task="A cascade: the cheap classifier decides where it is sure (0.6 or more), and only else the model is asked.",
        stub="""\
from chapters import ch02


async def cascade(text, learned, model):
    return await ch02.by_prompt(model, text)
""",
        solution="""\
from chapters import ch02


async def cascade(text, learned, model):
    chances = dict(zip(learned.classes_, learned.predict_proba([text])[0]))
    best = max(chances, key=chances.get)
    return best if chances[best] >= 0.6 else await ch02.by_prompt(model, text)
""",
        hints=(
            "Begin with what you wrote for 02.2.",
            "`await ch02.by_prompt(model, text)` asks the model; do it only where the classifier is not sure.",
        ),
        check=_cascade,
    ),
]
