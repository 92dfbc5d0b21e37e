"""A chat application as layers: what each adds, what is kept, what survives a conversation."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from llmlab import Model, ModelError, Reply, connect
from llmlab.chat_app import FOLLOW_UP, Additions, Answer, ChatApp, FollowUp, Instructions, Layer, Memory
from llmlab.llm.chat import Message

pytestmark = pytest.mark.anyio


def reply(text: str, tokens_in: int = 10, tokens_out: int = 3) -> Reply:
    return Reply(
        text, [], "stop", "embedded", "scripted", tokens_in, tokens_out, 0, 0.1, None, None, "USD", 0, {}, {}, {}
    )


@dataclass
class Scripted:
    """Says its lines in order, and keeps what it was asked."""

    lines: list[str]
    asked: list[list[Message]] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)

    async def chat(self, messages: Sequence[Message], **options: Any) -> Reply:
        self.asked.append(deepcopy(list(messages)))
        self.options.append(options)
        if not self.lines:
            raise ModelError("unreachable", "no line is left")
        return reply(self.lines.pop(0))


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "said.db"


def test_a_layer_changes_nothing_by_itself() -> None:
    assert Layer().before([user("Hi")]) == [user("Hi")]


async def test_a_layer_leaves_the_answer_as_it_is_by_itself() -> None:
    assert await Layer().after("text", Scripted([])) == ("text", [])  # type: ignore[arg-type]


def test_instructions_become_a_system_message_at_the_front() -> None:
    assert Instructions("Be kind.").before([user("Hi")]) == [{"role": "system", "content": "Be kind."}, user("Hi")]


def test_several_instructions_share_one_system_message() -> None:
    app = ChatApp(Scripted([]), [Instructions("Be kind."), Instructions("Be brief.")])  # type: ignore[arg-type]
    assert app.messages("Hi") == [{"role": "system", "content": "Be kind.\n\nBe brief."}, user("Hi")]


def test_additions_stand_around_the_last_question_only() -> None:
    layer = Additions("Answer briefly.", today=date(2026, 2, 3))
    before = [user("one"), assistant("1"), user("two")]
    assert layer.before(before) == [
        user("one"),
        assistant("1"),
        user("Today is Tuesday, 03 February 2026.\ntwo Answer briefly."),
    ]
    assert before[-1] == user("two"), "the reader's own list may not be changed"
    assert Additions().before([user("Why?")]) == [user("Why? Answer briefly.")]


def test_memory_without_anything_kept_changes_nothing(file: Path) -> None:
    assert Memory(file, "today").before([user("Hi")]) == [user("Hi")]


def test_memory_brings_back_what_was_said_in_other_conversations(file: Path) -> None:
    last_week = Memory(file, "last week")
    last_week.remember("My dog is called Biscuit.")
    last_week.remember("I live in Lisbon.")
    today = Memory(file, "today")
    today.remember("Hello!")
    assert today.recall() == ["My dog is called Biscuit.", "I live in Lisbon."]
    assert last_week.recall() == ["Hello!"]
    history = [user("Hello!"), assistant("Hi.")]
    assert today.before([*history, user("And my dog?")]) == [
        *history,
        user("About me: My dog is called Biscuit. I live in Lisbon.\nQuestion: And my dog?"),
    ]


def test_memory_brings_back_the_last_things_oldest_first(file: Path) -> None:
    for i in range(9):
        Memory(file, "earlier").remember(f"fact {i}")
    assert Memory(file, "today", last=3).recall() == ["fact 6", "fact 7", "fact 8"]


def test_memory_is_a_plain_sqlite_file_and_takes_words_as_words(file: Path) -> None:
    said = "Robert'); DROP TABLE said;-- 안녕"
    Memory(file, "it's").remember(said)
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT conversation, text FROM said").fetchall() == [("it's", said)]
    assert Memory(file, "today").recall() == [said]


async def test_without_layers_the_history_is_sent_again_with_each_question() -> None:
    model = Scripted(["Hello.", "Four."])
    app = ChatApp(model)  # type: ignore[arg-type]
    assert str(await app.ask("Hi")) == "Hello."
    answer = await app.ask("2 + 2?", max_tokens=5)
    assert model.asked == [[user("Hi")], [user("Hi"), assistant("Hello."), user("2 + 2?")]]
    assert model.options == [{}, {"max_tokens": 5}]
    assert app.history == [user("Hi"), assistant("Hello."), user("2 + 2?"), assistant("Four.")]
    assert (answer.text, len(answer.replies)) == ("Four.", 1)


async def test_two_applications_do_not_share_a_history() -> None:
    first = ChatApp(Scripted(["a"]))  # type: ignore[arg-type]
    await first.ask("Hi")
    assert ChatApp(Scripted([])).history == []  # type: ignore[arg-type]


async def test_the_history_holds_the_persons_words_and_not_what_the_layers_made_of_them() -> None:
    model = Scripted(["a", "b"])
    app = ChatApp(model, [Instructions("Be kind."), Additions()])  # type: ignore[arg-type]
    await app.ask("one")
    await app.ask("two")
    assert model.asked[1] == [
        {"role": "system", "content": "Be kind."},
        user("one"),
        assistant("a"),
        user("two Answer briefly."),
    ]


def test_looking_at_the_messages_sends_and_keeps_nothing(file: Path) -> None:
    model = Scripted([])
    app = ChatApp(model, [Memory(file, "today")])  # type: ignore[arg-type]
    assert app.messages("Hi") == app.messages("Hi") == [user("Hi")]
    assert model.asked == app.history == Memory(file, "later").recall() == []


async def test_layers_act_in_their_order_on_the_way_out_and_on_the_way_back() -> None:
    class Mark(Layer):
        def __init__(self, sign: str):
            self.sign = sign

        def before(self, messages: list[Message]) -> list[Message]:
            return [*messages[:-1], user(messages[-1]["content"] + self.sign)]

        async def after(self, text: str, model: Model) -> tuple[str, list[Reply]]:
            return text + self.sign, [await model.chat(self.sign)]

    model = Scripted(["answer", "first", "second"])
    answer = await ChatApp(model, [Mark("<"), Mark(">")]).ask("Q")  # type: ignore[arg-type]
    assert model.asked[0] == [user("Q<>")]
    assert answer.text == "answer<>"
    assert [r.text for r in answer.replies] == ["answer", "first", "second"]


async def test_a_follow_up_is_a_second_call_with_solved_examples_in_front() -> None:
    model = Scripted(["Ice is frozen water.", " How cold is it? And why?"])
    app = ChatApp(model, [FollowUp()])  # type: ignore[arg-type]
    answer = await app.ask("What is ice?")
    assert (
        answer.text
        == "Ice is frozen water.\n\nWould you like to know more? For example: How cold is it?"
        == app.history[-1]["content"]
    )
    assert model.asked[1][: len(FOLLOW_UP)] == FOLLOW_UP
    assert "Ice is frozen water." in model.asked[1][-1]["content"]
    assert (answer.input_tokens, answer.output_tokens) == (20, 6)


async def test_a_follow_up_without_words_still_ends_with_a_question() -> None:
    text, _ = await FollowUp().after("Ice.", Scripted(["  \n"]))  # type: ignore[arg-type]
    assert text == "Ice.\n\nWould you like to know more?"


async def test_memory_carries_a_fact_from_one_conversation_into_the_next(file: Path) -> None:
    await ChatApp(Scripted(["Nice."]), [Memory(file, "monday")]).ask("My dog is called Biscuit.")  # type: ignore[arg-type]
    model = Scripted(["Biscuit.", "Yes."])
    app = ChatApp(model, [Memory(file, "tuesday")])  # type: ignore[arg-type]
    await app.ask("What is my dog called?")
    assert model.asked[0] == [user("About me: My dog is called Biscuit.\nQuestion: What is my dog called?")]
    await app.ask("Sure?")
    assert Memory(file, "wednesday").recall() == ["My dog is called Biscuit.", "What is my dog called?", "Sure?"]


async def test_a_call_that_fails_leaves_history_and_memory_as_they_were(file: Path) -> None:
    for lines in ([], ["said"]):  # the first call fails; the follow-up fails
        app = ChatApp(Scripted(lines), [Memory(file, "today"), FollowUp()])  # type: ignore[arg-type]
        with pytest.raises(ModelError):
            await app.ask("Hi")
        assert app.history == []
    assert Memory(file, "later").recall() == []


def test_an_answer_without_calls_costs_nothing() -> None:
    assert (Answer("x", []).input_tokens, Answer("x", []).output_tokens) == (0, 0)


@pytest.mark.live
async def test_on_the_model_in_the_box_every_layer_reaches_the_request(box: object, file: Path) -> None:
    Memory(file, "last week").remember("My dog is called Biscuit.")
    model = await connect("embedded")
    layers = [Instructions("You are a helpful assistant."), Memory(file, "today"), Additions(), FollowUp()]
    answer = await ChatApp(model, layers).ask("What is my dog called?", max_tokens=12, stream=False)
    assert [m["role"] for m in answer.replies[0].request["messages"]] == ["system", "user"]
    sent = answer.replies[0].request["messages"][1]["content"]
    assert sent == "About me: My dog is called Biscuit.\nQuestion: What is my dog called? Answer briefly."
    assert len(answer.replies) == 2
    assert answer.text.endswith("?")
    assert [step.kind for step in model.trace] == ["model", "model"]
    assert answer.input_tokens == model.trace.totals.input_tokens > 0
    await model.aclose()
