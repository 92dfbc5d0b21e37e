"""The exercises of chapter 03: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

import re
from base64 import b64decode
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image, ImageColor

from llmlab import LabError
from llmlab.errors import ModelError
from llmlab.lesson import Check, Exercise


@dataclass(frozen=True)
class Said:
    """A reply, as far as an eye test reads it."""

    text: str

    def __str__(self) -> str:
        return self.text


class Eyes:
    """A stand-in for a model: it sees, or refuses pictures, or takes them and says something else."""

    def __init__(self, says: str = "", refuses: bool = False):
        self.says, self.refuses, self.shown = says, refuses, list[str]()

    async def can(self, capability: str) -> bool:
        """What its server claims: that it takes pictures."""
        return not self.refuses

    async def chat(self, messages: Any, **options: Any) -> Any:
        """Look at the picture in the request."""
        if self.refuses:
            raise ModelError("bad_request", "This model takes text only; send no picture.")
        found = re.search(r"base64,([A-Za-z0-9+/=]+)", str(messages))
        if found:
            self.shown.append(self.colour(found[1]))
        text = self.says or (f"The square is {self.shown[-1]}." if found else "I see no picture.")
        return Said(text)

    @staticmethod
    def colour(data: str) -> str:
        """All names in English of the colour in the middle."""
        with Image.open(BytesIO(b64decode(data))) as image:
            middle = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
        same = [name for name in ImageColor.colormap if ImageColor.getrgb(name) == middle]
        return " or ".join(same) or "of a colour without a name"


async def _eye_test(work: Any, model: Any) -> list[Check]:
    seeing = Eyes()
    passed = await work(seeing)
    shown = list(dict.fromkeys(seeing.shown))
    points = [
        (bool(shown), "a model has to be shown a picture before you believe that it sees"),
        (passed is True, f"a model that sees has to pass (True), and got {passed!r}"),
    ]
    others = {
        "a server that refuses pictures": Eyes(refuses=True),
        f"a model that ignores the picture and always says “{shown[0] if shown else 'red'}”": Eyes(
            f"It is {shown[0] if shown else 'red'}."
        ),
        "a model that names all the colours at once": Eyes(f"It could be {' or '.join(shown or ['red', 'blue'])}."),
    }
    for name, blind in others.items():
        try:
            got: Any = await work(blind)
        except LabError as error:
            got = f"the error {str(error)!r}"
        points.append((got is False, f"{name} may not pass (False), and got {got!r}"))
    return points


CASES: list[tuple[list[str], int]] = [
    ([""], 4),
    (["too long", "says 8:30", ""], 4),
    (["a", "b", "c", "d"], 3),
    (["no"], 1),
]


async def _until_right(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for faults, tries in CASES:
        heard: list[str] = []

        async def draft(reason: str, faults: list[str] = faults, heard: list[str] = heard) -> tuple[str, str]:
            heard.append(reason)
            if len(heard) > 9:
                raise LabError("nine drafts were made, and still no end")
            return f"draft {len(heard)}", faults[min(len(heard), len(faults)) - 1]

        got = await work(draft, tries)
        needed = min(tries, len(faults))
        wanted = (f"draft {needed}" if not faults[needed - 1] else None, needed)
        about = f"faults {faults}, at most {tries} tries"
        points += [
            (len(heard) == needed, f"{about}: drafts needed {needed}, made {len(heard)}"),
            (
                heard == ["", *faults][: len(heard)],
                f"{about}: each draft has to hear the fault of the one before; heard {heard}",
            ),
            (got == wanted, f"{about}: the result has to be {wanted}, and was {got!r}"),
        ]
    return points


async def _gone(work: Any, model: Any) -> list[Check]:
    cases: list[tuple[str, str, list[str]]] = [
        ("Send it back within 30 days.", "You have 30 days.", []),
        ("within 5 working days", "within five working days", []),
        ("2 cups", "Two cups", []),
        ("30 days, 5 working days", "a month, some working days", ["30", "5"]),
        ("5 days", "15 days", ["5"]),
        ("1 cup", "someone's cup", ["1"]),
        ("12 places", "twelve places, and 3 more", []),
    ]
    points: list[Check] = []
    for old, new, wanted in cases:
        got = [str(each) for each in work(old, new)]
        points.append((got == wanted, f"gone({old!r}, {new!r}) has to be {wanted}, and was {got}"))
    return points


EXERCISES = [
    Exercise(
        id="03.1",
        task="Write an eye test: True only for a model that names the colours of the squares that it is shown.",
        stub="""\
from chapters.ch03.eyes import part, square


async def sees(model):
    return await model.can("vision")
""",
        solution="""\
from chapters.ch03.eyes import part, square


async def sees(model):
    colours = ("red", "green", "blue")
    for colour in colours:
        ask = {"type": "text", "text": "Which colour is this square? One word."}
        try:
            reply = await model.chat([{"role": "user", "content": [ask, part(square(colour))]}])
        except LabError:
            return False
        if [name for name in colours if name in reply.text.lower()] != [colour]:
            return False
    return True
""",
        hints=(
            "Ask for the colour of a square more than once, with another colour each time: one right answer can be luck.",
            'A message with a picture: {"role": "user", "content": [{"type": "text", "text": ...}, part(square("red"))]}.',
            "A server without eyes raises a LabError. And a reply that names every colour has named none.",
        ),
        check=_eye_test,
    ),
    Exercise(
        id="03.2",
        task="Write the loop around any check: ask again with the last fault, until there is none or the tries are used up.",
        stub="""\
async def until_right(draft, tries):
    item, fault = await draft("")
    return item, 1
""",
        solution="""\
async def until_right(draft, tries):
    fault = ""
    for call in range(1, tries + 1):
        item, fault = await draft(fault)
        if not fault:
            return item, call
    return None, tries
""",
        hints=(
            "A loop over range(1, tries + 1), with one `await draft(...)` in it.",
            'The first draft gets "", each later one the fault that the one before came back with.',
            "Return the item and the number of calls where the fault is empty; behind the loop, None and the tries.",
        ),
        check=_until_right,
    ),
    Exercise(
        id="03.3",
        task="Write a check with fewer false alarms: a number may also be written as a word, from one to twelve.",
        stub="""\
import re

from chapters.ch03 import desk

WORDS = "one two three four five six seven eight nine ten eleven twelve".split()


def gone(old, new):
    return [number for number in desk.facts(old) if number not in desk.facts(new)]
""",
        solution="""\
import re

WORDS = "one two three four five six seven eight nine ten eleven twelve".split()


def gone(old, new):
    said = re.findall(r"\\w+", new.lower())
    said += [str(n) for n, word in enumerate(WORDS, 1) if word in said]
    return [number for number in re.findall(r"\\d+", old) if number not in said]
""",
        hints=(
            "Cut the new text into words: re.findall(r'\\\\w+', new.lower()). A number in digits is such a word, too.",
            "enumerate(WORDS, 1) gives each word with its number; add those that were said as digits.",
            "Compare whole words: 5 is not in 15, and one is not in someone.",
        ),
        check=_gone,
    ),
]
