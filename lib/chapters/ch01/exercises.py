"""The exercises of chapter 01: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from chapters.ch01.app import ChatApp, FollowUp, Instructions, Layer, Memory
from llmlab import Trace
from llmlab.lesson import Check, Exercise
from llmlab.llm.chat import Message

QUESTION = "What is a violin?"
EARLIER: list[Message] = [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": "Hello. What is it?"}]


async def _for_whom(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    cases: list[tuple[str, str, list[Layer], list[Message]]] = [
        ("alone, at the first question", "a child of seven", [], []),
        ("behind Instructions, at the second question", "a bee keeper from Riga", [Instructions("Be kind.")], EARLIER),
    ]
    for where, person, layers, history in cases:
        layer = work(person)
        if not isinstance(layer, Layer):
            return [(False, f"the class has to be a Layer, but is {type(layer).__name__}")]
        sent = ChatApp(model, [*layers, layer], list(history)).messages(QUESTION)
        system = [m["content"] for m in sent if m["role"] == "system"]
        points += [
            (len(system) == 1, f"{where}: one system message has to go out (there are {len(system)})"),
            (sent[0]["role"] == "system", f"{where}: the system message has to come first"),
            (person in " ".join(system), f"{where}: the system message has to hold the words {person!r}"),
            (
                [m for m in sent if m["role"] != "system"] == [*history, {"role": "user", "content": QUESTION}],
                f"{where}: what the person and the model said has to go out unchanged, the question last",
            ),
        ]
        if layers:
            points.append(("Be kind." in " ".join(system), f"{where}: the other layer's instructions have to stay"))
    return points


SAID = [  # the conversation, the words
    ("last year", "My cat is called Tiger."),
    ("last week", "I live in Oslo."),
    ("last week", "My neighbour is called O'Hara."),
    ("last week", "My cat is seven."),
    ("last week", "I work as a nurse."),
    ("today", "Is my cat old?"),
]


def _rows(memory: Memory) -> list[str]:
    with closing(sqlite3.connect(memory.file)) as db:
        return [text for (text,) in db.execute("SELECT text FROM said ORDER BY id")]


async def _forget(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for word in ("cat", "O'Hara"):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            memory = Memory(Path(folder) / "said.db", "today", last=2)
            for conversation, text in SAID:
                Memory(memory.file, conversation).remember(text)
            try:
                work(memory, word)
            except sqlite3.Error as error:
                hint = "a word may hold an apostrophe: give it to execute as a value, for a ? in the SQL"
                points.append((False, f"forget(memory, {word!r}) stopped with {type(error).__name__}: {error}; {hint}"))
                continue
            left = _rows(memory)
        gone, stays = ([text for _, text in SAID if (word in text) == held] for held in (True, False))
        points += [
            (
                not (still := [text for text in left if word in text]),
                f"forget(memory, {word!r}): no row with it may be left in the file, of any conversation (left: {still})",
            ),
            (
                not (lost := [text for text in stays if text not in left]),
                f"forget(memory, {word!r}): rows without it have to stay as they are (missing: {lost})",
            ),
            (
                len(left) <= len(SAID) - len(gone),
                f"forget(memory, {word!r}): the rows have to go, not only their text ({len(left)} rows are left)",
            ),
        ]
    return points


LONG = "Paris is the capital of France and stands on the river Seine."
ANSWERS = (("Paris.", 0), ("It stands on the Seine.", 0), ("Paris is the capital of France.", 1), (LONG, 1))


async def _sparing(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for text, wanted in ANSWERS:
        with Trace("exercise 01.3") as trace:
            layer = work()
            if not isinstance(layer, FollowUp):
                return [(False, f"the class has to be a FollowUp, but is {type(layer).__name__}")]
            came = await layer.after(text, model)
        words = f"after {(count := len(text.split()))} word{'s' * (count > 1)}"
        if not (isinstance(came, tuple) and len(came) == 2 and isinstance(came[0], str) and isinstance(came[1], list)):
            return [
                *points,
                (False, f"{words}: `after` has to return the text and a list of replies, and returned {came!r}"),
            ]
        made, said = len(trace.of("model")), came[0]
        points += [
            (made == wanted, f"{words} there has to be {wanted} further call, and there was {made}"),
            (
                len(came[1]) == made,
                f"{words} the list has to hold the replies of the calls made, and holds {len(came[1])}",
            ),
        ]
        if wanted:
            more = said.startswith(text) and said.endswith("?") and said != text
            points.append((more, f"{words} a question has to follow the text, and what came ends {said[-40:]!r}"))
        else:
            points.append((said == text, f"{words} the text has to stay as it is, and became {said[:60]!r}"))
    return points


EXERCISES = [
    Exercise(
        id="01.1",
        task="Write a layer that tells the model, in the system message, whom it is talking to.",
        stub="""\
class For(Layer):
    def __init__(self, person):
        self.person = person

    def before(self, messages):
        return messages
""",
        solution="""\
class For(Layer):
    def __init__(self, person):
        self.person = person

    def before(self, messages):
        return Instructions(f"You are talking to {self.person}.").before(messages)
""",
        hints=(
            "`before` gets the list of messages that would go out, and returns the list that does.",
            'A message is {"role": "system", "content": "..."}. If there is one already, your words go into that one.',
            "Instructions does all of this for a fixed text; its `before` can be called with the messages.",
        ),
        check=_for_whom,
    ),
    Exercise(
        id="01.2",
        task="Write a function that deletes every row that contains a given word from the memory.",
        stub="""\
def forget(memory, word):
    with closing(sqlite3.connect(memory.file)) as db, db:
        pass
""",
        solution="""\
def forget(memory, word):
    with closing(sqlite3.connect(memory.file)) as db, db:
        db.execute("DELETE FROM said WHERE text LIKE ?", (f"%{word}%",))
""",
        hints=(
            "The table is called `said`, and the column with the words is `text`.",
            "SQL: DELETE FROM said WHERE text LIKE ?, where the value for the question mark is '%word%'.",
            "execute takes the values second, as a tuple: db.execute(sql, (value,)).",
        ),
        check=_forget,
    ),
    Exercise(
        id="01.3",
        task="Write a follow-up that makes its second call only after answers of six words or more.",
        stub="""\
class SparingFollowUp(FollowUp):
    async def after(self, text, model):
        return await super().after(text, model)
""",
        solution="""\
class SparingFollowUp(FollowUp):
    async def after(self, text, model):
        if len(text.split()) < 6:
            return text, []
        return await super().after(text, model)
""",
        hints=(
            "`after` returns the text for the person and the list of further replies, which may be empty.",
            "len(text.split()) counts words.",
        ),
        check=_sparing,
    ),
]
