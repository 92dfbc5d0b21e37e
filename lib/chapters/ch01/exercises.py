"""The exercises of chapter 01: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

import tempfile
from pathlib import Path
from typing import Any

from chapters.ch01.app import ChatApp, Memory
from llmlab import Trace
from llmlab.lesson import Check, Exercise

QUESTION = "What is a violin?"


async def _own_layer(work: Any, model: Any) -> list[Check]:
    app = ChatApp(model, [work()])
    sent = app.messages(QUESTION)
    system = " ".join(m["content"] for m in sent if m["role"] == "system")
    return [
        (
            sent[-1] == {"role": "user", "content": QUESTION},
            "the person's question has to go out unchanged, as the last message",
        ),
        (sent[0]["role"] == "system", "the first message has to be a system message"),
        ("seven years old" in system, "the system message has to say that the person is seven years old"),
    ]


async def _forget(work: Any, model: Any) -> list[Check]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        memory = Memory(Path(folder) / "said.db", "today")
        for line in ("My cat is called Tiger.", "I live in Oslo.", "My cat is seven."):
            Memory(memory.file, "last week").remember(line)
        work(memory, "cat")
        left = memory.recall()
    return [
        (not any("cat" in line for line in left), f"nothing with the word may be left, and there is {left}"),
        ("I live in Oslo." in left, "what does not hold the word has to stay"),
    ]


async def _sparing(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for text, wanted in (("Paris.", 0), ("Paris is the capital of France and stands on the river Seine.", 1)):
        with Trace("exercise 01.3") as trace:
            said, _ = await work().after(text, model)
        made = len(trace.of("model"))
        points.append(
            (
                made == wanted,
                f"after {len(text.split())} words there has to be {wanted} further call, and there was {made}",
            )
        )
        points.append(
            (said.endswith("?") == bool(wanted), f"the text has to {'end' if wanted else 'not end'} with a question")
        )
    return points


EXERCISES = [
    Exercise(
        id="01.1",
        task="Write a layer that tells the model, in a system message, that the person is seven years old.",
        stub="""\
class ForChildren(Layer):
    def before(self, messages):
        return messages
""",
        solution="""\
class ForChildren(Layer):
    def before(self, messages):
        return [{"role": "system", "content": "The user is seven years old. Use easy words."}, *messages]
""",
        hints=(
            "`before` gets the list of messages that would go out, and returns the list that does.",
            'A message is {"role": "system", "content": "..."}; it belongs at the front of the list.',
        ),
        check=_own_layer,
    ),
    Exercise(
        id="01.2",
        task="Write a function that takes everything with a given word out of the memory for good.",
        stub="""\
def forget(memory, word):
    with sqlite3.connect(memory.file) as db:
        pass
""",
        solution="""\
def forget(memory, word):
    with sqlite3.connect(memory.file) as db:
        db.execute("DELETE FROM said WHERE text LIKE ?", (f"%{word}%",))
""",
        hints=(
            "The table is called `said`, and the column with the words is `text`.",
            "SQL: DELETE FROM said WHERE text LIKE ?, where the value for the question mark is '%word%'.",
        ),
        check=_forget,
    ),
    Exercise(
        id="01.3",
        task="A follow-up costs a whole further call. Write one that makes it only after answers of six words or more.",
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
