"""llama.cpp's server in this process: closed to others, complete for us, and gone when it is stopped."""

import asyncio
import hashlib
import json
import socket
from dataclasses import replace
from pathlib import Path

import httpx2
import psutil
import pytest

from llmlab import ModelError, connect, settings
from llmlab.errors import WeightsError
from llmlab.llm import local
from llmlab.llm.local import Embedded
from weather import PARIS, get_weather

pytestmark = [pytest.mark.anyio, pytest.mark.live]

QUESTION = "What is the capital of France?"


def get(box: Embedded, path: str, key: str | None = None, method: str = "GET", **more: object) -> httpx2.Response:
    headers = {"authorization": f"Bearer {key or box.api_key}", **more.pop("headers", {})}  # type: ignore[dict-item]
    return httpx2.request(method, box.base_url.removesuffix("/v1") + path, headers=headers, **more)  # type: ignore[arg-type]


def test_it_listens_on_loopback_only_and_answers_nobody_else(box: Embedded) -> None:
    port = httpx2.URL(box.base_url).port
    listening = [c.laddr for c in psutil.Process().net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert [address.ip for address in listening if address.port == port] == ["127.0.0.1"]
    for path in ("/v1/models", "/v1/chat/completions", "/slots", "/metrics", "/props"):
        assert get(box, path, "wrong", "POST" if path.endswith("completions") else "GET").status_code == 401
    origin = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
    for method in ("GET", "OPTIONS"):
        allowed = get(box, "/v1/models", method=method, headers=origin).headers.get("access-control-allow-origin")
        assert allowed not in ("*", origin["origin"])
    assert [slot["n_ctx"] for slot in get(box, "/slots").json()] == [8192] * 4


async def test_it_answers_and_says_where_the_answer_comes_from(box: Embedded, box_weights: Path) -> None:
    model = await connect()
    answer = await model.chat(QUESTION, max_tokens=16)
    assert "Paris" in answer.text
    assert (answer.source, answer.model, answer.finish_reason) == ("embedded", "SmolLM2-135M-Instruct", "stop")
    assert answer.provenance == {
        "llmlab.weights.file": box_weights.name,
        "llmlab.weights.sha256": hashlib.sha256(box_weights.read_bytes()).hexdigest()[:16],
        "llmlab.template.sha256": hashlib.sha256(local.TEMPLATE.encode()).hexdigest()[:16],
        "llmlab.context_tokens": 8192,
    }
    assert (await model.can("tools"), await model.can("vision")) == (True, False)
    streamed = await model.chat(QUESTION, max_tokens=16, stream=True)
    assert (streamed.text, streamed.output_tokens) == (answer.text, answer.output_tokens)
    assert streamed.cached_tokens > 0
    assert streamed.first_token_seconds is not None
    assert streamed.first_token_seconds < streamed.seconds


def test_the_model_reads_a_tool_as_a_signature_also_one_with_parts_of_its_own(box: Embedded) -> None:
    cup = {"type": "object", "properties": {"size": {"enum": ["S", "L"]}, "price": {"type": "number"}}}
    properties = {
        "cups": {"type": "array", "items": {"$ref": "#/$defs/Cup"}},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "copies": {"type": "integer", "default": 2, "description": "How many."},
        "rest": {"type": "object"},
        "self": {"$ref": "#/$defs/Loop"},
    }
    loop = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Loop"}}}
    parameters = {"properties": properties, "required": ["cups"], "$defs": {"Cup": cup, "Loop": loop}}
    offered = {"type": "function", "function": {"name": "pack", "description": "Pack.", "parameters": parameters}}
    body = {"messages": [{"role": "user", "content": "Hi."}], "tools": [offered]}
    assert (
        'pack(cups: list of {"size": "S" | "L", "price": number}, note?: string | null, copies?: integer = 2, '
        'rest?: object, self?: {"next": {"next": {"next": object}}}): Pack.\n  copies: How many.\n'
    ) in get(box, "/apply-template", method="POST", json=body).json()["prompt"]


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_tool_calls_schemas_and_logprobs_come_as_openai_has_them(box: Embedded, streamed: bool) -> None:
    model = await connect()
    asked = await model.chat(PARIS, tools=[get_weather], tool_choice="required", max_tokens=60, stream=streamed)
    (call,) = asked.tool_calls
    assert (asked.finish_reason, asked.text, bool(call.id)) == ("tool_calls", "", True)
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Paris"})
    colour = {"type": "string", "enum": ["red", "green"]}
    shape = {"type": "object", "properties": {"colour": colour, "n": {"type": "integer"}}, "required": ["colour", "n"]}
    made = (await model.chat("Invent something.", schema=shape, max_tokens=60, stream=streamed)).json()
    assert (made["colour"] in ("red", "green"), type(made["n"])) == (True, int)
    said = await model.chat(QUESTION, max_tokens=3, logprobs=True, top_logprobs=2, stream=streamed)
    tokens = said.response["choices"][0]["logprobs"]["content"]
    assert [len(token["top_logprobs"]) for token in tokens] == [2, 2, 2]


@pytest.mark.parametrize("streamed", [False, True])
async def test_too_many_tokens_are_refused_and_the_next_calls_work_side_by_side(box: Embedded, streamed: bool) -> None:
    model = await connect()
    with pytest.raises(ModelError, match="8192") as caught:
        await model.chat("word " * 9000, stream=streamed)
    assert caught.value.kind == "context"
    answers = await asyncio.gather(*(model.chat(f"What is {n}?", max_tokens=4) for n in ("ice", "fog", "rain", "snow")))
    assert [a.output_tokens for a in answers] == [4] * 4


async def test_two_starts_give_the_same_server_and_stopping_closes_its_port(others: None, box_weights: Path) -> None:
    for _ in range(3):  # llama.cpp itself waits for ever if it is stopped before its loop runs
        first, second = await asyncio.gather(connect(), connect())
        assert (first.client.base_url, first.client.api_key) == (second.client.base_url, second.client.api_key)
        address = ("127.0.0.1", first.client.base_url.port)
        socket.create_connection(address).close()
        local.stop_all()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


async def test_another_file_keeps_its_own_template(others: None, box_weights: Path) -> None:
    model = await connect(gguf=box_weights)
    assert (model.name, "llmlab.template.sha256" in model.provenance) == (box_weights.stem, False)
    assert (await model.chat("Hi", max_tokens=2)).input_tokens > 20, "its template adds a system message"


def test_an_adapter_is_loaded_with_the_standard_model_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[tuple[str, bool]] = []
    monkeypatch.setattr(local, "_running", {})
    monkeypatch.setattr(local.weights, "find", lambda chosen, cache: tmp_path / chosen.key)
    monkeypatch.setattr(local, "Embedded", lambda gguf, *about, **more: made.append((gguf.name, bool(more["adapter"]))))
    for size in ("standard", "small", "tiny"):
        local.start(replace(settings.load(), box=size))
    assert made == [("standard", True), ("small", False), ("tiny", False)]
    assert local.ADAPTERS["standard"].is_file()


DAMAGED = {
    "missing": None,
    "empty": slice(0, 0),
    "cut in the header": slice(0, 100),
    "one byte short": slice(0, -1),
    "not from its start": slice(8, None),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_file_is_refused_in_a_sentence(how: str, box_weights: Path, tmp_path: Path, others: None) -> None:
    file = tmp_path / "model.gguf"
    if part := DAMAGED[how]:
        file.write_bytes(box_weights.read_bytes()[part])
    with pytest.raises(WeightsError, match=r"GGUF.*model\.gguf"):
        local.start(replace(settings.load(), gguf=file))
    assert local._running == {}
