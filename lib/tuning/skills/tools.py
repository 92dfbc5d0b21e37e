"""Skill "tools": when to call a tool and with which arguments, what to say after its result, and when to say words.

Four kinds of items: calls, results, no tool needed, a needed argument missing; and sessions, which hold several of them
after one list of tools, so that the list is read once for all. The tools and their requests stand in
written/tool_catalogue.txt, the values in tool_words.txt, plain facts in tool_facts.txt, pairs, denials and whole
items composed by hand in tools.jsonl. `items` combines them; `check` asserts what can be checked by program.
"""

from __future__ import annotations

import copy
import json
import random
import re
from typing import Any

from .tool_catalogue import (
    CATALOGUE,
    GROUPS,
    SLOT,
    SYSTEMS,
    WRITTEN,
    Tool,
    Values,
    fields_of,
    fill,
    listing,
    number_word,
)
from .tool_offers import COUNTS, LIMIT, SMALL, Shown, distractors, finish, offer, size
from .tool_results import case, done, draw, failure, phrase_of, put, show, spoken_arguments

Item = dict[str, Any]
Message = dict[str, Any]
MIX = {"session": 0.46, "call": 0.20, "result": 0.10, "words": 0.14, "ask": 0.10}
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
)
JOINS = (
    "{a} {b}",
    "{a} Also: {b}",
    "{a} And another thing: {b}",
    "{a} Oh, and {b}",
    "1. {a} 2. {b}",
    "{a} Besides, {b}",
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
# Tools and groups whose work the assistant could do in words: it never denies that.
IN_WORDS = {"text", "fun", "search", "numbers", "find_substitute", "wine_pairing", "find_recipes", "get_recipe"}
IN_WORDS |= {"list_sights", "plant_care", "get_lyrics", "quiz_question", "check_visa", "artwork_info", "convert_time"}
IN_WORDS |= {"get_nutrition", "medicine_info", "public_holidays", "tax_rate", "days_between", "search_books"}
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


def user(text: str) -> Message:
    """A message of the user."""
    return {"role": "user", "content": text}


def say(text: str) -> Message:
    """The assistant's words."""
    return {"role": "assistant", "content": text}


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


def some_tool(rng: random.Random) -> Tool:
    """Any tool of the catalogue; groups count alike in half of the draws, so that small ones are seen."""
    if rng.random() < 0.5:
        return rng.choice(list(CATALOGUE.values()))
    return rng.choice(rng.choice(list(GROUPS.values())))


def one_call(rng: random.Random) -> Item:
    """A request and the call that answers it."""
    tool, values = some_tool(rng), Values(rng)
    text, given, alone = request(rng, values, tool)
    main, shown = offer(rng, [tool], distractors(rng, [tool], _count(rng) - 1, apart=alone))
    messages = [*_before(rng), user(voice(rng, text, said(given))), call((main[0], given))]
    return item(rng, messages, shown, main)


def _count(rng: random.Random) -> int:
    chance = rng.random()
    return 16 if chance < 0.008 else rng.randint(6, 12) if chance < 0.04 else rng.choice(COUNTS)


def _before(rng: random.Random) -> list[Message]:
    if rng.random() > 0.05:
        return []
    pair = rng.choice([i for i in HAND if i.get("kind") == "chat" and not i["avoid"]])["messages"]
    return copy.deepcopy(pair)


def two_calls(rng: random.Random) -> Item:
    """A request for two things and both calls in one message."""
    values, kind = Values(rng), rng.random()
    if kind < 0.4:
        tool = rng.choice([t for t in CATALOGUE.values() if t.pairs])
        filled = fill(values, tool, rng.choice(tool.pairs))
        tools, text, given = [tool], filled.text, filled.calls
    else:
        first = some_tool(rng)
        if kind < 0.5:
            second = first if first.required else rng.choice([t for t in CATALOGUE.values() if t.required])
        else:
            second = distractors(rng, [first], 1)[0]
        tools = [first] if second is first else [first, second]
        text, given = _joined(rng, values, first, second)
    main, shown = offer(rng, tools, distractors(rng, tools, rng.choice((0, 0, 1, 1, 2, 3))))
    calls = [(main[0], given[0]), (main[-1], given[1])]
    return item(rng, [user(voice(rng, text, said(*given))), call(*calls)], shown, main)


def _joined(rng: random.Random, values: Values, first: Tool, second: Tool) -> tuple[str, list[dict[str, Any]]]:
    phrases = rng.random() < 0.55
    a, b = (
        fill(values, t, rng.choice(t.phrases if phrases or not t.requests else t.requests)) for t in (first, second)
    )
    if a.calls == b.calls and first is second:
        return _joined(rng, Values(rng), first, second)
    if phrases:
        text = rng.choice(DOUBLE).format(a=a.text, b=b.text, A=a.text[0].upper() + a.text[1:])
        return re.sub(r'([.!?]"?)\.', r"\1", text), [a.calls[0], b.calls[0]]
    join = rng.choice(JOINS)
    other = b.text if join in ("{a} {b}", "1. {a} 2. {b}") else lower(b.text, said(b.calls[0]))
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
    if chance < 0.2:
        return two_calls(rng)
    if chance < 0.26:
        return follow_up(rng)
    if chance < 0.31:
        return chain(rng)
    if chance < 0.35:
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
        tool = rng.choice([t for t in CATALOGUE.values() if t.questions])
        text, given, data, answer = case(values, tool)
    elif chance < 0.78:
        tool = rng.choice([t for t in CATALOGUE.values() if t.actions])
        text, given, _ = request(rng, values, tool)
        data, answer = done(values, tool, given)
    else:
        tool = rng.choice(list(CATALOGUE.values()))
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
        tool = rng.choice(GROUPS[group])
        if group not in avoid and tool not in tools and (count < 7 or tool in SMALL):
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
    avoid = [tool.group, "search", *RELATED[tool.group].split()]
    shown = offered(rng, avoid, [])
    frame = rng.choice(UNCOVERED)
    if len(shown) > 3 and "{able}" in frame:
        frame = UNCOVERED[0]
    able = listing([ability(s.tool) for s in shown])
    answer = frame.format(vp=phrase_of(values, tool, given).rstrip("."), able=able)
    return item(rng, [user(voice(rng, text, said(given))), say(answer)], shown, shown)


def ability_words(rng: random.Random) -> Item:
    """A question about what the assistant can do: the offered tools in words."""
    tools = rng.sample(list(CATALOGUE.values()), rng.choice((1, 2, 2, 3, 3, 4)))
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
    tool = rng.choice([t for t in CATALOGUE.values() if t.fields and len(t.questions) > 1])
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
    if chance < 0.54:
        return pair_words(rng)
    if chance < 0.68:
        return fact_words(rng)
    if chance < 0.83:
        return missing_words(rng)
    if chance < 0.89:
        return ability_words(rng)
    if chance < 0.92:
        return hand(rng, "hand_words")
    return after_words(rng)


def ask(rng: random.Random) -> Item:
    """A request without a needed argument: a question back; in half of the items the reply and the call follow."""
    tool = rng.choice([t for t in CATALOGUE.values() if t.asks])
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
    """Two to four requests to the same tools: calls with results and answers, plain words, at the end perhaps a question
    back."""
    wanted = [t for t in CATALOGUE.values() if t.questions]
    tools: list[Tool] = []
    while len(tools) < rng.choice((1, 2, 2, 3)):
        tool = rng.choice(wanted)
        if tool not in tools:
            tools.append(tool)
    main, shown = offer(rng, tools, distractors(rng, tools, rng.choice((0, 1, 1, 2, 3))))
    groups = {s.tool.group for s in shown}
    messages: list[Message] = []
    calls = 0
    for turn in range(rng.choice((2, 3, 3, 4))):
        if rng.random() < 0.3:
            messages += _plain_turn(rng, groups)
            continue
        one = main[turn % len(main)]
        text, given, data, answer = case(Values(rng), one.tool)
        calls += 1
        made = call((one, given), first=calls)
        messages += [user(voice(rng, text, said(given))), made, result(data, calls), say(answer)]
    asking = [one for one in main if one.tool.asks]
    if asking and rng.random() < 0.35:
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
    for group, tools in GROUPS.items():
        assert sum(len(t.phrases) + len(t.requests) for t in tools) >= 8, group
        assert group in RELATED, group
    for one in HAND:
        assert set(one.get("avoid", [])) | set(one.get("near", [])) <= set(GROUPS), one
    check([one for one in HAND if "tools" in one])
    for table in FACTS:
        assert set(table["avoid"]) | set(table["near"]) <= set(GROUPS), table["avoid"]
        assert all(len(pair) == 2 for pair in table["pairs"]), table["pairs"]
