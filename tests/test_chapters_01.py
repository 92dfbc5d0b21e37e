"""A chat application as layers: what each adds, what is kept, what survives a conversation; its playground."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from chapters.ch01.app import FOLLOW_UP, Additions, ChatApp, FollowUp, Instructions, Layer, Memory
from chapters.ch01.playground import playground
from llmlab import ModelError, Reply
from llmlab.llm.chat import Message

pytestmark = pytest.mark.anyio


class Scripted:
    """Says its lines in order, and keeps what it was asked."""

    def __init__(self, *lines: str):
        self.lines, self.asked, self.options = list(lines), list[list[Message]](), list[dict[str, Any]]()

    async def chat(self, messages: Sequence[Message], **options: Any) -> Reply:
        self.asked.append(deepcopy(list(messages)))
        self.options.append(options)
        if not self.lines:
            raise ModelError("unreachable", "no line is left")
        text = self.lines.pop(0)
        return Reply(text, [], "stop", "embedded", "scripted", 10, 3, 0, 0.1, None, None, "USD", 0, {}, {}, {})


def app(*lines: str, layers: Sequence[Layer] = ()) -> tuple[ChatApp, Scripted]:
    model = Scripted(*lines)
    return ChatApp(model, layers), model  # type: ignore[arg-type]


def said(*texts: str) -> list[Message]:
    """A conversation, which the person begins."""
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


KIND, BRIEF = Instructions("Be kind."), Instructions("Be brief.")


@pytest.mark.parametrize(
    ("layers", "system", "question"),
    [
        ([Layer()], None, "two"),
        ([KIND, BRIEF], "Be kind.\n\nBe brief.", "two"),
        ([KIND, Additions()], "Be kind.", "two Answer briefly."),
    ],
)
def test_what_each_layer_adds_to_a_request_and_looking_sends_and_keeps_nothing(
    layers: list[Layer], system: str | None, question: str
) -> None:
    chat, model = app(layers=layers)
    chat.history = said("one", "1")
    sent = [{"role": "system", "content": system}] if system else []
    assert chat.messages("two") == chat.messages("two") == sent + said("one", "1", question)
    assert (model.asked, chat.history) == ([], said("one", "1"))


def test_memory_brings_back_the_last_things_of_other_conversations_and_takes_words_as_words(tmp_path: Path) -> None:
    assert Memory(tmp_path / "said.db", "today").before(said("Hi")) == said("Hi")
    for text in ("too long ago", "My dog is called Biscuit.", "Robert'); DROP TABLE said;-- 안녕"):
        Memory(tmp_path / "said.db", "it's last week").remember(text)
    today = Memory(tmp_path / "said.db", "today", last=2)
    today.remember("Hello!")
    with closing(sqlite3.connect(tmp_path / "said.db")) as db:
        assert db.execute("SELECT count(*) FROM said").fetchall() == [(4,)]
    sent = "About me: My dog is called Biscuit. Robert'); DROP TABLE said;-- 안녕\nQuestion: And my dog?"
    assert today.before(said("Hello!", "Hi.", "And my dog?")) == said("Hello!", "Hi.", sent)


async def test_the_history_is_sent_again_with_the_persons_words_as_they_were() -> None:
    chat, model = app("Hello.", "Four.", layers=[Additions()])
    assert str(await chat.ask("Hi")) == "Hello."
    answer = await chat.ask("2 + 2?", max_tokens=5)
    assert model.asked[1] == said("Hi", "Hello.", "2 + 2? Answer briefly.")
    assert model.options == [{}, {"max_tokens": 5}]
    assert chat.history == said("Hi", "Hello.", "2 + 2?", "Four.")
    assert (answer.text, len(answer.replies)) == ("Four.", 1)
    assert app()[0].history == []


async def test_a_follow_up_is_a_second_call_with_solved_examples_in_front() -> None:
    chat, model = app("Ice is frozen water.", " How cold is it? And why?", "Yes.", " \n", layers=[FollowUp()])
    answer = await chat.ask("What is ice?")
    assert answer.text == chat.history[-1]["content"]
    assert answer.text.endswith("water.\n\nWould you like to know more? For example: How cold is it?")
    assert model.asked[1][: len(FOLLOW_UP)] == FOLLOW_UP
    assert "Ice is frozen water." in model.asked[1][-1]["content"]
    assert (answer.input_tokens, answer.output_tokens) == (20, 6)
    assert (await chat.ask("Sure?")).text == "Yes.\n\nWould you like to know more?"


async def test_memory_carries_what_was_said_on_and_a_call_that_fails_leaves_all_as_it_was(tmp_path: Path) -> None:
    await app("Nice.", layers=[Memory(tmp_path / "said.db", "monday")])[0].ask("My dog is called Biscuit.")
    for lines in ([], ["said"]):  # the first call fails; the follow-up fails
        chat, model = app(*lines, layers=[Memory(tmp_path / "said.db", "tuesday"), FollowUp()])
        with pytest.raises(ModelError):
            await chat.ask("What is my dog called?")
        assert model.asked[0] == said("About me: My dog is called Biscuit.\nQuestion: What is my dog called?")
        assert chat.history == []
    assert Memory(tmp_path / "said.db", "later").recall() == ["My dog is called Biscuit."]


async def test_the_playground_compares_the_requests_as_layers_are_switched() -> None:
    model: Any = app()[1]
    panel = playground(model, [Instructions("Be <kind>."), Additions()], "Hi")
    assert "system instructions, additions to the prompt" in panel.plain.text
    text, row, _, _, request = panel.widget.children
    assert "Be &lt;kind&gt;." in request.value
    row.children[0].value = False
    assert "Be" not in request.value
    text.value = "Who?"
    assert "Who? Answer briefly." in request.value
