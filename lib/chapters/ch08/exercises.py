"""The exercises of chapter 08: stubs as they stand in the notebook, one solution each, and checks on what the code did.

The check of 08.3 puts a scripted model in the place of the reader's, which writes the drafts that are wanted.
"""

from typing import Any

import httpx2
import openai

from llmlab import Model, settings
from llmlab.agents import Criterion
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
    advice = check("A parcel costs 6 euros.")
    return [
        (check("A parcel costs 4.50 euros and takes 2 to 3 days.") == "", 'a text with numbers of the source gets ""'),
        (check("We ship parcels.") == "", 'a text without numbers gets ""'),
        (isinstance(advice, str) and "6" in advice, f"a number that is not in the source has to be named: {advice!r}"),
        (bool(check("A parcel takes 5 days.")), "5 is not in the source, though 50.00 is"),
    ]


async def _worse(work: Any, model: Any) -> list[Check]:
    def drafts(*met: int) -> list[Draft]:
        return [Draft(f"draft {i}", m, "") for i, m in enumerate(met)]

    return [
        (work(drafts(1, 2, 3)) == [], "where every round is better, there is nothing to return"),
        (work(drafts(3, 2, 3, 1)) == [1, 3], f"of 3, 2, 3, 1 rounds 1 and 3 are worse: {work(drafts(3, 2, 3, 1))}"),
        (work(drafts(2, 2)) == [], "a round that is as good as the one before is not worse"),
        (work(drafts(4)) == [], "a single draft cannot be worse than one before it"),
    ]


async def _patient(work: Any, model: Any) -> list[Check]:
    letters = [Criterion(f"an {c}", lambda text, c=c: "" if c in text else f"Put in an {c}.") for c in "xyz"]
    points: list[Check] = []
    for texts, wanted, why in (
        (["x", "xy", "yz", "xyz"], 3, "the third draft is no better than the second, so it is the last"),
        (["x", "xy", "xyz"], 3, "the third draft meets everything, so it is the last"),
        (["x", "", "xyz"], 2, "the second draft is worse than the first, so it is the last"),
        (["xyz", "x"], 1, "the first draft meets everything, so there is no other"),
    ):
        run = await work(_scripted(texts), letters, rounds=5).run("Write some letters.")
        made = sum(s.kind == "span" and s.name.startswith("round ") for s in run.trace)
        points.append((run.ok and made == wanted, f"{why}; you stopped after draft {made}"))
    return points


EXERCISES = [
    Exercise(
        id="08.1",
        task="Write a check for a criterion: no number may stand in the text that is not in the source.",
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
            'text.split() gives the words; a word is a number if word[0].isdigit(). Mind the "." at the end of a word.',
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
