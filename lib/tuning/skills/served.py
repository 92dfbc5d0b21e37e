"""Questions for the MCP servers of chapter 14: a part of the skill "errands"."""

from __future__ import annotations

import random
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
