"""The exercises of chapter 08: stubs as they stand in the notebook, one solution each, and checks on what the code did.

The check of 08.3 puts a scripted model in the place of the reader's, which writes the drafts that are wanted.
"""

from typing import Any

import httpx2
import openai

from llmlab import Model, settings
from llmlab.agents import Agent, Criterion
from llmlab.agents.reflective import Draft
from llmlab.lesson import Check, Exercise

SOURCE = "A parcel costs 4.50 euros; from 50.00 euros of goods it is free. It takes 2 to 3 working days."


def _scripted(drafts: list[str]) -> Model:
    """A model that writes these drafts, one after the other, the last one again and again."""
    left = list(drafts)

    def answer(request: httpx2.Request) -> httpx2.Response:
        text = left.pop(0) if len(left) > 1 else left[0]
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        return httpx2.Response(200, json={"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 5}})

    http = openai.DefaultAsyncHttpx2Client(transport=httpx2.MockTransport(answer))
    client = openai.AsyncOpenAI(base_url="http://scripted.invalid/v1", api_key="none", http_client=http)
    return Model(client, "scripted", "endpoint", settings.load(), capabilities=frozenset(), quiet=True)


async def _numbers(work: Any, model: Any) -> list[Check]:
    check = work(SOURCE)
    if not callable(check):
        return [(False, f"only_numbers_of gives back a check, which is called with a text, but gave {check!r}")]
    points: list[Check] = []
    for text in ("A parcel costs 4.50 euros and takes 2 to 3 days.", "We ship parcels.", "It takes 3, at most."):
        said = check(text)
        points.append((said in ("", None), f'{text!r} has only numbers of the source, so it gets "", and got {said!r}'))
    for text, number in (("A parcel costs 6 euros.", "6"), ("A parcel takes 5 days.", "5"), ("It is 4 euros.", "4")):
        said = check(text)
        named = isinstance(said, str) and number in said
        points.append((named, f"{text!r}: {number} is not in the source and has to be named, and it got {said!r}"))
    return points


async def _worse(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for met, wanted, why in (
        ((1, 2, 3), [], "every round is better"),
        ((3, 2, 3, 1), [1, 3], "rounds 1 and 3 are worse than the one before"),
        ((2, 2), [], "a round that is as good is not worse"),
        ((4,), [], "a single draft has none before it"),
        ((3, 1, 2), [1], "round 2 is better than round 1, though not as good as round 0"),
    ):
        got = work([Draft(f"draft {i}", m, "") for i, m in enumerate(met)])
        got = list(got) if hasattr(got, "__iter__") and not isinstance(got, str) else got
        points.append((got == wanted, f"met {', '.join(map(str, met))}: {wanted} ({why}), and it was {got!r}"))
    return points


def _has(letter: str) -> Criterion:
    return Criterion(f"an {letter}", lambda text: "" if letter in text else f"Put in an {letter}.")


async def _patient(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for texts, wanted, why in (
        (["x", "xy", "yz", "xyz"], 3, "the third draft is no better than the second, so it is the last"),
        (["x", "xy", "xyz"], 3, "the third draft meets everything, so it is the last"),
        (["x", "", "xyz"], 2, "the second draft is worse than the first, so it is the last"),
        (["xyz", "x"], 1, "the first draft meets everything, so there is no other"),
    ):
        agent = work(_scripted(texts), [_has(letter) for letter in "xyz"], rounds=5)
        if not isinstance(agent, Agent):
            return [(False, f"Impatient has to be a Reflective, but is {type(agent).__name__}")]
        run = await agent.run("Write some letters.")
        made = sum(s.kind == "span" and s.name.startswith("round ") for s in run.trace)
        points.append((run.ok and made == wanted, f"{why}; you stopped after draft {made} {run.why}".rstrip()))
    return points


EXERCISES = [
    Exercise(
        id="08.1",
        task="Write a check for a criterion: a text may hold only numbers that stand in the source.",
        stub="""\
def only_numbers_of(source):
    def check(text):
        return ""

    return check
""",
        solution="""\
def only_numbers_of(source):
    def numbers(text):
        words = text.replace(",", " ").replace(";", " ").split()
        return {w.rstrip(".") for w in words if w[0].isdigit()}

    def check(text):
        invented = numbers(text) - numbers(source)
        return f"Take out the number {min(invented)}." if invented else ""

    return check
""",
        hints=(
            "text.split() gives the words; a word is a number if word[0].isdigit(). A word may end in a full stop or a comma.",
            "Sets can be subtracted: numbers of the text minus numbers of the source are those that were invented.",
        ),
        check=_numbers,
    ),
    Exercise(
        id="08.2",
        task="Return the numbers of the rounds whose draft meets fewer criteria than the draft before.",
        stub="""\
def worse_rounds(drafts):
    return []
""",
        solution="""\
def worse_rounds(drafts):
    return [i for i in range(1, len(drafts)) if drafts[i].met < drafts[i - 1].met]
""",
        hints=(
            "A draft has `text`, `met` (how many criteria it meets) and `advice`. Round 0 is drafts[0].",
            "Compare drafts[i].met with drafts[i - 1].met for each i from 1 on.",
        ),
        check=_worse,
    ),
    Exercise(
        id="08.3",
        task="Write an agent that stops as soon as a round is no better than the best one before it.",
        stub="""\
class Impatient(Reflective):
    def done(self, drafts):
        return super().done(drafts)
""",
        solution="""\
class Impatient(Reflective):
    def done(self, drafts):
        earlier = [draft.met for draft in drafts[:-1]]
        return super().done(drafts) or (bool(earlier) and drafts[-1].met <= max(earlier))
""",
        hints=(
            "`done` is asked after each round, with all the drafts so far; True ends the run.",
            "Compare drafts[-1].met with the largest `met` of drafts[:-1]; after the first round that list is empty.",
        ),
        check=_patient,
    ),
]
