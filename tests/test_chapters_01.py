"""A chat application as layers: what each adds, what is kept, what survives a conversation; its playground."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

import llmlab
from chapters import ch01
from chapters.ch01 import app as app_module
from chapters.ch01 import pictures
from chapters.ch01.app import FOLLOW_UP, Additions, ChatApp, FollowUp, Instructions, Layer, Memory
from chapters.ch01.playground import playground
from llmlab import LabError, ModelError, Reply, lesson
from llmlab.llm.chat import Message
from stub import Stub, reply

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
        ([KIND, Additions("Answer briefly.")], "Be kind.", "two Answer briefly."),
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
    chat, model = app("Hello.", "Four.", layers=[Additions("Answer briefly.")])
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
    panel = playground(model, [Instructions("Be <kind>."), Additions("Answer briefly.")], "Hi")
    assert "system instructions, additions to the prompt" in panel.plain.text
    text, row, _, _, request = panel.widget.children
    assert "Be &lt;kind&gt;." in request.value
    row.children[0].value = False
    assert "Be" not in request.value
    text.value = "Who?"
    assert "Who? Answer briefly." in request.value


async def test_slips_in_layers_and_an_empty_question_get_one_sentence() -> None:
    class Half(Layer):
        name = "half"

        async def after(self, text: str, model: Any) -> Any:
            return text

    with pytest.raises(LabError, match="takes layers, such as FollowUp"):
        app(layers=[FollowUp])  # type: ignore[list-item]
    with pytest.raises(LabError, match="the text and a list of replies, but 'half' gave 'Yes'"):
        await app("Yes", layers=[Half()])[0].ask("Really?")

    class Nothing(Layer):
        def before(self, messages: Any) -> Any:
            return None

    with pytest.raises(LabError, match="returns a list of messages, but that of 'layer' gave None"):
        app(layers=[Nothing()])[0].messages("Really?")
    chat, model = app("Yes.")
    with pytest.raises(LabError, match="has to have words"):
        await chat.ask(" \n")
    assert model.asked == []


def answered(text: str, finish: str = "stop") -> Reply:
    return Reply(text, [], finish, "embedded", "scripted", 10, 3, 0, 0.1, None, None, "USD", 0, {}, {}, {})


@pytest.mark.parametrize(
    ("name", "follows", "does_not"),
    [
        ("in German", "Brot wird aus Mehl und Wasser gemacht.", "Bread is made of flour and water."),
        ("in German", "Jupiter ist der größte Planet.", "Jupiter"),
        ("five words at most", "Flour, water, salt and yeast.", "It is made of flour and water."),
        ("capital letters", "JUPITER IS THE LARGEST PLANET.", "Jupiter IS THE LARGEST."),
        ("begins with Ahoy", "Ahoy! It is Jupiter.", "It is Jupiter. Ahoy!"),
        ("ends with a question", "It is Jupiter. Did you know? ", "Did you know? It is Jupiter."),
    ],
)
def test_whether_an_instruction_was_followed_is_read_off_the_reply(name: str, follows: str, does_not: str) -> None:
    [wish] = [wish for wish in ch01.WISHES if wish.name == name]
    assert wish.followed(answered(follows))
    assert not wish.followed(answered(does_not))
    assert not ch01.asks_back(answered("And then? Why?", "length")), "a reply that was cut off has not ended"


@pytest.mark.parametrize(
    ("text", "owns_up"),
    [
        ("I don't know what your horse is called.", True),
        ("I\u2019m sorry, I can't say.", True),
        ("You have not told me that.", True),
        ("It is not mentioned.", True),
        ("There is no information about your daughter.", True),
        ("As an AI, I cannot have access to it.", True),
        ("Your horse is called Biscuit.", False),
        ("I know: in 2015.", False),
        ("You went to school in Lisbon, not in Porto.", False),
    ],
)
def test_whether_a_reply_says_that_it_does_not_know(text: str, owns_up: bool) -> None:
    assert ch01.admits(text) is owns_up


async def test_both_measurements_ask_everything_in_every_place_and_say_who_was_misled() -> None:
    with Stub() as stub:
        stub.answers = [reply("Your horse is called Biscuit?")]
        model, rows = await stub.model(), list[dict[str, Any]]()
        measured = await ch01.full(model, rows.append)
        await model.aclose()
    assert len(measured.rows) == len(rows)
    followed = ch01.part(measured, "instructions")
    count = {group: len(same) for group, same in followed.by("what", "where").items()}
    assert set(count.values()) == {len(ch01.TOPICS)}
    assert len(count) == 3 * len(ch01.WISHES) + 1
    assert followed.rate(what="ends with a question", where=ch01.SECOND) == (10, 10)
    assert followed.rate(what="in German") == (0, 30)
    recalled = ch01.part(measured, "memory")
    assert [len(same) for same in recalled.by("where", "what").values()] == [8] * 9
    assert recalled.rate(what=ch01.TOLD, where=ch01.WITH) == (1, 8)
    assert [row["misled"] for row in recalled.rows if row["what"] == ch01.NEAR] == [True] * 24
    shown = ch01.unknown(measured).text.splitlines()
    assert [line.split()[-3:] for line in shown[1:]] == [["0", "8", "0"]] * 3
    drawn = pictures.dots(measured.__class__([{"model": "stub", **r} for r in followed.rows]), ch01.PLACES, "followed")
    assert "a second call: ends with a question 10 of 10" in drawn.alt


def test_the_probabilities_of_the_next_token_are_read_from_a_reply_and_drawn() -> None:
    top = [{"token": "Cat", "logprob": 0.0}, {"token": " Dog", "logprob": -100.0}]
    came = answered("Cat")
    came.response = {"choices": [{"logprobs": {"content": [{"top_logprobs": top}]}}]}
    chances = pictures.next_tokens(came)
    assert list(chances) == ["Cat", " Dog"]
    assert "at 1: 'Cat' 100%, ' Dog' 0%" in pictures.bars({"at 1": chances}).alt
    came.response = {"choices": [{}]}
    with pytest.raises(LabError, match="logprobs=True"):
        pictures.next_tokens(came)


# The exercises: right work in several ways passes, wrong work is told what is wrong with it.

FOR = "class For(Layer):\n    def __init__(self, person):\n        self.person = person\n\n    def before(self, messages):\n        "
WORDS = "words = f'The user is {self.person}.'\n        "
FORGET = "def forget(memory, word):\n    "
OPEN = "with closing(sqlite3.connect(memory.file)) as db, db:\n        "
SPARING = "class SparingFollowUp(FollowUp):\n    async def after(self, text, model):\n        "
RIGHT = [
    ("01.1", FOR + "return Instructions(f'Mind that you talk to {self.person}').before(messages)"),
    ("01.1", FOR + WORDS + "if messages[0]['role'] == 'system':\n            first = messages[0]\n"
             "            return [{**first, 'content': first['content'] + ' ' + words}, *messages[1:]]\n"
             "        return [{'role': 'system', 'content': words}] + messages"),
    ("01.1", FOR + WORDS + "old = [m['content'] for m in messages if m['role'] == 'system']\n"
             "        rest = [m for m in messages if m['role'] != 'system']\n"
             "        return [dict(role='system', content=' '.join([words] + old)), *rest]"),
    ("01.1", "class For(Instructions):\n    def __init__(self, person):\n        super().__init__(f'The user: {person}.')"),
    ("01.2", FORGET + OPEN + "db.execute('DELETE FROM said WHERE text LIKE ?', (f'%{word}%',))"),
    ("01.2", FORGET + OPEN + "db.execute('DELETE FROM said WHERE instr(text, ?) > 0', [word])"),
    ("01.2", FORGET + "db = sqlite3.connect(memory.file)\n    for n, text in db.execute('SELECT id, text FROM said').fetchall():\n"
             "        if word in text:\n            db.execute('DELETE FROM said WHERE id = ?', (n,))\n    db.commit()\n    db.close()"),
    ("01.2", FORGET + "memory._run('DELETE FROM said WHERE text LIKE ?', '%' + word + '%')"),
    ("01.3", SPARING + "if len(text.split()) < 6:\n            return text, []\n        return await super().after(text, model)"),
    ("01.3", SPARING + "long = len(text.split()) > 5\n        return await FollowUp.after(self, text, model) if long else (text, [])"),
    ("01.3", SPARING + "words = text.count(' ') + 1\n        if words >= 6:\n            said, replies = await super().after(text, model)\n"
             "            return said, replies\n        return (text, list())"),
]  # fmt: skip
WRONG = [
    ("01.1", FOR + "return messages", "one system message has to go out (there are 0)"),
    ("01.1", FOR + WORDS + "return [{'role': 'system', 'content': words}, *messages]", "behind Instructions, at the second question: "
     "one system message has to go out (there are 2)"),
    ("01.1", FOR + "return Instructions('You are talking to a child.').before(messages)", "has to hold the words 'a child of seven'"),
    ("01.1", FOR + WORDS + "rest = [m for m in messages if m['role'] != 'system']\n"
     "        return [{'role': 'system', 'content': words}, *rest]", "the other layer's instructions have to stay"),
    ("01.1", FOR + WORDS + "return [{'role': 'system', 'content': words}, messages[-1]]", "has to go out unchanged"),
    ("01.1", FOR + "return f'The user is {self.person}.'", "`before` returns a list of messages, but that of 'layer' gave"),
    ("01.1", FOR + "*rest, last = messages\n        return [*rest, {**last, 'content': f'I am {self.person}. ' + last['content']}]",
     "has to go out unchanged"),
    ("01.1", "class For:\n    def __init__(self, person):\n        pass", "has to be a Layer, but is For"),
    ("01.2", FORGET + OPEN + "pass", "(left: ['My cat is called Tiger.'"),
    ("01.2", FORGET + OPEN + "db.execute(f\"DELETE FROM said WHERE text LIKE '%{word}%'\")", "a word may hold an apostrophe"),
    ("01.2", FORGET + OPEN + "db.execute(\"UPDATE said SET text = '' WHERE text LIKE ?\", (f'%{word}%',))", "not only their text"),
    ("01.2", FORGET + OPEN + "db.execute('DELETE FROM said')", "(missing: ['I live in Oslo.'"),
    ("01.2", FORGET + OPEN + "db.execute('DELETE FROM said WHERE text = ?', (word,))", "no row with it may be left"),
    ("01.2", FORGET + OPEN + "db.execute('DELETE FROM said WHERE text LIKE ? AND conversation <> ?', "
     "(f'%{word}%', memory.conversation))", "(left: ['Is my cat old?'])"),
    ("01.2", FORGET + "db = sqlite3.connect(memory.file)\n    db.execute('DELETE FROM said WHERE text LIKE ?', (f'%{word}%',))\n"
     "    db.close()", "no row with it may be left"),
    ("01.3", SPARING + "return await super().after(text, model)", "after 1 word there has to be 0 further call, and there was 1"),
    ("01.3", SPARING + "if len(text.split()) < 6:\n            return text\n        return await super().after(text, model)",
     "has to return the text and a list of replies, and returned 'Paris.'"),
    ("01.3", SPARING + "if len(text.split()) <= 6:\n            return text, []\n        return await super().after(text, model)",
     "after 6 words there has to be 1 further call, and there was 0"),
    ("01.3", SPARING + "said, replies = await super().after(text, model)\n        return (text, []) if len(text.split()) < 6 else "
     "(said, replies)", "0 further call, and there was 1"),
    ("01.3", SPARING + "return text, []", "after 12 words there has to be 1 further call"),
    ("01.3", SPARING + "if len(text.split()) < 6:\n            return text + ' More?', []\n        return await super().after(text, "
     "model)", "the text has to stay as it is, and became 'Paris. More?'"),
    ("01.3", "class SparingFollowUp(Layer):\n    pass", "has to be a FollowUp, but is SparingFollowUp"),
]  # fmt: skip


async def checked(name: str, code: str) -> str:
    names: dict[str, Any] = {n: getattr(app_module, n) for n in dir(app_module) if n[0] != "_"}
    names |= {"Trace": llmlab.Trace}
    before = set(names)
    exec(code, names)
    work = [value for key, value in names.items() if key not in before and callable(value)][-1]
    with Stub() as stub:
        stub.answers = [reply("Which river is it?")]
        model = await stub.model()
        shown = await lesson.check(name, work, model)
        await model.aclose()
    return str(shown._repr_mimebundle_()["text/plain"])


@pytest.mark.parametrize(("name", "code"), RIGHT)
async def test_right_work_passes_however_it_is_written(name: str, code: str) -> None:
    assert (await checked(name, code)).endswith("passed")


@pytest.mark.parametrize(("name", "code", "why"), WRONG)
async def test_wrong_work_is_told_what_is_wrong(name: str, code: str, why: str) -> None:
    text = await checked(name, code)
    assert "not yet" in text
    assert why in text
