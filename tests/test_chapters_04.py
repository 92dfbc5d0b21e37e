"""Chapter 04: tasks are judged by the database, choices by the call; exercises take what is right, however it is written."""

import json
from importlib import import_module
from typing import Any

import nbformat
import pytest

from llmlab import Trace, lesson, notebooks
from llmlab.agents import Run, ToolLoop
from llmlab.llm.chat import Model
from llmlab.llm.reply import ToolCall
from llmlab.measure import Measured
from shop import Shop, lay_out
from stub import Stub, reply

pytestmark = pytest.mark.anyio
ch04, choice, tasks = (import_module(f"chapters.ch04{part}") for part in ("", ".choice", ".tasks"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return lay_out(tmp_path_factory.mktemp("world") / "shop")


def run_with(answer: str) -> Run:
    return Run("x", "y", Trace(), answer=answer, stopped="done")


@pytest.mark.parametrize(
    ("fact", "right", "wrong"),
    [
        ("returned", ["It was returned.", "Returned."], ["It was delivered.", "returned or delivered", ""]),
        ("45", ["45", "45.0", "It is 45.00 euros.", "45."], ["145", "45.5", "450", "4.45"]),
        ("62.5", ["62.5", "62.50 euros"], ["62", "62.55", "162.5"]),
        ("1234", ["1,234 euros", "1234.00"], ["1,2345"]),
        ("2026-03-05", ["2026-03-05", "5 March 2026", "on March 5, 2026."], ["2026-05-03", "15 March 2026", "March 2026"]),
        ("Minh Pham", ["minh pham placed it"], ["Minh", "Pham, Minh"]),
    ],
)  # fmt: skip
def test_a_fact_is_found_as_people_write_it_and_nothing_else_is(fact: str, right: list[str], wrong: list[str]) -> None:
    assert [ch04.says(text, fact) for text in right] == [True] * len(right)
    assert [ch04.says(text, fact) for text in wrong] == [False] * len(wrong)


def test_each_task_takes_its_own_answer_and_no_empty_one(world: Shop) -> None:
    made = ch04.tasks(world)
    assert not any(task.right(run_with("")) for task in made)
    assert {task.about["kind"] for task in made} == set(ch04.KINDS)
    by_id = {task.id: task for task in made}
    assert len(by_id) == len(made)
    assert tasks.order(world, 1038)["status"] == "cancelled"
    assert by_id["status 1038"].right(run_with("Order 1038 is cancelled."))
    highest, spent, counted = (
        by_id[name] for name in ("highest Rohan Mehta", "spent Saara Laine", "returned Pilar Serrano")
    )
    answers = [
        "1057, with 172.0",
        "Order 1057 has a higher total than 1002.",
        "1002",
        "1002 is lower than 1057",
        "172.0",
    ]
    assert [highest.right(run_with(answer)) for answer in answers] == [True, True, False, False, False]
    assert [spent.right(run_with(answer)) for answer in ("192.50 euros", "193.5", "[66, 93]")] == [True, False, False]
    assert [counted.right(run_with(answer)) for answer in ("2", "Two were.", "Order 1064", "None")] == [
        True,
        True,
        False,
        False,
    ]
    for kind, names in tasks.NEEDS.items():
        assert all(
            {tool.name for tool in agent.tools} == set(names) for agent in ch04.variants(None, world, kind).values()
        )


async def test_an_errand_is_right_when_just_one_post_is_there_and_not_when_it_is_only_claimed(world: Shop) -> None:
    post = {tool.name: tool for tool in ch04.tools(world)}["post_message"]
    [task] = [task for task in ch04.tasks(world) if task.id == "post customer 1016"]
    assert not task.right(run_with("I have posted Matthias Vogel."))
    for channel, right in (("#orders", True), ("orders", False)):  # the second time it stands there twice
        await post.call({"channel": channel, "text": "It was Matthias Vogel."})
        assert task.right(run_with("")) == right
    ch04.clean_channels(world)
    await post.call({"channel": "general", "text": "It was Matthias Vogel."})
    assert not task.right(run_with(""))
    ch04.clean_channels(world)
    assert ch04.posts(world) == []


def test_a_choice_is_right_with_just_the_tool_and_the_arguments_that_the_message_gives() -> None:
    for text, wanted, given in choice.MESSAGES:
        names = [tool.name for tool in choice.offered(wanted, 3)]
        assert (len(names), len(choice.offered(wanted, 12))) == (3, 12), text
        exact = {name: " ".join(value) if isinstance(value, tuple) else value for name, value in given.items()}
        call = ToolCall("1", getattr(wanted, "__name__", "get_order"), json.dumps(exact))
        assert wanted is None or wanted.__name__ in names
        assert choice.chosen([call], wanted, given) == (wanted is not None)
        assert choice.chosen([], wanted, given) == (wanted is None)
        assert not choice.chosen([call, call], wanted, given)
        for arguments in (json.dumps({**exact, "more": 1}), "{}", "[]", '{"half'):
            assert not choice.chosen([ToolCall("1", call.name, arguments)], wanted, given)
    assert len(choice.MESSAGES) == 15


async def test_the_choice_is_one_call_a_message_and_the_picture_tells_the_counts() -> None:
    with Stub() as stub:
        stub.answers = [reply("Good evening!")] * 30
        model = await stub.model()
        rows = await choice.choices(model)
        await model.aclose()
    measured = Measured([{"model": "stub", **row} for row in rows])
    assert [measured.rate(kind=kind) for kind in ch04.CHOOSE] == [(3, 15), (3, 15)]
    assert "stub, choose among 12 tools: 3/15 (7–45 %)" in ch04.sizes(measured).alt
    assert "Nothing is measured" in ch04.sizes(Measured([])).text


# The exercises: what is right passes in any spelling, what is wrong gets a reason

NAMES: dict[str, Any] = {}
cell = nbformat.read(notebooks.NOTEBOOKS / "04_the_agent_loop.ipynb", as_version=4).cells[1].source
exec(cell.replace('lesson.chapter("04")', ""), NAMES)

SOLD = 'def sold_tool(db):\n    {}def pieces_sold({}):\n        """{}"""\n        {}\n    return {}'
TELLS, BY = "Tell how many pieces of a product were sold.", "product: str"
ASK = '[[n]] = query(db, "SELECT SUM(quantity) FROM items WHERE product = ?", [product]).rows'
NONE = 'if n is None:\n            raise ToolError("there is no such product")\n        return n'
COUNTED = """rows = query(db, "SELECT product, quantity FROM items", limit=1000).rows
        found = [n for name, n in rows if name == product.lower()]
        if found:
            return sum(found)
        raise ToolError(f"no product is called {product}")"""
PASTED = ASK.replace("= ?", "= '{product}'").replace('"SEL', 'f"SEL').replace(", [product]", "")


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (lesson.exercise("04.1").solution, ""),
        (SOLD.format("", BY, TELLS, f"{ASK}\n        {NONE}", "pieces_sold"), ""),
        (SOLD.format("", BY, TELLS, COUNTED, "tool(pieces_sold)"), ""),
        (
            SOLD.format("@tool\n    async ", BY, "Pieces of something sold.", f"{ASK}\n        {NONE}", "pieces_sold"),
            "",
        ),
        (
            SOLD.format("", BY, TELLS, f"{ASK}\n        return n or 0", "tool(pieces_sold)"),
            "is a ToolError with a sentence",
        ),
        (
            SOLD.format("", BY, TELLS, f"{ASK}\n        return int(n)", "tool(pieces_sold)"),
            "is a ToolError with a sentence",
        ),
        (
            SOLD.format("", BY, TELLS, f"{ASK}\n        {NONE}".replace("SUM", "COUNT"), "tool(pieces_sold)"),
            "50 pieces of",
        ),
        (SOLD.format("", BY, "Sold.", f"{ASK}\n        {NONE}", "tool(pieces_sold)"), "the docstring has to tell"),
        (SOLD.format("", "product", TELLS, f"{ASK}\n        {NONE}", "tool(pieces_sold)"), "takes a text, product"),
        (SOLD.format("", BY, TELLS, f"{PASTED}\n        {NONE}", "tool(pieces_sold)"), "a name with a quote in it"),
        (SOLD.format("", BY, "", f"{ASK}\n        {NONE}", "tool(pieces_sold)"), "needs a docstring"),
    ],
)
async def test_exercise_04_1(work: str, why: str) -> None:
    await checked("04.1", work, why)


ROUTE = "import re\nasync def route(question, clerk, model):\n    {}"
CLERK, BARE = "(await clerk.run(question)).answer", "(await model.chat(question)).text"


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (lesson.exercise("04.2").solution, ""),
        (ROUTE.format(f"return {CLERK} if re.search(r'\\b\\d{{4}}\\b', question) else {BARE}"), ""),
        (ROUTE.format(f"if any(len(w) == 4 for w in re.findall('[0-9]+', question)):\n        return {CLERK}\n    return {BARE}"), ""),
        (ROUTE.format(f"return {CLERK}"), "takes one bare call, and not the clerk"),
        (ROUTE.format(f"return {BARE}"), "takes the clerk, and no call of the model"),
        (ROUTE.format(f"return {CLERK} if re.search(r'\\d', question) else {BARE}"), "Are 2 cups of coffee"),
        (ROUTE.format(f"return {CLERK} if 'order' in question else {BARE}"), "“1008: who placed it?” takes the clerk"),
        (ROUTE.format("return await model.chat(question)"), "the answer is a text, and yours is"),
        (ROUTE.format("return"), "the answer is a text, and yours is None"),
    ],
)  # fmt: skip
async def test_exercise_04_2(work: str, why: str) -> None:
    await checked("04.2", work, why)


MINE = "class Remembering(ToolLoop):\n    {}\n    async def work(self, run):\n        {}"
KEEP = 'self.prompts["system"] += f"{run.task} {run.answer}. "'
OWN = "def __init__(self, *given, **named):\n        super().__init__(*given, **named)\n        self.earlier = []"


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (lesson.exercise("04.3").solution, ""),
        (MINE.format(OWN, 'self.prompts["system"] = "\\n".join(self.earlier)\n        await super().work(run)\n        self.earlier.append(run.task + ": " + str(run))'), ""),
        (MINE.format("", f"await super().work(run)\n        {KEEP}"), ""),
        (MINE.format("", "await super().work(run)"), "what was asked before"),
        (MINE.format("", f"{KEEP}\n        await super().work(run)"), "the first run has nothing to remember"),
        (MINE.format("", 'await super().work(run)\n        self.prompts["system"] += run.task'), "and what was answered"),
        (MINE.format("earlier = []", 'self.prompts["system"] = " ".join(self.earlier)\n        await super().work(run)\n        self.earlier.append(run.task + str(run))'), "another agent remembers nothing"),
        (MINE.format("", 'await super().work(run)\n        self.prompts["task"] = run.task + str(run) + " {task}"'), "the task itself stays"),
        (MINE.format("", "await super().work(run)").replace("(ToolLoop)", ""), "has to be a variant of ToolLoop"),
    ],
)  # fmt: skip
async def test_exercise_04_3(work: str, why: str) -> None:
    await checked("04.3", work, why)


async def checked(name: str, work: str, why: str) -> None:
    names = dict(NAMES)
    exec(work, names)
    wanted = {"04.1": "sold_tool", "04.2": "route", "04.3": "Remembering"}[name]
    with Stub() as stub:
        stub.answers = [reply(f"Answer {n}.") for n in range(8)]
        model: Model = await stub.model()
        text = str((await lesson.check(name, names[wanted], model))._repr_mimebundle_()["text/plain"])
        await model.aclose()
    if why:
        assert f"Exercise {name}: not yet" in text
        assert any(why in line for line in text.splitlines() if line.startswith("✗")), text
    else:
        assert text.splitlines()[-1] == f"Exercise {name}: passed", text


def test_the_picture_of_a_run_says_how_often_each_box_was_reached() -> None:
    text = ch04.lit(Run("x", "y", Trace(), stopped="error")).text
    assert text.count("×0") == text.count("stroke-dasharray") == 4
    assert issubclass(NAMES["ToolLoop"], ToolLoop)
