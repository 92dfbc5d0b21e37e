"""Invented shops and other places with the kit's own tools: what they hold, and how people speak of it."""

from __future__ import annotations

import asyncio
import random
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from llmlab.mcp_host import Host
from llmlab.measure import pieces
from llmlab.shop import lay_out
from llmlab.toolbox import search_documents
from llmlab.tools import tool

from .sql import _names

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


def person(rng: random.Random) -> str:
    """A full name."""
    return f"{rng.choice(_names()[rng.choice(['she', 'he'])])} {rng.choice(_names()['family'])}"


def day(rng: random.Random) -> str:
    """A day of the year."""
    return f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"


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


# --- The shop of the kit, and other places ------------------------------------------------------------------------------


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
