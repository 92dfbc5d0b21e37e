"""German that a program can read for certain: numbers below a hundred and times of day, written in words."""

from __future__ import annotations

import re

_UNITS = "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn"
_TENS = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
NUMBERS: dict[str, int] = {word: n for n, word in enumerate([*_UNITS.split(), "achtzehn", "neunzehn"], 1)}
for _ten, _word in enumerate(_TENS.split(), 2):
    NUMBERS[_word] = 10 * _ten
    NUMBERS |= {f"{'ein' if n == 1 else w}und{_word}": 10 * _ten + n for w, n in list(NUMBERS.items())[:9]}
NUMBERS |= {word.replace("ß", "ss"): n for word, n in NUMBERS.items()}

HALF_DAY = 12 * 60
_HOUR = f"(ein|{'|'.join(sorted(NUMBERS, key=len, reverse=True))})"
_MINUTES = rf"{_HOUR}(?: minuten)?"
# As people say it, as a timetable says it, and the bare hour after a preposition. "Halb zehn" is half an hour before ten.
_TIMES = re.compile(
    rf"\b(?:(?:{_MINUTES} (vor|nach) )?halb {_HOUR}\b|(viertel|dreiviertel) {_HOUR}\b|(?:viertel|{_MINUTES}) (vor|nach) {_HOUR}\b"
    rf"|{_HOUR} uhr(?: (?:und )?{_HOUR}\b)?|(?:um|gegen|ab|bis) {_HOUR}\b(?! (?:uhr|minuten|vor|nach)\b))"
)


def words(text: str) -> list[str]:
    """The words of a text, in small letters."""
    return re.findall(r"\w+", text.lower())


def numbers(text: str) -> list[int]:
    """The numbers that a German text says in words; "ein" and "eine" are articles here."""
    return [NUMBERS[word] for word in words(text) if word in NUMBERS]


def times(text: str) -> list[int]:
    """The times of day that a German text says in words, as minutes after twelve on the dial of a clock."""
    found = []
    for at in _TIMES.finditer(" ".join(words(text))):
        before, side, half, part, whole, minutes, turn, hour, o_clock, past, bare = at.groups()
        if half:
            read = 60 * _of(half) - 30 + _of(before) * (1 if side == "nach" else -1)
        elif part:
            read = 60 * _of(whole) - (45 if part == "viertel" else 15)
        elif turn:
            read = 60 * _of(hour) + (_of(minutes) if minutes else 15) * (1 if turn == "nach" else -1)
        else:
            read = 60 * _of(o_clock or bare) + _of(past)
        found.append(read % HALF_DAY)
    return found


def clock(minutes: int) -> str:
    """Minutes after twelve as a clock shows them: 570 is 9:30."""
    return f"{minutes // 60 or 12}:{minutes % 60:02}"


def _of(word: str | None) -> int:
    return 0 if word is None else 1 if word == "ein" else NUMBERS[word]
