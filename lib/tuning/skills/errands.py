"""Skill "errands": the kit's own tools, and tools like them, over invented shops: look up, look up and act, two in a row.

The tools are the real ones of the chapters and of the MCP servers, with their real schemas; results have the form in
which these tools give them. The values are invented: no row of the kit's shop stands here. Nearly half of the look-ups and
posts play in other places, with other tools.
"""

from __future__ import annotations

import asyncio
import copy
import json
import random
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from llmlab.mcp_host import Host
from llmlab.measure import pieces
from llmlab.shop import lay_out
from llmlab.toolbox import search_documents
from llmlab.tools import tool

from . import kit_words
from .sql import _names
from .tools import FACTS, HAND

Item = dict[str, Any]
Message = dict[str, Any]
Done = tuple[list[Message], list[str]]  # the messages, and the tools that they use

PRODUCTS = """mint tea; dark roast; espresso cup; blue cup; filter coffee; paper filters; teapot; green tea; milk jug;
white cup; chai; hand grinder; rooibos; travel mug; tea strainer; kettle; tea bowl; black tea; decaf beans; house blend;
oolong; gift box; glass cup; espresso beans; lemon tea; honey jar; sugar bowl; cocoa; tea towel; cake stand; saucer;
cold brew bottle; coffee scoop; tea caddy; white tea; hazelnut syrup""".replace("\n", " ").split("; ")
CHANNELS = ["orders", "orders", "orders", "stock", "general", "website", "packing", "returns"]
STATES = ["open", "shipped", "delivered", "cancelled", "returned"]


# --- The kit's tools ---------------------------------------------------------------------------------------------------


@cache
def kit() -> dict[str, dict[str, dict[str, Any]]]:
    """The schemas of the kit's tools, by chapter and name."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        world = lay_out(Path(folder) / "shop")
        four, ten = pieces("04").tools(world), pieces("10").tools(world)
        desk = pieces("07").Desk(None, world).tools

        @tool
        async def ask_clerk(question: str) -> str:
            """Ask the clerk a question about an order or a customer."""
            return question

        async def of_servers() -> list[Any]:
            async with await Host.open(pieces("14").servers(world)) as host:
                return list(host.tools())

        found = {
            "04": four,
            "10": ten,
            "11": [four[0], *ten],
            "07": desk,
            "reader": [tool(search_documents(world.documents))],
            "boss": [ask_clerk],
            "14": asyncio.run(of_servers()),
        }
    return {chapter: {t.name: t.openai() for t in tools} for chapter, tools in found.items()}


def call(name: str, number: int, /, **arguments: Any) -> Message:
    """The assistant's call of a tool."""
    function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
    made = {"id": f"call_{number}", "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [made]}


def gave(number: int, value: Any, indent: int | None = None) -> Message:
    """What the tool gave back."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=indent)
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": text}


def user(text: str) -> Message:
    """The user's words."""
    return {"role": "user", "content": text}


def say(text: str) -> Message:
    """The assistant's words."""
    return {"role": "assistant", "content": text}


def person(rng: random.Random) -> str:
    """A full name."""
    return f"{rng.choice(_names()[rng.choice(['she', 'he'])])} {rng.choice(_names()['family'])}"


def day(rng: random.Random) -> str:
    """A day of the year."""
    return f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"


# --- Look up and act: the shop of the kit, and other places -------------------------------------------------------------


class Place:
    """A place with things that have a number and a person: how its tools are called, and how people speak of them."""

    def __init__(self, text: str):
        self.thing, self.get, self.id, self.who, self.did, self.find, self.states, self.send, self.of = (
            part.strip() for part in text.split("|")
        )

    def schemas(self) -> list[dict[str, Any]]:
        """The three tools, as a request offers them."""

        def one(called: str, description: str, **kinds: str) -> dict[str, Any]:
            properties = {n: {"type": kind} for n, kind in kinds.items()}
            parameters = {"type": "object", "properties": properties, "required": list(kinds)}
            return {
                "type": "function",
                "function": {"name": called, "description": description, "parameters": parameters},
            }

        name, to, text = self.send.split()
        return [
            one(self.get, f"Look up {a(self.thing)}: its {self.who}, day, total and status.", **{self.id: "integer"}),
            one(self.find, f"Look up {a(self.who)} by name: the city, and the day of joining.", name="string"),
            one(name, f"Send a text to {a(to)} of the staff.", **{to: "string", text: "string"}),
        ]


def a(word: str) -> str:
    """With its article."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


# thing | tool that gets it | its parameter | person | what the person did | tool for the person | states | tool that writes
# | of the staff
PLACES = [
    Place(line)
    for line in """booking | get_booking | booking_id | guest | made | get_guest | confirmed, paid, waiting | send_note team text | team
ticket | fetch_ticket | number | reporter | opened | find_reporter | new, solved, waiting | write_message room message | room
repair | repair_details | repair_no | owner | brought in | owner_info | begun, ready, collected | post_text board text | board
loan | show_loan | loan_id | reader | took out | get_reader | active, late, closed | add_message list body | list
parcel | track_parcel | parcel | sender | sent | sender_details | packed, lost, delivered | notify group text | group
invoice | get_invoice | invoice_number | client | received | lookup_client | paid, overdue, open | send_message desk text | desk
lesson | lesson_info | lesson_id | pupil | booked | pupil_info | planned, given, missed | post_note channel note | channel
claim | open_claim | claim_id | driver | filed | driver_record | accepted, refused, pending | tell_team team message | team
reservation | reservation | number | visitor | asked for | get_visitor | kept, dropped, moved | put_note wall text | wall""".splitlines()
]
GROUPS = [
    "kitchen",
    "front desk",
    "workshop",
    "night shift",
    "garage",
    "office",
    "library",
    "reception",
    "drivers",
    "warehouse",
    "billing",
]
SHOP = Place(
    "order | get_order | order_id | customer | placed | get_customer | "
    + ", ".join(STATES)
    + " | post_message channel text | channel"
)
FIELDS = {
    "status": (
        [
            "What is the status of {t} {n}?",
            "Which status does {t} {n} have?",
            "Tell me the status of {t} {n}.",
            "{t} {n}: what is its status?",
            "How is {t} {n} doing?",
            "Look up the status of {t} {n}.",
        ],
        ["{T} {n} is {v}.", "The status of {t} {n} is {v}."],
        "the status of {t} {n}",
    ),
    "who": (
        [
            "Who {d} {t} {n}?",
            "Which {p} {d} {t} {n}?",
            "Tell me who {d} {t} {n}.",
            "Look up who {d} {t} {n}.",
            "Find out who {d} {t} {n}.",
            "Who is the {p} of {t} {n}?",
        ],
        ["{v} {d} {t} {n}.", "{T} {n} is from {v}."],
        "the {p} of {t} {n}",
    ),
    "day": (
        [
            "On which day is {t} {n}?",
            "What is the day of {t} {n}?",
            "Which day does {t} {n} have?",
            "When was {t} {n}?",
        ],
        ["The day of {t} {n} is {v}.", "{T} {n} is of {v}."],
        "the day of {t} {n}",
    ),
    "total": (
        ["What is the total of {t} {n}?", "How much is {t} {n}?", "Tell me the total of {t} {n}."],
        ["The total of {t} {n} is {v} euros.", "{T} {n} comes to {v} euros."],
        "the total of {t} {n}",
    ),
}
NAMED = {"status": "the status", "who": "the name", "day": "the day", "total": "the total"}
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


def shopping(rng: random.Random) -> tuple[Place, list[dict[str, Any]]]:
    """The kit's shop or another place, with its tools."""
    if rng.random() < 0.55:
        return SHOP, list(kit()["04"].values())
    place = rng.choice(PLACES)
    return place, place.schemas()


def record(rng: random.Random, place: Place) -> tuple[int, dict[str, Any]]:
    """A number and what is found under it."""
    number = rng.randint(1001, 1999) if place is SHOP else rng.randint(2, 9999)
    total = rng.choice([rng.randint(3, 170) + 0.5, float(rng.randint(4, 170))])
    return number, {
        place.who: person(rng),
        "day": day(rng),
        "total": total,
        "status": rng.choice(place.states.split(", ")),
    }


def words(place: Place, number: int, value: Any = "") -> dict[str, Any]:
    """What fills the frames."""
    return {
        "t": place.thing,
        "T": place.thing.capitalize(),
        "n": number,
        "d": place.did,
        "p": place.who,
        "v": f"{value:g}" if isinstance(value, float) else value,
    }


def value_of(place: Place, found: dict[str, Any], field: str) -> Any:
    """The field of a record."""
    return found[place.who if field == "who" else field]


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
    """A question for which these tools are of no use."""
    _, tools = shopping(rng)
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

RULES = """how many days does a member have to bring a book back | days to bring a book back | Books can be kept for {n} days. | {n} days. | A member has {n} days to bring a book back.
how long is the warranty on a grinder | warranty grinder | A grinder has a warranty of {n} months. | {n} months. | The warranty on a grinder is {n} months.
from what amount on is delivery free | free delivery amount | Delivery is free from {n} euros on. Below that it costs 4.50 euros. | From {n} euros on. | Delivery is free from {n} euros on.
how many days before must a room be cancelled | cancel a room days before | A room can be cancelled up to {n} days before. | {n} days. | A room must be cancelled {n} days before.
at what hour does the shop open on Saturdays | opening hours Saturday | On Saturdays we open at {n}. On Sundays we are closed. | At {n}. | On Saturdays the shop opens at {n}.
how many people can take part in a course | course people | At most {n} people can take part in a course. | {n} people. | At most {n} people can take part.
within how many days is a complaint answered | complaint answer days | Each complaint is answered within {n} days, by e-mail. | Within {n} days. | A complaint is answered within {n} days.
how many grams go into a box | grams box | A box holds {n} grams of loose leaves. | {n} grams. | A box holds {n} grams.
how old do gift cards become | gift cards valid | A gift card is valid for {n} months from the day it was bought. | {n} months. | A gift card is valid for {n} months.
how many working days does a repair take | repair working days | A repair takes {n} working days, and one more for each part. | {n} working days. | A repair takes {n} working days."""
OTHERS = [
    "Letters are answered by the office.",
    "The key hangs behind the door.",
    "Boxes are stacked by size, the small ones on top.",
    "Whoever leaves last puts out the light.",
    "Prices are changed on the first day of a month.",
]


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


def facts_of(rng: random.Random, product: str) -> tuple[list[str], list[str]]:
    """Facts of the documents and of the database, in the kit's form."""
    place, firm = (
        rng.choice(_names()["cities"]),
        f"{rng.choice(_names()['family'])} {rng.choice(['& Sons', 'Imports', 'Farm'])}",
    )
    tea = [
        f"{rng.randint(5, 20)} grams for a litre",
        f"water at {rng.randint(70, 100)} degrees",
        f"ready after {rng.randint(2, 9)} minutes",
    ]
    coffee = [f"roasted for {rng.randint(9, 15)} minutes", f"roasted at {rng.randint(200, 230)} degrees"]
    documents = [*(tea if rng.random() < 0.5 else coffee), f"from {firm} in {place}"]
    price = rng.choice([rng.randint(4, 29) + 0.5, float(rng.randint(4, 29))])
    sold = rng.randint(12, 90)
    return documents, [f"price: {price:.2f} euros", f"sold this year: {sold} bags, in {rng.randint(5, sold)} orders"]


def sentences(rng: random.Random, product: str, facts: list[str]) -> str:
    """The facts in two to four sentences, all and no others."""
    lines, name = [], product.capitalize()
    recipe = [f for f in facts if f.startswith("water") or "litre" in f or f.startswith("ready")]
    roast = [f for f in facts if f.startswith("roasted")]
    if recipe:
        lines.append(f"For {product} take {', '.join(recipe[:-1])}; it is {recipe[-1]}.")
    if roast:
        lines.append(
            f"{name} is {' and '.join(r if i == 0 else r.removeprefix('roasted ') for i, r in enumerate(roast))}."
        )
    rest = {f.partition(":")[0].split()[0]: f for f in facts if f not in recipe + roast}
    if "from" in rest:
        lines.append(rng.choice(["It comes {}.", "We get it {}."]).format(rest["from"]))
    if "price" in rest:
        lines.append(rng.choice(["The price is {}.", "It costs {}."]).format(rest["price"].removeprefix("price: ")))
    if "sold" in rest:
        bags = rest["sold"].removeprefix("sold this year: ")
        lines.append(
            rng.choice(["This year {}.", "So far this year {}."]).format(bags.replace(", in", " were sold, in"))
        )
    return " ".join(lines)


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


# --- Plans over the kit's tools, and what comes after them -------------------------------------------------------------


def _plan(*steps: tuple[str, str, list[int]]) -> str:
    return json.dumps({"steps": [{"tool": t, "task": x, "needs": n} for t, x, n in steps]}, ensure_ascii=False)


def _tools(names: dict[str, dict[str, Any]]) -> str:
    return "\n".join(f"- {name}: {schema['function']['description']}" for name, schema in names.items())


def _writing(sections: int, first: int, product: str, rng: random.Random) -> list[tuple[str, str, list[int]]]:
    """Outline, sections and check, numbered from `first`."""
    of = rng.choice([" of the post", "", f" about {product}"])
    outline = ("make_outline", "Make the outline.", list(range(1, first)))
    written = [("write_section", f"Write section {n}{of}.", [first]) for n in range(1, sections + 1)]
    return [outline, *written, ("check_post", "Check the post.", list(range(first + 1, first + 1 + sections)))]


def planned(rng: random.Random) -> Done:
    """A plan for a blog post, or for an errand."""
    if rng.random() < 0.5:
        product = rng.choice(PRODUCTS)
        task = pieces("07").GOAL.format(product)
        if rng.random() < 0.4:
            task = rng.choice(
                [
                    f"Write a post about {product} in two sections, with facts from documents and database, and check it.",
                    f"We need a blog post about {product}: two sections, facts from the documents and the database. Check it.",
                    f"A blog post about {product} with facts, in two sections; check it at the end.",
                ]
            )
        tools = kit()["07"]
        looked = [
            ("search_documents", f"Find facts about {product} in the documents.", []),
            ("ask_database", f"Find the price and the sales of {product}.", []),
        ]
        plan = _plan(*looked, *_writing(2, 3, product, rng))
    else:
        place, schemas = shopping(rng)
        tools = {schema["function"]["name"]: schema for schema in schemas}
        number, group = rng.randint(1001, 1999), rng.choice(CHANNELS if place is SHOP else GROUPS)
        thing, who, send = f"{place.thing} {number}", place.who, place.send.split()[0]
        find_out = (place.get, f"Find out who {place.did} {thing}.", [])
        task, plan = rng.choice(
            [
                (
                    f"Find out who {place.did} {thing}, then look up in which city this {who} lives.",
                    _plan(find_out, (place.find, f"Look up in which city this {who} lives.", [1])),
                ),
                (
                    f"Find out who {place.did} {thing} and post the name in the {group} {place.of}.",
                    _plan(find_out, (send, f"Post the name in the {group} {place.of}.", [1])),
                ),
                (
                    f"Look up the status of {thing} and post it in the {group} {place.of}.",
                    _plan(
                        (place.get, f"Look up the status of {thing}.", []),
                        (send, f"Post the status in the {group} {place.of}.", [1]),
                    ),
                ),
                (
                    f"Post in the {group} {place.of} in which city the {who} of {thing} lives.",
                    _plan(
                        find_out,
                        (place.find, f"Look up in which city this {who} lives.", [1]),
                        (send, f"Post the city in the {group} {place.of}.", [2]),
                    ),
                ),
                (f"What is the status of {thing}?", _plan((place.get, f"Look up the status of {thing}.", []))),
                (f"Who {place.did} {thing}?", _plan(find_out)),
            ]
        )
    ask = kit_words.fill(kit_words.PLAN, task=task, tools=_tools(tools))
    if rng.random() < 0.25:
        ask = ask.partition(", where needs")[0] + "."
    return [user(ask), say(plan)], []


def replanned(rng: random.Random) -> Done:
    """A new plan for the rest of a blog post when a source does not answer."""
    product = rng.choice(PRODUCTS)
    documents, _ = facts_of(rng, product)
    down = rng.choice(["ask_database", "ask_database", "search_documents"])
    error = rng.choice([f"{down} does not answer", f"{down} has 30 seconds, but took longer", "the disk is full"])
    done, number = "nothing", 1
    if down == "ask_database":
        done, number = f"Find facts about {product} in the documents.: {'; '.join(documents)}", 2
    rest = [] if number == 2 else [("ask_database", f"Find the price and the sales of {product}.", [])]
    plan = _plan(*rest, *_writing(1, len(rest) + 1, product, rng))
    if rng.random() < 0.4:
        section, down, number = rng.choice([1, 2]), "check_post", 6
        wrong = rng.choice([f"Add this fact: {rng.choice(documents)}.", f"Take out the number {rng.randint(2, 99)}."])
        error = f"section {section} has to be written again: {wrong}"
        done = f'Find facts about {product} in the documents.: {"; ".join(documents)}; Make the outline.: ["About it"]'
        plan = _plan(("write_section", f"Write section {section}.", []), ("check_post", "Check the post.", [1]))
    ask = kit_words.fill(
        kit_words.REPLAN,
        task=pieces("07").GOAL.format(product),
        tools=_tools(kit()["07"]),
        done=done,
        number=number,
        tool=down,
        error=f"error: {error}",
    )
    return [user(ask), say(plan)], []


def acted(rng: random.Random) -> Done:
    """A step of a plan for an errand: its one tool, behind the result of the step before."""
    place, schemas = shopping(rng)
    tools = {schema["function"]["name"]: schema for schema in schemas}
    number, found = record(rng, place)
    result, who = json.dumps(found, ensure_ascii=False), place.who
    send, to, text = place.send.split()
    group, city = rng.choice(CHANNELS if place is SHOP else GROUPS), rng.choice(_names()["cities"])
    lives = json.dumps({"city": city, "joined": day(rng)}, ensure_ascii=False)
    lines, task, name, arguments = rng.choice(
        [
            (result, f"Look up in which city this {who} lives.", place.find, {"name": found[who]}),
            (result, f"Find the city of this {who}.", place.find, {"name": found[who]}),
            (result, f"Post the name in the {group} {place.of}.", send, {to: group, text: found[who]}),
            (result, f"Post the status in the {group} {place.of}.", send, {to: group, text: found["status"]}),
            (lives, f"Post the city in the {group} {place.of}.", send, {to: group, text: city}),
            ("", f"Find out who {place.did} {place.thing} {number}.", place.get, {place.id: number}),
            ("", f"Look up {place.thing} {number}.", place.get, {place.id: number}),
        ]
    )
    return [user(f"{lines}\n{task}".strip()), call(name, 1, **arguments)], [tools[name]]


def answered(rng: random.Random) -> Done:
    """The answer to a task from what steps or colleagues found."""
    number, found = record(rng, SHOP)
    field = rng.choice(list(FIELDS))
    asked, answers, _ = FIELDS[field]
    say_it = words(SHOP, number, value_of(SHOP, found, field))
    task, answer = rng.choice(asked).format(**say_it), rng.choice(answers).format(**say_it)
    result = json.dumps(found, ensure_ascii=False)
    if rng.random() < 0.6:
        step = rng.choice([f"Look up order {number}.", task, f"Find order {number}."])
        return [user(f"{step}: {result}\n{task}"), say(answer)], []
    thinker = rng.choice(
        ["I do not know.", "I cannot know this.", "That has to be looked up.", "It is not known to me."]
    )
    letters = f"{task}\nYour colleagues say:\ncollector: {result}\nthinker: {thinker}"
    return [user(letters), say(answer)], []


# --- The servers of chapter 14 ------------------------------------------------------------------------------------------


def _order(rng: random.Random) -> tuple[int, dict[str, Any]]:
    number, total = rng.randint(1001, 1999), 0.0
    items = []
    for product in rng.sample(PRODUCTS, rng.choice([1, 1, 2])):
        quantity, price = rng.randint(1, 3), rng.randint(3, 40) + rng.choice([0.0, 0.5])
        items.append({"product": product, "quantity": quantity, "price": price})
        total += quantity * price
    return number, {
        "id": number,
        "customer": person(rng),
        "city": rng.choice(_names()["cities"]),
        "ordered_on": day(rng),
        "total": total,
        "status": rng.choice(STATES),
        "items": items,
    }


ORDER = {
    "status": (["What is the status of order {n}?", "Is order {n} delivered? What is its status?"], "Order {n} is {v}."),
    "customer": (["Who placed order {n}?", "Which customer placed order {n}?"], "{v} placed order {n}."),
    "city": (["In which city does the customer of order {n} live?", "From which city is order {n}?"], "The customer of order {n} lives in {v}."),
    "total": (["What is the total of order {n}?", "How much is order {n}?"], "The total of order {n} is {v} euros."),
    "ordered_on": (["On which day was order {n} placed?", "When was order {n} placed?"], "Order {n} was placed on {v}."),
    "product": (["Which product is in order {n}?", "What is in order {n}?"], "In order {n} is {v}."),
}  # fmt: skip
EVENTS = [
    "Tea workshop", "Team lunch", "Window cleaning", "Delivery from Osei Imports", "Staff meeting", "Photo day", "Roaster service",
    "Inventory", "Market stall", "First aid course", "Delivery from Halden Farm", "Cup painting", "Training for new staff", "Latte course",
]  # fmt: skip
ROOMS = ["Shop", "Office", "Roasting room", "Yard", "Store room", "Town hall", "Kitchen"]


def _event(rng: random.Random, on: str = "") -> dict[str, Any]:
    on, hour = on or day(rng), rng.randint(8, 19)
    return {
        "title": rng.choice(EVENTS),
        "start": f"{on}T{hour:02d}:00:00+01:00",
        "end": f"{on}T{hour + 1:02d}:30:00+01:00",
        "place": rng.choice(ROOMS),
        "notes": "",
    }


def _row(rng: random.Random) -> tuple[str, str, dict[str, Any]]:
    if rng.random() < 0.6:
        row = {
            "product": rng.choice(PRODUCTS),
            "category": rng.choice(["cup", "tea", "coffee", "tool"]),
            "price": rng.randint(3, 60),
            "in_stock": rng.randint(0, 80),
            "reorder_at": rng.randint(5, 20),
            "supplier": f"{rng.choice(_names()['family'])} {rng.choice(['Imports', 'Pottery', 'Gardens', 'Wares'])}",
        }
        return "stock", "product", row
    row = {
        "supplier": f"{rng.choice(_names()['family'])} {rng.choice(['Imports', 'Pottery', 'Gardens', 'Wares'])}",
        "place": rng.choice(_names()["cities"]),
        "contact": "sales@example.com",
        "days": rng.randint(2, 30),
        "minimum": rng.choice([0, 50, 100, 200]),
    }
    return "suppliers", "supplier", row


CELLS = {
    "in_stock": ("how many are in stock?", "{v} are in stock."),
    "supplier": ("who is the supplier?", "The supplier is {v}."),
    "price": ("what is the price?", "The price is {v}."),
    "reorder_at": ("at how many is it ordered again?", "It is ordered again at {v}."),
    "days": ("how many days does a delivery take?", "A delivery takes {v} days."),
    "place": ("at which place is it?", "It is in {v}."),
    "minimum": ("what is the smallest order?", "The smallest order is {v}."),
}


def order_asked(rng: random.Random) -> Done:
    """order_details."""
    number, found = _order(rng)
    field = rng.choice(list(ORDER))
    asked, answer = ORDER[field]
    value = " and ".join(i["product"] for i in found["items"]) if field == "product" else found[field]
    value = f"{value:g}" if isinstance(value, float) else value
    return [
        user(rng.choice(asked).format(n=number)),
        call("order_details", 1, order_id=number),
        gave(1, found, 2),
        say(answer.format(n=number, v=value)),
    ], ["order_details"]


def event_asked(rng: random.Random) -> Done:
    """next_event and events_between."""
    event = _event(rng)
    on = event["start"][:10]
    if rng.random() < 0.3:
        asked = rng.choice(
            ["Which event is in the calendar on {d}?", "What is in the calendar on {d}?", "What is on {d}?"]
        )
        found = {"next_offset": None, "events": [event]}
        return [
            user(asked.format(d=on)),
            call("events_between", 1, first=on, last=on),
            gave(1, found, 2),
            say(f"On {on}: {event['title']}."),
        ], ["events_between"]
    month, date = int(on[5:7]), int(on[8:])
    after = f"2026-{max(1, month - rng.randint(0, 2)):02d}-{rng.randint(1, date):02d}"
    title = event["title"].lower() if "from" not in event["title"] else event["title"]
    title = rng.choice([title, title.split()[0]]) if "from" not in title else title
    if rng.random() < 0.6:
        asked = rng.choice(
            [
                "On which day is the next {t} from {a} on?",
                "When is the next {t} from {a} on?",
                "From {a} on, when is the next {t}?",
            ]
        )
        answer = rng.choice(["The next {t} is on {d}.", "It is on {d}."])
    else:
        asked = "At which place is the next event with {t} in its title, from {a} on?"
        answer = "It is at this place: {p}."
    return [
        user(asked.format(t=title, a=after)),
        call("next_event", 1, title=title, after=after),
        gave(1, event, 2),
        say(answer.format(t=title, d=on, p=event["place"])),
    ], ["next_event"]


def row_asked(rng: random.Random) -> Done:
    """find_rows."""
    sheet, column, row = _row(rng)
    field = rng.choice([c for c in row if c in CELLS and c != column])
    asked, answer = CELLS[field]
    frame = rng.choice(
        ["In the sheet {s}, find {v} in the column {c}: {q}", "Find {v} in the column {c} of the sheet {s}: {q}"]
    )
    return [
        user(frame.format(s=sheet, v=row[column], c=column, q=asked)),
        call("find_rows", 1, sheet=sheet, column=column, value=row[column]),
        gave(1, {"next_offset": None, "rows": [row]}, 2),
        say(answer.format(v=row[field])),
    ], ["find_rows"]


def post_asked(rng: random.Random) -> Done:
    """search_posts, read_posts, list_channels."""
    author, channel = rng.choice(_names()["she"] + _names()["he"]), rng.choice(CHANNELS)
    number, word = (
        rng.randint(1001, 1999),
        rng.choice(["ladder", "invoice", "glue", "ribbon", "plumber", "sugar", "label", "printer"]),
    )
    text = rng.choice(
        [f"The {word} is gone.", f"Order {number} needs a {word}.", f"Who has the {word}?", f"New {word} on Monday."]
    )
    one = {
        "id": rng.randint(30, 60),
        "channel": channel,
        "author": author,
        "posted_at": f"{day(rng)} 10:{rng.randint(10, 59)}",
        "text": text,
    }
    others = [
        {
            "id": int(str(one["id"])) - 1 - i,
            "channel": rng.choice(CHANNELS),
            "author": rng.choice(_names()["she"]),
            "posted_at": f"{day(rng)} 09:{rng.randint(10, 59)}",
            "text": rng.choice(OTHERS),
        }
        for i in range(rng.choice([0, 0, 1, 2]))
    ]
    found = {"next_offset": None, "posts": [one, *others]}
    chance = rng.random()
    if chance < 0.6:
        wants = rng.random() < 0.6
        asked = (
            f"Who wrote the post with the word {word}?"
            if wants
            else f"In which channel is the post with the word {word}?"
        )
        answer = f"{author} wrote it." if wants else f"It is in the channel {channel}."
        return [user(asked), call("search_posts", 1, text=word), gave(1, found, 2), say(answer)], ["search_posts"]
    if chance < 0.85:
        asked = f"Who wrote the newest post in the channel {channel}?"
        found = {"next_offset": None, "posts": [{**post, "channel": channel} for post in [one, *others]]}
        messages = [user(asked), call("read_posts", 1, channel=channel), gave(1, found, 2), say(f"{author} wrote it.")]
        return messages, ["read_posts"]
    counts = [{"name": c, "topic": "", "posts": rng.randint(2, 30)} for c in sorted(set(CHANNELS[2:6]))]
    one = rng.choice(counts)
    return [
        user(f"How many posts does the channel {one['name']} have?"),
        call("list_channels", 1),
        gave(1, {"channels": counts}, 2),
        say(f"The channel {one['name']} has {one['posts']} posts."),
    ], ["list_channels"]


def file_asked(rng: random.Random) -> Done:
    """commit_log and read_source."""
    path = rng.choice(
        ["prices.csv", "notes/opening.md", "labels.py", "notes/cups.md", "stock.csv", "notes/tasting.md", "README.md"]
    )
    if rng.random() < 0.5:
        author, on = person(rng), day(rng)
        commit = {"hash": f"{rng.getrandbits(28):07x}", "author": author, "date": on, "message": f"Change {path}"}
        wants = rng.random() < 0.5
        asked = f"Who changed the file {path} last?" if wants else f"On which day was the file {path} changed last?"
        answer = f"{author} changed it last." if wants else f"It was changed last on {on}."
        older = [
            {"hash": f"{rng.getrandbits(28):07x}", "author": person(rng), "date": day(rng), "message": f"Add {path}"}
            for _ in range(rng.choice([0, 1, 2]))
        ]
        found = {"next_offset": None, "commits": [commit, *older]}
        return [user(asked), call("commit_log", 1, path=path), gave(1, found, 2), say(answer)], ["commit_log"]
    asked, _, passage, _, answer = (part.strip() for part in rng.choice(RULES.splitlines()).split("|"))
    n = rng.randint(3, 60)
    found = {"next_offset": None, "text": f"# Notes\n\n- {rng.choice(OTHERS)}\n- {passage.format(n=n)}\n"}
    return [
        user(f"Read the file {path}: {asked}?"),
        call("read_source", 1, path=path),
        gave(1, found, 2),
        say(answer.format(n=n)),
    ], ["read_source"]


def returned(rng: random.Random) -> Done:
    """record_return: done, refused by the server, or declined by a person."""
    number, found = _order(rng)
    on, reason = day(rng), rng.choice(["broken", "wrong item", "changed mind", "late"])
    asked = rng.choice(
        [
            f"Record that order {number} came back on {on}, reason: {reason}.",
            f"Order {number} came back on {on}. The reason is {reason}. Record it.",
            f"Please record the return of order {number}: {on}, {reason}.",
        ]
    )
    name = "record_return"
    chance = rng.random()
    if chance < 0.6:
        result, answer = (
            gave(1, found | {"status": "returned"}, 2),
            f"I recorded that order {number} came back on {on}.",
        )
    elif chance < 0.8:
        why = "the person declined this call of orders.record_return; do not try it again, and tell what was not done"
        result, answer = gave(1, f"error: {why}"), f"The return of order {number} was not recorded: it was declined."
    else:
        why = f"Only a delivered order can come back, but {number} is open; nothing was recorded"
        result, answer = gave(1, f"error: {why}"), "Nothing was recorded: only a delivered order can come back."
    return [
        user(asked),
        call(name, 1, order_id=number, reason=reason, returned_on=on),
        result,
        say(answer),
    ], [name]


def changed_then(rng: random.Random) -> Done:
    """commit_log, and what takes place next from the day that it gives."""
    path = rng.choice(["prices.csv", "notes/opening.md", "labels.py", "notes/cups.md", "stock.csv", "notes/tasting.md"])
    title = rng.choice(["tea workshop", "team lunch", "window cleaning", "staff meeting", "photo day", "latte course"])
    on, then = day(rng), f"2026-12-{rng.randint(1, 28):02d}"
    commit = {"hash": f"{rng.getrandbits(28):07x}", "author": person(rng), "date": on, "message": f"Change {path}"}
    event = _event(rng, then) | {"title": title.capitalize()}
    asked = f"On which day was the file {path} changed last, and on which day is the next {title} from that day on?"
    return [
        user(asked),
        call("commit_log", 1, path=path),
        gave(1, {"next_offset": None, "commits": [commit]}, 2),
        call("next_event", 2, title=title, after=on),
        gave(2, event, 2),
        say(f"{path} was changed on {on}, and the next {title} is on {then}."),
    ], ["commit_log", "next_event"]


def combined(rng: random.Random) -> Done:
    """Two servers in a row: the second call uses the first result."""
    number, order = _order(rng)
    sheet, column, row = _row(rng)
    if rng.random() < 0.2:
        return changed_then(rng)
    chance = rng.random()
    if chance < 0.45:
        while sheet != "stock":
            sheet, column, row = _row(rng)
        product = row["product"]
        order["items"] = [{"product": product, "quantity": 1, "price": float(row["price"])}]
        asked, answer = CELLS[field := rng.choice(["supplier", "in_stock", "price"])]
        ask = "who is its supplier?" if field == "supplier" else asked
        text = f"Look up which product is in order {number}. Then find this product in the column product of the sheet stock: {ask}"
        first = [call("order_details", 1, order_id=number), gave(1, order, 2)]
        uses = ["order_details", "find_rows"]
    elif chance < 0.7:
        word = rng.choice(["ladder", "invoice", "glue", "ribbon", "plumber", "sugar bowl", "label"])
        field = rng.choice(["city", "total", "customer", "status"])
        ask = {"city": "In which city does the customer of the order that it names live?", "total": "What is the total of the order that it names?",
               "customer": "Who placed the order that it names?", "status": "What is the status of the order that it names?"}[field]  # fmt: skip
        one = {
            "id": 7,
            "channel": "orders",
            "author": "Kit",
            "posted_at": f"{day(rng)} 10:30",
            "text": f"The {word} for order {number} is here.",
        }
        value = f"{order[field]:g}" if field == "total" else order[field]
        return [
            user(f"Find the post with the words {word}. {ask}"),
            call("search_posts", 1, text=word),
            gave(1, {"next_offset": None, "posts": [one]}, 2),
            call("order_details", 2, order_id=number),
            gave(2, order, 2),
            say(ORDER[field][1].format(n=number, v=value)),
        ], ["search_posts", "order_details"]
    else:
        while sheet != "suppliers":
            sheet, column, row = _row(rng)
        event = _event(rng) | {"title": f"Delivery from {row['supplier']}"}
        after = event["start"][:8] + "01"
        asked, answer = CELLS[field := rng.choice(["days", "place"])]
        text = f"From whom is the next delivery from {after} on? Then find this supplier in the column supplier of the sheet suppliers: {asked}"
        first = [call("next_event", 1, title="delivery", after=after), gave(1, event, 2)]
        uses = ["next_event", "find_rows"]
    return [
        user(text),
        *first,
        call("find_rows", 2, sheet=sheet, column=column, value=row[column]),
        gave(2, {"next_offset": None, "rows": [row]}, 2),
        say(answer.format(v=row[field])),
    ], uses


def served(rng: random.Random) -> Done:
    """A question for the servers, with the tools it needs and some others of them."""
    one = rng.choices(
        [order_asked, event_asked, row_asked, post_asked, file_asked, returned, combined], [4, 4, 4, 3, 3, 2, 6]
    )[0]
    messages, names = one(rng)
    others = [name for name in kit()["14"] if name not in names]
    offered = names + rng.sample(others, rng.choice([0, 1, 2, 2, 3, 4]))
    # The tools of a server are offered together; the one that acts is easily taken by mistake, and so is the reading one.
    for reads, other in (("post", "post_message"), ("channels", "post_message"), ("order_details", "record_return")):
        if any(reads in name for name in names) and other not in offered and rng.random() < 0.6:
            offered.append(other)
    if names == ["record_return"] and "order_details" not in offered:
        offered.append("order_details")
    rng.shuffle(offered)
    return messages, [kit()["14"][name] for name in offered]


TEXTS = {place.send.split()[2] for place in [SHOP, *PLACES]}  # what is posted may be worded freely
MIX: dict[Callable[[random.Random], Done], int] = {
    look_up: 16,
    person_up: 8,
    errand: 18,
    person_behind: 8,
    post: 7,
    in_words: 8,
    clerk: 2,
    reads: 4,
    note: 9,
    written: 9,
    step: 6,
    served: 26,
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
