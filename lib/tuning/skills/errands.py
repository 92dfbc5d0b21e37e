"""Skill "errands": the kit's own tools, and tools like them, over invented shops: look up, look up and act, two in a row.

The tools are the real ones of the chapters and of the MCP servers, with their real schemas; results have the form in
which these tools give them. The values are invented: no row of the kit's shop stands here. Nearly half of the look-ups and
posts play in other places, with other tools.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable

from llmlab.measure import pieces

from .arithmetic import problem
from .kit_plans import acted, answered, planned, replanned
from .messages import Done, Item, call, gave, say, user
from .served import served
from .shop_world import (
    CHANNELS,
    FIELDS,
    GROUPS,
    NAMED,
    OTHERS,
    PLACES,
    PRODUCTS,
    RULES,
    SHOP,
    day,
    facts_of,
    kit,
    person,
    record,
    sentences,
    shopping,
    value_of,
    words,
)
from .sql import _names
from .tools import FACTS, HAND

# --- Look up and act ---------------------------------------------------------------------------------------------------

ERRANDS = [
    "Find out {x} and post {it} in the {c} {o}.",
    "Find out {x} and post {it} in the {c} {o}.",
    "Look up {x}, then post {it} in the {c} {o}.",
    "Look up {x} and send {it} to the {c} {o}.",
    "First find out {x}. Then write {it} to the {c} {o}.",
    "Please find out {x} and tell the {c} {o} {it}.",
    "The {c} {o} needs to know {x}. Look it up and post {it}.",
    "Get {x} and put {it} into the {c} {o}.",
]


def look_up(rng: random.Random) -> Done:
    """A question, a call, an answer; sometimes a second question that the same result answers."""
    place, tools = shopping(rng)
    number, found = record(rng, place)
    field = rng.choice(["status", "who", "who", "day", "total", "status"])
    asked, answers, _ = FIELDS[field]
    say_it = words(place, number, value_of(place, found, field))
    messages = [user(rng.choice(asked).format(**say_it)), call(place.get, 1, **{place.id: number})]
    if rng.random() < 0.1:
        messages += [
            gave(1, f"error: there is no {place.thing} {number}"),
            say(f"There is no {place.thing} {number}."),
        ]
        return messages, tools
    messages += [gave(1, found), say(rng.choice(answers).format(**say_it))]
    if rng.random() < 0.4:
        other = rng.choice([f for f in FIELDS if f != field])
        short = {
            "status": "And its status?",
            "who": f"And who {place.did} it?",
            "day": "And on which day?",
            "total": "And the total?",
        }
        value = value_of(place, found, other)
        answer = rng.choice(FIELDS[other][1]).format(**words(place, number, value))
        messages += [user(short[other]), say(answer)]
    return messages, tools


def person_up(rng: random.Random) -> Done:
    """A question about a person by name, perhaps behind something that is known already."""
    place, tools = shopping(rng)
    name, city, joined = person(rng), rng.choice(_names()["cities"]), day(rng)
    number = rng.randint(1001, 1999)
    wants_city = rng.random() < 0.75
    asked = (
        [
            "In which city does {n} live?",
            "In which city does our {p} {n} live?",
            "Where does {n} live?",
            "Look up in which city {n} lives.",
            "Find the city of {n}.",
        ]
        if wants_city
        else ["When did {n} join?", "Since when is {n} with us?", "On which day did the {p} {n} join?"]
    )
    text = rng.choice(asked).format(n=name, p=place.who)
    if rng.random() < 0.35:
        it = rng.choice(
            [f"In which city does this {place.who} live?", f"Look up in which city this {place.who} lives."]
        )
        known = rng.choice(["{n} {d} {t} {m}.", "The {p} of {t} {m} is {n}.", "{T} {m} is from {n}."])
        text = known.format(**(words(place, number) | {"m": number, "n": name}))
        text, wants_city = f"{text} {it}", True
    answer = rng.choice(["{n} lives in {c}.", "The city of {n} is {c}."]) if wants_city else "{n} joined on {j}."
    messages = [user(text), call(place.find, 1, name=name)]
    if rng.random() < 0.08:
        return [
            *messages,
            gave(1, f"error: there is no {place.who} {name}; give the full name"),
            say(f"There is no {place.who} {name}."),
        ], tools
    messages += [gave(1, {"city": city, "joined": joined}), say(answer.format(n=name, c=city, j=joined))]
    return messages, tools


def errand(rng: random.Random) -> Done:
    """Look something up and post it: the second call uses what the first one gave."""
    place, tools = shopping(rng)
    number, found = record(rng, place)
    field = rng.choice(["who", "who", "who", "status", "total", "day"])
    value = value_of(place, found, field)
    say_it = words(place, number, value)
    what = f"who {place.did} {place.thing} {number}" if field == "who" else FIELDS[field][2].format(**say_it)
    send, to, text = place.send.split()
    group = rng.choice(CHANNELS if place is SHOP else GROUPS)
    it = "it" if rng.random() < 0.2 else NAMED[field]
    asked = rng.choice(ERRANDS).format(x=what, it=it, c=group, o=place.of)
    if rng.random() < 0.15:
        asked = f"Post {NAMED[field]} of {place.thing} {number} in the {group} {place.of}."
        if field == "who":
            asked = f"Post the name of the {place.who} of {place.thing} {number} in the {group} {place.of}."
    written = str(say_it["v"]) if field == "who" else FIELDS[field][1][0].format(**say_it)
    done = rng.choice(["posted", "posted", "sent", '{"ok": true}', "done"]) if place is not SHOP else "posted"
    answer = rng.choice(
        ["I posted it in the {c} {o}: {w}", "I posted “{w}” in the {c} {o}.", "Done: {w} is in the {c} {o}."]
    )
    return [
        user(asked),
        call(place.get, 1, **{place.id: number}),
        gave(1, found),
        call(send, 2, **{to: group, text: written}),
        gave(2, done),
        say(answer.format(c=group, o=place.of, w=written)),
    ], tools


def person_behind(rng: random.Random) -> Done:
    """Where the person of a thing lives: two look-ups in a row."""
    place, tools = shopping(rng)
    number, found = record(rng, place)
    name, city = found[place.who], rng.choice(_names()["cities"])
    asked = rng.choice(
        [
            f"In which city does the {place.who} of {place.thing} {number} live?",
            f"Find out who {place.did} {place.thing} {number}, then look up in which city this {place.who} lives.",
            f"Where does the {place.who} live who {place.did} {place.thing} {number}?",
            f"Look up the city of whoever {place.did} {place.thing} {number}.",
            f"Who {place.did} {place.thing} {number}, and in which city does this {place.who} live?",
        ]
    )
    return [
        user(asked),
        call(place.get, 1, **{place.id: number}),
        gave(1, found),
        call(place.find, 2, name=name),
        gave(2, {"city": city, "joined": day(rng)}),
        say(rng.choice([f"{name} lives in {city}.", f"{name}, who {place.did} it, lives in {city}."])),
    ], tools


def post(rng: random.Random) -> Done:
    """A text that is to be posted as it is."""
    place, tools = shopping(rng)
    send, to, text = place.send.split()
    group = rng.choice(CHANNELS if place is SHOP else GROUPS)
    number = rng.randint(1001, 1999)
    reason = rng.choice(["late", "broken", "wrong item", "changed mind", "lost", "too small"])
    written = rng.choice(
        [
            f"{place.thing.capitalize()} {number} came back: {reason}.",
            f"{place.thing.capitalize()} {number} has arrived.",
            f"Please call {person(rng)} about {place.thing} {number}.",
            f"We close at {rng.randint(3, 8)} today.",
            f"{rng.choice(PRODUCTS).capitalize()} is running low.",
            f"{person(rng)}",
        ]
    )
    asked = rng.choice(
        [
            'Post "{w}" in the {c} {o}.',
            'Write "{w}" to the {c} {o}.',
            'Send this to the {c} {o}: "{w}"',
            "Tell the {c} {o}: {w}",
        ]
    ).format(w=written, c=group, o=place.of)
    return [
        user(asked),
        call(send, 1, **{to: group, text: written}),
        gave(1, "posted"),
        say(rng.choice([f"I posted it in the {group} {place.of}.", "Done.", f"Posted: {written}"])),
    ], tools


def in_words(rng: random.Random) -> Done:
    """A question for which these tools are of no use: something that people say, a plain fact, a word problem."""
    _, tools = shopping(rng)
    if rng.random() < 0.4:
        made = problem(rng, kit=True)
        return [user(made.text), say(made.worked())], tools
    if rng.random() < 0.5:
        pair = rng.choice([i for i in HAND if i.get("kind") == "chat"])
        return copy.deepcopy(list(pair["messages"])), tools
    table = rng.choice(FACTS)
    first, second = rng.choice(table["pairs"])
    question, answer = rng.choice(table["Q"]).format(a=first), rng.choice(table["A"]).format(a=first, b=second)
    return [user(question[0].upper() + question[1:]), say(answer[0].upper() + answer[1:])], tools


def clerk(rng: random.Random) -> Done:
    """A question that is passed on to another agent."""
    number, found = record(rng, SHOP)
    asked, answers, _ = FIELDS[field := rng.choice(list(FIELDS))]
    say_it = words(SHOP, number, value_of(SHOP, found, field))
    question, answer = rng.choice(asked).format(**say_it), rng.choice(answers).format(**say_it)
    wish = rng.choice(["Ask the clerk: {}", "{}", "Let the clerk find this out: {}", "Ask the clerk this: {}"])
    return [user(wish.format(question)), call("ask_clerk", 1, question=question), gave(1, answer), say(answer)], list(
        kit()["boss"].values()
    )


# --- Documents, and notes from facts ------------------------------------------------------------------------------------


def reads(rng: random.Random) -> Done:
    """A question that a document answers."""
    asked, query, passage, _, answer = (part.strip() for part in rng.choice(RULES.splitlines()).split("|"))
    n = rng.randint(3, 60)
    names = rng.sample(["rules", "shipping", "courses", "care", "opening", "repairs", "members"], 3)
    found = [{"document": names[0], "text": passage.format(n=n)}]
    found += [{"document": name, "text": rng.choice(OTHERS)} for name in names[1 : rng.choice([1, 2, 3])]]
    rng.shuffle(found)
    text = rng.choice(
        ["Search the documents: {}?", "Look into the documents: {}?", "{}?", "What do the documents say: {}?"]
    )
    text = text.format(asked)
    return [
        user(text[0].upper() + text[1:]),
        call("search_documents", 1, query=query),
        gave(1, found),
        say(answer.format(n=n)),
    ], list(kit()["reader"].values())


def note(rng: random.Random) -> Done:
    """A note about a product: one look-up, or both and the text."""
    product = rng.choice(PRODUCTS)
    goals = pieces("10").GOALS
    task = pieces("10").TASK.format(product)
    chapter = kit()["11" if rng.random() < 0.3 else "10"]
    documents, database = facts_of(rng, product)
    told = {
        "search_documents": f"{product}: {'; '.join(documents)}",
        "ask_database": f"{product}: {'; '.join(database)}",
    }
    chance = rng.random()
    if chance < 0.45:
        name = rng.choice(list(told))
        goal = goals["collector" if name == "search_documents" else "analyst"]
        other = {
            "search_documents": [
                f"Find facts about {product}.",
                f"Search the documents for {product}.",
                f"Find {product} in the documents.",
            ],
            "ask_database": [
                f"Find the price and the sales of {product}.",
                f"Ask the database about {product}.",
                f"What does {product} cost, and how much of it was sold?",
            ],
        }[name]
        text = f"{goal}\n{task}" if rng.random() < 0.6 else rng.choice(other)
        tools = [chapter[name]] if rng.random() < 0.6 else list(chapter.values())
        facts = documents if name == "search_documents" else database
        ended = [gave(1, told[name]), say(sentences(rng, product, facts))] if rng.random() < 0.4 else []
        return [user(text), call(name, 1, product=product), *ended], tools
    lead = f"{task} First call search_documents, then ask_database. {goals['writer'][:-1]}."
    if rng.random() < 0.3:
        lead = f"{task} {pieces('11').LOOK_UP}"
    return [
        user(lead),
        call("search_documents", 1, product=product),
        gave(1, told["search_documents"]),
        call("ask_database", 2, product=product),
        gave(2, told["ask_database"]),
        say(sentences(rng, product, documents + database)),
    ], list(chapter.values())


def written(rng: random.Random) -> Done:
    """A note from facts that are given, in the kit's words for a writer and for a section; no tools."""
    product = rng.choice(PRODUCTS)
    documents, database = facts_of(rng, product)
    facts = rng.choice([documents, database, documents + database])
    listed = "\n".join(f"- {fact}" for fact in facts)
    if rng.random() < 0.5:
        heading = rng.choice(
            [f"Where {product} comes from", f"About {product}", "What it costs", f"How to make {product}"]
        )
        ask = pieces("07").section_prompt(product, heading, facts)
    else:
        letters = f"collector: {product}: {'; '.join(documents)}\nanalyst: {product}: {'; '.join(database)}"
        facts = documents + database
        ask = (
            f"{pieces('10').GOALS['writer']}\n{letters}"
            if rng.random() < 0.7
            else f"{pieces('10').GOALS['writer']}\n{listed}"
        )
        if ask.endswith(listed):
            facts = [f for f in facts if f"- {f}" in listed]
    return [user(ask), say(sentences(rng, product, facts))], []


def step(rng: random.Random) -> Done:
    """A step of a plan for a blog post: one tool, perhaps without arguments, behind the results of earlier steps."""
    product = rng.choice(PRODUCTS)
    documents, database = facts_of(rng, product)
    desk = kit()["07"]
    known = rng.choice(["", "", "; ".join(documents) + "\n", "; ".join(database) + "\n"])
    name, text, arguments = rng.choice(
        [
            ("make_outline", rng.choice(["Make the outline.", "Make the outline from the facts.", "Write an outline of two sections."]), {}),
            ("make_outline", f"Make an outline for the post about {product}.", {}),
            ("write_section", "Write section {n}.", {"number": 0}),
            ("write_section", rng.choice(["Write the {o} section.", "Write section {n} of the post.", "Write section number {n}."]), {"number": 0}),
            ("check_post", rng.choice(["Check the post.", "Check that the post agrees with the facts.", "Check the whole post at the end."]), {}),
            ("search_documents", rng.choice([f"Find facts about {product}.", f"Find facts about {product} in the documents.", f"Search the documents for {product}."]), {"product": product}),
            ("ask_database", rng.choice([f"Find the price of {product}.", f"Find the price and the sales of {product}.", f"Ask the database about {product}."]), {"product": product}),
        ]
    )  # fmt: skip
    n = rng.choice([1, 2, 2, 3])
    text = text.format(n=n, o={1: "first", 2: "second", 3: "third"}[n])
    arguments = {"number": n} if "number" in arguments else arguments
    return [user(known + text), call(name, 1, **arguments)], [desk[name]]


# --- Small programs -----------------------------------------------------------------------------------------------------

PROGRAMS = """the sum of the numbers from {a} to {b} | print(sum(range({a}, {b} + 1)))
the numbers from {a} to {b} | print(*range({a}, {b} + 1))
the sum of {a}, {b} and {c} | print({a} + {b} + {c})
the product of {a} and {c} | print({a} * {c})
the difference of {b} and {a} | print({b} - {a})
the largest of {a}, {c} and {b} | print(max({a}, {c}, {b}))
the smallest of {c}, {a} and {b} | print(min({c}, {a}, {b}))
the squares of the numbers from {a} to {b} | print([n * n for n in range({a}, {b} + 1)])
the sum of the squares from {a} to {b} | print(sum(n * n for n in range({a}, {b} + 1)))
the even numbers from {a} to {b} | print([n for n in range({a}, {b} + 1) if n % 2 == 0])
how many numbers from {a} to {b} can be divided by {c} | print(sum(n % {c} == 0 for n in range({a}, {b} + 1)))
the average of {a}, {b} and {c} | print(({a} + {b} + {c}) / 3)
{b} to the power of {c} | print({b} ** {c})
the word {w} {c} times | print("{w} " * {c})
the letters of {w} in reverse | print("{w}"[::-1])
the length of the word {w} | print(len("{w}"))
the word {w} in capital letters | print("{w}".upper())
the numbers {b}, {a} and {c} in order | print(sorted([{b}, {a}, {c}]))
the product of the numbers from 1 to {c} | import math; print(math.factorial({c}))
{c} percent of {b} | print({b} * {c} / 100)
what is left when {b} is divided by {c} | print({b} % {c})
how many hours {b} minutes are | print({b} / 60)""".splitlines()


def program(rng: random.Random) -> Done:
    """A program of a line or two, as code only."""
    what, code = (part.strip() for part in rng.choice(PROGRAMS).split("|"))
    start = rng.choice([1, 1, 1, rng.randint(2, 12)])
    values = {
        "a": start,
        "b": start + rng.randint(3, 120),
        "c": rng.randint(2, 9),
        "w": rng.choice(PRODUCTS).split()[0],
    }
    asked = rng.choice(
        [
            "Write a Python program that prints {x}. Code only.",
            "Write a Python program that prints {x}. Code only.",
            "Write Python code that prints {x}. Answer with the code only.",
            "A Python program that prints {x}, please. Only the code.",
            "Print {x} in Python. Code only.",
        ]
    )
    return [user(asked.format(x=what.format(**values))), say(code.format(**values))], []


def adding(rng: random.Random) -> Done:
    """A sum as JSON, as chapter 00 asks for it."""
    most = rng.choice([9, 9, 20, 20, 60, 99])
    first, second = rng.randint(1, most), rng.randint(1, most)
    return [user(f"What is {first} + {second}?"), say(json.dumps({"sum": first + second}))], []


# --- The mix -----------------------------------------------------------------------------------------------------------

TEXTS = {place.send.split()[2] for place in [SHOP, *PLACES]}  # what is posted may be worded freely
MIX: dict[Callable[[random.Random], Done], int] = {
    look_up: 16,
    person_up: 8,
    errand: 18,
    person_behind: 8,
    post: 7,
    in_words: 12,
    clerk: 2,
    reads: 4,
    note: 9,
    written: 9,
    step: 6,
    served: 30,
    planned: 10,
    replanned: 5,
    acted: 8,
    program: 5,
    adding: 3,
    answered: 6,
}
LIMIT = 3200  # characters


def one(rng: random.Random) -> Item:
    """An errand; sometimes two, one behind the other, with the same tools."""
    messages, tools = rng.choices(list(MIX), list(MIX.values()))[0](rng)
    made: Item = {"skill": "errands", "messages": messages}
    if tools:
        made["tools"] = rng.sample(tools, len(tools)) if rng.random() < 0.3 else tools
    return made


def items(rng: random.Random, n: int) -> list[Item]:
    """`n` errands."""
    found: list[Item] = []
    while len(found) < n:
        made = one(rng)
        if len(json.dumps(made["messages"])) <= LIMIT:
            found.append(made)
    return found


def check(made: list[Item]) -> None:
    """Every call names an offered tool, its values stand in what was said before, and every errand ends in the assistant's turn."""
    for item in made:
        offered = {t["function"]["name"]: t["function"]["parameters"] for t in item.get("tools", [])}
        said = ""
        assert item["messages"][-1]["role"] == "assistant"
        for message in item["messages"]:
            for called in message.get("tool_calls", []):
                function = called["function"]
                properties = offered[function["name"]].get("properties", {})
                given = json.loads(function["arguments"])
                assert set(given) <= set(properties), (function, properties)
                assert set(offered[function["name"]].get("required", [])) <= set(given), function
                for name, value in given.items():
                    known = {"query", *TEXTS} | ({"number"} if function["name"] == "write_section" else set())
                    assert name in known or all(w.lower() in said.lower() for w in str(value).strip(".").split()), (
                        value,
                        said,
                    )
            said += f"\n{message['content']}"
