"""The exercises of chapter 04: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

import reprlib
import tempfile
from pathlib import Path
from typing import Any

from llmlab import Trace
from llmlab.agents import Run, ToolLoop
from llmlab.lesson import Check, Exercise
from llmlab.tools import tool
from shop import lay_out


async def _sold(work: Any, model: Any) -> list[Check]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = tool(work(lay_out(Path(folder) / "shop").db))
        tea, kettle = [await made.call({"product": name}) for name in ("mint tea", "kettle")]
        moon, quoted = [await made.call({"product": name}) for name in ("moon dust", "moon's dust")]
    takes = made.parameters.get("properties", {})
    return [
        (takes.get("product", {}).get("type") == "string", f"the tool takes a text, product, and yours takes {takes}"),
        (
            len(made.description) >= 20 and made.description != "Do something.",
            "the docstring has to tell the model what the tool does",
        ),
        (tea.value == 50, f"50 pieces of mint tea were sold, and your tool says {tea.text}"),
        (kettle.value == 10, f"10 kettles were sold, and your tool says {kettle.text}"),
        (
            not moon.ok and "failed:" not in moon.text,
            f"a product that does not exist is a ToolError with a sentence, and your tool gives {moon.text}",
        ),
        (
            "SQLite says" not in quoted.text,
            f"a name with a quote in it is only a name (pass it in the list, not in the SQL), and your tool gives {quoted.text}",
        ),
    ]


class _Clerk:
    """In place of the clerk: keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def run(self, task: str) -> Run:
        self.asked.append(task)
        return Run("clerk", task, Trace("clerk"), answer="It was returned.", stopped="done")


async def _routed(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for question, to_clerk in (
        ("Has order 1143 come back?", True),
        ("What is tea made of?", False),
        ("1008: who placed it?", True),
        ("Are 2 cups of coffee a day too much?", False),
    ):
        clerk = _Clerk()
        with Trace("exercise 04.2") as trace:
            said = await work(question, clerk, model)
        bare = len(trace.of("model"))
        wanted = ([question], 0) if to_clerk else ([], 1)
        who = "the clerk, and no call of the model" if to_clerk else "one bare call, and not the clerk"
        points.append(((clerk.asked, bare) == wanted, f"“{question}” takes {who}"))
        points.append(
            (isinstance(said, str) and bool(said), f"the answer is a text, and yours is {reprlib.repr(said)}")
        )
    return points


async def _remembering(work: Any, model: Any) -> list[Check]:
    if not (isinstance(work, type) and issubclass(work, ToolLoop)):
        return [(False, "it has to be a variant of ToolLoop: class Remembering(ToolLoop)")]
    agent, fresh = work(model), work(model)
    asked = ["My order is 1143.", "What is my order?"]
    runs = [await agent.run(task) for task in asked]
    other = await fresh.run(asked[1])
    sent = [run.trace.of("model")[0].request["messages"] for run in [*runs, other]]
    systems = [" ".join(m["content"] for m in messages if m["role"] == "system") for messages in sent]
    return [
        (
            all(m[-1] == {"role": "user", "content": run.task} for m, run in zip(sent, [*runs, other], strict=True)),
            "the task itself stays as it is, as the last message",
        ),
        (not systems[0], f"the first run has nothing to remember, and its system message is {systems[0]!r}"),
        (asked[0] in systems[1], "the second run's system message has to hold what was asked before"),
        (bool(str(runs[0])) and str(runs[0]) in systems[1], "and what was answered"),
        (asked[0] not in systems[2], "another agent remembers nothing of it: each has a memory of its own"),
    ]


EXERCISES = [
    Exercise(
        id="04.1",
        task="Write a tool that tells the model how many pieces of a product were sold.",
        stub='''\
def sold_tool(db):
    def pieces_sold(product: str) -> int:
        """Do something."""
        return 0

    return tool(pieces_sold)
''',
        solution='''\
def sold_tool(db):
    def pieces_sold(product: str) -> int:
        """Tell how many pieces of a product were sold."""
        [[sold]] = query(db, "SELECT SUM(quantity) FROM items WHERE product = ?", [product]).rows
        if sold is None:
            raise ToolError(f"there is no product {product}; write its name in lower case")
        return sold

    return tool(pieces_sold)
''',
        hints=(
            "The table is called `items`; its columns `product` and `quantity` are all you need.",
            '[[sold]] = query(db, "SELECT SUM(quantity) FROM items WHERE product = ?", [product]).rows',
            "A sum over no rows is None. Then: raise ToolError(...), imported from llmlab.",
        ),
        check=_sold,
    ),
    Exercise(
        id="04.2",
        task="Write a router: questions with an order number go to the clerk, all others are answered by one bare call.",
        stub="""\
async def route(question, clerk, model):
    return ""
""",
        solution="""\
async def route(question, clerk, model):
    words = question.replace("?", " ").replace(":", " ").split()
    if any(word.isdigit() and len(word) == 4 for word in words):
        return str(await clerk.run(question))
    return (await model.chat(question)).text
""",
        hints=(
            "Order numbers have four digits; a question may hold other numbers.",
            "`str(await clerk.run(question))` is the clerk's answer, `(await model.chat(question)).text` that of a bare call.",
        ),
        check=_routed,
    ),
    Exercise(
        id="04.3",
        task="Write a variant of the agent that remembers its earlier runs.",
        stub="""\
class Remembering(ToolLoop):
    async def work(self, run):
        await super().work(run)
""",
        solution="""\
class Remembering(ToolLoop):
    async def work(self, run):
        await super().work(run)
        self.prompts["system"] += f"Earlier: {run.task} {run.answer}\\n"
""",
        hints=(
            'ToolLoop sends `self.prompts["system"]` as a system message, if it is not empty.',
            "After `await super().work(run)`, `run.task` is what was asked and `run.answer` what was answered.",
            'Add both to `self.prompts["system"]`; each agent has prompts of its own.',
        ),
        check=_remembering,
    ),
]
