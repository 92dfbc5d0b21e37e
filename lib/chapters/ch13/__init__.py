"""Chapter 13: a server spoken to by hand, servers over HTTP, and what else the protocol has."""

from chapters.ch13.by_hand import Program, drawn, exchange, foreign
from chapters.ch13.features import features
from chapters.ch13.over_http import give_up, over_http, recorded, serve, stop, told

__all__ = [
    "Program",
    "drawn",
    "exchange",
    "features",
    "foreign",
    "give_up",
    "over_http",
    "recorded",
    "serve",
    "stop",
    "told",
]
