"""Talk: following a system message, recalling what was told, summaries, and the question that an app puts at the end.

The words stand in written/conversation.txt, in sections: one alternative or one record a line, fields divided by " | ",
alternatives inside a field by " ; ".
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from .messages import say as assistant
from .messages import user

Item = dict[str, Any]
Pair = tuple[str, str]

WRITTEN = Path(__file__).resolve().parent.parent / "written"


# --- words -----------------------------------------------------------------------------------------------------------


def read_tables(file: Path) -> dict[str, list[str]]:
    """The sections of a text file, each begun by a line "== name"."""
    sections = re.split(r"^== ", file.read_text(encoding="utf-8"), flags=re.M)[1:]
    named = (section.split("\n", 1) for section in sections)
    return {name.strip(): [line for line in text.split("\n") if line.strip()] for name, text in named}


TABLES = read_tables(WRITTEN / "conversation.txt")


def values(section: str) -> list[str]:
    """All the values of a section."""
    return [word.strip() for line in TABLES[section] for word in line.split(";") if word.strip()]


def records(section: str) -> list[list[str]]:
    """The records of a section, each a list of fields."""
    return [[part.strip() for part in line.split(" | ")] for line in TABLES[section]]


FEMALE, MALE, LAST = values("female names"), values("male names"), values("last names")
LISTS = {name.removeprefix("value "): values(name) for name in TABLES if name.startswith("value ")}
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August"]
MONTHS += ["September", "October", "November", "December"]
NUMBER_WORDS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]

MADE: dict[str, Callable[[random.Random], str]] = {
    "f": lambda r: r.choice(FEMALE),
    "m": lambda r: r.choice(MALE),
    "name": lambda r: r.choice(FEMALE + MALE),
    "surname": lambda r: r.choice(LAST),
    "lastname": lambda r: f"{r.choice(['Ms', 'Mr', 'Mrs', 'Mr', 'Ms', 'Dr.'])} {r.choice(LAST)}",
    "doctor": lambda r: f"Dr. {r.choice(LAST)}",
    "age": lambda r: str(r.randint(18, 89)),
    "kidage": lambda r: str(r.randint(2, 17)),
    "date": lambda r: r.choice([f"{r.randint(1, 28)} {r.choice(MONTHS)}", f"{r.choice(MONTHS)} {r.randint(1, 28)}"]),
    "day": lambda r: r.choice(DAYS),
    "daytime": lambda r: r.choice([r.choice(DAYS), f"{r.choice(DAYS)} at {r.randint(8, 18)}:{r.choice(['00', '30'])}"]),
    "time": lambda r: f"{r.randint(5, 22)}:{r.choice(['00', '05', '10', '15', '20', '30', '40', '45', '50'])}",
    "earlytime": lambda r: f"{r.randint(4, 8)}:{r.choice(['00', '10', '15', '20', '30', '45'])}",
    "company": lambda r: f"{r.choice(LISTS['shop word'])} {pick(r, r.choice(records('shops'))[0].split(': ')[1])}",
    "small": lambda r: r.choice(NUMBER_WORDS[2:7]),
    "shoe": lambda r: str(r.randint(35, 47)),
    "room": lambda r: r.choice(
        [str(r.randint(2, 60)), str(r.randint(101, 420)), f"{r.choice('BCD')}{r.randint(1, 40)}"]
    ),
    "money": lambda r: f"{r.randint(8, 60) * 25} {r.choice(['euros', 'dollars', 'pounds', 'francs', 'euros'])}",
    "guests": lambda r: str(r.randint(8, 70)),
    "height": lambda r: r.choice([f"1.{r.randint(50, 99)} metres", f"{r.randint(150, 199)} centimetres"]),
    "bignum": lambda r: str(r.randint(11, 9999)),
    "ordernum": lambda r: r.choice([str(r.randint(1000, 99999)), f"{r.choice('BKRTX')}-{r.randint(100, 9999)}"]),
    "street": lambda r: f"{r.randint(1, 180)} {r.choice(LISTS['road'])}",
}


def value(rng: random.Random, kind: str) -> str:
    """A value of a kind: a name, a place, a time, an amount ..."""
    return rng.choice(LISTS[kind]) if kind in LISTS else MADE[kind](rng)


def pick(rng: random.Random, text: str) -> str:
    """One of the alternatives of a field."""
    return rng.choice([part.strip() for part in re.split(r"\s;(?:\s|$)", text) if part.strip()])


def articles(text: str) -> str:
    """The text with "an" before a vowel and "a" before the rest."""
    text = re.sub(r"\b([Aa]) (?=[aeioAEIO])", r"\1n ", text)
    return re.sub(r"\b([Aa])n (?=[bcdfgjklmnpqrstvwxyz])", r"\1 ", text)


def upper_first(text: str) -> str:
    """The text with a capital at the beginning."""
    return text[:1].upper() + text[1:]


def sentences(text: str) -> list[str]:
    """The sentences of a text."""
    text = re.sub(r"\b(Dr|Mr|Mrs|Ms|St|a\.m|p\.m)\.", r"\1", text)
    return [part for part in re.split(r"(?<=[.!?])[\"”)]?\s+", text.strip()) if part]


# --- messages --------------------------------------------------------------------------------------------------------


def system(text: str) -> Item:
    """A message of the application."""
    return {"role": "system", "content": text}


class Deck:
    """Deals its cards in a random order, and all of them before any comes again."""

    def __init__(self, rng: random.Random, cards: list[Any]):
        self.rng, self.cards = rng, cards
        self.left: list[Any] = []

    def deal(self) -> Any:
        """The next card."""
        if not self.left:
            self.left = self.rng.sample(self.cards, len(self.cards))
        return self.left.pop()


def written(name: str) -> list[Item]:
    """The items of a file that were composed by hand."""
    return [json.loads(line) for line in (WRITTEN / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


class Bases:
    """Plain questions with answers, on which the instructions work."""

    def __init__(self, rng: random.Random):
        self.own = Deck(rng, records("base"))
        facts = [(f["messages"][0]["content"], f["messages"][1]["content"]) for f in written("facts")]
        self.facts = Deck(rng, [pair for pair in facts if len(sentences(pair[1])) == 1])
        self.brief = Deck(rng, [pair for pair in facts if len(pair[1].split()) < 9])
        self.longer = Deck(rng, [pair for pair in facts if len(sentences(pair[1])) in (2, 3)])

    def triple(self, rng: random.Random, own: float = 0.45) -> tuple[str, str, str | None]:
        """A question, its answer in one sentence, and a question back that fits (or none)."""
        if rng.random() < own:
            question, answer, _, back = self.own.deal()
            return question, answer, back
        return (*self.facts.deal(), None)

    def pair(self, rng: random.Random) -> Pair:
        """A question and its answer in one sentence."""
        return self.triple(rng)[:2]

    def question(self, rng: random.Random) -> Pair:
        """A pair whose question ends with a question mark."""
        while True:
            pair = self.pair(rng)
            if pair[0].endswith("?"):
                return pair


# --- (a) system instructions -----------------------------------------------------------------------------------------

EACH = [
    "every answer",
    "each answer",
    "each reply",
    "every reply",
    "every message of yours",
    "your answer",
    "your reply",
]
TITLES = (
    "Captain ; Professor ; Doctor ; Boss ; Chef ; Coach ; Madam ; Sir ; Your Highness ; Champ ; Comrade ; Neighbour"
)
AROUND = [("<answer>", "</answer>"), ("[", "]"), ("<<", ">>"), ("((", "))"), ("*", "*"), ("<reply>", "</reply>")]
AROUND += [("{", "}"), ("***", "***"), ("<p>", "</p>"), ("BEGIN ", " END"), ("--", "--"), ("<b>", "</b>"), ("~", "~")]
# After a comma or a colon these may begin with a small letter.
SMALL = set(values("small at the beginning"))

Transform = Callable[[str, str | None], str]
Made = tuple[str, list[Pair]]


def say(rng: random.Random, kind: str, **slots: Any) -> str:
    """An instruction in one of its wordings."""
    every = rng.choice(EACH)
    return rng.choice(TABLES[f"say {kind}"]).format(every=every, Every=upper_first(every), **slots)


def soft(answer: str) -> str:
    """The answer as it goes on after a comma or a colon."""
    return answer[0].lower() + answer[1:] if answer.split(" ")[0] in SMALL else answer


def lower_first(text: str) -> str:
    """The text with a small letter at the beginning, unless it begins with "I"."""
    return text if re.match(r"I\b", text) else text[:1].lower() + text[1:]


def after(opening: str, text: str) -> str:
    """The text after an opening; after a comma it goes on with a small letter."""
    return f"{opening} {lower_first(text) if opening.endswith(',') else text}"


def ask(rng: random.Random, question: str) -> str:
    """A question as different people type it."""
    chance = rng.random()
    if chance < 0.12 and question.endswith("?"):
        return after(rng.choice(TABLES["openings"]), question)
    if chance < 0.2:
        return lower_first(question).rstrip("?.!")
    if chance < 0.24 and question.endswith("?"):
        return question + rng.choice([" Please tell me.", " Thanks!", " I would like to know.", " Any idea?"])
    return question


def begin_rule(rng: random.Random) -> tuple[str, Transform]:
    """Begin with certain words."""
    first = rng.choice(TABLES["first words"])
    if rng.random() < 0.3:  # any word at all
        kind = rng.choice(["colour", "food", "animal", "flower", "vegetable", "city", "country", "season", "language"])
        first = upper_first(value(rng, kind)) + rng.choice("!:.")
        return say(rng, "begin", p=first.rstrip("!:.")), lambda a, _: f"{first} {a}"
    small = first[-1] in ",:" and rng.random() < 0.5
    return say(rng, "begin", p=first), lambda a, _: f"{first} {soft(a) if small else a}"


def finish_rule(rng: random.Random) -> tuple[str, Transform]:
    """End with certain words."""
    last = rng.choice(TABLES["last words"])
    return re.sub(r'([.!?]")\.', r"\1", say(rng, "finish", p=last)), lambda a, _: f"{a} {last}"


def name_rule(rng: random.Random) -> tuple[str, Transform]:
    """Address the user by name."""
    titled = f"{rng.choice(['Mr', 'Ms', 'Mrs', 'Dr.'])} {rng.choice(LAST)}"
    name = rng.choice([value(rng, "name"), value(rng, "name"), titled, pick(rng, TITLES)])
    form = rng.choice(["before", "after", "hello", "after", "before"])

    def apply(answer: str, _: str | None) -> str:
        if (form == "after" or answer.startswith("Hello")) and answer[-1] in ".!":
            return f"{answer[:-1]}, {name}{answer[-1]}"
        if form == "before" and soft(answer) != answer:
            return f"{name}, {soft(answer)}"
        return f"Hello {name}! {answer}"

    return say(rng, "name", p=name), apply


def role_rule(rng: random.Random) -> tuple[str, Transform]:
    """Speak in a role, with its words."""
    name, openers, closers, _ = rng.choice(records("roles"))
    opener, closer = pick(rng, openers), pick(rng, closers) if rng.random() < 0.6 else ""
    return say(rng, "role", p=name), lambda a, _: f"{opener} {a} {closer}".strip()


def phrase_rule(rng: random.Random) -> tuple[str, Transform]:
    """Speak in a role and say a set phrase, which comes last."""
    role, phrase = rng.choice(values("parts to play")), rng.choice(values("phrases to say"))
    told = [say(rng, "role", p=role)] if rng.random() < 0.75 else []
    told.append(say(rng, rng.choice(["phrase", "phrase", "finish"]), p=phrase))
    return re.sub(r'([.!?]")\.', r"\1", " ".join(told)), lambda a, _: f"{a} {phrase}"


def wrap_rule(rng: random.Random) -> tuple[str, Transform]:
    """Put the answer between two marks."""
    first, last = rng.choice(AROUND)
    return say(rng, "wrap", a=first.strip(), b=last.strip()), lambda a, _: f"{first}{a}{last}"


def end_question_rule(rng: random.Random) -> tuple[str, Transform]:
    """End with a question to the user."""
    general = rng.choice(TABLES["general questions"])
    return say(rng, "end question"), lambda a, back: f"{a} {back or general}"


SIMPLE: dict[str, Callable[[random.Random], tuple[str, Transform]]] = {
    "end question": end_question_rule,
    "begin": begin_rule,
    "finish": finish_rule,
    "name": name_rule,
    "role": role_rule,
    "phrase": phrase_rule,
    "wrap": wrap_rule,
    "one sentence": lambda rng: (say(rng, "one sentence"), lambda a, _: a),
    "capitals": lambda rng: (say(rng, "capitals"), lambda a, _: a.upper()),
    "lower": lambda rng: (say(rng, "lower"), lambda a, _: a.lower()),
}
SINGLE = (
    ["end question"] * 4 + ["begin", "phrase"] * 3 + ["finish", "one sentence", "capitals"] * 3 + ["role", "name"] * 2
)
SINGLE += ["wrap", "lower"]
# In the order in which they are applied; the second leaves what the first has done.
DOUBLE = [("name", "end question"), ("role", "end question"), ("begin", "end question"), ("begin", "finish")]
DOUBLE += [("one sentence", "wrap"), ("one sentence", "capitals"), ("role", "capitals"), ("name", "finish")]
DOUBLE += [("end question", "capitals"), ("end question", "wrap"), ("name", "capitals"), ("name", "lower")]


def sentence_rules(rng: random.Random, bases: Bases) -> Made:
    """One or two instructions on plain questions, sometimes over two turns."""
    kinds = [rng.choice(SINGLE)] if rng.random() < 0.65 else list(rng.choice(DOUBLE))
    rules = [SIMPLE[kind](rng) for kind in kinds]
    told = [text for text, _ in rules]
    rng.shuffle(told)
    pairs = []
    for _ in range(rng.choice([2, 2, 3]) if rng.random() < 0.3 else 1):
        question, answer, back = bases.triple(rng, 0.85 if "end question" in kinds else 0.4)
        for _, apply in rules:
            answer = apply(answer, back)
        pairs.append((question, answer))
    return " ".join(told), pairs


def who_rules(rng: random.Random, _: Bases) -> Made:
    """A role that is asked who it is."""
    name, _, _, answers = rng.choice(records("roles"))
    return say(rng, "role", p=name), [(rng.choice(TABLES["who questions"]), pick(rng, answers))]


def word_rules(rng: random.Random, bases: Bases) -> Made:
    """At most so many words, or one."""
    question, answer, short, _ = bases.own.deal()
    if len(short.split()) == 1 and rng.random() < 0.3:
        return say(rng, "one word"), [(question, short)]
    reply = rng.choice([answer, short if short[-1] in "!?" else f"{short}."])
    if rng.random() < 0.45:
        question, reply = bases.brief.deal()
    limit = rng.randint(max(2, len(reply.split())), len(reply.split()) + 4)
    spoken = str(limit) if limit > 12 or rng.random() < 0.5 else NUMBER_WORDS[limit]
    return upper_first(say(rng, "words", n=spoken, m=limit + 1)), [(question, reply)]


def sentence_count_rules(rng: random.Random, bases: Bases) -> Made:
    """Exactly two or three sentences."""
    question, answer = bases.longer.deal()
    number = NUMBER_WORDS[len(sentences(answer))]
    return say(rng, "sentences", n=number, N=number.capitalize()), [(question, answer)]


def json_rules(rng: random.Random, bases: Bases) -> Made:
    """An answer in JSON under a key."""
    key = pick(
        rng,
        "answer ; answer ; answer ; reply ; text ; result ; response ; output ; content ; solution ; message ; info",
    )
    if rng.random() < 0.25:
        question, number, _ = rng.choice(records("numbers"))
        return f"{say(rng, 'json', k=key)} The value is a number.", [(question, json.dumps({key: int(number)}))]
    question, answer, short, _ = bases.own.deal()
    if rng.random() < 0.4:
        question, answer = bases.facts.deal()
        short = answer
    return say(rng, "json", k=key), [(question, json.dumps({key: rng.choice([answer, short])}, ensure_ascii=False))]


def list_rules(rng: random.Random, _: Bases) -> Made:
    """Exactly so many lines, points or things."""
    topic = ""
    if rng.random() < 0.6:
        topic, things = rng.choice(TABLES["lists"]).split(": ")
        entries, question = things.split(", "), upper_first(rng.choice(TABLES["list questions"]).format(t=topic))
    else:
        questions, tips = rng.choice(records("tips"))
        entries, question = tips.split(" ; "), pick(rng, questions)
    count = rng.randint(2, min(5, len(entries)))
    chosen, spoken = rng.sample(entries, count), rng.choice([str(count), NUMBER_WORDS[count]])
    chance = rng.random()
    if topic and chance < 0.2:
        return upper_first(say(rng, "commas", n=spoken)), [(question, ", ".join(chosen))]
    form, marks = ("numbered", [f"{i + 1}." for i in range(count)]) if chance > 0.75 else ("lines", ["-"] * count)
    lines = [f"{mark} {upper_first(entry)}" for mark, entry in zip(marks, chosen, strict=True)]
    return upper_first(say(rng, form, n=spoken)), [(question, "\n".join(lines))]


def bare_rules(rng: random.Random, _: Bases) -> Made:
    """Yes or no, a bare number, a number in words."""
    if rng.random() < 0.5:
        told, capital = say(rng, "yes no"), rng.random() < 0.3
        chosen = rng.sample(records("yes no"), rng.choice([1, 1, 2]))
        return told, [(question, answer.title() if capital else answer) for question, answer in chosen]
    question, digits, word = rng.choice(records("numbers"))
    if rng.random() < 0.6:
        return say(rng, "number"), [(question, digits)]
    return say(rng, "no digits"), [(question, f"{word.capitalize()}.")]


def avoid_rules(rng: random.Random, bases: Bases) -> Made:
    """A word that must not be used: one that the answer might well have, or one of the question."""
    if rng.random() < 0.4:
        word, question, answer = rng.choice(records("avoid"))
        return say(rng, "avoid", w=word), [(question, answer)]
    while True:
        question, answer, short, _ = bases.own.deal()
        reply = short if short[-1] in "!?" else f"{short}."
        kept = set(re.findall(r"\w+", reply.lower()))
        words = [w for w in re.findall(r"[A-Za-z]{4,}", answer) if w.lower() not in kept | NOT_TO_AVOID]
        if words and question.endswith("?") and not question.startswith(("What is a", "What does")):
            return say(rng, "avoid", w=rng.choice(words)), [(question, reply)]


NOT_TO_AVOID = {"have", "that", "this", "with", "from", "about", "they", "called", "which", "there", "when", "than"}


def repeat_rules(rng: random.Random, bases: Bases) -> Made:
    """The question first, as it is or in a form with two labels."""
    question, answer = bases.pair(rng)
    if rng.random() < 0.5:
        return say(rng, "repeat"), [(question, f"{question} {answer}")]
    first, second = rng.choice([("Question", "Answer"), ("Q", "A"), ("Asked", "Answered"), ("You", "Me")])
    return say(rng, "label", a=first, b=second), [(question, f"{first}: {question}\n{second}: {answer}")]


def fixed_rules(rng: random.Random, bases: Bases) -> Made:
    """The same answer to every message."""
    reply = rng.choice(TABLES["fixed answers"])
    return say(rng, "fixed", p=reply), [(bases.pair(rng)[0], reply)]


def shop_rules(rng: random.Random, _: Bases) -> Made:
    """A shop that has to be named, with something to know about it and often a second instruction."""
    head, asked = rng.choice(records("shops"))
    kind, nouns = head.split(": ")
    noun, word = pick(rng, nouns), value(rng, "shop word")
    person = value(rng, "name")
    name = rng.choice([f"{person}'s {noun}", f"{word} {noun}", f"{word} {noun}", f"{noun} {rng.choice(LAST)}"])
    question, answer = rng.choice(asked.split(" ; ")).split(" = ")
    slots = {
        "t": f"{rng.randint(6, 9)}:{rng.choice(['00', '30'])}",
        "t2": rng.choice(["14:00", "15:00", "noon"]),
        "p": rng.randint(3, 25),
        "n": rng.choice(NUMBER_WORDS[2:7]),
        "d": rng.choice([7, 10, 14, 30]),
        "c": rng.randint(15, 60),
        "m": rng.choice([20, 30, 40]),
        "z": rng.randint(36, 45),
    }
    told = [rng.choice(TABLES["shop introductions"]).format(s=name, k=kind)]
    if re.search(r"\{[tpndcm]", answer):
        known = re.sub(r"^(Yes|No), ", "", answer).format(s=rng.choice([name, f"the {kind}"]), **slots)
        told.append(upper_first(known))
    told.append(say(rng, "shop", s=name, k=kind))
    answer = upper_first(answer.format(s=name, **slots))
    if rng.random() < 0.35:
        text, apply = SIMPLE[rng.choice(["end question", "one sentence", "begin", "finish", "capitals", "name"])](rng)
        told.append(text)
        answer = apply(answer, None)
    return " ".join(told), [(question.format(**slots), answer)]


# Topics with questions that could belong to both.
NEAR = [
    {"travel", "weather"},
    {"animals", "gardening"},
    {"cooking", "health"},
    {"sports", "health"},
    {"books", "history"},
]
NEAR += [{"books", "grammar"}, {"space", "weather"}, {"gardening", "weather"}, {"animals", "history"}]


def topic_rules(rng: random.Random, _: Bases) -> Made:
    """One topic only: a question on it, or one on something else."""
    topics = records("topics")
    domain, asked = rng.choice(topics)
    refusal = rng.choice(TABLES["refusals"]).format(d=domain)
    told = say(rng, "scope", d=domain, r=refusal)
    if rng.random() < 0.5:
        question, answer = rng.choice(asked.split(" ; ")).split(" = ")
        return told, [(question, answer)]
    far = [pairs for name, pairs in topics if name != domain and {name, domain} not in NEAR]
    return told, [(rng.choice(" ; ".join(far).split(" ; ")).split(" = ")[0], refusal)]


def condition_rules(rng: random.Random, bases: Bases) -> Made:
    """What to say in one case: that case, or another one."""
    case, messages, replies = rng.choice(records("conditions"))
    reply = pick(rng, replies)
    told = say(rng, "cond", c=case, r=reply)
    if rng.random() < 0.55:
        return told, [(pick(rng, messages), reply)]
    while True:
        question, answer, _, _ = bases.own.deal()
        if question.startswith(("What is a", "Who w", "Which", "Where", "Why do", "When was")):
            return told, [(question, answer)]


Maker = Callable[[random.Random, Bases], Made]
FREE: list[Maker] = [sentence_rules, word_rules, sentence_count_rules, json_rules, list_rules, bare_rules, avoid_rules]
MAKERS: dict[Maker, int] = {
    sentence_rules: 40,
    who_rules: 4,
    word_rules: 13,
    sentence_count_rules: 3,
    json_rules: 8,
    list_rules: 13,
    bare_rules: 5,
    avoid_rules: 9,
    repeat_rules: 3,
    fixed_rules: 1,
    shop_rules: 7,
    topic_rules: 5,
    condition_rules: 4,
}


def system_item(rng: random.Random, bases: Bases) -> Item:
    """A generated item: one or two instructions, a message of the user, an answer that follows them."""
    make = rng.choices(list(MAKERS), list(MAKERS.values()))[0]
    told, pairs = make(rng, bases)
    if make in FREE and len(pairs) == 1 and rng.random() < 0.16:  # the instruction stands in the user's message
        question, answer = pairs[0]
        both = [told, question] if rng.random() < 0.5 else [question, told]
        return {"skill": "system", "messages": [user(rng.choice([" ", "\n"]).join(both)), assistant(answer)]}
    if make in FREE and rng.random() < 0.25:
        told = f"{rng.choice(TABLES['prefixes'])} {told}"
    messages = [system(told)]
    for question, answer in pairs:
        messages += [user(question if make is repeat_rules else ask(rng, question)), assistant(answer)]
    return {"skill": "system", "messages": messages}


# --- (b) recall ------------------------------------------------------------------------------------------------------


class Fact:
    """A kind of thing that people tell about themselves."""

    def __init__(self, lines: list[str]):
        self.name, self.kind = lines[0].removeprefix("@").split(": ")
        fields = {line[0]: line[2:] for line in lines[1:]}
        self.told, self.asked, self.answer = fields["+"], fields["?"], fields["="]
        self.missing, self.replies, self.change = fields["-"], fields["!"], fields.get("~", "")

    def say(self, rng: random.Random, wordings: str, v: str) -> str:
        """One of the wordings, with the value in it."""
        return upper_first(articles(pick(rng, wordings).format(v=v)))


def read_facts() -> list[Fact]:
    """The kinds of facts of the table."""
    text = "\n".join(TABLES["facts about a person"])
    return [Fact(f"@{block}".strip().split("\n")) for block in text.split("@") if block.strip()]


FACTS = read_facts()
# Two facts that can hardly both be true of a person, or would make a question ambiguous.
CLASHES = [set(pair.split()) for pair in values("clashes")]


def clash(a: Fact, b: Fact) -> bool:
    """Whether two facts do not go together."""
    return {a.name, b.name} in CLASHES


def tell(rng: random.Random, text: str) -> str:
    """Something told, as different people say it."""
    chance = rng.random()
    if chance < 0.1:
        return f"{text} {rng.choice(TABLES['told after'])}"
    if chance < 0.16:
        return text.lower().rstrip(".")
    if chance > 0.45:
        return text
    before = rng.choice(TABLES["told before"])
    if before[-1] in ":!.":
        return f"{before} {text}"
    if re.match(r"(My|Our|We|At|In|On|For|There|One|This|The)\b", text):
        return f"{before} {text[0].lower()}{text[1:]}"
    return f"{before} {text}" if re.match(r"I\b", text) else text


def choose_facts(rng: random.Random, count: int) -> list[tuple[Fact, str]]:
    """Facts with values that can stand side by side."""
    chosen: list[tuple[Fact, str]] = []
    for fact in rng.sample(FACTS, len(FACTS)):
        v = value(rng, fact.kind)
        if len(chosen) < count and all(not clash(fact, other) and v != told for other, told in chosen):
            chosen.append((fact, v))
    return chosen


def not_told(rng: random.Random, facts: list[tuple[Fact, str]]) -> Pair:
    """A question about something that was not told, often of the same kind as something that was, and the answer."""
    told = [fact for fact, _ in facts]
    asides = [pairs for name, pairs in records("near questions") if any(f.name == name for f in told)]
    if asides and rng.random() < 0.35:
        question, missing = pick(rng, rng.choice(asides)).split(" = ")
        if not any(question in f.asked for f in told):
            return question, rng.choice(TABLES["not told"]).format(m=missing)
    free = [f for f in FACTS if f not in told and not any(clash(f, t) for t in told)]
    near = [f for f in free if any(f.kind == t.kind or {f.kind, t.kind} <= {"f", "m", "name"} for t in told)]
    fact = rng.choice(near if near and rng.random() < 0.6 else free)
    return pick(rng, fact.asked), rng.choice(TABLES["not told"]).format(m=fact.missing)


def all_known(rng: random.Random, facts: list[tuple[Fact, str]]) -> Pair:
    """The question what is known about the person."""
    first, *rest = [fact.say(rng, fact.answer, v)[:-1] for fact, v in facts]
    parts = [first, *(part[0].lower() + part[1:] if part.startswith(("You", "The ")) else part for part in rest)]
    answer = " and ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return rng.choice(TABLES["all known"]), f"{answer}."


def corrected(rng: random.Random, fact: Fact, v: str) -> str:
    """A later message with which the value of a fact changes."""
    if fact.change and rng.random() < 0.5:
        return fact.say(rng, fact.change, v)
    told = fact.say(rng, fact.told, v)
    small = lower_first(told) if re.match(r"(My|Our|We|At|In|On|For|There|This|The)\b", told) else told
    return rng.choice(TABLES["corrections"]).format(t=small, T=told)


def of_other(rng: random.Random, fact: Fact, v: str) -> tuple[str, str, str] | None:
    """The same kind of thing about somebody else: what is told, a question for it and the answer; None if it does not fit."""
    who = rng.choice(values("others"))
    mine = re.compile(r"\b(?:my|I|me|we|our)\b")
    told = [part for part in fact.told.split(" ; ") if part.startswith("My ") and not mine.search(part[3:])]
    asked = [part for part in fact.asked.split(" ; ") if " my " in part and len(mine.findall(part)) == 1]
    if not told or not asked or not re.match(r"Your (?!.*\byour?\b)", fact.answer):
        return None
    return (
        articles(told[0].format(v=v)).replace("My ", f"My {who}'s ", 1),
        rng.choice(asked).replace(" my ", f" my {who}'s "),
        articles(fact.answer.format(v=v)).replace("Your ", f"Your {who}'s ", 1),
    )


def about_me(rng: random.Random, bases: Bases) -> Item:
    """The form in which the app's memory puts earlier messages before the question."""
    facts = choose_facts(rng, rng.choice([1, 2, 3, 3, 4, 4, 5, 6, 7, 8]))
    said = [fact.say(rng, fact.told, v) for fact, v in facts]
    chance = rng.random()
    if chance < 0.64:
        fact, v = rng.choice(facts)
        if len(facts) < 6 and rng.random() < 0.25:
            v = value(rng, fact.kind)
            said.append(corrected(rng, fact, v))
        question, answer = pick(rng, fact.asked), fact.say(rng, fact.answer, v)
        assert v.lower() in " ".join(said).lower(), said
    elif chance < 0.67:
        facts, said = facts[:3], said[:3]
        question, answer = all_known(rng, facts)
    elif chance < 0.88:
        question, answer = not_told(rng, facts)
    else:
        question, answer = bases.question(rng)
    if rng.random() < 0.15:  # the app also remembers what was only asked
        said.insert(
            rng.randint(0, len(said)), rng.choice([bases.pair(rng)[0], "Thank you!", "Hello!", "Good morning."])
        )
    content = f"About me: {' '.join(said)}\nQuestion: {question} {rng.choice(WISHES)}".strip()
    if rng.random() < 0.1:
        today = date(2026, 1, 1) + timedelta(days=rng.randrange(700))
        content = f"Today is {today:%A, %d %B %Y}.\n{content}"
    head = [system("You are a helpful assistant.")] if rng.random() < 0.4 else []
    if not head and rng.random() < 0.1:
        told, apply = SIMPLE[rng.choice(["end question", "capitals", "begin", "one sentence"])](rng)
        head, answer = [system(told)], apply(answer, None)
    if rng.random() < 0.12:  # what was said before in this conversation, as the app resends it
        earlier = bases.question(rng)
        head += [user(earlier[0]), assistant(earlier[1])]
    return {"skill": "recall", "messages": [*head, user(content), assistant(answer)]}


WISHES = ["Answer briefly."] * 8 + [
    "Keep it short.",
    "Answer in one sentence.",
    "Be brief.",
    "Short answer please.",
    "",
    "",
]


def telling(rng: random.Random, facts: list[tuple[Fact, str]]) -> list[Item]:
    """The turns in which the person tells the facts, one or two at a time."""
    messages: list[Item] = []
    left = list(facts)
    while left:
        count = 1 if rng.random() < 0.75 else 2
        now, left = left[:count], left[count:]
        said = [fact.say(rng, fact.told, v) for fact, v in now]
        last, v = now[-1]
        reply = last.say(rng, last.replies, v) if rng.random() < 0.7 else rng.choice(TABLES["acknowledged"])
        messages += [user(" ".join([tell(rng, said[0]).rstrip(), *said[1:]])), assistant(reply)]
    return messages


def told_in_talk(rng: random.Random, bases: Bases) -> Item:
    """Things told over one to four turns, other talk in between, then a question."""
    facts = choose_facts(rng, rng.choice([1, 1, 2, 2, 3, 4, 5]))
    messages = telling(rng, facts)
    asked_at_once = len(messages) == 2 and rng.random() < 0.2
    about, v = rng.choice(facts)
    other = None if asked_at_once or rng.random() > 0.5 else of_other(rng, about, value(rng, about.kind))
    if other and v.lower() not in other[0].lower():
        at = rng.choice(range(0, len(messages) + 1, 2))
        messages[at:at] = [user(other[0]), assistant(rng.choice(TABLES["acknowledged"]))]
    if not asked_at_once and rng.random() < 0.3:
        v = value(rng, about.kind)
        messages += [user(corrected(rng, about, v)), assistant("All right, I will remember that.")]
    for _ in range(0 if asked_at_once else rng.choice([0, 0, 1, 1, 2, 3])):
        talk = bases.question(rng)
        at = rng.choice(range(2, len(messages) + 1, 2))
        messages[at:at] = [user(talk[0]), assistant(talk[1])]
    chance = rng.random()
    if other and chance < 0.3:
        _, question, answer = other
    elif chance < 0.75:
        question, answer = pick(rng, about.asked), about.say(rng, about.answer, v)
    elif chance < 0.78 and not other:
        question, answer = all_known(rng, [(f, v if f is about else told) for f, told in facts])
    else:
        question, answer = not_told(rng, facts)
    if rng.random() < 0.5:
        question = after(rng.choice(TABLES["ask again"]), question)
    if asked_at_once:
        return {"skill": "recall", "messages": [user(f"{messages[0]['content']} {question}"), assistant(answer)]}
    head = [system(rng.choice(TABLES["prefixes"]))] if rng.random() < 0.15 else []
    return {"skill": "recall", "learn": "last", "messages": [*head, *messages, user(question), assistant(answer)]}


# --- (c) summary -----------------------------------------------------------------------------------------------------

SUMMARY_FRAMES = [line.replace("\\n", "\n") for line in TABLES["summary frames"]]
LABELS = [("User", "Assistant")] * 5 + [
    ("user", "assistant"),
    ("USER", "ASSISTANT"),
    ("Person", "Bot"),
    ("Customer", "Agent"),
]
POOLS = {"f": FEMALE, "m": MALE, "l": LAST, "day": DAYS, "days": [f"{d}s" for d in DAYS], "month": MONTHS}
POOLS["city"] = LISTS["city"]


def swapped(rng: random.Random, text: str, kinds: dict[str, str]) -> str:
    """The text with other names, days and places."""
    old = re.compile(rf"\b({'|'.join(map(re.escape, kinds))})\b") if kinds else None
    new: dict[str, str] = {}
    for word, kind in kinds.items():
        new[word] = rng.choice([w for w in POOLS[kind] if w not in text and w not in new.values()])
    return old.sub(lambda found: new[found[1]], text) if old else text


def talk_text(talk: list[list[str]], labels: tuple[str, str]) -> str:
    """A conversation as text."""
    return "\n".join(f"{labels[0] if who == 'user' else labels[1]}: {text}" for who, text in talk)


def summary_item(rng: random.Random, source: Item) -> Item:
    """A written summary in a frame of its own, mostly with other names."""
    labels = rng.choice(LABELS)
    text, answer = talk_text(source["talk"], labels), source["messages"][-1]["content"]
    if labels[0] in ("Person", "Customer"):
        answer = re.sub(r"\b([Tt])he user\b", rf"\1he {labels[0].lower()}", answer)
    if rng.random() < 0.7:
        text, answer = swapped(rng, f"{text}\0{answer}", source["swap"]).split("\0")
    if rng.random() < 0.15:
        messages = [system(rng.choice(TABLES["summary systems"])), user(text)]
    else:
        messages = [user(rng.choice(SUMMARY_FRAMES).format(t=text))]
    return {"skill": "summary", "messages": [*messages, assistant(answer)]}


# --- (d) the follow-up question of the app ---------------------------------------------------------------------------

# The frame and these four messages are those of llmlab.app.FOLLOW_UP, word for word.
NEXT = "Text: {}\nWrite one question that a reader could ask next."
FOLLOW_UP = [
    user(NEXT.format("Bread is made from flour, water, salt and yeast.")),
    assistant("How long does bread have to bake?"),
    user(NEXT.format("The Nile flows through eleven countries.")),
    assistant("Which of these countries is the largest?"),
]


def follow_up(text: str, question: str) -> Item:
    """The call with which the app asks for a question."""
    return {
        "skill": "followup",
        "learn": "last",
        "messages": [*FOLLOW_UP, user(NEXT.format(text)), assistant(question)],
    }


def follow_up_cards() -> list[Pair]:
    """Texts with a question: the written ones, and the facts for which one was written."""
    own = [item["messages"][-2:] for item in written("conversation") if item["skill"] == "followup"]
    cards = [(asked["content"].split("\n")[0].removeprefix("Text: "), reply["content"]) for asked, reply in own]
    return cards + [(fact["messages"][1]["content"], fact["next"]) for fact in written("facts") if fact.get("next")]


# --- all together ----------------------------------------------------------------------------------------------------


def items(rng: random.Random, n: int) -> list[Item]:
    """n items: 45 % system, 40 % recall (nearly half of it in the app's form), 7 % summary, 8 % follow-up."""
    own = written("conversation")
    bases = Bases(rng)
    systems, recalls, summaries = (
        Deck(rng, [i for i in own if i["skill"] == s]) for s in ("system", "recall", "summary")
    )
    follow_ups = Deck(rng, follow_up_cards())

    def make(share: float) -> Item:
        if share < 0.45:
            return systems.deal() if rng.random() < 0.2 else system_item(rng, bases)
        if share < 0.62:
            return about_me(rng, bases)
        if share < 0.85:
            return recalls.deal() if rng.random() < 0.15 else told_in_talk(rng, bases)
        if share < 0.92:
            return summary_item(rng, summaries.deal())
        return follow_up(*follow_ups.deal())

    made = [make((i + 0.5) / n) for i in range(n)]
    rng.shuffle(made)
    return [{key: item[key] for key in ("skill", "learn", "messages") if key in item} for item in made]


# --- checks ----------------------------------------------------------------------------------------------------------


def follows(answer: str, rule: str) -> bool:
    """Whether an answer keeps to a rule such as "words:10", "ends:?" or "json:city,country"."""
    kind, _, rest = rule.partition(":")
    words = re.findall(r"[\w'’]+", answer.lower())
    lines = answer.split("\n")
    tests: dict[str, Callable[[], bool]] = {
        "ends": lambda: answer.endswith(rest),
        "starts": lambda: answer.startswith(rest),
        "exact": lambda: answer == rest,
        "has": lambda: all(part.replace("\\n", "\n") in answer for part in rest.split(",")),
        "not": lambda: not any(p.lower() in (words if p.isalpha() else answer.lower()) for p in rest.split(",")),
        "notword": lambda: rest.lower() not in words,
        "words": lambda: len(answer.split()) <= int(rest),
        "sent": lambda: len(sentences(answer)) == int(rest),
        "caps": lambda: answer == answer.upper(),
        "caps2": lambda: all(v == v.upper() for v in json.loads(answer).values()),
        "lower": lambda: answer == answer.lower(),
        "lines": lambda: len(lines) == int(rest) and all(line.startswith("- ") for line in lines),
        "numbered": lambda: [line.split(" ")[0] for line in lines] == [f"{i + 1}." for i in range(int(rest))],
        "json": lambda: set(json.loads(answer)) == set(rest.split(",")),
        "nodigits": lambda: not re.search(r"\d", answer),
    }
    return tests[kind]()


def check_written() -> None:
    """Every written item keeps to its rules."""
    for item in written("conversation"):
        answer = item["messages"][-1]["content"]
        for one in item.get("check", []):
            assert follows(answer, one), (one, item)
        if item["skill"] == "summary":
            assert len(sentences(answer)) == 2, item
            found = re.findall(r"\d[\d.,:]*\d|\d", answer)
            assert all(number in item["messages"][0]["content"] for number in found), item
        if item["skill"] == "followup":
            assert answer.endswith("?"), item
            assert len(sentences(answer)) == 1, item
    for word, _, answer in records("avoid"):
        assert follows(answer, f"notword:{word}"), word
    for _, answer, *_ in records("base"):
        assert len(sentences(answer)) == 1, answer


def check() -> None:
    """The written items are in order, and so are a thousand generated ones."""
    check_written()
    made = items(random.Random(1), 1000)
    assert made == items(random.Random(1), 1000)
    for item in made:
        text = json.dumps(item, ensure_ascii=False)
        assert len(text) < 2400, text
        assert not re.search(r"\{[a-zA-Z]\w*\}| ; |  ", text), text
        roles = [m["role"] for m in item["messages"] if m["role"] != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2), text
