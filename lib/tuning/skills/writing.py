"""Outlines, sections from facts, posts within a limit, and edits that follow one instruction.

The hand-written items are in ../written/writing.jsonl ("parts" there lets a request be worded again). What a program
can do without mistakes is built from two banks: ../written/things.txt (kinds of things with attributes: values, notes,
sentences, headings) and ../written/toggles.txt (texts with alternatives: tense, he and she, short forms …).
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import kit_words

WRITTEN = Path(__file__).parent.parent / "written"

# ------------------------------------------------------------------------------------------------- wordings

SYSTEMS = {
    "outline": [
        "You plan texts.",
        "You are a writer. First you make an outline.",
        "You make outlines of three to five points.",
        "You are a helpful assistant.",
        "You are the editor of a small magazine.",
    ],
    "section": [
        "You write short texts out of facts. Add nothing.",
        "Use all the facts that you are given and no others.",
        "You are a writer for a town newspaper.",
        "You are a careful writer: every fact goes in, nothing is invented.",
        "You are a helpful assistant.",
        "You write in plain English, two to four sentences.",
    ],
    "post": [
        "You write posts for social media.",
        "You shorten texts and keep the limit.",
        "You look after the feed of a town. Posts are short.",
        "You are a helpful assistant.",
        "Answer with the post only.",
    ],
    "edit": [
        "You are an editor. Answer with the edited text only.",
        "You edit texts and change nothing but what is asked.",
        "You are a helpful assistant.",
        "Return only the new text.",
        "You correct texts for a newsletter.",
    ],
}

OUTLINES = [
    "Make an outline for {s}.",
    "Outline: {s}",
    "I want to write about {s}. Which points should it have?",
    "Give me an outline for a text about {s}.",
    "Please outline a blog post on {s}.",
    "What would be a good structure for a text on {s}?",
    "Plan the sections of an article: {s}.",
    "Write the outline of a short text. Subject: {s}",
    "I need the points for {s}.",
    "Draft an outline. Topic: {s}.",
    "Could you make an outline about {s} for me?",
    "Subject: {s}\nMake an outline.",
    "Help me to start: points for a text about {s}",
    "We are writing about {s}. Outline please.",
    "Before I write: what are the parts of a text about {s}?",
    "Topic of the week: {s}. List the headings.",
    "outline for {s} pls",
    "Think of headings for {s}.",
    "The text will be about {s}. Make the outline.",
    "List the sections that a page on {s} should have.",
]

LAYOUTS = {
    "json": [
        "Answer with a JSON list.",
        "As a JSON list of strings.",
        "Give {c} points as a JSON array.",
        "JSON list, {c} points, nothing else.",
        "Return a JSON list with {c} short headings.",
        "Only a JSON list of strings, please.",
        'Format: ["...", "..."]',
    ],
    "points": [
        'Answer in JSON: {"points": ["..."]}',
        'Return {"points": [...]} with {c} points.',
        'Reply with a JSON object that has the key "points".',
    ],
    "dash": [
        "One point a line, each with a dash.",
        "{c} lines that start with a dash.",
        "Use a list with dashes.",
        "As a bullet list with {c} points.",
    ],
    "number": [
        "Number the points.",
        "{c} numbered points.",
        "As a numbered list.",
        "Make it {c} points, numbered.",
        "",
    ],
    "lines": [
        "One point a line.",
        "{c} points, each on its own line.",
        "Just lines, no numbers.",
        "{c} lines, no marks in front.",
    ],
}

SECTIONS = [
    'Write the section "{i}" about {n}. Facts: {f}',
    "Write a short section about {n}.\nHeading: {i}\nFacts:\n{f}",
    "Use these facts, and no others, for two to four sentences on {n}.\n{f}",
    "Outline point: {i}\nSubject: {n}\nFacts: {f}\nWrite the section.",
    "Please turn the notes into a short text on {n}.\n{f}",
    "Section on {n}, point: {i}. Notes:\n{f}",
    "{f}\n\nWrite a section about {n} from this. Use everything, add nothing.",
    "We know this about {n}:\n{f}\nPut it into a few sentences.",
    'Text for the point "{i}" ({n}), please. What we know: {f}',
    "Write {c} sentences about {n} with all of these facts: {f}",
    "Write {c} sentences on {n}. Every fact must be in it, nothing else may.\n{f}",
    "The next section is about {n}. The facts are: {f}. Write it.",
    "Write the part on {n}.\n{f}",
    "Facts on {n}: {f}\nMake a paragraph out of them.",
    "Can you write a short paragraph about {n}? Facts: {f}",
    'Heading "{i}". Facts about {n}: {f}. Two to four sentences, only these facts.',
    "notes on {n}: {f}. make full sentences of it please",
    "Draft the section. Subject: {n}. Point: {i}. Facts: {f}",
    "You have these facts about {n}:\n{f}\n\nWrite a section that uses them all.",
    "Write about {n} in plain sentences. Use: {f}",
]

POINTS = [
    'Write the section "{i}". Facts: {f}',
    "Outline point: {i}\nFacts:\n{f}\nWrite the section.",
    "Section: {i}\nNotes: {f}\nFull sentences, please.",
    'Please write the part "{i}" from these facts and no others:\n{f}',
    "{f}\n\nTurn this into the section '{i}'.",
    'I have the heading "{i}" and some facts: {f}. Write the paragraph.',
    "Heading: {i}\nFacts: {f}\nTwo to four sentences. Use every fact, invent nothing.",
    'Text for "{i}". Facts:\n{f}',
    'Write {c} sentences for the section "{i}". Facts: {f}',
    "Point: {i}. What we know: {f}. Write {c} sentences with all of it.",
    'Next section: "{i}"\n{f}\n\nWrite it with these facts only.',
    "Can you write this section for me? Title: {i}. Facts: {f}",
    "Make a short paragraph out of the notes.\nTitle: {i}\n{f}",
    'section "{i}", use all of this: {f}',
    'The outline says "{i}". Facts for it: {f}\nWrite it out.',
    'We need the section "{i}" for our page. Everything in the list must be in it:\n{f}',
]

POSTS = [
    "Make a post out of this text, at most {l}. Keep {k}.\n\n{t}",
    "Turn the text into a post of at most {l} with {k} in it.\n\n{t}",
    "Shorten this for social media: not more than {l}; {k} must stay.\n{t}",
    "Write a post about it (limit: {l}). It has to say {k}.\n\nText: {t}",
    "{t}\n\nMake this a post. Maximum {l}. Don't lose {k}.",
    "{t}\n---\nPlease write a post of up to {l} from this and keep {k}.",
    "We want to post this, but we only have {l}. Important: {k}.\n\n{t}",
    "Post, max. {l}, must contain {k}:\n{t}",
    "Text: {t}\nTask: a post of no more than {l}. Keep {k}.",
    "Can you put this into {l} at most? {K} should be in it.\n\n{t}",
    "For our feed: sum this up in at most {l}. Name {k}.\n{t}",
    "I have this text:\n{t}\nI need a post with at most {l}. {K} must not be missing.",
    "Summarise as a post under {l}, including {k}.\n\n{t}",
    "Limit: {l}\nKeep: {k}\nText: {t}\nPost:",
    "please write a short post ({l} or less) from the text below, with {k}\n\n{t}",
]

EDITS = [
    "{i}\n\n{t}",
    "{i}\n{t}",
    "{i}\nText: {t}",
    "{t}\n\n{i}",
    "Text: {t}\n{i}",
    'Here is a text: "{t}"\n{i}',
    "Edit this text. Instruction: {i}\n\n{t}",
    "Please edit: {t}\n\n{i}",
    "Instruction: {i}\nText: {t}\nEdited text:",
    "{t}\n---\n{i}",
    "I wrote this: {t}\n{i}",
    "One change please. {i}\n\n{t}",
    "{i} The text:\n{t}",
    "Original:\n{t}\n\nWhat to change: {i}",
]


def upper(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def put(frame: str, **values: str) -> str:
    """The frame with {x} replaced, other braces left alone."""
    for key, value in values.items():
        frame = frame.replace("{" + key + "}", value)
    return frame


def item(rng: random.Random, kind: str, said: str, answer: str) -> dict[str, Any]:
    """An item of this kind, sometimes with a system message."""
    system = [{"role": "system", "content": rng.choice(SYSTEMS[kind])}] if rng.random() < 0.25 else []
    messages = [*system, {"role": "user", "content": said}, {"role": "assistant", "content": answer}]
    return {"skill": "writing", "messages": messages}


def plain_item(said: str, answer: str) -> dict[str, Any]:
    """An item in the kit's own words: one message, one reply."""
    messages = [{"role": "user", "content": said}, {"role": "assistant", "content": answer}]
    return {"skill": "writing", "messages": messages}


def word_count(text: str) -> int:
    """Words, counted as a reader counts them: what stands between spaces and is no lone dash."""
    return sum(any(c.isalnum() for c in word) for word in text.split())


SHORT = re.compile(r"\b(Mr|Mrs|Ms|Dr|St)\.")


def sentence_count(text: str) -> int:
    """Sentences: marks . ! ? at the end or before a space, those of "Mr." and the like left out."""
    return len(re.findall(r"[.!?]+[\"'”)]*(?=\s|$)", SHORT.sub(r"\1", text)))


def outline_item(rng: random.Random, subject: str, points: list[tuple[str, bool]]) -> dict[str, Any]:
    """An outline; points are (text, optional), and the number that is asked for leaves optional ones out."""
    must = [text for text, optional in points if not optional]
    count = rng.randint(max(3, len(must)), len(points)) if len(points) > 3 else len(points)
    spare = [text for text, optional in points if optional]
    left_out = set(rng.sample(spare, len(points) - count)) if len(points) > count else set()
    chosen = [text for text, _ in points if text not in left_out]
    layout = rng.choices(["json", "points", "dash", "number", "lines"], [45, 10, 15, 15, 15])[0]
    how = put(rng.choice(LAYOUTS[layout]), c=rng.choice([str(count), NUMBERS[count]]))
    said = put(rng.choice(OUTLINES), s=subject)
    if how and said[-1] not in ".?!:":
        said += rng.choice([".", ",", " -"]) if how[0].islower() else "."
    said = f"{upper(how)} {said}" if how.endswith(".") and rng.random() < 0.15 else f"{said} {upper(how)}".strip()
    return item(rng, "outline", said, lay_out(layout, chosen))


NUMBERS = ["no", "one", "two", "three", "four", "five", "six"]


def lay_out(layout: str, points: list[str]) -> str:
    """The points in the layout that was asked for."""
    if layout == "json":
        return json.dumps(points, ensure_ascii=False)
    if layout == "points":
        return json.dumps({"points": points}, ensure_ascii=False)
    marks = {"dash": "- ", "number": "{}. ", "lines": ""}
    return "\n".join(marks[layout].format(i) + point for i, point in enumerate(points, 1))


def listed(rng: random.Random, facts: list[str]) -> str:
    """The facts as one line or as lines."""
    return rng.choice(["; ".join(facts), "\n".join(facts), "\n".join(f"- {fact}" for fact in facts)])


def section_item(rng: random.Random, subject: str, heading: str, facts: list[str], answer: str) -> dict[str, Any]:
    """A section of two to four sentences out of facts."""
    count = sentence_count(answer)
    if kit_words.used(rng) and subject:
        if heading and rng.random() < 0.6:
            said = kit_words.SECTION(subject, heading, facts)
        elif rng.random() < 0.5:
            said = kit_words.fill(kit_words.NOTE, facts="\n".join(facts))
        else:  # what two colleagues of a team have found
            half = len(facts) // 2
            said = kit_words.fill(
                kit_words.NOTE, facts=f"{subject}: {'; '.join(facts[:half])}\n{'; '.join(facts[half:])}"
            )
        return plain_item(said, answer)
    frames = [frame for frame in SECTIONS if "{i}" not in frame] if not heading else SECTIONS if subject else POINTS
    frame = rng.choice(frames)
    facts_text = listed(rng, facts) if re.search(r"(^|\n|: )\{f\}($|\n)", frame) else "; ".join(facts)
    if "\n" in facts_text:
        frame = frame.replace(" {f}", "\n{f}")
    return item(rng, "section", put(frame, n=subject, i=heading, c=NUMBERS[count], f=facts_text), answer)


def post_item(rng: random.Random, text: str, keep: str, limit: int, unit: str, answer: str) -> dict[str, Any]:
    """A post within a limit; unit is "c" (characters) or "w" (words)."""
    length = len(answer) if unit == "c" else word_count(answer)
    assert length <= limit, (length, limit, answer)
    size = f"{limit} {'characters' if unit == 'c' else 'words'}"
    if kit_words.used(rng):
        if rng.random() < 0.5:
            return plain_item(kit_words.fill(kit_words.TWEET, limit=size, keep=keep, text=text), answer)
        if room_for_question(answer, limit, unit):
            said = kit_words.fill(kit_words.POST, limit=size, keep=keep, text=text)
            return plain_item(said, f"{answer} {rng.choice(CLOSING)}")
    return item(rng, "post", put(rng.choice(POSTS), l=size, k=keep, K=upper(keep), t=text), answer)


CLOSING = [
    "Will you join us?",
    "Have you tried it yet?",
    "What do you think?",
    "Who is coming?",
    "Do you know it already?",
    "Would you like to see it?",
    "Which part do you like best?",
    "Shall we see you there?",
    "Is that something for you?",
]


def room_for_question(answer: str, limit: int, unit: str) -> bool:
    """Whether a closing question still fits into the limit."""
    return (len(answer) + 30 if unit == "c" else word_count(answer) + 7) <= limit


def edit_item(rng: random.Random, instruction: str, text: str, answer: str) -> dict[str, Any]:
    """A text edited as one instruction says."""
    frames = EDITS if '"' not in text and "\n" not in text else [frame for frame in EDITS if '"' not in frame]
    return item(rng, "edit", put(rng.choice(frames), i=instruction, t=text), answer)


# ------------------------------------------------------------------------------------------- the bank of facts


@dataclass
class Attribute:
    """One thing that can be known: its name, headings, values, notes, sentences, and a brief form."""

    name: str
    headings: list[str]
    values: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    brief: str = ""


@dataclass
class Kind:
    """A kind of thing: names, how it is called later (it, its, the café), openers, remarks, attributes, joint sentences."""

    names: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    openers: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    attributes: dict[str, Attribute] = field(default_factory=dict)
    joint: list[tuple[set[str], str]] = field(default_factory=list)


def forms(text: str) -> list[str]:
    """The alternatives of a line; those marked with @ are drafts, except @cap."""
    return [form.removesuffix(" @cap") for form in text.split(" / ") if "@" not in form or form.endswith("@cap")]


def parse_kinds(text: str) -> dict[str, Kind]:
    """The kinds of things.txt."""
    kinds: dict[str, Kind] = {}
    kind, attribute = Kind(), Attribute("", [])
    for line in text.splitlines():
        mark, _, rest = line.partition(" ")
        if mark == "==":
            kind = kinds[rest] = Kind()
        elif mark == "p":
            kind.later = [part.strip() for part in rest.split("|")]
        elif mark == "k":
            key, name, headings = rest.split(" = ")
            attribute = kind.attributes[key] = Attribute(name, forms(headings))
        elif mark == "j":
            keys, sentence = rest.split(" = ")
            kind.joint.append((set(keys.split()), sentence))
        elif mark == "b":
            attribute.brief = rest
        elif mark in ("n", "h", "x"):
            setattr(kind, {"n": "names", "h": "openers", "x": "remarks"}[mark], forms(rest))
        elif mark in ("v", "f", "s"):
            setattr(attribute, {"v": "values", "f": "notes", "s": "sentences"}[mark], forms(rest))
        else:
            assert not line, line
    return kinds


KINDS = parse_kinds((WRITTEN / "things.txt").read_text(encoding="utf-8"))


@dataclass
class Subject:
    """One made-up thing: its kind, name, pronouns, and the value of each attribute."""

    kind: Kind
    name: str
    it: str
    its: str
    phrase: str
    values: dict[str, str]

    @property
    def person(self) -> bool:
        """Whether it is spoken of as he or she."""
        return self.it in ("He", "She")

    def say(self, frame: str, first: bool, key: str = "", later: str = "") -> str:
        """The frame as a sentence; the first sentence names the thing, later ones say "it" or "the café"."""
        subject = self.name if first else (later or self.it)
        inside = self.name if first else (self.it.lower() if self.person else self.phrase)
        whose = upper(self.its) if not first else self.name + ("'" if self.name.endswith("s") else "'s")
        slots = {"S": upper(subject), "s": inside, "p": self.its, "P": upper(whose), "v": self.values.get(key, "")}
        text = put(frame, **slots, **self.values)
        if re.search(r" a [aeiou8]", text):
            text = re.sub(r"\ba (?=[aeio]|8|11|18)", "an ", text)
        return upper(text)

    def note(self, rng: random.Random, key: str) -> str:
        """The fact as a short note."""
        text = put(rng.choice(self.kind.attributes[key].notes), v=self.values[key])
        return re.sub(r"\ba (?=[aeio]|8|11|18)", "an ", text)


def subject(rng: random.Random, kind: Kind | None = None) -> Subject:
    """A thing with values for all attributes."""
    kind = kind or rng.choice(list(KINDS.values()))
    name = rng.choice(kind.names)
    values = {key: rng.choice(attribute.values) for key, attribute in kind.attributes.items()}
    if kind.later[0] == "?":
        woman = name.endswith("(f)")
        name = name[:-4]
        it, its, phrase = ("She", "her", "she") if woman else ("He", "his", "he")
    else:
        it, its, phrase = kind.later
    return Subject(kind, name, it, its, phrase, values)


def names_it(attribute: Attribute) -> bool:
    """Whether a sentence about it can name the thing."""
    return any("{S}" in form or "{s}" in form for form in attribute.sentences)


def pick(rng: random.Random, thing: Subject, keys: Iterable[str], count: int) -> list[str]:
    """Some of the attributes, in an order that begins with one whose sentence can name the thing."""
    while True:
        chosen = rng.sample(sorted(keys), count)
        if names_it(thing.kind.attributes[chosen[0]]):
            return chosen


def tell(
    rng: random.Random, thing: Subject, keys: list[str], joint: float = 0.4, merge: float = 0.3
) -> list[tuple[set[str], str]]:
    """Sentences that tell these facts, as (facts told, sentence); the first one names the thing."""
    told: list[tuple[set[str], str]] = []
    rest = list(keys)
    frame = ""
    pairs = [(pair, text) for pair, text in thing.kind.joint if pair <= set(keys)]
    if pairs and rng.random() < joint:
        pair, frame = rng.choice(pairs)
        told.append((pair, thing.say(frame, True)))
        rest = [key for key in rest if key not in pair]
    for key in rest:
        last, frames = frame, thing.kind.attributes[key].sentences
        if not told:
            frame = rng.choice([text for text in frames if "{S}" in text or "{s}" in text])
            told.append(({key}, thing.say(frame, True, key)))
            continue
        # "It" only where the sentence before was about the thing itself.
        later = "" if thing.person or (last.startswith("{S}") and rng.random() < 0.7) else upper(thing.phrase)
        before = told[-1][1].split()[0]
        # Two sentences that begin alike read badly.
        fresh = [text for text in frames if thing.say(text, False, key, later).split()[0] != before]
        frame = rng.choice(fresh or frames)
        alike = frame.startswith("{S} ") and last.startswith("{S} ") and ":" not in last + frame
        if alike and len(told[-1][0]) == 1 and rng.random() < merge:
            keyed, sentence = told.pop()
            more = thing.say(frame, False, key, "IT").removeprefix("IT ")
            told.append((keyed | {key}, sentence.rstrip(".") + " and " + more))
        else:
            told.append(({key}, thing.say(frame, False, key, later)))
    return told


def named(thing: Subject) -> str:
    """The name as a request gives it: a person or animal with he or she."""
    return f"{thing.name} ({thing.it.lower()})" if thing.person else thing.name


def fact_section(rng: random.Random) -> dict[str, Any]:
    """Facts -> a section."""
    thing = subject(rng)
    keys = pick(rng, thing, thing.kind.attributes, rng.choice([2, 3, 3, 4]))
    told = tell(rng, thing, keys)
    if len(told) == 1:
        told = tell(rng, thing, keys, joint=0, merge=0)
    answer = " ".join(text for _, text in told)
    assert all(thing.values[key].lower() in answer.lower() for key in keys), answer
    assert 2 <= sentence_count(answer) <= 4, answer
    heading = rng.choice(thing.kind.attributes[keys[0]].headings) if len(keys) < 4 else ""
    return section_item(rng, named(thing), heading, [thing.note(rng, key) for key in keys], answer)


def fact_part(rng: random.Random) -> dict[str, Any]:
    """An outline with facts under each point -> the one section that is asked for."""
    thing = subject(rng)
    keys = rng.sample(list(thing.kind.attributes), len(thing.kind.attributes) // 2 * 2)
    parts = [keys[i : i + 2] for i in range(0, len(keys), 2)]
    wanted = rng.randrange(len(parts))
    if not any(names_it(thing.kind.attributes[key]) for key in parts[wanted]):
        return fact_part(rng)
    lines = []
    for number, part in enumerate(parts, 1):
        notes = "; ".join(thing.note(rng, key) for key in part)
        lines.append(f"{number}. {rng.choice(thing.kind.attributes[part[0]].headings)} ({notes})")
    told = tell(rng, thing, pick(rng, thing, parts[wanted], 2), merge=0, joint=0)
    said = put(rng.choice(PARTS), n=named(thing), o="\n".join(lines), k=str(wanted + 1))
    return item(rng, "section", said, " ".join(text for _, text in told))


PARTS = [
    "Outline of a text about {n}:\n{o}\nWrite section {k} only.",
    "This is the outline. Subject: {n}\n{o}\n\nNow write point {k}, with its facts and no others.",
    "Write section {k} of this text on {n}.\n{o}",
    "We are at section {k}. The outline of the page about {n}:\n{o}\nPlease write that section.",
    "{o}\n\nThese are the points for {n}. Put number {k} into sentences.",
    "Subject: {n}\nPoints:\n{o}\nSection {k}, please. Use only what stands there.",
]


def fact_outline(rng: random.Random) -> dict[str, Any]:
    """Facts -> an outline with a point for each."""
    thing = subject(rng)
    keys = pick(rng, thing, thing.kind.attributes, rng.choice([3, 4, 4, 5]))
    points = [(rng.choice(thing.kind.attributes[key].headings), False) for key in keys]
    if kit_words.used(rng):
        lines = [[thing.note(rng, key) for key in keys[i : i + 2]] for i in range(0, len(keys), 2)]
        said = kit_words.fill(kit_words.OUTLINE, subject=named(thing), facts="\n".join(map("; ".join, lines)))
        return plain_item(said, json.dumps({"headings": [text for text, _ in points[::2]]}, ensure_ascii=False))
    made = outline_item(rng, named(thing), points)
    said = made["messages"][-2]
    notes = listed(rng, [thing.note(rng, key) for key in keys])
    said["content"] += (
        rng.choice(["\nFacts:\n", "\nWhat we know:\n", "\nUse these facts, one point for each:\n", "\n\n"]) + notes
    )
    return made


def fact_post(rng: random.Random) -> dict[str, Any]:
    """A text with facts -> a post that keeps some of them."""
    thing = subject(rng)
    keys = pick(rng, thing, thing.kind.attributes, rng.choice([4, 5, 5]))
    sentences = [text for _, text in tell(rng, thing, keys)]
    for remark in rng.sample(thing.kind.remarks, rng.choice([1, 2, 2])):
        sentences.insert(rng.randint(1, len(sentences)), remark)
    keep = sorted(pick(rng, thing, keys, rng.choice([2, 2, 3])), key=keys.index)
    if rng.random() < 0.75:
        opener = rng.choice(thing.kind.openers)
        briefs = [put(thing.kind.attributes[key].brief, v=thing.values[key]) for key in keep]
        tail = ", ".join(briefs) + "."
        answer = f"{opener} {thing.name}, {tail}" if opener.endswith(":") else f"{opener} {upper(thing.name)}: {tail}"
    else:
        keep.sort(key=lambda key: not names_it(thing.kind.attributes[key]))
        answer = " ".join(text for _, text in tell(rng, thing, keep))
    assert all(thing.values[key].lower() in answer.lower() for key in keep), answer
    names = [thing.kind.attributes[key].name for key in keep]
    keep_text = join(names) if rng.random() < 0.7 else join(["the name", *names])
    unit = rng.choice(["c", "c", "w"])
    limit = room(rng, answer, unit)
    return post_item(rng, " ".join(sentences), keep_text, limit, unit, answer)


def room(rng: random.Random, answer: str, unit: str) -> int:
    """A round limit that leaves the answer a margin: 120 to 280 characters, or 15 to 60 words."""
    if unit == "c":
        least = max(120, -(-int(len(answer) * 1.15) // 10) * 10)
        return rng.choice(
            [limit for limit in (120, 130, 140, 150, 160, 180, 200, 220, 240, 250, 280, 300) if limit >= least]
        )
    least = max(15, int(word_count(answer) * 1.15) + 1)
    return rng.choice([limit for limit in (15, 18, 20, 25, 28, 30, 35, 40, 45, 50, 60) if limit >= least])


def join(words: list[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


CHANGES = [
    "Change {a} to {b}.",
    "It is {b}, not {a}.",
    "Correction: {b} instead of {a}.",
    "Replace {a} with {b}.",
    "Please put {b} where it says {a}.",
    "{a} is wrong, it must be {b}.",
    "Make it {b} instead of {a}; leave the rest.",
]

NEWS = [
    "There is a change ({n}): {b}. Please update the text.",
    "New information about {n}: {b}. Correct the text.",
    "Change {n}: {b}.",
    "Update {n}: {b}.",
    "What the text says about {n} is wrong. Right is: {b}.",
]

# Values that are no noun phrases: "It is {b}, not {a}" would not be English.
CLAUSES = {"does", "hobby", "rule", "plus", "bike", "why"}

DROPS = [
    "Leave out {n}.",
    "Drop the sentence about {n}.",
    "Take out {n}.",
    "Delete the sentence on {n}.",
    "Nobody needs to know {n}. Cut it.",
    "Remove {n}, keep the rest as it is.",
    "Without {n}, please.",
    "Please strike {n}.",
    "Don't mention {n}.",
]

ADDS = [
    "Add {n} at the end: {f}.",
    "One fact is missing, add it as the last sentence: {f}.",
    "Put in one more sentence: {f}.",
    "Add this at the end: {f}.",
    "Please add {n} ({f}) as a last sentence.",
    "At the end, also mention {n}: {f}.",
]

ONLY = [
    "Keep only {n}.",
    "Shorten the text: only {n} should stay.",
    "Cut everything but {n}.",
    "I only need {n}. Delete the other sentences.",
    "Reduce it to {n}.",
]

ONES = [
    "Make one sentence of it.",
    "Shorten to one sentence.",
    "Put this into one sentence.",
    "Join the sentences into one.",
    "Say it in a single sentence.",
]

RENAMES = [
    "The name is now {b}. Change it.",
    "Change the name {a} to {b}.",
    "The right name is {b}, not {a}.",
    "Write {b} instead of {a}.",
    "Replace the name: {b}.",
]

LISTS = [
    "Turn this into a list, one fact a line with a dash.",
    "Make a list with dashes out of it.",
    "Give me the facts as a bullet list with dashes.",
]

REMARKS = [
    "Delete the sentence that gives no facts.",
    "One sentence says nothing. Take it out.",
    "Remove the sentence that is only chat.",
    "Cut the filler, keep the facts.",
]


def change(rng: random.Random, key: str, name: str, old: str, new: str) -> str:
    """An instruction to put a new value in the place of an old one."""
    same = re.match(r"(on|in|at|by|for|from|until) (?!the )", old)
    if same and new.startswith(same[0]):
        old, new = old.removeprefix(same[0]), new.removeprefix(same[0])
    elif (
        key in CLAUSES
        or re.match(r"(on|in|at|by|for|from|until|of|next|opposite|near|every|to) ", old + " " + new)
        or rng.random() < 0.3
    ):
        return put(rng.choice(NEWS), n=name, b=new)
    return put(rng.choice(CHANGES), a=old, b=new)


def fact_edit(rng: random.Random) -> dict[str, Any]:
    """An edit of a text about facts that a program can do exactly."""
    thing = subject(rng)
    keys = pick(rng, thing, thing.kind.attributes, rng.choice([2, 3, 3, 4]))
    told = tell(rng, thing, keys, joint=0, merge=0)
    text = " ".join(sentence for _, sentence in told)
    key = rng.choice(keys)
    attribute, value = thing.kind.attributes[key], thing.values[key]
    kind = rng.choice(["change", "change", "drop", "add", "only", "one", "rename", "list", "remark"])
    if kind == "change" and text.lower().count(value.lower()) == 1:
        other = rng.choice([v for v in attribute.values if v != value])
        how = change(rng, key, attribute.name, value, other)
        start = text.lower().index(value.lower())
        new = upper(text[:start] + (other if text[start] == value[0] else upper(other)) + text[start + len(value) :])
        return edit_item(
            rng,
            upper(how),
            text,
            re.sub(
                r"\b([Aa])n? (?=" + re.escape(other) + ")", lambda m: m[1] + ("n " if other[0] in "aeio8" else " "), new
            ),
        )
    if kind == "drop" and len(keys) > 2:
        key = rng.choice(keys[1:])
        kept = [sentence for about, sentence in told if key not in about]
        return edit_item(rng, put(rng.choice(DROPS), n=thing.kind.attributes[key].name), text, " ".join(kept))
    if kind == "add" and len(keys) < 4:
        key = rng.choice([k for k in thing.kind.attributes if k not in keys])
        sentence = thing.say(rng.choice(thing.kind.attributes[key].sentences), False, key)
        how = put(rng.choice(ADDS), n=thing.kind.attributes[key].name, f=thing.note(rng, key))
        return edit_item(rng, how, text, f"{text} {sentence}")
    if kind == "only" and len(keys) > 2:
        kept = sorted(rng.sample(keys[1:], rng.choice([1, 2])), key=keys.index)
        if any(
            thing.say(s, True, kept[0]) == thing.say(s, False, kept[0])
            for s in thing.kind.attributes[kept[0]].sentences
        ):
            kept = [keys[0], *kept[:1]]
        else:
            kept = [keys[0], *kept[1:]]
        answer = " ".join(sentence for about, sentence in told if about & set(kept))
        return edit_item(
            rng, put(rng.choice(ONLY), n=join([thing.kind.attributes[k].name for k in kept])), text, answer
        )
    if kind == "one":
        pair, frame = rng.choice(thing.kind.joint)
        two = tell(rng, thing, pick(rng, thing, pair, 2), joint=0, merge=0)
        return edit_item(rng, rng.choice(ONES), " ".join(s for _, s in two), thing.say(frame, True))
    if kind == "list":
        lines = [upper(thing.name)] + ["- " + thing.note(rng, k) for k in keys]
        return edit_item(rng, rng.choice(LISTS), text, "\n".join(lines))
    if kind == "remark":
        sentences = [sentence for _, sentence in told]
        sentences.insert(rng.randint(1, len(sentences)), rng.choice(thing.kind.remarks))
        return edit_item(rng, rng.choice(REMARKS), " ".join(sentences), text)
    other = rng.choice([name for name in thing.kind.names if not name.startswith(thing.name)])
    if thing.person and not other.endswith("(f)" if thing.it == "She" else "(m)"):
        other = thing.name.split()[0] + "-Lou " + "Okoye" if thing.it == "She" else "Jonas Okoye"
    other = re.sub(r" \([fm]\)$", "", other)
    how = put(rng.choice(RENAMES), a=thing.name, b=other)
    return edit_item(
        rng, upper(how), text, upper(text.replace(upper(thing.name), upper(other)).replace(thing.name, other))
    )


# ----------------------------------------------------------------------------------------- texts with alternatives

CHOICE = re.compile(r"\{([^{}]*)\}")

SHE = {"he": "she", "his": "her", "him": "her", "himself": "herself"}

PEOPLE = [
    ("Anneke", "She"),
    ("Kofi", "He"),
    ("Leila", "She"),
    ("Marek", "He"),
    ("Sunita", "She"),
    ("Diego", "He"),
    ("Aoife", "She"),
    ("Hiro", "He"),
]

TOGGLES = {
    "past": [
        "Put it into the past.",
        "Write it in the past tense.",
        "It happened last week: past tense, please.",
        "Change the verbs to the past.",
    ],
    "present": ["Put it into the present.", "Write it in the present tense.", "Change the verbs to the present tense."],
    "future": [
        "Put it into the future.",
        "This is still to come: use the future with will.",
        "Write it in the future tense.",
        "Change the verbs to the future (will).",
    ],
    "she": [
        "Change he to she.",
        "It is a woman: he becomes she.",
        "Write she instead of he.",
        "The person is a woman. Correct the pronouns.",
    ],
    "he": [
        "Change she to he.",
        "It is a man: she becomes he.",
        "Write he instead of she.",
        "The person is a man. Correct the pronouns.",
    ],
    "n": [
        "Write it about {n} instead of I ({p}).",
        "Put it into the third person: {n}, {p}.",
        "Tell it about {n} ({p}), not in the first person.",
    ],
    "i": ["Write it in the first person.", "Let {n} speak: use I.", "Use I instead of the name."],
    "they": ["Change we to they.", "Write it about them, not about us.", "Use they instead of we."],
    "we": ["Change they to we.", "Write it from our point of view: we.", "Use we instead of they."],
    "long": [
        "Write out the short forms (do not instead of don't).",
        "Don't use contractions.",
        "Make it more formal: no short forms like don't.",
        "Spell out all contractions.",
    ],
    "short": ["Use short forms like don't and it's.", "Make it more casual with contractions.", "Use contractions."],
    "digits": ["Write the numbers as digits.", "Use digits for the numbers.", "Numbers in digits, please."],
    "words": ["Write the numbers as words.", "Spell the numbers out.", "Numbers in words, please."],
    "many": ["Make it plural.", "There are several of them: use the plural.", "Change it to the plural."],
    "one": ["Make it singular.", "There is only one: use the singular.", "Change it to the singular."],
    "word": [
        'Replace "{a}" with "{b}".',
        "Write {b} instead of {a}.",
        'Use the word "{b}" for "{a}", everywhere.',
        "Change {a} to {b}, please.",
    ],
}


def parse_toggles(text: str) -> list[tuple[list[str], str]]:
    """(names of the forms, text with alternatives) for each line."""
    found: list[tuple[list[str], str]] = []
    names: list[str] = []
    for line in text.splitlines():
        if line.startswith("== "):
            names = line.split()[1:]
        elif line:
            found.append((names, line))
    return found


ALTERNATIVES = parse_toggles((WRITTEN / "toggles.txt").read_text(encoding="utf-8"))


def versions(rng: random.Random, names: list[str], line: str) -> tuple[dict[str, str], dict[str, str]]:
    """The versions of a text by form, and words for the instruction."""
    group = names[0]
    if group == "gender":
        she = CHOICE.sub(lambda m: upper(SHE[m[1].lower()]) if m[1][0].isupper() else SHE[m[1]], line)
        return {"he": CHOICE.sub(lambda m: m[1], line), "she": she}, {}
    if group == "person":
        name, pronoun = rng.choice(PEOPLE)
        first, _, rest = line.partition("{I|{n}}")
        line = first + "{I|" + name + "}" + rest.replace("{I|{n}}", "{I|" + pronoun + "}")
        both = {form: CHOICE.sub(lambda m, i=i: m[1].split("|")[i], line) for i, form in enumerate(["i", "n"])}
        return both, {"n": name, "p": pronoun.lower()}
    count = len(CHOICE.search(line)[1].split("|"))
    texts = [CHOICE.sub(lambda m, i=i: m[1].split("|")[i], line) for i in range(count)]
    if group == "word":
        a, b = CHOICE.search(line)[1].split("|")
        return {"": texts[0], "word": texts[1]}, {"a": a, "b": b}
    return dict(zip({"we": ["we", "they"]}.get(group, names[1:]), texts, strict=True)), {}


def toggle_edit(rng: random.Random) -> dict[str, Any]:
    """An edit that swaps one form for another: tense, he and she, short forms, number …"""
    names, line = rng.choice(ALTERNATIVES)
    texts, words = versions(rng, names, line)
    old, new = rng.sample(list(texts), 2)
    if new == "":
        old, new, words = new, old, words
    return edit_item(rng, put(rng.choice(TOGGLES[new]), **words), texts[old], texts[new])


# ------------------------------------------------------------------------------------------------------- items

MAKERS = [(fact_section, 24), (fact_part, 6), (fact_outline, 10), (fact_post, 22), (fact_edit, 22), (toggle_edit, 18)]


def written() -> list[dict[str, Any]]:
    """The items written by hand, with their parts."""
    lines = (WRITTEN / "writing.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def again(rng: random.Random, old: dict[str, Any]) -> dict[str, Any]:
    """A written item with its request worded anew."""
    parts = old["parts"]
    kind = parts["kind"]
    if kind == "talk":
        return {"skill": "writing", "messages": old["messages"]}
    if kind == "outline":
        return outline_item(rng, parts["subject"], [(text, optional) for text, optional in parts["points"]])
    if kind == "section":
        return section_item(rng, "", parts["heading"], parts["facts"], parts["answer"])
    if kind == "post":
        limit = parts["limit"] if rng.random() < 0.5 else room(rng, parts["answer"], parts["unit"])
        return post_item(rng, parts["text"], parts["keep"], limit, parts["unit"], parts["answer"])
    return edit_item(rng, parts["instruction"], parts["text"], parts["answer"])


def items(rng: random.Random, n: int) -> list[dict[str, Any]]:
    """n items: half written by hand (worded anew where they must be repeated), half built from the banks."""
    own = written()
    found: list[dict[str, Any]] = []
    for start in range(0, n // 2, len(own)):
        batch = rng.sample(own, min(len(own), n // 2 - start))
        found += [{"skill": "writing", "messages": old["messages"]} if not start else again(rng, old) for old in batch]
    makers, weights = zip(*MAKERS, strict=True)
    while len(found) < n:
        found.append(rng.choices(makers, weights)[0](rng))
    rng.shuffle(found)
    return found


def check() -> None:
    """Check the written items: limits kept, named things in the posts, all numbers and names of the facts in the sections."""
    for old in written():
        parts, answer = old["parts"], old["messages"][-1]["content"]
        if parts["kind"] == "post":
            length = len(answer) if parts["unit"] == "c" else word_count(answer)
            assert length <= parts["limit"] * 0.9, (length, parts["limit"], answer)
            assert all(thing.lower() in answer.lower() for thing in parts["has"]), (parts["has"], answer)
            assert all(thing.lower() in parts["text"].lower() for thing in parts["has"]), (parts["has"], answer)
        if parts["kind"] == "section":
            assert 2 <= sentence_count(answer) <= 4, answer
            known = parts["heading"] + " " + " ".join(parts["facts"])
            assert set(re.findall(r"\d+", known)) == set(re.findall(r"\d+", answer)), answer
        if parts["kind"] == "outline":
            assert 3 <= len(parts["points"]) <= 5, parts
    rng = random.Random(0)
    for kind in KINDS.values():
        assert len(kind.attributes) >= 5
        for attribute in kind.attributes.values():
            assert all("{v}" in form for form in [*attribute.notes, *attribute.sentences, attribute.brief]), attribute
            assert attribute.values, attribute
        assert all(any(names_it(kind.attributes[key]) for key in pair) for pair, _ in kind.joint)
    for names, line in ALTERNATIVES:
        texts, _ = versions(rng, names, line)
        assert len(set(texts.values())) == len(texts), line
        assert not any("{" in text or "|" in text for text in texts.values()), texts
