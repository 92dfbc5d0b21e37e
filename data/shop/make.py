"""Writes shop.sql: customers, orders, items and returns of Wren and Kettle, the same text each time.

python data/shop/make.py

All prices are multiples of 0.50, which binary numbers hold exactly, so sums in SQL are exact too.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

OPENED, LAST = date(2026, 1, 2), date(2026, 11, 20)
NEW_PRICES = date(2026, 7, 1)
BETTER_BOXES = date(2026, 9, 1)  # until then, glass cups often broke on the way
CUSTOMERS, ORDERS, ITEMS, RETURNS = 60, 160, 330, 25

# Product: price until June, price from July on.
PRICES = {
    "house blend": (8.5, 9.0),
    "espresso beans": (9.5, 10.5),
    "filter coffee": (9.0, 9.0),
    "decaf beans": (10.0, 10.0),
    "dark roast": (9.0, 9.5),
    "green tea": (6.5, 6.5),
    "black tea": (5.0, 5.0),
    "mint tea": (4.5, 4.5),
    "rooibos": (5.5, 5.5),
    "chai": (6.0, 7.0),
    "oolong": (11.0, 11.0),
    "white cup": (12.0, 12.0),
    "blue cup": (14.0, 14.0),
    "glass cup": (13.5, 13.5),
    "espresso cup": (9.0, 9.0),
    "tea bowl": (16.0, 16.0),
    "travel mug": (22.0, 22.0),
    "teapot": (34.0, 34.0),
    "kettle": (49.0, 52.0),
    "hand grinder": (58.0, 58.0),
    "milk jug": (17.5, 17.5),
    "paper filters": (3.5, 3.5),
    "tea strainer": (7.5, 7.5),
    "gift box": (29.0, 29.0),
}
CITIES = ["Galway"] * 5 + ["Limerick"] * 3 + ["Sligo"] * 2 + ["Waterford"] * 2
CITIES += ["Kilkenny", "Kilkenny", "Ennis", "Athlone", "Tralee"]
NAMES = """Aoife Brennan; Tunde Balogun; Siobhán Hickey; Rohan Mehta; Katarzyna Zielinska; Cillian Lennon; Haruka Endo;
Beatriz Almeida; Fergus Nolan; Shirin Karimi; Matthias Vogel; Niamh Gallagher; Chidi Eze; Anjali Desai; Thierry Lambert;
Orla Fitzgerald; Minh Pham; Wojciech Mazur; Lindiwe Dlamini; Conor Sweeney; Zeynep Aksoy; Rodrigo Pires; Claire Fontaine;
Padraig Hennessy; Sunita Rao; Aleksi Virtanen; Maeve Cassidy; Reza Tehrani; Ioana Popescu; Gerard Mulcahy; Abena Owusu;
Takumi Mori; Pilar Serrano; Bogdan Stoica; Sinead Corrigan; Khaled Mansour; Anneliese Huber; Declan Rafferty;
Hyejin Baek; Baptiste Girard; Grainne Kavanagh; Vikram Chauhan; Rocío Navarro; Tendai Moyo; Bernadette Quigley;
Mehmet Kaplan; Saara Laine; Eamon Tierney; Thuy Dang; Ignacio Fuentes; Roisin Delaney; Farai Chikore; Agnieszka Wrona;
Zoltán Kerekes; Fionnuala Regan; Mariam Sesay; Joao Teixeira; Cathal Scanlon; Nasrin Hosseini; Dymphna Lacey"""
REASONS = ["changed mind", "changed mind", "wrong item", "late", "broken"]
BREAKABLE = {"white cup", "blue cup", "glass cup", "espresso cup", "tea bowl", "teapot", "milk jug"}
SCHEMA = [
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT, joined TEXT);",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id), ordered_on TEXT, "
    "total REAL, status TEXT);",
    "CREATE TABLE items (id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders(id), product TEXT, "
    "quantity INTEGER, price REAL);",
    "CREATE TABLE returns (id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders(id), reason TEXT, "
    "returned_on TEXT);",
]

# Only random() is promised to give the same numbers in each version of Python.
_rng = random.Random(2026)


def below(n: int) -> int:
    """A whole number from 0 up to, not including, n."""
    return int(_rng.random() * n)


def day(first: date, last: date) -> date:
    """A day from first to last."""
    return first + timedelta(below((last - first).days + 1))


def make() -> list[str]:
    """The lines of shop.sql."""
    joined = sorted(day(OPENED, date(2026, 10, 31)) for _ in range(CUSTOMERS))
    customers = [
        [i, " ".join(name.split()), CITIES[below(len(CITIES))], joined[i - 1]]
        for i, name in enumerate(NAMES.split(";"), 1)
    ]

    # Early customers order more often. The last five have not ordered yet.
    buyers = [int((CUSTOMERS - 5) * _rng.random() ** 1.3) for _ in range(ORDERS)]
    orders = [
        [i, b + 1, on, 0.0, ""] for i, (on, b) in enumerate(sorted((day(joined[b], LAST), b) for b in buyers), 1001)
    ]

    baskets: list[list[str]] = [[] for _ in orders]
    while (have := sum(map(len, baskets))) < ITEMS:
        basket = baskets[have if have < ORDERS else below(ORDERS)]
        product = list(PRICES)[below(len(PRICES))]
        if product not in basket and len(basket) < 4:
            basket.append(product)
    items = []
    for order, basket in zip(orders, baskets, strict=True):
        for product in basket:
            quantity = 1 + below(4 if product.endswith(("cup", "tea")) else 2)
            items.append([len(items) + 1, order[0], product, quantity, PRICES[product][order[2] >= NEW_PRICES]])
        order[3] = sum(item[3] * item[4] for item in items if item[1] == order[0])
        order[4] = (
            "open" if order[2] > date(2026, 11, 13) else "shipped" if order[2] > date(2026, 11, 9) else "delivered"
        )
        if order[4] == "delivered" and _rng.random() < 0.05:
            order[4] = "cancelled"

    def broke(n: int) -> bool:
        return "glass cup" in baskets[n] and orders[n][2] < BETTER_BOXES and orders[n][4] == "delivered"

    came_back = {n: "broken" for n in range(ORDERS) if broke(n) and _rng.random() < 0.7}
    while len(came_back) < RETURNS:
        n = below(ORDERS)
        reason = REASONS[below(len(REASONS))]
        if orders[n][4] == "delivered" and n not in came_back and (reason != "broken" or BREAKABLE & {*baskets[n]}):
            came_back[n] = reason
    returns = []
    for n, reason in came_back.items():
        orders[n][4] = "returned"
        returns.append(
            [orders[n][0], reason, min(day(orders[n][2] + timedelta(4), orders[n][2] + timedelta(28)), LAST)]
        )
    returns = [[i, *r] for i, r in enumerate(sorted(returns, key=lambda r: (r[2], r[0])), 1)]

    tables = {"customers": customers, "orders": orders, "items": items, "returns": returns}
    rows = [f"INSERT INTO {name} VALUES ({', '.join(map(literal, row))});" for name, of in tables.items() for row in of]
    return ["-- Made by make.py: change that, not this.", "BEGIN;", *SCHEMA, *rows, "COMMIT;"]


def literal(value: object) -> str:
    """A value as SQL writes it."""
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


if __name__ == "__main__":
    (Path(__file__).parent / "shop.sql").write_text("\n".join(make()) + "\n", encoding="utf-8", newline="\n")
