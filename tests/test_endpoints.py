"""OpenAI-compatible servers as endpoints: llama.cpp's, and one in a process of its own that shares no code with it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest

from llmlab import ModelError, connect, settings
from llmlab.llm import local, weights
from llmlab.llm.reply import ToolCall
from weather import PARIS, get_weather

DASLLAMA = "dasllama==0.6.6"

pytestmark = [pytest.mark.anyio, pytest.mark.live]


@dataclass
class Endpoint:
    """A running server, and in what it is unlike others."""

    url: str
    key: str
    model: str
    knows_its_model: bool
    capabilities: dict[str, bool]
    words_too_many: int


@pytest.fixture(scope="module")
def llama_cpp(box: local.Embedded) -> Endpoint:
    # Tools are not probed: llama.cpp lets a model talk before a call, and this one never comes to it.
    can = {"json_schema": True, "logprobs": True, "vision": False}
    return Endpoint(box.base_url, box.api_key, box.name, False, can, 9000)


@pytest.fixture(scope="module")
def dasllama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    # It does not take the tiny model, whose weights are in Q4_1.
    file, folder = weights.find(weights.get("small"), settings.load().cache), tmp_path_factory.mktemp("dasllama")
    kept = settings.load().cache / "tests" / DASLLAMA.replace("==", "-")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--target", str(kept)]
    if not kept.exists() and subprocess.run([*pip, DASLLAMA]).returncode:
        pytest.skip(f"pip could not fetch {DASLLAMA}, a server to test against")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [sys.executable, "-c", "from dasllama._cli import dasllama_server; dasllama_server()", "-m", str(file)]
    command += ["-p", port, "--host", "127.0.0.1", "-t", "2", "--flat"]
    env = {**os.environ, "HOME": str(folder), "DASLLAMA_IMAGE_SAVE": "0", "PYTHONPATH": str(kept)}
    with (folder / "log").open("w") as log, subprocess.Popen(command, env=env, stdout=log, stderr=log) as process:
        url, ready = f"http://127.0.0.1:{port}/v1", False
        while not ready:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
            with suppress(httpx2.TransportError):
                ready = bool(httpx2.get(f"{url}/models").json()["data"])
        can = {"tools": True, "json_schema": True, "logprobs": False, "vision": False}
        yield Endpoint(url, "any", file.name, True, can, 40_000)
        process.terminate()


@pytest.fixture(params=["llama_cpp", pytest.param("dasllama", marks=pytest.mark.slow)])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    """Each of the two servers, configured as a reader does it."""
    found: Endpoint = request.getfixturevalue(request.param)
    monkeypatch.setenv("OPENAI_BASE_URL", found.url)
    monkeypatch.setenv("OPENAI_API_KEY", found.key)
    return found


async def test_a_chat_gives_text_and_usage_and_can_be_replayed(server: Endpoint, tmp_path: Path) -> None:
    model = await connect(record=tmp_path, chapter="one")
    live = [await model.chat("What is the capital of France?", max_tokens=16, temperature=t) for t in (0.0, 1.0)]
    assert ("Paris" in live[0].text, live[0].source, live[0].note) == (True, "endpoint", "")
    assert (live[0].model, live[0].input_tokens > 10, 0 < live[0].output_tokens <= 16) == (server.model, True, True)
    pupil = await connect(replay=tmp_path, chapter="one", strict=True)
    again = [await pupil.chat("What is the capital of France?", max_tokens=16, temperature=t) for t in (0.0, 1.0)]
    assert [(r.text, r.seed, r.source) for r in again] == [(r.text, r.seed, "recording") for r in live]


async def test_capabilities_are_found_out(server: Endpoint) -> None:
    model = await connect()
    assert {c: await model.can(c) for c in server.capabilities} == model.abilities == server.capabilities


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_a_tool_call_that_is_required_comes_and_can_be_answered(server: Endpoint, streamed: bool) -> None:
    model = await connect()
    asked = await model.chat(PARIS, tools=[get_weather], tool_choice="required", max_tokens=60, stream=streamed)
    (call,) = asked.tool_calls
    assert (call.name, asked.finish_reason) == ("get_weather", "tool_calls")
    broken = replace(asked, tool_calls=[ToolCall(call.id, "get_weather", '{"city": "Paris}}')])  # no JSON
    for reply in (asked, broken):
        result = await get_weather.call(reply.tool_calls[0].arguments)
        messages = [*PARIS, reply.message, {"role": "tool", "tool_call_id": call.id, "content": result.text}]
        assert (await model.chat(messages, tools=[get_weather], max_tokens=8, stream=streamed)).output_tokens > 0


async def test_what_a_server_refuses_has_its_kind_and_the_next_call_works(server: Endpoint) -> None:
    refused = {
        "context": {},
        **({"not_found": {"model": "none"}} if server.knows_its_model else {"auth": {"api_key": "no"}}),
    }
    for kind, wrong in refused.items():
        model = await connect(**{"model": server.model, **wrong})
        with pytest.raises(ModelError) as caught:
            await model.chat("word " * server.words_too_many if kind == "context" else "Hi")
        assert caught.value.kind == kind
    answer = await (await connect()).chat("Tell me a long story.", max_tokens=3)
    assert (answer.output_tokens, answer.finish_reason) == (3, "length")
