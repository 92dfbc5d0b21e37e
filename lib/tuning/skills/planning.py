"""Plans of tool steps, and plans mended after a failed step.

The little worlds (tools, goals, steps, failures) are written by hand in ../written/plan_worlds.txt, plain chains in
../written/plan_chains.txt:

    == name of the world
    t key: name, name = description / description       a tool, under several names and descriptions
    a key: name, name = description [= task]            a substitute for that tool, for mending
    s slot: value / value                               words to fill into goals and tasks
    g request / ~request that must not be wrapped       a goal, in several wordings
    1 key: task    3 key 1 2: task                      its steps; the numbers are the steps that they need
    - key key                                           tools not to be offered for this goal (they might fit)
    ! 3 error / error > key: task ; key 1: task ; =4    step 3 fails; the new plan, "=4" keeps the old step 4
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import kit_words

WRITTEN = Path(__file__).parent.parent / "written"

NAMES = [
    "Amara",
    "Tomasz",
    "Noor",
    "Elif",
    "Joaquín",
    "Priya",
    "Ole",
    "Ines",
    "Kwame",
    "Hana",
    "Lucas",
    "Zanele",
    "Mateo",
    "Ingrid",
    "Yusuf",
    "Chloé",
    "Dmitri",
    "Aoife",
    "Minh",
    "Rosa",
    "Farid",
    "Sunniva",
    "Kofi",
    "Leila",
    "Pavel",
    "Thandi",
    "Marco",
    "Yuki",
    "Esther",
    "Bao",
]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

# Tools that no goal needs: (name, description).
STRANGE = [
    tuple(line.split(" = "))
    for line in """
tune_guitar = listens to a guitar and tells which string is off
morse_code = turns letters into Morse code
horoscope = reads the horoscope of a star sign
roll_dice = rolls a number of dice
tell_joke = tells a joke
chess_move = suggests the next move in a chess game
crossword = solves a line of a crossword puzzle
name_baby = suggests first names for a baby
read_palm = reads the lines of a hand
moon_phase = tells the phase of the moon
lottery_numbers = draws six lottery numbers
random_colour = picks a colour at random
rhyme = finds rhymes for a word
spell_backwards = writes a word backwards
knit_pattern = makes a knitting pattern for socks
bird_call = plays the call of a bird
coin_toss = tosses a coin
roman_numerals = writes a number in Roman numerals
tongue_twister = gives a tongue twister
sudoku = solves a sudoku
guess_age = guesses the age of a tree
tide_table = tells high and low water at a harbour
whale_song = plays the song of a whale
stamp_value = estimates the value of an old stamp
shoe_size = changes European shoe sizes into American ones
dog_years = turns the age of a dog into human years
flag_quiz = shows a flag and asks for the country
metronome = beats time at a given speed
dream_meaning = explains a dream
make_anagram = makes anagrams of a word
karaoke = plays a song without the voice
count_sheep = counts sheep until somebody sleeps
pizza_toppings = suggests toppings for a pizza
tie_knot = shows how to tie a knot
fortune_cookie = writes a line for a fortune cookie
bowling_score = adds up a game of bowling
planet_weight = tells what you would weigh on another planet
snail_race = lets three snails run a race
beard_trimmer = sets the length of a beard trimmer
yodel = plays a yodel
ping_pong = serves a ball to a robot player
paper_plane = explains how to fold a paper plane
screen_saver = shows a fish tank on the screen
haiku = writes a haiku about a season
barometer_club = lists the members of the barometer club
magic_trick = explains a card trick
elevator_music = plays soft music in the lift
bubble_level = shows whether a table stands level
egg_timer = rings after four minutes
name_that_tune = names a song from a hummed tune
""".strip().splitlines()
]

SHAPE = '{"steps": [{"tool": "...", "task": "...", "needs": [...]}]}'

SYSTEMS = [
    "You are a planner. Answer with JSON only.",
    "You plan the work of an agent. Reply with one JSON object.",
    "You make plans out of tools.",
    f"Make a plan. Answer in JSON: {SHAPE}",
    "You are a helpful assistant who writes plans as JSON.",
    "Plan first, act later. You only write the plan, as JSON.",
    f"You turn a goal into steps. Format: {SHAPE}. needs = numbers of the earlier steps whose results a step uses.",
    "You are the planning part of an assistant. Use only the tools that are listed.",
    "Break the user's goal into tool steps. Leave out tools that are not needed.",
    "You are an agent that thinks ahead. Output: a JSON plan.",
]

GOAL_INTROS = [
    "Goal: {g}",
    "My goal: {g}",
    "Task: {g}",
    "{g}",
    "{g}",
    "{g}",
    "The goal is this: {g}",
    "What I want: {g}",
    "The user says: {g}",
    'A user asks: "{g}"',
    "Here is the job. {g}",
    "GOAL\n{g}",
    "To do: {g}",
    "Hello! {g}",
    "I need some help with planning. {g}",
    "The request: {g}",
]

WRAPS = [
    "Please {g}",
    "Could you {q}?",
    "Can you {q}?",
    "I would like you to {g}",
    "I need you to {g}",
    "Your job: {g}",
    "It is time to {g}",
    "We have to {g}",
    "Help me to {g}",
    "Today we want to {g}",
    "I'd like to {g}",
    "Would you {q}, please?",
    "The plan should do this: {g}",
]

TOOL_INTROS = [
    "Tools:",
    "You have these tools:",
    "Available tools:",
    "You may use:",
    "The tools on offer are:",
    "Tools you can use:",
    "These tools exist:",
    "TOOLS",
    "Offered tools:",
    "What you can use:",
    "There are these tools:",
    "Choose from these tools:",
]

ASKS = [
    f"Answer with JSON: {SHAPE}",
    f"Give me a plan as JSON like {SHAPE}.",
    "Write the plan as JSON with a list of steps. Each step has tool, task and needs (numbers of earlier steps).",
    "Make a plan in JSON (steps with tool, task, needs).",
    "Plan it. Each step: tool, task, needs.",
    'Return {"steps": [...]}, each step with "tool", "task" and "needs", the earlier steps whose result it uses.',
    "Which tools in which order? JSON with steps, please.",
    "Give the steps as JSON. Don't use tools that are not needed.",
    f"Reply only with a plan: {SHAPE}. Steps count from 1.",
    "Now make the plan. JSON, no other text.",
    "Plan the steps (2 to 6) as a JSON object. In needs, list the steps whose results are used.",
    "What are the steps? Reply in JSON: tool, task, needs for each.",
    'Plan as JSON object with the key "steps".',
    f"Format of the answer: {SHAPE} where needs holds step numbers, [] if none.",
    "JSON plan please",
]

RETRY_ERRORS = [
    "timeout after 30 seconds, please try again",
    "503: service busy, try again in a minute",
    "connection lost, retry",
    "too many requests, wait 10 seconds and try again",
    "temporary error, please repeat the call",
    "the network was down for a moment; it is back now",
]

DOWN_ERRORS = [
    "{tool} is not available",
    "{tool} is switched off until next week",
    "{tool} does not respond",
    "access denied: no licence for {tool}",
    "401: {tool} refuses the key",
    "{tool} no longer exists",
    "error 500 in {tool}, our engineers are informed",
    "{tool} is out of order",
    "you have no right to use {tool}",
    "{tool} is down for maintenance all day",
]

FAILS = [
    "Step {k} failed: {e}",
    "Step {k} did not work. Error: {e}",
    "Step {k} ({tool}) ended with an error: {e}",
    'Then step {k} failed with "{e}".',
    "At step {k} we got: {e}",
    "The tool {tool} (step {k}) answered: {e}",
    "Failed step: {k}\nError: {e}",
    "Problem in step {k}: {e}",
    "Sorry, step {k} went wrong: {e}",
]

REPLANS = [
    "Write a new JSON plan of the remaining steps that goes around the problem.",
    "Make a new plan for the rest, as JSON. Number the steps from 1 again.",
    "Replan: only what is still to do, in the same JSON form.",
    "Give me the steps that remain now, as JSON. What is done need not be done again.",
    f"Mend the plan. Answer: {SHAPE} with the remaining steps only.",
    "What should be done instead? New plan for the remaining steps, JSON.",
    "Please plan the rest again so that it works. JSON (tool, task, needs), counted from 1.",
    "Find another way and return the remaining steps as JSON.",
    "How do we go on? Reply with the new plan in JSON, finished steps left out.",
    "New plan please, same format, starting from where we are.",
]


@dataclass
class Goal:
    """A goal of a world: its wordings, its steps (tool key, needs, task), and what may fail."""

    asks: list[str]
    steps: list[tuple[str, list[int], str]] = field(default_factory=list)
    avoid: set[str] = field(default_factory=set)
    fails: list[tuple[int, list[str], list[str]]] = field(default_factory=list)


@dataclass
class World:
    """A little world: tools by key as (names, descriptions), substitutes, slots and goals."""

    name: str
    tools: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    others: dict[str, tuple[list[str], list[str], str]] = field(default_factory=dict)
    slots: dict[str, list[str]] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)


STEP = re.compile(r"(\w+)((?: \d+)*): (.+)")


def parse_step(text: str) -> tuple[str, list[int], str]:
    """'key 1 2: task' as (key, [1, 2], task)."""
    found = STEP.fullmatch(text.strip())
    assert found, text
    return found[1], [int(number) for number in found[2].split()], found[3]


def parse_worlds(text: str) -> list[World]:
    """The worlds of a text in the form that the module's docstring shows."""
    worlds: list[World] = []
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "==":
            worlds.append(World(rest))
        elif kind in ("t", "a"):
            key, _, tool = rest.partition(": ")
            names, descriptions, *task = tool.split(" = ")
            pair = names.split(", "), descriptions.split(" / ")
            if kind == "t":
                worlds[-1].tools[key] = pair
            else:
                worlds[-1].others[key] = (*pair, task[0] if task else "")
        elif kind == "s":
            key, _, values = rest.partition(": ")
            worlds[-1].slots[key] = values.split(" / ")
        elif kind == "g":
            worlds[-1].goals.append(Goal(rest.split(" / ")))
        elif kind == "-":
            worlds[-1].goals[-1].avoid |= set(rest.split())
        elif kind == "!":
            head, _, plan = rest.partition(" > ")
            step, _, errors = head.partition(" ")
            worlds[-1].goals[-1].fails.append((int(step), errors.split(" / "), plan.split(" ; ")))
        elif kind.isdigit():
            worlds[-1].goals[-1].steps.append(parse_step(rest))
        else:
            assert not line.strip(), line
    return worlds


WORLDS = parse_worlds((WRITTEN / "plan_worlds.txt").read_text(encoding="utf-8"))


def fill(rng: random.Random, world: World) -> dict[str, str]:
    """A value for each slot."""
    values = {
        "name": rng.choice(NAMES),
        "month": rng.choice(MONTHS),
        "weekday": rng.choice(WEEKDAYS),
        "time": rng.choice(["7:30", "6 pm", "19:00", "noon", "8 o'clock", "half past five", "9:15", "20:30"]),
    }
    date = f"{rng.randint(1, 28)} {rng.choice(MONTHS)}"
    values["day"] = rng.choice([date, date, rng.choice(WEEKDAYS), f"{rng.choice(WEEKDAYS)}, {date}"])
    return values | {slot: put(rng.choice(options), values) for slot, options in world.slots.items()}


def put(text: str, values: dict[str, str]) -> str:
    """The text with its slots filled, and "an" before a vowel of a month."""
    return re.sub(r"\b([Aa]) (?=April|August|October)", r"\1n ", text.format(**values))


def upper(text: str) -> str:
    """The text with a capital first letter, unless it begins with the name of a file or machine."""
    return text if re.match(r"\w+[._-]\w*(\d|csv)", text) else text[:1].upper() + text[1:]


def lower(text: str) -> str:
    """The text with a small first letter."""
    return text[:1].lower() + text[1:]


def restyle(name: str, style: str) -> str:
    """A snake_case name in another style of naming."""
    words = name.split("_")
    if style == "camel":
        return words[0] + "".join(upper(word) for word in words[1:])
    if style == "pascal":
        return "".join(upper(word) for word in words)
    return {"snake": "_", "kebab": "-", "words": " "}[style].join(words)


def tool_lines(rng: random.Random, tools: list[tuple[str, str]]) -> str:
    """The offered tools as text, in one of many layouts."""
    intro = rng.choice(TOOL_INTROS)
    layout = rng.randrange(10)
    if layout == 0:
        return intro + " " + ", ".join(f"{name} ({what})" for name, what in tools)
    if layout == 1:
        return intro + " " + "; ".join(f"{name}: {what}" for name, what in tools) + "."
    frames = [
        "- {n}: {d}",
        "- {n}: {d}",
        "{n}: {d}",
        "{n}: {d}",
        "{i}. {n}: {d}",
        "{n} ({d})",
        "* {n} - {d}",
        "`{n}`: {d}",
    ]
    frame = frames[layout - 2]
    return "\n".join([intro] + [frame.format(n=n, d=d, i=i) for i, (n, d) in enumerate(tools, 1)])


def offer(
    rng: random.Random, world: World, used: set[str], avoid: set[str], extra: str = ""
) -> dict[str, tuple[str, str]]:
    """The offered tools as key -> (name, description): the used ones, others of the world, strange ones; 3 to 7."""
    style = rng.choices(["snake", "camel", "kebab", "pascal", "words"], [60, 14, 10, 6, 10])[0]
    tools = {}
    for key in sorted(used):
        names, descriptions = world.tools[key]
        tools[key] = (rng.choice(names), rng.choice(descriptions))
    if extra:
        names, descriptions, _ = world.others[extra]
        tools["other"] = (rng.choice(names), rng.choice(descriptions))
    spare = [key for key in world.tools if key not in used | avoid]
    rng.shuffle(spare)
    size = min(7, max(3, len(tools) + rng.choice([0, 1, 1, 2, 2, 3])))
    for key in spare[: rng.choice([1, 2, 3])]:
        if len(tools) < size:
            names, descriptions = world.tools[key]
            tools[key] = (rng.choice(names), rng.choice(descriptions))
    for name, what in rng.sample(STRANGE, 3):
        if len(tools) < size:
            tools[name] = (name, what)
    return {
        key: (restyle(name, style), upper(what) if style == "words" else what) for key, (name, what) in tools.items()
    }


def plan_of(
    steps: list[tuple[str, list[int], str]], tools: dict[str, tuple[str, str]], values: dict[str, str]
) -> dict[str, Any]:
    """The steps as a plan with the offered names."""
    return {
        "steps": [
            {"tool": tools[key][0], "task": upper(put(task, values)), "needs": needs} for key, needs, task in steps
        ]
    }


def wording(rng: random.Random, goal: Goal, values: dict[str, str]) -> str:
    """One of the goal's requests: introduced ("Task: …"), or, an imperative one, wrapped ("Could you …?")."""
    ask = rng.choice(goal.asks)
    said = upper(put(ask.removeprefix("~"), values))
    if rng.random() < 0.03:
        said = slip(rng, said)
    wraps = not ask.startswith(("~", "{")) and ". " not in said and not said.endswith("?")
    if wraps and rng.random() < 0.5:
        small = lower(said)
        return rng.choice(WRAPS).format(g=small, q=small.rstrip("."))
    return rng.choice(GOAL_INTROS).format(g=said)


# The later action often stands first; the order follows from what a step needs.
ORDERED = [
    "{last}, but first {firsts}.",
    "{last}. Before that, {firsts}.",
    "{last}. For that you first have to {firsts}.",
    "{last}. That is the last step; {firsts} first.",
    "Before you {last}, {firsts}.",
    "I want you to {last}, and to do so you have to {firsts}.",
    "First {firsts}, then {last}.",
    "{firsts}. After that {last}.",
    "{firsts}; in the end {last}.",
    "Start like this: {firsts}. Finish like this: {last}.",
]
DONE = [
    "{last} after {done}.",
    "{last} once {done}.",
    "{last} as soon as {done}.",
    "{last}, but only when {done}.",
    "Do not {last} until {done}.",
    "When {done}, {last}.",
    "After {done}, {last}.",
    "As soon as {done}, {last}.",
    "{last}. It can only be done when {done}.",
    "Make sure that {done} before you {last}.",
]


def joined(parts: list[str]) -> str:
    """The parts as one enumeration."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]


def ordered(rng: random.Random, tasks: list[str], done: list[str] | None = None) -> str:
    """A request that names every task, often the last one first."""
    frame = rng.choice(DONE if done and rng.random() < 0.6 else ORDERED)
    told = joined(done[:-1]) if done else ""
    return upper(frame.format(last=tasks[-1], firsts=joined(tasks[:-1]), done=told).replace("..", "."))


@dataclass
class Chain:
    """Steps of which each needs the one before: (tool, description, task, how it is said when done)."""

    things: list[str]
    steps: list[list[str]]


def read_chains() -> list[Chain]:
    """The chains of ../written/plan_chains.txt: a line of things and a line for each step, divided by " = "."""
    blocks = (WRITTEN / "plan_chains.txt").read_text(encoding="utf-8").strip().split("\n\n")
    rows = [block.splitlines() for block in blocks]
    return [
        Chain(head.removeprefix("{x}: ").split(" / "), [row.split(" = ") for row in steps]) for head, *steps in rows
    ]


CHAINS = read_chains()


def chain_item(rng: random.Random) -> dict[str, Any]:
    """A part of a chain as a plan; the other tools are of other chains."""
    chain = rng.choice(CHAINS)
    first = rng.randrange(len(chain.steps) - 1)
    last = rng.randrange(first + 1, len(chain.steps))
    thing = rng.choice(chain.things)
    steps = [[part.replace("{x}", thing) for part in step] for step in chain.steps[first : last + 1]]
    style = rng.choices(["snake", "camel", "kebab", "words"], [70, 12, 8, 10])[0]
    others = [rng.choice(other.steps) for other in rng.sample([c for c in CHAINS if c is not chain], 4)]
    listed = [(restyle(step[0], style), step[1]) for step in [*steps, *others[: rng.choice([1, 2, 2, 3, 4])]]][:7]
    plan = {
        "steps": [
            {"tool": restyle(name, style), "task": upper(task), "needs": [i] if i else []}
            for i, (name, _, task, _) in enumerate(steps)
        ]
    }
    rng.shuffle(listed)
    goal = upper(steps[-1][2]) + "." if rng.random() < 0.15 else ordered(rng, *([s[k] for s in steps] for k in (2, 3)))
    asked = rng.choice(GOAL_INTROS).format(g=goal)
    return asked_plan(rng, asked, listed, plan)


def asked_plan(rng: random.Random, asked: str, listed: list[tuple[str, str]], plan: dict[str, Any]) -> dict[str, Any]:
    """The item of a request with its tools and its plan, half of them in the kit's words."""
    check_plan(plan, [name for name, _ in listed])
    if kit_words.used(rng):
        messages = [*kit_words.ask(kit_words.PLAN, task=asked, tools=kit_lines(listed)), said(plan)]
        return {"skill": "plan", "messages": messages}
    return {"skill": "plan", "messages": pack(rng, request(rng, asked, listed), dumps(plan))}


def slip(rng: random.Random, text: str) -> str:
    """The text with one typing slip: two letters of a word swapped."""
    places = [m.start() + 1 for m in re.finditer(r"(?<![\w'])[a-z]{6,}", text)]
    if not places:
        return text
    at = rng.choice(places)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def pack(
    rng: random.Random, said: str, answer: str, before: list[dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """The messages of an item, sometimes with a system message."""
    plain = "plan" not in said.lower() and "steps" not in said and not before
    system = [{"role": "system", "content": rng.choice(SYSTEMS)}] if plain or rng.random() < 0.3 else []
    return [*system, *(before or []), {"role": "user", "content": said}, {"role": "assistant", "content": answer}]


def plan_item(rng: random.Random, world: World | None = None, goal: Goal | None = None) -> dict[str, Any]:
    """A goal and tools -> a plan."""
    world = world or rng.choice(WORLDS)
    goal = goal or rng.choice(world.goals)
    values = fill(rng, world)
    tools = offer(rng, world, {key for key, _, _ in goal.steps}, goal.avoid)
    listed = list(tools.values())
    rng.shuffle(listed)
    tasks = [lower(put(task, values)) for _, _, task in goal.steps]
    plan = plan_of(goal.steps, tools, values)
    asked = wording(rng, goal, values)
    if rng.random() < 0.3 and max(map(len, tasks)) < 90:
        asked = rng.choice(GOAL_INTROS).format(g=ordered(rng, tasks))
    return asked_plan(rng, asked, listed, plan)


def kit_lines(listed: list[tuple[str, str]]) -> str:
    """The offered tools as the library lists them."""
    return "\n".join(kit_words.fill(kit_words.TOOL, name=name, description=what) for name, what in listed)


def said(plan: dict[str, Any]) -> dict[str, str]:
    """The message with a plan."""
    return {"role": "assistant", "content": dumps(plan)}


def request(rng: random.Random, goal: str, listed: list[tuple[str, str]]) -> str:
    """The user's message: goal, tools, form of the answer, in varied order."""
    parts = [goal, tool_lines(rng, listed)]
    if rng.random() < 0.35:
        parts.reverse()
    if rng.random() < 0.9:
        parts.insert(rng.choice([0, 2, 2, 2, 2]), rng.choice(ASKS))
    return rng.choice(["\n", "\n", "\n\n"]).join(parts)


def renumber(steps: list[tuple[str, list[int], str]], failed: int, new: list[str]) -> list[tuple[str, list[int], str]]:
    """The new plan's steps: written ones as they are; kept ones ("=4") with needs in the new numbering."""
    place: dict[int, int] = {}
    plan: list[tuple[str, list[int], str]] = []
    for text in new:
        if text.startswith("="):
            old = int(text[1:])
            key, needs, task = steps[old - 1]
            place[old] = len(plan) + 1
            # What replaced the failed step replaces also the later steps that were left out.
            where = {place.get(n, place.get(failed, 0) if n > failed else 0) for n in needs}
            plan.append((key, sorted(where - {0}), task))
        else:
            plan.append(parse_step(text))
            place[failed] = len(plan)
    return plan


def replan_item(rng: random.Random) -> dict[str, Any]:
    """A plan, its failed step and the error -> a plan of what remains."""
    while True:
        world = rng.choice(WORLDS)
        goal = rng.choice(world.goals)
        kind = rng.choices(["written", "other", "retry"], [45, 40, 15])[0]
        swaps = [i for i, (key, _, _) in enumerate(goal.steps, 1) if key in world.others]
        if (kind == "written" and goal.fails) or (kind == "other" and swaps) or kind == "retry":
            break
    values = fill(rng, world)
    steps, extra = list(goal.steps), ""
    if kind == "written":
        failed, errors, texts = rng.choice(goal.fails)
        new = renumber(steps, failed, texts)
        error = rng.choice(errors)
    else:
        failed = rng.choice(swaps) if kind == "other" else rng.randint(1, len(steps))
        new = renumber(steps, failed, [f"={k}" for k in range(failed, len(steps) + 1)])
        error = rng.choice(RETRY_ERRORS)
        if kind == "other":
            extra = steps[failed - 1][0]
            new[0] = ("other", new[0][1], world.others[extra][2] or new[0][2])
            error = rng.choice(DOWN_ERRORS)
    used = {key for key, _, _ in [*steps, *new]} - {"other"}
    tools = offer(rng, world, used, goal.avoid, extra)
    failed_tool = tools[steps[failed - 1][0]][0]
    error = error.format(tool=failed_tool, **values)
    old, answer = plan_of(steps, tools, values), plan_of(new, tools, values)
    listed = list(tools.values())
    rng.shuffle(listed)
    check_plan(old, [name for name, _ in listed])
    check_plan(answer, [name for name, _ in listed], least=1)
    asked = wording(rng, goal, values)
    if kit_words.used(rng):
        told = "; ".join(f"{step['task']}: done" for step in old["steps"][: failed - 1]) or "nothing"
        now = {"number": failed, "tool": failed_tool, "error": error, "done": told, "tools": kit_lines(listed)}
        return {"skill": "replan", "messages": [*kit_words.ask(kit_words.REPLAN, task=asked, **now), said(answer)]}
    fail = rng.choice(FAILS).format(k=failed, e=error, tool=failed_tool)
    done = done_line(rng, failed)
    after = "\n".join(filter(None, [done, fail, rng.choice(REPLANS)]))
    if rng.random() < 0.4:
        before = [
            {"role": "user", "content": request(rng, asked, listed)},
            {"role": "assistant", "content": dumps(old)},
        ]
        return {"skill": "replan", "messages": pack(rng, after, dumps(answer), before)}
    parts = [asked, tool_lines(rng, listed), rng.choice(PLAN_INTROS) + show_plan(rng, old)]
    return {"skill": "replan", "messages": pack(rng, "\n".join([*parts, after]), dumps(answer))}


PLAN_INTROS = ["Plan: ", "The plan was: ", "Our plan:\n", "This was the plan:\n", "Plan so far:\n", "Old plan: "]


def done_line(rng: random.Random, failed: int) -> str:
    """A line that says which steps are done; sometimes none."""
    if failed == 1 or rng.random() < 0.4:
        return ""
    if failed == 2:
        return rng.choice(["Step 1 is done.", "Step 1 worked.", "Done: 1."])
    listed = ", ".join(map(str, range(1, failed)))
    return rng.choice(
        [
            f"Steps 1 to {failed - 1} are done.",
            f"Done so far: {listed}.",
            "The steps before worked.",
            f"Finished: {listed}.",
        ]
    )


def show_plan(rng: random.Random, plan: dict[str, Any]) -> str:
    """An old plan as JSON, or as lines."""
    if rng.random() < 0.5:
        return dumps(plan)
    dash = rng.choice([": ", " - ", ", "])
    lines = []
    for i, step in enumerate(plan["steps"], 1):
        uses = f" (needs {', '.join(map(str, step['needs']))})" if step["needs"] else ""
        lines.append(f"{i}. {step['tool']}{dash}{step['task']}{uses}")
    return "\n".join(["", *lines]).lstrip("\n") if rng.random() < 0.2 else "\n" + "\n".join(lines)


def dumps(plan: dict[str, Any]) -> str:
    """The plan as JSON in one line."""
    return json.dumps(plan, ensure_ascii=False)


def check_plan(plan: dict[str, Any], offered: list[str], least: int = 2) -> None:
    """Assert what every plan must keep: 2 to 6 steps, offered tools, needs that point back."""
    assert len(set(offered)) == len(offered), offered
    assert 3 <= len(offered) <= 7, offered
    assert set(plan) == {"steps"}
    assert least <= len(plan["steps"]) <= 6, plan
    for number, step in enumerate(plan["steps"], 1):
        assert list(step) == ["tool", "task", "needs"]
        assert step["tool"] in offered, (step, offered)
        assert step["task"]
        assert "{" not in step["task"], step
        assert step["needs"] == sorted(set(step["needs"])), step
        assert all(1 <= need < number for need in step["needs"]), plan


def written() -> list[dict[str, Any]]:
    """The items written by hand."""
    lines = (WRITTEN / "planning.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def items(rng: random.Random, n: int) -> list[dict[str, Any]]:
    """n items, 80 % plans and 20 % mended plans; at most half of them from the written ones, each once."""
    found: list[dict[str, Any]] = []
    for skill, count in [("plan", n - n // 5), ("replan", n // 5)]:
        own = [item for item in written() if item["skill"] == skill]
        found += rng.sample(own, min(len(own), count // 2))
    plans = sum(item["skill"] == "plan" for item in found)
    goals: list[tuple[World, Goal]] = []
    for _ in range(n - n // 5 - plans):
        if rng.random() < 0.45:
            found.append(chain_item(rng))
            continue
        goals = goals or rng.sample(EVERY_GOAL, len(EVERY_GOAL))  # each goal once before any goal twice
        found.append(plan_item(rng, *goals.pop()))
    found += [replan_item(rng) for _ in range(n - len(found))]
    rng.shuffle(found)
    return found


EVERY_GOAL = [(world, goal) for world in WORLDS for goal in world.goals]


def check() -> None:
    """Check every goal and every failure of every world, and the written items."""
    rng = random.Random(0)
    assert len(WORLDS) >= 60
    for world in WORLDS:
        values = fill(rng, world)
        for key in world.others:
            assert key in world.tools, (world.name, key)
        for goal in world.goals:
            assert goal.avoid <= set(world.tools), (world.name, goal.avoid)
            plans = [goal.steps, *(renumber(goal.steps, failed, new) for failed, _, new in goal.fails)]
            for steps in plans:
                tools = {key: (key, "") for key in world.tools}
                check_plan(plan_of(steps, tools, values), list(tools), least=1)
            for ask in goal.asks:
                put(ask, values)
    for chain in CHAINS:
        assert len(chain.steps) >= 2
        assert all(len(step) == 4 and "{x}" in step[2] + step[3] for step in chain.steps), chain
    for item in written():
        plan = json.loads(item["messages"][-1]["content"])
        seen = "\n".join(message["content"] for message in item["messages"][:-1])
        tools = [step["tool"] for step in plan["steps"]]
        assert all(tool in seen for tool in tools), item
        check_plan(plan, list(dict.fromkeys(tools)) + [f"other {i}" for i in range(3 - len(set(tools)))], least=1)
