"""Whatever goes wrong between the lab and a model, as one sentence: what was allowed, what came, what to do next."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import openai

from llmlab.errors import LabError, ModelError
from llmlab.trace import redact

_CONFIG = "in .env or in the environment"
_TOO_LONG = re.compile(r"context.*(length|token)|(length|token).*context|too long", re.I)


def explain(error: Exception, where: str, model: str, timeout: float, base_url: str) -> Exception:
    """The ModelError for a failed call to `model` at `where`; an error that is no fault of a call comes back as it is."""
    if isinstance(error, LabError):
        return error
    if isinstance(error, openai.APIStatusError):
        return _status(error, where, model)
    cause, broken = error.__cause__ or error, httpx2.RemoteProtocolError | httpx2.ReadError
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
        kind, text = (
            "timeout",
            (
                f"{where} has {timeout:g} seconds to answer, but did not; run the cell again, or raise LLMLAB_TIMEOUT {_CONFIG}."
            ),
        )
    elif isinstance(error, broken) or isinstance(cause, broken):
        kind, text = (
            "cut_off",
            (f"A reply has to come whole, but the connection to {where} broke off in the middle; run the cell again."),
        )
    elif isinstance(error, openai.APIConnectionError | httpx2.TransportError):
        kind, text = (
            "unreachable",
            (
                f"A server has to answer at {base_url}, but none does ({cause}); check OPENAI_BASE_URL {_CONFIG}, and "
                f"that the server and the network are up."
            ),
        )
    elif isinstance(error, openai.APIError):
        kind, text = (
            "server",
            f"A reply has to come whole, but {where} broke it off with an error ({_line(error.message)}); run the cell again.",
        )
    elif isinstance(error, ValueError):
        kind, text = (
            "not_json",
            (
                f"A reply has to be JSON, but {where} sent something else ({str(error)[:100]}); check that OPENAI_BASE_URL "
                f"points to an OpenAI-compatible API."
            ),
        )
    else:
        return error
    return ModelError(kind, redact(text[0].upper() + text[1:]))


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


def _status(error: openai.APIStatusError, where: str, model: str) -> ModelError:
    code, said = error.status_code, _server_message(error)
    if code in (401, 403):
        kind, text = "auth", f"{where} wants a valid key, but refused this one ({said}); set OPENAI_API_KEY {_CONFIG}."
    elif code == 404:
        kind, text = (
            "not_found",
            (
                f"{where} has to know the model and the path, but knows no {model!r} there ({said}); set LLMLAB_MODEL and "
                f"OPENAI_BASE_URL {_CONFIG}."
            ),
        )
    elif code == 429:
        wait = error.response.headers.get("retry-after")
        after = f"after {wait} seconds" if wait else "in a minute"
        kind, text = (
            "rate_limit",
            f"{where} allows a number of requests, but got more ({said}); run the cell again {after}.",
        )
    elif code >= 500:
        kind, text = "server", f"{where} has to answer, but failed three times ({said}); run the cell again later."
    elif _TOO_LONG.search(said):
        kind, text = (
            "context",
            (
                f"The messages have to fit into the model's context window, but are too long ({said}); send fewer or "
                f"shorter ones, or start a new conversation."
            ),
        )
    else:
        kind, text = (
            "bad_request",
            f"{where} takes requests in the form of its API, but not this one ({said}); correct it, it is in the trace.",
        )
    return ModelError(kind, redact(text[0].upper() + text[1:]))


def _server_message(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    said = body.get("message") or error.response.text or error.response.reason_phrase
    return f"{error.status_code}: {_line(said)}"


def _line(said: object) -> str:
    return " ".join(str(said).split())[:200]
