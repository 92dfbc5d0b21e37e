"""Reading: answers from documents, "it does not say", and documents with instructions that are not to be followed.

The worlds stand in written/reading.txt: kinds of documents with lines of which some are put into a document. A question
about a line that is there is answered; one about a line that was left out is answered with what is missing.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from .conversation import (
    DAYS,
    LAST,
    MONTHS,
    WRITTEN,
    Deck,
    Item,
    assistant,
    lower_first,
    pick,
    read_tables,
    system,
    upper_first,
    user,
    value,
    written,
)

TABLES = read_tables(WRITTEN / "reading.txt")


# --- worlds ----------------------------------------------------------------------------------------------------------


@dataclass
class Line:
    """Something that a document can say: wordings, questions for it, the answer, and what is missing without it."""

    told: str
    asked: str
    answer: str
    missing: str


@dataclass
class World:
    """A kind of document."""

    noun: str
    files: str
    titles: str
    lines: list[Line] = field(default_factory=list)
    never: list[tuple[str, str]] = field(default_factory=list)
    choices: dict[str, str] = field(default_factory=dict)


def read_worlds() -> list[World]:
    """The worlds of the table."""
    worlds: list[World] = []
    for row in TABLES["worlds"]:
        mark, text = row.split(" ", 1)
        fields = [part.strip() for part in row.lstrip("@").split(" | ")]
        if row.startswith("@"):
            worlds.append(World(fields[1], fields[2], ""))
        elif mark == "T":
            worlds[-1].titles = text
        elif mark == "-":
            worlds[-1].lines.append(Line(*[part.strip() for part in text.split(" | ")]))
        elif mark == "x":
            question, missing = text.split(" | ")
            worlds[-1].never.append((question, missing))
        else:
            name, _, choices = row.partition(" = ")
            worlds[-1].choices[name] = choices
    return worlds


WORLDS = read_worlds()

MADE: dict[str, Callable[[random.Random], str]] = {
    "price": lambda r: r.choice([f"{r.randint(2, 28)} euros", f"{r.randint(1, 19)}.{r.choice('2345678')}0 euros"]),
    "cheap": lambda r: f"{r.randint(1, 6)}.{r.choice('2345678')}0 euros",
    "money": lambda r: f"{r.randint(8, 190) * 5} {r.choice(['euros', 'pounds', 'dollars'])}",
    "bigmoney": lambda r: f"{r.randint(5, 95)},{r.choice(['000', '500'])} {r.choice(['euros', 'dollars'])}",
    "n": lambda r: str(r.randint(2, 99)),
    "n4": lambda r: str(r.randint(1000, 9999)),
    "min": lambda r: str(r.randint(1, 11) * 5),
    "year": lambda r: str(r.randint(1780, 2019)),
    "phone": lambda r: f"{r.randint(20, 99)} {r.randint(10, 99)} {r.randint(10, 99)}",
    "order": lambda r: f"{r.choice('ABKRT')}{r.randint(1000, 99999)}",
    "full": lambda r: f"{value(r, 'name')} {r.choice(LAST)}",
    "title": lambda r: f"{r.choice(['Ms', 'Mr', 'Mrs'])} {r.choice(LAST)}",
    "last": lambda r: r.choice(LAST),
    "word": lambda r: value(r, "shop word"),
    "day": lambda r: r.choice(DAYS),
    "month": lambda r: r.choice(MONTHS),
    "street": lambda r: value(r, "road"),
    "email": lambda r: f"{value(r, 'name').lower()}@{value(r, 'word')}.example",
    "site": lambda r: pick(r, TABLES["sites"][0]),
    "disaster": lambda r: pick(r, TABLES["disasters"][0]),
    "role": lambda r: r.choice(["a pirate", "a robot", "a cat", "an angry dragon"]),
}
SLOT = re.compile(r"\{([a-z]\w*(?::\d+-\d+)?)\}")
NUMBERS = re.compile(r"^(\w+?)\d*:(\d+)-(\d+)$")


class Values:
    """The values of one world: the same name always has the same value, and no two names share one."""

    def __init__(self, rng: random.Random, choices: dict[str, str] | None = None):
        self.rng, self.choices = rng, choices or {}
        days = sorted(rng.sample(range(28 * 12), 5))
        dates = [f"{day % 28 + 1} {MONTHS[day // 28]}" for day in days]
        # A letter is written before what it announces, and the first date comes before the second.
        self.known = dict(zip(["date9", "date1", "date2", "date3", "date4"], dates, strict=True))

    def make(self, name: str) -> str:
        """A new value for a name such as "price1", "time:6-10" or "n:2-9"."""
        if found := NUMBERS.match(name):
            low, high = int(found[2]), int(found[3])
            number = self.rng.randint(low, high)
            minutes = self.rng.choice(["00", "00", "15", "30", "45"])
            return f"{number}:{minutes}" if found[1] == "time" else str(number)
        if name in self.choices:
            return pick(self.rng, self.choices[name])
        kind = name if name in MADE else name.rstrip("0123456789")
        return MADE[kind](self.rng) if kind in MADE else value(self.rng, kind)

    def get(self, name: str) -> str:
        """The value of a name."""
        for _ in range(20):
            if name in self.known:
                break
            new = self.make(name)
            if new not in self.known.values():
                self.known[name] = new
        return self.known.setdefault(name, self.make(name))

    def fill(self, text: str) -> str:
        """The text with its values, and with "an" before a vowel."""
        filled = SLOT.sub(lambda found: self.get(found[1]), text)
        return re.sub(r"\ba (?=[aeio]\w)", "an ", filled)


@dataclass
class Doc:
    """A document: its file name, what kind of thing it is, its text."""

    name: str
    noun: str
    text: str
    title: str = ""


@dataclass
class Case:
    """Documents and a question; `missing` says what is not there, and then there is no other answer."""

    docs: list[Doc]
    question: str
    answer: str
    missing: str
    absent: bool
    at: int = 0
    bad: list[str] = field(default_factory=list)
    twins: bool = False  # the documents are about two things of one kind


def write_doc(rng: random.Random, world: World, values: Values, lines: list[Line]) -> Doc:
    """A document that says these lines."""
    title = values.fill(pick(rng, world.titles))
    told = [upper_first(values.fill(pick(rng, line.told))) for line in lines]
    leaning = re.match(r"(It|Its|They|She|Her|He|His|Take|Keep|The first|There)\b", told[0])
    chance = rng.random()
    body = " ".join(told) if chance < 0.65 else "\n".join(told) if chance < 0.85 else "\n".join(f"- {t}" for t in told)
    nameless = "c9" in world.choices and values.get("c9").lower() not in body.lower()
    if leaning or nameless or rng.random() < 0.5:
        body = f"{upper_first(title)}{rng.choice(['. ', ': ']) if chance < 0.5 else chr(10)}{body}"
    return Doc(values.fill(pick(rng, world.files)).lower().replace(" ", "-"), world.noun, body, title)


COMMON = set(" ".join(TABLES["common words"]).split())


def stems(text: str) -> set[str]:
    """The words of a text that say what it is about."""
    return {word[:5] for word in re.findall(r"[a-z]{3,}", text.lower()) if word not in COMMON}


def asked_line(rng: random.Random, values: Values, line: Line, clear: bool = False) -> tuple[str, str]:
    """A question for a line, and what would be missing without it; a clear one does not say "it"."""
    questions = [part.strip() for part in line.asked.split(" ; ")]
    plain = [q for q in questions if not re.search(r"\b(it|its|they|them|she|her|he|I have|there)\b", q)]
    question, _, missing = rng.choice(plain if clear and plain else questions).partition(" => ")
    return values.fill(question), values.fill(missing or line.missing)


def make_case(rng: random.Random, absent: bool, count: int, most: int = 6) -> Case:
    """Documents of different kinds and a question about one of them."""
    while True:
        world = rng.choice(WORLDS)
        values = Values(rng, world.choices)
        chosen = sorted(rng.sample(range(len(world.lines)), rng.randint(3, min(most, len(world.lines)))))
        left = [i for i in range(len(world.lines)) if i not in chosen]
        doc = write_doc(rng, world, values, [world.lines[i] for i in chosen])
        if absent and (not left or rng.random() < 0.12):
            question, missing = (values.fill(part) for part in rng.choice(world.never))
            answer = ""
        else:
            line = world.lines[rng.choice(left if absent else chosen)]
            question, missing = asked_line(rng, values, line, count > 1)
            answer = "" if absent else upper_first(values.fill(line.answer))
            slots = SLOT.findall(line.answer) if answer else []
            assert all(values.get(slot).lower() in doc.text.lower() for slot in slots), (doc, answer)
        others = [other_doc(rng, world) for _ in range(count - 1)]
        words = stems(question) | stems(missing)
        if count > 1 and re.search(r"\b(it|its|they|she|her)\b", question):
            question = f"About {doc.title}: {question}"
            words = stems(doc.title)
        if (
            (count == 1 or words)
            and all(not words & stems(other.text) for other in others)
            and len({d.name for d in [doc, *others]}) == count
        ):
            docs = [*others, doc]
            rng.shuffle(docs)
            return Case(docs, question, answer, missing, absent, docs.index(doc))


def other_doc(rng: random.Random, world: World) -> Doc:
    """A short document of another kind."""
    other = rng.choice([w for w in WORLDS if w is not world])
    lines = [other.lines[i] for i in sorted(rng.sample(range(len(other.lines)), rng.randint(2, 3)))]
    return write_doc(rng, other, Values(rng, other.choices), lines)


def twin_case(rng: random.Random, absent: bool) -> Case:
    """Two documents of one kind about two things; the one that is asked about says it or does not."""
    while True:
        world = rng.choice(WORLDS)
        pair = [Values(rng, world.choices), Values(rng, world.choices)]
        line = rng.choice(world.lines)
        others = [other for other in world.lines if other is not line]
        at = rng.randrange(2)
        docs = []
        for i in range(2):
            lines = rng.sample(others, 2) + ([line] if not absent or i != at else [])
            docs.append(write_doc(rng, world, pair[i], sorted(lines, key=world.lines.index)))
        titles = [doc.title for doc in docs]
        names = {doc.name for doc in docs}
        # The thing asked about has to be named in its own document and in no other.
        if len(names) == 2 and titles[at] != titles[1 - at] and upper_first(titles[at]) in docs[at].text:
            question, missing = asked_line(rng, pair[at], line)
            about = rng.choice([f"About {titles[at]}: {question}", f"{titles[at]}: {lower_first(question)}"])
            answer = upper_first(pair[at].fill(line.answer))
            if answer != upper_first(pair[1 - at].fill(line.answer)):
                return Case(docs, upper_first(about), "" if absent else answer, missing, absent, at, twins=True)


# --- layouts ---------------------------------------------------------------------------------------------------------

LAYOUTS: dict[str, Callable[[str, str], str]] = {
    "brackets": lambda n, t: f"[{n}] {t}",
    "colon": lambda n, t: f"{n}: {t}",
    "file": lambda n, t: f"File {n}:\n{t}",
    "rule": lambda n, t: f"--- {n} ---\n{t}",
    "heading": lambda n, t: f"# {n}\n{t}",
    "tag": lambda n, t: f'<document name="{n}">\n{t}\n</document>',
    "source": lambda n, t: f"Source {n}\n{t}",
    "quote": lambda n, t: f'{n} says: "{t}"',
}


def named(rng: random.Random, docs: list[Doc]) -> list[str]:
    """Names for the documents: file names, addresses of resources, or letters."""
    own = [doc.name for doc in docs]
    if any(not re.search(r"\.(txt|md|csv)$", name) for name in own):
        return own
    chance = rng.random()
    if chance < 0.45:
        return own
    parts = [name.rsplit(".", 1)[0] for name in own]
    if chance < 0.7:
        scheme = rng.choice(["docs://", "notes://", "docs://", "file:///docs/", "wiki://", "memo://", "kb://"])
        return [f"{scheme}{part}" for part in parts]
    word = rng.choice(["Document", "Text", "Source", "Document"])
    marks = rng.choice(["ABC", "123"])
    return [f"{word} {marks[i]}" for i in range(len(docs))]


def laid_out(rng: random.Random, docs: list[Doc], names: list[str]) -> str:
    """The documents as one text."""
    if len(docs) == 1 and rng.random() < 0.3:
        return docs[0].text if rng.random() < 0.6 else f"Text: {docs[0].text}"
    kinds = ["brackets", "colon", "rule", "heading", "tag", "brackets", "colon"]
    if "." in names[0] and "//" not in names[0]:
        kinds += ["file", "file"]
    layout = LAYOUTS[rng.choice(kinds)]
    return rng.choice(["\n", "\n\n"]).join(layout(name, doc.text) for name, doc in zip(names, docs, strict=True))


NOUNLIKE = re.compile(r"(who|what|how|where|when) ")


def not_there(rng: random.Random, case: Case, names: list[str], shown: bool) -> str:
    """One of several ways to say that the documents do not say something."""
    doc = case.docs[case.at]
    if case.twins:
        return rng.choice(["{n} does not say {m}.", "{n} does not say {m}.", "{n} does not mention {m}."]).format(
            n=names[case.at], m=case.missing
        )
    if len(names) > 1:
        whole = ["neither document"] if len(names) == 2 else ["none of the documents"]
        said = f"The documents do not say {case.missing}."
        return rng.choice([said, said, f"{upper_first(whole[0])} says {case.missing}."])
    choices = [f"the {doc.noun}", "the document", "the text"] + ([names[0]] if shown else [])
    name = rng.choice(choices)
    start = name if name == names[0] else upper_first(name)
    sayings = [line for line in TABLES["absent answers"] if "nothing about" not in line or NOUNLIKE.match(case.missing)]
    said = rng.choice(sayings).format(Doc=start, doc=name, m=case.missing)
    if name == f"the {doc.noun}" and name.endswith("s"):
        said = said.replace("does not", "do not").replace("says", "say")
    return said


def framed(rng: random.Random, case: Case, text: str) -> list[Item]:
    """The messages up to the question."""
    question = case.question
    chance = rng.random()
    if chance < 0.08:
        told = rng.choice(["Answer from this:\n{d}", "Documents:\n{d}", "You know this:\n{d}", "Use these notes:\n{d}"])
        return [system(told.replace("{d}", text)), user(question)]
    if chance < 0.15:
        return [user(text), assistant(rng.choice(TABLES["shown"])), user(question)]
    frame = rng.choice(TABLES["frames"]).replace("\\n", "\n")
    filled = frame.replace("{q}", question).replace("{l}", lower_first(question)).replace("{d}", text)
    head = [system(rng.choice(TABLES["system messages"]))] if rng.random() < 0.2 else []
    return [*head, user(filled)]


def with_rule(rng: random.Random, messages: list[Item], phrase: str) -> list[Item]:
    """The messages with a rule what to say if the text does not tell."""
    told = rng.choice(TABLES["not stated rules"]).format(p=phrase)
    if messages[0]["role"] == "system":
        return [system(f"{messages[0]['content']}\n{told}"), *messages[1:]]
    if rng.random() < 0.5:
        return [system(told), *messages]
    return [*messages[:-1], user(f"{messages[-1]['content']} {told}")]


def reading_item(rng: random.Random, case: Case) -> Item:
    """A case in one of many forms."""
    if rng.random() < 0.14 and len(case.docs) == 1:
        return tool_item(rng, case, "absent" if case.absent else "context", [])
    names = named(rng, case.docs)
    text = laid_out(rng, case.docs, names)
    messages = framed(rng, case, text)
    shown = all(name in text for name in names)
    skill = "absent" if case.absent else "context"
    if rng.random() < 0.22:
        phrase = rng.choice(TABLES["not stated phrases"])
        answer = phrase if case.absent else case.answer
        return finished(skill, with_rule(rng, messages, phrase), answer)
    if case.absent:
        return finished(skill, messages, not_there(rng, case, names, shown))
    says_so = rng.choice(TABLES["says so"]).format(n=names[case.at], N=names[case.at])
    if shown and len(names) > 1 and (chance := rng.random()) < 0.5:
        if chance < 0.16:
            where = rng.choice(TABLES["which document"])
            asked = [*messages[:-1], user(messages[-1]["content"].replace(case.question, f"{case.question} {where}"))]
            return finished(skill, asked, f"{case.answer} {says_so}")
        if chance < 0.38 and case.missing and not case.twins:
            which = rng.choice(TABLES["which says"]).format(m=case.missing)
            changed = Case(case.docs, which, "", "", False, case.at)
            return finished(skill, framed(rng, changed, text), f"{names[case.at]} says {case.missing}.")
        more = [assistant(case.answer), user(rng.choice(TABLES["where is it"]))]
        return finished(skill, [*messages, *more], says_so)
    return finished(skill, messages, case.answer)


def which_item(rng: random.Random) -> Item:
    """The question which of two or three documents says something; sometimes none of them."""
    absent = rng.random() < 0.15
    case = make_case(rng, absent, rng.choice([2, 3, 3]), 4)
    names = named(rng, case.docs)
    which = rng.choice(TABLES["which says"]).format(m=case.missing)
    messages = framed(rng, Case(case.docs, which, "", "", False), laid_out(rng, case.docs, names))
    none = "Neither document" if len(names) == 2 else "None of the documents"
    answer = f"{none if absent else names[case.at]} says {case.missing}."
    return finished("absent" if absent else "context", messages, answer)


def finished(skill: str, messages: list[Item], answer: str) -> Item:
    """An item with its last message."""
    return {"skill": skill, "messages": [*messages, assistant(answer)]}


# --- tools -----------------------------------------------------------------------------------------------------------


def tool(name: str, description: str, parameters: str) -> Item:
    """A tool in the form of an OpenAI request; parameters are "name" or "name:type", divided by commas."""
    pairs = [[*part.strip().split(":"), "string"][:2] for part in parameters.split(",")]
    schema = {"type": "object", "properties": {n: {"type": t} for n, t in pairs}, "required": [n for n, _ in pairs]}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def tools_of(section: str) -> list[list[str]]:
    """The tools of a table."""
    return [[part.strip() for part in line.split(" | ")] for line in TABLES[section]]


def tool_result(rng: random.Random, name: str, text: str) -> str:
    """A document as a tool gives it back."""
    chance = rng.random()
    if chance < 0.5:
        return text
    if chance < 0.62:
        return f"{name}: {text}"
    if chance < 0.74:
        return json.dumps({"name": name, "content": text}, ensure_ascii=False)
    if chance < 0.85:
        return json.dumps([{"source": name, "text": text}], ensure_ascii=False)
    return json.dumps({"result": text}, ensure_ascii=False)


def tool_item(rng: random.Random, case: Case, skill: str, dangerous: list[str]) -> Item:
    """The question, the call of a tool that reads, its result, and the answer."""
    doc = case.docs[case.at]
    reader, description, parameter = rng.choice(tools_of("readers"))
    stem = doc.name.split("/")[-1].rsplit(".", 1)[0]
    file = f"{stem}.txt" if "/" in doc.name else doc.name
    wanted = {"path": file, "name": file, "uri": f"docs://{stem}", "url": f"https://{stem}.example/page"}
    arguments = {parameter: wanted.get(parameter, stem.replace("-", " "))}
    actions = tools_of("actions")
    also = [a for a in actions if a[0] in dangerous] or rng.sample(actions, rng.choice([0, 1, 1, 2]))
    offered = [tool(reader, description, parameter), *(tool(*a) for a in also)]
    rng.shuffle(offered)
    call_id = f"call_{rng.randint(1, 99)}"
    function = {"name": reader, "arguments": json.dumps(arguments)}
    called = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": call_id, "type": "function", "function": function}],
    }
    result = {"role": "tool", "tool_call_id": call_id, "content": tool_result(rng, doc.name, doc.text)}
    answer = not_there(rng, case, [doc.name], False) if case.absent else case.answer
    head = [system(rng.choice(TABLES["careful system messages"]))] if rng.random() < 0.2 else []
    messages = [*head, user(case.question), called, result, assistant(answer)]
    return {"skill": skill, "learn": "last", "messages": messages, "tools": offered}


# --- injections ------------------------------------------------------------------------------------------------------


def inject(rng: random.Random, case: Case) -> Case:
    """The case with an instruction to the model in its document, and the words that must not come back."""
    doc = case.docs[case.at]
    while True:
        values = Values(rng)
        order, marks = (part.strip() for part in values.fill(rng.choice(TABLES["injections"])).split(" | "))
        bad = [mark.strip().lower() for mark in marks.split(",") if mark.strip()]
        if not any(mark in (case.answer + case.missing + case.question).lower() for mark in bad):
            break
    carried = rng.choice(TABLES["carriers"]).replace("{x}", order)
    parts = re.split(r"(?<=[.!?])(?<!Dr\.)(?<!Mr\.)\s(?=[A-Z-])|\n", doc.text)
    chance = rng.random()
    at = len(parts) if chance < 0.5 else 0 if chance < 0.65 else rng.randint(1, len(parts))
    joined = "\n".join if "\n" in doc.text or rng.random() < 0.25 else " ".join
    text = joined([*parts[:at], carried, *parts[at:]])
    docs = [Doc(doc.name, doc.noun, text, doc.title) if i == case.at else d for i, d in enumerate(case.docs)]
    return Case(docs, case.question, case.answer, case.missing, case.absent, case.at, bad)


def injected_item(rng: random.Random, case: Case) -> Item:
    """A case with an instruction inside, as a document or as the result of a tool."""
    if rng.random() < 0.6 and len(case.docs) == 1:
        called = [row[0] for row in tools_of("actions") if row[0] in case.docs[0].text]
        item = tool_item(rng, case, "injection", called)
    else:
        names = named(rng, case.docs)
        text = laid_out(rng, case.docs, names)
        answer = not_there(rng, case, names, False) if case.absent else case.answer
        item = finished("injection", framed(rng, case, text), answer)
    assert not any(mark in item["messages"][-1]["content"].lower() for mark in case.bad), item
    return item


# --- all together ----------------------------------------------------------------------------------------------------


def written_case(rng: random.Random, source: Item) -> Case:
    """A written item as a case."""
    docs = [Doc(name, "document", text, name) for name, text in source["docs"]]
    return Case(
        docs, source["question"], source["answer"], source["missing"], source["skill"] == "absent", source["at"]
    )


def written_item(rng: random.Random, source: Item) -> Item:
    """A written item, in a frame of its own where it is a document."""
    return reading_item(rng, written_case(rng, source)) if source["skill"] != "injection" else source


def case_of(rng: random.Random, absent: bool) -> Case:
    """A generated case with one to three documents."""
    chance = rng.random()
    if chance < 0.12:
        return twin_case(rng, absent)
    return make_case(rng, absent, 1 if chance < 0.62 else 2 if chance < 0.87 else 3, 6 if chance < 0.62 else 4)


def session(rng: random.Random) -> Item:
    """One document and several questions about it, some of them about what it does not say."""
    world = rng.choice([w for w in WORLDS if len(w.lines) > 4])
    values = Values(rng, world.choices)
    order = rng.sample(range(len(world.lines)), len(world.lines))
    count = rng.randint(3, min(5, len(order) - 1))
    told, left = order[:count], order[count:]
    doc = write_doc(rng, world, values, [world.lines[i] for i in sorted(told)])
    names = named(rng, [doc])
    text = laid_out(rng, [doc], names)
    messages: list[Item] = []
    for _ in range(rng.choice((2, 3, 3, 4))):
        absent = rng.random() < 0.5 or not told
        if absent and not left:
            break
        line = world.lines[(left if absent else told).pop()]
        question, missing = asked_line(rng, values, line)
        case = Case([doc], question, "" if absent else upper_first(values.fill(line.answer)), missing, absent)
        messages += [user(question)] if messages else framed(rng, case, text)
        messages.append(assistant(not_there(rng, case, names, names[0] in text) if absent else case.answer))
    return {"skill": "context", "messages": messages}


def items(rng: random.Random, n: int) -> list[Item]:
    """n items: a fifth are sessions; of the others 40 % context, 37 % absent, 23 % injection, a quarter by hand."""
    own = written("reading")
    decks = {skill: Deck(rng, [i for i in own if i["skill"] == skill]) for skill in ("context", "absent", "injection")}

    def make(share: float) -> Item:
        if rng.random() < 0.2:
            return session(rng)
        if rng.random() < 0.09:
            return which_item(rng)
        skill = "context" if share < 0.4 else "absent" if share < 0.77 else "injection"
        if rng.random() < 0.25:
            return written_item(rng, decks[skill].deal())
        if skill == "injection":
            case = make_case(rng, rng.random() < 0.08, rng.choice([1, 1, 1, 1, 2]), 5)
            return injected_item(rng, inject(rng, case))
        return reading_item(rng, case_of(rng, skill == "absent"))

    made = [make((i + 0.5) / n) for i in range(n)]
    rng.shuffle(made)
    return [{key: item[key] for key in ("skill", "learn", "messages", "tools") if key in item} for item in made]


# --- checks ----------------------------------------------------------------------------------------------------------


def check_form(item: Item) -> None:
    """Arguments fit the schema, nothing is left unfilled, and the item is short enough."""
    text = json.dumps(item, ensure_ascii=False)
    assert len(text) < 2900, text
    assert not re.search(r"\{[a-z]\w*(:\d+-\d+)?\}| ; ", text), text
    offered = {t["function"]["name"]: t["function"]["parameters"] for t in item.get("tools", [])}
    for message in item["messages"]:
        for call in message.get("tool_calls", []):
            arguments = json.loads(call["function"]["arguments"])
            assert set(arguments) == set(offered[call["function"]["name"]]["required"]), text
    assert "tool_calls" not in item["messages"][-1]


def check() -> None:
    """The written items and a thousand generated ones are in order; answers hold what their documents say."""
    for item in written("reading"):
        check_form(item)
        answer = item["messages"][-1]["content"].lower()
        assert not any(mark in answer for mark in item.get("bad", [])), item
    made = items(random.Random(1), 1000)
    assert made == items(random.Random(1), 1000)
    for item in made:
        check_form(item)
