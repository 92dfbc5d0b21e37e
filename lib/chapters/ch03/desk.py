"""An assistant beside a document: it answers from it, and proposes changes that a person accepts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from chapters.ch01.app import ChatApp, Instructions, Layer
from llmlab import settings
from llmlab.errors import LabError
from llmlab.llm.chat import Message, Model
from llmlab.show import widgets
from llmlab.show.view import COLOURS, View, compare

DOCUMENTS = settings.DATA / "shop" / "documents"
HELPER = (
    "You help with the document below. Answer from it alone; if it does not say, answer: The document does not say."
)
REWRITE = "Rewrite this passage of the document: {wish}. Keep every fact. Reply with the new passage only.\n\n{passage}"
MOST_TOKENS = 200
_FACT = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|https?://\S+|\d+(?:[.,:]\d+)*")


def facts(text: str) -> list[str]:
    """What a rewriting may not change and a program can read: numbers, times, mail and web addresses."""
    return _FACT.findall(text)


def doubts(old: str, new: str) -> list[str]:
    """What a program finds suspicious in a rewriting; the list is empty if nothing."""
    before, after = set(facts(old)), set(facts(new))
    found = [f"gone: {fact}" for fact in sorted(before - after)] + [f"new: {fact}" for fact in sorted(after - before)]
    if new.strip() in ("", old.strip()):
        return ["nothing has changed" if new.strip() else "nothing is left"]
    return found


def sentences(text: str) -> str:
    """The same text with a sentence, heading or item of a list on each line, so that a comparison shows sentences."""
    blocks = (re.sub(r"\s+", " ", block.strip()) for block in re.split(r"\n\s*\n|\n(?=[-*#] )", text.strip()))
    return "\n".join(re.sub(r"(?<=[.!?]) (?=[^a-zäöü])", "\n", block) for block in blocks)


@dataclass
class Document(Layer):
    """Put a document behind the system message, as it is now."""

    name = "addition: the document"
    file: Path

    def before(self, messages: list[Message]) -> list[Message]:
        """The first message gets the document."""
        first, *others = messages
        text = self.file.read_text(encoding="utf-8")
        if not text.strip():
            raise LabError(f"{self.file.name} is empty, and a model would make up what it says; nothing was sent.")
        return [{**first, "content": f"{first['content']}\n\n{text}"}, *others]


@dataclass
class Proposal:
    """A change to one passage of a file. Nothing happens to the file until a person accepts."""

    file: Path
    old: str
    new: str
    state: str = "open"

    @property
    def doubts(self) -> list[str]:
        """What a program finds suspicious in it."""
        return doubts(self.old, self.new)

    def accept(self) -> str:
        """Write it. Raises LabError where it was decided already, or where the file has changed in between."""
        text = self.file.read_text(encoding="utf-8")
        if self.state != "open":
            raise LabError(f"A proposal is decided once, and this one was {self.state}; ask for another.")
        if text.count(self.old) != 1:
            raise LabError(f"The passage has to stand in {self.file.name} as it was, but has changed since; ask again.")
        self.file.write_text(text.replace(self.old, self.new), encoding="utf-8")
        self.state = "accepted"
        return self.state

    def decline(self) -> str:
        """Leave the file as it is."""
        self.state = "declined" if self.state == "open" else self.state
        return self.state

    @property
    def view(self) -> View:
        """The change, sentence by sentence, and the doubts."""
        change = compare(sentences(self.old), sentences(self.new), ("now", "proposed"))
        said = (
            f"Look here before you accept: {', '.join(self.doubts)}."
            if self.doubts
            else "Numbers and addresses are kept."
        )
        html = (
            f"{change.html}<div style='border-left:3px solid {COLOURS['person']};padding-left:8px'>{escape(said)}</div>"
        )
        return View(html, f"{change.text}\n{said}")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return with_buttons(self)._repr_mimebundle_()


def with_buttons(proposal: Proposal) -> widgets.Panel:
    """A proposal as a cell shows it: the change, and two buttons that decide."""
    import ipywidgets

    buttons = [ipywidgets.Button(description=name) for name in ("Accept", "Decline")]
    note = ipywidgets.HTML(f"<b>{proposal.state}</b>")

    def decide(act: Any, _: Any) -> None:
        try:
            note.value = f"<b>{act()}</b>"
        except LabError as error:
            note.value = f"<b>{escape(str(error))}</b>"

    for button, act in zip(buttons, (proposal.accept, proposal.decline), strict=True):
        button.on_click(partial(decide, act))
    box = ipywidgets.VBox([ipywidgets.HTML(proposal.view.html), ipywidgets.HBox(buttons), note])
    how = "To decide without the buttons: .accept() or .decline()"
    return widgets.Panel(box, View(f"{proposal.view.html}<p><i>{how}</i></p>", f"{proposal.view.text}\n{how}"))


class Desk:
    """A document, and beside it a chat about it."""

    def __init__(self, model: Model, file: str | Path):
        self.model, self.file = model, Path(file)
        if not self.file.is_file():
            raise LabError(f"There is no file {self.file.name}; give the path of a text.")
        self.chat = ChatApp(model, [Instructions(HELPER), Document(self.file)])

    async def ask(self, question: str) -> str:
        """An answer from the document, in one conversation."""
        return (await self.chat.ask(question, max_tokens=MOST_TOKENS)).text

    async def summarise(self) -> str:
        """The document in one sentence, outside of the conversation."""
        app = ChatApp(self.model, self.chat.layers)
        return (await app.ask("Summarise the document in one sentence.", max_tokens=MOST_TOKENS)).text

    async def rewrite(self, passage: str, wish: str) -> Proposal:
        """A proposal for one marked passage; whatever the model writes, the rest of the document cannot change."""
        found = self.file.read_text(encoding="utf-8").count(passage) if passage.strip() else 0
        if found != 1:
            raise LabError(f"A passage has to stand once in {self.file.name}, but this one stands there {found} times.")
        app = ChatApp(self.model, self.chat.layers)
        said = await app.ask(REWRITE.format(wish=wish, passage=passage), max_tokens=2 * MOST_TOKENS)
        return Proposal(self.file, passage, said.text.strip())
