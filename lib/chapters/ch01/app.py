"""A chat application as layers around the API: each may change what is sent, and what the person gets back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmlab.errors import LabError
from llmlab.llm.chat import Message, Model, Reply
from llmlab.show.runs import badge
from llmlab.show.view import View, card, folded

# Two examples say what is wanted better than an instruction does, above all to a small model.
_NEXT = "Text: {}\nWrite one question that a reader could ask next."
FOLLOW_UP: list[Message] = [
    {"role": "user", "content": _NEXT.format("Bread is made from flour, water, salt and yeast.")},
    {"role": "assistant", "content": "How long does bread have to bake?"},
    {"role": "user", "content": _NEXT.format("The Nile flows through eleven countries.")},
    {"role": "assistant", "content": "Which of these countries is the largest?"},
]


class Layer:
    """One habit of a chat application. Override what it needs."""

    name = "layer"

    def before(self, messages: list[Message]) -> list[Message]:
        """The messages that go out; the last one is the person's question."""
        return messages

    async def after(self, text: str, model: Model) -> tuple[str, list[Reply]]:
        """The text that the person gets, and the further calls that it took."""
        return text, []


@dataclass
class Instructions(Layer):
    """A system message that the person never sees."""

    name = "system instructions"
    text: str

    def before(self, messages: list[Message]) -> list[Message]:
        """Add to the system message, or begin with one."""
        system = [m["content"] for m in messages if m["role"] == "system"]
        others = [m for m in messages if m["role"] != "system"]
        return [{"role": "system", "content": "\n\n".join([*system, str(self.text)])}, *others]


@dataclass
class Memory(Layer):
    """What the person said in earlier conversations, kept in an SQLite file, and put before the next question."""

    name = "memory"
    file: Path
    conversation: str
    last: int = 6

    def _run(self, sql: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.file)) as db, db:
            db.execute("CREATE TABLE IF NOT EXISTS said (id INTEGER PRIMARY KEY, conversation TEXT, text TEXT)")
            return db.execute(sql, values).fetchall()

    def remember(self, text: str) -> None:
        """Keep one thing that the person said."""
        self._run("INSERT INTO said (conversation, text) VALUES (?, ?)", self.conversation, text)

    def recall(self) -> list[str]:
        """The last things said in other conversations, oldest first."""
        query = "SELECT text FROM said WHERE conversation <> ? ORDER BY id DESC LIMIT ?"
        return [text for (text,) in self._run(query, self.conversation, self.last)][::-1]

    def before(self, messages: list[Message]) -> list[Message]:
        """Bring back what was said elsewhere: in the user message, where a small model takes more notice of it."""
        *earlier, last = messages
        known = " ".join(self.recall())
        return [*earlier, {**last, "content": f"About me: {known}\nQuestion: {last['content']}"}] if known else messages


@dataclass
class Additions(Layer):
    """Text put after the person's words, which the person did not write: the date, a wish for style."""

    name = "additions to the prompt"
    text: str

    def before(self, messages: list[Message]) -> list[Message]:
        """Extend the last user message."""
        *earlier, last = messages
        return [*earlier, {**last, "content": f"{last['content']} {self.text}"}]


class FollowUp(Layer):
    """A second call that writes the question at the end. Asked for in the system message, a small model forgets it."""

    name = "follow-up question"

    async def after(self, text: str, model: Model) -> tuple[str, list[Reply]]:
        """Append "Would you like to know …?"."""
        ask = [*FOLLOW_UP, {"role": "user", "content": _NEXT.format(text)}]
        reply = await model.chat(ask, max_tokens=40)
        question = reply.text.strip().split("?")[0]
        example = f" For example: {question}?" if question else ""
        return f"{text}\n\nWould you like to know more?{example}", [reply]


@dataclass
class Answer:
    """What the person gets, the calls that it took, and the tokens sent and written in all of them."""

    text: str
    replies: list[Reply]

    def __post_init__(self) -> None:
        self.input_tokens = sum(reply.input_tokens for reply in self.replies)
        self.output_tokens = sum(reply.output_tokens for reply in self.replies)

    def __str__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return answer_card(self)._repr_mimebundle_()


def answer_card(answer: Answer) -> View:
    """What a chat application said, with each call behind it folded."""
    calls = "".join(folded(f"call {i}: {badge(r)}", r.request) for i, r in enumerate(answer.replies, 1))
    cost = f"{len(answer.replies)} calls · {answer.input_tokens} tokens in · {answer.output_tokens} out"
    return View(card("person", answer.text, cost, calls), f"{answer.text}\n[{cost}]")


@dataclass
class ChatApp:
    """A conversation with a model through layers. Without layers it only resends the history."""

    model: Model
    layers: Sequence[Layer] = ()
    history: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        for layer in self.layers:
            if not isinstance(layer, Layer):
                raise LabError(f"A ChatApp takes layers, such as FollowUp(), but {layer!r} is none; make one of it.")

    def messages(self, question: str) -> list[Message]:
        """What would be sent for this question; nothing is sent."""
        messages: list[Message] = [*self.history, {"role": "user", "content": question}]
        for layer in self.layers:
            came = layer.before(messages)
            if not (isinstance(came, list) and came and all(isinstance(m, dict) and "role" in m for m in came)):
                raise LabError(f"`before` returns a list of messages, but that of {layer.name!r} gave {came!r}.")
            messages = came
        return messages

    async def ask(self, question: str, **options: Any) -> Answer:
        """Send a question through the layers and keep both sides of the exchange; options go to `Model.chat`."""
        if not question.strip():
            raise LabError("A question has to have words, but this one is empty; nothing was sent.")
        reply = await self.model.chat(self.messages(question), **options)
        text, calls = reply.text, [reply]
        for layer in self.layers:
            came = await layer.after(text, self.model)
            if not (isinstance(came, tuple) and len(came) == 2):
                raise LabError(f"`after` returns the text and a list of replies, but {layer.name!r} gave {came!r}.")
            text, calls = came[0], calls + came[1]
        self.history += [{"role": "user", "content": question}, {"role": "assistant", "content": text}]
        for layer in self.layers:
            if isinstance(layer, Memory):
                layer.remember(question)
        return Answer(text, calls)
