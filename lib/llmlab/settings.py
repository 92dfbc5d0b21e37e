"""What the reader can configure, from the environment or from `.env` in the kit's folder (environment first).

A field's variable is its name in capitals behind LLMLAB_. Relative paths in the file count from its folder.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from io import StringIO
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs
from dotenv import dotenv_values

from llmlab.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
WORK = Path(os.environ.get("LLMLAB_WORK", ROOT / "work"))  # elsewhere on a hub, where many share the kit
CAPABILITIES = ("tools", "json_schema", "vision", "logprobs")


@dataclass(frozen=True)
class Settings:
    """One reading of the configuration. Prices are in money per million tokens."""

    base_url: str | None = None  # OPENAI_BASE_URL
    api_key: str | None = field(default=None, repr=False)  # OPENAI_API_KEY
    model: str | None = None
    capabilities: frozenset[str] | None = None
    price_in: float | None = None
    price_out: float | None = None
    currency: str = "USD"
    box: str | None = None
    gguf: Path | None = None
    adapter: bool = True  # whether requests with tools use the one that teaches the standard model to call them
    threads: int = min(os.cpu_count() or 2, 4)
    timeout: float = 120.0
    replay: Path | None = None
    record: Path | None = None
    strict: bool = False
    chapter: str = ""
    classroom: str | None = field(default=None, repr=False)  # where a reader who has joined sends progress; has the key
    solutions: str | None = None  # when they open, as a teacher has set it
    cache: Path = Path(platformdirs.user_cache_dir("llmlab", appauthor=False))
    state: Path = WORK / ".llmlab"

    @property
    def uses_endpoint(self) -> bool:
        """A key alone is not enough: it may stand in the environment for another program, and calls cost money."""
        return bool(self.base_url or self.model)


def _number(text: str, least: float = 0.0) -> float:
    with suppress(ValueError):
        if least <= (found := float(text)) < inf:
            return found
    raise ValueError(f"a number from {least:g} up")


def _capabilities(text: str) -> frozenset[str]:
    named = {part.strip() for part in text.split(",")} - {"", "none"}
    if named <= set(CAPABILITIES):
        return frozenset(named)
    raise ValueError(f"{', '.join(CAPABILITIES)} or none, separated by commas")


_READ: dict[str, Callable[[str], Any]] = {
    "capabilities": _capabilities,
    "price_in": _number,
    "price_out": _number,
    "threads": lambda text: int(_number(text, 1)),
    "timeout": lambda text: _number(text, 0.001),
    **dict.fromkeys(("strict", "adapter"), lambda text: text == "1"),
    **dict.fromkeys(("gguf", "replay", "record", "cache", "state"), lambda text: Path(text).expanduser()),
}  # the others are taken as they are


def load(environment: Mapping[str, str] = os.environ, env_file: Path | None = None) -> Settings:
    """Read the settings. Raises SettingsError for a value that is not allowed."""
    file = env_file or Path(environment.get("LLMLAB_ENV_FILE", ROOT / ".env"))
    text = file.read_text(encoding="utf-8-sig", errors="replace") if file.is_file() else ""
    written = dotenv_values(stream=StringIO(text))
    found: dict[str, Any] = {}
    for name in (each.name for each in fields(Settings)):
        variable = f"{'OPENAI' if name in ('base_url', 'api_key') else 'LLMLAB'}_{name.upper()}"
        # An empty variable of the environment counts: it switches off what the file says.
        if given := environment.get(variable, written.get(variable)):
            try:
                found[name] = _READ.get(name, str)(given)
            except ValueError as error:
                where = "correct it in .env or in the environment"
                raise SettingsError(f"{variable} takes {error}, but is {given!r}; {where}.") from None
            if isinstance(found[name], Path) and variable not in environment:
                # A kernel runs in work/, but the file is written by somebody who looks at the folder it stands in.
                found[name] = file.parent / found[name]
    return Settings(**found)


def is_here(url: str) -> bool:
    """Whether an address is this machine's own: no proxy reaches it, whatever the environment says."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
