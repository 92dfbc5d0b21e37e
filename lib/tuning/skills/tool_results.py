"""Results of the catalogue's tools, and what the assistant says after them: values, rows, actions, errors, gaps."""

from __future__ import annotations

import datetime
import json
import random
import re
from collections.abc import Callable
from typing import Any

from .tool_catalogue import ARTICLES, SLOT, Parameter, Tool, Values, articles, fill, listing

FAILURES = (
    ("error: timeout after 30 seconds", "the service did not answer in time"),
    ('{{"error": "service unavailable", "code": 503}}', "the service is not available at the moment"),
    ("error: rate limit exceeded", "there were too many requests to the service"),
    ('{{"ok": false, "error": "permission denied"}}', "permission was denied"),
    ("connection refused", "the connection was refused"),
    ('{{"status": "failed", "reason": "internal error"}}', "there was an internal error in the service"),
    ("error: invalid API key", "the service did not accept its API key"),
    ('{{"error": "maintenance until 06:00"}}', "the service is in maintenance until 06:00"),
    ("error: daily quota used up", "the daily quota is used up"),
    ("error: network unreachable", "the network cannot be reached"),
    ('{{"status": 500, "message": "database is locked"}}', "the database is locked"),
    ("Error: {tool} is switched off by the administrator", "the administrator has switched this tool off"),
    ("error: no internet connection", "there is no internet connection"),
    ('{{"success": false, "message": "account suspended"}}', "the account is suspended"),
    ('{{"error": {{"type": "overloaded", "message": "try again in 10 minutes"}}}}', "the service is overloaded"),
    ("error: {tool} failed: ConnectionError", "the connection failed"),
)
APOLOGIES = (
    "I could not {phrase}: {reason}.",
    "I could not {phrase}, because {reason}.",
    "That did not work: {reason}.",
    "I tried to {phrase}, but {reason}.",
    "Sorry, {reason}, so I could not {phrase}.",
    "I was not able to {phrase}; {reason}.",
    "It did not work, because {reason}.",
)
EMPTY = (
    "I tried to {phrase}, but nothing was found.",
    "Nothing was found, so I cannot tell.",
    "The result is empty: nothing was found.",
)
GAPS = (
    "The result does not say that; it only gives the {fields}.",
    "I do not know: the result only has the {fields}.",
    "That is not in the result. It only gives the {fields}.",
)
RATES = {"USD": 1, "EUR": 0.92, "GBP": 0.79, "JPY": 151, "KRW": 1370, "CHF": 0.88, "INR": 84, "BRL": 5.6}
RATES |= {"SEK": 10.5, "ZAR": 18.2, "MXN": 19.4, "TRY": 34.1}
UNITS = {"miles": 1609.344, "kilometres": 1000, "inches": 0.0254, "feet": 0.3048, "metres": 1, "centimetres": 0.01}
UNITS |= {"yards": 0.9144, "acres": 4046.856, "hectares": 10000, "litres": 1, "gallons": 3.78541, "pints": 0.473176}
UNITS |= {"cups": 0.236588, "pounds": 0.453592, "kilograms": 1, "ounces": 0.0283495, "grams": 0.001, "stones": 6.35029}
TONGUES = {"Hvor": "Norwegian", "Buna": "Romanian", "Je": "French", "Mam": "Polish", "Tack": "Swedish", "Où": "French"}
TONGUES |= {"Kiitos": "Finnish", "Guten": "German"}
# Tools whose list is as long as the request says.
LONG = {"get_forecast": "days", "list_transactions": "count", "git_log": "count"}
Data = dict[str, Any]


def _clock(text: str, minutes: int) -> str:
    hours, rest = divmod((int(text.split(":")[0]) * 60 + int(text.split(":")[1]) + minutes) % 1440, 60)
    return f"{hours}:{rest:02}"


def _between(first: str, second: str) -> int:
    h1, m1, h2, m2 = (int(part) for time in (first, second) for part in time.split(":"))
    return (h2 - h1) * 60 + m2 - m1


def _weather(a: Data, d: Data) -> Data:
    if d["condition"] == "snow":
        return {"temperature": -abs(d["temperature"]) // 4}
    return {"temperature": d["temperature"] if d["condition"] == "fog" else abs(d["temperature"])}


def _loan(a: Data, d: Data) -> Data:
    months, rate = a["years"] * 12, a["interest"] / 1200
    monthly = round(a["principal"] * rate / (1 - (1 + rate) ** -months), 2)
    return {"monthly": monthly, "total_interest": round(monthly * months - a["principal"])}


def _bill(a: Data, d: Data) -> Data:
    tip = a["total"] * a.get("tip_percent", 0) / 100
    return {"per_person": round((a["total"] + tip) / a["people"], 2), "tip_total": round(tip, 2)}


def _bmi(a: Data, d: Data) -> Data:
    bmi = round(a["weight_kg"] / (a["height_cm"] / 100) ** 2, 1)
    return {"bmi": bmi, "category": "underweight" if bmi < 18.5 else "normal" if bmi < 25 else "overweight"}


def _exchange(a: Data, d: Data) -> Data:
    rate = RATES[a["to_currency"]] / RATES[a["from_currency"]]
    return {"result": round(a["amount"] * rate, 2), "rate": round(rate, 4)}


def _days(a: Data, d: Data) -> Data:
    start, end = (datetime.date.fromisoformat(a[name]) for name in ("start", "end"))
    return {"days": abs((end - start).days)}


def _moon(a: Data, d: Data) -> Data:
    lit = {"new moon": 0, "first quarter": 50, "full moon": 100, "waning crescent": 18, "waxing gibbous": 83}
    return {"illumination_percent": lit[d["phase"]]}


def _daylight(a: Data, d: Data) -> Data:
    hours, minutes = divmod(_between(d["sunrise"], d["sunset"]), 60)
    return {"day_length": f"{hours} h {minutes} min"}


def _air(a: Data, d: Data) -> Data:
    levels = ((50, "good"), (100, "moderate"), (150, "poor"), (999, "very poor"))
    return {"level": next(level for top, level in levels if d["index"] <= top)}


def _password(a: Data, d: Data) -> Data:
    letters = random.Random(str(a)).choices("abcdefghkmnpqrstuvwxyzABCDEFGHKMNPQRSTUVWXYZ23456789", k=a["length"])
    return {"password": "".join(letters)}


# Results that follow from the arguments or from each other; everything else is drawn at random.
COMPUTED: dict[str, Callable[[Data, Data], Data]] = {
    "get_weather": _weather,
    "get_sun_times": _daylight,
    "air_quality": _air,
    "moon_phase": _moon,
    "loan_payment": _loan,
    "split_bill": _bill,
    "compute_bmi": _bmi,
    "convert_currency": _exchange,
    "days_between": _days,
    "generate_password": _password,
    "convert_units": lambda a, d: {"result": float(f"{a['value'] * UNITS[a['from_unit']] / UNITS[a['to_unit']]:.4g}")},
    "random_number": lambda a, d: {"number": a["minimum"] + d["number"] % (a["maximum"] - a["minimum"])},
    "roll_dice": lambda a, d: {"total": min(d["total"], a["count"] * d["highest"])},
    "today_date": lambda a, d: {"weekday": f"{datetime.date.fromisoformat(d['date']):%A}"},
    "free_slots": lambda a, d: {"until": _clock(d["from"], 60)},
    "get_payslip": lambda a, d: {"net": d["gross"] - d["tax"]},
    "frost_warning": lambda a, d: {"warning": d["lowest"] < 0},
    "league_table": lambda a, d: {"played": d["points"] // 3 + 2},
    "detect_language": lambda a, d: {"language": TONGUES[a["text"].split()[0]]},
    "count_words": lambda a, d: {"words": len(a["text"].split()), "characters": len(a["text"])},
}


def draw(values: Values, tool: Tool, fields: list[Parameter], arguments: Data) -> Data:
    """One result: what it repeats of the arguments, what follows from them, and the rest at random."""
    data = {f.name: arguments.get(f.name, values.draw(f)[0]) for f in fields}
    known = COMPUTED.get(tool.name, lambda a, d: {})(arguments, data) if fields is tool.fields else {}
    known = {n: int(v) if isinstance(v, float) and v == int(v) else v for n, v in known.items()}
    return data | {name: value for name, value in known.items() if name in data}


def put(text: str, data: Data) -> str:
    """A sentence with the values of `data` in it, the first letter large."""
    filled = articles(SLOT.sub(lambda m: _say(data[m.group(1)]), text)).strip()
    # A value at the beginning stays as it is: it may be a file, a host or an address.
    return filled[0].upper() + filled[1:] if text[0] != "{" or filled.startswith("the ") else filled


def _say(value: Any) -> str:
    if isinstance(value, list):
        return listing(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def show(rng: random.Random, data: Any, sentence: str = "") -> str:
    """A result as a tool gives it back: JSON mostly, nested now and then, lines, or a sentence."""
    chance = rng.random()
    if isinstance(data, list):
        if chance < 0.2:
            return json.dumps({"results": data, "total": len(data)}, ensure_ascii=False)
        if chance < 0.4:
            head = " | ".join(data[0])
            return "\n".join([head, *(" | ".join(_say(v) for v in row.values()) for row in data)])
        return json.dumps(data, ensure_ascii=False)
    items = list(data.items())
    rng.shuffle(items)
    if sentence and chance < 0.35:
        return sentence
    if chance < 0.5:
        return "\n".join(f"{name.replace('_', ' ')}: {_say(value)}" for name, value in items)
    if chance < 0.6:
        return json.dumps({"status": "ok", "data": dict(items)}, ensure_ascii=False)
    return json.dumps(dict(items), ensure_ascii=False)


def mine_to_yours(text: str) -> str:
    """The user's words in the assistant's mouth: my becomes your."""
    swap = {"my": "your", "me": "you", "I": "you", "our": "your", "we": "you", "I'm": "you are", "us": "you"}
    parts = re.split(r'("[^"]*")', text)
    words = r"\b(my|me|I'm|I|our|we|us)\b"
    return "".join(p if p.startswith('"') else re.sub(words, lambda m: swap[m.group()], p) for p in parts)


def phrase_of(values: Values, tool: Tool, arguments: Data) -> str:
    """A verb phrase for what was asked, with the values of the call."""
    known = set(arguments)
    fitting = [p for p in tool.phrases if {m.group(1) for m in SLOT.finditer(p)} <= known and "||" not in p]
    text = values.rng.choice(fitting) if fitting else tool.descriptions[0][0].lower() + tool.descriptions[0][1:]
    said = spoken_arguments(tool, arguments)
    text = articles(SLOT.sub(lambda m: _say(said[m.group(1)]), text))
    return mine_to_yours(text)


def value_case(values: Values, tool: Tool, question: tuple[str, ...]) -> tuple[str, Data, Data, str, str]:
    """Question, arguments, data, shown result and answer for a tool with one record as its result."""
    filled = fill(values, tool, question[0])
    data = draw(values, tool, tool.fields, filled.calls[0])
    names = spoken_arguments(tool, filled.calls[0]) | data
    sentence = put(tool.sentence, names) if tool.sentence else ""
    return filled.text, filled.calls[0], data, show(values.rng, data, sentence), put(question[1], names)


def spoken_arguments(tool: Tool, arguments: Data) -> Data:
    """The arguments as an answer says them."""
    spoken = {p.name: p.enum() for p in tool.parameters if p.kind == "e"}
    known = ((n, spoken[n][v] if n in spoken else v) for n, v in arguments.items())
    return {n: ARTICLES.get(v, v) if isinstance(v, str) else v for n, v in known}


def _table(values: Values, tool: Tool, arguments: Data, count: int) -> list[Data]:
    rows: list[Data] = []
    for _ in range(60):
        row = draw(values, tool, tool.fields, {})
        clash = any(row[f.name] == other[f.name] for other in rows for f in tool.fields if f.kind in "in")
        keys = [f.name for f in tool.fields if f.kind == "s"][:1]
        clash = clash or any(row[k] == other[k] for other in rows for k in keys)
        if not clash:
            rows.append(row)
        if len(rows) == count:
            break
    return rows


def row_case(values: Values, tool: Tool, question: tuple[str, ...]) -> tuple[str, Data, list[Data], str, str]:
    """Question, arguments, rows, shown result and answer for a tool with a list as its result."""
    rng = values.rng
    asked, operation, answer = question
    rows = _table(values, tool, {}, rng.choice((2, 3, 3, 4, 4, 5)))
    verb, _, name = operation.partition(" ")
    row = rows[0]
    if verb in ("min", "max"):
        row = (min if verb == "min" else max)(rows, key=lambda r: r[name])
    elif verb == "row":
        row = rng.choice([r for r in rows if [other[name] for other in rows].count(r[name]) == 1])
    # What the question says of the row is no argument of the call, even if a parameter has the same name.
    if tool.name in LONG:
        asked = asked.replace("{" + LONG[tool.name] + "}", str(len(rows))) + f" || {LONG[tool.name]}={len(rows)}"
    own = {p.name for p in tool.parameters} - ({name} if verb == "row" else set())
    frame = SLOT.sub(lambda m: m.group() if m.group(1) in own else str(row[m.group(1)]), asked)
    filled = fill(values, tool, frame)
    names = {**spoken_arguments(tool, filled.calls[0]), **row, "count": len(rows)}
    if verb == "all":
        names["all"] = listing([str(r[name]) for r in rows])
    return filled.text, filled.calls[0], rows, show(rng, rows), put(answer, names)


def case(values: Values, tool: Tool) -> tuple[str, Data, str, str]:
    """Question, arguments, result and answer: a value, a row, an empty list or a value that the result lacks."""
    rng = values.rng
    question = rng.choice(tool.questions)
    if tool.rows:
        text, arguments, _, shown, answer = row_case(values, tool, question)
        if rng.random() < 0.07:
            shown = rng.choice(("[]", '{"results": []}', "no results", "[]"))
            answer = rng.choice(EMPTY).format(phrase=phrase_of(values, tool, arguments))
        return text, arguments, shown, answer
    text, arguments, data, shown, answer = value_case(values, tool, question)
    asked = [n for n in data if "{" + n + "}" in question[1] and n not in arguments]
    rest = {n: v for n, v in data.items() if n not in asked}
    if rng.random() < 0.08 and asked and rest and tool.name not in COMPUTED:
        shown = json.dumps(rest, ensure_ascii=False)
        answer = rng.choice(GAPS).format(fields=listing([n.replace("_", " ") for n in rest]))
    return text, arguments, shown, answer


def failure(values: Values, tool: Tool, shown_name: str, arguments: Data) -> tuple[str, str]:
    """An error of a tool and the plain words for it."""
    rng = values.rng
    if tool.errors and rng.random() < 0.6:
        error, answer = rng.choice(tool.errors)
        names = spoken_arguments(tool, arguments)
        if all(m.group(1) in names for m in SLOT.finditer(error + answer)):
            text = SLOT.sub(lambda m: _say(names[m.group(1)]), error)
            return rng.choice(("error: {0}", '{{"error": "{0}"}}', "{0}", "Error: {0}")).format(text), put(
                answer, names
            )
    error, reason = rng.choice(FAILURES)
    phrase = phrase_of(values, tool, arguments)
    frames = [a for a in APOLOGIES if ": " not in phrase or "{phrase}" not in a]
    words = rng.choice(frames).format(phrase=phrase, reason=reason)
    return error.format(tool=shown_name), words[0].upper() + words[1:]


def done(values: Values, tool: Tool, arguments: Data) -> tuple[str, str]:
    """The result of an action and the sentence that confirms it."""
    fields, answer = values.rng.choice(tool.actions)
    known = {f.name for f in fields} | set(arguments)
    if any(m.group(1) not in known for m in SLOT.finditer(answer)):
        answer = "That is done."
    data = draw(values, tool, fields, arguments)
    data = {n: True if v is False else v for n, v in data.items()}
    return show(values.rng, data), put(answer, spoken_arguments(tool, arguments) | data)
