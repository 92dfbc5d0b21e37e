"""Whatever goes wrong between the lab and a model, as one sentence: what was allowed, what came, what to do next."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import openai

from llmlab.errors import LabError, ModelError
from llmlab.redaction import redact

_CONFIG = "in .env or in the environment"
_TOO_LONG = re.compile(r"context.*(length|token)|(length|token).*context|too long", re.I)


def explain(error: Exception, where: str, model: str, timeout: float, base_url: str) -> Exception:
    """The ModelError for a failed call to `model` at `where`; an error that is no fault of a call comes back as it is."""
    if isinstance(error, LabError):
        return error
    if isinstance(error, openai.APIStatusError):
        return _status(error, where, model)
    cause, broken = error.__cause__ or error, httpx2.RemoteProtocolError | httpx2.ReadError
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException | TimeoutError):
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


def said_in_a_reply(data: dict[str, Any]) -> tuple[int, str] | None:
    """The status and the words of an error that came inside a reply with status 200, as proxies and OpenRouter send it."""
    error = data.get("error")
    choice = next(iter(data.get("choices") or []), None) or {}
    error = error or choice.get("error") or (choice.get("finish_reason") == "error" and "the reply ended with an error")
    if not error:
        return None
    if not isinstance(error, dict):
        return 500, _line(error)
    more = (error.get("metadata") or {}).get("raw") if isinstance(error.get("metadata"), dict) else None
    code = str(error.get("code"))
    status = int(code) if code.isdigit() else 500
    return status, _line(": ".join(str(part) for part in (error.get("message"), more) if part) or error)


def empty(finish_reason: object, message: dict[str, Any]) -> str:
    """For a reply that has neither text nor calls."""
    thought = sum(
        len(message[name]) for name in ("reasoning_content", "reasoning") if isinstance(message.get(name), str)
    )
    wrote = f", but wrote {thought:,} characters of reasoning" if thought else ""
    return f"The model answered with nothing{wrote} (finish reason {finish_reason or 'none'})."


def no_chat_reply(where: str, data: Any) -> str:
    """For JSON that is something else."""
    return redact(
        f"A chat reply has choices[0].message, but {where} sent {json.dumps(data, ensure_ascii=False)[:80]}; check that "
        f"OPENAI_BASE_URL points to an OpenAI-compatible API."
    )


def _status(error: openai.APIStatusError, where: str, model: str) -> ModelError:
    wait = error.response.headers.get("retry-after")
    return of_status(error.status_code, _server_message(error), where, model, wait)


def of_status(code: int, said: str, where: str, model: str, wait: str | None = None) -> ModelError:
    """The error that an HTTP status and the server's own words mean."""
    kind, text = _meaning(code, said, where, model, f"after {wait} seconds" if wait else "in a minute")
    return ModelError(kind, redact(text[0].upper() + text[1:]))


def _meaning(code: int, said: str, where: str, model: str, after: str) -> tuple[str, str]:
    if code in (401, 403):
        return "auth", f"{where} wants a valid key, but refused this one ({said}); set OPENAI_API_KEY {_CONFIG}."
    if code == 404:
        return "not_found", (
            f"{where} has to know the model and the path, but knows no {model!r} there ({said}); set LLMLAB_MODEL and "
            f"OPENAI_BASE_URL {_CONFIG}."
        )
    if code == 429:
        return "rate_limit", f"{where} allows a number of requests, but got more ({said}); run the cell again {after}."
    if code >= 500:
        return "server", f"{where} has to answer, but failed three times ({said}); run the cell again later."
    if _TOO_LONG.search(said):
        return "context", (
            f"The messages have to fit into the model's context window, but are too long ({said}); send fewer or shorter "
            f"ones, or start a new conversation."
        )
    return "bad_request", (
        f"{where} takes requests in the form of its API, but not this one ({said}); correct it, it is in the trace."
    )


def _server_message(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    said = body.get("message") or error.response.text or error.response.reason_phrase
    return f"{error.status_code}: {_line(said)}"


def _line(said: object) -> str:
    return " ".join(str(said).split())[:200]
