"""Judging a text by one criterion, and revising a text by one line of advice.

What can be computed is computed (length, sentences, words, dates, questions, facts of texts built from facts); the
texts of ../written/judged_texts.txt say what they mention ("+") and what they do not ("-"). Tone and the like is judged by
hand in ../written/judging.jsonl.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import kit_words, writing

WRITTEN = Path(__file__).parent.parent / "written"


put, upper, sentence_count, word_count = writing.put, writing.upper, writing.sentence_count, writing.word_count

# ------------------------------------------------------------------------------------------------- wordings

SHAPE = '{"meets": true or false, "score": 0-10, "advice": "one line"}'

SYSTEMS = [
    "You judge texts. Answer in JSON.",
    f"You are a judge. For a text and a criterion you answer with {SHAPE}.",
    "You are a strict but fair editor.",
    "You check texts against one criterion and give one line of advice.",
    "You are a helpful assistant.",
    "You grade drafts from 0 to 10. JSON only.",
    "You are the second model: you read what another has written and judge it.",
    "You are a reviewer of short texts.",
]

JUDGE = [
    "Text: {t}\nCriterion: {c}",
    "Text: {t}\n\nCriterion: {c}",
    "Criterion: {c}\nText: {t}",
    "Criterion: {c}\n\n{t}",
    "Does this text meet the criterion?\nCriterion: {c}\n\n{t}",
    "Judge this text by one criterion: {c}\n\n{t}",
    "{t}\n\nCheck this: {c}",
    "{t}\n---\n{c} Is that so?",
    "Please judge the text. {c}\nText: {t}",
    'Is this fulfilled: "{c}"?\n{t}',
    "A draft:\n{t}\nIt has to fulfil this: {c}",
    "Evaluate the answer below.\nRule: {c}\nAnswer: {t}",
    "The rule is: {c}\nHere is what somebody wrote: {t}",
    "Requirement: {c}\nDraft: {t}",
    "I wrote this:\n{t}\n\nMy teacher wants: {c} Did I do it?",
    "Look at the text and tell me if it meets the rule.\nRule: {c}\nText:\n{t}",
    "check pls: {c}\n\n{t}",
    "Score the text from 0 to 10.\nCriterion: {c}\n\nText:\n{t}",
]

ASKS = [
    f"Answer in JSON: {SHAPE}",
    'Reply with JSON: {"meets": ..., "score": ..., "advice": "..."}',
    'Give a JSON object with "meets", "score" (0 to 10) and "advice".',
    "JSON with meets, score and advice, please.",
    f"Return only {SHAPE}.",
    "Answer with meets (true or false), a score from 0 to 10 and one line of advice, as JSON.",
    'Output: {"meets": true/false, "score": number, "advice": text}',
    "Verdict as JSON (meets, score, advice).",
    'JSON only: {"meets": bool, "score": int, "advice": str}',
    "Tell me in JSON: does it meet the criterion, how well (0-10), and what should be changed?",
]

FINE = ["None needed."]

REVISE = [
    "Text: {t}\nAdvice: {a}\nWrite the better text.",
    "Revise the text by this advice: {a}\n\n{t}",
    "{t}\n\nAdvice: {a}\nNew version:",
    "Here is a draft:\n{t}\nA reader says: {a}\nPlease improve it.",
    "Draft: {t}\nCritique: {a}\nAnswer with the improved draft only.",
    'Improve this text. Advice: "{a}"\n\n{t}',
    "The judge said: {a}\nThe text was: {t}\nRewrite it.",
    "Follow the advice and rewrite.\nAdvice: {a}\nText: {t}",
    "{t}\n---\nAdvice from the editor: {a}",
    "Your text was: {t}\nAdvice: {a}\nTry again.",
    'Text: {t}\nJudgement: {{"meets": false, "score": {s}, "advice": {j}}}\nRevise the text.',
    'The text did not meet the criterion.\n{{"meets": false, "score": {s}, "advice": {j}}}\n\n{t}\n\nWrite it so that it does.',
    "Please apply this advice: {a}\nText: {t}",
    "second try please. advice: {a}\ntext: {t}",
    "Original text:\n{t}\n\nWhat to improve: {a}\n\nRevised text:",
]

REVISERS = [
    "You revise texts by the advice that you get.",
    "Answer with the revised text only.",
    "You are a writer who takes advice well.",
    "You are a helpful assistant.",
]

WORDS_MAX = [
    "The text has at most {n} words.",
    "At most {n} words.",
    "No more than {n} words.",
    "It must not be longer than {n} words.",
    "Maximum length: {n} words.",
    "The limit is {n} words.",
    "{n} words or fewer.",
    "It stays within {n} words.",
    "Not over {n} words.",
    "The text must be short: up to {n} words.",
    "It is no longer than {n} words.",
    "Fewer words than {m}.",
]

CHARS_MAX = [
    "The text has at most {n} characters.",
    "At most {n} characters, spaces included.",
    "No more than {n} characters.",
    "It fits into a post of {n} characters.",
    "The limit is {n} characters.",
    "It must not be longer than {n} characters.",
    "{n} characters or fewer.",
    "Length: up to {n} characters.",
]

WORDS_MIN = [
    "The text has at least {n} words.",
    "It should be {n} words long or longer.",
    "Not shorter than {n} words.",
    "At least {n} words.",
    "The minimum is {n} words.",
]

SENTENCES = [
    "The text has exactly {n} sentence{s}.",
    "It consists of {n} sentence{s}.",
    "Exactly {n} sentence{s}.",
    "It has {n} sentence{s}, no more and no fewer.",
    "The text is {n} sentence{s} long.",
    "The number of sentences is {n}.",
    "There must be {n} sentence{s} in the text.",
    "{N} sentence{s}, please.",
]

MENTIONS = [
    "The text mentions {x}.",
    "{X} must be in the text.",
    "It contains {x}.",
    "It includes {x}.",
    "The text gives {x}.",
    "{X} should not be missing.",
    "The reader finds {x} in it.",
    "The text has to mention {x}.",
    "Does it mention {x}?",
]

SAYS = [
    "The text says {x}.",
    "The reader is told {x}.",
    "It must say {x}.",
    "A reader learns {x}.",
    "It tells us {x}.",
    "The text makes clear {x}.",
]

NAMES_IT = [
    "The text names {x}.",
    "{X} is named.",
    "The name {x} occurs in the text.",
    "It mentions {x} by name.",
    "The text must contain the name {x}.",
    "{X} has to be named in it.",
]

WORD_IN = [
    'The text contains the word "{w}".',
    'The word "{w}" must occur.',
    'It uses the word "{w}".',
    'Somewhere in the text stands "{w}".',
]

WORD_OUT = [
    'The text does not contain the word "{w}".',
    'It avoids the word "{w}".',
    'The word "{w}" is not used.',
    'No "{w}" in the text.',
    'It works without the word "{w}".',
    'The text must not contain "{w}".',
    'It should never say "{w}".',
    "The word {w} does not occur.",
]

QUESTION = [
    "The text ends with a question.",
    "The last sentence is a question.",
    "It closes with a question to the reader.",
    "It ends with a question mark.",
    "At the end there is a question.",
    "The text must finish with a question.",
]

DATE = [
    "The text says a date.",
    "A date is given.",
    "It contains a date (day and month).",
    "The reader learns a date.",
    "It names a day and a month.",
    "There is a date in the text.",
]

GREETING = [
    "It begins with a greeting.",
    "The text starts with a greeting.",
    "The first words greet the reader.",
    "There is a greeting at the start.",
]

EXCLAIM = [
    "There is no exclamation mark in it.",
    "The text has no exclamation mark.",
    "It does without exclamation marks.",
    "No exclamation marks.",
]

DIGITS = [
    "The text contains a number in digits.",
    "There is at least one figure (digits) in it.",
    "It gives a number, written in digits.",
]

TONES = {
    "friendly": [
        "The text is friendly.",
        "It sounds friendly.",
        "The tone is warm and friendly.",
        "A friendly tone.",
        "It is written in a kind and friendly way.",
    ],
    "polite": [
        "The text is polite.",
        "It is a polite request or answer.",
        "The tone is polite.",
        "It is worded politely.",
        "Nobody could call it rude.",
    ],
    "formal": [
        "The text is formal.",
        "The tone is formal, as in a business letter.",
        "It is written in formal language.",
        "Formal style.",
        "It sounds formal.",
    ],
    "casual": [
        "The text is casual, as among friends.",
        "It sounds relaxed and informal.",
        "Informal tone.",
        "It is written as one writes to a friend.",
    ],
    "calm": [
        "The text stays calm.",
        "It is not angry.",
        "The tone is calm and fair.",
        "It complains without insults or shouting.",
    ],
    "neutral": [
        "The text is neutral and gives no opinion.",
        "It only gives facts, no judgement.",
        "The tone is neutral.",
        "It does not take sides.",
    ],
    "encouraging": [
        "The text encourages the reader.",
        "It gives the reader hope.",
        "The tone is encouraging.",
        "After reading it one wants to go on.",
    ],
    "sorry": [
        "The text contains an apology.",
        "It says sorry.",
        "The writer apologises.",
        "There is an apology in it.",
    ],
    "simple": [
        "The text uses simple words.",
        "It is easy to understand for everybody.",
        "Plain language.",
        "A child of ten can understand it.",
    ],
}

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
DAY = re.compile(r"\b\d{1,2} (?:" + "|".join(MONTHS) + r")\b|\b(?:" + "|".join(MONTHS) + r") \d{1,2}\b")
TIME_WORDS = re.compile(
    r"\b(" + "|".join(MONTHS) + r"|\w+day|tomorrow|today|yesterday|tonight|Christmas|Eve|\d{4})\b", re.IGNORECASE
)
HELLO = re.compile(r"(Hello|Hi|Hey|Dear|Good (morning|evening|day)|Excuse me|Yo)\b")

COMMON = [
    "very",
    "cheap",
    "must",
    "free",
    "perfect",
    "problem",
    "sorry",
    "great",
    "we",
    "nice",
    "really",
    "maybe",
    "buy",
    "stupid",
    "easy",
    "new",
]

CLOSERS = {
    "café": ["Will you come and try it?", "Which cake would you take?"],
    "museum": ["Have you been there yet?", "Shall we go on Sunday?"],
    "portrait of a person": ["Do you know somebody like that?", "Would you like to meet?"],
    "event": ["Will you be there?", "Who comes along?"],
    "nature park": ["Shall we go for a walk?", "Have you seen it yet?"],
    "product": ["Would you like one?", "Is it something for you?"],
    "animal of a shelter": ["Who has a home for this animal?", "Would you like to visit us?"],
    "book": ["Have you read it?", "What do you think of it?"],
    "village": ["Have you ever been there?", "When will you come?"],
    "sports club": ["Would you like to join?", "Will you train with us?"],
    "old building": ["Did you know that?", "Have you seen it?"],
    "course": ["Would you like to take part?", "Shall we keep a place for you?"],
    "app": ["Will you try it?", "What would you use it for?"],
    "ferry or train line": ["Will you take it?", "When do you travel?"],
    "charity project": ["Will you help?", "What could you give?"],
    "band": ["Do you want to hear them?", "Shall we go together?"],
    "machine learning model": ["Would you use it?", "What will you try first?"],
    "office notice": ["Do you have any questions?", "Can you help us to spread the news?"],
}

FILLED = """
The soup is {very }good, and the bread is {very }fresh.
We had a {really }long day, but the guide was {really }patient.
It is {just }a small mistake, and we can {just }mend it.
The room is {quite }dark and the bed is {quite }hard.
I {actually }wanted to ask you whether the hall is {actually }free.
The new bus is {extremely }quiet and {extremely }clean.
You {simply }press the button and {simply }wait.
The film was {rather }slow, but the music was {rather }lovely.
Our town is {truly }small, yet it has a {truly }big heart.
The test was {absolutely }fair, and the marks were {absolutely }right.
The path is {incredibly }steep, so take {incredibly }good shoes.
They are {so }tired and {so }happy.
It is {totally }clear that the roof is {totally }old.
The tea was {pretty }cold and the cups were {pretty }small.
We {basically }need a bigger table and {basically }more chairs.
""".strip().splitlines()


@dataclass
class Known:
    """A text of which is known what it mentions and what not; `names` are its own name and one of others."""

    text: str
    has: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    names: tuple[str, str] | None = None


def parse_texts(source: str) -> list[Known]:
    """The texts of judged_texts.txt."""
    found: list[Known] = []
    for line in source.splitlines():
        mark, _, rest = line.partition(" ")
        if mark == "t":
            found.append(Known(rest))
        elif mark in ("+", "-"):
            setattr(found[-1], "has" if mark == "+" else "lacks", rest.split(" / "))
    return found


TEXTS = parse_texts((WRITTEN / "judged_texts.txt").read_text(encoding="utf-8"))


def prose() -> list[str]:
    """More hand-written texts, of writing.jsonl: sections, posts, long texts."""
    found = []
    for old in writing.written():
        parts = old["parts"]
        found += [parts[key] for key in ("text", "answer") if key in parts and "\n" not in parts[key]]
    # No abbreviations, and an end mark: else the number of sentences would be a matter of opinion.
    clear = [text for text in found if text[-1] in ".!?" and not re.search(r"\w\.\s+[a-z]", text)]
    return [text for text in clear if word_count(text) >= 6]


PROSE = prose()


def built(rng: random.Random, most: int = 5) -> Known:
    """A text built from the bank of facts, with what it tells and what it leaves out."""
    thing = writing.subject(rng)
    keys = writing.pick(rng, thing, thing.kind.attributes, rng.randint(2, min(most, len(thing.kind.attributes) - 1)))
    sentences = [text for _, text in writing.tell(rng, thing, keys)]
    for remark in rng.sample(thing.kind.remarks, rng.choice([0, 0, 1, 2])):
        sentences.insert(rng.randint(1, len(sentences)), remark)
    name = {key: attribute.name for key, attribute in thing.kind.attributes.items()}
    others = [re.sub(r" \([fm]\)$", "", other) for other in thing.kind.names]
    other = rng.choice([other for other in others if other != thing.name])
    has, lacks = [name[key] for key in keys], [name[key] for key in name if key not in keys]
    return Known(" ".join(sentences), has, lacks, (thing.name, other))


def any_text(rng: random.Random) -> Known:
    """A text of any source."""
    source = rng.random()
    if source < 0.4:
        return rng.choice(TEXTS)
    return Known(rng.choice(PROSE)) if source < 0.7 else built(rng)


# --------------------------------------------------------------------------------------------- computed criteria

Verdict = tuple[str, str, int, str]  # text, criterion, score, advice ("" for a text that meets it)


def near(rng: random.Random, size: int, meets: bool) -> int:
    """A limit for a text of this size: mostly far from it, sometimes close."""
    if meets:
        factor = rng.uniform(1.08, 1.3) if rng.random() < 0.25 else rng.uniform(1.4, 2.8)
        return max(size + 1, tidy(size * factor))
    factor = rng.uniform(0.75, 0.9) if rng.random() < 0.25 else rng.uniform(0.25, 0.62)
    return max(3, min(size - 1, tidy(size * factor)))


def tidy(value: float) -> int:
    """The value as people give limits: 8, 15, 40, 140, 300."""
    step = 1 if value < 12 else 5 if value < 60 else 10
    return round(value / step) * step


def too_long(size: int, limit: int) -> int:
    """The score of a text over a limit: the longer, the lower."""
    return 5 if size <= limit * 1.2 else 3 if size <= limit * 1.7 else 1


def words_max(rng: random.Random, meets: bool) -> Verdict:
    """At most n words."""
    text = any_text(rng).text
    size = word_count(text)
    n = near(rng, size, meets)
    advice = rng.choice(
        [
            "Cut it to {n} words.",
            "Shorten it to {n} words.",
            "Too long: cut it to {n} words.",
            "Make it shorter, at most {n} words.",
        ]
    )
    return text, put(rng.choice(WORDS_MAX), n=str(n), m=str(n + 1)), too_long(size, n), put(advice, n=str(n))


def chars_max(rng: random.Random, meets: bool) -> Verdict:
    """At most n characters."""
    text = any_text(rng).text
    n = near(rng, len(text), meets)
    advice = rng.choice(
        ["Cut it to {n} characters.", "Shorten it to {n} characters.", "Too long: at most {n} characters."]
    )
    return text, put(rng.choice(CHARS_MAX), n=str(n)), too_long(len(text), n), put(advice, n=str(n))


def words_min(rng: random.Random, meets: bool) -> Verdict:
    """At least n words."""
    text = any_text(rng).text
    n = near(rng, word_count(text), not meets)
    advice = rng.choice(
        ["Write more: at least {n} words.", "Make it longer, at least {n} words.", "Too short: add some details."]
    )
    return text, put(rng.choice(WORDS_MIN), n=str(n)), 2 if word_count(text) < n * 0.6 else 4, put(advice, n=str(n))


def sentences(rng: random.Random, meets: bool) -> Verdict:
    """Exactly n sentences."""
    text = any_text(rng).text
    while text[-1] not in ".!?":
        text = any_text(rng).text
    size = sentence_count(text)
    n = size if meets else rng.choice([k for k in (size - 2, size - 1, size + 1, size + 2, size + 3) if 1 <= k <= 6])
    word = writing.NUMBERS[n] if rng.random() < 0.6 and n <= 6 else str(n)
    plural = "" if n == 1 else "s"
    if size > n:
        advice = rng.choice(
            [
                f"Cut it to {word} sentence{plural}.",
                f"Too many sentences: make it {word}.",
                f"Make {word} sentence{plural} of it.",
            ]
        )
    else:
        advice = rng.choice(
            [
                f"Write {word} sentences.",
                f"Too few sentences: make it {word}.",
                "Add a sentence." if n == size + 1 else f"Add sentences until there are {word}.",
            ]
        )
    return text, put(rng.choice(SENTENCES), n=word, N=upper(word), s=plural), 4 if abs(size - n) == 1 else 2, advice


CLAUSE = re.compile(r"(that|whether|who|whom|what|how|where|when|which)\b")


def mention(rng: random.Random, meets: bool) -> Verdict:
    """A fact is mentioned."""
    known = rng.choice(TEXTS) if rng.random() < 0.6 else built(rng)
    x = rng.choice(known.has if meets else known.lacks)
    clause = CLAUSE.match(x)
    criterion = put(rng.choice(SAYS if clause else MENTIONS), x=x, X=upper(x))
    advice = rng.choice(
        [f"Say {x}."] if clause else [f"Add {x}.", f"Add {x}.", f"{upper(x)} is missing.", f"Mention {x}."]
    )
    return known.text, criterion, rng.choice([2, 3]), advice


def naming(rng: random.Random, meets: bool) -> Verdict:
    """A name is mentioned."""
    known = built(rng)
    x = known.names[0 if meets else 1]
    frames = NAMES_IT if not x.startswith("the ") else [frame for frame in NAMES_IT if "name {x}" not in frame]
    advice = rng.choice([f"Name {x}.", f"Mention {x}.", f"Add {x} by name."])
    return known.text, put(rng.choice(frames), x=x, X=upper(x)), 2, advice


def own_words(text: str) -> list[str]:
    """The plain lower-case words of four letters and more."""
    return sorted({word for word in re.findall(r"(?<![\w'’-])[a-z]{4,}(?![\w'’-])", text)})


def occurs(word: str, text: str) -> bool:
    """Whether the word is in the text, in any case; also as a part of another word."""
    return word.lower() in text.lower()


def word_in(rng: random.Random, meets: bool) -> Verdict:
    """A word is in the text."""
    text = any_text(rng).text
    if meets:
        word = rng.choice(own_words(text) or text.split()[:1])
    else:
        word = rng.choice([w for w in COMMON + own_words(rng.choice(PROSE)) if not occurs(w, text)])
    return text, put(rng.choice(WORD_IN), w=word), 2, rng.choice([f'Use the word "{word}".', f'Add the word "{word}".'])


def word_out(rng: random.Random, meets: bool) -> Verdict:
    """A word is not in the text."""
    text = any_text(rng).text
    there = [w for w in COMMON if re.search(rf"\b{w}\b", text, re.IGNORECASE)] * 3 + own_words(text)
    away = [w for w in COMMON if not occurs(w, text)] * 2 + [
        w for w in own_words(rng.choice(PROSE)) if not occurs(w, text)
    ]
    word = rng.choice(away if meets else there or text.split()[:1])
    count = len(re.findall(rf"\b{re.escape(word)}\b", text, re.IGNORECASE))
    advice = rng.choice(
        ['Leave out the word "{w}".', 'Take out "{w}".', 'Replace "{w}" by another word.', 'Avoid the word "{w}".']
    )
    return text, put(rng.choice(WORD_OUT), w=word), 3 if count < 2 else 1, put(advice, w=word)


def question(rng: random.Random, meets: bool) -> Verdict:
    """The text ends with a question."""
    known = any_text(rng)
    text = known.text
    if meets and not text.endswith("?"):
        thing = rng.choice(list(writing.KINDS))
        made = writing.subject(rng, writing.KINDS[thing])
        keys = writing.pick(rng, made, made.kind.attributes, rng.choice([1, 2, 3]))
        text = " ".join([*(s for _, s in writing.tell(rng, made, keys)), rng.choice(CLOSERS[thing])])
    elif not meets:
        while text.endswith("?"):
            text = any_text(rng).text
        if rng.random() < 0.3:  # a question that stands at the start does not count
            text = rng.choice(["Have you heard?", "Did you know?", "Any plans yet?", "Guess what?"]) + " " + text
    return (
        text,
        rng.choice(QUESTION),
        2,
        rng.choice(["End with a question.", "Add a question at the end.", "Close with a question to the reader."]),
    )


def date(rng: random.Random, meets: bool) -> Verdict:
    """A date is given."""
    text = any_text(rng).text
    while not (DAY.search(text) if meets else not TIME_WORDS.search(text)):
        text = any_text(rng).text
    return (
        text,
        rng.choice(DATE),
        2,
        rng.choice(["Say the date.", "Add the date.", "Give a day and a month.", "The date is missing."]),
    )


def greeting(rng: random.Random, meets: bool) -> Verdict:
    """The text begins with a greeting."""
    text = any_text(rng).text
    while HELLO.match(text):
        text = any_text(rng).text
    if meets:
        names = rng.choice(["everybody", "Ms. Tan", "neighbours", "Kofi", "all", "Mr. Berg", "Aunt Rosa"])
        text = (
            rng.choice(
                [
                    f"Hello {names}! ",
                    f"Hi {names}, here is the news. ",
                    "Good morning! ",
                    f"Dear {names}, please read this. ",
                ]
            )
            + text
        )
    return text, rng.choice(GREETING), 3, rng.choice(["Begin with a greeting.", "Greet the reader first."])


def exclaim(rng: random.Random, meets: bool) -> Verdict:
    """No exclamation mark."""
    text = any_text(rng).text
    while ("!" in text) == meets:
        text = any_text(rng).text
    return (
        text,
        rng.choice(EXCLAIM),
        3,
        rng.choice(["Replace the exclamation mark by a full stop.", "Take out the exclamation mark."]),
    )


def digits(rng: random.Random, meets: bool) -> Verdict:
    """A number in digits."""
    text = any_text(rng).text
    while any(c.isdigit() for c in text) != meets:
        text = any_text(rng).text
    return text, rng.choice(DIGITS), 2, rng.choice(["Add a number.", "Give a number in digits."])


CRITERIA = [
    (words_max, 17),
    (chars_max, 9),
    (words_min, 4),
    (sentences, 12),
    (mention, 24),
    (naming, 5),
    (word_in, 5),
    (word_out, 10),
    (question, 9),
    (date, 8),
    (greeting, 3),
    (exclaim, 2),
    (digits, 2),
]


def verdict(meets: bool, score: int, advice: str) -> str:
    """The judgement as JSON."""
    return json.dumps({"meets": meets, "score": score, "advice": advice}, ensure_ascii=False)


def said_by_model(text: str) -> dict[str, str]:
    """A reply."""
    return {"role": "assistant", "content": text}


def judge_request(rng: random.Random, text: str, criterion: str, answer: str) -> dict[str, Any]:
    """A judge item, in one of many forms."""
    if kit_words.used(rng):
        messages = [*kit_words.ask(kit_words.JUDGE, text=text, criterion=criterion), said_by_model(answer)]
        return {"skill": "judge", "messages": messages}
    frame = rng.choice(JUDGE)
    if re.search(r"\{c\}($|\n|\")", frame) and rng.random() < 0.2:
        criterion = criterion.rstrip(".")
    said = put(frame, t=text, c=criterion)
    asked = rng.random() < 0.85
    if asked:
        ask = rng.choice(ASKS)
        said = f"{ask}\n{said}" if rng.random() < 0.15 else said + rng.choice(["\n", "\n\n"]) + ask
    systems = SYSTEMS if asked else SYSTEMS[:2]
    system = [{"role": "system", "content": rng.choice(systems)}] if not asked or rng.random() < 0.2 else []
    messages = [*system, {"role": "user", "content": said}, {"role": "assistant", "content": answer}]
    return {"skill": "judge", "messages": messages}


def judge_item(rng: random.Random, meets: bool) -> dict[str, Any]:
    """A text and a computed criterion -> the judgement."""
    makers, weights = zip(*CRITERIA, strict=True)
    while True:
        text, criterion, score, advice = rng.choices(makers, weights)[0](rng, meets)
        if len(text) <= 700:
            break
    answer = verdict(True, 10, rng.choice(FINE)) if meets else verdict(False, score, advice)
    return judge_request(rng, text, criterion, answer)


# ---------------------------------------------------------------------------------------------------- revising


def revise_request(rng: random.Random, text: str, advice: str, better: str) -> dict[str, Any]:
    """A revise item, in one of many forms."""
    if kit_words.used(rng):
        messages = [*kit_words.ask(kit_words.REVISE, text=text, advice=advice), said_by_model(better)]
        return {"skill": "revise", "messages": messages}
    frame = rng.choice(REVISE).replace("{{", "{").replace("}}", "}")
    said = put(frame, a=advice, j=json.dumps(advice, ensure_ascii=False), s=str(rng.randint(1, 5)), t=text)
    system = [{"role": "system", "content": rng.choice(REVISERS)}] if rng.random() < 0.2 else []
    messages = [*system, {"role": "user", "content": said}, {"role": "assistant", "content": better}]
    return {"skill": "revise", "messages": messages}


def revise_item(rng: random.Random) -> dict[str, Any]:
    """A text and computed advice -> the better text."""
    kind = rng.choice(["add", "add", "cut", "cut", "sentences", "question", "filler", "greeting", "drop"])
    if kind == "filler":
        line = rng.choice(FILLED)
        word = re.search(r"\{(\w+) \}", line)[1]
        advice = rng.choice(
            ['Leave out the word "{w}".', 'Avoid the word "{w}".', 'Do not use "{w}".', 'Cut "{w}", it adds nothing.']
        )
        return revise_request(rng, re.sub(r"[{}]", "", line), put(advice, w=word), re.sub(r"\{\w+ \}", "", line))
    name = rng.choice(list(writing.KINDS))
    thing = writing.subject(rng, writing.KINDS[name])
    attributes = thing.kind.attributes
    keys = writing.pick(
        rng, thing, attributes, rng.choice([3, 4]) if kind in ("cut", "sentences", "drop") else rng.choice([2, 3])
    )
    told = writing.tell(rng, thing, keys, joint=0, merge=0)
    facts = [sentence for _, sentence in told]
    text = " ".join(facts)
    if kind == "add":
        key = rng.choice([key for key in attributes if key not in keys])
        more = thing.say(rng.choice(attributes[key].sentences), False, key)
        note = thing.note(rng, key)
        advice = rng.choice(
            [
                f"Add {attributes[key].name}: {note}.",
                f"Mention {attributes[key].name} ({note}).",
                f"{upper(attributes[key].name)} is missing: {note}.",
            ]
        )
        return revise_request(rng, text, advice, f"{text} {more}")
    if kind == "question":
        advice = rng.choice(
            ["End with a question.", "Add a question at the end.", "Close with a question to the reader."]
        )
        return revise_request(rng, text, advice, f"{text} {rng.choice(CLOSERS[name])}")
    if kind == "greeting":
        who = rng.choice(["Ms. Tan", "Mr. Berg", "Kofi", "Aunt Rosa", "neighbours", "colleagues", "Dr. Amin"])
        advice = rng.choice(
            [f"Begin with a greeting to {who}.", f"Greet {who} first.", f"Start with a greeting ({who})."]
        )
        if who in ("neighbours", "colleagues"):
            advice = f"Begin with a greeting to the {who}."
        return revise_request(
            rng, text, advice, f"Dear {who}, " + (text if text.split()[0] not in STARTS else text[0].lower() + text[1:])
        )
    if kind == "drop":
        key = rng.choice(keys[1:])
        better = " ".join(sentence for about, sentence in told if key not in about)
        advice = rng.choice(["Leave out {n}.", "Do not mention {n}.", "Cut the sentence about {n}."])
        return revise_request(rng, text, put(advice, n=attributes[key].name), better)
    remarks = rng.sample(thing.kind.remarks, 2)
    longer = [facts[0], remarks[0], *facts[1:], remarks[1]]
    keep = rng.randint(1, len(facts) - 1) if kind == "sentences" else len(facts)
    better = " ".join(facts[:keep])
    if kind == "sentences":
        word = writing.NUMBERS[keep]
        advice = f"Cut it to {word} sentence{'' if keep == 1 else 's'}."
        return revise_request(
            rng, text, rng.choice([advice, f"Keep only the first {word} sentences." if keep > 1 else advice]), better
        )
    full = " ".join(longer)
    limit = tidy(word_count(better) * 1.05 + 0.5)
    if not word_count(better) <= limit < word_count(full):
        limit = word_count(better)
    advice = rng.choice(
        [
            f"Cut it to {limit} words.",
            f"Too long: at most {limit} words. Leave out what says nothing.",
            f"Shorten it to {limit} words, keep the facts.",
        ]
    )
    return revise_request(rng, full, advice, better)


STARTS = {
    "The",
    "A",
    "You",
    "In",
    "There",
    "Entry",
    "Visitors",
    "From",
    "Now",
    "At",
    "Most",
    "To",
    "If",
    "We",
    "Today",
    "Guests",
}


# ------------------------------------------------------------------------------------------------------- items


def written() -> list[dict[str, Any]]:
    """The items written by hand, with their parts."""
    lines = (WRITTEN / "judging.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def again(rng: random.Random, old: dict[str, Any]) -> dict[str, Any]:
    """A written item with its request worded anew."""
    parts = old["parts"]
    if "fixed" in parts:
        return {"skill": old["skill"], "messages": old["messages"]}
    if old["skill"] == "revise":
        return revise_request(rng, parts["text"], parts["advice"], parts["better"])
    criterion = rng.choice(TONES[parts["tone"]]) if "tone" in parts else parts["criterion"]
    return judge_request(rng, parts["text"], criterion, old["messages"][-1]["content"])


def items(rng: random.Random, n: int) -> list[dict[str, Any]]:
    """n items: 75 % judge (a third of them by hand), 25 % revise (half by hand); half of the judgements are true."""
    judges, revises = n - n // 4, n // 4
    own = written()
    found: list[dict[str, Any]] = []
    for skill, count in [("judge", judges // 3), ("revise", revises // 2)]:
        pool = [item for item in own if item["skill"] == skill]
        for start in range(0, count, len(pool)):
            batch = rng.sample(pool, min(len(pool), count - start))
            found += [{"skill": skill, "messages": old["messages"]} if not start else again(rng, old) for old in batch]
    found += [judge_item(rng, i % 2 == 0) for i in range(judges - judges // 3)]
    found += [revise_item(rng) for _ in range(revises - revises // 2)]
    rng.shuffle(found)
    return found


def check() -> None:
    """Check the computed criteria against their words, and the written items."""
    rng = random.Random(0)
    for meets in (True, False):
        for _ in range(200):
            text, criterion, score, advice = words_max(rng, meets)
            number = int(re.search(r"\d+", criterion)[0]) - ("Fewer" in criterion)
            assert (word_count(text) <= number) == meets, (text, criterion)
            assert meets or (score <= 5 and advice)
            text, criterion, *_ = chars_max(rng, meets)
            assert (len(text) <= int(re.search(r"\d+", criterion)[0])) == meets, (text, criterion)
            text, criterion, *_ = words_min(rng, meets)
            assert (word_count(text) >= int(re.search(r"\d+", criterion)[0])) == meets, (text, criterion)
            assert question(rng, meets)[0].endswith("?") == meets
            assert bool(DAY.search(date(rng, meets)[0])) == meets
            text, criterion, *_ = naming(rng, meets)
            name = re.search(r"(?:names|name|mentions) (.*?)(?: by name| occurs.*)?\.$", criterion)
            assert not name or (name[1] in text or upper(name[1]) in text) == meets, (text, criterion)
            text, criterion, *_ = word_out(rng, meets)
            word = re.search(r'"(.*)"|The word (\w+)', criterion)
            word = word[1] or word[2]
            assert (word.lower() not in re.findall(r"[\w'’-]+", text.lower())) == meets, (text, criterion)
            answer = json.loads(judge_item(rng, meets)["messages"][-1]["content"])
            assert list(answer) == ["meets", "score", "advice"]
            assert answer["meets"] == meets
            assert (answer["score"] >= 8) == meets
    assert set(CLOSERS) == set(writing.KINDS)
    for old in written():
        if old["skill"] == "judge":
            answer = json.loads(old["messages"][-1]["content"])
            assert list(answer) == ["meets", "score", "advice"]
            assert (answer["score"] >= 8) == answer["meets"], answer
            assert len(answer["advice"]) < 90, answer
        else:
            limit = re.search(r"(\d+) (words|characters)", old["parts"].get("advice", ""))
            better = old["messages"][-1]["content"]
            if limit:
                assert (word_count(better) if limit[2] == "words" else len(better)) <= int(limit[1]), old["parts"]
