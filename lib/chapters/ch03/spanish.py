"""Spanish that a program can read for certain: numbers below a hundred and times of day, written in words."""

from __future__ import annotations

import re

_LOW = (
    "uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete dieciocho"
)
_LOW += " diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete veintiocho"
_TENS = "treinta cuarenta cincuenta sesenta setenta ochenta noventa"
NUMBERS: dict[str, int] = {word: n for n, word in enumerate([*_LOW.split(), "veintinueve"], 1)}
for _ten, _word in enumerate(_TENS.split(), 3):
    NUMBERS |= {_word: 10 * _ten} | {f"{_word} y {one}": 10 * _ten + n for n, one in enumerate(_LOW.split()[:9], 1)}
for _word in [word for word in NUMBERS if word.endswith("uno")]:  # before a noun: veintiún libros, veintiuna tazas
    NUMBERS |= {_word[:-1] + "a": NUMBERS[_word], _word[:-3] + ("ún" if " " not in _word else "un"): NUMBERS[_word]}
del NUMBERS["ún"]
NUMBERS |= {"un": 1, "cien": 100, "ciento": 100, "mil": 1000}

HALF_DAY = 12 * 60
_NUMBER = "|".join(sorted(NUMBERS, key=len, reverse=True))
# As people say it (y, menos, para) and as a timetable says it; a bare hour counts only after a preposition or "son".
_TIMES = re.compile(
    rf"\b(?:({_NUMBER}|cuarto) para las? ({_NUMBER})"
    rf"|((?:a|son|es|de|desde|hasta|sobre|hacia) )?las? ({_NUMBER})(?: horas)?(?:(?: (y|menos|con))? ({_NUMBER}|cuarto|media))?)\b"
)


def words(text: str) -> str:
    """The words of a text, in small letters."""
    return " ".join(re.findall(r"\w+", text.lower()))


def numbers(text: str) -> list[int]:
    """The numbers that a Spanish text says in words; "un", "una" and "uno" by themselves are articles here."""
    found = re.findall(rf"\b(?:{_NUMBER})\b", words(text))
    return [NUMBERS[word] for word in found if NUMBERS[word] > 1]


def times(text: str) -> list[int]:
    """The times of day that a Spanish text says in words, as minutes after twelve on the dial of a clock."""
    found = []
    for before, target, lead, hour, turn, past in _TIMES.findall(words(text)):
        if target:
            found.append(60 * NUMBERS[target] - _minutes(before))
        elif lead or past:
            found.append(60 * NUMBERS[hour] + _minutes(past) * (-1 if turn == "menos" else 1))
    return [minutes % HALF_DAY for minutes in found]


def clock(minutes: int) -> str:
    """Minutes after twelve as a clock shows them: 570 is 9:30."""
    return f"{minutes // 60 or 12}:{minutes % 60:02}"


def _minutes(word: str) -> int:
    return {"": 0, "cuarto": 15, "media": 30}[word] if word not in NUMBERS else NUMBERS[word]
