"""Skill "workbench": tools that take an expression, a program or a query, as chapters 04, 11 and 14 offer them.

Their argument is a text that ends in a digit, a bracket or a quotation mark, and has to be closed all the same. Results are
those that the kit's own tools give: calculations and programs are carried out, queries are run.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from llmlab.shop import Rows, lay_out
from llmlab.toolbox import calculate, query_database, run_python
from llmlab.tools import tool

from .messages import Done, Item, call, gave, listed, say, user
from .shop_world import kit, shopping
from .sql import World, ask, plain_schema

LIMIT = 2400  # characters
ROWS = 6  # of a result that is told in words
OTHER_NAMES = {  # of the tool, and of its parameter
    "calculate": [("calculator", "expression"), ("compute", "expr"), ("evaluate", "formula"), ("do_math", "input")],
    "run_python": [("python", "code"), ("execute_code", "program"), ("run_code", "source")],
    "query_database": [("run_sql", "query"), ("sql", "statement"), ("read_database", "sql")],
}


@cache
def own() -> dict[str, dict[str, Any]]:
    """The kit's three tools, as a request offers them."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = [tool(f) for f in (calculate, run_python, query_database(lay_out(Path(folder) / "shop").db))]
    return {t.name: t.openai() for t in made}


def offered(rng: random.Random, name: str, description: str = "") -> tuple[str, str, list[Any]]:
    """A tool under its own or another name: that name, its parameter's, and the tools of an item, others among them."""
    shown = copy.deepcopy(own()[name])
    function = shown["function"]
    [parameter] = function["parameters"]["properties"]
    if description:
        function["description"] = description
    if rng.random() < 0.35:
        function["name"], other = rng.choice(OTHER_NAMES[name])
        function["parameters"]["properties"] = {other: function["parameters"]["properties"][parameter]}
        function["parameters"]["required"], parameter = [other], other
    beside = shopping(rng)[1] if rng.random() < 0.4 else []
    tools = [shown, *rng.sample(beside, min(len(beside), 2))]
    rng.shuffle(tools)
    return function["name"], parameter, tools


# --- Expressions ---------------------------------------------------------------------------------------------------

ASK = [
    "Calculate {}.",
    "Calculate {}.",
    "What is {}?",
    "Work out {}.",
    "How much is {}?",
    "{} = ?",
    "Please calculate {}.",
]
ASK += ["Use the calculator: {}", "Compute {} and tell me the result.", "I need the exact result of {}."]
TOLD = ["{e} is {r}.", "The result is {r}.", "It is {r}.", "{r}", "The result is {r}."]
STORIES = [
    ("A box holds {a} screws. {b} are used and {c} come in. How many are there?", "{a} - {b} + {c}"),
    ("We pack {a} parcels a day for {b} days. How many parcels is that?", "{a} * {b}"),
    ("{a} pupils are shared among {b} buses, and {c} more come. How many are there in all?", "{a} + {c}"),
    ("A ticket costs {a} euros. What do {b} tickets cost, and {c} euros for the bus on top?", "{a} * {b} + {c}"),
    ("The bill was {a}, {b} and {c} euros. What is the total?", "{a} + {b} + {c}"),
    ("A rope is {a} metres long. We cut off {b} and {c} metres. How long is it now?", "{a} - {b} - {c}"),
]


def expression(rng: random.Random) -> tuple[str, str]:
    """What is said, and the expression that a calculator takes."""
    if rng.random() < 0.12:
        percent, whole = rng.choice([5, 10, 15, 20, 25, 30]), rng.randint(2, 90) * 10
        return rng.choice([f"{percent} % of {whole}", f"{percent} percent of {whole}"]), f"{percent} / 100 * {whole}"
    top = rng.choice([20, 99, 99, 400, 999])
    parts = [str(rng.randint(2, top))]
    for _ in range(rng.choice([1, 1, 2, 2, 3, 4, 4, 5])):
        parts += [rng.choice("++++---*"), str(rng.randint(2, top))]
    made = " ".join(parts)
    if len(parts) > 3 and rng.random() < 0.3:
        made = f"({' '.join(parts[:3])}) {' '.join([rng.choice('*/'), *parts[4:]])}"
    if rng.random() < 0.1:
        made = re.sub(r"\d+", lambda number: f"{number[0]}.{rng.choice([5, 25, 75])}", made, count=1)
    said = made
    if rng.random() < 0.2:
        said = made.replace("*", rng.choice(["x", "×", "times"]))
        said = said.replace("+", "plus").replace(" - ", " minus ") if rng.random() < 0.4 else said
    return said, made


def calculation(rng: random.Random) -> Done:
    """A calculation, its result, and a sentence."""
    name, parameter, tools = offered(rng, "calculate")
    if rng.random() < 0.2:
        text, form = rng.choice(STORIES)
        values = {"a": rng.randint(120, 900), "b": rng.randint(2, 60), "c": rng.randint(2, 55)}
        said, made = text.format(**values), form.format(**values)
        asked = said + rng.choice(["", " Use the calculator.", " Calculate it."])
    else:
        said, made = expression(rng)
        asked = rng.choice(ASK).format(said)
    result = json.dumps(calculate(made))
    told = rng.choice(TOLD).format(e=made, r=result)
    return [user(asked), call(name, 1, **{parameter: made}), gave(1, result), say(told)], tools


# --- Programs ------------------------------------------------------------------------------------------------------

RUN = ["Run a Python program that prints {}.", "Run a Python program that prints {}."]
RUN += ["Write a Python program that prints {}, and run it.", "Use Python to print {}.", "With Python: print {}."]
RUN += ["Find {} with a Python program.", "Let Python work out {}.", "Run Python code for this: {}."]
WORDS = ["harbour", "pepper", "lantern", "banana", "saddle", "kitten", "marmalade", "ribbon", "window", "balloon"]


def program(rng: random.Random) -> tuple[str, str]:
    """What is to be printed, and a short program that prints it."""
    a, b = rng.randint(2, 20), rng.randint(21, 300)  # not from 1 on: that is the task of chapter 04
    numbers = rng.sample(range(2, 90), rng.randint(3, 6))
    word, n = rng.choice(WORDS), rng.randint(3, 9)
    letter = rng.choice(word)
    told = listed([str(number) for number in numbers])
    return rng.choice(
        [
            (f"the sum of the numbers from {a} to {b}", f"print(sum(range({a}, {b + 1})))"),
            (f"the sum of the numbers from {a} to {b}", f"print(sum(range({a}, {b + 1})))"),
            (f"all numbers from {a} to {a + n} added up", f"print(sum(range({a}, {a + n + 1})))"),
            (f"the sum of {told}", f"print(sum({numbers}))"),
            (f"the largest of {told}", f"print(max({numbers}))"),
            (f"the smallest of {told}", f"print(min({numbers}))"),
            (f"the numbers {told} in order", f"print(sorted({numbers}))"),
            (f"the squares of the numbers from 1 to {n}", f"print([x ** 2 for x in range(1, {n + 1})])"),
            (f"the even numbers from 2 to {2 * n}", f"print(list(range(2, {2 * n + 1}, 2)))"),
            (f"the numbers from 1 to {n}, one a line", f"for x in range(1, {n + 1}):\n    print(x)"),
            (f"the first {n} multiples of {a + 1}", f"for x in range(1, {n + 1}):\n    print({a + 1} * x)"),
            (f"the word {word} backwards", f'print("{word}"[::-1])'),
            (f"how many letters {word} has", f'print(len("{word}"))'),
            (f"how often the letter {letter} is in {word}", f'print("{word}".count("{letter}"))'),
            (f"the word {word} in capitals", f'print("{word}".upper())'),
            (f"2 to the power of {n + 3}", f"print(2 ** {n + 3})"),
            (f"the factorial of {n}", f"import math\n\nprint(math.factorial({n}))"),
            (f"the remainder of {b} divided by {n}", f"print({b} % {n})"),
        ]
    )


def output_of(code: str) -> str:
    """What a program prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    return printed.getvalue()


def programmed(rng: random.Random) -> Done:
    """A program is run, and what it printed is told; or it is given, and only run."""
    name, parameter, tools = offered(rng, "run_python")
    what, code = program(rng)
    given = "\n" not in code and rng.random() < 0.2
    asked = rng.choice(["Run this Python program: {}", "Run {} and tell me what it prints."]).format(code)
    start = [user(asked if given else rng.choice(RUN).format(what)), call(name, 1, **{parameter: code})]
    if rng.random() < 0.06:
        late = "error: the program may take 10 seconds, but took longer"
        return [*start, gave(1, late), say("It did not work: the program took too long.")], tools
    printed = output_of(code)
    lines = printed.split("\n")[:-1]
    told = rng.choice(["It printed {}.", "The program printed {}.", "{}", "The result is {}."])
    return [*start, gave(1, printed), say(told.format(", ".join(lines)))], tools


# --- Queries -------------------------------------------------------------------------------------------------------

LOOK = [
    "{}",
    "{}",
    "Ask the database: {}",
    "{} Ask the database.",
    "Look into the database: {}",
    "Query the database. {}",
]


def told(rows: Rows) -> str:
    """A small result in words, or nothing if it is too large for that."""
    if not 0 < len(rows.rows) <= ROWS or len(rows.columns) > 3 or any(v is None for row in rows.rows for v in row):
        return ""
    if len(rows.columns) > 1:
        return "; ".join(f"{row[0]}: {', '.join(map(str, row[1:]))}" for row in rows.rows) + "."
    return listed([str(row[0]) for row in rows.rows]) + "."


def looked_up(rng: random.Random) -> Done:
    """A question to a database, the query, its rows, and the answer."""
    while True:
        world = World(rng)
        _, question, sql = ask(world, greet=False)
        sql = sql.rstrip(";")
        db = world.connect()
        with contextlib.closing(db):
            found = db.execute(sql)
            rows = Rows([head[0] for head in found.description], [list(row) for row in found.fetchall()])
        answer = told(rows)
        if answer and len(question) + len(sql) < 400:
            break
    # One order is what order_details is for: with SQL beside it, the model came to ask for each order in SQL, and wrongly.
    if world.kit and re.search(r"COUNT|SUM|AVG|MAX|MIN|GROUP BY|ORDER BY", sql) and rng.random() < 0.6:
        name, parameter, tools = "query_orders", "sql", [kit()["14"]["query_orders"]]
        tools += rng.sample([t for n, t in kit()["14"].items() if n != name], rng.randint(0, 2))
        result: Any = {"columns": rows.columns, "rows": rows.rows, "more": False}
        given = gave(1, result, indent=2)
    else:
        tables = "; ".join(" ".join(line.split()).rstrip(";") for line in plain_schema(world).splitlines())
        described = own()["query_database"]["function"]["description"].partition("Its tables: ")[0]
        name, parameter, tools = offered(rng, "query_database", f"{described}Its tables: {tables}")
        given = gave(1, str(rows))
    return [user(rng.choice(LOOK).format(question)), call(name, 1, **{parameter: sql}), given, say(answer)], tools


MIX = {calculation: 45, programmed: 30, looked_up: 25}


def items(rng: random.Random, n: int) -> list[Item]:
    """`n` conversations with one call each."""
    found: list[Item] = []
    while len(found) < n:
        messages, tools = rng.choices(list(MIX), list(MIX.values()))[0](rng)
        item: Item = {"skill": "workbench", "messages": messages, "tools": tools}
        if len(json.dumps(item)) <= LIMIT:
            found.append(item)
    return found


def check(made: list[Item]) -> None:
    """Each call names an offered tool; what a calculation or a program gives back is what the kit's own tool gives."""
    for item in made:
        function = item["messages"][1]["tool_calls"][0]["function"]
        [argument] = json.loads(function["arguments"]).values()
        result, answer = item["messages"][2]["content"], item["messages"][-1]["content"]
        assert function["name"] in {t["function"]["name"] for t in item["tools"]}
        if argument.startswith("SELECT"):
            continue
        if re.search(r"print\(", argument):
            assert result.startswith("error") or result == output_of(argument), argument
        else:
            assert result == json.dumps(calculate(argument)), argument
            assert result in answer, answer
