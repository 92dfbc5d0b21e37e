"""Where the model comes from: the box, an endpoint that the reader has configured, or a recording."""

import asyncio
import urllib.request
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

import httpx2
import openai

from llmlab import redaction, settings
from llmlab.errors import SettingsError
from llmlab.llm import local, recording, shared, weights
from llmlab.llm.chat import ADAPTER, Model, Source

PATIENCE = 5  # seconds; a server that asks for a longer pause is an error now, instead of a cell that hangs


async def connect(which: str | None = None, *, label: str = "model", **override: Any) -> Model:
    """Connect to a model: the recording that LLMLAB_REPLAY names, else the endpoint that is configured, else the box.

    `which` chooses one of the three (embedded, endpoint, recording), or a size of the model in the box (standard, small,
    tiny); `override` replaces fields of `Settings` (gguf, adapter, model, base_url …). A chapter that talks to two
    models gives each a `label`, by which their recordings are told apart.
    """
    config = replace(settings.load(), **override)
    source, size = (None, which) if which in weights.CATALOGUE else (which, None)
    if size:
        # In a replay a size is a label of its own, so that the same cell works with and without a recording.
        label, config = size if label == "model" else label, replace(config, box=size, gguf=None)
    if source is None:
        source = "endpoint" if config.uses_endpoint and not size else "embedded"
        if config.replay and (config.strict or recording.file_in(config.replay, config.chapter).is_file()):
            source = "recording"
        elif config.replay:
            source, chapter = "embedded", config.chapter or "this session"
            print(f"No recording of {chapter} is in {config.replay.name}; the model in the box answers.")
    if source not in (ways := {"embedded": _embedded, "endpoint": _endpoint, "recording": _replayed}):
        known = ", ".join([*ways, *weights.CATALOGUE])
        raise SettingsError(f"connect takes {known}, but not {source!r}; correct the name.")
    server, transport, can = await ways[source](config, label)
    hooks: Any = {"response": [_hurry]}
    http = openai.DefaultAsyncHttpx2Client(transport=transport, timeout=config.timeout, event_hooks=hooks)
    client = openai.AsyncOpenAI(
        base_url=server.base_url, api_key=server.api_key, timeout=config.timeout, http_client=http
    )
    quiet = bool(transport.file or transport.recording)
    model = Model(client, server.name, cast(Source, source), config, server.provenance, can, quiet)
    model.name = model.name or await _only_name(model)
    if transport.file:
        about = {"connection": label, "name": model.name, "source": source, "provenance": model.provenance}
        recording.append(transport.file, **about, capabilities=None if can is None else sorted(can))
    return model


_Way = tuple[shared.Server, recording.Transport, frozenset[str] | None]  # with what the model is known to be able to


async def _embedded(config: settings.Settings, label: str) -> _Way:
    server = await asyncio.to_thread(local.start, config)
    if not config.adapter:
        without = {name: value for name, value in server.provenance.items() if name != ADAPTER}
        server = shared.Server(server.base_url, server.api_key, server.name, without)
    return server, _live(config, label, server.base_url), local.CAPABILITIES


async def _endpoint(config: settings.Settings, label: str) -> _Way:
    base_url = config.base_url or "https://api.openai.com/v1"
    server = shared.Server(base_url, _key(config.api_key), config.model or "", {})
    return server, _live(config, label, base_url), config.capabilities


async def _replayed(config: settings.Settings, label: str) -> _Way:
    played = recording.Recording.load(recording.file_in(config.replay or Path(), config.chapter))
    about = {"name": "unknown", "provenance": {}, "capabilities": None, **played.connections.get(label, {})}
    provenance, can = {**about["provenance"], "llmlab.recorded": played.recorded}, about["capabilities"]
    server = shared.Server("http://recording.invalid/v1", "none", about["name"], provenance)
    send = None if config.strict else partial(_ask_the_box, config)
    return server, recording.Transport(send, label, recording=played), None if can is None else frozenset(can)


def _live(config: settings.Settings, label: str, base_url: str) -> recording.Transport:
    pools: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncHTTPTransport] = WeakKeyDictionary()

    async def send(request: httpx2.Request) -> httpx2.Response:
        # Connections belong to the event loop that opened them, and a script may call asyncio.run more than once.
        loop = asyncio.get_running_loop()
        pool = pools.get(loop) or pools.setdefault(loop, httpx2.AsyncHTTPTransport(proxy=proxy_of(base_url)))
        return await pool.handle_async_request(request)

    made = recording.Transport(send, label, httpx2.URL(base_url).path.rstrip("/"))
    if config.record:
        made.file = recording.file_in(config.record, config.chapter)
        made.sent = recording.begin(made.file, config.chapter)
    return made


async def _ask_the_box(config: settings.Settings, request: httpx2.Request) -> httpx2.Response:
    """What the model in the box, which starts when it is needed, says to a request that the recording does not hold."""
    box = await asyncio.to_thread(local.start, config)
    url = httpx2.URL(box.base_url).copy_with(path=request.url.path)  # both have /v1
    headers = {"authorization": f"Bearer {box.api_key}", "content-type": "application/json"}
    async with httpx2.AsyncClient(timeout=config.timeout, trust_env=False) as client:
        return await client.request(request.method, url, headers=headers, content=request.content)


def proxy_of(url: str) -> str | None:
    """The proxy that the environment (HTTPS_PROXY, NO_PROXY …) wants for an address; none for this machine's own."""
    where, proxies = httpx2.URL(url), urllib.request.getproxies()
    if settings.is_here(url) or urllib.request.proxy_bypass(where.host):
        return None
    return proxies.get(where.scheme) or proxies.get("all")


async def _hurry(response: httpx2.Response) -> None:
    if _pause(response.headers) > PATIENCE:
        response.headers["x-should-retry"] = "false"  # the openai client would wait in silence, for minutes


def _pause(headers: httpx2.Headers) -> float:
    """The seconds that a server asks to wait, in each of the forms that there are (RFC 9110, and OpenAI's own)."""
    asked = headers.get("retry-after", "")
    with suppress(ValueError):
        return float(headers["retry-after-ms"]) / 1000 if "retry-after-ms" in headers else float(asked)
    with suppress(TypeError, ValueError):
        return (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds()
    return 0.0


def _key(given: str | None) -> str:
    """The key as it can stand in a header. Raises SettingsError for one that cannot."""
    key = (given or "").strip()
    if odd := [sign for sign in key if not (sign.isascii() and sign.isprintable())]:
        raise SettingsError(
            f"OPENAI_API_KEY takes plain letters, digits and signs, but has {odd[0]!r} in it; copy the key again, without "
            f"typographic quotes or line breaks."
        )
    return redaction.hide(key or "none")


async def _only_name(model: Model) -> str:
    try:
        listed = await model.client.get("/models", cast_to=httpx2.Response)
        names = [m["id"] for m in dict(listed.json()).get("data") or []]
    except Exception as error:
        raise model.explain(error) from error
    if len(names) == 1:
        return str(names[0])
    raise SettingsError(
        f"LLMLAB_MODEL has to name one model, but is not set and {model.client.base_url.host} offers "
        f"{', '.join(names[:8]) or 'none'}; set it in .env or in the environment."
    )
