"""Text to SQL for SQLite, and the repair of a wrong query: about a hundred table designs, asked about in many words.

Every query is executed on a small random database before it becomes an item: it runs and it returns something.
"""

from __future__ import annotations

import json
import random
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from llmlab import shop

from . import kit_words
from .messages import listed

WRITTEN = Path(__file__).parent.parent / "written"
SHOP = 0.4  # of the items are about the kit's own shop; held_out.py drops what chapter 05 asks
SHOP_VALUES = {
    "product": "mint tea;green tea;dark roast;espresso cup;blue cup;teapot;milk jug;chai;kettle;gift box;oolong;travel mug",
    "reason": "broken;late;wrong item;changed mind",
    "status": "open;shipped;delivered;cancelled;returned",
    "total": "3.50..172.00 [money] +",
    "price": "3.50..58.00 [money]",
    "quantity": "1..4 +",
}
PLAIN = 130  # characters of question and query: most are short, for a small model learns little from the others
LIMIT = 2200  # characters of an item, its tools included

Item = dict[str, Any]
Row = dict[str, Any]


# --- The table designs ---------------------------------------------------------------------------------------------


@dataclass
class Column:
    """A column: as it is designed (names to choose from), then as it is in one database (`name`)."""

    names: list[str]
    kind: str
    args: str
    words: list[str]
    phrases: list[list[str]]
    opts: dict[str, list[str]]
    name: str = ""

    @property
    def nullable(self) -> bool:
        """Whether some rows have no value here."""
        return "null" in self.opts

    @property
    def text(self) -> bool:
        """Whether its values are quoted in SQL."""
        return self.kind not in ("num", "flag", "key", "fk")


@dataclass
class Table:
    """A table with its nouns and columns, and the rows of one database."""

    names: list[str]
    one: str
    many: str
    who: str
    columns: list[Column] = field(default_factory=list)
    calc: tuple[str, list[str]] | None = None
    name: str = ""
    rows: list[Row] = field(default_factory=list)

    def of_kind(self, *kinds: str) -> list[Column]:
        """Its columns of some kinds."""
        return [c for c in self.columns if c.kind in kinds]

    @property
    def label(self) -> Column | None:
        """The column that names a row."""
        return next(iter(self.of_kind("label")), None)

    @property
    def key(self) -> Column:
        """The primary key."""
        return self.of_kind("key")[0]


@cache
def designs() -> list[list[Table]]:
    """All designs of sql_tables.txt, grouped by domain."""
    domains: list[list[Table]] = []
    for line in (WRITTEN / "sql_tables.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        head, *fields = (part.strip() for part in line.split(" | "))
        if line.startswith("== "):
            domains.append([])
        elif line.startswith("table "):
            one, _, many = fields[0].partition("/")
            domains[-1].append(Table(head[6:].split("/"), one, many, "who" if "who" in fields[1:] else "that"))
        elif line.startswith("calc "):
            domains[-1][-1].calc = (head[5:], fields[0].split(", "))
        else:
            domains[-1][-1].columns.append(_column(head, fields))
    return domains


def _column(head: str, fields: list[str]) -> Column:
    names, kind, *args = head.split(" ", 2)
    plain = [f for f in fields if not re.match(r"\w+=", f)]
    opts = {k: v.split(" / ") for k, _, v in (f.partition("=") for f in fields if re.match(r"\w+=", f))}
    if kind == "fk":
        plain.insert(0, "")
    if kind == "label+":  # called with an article: "the desk lamp"
        kind, opts["the"] = "label", ["yes"]
    words = [w for w in plain[0].split(", ") if w] if plain else []
    phrases = [p.split(" / ") for p in plain[1:]]
    return Column(names.split("/"), kind, args[0] if args else "", words, phrases, opts)


@cache
def frames() -> dict[str, list[str]]:
    """The sentence frames of sql_frames.txt: the wordings of each kind of question."""
    sections: dict[str, list[str]] = {}
    for line in (WRITTEN / "sql_frames.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            current = sections.setdefault(line[3:], [])
        elif line and not line.startswith("#"):
            current.append(line.replace("\\n", "\n"))
    return sections


@cache
def _names() -> dict[str, list[str]]:
    lists = {}
    for line in (WRITTEN / "people.txt").read_text(encoding="utf-8").splitlines():
        key, _, values = line.partition(": ")
        if not line.startswith("#"):
            lists[key] = values.split(";" if ";" in values else " ")
    return lists


# --- One database --------------------------------------------------------------------------------------------------


def _pool(rng: random.Random, pool: str, n: int) -> list[Any]:
    """`n` different values of a named pool, or of values that the design lists (fewer if it has fewer)."""
    names = _names()
    if ";" in pool:
        values = pool.split(";")
        return rng.sample(values, min(n, len(values)))
    if pool in ("city", "country"):
        return rng.sample(names["cities" if pool == "city" else "countries"], n)
    makers: dict[str, Callable[[], str]] = {
        "person": lambda: f"{rng.choice(names[rng.choice(['she', 'he'])])} {rng.choice(names['family'])}",
        "first": lambda: rng.choice(names[rng.choice(["she", "he"])]),
        "title": lambda: (
            rng.choice(["", "", "The "]) + f"{rng.choice(names['adjectives'])} {rng.choice(names['nouns'])}"
        ),
        "band": lambda: rng.choice(["The {1}s", "{0} {1}", "{1} {2}"]).format(
            rng.choice(names["adjectives"]), rng.choice(names["nouns"]), rng.choice(names["nouns"])
        ),
        "company": lambda: (
            rng.choice(names["companies"]) + rng.choice([" Ltd", " Foods", " & Co", "tec", " Supply", "works"])
        ),
        "email": lambda: (
            f"{rng.choice(names['she'] + names['he']).lower()}{rng.randint(1, 99)}@"
            + rng.choice(["mail.com", "post.net", "inbox.org"])
        ),
        "phone": lambda: f"555-{rng.randint(100, 9999):04d}",
        "remark": lambda: rng.choice(names["remarks"]),
        "file": lambda: f"img_{rng.randint(10, 999)}.jpg",
    }
    found: list[Any] = []
    for _ in range(40 * n):
        value = makers[pool]()
        if value not in found:
            found.append(value)
        if len(found) == n:
            break
    return found


def _range(args: str) -> tuple[float, float, int]:
    """Lowest and highest value, and decimals, of a num column."""
    low, high = re.match(r"(-?[\d.]+?)\.\.(-?[\d.]+)", args).groups()  # type: ignore[union-attr]
    return float(low), float(high), len(high.partition(".")[2])


def _unit(column: Column) -> str:
    match = re.search(r"\[(.+)\]", column.args)
    return match.group(1) if match else ""


def _number(rng: random.Random, column: Column) -> float | int:
    low, high, decimals = _range(column.args)
    if not decimals:
        return rng.randint(int(low), int(high))
    return round(rng.uniform(low, high), decimals)


def _day(rng: random.Random, args: str) -> str:
    first, last = (int(y) for y in args.split("..")) if args else (2021, 2025)
    return f"{rng.randint(first, last)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"


class World:
    """One database: one or two tables, filled, and how it is shown."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.link: Column | None = None  # the foreign key of tables[0] to tables[1]
        self.tables: list[Table] = []
        self.money = rng.choice(["{}", "{}", "${}", "{} dollars", "{} euros", "{} EUR", "€{}", "£{}"])
        self.kit: list[str] = []  # the lines of the kit's own tables, if this is the kit's shop
        if rng.random() < SHOP:
            self._take_the_shop()
            return
        self.style = rng.choices(["snake", "camel", "pascal", "upper"], [70, 12, 12, 6])[0]
        domain = rng.choice([*designs(), *designs()[:1] * 3])  # a shop is what the kit asks about most
        pairs = [(c, p) for c in domain for p in domain for k in c.of_kind("fk") if k.args in p.names]
        if pairs and rng.random() < 0.5:
            child, parent = rng.choice(pairs)
            self._take(parent, rng.randint(2, 3))
            self._take(child, rng.randint(2, 4), parent)
            self.tables.reverse()
        else:
            self._take(rng.choice(domain), rng.randint(2, 6))

    def _take_the_shop(self) -> None:
        """One or two tables of the kit's shop, with its own names and values."""
        rng, self.style, self.money = self.rng, "snake", self.rng.choice(["{}", "{} euros"])
        lines = {line.split()[2]: line for line in shop.SCHEMA.splitlines()}
        child = rng.choice(list(lines))
        parent = re.search(r"REFERENCES (\w+)", lines[child])
        names = [child, parent[1]] if parent and rng.random() < 0.45 else [child]
        for name in reversed(names):
            design = next(t for t in designs()[0] if t.names[0] == name)
            columns = re.findall(r"[(,] ?(\w+) (?:INTEGER|TEXT|REAL)", lines[name])
            table = Table(design.names, design.one, design.many, design.who, name=name)
            for column in columns:
                drawn = next(c for c in design.columns if column in c.names)
                args = SHOP_VALUES.get(column, "2026..2026" if drawn.kind == "date" else drawn.args)
                table.columns.append(Column(**{**drawn.__dict__, "name": column, "args": args}))
            if name == "items":
                table.calc = ("quantity * price", design.calc[1] if design.calc else [])
            self._fill(table)
            self.tables.insert(0, table)
        if len(names) == 2:
            self.link = next(c for c in self.tables[0].of_kind("fk") if c.args == names[1])
        self.kit = list(lines.values()) if rng.random() < 0.2 else [lines[name] for name in names]

    def _take(self, design: Table, columns: int, parent: Table | None = None) -> None:
        rng = self.rng
        table = Table(design.names, design.one, design.many, design.who)
        free = [c for c in design.columns if c.kind not in ("key", "label", "fk")]
        keep = rng.sample(free, min(columns, len(free)))
        for column in design.columns:
            linked = parent is not None and column.kind == "fk" and column.args in parent.names
            if (
                column.kind in ("key", "label")
                or column in keep
                or linked
                or (column.kind == "fk" and rng.random() < 0.2)
            ):
                copy = Column(**{**column.__dict__, "name": self._styled(self._free_name(column, table))})
                table.columns.append(copy)
                if linked and self.link is None:
                    self.link = copy
        table.name = self._styled(rng.choice(design.names), table=True)
        if design.calc and all(self._by_design(table, n) for n in re.findall(r"\w+", design.calc[0])):
            formula = re.sub(r"\w+", lambda m: self._by_design(table, m.group()) or "", design.calc[0])
            table.calc = (formula.replace("*", " * "), design.calc[1])
        self._fill(table)
        self.tables.append(table)

    @staticmethod
    def _by_design(table: Table, name: str) -> str | None:
        return next((c.name for c in table.columns if name in c.names), None)

    def _free_name(self, column: Column, table: Table) -> str:
        taken = {c.name.lower().replace("_", "") for c in table.columns}
        weights = [3] + [2] * (len(column.names) - 1)
        name = self.rng.choices(column.names, weights)[0]
        return name if name.replace("_", "") not in taken else column.names[0]

    def _styled(self, name: str, table: bool = False) -> str:
        parts = name.split("_")
        if self.style == "camel" and not table:
            return parts[0] + "".join(p.capitalize() for p in parts[1:])
        if self.style == "pascal":
            return "".join(p.capitalize() for p in parts)
        return name.upper() if self.style == "upper" else name

    def _fill(self, table: Table) -> None:
        rng, n = self.rng, self.rng.randint(8, 13)
        values: dict[str, list[Any]] = {}
        for column in table.columns:
            if column.kind == "label":
                values[column.name] = _pool(rng, column.args, n)
                n = min(n, len(values[column.name]))
        start = rng.choice([1, 1, 1, 101, 1001])
        for column in table.columns:
            if column.kind == "key":
                codes = [f"{chr(65 + i)}{rng.choice('AEIOU')}{rng.choice('BKLNRST')}" for i in range(n)]
                values[column.name] = codes if column.args == "code" else list(range(start, start + n))
            elif column.kind != "label":
                values[column.name] = self._values(column, n)
        table.rows = [{c.name: values[c.name][i] for c in table.columns} for i in range(n)]

    def _values(self, column: Column, n: int) -> list[Any]:
        rng = self.rng
        made: list[Any]
        if column.kind == "fk":
            linked = next((t for t in self.tables if column.args in t.names), None)
            keys = [r[linked.key.name] for r in linked.rows] if linked else list(range(1, 8))
            keys = rng.sample(keys, max(2, len(keys) - 2))
            return [rng.choice(keys) for _ in range(n)]
        if column.kind == "num":
            made = [_number(rng, column) for _ in range(n)]
        elif column.kind == "flag":
            made = [rng.randint(0, 1) for _ in range(n)]
        elif column.kind == "date":
            made = [_day(rng, column.args) for _ in range(n)]
        elif column.kind == "time":
            made = [f"{rng.randint(6, 22):02d}:{rng.choice([0, 5, 10, 15, 20, 30, 40, 45, 50]):02d}" for _ in range(n)]
        else:
            wide = column.kind == "text" and ";" not in column.args
            pool = _pool(rng, column.args, n if wide and column.args != "remark" else rng.randint(3, 5))
            made = [rng.choice(pool) for _ in range(n)]
        return [None if column.nullable and rng.random() < 0.3 else v for v in made]

    def connect(self) -> sqlite3.Connection:
        """The database, in memory."""
        return fill(sqlite3.connect(":memory:"), self.tables)

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that a query returns."""
        with closing(self.connect()) as db:
            return db.execute(sql).fetchall()


def fill(db: sqlite3.Connection, tables: list[Table]) -> sqlite3.Connection:
    """Create the tables and put their rows in."""
    for table in tables:
        db.execute(create(table))
        marks = ", ".join("?" * len(table.columns))
        db.executemany(f"INSERT INTO {table.name} VALUES ({marks})", [tuple(r.values()) for r in table.rows])
    return db


def sql_type(column: Column) -> str:
    """Its type in a CREATE TABLE statement."""
    if column.kind == "num":
        return "REAL" if _range(column.args)[2] else "INTEGER"
    return "TEXT" if column.text or column.args in ("code", "airports", "countries") else "INTEGER"


def create(
    table: Table, form: str = "one", foreign: dict[str, str] | None = None, notes: dict[str, str] | None = None
) -> str:
    """The CREATE TABLE statement, on one line or on many, with references and notes if wanted."""
    lines = []
    for column in table.columns:
        line = f"{column.name} {sql_type(column)}" + (" PRIMARY KEY" if column.kind == "key" else "")
        if foreign and column.name in foreign:
            line += f" REFERENCES {foreign[column.name]}"
        lines.append(line)
    if form == "one":
        return f"CREATE TABLE {table.name} ({', '.join(lines)});"
    commas = [line + ("," if i < len(lines) - 1 else "") for i, line in enumerate(lines)]
    noted = [
        line + (f" -- {notes[c.name]}" if notes and c.name in notes else "")
        for line, c in zip(commas, table.columns, strict=True)
    ]
    return f"CREATE TABLE {table.name} (\n" + "\n".join(form + line for line in noted) + "\n);"


# --- Grammar -------------------------------------------------------------------------------------------------------

PRESENT = set(["need", "feed", "speed"])
THIRD = {"are": "is", "were": "was", "have": "has", "do": "does", "go": "goes"}
# Words that begin what follows the head of a noun phrase.
TAILS = "of|to|in|per|from|between|called|measured|missed|left|billed|refunded|owed|spent|sold|used|recycled"
UNCHANGED = {"can", "cannot", "must", "did", "was"}


def third(phrase: str) -> str:
    """A verb phrase for one person or thing: "live in Rome" -> "lives in Rome"."""
    verb, _, rest = phrase.partition(" ")
    if verb in THIRD:
        verb = THIRD[verb]
    elif not (verb in _names()["past"] or verb in UNCHANGED or (verb.endswith("ed") and verb not in PRESENT)):
        if re.search(r"(s|sh|ch|x|o)$", verb):
            verb += "es"
        else:
            verb = re.sub(r"(?<![aeiou])y$", "ie", verb) + "s"
    return f"{verb} {rest}".strip()


def plural(word: str) -> str:
    """The plural of an everyday word for a column: "type of soil" -> "types of soil"."""
    match = re.match(rf"(.+?)( (?:{TAILS})\b.*)?$", word)
    head, tail = match.group(1), match.group(2) or ""  # type: ignore[union-attr]
    irregular = {"person": "persons", "address": "addresses", "pH value": "pH values", "class": "classes"}
    last = head.split()[-1]
    if head in irregular:
        head = irregular[head]
    elif last in (
        "means",
        "sales",
        "species",
        "minutes",
        "hours",
        "moisture",
        "rainfall",
        "kilometres",
        "grams",
        "calories",
    ):
        pass
    elif re.search(r"[^aeiou]y$", head):
        head = head[:-1] + "ies"
    else:
        head += "es" if re.search(r"(s|sh|ch|x)$", head) else "s"
    return head + tail


def a(word: str) -> str:
    """A word with its indefinite article."""
    vowel = re.match(r"[aeiouAEIOU]|hour", word) and not re.match(r"(uni|use|usa|one|eu)", word)
    return f"{'an' if vowel else 'a'} {word}"


def cap(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]


ADJECTIVE = re.compile(r"\((are|were)\) (not |still |no )?\w+$")


class Slots(dict[str, Any]):
    """What fills a frame: {np}; {Np} with a capital letter; {a_np} and {the_np} with an article."""

    def __missing__(self, key: str) -> str:
        if key[0].isupper():
            return cap(str(self[key[0].lower() + key[1:]]))
        if key.startswith("a_"):
            return a(self[key[2:]])
        if key.startswith("the_"):
            return "the " + self[key[4:]].removeprefix("the ")
        raise KeyError(key)


@dataclass
class Filter:
    """A condition: its SQL (`{c}` stands for the column) and how it is said: before the noun, or as a verb phrase."""

    column: Column
    cond: str
    before: str = ""
    verb: str = ""

    def vp(self) -> str:
        """The whole verb phrase: "are from Rome"."""
        return re.sub(r"^\((\w+)\) ", r"\1 ", self.verb)

    def post(self, rng: random.Random, who: str, single: bool = False) -> str:
        """As it stands after a noun: "from Rome", "that cost more than 5 euros"."""
        helper = re.match(r"\((\w+)\) (.*)", self.verb)
        if helper and not ADJECTIVE.match(self.verb) and rng.random() < 0.85:
            return helper.group(2)
        noun = re.match(r"have (?!not |never |had |run |driven |seen |left|quit|been |\w+ed\b)(.*)", self.verb)
        if noun and rng.random() < 0.75:
            return f"with {noun.group(1)}"
        pronoun = who if rng.random() < 0.85 or who == "who" else "which"
        return f"{pronoun} {third(self.vp()) if single else self.vp()}"


def quote(value: Any) -> str:
    """A value as SQL writes it."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e5 else str(value)


# --- Conditions ----------------------------------------------------------------------------------------------------


class Asker:
    """Makes questions about a world, each with its query."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.rng
        self.joined = False

    def one(self, options: list[str]) -> str:
        """One of several wordings."""
        return self.rng.choice(options)

    def ref(self, column: Column) -> str:
        """A column in SQL: qualified where two tables are joined."""
        if not self.joined:
            return column.name
        owner = next(t for t in self.world.tables if any(c is column for c in t.columns))
        return f"{owner.name}.{column.name}"

    def where(self, filters: list[Filter], word: str = "AND") -> str:
        """The WHERE clause with a space before it, or nothing."""
        conds = [f.cond.replace("{c}", self.ref(f.column)) for f in filters]
        return f" WHERE {f' {word} '.join(conds)}" if conds else ""

    def word(self, column: Column) -> str:
        """An everyday word for a column; now and then its own name."""
        if not column.words:
            return "id" if column.kind in ("key", "fk") else column.name
        return column.name if self.rng.random() < 0.1 else self.rng.choice(column.words)

    @staticmethod
    def words(column: Column, word: str, values: bool = False) -> str:
        """The plural of the word for a column; its own name stays as it is."""
        if word in column.words:
            return plural(word)
        return f"{word} values" if values else word

    def show(self, column: Column, value: float | int, bare: bool = False) -> str:
        """A number as people write it, with its unit."""
        unit = _unit(column)
        text = quote(value)
        if isinstance(value, int) and value >= 2500 and "19" not in column.args and self.rng.random() < 0.12:
            text = f"{value:,}"
        if unit == "money":
            if "." in text and len(text.partition(".")[2]) == 1:
                text += "0"
            return text if bare and self.rng.random() < 0.3 else self.world.money.format(text)
        return text if bare or not unit or self.rng.random() < 0.1 else f"{text} {unit}"

    def filter(self, table: Table, used: list[Filter]) -> Filter | None:
        """A condition on a column that has none yet."""
        free = [
            c for c in table.columns if all(f.column is not c for f in used) and c.kind not in ("key", "fk", "label")
        ]
        if table.label and not used and self.rng.random() < 0.15:
            free = [table.label]
        if not free:
            return None
        column = self.rng.choice(free)
        if column.nullable and self.rng.random() < (0.75 if column.kind == "text" else 0.4):
            kind = "set" if "set" in column.opts and self.rng.random() < 0.4 else "null"
            cond = "{c} IS NULL" if kind == "null" else "{c} IS NOT NULL"
            return self._state(column, cond, self.one(column.opts[kind]))
        values = [r[column.name] for r in table.rows if r[column.name] is not None]
        if not values:
            return None
        return getattr(self, f"_{column.kind}")(column, values)

    def filters(self, table: Table, most: int = 2, least: int = 0) -> list[Filter]:
        """Some conditions."""
        found: list[Filter] = []
        for _ in range(max(least, self.rng.choice([0, 1, 1, 1, 2, 2])) if most > 1 else self.rng.randint(least, most)):
            made = self.filter(table, found)
            if made:
                found.append(made)
        return found[:most]

    def _flag(self, column: Column, values: list[Any]) -> Filter:
        yes = self.rng.random() < 0.6
        return self._state(column, f"{{c}} = {int(yes)}", self.one(column.opts["yes" if yes else "no"]))

    def _state(self, column: Column, cond: str, verb: str) -> Filter:
        """A condition without a value; a plain adjective may stand before the noun: "open tickets"."""
        adjective = re.match(r"\((?:are|were)\) (\w+[^s\W])$", verb)
        if adjective and adjective.group(1) not in ("outside",) and self.rng.random() < 0.4:
            return Filter(column, cond, before=adjective.group(1))
        return Filter(column, cond, verb=verb)

    def _label(self, column: Column, values: list[Any]) -> Filter:
        return self._like(column, values)

    def _text(self, column: Column, values: list[Any]) -> Filter:
        return self._like(column, values)

    def _like(self, column: Column, values: list[Any]) -> Filter:
        rng, value, word = self.rng, self.rng.choice(values), self.word(column)
        kind = rng.choice(["start", "end", "contain"])
        parts = [p for p in re.split(r"[\s@.]+", value) if len(p) > 2] or [value]
        mark = rng.choice(["'{}'", '"{}"', "{}"])
        if kind == "start":
            piece = rng.choice([value[0], value[0], value[:2], value[:3], re.split(r"[\s@]", value)[0]])
            said = ["have {} starting with {}", "have {} that starts with {}", "have {} beginning with {}"]
            said += ["have {} that begins with the letter {}"] if len(piece) == 1 else []
            return Filter(
                column, f"{{c}} LIKE {quote(piece + '%')}", verb=self.one(said).format(a(word), mark.format(piece))
            )
        if kind == "end":
            piece = rng.choice([value[-1], value[-2:], parts[-1] if value.endswith(parts[-1]) else value[-3:]])
            said = ["have {} ending in {}", "have {} that ends with {}", "have {} ending with {}"]
            return Filter(
                column, f"{{c}} LIKE {quote('%' + piece)}", verb=self.one(said).format(a(word), mark.format(piece))
            )
        piece = rng.choice(parts)
        piece = piece if rng.random() < 0.7 or len(piece) < 5 else piece[:4]
        said = [
            "have {} containing {}",
            "have {} that contains {}",
            "have {1} somewhere in the {2}",
            "have {1} in the {2}",
        ]
        verb = self.one(said).format(a(word), mark.format(piece), word)
        return Filter(column, f"{{c}} LIKE {quote('%' + piece + '%')}", verb=verb)

    def _cat(self, column: Column, values: list[Any]) -> Filter:
        rng, distinct = self.rng, sorted(set(values))
        phrases = [p for p in (column.phrases[0] if column.phrases else [])]
        value, roll = rng.choice(distinct), rng.random()
        word = self.word(column)
        generic = (
            [f"have the {word} {{v}}", f"have {{v}} as {word}"] if word != column.name else [f"have the {word} {{v}}"]
        )
        phrase = self.one(phrases) if phrases and rng.random() < 0.85 else self.one(generic)
        if roll < 0.14 and len(distinct) > 2:
            chosen = rng.sample(distinct, 3 if len(distinct) > 3 and rng.random() < 0.35 else 2)
            cond = f"{{c}} IN ({', '.join(quote(v) for v in chosen)})"
            said = listed(chosen, "or")
            if phrase == "^":
                return Filter(column, cond, before=said)
            return Filter(column, cond, verb=phrase.replace("{v}", said))
        if roll < 0.24 and not column.nullable:
            denied = self._deny(phrase if phrase != "^" else f"have the {word} {{v}}")
            if denied:
                return Filter(column, f"{{c}} <> {quote(value)}", verb=denied.replace("{v}", value))
        if phrase == "^":
            return Filter(column, f"{{c}} = {quote(value)}", before=value)
        mark = "'{}'" if rng.random() < 0.07 else "{}"
        return Filter(column, f"{{c}} = {quote(value)}", verb=phrase.replace("{v}", mark.format(value)))

    @staticmethod
    def _deny(phrase: str) -> str | None:
        if phrase.startswith("(are)") or phrase.startswith("(were)"):
            return phrase.replace(") ", ") not ", 1)
        verb = phrase.split()[0].strip("()")
        past = verb in _names()["past"] or (verb.endswith("ed") and verb not in PRESENT)
        return None if past else "do not " + phrase.replace("(", "").replace(")", "")

    def _num(self, column: Column, values: list[Any]) -> Filter:
        rng = self.rng
        op = rng.choices([">", "<", ">=", "<=", "between", "="], [30, 26, 14, 12, 12, 6])[0]
        if op == "between":
            low, high = sorted([self._round(rng.choice(values)), self._round(rng.choice(values))])
            if low == high:
                high = low + (5 if isinstance(low, int) else 10)
            return Filter(
                column, f"{{c}} BETWEEN {quote(low)} AND {quote(high)}", verb=self._between(column, low, high)
            )
        if op == "=":
            value = rng.choice(values)
            said = column.opts.get("eq") or [
                f"have {a(self._num_word(column))} of {{v}}",
                f"have {a(self._num_word(column))} of exactly {{v}}",
            ]
            return Filter(column, f"{{c}} = {quote(value)}", verb=self._said(column, self.one(said), value))
        value = self._round(rng.choice(values)) if rng.random() < 0.75 else rng.choice(values)
        value = 2 if value == 1 and isinstance(value, int) else value  # "more than 1 copies" is no English
        return Filter(column, f"{{c}} {op} {quote(value)}", verb=self._said(column, self._compared(column, op), value))

    def _num_word(self, column: Column) -> str:
        return self.rng.choice(column.words)

    def _said(self, column: Column, phrase: str, value: float | int) -> str:
        bare = bool(re.search(r"(number of|in days|in cents|in millions|in tons|in grams)\b.*\{v\}", phrase))
        if _unit(column) not in ("money", "percent", ""):
            bare = bare or bool(re.search(r"\{v\} (" + re.escape(_unit(column)) + r"|\w+s\b)", phrase))
        return phrase.replace("{v}", self.show(column, value, bare))

    def _round(self, value: float | int) -> float | int:
        """A rounder number near a value."""
        size = abs(value)
        if isinstance(value, float):
            if size > 20:
                return int(value)
            return int(value) + self.rng.choice([0, 0.5]) if size > 2 else value
        if 1000 <= size <= 2100:
            return value - value % 5
        step = 1 if size < 15 else 5 if size < 60 else 10 if size < 300 else 50 if size < 1000 else 500
        return value - value % step

    def _between(self, column: Column, low: float | int, high: float | int) -> str:
        eq = [p for p in column.opts.get("eq", []) if "in {v}" in p]
        if eq and "-" in column.args.split(" ")[-1]:
            return self.one(eq).replace("in {v}", self.one([f"between {low} and {high}", f"from {low} to {high}"]))
        word = self._num_word(column)
        bare = "number" in word or " in " in word
        one, two = self.show(column, low, True), self.show(column, high, bare)
        return f"have {a(word)} " + self.one(
            [f"between {one} and {two}", f"from {one} to {two}", f"between {one} and {two}"]
        )

    def _compared(self, column: Column, op: str) -> str:
        """A phrase for more, less, at least or at most `{v}`."""
        side = 0 if op.startswith(">") else 1
        own = column.phrases[side] if len(column.phrases) > side else []
        word = self._num_word(column)
        prefer_own = own and (self.rng.random() < 0.75 or word.startswith("number of "))
        generic = self.one(frames()[f"num {op}"]).replace("{word}", a(word))
        if op in (">", "<"):
            phrase = self.one(own) if prefer_own else generic
            return self._over(phrase) if self.rng.random() < 0.3 else phrase
        dated = [p for p in own if re.search(r"(after|before) \{v\}", p)]
        if dated and op == ">=" and self.rng.random() < 0.4:
            late = ("after {v}", "{v} or later") if "have" in dated[0] else ("after {v}", "since {v}")
            return self.one(dated).replace(*late)
        if dated:
            return re.sub(r"(after|before) \{v\}", r"in or \1 {v}", self.one(dated))
        counted = [p for p in own if re.search(r"(more|less|fewer) than \{v\}", p)]
        if not counted or not prefer_own:
            return generic
        phrase, limit = self.one(counted), self.one(frames()[f"limit {op}"])
        if " or " in limit and not phrase.endswith("{v}"):
            limit = frames()[f"limit {op}"][0]
        return re.sub(r"(more|less|fewer) than \{v\}", limit, phrase)

    @staticmethod
    def _over(phrase: str) -> str:
        return (
            phrase.replace("more than {v}", "over {v}")
            .replace("less than {v}", "under {v}")
            .replace("fewer than {v}", "under {v}")
        )

    def _time(self, column: Column, values: list[Any]) -> Filter:
        rng, value = self.rng, self.rng.choice(values)
        hour = f"{int(value[:2]):02d}:00"
        kind = rng.choice(["after", "before", "from", "between", "by"])
        shown = lambda t: rng.choice([t, t, t.lstrip("0")])  # noqa: E731
        at = rng.choice([hour, value])
        if kind == "after":
            cond, when = f"{{c}} > '{at}'", self.one([f"after {shown(at)}", f"later than {shown(at)}"])
        elif kind == "before":
            cond, when = f"{{c}} < '{at}'", self.one([f"before {shown(at)}", f"earlier than {shown(at)}"])
        elif kind == "from":
            cond, when = f"{{c}} >= '{at}'", self.one([f"at {shown(at)} or later", f"not before {shown(at)}"])
        elif kind == "by":
            cond, when = f"{{c}} <= '{at}'", self.one([f"at {shown(at)} or earlier", f"not after {shown(at)}"])
        else:
            end = f"{min(23, int(value[:2]) + rng.randint(1, 3)):02d}:00"
            cond, when = f"{{c}} BETWEEN '{hour}' AND '{end}'", f"between {shown(hour)} and {shown(end)}"
        return Filter(column, cond, verb=self.one(column.phrases[0]).replace("{when}", when))

    def _date(self, column: Column, values: list[Any]) -> Filter:
        cond, when = self.when(self.rng.choice(values), [v for v in values])
        phrase = self.one(column.phrases[0])
        if self.rng.random() < 0.1:
            phrase = f"have {a(self.rng.choice(column.words))} {{when}}"
        return Filter(column, cond, verb=phrase.replace("{when}", when))

    def day(self, iso: str) -> str:
        """A date as people write it."""
        year, month, day = iso.split("-")
        name = _names()["months"][int(month) - 1]
        forms = (
            [iso] * 6
            + [f"{int(day)} {name} {year}"] * 2
            + [f"{name} {int(day)}, {year}"] * 2
            + [f"{int(day)} {name[:3]} {year}"]
        )
        return self.rng.choice(forms)

    def when(self, value: str, values: list[str]) -> tuple[str, str]:
        """A condition on a date and how it is said."""
        kinds = ["year", "month", "any month", "on", "until", "edge", "between", "years", "part"]
        kind = self.rng.choices(kinds, [22, 18, 5, 6, 3, 24, 10, 4, 5])[0]
        year, month, name = value[:4], value[5:7], _names()["months"][int(value[5:7]) - 1]
        if kind == "edge":
            return self._edge(value, f"{name} {year}")
        if kind == "part":
            return self._part(year, int(month) - 1)
        first, last, other = value, value, str(int(year) + self.rng.randint(1, 3))
        if kind == "between":
            first, last = sorted([value, self.rng.choice(values)])
            last = last if first < last else f"{int(year) + 1}-01-31"
        cond = {
            "year": f"strftime('%Y', {{c}}) = '{year}'",
            "month": f"strftime('%Y-%m', {{c}}) = '{year}-{month}'",
            "any month": f"strftime('%m', {{c}}) = '{month}'",
            "on": f"{{c}} = '{value}'",
            "until": f"{{c}} <= '{value}'",
            "between": f"{{c}} BETWEEN '{first}' AND '{last}'",
            "years": f"{{c}} BETWEEN '{year}-01-01' AND '{other}-12-31'",
        }[kind]
        slots = {"year": year, "month": month, "name": name, "other": other, "first": self.day(first)}
        return cond, self.one(frames()[f"when {kind}"]).format(last=self.day(last), **slots)

    def _edge(self, value: str, month: str) -> tuple[str, str]:
        """After, before or since a day, a year or a month."""
        side, edge = self.rng.choice(["after", "before", "since"]), self.rng.choice(["day", "day", "year", "month"])
        first, last, shown = {
            "day": (value, value, self.day(value)),
            "year": (f"{value[:4]}-01-01", f"{value[:4]}-12-31", value[:4]),
            "month": (f"{value[:7]}-01", f"{value[:7]}-{_last_day(int(value[:4]), int(value[5:7])):02d}", month),
        }[edge]
        op, limit = {"after": (">", last), "before": ("<", first), "since": (">=", first)}[side]
        section = "when from" if side == "since" and edge == "day" else f"when {side}"
        return f"{{c}} {op} '{limit}'", self.one(frames()[section]).format(d=shown)

    def _part(self, year: str, month: int) -> tuple[str, str]:
        """A half or a quarter of a year."""
        size = self.rng.choice([3, 3, 6])
        n = month // size
        last = (n + 1) * size
        cond = f"{{c}} BETWEEN '{year}-{n * size + 1:02d}-01' AND '{year}-{last:02d}-{_last_day(int(year), last)}'"
        ordinal = ["first", "second", "third", "fourth"][n]
        said = (
            [f"in the {ordinal} half of {year}"]
            if size == 6
            else [f"in the {ordinal} quarter of {year}", f"in Q{n + 1} {year}"]
        )
        return cond, self.one(said)

    # --- Noun phrases ----------------------------------------------------------------------------------------------

    def np(self, table: Table, filters: list[Filter], noun: str = "", single: bool = False) -> str:
        """A noun with its conditions: "open orders worth more than 5 euros"."""
        before = [f.before for f in filters if f.before]
        after = [f for f in filters if f.verb]
        text = " ".join([*before, noun or table.many])
        posts = sorted(
            (f.post(self.rng, table.who, single) for f in after),
            key=lambda p: p.startswith(("that ", "who ", "which ")),
        )
        if len(posts) > 1 and self.rng.random() < 0.65:
            return f"{text} " + " and ".join(posts)
        return " ".join([text, *posts])

    def clause(self, table: Table, filters: list[Filter]) -> tuple[str, list[str]] | None:
        """Subject and verb phrases, if some condition can be said with a verb."""
        verbs = [f for f in filters if f.verb]
        if not verbs:
            return None
        subject = " ".join([*(f.before for f in filters if f.before), table.many])
        return subject, [f.vp() for f in verbs]


def _last_day(year: int, month: int) -> int:
    return 31 if month in (1, 3, 5, 7, 8, 10, 12) else 30 if month != 2 else 29 if year % 4 == 0 else 28


# --- Questions about one table -------------------------------------------------------------------------------------

Pair = tuple[str, str]  # a question and its query
NUMBER_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
AGGREGATES = {
    "AVG": ["average", "mean", "average"],
    "SUM": ["total", "total", "overall"],
    "MIN": ["lowest", "smallest", "minimum"],
    "MAX": ["highest", "largest", "maximum"],
}


class Questions(Asker):
    """One method a kind of question about `table`; each returns the question and its query, or None if it cannot."""

    def __init__(self, world: World, table: Table) -> None:
        super().__init__(world)
        self.table = table

    # What the kinds share.

    def frames(self, section: str, **slots: Any) -> list[str]:
        """The wordings of a section of sql_frames.txt, filled."""
        about = {"one": self.table.one, "many": self.table.many, "who": self.table.who, "table": self.table.name}
        if len(self.world.tables) == 2:
            parent = self.world.tables[1]
            about |= {"parent": parent.one, "parents": parent.many, "parent_who": parent.who}
        return [frame.format_map(Slots({**about, **slots})) for frame in frames()[section]]

    def select(
        self, what: str, filters: list[Filter], rest: str = "", word: str = "AND", distinct: bool = False
    ) -> str:
        """A query on this table."""
        return (
            f"SELECT {'DISTINCT ' if distinct else ''}{what} FROM {self.table.name}{self.where(filters, word)}{rest};"
        )

    def numbers(self, sign: str = "") -> list[Column]:
        """The num columns that may be summed ("+"), or averaged (all but "-")."""
        found = [c for c in self.table.of_kind("num")]
        if sign == "+":
            return [c for c in found if c.args.endswith("+")]
        return [c for c in found if not c.args.endswith(" -")]

    def asked(self, most: int = 3) -> list[Column]:
        """Some columns to ask for, the label first."""
        label = [self.table.label] if self.table.label else []
        others = [c for c in self.table.columns if c not in label and c.kind not in ("fk", "flag")]
        if label:
            others = [c for c in others if c.kind != "key"]
        count = self.rng.choice([1, 1, 2, 2, 3][: most + 2])
        more = self.rng.sample(others, min(len(others), count if not label else count - 1))
        return label + more if label and self.rng.random() < 0.85 else more or label

    def columns_said(self, columns: list[Column]) -> str:
        """How columns are asked for: "names", "the name and the price"."""
        words = [self.word(c) for c in columns]
        if len(columns) == 1:
            return "ids" if words[0] == "id" else self.words(columns[0], words[0])
        form = self.rng.choice(["bare", "bare", "the", "plural"])
        if form == "the":
            return listed([f"the {w}" for w in words])
        if form == "plural" and all(
            c.words and w in c.words and "number" not in w for w, c in zip(words, columns, strict=True)
        ):
            return listed([plural(w) for w in words])
        return listed(words)

    def group_column(self) -> Column | None:
        """A column with few values, to group by."""
        found = [c for c in self.table.of_kind("cat") if not c.nullable]
        return self.rng.choice(found) if found else None

    def all_np(self, filters: list[Filter]) -> str:
        """The noun phrase with or without an article, as it follows "of"."""
        text = self.np(self.table, filters)
        if filters:
            return self.one(["the ", "the ", "all ", "all the ", ""]) + text
        return self.one([f"all {text}", f"the {text}", f"all the {text}", text])

    def named(self, row: Row, label: Column) -> str:
        """A row called by its label."""
        text = str(row[label.name])
        if self.rng.random() < 0.12:
            text = self.one(["'{}'", '"{}"']).format(text)
        elif label.args == "title" or "title" in label.words:
            text = self.one(["{}", "'{}'", '"{}"', "{}"]).format(text)
        return text

    # Lists.

    def which(self) -> Pair | None:
        """Which rows meet some conditions? The label is returned."""
        label, filters = self.table.label, self.filters(self.table, 2, 1)
        if not filters:
            return None
        if not label:
            return self._which_rows(filters)
        word, np, t = self.word(label), self.np(self.table, filters), self.table
        names = self.words(label, word)
        asked = self.frames("which", names=names, np=np, word=word)
        clause = self.clause(t, filters)
        if clause and self.rng.random() < 0.55:
            subject, verbs = clause
            verb = " and ".join(verbs)
            asked = self.frames("which verb", subject=subject, verb=verb, names=names, word=word)
            if t.who == "who" and subject == t.many:
                single = " and ".join(third(v) for v in verbs)
                asked += self.frames("who", single=single, names=names)
        return self.one(asked), self.select(label.name, filters)

    def _which_rows(self, filters: list[Filter]) -> Pair:
        """The same where no column names a row: whole rows are returned."""
        np, clause = self.np(self.table, filters), self.clause(self.table, filters)
        asked = self.frames("which rows", np=np)
        if clause:
            verb = " and ".join(clause[1])
            asked += [f"Which {clause[0]} {verb}?"] * 5 + [f"Show me which {clause[0]} {verb}."]
        return self.one(asked), self.select("*", filters)

    def either(self) -> Pair | None:
        """Rows that meet one condition or another."""
        filters = self.filters(self.table, 2, 2)
        if len(filters) < 2 or any(not f.verb for f in filters) or any(" or " in f.verb for f in filters):
            return None
        t, columns = self.table, self.asked(2)
        verbs = [f.vp() for f in filters]
        both = self.one(self.frames("either or", verb=verbs[0], other=verbs[1]))
        said, what = self.columns_said(columns), ", ".join(c.name for c in columns)
        if self.rng.random() < 0.3:
            asked = self.frames("either count", verb=verbs[0], other=verbs[1], both=both)
            return self.one(asked), self.select("COUNT(*)", filters, word="OR")
        asked = self.frames("either", said=said, both=both, one_verb=third(verbs[0]), other_verb=third(verbs[1]))
        if columns == [t.label]:
            asked += [f"Which {t.many} {verbs[0]} or {verbs[1]}?"] * 4
        return self.one(asked), self.select(what, filters, word="OR")

    def show_columns(self) -> Pair | None:
        """Named columns of the rows that meet some conditions."""
        filters = self.filters(self.table)
        fixed = [f.column for f in filters if f.cond.startswith("{c} = ")]
        columns = [c for c in self.asked() if c not in fixed]
        if not columns:
            return None
        said, np, rows = self.columns_said(columns), self.np(self.table, filters), self.all_np(filters)
        t = self.table
        asked = self.frames("show_columns", said=said, rows=rows, np=np)
        if len(columns) == 1 and filters:
            word = self.word(columns[0])
            asked += (
                [f"Which {plural(word)} do the {np} have?"]
                if columns[0] is not t.label and columns[0].words and word != "id"
                else []
            )
        return self.one(asked), self.select(", ".join(c.name for c in columns), filters)

    def everything(self) -> Pair | None:
        """All columns."""
        filters = self.filters(self.table)
        np, rows = self.np(self.table, filters), self.all_np(filters)
        asked = self.frames("everything", rows=rows)
        if not filters:
            asked += self.frames("everything bare", np=np)
        return self.one(asked), self.select("*", filters)

    def lookup(self) -> Pair | None:
        """A fact about one row that is called by its name."""
        label = self.table.label
        others = [c for c in self.table.columns if c.kind not in ("label", "key", "fk", "flag")]
        if not label or not others:
            return None
        row, count = self.rng.choice(self.table.rows), 1 if self.rng.random() < 0.8 else 2
        columns = self.rng.sample(others, min(count, len(others)))
        name = self.named(row, label)
        name = f"the {name}" if "the" in label.opts else name
        cond = f" WHERE {label.name} = {quote(row[label.name])}"
        words, be = listed([f"the {self.word(c)}" for c in columns]), "is" if len(columns) == 1 else "are"
        bare = words.removeprefix("the ")
        asked = self.frames("lookup", be=be, words=words, name=name, bare=bare, bare_name=name.removeprefix("the "))
        if len(columns) == 1 and columns[0].opts.get("of"):
            asked = [q.replace("{x}", name) + "?" for q in columns[0].opts["of"]] * 4 + asked
        return self.one(asked), f"SELECT {', '.join(c.name for c in columns)} FROM {self.table.name}{cond};"

    # Numbers.

    def count(self) -> Pair | None:
        """How many rows meet some conditions?"""
        filters, t = self.filters(self.table), self.table
        np, rows = self.np(t, filters), self.all_np(filters)
        clause = self.clause(t, filters)
        asked = self.frames("count", np=np, rows=rows)
        if clause and self.rng.random() < 0.55:
            subject, verbs = clause
            verb = " and ".join(verbs)
            asked = self.frames("count verb", subject=subject, verb=verb)
            if t.who == "who" and subject == t.many:
                asked.append(f"How many people {verb}?")
        return self.one(asked), self.select("COUNT(*)", filters)

    def aggregate(self) -> Pair | None:
        """Sum, mean, lowest or highest value of a column."""
        function = self.rng.choice(["AVG", "AVG", "SUM", "SUM", "MIN", "MAX"])
        columns = self.numbers("+" if function == "SUM" else "")
        if function in ("MIN", "MAX") and self.rng.random() < 0.25:
            columns = self.table.of_kind("date", "time")
        if not columns:
            return None
        column = self.rng.choice(columns)
        filters = [f for f in self.filters(self.table) if f.column is not column]
        rows = self.all_np(filters)
        words = AGGREGATES[function]
        if column.kind in ("date", "time"):
            words = {"MIN": ["earliest", "first"], "MAX": ["latest", "last"]}[function]
        measure = f"{self.one(words)} {self.rng.choice(column.words)}"
        asked = self.frames("aggregate", measure=measure, rows=rows)
        own = column.opts.get({"AVG": "avg", "SUM": "sum"}.get(function, ""))
        if own:
            asked = [q.replace("{np}", self.all_np(filters)) + "?" for q in own] * (8 // len(own)) + asked
        if function == "SUM":
            asked += self.frames("aggregate sum", word=self.word(column), rows=rows)
        if function == "AVG":
            asked += [f"What is the {self.rng.choice(column.words)} of {rows} on average?"]
        return self.one(asked), self.select(f"{function}({column.name})", filters)

    def two_aggregates(self) -> Pair | None:
        """Two values in one query."""
        columns = self.numbers()
        if not columns:
            return None
        column = self.rng.choice(columns)
        filters = [f for f in self.filters(self.table, 1) if f.column is not column]
        rows, word = self.all_np(filters), self.rng.choice(column.words)
        low, high = self.one(["lowest", "smallest", "minimum"]), self.one(["highest", "largest", "maximum"])
        c = column.name
        np = self.np(self.table, filters)
        options = [
            (f"What are the {low} and the {high} {word} of {rows}?", f"MIN({c}), MAX({c})"),
            (f"Give me the {high} and the {low} {word} of {rows}.", f"MAX({c}), MIN({c})"),
            (f"Show the {low}, {high} and average {word} of {rows}.", f"MIN({c}), MAX({c}), AVG({c})"),
            (f"How many {np} are there, and what is their average {word}?", f"COUNT(*), AVG({c})"),
            (f"Count {rows} and give their mean {word}.", f"COUNT(*), AVG({c})"),
            (f"I need the number of {np} and their {high} {word}.", f"COUNT(*), MAX({c})"),
        ]
        if column.args.endswith("+"):
            options += [
                (f"How many {np} are there and what is their total {word}?", f"COUNT(*), SUM({c})"),
                (f"Total and average {word} of {rows}?", f"SUM({c}), AVG({c})"),
                (f"Give me the count and the total {word} of {rows}.", f"COUNT(*), SUM({c})"),
            ]
        question, what = self.rng.choice(options)
        return question, self.select(what, filters)

    def calculation(self) -> Pair | None:
        """A sum over a product of two columns."""
        if not self.table.calc:
            return None
        formula, words = self.table.calc
        filters, word = self.filters(self.table, 1), self.rng.choice(words)
        rows = self.all_np(filters)
        if self.table.label and self.rng.random() < 0.35:
            asked = [
                f"Show the {self.word(self.table.label)} and the {word} of {rows}.",
                f"List {rows} with their {word}: {self.word(self.table.label)} and {word}.",
            ]
            return self.one(asked), self.select(f"{self.table.label.name}, {formula}", filters)
        asked = self.frames("calculation", word=word, rows=rows)
        return self.one(asked), self.select(f"SUM({formula})", filters)

    # Groups.

    def _each(self, word: str) -> str:
        return self.one(
            [f"per {word}", f"per {word}", f"for each {word}", f"for each {word}", f"for every {word}", f"by {word}"]
        )

    def group_count(self) -> Pair | None:
        """How many rows for each value?"""
        column = self.group_column()
        if not column:
            return None
        filters = [f for f in self.filters(self.table, 1) if f.column is not column]
        word, np = self.word(column), self.np(self.table, filters)
        each = self._each(word)
        asked = self.frames("group_count", np=np, each=each, word=word, words=self.words(column, word))
        rest = f" GROUP BY {column.name}"
        question = self.one(asked)
        if self.rng.random() < 0.15:
            question = (
                question[:-1]
                + self.one([", largest number first", ", the most first", ", sorted from most to fewest"])
                + question[-1]
            )
            rest += " ORDER BY COUNT(*) DESC"
        return question, self.select(f"{column.name}, COUNT(*)", filters, rest)

    def group_aggregate(self) -> Pair | None:
        """A sum, mean, lowest or highest value for each group."""
        function = self.rng.choice(["AVG", "AVG", "SUM", "SUM", "MIN", "MAX"])
        columns, group = self.numbers("+" if function == "SUM" else ""), self.group_column()
        if not columns or not group:
            return None
        column = self.rng.choice(columns)
        filters = (
            [f for f in self.filters(self.table, 1) if f.column not in (column, group)]
            if self.rng.random() < 0.5
            else []
        )
        word, np = self.word(group), self.np(self.table, filters)
        each, measure = self._each(word), f"{self.one(AGGREGATES[function])} {self.rng.choice(column.words)}"
        of = self.one([f" of the {np}", f" of {np}"]) if filters or self.rng.random() < 0.6 else ""
        asked = self.frames("group_aggregate", measure=measure, of=of, each=each, word=word)
        own = column.opts.get({"AVG": "avg", "SUM": "sum"}.get(function, ""))
        if own:
            asked += [q.replace("{np}", np) + f" {self.one(['per', 'for each'])} {word}?" for q in own] * 2
        return self.one(asked), self.select(
            f"{group.name}, {function}({column.name})", filters, f" GROUP BY {group.name}"
        )

    def having(self) -> Pair | None:
        """Groups with enough rows, or with a large or small enough sum or mean."""
        group = self.group_column()
        if not group:
            return None
        if self.rng.random() < 0.6 or not self.numbers("+"):
            return self._having_count(group)
        word, function = self.word(group), self.rng.choice(["SUM", "AVG"])
        column = self.rng.choice(self.numbers("+"))
        cell, rest = f"{function}({column.name})", f" GROUP BY {group.name}"
        values = [v for (v,) in self.world.run(f"SELECT {cell} FROM {self.table.name}{rest}") if v is not None]
        limit = self._round(self.rng.choice(values) * self.rng.choice([0.8, 0.9, 1.1]))
        limit = int(limit) if limit == int(limit) or abs(limit) > 20 else round(limit, 1)
        measure = f"{self.one(AGGREGATES[function])} {self.rng.choice(column.words)}"
        op, said = self.rng.choice([(">", "above"), (">", "of more than"), ("<", "below"), (">=", "of at least")])
        said = f"{said} {self.show(column, limit, 'number of' in measure)}"
        slots = {"words": self.words(group, word, True), "measure": measure, "said": said, "word": word}
        asked = self.frames("having", limit_said=said.removeprefix("of "), **slots)
        return self.one(asked), self.select(group.name, [], f"{rest} HAVING {cell} {op} {quote(limit)}")

    def _having_count(self, group: Column) -> Pair:
        n, t = self.rng.randint(1, 3), self.table
        filters = [f for f in self.filters(t, 1) if f.column is not group] if self.rng.random() < 0.3 else []
        op, limit = self.rng.choice([(">", n), (">", n), (">=", n + 1), ("<", n + 2)])
        number = NUMBER_WORDS[limit] if op == ">" and self.rng.random() < 0.5 else str(limit)
        said = {">": "more than", ">=": "at least", "<": "fewer than"}[op] + f" {number}"
        single = limit == 1
        np, word = self.np(t, filters, t.one if single else t.many, single), self.word(group)
        asked = self.frames("having count", words=self.words(group, word, True), said=said, np=np, word=word)
        question, what = self.one(asked), group.name
        if self.rng.random() < 0.25:
            more = self.one([", and how many are there", ", with their number", " and their count"])
            question, what = question[:-1] + more + question[-1], f"{group.name}, COUNT(*)"
        return question, self.select(what, filters, f" GROUP BY {group.name} HAVING COUNT(*) {op} {limit}")

    def top_group(self) -> Pair | None:
        """The group with the most rows, or the largest sum."""
        group, t = self.group_column(), self.table
        if not group:
            return None
        word = self.word(group)
        filters = [f for f in self.filters(t, 1) if f.column is not group] if self.rng.random() < 0.3 else []
        np = self.np(t, filters)
        if self.rng.random() < 0.6 or not self.numbers("+"):
            least = self.rng.random() < 0.2
            most, place = ("fewest", "last") if least else ("most", "first")
            extreme = "lowest" if least else "highest"
            asked = self.frames("top_group", word=word, most=most, np=np, place=place, extreme=extreme)
            if not least:
                asked += self.frames("top_group common", word=word, np=np)
            order = "COUNT(*)"
        else:
            least = self.rng.random() < 0.25
            function = self.rng.choice(["SUM", "AVG"])
            column = self.rng.choice(self.numbers("+"))
            of = f" of {np}" if filters else ""
            extreme = self.one(["lowest", "smallest"] if least else ["highest", "largest", "highest"])
            measure = f"{extreme} {self.one(AGGREGATES[function][:2])} {self.rng.choice(column.words)}"
            asked = self.frames("top_group measure", word=word, measure=measure, of=of)
            order = f"{function}({column.name})"
        both = self.rng.random() < 0.15
        question = self.one(asked)
        if both:
            value = " and what is it" if question.endswith("?") else " and that value"
            question = question[:-1] + (" and how many are there" if order == "COUNT(*)" else value) + question[-1]
        what = f"{group.name}, {order}" if both else group.name
        return question, self.select(
            what, filters, f" GROUP BY {group.name} ORDER BY {order}{'' if least else ' DESC'} LIMIT 1"
        )

    def per_period(self) -> Pair | None:
        """Counts or sums for each year or month."""
        dates = [c for c in self.table.of_kind("date") if not c.nullable]
        if not dates:
            return None
        column = self.rng.choice(dates)
        rng, t = self.rng, self.table
        form, period = rng.choice([("%Y", "year"), ("%Y", "year"), ("%Y-%m", "month"), ("%m", "calendar month")])
        cell = f"strftime('{form}', {column.name})"
        vp = Filter(column, "", verb=self.one(column.phrases[0]).replace("{when}", "")).vp().strip()
        word = rng.choice(column.words)
        where, when = "", ""
        if period != "year" and rng.random() < 0.5:
            year = rng.choice(t.rows)[column.name][:4]
            where, when = f" WHERE strftime('%Y', {column.name}) = '{year}'", f" in {year}"
            cell, period = f"strftime('%Y-%m', {column.name})", "month"
        numbers = self.numbers("+")
        if numbers and rng.random() < 0.4:
            number = rng.choice(numbers)
            function = rng.choice(["SUM", "AVG"])
            measure = f"{self.one(AGGREGATES[function])} {rng.choice(number.words)}"
            asked = self.frames("per_period measure", measure=measure, period=period, when=when)
            if t.label or len(t.of_kind("date")) > 1:
                asked = [
                    f"Going by the {word}, what is the {measure} of the {t.many} per {period}{when}?",
                    f"What is the {measure} per {period}{when}, by {word}?",
                ]
            return self.one(asked), f"SELECT {cell}, {function}({number.name}) FROM {t.name}{where} GROUP BY {cell};"
        asked = [
            f"Going by the {word}, how many {t.many} are there per {period}{when}?",
            f"Count the {t.many} per {period} of their {word}{when and ', only' + when}.",
        ]
        if vp not in ("are", "were", "(are)", "(were)"):
            asked += self.frames("per_period count", vp=vp, period=period, when=when) * 2
        return self.one(asked), f"SELECT {cell}, COUNT(*) FROM {t.name}{where} GROUP BY {cell};"

    # Order.

    def _superlatives(self) -> list[tuple[Column, str, bool]]:
        """Columns with a superlative ("cheapest", "with the most points") and whether it means the largest value."""
        found = []
        for column in self.table.of_kind("num", "date", "time"):
            if column.nullable:
                continue
            for opt, large in (("hi", True), ("lo", False), ("last", True), ("first", False)):
                found += [(column, said, large) for said in column.opts.get(opt, [])]
            if column.kind == "num" and not column.args.endswith(" -"):
                word = self.rng.choice(column.words)
                found += [
                    (column, f"with the {self.one(['highest', 'largest'])} {word}", True),
                    (column, f"with the {self.one(['lowest', 'smallest'])} {word}", False),
                ]
            elif column.kind != "num":
                word = self.rng.choice(column.words)
                found += [(column, f"with the latest {word}", True), (column, f"with the earliest {word}", False)]
        return found

    def superlative(self) -> Pair | None:
        """The first by some order."""
        options = self._superlatives()
        if not options:
            return None
        t = self.table
        column, said, large = self.rng.choice(options)
        filters = [f for f in self.filters(t, 1) if f.column is not column] if self.rng.random() < 0.4 else []
        best = self._superlative_np(filters, said, t.one)
        columns = [t.label] if t.label and self.rng.random() < 0.75 else self.asked(2)
        words, be = listed([f"the {self.word(c)}" for c in columns]), "is" if len(columns) == 1 else "are"
        bare = words.removeprefix("the ")
        asked = self.frames("superlative", be=be, words=words, best=best, bare=bare)
        if columns == [t.label]:
            more = self.frames("superlative name", best=best)
            more.append(f"Who is the {best}?" if t.who == "who" else f"Which one is the {best}?")
            if said.startswith("with") and not filters:
                most = said.removeprefix("with ")
                more += self.frames("superlative most", most=most) * 2
                more += [f"Who has {most}?"] * 4 if t.who == "who" else []
            elif not filters:
                more += [f"Which {t.one} is the {said}?"] * 2
            asked = more * 2 + asked
        direction = " DESC" if large else ""
        what = ", ".join(c.name for c in columns)
        return self.one(asked), self.select(what, filters, f" ORDER BY {column.name}{direction} LIMIT 1")

    def _superlative_np(self, filters: list[Filter], said: str, noun: str) -> str:
        single = noun == self.table.one
        before = [f for f in filters if f.before]
        text = self.np(self.table, before, noun)
        text = f"{text} {said}" if said.startswith("with") else f"{said} {text}"
        posts = " and ".join(f.post(self.rng, self.table.who, single) for f in filters if f.verb)
        return (
            f"{text} {posts}".strip()
            if not (said.startswith("with") and posts)
            else f"{self.np(self.table, filters, noun, single)} {said}"
        )

    def top_n(self) -> Pair | None:
        """The first few by some order."""
        options, t = self._superlatives(), self.table
        if not options:
            return None
        column, said, large = self.rng.choice(options)
        filters = [f for f in self.filters(t, 1) if f.column is not column] if self.rng.random() < 0.35 else []
        n = self.rng.choice([2, 3, 3, 3, 4, 5, 5])
        shown = self.rng.choice([str(n), str(n), NUMBER_WORDS[n]])
        best = self._superlative_np(filters, said, t.many)
        if said.startswith("with the most"):
            best = f"{self.np(t, filters)} {said}"
        columns = [t.label] if t.label and self.rng.random() < 0.7 else self.asked(2)
        words = self.columns_said(columns)
        asked = self.frames("top_n", words=words, shown=shown, best=best)
        if columns == [t.label]:
            asked += self.frames("top_n name", shown=shown, best=best) * 2
            if t.who == "who":
                asked += [f"Who are the {shown} {best}?"] * 2
            if large and column.kind == "num":
                asked += [
                    f"Top {n} {self.np(t, filters)} by {self.word(column)}?",
                    f"Show the top {n} {self.np(t, filters)} by {self.word(column)}.",
                ]
        question = self.one(asked)
        if columns == [t.label] and self.rng.random() < 0.25:
            columns = [*columns, column]
            question = (
                question[:-1]
                + self.one([" with their {}", ", with the {}", " and their {}"]).format(self.word(column))
                + question[-1]
            )
        direction = " DESC" if large else ""
        return question, self.select(
            ", ".join(c.name for c in columns), filters, f" ORDER BY {column.name}{direction} LIMIT {n}"
        )

    def ordered(self) -> Pair | None:
        """A whole list in some order."""
        t = self.table
        column = self.rng.choice(
            [c for c in t.columns if c.kind in ("num", "date", "time", "label", "cat") and not c.nullable] or [t.key]
        )
        filters = [f for f in self.filters(t, 1) if f.column is not column] if self.rng.random() < 0.4 else []
        columns = self.asked(2)
        word, down = self.word(column), self.rng.random() < 0.5 and column.kind not in ("label", "cat")
        if column.kind in ("label", "cat", "key"):
            orders = self.frames("order text", word=word)
            orders = orders[:3] if column.kind == "key" else orders
        elif column.kind == "num":
            orders = self.frames("order down", word=word) if down else self.frames("order up", word=word)
        else:
            orders = self.frames("order late", word=word) if down else self.frames("order early", word=word)
        said, rows, order = self.columns_said(columns), self.all_np(filters), self.one(orders)
        asked = self.frames("ordered", said=said, rows=rows, order=order)
        if columns == [t.label]:
            asked += [f"List {rows} {order}; only {said}."]
        return self.one(asked), self.select(
            ", ".join(c.name for c in columns), filters, f" ORDER BY {column.name}{' DESC' if down else ''}"
        )

    # Others.

    def different(self) -> Pair | None:
        """The different values of a column, or how many there are."""
        found = self.table.of_kind("cat")
        if not found:
            return None
        column = self.rng.choice(found)
        filters = [f for f in self.filters(self.table, 1) if f.column is not column] if self.rng.random() < 0.4 else []
        word, np = self.word(column), self.np(self.table, filters)
        words = self.words(column, word, True)
        if self.rng.random() < 0.45:
            asked = self.frames("different count", words=words, np=np, word=word)
            return self.one(asked), self.select(f"COUNT(DISTINCT {column.name})", filters)
        asked = self.frames("different", words=words, np=np, word=word)
        return self.one(asked), self.select(column.name, filters, distinct=True)

    def against_average(self) -> Pair | None:
        """Rows above or below the mean."""
        columns, t = self.numbers(), self.table
        if not columns:
            return None
        column, more = self.rng.choice(columns), self.rng.random() < 0.65
        asked_for = [t.label] if t.label else self.asked(2)
        word, names = self.rng.choice(column.words), self.columns_said(asked_for)
        above = self.one(["above", "higher than"]) if more else self.one(["below", "lower than"])
        asked = self.frames(
            "against_average",
            names=names,
            word=word,
            above=above,
            a_high=a(("above" if more else "below") + "-average " + word),
        )
        if asked_for == [t.label]:
            asked += [
                f"Which {t.many} have {a(word)} {above} the average?",
                f"Which {t.many} are {'above' if more else 'below'} average in {word}?",
            ] * 2
        inner, what = f"(SELECT AVG({column.name}) FROM {t.name})", ", ".join(c.name for c in asked_for)
        return (
            self.one(asked),
            f"SELECT {what} FROM {t.name} WHERE {column.name} {'>' if more else '<'} {inner};",
        )


KINDS: dict[str, int] = {
    "which": 14,
    "either": 4,
    "show_columns": 9,
    "everything": 3,
    "lookup": 9,
    "count": 13,
    "aggregate": 12,
    "two_aggregates": 3,
    "calculation": 2,
    "group_count": 7,
    "group_aggregate": 8,
    "having": 6,
    "top_group": 5,
    "per_period": 4,
    "superlative": 8,
    "top_n": 6,
    "ordered": 5,
    "different": 5,
    "against_average": 2,
}


# --- Questions about two tables ------------------------------------------------------------------------------------


class Joined(Questions):
    """One method a kind of question about a table (`table`) and the one that it refers to (`parent`)."""

    def __init__(self, world: World) -> None:
        super().__init__(world, world.tables[0])
        self.parent, self.link = world.tables[1], world.link
        assert self.link is not None
        self.joined = True
        key = f"{self.table.name}.{self.link.name} = {self.parent.name}.{self.parent.key.name}"
        self.source = f"{self.table.name} JOIN {self.parent.name} ON {key}"

    def join(self, what: str, filters: list[Filter], rest: str = "") -> str:
        """A query on both tables."""
        return f"SELECT {what} FROM {self.source}{self.where(filters)}{rest};"

    def linked(self, parents: list[Filter]) -> tuple[Filter, list[Filter]] | None:
        """How the rows of the first table are said to belong to: one named parent, or parents with conditions."""
        assert self.link is not None
        label, phrase = self.parent.label, self.one(self.link.phrases[0])
        if label and (not parents or self.rng.random() < 0.45):
            known = {r[self.link.name] for r in self.table.rows}
            row = self.rng.choice([r for r in self.parent.rows if r[self.parent.key.name] in known])
            name = self.named(row, label)
            name = f"the {self.parent.one} {name}" if self.rng.random() < 0.3 else name
            cond = Filter(label, f"{{c}} = {quote(row[label.name])}")
            return Filter(label, "", verb=phrase.replace("{p}", name)), [cond]
        if not parents:
            return None
        return Filter(parents[0].column, "", verb=phrase.replace("{p}", self.np(self.parent, parents))), parents

    def _who(self) -> tuple[list[Filter], list[Filter], list[Filter]] | None:
        """Conditions as they are said, those of the first table, those of the parent."""
        parents = self.filters(self.parent, 1, 1)
        link = self.linked(parents)
        if not link:
            return None
        said, parents = link
        own = self.filters(self.table, 1) if self.rng.random() < 0.45 else []
        return [*own, said], own, parents

    def joined_list(self) -> Pair | None:
        """Columns of the rows that belong to some parent."""
        made = self._who()
        if not made:
            return None
        said, own, parents = made
        fixed = [f.column for f in own if f.cond.startswith("{c} = ")]
        columns = [c for c in self.asked(2) if c not in fixed]
        if not columns:
            return None
        words, np, t = self.columns_said(columns), self.np(self.table, said), self.table
        asked = self.frames("joined_list", words=words, np=np)
        clause = self.clause(t, said)
        if columns == [t.label] and clause:
            subject, verbs = clause
            asked += [f"Which {subject} {' and '.join(verbs)}?", f"Tell me which {subject} {' and '.join(verbs)}."] * 3
        return self.one(asked), self.join(", ".join(self.ref(c) for c in columns), own + parents)

    def with_parent(self) -> Pair | None:
        """Columns of both tables side by side."""
        t, p = self.table, self.parent
        mine = self.asked(2)
        theirs = p.label if p.label and self.rng.random() < 0.75 else next(iter(p.of_kind("cat", "num", "date")), p.key)
        own = self.filters(t, 1) if self.rng.random() < 0.5 else []
        words, rows = self.columns_said(mine), self.all_np(own)
        word = self.rng.choice(theirs.words) if theirs.words else "id"
        of = f"{word} of the {p.one}" if not word.endswith("name") or self.rng.random() < 0.5 else f"{p.one} {word}"
        asked = self.frames("with_parent", words=words, rows=rows, of=of)
        return self.one(asked), self.join(", ".join(self.ref(c) for c in [*mine, theirs]), own)

    def joined_count(self) -> Pair | None:
        """How many rows belong to some parent?"""
        made = self._who()
        if not made:
            return None
        said, own, parents = made
        np, clause = self.np(self.table, said), self.clause(self.table, said)
        asked = self.frames("joined_count", np=np)
        if clause:
            subject, verbs = clause
            asked += [f"How many {subject} {' and '.join(verbs)}?"] * 4
        if len(said) == 1 and "=" in parents[0].cond and parents[0].column is self.parent.label:
            have, name = self.link.opts["have"][0], said[0].verb  # type: ignore[union-attr]
            phrase = next(p for p in self.link.phrases[0])  # type: ignore[union-attr]
            if phrase.endswith("{p}") and name.startswith(phrase[:-3]):
                who = name[len(phrase) - 3 :]
                verb = third(have).split(" ")
                if verb[0] == "has" and verb[1] != "{c}":
                    asked += [f"How many {self.table.many} has {who} {verb[1]}?"] * 4
                elif verb[0] == "has":
                    asked += [f"How many {self.table.many} does {who} have?"] * 4
        return self.one(asked), self.join("COUNT(*)", own + parents)

    def joined_aggregate(self) -> Pair | None:
        """A sum or mean over the rows that belong to some parent."""
        made = self._who()
        function = self.rng.choice(["AVG", "SUM", "SUM", "MIN", "MAX"])
        columns = self.numbers("+" if function == "SUM" else "")
        if not made or not columns:
            return None
        said, own, parents = made
        column = self.rng.choice(columns)
        if any(f.column is column for f in own):
            return None
        np, measure = self.np(self.table, said), f"{self.one(AGGREGATES[function])} {self.rng.choice(column.words)}"
        asked = self.frames("joined_aggregate", measure=measure, np=np)
        own_words = column.opts.get({"AVG": "avg", "SUM": "sum"}.get(function, ""))
        if own_words:
            asked += [q.replace("{np}", f"the {np}") + "?" for q in own_words] * 3
        return self.one(asked), self.join(f"{function}({self.ref(column)})", own + parents)

    def _group(self) -> Column | None:
        label = self.parent.label
        if label and self.rng.random() < 0.65:
            return label
        found = [c for c in self.parent.of_kind("cat") if not c.nullable]
        return self.rng.choice(found) if found else label

    def _group_said(self, group: Column) -> str:
        if group is self.parent.label:
            return self.parent.one
        return (
            f"{self.parent.one} {self.rng.choice(group.words)}"
            if self.rng.random() < 0.5
            else f"{self.rng.choice(group.words)} of the {self.parent.one}"
        )

    def joined_group(self) -> Pair | None:
        """A count, sum or mean for each parent."""
        group, t = self._group(), self.table
        if not group:
            return None
        own = self.filters(t, 1) if self.rng.random() < 0.3 else []
        np, said = self.np(t, own), self._group_said(group)
        each = self._each(said)
        named = group is self.parent.label
        numbers = self.numbers("+")
        if numbers and self.rng.random() < 0.5:
            column, function = self.rng.choice(numbers), self.rng.choice(["SUM", "SUM", "AVG", "MAX"])
            measure = f"{self.one(AGGREGATES[function])} {self.rng.choice(column.words)}"
            cell = f"{function}({self.ref(column)})"
            asked = self.frames("joined_group measure", measure=measure, np=np, each=each, said=said)
        else:
            cell = "COUNT(*)"
            asked = self.frames("joined_group count", np=np, each=each, said=said)
            if named and not own:
                have = third(self.link.opts["have"][0]).split(" ")  # type: ignore[union-attr]
                asked += (
                    [
                        f"How many {np} does each {said} have?"
                        if have[1] == "{c}"
                        else f"How many {np} has each {said} {have[1]}?"
                    ]
                    * 3
                    if have[0] == "has"
                    else []
                )
        question = self.one(asked)
        if named:
            label = self.rng.choice(group.words)
            question = question.replace("List every " + said, f"List the {label} of every {said}").replace(
                "List each " + said, f"List each {said}'s {label}"
            )
        return question, self.join(f"{self.ref(group)}, {cell}", own, f" GROUP BY {self.ref(group)}")

    def joined_top(self) -> Pair | None:
        """The parent with the most rows or the largest sum."""
        group, t = self._group(), self.table
        if not group:
            return None
        said, numbers, own = (
            self._group_said(group),
            self.numbers("+"),
            self.filters(t, 1) if self.rng.random() < 0.25 else [],
        )
        np = self.np(t, own)
        n = self.rng.choice([1, 1, 1, 3])
        if numbers and self.rng.random() < 0.45:
            column = self.rng.choice(numbers)
            measure = f"highest total {self.rng.choice(column.words)}"
            order = f"SUM({self.ref(column)})"
            asked = self.frames("joined_top measure", said=said, measure=measure, np=np)
            if n > 1:
                asked = [
                    f"Which {n} {plural(said)} have the {measure} of {np}?",
                    f"Top {n} {plural(said)} by total {self.rng.choice(column.words)} of {np}?",
                ]
        else:
            order = "COUNT(*)"
            asked = self.frames("joined_top count", said=said, np=np)
            if group is self.parent.label:
                have = self.link.opts["have"][0]  # type: ignore[union-attr]
                asked += [f"Which {said} {third(have).replace('{c}', f'the most {np}')}?"] * 3
                if self.parent.who == "who":
                    asked += [f"Who {third(have).replace('{c}', f'the most {np}')}?"] * 2
            if n > 1:
                asked = self.frames("joined_top several", n=n, saids=plural(said), np=np)
        return self.one(asked), self.join(
            self.ref(group), own, f" GROUP BY {self.ref(group)} ORDER BY {order} DESC LIMIT {n}"
        )

    def joined_having(self) -> Pair | None:
        """Parents with enough rows."""
        label, n = self.parent.label, self.rng.randint(1, 2)
        if not label:
            return None
        many, have = self.parent.many, self.link.opts["have"][0]  # type: ignore[union-attr]
        op, said, limit = self.rng.choice(
            [(">", f"more than {n}", n), (">=", f"at least {n + 1}", n + 1), (">", f"more than {NUMBER_WORDS[n]}", n)]
        )
        noun = self.table.one if said.endswith((" 1", "one")) else self.table.many
        verb = have.replace("{c}", f"{said} {noun}")
        names = plural(self.rng.choice(label.words))
        who = self.parent.who
        asked = self.frames("joined_having", many=many, verb=verb, names=names, who=who, said=said, noun=noun)
        if who == "who":
            asked += [f"Who {third(verb)}?"]
        rest = f" GROUP BY {self.ref(label)} HAVING COUNT(*) {op} {limit}"
        return self.one(asked), self.join(self.ref(label), [], rest)

    def without(self) -> Pair | None:
        """Parents without any row."""
        label = self.parent.label
        if not label:
            return None
        self.joined = False
        p, have = self.parent, self.link.opts["have"][0]  # type: ignore[union-attr]
        none = have.replace("{c}", f"no {self.table.many}")
        never = re.sub(r"^have (\w+) no ", r"have never \1 any ", none) if not have.startswith("have {c}") else none
        names = plural(self.rng.choice(label.words))
        asked = self.frames("without", none=none, never=never, names=names)
        inner = f"(SELECT {self.link.name} FROM {self.table.name})"  # type: ignore[union-attr]
        sql = f"SELECT {label.name} FROM {p.name} WHERE {p.key.name} NOT IN {inner};"
        return self.one(asked), sql

    def parents_by_child(self) -> Pair | None:
        """Parents that have a row with some condition."""
        label, own = self.parent.label, self.filters(self.table, 1, 1)
        if not label or not own:
            return None
        p, have = self.parent, self.link.opts["have"][0]  # type: ignore[union-attr]
        verb = have.replace("{c}", self.np(self.table, own))
        names = plural(self.rng.choice(label.words))
        asked = self.frames("parents_by_child", verb=verb, names=names, label_word=self.rng.choice(label.words))
        if p.who == "who":
            asked += [f"Who {third(verb)}?"] * 2
        return self.one(asked), self.join(f"DISTINCT {self.ref(label)}", own)

    def parent_fact(self) -> Pair | None:
        """A fact about the parent of a named row."""
        label = self.table.label
        facts = [c for c in self.parent.columns if c.kind in ("label", "cat", "num", "date")]
        if not label or not facts:
            return None
        fact, row = self.rng.choice(facts), self.rng.choice(self.table.rows)
        name, word = self.named(row, label), self.rng.choice(fact.words)
        p, t = self.parent, self.table
        asked = self.frames("parent_fact", word=word, name=name)
        if fact is p.label:
            asked += [f"Which {p.one} does {name} belong to?", f"To which {p.one} does the {t.one} {name} belong?"] * 2
        return self.one(asked), self.join(self.ref(fact), [Filter(label, f"{{c}} = {quote(row[label.name])}")])


JOINED: dict[str, int] = {
    "joined_list": 8,
    "with_parent": 5,
    "joined_count": 8,
    "joined_aggregate": 7,
    "joined_group": 9,
    "joined_top": 6,
    "joined_having": 4,
    "without": 3,
    "parents_by_child": 4,
    "parent_fact": 4,
}


def ask(world: World, greet: bool = True) -> tuple[str, str, str]:
    """Kind, question and query about a world; the query has been run and returned something."""
    rng = world.rng
    for _ in range(200):
        two = len(world.tables) == 2 and rng.random() < 0.5
        kinds = JOINED if two else KINDS
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        asker = Joined(world) if two else Questions(world, rng.choice(world.tables))
        made = getattr(asker, kind)()
        if made and len(made[0]) + len(made[1]) > PLAIN and rng.random() < 0.7:
            continue
        if made and _returns(world.run(made[1])):
            return kind, _spoken(rng, made[0], greet), made[1]
    raise AssertionError("no question found")


def _returns(rows: list[tuple[Any, ...]]) -> bool:
    return bool(rows) and rows[0][0] not in (None, 0)


# --- How it is put to the model ------------------------------------------------------------------------------------

TYPOS = {
    "which": "wich",
    "average": "avarage",
    "number": "nubmer",
    "their": "thier",
    "with": "wiht",
    "total": "toatl",
    "there": "tehre",
    "What": "Waht",
    "many": "mnay",
}


def _spoken(rng: random.Random, question: str, greet: bool = True) -> str:
    """The question in somebody's voice: with a greeting, in lower case, without the mark at the end, with a slip."""
    roll, first = rng.random(), question.split()[0]
    if roll < 0.09 and first in _names()["openers"]:
        question = question[0].lower() + question[1:]
        question = question.rstrip("?.") if rng.random() < 0.7 else question
    elif roll < 0.2:
        before = rng.choice(frames()["before" if greet else "before later"]) + " "
        lower = before.endswith(", ") and first in _names()["openers"]
        question = ("" if before.endswith(", ") and not lower else before) + (
            question[0].lower() + question[1:] if lower else question
        )
    elif roll < 0.26:
        question += " " + rng.choice(frames()["after"])
    if rng.random() < 0.02:
        slips = [w for w in TYPOS if f" {w} " in question]
        question = question.replace(f" {slips[0]} ", f" {TYPOS[slips[0]]} ", 1) if slips else question
    return re.sub(r"\s+", " ", question).replace(" ,", ",").strip()


FLAG_NOTES = ["1 = yes, 0 = no", "0 or 1", "1 if true", "1 = true"]


def schema_text(world: World) -> str:
    """The tables as the prompt shows them: CREATE TABLE, shorthand, sometimes with rows."""
    rng = world.rng
    tables = world.tables[:]
    rng.shuffle(tables)
    form = rng.choices(["create", "short"], [68, 32])[0]
    texts = [_created(world, t) if form == "create" else "" for t in tables]
    if form == "short":
        style = rng.choice(["paren", "paren", "paren", "types", "colon", "dash", "json", "table"])
        texts = [_shorthand(t, style) for t in tables]
    if rng.random() < 0.28:
        sample = rng.choice(["insert", "csv", "pipe", "tuple"])
        texts = [
            f"{text}\n{_rows(t, sample, rng.randint(1, 3 if len(tables) == 1 else 2))}"
            for text, t in zip(texts, tables, strict=True)
        ]
    return "\n".join(texts)


def plain_schema(world: World) -> str:
    """The tables as the chapters show them: a statement a line."""
    if world.kit:
        return "\n".join(world.kit)
    foreign = {world.link.name: f"{world.tables[1].name}({world.tables[1].key.name})"} if world.link else {}
    return "\n".join(create(t, "one", foreign if t is world.tables[0] else {}, {}) for t in world.tables)


def _created(world: World, table: Table) -> str:
    rng = world.rng
    foreign = {}
    if world.link and table is world.tables[0] and rng.random() < 0.6:
        foreign[world.link.name] = f"{world.tables[1].name}({world.tables[1].key.name})"
    form = rng.choice(["one", "one", "  ", "    ", "\t"])
    notes: dict[str, str] = {}
    if form != "one" and rng.random() < 0.4:
        note = rng.choice(FLAG_NOTES)
        notes = {c.name: note for c in table.of_kind("flag")}
        notes |= {c.name: "YYYY-MM-DD" for c in table.of_kind("date") if rng.random() < 0.5}
        notes |= {c.name: c.words[0] for c in table.columns if c.words and c.name not in notes and rng.random() < 0.15}
    text = create(table, form, foreign, notes)
    if rng.random() < 0.1:
        text = text.replace("CREATE TABLE", "create table")
    return text if rng.random() < 0.9 else text.rstrip(";")


def _shorthand(table: Table, style: str) -> str:
    names = [c.name for c in table.columns]
    return {
        "paren": f"{table.name}({', '.join(names)})",
        "types": f"{table.name}({', '.join(f'{c.name} {sql_type(c)}' for c in table.columns)})",
        "colon": f"Table {table.name}: {', '.join(names)}",
        "dash": f"- {table.name}: {', '.join(names)}",
        "json": json.dumps({"table": table.name, "columns": names}),
        "table": f"Table {table.name} with the columns {', '.join(names)}.",
    }[style]


def _rows(table: Table, style: str, n: int) -> str:
    rows = [list(r.values()) for r in table.rows[:n]]
    plain = [["NULL" if v is None else str(v) for v in r] for r in rows]
    in_sql = [", ".join("NULL" if v is None else quote(v) for v in r) for r in rows]
    if style == "insert":
        return f"INSERT INTO {table.name} VALUES " + ", ".join(f"({r})" for r in in_sql) + ";"
    if style == "tuple":
        return f"-- rows of {table.name}: " + ", ".join(f"({r})" for r in in_sql)
    if style == "csv":
        return f"Example rows of {table.name}:\n" + "\n".join(",".join(r) for r in plain)
    return "\n".join(
        ["| " + " | ".join(c.name for c in table.columns) + " |", *("| " + " | ".join(r) + " |" for r in plain)]
    )


def _say(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _prompt(rng: random.Random, schema: str, question: str) -> list[dict[str, str]]:
    """The messages up to the question."""
    instruction = rng.choice(frames()["instructions"])
    led = rng.choice(frames()["leads"]) + f"\n{schema}" if rng.random() < 0.55 else schema
    led = f"```sql\n{schema}\n```" if schema.startswith("CREATE") and rng.random() < 0.04 else led
    asked = rng.choice(frames()["asks"]).format(q=question) if ": " not in question and rng.random() < 0.6 else question
    gap = rng.choice(["\n\n", "\n\n", "\n"])
    layout = rng.choices(["system", "user", "split", "bare"], [38, 34, 18, 10])[0]
    if layout == "system":
        first, second = (instruction, led) if rng.random() < 0.7 else (led, instruction)
        return [_say("system", f"{first}{gap}{second}"), _say("user", question if rng.random() < 0.8 else asked)]
    if layout == "split":
        system = instruction if rng.random() < 0.6 else rng.choice(frames()["system"])
        parts = [led, asked] if rng.random() < 0.75 else [asked, led]
        return [_say("system", system), _say("user", gap.join(parts))]
    if layout == "bare":
        return [
            _say("user", gap.join([led, "SQL: " + question if rng.random() < 0.3 else f"Write the SQL. {question}"]))
        ]
    parts = rng.choice(
        [[instruction, led, asked], [led, asked, instruction], [led, instruction, asked], [asked, instruction, led]]
    )
    return [_say("user", gap.join(parts))]


def sql_item(rng: random.Random) -> Item:
    """A schema, a question (sometimes a conversation of two or three) and the query."""
    while True:
        world = World(rng)
        _, question, sql = ask(world)
        schema = schema_text(world)
        messages = [*_prompt(rng, schema, question), _say("assistant", sql)]
        if world.kit or kit_words.used(rng):
            messages[:-1] = kit_words.ask(kit_words.SQL, schema=plain_schema(world), task=question)
        if rng.random() < 0.6:  # the tables are read once, and three or four queries learned from them
            for _ in range(rng.choice([1, 2, 3, 4])):
                _, question, sql = ask(world, greet=False)
                messages += [_say("user", question), _say("assistant", sql)]
        item = {"skill": "sql", "messages": messages}
        if _length(item) <= LIMIT and len({m["content"] for m in messages}) == len(messages):
            return item


def _length(item: Item) -> int:
    return sum(len(m["content"]) for m in item["messages"])


# --- Repair --------------------------------------------------------------------------------------------------------


def _slip(rng: random.Random, world: World, sql: str) -> str:
    """A keyword or function that is misspelt or taken from elsewhere."""
    word, *slips = rng.choice(
        [s for s in (line.replace("_", " ").split("|") for line in frames()["slips"]) if s[0] in sql]
    )
    return sql.replace(word, rng.choice(slips), 1)


def _wrong_column(rng: random.Random, world: World, sql: str) -> str:
    """A column that does not exist."""
    used = [c for t in world.tables for c in t.columns if re.search(rf"\b{c.name}\b", sql)]
    if not used:
        return sql
    column = rng.choice(used)
    name, options = column.name, []
    options += [
        name + "s" if not name.endswith("s") else name[:-1],
        name[:1] + name[2:] if len(name) > 4 else name + "_",
        f"{name}_name",
        f"the_{name}",
    ]
    options += [w.replace(" ", "_").replace("-", "_") for w in column.words] * 2 + [
        n for n in column.names if n.lower() != name.lower()
    ] * 2
    options += [name.replace("_", "")] if "_" in name else [re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name)]
    return re.sub(rf"\b{name}\b", rng.choice(options), sql, count=rng.choice([0, 1]))


def _wrong_table(rng: random.Random, world: World, sql: str) -> str:
    """A table that does not exist."""
    table = rng.choice([t for t in world.tables if re.search(rf"\b{t.name}\b", sql)])
    options = [n for n in table.names if n.lower() != table.name.lower()] + [
        table.name.rstrip("s"),
        table.name + "s",
        f"tbl_{table.name}",
        f"{table.name}_table",
        table.one.replace(" ", "_"),
    ]
    return re.sub(rf"\b{table.name}\b", rng.choice(options), sql)


def _order(rng: random.Random, world: World, sql: str) -> str:
    """Clauses in the wrong order."""
    body = sql.rstrip(";")
    clauses: list[str] = []
    for word in ("LIMIT", "ORDER BY", "HAVING", "GROUP BY", "WHERE"):
        at = body.rfind(f" {word} ")
        if at > 0 and "(SELECT" not in body[at:] and "(SELECT" not in body[:at]:
            clauses.insert(0, body[at:])
            body = body[:at]
    return body + "".join(reversed(clauses)) + ";"


def _mark(rng: random.Random, world: World, sql: str) -> str:
    """A comma, quote or bracket that is missing or too many."""
    at = [m.start() for m in re.finditer(r"[,()']", sql)]
    if not at or rng.random() < 0.3:
        return rng.choice(
            [
                sql.replace(" FROM", ", FROM", 1),
                sql.replace(" WHERE", ", WHERE", 1),
                sql.replace("SELECT ", "SELECT , ", 1),
                sql.replace(";", " AND;"),
                sql.replace(";", ",;"),
            ]
        )
    place = rng.choice(at)
    return sql[:place] + sql[place + 1 :]


def _unquoted(rng: random.Random, world: World, sql: str) -> str:
    """A text without its quotes."""
    return re.sub(r"'([^'%]*)'", r"\1", sql, count=1) if "strftime" not in sql else sql


def _function(rng: random.Random, world: World, sql: str) -> str:
    """Date functions that other databases have."""
    sql = re.sub(
        r"strftime\('%Y', ([\w.]+)\) = '(\d+)'",
        rng.choice([r"YEAR(\1) = \2", r"EXTRACT(YEAR FROM \1) = \2", r"DATEPART(year, \1) = \2"]),
        sql,
    )
    sql = re.sub(r"strftime\('%m', ([\w.]+)\) = '(\d+)'", r"MONTH(\1) = \2", sql)
    sql = re.sub(
        r"strftime\('%Y-%m', ([\w.]+)\)",
        rng.choice([r"DATE_FORMAT(\1, '%Y-%m')", r"TO_CHAR(\1, 'YYYY-MM')", r"LEFT(\1, 7)"]),
        sql,
    )
    sql = re.sub(r"strftime\('%Y', ([\w.]+)\)", r"YEAR(\1)", sql)
    sql = re.sub(r"strftime\('%m', ([\w.]+)\)", r"MONTH(\1)", sql)
    if " LIMIT " in sql:
        n = re.search(r" LIMIT (\d+)", sql)
        sql = re.sub(r" LIMIT \d+", "", sql).replace("SELECT", f"SELECT TOP {n.group(1)}", 1) if n else sql
    return sql


def _having(rng: random.Random, world: World, sql: str) -> str:
    """A condition on a group, put into WHERE."""
    match = re.search(r"( GROUP BY .+?) HAVING (.+?);", sql)
    if not match:
        return sql
    return sql.replace(match.group(0), f" WHERE {match.group(2)}{match.group(1)};") if " WHERE " not in sql else sql


def _unqualified(rng: random.Random, world: World, sql: str) -> str:
    """Columns of a join without their table."""
    name = rng.choice([t.name for t in world.tables])
    return re.sub(rf"\b{name}\.", "", sql)


def _unjoined(rng: random.Random, world: World, sql: str) -> str:
    """A join that was forgotten, or a name that was not given."""
    if " JOIN " not in sql:
        return sql
    if rng.random() < 0.5:
        return re.sub(r" JOIN \w+ ON [\w.]+ = [\w.]+", "", sql)
    one, two = (t.name for t in world.tables)
    return rng.choice(
        [
            sql.replace(f" JOIN {two} ON", f" JOIN {two} {two[0].lower()} ON"),
            sql.replace(f"FROM {one} JOIN", f"FROM {one} {one[0].lower()} JOIN"),
        ]
    )


def _other_table(rng: random.Random, world: World, sql: str) -> str:
    """A column looked for in the other table."""
    match = re.findall(r"\b(\w+)\.(\w+)\b", sql)
    if len(world.tables) < 2 or not match:
        return sql
    table, column = rng.choice(match)
    other = next(t.name for t in world.tables if t.name != table)
    return sql.replace(f"{table}.{column}", f"{other}.{column}")


BREAKS = [
    _slip,
    _slip,
    _slip,
    _wrong_column,
    _wrong_column,
    _wrong_column,
    _wrong_column,
    _wrong_table,
    _order,
    _mark,
    _mark,
    _unquoted,
    _function,
    _function,
    _having,
    _unqualified,
    _unjoined,
    _other_table,
]


def broken(world: World, sql: str) -> tuple[str, str] | None:
    """A wrong form of a query, and the message that SQLite gives for it."""
    for _ in range(12):
        wrong = world.rng.choice(BREAKS)(world.rng, world, sql)
        error = error_of(world.connect(), wrong)
        if wrong != sql and error:
            return wrong, error
    return None


def error_of(db: sqlite3.Connection, sql: str) -> str | None:
    """The message that SQLite gives for a query, if it is wrong."""
    with closing(db):
        try:
            db.execute(sql).fetchall()
        except sqlite3.Error as error:
            return str(error)
    return None


def repair_item(rng: random.Random) -> Item:
    """A query that fails, with SQLite's own message; the answer is the query that works."""
    while True:
        world = World(rng)
        _, question, sql = ask(world)
        made = broken(world, sql)
        if not made:
            continue
        wrong, error = made
        schema = schema_text(world)
        if world.kit or kit_words.used(rng):
            asked = kit_words.ask(kit_words.MEND, schema=plain_schema(world), task=question, query=wrong, error=error)
            item: Item = {"skill": "sql_repair", "messages": [*asked, _say("assistant", sql)]}
        elif rng.random() < 0.4:
            messages = [
                *_prompt(rng, schema, question),
                _say("assistant", wrong),
                _say("user", rng.choice(frames()["turns"]).replace("{e}", error)),
                _say("assistant", sql),
            ]
            item = {"skill": "sql_repair", "messages": messages, "learn": "last"}
        else:
            failed, mend = rng.choice(frames()["failed"]).format(w=wrong, e=error), rng.choice(frames()["mend"])
            asked = rng.choice(
                ["Question: {q}", "The question was: {q}", "It should answer: {q}", "Question: {q}"]
            ).format(q=question)
            if rng.random() < 0.4:
                parts = [_say("system", f"{mend}\n\n{schema}"), _say("user", f"{asked}\n{failed}")]
            else:
                lines = rng.choice(
                    [[schema, asked, failed, mend], [mend, schema, asked, failed], [asked, schema, failed, mend]]
                )
                parts = [_say("user", rng.choice(["\n\n", "\n"]).join(lines))]
            item = {"skill": "sql_repair", "messages": [*parts, _say("assistant", sql)]}
        if _length(item) <= LIMIT:
            return item


def items(rng: random.Random, n: int) -> list[Item]:
    """`n` items: 84 of a hundred ask for a query, 16 for the repair of one."""
    return [repair_item(rng) if rng.random() < 0.16 else sql_item(rng) for _ in range(n)]


# --- Checks --------------------------------------------------------------------------------------------------------


def tables_in(text: str) -> sqlite3.Connection:
    """A database with the tables that a prompt describes, empty."""
    db = sqlite3.connect(":memory:")
    for statement in re.findall(r"CREATE TABLE .*?\)\s*(?:;|\n\n|\Z|\n(?=\S))", text, re.S | re.I):
        db.execute(re.sub(r"--[^\n]*", "", statement).strip().rstrip(";"))
    if not db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
        for name, columns in _described(text):
            db.execute(f"CREATE TABLE {name} ({columns})")
    return db


def _described(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        shape = re.search(r'"table": "(\w+)", "columns": \[(.*)\]', line)
        shape = (
            shape
            or re.search(r"\bTable (\w+)(?:: | with the columns )(.+?)\.?$", line)
            or re.match(r"- (\w+): (.+)", line)
        )
        if shape:
            yield shape.group(1), shape.group(2).replace('"', "")
        elif not re.search(r"VALUES|rows of", line):
            yield from re.findall(
                r"\b(\w+) ?\(((?:[A-Za-z]\w*(?: (?:TEXT|INTEGER|REAL))?, )+[A-Za-z]\w*(?: (?:TEXT|INTEGER|REAL))?)\)",
                line,
            )


def check(made: list[Item]) -> None:
    """Every query is one SELECT that runs on the tables of its prompt; every error is the one SQLite gives."""
    for item in made:
        messages = item["messages"]
        assert _length(item) <= LIMIT, item
        prompt = "\n\n".join(m["content"] for m in messages if m["role"] in ("system", "user"))
        for i, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            sql = message["content"]
            error = error_of(tables_in(prompt), sql)
            if i == len(messages) - 1 or item.get("learn") != "last":
                assert re.fullmatch(r"SELECT .+[^;];", sql), sql
                assert error is None, (sql, error, prompt)
            else:
                assert error, sql
                assert error in messages[i + 1]["content"], (sql, error)


def written() -> list[Item]:
    """The items composed by hand."""
    return [json.loads(line) for line in (WRITTEN / "sql.jsonl").read_text(encoding="utf-8").splitlines()]
