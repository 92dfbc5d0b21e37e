"""What no trace, recording or output may hold: keys, and the reader's home path; and data made plain, without them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_secrets: set[str] = set()


def hide(secret: str) -> str:
    """Never let this text (a key) into a trace, recording or error; returns it."""
    if len(secret) >= 8:  # shorter ones ("none", "ollama") are placeholders, and would blank out ordinary words
        _secrets.add(secret)
    return secret


def redact(text: str) -> str:
    """The text without hidden keys and without the path of the reader's home folder."""
    for secret in _secrets:
        text = text.replace(secret, "[key]")
    return _home().sub("~", text) if _home_path() in text and len(_home_path()) > 3 else text


def plain(value: Any) -> Any:
    """Any value as JSON data, redacted; what JSON does not know becomes its text."""
    if isinstance(value, str):
        return redact(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {redact(str(name)): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return redact(str(value))


def parsed(text: str) -> Any:
    """JSON text as `plain` data. One look at the text tells whether there is anything to hide in it.

    With the short escapes each letter has one spelling, so what is hidden would stand in the text, escaped alike. With
    \\u and \\/ a letter may be written otherwise: then each string is looked at.
    """
    hidden = any(json.dumps(secret, ensure_ascii=False)[1:-1] in text for secret in (*_secrets, _home_path()))
    return plain(json.loads(text)) if hidden or "\\u" in text or "\\/" in text else json.loads(text)


@cache
def _home() -> re.Pattern[str]:
    return re.compile(re.escape(_home_path()) + r"(?![\w.-])")


@cache
def _home_path() -> str:
    return str(Path.home())
