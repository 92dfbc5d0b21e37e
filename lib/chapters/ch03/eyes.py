"""A picture described: by a model that sees, or else by what a program can measure, and the app says which of the two."""

from __future__ import annotations

import colorsys
import re
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from chapters.ch01.app import ChatApp, Instructions, Layer
from llmlab import settings
from llmlab.errors import LabError
from llmlab.llm.chat import Message, Model
from llmlab.show.view import View

PICTURE = settings.DATA / "shop" / "pictures" / "door.png"
ALT = "A drawing: a green door with a window, a sign on it, and beside it an orange cup on a shelf."
QUESTION = "What is in this picture?"
FOR_WHOM = (
    "You describe pictures to a person who is blind. Begin with what matters most, read out all writing, "
    "and say plainly what you cannot make out."
)
LONGEST = 1024  # a side of the picture that is sent: more pixels cost more tokens
WHITE, BLACK, GREY = "white", "black", "grey"
_HUES = ((15, "red"), (42, "orange"), (68, "yellow"), (165, "green"), (255, "blue"), (320, "purple"), (361, "red"))


def opened(file: str | Path) -> Image.Image:
    """The picture in a file, turned as the camera held it. Raises LabError if there is none that can be read."""
    name = Path(str(file)).name
    try:
        with Image.open(file) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except FileNotFoundError:
        raise LabError(f"There is no file {name}; give the path of a picture.") from None
    except (OSError, ValueError, AttributeError, Image.DecompressionBombError):
        raise LabError(f"{name} is no picture that can be read here; take a PNG, JPEG, GIF or WebP.") from None


def as_url(image: Image.Image) -> str:
    """The picture as text, made smaller, and without what a camera writes into its files, such as the place."""
    small, data = image.copy(), BytesIO()
    small.thumbnail((LONGEST, LONGEST))
    small.info.clear()
    small.save(data, "PNG")
    return "data:image/png;base64," + b64encode(data.getvalue()).decode()


def part(image: Image.Image) -> dict[str, Any]:
    """A picture as a part of a message."""
    return {"type": "image_url", "image_url": {"url": as_url(image)}}


def square(colour: str) -> Image.Image:
    """A square of one colour, by its name in English."""
    return Image.new("RGB", (64, 64), colour)


def name_of(red: int, green: int, blue: int) -> str:
    """The everyday name of a colour."""
    hue, lightness, strength = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
    if lightness > 0.93 or lightness < 0.12 or strength < 0.12:
        return WHITE if lightness > 0.93 else BLACK if lightness < 0.16 else GREY
    name = next(name for end, name in _HUES if hue * 360 < end)
    if name in ("orange", "yellow", "red") and (lightness < 0.35 or (lightness > 0.7 and name != "red")):
        return "brown" if lightness < 0.35 else "beige"
    return f"light {name}" if lightness > 0.75 else f"dark {name}" if lightness < 0.3 else name


def colours(image: Image.Image, least: float = 0.01) -> dict[str, float]:
    """The colours that cover at least this share of the picture, the largest first."""
    small = image.copy()
    small.thumbnail((160, 160), Image.Resampling.NEAREST)
    found: Any = small.getcolors(small.width * small.height)
    named: Counter[str] = Counter()
    for count, pixel in found:
        named[name_of(*pixel)] += count
    return {name: n / named.total() for name, n in named.most_common() if n >= least * named.total()}


def measured(image: Image.Image) -> str:
    """What a program can say of a picture without having seen it."""
    form = "wide" if image.width > image.height else "high" if image.height > image.width else "square"
    shares = ", ".join(f"{name} {share:.0%}" for name, share in colours(image).items())
    return f"The picture is {form}, {image.width} by {image.height} pixels. Its colours: {shares}."


@dataclass
class Picture(Layer):
    """Put a picture beside the person's question: the last layer, since it makes the message a list of parts."""

    name = "addition: the picture"
    image: Image.Image

    def before(self, messages: list[Message]) -> list[Message]:
        """The question becomes two parts, text and picture."""
        *earlier, last = messages
        return [*earlier, {**last, "content": [{"type": "text", "text": last["content"]}, part(self.image)]}]


def app(model: Model, file: str | Path) -> ChatApp:
    """A conversation about one picture: the layers of chapter 01, and the picture."""
    return ChatApp(model, [Instructions(FOR_WHOM), Picture(opened(file))])


async def describe(model: Model, file: str | Path, question: str = QUESTION) -> str:
    """An answer about a picture. Where the model cannot see, that comes first, and then what a program can measure."""
    if await model.can("vision"):
        return (await app(model, file).ask(question)).text
    return f"I cannot see this picture: {model.name} reads text only. {measured(opened(file))} For more, ask a person."


def shown(file: str | Path, alt: str = ALT) -> View:
    """A picture in a cell, with a text that says the same."""
    url = as_url(opened(file))
    return View(f"<img src='{url}' alt='{escape(alt)}' style='max-width:100%'>", alt)


def admits(reply: str) -> bool:
    """Whether a reply says that there is no picture to see."""
    said = r"(can(no|')t|can not|unable|not able|do(n't| not|es not|esn't) have|no (image|picture|photo|access)|sorry)"
    return bool(re.search(said, reply.replace("’", "'"), re.IGNORECASE))


def short(data: Any, most: int = 60) -> Any:
    """The same data with long texts cut, so that a request with a picture in it can be read."""
    if isinstance(data, str):
        return (
            data if len(data) <= most or not data.startswith("data:") else f"{data[:most]}… ({len(data):,} characters)"
        )
    if isinstance(data, dict):
        return {key: short(value, most) for key, value in data.items()}
    return [short(value, most) for value in data] if isinstance(data, list) else data
