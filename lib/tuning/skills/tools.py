"""Skill "tools": when to call a tool and with which arguments, what to say after its result, and when to say words.

Four kinds of items: calls, results, no tool needed, a needed argument missing; and sessions, which hold several of them
after one list of tools, so that the list is read once for all. The tools and their requests stand in
written/tool_catalogue.txt and tool_inventions.txt, the values in tool_words.txt, plain facts in tool_facts.txt, pairs,
denials and whole items composed by hand in tools.jsonl. `items` combines them; `check` asserts what can be checked by
program.
"""

from __future__ import annotations

import copy
import json
import random
import re
from typing import Any

from .messages import say, user
from .tool_catalogue import (
    CATALOGUE,
    GROUPS,
    SLOT,
    SYSTEMS,
    WRITTEN,
    Tool,
    Values,
    articles,
    fields_of,
    fill,
    listing,
    number_word,
)
from .tool_inventions import KINDS, Invention, invention
from .tool_offers import COUNTS, LIMIT, Shown, distractors, finish, offer, size
from .tool_results import case, done, draw, failure, phrase_of, put, show, spoken_arguments

Item = dict[str, Any]
Message = dict[str, Any]
MIX = {"session": 0.12, "call": 0.52, "result": 0.07, "words": 0.19, "ask": 0.10}
LONG = 2300  # characters of a session, which is longer than the other items
# Around a verb phrase: {vp} as it stands, {Vp} with a capital letter.
WRAPS = (
    "Please {vp}.",
    "Can you {vp}?",
    "Could you {vp}?",
    "Could you please {vp}?",
    "Would you {vp}, please?",
    "{Vp}.",
    "{Vp}.",
    "{Vp}.",
    "{Vp}, please.",
    "{Vp} for me, would you?",
    "{Vp} now.",
    "{vp}",
    "I'd like you to {vp}.",
    "I want you to {vp}.",
    "I need you to {vp}.",
    "You should {vp} now.",
    "Be so kind as to {vp}.",
    "Kindly {vp}.",
    "Go ahead and {vp}.",
    "Will you {vp}?",
    "pls {vp}",
    "can u {vp}",
    "Next: {vp}.",
    "First of all, {vp}.",
    "Your task: {vp}.",
    "May I ask you to {vp}?",
    "Is it possible for you to {vp}?",
    "It would be great if you could {vp}.",
    "I'd be grateful if you could {vp}.",
    "I was hoping you could {vp}.",
    "My boss asked me to have this done: {vp}.",
    "Somebody has to {vp}, so please do it.",
    "Time to {vp}!",
    "Let's {vp}.",
    "Help me out and {vp}.",
    "Do me a favour and {vp}.",
    "I wonder if you could {vp}.",
    "Quick one: {vp}.",
    "As soon as you can, {vp}.",
    "What I need: {vp}.",
)
DOUBLE = (
    "Please {a} and {b}.",
    "Can you {a} and also {b}?",
    "{A}, and {b}.",
    "{A}. Then {b}.",
    "Two things: {a}, and {b}.",
    "I need you to {a}, and to {b}.",
    "Could you {a}? And {b}, too.",
    "First {a}, then {b}.",
    "{A}; also {b}.",
    "pls {a} and {b}",
    "Before lunch I'd like you to {a} and {b}.",
    "{A}, and while you're at it, {b}.",
    "{A}. After that, {b}.",
    "{A}, plus: {b}.",
    "I need two things done: {a}; {b}.",
    "Both of these, please: {a}, and {b}.",
    "Would you {a}? I'd also like you to {b}.",
    "My list for you: {a}; {b}",
    "{A} and, not to forget, {b}.",
    "{A}\n{B}",
    "- {a}\n- {b}",
)
JOINS = (
    "{a} {b}",
    "{a} Also: {b}",
    "{a} And another thing: {b}",
    "{a} Oh, and {b}",
    "1. {a} 2. {b}",
    "{a} Besides, {b}",
    "{a} One more thing: {b}",
    "{a} On top of that, {b}",
    "{a}\n{b}",
    "{a} Secondly, {b}",
)
OPENERS = (
    "Hi! ",
    "Hello. ",
    "Hey, ",
    "Good morning. ",
    "Good evening! ",
    "Sorry to bother you. ",
    "I'm in a hurry. ",
    "Quick question. ",
    "It's me again. ",
    "Okay, next thing. ",
    "Listen, ",
    "So, ",
    "Well, ",
    "I'm on the bus right now. ",
    "My hands are wet, so you have to help me. ",
    "We talked about it yesterday. ",
    "I've just had breakfast. ",
    "The kids are finally asleep. ",
    "My colleague is ill today. ",
    "I hope you're well. ",
    "Me again, Walter. ",
    "This is Mrs. Lindqvist. ",
    "Before I forget: ",
    "One more thing. ",
    "Alright, ",
)
CLOSERS = (" Thanks!", " Thank you.", " Thanks in advance.", " It's urgent.", " No hurry.", " That's all.", " Cheers!")
GENERAL = (
    "You are a helpful assistant.",
    "You are a helpful assistant.",
    "Answer briefly.",
    "You are a friendly assistant. Use tools only when they are needed.",
    "You are an assistant. Keep your answers short.",
    "Use the tools for what they can do, and answer all else in words.",
)
THANKS = (
    ("Thanks!", "You're welcome!"),
    ("Great, thank you.", "You're welcome."),
    ("Perfect.", "Glad that it helped."),
    ("Oh good, that helps a lot.", "I'm glad to hear it."),
    ("ok thx", "You're welcome."),
    ("Interesting!", "Yes, isn't it? Tell me if you need anything else."),
    ("That's all I needed, bye.", "Goodbye!"),
    ("Good to know.", "Tell me if you want to know anything else."),
    ("Hm, I had expected something else.", "I can imagine. Tell me if I should look for something else."),
    ("I'll tell my wife. Thank you!", "You're welcome, and greetings to your wife."),
)
ABILITIES = (
    "What can you do?",
    "What can you do for me here?",
    "Which things can you help me with?",
    "How can you help me?",
    "What are your tools good for?",
    "I'm new here. What do you offer?",
    "Tell me what I can ask you to do.",
    "help",
    "List what you're able to do.",
    "Which tools do you have?",
)
ABLE = ("I can {list}.", "I can {list}, and I can answer questions in words.", "With my tools I can {list}.")
UNCOVERED = (
    "I can't {vp}: none of my tools can do that.",
    "I'm not able to {vp}, because I have no tool for it.",
    "Sorry, I have no tool with which I could {vp}.",
    "There is no tool for that here, so I can't {vp}.",
    "I can't {vp} with the tools I have.",
    "That is not possible here: I have no tool to {vp}.",
    "I can't do that. I can only {able}.",
    "I have no tool for that; what I can do is {able}.",
)
REPLIES = (
    "{0}",
    "{0}",
    "{0}",
    "Oh, sorry. {0}",
    "Ah yes: {0}",
    "Right, {0}",
    "Of course. {0}",
)
# About the thing that an offered tool is for, without a request for the tool.
NEAR = (
    ("I've always liked the word {n}.", "It does have a nice sound."),
    ("Do you like {ns}?", "I have no likes of my own, but many people like {ns}."),
    ("My uncle can't stand {ns}.", "Everybody has different tastes."),
    ("How do you spell {n}?", "It is spelled {n}."),
    ("What is the plural of {n}?", "The plural of {n} is {ns}."),
    ("One {n}, two ...?", "Two {ns}."),
    ("With which letter does {n} begin?", "It begins with {first}."),
    ("What is the last letter of {n}?", "The last letter is {last}."),
    ("Write me one sentence with the word {n}.", "Everybody in the village talked about the {n}."),
    ("Last night I dreamt of a {n}.", "What a dream! I hope it was a good one."),
    ("Thanks for your help with the {n} yesterday!", "You're welcome!"),
    ("I had a funny talk about {ns} with my neighbour.", "That sounds like a nice talk."),
    ("Don't do anything about the {n} yet.", "All right, I will do nothing for now."),
    ("Forget what I said about the {n}.", "All right, forgotten."),
    ("Later I'll have to ask you about {ns}.", "Gladly. Just ask when you are ready."),
    ("My daughter drew a {n} at school.", "How nice! I'm sure it is a lovely picture."),
    ("Nobody in my family cares about {ns}.", "Tastes differ, even in a family."),
    ("I know nothing about {ns}.", "That is no problem. Ask me whenever you like."),
    ("Why do people talk so much about {ns}?", "I suppose because many of them have a story to tell about it."),
    ("Give me a title for a story about a {n}.", '"The Secret of the {n}"'),
    ("Good morning! Did you dream of {ns}?", "Good morning! I don't dream, but it is a nice thought."),
    ("The {n} made me laugh today.", "I'm glad you had something to laugh about."),
)
# Tiny questions.
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
MONTHS += ("November", "December")
LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
AFTER = ("What comes after {0}?", "What comes right after {0}?", "What follows {0}?", "Which one is next after {0}?")
BEFORE = ("What comes before {0}?", "What comes right before {0}?", "Which one comes just before {0}?")
SUM = ("How much is {0} together?", "What do {0} add up to?", "What is the sum of {0}?", "Add {0} in your head.")
TIMES = ("What is {0}?", "How much is {0}?", "{0}?", "Quick: {0}?", "My son asks what {0} is.")
LARGER = ("Which is larger, {0}?", "What is more, {0}?", "Which number is bigger: {0}?")
EVEN = ("Is {0} even or odd?", "Is the number {0} odd or even?", "Even or odd: {0}?")
# Tools and groups whose work the assistant could do in words: it never denies that.
IN_WORDS = {"text", "fun", "search", "numbers", "find_substitute", "wine_pairing", "find_recipes", "get_recipe"}
IN_WORDS |= {"list_sights", "plant_care", "get_lyrics", "quiz_question", "check_visa", "artwork_info", "convert_time"}
IN_WORDS |= {"facts", "get_nutrition", "medicine_info", "public_holidays", "tax_rate", "days_between", "search_books"}
# Groups in which another tool may do nearly the same: a denial offers none of them.
RELATED = {
    "weather": "garden travel",
    "time": "notes calendar hotel health",
    "calendar": "notes time office health messages",
    "notes": "calendar time messages home health",
    "messages": "notes office calendar pub events",
    "numbers": "money fun text",
    "travel": "cars culture hotel city",
    "food": "store hotel home",
    "store": "factory food office",
    "home": "media cars time garden",
    "media": "culture school home events",
    "health": "clinic notes time calendar",
    "money": "numbers insurance store events",
    "office": "calendar money messages hotel travel",
    "code": "text office notes",
    "search": "code text notes school",
    "school": "search media notes calendar culture",
    "city": "property travel sports",
    "sports": "city media",
    "garden": "weather home store",
    "cars": "travel home",
    "hotel": "travel time food calendar",
    "clinic": "health",
    "culture": "travel media events",
    "property": "city home",
    "factory": "store travel code",
    "insurance": "cars money property clinic",
    "events": "money culture calendar messages media",
    "fun": "numbers text media school",
    "text": "search code fun",
    "pub": "messages media",
}


def written() -> list[Item]:
    """The items composed by hand."""
    lines = (WRITTEN / "tools.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def facts() -> list[Item]:
    """Tables of plain facts: questions, answers, pairs, and the groups to avoid or to offer beside them."""
    tables: list[Item] = []
    for line in (WRITTEN / "tool_facts.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            _, avoid, near = (part.split() for part in line.strip("[]").split("|"))
            tables.append({"avoid": avoid, "near": near})
        elif line.startswith(("Q ", "A ")):
            tables[-1][line[0]] = line[2:].split(" / ")
        elif line and not line.startswith("#"):
            tables[-1]["pairs"] = [pair.split(" = ") for pair in line.split("; ")]
    return tables


HAND = written()
FACTS = facts()


def call(*calls: tuple[Shown, dict[str, Any]], first: int = 1) -> Message:
    """The assistant's tool calls."""
    made = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": shown.name, "arguments": json.dumps(shown.arguments(given), ensure_ascii=False)},
        }
        for number, (shown, given) in enumerate(calls, first)
    ]
    return {"role": "assistant", "content": "", "tool_calls": made}


def result(text: str, number: int = 1) -> Message:
    """A tool's result."""
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": text}


def item(rng: random.Random, messages: list[Message], shown: list[Shown], main: list[Shown], **more: Any) -> Item:
    """An item with its tools, a system message now and then, and within the limit."""
    if rng.random() < 0.12:
        own = SYSTEMS.get(main[0].tool.group if main else shown[0].tool.group, "")
        system = own if own and rng.random() < 0.5 else rng.choice(GENERAL)
        messages = [{"role": "system", "content": system}, *messages]
    made = {"skill": "tools", "messages": messages, "tools": [s.schema for s in shown], **more}
    return finish(made, [s.name for s in main])


def lower(text: str, keep: str = "") -> str:
    """The first letter small, unless the word has to stay as it is."""
    first = text.split(" ", 1)[0]
    name = first.strip('.,:;!?"')
    if name in keep or re.match(r"I\b|[A-Z]{2}|\d|\W", first) or f" {name}" in f" {keep}":
        return text
    return text[0].lower() + text[1:]


def _end(text: str) -> str:
    return text if text.rstrip('"')[-1] in ".!?" else text + "."


def voice(rng: random.Random, text: str, values: str) -> str:
    """The request in somebody's voice: openers, closers, sloppy writing, a typo; values stay as they are."""
    ends = text[-1] in ".!?" and text.rsplit(" ", 1)[-1] not in values
    if ends and rng.random() < 0.1:
        text = text.rstrip(".!?") if text[-1] != "?" or rng.random() < 0.5 else text
        text = lower(text, values)
    if rng.random() < 0.12:
        opener = rng.choice(OPENERS)
        text = opener + (lower(text, values) if opener.endswith((", ", ": ")) else text)
    if rng.random() < 0.06:
        text = _end(text) + rng.choice(CLOSERS)
    words = [w for w in re.findall(r"\b[a-z]{5,}\b", text) if w not in values.lower()]
    words = [w for w in words if all(w != number_word(n) for n in range(100))]
    if words and rng.random() < 0.03:
        word = rng.choice(words)
        at = rng.randrange(1, len(word) - 2)
        wrong = word[:at] + rng.choice((word[at + 1] + word[at], word[at])) + word[at + 2 :]
        text = text.replace(word, wrong, 1)
    return text


def wrap(rng: random.Random, phrase: str) -> str:
    """A verb phrase in one of the general sentences."""
    frame = rng.choice(WRAPS)
    if phrase[-1] in '.!?"' and frame.endswith("."):
        frame = frame[:-1] if frame.endswith("{vp}.") or frame.endswith("{Vp}.") else frame
    return frame.format(vp=phrase, Vp=phrase[0].upper() + phrase[1:])


def request(rng: random.Random, values: Values, tool: Tool) -> tuple[str, dict[str, Any], bool]:
    """A request for one call of a tool, its arguments, and whether neighbours could do it as well."""
    chance = rng.random()
    if tool.alone and chance < 0.2:
        filled = fill(values, tool, rng.choice(tool.alone))
    elif chance < 0.45 or not tool.requests:
        filled = fill(values, tool, rng.choice(tool.phrases))
        filled.text = wrap(rng, filled.text)
    else:
        filled = fill(values, tool, rng.choice(tool.requests))
    return filled.text, filled.calls[0], bool(tool.alone and chance < 0.2)


def said(*arguments: dict[str, Any]) -> str:
    """All values of some calls as one text."""
    return " ".join(str(v) for given in arguments for v in given.values())


def some_tool(rng: random.Random, need: str = "name") -> Tool:
    """Any tool that has what is needed: of the catalogue, where small groups count as much as large ones in half of the
    draws, or an invention."""
    while True:
        chance = rng.random()
        if chance < 0.45:
            tool: Tool = invention(rng)
        elif chance < 0.72:
            tool = rng.choice(list(CATALOGUE.values()))
        else:
            tool = rng.choice(rng.choice(list(GROUPS.values())))
        if getattr(tool, need):
            return tool


def one_call(rng: random.Random) -> Item:
    """A request and the call that answers it."""
    tool, values = some_tool(rng), Values(rng)
    text, given, alone = request(rng, values, tool)
    main, shown = offer(rng, [tool], distractors(rng, [tool], _count(rng) - 1, apart=alone))
    messages = [*_before(rng), user(voice(rng, text, said(given))), call((main[0], given))]
    return item(rng, messages, shown, main)


def _count(rng: random.Random) -> int:
    chance = rng.random()
    return rng.randint(6, 14) if chance < 0.16 else rng.choice(COUNTS)


def _before(rng: random.Random) -> list[Message]:
    if rng.random() > 0.05:
        return []
    pair = rng.choice([i for i in HAND if i.get("kind") == "chat" and not i["avoid"]])["messages"]
    return copy.deepcopy(pair)


def two_calls(rng: random.Random) -> Item:
    """A request for two things and both calls in one message."""
    values, kind = Values(rng), rng.random()
    if kind < 0.4:
        tool = some_tool(rng, "pairs")
        filled = fill(values, tool, rng.choice(tool.pairs))
        tools, text, given = [tool], filled.text, filled.calls
    else:
        first = some_tool(rng)
        if kind < 0.5:
            second = first if first.required else some_tool(rng, "required")
        else:
            second = distractors(rng, [first], 1)[0]
        tools = [first] if second is first else [first, second]
        text, given = _joined(rng, values, first, second)
    main, shown = offer(rng, tools, distractors(rng, tools, rng.choice((0, 0, 1, 1, 2, 3, 4))))
    calls = [(main[0], given[0]), (main[-1], given[1])]
    return item(rng, [user(voice(rng, text, said(*given))), call(*calls)], shown, main)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _joined(rng: random.Random, values: Values, first: Tool, second: Tool) -> tuple[str, list[dict[str, Any]]]:
    phrases = rng.random() < 0.55
    a, b = (
        fill(values, t, rng.choice(t.phrases if phrases or not t.requests else t.requests)) for t in (first, second)
    )
    if a.calls == b.calls and first is second:
        return _joined(rng, Values(rng), first, second)
    if phrases:
        text = rng.choice(DOUBLE).format(a=a.text, b=b.text, A=_capital(a.text), B=_capital(b.text))
        return re.sub(r'([.!?]"?)\.', r"\1", text), [a.calls[0], b.calls[0]]
    join = rng.choice(JOINS)
    other = b.text if join in ("{a} {b}", "{a}\n{b}", "1. {a} 2. {b}") else lower(b.text, said(b.calls[0]))
    return join.format(a=_end(a.text), b=_end(other)), [a.calls[0], b.calls[0]]


def follow_up(rng: random.Random) -> Item:
    """A first question with its call and answer, then a short second one and the call for it."""
    tool = rng.choice([t for t in CATALOGUE.values() if t.follow_ups and t.questions])
    values = Values(rng)
    text, given, data, answer = case(values, tool)
    more = fill(values, tool, rng.choice(tool.follow_ups), partial=True)
    main, shown = offer(rng, [tool], distractors(rng, [tool], rng.choice((0, 1, 2))))
    again = given | more.calls[0]
    second = call((main[0], again), first=2)
    messages = [user(text), call((main[0], given)), result(data), say(answer), user(more.text), second]
    return item(rng, messages, shown, main)


def chains() -> list[tuple[Tool, Tool, str, str, dict[str, str]]]:
    """Requests whose second call needs the first one's result: both tools, request, fields, how they are used."""
    found = []
    for line in (WRITTEN / "tool_chains.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            names, text, shown, used = (part.strip() for part in line.split(" | "))
            first, second = (CATALOGUE[name] for name in names.split(" > "))
            found.append((first, second, text, shown, dict([used.split(" = ")])))
    return found


CHAINS = chains()


def chain(rng: random.Random) -> Item:
    """A request that takes two calls one after the other: the second uses the first one's result."""
    first, second, frame, shown_fields, used = rng.choice(CHAINS)
    values = Values(rng)
    both = Tool(first.group, ("both",), parameters=[*first.parameters, *second.parameters])
    filled = fill(values, both, frame, partial=True)
    given = {p.name: filled.calls[0][p.name] for p in first.parameters if p.name in filled.calls[0]}
    data = draw(values, first, fields_of(shown_fields), {})
    found = filled.calls[0] | {name: data[source] for name, source in used.items()}
    then = {p.name: found[p.name] for p in second.parameters if p.name in found}
    main, shown = offer(rng, [first, second], distractors(rng, [first, second], rng.choice((0, 0, 1))))
    messages = [
        user(filled.text),
        call((main[0], given)),
        result(show(rng, data)),
        call((main[1], then), first=2),
    ]
    return item(rng, messages, shown, main)


def hand(rng: random.Random, *kinds: str) -> Item:
    """A whole item composed by hand, with other tools offered beside its own."""
    made = copy.deepcopy(rng.choice([i for i in HAND if i.get("kind") in kinds]))
    own = [t["function"]["name"] for t in made["tools"]]
    others = rng.choice((0, 0, 1, 2, 3))
    groups = ("garden", "sports", "numbers", "hotel", "pub", "insurance", "cars")
    _, shown = offer(rng, [], [rng.choice(GROUPS[group]) for group in rng.sample(groups, others)])
    made["tools"] += [s.schema for s in shown if s.name not in own]
    made["tools"] = rng.sample(made["tools"], len(made["tools"]))
    return finish({k: v for k, v in made.items() if k in ("skill", "messages", "tools", "learn")}, own)


def a_call(rng: random.Random) -> Item:
    """An item whose answer is a call."""
    chance = rng.random()
    if chance < 0.32:
        return two_calls(rng)
    if chance < 0.36:
        return follow_up(rng)
    if chance < 0.39:
        return chain(rng)
    if chance < 0.42:
        return hand(rng, "hand_call")
    return one_call(rng)


def a_result(rng: random.Random) -> Item:
    """An item whose answer says what a tool's result says: values, rows, done, errors, a second question."""
    chance = rng.random()
    if chance < 0.12:
        return hand(rng, "hand_result")
    values = Values(rng)
    more: list[Message] = []
    if chance < 0.62:
        tool = some_tool(rng, "questions")
        text, given, data, answer = case(values, tool)
    elif chance < 0.78:
        tool = some_tool(rng, "actions")
        text, given, _ = request(rng, values, tool)
        data, answer = done(values, tool, given)
    else:
        tool = some_tool(rng)
        text, given, _ = request(rng, values, tool)
        data, answer = "", ""
    main, shown = offer(rng, [tool], distractors(rng, [tool], rng.choice((0, 0, 0, 1, 1, 2))))
    if not data:
        data, answer = failure(values, tool, main[0].name, given)
    messages = [user(voice(rng, text, said(given))), call((main[0], given)), result(data), say(answer), *more]
    return item(rng, messages, shown, main, learn="last")


def offered(rng: random.Random, avoid: list[str], near: list[str]) -> list[Shown]:
    """Tools for a request that needs none: some of the groups `near` it, none of the groups to avoid."""
    tools: list[Tool] = []
    count = _count(rng)
    while len(tools) < count:
        group = rng.choice(near) if near and rng.random() < 0.5 else rng.choice(list(GROUPS))
        tool = invention(rng) if rng.random() < 0.4 else rng.choice(GROUPS[group])
        unfit = {tool.group, *getattr(tool, "avoid", ())} & set(avoid)
        if not unfit and tool.name not in {t.name for t in tools} and (count < 7 or len(tool.required) < 2):
            tools.append(tool)
    return offer(rng, [], tools)[1]


def pair_words(rng: random.Random) -> Item:
    """A pair composed by hand: small talk, a fact, a rewording, an opinion, a thing that no tool covers."""
    pair = rng.choice([i for i in HAND if i.get("kind") in ("chat", "uncovered")])
    question, answer = copy.deepcopy(pair["messages"])
    question["content"] = _loose(rng, question["content"])
    shown = offered(rng, pair["avoid"], pair.get("near", []))
    return item(rng, [question, answer], shown, shown[:1])


def _loose(rng: random.Random, text: str) -> str:
    if rng.random() < 0.08 and text[-1] == "?" and text.count(" ") > 2:
        text = lower(text[:-1], text[1:]) if rng.random() < 0.5 else f"Hi! {text}"
    return text


def fact_words(rng: random.Random) -> Item:
    """A plain fact."""
    table = rng.choice(FACTS)
    a, b = rng.choice(table["pairs"])
    question = rng.choice(table["Q"]).format(a=a)
    answer = rng.choice(table["A"]).format(a=a, b=b)
    question, answer = (text[0].upper() + text[1:] for text in (question, answer))
    shown = offered(rng, table["avoid"], table["near"])
    return item(rng, [user(_loose(rng, question)), say(answer)], shown, shown[:1])


def tiny_words(rng: random.Random) -> Item:
    """A question that a child could answer: a small number, a day, a month, a letter; it needs no tool."""
    question, answer = tiny(rng)
    shown = offered(rng, ["numbers", "fun", "text", "time", "search"], [])
    return item(rng, [user(_loose(rng, question)), say(answer)], shown, shown[:1])


def tiny(rng: random.Random) -> tuple[str, str]:
    """A tiny question and its answer."""
    a, b = rng.randint(2, 12), rng.randint(2, 9)
    n = rng.choice((rng.randint(1, 130), rng.choice((9, 19, 29, 39, 49, 59, 69, 79, 89, 99, 100, 199, 999))))
    series = rng.choice((WEEKDAYS, MONTHS, LETTERS))
    at = rng.randrange(len(series))
    this, then, before = series[at], series[(at + 1) % len(series)], series[at - 1]
    cases: list[tuple[tuple[str, ...], str, str]] = [
        (AFTER, f"{n}", f"{n + 1} comes after {n}."),
        (BEFORE, f"{n}", f"{n - 1} comes before {n}."),
        (SUM, f"{a} and {b}", f"{a} plus {b} is {a + b}."),
        (TIMES, f"{a} times {b}", f"{a} times {b} is {a * b}."),
        (TIMES, f"{a + b} minus {b}", f"{a + b} minus {b} is {a}."),
        (TIMES, f"half of {2 * a}", f"Half of {2 * a} is {a}."),
        (LARGER, f"{n} or {n + b}", f"{n + b} is larger."),
        (LARGER, f"{n + b} or {n}", f"{n + b} is larger."),
        (EVEN, f"{n}", f"{n} is {'odd' if n % 2 else 'even'}."),
    ]
    if this not in "Zz":
        cases += 2 * [(AFTER, this, f"{then} comes after {this}.")]
    if this not in "Aa":
        cases += 2 * [(BEFORE, this, f"{before} comes before {this}.")]
    frames, said_, answer = rng.choice(cases)
    question = rng.choice(frames).format(said_)
    return question[0].upper() + question[1:], answer


def near_words(rng: random.Random) -> Item:
    """Words about the thing that an offered tool is for, which ask for nothing that the tool does."""
    tool = invention(rng, rng.choice([kind for kind in KINDS if kind not in ("estimates", "measures")]))
    noun, plural = tool.noun, KINDS[tool.kind].nouns[tool.noun][0]
    names = {"n": noun, "ns": plural, "first": noun[0].upper(), "last": noun[-1].upper()}
    question, answer = (articles(text.format(**names)) for text in rng.choice(NEAR))
    shown = offer(rng, [tool], distractors(rng, [tool], _count(rng) - 1))[1]
    return item(rng, [user(_loose(rng, question)), say(_capital(answer))], shown, shown[:1])


def ability(tool: Tool) -> str:
    """What a tool can do, as the end of "I can ..."."""
    text = tool.descriptions[0].replace("the user's", "your").replace("the user", "you")
    return text[0].lower() + text[1:]


def missing_words(rng: random.Random) -> Item:
    """A request for a tool that is not offered."""
    values = Values(rng)
    tool = some_tool(rng)
    while tool.name in IN_WORDS or tool.group in IN_WORDS:
        tool = some_tool(rng)
    text, given, _ = request(rng, values, tool)
    other = tool.avoid if isinstance(tool, Invention) else RELATED[tool.group].split()
    shown = offered(rng, [tool.group, "search", *other], [])
    frame = rng.choice(UNCOVERED)
    if len(shown) > 3 and "{able}" in frame:
        frame = UNCOVERED[0]
    able = listing([ability(s.tool) for s in shown])
    answer = frame.format(vp=phrase_of(values, tool, given).rstrip("."), able=able)
    return item(rng, [user(voice(rng, text, said(given))), say(answer)], shown, shown)


def ability_words(rng: random.Random) -> Item:
    """A question about what the assistant can do: the offered tools in words."""
    tools = distractors(rng, [], rng.choice((1, 2, 2, 3, 3, 4)))
    _, shown = offer(rng, tools, [])
    if rng.random() < 0.3:
        one = rng.choice(shown)
        question = rng.choice(("What does {0} do?", "What is {0} good for?", "When would you use {0}?", "Explain {0}."))
        answer = rng.choice(("With it I can {0}.", "It is there to {0}.", "I use it to {0}."))
        messages = [user(question.format(one.name)), say(answer.format(ability(one.tool)))]
    else:
        answer = rng.choice(ABLE).format(list=listing([ability(s.tool) for s in shown]))
        messages = [user(rng.choice(ABILITIES)), say(answer)]
    return item(rng, messages, shown, shown)


def after_words(rng: random.Random) -> Item:
    """After a result: thanks, or a second question that the same result answers; no second call."""
    tool = some_tool(rng, "questions")
    while len(tool.questions) < 2:
        tool = some_tool(rng, "questions")
    values = Values(rng)
    again = _second_question(values, tool) if not tool.rows and rng.random() < 0.6 else None
    text, given, data, answer = again[0] if again else case(values, tool)
    main, shown = offer(rng, [tool], distractors(rng, [tool], rng.choice((0, 1, 1, 2))))
    last = again[1] if again else rng.choice(THANKS)
    messages = [user(text), call((main[0], given)), result(data), say(answer), user(last[0]), say(last[1])]
    return item(rng, messages, shown, main, learn="last")


def _second_question(values: Values, tool: Tool) -> tuple[tuple[str, dict[str, Any], str, str], tuple[str, str]] | None:
    first, second = values.rng.sample(tool.questions, 2)
    joined = fill(values, tool, f"{first[0]}\n{second[0]}", partial=True)
    given = joined.calls[0]
    slots = {m.group(1) for m in SLOT.finditer(first[0])}
    if slots != {m.group(1) for m in SLOT.finditer(second[0])}:
        return None
    data = draw(values, tool, tool.fields, given)
    names = spoken_arguments(tool, given) | data
    one, two = joined.text.split("\n")
    return (one, given, show(values.rng, data), put(first[1], names)), (two, put(second[1], names))


def words(rng: random.Random) -> Item:
    """An item that needs no tool."""
    chance = rng.random()
    if chance < 0.38:
        return pair_words(rng)
    if chance < 0.53:
        return fact_words(rng)
    if chance < 0.63:
        return tiny_words(rng)
    if chance < 0.73:
        return near_words(rng)
    if chance < 0.85:
        return missing_words(rng)
    if chance < 0.89:
        return ability_words(rng)
    if chance < 0.92:
        return hand(rng, "hand_words")
    return after_words(rng)


def ask(rng: random.Random) -> Item:
    """A request without a needed argument: a question back; in half of the items the reply and the call follow."""
    tool = some_tool(rng, "asks")
    values = Values(rng)
    frame, missing, questions, replies, fixed = rng.choice(tool.asks)
    question = rng.choice(questions.split("|"))
    reply = rng.choice(replies.split("|")) if replies else "{" + missing + "}"
    goes_on = rng.random() < 0.5
    lines = [frame, question, rng.choice(REPLIES).format(reply)] if goes_on else [frame, question]
    filled = fill(values, tool, "\n".join(lines) + f" || {fixed}", partial=not goes_on)
    text, asked, *answered = filled.text.split("\n")
    given = filled.calls[0]
    main, shown = offer(rng, [tool], distractors(rng, [tool], _count(rng) - 1))
    messages = [user(voice(rng, text, said(given))), say(asked)]
    if goes_on:
        messages += [user(answered[0]), call((main[0], given))]
    return item(rng, messages, shown, main)


def session(rng: random.Random) -> Item:
    """Two to four requests to the same tools: calls with results and answers, plain words, at the end perhaps a
    question back."""
    tools: list[Tool] = []
    while len(tools) < rng.choice((1, 2, 2, 3)):
        tool = some_tool(rng, "questions")
        if tool.name not in {t.name for t in tools}:
            tools.append(tool)
    main, shown = offer(rng, tools, distractors(rng, tools, rng.choice((0, 1, 1, 2, 3))))
    groups = {s.tool.group for s in shown}
    messages: list[Message] = []
    calls = 0
    for turn in range(rng.choice((2, 3, 3, 4))):
        if rng.random() < 0.4:
            messages += _plain_turn(rng, groups)
            continue
        one = main[turn % len(main)]
        text, given, data, answer = case(Values(rng), one.tool)
        if text in {m["content"] for m in messages}:
            continue
        calls += 1
        made = call((one, given), first=calls)
        messages += [user(voice(rng, text, said(given))), made, result(data, calls), say(answer)]
    asking = [one for one in main if one.tool.asks]
    if not messages or rng.random() < 0.4:
        messages += _last_calls(rng, main, calls)
    elif asking and rng.random() < 0.6:
        one = rng.choice(asking)
        frame, missing, questions, replies, fixed = rng.choice(one.tool.asks)
        reply = rng.choice(replies.split("|")) if replies else "{" + missing + "}"
        lines = [frame, rng.choice(questions.split("|")), rng.choice(REPLIES).format(reply)]
        filled = fill(Values(rng), one.tool, "\n".join(lines) + f" || {fixed}")
        text, asked, answered = filled.text.split("\n")
        made = call((one, filled.calls[0]), first=calls + 1)
        messages += [user(text), say(asked), user(answered), made]
    return finish(
        {"skill": "tools", "messages": messages, "tools": [s.schema for s in shown]}, [s.name for s in main], LONG
    )


def _last_calls(rng: random.Random, main: list[Shown], calls: int) -> list[Message]:
    """The last request of a session: two calls in one message, or one."""
    one, values = rng.choice(main), Values(rng)
    if len(main) > 1 and rng.random() < 0.4:
        first, second = rng.sample(main, 2)
        text, given = _joined(rng, values, first.tool, second.tool)
        return [user(text), call((first, given[0]), (second, given[1]), first=calls + 1)]
    if one.tool.pairs:
        filled = fill(values, one.tool, rng.choice(one.tool.pairs))
        made = [(one, given) for given in filled.calls]
        return [user(filled.text), call(*made, first=calls + 1)]
    text, arguments, _ = request(rng, values, one.tool)
    return [user(text), call((one, arguments), first=calls + 1)]


def _plain_turn(rng: random.Random, groups: set[str]) -> list[Message]:
    """A question and its answer in words, about nothing that tools of these groups could tell."""
    while True:
        if rng.random() < 0.6:
            pair = rng.choice([i for i in HAND if i.get("kind") == "chat"])
            if not groups & set(pair["avoid"]):
                return copy.deepcopy(list(pair["messages"]))
        table = rng.choice(FACTS)
        if not groups & set(table["avoid"]):
            a, b = rng.choice(table["pairs"])
            question, answer = rng.choice(table["Q"]).format(a=a), rng.choice(table["A"]).format(a=a, b=b)
            return [user(question[0].upper() + question[1:]), say(answer[0].upper() + answer[1:])]


MAKERS = {"session": session, "call": a_call, "result": a_result, "words": words, "ask": ask}


def items(rng: random.Random, n: int) -> list[Item]:
    """n items, mixed over all kinds, no two with the same last question."""
    made: list[Item] = []
    seen: set[str] = set()
    while len(made) < n:
        kind = rng.choices(list(MIX), list(MIX.values()))[0]
        one = MAKERS[kind](rng)
        key = json.dumps([m["content"] for m in one["messages"]]) + json.dumps(one["messages"][-1])
        if key not in seen and size(one) <= (LONG if kind == "session" else LIMIT):
            seen.add(key)
            made.append(one)
    return made


JSON_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float)}
JSON_TYPES |= {"boolean": (bool,), "array": (list,)}


def check(made: list[Item]) -> None:
    """Assert what a program can see: calls fit their schemas, results have calls, sizes are kept."""
    for one in made:
        offered_tools = {t["function"]["name"]: t["function"]["parameters"] for t in one["tools"]}
        assert len(offered_tools) == len(one["tools"]), "two tools with one name"
        assert one["messages"][-1]["role"] == "assistant"
        assert size(one) <= LONG
        text = " ".join(m["content"] for m in one["messages"] if m["role"] != "assistant")
        copied = text if one.get("learn") != "last" else None  # calls that are not learned may be worded freely
        ids: list[str] = []
        for message in one["messages"]:
            for made_call in message.get("tool_calls", []):
                function = made_call["function"]
                assert function["name"] in offered_tools, function
                _check_arguments(json.loads(function["arguments"]), offered_tools[function["name"]], copied)
                ids.append(made_call["id"])
            if message["role"] == "tool":
                assert message["tool_call_id"] in ids
            elif message["role"] == "user" or not message.get("tool_calls"):
                assert message["content"].strip(), one["messages"]
                assert "{" not in message["content"], message


def _check_arguments(given: dict[str, Any], schema: dict[str, Any], text: str | None) -> None:
    properties = schema["properties"]
    assert set(schema.get("required", [])) <= set(given) <= set(properties), (given, schema)
    for name, value in given.items():
        kind = properties[name]
        kind = kind.get("anyOf", [kind])[0]
        assert isinstance(value, JSON_TYPES[kind["type"]]), (name, value)
        assert isinstance(value, bool) == (kind["type"] == "boolean")
        if "enum" in kind:
            assert value in kind["enum"], (name, value)
        elif kind["type"] in ("string", "array"):
            for part in value if isinstance(value, list) else [value]:
                assert text is None or part in text, (part, text)


def check_catalogue() -> None:
    """Assert that every sentence of the catalogue can be filled, and that every question names what it asks for."""
    rng = random.Random(0)
    assert len(CATALOGUE) >= 160
    for tool in CATALOGUE.values():
        assert min(len(tool.descriptions), len(tool.phrases)) > 0, tool.name
        assert len(tool.phrases) + len(tool.requests) >= 3, tool.name
        _check_frames(rng, tool)
    for kind, things in KINDS.items():
        assert not things.avoid - set(GROUPS), kind
        for noun in things.nouns:
            for number in range(len(things.tools)):
                _check_frames(rng, invention(rng, kind, noun, number))
    for group, tools in GROUPS.items():
        assert sum(len(t.phrases) + len(t.requests) for t in tools) >= 8, group
        assert group in RELATED, group
    for one in HAND:
        assert set(one.get("avoid", [])) | set(one.get("near", [])) <= set(GROUPS), one
    check([one for one in HAND if "tools" in one])
    for table in FACTS:
        assert set(table["avoid"]) | set(table["near"]) <= set(GROUPS), table["avoid"]
        assert all(len(pair) == 2 for pair in table["pairs"]), table["pairs"]


def _check_frames(rng: random.Random, tool: Tool) -> None:
    for frame in (*tool.phrases, *tool.requests, *tool.alone, *tool.pairs):
        fill(Values(rng), tool, frame)
    for frame in tool.follow_ups:
        assert len(tool.required) >= 1
        fill(Values(rng), tool, frame, partial=True)
    for frame, missing, _, replies, fixed in tool.asks:
        assert missing in tool.required, (tool.name, frame)
        assert missing not in {m.group(1) for m in SLOT.finditer(frame)}, (tool.name, frame)
        for reply in replies.split("|"):
            fill(Values(rng), tool, f"{frame}\n{reply or '{' + missing + '}'} || {fixed}")
    for question in tool.questions:
        assert len(question) == 2 + tool.rows, (tool.name, question)
