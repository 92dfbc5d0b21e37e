"""Where the model comes from: the box, an endpoint that the reader has configured, or a recording."""

from __future__ import annotations

import asyncio
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx2
import openai

from llmlab import redaction, settings
from llmlab.errors import SettingsError
from llmlab.llm import local, recording, weights
from llmlab.llm.chat import Model, Source

Size = Literal["standard", "small", "tiny"]

PATIENCE = 5  # seconds; a server that asks for a longer pause is an error now, instead of a cell that hangs


async def connect(which: Source | Size | None = None, *, label: str = "model", **override: Any) -> Model:
    """Connect to a model: the recording that LLMLAB_REPLAY names, else the endpoint that is configured, else the box.

    `which` chooses one of the three (embedded, endpoint, recording), or a size of the model in the box (standard, small,
    tiny); `override` replaces fields of `Settings` (gguf, adapter, model, base_url …). A chapter that talks to two
    models gives each a `label`, by which their recordings are told apart.
    """
    config, named = replace(settings.load(), **override), which == "recording"
    if which in weights.CATALOGUE:
        # In a replay a size is a label of its own, so that the same cell works with and without a recording.
        label, config = which if label == "model" else label, replace(config, box=which, gguf=None)
        which = "recording" if config.replay else "embedded"
    if which is None:
        which = "recording" if config.replay else "endpoint" if config.uses_endpoint else "embedded"
    if which == "recording":
        if named or config.strict or not config.replay or recording.file_in(config.replay, config.chapter).is_file():
            return _replayed(config, label)
        print(
            f"No recording of {config.chapter or 'this session'} is in {config.replay.name}; the model in the box answers."
        )
        which = "embedded"
    if which == "endpoint":
        model = await _endpoint(config, label)
    elif which == "embedded":
        model = await _embedded(config, label)
    else:
        raise SettingsError(
            f"connect takes embedded, endpoint, recording, {', '.join(weights.CATALOGUE)}, not {which!r}; correct the name."
        )
    if config.record:
        about = {"name": model.name, "source": model.source, "provenance": model.provenance}
        can = sorted(c for c, yes in model.abilities.items() if yes)
        _writer(config).connect(label, {**about, "capabilities": can if model.declared else None})
    return model


def proxy_of(url: str) -> str | None:
    """The proxy that the environment (HTTPS_PROXY, NO_PROXY …) wants for an address; none for this machine's own."""
    where = httpx2.URL(url)
    if settings.is_here(url):
        return None
    proxies = urllib.request.getproxies()
    return None if urllib.request.proxy_bypass(where.host) else proxies.get(where.scheme) or proxies.get("all")


def _writer(config: settings.Settings) -> recording.File:
    assert config.record is not None
    return recording.writer(recording.file_in(config.record, config.chapter), config.chapter)


def _client(
    base_url: str, key: str, config: settings.Settings, transport: httpx2.AsyncBaseTransport
) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key=key,
        timeout=config.timeout,
        http_client=openai.DefaultAsyncHttpx2Client(
            transport=transport, timeout=config.timeout, event_hooks={"response": [_hurry]}
        ),
    )


async def _hurry(response: httpx2.Response) -> None:
    if _pause(response.headers) > PATIENCE:
        response.headers["x-should-retry"] = "false"  # the openai client would wait in silence, for minutes


def _pause(headers: httpx2.Headers) -> float:
    """The seconds that a server asks to wait, in each of the forms that there are (RFC 9110, and OpenAI's own)."""
    asked = headers.get("retry-after", "")
    try:
        return float(headers["retry-after-ms"]) / 1000 if "retry-after-ms" in headers else float(asked)
    except ValueError:
        pass
    try:
        return (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def _key(given: str | None) -> str:
    """The key as it can stand in a header. Raises SettingsError for one that cannot."""
    key = (given or "").strip()
    if not key.isascii() or not key.isprintable():
        odd = next(sign for sign in key if not sign.isascii() or not sign.isprintable())
        raise SettingsError(
            f"OPENAI_API_KEY takes plain letters, digits and signs, but has {odd!r} in it; copy the key again, without "
            f"typographic quotes or line breaks."
        )
    return redaction.hide(key or "none")


def _live(config: settings.Settings, label: str, base_url: str) -> recording.Live:
    base = httpx2.URL(base_url).path.rstrip("/")
    return recording.Live(_writer(config) if config.record else None, label, base, proxy_of(base_url))


async def _embedded(config: settings.Settings, label: str) -> Model:
    box = await asyncio.to_thread(local.start, config)
    client = _client(box.base_url, box.api_key, config, _live(config, label, box.base_url))
    return Model(client, box.name, "embedded", config, box.provenance, local.CAPABILITIES, quiet=bool(config.record))


async def _endpoint(config: settings.Settings, label: str) -> Model:
    key = _key(config.api_key)
    base_url = config.base_url or "https://api.openai.com/v1"
    client = _client(base_url, key, config, _live(config, label, base_url))
    model = Model(client, config.model or "", "endpoint", config, None, config.capabilities, quiet=bool(config.record))
    if not model.name:
        try:
            listed = await client.get("/models", cast_to=httpx2.Response)
            names = [m["id"] for m in dict(listed.json()).get("data") or []]
        except Exception as error:
            raise model.explain(error) from error
        if len(names) != 1:
            raise SettingsError(
                f"LLMLAB_MODEL has to name one model, but is not set and {client.base_url.host} offers "
                f"{', '.join(names[:8]) or 'none'}; set it in .env or in the environment."
            )
        model.name = names[0]
    return model


def _replayed(config: settings.Settings, label: str) -> Model:
    if config.replay is None:
        raise SettingsError("A replay needs LLMLAB_REPLAY, a recording or a folder of them, but it is not set; set it.")
    played = recording.Recording.load(recording.file_in(config.replay, config.chapter))
    about = played.connections.get(label, {})
    fallback = None if config.strict else _BoxFallback(config)
    client = _client("http://recording.invalid/v1", "none", config, recording.Replay(played, label, fallback))
    can = about.get("capabilities")
    provenance = {**about.get("provenance", {}), "llmlab.recorded": played.recorded}
    return Model(
        client,
        about.get("name", "unknown"),
        "recording",
        config,
        provenance,
        frozenset(can) if can is not None else None,
        quiet=True,
    )


class _BoxFallback:
    """Sends a request that the recording does not hold to the model in the box, which starts when it is needed."""

    def __init__(self, config: settings.Settings):
        self.config = config
        self._transport = httpx2.AsyncHTTPTransport()

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        box = await asyncio.to_thread(local.start, self.config)
        url = httpx2.URL(box.base_url).copy_with(path=request.url.path)  # both have /v1
        headers = {"authorization": f"Bearer {box.api_key}", "content-type": "application/json"}
        moved = httpx2.Request(request.method, url, headers=headers, content=request.content)
        response = await self._transport.handle_async_request(moved)
        content = await response.aread()
        kind = response.headers.get("content-type", "")
        return httpx2.Response(response.status_code, headers={"content-type": kind}, content=content, request=request)
