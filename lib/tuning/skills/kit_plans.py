"""Plans over the kit's tools, their steps, and what comes after them: parts of the skill "errands"."""

from __future__ import annotations

import json
import random
from typing import Any

from llmlab.measure import pieces

from . import kit_words
from .messages import Done, call, say, user
from .shop_world import (
    CHANNELS,
    FIELDS,
    GROUPS,
    PRODUCTS,
    SHOP,
    day,
    facts_of,
    kit,
    record,
    shopping,
    value_of,
    words,
)
from .sql import _names


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
