"""Questions for the MCP servers of chapter 14: a part of the skill "errands"."""

from __future__ import annotations

import json
import random
from datetime import date
from typing import Any

from .messages import Done, call, gave, say, user
from .shop_world import (
    CHANNELS,
    OTHERS,
    PRODUCTS,
    RULES,
    STATES,
    day,
    kit,
    person,
)
from .sql import _names


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
NOTES = [  # beside what is asked: another day, other names, other numbers
    "Put off from {d}, since the heating was out.", "Was planned for {d}.", "The one before was on {d}.", "Moved here from {d}.", "Again on {d}.",
    "{a} and {b}", "{a}", "{a} has the keys.", "{a} brings the list; {b} pays.", "{n} places. Tea in spring, coffee in autumn.", "{n} boxes",
    "Who comes? {a} has the list.", "Before: coffee in the yard. {n} cups are needed.", "Ask {a} for the papers.", "{n} euros for each guest",
]  # fmt: skip
ROOMS = ["Shop", "Office", "Roasting room", "Yard", "Store room", "Town hall", "Kitchen"]


def told(on: str) -> str:
    """A day as people write it: "3 March"."""
    when = date.fromisoformat(on)
    return f"{when.day} {when:%B}"


def _event(rng: random.Random, on: str = "") -> dict[str, Any]:
    on, hour = on or day(rng), rng.randint(8, 19)
    names = _names()["she"] + _names()["he"]
    note = rng.choice(NOTES).format(d=told(day(rng)), a=rng.choice(names), b=rng.choice(names), n=rng.randint(2, 40))
    return {
        "title": rng.choice(EVENTS),
        "start": f"{on}T{hour:02d}:00:00+01:00",
        "end": f"{on}T{hour + 1:02d}:30:00+01:00",
        "place": rng.choice(ROOMS),
        "notes": note if rng.random() < 0.65 else "",
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
    if rng.random() < 0.15:
        event["title"] += rng.choice([" (moved)", " (new day)", " II"])
    title = event["title"].partition(" (")[0].removesuffix(" II")
    title = title.lower() if "from" not in title else title
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


TOPICS = [
    "",
    "What is on this week",
    "Lost and found",
    "Whatever has to do with {c}",
    "Questions about tools and repairs",
    "For all of us",
]
TOPICS = [topic.replace("{c}", "the rooms") for topic in TOPICS]


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
    counts = [
        {"name": c, "topic": rng.choice(TOPICS), "posts": rng.randint(2, 30)}
        for c in rng.sample(CHANNELS, rng.randint(2, 5))
    ]
    one = rng.choice(counts)
    return [
        user(f"How many posts does the channel {one['name']} have?"),
        call("list_channels", 1),
        gave(1, "\n".join(json.dumps(c, indent=2) for c in counts)),
        say(f"The channel {one['name']} has {one['posts']} posts."),
    ], ["list_channels"]


SUBJECTS = [
    "Change {p}",
    "Add {p}",
    "Mend a slip in {p}",
    "Prices from {d} on",
    "{p}: as agreed on {d}",
    "Put {p} in order",
    "Take out what {a} did",
]


def _commit(rng: random.Random, path: str, on: str = "") -> dict[str, Any]:
    subject = rng.choice(SUBJECTS).format(p=path, d=told(day(rng)), a=rng.choice(_names()["she"]))
    return {"commit": f"{rng.getrandbits(40):010x}", "author": person(rng), "date": on or day(rng), "subject": subject}


KINDS = [
    "green tea",
    "white cups",
    "walnut bread",
    "ginger syrup",
    "rye flour",
    "mint leaves",
    "olive oil",
    "brown sugar",
    "candles",
]
SHEETS = [  # a heading; a line for each kind; what is asked of a line, and the answer
    ("Baking", "{k}: {n} minutes, up to {m} degrees", "how many minutes does {k} take?", "{k} takes {n} minutes."),
    ("Baking", "{k}: {n} minutes, up to {m} degrees", "up to how many degrees is {k} heated?", "{k} is heated up to {m} degrees."),
    ("Brewing", "{k}: {n} grams, {m} seconds", "how many grams of {k} are taken?", "{n} grams of {k} are taken."),
    ("Brewing", "{k}: {n} grams, {m} seconds", "how many seconds does {k} take?", "{k} takes {m} seconds."),
    ("Store", "{k}: {n} on the shelf, {m} in the cellar", "how many of {k} stand in the cellar?", "{m} of {k} stand in the cellar."),
    ("Store", "{k}: {n} days in summer, {m} days in winter", "how many days does {k} keep in winter?", "{k} keeps {m} days in winter."),
]  # fmt: skip


def _several(rng: random.Random) -> tuple[str, str, str]:
    """A text with many numbers, a question about one of them, and the answer."""
    if rng.random() < 0.4:  # a list in one line
        kinds = rng.sample(KINDS, rng.randint(2, 4))
        counts = [rng.randint(2, 60) for _ in kinds]
        line = ", ".join(f"{n} {k}" for n, k in zip(counts, kinds, strict=True))
        one = rng.randrange(len(kinds))
        verb = rng.choice(["take along", "order", "bring", "pack"])
        text = f"# {rng.choice(['Fair', 'Picnic', 'Market day', 'Open evening'])}\n\n{told(day(rng))}, 10:00 to {rng.randint(15, 22)}:00.\n\n"
        text += f"- {verb}: {line}\n- change: {rng.randint(5, 30) * 10} euros\n"
        return text, f"how many {kinds[one]} shall we {verb}?", f"{counts[one]} {kinds[one]}."
    heading, line, asked, answer = rng.choice(SHEETS)
    rows = [{"k": k, "n": rng.randint(2, 30), "m": rng.randint(31, 240)} for k in rng.sample(KINDS, rng.randint(2, 4))]
    text = f"# {heading}\n\n" + "".join(f"- {line.format(**row)}\n" for row in rows)
    one_row = rng.choice(rows)
    if rng.random() < 0.4:
        rest = rng.randint(1, 20), rng.randint(1, 20)
        text += f"\nRest: {rest[0]} days, {one_row['k']} {rest[1]} days.\n"
        if rng.random() < 0.5:
            return (
                text,
                f"how many days does {one_row['k']} rest?",
                f"{one_row['k'].capitalize()} rests {rest[1]} days.",
            )
    answer = answer.format(**one_row)
    return text, asked.format(**one_row), answer[0].upper() + answer[1:]


def _path(rng: random.Random) -> str:
    name = rng.choice(
        [
            "opening",
            "cups",
            "tasting",
            "prices",
            "stock",
            "labels",
            "delivery",
            "holidays",
            "menu",
            "courses",
            "cleaning",
        ]
    )
    if rng.random() < 0.5:
        return f"notes/{name}.md"
    return f"{rng.choice(['', '', '', 'lists/', 'tools/'])}{name}.{rng.choice(['csv', 'py', 'txt', 'md'])}"


def file_asked(rng: random.Random) -> Done:
    """commit_log and read_source."""
    path = _path(rng)
    if rng.random() < 0.5:
        commit = _commit(rng, path)
        author, on = commit["author"], commit["date"]
        wants = rng.random() < 0.5
        asked = f"Who changed the file {path} last?" if wants else f"On which day was the file {path} changed last?"
        answer = f"{author} changed it last." if wants else f"It was changed last on {on}."
        older = [_commit(rng, path) for _ in range(rng.choice([0, 1, 2, 3]))]
        found = {"next_offset": None, "commits": [commit, *older]}
        return [user(asked), call("commit_log", 1, path=path), gave(1, found, 2), say(answer)], ["commit_log"]
    if rng.random() < 0.6:
        text, asked, answer = _several(rng)
    else:
        asked, _, passage, _, answer = (part.strip() for part in rng.choice(RULES.splitlines()).split("|"))
        n = rng.randint(3, 60)
        text, asked, answer = (
            f"# Notes\n\n- {rng.choice(OTHERS)}\n- {passage.format(n=n)}\n",
            f"{asked}?",
            answer.format(n=n),
        )
    return [
        user(f"Read the file {path}: {asked}"),
        call("read_source", 1, path=path),
        gave(1, {"next_offset": None, "text": text}, 2),
        say(answer),
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
    path = _path(rng)
    title = rng.choice(["tea workshop", "team lunch", "window cleaning", "staff meeting", "photo day", "latte course"])
    on, then = day(rng), f"2026-12-{rng.randint(1, 28):02d}"
    commit = _commit(rng, path, on)
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


NAMING = [
    "The {w} for order {n} is here.",
    "The {w} for order {n} is here.",
    "Order {n}: the {w} came in on {d}.",
    "Who ordered the {w}? It belongs to {n}.",
    "2 of 3: the {w}. It is for order {n}.",
    "{d}: no {w} left for order {n}.",
]


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
            "text": rng.choice(NAMING).format(w=word, n=number, d=told(day(rng))),
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


SERVERS = [
    ["events_between", "next_event", "events_at"],
    ["query_orders", "list_orders", "order_details", "record_return"],
    ["commit_log", "show_commit", "list_paths", "read_source"],
    ["list_sheets", "read_range", "find_rows", "set_cell"],
    ["list_channels", "read_posts", "search_posts", "post_message"],
]


def served(rng: random.Random) -> Done:
    """A question for the servers, with the tools it needs and some others of them."""
    one = rng.choices(
        [order_asked, event_asked, row_asked, post_asked, file_asked, returned, combined], [4, 4, 4, 3, 3, 2, 6]
    )[0]
    messages, names = one(rng)
    whole = rng.random() < 0.4  # all tools of the servers that are needed, as a person who knows them would choose
    near = [t for server in SERVERS if set(server) & set(names) for t in server if t not in names] if whole else []
    others = [name for name in kit()["14"] if name not in [*names, *near]]
    offered = names + near + rng.sample(others, 0 if whole else rng.choice([0, 1, 2, 2, 3, 4]))
    # The tools of a server are offered together; the one that acts is easily taken by mistake, and so is the reading one.
    for reads, other in (
        ("post", "post_message"),
        ("channels", "post_message"),
        ("order_details", "record_return"),
        ("order_details", "query_orders"),
    ):
        if any(reads in name for name in names) and other not in offered and rng.random() < 0.6:
            offered.append(other)
    if names == ["record_return"] and "order_details" not in offered:
        offered.append("order_details")
    rng.shuffle(offered)
    return messages, [kit()["14"][name] for name in offered]
