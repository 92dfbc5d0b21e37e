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
from sentence import is_one_sentence
from weather import PARIS, get_weather

pytestmark = [pytest.mark.anyio, pytest.mark.live]

QUESTION = "What is the capital of France?"


def root(box: Embedded) -> str:
    return box.base_url.removesuffix("/v1")


def keyed(box: Embedded) -> dict[str, str]:
    return {"authorization": f"Bearer {box.api_key}"}


def test_it_listens_on_loopback_only(box: Embedded) -> None:
    port = httpx2.URL(box.base_url).port
    listening = [c.laddr for c in psutil.Process().net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert [address.ip for address in listening if address.port == port] == ["127.0.0.1"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/slots", "/metrics", "/props"])
@pytest.mark.parametrize("key", [None, "wrong"])
def test_without_the_key_nothing_is_answered(box: Embedded, path: str, key: str | None) -> None:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    ask = httpx2.post if path.endswith("completions") else httpx2.get
    assert ask(root(box) + path, headers=headers).status_code == 401


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_web_page_from_elsewhere_is_not_let_in(box: Embedded, method: str) -> None:
    origin = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
    answer = httpx2.request(method, f"{box.base_url}/models", headers={**keyed(box), **origin})
    assert answer.headers.get("access-control-allow-origin") not in ("*", origin["origin"])


def test_it_has_four_slots_of_8192_tokens(box: Embedded) -> None:
    slots = httpx2.get(f"{root(box)}/slots", headers=keyed(box)).json()
    assert [slot["n_ctx"] for slot in slots] == [8192] * 4


async def test_it_answers_and_says_where_the_answer_comes_from(box: Embedded, box_weights: Path) -> None:
    model = await connect()
    answer = await model.chat(QUESTION, max_tokens=16)
    assert "Paris" in answer.text
    assert (answer.source, answer.model, answer.finish_reason) == ("embedded", "SmolLM2-135M-Instruct", "stop")
    assert answer.input_tokens == 16
    expected = {
        "llmlab.weights.file": box_weights.name,
        "llmlab.weights.sha256": hashlib.sha256(box_weights.read_bytes()).hexdigest()[:16],
        "llmlab.template.sha256": hashlib.sha256(local.TEMPLATE.encode()).hexdigest()[:16],
        "llmlab.context_tokens": 8192,
    }
    assert answer.provenance == expected
    (step,) = model.trace
    assert {name: step.get(name) for name in expected} == expected
    assert await model.can("tools")
    assert not await model.can("vision")


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
    prompt = httpx2.post(f"{root(box)}/apply-template", headers=keyed(box), json=body).json()["prompt"]
    assert (
        'pack(cups: list of {"size": "S" | "L", "price": number}, note?: string | null, copies?: integer = 2, '
        'rest?: object, self?: {"next": {"next": {"next": object}}}): Pack.\n  copies: How many.\n'
    ) in prompt


async def test_the_same_prompt_again_comes_from_the_cache(box: Embedded) -> None:
    model = await connect()
    await model.chat("What is a cache?", max_tokens=2)
    assert (await model.chat("What is a cache?", max_tokens=2)).cached_tokens > 0


async def test_a_streamed_answer_comes_piece_by_piece(box: Embedded) -> None:
    model = await connect()
    plain = await model.chat(QUESTION, max_tokens=16)
    answer = await model.chat(QUESTION, max_tokens=16, stream=True)
    assert answer.text == plain.text
    assert answer.first_token_seconds is not None
    assert answer.first_token_seconds < answer.seconds
    assert (answer.input_tokens, answer.output_tokens) == (plain.input_tokens, plain.output_tokens)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_a_tool_call_comes_as_a_tool_call(box: Embedded, streamed: bool) -> None:
    model = await connect()
    answer = await model.chat(PARIS, tools=[get_weather], tool_choice="required", max_tokens=60, stream=streamed)
    assert answer.finish_reason == "tool_calls"
    (call,) = answer.tool_calls
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Paris"})
    assert call.id
    assert answer.text == ""


async def test_a_schema_makes_json_of_its_shape(box: Embedded) -> None:
    colour = {"type": "string", "enum": ["red", "green"]}
    shape = {"type": "object", "properties": {"colour": colour, "n": {"type": "integer"}}, "required": ["colour", "n"]}
    answer = (await (await connect()).chat("Invent something.", schema=shape, max_tokens=60)).json()
    assert answer["colour"] in ("red", "green")
    assert isinstance(answer["n"], int)


async def test_log_probabilities_come_also_when_streamed(box: Embedded) -> None:
    model = await connect()
    for streamed in (False, True):
        answer = await model.chat(QUESTION, max_tokens=3, logprobs=True, top_logprobs=2, stream=streamed)
        tokens = answer.response["choices"][0]["logprobs"]["content"]
        assert [len(token["top_logprobs"]) for token in tokens] == [2, 2, 2]


async def test_too_many_tokens_are_refused_and_the_next_call_works(box: Embedded) -> None:
    model = await connect()
    for streamed in (False, True):
        with pytest.raises(ModelError, match="8192") as caught:
            await model.chat("word " * 9000, stream=streamed)
        assert caught.value.kind == "context"
    assert (await model.chat("Hi", max_tokens=2)).output_tokens == 2
    assert [step.status for step in model.trace] == ["error", "error", "ok"]


async def test_four_questions_are_answered_side_by_side(box: Embedded) -> None:
    model = await connect()
    answers = await asyncio.gather(*(model.chat(f"What is {n}?", max_tokens=4) for n in ("ice", "fog", "rain", "snow")))
    assert [a.output_tokens for a in answers] == [4] * 4


async def test_a_second_start_gives_the_same_server(others: None, box_weights: Path) -> None:
    first, second = await asyncio.gather(connect(), connect())
    assert first.client.base_url == second.client.base_url
    assert first.client.api_key == second.client.api_key
    assert len(local._running) == 1


def test_a_server_can_be_stopped_the_moment_it_has_started(others: None, box_weights: Path) -> None:
    for _ in range(5):  # llama.cpp itself waits for ever if it is stopped before its loop runs
        local.start(settings.load())
        local.stop_all()


def test_stopping_closes_the_port(others: None, box_weights: Path) -> None:
    box = local.start(settings.load())
    address = ("127.0.0.1", httpx2.URL(box.base_url).port)
    socket.create_connection(address).close()
    local.stop_all()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


async def test_another_file_keeps_its_own_template(others: None, box_weights: Path) -> None:
    model = await connect(gguf=box_weights)
    assert model.name == box_weights.stem
    assert "llmlab.template.sha256" not in model.provenance
    answer = await model.chat("Hi", max_tokens=2)
    assert answer.input_tokens > 20, "the template inside the file adds a system message"


DAMAGED = [
    "missing",
    "empty",
    "text",
    "magic only",
    "cut in the header",
    "cut in the weights",
    "one byte short",
    "altered",
]


def damaged(how: str, whole: Path, folder: Path) -> Path:
    """A file that is not what it should be."""
    file = folder / "model.gguf"
    if how == "missing":
        return file
    data = whole.read_bytes()
    content = {
        "empty": b"",
        "text": b"Not found",
        "magic only": b"GGUF",
        "cut in the header": data[:100],
        "cut in the weights": data[: len(data) - 1000],
        "one byte short": data[:-1],
        "altered": data[:8] + b"\xff" * 8 + data[16:],
    }
    file.write_bytes(content[how])
    return file


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_file_is_refused_in_a_sentence(how: str, box_weights: Path, tmp_path: Path, others: None) -> None:
    file = damaged(how, box_weights, tmp_path)
    with pytest.raises(WeightsError) as caught:
        local.start(replace(settings.load(), gguf=file))
    assert is_one_sentence(str(caught.value)), str(caught.value)
    assert file.name in str(caught.value)
    assert local._running == {}
