"""What the reader can configure, from the environment or from `.env` in the kit's folder (environment first).

Relative paths in the file count from its folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, nan
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs
from dotenv import dotenv_values

from llmlab.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
CAPABILITIES = ("tools", "json_schema", "vision", "logprobs")


@dataclass(frozen=True)
class Settings:
    """One reading of the configuration. Prices are in money per million tokens."""

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    model: str | None = None
    capabilities: frozenset[str] | None = None
    price_in: float | None = None
    price_out: float | None = None
    currency: str = "USD"
    box: str | None = None
    gguf: Path | None = None
    adapter: Path | None = None  # a LoRA in GGUF, laid over the standard model
    threads: int = 2
    timeout: float = 120.0
    replay: Path | None = None
    record: Path | None = None
    strict: bool = False
    chapter: str = ""
    cache: Path = Path()
    state: Path = Path()

    @property
    def uses_endpoint(self) -> bool:
        """A key alone is not enough: it may stand in the environment for another program, and calls cost money."""
        return bool(self.base_url or self.model)


def is_here(url: str) -> bool:
    """Whether an address is this machine's own: no proxy reaches it, whatever the environment says."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def load(environment: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """Read the settings. Raises SettingsError for a value that is not allowed."""
    environment = os.environ if environment is None else environment
    file = env_file or Path(environment.get("LLMLAB_ENV_FILE", ROOT / ".env"))
    try:
        written = dotenv_values(file, encoding="utf-8") if file.is_file() else {}
    except UnicodeDecodeError:
        raise SettingsError(f"{file.name} has to be a text in UTF-8, but is not; save it again as UTF-8.") from None
    # An empty variable of the environment counts: it switches off what the file says.
    values = {k: v for k, v in {**written, **environment}.items() if v}

    def path(name: str) -> Path | None:
        if name not in values:
            return None
        found = Path(values[name]).expanduser()
        # A kernel runs in work/, but the file is written by somebody who looks at the folder it stands in.
        return file.parent / found if name not in environment else found

    def number(name: str, least: float = 0.0) -> float | None:
        if name not in values:
            return None
        try:
            found = float(values[name])
        except ValueError:
            found = nan
        if not least <= found < inf:
            raise SettingsError(
                f"{name} takes a number from {least:g} up, but is {values[name]!r}; correct it in .env or in the "
                f"environment."
            )
        return found

    return Settings(
        base_url=values.get("OPENAI_BASE_URL"),
        api_key=values.get("OPENAI_API_KEY"),
        model=values.get("LLMLAB_MODEL"),
        capabilities=_capabilities(values.get("LLMLAB_CAPABILITIES")),
        price_in=number("LLMLAB_PRICE_IN"),
        price_out=number("LLMLAB_PRICE_OUT"),
        currency=values.get("LLMLAB_CURRENCY", "USD"),
        box=values.get("LLMLAB_BOX"),
        gguf=path("LLMLAB_GGUF"),
        threads=int(number("LLMLAB_THREADS", 1) or min(os.cpu_count() or 2, 4)),
        timeout=number("LLMLAB_TIMEOUT", 0.001) or 120.0,
        replay=path("LLMLAB_REPLAY"),
        record=path("LLMLAB_RECORD"),
        strict=values.get("LLMLAB_STRICT", "") == "1",
        chapter=values.get("LLMLAB_CHAPTER", ""),
        cache=path("LLMLAB_CACHE") or Path(platformdirs.user_cache_dir("llmlab", appauthor=False)),
        state=path("LLMLAB_STATE") or ROOT / "work" / ".llmlab",
    )


def _capabilities(text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    named = frozenset(part.strip() for part in text.split(",") if part.strip())
    if unknown := named - set(CAPABILITIES) - {"none"}:
        raise SettingsError(
            f"LLMLAB_CAPABILITIES takes {', '.join(CAPABILITIES)} or none, separated by commas, "
            f"but has {', '.join(sorted(unknown))}; correct it in .env or in the environment."
        )
    return named - {"none"}
