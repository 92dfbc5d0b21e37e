"""Verdicts in pairs: the same request twice, once about a text that meets the criterion and once about one that does not.

Only what decides differs between the two, so that nothing else can be learned from them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import kit_words

Item = dict[str, Any]
Pair = tuple[str, str, str, str]  # criterion, a text that meets it, one that does not, the advice for that
WRITTEN = Path(__file__).parent.parent / "written"

# {k}: what kind of text, {c}: the criterion, {t}: the text, {j}: the order to answer in JSON.
FRAMES = """{c} {t} {j} / {c} Is that true of this text? {t} {j} / {t} {c} Right or wrong? {j} / {t} Does it keep to this rule: {c} {j}
The rule for {k} is this: {c} Here it is: {t} {j} / Look at {k}: {t} {c} Yes or no? {j} / I have to check {k}. {c} The text: {t} {j}
{j} Criterion: {c} Text: {t} / Text: {t} Criterion: {c} {j} / They told me: {c} I got {t} Did it work? {j} / Judge: {t} By: {c} {j}
My boss wants this of {k}: {c} I wrote {t} {j} / {t} That was {k}. {c} Is this met? {j} / Evaluate. {c} {t} {j} / Wanted: {c} Got: {t} {j}
Somebody sent {k}, {t} and I ask you about one thing only: {c} {j} / {c} So, is {t} good enough? {j} / Check {t} against this: {c} {j}
Here is {k}. {t} What we agreed on: {c} Was it kept? {j} / Tell me about {k}, {t} {c} True? {j} / Please verify: {c} {t} {j}""".replace("\n", " / ").split(" / ")  # fmt: skip
ORDERS = """JSON with meets, score and advice. / Answer in JSON (meets, score, advice). / Give me JSON: meets, score 0-10, advice.
Reply as {"meets": ..., "score": ..., "advice": ...}. / JSON, please: meets (true or false), score, advice. / Output JSON.
Your verdict as JSON with meets, score and advice. / Use JSON with the fields meets, score, advice. / Verdict in JSON.
Return {"meets": true or false, "score": 0-10, "advice": "..."}. / As JSON: does it meet the rule, a score, a line of advice.""".replace("\n", " / ").split(" / ")  # fmt: skip
PEOPLE = [
    "Ada",
    "Bela",
    "Carla",
    "Dario",
    "Elif",
    "Farid",
    "Greta",
    "Hugo",
    "Iris",
    "Jonas",
    "Kaito",
    "Lena",
    "Malik",
    "Nadia",
    "Otto",
    "Petra",
    "Rosa",
    "Stefan",
    "Tariq",
    "Vera",
]
THINGS = """the ladder / the red bicycle / our boat / the old piano / a basket of plums / the wool coat / the garden hose / a jar of
honey / the green tent / the wooden chair / a pair of skates / the kettle / the map / a bag of seeds / the brass bell""".replace("\n", " ").split(" / ")  # fmt: skip
PLACES = [
    "the harbour",
    "the station",
    "the mill",
    "the market",
    "the school",
    "the bridge",
    "the old tower",
    "the park",
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
SENTENCES = """You find {x} at {p}. / {x} stands in the hall. / We keep {x} for you until {d}. / Somebody left {x} near {p}.
Bring {x} to {p} on {d}. / It was a long day, and it rained. / The children play outside. / We saw {x} on the way to {p}.
The door is open from nine to five. / {x} was mended last week. / There is tea and cake. / We meet at {p} on {d}.""".replace("\n", " / ").split(" / ")  # fmt: skip
ASKED = ["Will you come?", "Have you seen it?", "Shall we wait for you?", "Who has the key?", "Can you help us?"]
EXTRAS = ["cheap", "nice", "very", "basically", "problem", "sorry", "boss", "expensive", "free", "old"]
KINDS = ["a note", "an advert", "a letter", "a short report", "a message", "a reply", "a notice", "a post", "a card"]


def _tones() -> list[tuple[str, list[str]]]:
    groups = (WRITTEN / "verdict_texts.txt").read_text(encoding="utf-8").split("\n= ")[1:]
    return [(lines[0], lines[1:5]) for lines in (group.splitlines() for group in groups)]


TONES = _tones()


def text(rng: random.Random, sentences: int) -> str:
    """Some sentences about things, places and days."""
    said = []
    for frame in rng.sample(SENTENCES, sentences):
        line = frame.format(x=rng.choice(THINGS), p=rng.choice(PLACES), d=rng.choice(DAYS))
        said.append(line[0].upper() + line[1:])
    return " ".join(said)


def words(rng: random.Random) -> Pair:
    """A limit of words, clearly kept and clearly broken."""
    short, long = text(rng, 1), text(rng, rng.choice([3, 4]))
    least, most = len(short.split()), len(long.split())
    n = rng.randint(least + 2, max(least + 2, most - 4))
    if rng.random() < 0.7:
        criterion = rng.choice(
            [f"It has at most {n} words.", f"No more than {n} words.", f"It stays below {n + 1} words.",
             f"It should not go over {n} words.", f"Maximum {n} words.", f"It uses {n} words or fewer."]
        )  # fmt: skip
        return criterion, short, long, f"Shorten it to at most {n} words."
    criterion = rng.choice([f"It has at least {n} words.", f"No fewer than {n} words.", f"It is {n} words or longer."])
    return criterion, long, short, f"Make it longer: at least {n} words."


def name(rng: random.Random) -> Pair:
    """A name, a thing or a place that has to be there."""
    part = rng.choice([*PEOPLE, *PLACES, *DAYS, *THINGS])
    base = text(rng, 2)
    while part in base:
        base = text(rng, 2)
    added = {0: f"{part} is here.", 1: f"We think of {part}.", 2: f"It is about {part}."}[rng.randrange(3)]
    other = rng.choice([person for person in PEOPLE if person != part])
    with_it, without = f"{base} {added[0].upper()}{added[1:]}", f"{base} {other} is here."
    bare = part.removeprefix("the ").removeprefix("a ").removeprefix("our ")
    criterion = rng.choice(
        [f"It mentions {bare}.", f"The name {bare} appears." if part in PEOPLE else f"It says something about {bare}.",
         f"{bare[0].upper()}{bare[1:]} is named.", f"It tells us about {bare}.", f"It has to mention {bare}."]
    )  # fmt: skip
    return criterion, with_it, without, f"Mention {bare}."


def banned(rng: random.Random) -> Pair:
    """A word that must not be there."""
    word = rng.choice(EXTRAS)
    base = text(rng, 1)
    bad = f"{base} {rng.choice([f'It is {word}.', f'This is the {word} one.', f'Everybody says {word}.'])}"
    good = f"{base} {rng.choice(['It is blue.', 'This is the new one.', 'Everybody says so.'])}"
    criterion = rng.choice(
        [f'It does not use the word "{word}".', f'The word "{word}" is forbidden.', f'We never write "{word}".',
         f'It avoids "{word}".', f'"{word}" must not occur.']
    )  # fmt: skip
    return criterion, good, bad, f'Leave out the word "{word}".'


def question(rng: random.Random) -> Pair:
    """It ends with a question, or it does not ask anything."""
    base, asked = text(rng, 1), rng.choice(ASKED)
    ends, no = f"{base} {asked}", f"{asked} {base}"
    if rng.random() < 0.3:
        criterion = rng.choice(["It asks nothing.", "There is no question in it.", "It has no question mark."])
        return criterion, text(rng, 2), rng.choice([ends, no]), "Leave out the question."
    criterion = rng.choice(
        ["It ends with a question.", "The last sentence is a question.", "The last thing is a question.",
         "It closes with a question to the reader."]
    )  # fmt: skip
    return criterion, ends, rng.choice([no, text(rng, 2)]), "End with a question."


def sentences(rng: random.Random) -> Pair:
    """A number of sentences."""
    n = rng.choice([1, 1, 2, 2, 3])
    other = rng.choice([k for k in (1, 2, 3, 4, 5) if abs(k - n) >= (1 if n == 1 else 2)])
    said = "one sentence" if n == 1 else f"{['two', 'three'][n - 2]} sentences"
    criterion = rng.choice([f"It is {said} long.", f"It has exactly {said}.", f"It consists of {said}."])
    return criterion, text(rng, n), text(rng, other), f"Write exactly {said}."


def opening(rng: random.Random) -> Pair:
    """How it begins."""
    word = rng.choice(["Hello", "Dear", "Attention", "News", "Today", "Please", "Good morning"])
    base = text(rng, 2)
    other = rng.choice([one for one in ["Listen", "Now", "Well", "Friends"] if one != word])
    criterion = rng.choice([f'It starts with "{word}".', f'The first word is "{word}".', f'It begins with "{word}".'])
    return criterion, f"{word}, {base[0].lower()}{base[1:]}", f"{other}, {base[0].lower()}{base[1:]}", f'Start with "{word}".'  # fmt: skip


def capitals(rng: random.Random) -> Pair:
    """Written large, or with a number in it."""
    base = text(rng, 1)
    if rng.random() < 0.5:
        return "It is written in capital letters.", base.upper(), base, "Write it in capital letters."
    number = rng.randint(2, 90)
    criterion = rng.choice(["It contains a number.", "There is a price in it.", "It says how much it costs."])
    return criterion, f"{base} It costs {number} euros.", f"{base} It costs a little.", "Say the price."


def tone(rng: random.Random) -> tuple[str, Pair]:
    """Kind, formal, or not rude; the kind of text comes with it."""
    kind, (friendly, rude, formal, plain) = rng.choice(TONES)
    wanted = rng.choice(["friendly", "friendly", "polite", "rude", "formal"])
    if wanted == "friendly":
        criterion = rng.choice(["It is friendly.", "The tone is friendly.", "It sounds kind and warm.", "It should be friendly."])  # fmt: skip
        return kind, (criterion, friendly, rng.choice([rude, rude, plain]), "Make it friendly.")
    if wanted == "polite":
        criterion = rng.choice(["It is polite.", "Nobody is insulted.", "It hurts nobody.", "It is not rude."])
        return kind, (criterion, rng.choice([friendly, formal]), rude, "Leave out the insults.")
    if wanted == "rude":
        return kind, (rng.choice(["It is rude.", "It insults people."]), rude, rng.choice([friendly, formal]), "It is not rude.")  # fmt: skip
    criterion = rng.choice(["It is formal.", "The tone is official.", "It is written in a formal style."])
    return kind, (criterion, formal, rng.choice([rude, friendly]), "Write it formally.")


MAKERS: list[Callable[[random.Random], Pair]] = [
    words,
    words,
    name,
    name,
    banned,
    question,
    sentences,
    opening,
    capitals,
]


def pair(rng: random.Random) -> list[Item]:
    """The same request about two texts."""
    if rng.random() < 0.35:
        kind, (criterion, good, bad, advice) = tone(rng)
    else:
        kind, (criterion, good, bad, advice) = rng.choice(KINDS), rng.choice(MAKERS)(rng)
    kits, frame, order = kit_words.used(rng), rng.choice(FRAMES), rng.choice(ORDERS)
    quote, line = rng.choice(['"{}"', '"{}"', "{}", "\n{}\n", "\n\n{}\n\n"]), rng.choice([" ", "\n"])
    made = []
    for meets, said in ((True, good), (False, bad)):
        if kits:
            messages = kit_words.ask(kit_words.JUDGE, text=said, criterion=criterion)
        else:
            parts = frame.replace(" {j}", line + "{j}")
            filled = kit_words.fill(parts, k=kind, c=criterion, t=quote.format(said), j=order)
            messages = [
                {
                    "role": "user",
                    "content": (filled[0].upper() + filled[1:]).replace("\n ", "\n").replace("\n\n\n", "\n\n").strip(),
                }
            ]
        verdict = {"meets": meets, "score": 10 if meets else 2, "advice": "None needed." if meets else advice}
        answer = {"role": "assistant", "content": json.dumps(verdict)}
        made.append({"skill": "judge", "messages": [*messages, answer]})
    return made


def items(rng: random.Random, n: int) -> list[Item]:
    """`n` items, or one more: pairs."""
    return [item for _ in range((n + 1) // 2) for item in pair(rng)]


def check() -> None:
    """Each request comes with both verdicts, and the texts differ."""
    made = items(random.Random(1), 2000)
    for yes, no in zip(made[::2], made[1::2], strict=True):
        first, second = (json.loads(item["messages"][-1]["content"]) for item in (yes, no))
        assert (first["meets"], second["meets"]) == (True, False)
        assert yes["messages"][0] != no["messages"][0]
        assert "{" not in yes["messages"][0]["content"].replace('{"meets"', "")


if __name__ == "__main__":
    check()
