"""Whatever goes wrong between the lab and a model, as one sentence: what was allowed, what came, what to do next."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import openai

from llmlab.errors import LabError, ModelError
from llmlab.redaction import redact

KEPT = "Kept from before: not paid again."
_CONFIG = "in .env or in the environment"
_TOO_LONG = re.compile(r"context.*(length|token)|(length|token).*context|too long", re.I)
_BROKEN = (httpx2.RemoteProtocolError, httpx2.ReadError)
# What an HTTP status means: the first row that fits counts.
_STATUS = [
    (r"401|403", "auth", "{where} wants a valid key, but refused this one ({said}); set OPENAI_API_KEY {config}."),
    (
        r"404",
        "not_found",
        "{where} has to know the model and the path, but knows no {model!r} there ({said}); set LLMLAB_MODEL and "
        "OPENAI_BASE_URL {config}.",
    ),
    (r"429", "rate_limit", "{where} allows a number of requests, but got more ({said}); run the cell again {after}."),
    (r"5..", "server", "{where} has to answer, but failed three times ({said}); run the cell again later."),
    (
        r".*",
        "bad_request",
        "{where} takes requests in the form of its API, but not this one ({said}); correct it, it is in the trace.",
    ),
]
_CONTEXT = (
    "The messages have to fit into the model's context window, but are too long ({said}); send fewer or shorter ones, or "
    "start a new conversation."
)


def explain(error: Exception, where: str, model: str, timeout: float, base_url: str) -> Exception:
    """The ModelError for a failed call to `model` at `where`; an error that is no fault of a call comes back as it is."""
    if isinstance(error, openai.APIStatusError):
        body = error.body if isinstance(error.body, dict) else {}
        said = body.get("message") or error.response.text or error.response.reason_phrase
        wait = error.response.headers.get("retry-after")
        return of_status(error.status_code, f"{error.status_code}: {_line(said)}", where, model, wait)
    cause = error.__cause__ or error
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException | TimeoutError):
        kind = "timeout"
        text = f"{where} has {timeout:g} seconds to answer, but did not; run the cell again, or raise LLMLAB_TIMEOUT {_CONFIG}."
    elif isinstance(error, _BROKEN) or isinstance(cause, _BROKEN):
        kind = "cut_off"
        text = f"A reply has to come whole, but the connection to {where} broke off in the middle; run the cell again."
    elif isinstance(error, openai.APIConnectionError | httpx2.TransportError):
        kind = "unreachable"
        text = (
            f"A server has to answer at {base_url}, but none does ({cause}); check OPENAI_BASE_URL {_CONFIG}, and that the "
            f"server and the network are up."
        )
    elif isinstance(error, openai.APIError):
        kind = "server"
        text = f"A reply has to come whole, but {where} broke it off with an error ({_line(error.message)}); run the cell again."
    elif isinstance(error, ValueError) and not isinstance(error, LabError):
        kind = "not_json"
        text = (
            f"A reply has to be JSON, but {where} sent something else ({str(error)[:100]}); check that OPENAI_BASE_URL points "
            f"to an OpenAI-compatible API."
        )
    else:
        return error
    return ModelError(kind, redact(text[0].upper() + text[1:]))


def of_status(code: int, said: str, where: str, model: str, wait: str | None = None) -> ModelError:
    """The error that an HTTP status and the server's own words mean."""
    kind, text = next((kind, text) for pattern, kind, text in _STATUS if re.fullmatch(pattern, str(code)))
    if kind == "bad_request" and _TOO_LONG.search(said):
        kind, text = "context", _CONTEXT
    # RFC 9110 allows a date, too.
    after = f"after {wait}{' seconds' if wait[0].isdigit() else ''}" if wait else "in a minute"
    text = text.format(where=where, said=said, model=model, config=_CONFIG, after=after)
    return ModelError(kind, redact(text[0].upper() + text[1:]))


def said_in_a_reply(data: dict[str, Any]) -> tuple[int, str] | None:
    """The status and the words of an error that came inside a reply with status 200, as proxies and OpenRouter send it."""
    choice = next(iter(data.get("choices") or []), None) or {}
    ended = choice.get("finish_reason") == "error" and "the reply ended with an error"
    error = data.get("error") or choice.get("error") or ended
    if not isinstance(error, dict):
        return (500, _line(error)) if error else None
    metadata = error.get("metadata")
    more = metadata.get("raw") if isinstance(metadata, dict) else None
    code = str(error.get("code"))
    words = _line(": ".join(str(part) for part in (error.get("message"), more) if part) or error)
    return int(code) if code.isdigit() else 500, words


def cut_off(where: str, text: str) -> str:
    """For a stream that ended without a finish reason, after this text."""
    return redact(
        f"A streamed reply ends with a finish reason, but the one from {where} broke off after {len(text)} characters "
        f"({text[-40:]!r}); run the cell again."
    )


def no_chat_reply(where: str, data: Any) -> str:
    """For JSON that is something else."""
    return redact(
        f"A chat reply has choices[0].message, but {where} sent {json.dumps(data, ensure_ascii=False)[:80]}; check that "
        f"OPENAI_BASE_URL points to an OpenAI-compatible API."
    )


def _line(said: object) -> str:
    return " ".join(str(said).split())[:200]
