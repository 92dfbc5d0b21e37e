"""Keys for a class: one for everybody, or one for each reader, made from it. No list of them has to be kept."""

from __future__ import annotations

import hmac


def key_for(key: str, reader: str) -> str:
    """A reader's own key: it opens what the class's key opens, under this name and no other."""
    return f"{_signed(key, reader)}.{reader}"


def fits(given: str, key: str) -> bool:
    """Whether what came is the class's key, with or without a name behind it, or a reader's own."""
    came, _, reader = given.partition(".")
    return any(hmac.compare_digest(came.encode(), known.encode()) for known in (key, _signed(key, reader)))


def _signed(key: str, reader: str) -> str:
    return hmac.digest(key.encode(), reader.encode(), "sha256").hex()[:32]
